/*
 * draw.h - draws the next tokens of a step: the rows of logits that the step's sequences ask for, in
 * groups, and for each the sampler. Owns its buffers; nothing is allocated after draw_new.
 */
#ifndef FATHOM_ENGINE_DRAW_H
#define FATHOM_ENGINE_DRAW_H

#include "../model/forward.h"
#include "head.h"
#include "request.h"

/** What became of one draw. */
typedef struct drawn {
    bool wanted;
    fm_status status; /* FM_ERR_NOT_FINITE when the logits are not, FM_ERR_ARG when no token is
                         allowed; then there is none */
    int32_t id;
    float logprob; /* of id, and of the alternatives, where the request asks for them */
    int32_t n_top;
    fm_logprob top[FM_MAX_LOGPROBS];
} drawn;

typedef struct draw_order {
    request *r;
    int32_t row;    /* the token of the step whose logits it draws from */
    uint32_t *mask; /* [(V + 31) / 32] of allowed ids; filled where the request has a mask */
    drawn *out;
} draw_order;

typedef struct draw {
    fm_device *dev;
    int32_t vocab_size;
    draw_order *orders; /* [n_orders] of the step */
    int32_t n_orders;
    uint32_t *masks; /* [max_sequences, (V + 31) / 32] */
    float *logits;   /* [V] a whole row */
    head head;       /* of a group of rows */
    sampler sampler;
} draw;

/** For steps of up to max_sequences draws, of sequences of up to max_context tokens. */
fm_status draw_new(fm_device *dev, int32_t vocab_size, int32_t max_sequences, int32_t max_context,
                   draw *out, fm_error *err);
void draw_free(draw *d);

/** Empties the list of draws. */
void draw_begin(draw *d);
/** Asks for the next token of a request from the logits of the step's token `row`; `out` is filled by
 * draw_run. Calls the request's mask function, and cancels the request when that says so. */
void draw_add(draw *d, request *r, int32_t row, drawn *out);
/** Draws all, after forward_layers, and waits for the device. A status other than FM_OK is the
 * device's; what is wrong with one row stands in its `drawn`. */
fm_status draw_run(draw *d, const forward *f);

#endif
