/*
 * cache.h - what attention remembers: one stream of rows per layer for keys (or MLA's latent), and
 * one for values where they are not part of the keys. A stream is a pool of pages of 64 rows on the
 * layer's device; all streams of a cache have the same pages, so one list of page numbers names a
 * sequence's rows in every layer.
 */
#ifndef FATHOM_MODEL_CACHE_H
#define FATHOM_MODEL_CACHE_H

#include "weights.h"

typedef struct cache_layer {
    fm_tensor k; /* [rows, G, D]; MLA: [rows, 1, kv_lora_rank + rope] */
    fm_tensor v; /* [rows, G, D]; MLA: the first kv_lora_rank values of k, as a view */
} cache_layer;

typedef struct kv_cache {
    int32_t n_pages;
    fm_dtype dtype;
    int32_t n_layers;
    cache_layer *layers;
} kv_cache;

/** Makes the streams for n_pages pages. FM_ERR_MEMORY before anything is allocated when the device has
 * no room for them. */
fm_status cache_new(const config *c, const model_weights *w, int32_t n_pages, fm_dtype dtype,
                    kv_cache *out, fm_error *err);
void cache_free(kv_cache *c, const model_weights *w);

#endif
