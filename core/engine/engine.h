/*
 * engine.h - what the files of the engine share. The engine owns caches, workspace and queue; it
 * borrows the model.
 */
#ifndef FATHOM_ENGINE_ENGINE_H
#define FATHOM_ENGINE_ENGINE_H

#include "../base/fp.h"
#include "../model/forward.h"
#include "../model/model.h"
#include "draw.h"
#include "events.h"

struct fm_engine {
    fm_model *model;
    fm_engine_params params; /* defaults resolved */
    kv_cache cache;
    activations a[MODEL_MAX_DEVICES]; /* of each device */
    float *through;                   /* [T, C] of a pass, with several devices */
    step s;
    paging paging;
    scheduler scheduler;
    request_rules rules;
    queue queue;
    events events; /* of the last step, on a device that computes by itself */
    draw draw;
    paged_sequence prompt; /* of the calls that compute logits */
    float *logits;         /* [ACTIVATIONS_LOGIT_ROWS, V] of the same */
    uint64_t n_steps, n_tokens_run;
};

/** Makes an engine, whether there is room for it or not; also on a model's twin that only plans. */
fm_status engine_make(fm_model *m, const fm_engine_params *params, fm_engine **out, fm_error *err);

/** Calls that compute begin here. They are refused to a callback, whose results they would
 * overwrite, and to a second thread, as all engines of a model work on the same devices. The
 * model's `busy` is only tried, never waited for: a callback that waited would wait for itself. */
fm_status engine_begin(fm_engine *e, fm_error *err);
void engine_end(fm_engine *e);

/** What was computed since fp_begin ended with `status`: puts the caller's floating-point
 * environment back; a failure leaves the devices ready for the next step and is said in words.
 * Returns it. */
fm_status engine_computed(fm_engine *e, const fenv_t *caller, fm_status status, fm_error *err);

/** The forward pass of the step that was written down. */
forward engine_pass(fm_engine *e);

/** Hands a new request to the queue, or frees it with its pages. Any thread, when it has no pages.
 */
fm_status engine_enqueue(fm_engine *e, request *r, uint64_t *id, fm_error *err);

/** FM_ERR_NOT_FOUND, in words, for the id of a request that is not there. */
fm_status engine_not_found(uint64_t id, fm_error *err);

/** Adds the next n tokens of a sequence to the step. */
void engine_add_part(fm_engine *e, const paged_sequence *pages, const int32_t *ids, int32_t n);

/** Encodes the copying of pages. */
fm_status engine_copy_pages(fm_engine *e, const page_copy *copies, int32_t n);

#endif
