/*
 * step.c - a step's arrays on the host and on each device, in one block each: tokens, positions,
 * sequences; the cache rows of every class; the page lists of every class. An array's place is the
 * same in all.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"

/** Elements of all arrays. */
static bool count_elements(const step *s, size_t *n) {
    size_t pages, classes = (size_t)s->n_classes;
    return checked_mul((size_t)s->max_sequences, (size_t)s->max_pages, &pages) &&
           checked_mul(pages, classes, &pages) &&
           checked_mul((size_t)s->max_tokens, 3 + classes, n) && checked_add(*n, pages, n);
}

fm_status step_new(const placement *places, const step_params *params, step *out, fm_error *err) {
    *out = (step){.max_tokens = params->max_tokens,
                  .max_sequences = params->max_sequences,
                  .max_pages = cache_page_count(params->max_context),
                  .n_classes = params->n_classes};
    size_t n;
    if (!count_elements(out, &n) || n > SIZE_MAX / sizeof *out->tokens)
        return error_set(err, FM_ERR_LIMIT, "page lists of that size do not fit memory");
    out->tokens = calloc(n, sizeof *out->tokens);
    if (!out->tokens) return error_set(err, FM_ERR_MEMORY, "out of memory for a step's tokens");
    out->positions = out->tokens + out->max_tokens;
    out->sequences = out->positions + out->max_tokens;
    out->cache_rows = out->sequences + out->max_tokens;
    out->pages = out->cache_rows + (int64_t)out->n_classes * out->max_tokens;
    fm_status status = FM_OK;
    for (int32_t i = 0; i < places->n && status == FM_OK; i++) {
        out->devs[i] = places->runs[i].dev;
        status = buf_new(out->devs[i], n * sizeof *out->tokens, &out->bufs[i], err);
        out->n_places += status == FM_OK;
    }
    if (status != FM_OK) step_free(out);
    return status;
}

void step_free(step *s) {
    for (int32_t i = 0; i < s->n_places; i++) buf_free(s->devs[i], s->bufs[i]);
    free(s->tokens);
    *s = (step){0};
}

void step_begin(step *s) {
    s->n_tokens = 0;
    s->n_sequences = 0;
}

/** Where a class's arrays start on the host. */
static int32_t *class_rows(const step *s, int32_t class_id) {
    return s->cache_rows + (int64_t)class_id * s->max_tokens;
}

static int32_t *class_pages(const step *s, int32_t class_id) {
    return s->pages + (int64_t)class_id * s->max_sequences * s->max_pages;
}

/** A part's pages of one class, and the rows its tokens' keys go to. */
static void add_pages(step *s, const step_part *part, int32_t class_id) {
    const int32_t *pages = part->pages[class_id];
    int32_t n_pages = cache_page_count(part->start + part->n_tokens);
    int32_t *rows = class_rows(s, class_id) + s->n_tokens;
    memcpy(class_pages(s, class_id) + (int64_t)s->n_sequences * s->max_pages, pages,
           (size_t)n_pages * sizeof *pages);
    for (int32_t i = 0; i < part->n_tokens; i++) {
        int32_t position = part->start + i, page = pages[position / FM_CACHE_PAGE_ROWS];
        rows[i] = page * FM_CACHE_PAGE_ROWS + position % FM_CACHE_PAGE_ROWS;
    }
}

void step_add(step *s, const step_part *part) {
    for (int32_t c = 0; c < s->n_classes; c++) add_pages(s, part, c);
    for (int32_t i = 0; i < part->n_tokens; i++) {
        int32_t t = s->n_tokens++;
        s->tokens[t] = part->tokens[i];
        s->positions[t] = part->start + i;
        s->sequences[t] = s->n_sequences;
    }
    s->n_sequences++;
}

/** The array that starts at element `offset` of a buffer. */
static fm_tensor view(const step *s, int32_t place, int64_t offset, int64_t n) {
    fm_tensor t = tensor_1d(s->bufs[place], FM_DTYPE_I32, n);
    t.offset = offset;
    return t;
}

fm_tensor step_tokens(const step *s, int32_t place) {
    return view(s, place, 0, s->n_tokens);
}

fm_tensor step_positions(const step *s, int32_t place) {
    return view(s, place, s->positions - s->tokens, s->n_tokens);
}

fm_tensor step_sequences(const step *s, int32_t place) {
    return view(s, place, s->sequences - s->tokens, s->n_tokens);
}

fm_tensor step_cache_rows(const step *s, int32_t place, int32_t class_id) {
    return view(s, place, class_rows(s, class_id) - s->tokens, s->n_tokens);
}

fm_tensor step_pages(const step *s, int32_t place, int32_t class_id) {
    fm_tensor t = tensor_2d(s->bufs[place], FM_DTYPE_I32, s->max_sequences, s->max_pages);
    t.offset = class_pages(s, class_id) - s->tokens;
    return t;
}

static fm_status upload_to(const step *s, int32_t place) {
    fm_device *dev = s->devs[place];
    if (place == 0)
        FM_TRY(device_write(dev, step_tokens(s, place), s->tokens)); /* embedded there */
    FM_TRY(device_write(dev, step_positions(s, place), s->positions));
    FM_TRY(device_write(dev, step_sequences(s, place), s->sequences));
    for (int32_t c = 0; c < s->n_classes; c++) {
        FM_TRY(device_write(dev, step_cache_rows(s, place, c), class_rows(s, c)));
        fm_tensor pages = tensor_slice(step_pages(s, place, c), 0, 0, s->n_sequences);
        FM_TRY(device_write(dev, pages, class_pages(s, c)));
    }
    return FM_OK;
}

fm_status step_upload(const step *s) {
    for (int32_t i = 0; i < s->n_places; i++) FM_TRY(upload_to(s, i));
    return FM_OK;
}
