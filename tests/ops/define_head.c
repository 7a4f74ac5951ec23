/* define_head.c - owns what head_topk means: rows of K logits, the N best of each. */
#include "case.h"

#include <math.h>
#include <stdlib.h>

/* ---- The call -------------------------------------------------------------------------------- */

/* Logits of some width, or only five different ones, ties everywhere; both zeros among them. */
static void head_logits(op_case *c) {
    fm_head_topk *a = &c->args.head_topk;
    for (int64_t t = 0; t < c->shape.T; t++)
        for (int64_t i = 0; i < c->shape.K; i++) {
            double value = c->shape.flags & TIED ? random_below(&c->random, 5) - 2.0
                                                 : 6 * random_normal(&c->random);
            host_set(&a->logits, t, i, 0, value == 0 && i % 2 ? -0.0 : value);
        }
}

/* Every fourth id or so, and the first and the last; row 1 has none. The scales are those of a
 * penalty and their like, the addends now and then large enough to turn the order. */
static void head_edits(op_case *c) {
    fm_head_topk *a = &c->args.head_topk;
    int64_t n = c->shape.K, room = (int64_t)c->shape.T * (n / 4 + 2);
    int32_t at = 0;
    a->edit_offsets = case_tensor_1d(c, FM_DTYPE_I32, c->shape.T + 1);
    a->edit_ids = case_tensor_1d(c, FM_DTYPE_I32, room);
    a->edit_scales = case_tensor_1d(c, FM_DTYPE_F32, room);
    a->edit_adds = case_tensor_1d(c, FM_DTYPE_F32, room);
    for (int64_t t = 0; t < c->shape.T; t++) {
        host_set(&a->edit_offsets, t, 0, 0, at);
        for (int64_t i = 0; i < n && t != 1; i += 4 + random_below(&c->random, 3)) {
            bool tied = c->shape.flags & TIED;
            host_set(&a->edit_ids, at, 0, 0, (double)i);
            host_set(&a->edit_scales, at, 0, 0, tied ? 2 : 1.3);
            host_set(&a->edit_adds, at++, 0, 0, tied ? 1 : 4 * random_normal(&c->random));
        }
        if (t == 1 || host_int(&a->edit_ids, at - 1, 0) == n - 1) continue;
        host_set(&a->edit_ids, at, 0, 0, (double)n - 1);
        host_set(&a->edit_scales, at, 0, 0, 0.7);
        host_set(&a->edit_adds, at++, 0, 0, -0.5);
    }
    host_set(&a->edit_offsets, c->shape.T, 0, 0, at);
}

/* Row 0 allows every third id or so, row 1 nothing, row 2 all, the others a random half. */
static void head_mask(op_case *c) {
    fm_head_topk *a = &c->args.head_topk;
    int64_t n_words = (c->shape.K + 31) / 32;
    a->mask = case_tensor_2d(c, FM_DTYPE_I32, c->shape.T, n_words);
    for (int64_t t = 0; t < c->shape.T; t++)
        for (int64_t w = 0; w < n_words; w++) {
            uint32_t word = (uint32_t)random_next(&c->random);
            if (t == 0) word &= (uint32_t)random_next(&c->random) | 1u;
            if (t == 1) word = 0;
            if (t == 2) word = UINT32_MAX;
            host_set(&a->mask, t, w, 0, (double)(int32_t)word);
        }
}

static void head_topk_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_head_topk *a = &c->args.head_topk;
    a->logits = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    a->temperatures = case_tensor_1d(c, FM_DTYPE_F32, s->T);
    head_logits(c);
    if (s->flags & EDITED) head_edits(c);
    if (s->flags & MASKED) head_mask(c);
    for (int64_t t = 0; t < s->T; t++)
        host_set(&a->temperatures, t, 0, 0, t % 3 == 0 ? 1.0 : t % 3 == 1 ? 0.3 : 7.0);
    a->ids = case_tensor_2d(c, FM_DTYPE_I32, s->T, s->N);
    a->values = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->N);
    a->raw = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->N);
    if (s->flags & BEST_RAW) {
        a->best_ids = case_tensor_2d(c, FM_DTYPE_I32, s->T, 5);
        a->best_raw = case_tensor_2d(c, FM_DTYPE_F32, s->T, 5);
    }
    a->sums = case_tensor_2d(c, FM_DTYPE_F32, s->T, 4);
}

/* ---- What it means --------------------------------------------------------------------------- */

typedef struct ranked {
    int64_t id;
    double value;
} ranked;

static int better_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Rounded to float32 after each step: of one operation on floats that gives the float's bits. */
static void head_edit_row(const fm_head_topk *a, int64_t t, double *edited) {
    int32_t end = a->edit_offsets.buf ? host_int(&a->edit_offsets, t + 1, 0) : 0;
    for (int32_t e = end ? host_int(&a->edit_offsets, t, 0) : 0; e < end; e++) {
        double *x = &edited[host_int(&a->edit_ids, e, 0)];
        double scale = host_get(&a->edit_scales, e, 0, 0);
        *x = number_round(FM_DTYPE_F32, *x > 0 ? *x / scale : *x * scale);
        *x = number_round(FM_DTYPE_F32, *x + host_get(&a->edit_adds, e, 0, 0));
    }
    for (int64_t i = 0; i < a->logits.size[1] && a->mask.buf; i++)
        if (!((uint32_t)host_int(&a->mask, t, i / 32) >> i % 32 & 1)) edited[i] = -HUGE_VAL;
}

/* Ranks the values that are neither NaN nor -infinity; behind them ids of -1 and zeros. */
static void head_rank(const double *values, int64_t n, ranked *out, int64_t n_out) {
    int64_t n_ranked = 0;
    for (int64_t i = 0; i < n; i++)
        if (values[i] > -HUGE_VAL) out[n_ranked++] = (ranked){i, values[i]};
    qsort(out, (size_t)n_ranked, sizeof *out, better_first);
    for (int64_t i = n_ranked; i < n_out; i++) out[i] = (ranked){-1, 0};
}

static double exp_sum(const double *x, int64_t n, double largest, double temperature) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp((x[i] - largest) / temperature);
    return sum;
}

static void head_sums(const double *logits, const double *edited, int64_t n, double temperature,
                      double *sums) {
    bool finite = true;
    sums[0] = sums[2] = -HUGE_VAL;
    for (int64_t i = 0; i < n; i++) {
        finite = finite && isfinite(logits[i]);
        sums[0] = fmax(sums[0], logits[i]);
        sums[2] = fmax(sums[2], edited[i]);
    }
    sums[1] = finite ? exp_sum(logits, n, sums[0], 1) : (double)NAN;
    sums[3] = sums[2] == -HUGE_VAL ? 0 : exp_sum(edited, n, sums[2], temperature);
}

/* The outputs lie one after the other, each dense: `expected` moves on by rows inside each. */
static void head_topk_reference(const op_args *args, double *expected) {
    const fm_head_topk *a = &args->head_topk;
    int64_t n_rows = a->logits.size[0], n = a->logits.size[1], n_best = a->ids.size[1];
    int64_t n_raw = a->best_ids.buf ? a->best_ids.size[1] : 0;
    double *values = expected + n_rows * n_best, *raw = values + n_rows * n_best;
    double *best_ids = raw + n_rows * n_best, *best_raw = best_ids + n_rows * n_raw;
    double *sums = best_raw + n_rows * n_raw;
    double *logits = malloc((size_t)n * 2 * sizeof *logits), *edited = logits + n;
    ranked *order = malloc((size_t)(n + n_best + n_raw) * sizeof *order);
    if (!logits || !order) abort();
    for (int64_t t = 0; t < n_rows; t++) {
        for (int64_t i = 0; i < n; i++) logits[i] = edited[i] = host_get(&a->logits, t, i, 0);
        head_edit_row(a, t, edited);
        head_sums(logits, edited, n, host_get(&a->temperatures, t, 0, 0), sums + 4 * t);
        head_rank(edited, n, order, n_best);
        for (int64_t k = 0; k < n_best; k++) {
            *expected++ = (double)order[k].id;
            *values++ = order[k].value;
            *raw++ = order[k].id < 0 ? 0 : logits[order[k].id];
        }
        head_rank(logits, n, order, n_raw);
        for (int64_t k = 0; k < n_raw; k++) {
            *best_ids++ = (double)order[k].id;
            *best_raw++ = order[k].value;
        }
    }
    free(order);
    free(logits);
}

const op_definition define_head_topk = {
    .build = head_topk_build,
    .reference = head_topk_reference,
    .operands = {{offsetof(fm_head_topk, logits), true},
                 {offsetof(fm_head_topk, edit_offsets), BY_TOKEN_ENDS},
                 {offsetof(fm_head_topk, edit_ids), false},
                 {offsetof(fm_head_topk, edit_scales), false},
                 {offsetof(fm_head_topk, edit_adds), false},
                 {offsetof(fm_head_topk, mask), true},
                 {offsetof(fm_head_topk, temperatures), true},
                 {offsetof(fm_head_topk, ids), true},
                 {offsetof(fm_head_topk, values), true},
                 {offsetof(fm_head_topk, raw), true},
                 {offsetof(fm_head_topk, best_ids), true},
                 {offsetof(fm_head_topk, best_raw), true},
                 {offsetof(fm_head_topk, sums), true}},
    .n_operands = 13,
    .n_more_outputs = 5,
};
