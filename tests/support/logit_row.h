/*
 * logit_row.h - a row of head_topk's results as its definition in backend.h says, made on the host
 * in float64 and by sorting, apart from the library.
 */
#ifndef FATHOM_TESTS_LOGIT_ROW_H
#define FATHOM_TESTS_LOGIT_ROW_H

#include <math.h>
#include <stdlib.h>

#include "engine/sampler.h"
#include "expect.h"

/** Owns its arrays. */
typedef struct logit_row {
    int32_t vocab_size;
    sampler_logits all; /* as it was made from: the caller's */
    sampler_ranked *ranked;
    int32_t n_allowed; /* of `ranked`, best first */
    int32_t *ids;      /* [vocab_size + 1], ended by -1 */
    float *values, *raw;
    float sums[4];
} logit_row;

static inline int logit_row_order(const void *a, const void *b) {
    const sampler_ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static inline void logit_row_rank(logit_row *r) {
    const penalty_edits *e = r->all.edits;
    int32_t edit = 0;
    for (int32_t id = 0; id < r->vocab_size; id++) {
        float value = r->all.logits[id];
        if (e && edit < e->n && e->ids[edit] == id) {
            value = value > 0.0f ? value / e->scales[edit] : value * e->scales[edit];
            value += e->adds[edit++];
        }
        if (r->all.mask && !(r->all.mask[id / 32] >> id % 32 & 1u)) continue;
        if (value > -INFINITY) r->ranked[r->n_allowed++] = (sampler_ranked){id, value};
    }
    qsort(r->ranked, (size_t)r->n_allowed, sizeof *r->ranked, logit_row_order);
}

static inline void logit_row_sum(logit_row *r, double temperature) {
    double largest = -HUGE_VAL, sum = 0.0, edited_sum = 0.0;
    for (int32_t id = 0; id < r->vocab_size; id++)
        largest = fmax(largest, (double)r->all.logits[id]);
    for (int32_t id = 0; id < r->vocab_size; id++) {
        double x = (double)r->all.logits[id];
        sum += isfinite(x) ? exp(x - largest) : (double)NAN;
    }
    for (int32_t i = 0; i < r->n_allowed; i++)
        edited_sum += exp(((double)r->ranked[i].value - (double)r->ranked[0].value) / temperature);
    r->sums[0] = (float)largest;
    r->sums[1] = (float)sum;
    r->sums[2] = r->n_allowed ? r->ranked[0].value : -INFINITY;
    r->sums[3] = (float)edited_sum;
}

static inline void logit_row_make(logit_row *r, int32_t vocab_size, const sampler_logits *all,
                                  const fm_sampling *p) {
    size_t n = (size_t)vocab_size + 1;
    *r = (logit_row){.vocab_size = vocab_size, .all = *all};
    r->ranked = calloc(n, sizeof *r->ranked);
    r->ids = calloc(n, sizeof *r->ids);
    r->values = calloc(n, sizeof *r->values);
    r->raw = calloc(n, sizeof *r->raw);
    if (!r->ranked || !r->ids || !r->values || !r->raw) fail_msg("out of memory");
    logit_row_rank(r);
    logit_row_sum(r, (double)sampler_temperature(p));
    for (int32_t i = 0; i <= vocab_size; i++) {
        bool there = i < r->n_allowed;
        r->ids[i] = there ? r->ranked[i].id : -1;
        r->values[i] = there ? r->ranked[i].value : 0.0f;
        r->raw[i] = there ? r->all.logits[r->ids[i]] : 0.0f;
    }
}

static inline void logit_row_free(logit_row *r) {
    free(r->ranked);
    free(r->ids);
    free(r->values);
    free(r->raw);
}

/** The row with n candidates, n <= vocab_size + 1. */
static inline sampler_row logit_row_with(const logit_row *r, int32_t n) {
    return (sampler_row){n, r->ids, r->values, r->raw, r->sums};
}

#endif
