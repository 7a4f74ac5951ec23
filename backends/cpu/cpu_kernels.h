/*
 * cpu_kernels.h - the arithmetic of the CPU backend as a table of functions on plain arrays, one
 * table per instruction set, all with the same bits. Kernels know no tensors and no threads;
 * cpu_product.c, cpu_attend.c and cpu_ops.c divide the work and call them.
 */
#ifndef FATHOM_CPU_KERNELS_H
#define FATHOM_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CPU_TILE_ROWS = 4,     /* weight rows of one tile */
    CPU_TILE_TOKENS = 4,   /* tokens of one tile at most */
    CPU_BLOCK_KEYS = 64,   /* keys of one attention block */
    CPU_PANEL_TOKENS = 64, /* tokens of one panel at most */
};

/** Running state of a softmax over part of the keys: their largest score, the sum of exp(score -
 * max), and the exp-weighted sum of values [Dv] beside it. */
typedef struct cpu_softmax {
    float max;
    float sum;
} cpu_softmax;

/** Some rows of a weight times some tokens: out[t * CPU_TILE_ROWS + r] = rows[r] · x[t]. */
typedef struct cpu_panel {
    const void *rows[CPU_TILE_ROWS];
    const void *ahead[CPU_TILE_ROWS]; /* rows that are wanted next, to be fetched meanwhile */
    int n_rows;                       /* 1 … CPU_TILE_ROWS */
    int n_tokens;                     /* 1 … CPU_PANEL_TOKENS */
    int64_t k;
    const float *x; /* [n_tokens, k] */
    int64_t x_stride;
    float *out; /* [n_tokens, CPU_TILE_ROWS] */
} cpu_panel;

typedef struct cpu_kernels {
    const char *isa;

    /** out[r * CPU_TILE_TOKENS + t] = rows[r] · x[t] over k elements, for CPU_TILE_ROWS row
     * pointers and 1 … CPU_TILE_TOKENS tokens. Sixteen partial sums, lane = k mod 16, one fold.
     * Elements of rows are f32, bf16 or f16 by the entry. */
    void (*matmul_tile_f32)(const void *const *rows, const float *const *x, int n_tokens, int64_t k,
                            float *out);
    void (*matmul_tile_bf16)(const void *const *rows, const float *const *x, int n_tokens,
                             int64_t k, float *out);

    /** A panel's products, with the bits of matmul_tile; every element of the rows is loaded
     * exactly once. */
    void (*matmul_panel_f32)(const cpu_panel *p);
    void (*matmul_panel_bf16)(const cpu_panel *p);
    void (*matmul_panel_f16)(const cpu_panel *p);

    /** y[i] = x[i] * 1/sqrt(mean(x^2) + eps) * weight[i], i < n. y may be x. */
    void (*norm)(const float *x, const float *weight, float eps, int64_t n, float *y);

    /** y[i] = gate[i] / (1 + exp(-gate[i])) * up[i], i < n. y may be gate or up. */
    void (*gate_mul)(const float *gate, const float *up, int64_t n, float *y);

    /** y[i] = fma(weight, x[i], y[i]), i < n. */
    void (*gather_add)(float weight, const float *x, int64_t n, float *y);

    /** Keys first … end - 1 of an attention block: p[j] = exp(scores[j] - new max), the state and
     *  the values' sum acc [dv] rescaled to the new max, and v added with weights p, ascending. The
     *  sum of p has a block's keys in fixed lanes, wherever `first` is. `scores` has room for 64
     *  values, of which those of the keys are read; it is overwritten. Values are f32 or bf16 rows
     *  at v + j * v_stride elements; rows of other keys are not read. */
    void (*attend_block_f32)(cpu_softmax *state, float *acc, int64_t dv, float *scores, int first,
                             int end, const void *v, int64_t v_stride);
    void (*attend_block_bf16)(cpu_softmax *state, float *acc, int64_t dv, float *scores, int first,
                              int end, const void *v, int64_t v_stride);

    /** Adds the softmax part (part, part_acc) to (state, acc): both rescaled to the larger maximum.
     */
    void (*softmax_merge)(cpu_softmax *state, float *acc, const cpu_softmax *part,
                          const float *part_acc, int64_t dv);

    /** Widens [*smallest, *largest] to what x [n] holds; NaN is passed over. */
    void (*head_range)(const float *x, int64_t n, float *smallest, float *largest);

    /** Sum of exp((x[i] - largest) / temperature), i < n, in sixteen partial sums and one fold. */
    float (*head_exp_sum)(const float *x, int64_t n, float largest, float temperature);
} cpu_kernels;

extern const cpu_kernels cpu_kernels_scalar_soft; /* for any machine */
#if defined(__x86_64__)
extern const cpu_kernels cpu_kernels_scalar; /* the same with hardware fma */
extern const cpu_kernels cpu_kernels_avx2;
extern const cpu_kernels cpu_kernels_avx512;
#endif

/** The table of that name ("scalar_soft", "scalar", "avx2", "avx512"), or for NULL the best that
 * this machine runs; NULL when the name is unknown or the machine lacks it. */
const cpu_kernels *cpu_kernels_find(const char *isa);

#endif
