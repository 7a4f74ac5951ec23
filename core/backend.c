/*
 * backend.c - the checking front, first half: devices, buffers, transfers and weights. It keeps the
 * order of encoding, submitting and waiting, the sticky status of a device that was lost, and the
 * sum of the memory given out.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend_front.h"
#include "base/checked.h"
#include "data/dtype.h"

/* ---- Faults ---------------------------------------------------------------------------------- */

bool front_fault(fm_device *dev, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(dev->fault, sizeof dev->fault, format, args);
    va_end(args);
    return false;
}

bool front_check_tensor(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                        int32_t n_dims) {
    if (!t->buf) return front_fault(dev, "%s has no buffer", name);
    if (t->buf->dev != dev) return front_fault(dev, "%s lies on another device", name);
    if (t->dtype != dtype)
        return front_fault(dev, "%s is %s and should be %s", name, fm_dtype_name(t->dtype),
                           fm_dtype_name(dtype));
    if (t->n_dims != n_dims)
        return front_fault(dev, "%s has %d dimensions and should have %d", name, (int)t->n_dims,
                           (int)n_dims);
    for (int32_t d = 0; d < n_dims; d++)
        if (t->size[d] < 1)
            return front_fault(dev, "%s: size %lld of dimension %d is not positive", name,
                               (long long)t->size[d], (int)d);
    if (t->stride[n_dims - 1] != 1) return front_fault(dev, "%s: the last stride is not 1", name);
    int64_t extent = tensor_extent(t);
    if (extent < 0 || (uint64_t)extent > t->buf->size / fm_dtype_size(dtype))
        return front_fault(dev, "%s reaches behind its buffer of %zu bytes", name, t->buf->size);
    return true;
}

fm_status front_keep_loss(fm_device *dev, fm_status status) {
    if (status == FM_ERR_DEVICE) dev->lost = status;
    return status;
}

int64_t device_inject(fm_device *dev, fm_fault kind, int64_t nth, fm_status status) {
    int64_t left = dev->injected[kind].left;
    dev->injected[kind] = (front_injected){nth, status};
    return left;
}

fm_status front_injected_status(fm_device *dev, fm_fault kind) {
    front_injected *injected = &dev->injected[kind];
    if (injected->left == 0 || --injected->left > 0) return FM_OK;
    return front_keep_loss(dev, injected->status);
}

/* ---- Device ---------------------------------------------------------------------------------- */

static fm_status refuse_version(const fm_backend *backend, fm_error *err) {
    return error_set(err, FM_ERR_UNSUPPORTED,
                     "backend %s has version %d, this program needs %d: rebuild it", backend->name,
                     (int)backend->version, (int)FM_BACKEND_VERSION);
}

fm_status device_open(const fm_backend *backend, const fm_device_params *params, fm_log log,
                      fm_device **out, fm_error *err) {
    *out = NULL;
    if (backend->version != FM_BACKEND_VERSION) return refuse_version(backend, err);
    if (params->max_tokens < 1 || params->max_rows < 1 || params->max_sequences < 1 ||
        params->max_context < 1 || (params->n_threads < 1 && !params->plan_only))
        return error_set(err, FM_ERR_ARG, "device limits must be at least 1");
    if (params->max_tokens > FM_STEP_ROWS_MAX || params->max_rows > FM_STEP_ROWS_MAX)
        return error_set(err, FM_ERR_LIMIT, "a step may have %d rows at most: lower --chunk",
                         (int)FM_STEP_ROWS_MAX);
    fm_device *dev = calloc(1, sizeof *dev);
    if (!dev) return error_set(err, FM_ERR_MEMORY, "out of memory while opening a device");
    dev->backend = backend;
    dev->params = *params;
    fm_status status = params->plan_only
                           ? plan_open(backend, params, log, &dev->backend, &dev->state, err)
                           : backend->open(params, log, &dev->state, err);
    if (status != FM_OK) {
        free(dev);
        return status;
    }
    dev->backend->info(dev->state, &dev->info);
    *out = dev;
    return FM_OK;
}

void device_close(fm_device *dev) {
    if (!dev) return;
    dev->backend->close(dev->state);
    free(dev);
}

const fm_device_info *device_info(const fm_device *dev) {
    return &dev->info;
}

uint64_t device_memory_free(const fm_device *dev) {
    fm_device_info now;
    dev->backend->info(dev->state, &now);
    return now.memory_free;
}

fm_status device_status(const fm_device *dev) {
    return dev->lost;
}

const char *device_fault(const fm_device *dev) {
    return dev->fault;
}

fm_status device_list(const fm_backend *backend, const char *options, fm_device_info *out,
                      int32_t max, int32_t *n, fm_error *err) {
    *n = 0;
    if (backend->version != FM_BACKEND_VERSION) return refuse_version(backend, err);
    return backend->list(options, out, max, n, err);
}

fm_status device_submit(fm_device *dev, uint64_t *ticket) {
    double start;
    FM_TRY(dev->lost);
    if (dev->in_record) return FM_ERR_STATE;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->submit(dev->state, dev->submitted + 1);
    FM_TRY(front_end(dev, FRONT_CALL_submit, start, 0, status));
    dev->encoded = false;
    *ticket = ++dev->submitted;
    return FM_OK;
}

fm_status device_wait(fm_device *dev, uint64_t ticket) {
    double start;
    FM_TRY(dev->lost);
    if (ticket > dev->submitted || dev->in_record) return FM_ERR_STATE;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->wait(dev->state, ticket);
    FM_TRY(front_end(dev, FRONT_CALL_wait, start, 0, status));
    if (ticket > dev->waited) dev->waited = ticket;
    return FM_OK;
}

void device_abandon(fm_device *dev) {
    uint64_t ticket;
    if (dev->recording && dev->backend->record_end(dev->state, false) == FM_ERR_DEVICE)
        dev->lost = FM_ERR_DEVICE;
    dev->recording = dev->in_record = false;
    if (dev->encoded && device_submit(dev, &ticket) != FM_OK) dev->encoded = false;
    if (device_wait(dev, dev->submitted) != FM_OK) dev->waited = dev->submitted;
}

/* ---- Stretches that are kept ------------------------------------------------------------------- */

fm_status device_record(fm_device *dev, const fm_record_key *key, bool *kept) {
    double start;
    *kept = false;
    FM_TRY(dev->lost);
    if (dev->in_record) return FM_ERR_STATE;
    if (dev->profiling || !dev->backend->record) {
        dev->in_record = true;
        return FM_OK;
    }
    dev->encoded = true;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->record(dev->state, key, kept);
    FM_TRY(front_keep_loss(dev, status));
    dev->recording = dev->in_record = !*kept;
    return FM_OK;
}

fm_status device_record_end(fm_device *dev) {
    FM_TRY(dev->lost);
    if (!dev->in_record) return FM_ERR_STATE;
    bool recording = dev->recording;
    dev->recording = dev->in_record = false;
    if (!recording) return FM_OK;
    return front_keep_loss(dev, dev->backend->record_end(dev->state, true));
}

/* ---- Memory ---------------------------------------------------------------------------------- */

uint64_t device_bytes(const fm_device *dev) {
    return dev->bytes;
}

uint64_t device_bytes_peak(const fm_device *dev) {
    return dev->bytes_peak;
}

/** What stands before memory is taken: a fault that a test set, or a sum that cannot be counted, as
 * a planning device may be asked for any. */
static fm_status check_room(fm_device *dev, uint64_t bytes, fm_error *err) {
    fm_status status = front_injected_status(dev, FM_FAULT_ALLOC);
    if (status != FM_OK)
        return error_set(err, status, "a test made this allocation fail: %s",
                         fm_status_text(status));
    if (bytes <= UINT64_MAX - dev->bytes) return FM_OK;
    return error_set(err, FM_ERR_LIMIT, "no device has memory for %llu bytes more",
                     (unsigned long long)bytes);
}

static void count_memory(fm_device *dev, uint64_t bytes) {
    dev->bytes += bytes;
    if (dev->bytes > dev->bytes_peak) dev->bytes_peak = dev->bytes;
}

/* ---- Buffers and transfers ------------------------------------------------------------------- */

fm_status buf_new(fm_device *dev, size_t size, fm_buf **out, fm_error *err) {
    *out = NULL;
    if (dev->lost != FM_OK) return error_set(err, dev->lost, "the device was lost");
    if (size == 0) return error_set(err, FM_ERR_ARG, "a buffer needs at least one byte");
    FM_TRY(check_room(dev, size, err));
    FM_TRY(front_keep_loss(dev, dev->backend->buf_new(dev->state, size, out, err)));
    (*out)->dev = dev;
    count_memory(dev, (*out)->size);
    return FM_OK;
}

void buf_free(fm_device *dev, fm_buf *buf) {
    if (!buf) return;
    dev->bytes -= buf->size;
    dev->backend->buf_free(dev->state, buf);
}

/** Whether the elements lie one after the other in the order of the indices. */
static bool is_contiguous(const fm_tensor *t) {
    int64_t expected = 1;
    for (int32_t d = t->n_dims - 1; d >= 0; d--) {
        if (t->size[d] > 1 && t->stride[d] != expected) return false;
        expected *= t->size[d];
    }
    return true;
}

/** Byte range of a contiguous tensor, for a transfer. */
static bool transfer_range(fm_device *dev, const char *name, const fm_tensor *t, size_t *offset,
                           size_t *size) {
    if (t->n_dims < 1 || t->n_dims > FM_TENSOR_MAX_DIMS || t->dtype >= FM_DTYPE_COUNT)
        return front_fault(dev, "%s of a transfer is no tensor", name);
    if (!front_check_tensor(dev, name, t, t->dtype, t->n_dims)) return false;
    if (!is_contiguous(t)) return front_fault(dev, "%s of a transfer is not contiguous", name);
    *offset = (size_t)t->offset * fm_dtype_size(t->dtype);
    *size = (size_t)tensor_count(t) * fm_dtype_size(t->dtype);
    return true;
}

fm_status device_write(fm_device *dev, fm_tensor dst, const void *src) {
    size_t offset = 0, size = 0;
    double start;
    FM_TRY(dev->lost);
    if (dev->in_record) return FM_ERR_STATE;
    if (!transfer_range(dev, "dst", &dst, &offset, &size)) return FM_ERR_ARG;
    dev->encoded = true;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->write(dev->state, dst.buf, offset, src, size);
    return front_end(dev, FRONT_CALL_write, start, size, status);
}

fm_status device_read(fm_device *dev, fm_tensor src, void *dst) {
    size_t offset = 0, size = 0;
    double start;
    FM_TRY(dev->lost);
    if (dev->in_record || dev->encoded || dev->waited < dev->submitted) return FM_ERR_STATE;
    if (!transfer_range(dev, "src", &src, &offset, &size)) return FM_ERR_ARG;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->read(dev->state, src.buf, offset, dst, size);
    return front_end(dev, FRONT_CALL_read, start, size, status);
}

/** Byte ranges of a copy: of the same format, as long as each other, and apart. */
static bool copy_ranges(fm_device *dev, const fm_tensor *dst, const fm_tensor *src, size_t *to,
                        size_t *from, size_t *size) {
    size_t dst_size = 0;
    if (!transfer_range(dev, "dst", dst, to, &dst_size) ||
        !transfer_range(dev, "src", src, from, size))
        return false;
    if (dst->dtype != src->dtype)
        return front_fault(dev, "dst is %s and src %s", fm_dtype_name(dst->dtype),
                           fm_dtype_name(src->dtype));
    if (dst_size != *size)
        return front_fault(dev, "dst has %zu bytes and src %zu", dst_size, *size);
    if (dst->buf == src->buf && *to < *from + *size && *from < *to + *size)
        return front_fault(dev, "dst overlaps src");
    return true;
}

fm_status device_copy(fm_device *dev, fm_tensor dst, fm_tensor src) {
    size_t to = 0, from = 0, size = 0;
    double start;
    FM_TRY(dev->lost);
    if (!copy_ranges(dev, &dst, &src, &to, &from, &size)) return FM_ERR_ARG;
    dev->encoded = true;
    FM_TRY(front_begin(dev, &start));
    fm_status status = dev->backend->copy(dev->state, dst.buf, to, src.buf, from, size);
    return front_end(dev, FRONT_CALL_copy, start, 2 * (uint64_t)size, status);
}

fm_status device_move(fm_device *to, fm_tensor dst, fm_device *from, fm_tensor src, void *through) {
    uint64_t ticket;
    if (dst.dtype != src.dtype || tensor_count(&dst) != tensor_count(&src)) {
        front_fault(to, "dst and src of a move differ in format or number of elements");
        return FM_ERR_ARG;
    }
    FM_TRY(device_submit(from, &ticket));
    FM_TRY(device_wait(from, ticket));
    FM_TRY(device_read(from, src, through));
    return device_write(to, dst, through);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/** Whether a part's elements, and the part as a converted copy, can be addressed at all. Counts
 * bytes of float32, the widest format. */
static bool is_addressable(const fm_weight_part *part, int64_t cols, size_t *bytes) {
    size_t down, across, spanned;
    return part->data && part->rows >= 1 && part->row_stride >= 0 && part->col_stride >= 0 &&
           checked_mul((size_t)part->rows, (size_t)part->row_stride, &down) &&
           checked_mul((size_t)cols, (size_t)part->col_stride, &across) &&
           checked_add(down, across, &spanned) && spanned <= PTRDIFF_MAX / sizeof(float) &&
           checked_mul((size_t)part->rows, (size_t)cols, bytes) &&
           checked_mul(*bytes, sizeof(float), bytes);
}

static fm_status check_parts(const fm_weight_source *source, fm_error *err) {
    size_t total = 0, bytes;
    for (int32_t i = 0; i < source->n_matrices * source->n_parts; i++) {
        const fm_weight_part *part = &source->parts[i];
        if (!is_addressable(part, source->cols, &bytes) || !checked_add(total, bytes, &total) ||
            total > PTRDIFF_MAX)
            return error_set(err, FM_ERR_ARG, "part %d of a weight is empty or too large", (int)i);
        if (part->rows != source->parts[i % source->n_parts].rows)
            return error_set(err, FM_ERR_ARG, "the parts of a weight differ between matrices");
    }
    return FM_OK;
}

static fm_status check_source(const fm_device *dev, const fm_weight_source *source, fm_dtype dtype,
                              fm_error *err) {
    if (source->n_matrices < 1 || source->n_parts < 1 || source->cols < 1)
        return error_set(err, FM_ERR_ARG, "a weight needs at least one row and one column");
    if (!dtype_is_float(source->dtype))
        return error_set(err, FM_ERR_UNSUPPORTED, "weights in %s are not supported",
                         fm_dtype_name(source->dtype));
    if (dtype >= FM_DTYPE_COUNT || !(dev->info.weight_dtypes >> dtype & 1u))
        return error_set(err, FM_ERR_UNSUPPORTED, "the device has no weights in %s",
                         fm_dtype_name(dtype));
    if (source->n_parts > INT32_MAX / source->n_matrices)
        return error_set(err, FM_ERR_ARG, "a weight has too many parts");
    return check_parts(source, err);
}

uint64_t weight_size(const fm_device *dev, const fm_weight_source *source, fm_dtype dtype) {
    if (check_source(dev, source, dtype, NULL) != FM_OK) return 0;
    return dev->backend->weight_size(dev->state, source, dtype);
}

fm_status weight_load(fm_device *dev, const fm_weight_source *source, fm_dtype dtype,
                      fm_weight **out, fm_error *err) {
    *out = NULL;
    if (dev->lost != FM_OK) return error_set(err, dev->lost, "the device was lost");
    FM_TRY(check_source(dev, source, dtype, err));
    uint64_t bytes = dev->backend->weight_size(dev->state, source, dtype);
    FM_TRY(check_room(dev, bytes, err));
    FM_TRY(front_keep_loss(dev, dev->backend->weight_load(dev->state, source, dtype, out, err)));
    (*out)->dev = dev;
    (*out)->bytes = bytes;
    count_memory(dev, bytes);
    return FM_OK;
}

void weight_free(fm_device *dev, fm_weight *w) {
    if (!w) return;
    dev->bytes -= w->bytes;
    dev->backend->weight_free(dev->state, w);
}
