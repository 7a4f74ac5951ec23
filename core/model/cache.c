/* cache.c - makes and frees the cache streams. */
#include "cache.h"

#include <stdlib.h>

#include "../base/checked.h"

/** One stream's pool. */
static fm_status new_stream(kv_cache *cache, fm_device *dev, int32_t n_heads, int32_t dim,
                            fm_tensor *out, fm_error *err) {
    size_t n_rows = (size_t)cache->n_pages * FM_CACHE_PAGE_ROWS, size;
    fm_buf *buf;
    if (!checked_mul(n_rows, (size_t)n_heads * (size_t)dim * fm_dtype_size(cache->dtype), &size))
        return error_set(err, FM_ERR_LIMIT, "the cache does not fit the address space");
    FM_TRY(buf_new(dev, size, &buf, err));
    *out = tensor_3d(buf, cache->dtype, (int64_t)n_rows, n_heads, dim);
    cache->n_bytes += size;
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

fm_status cache_new(const config *c, const model_weights *w, int32_t n_pages, fm_dtype dtype,
                    kv_cache *out, fm_error *err) {
    *out = (kv_cache){.n_pages = n_pages, .dtype = dtype, .n_layers = c->n_layers};
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
