/* draw.c - logits in blocks of rows, each from one pass over the head's weights; head_topk on a
 * block, then the sampler row by row. */
#include "draw.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t mask_words(const draw *d) {
    return ((size_t)d->vocab_size + 31) / 32;
}

/** Of n draws those that the next block takes. */
static int32_t rows_of_block(int32_t n) {
    return n < ACTIVATIONS_LOGIT_ROWS ? n : ACTIVATIONS_LOGIT_ROWS;
}

static fm_status make(draw *d, int32_t max_sequences, int32_t max_context, fm_error *err) {
    /* Rows of a block times edits of a row: no list of edits is longer than the block's logits. */
    const head_limits limits = {.vocab_size = d->vocab_size,
                                .max_rows = rows_of_block(max_sequences),
                                .row_edits = penalties_limit(d->vocab_size, max_context)};
    d->orders = calloc((size_t)max_sequences, sizeof *d->orders);
    d->masks = calloc((size_t)max_sequences * mask_words(d), sizeof *d->masks);
    d->logits = calloc((size_t)d->vocab_size, sizeof *d->logits);
    if (!d->orders || !d->masks || !d->logits)
        return error_set(err, FM_ERR_MEMORY, "out of memory for drawing tokens");
    for (int32_t i = 0; i < max_sequences; i++)
        d->orders[i].mask = d->masks + (size_t)i * mask_words(d);
    FM_TRY(head_new(d->dev, &limits, &d->head, err));
    return sampler_new(d->vocab_size, &d->sampler, err);
}

fm_status draw_new(fm_device *dev, int32_t vocab_size, int32_t max_sequences, int32_t max_context,
                   draw *out, fm_error *err) {
    *out = (draw){.dev = dev, .vocab_size = vocab_size};
    fm_status status = make(out, max_sequences, max_context, err);
    if (status != FM_OK) draw_free(out);
    return status;
}

void draw_free(draw *d) {
    sampler_free(&d->sampler);
    head_free(&d->head);
    free(d->logits);
    free(d->masks);
    free(d->orders);
    *d = (draw){0};
}

/* ---- A step's draws ---------------------------------------------------------------------------- */

void draw_begin(draw *d) {
    d->n_orders = d->first = d->n_rows = 0;
}

void draw_add(draw *d, request *r, int32_t row) {
    draw_order *order = &d->orders[d->n_orders++];
    order->r = r;
    order->row = row;
    if (!r->mask) return;
    memset(order->mask, 0xff, mask_words(d) * sizeof *order->mask);
    if (!r->mask(r->mask_user, r->q.ids + r->n_prompt, request_n_generated(r), order->mask))
        request_cancel(r);
}

static penalty_history history_of(const request *r) {
    return (penalty_history){r->q.ids, r->n_prompt, r->q.ids + r->n_prompt, request_n_generated(r)};
}

static void add_row(draw *d, const draw_order *order) {
    const request *r = order->r;
    const penalty_history history = history_of(r);
    head_add(&d->head, &r->sampling, &history, r->n_logprobs > 0 ? r->n_logprobs : 0);
    if (r->mask) memcpy(head_mask(&d->head), order->mask, mask_words(d) * sizeof *order->mask);
}

/** Row i of the block: from its candidates, or where they are too few from the whole row. */
static fm_status draw_row(draw *d, const forward *f, int32_t i, const draw_order *order) {
    request *r = order->r;
    const sampler_row row = head_row(&d->head, i);
    uint64_t counter = (uint64_t)request_n_generated(r);
    fm_logprob token = {.id = 0};
    drawn *out = &r->drawn;
    assert(!r->has_untold_token);
    *out = (drawn){0};
    out->status = sampler_draw(&r->sampling, &row, counter, &token);
    if (out->status == FM_OK && token.id < 0) {
        const sampler_logits all = head_logits(&d->head, i, d->logits);
        fm_tensor logits = tensor_slice(forward_logits(f, d->n_rows), 0, i, 1);
        FM_TRY(device_read(d->dev, logits, d->logits));
        out->status = sampler_draw_all(&d->sampler, &r->sampling, &row, &all, counter, &token);
    }
    out->id = token.id;
    if (out->status != FM_OK || r->n_logprobs == 0) return FM_OK;
    out->logprob = token.logprob;
    if (r->n_logprobs > 0) out->n_top = head_alternatives(&d->head, i, r->n_logprobs, out->top);
    return FM_OK;
}

/** Encodes the block that begins with order `first`, its logits and the search in them, and submits
 * it. */
static fm_status start_block(draw *d, const forward *f, int32_t first) {
    int32_t rows[ACTIVATIONS_LOGIT_ROWS], n = rows_of_block(d->n_orders - first);
    const draw_order *orders = d->orders + first;
    d->first = first;
    d->n_rows = n;
    head_begin(&d->head);
    for (int32_t i = 0; i < n; i++) {
        rows[i] = orders[i].row;
        add_row(d, &orders[i]);
    }
    if (n > 0) {
        FM_TRY(forward_head(f, rows, n));
        FM_TRY(head_encode(&d->head, forward_logits(f, n)));
    }
    return device_submit(d->dev, &d->ticket);
}

/** Waits for the block that was started, and draws its tokens. */
static fm_status finish_block(draw *d, const forward *f) {
    FM_TRY(device_wait(d->dev, d->ticket));
    if (d->n_rows > 0) FM_TRY(head_read(&d->head));
    for (int32_t i = 0; i < d->n_rows; i++) FM_TRY(draw_row(d, f, i, &d->orders[d->first + i]));
    return FM_OK;
}

fm_status draw_start(draw *d, const forward *f) {
    return start_block(d, f, 0);
}

fm_status draw_finish(draw *d, const forward *f) {
    FM_TRY(finish_block(d, f));
    for (int32_t next = d->n_rows; next < d->n_orders; next += d->n_rows) {
        FM_TRY(start_block(d, f, next));
        FM_TRY(finish_block(d, f));
    }
    return FM_OK;
}
