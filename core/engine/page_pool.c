/* page_pool.c - owns the counts of references and the stack of free pages. */
#include "page_pool.h"

#include <assert.h>
#include <stdlib.h>

fm_status page_pool_new(int32_t n, page_pool *out, fm_error *err) {
    *out = (page_pool){0};
    size_t n_entries = n > 0 ? (size_t)n : 1; /* NULL means failure alone */
    out->free_pages = calloc(n_entries, sizeof *out->free_pages);
    out->refs = calloc(n_entries, sizeof *out->refs);
    if (!out->free_pages || !out->refs) {
        page_pool_free(out);
        return error_set(err, FM_ERR_MEMORY, "out of memory for the numbers of %d pages", n);
    }
    out->n = out->n_free = n;
    for (int32_t i = 0; i < n; i++) out->free_pages[i] = n - 1 - i;
    return FM_OK;
}

void page_pool_free(page_pool *p) {
    free(p->free_pages);
    free(p->refs);
    *p = (page_pool){0};
}

int32_t page_pool_take(page_pool *p) {
    if (p->fail_in > 0 && --p->fail_in == 0) return -1;
    if (p->n_free == 0) return -1;
    int32_t page = p->free_pages[--p->n_free];
    assert(p->refs[page] == 0);
    p->refs[page] = 1;
    return page;
}

int32_t page_pool_refs(const page_pool *p, int32_t page) {
    assert(page >= 0 && page < p->n);
    return p->refs[page];
}

void page_pool_share(page_pool *p, int32_t page) {
    assert(page_pool_refs(p, page) > 0 && p->refs[page] < INT32_MAX);
    p->refs[page]++;
}

void page_pool_drop(page_pool *p, int32_t page) {
    assert(page_pool_refs(p, page) > 0);
    if (--p->refs[page] == 0) p->free_pages[p->n_free++] = page;
}

void page_pool_fail_in(page_pool *p, int32_t n) {
    p->fail_in = n;
}
