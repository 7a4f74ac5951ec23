/* step.c - a step's arrays on host and device. Four arrays of max_tokens, then the page lists. */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"

fm_status step_new(fm_device *dev, int32_t max_tokens, int32_t max_sequences, int32_t max_context,
                   step *out, fm_error *err) {
    *out = (step){.dev = dev, .max_tokens = max_tokens, .max_sequences = max_sequences};
    out->max_pages = cache_page_count(max_context);
    size_t n;
    if (!checked_mul((size_t)max_sequences, (size_t)out->max_pages, &n) ||
        !checked_add(n, 4 * (size_t)max_tokens, &n) || n > SIZE_MAX / sizeof *out->tokens)
        return error_set(err, FM_ERR_LIMIT, "page lists of that size do not fit memory");
    out->tokens = calloc(n, sizeof *out->tokens);
    if (!out->tokens) return error_set(err, FM_ERR_MEMORY, "out of memory for a step's tokens");
    out->positions = out->tokens + max_tokens;
    out->sequences = out->positions + max_tokens;
    out->cache_rows = out->sequences + max_tokens;
    out->pages = out->cache_rows + max_tokens;
    fm_status status = buf_new(dev, n * sizeof *out->tokens, &out->buf, err);
    if (status != FM_OK) step_free(out);
    return status;
}

void step_free(step *s) {
    if (!s->tokens) return;
    buf_free(s->dev, s->buf);
    free(s->tokens);
    *s = (step){0};
}

void step_begin(step *s) {
    s->n_tokens = 0;
    s->n_sequences = 0;
}

void step_add(step *s, const step_part *part) {
    int32_t n_pages = cache_page_count(part->start + part->n_tokens);
    memcpy(s->pages + (int64_t)s->n_sequences * s->max_pages, part->pages,
           (size_t)n_pages * sizeof *s->pages);
    for (int32_t i = 0; i < part->n_tokens; i++) {
        int32_t t = s->n_tokens++, position = part->start + i;
        int32_t page = part->pages[position / FM_CACHE_PAGE_ROWS];
        s->tokens[t] = part->tokens[i];
        s->positions[t] = position;
        s->sequences[t] = s->n_sequences;
        s->cache_rows[t] = page * FM_CACHE_PAGE_ROWS + position % FM_CACHE_PAGE_ROWS;
    }
    s->n_sequences++;
}

/** The array that starts at element `offset` of the buffer. */
static fm_tensor view(const step *s, int64_t offset, int64_t n) {
    fm_tensor t = tensor_1d(s->buf, FM_DTYPE_I32, n);
    t.offset = offset;
    return t;
}

fm_tensor step_tokens(const step *s) {
    return view(s, 0, s->n_tokens);
}

fm_tensor step_positions(const step *s) {
    return view(s, s->max_tokens, s->n_tokens);
}

fm_tensor step_sequences(const step *s) {
    return view(s, 2 * (int64_t)s->max_tokens, s->n_tokens);
}

fm_tensor step_cache_rows(const step *s) {
    return view(s, 3 * (int64_t)s->max_tokens, s->n_tokens);
}

fm_tensor step_pages(const step *s) {
    fm_tensor t = tensor_2d(s->buf, FM_DTYPE_I32, s->n_sequences, s->max_pages);
    t.offset = 4 * (int64_t)s->max_tokens;
    return t;
}

fm_status step_upload(const step *s) {
    FM_TRY(device_write(s->dev, step_tokens(s), s->tokens));
    FM_TRY(device_write(s->dev, step_positions(s), s->positions));
    FM_TRY(device_write(s->dev, step_sequences(s), s->sequences));
    FM_TRY(device_write(s->dev, step_cache_rows(s), s->cache_rows));
    return device_write(s->dev, step_pages(s), s->pages);
}
