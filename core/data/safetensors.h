/*
 * safetensors.h - the weights of a checkpoint directory: one mapped model.safetensors, or the
 * shards that model.safetensors.index.json names. The set owns the maps; tensors point into them
 * and are valid until it is closed. Every number in a header is checked against the file's size
 * before use. Immutable once open: any thread.
 * Format: an 8-byte little-endian header length, a JSON header {name: {dtype, shape,
 * data_offsets}}, then the data (huggingface/safetensors).
 */
#ifndef FATHOM_DATA_SAFETENSORS_H
#define FATHOM_DATA_SAFETENSORS_H

#include "../base/error.h"

enum { SAFETENSORS_MAX_DIMS = 8 };

typedef struct st_tensor {
    const char *name;
    size_t index; /* place in the order of names */
    fm_dtype dtype;
    int32_t n_dims;
    int64_t size[SAFETENSORS_MAX_DIMS];
    const void *data; /* not necessarily aligned to the dtype */
    size_t n_bytes;
} st_tensor;

typedef struct safetensors safetensors;

/** Opens all weights of a directory. Refused with one line: a header that is cut, too long (above
 * 100 MB) or no valid JSON; a dtype not in FM_DTYPE_LIST; a size that is negative or overflows;
 * offsets out of the file, overlapping, or not matching dtype and shape; a name twice (also across
 * shards); a shard that the index names and that is absent, an index entry whose tensor is not in
 * its shard, or a shard name that leaves the directory. */
fm_status safetensors_open(const char *dir, safetensors **out, fm_error *err);

/** The same for one file in memory, which the caller keeps alive: for tests and fuzzing. */
fm_status safetensors_open_bytes(const char *name, const void *bytes, size_t size,
                                 safetensors **out, fm_error *err);
void safetensors_close(safetensors *s);

/** Tensors in the order of their names (byte order). */
size_t safetensors_count(const safetensors *s);
const st_tensor *safetensors_at(const safetensors *s, size_t index);

/** The tensor of that name or NULL; binary search. */
const st_tensor *safetensors_find(const safetensors *s, const char *name);

/** Bytes of all mapped files. */
uint64_t safetensors_file_bytes(const safetensors *s);

#endif
