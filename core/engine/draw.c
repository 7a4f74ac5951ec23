/* draw.c - logits in blocks of rows, each from one pass over the head's weights; head_topk on groups of
 * a block's rows, then the sampler row by row. */
#include "draw.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/** Edits of a group of rows: room for a few of the longest histories. A group ends where the next row's
 * would not fit. One more group costs an upload, a call of head_topk and a wait for the device; the
 * logits are there already, so that no weight is read again. */
static int32_t edits_of_group(int32_t vocab_size, int32_t max_context) {
    int64_t longest = (int64_t)max_context + FM_LOGIT_BIAS_MAX;
    return (int32_t)(longest < vocab_size ? longest : vocab_size) * 4;
}

static size_t mask_words(const draw *d) {
    return ((size_t)d->vocab_size + 31) / 32;
}

static fm_status make(draw *d, int32_t max_sequences, int32_t max_context, fm_error *err) {
    const head_limits limits = {.vocab_size = d->vocab_size,
                                .max_rows = ACTIVATIONS_LOGIT_ROWS,
                                .max_edits = edits_of_group(d->vocab_size, max_context)};
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
    d->n_orders = d->n_block = d->n_group = 0;
    d->block = d->first = 0;
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

/** How many of n orders fit one group. */
static int32_t group_size(const draw *d, const draw_order *orders, int32_t n) {
    int64_t n_edits = 0;
    for (int32_t i = 0; i < n; i++) {
        const penalty_history history = history_of(orders[i].r);
        n_edits += penalties_bound(d->vocab_size, &orders[i].r->sampling, &history);
        if (n_edits > d->head.limits.max_edits) return i;
    }
    return n;
}

static void add_row(draw *d, const draw_order *order) {
    const request *r = order->r;
    const penalty_history history = history_of(r);
    head_add(&d->head, &r->sampling, &history, r->n_logprobs > 0 ? r->n_logprobs : 0);
    if (r->mask) memcpy(head_mask(&d->head), order->mask, mask_words(d) * sizeof *order->mask);
}

/** Logits of n orders from `first` on, which are in the block. */
static fm_tensor logits_of(const draw *d, const forward *f, int32_t first, int32_t n) {
    return tensor_slice(forward_logits(f, d->n_block), 0, first - d->block, n);
}

/** Row i of the group: from its candidates, or where they are too few from the whole row. */
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
        FM_TRY(device_read(d->dev, logits_of(d, f, d->first + i, 1), d->logits));
        out->status = sampler_draw_all(&d->sampler, &r->sampling, &row, &all, counter, &token);
    }
    out->id = token.id;
    if (out->status != FM_OK || r->n_logprobs == 0) return FM_OK;
    out->logprob = token.logprob;
    if (r->n_logprobs > 0) out->n_top = head_alternatives(&d->head, i, r->n_logprobs, out->top);
    return FM_OK;
}

/** Encodes the logits of the block that begins with order `first`. */
static fm_status start_block(draw *d, const forward *f, int32_t first) {
    int32_t rows[ACTIVATIONS_LOGIT_ROWS], n = d->n_orders - first;
    if (n > ACTIVATIONS_LOGIT_ROWS) n = ACTIVATIONS_LOGIT_ROWS;
    for (int32_t i = 0; i < n; i++) rows[i] = d->orders[first + i].row;
    d->block = first;
    d->n_block = n;
    return n > 0 ? forward_head(f, rows, n) : FM_OK;
}

/** Encodes and submits the group that begins with order `first`, and the block's logits where it is the
 * block's first. */
static fm_status start_group(draw *d, const forward *f, int32_t first) {
    if (first == d->block + d->n_block) FM_TRY(start_block(d, f, first));
    const draw_order *orders = d->orders + first;
    int32_t n = group_size(d, orders, d->block + d->n_block - first);
    d->first = first;
    d->n_group = n;
    head_begin(&d->head);
    for (int32_t i = 0; i < n; i++) add_row(d, &orders[i]);
    if (n > 0) FM_TRY(head_encode(&d->head, logits_of(d, f, first, n)));
    return device_submit(d->dev, &d->ticket);
}

/** Waits for the group that was started, and draws its tokens. */
static fm_status finish_group(draw *d, const forward *f) {
    FM_TRY(device_wait(d->dev, d->ticket));
    if (d->n_group > 0) FM_TRY(head_read(&d->head));
    for (int32_t i = 0; i < d->n_group; i++) FM_TRY(draw_row(d, f, i, &d->orders[d->first + i]));
    return FM_OK;
}

fm_status draw_start(draw *d, const forward *f) {
    return start_group(d, f, 0);
}

fm_status draw_finish(draw *d, const forward *f) {
    FM_TRY(finish_group(d, f));
    for (int32_t next = d->n_group; next < d->n_orders; next += d->n_group) {
        FM_TRY(start_group(d, f, next));
        FM_TRY(finish_group(d, f));
    }
    return FM_OK;
}
