/*
 * vk_weight.c - weights of the Vulkan backend: padded rows in one buffer, written there piece by
 * piece and converted on the way; and the windows of rows in which operations see them, as a
 * binding may be smaller than a weight.
 */
#include <stdlib.h>
#include <string.h>

#include "../../core/data/dtype.h"
#include "vk_buffer.h"

enum {
    ROW_ALIGNMENT = 16,      /* bytes: shaders read a row by stretches of these */
    BINDING_ALIGNMENT = 256, /* bytes: the most that a device may want an offset to be aligned to */
    PIECE_BYTES = 1024 * 1024, /* of host memory, at most, but for a row that is longer */
};

static uint64_t row_bytes_of(int64_t cols, fm_dtype dtype) {
    uint64_t bytes = (uint64_t)cols * fm_dtype_size(dtype);
    return (bytes + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
}

/* ---- Windows --------------------------------------------------------------------------------- */

/** Rows of every window but the last: as many as a binding can span, but so that each window begins
 * at an offset that every device takes. 0 when rows are too long for that. */
static int64_t window_rows(const fm_device_state *s, uint64_t row_bytes) {
    uint64_t step = 1; /* of rows: a power of two, since rows are multiples of 16 bytes */
    while (step * row_bytes % BINDING_ALIGNMENT != 0) step *= 2;
    return (int64_t)(vk_binding_max(s) / row_bytes / step * step);
}

bool vk_weight_window(const fm_device_state *s, const vk_weight *w, int64_t first, vk_window *out) {
    int64_t left = w->base.n_matrices * w->base.rows - first;
    if (left <= 0) return false;
    int64_t most = window_rows(s, (uint64_t)w->row_words * 4);
    *out = (vk_window){.first = first, .count = left < most ? left : most};
    return true;
}

void vk_bind_weight(vk_call *call, const fm_device_state *s, const vk_weight *w, vk_window window) {
    (void)s;
    uint64_t row_bytes = (uint64_t)w->row_words * 4;
    uint64_t offset = (uint64_t)window.first * row_bytes, size = (uint64_t)window.count * row_bytes;
    call->bindings[call->n_bindings++] = (vk_binding){.buf = w->buf,
                                                      .offset = offset,
                                                      .size = size,
                                                      .access = VK_READ,
                                                      .first = offset,
                                                      .touched = size};
    vk_push_u32(call, (uint32_t)window.first);
    vk_push_u32(call, (uint32_t)window.count);
    vk_push_u32(call, (uint32_t)w->row_words);
}

/* ---- Size ------------------------------------------------------------------------------------ */

/** Rows of one matrix. */
static int64_t source_rows(const fm_weight_source *source) {
    int64_t rows = 0;
    for (int32_t p = 0; p < source->n_parts; p++) rows += source->parts[p].rows;
    return rows;
}

/** Flat rows are counted in 32 bits by the shaders, and some of them have to fit in a window. */
uint64_t vk_weight_size(const fm_device_state *s, const fm_weight_source *source, fm_dtype dtype) {
    int64_t rows = source_rows(source);
    uint64_t row_bytes = row_bytes_of(source->cols, dtype);
    if (rows > INT32_MAX / source->n_matrices || window_rows(s, row_bytes) == 0) return 0;
    return (uint64_t)(source->n_matrices * rows) * row_bytes;
}

/* ---- Upload ---------------------------------------------------------------------------------- */

/** Rows on their way to the device. */
typedef struct upload {
    fm_device_state *s;
    const vk_weight *w;
    const fm_weight_source *source;
    uint64_t offset; /* bytes of the weight that are written */
    uint64_t row_bytes;
    uint8_t *piece; /* [piece_size] rows that are to follow */
    size_t piece_size, used;
} upload;

static fm_status upload_write(upload *u, const void *src, size_t size) {
    fm_status status = vk_write(u->s, (fm_buf *)u->w->buf, u->offset, src, size);
    u->offset += size;
    return status;
}

static fm_status upload_flush(upload *u) {
    size_t size = u->used;
    u->used = 0;
    return size > 0 ? upload_write(u, u->piece, size) : FM_OK;
}

/** Writes row r of a part in the weight's format; false when a value does not fit it. */
static bool convert_row(const upload *u, const fm_weight_part *part, int64_t r, uint8_t *dst) {
    fm_dtype from = u->source->dtype, to = u->w->base.dtype;
    size_t from_size = fm_dtype_size(from), to_size = fm_dtype_size(to),
           n = (size_t)u->source->cols;
    const uint8_t *src = (const uint8_t *)part->data + (size_t)(r * part->row_stride) * from_size;
    size_t step = (size_t)part->col_stride * from_size;
    memset(dst + n * to_size, 0, u->row_bytes - n * to_size);
    if (from == to && part->col_stride == 1) {
        memcpy(dst, src, n * to_size);
        return true;
    }
    for (size_t c = 0; c < n; c++, src += step, dst += to_size)
        if (!dtype_narrow(dst, to, dtype_widen(src, from))) return false;
    return true;
}

/** Whether a part's bytes are those of the device. */
static bool is_same_layout(const upload *u, const fm_weight_part *part) {
    int64_t cols = u->source->cols;
    return u->source->dtype == u->w->base.dtype && part->col_stride == 1 &&
           part->row_stride == cols &&
           row_bytes_of(cols, u->source->dtype) == (uint64_t)cols * fm_dtype_size(u->source->dtype);
}

static fm_status upload_part(upload *u, const fm_weight_part *part) {
    if (is_same_layout(u, part)) {
        FM_TRY(upload_flush(u));
        return upload_write(u, part->data, (size_t)part->rows * u->row_bytes);
    }
    for (int64_t r = 0; r < part->rows; r++) {
        if (u->used + u->row_bytes > u->piece_size) FM_TRY(upload_flush(u));
        if (!convert_row(u, part, r, u->piece + u->used)) return FM_ERR_NOT_FINITE;
        u->used += u->row_bytes;
    }
    return FM_OK;
}

static fm_status upload_weight(fm_device_state *s, const vk_weight *w,
                               const fm_weight_source *source, uint64_t size) {
    uint64_t row_bytes = (uint64_t)w->row_words * 4;
    uint64_t piece_size = row_bytes > PIECE_BYTES ? row_bytes : PIECE_BYTES;
    upload u = {.s = s, .w = w, .source = source, .row_bytes = row_bytes};
    u.piece_size = (size_t)(piece_size < size ? piece_size : size);
    u.piece = malloc(u.piece_size);
    fm_status status = u.piece ? FM_OK : FM_ERR_MEMORY;
    for (int64_t i = 0; !status && i < (int64_t)source->n_matrices * source->n_parts; i++)
        status = upload_part(&u, &source->parts[i]);
    if (!status) status = upload_flush(&u);
    free(u.piece);
    return status;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

void vk_weight_free(fm_device_state *s, fm_weight *base) {
    vk_weight *w = (vk_weight *)base;
    if (!w) return;
    vk_buf_drop(s, w->buf);
    free(w);
}

static fm_status upload_error(fm_status status, fm_dtype dtype, fm_error *err) {
    if (status == FM_ERR_NOT_FINITE)
        return error_set(err, status, "a value does not fit %s: use --dtype f32",
                         fm_dtype_name(dtype));
    return error_set(err, status, "a weight could not be written to the device");
}

fm_status vk_weight_load(fm_device_state *s, const fm_weight_source *source, fm_dtype dtype,
                         fm_weight **out, fm_error *err) {
    uint64_t size = vk_weight_size(s, source, dtype);
    if (size == 0)
        return error_set(err, FM_ERR_LIMIT,
                         "a weight with rows of %lld numbers is too large for the device",
                         (long long)source->cols);
    vk_weight *w = calloc(1, sizeof *w);
    if (!w) return error_set(err, FM_ERR_MEMORY, "out of memory for a weight");
    w->base = (fm_weight){.n_matrices = source->n_matrices,
                          .rows = source_rows(source),
                          .cols = source->cols,
                          .dtype = dtype};
    w->row_words = (int64_t)(row_bytes_of(source->cols, dtype) / 4);
    fm_status status = vk_buf_make(s, size, VK_MEMORY_DEVICE, &w->buf, err);
    if (status != FM_OK) goto error;
    status = upload_weight(s, w, source, size);
    if (status != FM_OK) {
        upload_error(status, dtype, err);
        goto error;
    }
    *out = &w->base;
    return FM_OK;
error:
    vk_weight_free(s, &w->base);
    return status;
}
