/*
 * model.h - a checkpoint made ready to run: description, files, device, weights, rotary table.
 * fm_model owns them; engines borrow it and share its device.
 */
#ifndef FATHOM_MODEL_MODEL_H
#define FATHOM_MODEL_MODEL_H

#include <stdatomic.h>

#include "checkpoint.h"
#include "weights.h"

struct fm_model {
    fm_checkpoint *checkpoint;
    fm_model
        *planning; /* the same model on a device that only plans: what engines are measured on */
    fm_device *dev;
    model_weights weights;
    fm_buf *rope_buf;
    fm_tensor rope_table; /* [max_context, R/2, 2] */
    fm_dtype cache_dtype;
    int32_t max_context;   /* tokens of one sequence */
    int32_t max_chunk;     /* prompt tokens of one step */
    int32_t max_sequences; /* of one step */
    atomic_flag busy;      /* an engine computes on the device, or is in a callback of doing so */
    char summary[240];
};

/** Opens no more than the model's twin `planning`: nothing is loaded. Closed with fm_model_close. */
fm_status model_open_plan(const char *dir, const fm_model_params *params, fm_model **out,
                          fm_error *err);

/** Tokens of the largest step: a chunk of prompts, and the newest token of every sequence. */
int32_t model_max_step_tokens(const fm_model *m);

#endif
