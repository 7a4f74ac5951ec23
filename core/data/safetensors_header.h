/*
 * safetensors_header.h - reads the header of one safetensors file that lies in memory whole.
 * Tensors are appended to a list, so that the shards of a checkpoint fill one list, which the
 * caller owns.
 */
#ifndef FATHOM_DATA_SAFETENSORS_HEADER_H
#define FATHOM_DATA_SAFETENSORS_HEADER_H

#include "../base/arena.h"
#include "safetensors.h"

enum {
    SAFETENSORS_MAX_HEADER = 100000000, /* bytes, as the format's own reader has it */
    SAFETENSORS_MAX_TENSORS = 1 << 20,  /* in all files of a checkpoint */
    SAFETENSORS_MAX_DEPTH = 16,         /* of the header's JSON, where 3 are needed */
};

typedef struct st_item {
    st_tensor tensor;
    uint32_t file; /* which file of the checkpoint it came from */
} st_item;

/** A growing list. Start from a zeroed struct; free `items`. */
typedef struct st_list {
    st_item *items; /* [count] */
    size_t count;
    size_t capacity;
} st_list;

/** Appends the tensors of a file of `size` bytes, in the order of the header; names are copied into
 * `names`, data points into `bytes`. `name` stands in error texts. On failure the list may hold
 * some of the file's tensors. */
fm_status st_header_read(const char *name, const void *bytes, size_t size, uint32_t file,
                         arena *names, st_list *list, fm_error *err);

/** How many bytes of a name an error text shows; cut at a UTF-8 border. For "%.*s". */
int st_shown(const char *name);

#endif
