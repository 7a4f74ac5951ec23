/*
 * cache.h - what attention remembers. The nouns:
 *
 *   stream  one pool of rows on a device, a page being 64 of them: a layer's keys (or MLA's
 * latent), or its values where they are not part of the keys. One buffer, which must not be above
 *           the largest that the device can make; a CPU has no such limit.
 *   class   streams of layers with the same window, whose rows live equally long: they have the
 * same number of pages, so that one list of page numbers names a sequence's rows in all of them.
 * Key s of a sequence lies in row s % 64 of the page that entry s / 64 names. layer   its class,
 * and its streams as attention sees them.
 *
 * A cache owns its buffers. Which page belongs to whom is its user's business, and so is that
 * classes, streams and pages are in range wherever they are named.
 */
#ifndef FATHOM_MODEL_CACHE_H
#define FATHOM_MODEL_CACHE_H

#include "weights.h"

enum { CACHE_MAX_CLASSES = 4 };

typedef struct cache_class {
    int32_t window;  /* keys that a token attends to at most, its own included; 0: all up to it */
    int32_t n_pages; /* of each of its streams */
    uint64_t row_bytes; /* of one row in all its streams together */
} cache_class;

typedef struct cache_stream {
    fm_device *dev; /* the layer's */
    int32_t class_id;
    fm_tensor rows; /* [64 * pages of the class, G, D] */
} cache_stream;

typedef struct cache_layer {
    int32_t class_id;
    fm_tensor k; /* [rows, G, D]; MLA: [rows, 1, kv_lora_rank + rope] */
    fm_tensor v; /* [rows, G, D]; MLA: the first kv_lora_rank values of k, as a view */
} cache_layer;

typedef struct kv_cache {
    fm_dtype dtype;
    int32_t n_classes;
    cache_class classes[CACHE_MAX_CLASSES];
    int32_t n_layers;
    cache_layer *layers;
    int32_t n_streams;
    cache_stream *streams; /* layer by layer, keys before values */
} kv_cache;

/** The classes that a model's cache has, in the order in which its layers name them, for planning:
 *  n_pages is 0. Returns how many. */
int32_t cache_classes(const config *c, fm_dtype dtype, cache_class out[CACHE_MAX_CLASSES]);

/** Makes the streams, with n_pages[class] pages each. FM_ERR_LIMIT when they cannot be addressed,
 * FM_ERR_MEMORY. */
fm_status cache_new(const config *c, const model_weights *w, const int32_t *n_pages, fm_dtype dtype,
                    kv_cache *out, fm_error *err);
/** Frees the streams; their devices must still be open. A zeroed struct is allowed. */
void cache_free(kv_cache *c);

/** Encodes the copying of page `from` to page `to` in every stream of a class. They must differ. */
fm_status cache_copy_page(const kv_cache *c, int32_t class_id, int32_t from, int32_t to);

/** Bytes of one row of a stream. */
size_t cache_stream_row_bytes(const kv_cache *c, int32_t stream);

/** Copies the first n_rows (1 … 64) rows of a page to host memory, of n_rows *
 * cache_stream_row_bytes bytes, in the cache's format. The device must be idle. */
fm_status cache_read_page(const kv_cache *c, int32_t stream, int32_t page, int32_t n_rows,
                          void *dst);
/** The reverse: encodes the writing of a page's first n_rows rows from host memory, which may be
 * reused when it returns. */
fm_status cache_write_page(const kv_cache *c, int32_t stream, int32_t page, int32_t n_rows,
                           const void *src);

#endif
