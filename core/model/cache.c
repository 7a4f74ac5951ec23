/* cache.c - makes, frees and moves the rows of cache streams. */
#include "cache.h"

#include <stdlib.h>

#include "../base/checked.h"
#include "../data/dtype.h"

/* ---- Classes --------------------------------------------------------------------------------- */

/** The widths [G, D] of a layer's own streams. Returns how many streams: 1 or 2. */
static int32_t layer_streams(const config *c, int32_t *n_heads, int32_t *dim) {
    bool gqa = c->attention == CONFIG_ATTENTION_GQA;
    *n_heads = gqa ? c->n_kv_heads : 1;
    *dim = gqa ? c->head_dim : c->kv_lora_rank + c->qk_rope_head_dim;
    return gqa ? 2 : 1;
}

/** The class of that window, made when there is none. A description has far fewer windows than a
 * cache may have classes. */
static int32_t class_of(cache_class *classes, int32_t *n_classes, int32_t window) {
    int32_t i = 0;
    while (i < *n_classes && classes[i].window != window) i++;
    if (i == *n_classes) classes[(*n_classes)++] = (cache_class){.window = window};
    return i;
}

int32_t cache_classes(const config *c, fm_dtype dtype, cache_class out[CACHE_MAX_CLASSES]) {
    int32_t n_classes = 0, n_heads, dim;
    int32_t n_streams = layer_streams(c, &n_heads, &dim);
    for (int32_t i = 0; i < c->n_layers; i++) {
        int32_t class_id = class_of(out, &n_classes, config_layer_window(c, i));
        out[class_id].row_bytes +=
            (uint64_t)n_streams * (uint64_t)n_heads * (uint64_t)dim * fm_dtype_size(dtype);
    }
    return n_classes;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

/** Whether the streams can be addressed at all: their bytes, and their row numbers, which are
 * int32_t. Widths and layers are bounded by the description, so that a row's bytes fit 64 bits by
 * far. */
static bool is_addressable(const kv_cache *cache) {
    size_t total = 0;
    for (int32_t i = 0; i < cache->n_classes; i++) {
        const cache_class *k = &cache->classes[i];
        size_t bytes;
        if (k->n_pages > INT32_MAX / FM_CACHE_PAGE_ROWS || k->row_bytes > SIZE_MAX ||
            !checked_mul((size_t)k->row_bytes, (size_t)k->n_pages * FM_CACHE_PAGE_ROWS, &bytes) ||
            !checked_add(total, bytes, &total) || total > PTRDIFF_MAX)
            return false;
    }
    return true;
}

/** A stream is one buffer, so that attention reads it as one. */
static fm_status check_one_buffer(const fm_device *dev, const fm_tensor *rows, fm_error *err) {
    uint64_t row = (uint64_t)rows->stride[0] * fm_dtype_size(rows->dtype);
    uint64_t most = device_info(dev)->buf_max / (row * FM_CACHE_PAGE_ROWS) * FM_CACHE_PAGE_ROWS;
    if ((uint64_t)rows->size[0] <= most) return FM_OK;
    return error_set(err, FM_ERR_LIMIT,
                     "a layer's cache of %lld tokens is more than %s holds in one piece: caches of "
                     "%llu tokens fit",
                     (long long)rows->size[0], device_info(dev)->name, (unsigned long long)most);
}

/** One stream's pool. */
static fm_status new_stream(kv_cache *cache, fm_device *dev, int32_t class_id, int32_t n_heads,
                            int32_t dim, fm_tensor *out, fm_error *err) {
    int64_t n_rows = (int64_t)cache->classes[class_id].n_pages * FM_CACHE_PAGE_ROWS;
    fm_buf *buf;
    *out = tensor_3d(NULL, cache->dtype, n_rows, n_heads, dim);
    FM_TRY(check_one_buffer(dev, out, err));
    FM_TRY(buf_new(dev, (size_t)tensor_count(out) * fm_dtype_size(cache->dtype), &buf, err));
    out->buf = buf;
    cache->streams[cache->n_streams++] = (cache_stream){dev, class_id, *out};
    return FM_OK;
}

static fm_status new_layer(const config *c, kv_cache *cache, fm_device *dev, int32_t index,
                           fm_error *err) {
    cache_layer *layer = &cache->layers[index];
    int32_t n_heads, dim, n_streams = layer_streams(c, &n_heads, &dim), n_known = cache->n_classes;
    layer->class_id = class_of(cache->classes, &n_known, config_layer_window(c, index));
    FM_TRY(new_stream(cache, dev, layer->class_id, n_heads, dim, &layer->k, err));
    if (n_streams == 2)
        return new_stream(cache, dev, layer->class_id, n_heads, dim, &layer->v, err);
    layer->v = tensor_slice(layer->k, 2, 0, c->kv_lora_rank);
    return FM_OK;
}

fm_status cache_new(const config *c, const model_weights *w, const int32_t *n_pages, fm_dtype dtype,
                    kv_cache *out, fm_error *err) {
    *out = (kv_cache){.dtype = dtype, .n_layers = c->n_layers};
    out->n_classes = cache_classes(c, dtype, out->classes);
    for (int32_t i = 0; i < out->n_classes; i++) out->classes[i].n_pages = n_pages[i];
    if (!is_addressable(out))
        return error_set(err, FM_ERR_LIMIT, "caches of that many tokens do not fit any memory");
    out->layers = calloc((size_t)c->n_layers, sizeof *out->layers);
    out->streams = calloc((size_t)c->n_layers * 2, sizeof *out->streams);
    fm_status status = FM_OK;
    if (!out->layers || !out->streams)
        status = error_set(err, FM_ERR_MEMORY, "out of memory for a cache");
    for (int32_t i = 0; i < c->n_layers && status == FM_OK; i++)
        status = new_layer(c, out, w->layers[i].dev, i, err);
    if (status != FM_OK) cache_free(out);
    return status;
}

void cache_free(kv_cache *c) {
    for (int32_t i = 0; i < c->n_streams; i++) buf_free(c->streams[i].dev, c->streams[i].rows.buf);
    free(c->streams);
    free(c->layers);
    *c = (kv_cache){0};
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/** The first n_rows rows of a page. */
static fm_tensor page_rows(const cache_stream *s, int32_t page, int32_t n_rows) {
    return tensor_slice(s->rows, 0, (int64_t)page * FM_CACHE_PAGE_ROWS, n_rows);
}

fm_status cache_copy_page(const kv_cache *c, int32_t class_id, int32_t from, int32_t to) {
    for (int32_t i = 0; i < c->n_streams; i++) {
        const cache_stream *s = &c->streams[i];
        if (s->class_id != class_id) continue;
        FM_TRY(device_copy(s->dev, page_rows(s, to, FM_CACHE_PAGE_ROWS),
                           page_rows(s, from, FM_CACHE_PAGE_ROWS)));
    }
    return FM_OK;
}

size_t cache_stream_row_bytes(const kv_cache *c, int32_t stream) {
    const fm_tensor *rows = &c->streams[stream].rows;
    return (size_t)rows->stride[0] * fm_dtype_size(rows->dtype);
}

fm_status cache_read_page(const kv_cache *c, int32_t stream, int32_t page, int32_t n_rows,
                          void *dst) {
    const cache_stream *s = &c->streams[stream];
    return device_read(s->dev, page_rows(s, page, n_rows), dst);
}

fm_status cache_write_page(const kv_cache *c, int32_t stream, int32_t page, int32_t n_rows,
                           const void *src) {
    const cache_stream *s = &c->streams[stream];
    return device_write(s->dev, page_rows(s, page, n_rows), src);
}
