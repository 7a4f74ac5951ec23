/*
 * page_class.c - who holds the pages of one class. A page is in the list `cached` exactly while it
 * has a node and one reference, so that free and cached pages are counted, never searched for.
 */
#include "page_class.h"

#include <assert.h>
#include <stdlib.h>

#include "../backend.h"

fm_status page_class_new(int32_t window, int32_t n_pages, page_class *out, fm_error *err) {
    *out = (page_class){.window = window};
    fm_status status = page_pool_new(n_pages, &out->pool, err);
    if (status == FM_OK) status = recency_new(n_pages, &out->cached, err);
    if (status != FM_OK) goto error;
    out->node = malloc((n_pages > 0 ? (size_t)n_pages : 1) * sizeof *out->node);
    if (!out->node) {
        status = error_set(err, FM_ERR_MEMORY, "out of memory for a class of %d pages", n_pages);
        goto error;
    }
    for (int32_t i = 0; i < n_pages; i++) out->node[i] = -1;
    return FM_OK;
error:
    page_class_free(out);
    return status;
}

void page_class_free(page_class *c) {
    page_pool_free(&c->pool);
    recency_free(&c->cached);
    free(c->node);
    *c = (page_class){0};
}

int32_t page_class_first(const page_class *c, int32_t n_tokens, int32_t n_back) {
    if (c->window == 0) return 0;
    int64_t key = (int64_t)n_tokens - n_back - (c->window - 1);
    return key > 0 ? (int32_t)(key / FM_CACHE_PAGE_ROWS) : 0;
}

void page_class_hold(page_class *c, int32_t page) {
    page_pool_share(&c->pool, page);
    recency_remove(&c->cached, page);
}

void page_class_release(page_class *c, int32_t page) {
    bool has_node = c->node[page] >= 0;
    assert(page_pool_refs(&c->pool, page) > (has_node ? 1 : 0));
    page_pool_drop(&c->pool, page);
    if (has_node && page_pool_refs(&c->pool, page) == 1) recency_add(&c->cached, page);
}

void page_class_keep(page_class *c, int32_t page, int32_t node) {
    assert(c->node[page] < 0 && node >= 0);
    page_pool_share(&c->pool, page);
    c->node[page] = node;
}

bool page_class_forget(page_class *c, int32_t page) {
    assert(c->node[page] >= 0);
    recency_remove(&c->cached, page);
    c->node[page] = -1;
    page_pool_drop(&c->pool, page);
    return page_pool_refs(&c->pool, page) == 0;
}
