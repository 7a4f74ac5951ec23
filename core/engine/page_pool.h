/*
 * page_pool.h - the numbers 0 … n - 1 with a count of references each: which pages are in use, and
 * by how many holders. The pool knows nothing of what a page holds, so a row pool is the same with
 * one row a page. Nothing is allocated after page_pool_new; one thread at a time.
 */
#ifndef FATHOM_ENGINE_PAGE_POOL_H
#define FATHOM_ENGINE_PAGE_POOL_H

#include "../base/error.h"

typedef struct page_pool {
    int32_t n;           /* pages */
    int32_t n_free;      /* entries of `free_pages` */
    int32_t fail_in;     /* tests: the take that finds nothing, counted down to 1; 0: none */
    int32_t *free_pages; /* [n] a stack: the page given back last is taken first */
    int32_t *refs;       /* [n] */
} page_pool;

/** A pool of n >= 0 pages, all free; the first takes give 0, 1, 2, …. FM_ERR_MEMORY; *out is then
 * empty. */
fm_status page_pool_new(int32_t n, page_pool *out, fm_error *err);
void page_pool_free(page_pool *p);

/** A free page, now with one reference; -1 when there is none. */
int32_t page_pool_take(page_pool *p);
/** One reference more to a page that has at least one. */
void page_pool_share(page_pool *p, int32_t page);
/** One reference less; the page is free after the last. */
void page_pool_drop(page_pool *p, int32_t page);
int32_t page_pool_refs(const page_pool *p, int32_t page);

/** For tests: the n-th take from now finds nothing, once, although pages may be free. 0: none. */
void page_pool_fail_in(page_pool *p, int32_t n);

#endif
