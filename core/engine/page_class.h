/*
 * page_class.h - the pages of all streams that have the same span and lifetime: one pool of
 * numbers, the window that bounds how long a sequence needs a page, and for each page the node of
 * the prefix tree that holds it. A page that only the tree holds is cached: it can be taken from
 * the tree whenever a sequence needs one. Nothing is allocated after page_class_new; one thread at
 * a time.
 */
#ifndef FATHOM_ENGINE_PAGE_CLASS_H
#define FATHOM_ENGINE_PAGE_CLASS_H

#include "page_pool.h"
#include "recency.h"

typedef struct page_class {
    int32_t window; /* tokens that a query sees, itself among them; 0: all */
    page_pool pool;
    int32_t *node;  /* [n pages] the node that holds a reference to the page; -1: none */
    recency cached; /* pages whose only reference is their node's, the longest unused first */
} page_class;

/** A class of n_pages free pages. FM_ERR_MEMORY; *out is then empty. */
fm_status page_class_new(int32_t window, int32_t n_pages, page_class *out, fm_error *err);
void page_class_free(page_class *c);

/** The first span that a sequence of n_tokens must hold for its next token and all later ones, when
 * it may go back by n_back tokens first. */
int32_t page_class_first(const page_class *c, int32_t n_tokens, int32_t n_back);

/** A sequence refers to a page that has a holder. */
void page_class_hold(page_class *c, int32_t page);
/** A sequence's reference ends: the page is free, or cached when only its node is left. */
void page_class_release(page_class *c, int32_t page);

/** The tree refers to a page that a sequence holds. */
void page_class_keep(page_class *c, int32_t page, int32_t node);
/** The tree's reference ends. True when the page is free now. */
bool page_class_forget(page_class *c, int32_t page);

#endif
