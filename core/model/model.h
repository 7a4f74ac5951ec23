/*
 * model.h - a checkpoint made ready to run: description, files, devices, weights, rotary tables.
 * fm_model owns them; engines borrow it and share its devices.
 */
#ifndef FATHOM_MODEL_MODEL_H
#define FATHOM_MODEL_MODEL_H

#include <stdatomic.h>

#include "checkpoint.h"
#include "placement.h"
#include "weights.h"

struct fm_model {
    fm_checkpoint *checkpoint;
    fm_model *planning; /* the same model on devices that only plan: what engines are measured on */
    placement_find_fn find;
    placement_request request; /* where layers are to be, "auto" resolved */
    placement places;
    fm_device *dev; /* of the last layers, where logits are made */
    model_weights weights;
    fm_buf *rope_bufs[MODEL_MAX_DEVICES];
    fm_tensor rope_tables[MODEL_MAX_DEVICES]; /* of each device: [max_context, R/2, 2] */
    fm_dtype cache_dtype;
    int32_t max_context;   /* tokens of one sequence */
    int32_t max_chunk;     /* prompt tokens of one step */
    int32_t max_sequences; /* of one step */
    atomic_flag busy;      /* an engine computes on the devices, or is in a callback of doing so */
    char summary[600];
};

/** fm_model_open with backends from elsewhere. */
fm_status model_open_with(const char *dir, const fm_model_params *params, placement_find_fn find,
                          fm_model **out, fm_error *err);

/** Opens no more than the model's twin `planning`: nothing is loaded. Closed with fm_model_close.
 */
fm_status model_open_plan(const char *dir, const fm_model_params *params, fm_model **out,
                          fm_error *err);

/** Makes what a model has on its devices, which are those of m->request, and with `plan_only` such
 * that only plan. */
fm_status model_make_ready(const fm_model_params *p, bool plan_only, fm_model *m, fm_error *err);
/** Closes all but the checkpoint; NULL is allowed. */
void model_close_devices(fm_model *m);

/** Tokens of the largest step: a chunk of prompts, and the newest token of every sequence. */
int32_t model_max_step_tokens(const fm_model *m);

#endif
