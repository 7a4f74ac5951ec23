/* define_matmul.c - owns what the products mean: matmul, matmul_heads, matmul_experts. */
#include "case.h"

/* ---- matmul: x [T, K], y [T, N] -------------------------------------------------------------- */

static void matmul_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_matmul *a = &c->args.matmul;
    a->x = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    a->w = case_weight(c, 1, s->N, s->K);
    a->y = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->N);
    a->accumulate = s->flags & ACCUMULATE;
    case_fill(c, a->x);
    if (a->accumulate) case_fill(c, a->y);
    if (!(s->flags & BIAS)) return;
    a->bias = case_tensor_1d(c, FM_DTYPE_F32, s->N);
    case_fill(c, a->bias);
}

static void matmul_reference(const op_args *args, double *expected) {
    const fm_matmul *a = &args->matmul;
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int64_t n = 0; n < a->y.size[1]; n++) {
            double sum = a->bias.buf ? host_get(&a->bias, n, 0, 0) : 0;
            if (a->accumulate) sum += host_get(&a->y, t, n, 0);
            for (int64_t k = 0; k < a->x.size[1]; k++)
                sum += host_weight_get(a->w, 0, n, k) * host_get(&a->x, t, k, 0);
            *expected++ = sum;
        }
}

const op_definition define_matmul = {
    .build = matmul_build,
    .reference = matmul_reference,
    .operands = {{offsetof(fm_matmul, x), true},
                 {offsetof(fm_matmul, bias), false},
                 {offsetof(fm_matmul, y), true}},
    .n_operands = 3,
    .weight = offsetof(fm_matmul, w),
};

/* ---- matmul_heads: x [T, H, K], y [T, H, N] -------------------------------------------------- */

static void matmul_heads_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_matmul_heads *a = &c->args.matmul_heads;
    a->x = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->K);
    a->w = case_weight(c, s->H, s->N, s->K);
    a->y = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->N);
    case_fill(c, a->x);
}

static void matmul_heads_reference(const op_args *args, double *expected) {
    const fm_matmul_heads *a = &args->matmul_heads;
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int32_t h = 0; h < a->y.size[1]; h++)
            for (int64_t n = 0; n < a->y.size[2]; n++) {
                double sum = 0;
                for (int64_t k = 0; k < a->x.size[2]; k++)
                    sum += host_weight_get(a->w, h, n, k) * host_get(&a->x, t, h, k);
                *expected++ = sum;
            }
}

const op_definition define_matmul_heads = {
    .build = matmul_heads_build,
    .reference = matmul_heads_reference,
    .operands = {{offsetof(fm_matmul_heads, x), true}, {offsetof(fm_matmul_heads, y), true}},
    .n_operands = 2,
    .weight = offsetof(fm_matmul_heads, w),
};

/* ---- matmul_experts: x [T, K] sorted by expert, y [T, N] ------------------------------------- */

/* Experts 0 and 2 have no rows, the others what chance gives them; or expert 1 has all. */
static void matmul_experts_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_matmul_experts *a = &c->args.matmul_experts;
    a->x = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    a->w = case_weight(c, s->E, s->N, s->K);
    a->offsets = case_tensor_1d(c, FM_DTYPE_I32, s->E + 1);
    a->y = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->N);
    case_fill(c, a->x);
    int32_t start = 0;
    for (int32_t e = 0; e < s->E; e++) {
        host_set(&a->offsets, e, 0, 0, start);
        bool all = (s->flags & ONE_EXPERT) ? e == 1 : e == s->E - 1;
        if (all)
            start = s->T;
        else if (e != 0 && e != 2)
            start += random_below(&c->random, s->T - start + 1) / 2;
    }
    host_set(&a->offsets, s->E, 0, 0, s->T);
}

static void matmul_experts_reference(const op_args *args, double *expected) {
    const fm_matmul_experts *a = &args->matmul_experts;
    for (int32_t e = 0; e < a->w->n_matrices; e++)
        for (int64_t r = host_int(&a->offsets, e, 0); r < host_int(&a->offsets, e + 1, 0); r++)
            for (int64_t n = 0; n < a->y.size[1]; n++) {
                double sum = 0;
                for (int64_t k = 0; k < a->x.size[1]; k++)
                    sum += host_weight_get(a->w, e, n, k) * host_get(&a->x, r, k, 0);
                *expected++ = sum;
            }
}

const op_definition define_matmul_experts = {
    .build = matmul_experts_build,
    .reference = matmul_experts_reference,
    .operands = {{offsetof(fm_matmul_experts, x), true},
                 {offsetof(fm_matmul_experts, offsets), false},
                 {offsetof(fm_matmul_experts, y), true}},
    .n_operands = 3,
    .weight = offsetof(fm_matmul_experts, w),
};
