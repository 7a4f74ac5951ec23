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
    fm_device *dev;
    model_weights weights;
    fm_buf *rope_buf;
    fm_tensor rope_table; /* [max_context, R/2, 2] */
    fm_dtype cache_dtype;
    int32_t max_context;     /* tokens of one sequence */
    int32_t max_step_tokens; /* tokens of one step */
    atomic_flag busy;        /* an engine computes on the device, or is in a callback of doing so */
    char summary[240];
};

#endif
