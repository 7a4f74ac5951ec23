/*
 * checkpoint.h - a checkpoint directory as the model floor sees it: the description and the mapped
 * files. fm_checkpoint owns both; models read its weights in place.
 */
#ifndef FATHOM_MODEL_CHECKPOINT_H
#define FATHOM_MODEL_CHECKPOINT_H

#include "../data/safetensors.h"
#include "config.h"

struct fm_checkpoint {
    config config;
    safetensors *files;
    bool *used; /* [safetensors_count] whether the model uses the tensor */
    uint64_t n_params;
    uint64_t n_params_active;
};

#endif
