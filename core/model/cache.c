/* cache.c - makes and frees the cache streams. */
#include "cache.h"

#include <stdlib.h>

#include "../base/checked.h"

/** One stream's pool. */
static fm_status new_stream(kv_cache *cache, fm_device *dev, int32_t n_heads, int32_t dim,
                            fm_tensor *out, fm_error *err) {
    int64_t n_rows = (int64_t)cache->n_pages * FM_CACHE_PAGE_ROWS;
    fm_buf *buf;
    *out = tensor_3d(NULL, cache->dtype, n_rows, n_heads, dim);
    FM_TRY(buf_new(dev, (size_t)tensor_count(out) * fm_dtype_size(cache->dtype), &buf, err));
    out->buf = buf;
    return FM_OK;
}

static fm_status new_layer(const config *c, kv_cache *cache, fm_device *dev, cache_layer *layer,
                           fm_error *err) {
    if (c->attention == CONFIG_ATTENTION_GQA) {
        FM_TRY(new_stream(cache, dev, c->n_kv_heads, c->head_dim, &layer->k, err));
        return new_stream(cache, dev, c->n_kv_heads, c->head_dim, &layer->v, err);
    }
    FM_TRY(new_stream(cache, dev, 1, c->kv_lora_rank + c->qk_rope_head_dim, &layer->k, err));
    layer->v = tensor_slice(layer->k, 2, 0, c->kv_lora_rank);
    return FM_OK;
}

/** Bytes of all streams. Widths and layers are bounded by the description, so that one token's bytes
 * fit 64 bits by far; the pages are checked. */
static bool cache_size(const config *c, const kv_cache *cache, size_t *size) {
    size_t width = c->attention == CONFIG_ATTENTION_GQA
                       ? 2 * (size_t)c->n_kv_heads * (size_t)c->head_dim
                       : (size_t)c->kv_lora_rank + (size_t)c->qk_rope_head_dim;
    size_t row = (size_t)c->n_layers * width * fm_dtype_size(cache->dtype);
    return checked_mul(row, (size_t)cache->n_pages * FM_CACHE_PAGE_ROWS, size);
}

/** Refuses a cache that the device has no room for, before any of it is allocated. */
static fm_status check_room(const config *c, const model_weights *w, const kv_cache *cache,
                            fm_error *err) {
    size_t size;
    uint64_t room = device_info(w->layers[0].dev)->memory_free;
    if (cache_size(c, cache, &size) && size <= room) return FM_OK;
    return error_set(err, FM_ERR_MEMORY,
                     "a cache for %lld tokens needs more than the %.1f GB of memory that are free: "
                     "lower --ctx",
                     (long long)cache->n_pages * FM_CACHE_PAGE_ROWS, (double)room / 1e9);
}

fm_status cache_new(const config *c, const model_weights *w, int32_t n_pages, fm_dtype dtype,
                    kv_cache *out, fm_error *err) {
    *out = (kv_cache){.n_pages = n_pages, .dtype = dtype, .n_layers = c->n_layers};
    FM_TRY(check_room(c, w, out, err));
    out->layers = calloc((size_t)c->n_layers, sizeof *out->layers);
    if (!out->layers) return error_set(err, FM_ERR_MEMORY, "out of memory for a cache");
    fm_status status = FM_OK;
    for (int32_t i = 0; i < c->n_layers && status == FM_OK; i++)
        status = new_layer(c, out, w->layers[i].dev, &out->layers[i], err);
    if (status != FM_OK) cache_free(out, w);
    return status;
}

void cache_free(kv_cache *c, const model_weights *w) {
    for (int32_t i = 0; c->layers && i < c->n_layers; i++) {
        cache_layer *layer = &c->layers[i];
        if (layer->v.buf != layer->k.buf) buf_free(w->layers[i].dev, layer->v.buf);
        buf_free(w->layers[i].dev, layer->k.buf);
    }
    free(c->layers);
    *c = (kv_cache){0};
}
