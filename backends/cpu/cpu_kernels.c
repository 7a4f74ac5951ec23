/*
 * cpu_kernels.c - the arithmetic kernels, compiled once for each instruction set with CPU_ISA
 * naming it. The bits do not depend on the set: sums run in sixteen lanes or element by element,
 * and every fused multiply-add is written as one.
 */
#include "cpu_kernels.h"

#include <math.h>

#include "cpu_panel.h"

/* ---- Dot products ---------------------------------------------------------------------------- */

#define MATMUL_TILE(format)                                                                        \
    static void matmul_tile_##format(const void *const *rows, const float *const *x, int n_tokens, \
                                     int64_t k, float *out) {                                      \
        float sums[CPU_TILE_TOKENS * CPU_TILE_ROWS * LANES] = {0};                                 \
        dot_tile tile = {.n = k, .sums = sums};                                                    \
        for (int r = 0; r < CPU_TILE_ROWS; r++) tile.rows[r] = rows[r];                            \
        for (int t = 0; t < n_tokens; t++) tile.vectors[t] = x[t];                                 \
        dot_near_##format(&tile, n_tokens);                                                        \
        for (int t = 0; t < n_tokens; t++)                                                         \
            for (int r = 0; r < CPU_TILE_ROWS; r++)                                                \
                out[r * CPU_TILE_TOKENS + t] = lanes_fold(lanes_load(sums + dot_at(t, r)));        \
    }

MATMUL_TILE(f32)
MATMUL_TILE(bf16)

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

/** scores[j] becomes exp(scores[j] - max) for first <= j < end, and zero in the rest of these keys'
 * vectors; returns their sum, folded over lanes. */
static float exp_scores(float *scores, int first, int end, float max) {
    lanes sum = lanes_set(0.0f);
    int j = first / LANES * LANES;
    for (int i = j; i < first; i++) scores[i] = -INFINITY;
    for (int i = end; i % LANES != 0; i++) scores[i] = -INFINITY;
    for (; j < end; j += LANES) {
        lanes p = lanes_exp(lanes_add(lanes_load(scores + j), lanes_set(-max)));
        lanes_store(scores + j, p);
        sum = lanes_add(sum, p);
    }
    return lanes_fold(sum);
}

static float largest(const float *scores, int first, int end) {
    float max = scores[first];
    for (int j = first + 1; j < end; j++) max = scores[j] > max ? scores[j] : max;
    return max;
}

/** Adds the value rows first … end - 1 to acc, sixteen outputs at a time; each output's chain runs
 * over the keys, ascending. */
#define ADD_VALUES(format, type)                                                                   \
    static void add_values_##format(float *acc, int64_t dv, const float *p, int first, int end,    \
                                    const void *v, int64_t v_stride) {                             \
        const type *values = v;                                                                    \
        int64_t d = 0;                                                                             \
        for (; d + LANES <= dv; d += LANES) {                                                      \
            lanes sum = lanes_load(acc + d);                                                       \
            for (int j = first; j < end; j++)                                                      \
                sum = lanes_fma(lanes_set(p[j]), load_##format(values + j * v_stride, d), sum);    \
            lanes_store(acc + d, sum);                                                             \
        }                                                                                          \
        if (d < dv) {                                                                              \
            lanes sum = lanes_load_part(acc + d, dv - d);                                          \
            for (int j = first; j < end; j++)                                                      \
                sum = lanes_fma(lanes_set(p[j]),                                                   \
                                load_part_##format(values + j * v_stride, d, dv - d), sum);        \
            lanes_store_part(acc + d, sum, dv - d);                                                \
        }                                                                                          \
    }                                                                                              \
    static void attend_block_##format(cpu_softmax *state, float *acc, int64_t dv, float *scores,   \
                                      int first, int end, const void *v, int64_t v_stride) {       \
        float max = largest(scores, first, end);                                                   \
        if (max > state->max) {                                                                    \
            float factor = exp_one(state->max - max);                                              \
            scale_row(factor, dv, acc);                                                            \
            state->sum *= factor;                                                                  \
            state->max = max;                                                                      \
        }                                                                                          \
        state->sum += exp_scores(scores, first, end, state->max);                                  \
        add_values_##format(acc, dv, scores, first, end, v, v_stride);                             \
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

/* ---- Rows of logits -------------------------------------------------------------------------- */

static void head_range(const float *x, int64_t n, float *smallest, float *largest) {
    lanes low = lanes_set(*smallest), high = lanes_set(*largest);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        low = lanes_min(lanes_load(x + i), low);
        high = lanes_max(lanes_load(x + i), high);
    }
    float lows[LANES], highs[LANES];
    lanes_store(lows, low);
    lanes_store(highs, high);
    for (int l = 0; l < LANES; l++) {
        *smallest = lows[l] < *smallest ? lows[l] : *smallest;
        *largest = highs[l] > *largest ? highs[l] : *largest;
    }
    for (; i < n; i++) {
        *smallest = x[i] < *smallest ? x[i] : *smallest;
        *largest = x[i] > *largest ? x[i] : *largest;
    }
}

static float head_exp_sum(const float *x, int64_t n, float largest, float temperature) {
    lanes sum = lanes_set(0.0f), shift = lanes_set(-largest), by = lanes_set(temperature);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sum = lanes_add(sum, lanes_exp(lanes_div(lanes_add(lanes_load(x + i), shift), by)));
    if (i < n) {
        float p[LANES];
        lanes rest = lanes_load_part(x + i, n - i);
        lanes_store(p, lanes_exp(lanes_div(lanes_add(rest, shift), by)));
        sum = lanes_add(sum, lanes_load_part(p, n - i));
    }
    return lanes_fold(sum);
}

/* ---- The table ------------------------------------------------------------------------------- */

const cpu_kernels CPU_TABLE = {
    .isa = CPU_ISA,
    .matmul_tile_f32 = matmul_tile_f32,
    .matmul_tile_bf16 = matmul_tile_bf16,
    .matmul_panel_f32 = matmul_panel_f32,
    .matmul_panel_bf16 = matmul_panel_bf16,
    .matmul_panel_f16 = matmul_panel_f16,
    .norm = norm,
    .gate_mul = gate_mul,
    .gather_add = gather_add,
    .attend_block_f32 = attend_block_f32,
    .attend_block_bf16 = attend_block_bf16,
    .softmax_merge = softmax_merge,
    .head_range = head_range,
    .head_exp_sum = head_exp_sum,
};
