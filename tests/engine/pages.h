/*
 * pages.h - what must hold of an engine's pages: between steps, and when nothing runs any more.
 */
#ifndef TESTS_ENGINE_PAGES_H
#define TESTS_ENGINE_PAGES_H

#include "asked.h"
#include "engine/engine.h"

enum { PAGES_MAX = 1024 }; /* of a class, in these suites */

/** Which tenant each page of a class belongs to. */
typedef struct page_owners {
    bool is_set[PAGES_MAX];
    uint64_t tenant[PAGES_MAX];
} page_owners;

static inline void page_owners_add(page_owners *o, int32_t page, uint64_t tenant) {
    assert_in_range(page, 0, PAGES_MAX - 1);
    if (o->is_set[page] && o->tenant[page] != tenant) fail_msg("two tenants share page %d", page);
    o->is_set[page] = true;
    o->tenant[page] = tenant;
}

static inline void page_owners_add_sequence(page_owners *o, const fm_engine *e, int32_t class_index,
                                            const paged_sequence *s) {
    for (int32_t span = s->first[class_index]; span < s->n_pages; span++)
        page_owners_add(o, s->pages[class_index][span], s->tenant);
    for (int32_t i = 0; i < s->n_nodes; i++)
        assert_int_equal(e->paging.tree.nodes[s->nodes[i]].tenant, s->tenant);
}

/** No page is held by sequences or nodes of two tenants. Between steps. */
static inline void pages_expect_tenants_apart(const fm_engine *e) {
    const prefix_tree *tree = &e->paging.tree;
    for (int32_t c = 0; c < e->paging.n_classes; c++) {
        page_owners owners = {.is_set = {false}};
        for (int32_t i = 0; i < tree->numbers.n; i++)
            if (page_pool_refs(&tree->numbers, i) > 0 && tree->nodes[i].pages[c] >= 0)
                page_owners_add(&owners, tree->nodes[i].pages[c], tree->nodes[i].tenant);
        for (int32_t i = 0; i < e->scheduler.n_running; i++)
            page_owners_add_sequence(&owners, e, c, &e->scheduler.running[i]->pages);
        for (const sequence *q = e->scheduler.first; q; q = q->next)
            page_owners_add_sequence(&owners, e, c, &q->pages);
    }
}

/** Nothing runs: every page is free or cached, and free when the cache is dropped. */
static inline void pages_expect_all_back(fm_engine *e) {
    fm_engine_stats stats;
    fm_engine_get_stats(e, &stats);
    assert_int_equal(stats.n_running + stats.n_waiting, 0);
    assert_int_equal(stats.n_pages_free + stats.n_pages_cached, stats.n_pages);
    paging_drop_cached(&e->paging);
    fm_engine_get_stats(e, &stats);
    assert_int_equal(stats.n_pages_cached, 0);
    for (int32_t c = 0; c < e->paging.n_classes; c++)
        assert_int_equal(e->paging.classes[c].pool.n_free, e->paging.classes[c].pool.n);
    assert_int_equal(e->paging.tree.numbers.n_free, e->paging.tree.numbers.n);
}

#endif
