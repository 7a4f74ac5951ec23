/*
 * cpu_ops.c - the operations of the CPU backend that go token by token: how they are divided among
 * threads. Products and attention are elsewhere.
 */
#include <math.h>
#include <string.h>

#include "../../core/data/dtype.h"
#include "../../core/data/half.h"
#include "cpu.h"

/** A job over tokens: how many tasks of `TOKENS_PER_TASK` tokens, and the tokens of one task. */
enum { TOKENS_PER_TASK = 8 };

typedef struct token_range {
    int64_t first, end;
} token_range;

static token_range task_tokens(int task, int64_t n_tokens) {
    int64_t first = (int64_t)task * TOKENS_PER_TASK, end = first + TOKENS_PER_TASK;
    return (token_range){first, end < n_tokens ? end : n_tokens};
}

typedef struct token_job {
    const fm_device_state *s;
    const void *args;
    int64_t n_tokens;
} token_job;

static fm_status run_tokens(fm_device_state *s, const void *args, int64_t n_tokens, pool_fn fn) {
    token_job job = {s, args, n_tokens};
    pool_run(s->threads, (int)((n_tokens + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK), fn, &job);
    return FM_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void row_widen(const void *row, fm_dtype dtype, int64_t n, float *y) {
    size_t size = fm_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++)
        y[i] = dtype_widen((const uint8_t *)row + (size_t)i * size, dtype);
}

static void embed_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_embed *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    for (int64_t t = range.first; t < range.end; t++) {
        const void *row = cpu_weight_row((const cpu_weight *)a->table, 0, cpu_i32(&a->tokens)[t]);
        row_widen(row, a->table->dtype, a->y.size[1], cpu_f32(&a->y) + t * a->y.stride[0]);
    }
}

fm_status cpu_embed(fm_device_state *s, const fm_embed *a) {
    return run_tokens(s, a, a->y.size[0], embed_task);
}

static void norm_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_norm *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    for (int64_t t = range.first; t < range.end; t++)
        job->s->kernels->norm(cpu_f32(&a->x) + t * a->x.stride[0], cpu_f32(&a->weight), a->eps,
                              a->x.size[1], cpu_f32(&a->y) + t * a->y.stride[0]);
}

fm_status cpu_norm(fm_device_state *s, const fm_norm *a) {
    return run_tokens(s, a, a->x.size[0], norm_task);
}

static void gate_mul_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_gate_mul *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    for (int64_t t = range.first; t < range.end; t++)
        job->s->kernels->gate_mul(cpu_f32(&a->gate) + t * a->gate.stride[0],
                                  cpu_f32(&a->up) + t * a->up.stride[0], a->y.size[1],
                                  cpu_f32(&a->y) + t * a->y.stride[0]);
}

fm_status cpu_gate_mul(fm_device_state *s, const fm_gate_mul *a) {
    return run_tokens(s, a, a->y.size[0], gate_mul_task);
}

static void gather_row(const cpu_kernels *kernels, const fm_gather_rows *a, int64_t t) {
    float *y = cpu_f32(&a->y) + t * a->y.stride[0];
    const int32_t *rows = cpu_i32(&a->rows) + t * a->rows.stride[0];
    if (!a->accumulate) memset(y, 0, (size_t)a->y.size[1] * sizeof *y);
    for (int64_t k = 0; k < a->rows.size[1]; k++) {
        float weight = a->weights.buf ? cpu_f32(&a->weights)[t * a->weights.stride[0] + k] : 1.0f;
        kernels->gather_add(weight, cpu_f32(&a->x) + rows[k] * a->x.stride[0], a->y.size[1], y);
    }
}

static void gather_rows_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_gather_rows *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    for (int64_t t = range.first; t < range.end; t++) gather_row(job->s->kernels, a, t);
}

fm_status cpu_gather_rows(fm_device_state *s, const fm_gather_rows *a) {
    return run_tokens(s, a, a->y.size[0], gather_rows_task);
}

/* ---- Positions and cache --------------------------------------------------------------------- */

/** Rotates one head. `table` is [R/2, 2] of the token's position. Works in place. */
static void rope_head(const float *x, const float *table, int64_t n_pairs, fm_rope_pairing pairing,
                      float *y) {
    bool half = pairing == FM_ROPE_PAIRING_HALF;
    for (int64_t i = 0; i < n_pairs; i++) {
        int64_t a = half ? i : 2 * i, b = half ? i + n_pairs : 2 * i + 1;
        float cosine = table[2 * i], sine = table[2 * i + 1], xa = x[a], xb = x[b];
        y[a] = fmaf(xa, cosine, -(xb * sine));
        y[b] = fmaf(xb, cosine, xa * sine);
    }
}

static void rope_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_rope *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    for (int64_t t = range.first; t < range.end; t++) {
        const float *table = cpu_f32(&a->table) + cpu_i32(&a->positions)[t] * a->table.stride[0];
        for (int64_t h = 0; h < a->x.size[1]; h++)
            rope_head(cpu_f32(&a->x) + t * a->x.stride[0] + h * a->x.stride[1], table,
                      a->x.size[2] / 2, a->pairing,
                      cpu_f32(&a->y) + t * a->y.stride[0] + h * a->y.stride[1]);
    }
}

fm_status cpu_rope(fm_device_state *s, const fm_rope *a) {
    return run_tokens(s, a, a->x.size[0], rope_task);
}

static void cache_write_task(void *user, int task, int worker) {
    (void)worker;
    const token_job *job = user;
    const fm_cache_write *a = job->args;
    token_range range = task_tokens(task, job->n_tokens);
    int64_t n = a->x.size[2];
    for (int64_t t = range.first; t < range.end; t++)
        for (int64_t g = 0; g < a->x.size[1]; g++) {
            const float *x = cpu_f32(&a->x) + t * a->x.stride[0] + g * a->x.stride[1];
            int64_t at = cpu_i32(&a->rows)[t] * a->cache.stride[0] + g * a->cache.stride[1];
            if (a->cache.dtype == FM_DTYPE_F32) {
                memcpy(cpu_f32(&a->cache) + at, x, (size_t)n * sizeof *x);
                continue;
            }
            uint16_t *row = cpu_u16(&a->cache) + at;
            for (int64_t i = 0; i < n; i++) row[i] = half_bf16_round(x[i]);
        }
}

fm_status cpu_cache_write(fm_device_state *s, const fm_cache_write *a) {
    return run_tokens(s, a, a->x.size[0], cache_write_task);
}
