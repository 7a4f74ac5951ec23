/* head.c - owns the layout of the arrays that go to head_topk and come back. */
#include "head.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"

enum { SUMS = 4 };

static int32_t mask_words(const head *h) {
    return h->limits.vocab_size / 32 + (h->limits.vocab_size % 32 != 0);
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

/** Elements of all arrays together, each of four bytes. False when that is more than memory. */
static bool count_elements(const head *h, size_t *out) {
    size_t per_row = 2 + (size_t)mask_words(h) + 5 * FM_HEAD_TOP_MAX + SUMS, rows, edits, n;
    if (!checked_mul((size_t)h->limits.max_rows, per_row, &rows) ||
        !checked_mul((size_t)h->limits.max_rows, (size_t)h->limits.row_edits, &edits) ||
        !checked_mul(edits, 3, &edits) || !checked_add(rows, edits, &n) || !checked_add(n, 1, &n) ||
        n > SIZE_MAX / sizeof(float))
        return false;
    *out = n;
    return true;
}

/** The next n elements of the memory. */
static void *take(int32_t **at, size_t n) {
    int32_t *taken = *at;
    *at += n;
    return taken;
}

/** Cuts the memory into the arrays that go to the device, in the order of their declaration, and
 * what comes back. */
static void place(head *h) {
    size_t n_rows = (size_t)h->limits.max_rows, n_edits = n_rows * (size_t)h->limits.row_edits;
    int32_t *at = h->memory;
    h->offsets = take(&at, n_rows + 1);
    h->edits.ids = take(&at, n_edits);
    h->edits.scales = take(&at, n_edits);
    h->edits.adds = take(&at, n_edits);
    h->mask = take(&at, n_rows * (size_t)mask_words(h));
    h->temperatures = take(&at, n_rows);
    h->found = at;
}

fm_status head_new(fm_device *dev, const head_limits *limits, head *out, fm_error *err) {
    *out = (head){.dev = dev, .limits = *limits};
    size_t n;
    if (!count_elements(out, &n))
        return error_set(err, FM_ERR_LIMIT, "candidates of that many sequences do not fit memory");
    out->memory = calloc(n, sizeof(float));
    out->views = calloc((size_t)limits->max_rows, sizeof *out->views);
    fm_status status = FM_ERR_MEMORY;
    if (!out->memory || !out->views)
        error_set(err, status, "out of memory for the candidates of %d sequences",
                  (int)limits->max_rows);
    else if ((status = penalties_new(limits->vocab_size, &out->penalties, err)) == FM_OK)
        status = buf_new(dev, n * sizeof(float), &out->buf, err);
    if (status == FM_OK)
        place(out);
    else
        head_free(out);
    return status;
}

void head_free(head *h) {
    if (h->buf) buf_free(h->dev, h->buf);
    penalties_free(&h->penalties);
    free(h->views);
    free(h->memory);
    *h = (head){0};
}

/* ---- A step ---------------------------------------------------------------------------------- */

void head_begin(head *h) {
    h->n_rows = 0;
    h->n_best = 0;
    h->greedy = true;
    h->masked = false;
}

static uint32_t *mask_of(const head *h, int32_t i) {
    return h->mask + (size_t)i * (size_t)mask_words(h);
}

void head_add(head *h, const fm_sampling *p, const penalty_history *history, int32_t n_best) {
    int32_t i = h->n_rows++, first = h->offsets[i];
    if (i == 0) first = h->offsets[0] = 0;
    penalty_edits *row = &h->views[i];
    assert(penalties_bound(h->limits.vocab_size, p, history) <= h->limits.row_edits);
    *row = (penalty_edits){0, h->edits.ids + first, h->edits.scales + first, h->edits.adds + first};
    penalties_collect(&h->penalties, p, history, row);
    h->offsets[i + 1] = first + row->n;
    h->temperatures[i] = sampler_temperature(p);
    memset(mask_of(h, i), 0xff, (size_t)mask_words(h) * sizeof *h->mask);
    h->greedy = h->greedy && p->temperature == 0.0f;
    if (n_best > h->n_best) h->n_best = n_best;
}

uint32_t *head_mask(head *h) {
    h->masked = true;
    return mask_of(h, h->n_rows - 1);
}

/* ---- On the device --------------------------------------------------------------------------- */

/** The device's copy of an array. */
static fm_tensor view(const head *h, const void *array, fm_dtype dtype, int64_t n0, int64_t n1) {
    fm_tensor t = n1 > 0 ? tensor_2d(h->buf, dtype, n0, n1) : tensor_1d(h->buf, dtype, n0);
    t.offset = ((const char *)array - (const char *)h->memory) / (int64_t)sizeof(float);
    return t;
}

/** Points `a` to the inputs. The lists of edits are as long as those of so many rows may be,
 * whatever they hold, so that what is recorded for so many rows fits: the offsets say how much of
 * them counts. */
static void name_inputs(const head *h, fm_head_topk *a) {
    int64_t n_rows = h->n_rows, n_edits = n_rows * h->limits.row_edits;
    a->temperatures = view(h, h->temperatures, FM_DTYPE_F32, n_rows, 0);
    if (h->masked) a->mask = view(h, h->mask, FM_DTYPE_I32, n_rows, mask_words(h));
    if (h->offsets[n_rows] == 0) return;
    a->edit_offsets = view(h, h->offsets, FM_DTYPE_I32, n_rows + 1, 0);
    a->edit_ids = view(h, h->edits.ids, FM_DTYPE_I32, n_edits, 0);
    a->edit_scales = view(h, h->edits.scales, FM_DTYPE_F32, n_edits, 0);
    a->edit_adds = view(h, h->edits.adds, FM_DTYPE_F32, n_edits, 0);
}

/** Writes the inputs that `a` has. */
static fm_status upload(const head *h, const fm_head_topk *a) {
    int64_t n_edits = h->offsets[h->n_rows];
    FM_TRY(device_write(h->dev, a->temperatures, h->temperatures));
    if (h->masked) FM_TRY(device_write(h->dev, a->mask, h->mask));
    if (n_edits == 0) return FM_OK;
    FM_TRY(device_write(h->dev, a->edit_offsets, h->offsets));
    FM_TRY(device_write(h->dev, tensor_slice(a->edit_ids, 0, 0, n_edits), h->edits.ids));
    FM_TRY(device_write(h->dev, tensor_slice(a->edit_scales, 0, 0, n_edits), h->edits.scales));
    return device_write(h->dev, tensor_slice(a->edit_adds, 0, 0, n_edits), h->edits.adds);
}

static int32_t n_candidates(const head *h) {
    return h->greedy ? 1 : FM_HEAD_TOP_MAX;
}

/** Cuts `found` into the arrays of a step, one right behind the other, so that one read brings them
 * all: on a device whose memory the host does not see each read is a submission. Returns their
 * elements. */
static int64_t place_found(head *h) {
    size_t n_rows = (size_t)h->n_rows, n_best = (size_t)h->n_best;
    size_t n_each = n_rows * (size_t)n_candidates(h);
    int32_t *at = h->found;
    h->ids = take(&at, n_each);
    h->values = take(&at, n_each);
    h->raw = take(&at, n_each);
    h->best_ids = take(&at, n_rows * n_best);
    h->best_raw = take(&at, n_rows * n_best);
    h->sums = take(&at, n_rows * SUMS);
    return at - h->found;
}

static void name_outputs(const head *h, fm_head_topk *a) {
    a->ids = view(h, h->ids, FM_DTYPE_I32, h->n_rows, n_candidates(h));
    a->values = view(h, h->values, FM_DTYPE_F32, h->n_rows, n_candidates(h));
    a->raw = view(h, h->raw, FM_DTYPE_F32, h->n_rows, n_candidates(h));
    a->sums = view(h, h->sums, FM_DTYPE_F32, h->n_rows, SUMS);
    if (h->n_best == 0) return;
    a->best_ids = view(h, h->best_ids, FM_DTYPE_I32, h->n_rows, h->n_best);
    a->best_raw = view(h, h->best_raw, FM_DTYPE_F32, h->n_rows, h->n_best);
}

fm_status head_encode(head *h, fm_tensor logits) {
    bool kept, edited = h->offsets[h->n_rows] > 0;
    int64_t form = logits.offset * 4 + h->masked * 2 + edited;
    const fm_record_key key = {.owner = h, .sizes = {h->n_rows, n_candidates(h), h->n_best, form}};
    fm_head_topk args = {.logits = logits};
    h->n_found = place_found(h);
    name_inputs(h, &args);
    name_outputs(h, &args);
    FM_TRY(upload(h, &args));
    FM_TRY(device_record(h->dev, &key, &kept));
    if (kept) return FM_OK;
    FM_TRY(op_head_topk(h->dev, &args));
    return device_record_end(h->dev);
}

fm_status head_read(head *h) {
    return device_read(h->dev, view(h, h->found, FM_DTYPE_I32, h->n_found, 0), h->found);
}

/* ---- What was found -------------------------------------------------------------------------- */

sampler_row head_row(const head *h, int32_t i) {
    int32_t n = n_candidates(h);
    size_t first = (size_t)i * (size_t)n;
    return (sampler_row){n, h->ids + first, h->values + first, h->raw + first,
                         h->sums + (size_t)i * SUMS};
}

sampler_logits head_logits(const head *h, int32_t i, const float *logits) {
    return (sampler_logits){logits, &h->views[i], h->masked ? mask_of(h, i) : NULL};
}

int32_t head_alternatives(const head *h, int32_t i, int32_t n, fm_logprob *out) {
    size_t first = (size_t)i * (size_t)h->n_best;
    return sampler_alternatives(h->sums + (size_t)i * SUMS, h->best_ids + first,
                                h->best_raw + first, n, out);
}
