/* count.c - owns the list of known weight rows, and the counts. */
#include "count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "../../backends/cpu/cpu.h"

extern const cpu_kernels cpu_counted_scalar_soft;
#if defined(__x86_64__)
extern const cpu_kernels cpu_counted_scalar;
extern const cpu_kernels cpu_counted_avx2;
extern const cpu_kernels cpu_counted_avx512;
#endif

static const cpu_kernels *const counted_kernels[] = {
    &cpu_counted_scalar_soft,
#if defined(__x86_64__)
    &cpu_counted_scalar,
    &cpu_counted_avx2,
    &cpu_counted_avx512,
#endif
};

/** One part of a matrix: its rows in memory. */
typedef struct row_range {
    const fm_weight *w;
    int32_t matrix;
    uintptr_t start, end;
    atomic_uint_fast64_t n_bytes;
} row_range;

enum { MAX_RANGES = 4096 };

static row_range ranges[MAX_RANGES];
static int n_ranges;

void count_row_read(const void *address, size_t size) {
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < n_ranges; i++)
        if (at >= ranges[i].start && at + size <= ranges[i].end) ranges[i].n_bytes += size;
}

void count_reset(void) {
    for (int i = 0; i < n_ranges; i++) ranges[i].n_bytes = 0;
}

uint64_t count_matrix(const fm_weight *w, int32_t matrix) {
    uint64_t n = 0;
    for (int i = 0; i < n_ranges; i++)
        if (ranges[i].w == w && ranges[i].matrix == matrix) n += ranges[i].n_bytes;
    return n;
}

uint64_t count_all(void) {
    uint64_t n = 0;
    for (int i = 0; i < n_ranges; i++) n += ranges[i].n_bytes;
    return n;
}

uint64_t matrix_bytes(const fm_weight *w) {
    return (uint64_t)w->rows * (uint64_t)w->cols * fm_dtype_size(w->dtype);
}

/* ---- The backend ----------------------------------------------------------------------------- */

static fm_status counted_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                              fm_error *err) {
    FM_TRY(fm_backend_cpu.open(params, log, out, err));
    const char *isa = (*out)->kernels->isa;
    (*out)->kernels = NULL;
    for (size_t i = 0; i < sizeof counted_kernels / sizeof *counted_kernels; i++)
        if (strcmp(counted_kernels[i]->isa, isa) == 0) (*out)->kernels = counted_kernels[i];
    assert_non_null((*out)->kernels);
    return FM_OK;
}

static void watch(const cpu_weight *w, int32_t matrix, int32_t part) {
    size_t size = fm_dtype_size(w->base.dtype);
    int64_t n_rows = w->part_start[part + 1] - w->part_start[part];
    const cpu_rows *rows = &w->parts[matrix * w->n_parts + part];
    assert_true(n_ranges < MAX_RANGES);
    row_range *range = &ranges[n_ranges++];
    range->w = &w->base;
    range->matrix = matrix;
    range->start = (uintptr_t)rows->data;
    range->end = range->start + (size_t)((n_rows - 1) * rows->row_stride + w->base.cols) * size;
    range->n_bytes = 0;
}

static fm_status counted_weight_load(fm_device_state *s, const fm_weight_source *source,
                                     fm_dtype dtype, fm_weight **out, fm_error *err) {
    FM_TRY(fm_backend_cpu.weight_load(s, source, dtype, out, err));
    const cpu_weight *w = (const cpu_weight *)*out;
    for (int32_t m = 0; m < w->base.n_matrices; m++)
        for (int32_t p = 0; p < w->n_parts; p++) watch(w, m, p);
    return FM_OK;
}

static void counted_weight_free(fm_device_state *s, fm_weight *w) {
    int n = 0;
    for (int i = 0; i < n_ranges; i++)
        if (ranges[i].w != w) ranges[n++] = ranges[i];
    n_ranges = n;
    fm_backend_cpu.weight_free(s, w);
}

const fm_backend *count_backend(void) {
    static fm_backend backend;
    backend = fm_backend_cpu;
    backend.open = counted_open;
    backend.weight_load = counted_weight_load;
    backend.weight_free = counted_weight_free;
    return &backend;
}
