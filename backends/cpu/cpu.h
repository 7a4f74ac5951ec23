/*
 * cpu.h - what the files of the CPU backend share: its device, buffers and weights. A device owns a
 * thread pool; what an operation needs besides its arguments fits on a thread's stack.
 */
#ifndef FATHOM_CPU_H
#define FATHOM_CPU_H

#include "../../core/backend.h"
#include "../../core/base/pool.h"
#include "cpu_kernels.h"

enum { CPU_ALIGNMENT = 64 }; /* bytes: a line of the cache, a vector of AVX-512 */

struct fm_device_state {
    pool *threads; /* NULL on a device that only plans */
    const cpu_kernels *kernels;
    char name[96];
};

typedef struct cpu_buf {
    fm_buf base;
    uint8_t *data; /* aligned to CPU_ALIGNMENT, inside `memory` */
    void *memory;
} cpu_buf;

/** Rows of one matrix that lie together: part p of matrix m. */
typedef struct cpu_rows {
    const void *data;
    int64_t row_stride; /* elements */
} cpu_rows;

typedef struct cpu_weight {
    fm_weight base;
    int32_t n_parts;
    int64_t *part_start; /* [n_parts + 1] first row of each part */
    cpu_rows *parts;     /* [n_matrices][n_parts] */
    void *owned;         /* converted copy; NULL when all is read in place */
} cpu_weight;

/** The start of a view in memory. */
static inline float *cpu_f32(const fm_tensor *t) {
    return (float *)(void *)((cpu_buf *)t->buf)->data + t->offset;
}
static inline const int32_t *cpu_i32(const fm_tensor *t) {
    return (const int32_t *)(const void *)((cpu_buf *)t->buf)->data + t->offset;
}
static inline int32_t *cpu_i32_out(const fm_tensor *t) {
    return (int32_t *)(void *)((cpu_buf *)t->buf)->data + t->offset;
}
static inline uint16_t *cpu_u16(const fm_tensor *t) {
    return (uint16_t *)(void *)((cpu_buf *)t->buf)->data + t->offset;
}

/** Row `row` of matrix `matrix`. */
const void *cpu_weight_row(const cpu_weight *w, int32_t matrix, int64_t row);

uint64_t cpu_weight_size(const fm_device_state *s, const fm_weight_source *source, fm_dtype dtype);
fm_status cpu_weight_load(fm_device_state *s, const fm_weight_source *source, fm_dtype dtype,
                          fm_weight **out, fm_error *err);
void cpu_weight_free(fm_device_state *s, fm_weight *w);

#define CPU_OP_DECLARE(name) fm_status cpu_##name(fm_device_state *s, const fm_##name *args);
FM_OP_LIST(CPU_OP_DECLARE)
#undef CPU_OP_DECLARE

#endif
