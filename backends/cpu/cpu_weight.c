/*
 * cpu_weight.c - weights of the CPU backend: row-major, read in place from the checkpoint's memory
 * when format, alignment and row order allow it, else converted into a copy of their own.
 */
#include <stdlib.h>

#include "../../core/base/checked.h"
#include "../../core/data/dtype.h"
#include "cpu.h"

const void *cpu_weight_row(const cpu_weight *w, int32_t matrix, int64_t row) {
    int32_t part = 0;
    while (row >= w->part_start[part + 1]) part++;
    const cpu_rows *rows = &w->parts[(int64_t)matrix * w->n_parts + part];
    size_t element = (size_t)((row - w->part_start[part]) * rows->row_stride);
    return (const uint8_t *)rows->data + element * fm_dtype_size(w->base.dtype);
}

/** Whether a part can be read where it lies. */
static bool in_place(const fm_weight_part *part, fm_dtype from, fm_dtype to) {
    return from == to && part->col_stride == 1 && (uintptr_t)part->data % fm_dtype_size(from) == 0;
}

static int64_t part_count(const fm_weight_source *source) {
    return (int64_t)source->n_matrices * source->n_parts;
}

uint64_t cpu_weight_size(const fm_device_state *s, const fm_weight_source *source, fm_dtype dtype) {
    (void)s;
    uint64_t size = 0;
    for (int64_t i = 0; i < part_count(source); i++) {
        const fm_weight_part *part = &source->parts[i];
        if (in_place(part, source->dtype, dtype)) continue;
        size += (uint64_t)part->rows * (uint64_t)source->cols * fm_dtype_size(dtype);
    }
    return size;
}

/* ---- Conversion ------------------------------------------------------------------------------ */

/** Writes a part row-major in format `to`; false when a value does not fit the format. */
static bool part_convert(const fm_weight_part *part, int64_t cols, fm_dtype from, fm_dtype to,
                         uint8_t *dst) {
    size_t from_size = fm_dtype_size(from), to_size = fm_dtype_size(to);
    for (int64_t r = 0; r < part->rows; r++) {
        const uint8_t *row =
            (const uint8_t *)part->data + (size_t)(r * part->row_stride) * from_size;
        size_t step = (size_t)part->col_stride * from_size;
        for (int64_t c = 0; c < cols; c++, dst += to_size)
            if (!dtype_narrow(dst, to, dtype_widen(row + (size_t)c * step, from))) return false;
    }
    return true;
}

/** Points every part at its place in the file, or at its converted copy. */
static fm_status place_parts(cpu_weight *w, const fm_weight_source *source, fm_dtype dtype,
                             fm_error *err) {
    uint8_t *next = w->owned;
    for (int64_t i = 0; i < part_count(source); i++) {
        const fm_weight_part *part = &source->parts[i];
        if (in_place(part, source->dtype, dtype)) {
            w->parts[i] = (cpu_rows){part->data, part->row_stride};
            continue;
        }
        if (!part_convert(part, source->cols, source->dtype, dtype, next))
            return error_set(err, FM_ERR_NOT_FINITE, "a value does not fit %s: use --dtype f32",
                             fm_dtype_name(dtype));
        w->parts[i] = (cpu_rows){next, source->cols};
        next += (size_t)(part->rows * source->cols) * fm_dtype_size(dtype);
    }
    return FM_OK;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

void cpu_weight_free(fm_device_state *s, fm_weight *base) {
    (void)s;
    cpu_weight *w = (cpu_weight *)base;
    if (!w) return;
    free(w->owned);
    free(w->parts);
    free(w->part_start);
    free(w);
}

fm_status cpu_weight_load(fm_device_state *s, const fm_weight_source *source, fm_dtype dtype,
                          fm_weight **out, fm_error *err) {
    size_t owned_size = (size_t)cpu_weight_size(s, source, dtype), padded = 0;
    fm_status status = FM_ERR_MEMORY;
    cpu_weight *w = calloc(1, sizeof *w);
    if (!w) return error_set(err, status, "out of memory for a weight");
    w->n_parts = source->n_parts;
    w->part_start = calloc((size_t)source->n_parts + 1, sizeof *w->part_start);
    w->parts = calloc((size_t)part_count(source), sizeof *w->parts);
    if (!w->part_start || !w->parts || !checked_add(owned_size, 63, &padded)) goto no_memory;
    if (owned_size > 0 && !(w->owned = aligned_alloc(64, padded - padded % 64))) goto no_memory;
    for (int32_t p = 0; p < source->n_parts; p++)
        w->part_start[p + 1] = w->part_start[p] + source->parts[p].rows;
    w->base = (fm_weight){.n_matrices = source->n_matrices,
                          .rows = w->part_start[source->n_parts],
                          .cols = source->cols,
                          .dtype = dtype};
    status = place_parts(w, source, dtype, err);
    if (status != FM_OK) goto error;
    *out = &w->base;
    return FM_OK;
no_memory:
    error_set(err, status, "out of memory for a weight of %zu converted bytes", owned_size);
error:
    cpu_weight_free(s, &w->base);
    return status;
}
