/* tensor.c - views: how they are made, cut and measured. */
#include "tensor.h"

#include <assert.h>

static fm_tensor contiguous(fm_buf *buf, fm_dtype dtype, int32_t n_dims, const int64_t *size) {
    fm_tensor t = {.buf = buf, .dtype = dtype, .n_dims = n_dims};
    int64_t stride = 1;
    for (int d = n_dims - 1; d >= 0; d--) {
        t.size[d] = size[d];
        t.stride[d] = stride;
        stride *= size[d];
    }
    return t;
}

fm_tensor tensor_1d(fm_buf *buf, fm_dtype dtype, int64_t n0) {
    return contiguous(buf, dtype, 1, (const int64_t[]){n0});
}

fm_tensor tensor_2d(fm_buf *buf, fm_dtype dtype, int64_t n0, int64_t n1) {
    return contiguous(buf, dtype, 2, (const int64_t[]){n0, n1});
}

fm_tensor tensor_3d(fm_buf *buf, fm_dtype dtype, int64_t n0, int64_t n1, int64_t n2) {
    return contiguous(buf, dtype, 3, (const int64_t[]){n0, n1, n2});
}

fm_tensor tensor_slice(fm_tensor t, int dim, int64_t start, int64_t count) {
    assert(dim >= 0 && dim < t.n_dims);
    assert(start >= 0 && count >= 0 && start <= t.size[dim] - count);
    t.offset += start * t.stride[dim];
    t.size[dim] = count;
    return t;
}

fm_tensor tensor_split(fm_tensor t, int64_t n0, int64_t n1) {
    int last = t.n_dims - 1;
    assert(last >= 0 && t.n_dims < FM_TENSOR_MAX_DIMS);
    assert(t.stride[last] == 1 && t.size[last] == n0 * n1);
    t.size[last] = n0;
    t.stride[last] = n1;
    t.size[last + 1] = n1;
    t.stride[last + 1] = 1;
    t.n_dims++;
    return t;
}

int64_t tensor_count(const fm_tensor *t) {
    int64_t count = 1;
    for (int d = 0; d < t->n_dims; d++) count *= t->size[d];
    return count;
}

/** Adds (size - 1) * stride to *sum; false when that does not fit. size >= 1, stride >= 0. */
static bool add_span(int64_t size, int64_t stride, int64_t *sum) {
    if (stride != 0 && size - 1 > INT64_MAX / stride) return false;
    int64_t span = (size - 1) * stride;
    if (*sum > INT64_MAX - span) return false;
    *sum += span;
    return true;
}

int64_t tensor_extent(const fm_tensor *t) {
    if (t->n_dims < 0 || t->n_dims > FM_TENSOR_MAX_DIMS || t->offset < 0) return -1;
    bool is_empty = false;
    for (int d = 0; d < t->n_dims; d++) {
        if (t->size[d] < 0 || t->stride[d] < 0) return -1;
        if (t->size[d] == 0) is_empty = true;
    }
    if (is_empty) return 0;
    int64_t last = t->offset;
    for (int d = 0; d < t->n_dims; d++)
        if (!add_span(t->size[d], t->stride[d], &last)) return -1;
    return last == INT64_MAX ? -1 : last + 1;
}
