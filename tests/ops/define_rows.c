/* define_rows.c - owns what the operations on single rows mean: embed, norm, gather_rows, gate_mul.
 */
#include "case.h"

#include <math.h>

/* ---- embed: N rows of the table, K values each ----------------------------------------------- */

static void embed_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_embed *a = &c->args.embed;
    a->tokens = case_tensor_1d(c, FM_DTYPE_I32, s->T);
    a->table = case_weight(c, 1, s->N, s->K);
    a->y = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    host_set(&a->tokens, 0, 0, 0, s->N - 1);
    for (int32_t t = 1; t < s->T; t++)
        host_set(&a->tokens, t, 0, 0, random_below(&c->random, s->N));
}

static void embed_reference(const op_args *args, double *expected) {
    const fm_embed *a = &args->embed;
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int64_t k = 0; k < a->y.size[1]; k++)
            *expected++ = host_weight_get(a->table, 0, host_int(&a->tokens, t, 0), k);
}

const op_definition define_embed = {
    .build = embed_build,
    .reference = embed_reference,
    .operands = {{offsetof(fm_embed, tokens), true}, {offsetof(fm_embed, y), true}},
    .n_operands = 2,
    .weight = offsetof(fm_embed, table),
    .exact = true,
};

/* ---- norm: rows of K values ------------------------------------------------------------------ */

/* Row 1 is all zeros, where only eps keeps the division defined; row 2 is very large. */
static void norm_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_norm *a = &c->args.norm;
    a->x = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    a->weight = case_tensor_1d(c, FM_DTYPE_F32, s->K);
    a->eps = 1e-5f;
    a->y = s->flags & IN_PLACE ? a->x : case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    case_fill(c, a->x);
    case_fill(c, a->weight);
    for (int64_t k = 0; k < s->K && s->T > 2; k++) {
        host_set(&a->x, 1, k, 0, 0.0);
        host_set(&a->x, 2, k, 0, 1e15 * random_normal(&c->random));
    }
}

static void norm_reference(const op_args *args, double *expected) {
    const fm_norm *a = &args->norm;
    int64_t n = a->x.size[1];
    for (int64_t t = 0; t < a->x.size[0]; t++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++) sum += pow(host_get(&a->x, t, k, 0), 2);
        double scale = 1 / sqrt(sum / (double)n + (double)a->eps);
        for (int64_t k = 0; k < n; k++)
            *expected++ = host_get(&a->x, t, k, 0) * scale * host_get(&a->weight, k, 0, 0);
    }
}

const op_definition define_norm = {
    .build = norm_build,
    .reference = norm_reference,
    .operands = {{offsetof(fm_norm, x), true},
                 {offsetof(fm_norm, weight), false},
                 {offsetof(fm_norm, y), true}},
    .n_operands = 3,
};

/* ---- gather_rows: y [T, K], each the sum of E rows of x -------------------------------------- */

/* Rows may be named more than once: token 0 names one row E times. */
static void gather_rows_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_gather_rows *a = &c->args.gather_rows;
    int32_t n_rows = s->T + 2;
    a->x = case_tensor_2d(c, FM_DTYPE_F32, n_rows, s->K);
    a->rows = case_tensor_2d(c, FM_DTYPE_I32, s->T, s->E);
    a->y = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    a->accumulate = s->flags & ACCUMULATE;
    case_fill(c, a->x);
    if (a->accumulate) case_fill(c, a->y);
    for (int32_t t = 0; t < s->T; t++)
        for (int32_t i = 0; i < s->E; i++)
            host_set(&a->rows, t, i, 0, t == 0 ? n_rows - 1 : random_below(&c->random, n_rows));
    if (!(s->flags & WEIGHTED)) return;
    a->weights = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->E);
    case_fill(c, a->weights);
}

static void gather_rows_reference(const op_args *args, double *expected) {
    const fm_gather_rows *a = &args->gather_rows;
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int64_t k = 0; k < a->y.size[1]; k++) {
            double sum = a->accumulate ? host_get(&a->y, t, k, 0) : 0;
            for (int64_t i = 0; i < a->rows.size[1]; i++) {
                double weight = a->weights.buf ? host_get(&a->weights, t, i, 0) : 1;
                sum += weight * host_get(&a->x, host_int(&a->rows, t, i), k, 0);
            }
            *expected++ = sum;
        }
}

const op_definition define_gather_rows = {
    .build = gather_rows_build,
    .reference = gather_rows_reference,
    .operands = {{offsetof(fm_gather_rows, x), false},
                 {offsetof(fm_gather_rows, rows), true},
                 {offsetof(fm_gather_rows, weights), true},
                 {offsetof(fm_gather_rows, y), true}},
    .n_operands = 4,
};

/* ---- gate_mul: rows of K values -------------------------------------------------------------- */

/* As in a model, gate and up are the halves of one product's rows. A few gates lie where the
 * exponential leaves float's range, or nearly. */
static void gate_mul_build(op_case *c) {
    static const double gates[] = {0, -0.0, -200, 200, -88, 88, -104, 1e-30, -1e30, 1e30};
    const op_shape *s = &c->shape;
    fm_gate_mul *a = &c->args.gate_mul;
    fm_tensor both = case_tensor_2d(c, FM_DTYPE_F32, s->T, 2 * s->K);
    a->gate = tensor_slice(both, 1, 0, s->K);
    a->up = tensor_slice(both, 1, s->K, s->K);
    a->y = s->flags & IN_PLACE      ? a->gate
           : s->flags & IN_PLACE_UP ? a->up
                                    : case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    case_fill(c, both);
    for (int32_t i = 0; s->T > 1 && i < 10 && i < s->K; i++)
        host_set(&a->gate, s->T - 1, s->K - 1 - i, 0, gates[i]);
}

static void gate_mul_reference(const op_args *args, double *expected) {
    const fm_gate_mul *a = &args->gate_mul;
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int64_t k = 0; k < a->y.size[1]; k++) {
            double gate = host_get(&a->gate, t, k, 0);
            *expected++ = gate / (1 + exp(-gate)) * host_get(&a->up, t, k, 0);
        }
}

const op_definition define_gate_mul = {
    .build = gate_mul_build,
    .reference = gate_mul_reference,
    .operands = {{offsetof(fm_gate_mul, gate), true},
                 {offsetof(fm_gate_mul, up), true},
                 {offsetof(fm_gate_mul, y), true}},
    .n_operands = 3,
};
