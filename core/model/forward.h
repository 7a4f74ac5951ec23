/*
 * forward.h - the forward pass: one step of tokens through all layers, and logits of chosen tokens.
 * Prefill and decode differ in the number of tokens only. One thread at a time per model and
 * device.
 */
#ifndef FATHOM_MODEL_FORWARD_H
#define FATHOM_MODEL_FORWARD_H

#include "activations.h"
#include "cache.h"
#include "step.h"
#include "weights.h"

/** What a forward pass works with; all of it outlives the pass. */
typedef struct forward {
    const config *c;
    const model_weights *w;
    fm_tensor rope_table; /* [positions, R/2, 2] */
    const kv_cache *cache;
    activations *a;
    const step *s; /* uploaded */
} forward;

/* The functions encode. Whoever calls them ends a step with forward_finish, or after a failure with
 * device_abandon. */

/** The step's tokens through all layers: their keys and values are in the cache afterwards, and a->h
 * holds their last hidden state. Routers wait for their scores. */
fm_status forward_layers(const forward *f);

/** Logits of the step's tokens rows[0 … n_rows - 1], n_rows <= ACTIVATIONS_LOGIT_ROWS, from a->h to
 * a->logits [n_rows, V]. */
fm_status forward_head(const forward *f, const int32_t *rows, int32_t n_rows);

/** Submits what was encoded and waits for it. */
fm_status forward_finish(const forward *f);

#endif
