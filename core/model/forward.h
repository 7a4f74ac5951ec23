/*
 * forward.h - the forward pass: one step of tokens through all layers, and logits of chosen tokens.
 * Prefill and decode differ in the number of tokens only. One thread at a time per model.
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
    const placement *places;
    const fm_tensor *rope_tables; /* of each device: [positions, R/2, 2] */
    const kv_cache *cache;
    activations *a; /* of each device */
    const step *s;  /* uploaded */
    float *through; /* [T, C] host memory, through which h goes from one device to the next; not
                       used with one */
} forward;

/* The functions encode, in stretches that a device may keep: `a` is their owner. Whoever calls them
 * ends a step with forward_finish, or after a failure with placement_abandon. */

/** The step's tokens through all layers: their keys and values are in the cache afterwards, and h
 * of the last device holds their last hidden state. Routers on the host wait for their scores, and
 * each device for the one before it; behind it the last device alone has work that was not waited
 * for. */
fm_status forward_layers(const forward *f);

/** Logits of the step's tokens rows[0 … n_rows - 1], n_rows <= ACTIVATIONS_LOGIT_ROWS, from h to
 * forward_logits. */
fm_status forward_head(const forward *f, const int32_t *rows, int32_t n_rows);

/** Where forward_head puts n_rows rows of logits, [n_rows, V]. */
fm_tensor forward_logits(const forward *f, int32_t n_rows);

/** Submits what was encoded on any device and waits for it. */
fm_status forward_finish(const forward *f);

#endif
