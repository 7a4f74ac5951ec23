/*
 * backend.c - the checking front: the only place that looks at shapes, formats, bounds and overlaps
 * of operations. It keeps the order of encoding, submitting and waiting, and the sticky status of a
 * device that was lost.
 */
#include "backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

struct fm_device {
    const fm_backend *backend;
    fm_device_state *state;
    fm_device_params params;
    fm_device_info info;
    fm_status lost;     /* FM_OK, or FM_ERR_DEVICE for good */
    bool encoded;       /* operations since the last submit */
    uint64_t submitted; /* last ticket given out */
    uint64_t waited;    /* last ticket waited for */
    char fault[200];
};

/* ---- Device ---------------------------------------------------------------------------------- */

fm_status device_open(const fm_backend *backend, const fm_device_params *params, fm_log log,
                      fm_device **out, fm_error *err) {
    *out = NULL;
    if (backend->version != FM_BACKEND_VERSION)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "backend %s has version %d, this program needs %d: rebuild it",
                         backend->name, (int)backend->version, (int)FM_BACKEND_VERSION);
    if (params->max_tokens < 1 || params->max_sequences < 1 || params->max_context < 1 ||
        params->n_threads < 1)
        return error_set(err, FM_ERR_ARG, "device limits must be at least 1");
    fm_device *dev = calloc(1, sizeof *dev);
    if (!dev) return error_set(err, FM_ERR_MEMORY, "out of memory while opening a device");
    fm_status status = backend->open(params, log, &dev->state, err);
    if (status != FM_OK) {
        free(dev);
        return status;
    }
    dev->backend = backend;
    dev->params = *params;
    backend->info(dev->state, &dev->info);
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

fm_status device_status(const fm_device *dev) {
    return dev->lost;
}

const char *device_fault(const fm_device *dev) {
    return dev->fault;
}

/** Remembers the loss of a device; any other status passes through. */
static fm_status keep_loss(fm_device *dev, fm_status status) {
    if (status == FM_ERR_DEVICE) dev->lost = status;
    return status;
}

fm_status device_submit(fm_device *dev, uint64_t *ticket) {
    FM_TRY(dev->lost);
    FM_TRY(keep_loss(dev, dev->backend->submit(dev->state, ticket)));
    dev->encoded = false;
    dev->submitted = *ticket;
    return FM_OK;
}

fm_status device_wait(fm_device *dev, uint64_t ticket) {
    FM_TRY(dev->lost);
    if (ticket > dev->submitted) return FM_ERR_STATE;
    FM_TRY(keep_loss(dev, dev->backend->wait(dev->state, ticket)));
    if (ticket > dev->waited) dev->waited = ticket;
    return FM_OK;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool fault(fm_device *dev, const char *format, ...) FM_PRINTF(2, 3);

/** Notes what is wrong with a call; always false, so that checks can be chained with &&. */
static bool fault(fm_device *dev, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(dev->fault, sizeof dev->fault, format, args);
    va_end(args);
    return false;
}

/** A tensor of the stated format and rank, wholly inside its buffer, its last dimension dense. */
static bool check_tensor(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                         int32_t n_dims) {
    if (!t->buf) return fault(dev, "%s has no buffer", name);
    if (t->dtype != dtype)
        return fault(dev, "%s is %s and should be %s", name, fm_dtype_name(t->dtype),
                     fm_dtype_name(dtype));
    if (t->n_dims != n_dims)
        return fault(dev, "%s has %d dimensions and should have %d", name, (int)t->n_dims,
                     (int)n_dims);
    for (int32_t d = 0; d < n_dims; d++)
        if (t->size[d] < 1)
            return fault(dev, "%s: size %lld of dimension %d is not positive", name,
                         (long long)t->size[d], (int)d);
    if (t->stride[n_dims - 1] != 1) return fault(dev, "%s: the last stride is not 1", name);
    int64_t extent = tensor_extent(t);
    if (extent < 0 || (uint64_t)extent > t->buf->size / fm_dtype_size(dtype))
        return fault(dev, "%s reaches behind its buffer of %zu bytes", name, t->buf->size);
    return true;
}

static bool check_size(fm_device *dev, const char *name, int64_t have, int64_t want) {
    if (have == want) return true;
    return fault(dev, "%s is %lld and should be %lld", name, (long long)have, (long long)want);
}

static bool check_tokens(fm_device *dev, int64_t n_tokens) {
    if (n_tokens <= dev->params.max_tokens) return true;
    return fault(dev, "%lld tokens in a step opened for %d", (long long)n_tokens,
                 (int)dev->params.max_tokens);
}

static bool same_view(const fm_tensor *a, const fm_tensor *b) {
    if (a->buf != b->buf || a->offset != b->offset || a->n_dims != b->n_dims) return false;
    for (int32_t d = 0; d < a->n_dims; d++)
        if (a->size[d] != b->size[d] || a->stride[d] != b->stride[d]) return false;
    return true;
}

/** Elements from the first to the last of one row (all dimensions but the first), plus one. */
static int64_t row_extent(const fm_tensor *t) {
    int64_t extent = 1;
    for (int32_t d = 1; d < t->n_dims; d++) extent += (t->size[d] - 1) * t->stride[d];
    return extent;
}

/** Whether two views share an element. Exact for views whose rows have the same stride, as column
 *  slices of one matrix have; for others it answers by the ranges they span. */
static bool overlaps(const fm_tensor *a, const fm_tensor *b) {
    if (a->buf != b->buf) return false;
    int64_t size_a = (int64_t)fm_dtype_size(a->dtype), size_b = (int64_t)fm_dtype_size(b->dtype);
    int64_t end_a = tensor_extent(a) * size_a, end_b = tensor_extent(b) * size_b;
    if (a->offset * size_a >= end_b || b->offset * size_b >= end_a) return false;
    if (a->n_dims < 2 || b->n_dims < 2 || a->stride[0] != b->stride[0] || size_a != size_b)
        return true;
    int64_t stride = a->stride[0], row_a = row_extent(a), row_b = row_extent(b);
    if (stride < 1 || row_a > stride || row_b > stride) return true;
    int64_t shift = ((b->offset - a->offset) % stride + stride) % stride;
    return shift < row_a || shift + row_b > stride;
}

static bool check_apart(fm_device *dev, const char *name, const fm_tensor *y, const fm_tensor *x) {
    if (!x->buf || !overlaps(y, x)) return true;
    return fault(dev, "the output overlaps %s", name);
}

/** The output is the very same view as the input, or apart from it. */
static bool check_in_place(fm_device *dev, const char *name, const fm_tensor *y,
                           const fm_tensor *x) {
    return same_view(y, x) || check_apart(dev, name, y, x);
}

static bool check_weight(fm_device *dev, const char *name, const fm_weight *w, int64_t n_matrices,
                         int64_t rows, int64_t cols) {
    if (!w) return fault(dev, "%s is missing", name);
    return check_size(dev, "the weight's number of matrices", w->n_matrices, n_matrices) &&
           check_size(dev, "the weight's output size", w->rows, rows) &&
           check_size(dev, "the weight's input size", w->cols, cols);
}

static bool check_cache(fm_device *dev, const char *name, const fm_tensor *t) {
    if (t->dtype >= FM_DTYPE_COUNT || !(dev->info.cache_dtypes >> t->dtype & 1u))
        return fault(dev, "%s is %s, which the device's cache can not be", name,
                     fm_dtype_name(t->dtype));
    return check_tensor(dev, name, t, t->dtype, 3);
}

/* ---- Buffers and transfers ------------------------------------------------------------------- */

fm_status buf_new(fm_device *dev, size_t size, fm_buf **out, fm_error *err) {
    *out = NULL;
    if (dev->lost != FM_OK) return error_set(err, dev->lost, "the device was lost");
    if (size == 0) return error_set(err, FM_ERR_ARG, "a buffer needs at least one byte");
    return keep_loss(dev, dev->backend->buf_new(dev->state, size, out, err));
}

void buf_free(fm_device *dev, fm_buf *buf) {
    if (buf) dev->backend->buf_free(dev->state, buf);
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
static bool transfer_range(fm_device *dev, const fm_tensor *t, size_t *offset, size_t *size) {
    if (t->n_dims < 1 || t->n_dims > FM_TENSOR_MAX_DIMS || t->dtype >= FM_DTYPE_COUNT)
        return fault(dev, "a transfer needs a tensor");
    if (!check_tensor(dev, "the tensor", t, t->dtype, t->n_dims)) return false;
    if (!is_contiguous(t)) return fault(dev, "a transfer needs a contiguous tensor");
    *offset = (size_t)t->offset * fm_dtype_size(t->dtype);
    *size = (size_t)tensor_count(t) * fm_dtype_size(t->dtype);
    return true;
}

/** Transfers are allowed when all encoded work was submitted and waited for. */
static fm_status transfer_state(const fm_device *dev) {
    FM_TRY(dev->lost);
    return dev->encoded || dev->waited < dev->submitted ? FM_ERR_STATE : FM_OK;
}

fm_status device_write(fm_device *dev, fm_tensor dst, const void *src) {
    size_t offset = 0, size = 0;
    FM_TRY(transfer_state(dev));
    if (!transfer_range(dev, &dst, &offset, &size)) return FM_ERR_ARG;
    return keep_loss(dev, dev->backend->write(dev->state, dst.buf, offset, src, size));
}

fm_status device_read(fm_device *dev, fm_tensor src, void *dst) {
    size_t offset = 0, size = 0;
    FM_TRY(transfer_state(dev));
    if (!transfer_range(dev, &src, &offset, &size)) return FM_ERR_ARG;
    return keep_loss(dev, dev->backend->read(dev->state, src.buf, offset, dst, size));
}

/* ---- Weights --------------------------------------------------------------------------------- */

uint64_t weight_size(const fm_device *dev, const fm_weight_source *source, fm_dtype dtype) {
    return dev->backend->weight_size(dev->state, source, dtype);
}

static fm_status check_source(const fm_device *dev, const fm_weight_source *source, fm_dtype dtype,
                              fm_error *err) {
    if (source->n_matrices < 1 || source->n_parts < 1 || source->cols < 1)
        return error_set(err, FM_ERR_ARG, "a weight needs at least one row and one column");
    if (source->dtype != FM_DTYPE_F32 && source->dtype != FM_DTYPE_BF16 &&
        source->dtype != FM_DTYPE_F16)
        return error_set(err, FM_ERR_UNSUPPORTED, "weights in %s are not supported",
                         fm_dtype_name(source->dtype));
    if (dtype >= FM_DTYPE_COUNT || !(dev->info.weight_dtypes >> dtype & 1u))
        return error_set(err, FM_ERR_UNSUPPORTED, "the device has no weights in %s",
                         fm_dtype_name(dtype));
    if (source->n_parts > INT32_MAX / source->n_matrices)
        return error_set(err, FM_ERR_ARG, "a weight has too many parts");
    for (int32_t i = 0; i < source->n_matrices * source->n_parts; i++)
        if (source->parts[i].rows < 1 ||
            source->parts[i].rows != source->parts[i % source->n_parts].rows)
            return error_set(err, FM_ERR_ARG, "the parts of a weight differ between matrices");
    return FM_OK;
}

fm_status weight_load(fm_device *dev, const fm_weight_source *source, fm_dtype dtype,
                      fm_weight **out, fm_error *err) {
    *out = NULL;
    if (dev->lost != FM_OK) return error_set(err, dev->lost, "the device was lost");
    FM_TRY(check_source(dev, source, dtype, err));
    return keep_loss(dev, dev->backend->weight_load(dev->state, source, dtype, out, err));
}

void weight_free(fm_device *dev, fm_weight *w) {
    if (w) dev->backend->weight_free(dev->state, w);
}

/* ---- Operations: what makes a call valid ----------------------------------------------------- */

#define F32 FM_DTYPE_F32
#define I32 FM_DTYPE_I32

static bool check_embed(fm_device *dev, const fm_embed *a) {
    return check_tensor(dev, "y", &a->y, F32, 2) && check_tokens(dev, a->y.size[0]) &&
           check_tensor(dev, "tokens", &a->tokens, I32, 1) &&
           check_size(dev, "the number of tokens", a->tokens.size[0], a->y.size[0]) &&
           (a->table || fault(dev, "the table is missing")) &&
           check_weight(dev, "the table", a->table, 1, a->table->rows, a->y.size[1]) &&
           check_apart(dev, "tokens", &a->y, &a->tokens);
}

static bool check_norm(fm_device *dev, const fm_norm *a) {
    return check_tensor(dev, "x", &a->x, F32, 2) && check_tensor(dev, "y", &a->y, F32, 2) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's row length", a->y.size[1], a->x.size[1]) &&
           check_tensor(dev, "weight", &a->weight, F32, 1) &&
           check_size(dev, "the weight's length", a->weight.size[0], a->x.size[1]) &&
           check_apart(dev, "weight", &a->y, &a->weight) &&
           check_in_place(dev, "x", &a->y, &a->x) &&
           (a->eps >= 0.0f || fault(dev, "eps is negative"));
}

static bool check_bias(fm_device *dev, const fm_tensor *bias, const fm_tensor *y) {
    if (!bias->buf) return true;
    return check_tensor(dev, "bias", bias, F32, 1) &&
           check_size(dev, "the bias's length", bias->size[0], y->size[1]) &&
           check_apart(dev, "bias", y, bias);
}

static bool check_matmul(fm_device *dev, const fm_matmul *a) {
    return check_tensor(dev, "x", &a->x, F32, 2) && check_tensor(dev, "y", &a->y, F32, 2) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_weight(dev, "the weight", a->w, 1, a->y.size[1], a->x.size[1]) &&
           check_bias(dev, &a->bias, &a->y) && check_apart(dev, "x", &a->y, &a->x);
}

static bool check_matmul_heads(fm_device *dev, const fm_matmul_heads *a) {
    return check_tensor(dev, "x", &a->x, F32, 3) && check_tensor(dev, "y", &a->y, F32, 3) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->x.size[1]) &&
           check_weight(dev, "the weight", a->w, a->x.size[1], a->y.size[2], a->x.size[2]) &&
           check_apart(dev, "x", &a->y, &a->x);
}

static bool check_rope(fm_device *dev, const fm_rope *a) {
    return check_tensor(dev, "x", &a->x, F32, 3) && check_tensor(dev, "y", &a->y, F32, 3) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->x.size[1]) &&
           check_size(dev, "y's head length", a->y.size[2], a->x.size[2]) &&
           (a->x.size[2] % 2 == 0 || fault(dev, "x's head length is odd")) &&
           check_tensor(dev, "positions", &a->positions, I32, 1) &&
           check_size(dev, "the number of positions", a->positions.size[0], a->x.size[0]) &&
           check_tensor(dev, "table", &a->table, F32, 3) &&
           check_size(dev, "the table's pairs", a->table.size[1], a->x.size[2] / 2) &&
           check_size(dev, "the table's last dimension", a->table.size[2], 2) &&
           check_size(dev, "the stride of the table's pairs", a->table.stride[1], 2) &&
           (a->pairing == FM_ROPE_PAIRING_HALF || a->pairing == FM_ROPE_PAIRING_INTERLEAVED ||
            fault(dev, "the pairing is unknown")) &&
           check_apart(dev, "table", &a->y, &a->table) &&
           check_apart(dev, "positions", &a->y, &a->positions) &&
           check_in_place(dev, "x", &a->y, &a->x);
}

static bool check_cache_write(fm_device *dev, const fm_cache_write *a) {
    return check_tensor(dev, "x", &a->x, F32, 3) && check_tokens(dev, a->x.size[0]) &&
           check_cache(dev, "cache", &a->cache) &&
           check_size(dev, "the cache's number of heads", a->cache.size[1], a->x.size[1]) &&
           check_size(dev, "the cache's row length", a->cache.size[2], a->x.size[2]) &&
           check_tensor(dev, "rows", &a->rows, I32, 1) &&
           check_size(dev, "the number of rows", a->rows.size[0], a->x.size[0]) &&
           check_apart(dev, "x", &a->cache, &a->x) && check_apart(dev, "rows", &a->cache, &a->rows);
}

static bool check_attend_cache(fm_device *dev, const fm_attend *a) {
    return check_cache(dev, "k", &a->k) && check_cache(dev, "v", &a->v) &&
           check_size(dev, "k's row length", a->k.size[2], a->q.size[2]) &&
           check_size(dev, "v's row length", a->v.size[2], a->y.size[2]) &&
           check_size(dev, "v's number of rows", a->v.size[0], a->k.size[0]) &&
           check_size(dev, "v's number of heads", a->v.size[1], a->k.size[1]) &&
           (a->v.size[2] <= FM_VALUE_DIM_MAX ||
            fault(dev, "v's row length is above %d", (int)FM_VALUE_DIM_MAX)) &&
           (a->k.dtype == a->v.dtype || fault(dev, "k and v differ in format")) &&
           (a->q.size[1] % a->k.size[1] == 0 ||
            fault(dev, "query heads are no multiple of key-value heads"));
}

static bool check_attend(fm_device *dev, const fm_attend *a) {
    int64_t max_pages =
        (dev->params.max_context + FM_CACHE_PAGE_ROWS - 1) / (int64_t)FM_CACHE_PAGE_ROWS;
    return check_tensor(dev, "q", &a->q, F32, 3) && check_tensor(dev, "y", &a->y, F32, 3) &&
           check_tokens(dev, a->q.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->q.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->q.size[1]) &&
           check_attend_cache(dev, a) && check_tensor(dev, "positions", &a->positions, I32, 1) &&
           check_size(dev, "the number of positions", a->positions.size[0], a->q.size[0]) &&
           check_tensor(dev, "sequences", &a->sequences, I32, 1) &&
           check_size(dev, "the number of sequence indices", a->sequences.size[0], a->q.size[0]) &&
           check_tensor(dev, "pages", &a->pages, I32, 2) &&
           (a->pages.size[0] <= dev->params.max_sequences ||
            fault(dev, "more sequences than the device was opened for")) &&
           (a->pages.size[1] <= max_pages ||
            fault(dev, "more pages than the device's context has")) &&
           check_apart(dev, "q", &a->y, &a->q) && check_apart(dev, "k", &a->y, &a->k) &&
           check_apart(dev, "v", &a->y, &a->v) &&
           check_apart(dev, "positions", &a->y, &a->positions) &&
           check_apart(dev, "sequences", &a->y, &a->sequences) &&
           check_apart(dev, "pages", &a->y, &a->pages);
}

static bool check_gather_rows(fm_device *dev, const fm_gather_rows *a) {
    return check_tensor(dev, "x", &a->x, F32, 2) && check_tensor(dev, "y", &a->y, F32, 2) &&
           check_size(dev, "y's row length", a->y.size[1], a->x.size[1]) &&
           check_tensor(dev, "rows", &a->rows, I32, 2) &&
           check_size(dev, "the number of index rows", a->rows.size[0], a->y.size[0]) &&
           (!a->weights.buf ||
            (check_tensor(dev, "weights", &a->weights, F32, 2) &&
             check_size(dev, "weights' number of rows", a->weights.size[0], a->rows.size[0]) &&
             check_size(dev, "weights' row length", a->weights.size[1], a->rows.size[1]) &&
             check_apart(dev, "weights", &a->y, &a->weights))) &&
           check_apart(dev, "x", &a->y, &a->x) && check_apart(dev, "rows", &a->y, &a->rows);
}

static bool check_matmul_experts(fm_device *dev, const fm_matmul_experts *a) {
    return check_tensor(dev, "x", &a->x, F32, 2) && check_tensor(dev, "y", &a->y, F32, 2) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_tensor(dev, "offsets", &a->offsets, I32, 1) &&
           check_weight(dev, "the weight", a->w, a->offsets.size[0] - 1, a->y.size[1],
                        a->x.size[1]) &&
           check_apart(dev, "x", &a->y, &a->x) && check_apart(dev, "offsets", &a->y, &a->offsets);
}

static bool check_gate_mul(fm_device *dev, const fm_gate_mul *a) {
    return check_tensor(dev, "gate", &a->gate, F32, 2) && check_tensor(dev, "up", &a->up, F32, 2) &&
           check_tensor(dev, "y", &a->y, F32, 2) &&
           check_size(dev, "up's number of rows", a->up.size[0], a->gate.size[0]) &&
           check_size(dev, "up's row length", a->up.size[1], a->gate.size[1]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->gate.size[0]) &&
           check_size(dev, "y's row length", a->y.size[1], a->gate.size[1]) &&
           check_in_place(dev, "gate", &a->y, &a->gate) && check_in_place(dev, "up", &a->y, &a->up);
}

/* ---- Operations: the fronts ------------------------------------------------------------------ */

#define FRONT(name)                                                                                \
    fm_status op_##name(fm_device *dev, const fm_##name *args) {                                   \
        FM_TRY(dev->lost);                                                                         \
        if (!check_##name(dev, args)) return FM_ERR_ARG;                                           \
        dev->encoded = true;                                                                       \
        return keep_loss(dev, dev->backend->name(dev->state, args));                               \
    }
FM_OP_LIST(FRONT)
