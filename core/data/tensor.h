/*
 * tensor.h - the view of numbers that operations take: a buffer, an offset in elements, and up to
 * four sizes and strides in elements. Sizes are written slow to fast, as in [T, H, D]: the last
 * dimension is the one that usually has stride 1. A view owns nothing; several views may share a
 * buffer (q's [nope | rope], kv_a's [c | k_pe] are views, not copies).
 */
#ifndef FATHOM_DATA_TENSOR_H
#define FATHOM_DATA_TENSOR_H

#include "../base/error.h"

typedef struct fm_buf fm_buf; /* device memory, made by a backend */

enum { FM_TENSOR_MAX_DIMS = 4 };

typedef struct fm_tensor {
    fm_buf *buf;
    int64_t offset; /* elements from the start of the buffer */
    fm_dtype dtype;
    int32_t n_dims;
    int64_t size[FM_TENSOR_MAX_DIMS];
    int64_t stride[FM_TENSOR_MAX_DIMS]; /* elements */
} fm_tensor;

/** Contiguous tensors over the start of `buf`. */
fm_tensor tensor_1d(fm_buf *buf, fm_dtype dtype, int64_t n0);
fm_tensor tensor_2d(fm_buf *buf, fm_dtype dtype, int64_t n0, int64_t n1);
fm_tensor tensor_3d(fm_buf *buf, fm_dtype dtype, int64_t n0, int64_t n1, int64_t n2);

/** The part [start, start + count) of one dimension. The caller keeps within the tensor's size. */
fm_tensor tensor_slice(fm_tensor t, int dim, int64_t start, int64_t count);

/** Splits the last dimension (of size n0 * n1, stride 1) in two: [T, H*D] -> [T, H, D]. */
fm_tensor tensor_split(fm_tensor t, int64_t n0, int64_t n1);

/** Elements in all. */
int64_t tensor_count(const fm_tensor *t);

/** Largest element index that the view touches, counted from the buffer's start, plus one; 0 for an
 * empty view; -1 when it does not fit in int64 or a size, stride or offset is negative. */
int64_t tensor_extent(const fm_tensor *t);

#endif
