/*
 * cpu_kernels.c - the arithmetic kernels, compiled once for each instruction set with CPU_ISA
 * naming it. The bits do not depend on the set: sums run in sixteen lanes or element by element,
 * and every fused multiply-add is written as one.
 */
#include "cpu_kernels.h"

#include <math.h>

#include "cpu_lanes.h"

/* ---- Dot products ---------------------------------------------------------------------------- */

/** A row-element format: how sixteen of them, and the last few of a row, become lanes. */
#define ROW_FORMAT(format, type, load16, widen)                                                    \
    static inline lanes load_##format(const void *row, int64_t i) {                                \
        return load16((const type *)row + i);                                                      \
    }                                                                                              \
    static inline lanes load_part_##format(const void *row, int64_t i, int64_t n) {                \
        float part[LANES] = {0};                                                                   \
        for (int64_t l = 0; l < n; l++) part[l] = widen(((const type *)row)[i + l]);               \
        return lanes_load(part);                                                                   \
    }

static inline float same(float x) {
    return x;
}

ROW_FORMAT(f32, float, lanes_load, same)
ROW_FORMAT(bf16, uint16_t, lanes_load_bf16, half_bf16_widen)
ROW_FORMAT(f16, uint16_t, lanes_load_f16, half_f16_widen)

/** One tile of CPU_TILE_ROWS x T dot products, T a constant so that all sums stay in registers. */
#define MATMUL_TILE(format, T)                                                                     \
    static void matmul_tile_##format##_##T(const void *const *rows, const float *const *x,         \
                                           int64_t k, float *out) {                                \
        lanes sum[CPU_TILE_ROWS][T];                                                               \
        for (int r = 0; r < CPU_TILE_ROWS; r++)                                                    \
            for (int t = 0; t < T; t++) sum[r][t] = lanes_set(0.0f);                               \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= k; i += LANES) {                                                       \
            lanes xs[T];                                                                           \
            for (int t = 0; t < T; t++) xs[t] = lanes_load(x[t] + i);                              \
            for (int r = 0; r < CPU_TILE_ROWS; r++) {                                              \
                lanes w = load_##format(rows[r], i);                                               \
                for (int t = 0; t < T; t++) sum[r][t] = lanes_fma(w, xs[t], sum[r][t]);            \
            }                                                                                      \
        }                                                                                          \
        if (i < k)                                                                                 \
            for (int r = 0; r < CPU_TILE_ROWS; r++)                                                \
                for (int t = 0; t < T; t++)                                                        \
                    sum[r][t] = lanes_fma(load_part_##format(rows[r], i, k - i),                   \
                                          lanes_load_part(x[t] + i, k - i), sum[r][t]);            \
        for (int r = 0; r < CPU_TILE_ROWS; r++)                                                    \
            for (int t = 0; t < T; t++) out[r * CPU_TILE_TOKENS + t] = lanes_fold(sum[r][t]);      \
    }

#define MATMUL_TILES(format)                                                                       \
    MATMUL_TILE(format, 1)                                                                         \
    MATMUL_TILE(format, 2)                                                                         \
    MATMUL_TILE(format, 3)                                                                         \
    MATMUL_TILE(format, 4)                                                                         \
    static void matmul_tile_##format(const void *const *rows, const float *const *x, int n_tokens, \
                                     int64_t k, float *out) {                                      \
        switch (n_tokens) {                                                                        \
        case 1:                                                                                    \
            matmul_tile_##format##_1(rows, x, k, out);                                             \
            break;                                                                                 \
        case 2:                                                                                    \
            matmul_tile_##format##_2(rows, x, k, out);                                             \
            break;                                                                                 \
        case 3:                                                                                    \
            matmul_tile_##format##_3(rows, x, k, out);                                             \
            break;                                                                                 \
        default:                                                                                   \
            matmul_tile_##format##_4(rows, x, k, out);                                             \
        }                                                                                          \
    }

MATMUL_TILES(f32)
MATMUL_TILES(bf16)
MATMUL_TILES(f16)

/* ---- Element by element ---------------------------------------------------------------------- */

static void norm(const float *x, const float *weight, float eps, int64_t n, float *y) {
    lanes sum = lanes_set(0.0f);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes v = lanes_load(x + i);
        sum = lanes_fma(v, v, sum);
    }
    if (i < n) {
        lanes v = lanes_load_part(x + i, n - i);
        sum = lanes_fma(v, v, sum);
    }
    float scale = 1.0f / sqrtf(lanes_fold(sum) / (float)n + eps);
    for (i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
}

static inline lanes silu_mul(lanes gate, lanes up) {
    lanes below = lanes_add(lanes_set(1.0f), lanes_exp(lanes_mul(gate, lanes_set(-1.0f))));
    return lanes_mul(lanes_div(gate, below), up);
}

static void gate_mul(const float *gate, const float *up, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_store(y + i, silu_mul(lanes_load(gate + i), lanes_load(up + i)));
    if (i < n)
        lanes_store_part(y + i,
                         silu_mul(lanes_load_part(gate + i, n - i), lanes_load_part(up + i, n - i)),
                         n - i);
}

static void gather_add(float weight, const float *x, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_store(y + i, lanes_fma(lanes_set(weight), lanes_load(x + i), lanes_load(y + i)));
    for (; i < n; i++) y[i] = fmaf(weight, x[i], y[i]);
}

/* ---- Attention ------------------------------------------------------------------------------- */

static float exp_one(float x) {
    float out[LANES];
    lanes_store(out, lanes_exp(lanes_set(x)));
    return out[0];
}

static void scale_row(float factor, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] *= factor;
}

/** scores[j] becomes exp(scores[j] - max), zero behind n_keys; returns their sum, folded over
 * lanes. */
static float exp_scores(float *scores, int n_keys, float max) {
    lanes sum = lanes_set(0.0f);
    for (int j = n_keys; j % LANES != 0; j++) scores[j] = -INFINITY;
    for (int j = 0; j < n_keys; j += LANES) {
        lanes p = lanes_exp(lanes_add(lanes_load(scores + j), lanes_set(-max)));
        lanes_store(scores + j, p);
        sum = lanes_add(sum, p);
    }
    return lanes_fold(sum);
}

static float largest(const float *scores, int n_keys) {
    float max = scores[0];
    for (int j = 1; j < n_keys; j++) max = scores[j] > max ? scores[j] : max;
    return max;
}

/** Adds n_keys value rows to acc, sixteen outputs at a time; each output's chain runs over the
 * keys, ascending. */
#define ADD_VALUES(format, type)                                                                   \
    static void add_values_##format(float *acc, int64_t dv, const float *p, int n_keys,            \
                                    const void *v, int64_t v_stride) {                             \
        const type *values = v;                                                                    \
        int64_t d = 0;                                                                             \
        for (; d + LANES <= dv; d += LANES) {                                                      \
            lanes sum = lanes_load(acc + d);                                                       \
            for (int j = 0; j < n_keys; j++)                                                       \
                sum = lanes_fma(lanes_set(p[j]), load_##format(values + j * v_stride, d), sum);    \
            lanes_store(acc + d, sum);                                                             \
        }                                                                                          \
        if (d < dv) {                                                                              \
            lanes sum = lanes_load_part(acc + d, dv - d);                                          \
            for (int j = 0; j < n_keys; j++)                                                       \
                sum = lanes_fma(lanes_set(p[j]),                                                   \
                                load_part_##format(values + j * v_stride, d, dv - d), sum);        \
            lanes_store_part(acc + d, sum, dv - d);                                                \
        }                                                                                          \
    }                                                                                              \
    static void attend_block_##format(cpu_softmax *state, float *acc, int64_t dv, float *scores,   \
                                      int n_keys, const void *v, int64_t v_stride) {               \
        float max = largest(scores, n_keys);                                                       \
        if (max > state->max) {                                                                    \
            float factor = exp_one(state->max - max);                                              \
            scale_row(factor, dv, acc);                                                            \
            state->sum *= factor;                                                                  \
            state->max = max;                                                                      \
        }                                                                                          \
        state->sum += exp_scores(scores, n_keys, state->max);                                      \
        add_values_##format(acc, dv, scores, n_keys, v, v_stride);                                 \
    }

ADD_VALUES(f32, float)
ADD_VALUES(bf16, uint16_t)

static void softmax_merge(cpu_softmax *state, float *acc, const cpu_softmax *part,
                          const float *part_acc, int64_t dv) {
    float max = state->max > part->max ? state->max : part->max;
    float old_factor = exp_one(state->max - max), new_factor = exp_one(part->max - max);
    scale_row(old_factor, dv, acc);
    gather_add(new_factor, part_acc, dv, acc);
    state->sum = fmaf(new_factor, part->sum, state->sum * old_factor);
    state->max = max;
}

/* ---- The table ------------------------------------------------------------------------------- */

const cpu_kernels CPU_TABLE = {
    .isa = CPU_ISA,
    .matmul_tile_f32 = matmul_tile_f32,
    .matmul_tile_bf16 = matmul_tile_bf16,
    .matmul_tile_f16 = matmul_tile_f16,
    .norm = norm,
    .gate_mul = gate_mul,
    .gather_add = gather_add,
    .attend_block_f32 = attend_block_f32,
    .attend_block_bf16 = attend_block_bf16,
    .softmax_merge = softmax_merge,
};
