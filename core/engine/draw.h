/*
 * draw.h - draws the next tokens of a step: the rows of logits that the step's sequences ask for,
 * in blocks of at most ACTIVATIONS_LOGIT_ROWS, and for each the sampler. Owns its buffers, which
 * hold a block whatever its requests ask for; nothing is allocated after draw_new.
 */
#ifndef FATHOM_ENGINE_DRAW_H
#define FATHOM_ENGINE_DRAW_H

#include "../model/forward.h"
#include "head.h"
#include "request.h"

typedef struct draw_order {
    request *r;
    int32_t row;    /* the token of the step whose logits it draws from */
    uint32_t *mask; /* [(V + 31) / 32] of allowed ids; filled where the request has a mask */
} draw_order;

typedef struct draw {
    fm_device *dev;
    int32_t vocab_size;
    draw_order *orders; /* [n_orders] of the step */
    int32_t n_orders;
    int32_t first, n_rows; /* the block: of the orders, those that were submitted last */
    uint64_t ticket;       /* of that */
    uint32_t *masks;       /* [max_sequences, (V + 31) / 32] */
    float *logits;         /* [V] a whole row */
    head head;             /* of a block */
    sampler sampler;
} draw;

/** For steps of up to max_sequences draws, of sequences of up to max_context tokens. */
fm_status draw_new(fm_device *dev, int32_t vocab_size, int32_t max_sequences, int32_t max_context,
                   draw *out, fm_error *err);
void draw_free(draw *d);

/** Empties the list of draws. */
void draw_begin(draw *d);
/** Asks for the next token of a request from the logits of the step's token `row`. Calls the
 * request's mask function, and cancels the request when that says so. */
void draw_add(draw *d, request *r, int32_t row);
/** After forward_layers: encodes what the first block needs and submits it, with all that was
 * encoded before, also where there is nothing to draw. */
fm_status draw_start(draw *d, const forward *f);
/** Waits for the device and draws all, block by block, into the requests' `drawn`, which are not
 * touched before. A status other than FM_OK is the device's; what is wrong with one row stands in
 * its `drawn`. */
fm_status draw_finish(draw *d, const forward *f);

#endif
