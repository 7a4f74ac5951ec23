/*
 * parts_trace.h - keeps the parts that a stream tells, pieces of one part joined, as the values
 * that can be compared and written again.
 */
#ifndef FATHOM_TESTS_PARTS_TRACE_H
#define FATHOM_TESTS_PARTS_TRACE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fathom.h"

typedef struct parts_trace {
    fm_part *parts; /* [n], their texts in `bytes` */
    size_t n, n_most;
    char *bytes;
    size_t length, size;
    bool overflows; /* more was told than there is room for */
} parts_trace;

/** Room for what an answer of `size` bytes can be told as. */
static inline bool parts_trace_new(parts_trace *t, size_t size) {
    *t = (parts_trace){.n_most = size + 8, .size = size + 1};
    t->parts = calloc(t->n_most, sizeof *t->parts);
    t->bytes = malloc(t->size);
    return t->parts && t->bytes;
}

static inline void parts_trace_free(parts_trace *t) {
    free(t->parts);
    free(t->bytes);
}

static inline void parts_trace_clear(parts_trace *t) {
    t->n = t->length = 0;
}

static inline const char *parts_trace_copy(parts_trace *t, const char *text, size_t length) {
    char *copy = t->bytes + t->length;
    if (length > t->size - t->length) {
        t->overflows = true;
        return "";
    }
    if (length > 0) memcpy(copy, text, length);
    t->length += length;
    return copy;
}

static inline bool parts_trace_is_text(const fm_part *part) {
    return part->kind == FM_PART_ANSWER || part->kind == FM_PART_REASONING;
}

/** An fm_part_fn. */
static inline void parts_trace_take(void *user, const fm_part *part) {
    parts_trace *t = user;
    fm_part kept = *part, *last = t->n > 0 ? &t->parts[t->n - 1] : NULL;
    kept.name = parts_trace_copy(t, part->name, part->name_length);
    kept.text = parts_trace_copy(t, part->text, part->length);
    if (last && last->kind == part->kind && parts_trace_is_text(part))
        last->length += part->length;
    else if (t->n < t->n_most)
        t->parts[t->n++] = kept;
    else
        t->overflows = true;
}

static inline bool parts_trace_same_text(const char *a, size_t a_length, const char *b,
                                         size_t b_length) {
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static inline bool parts_trace_equal(const parts_trace *a, const parts_trace *b) {
    bool equal = a->n == b->n && !a->overflows && !b->overflows;
    for (size_t i = 0; equal && i < a->n; i++) {
        const fm_part *x = &a->parts[i], *y = &b->parts[i];
        equal = x->kind == y->kind && x->call == y->call && x->is_json == y->is_json &&
                parts_trace_same_text(x->name, x->name_length, y->name, y->name_length) &&
                parts_trace_same_text(x->text, x->length, y->text, y->length);
    }
    return equal;
}

/** A text that fm_parts_write makes; NULL bytes when memory is out. */
typedef struct parts_text {
    char *bytes;
    size_t length;
    size_t n_marks; /* bytes of it that are the format's own */
} parts_text;

/** An fm_parts_write_fn. */
static inline void parts_text_take(void *user, const char *text, size_t length, bool is_mark) {
    parts_text *t = user;
    char *bytes = realloc(t->bytes, t->length + length + 1);
    if (!bytes) abort();
    t->bytes = bytes;
    memcpy(bytes + t->length, text, length);
    t->length += length;
    bytes[t->length] = '\0';
    if (is_mark) t->n_marks += length;
}

#endif
