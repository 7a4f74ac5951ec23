/*
 * paging.c - the life of a sequence's pages. Three facts hold between the calls, and everything
 * here keeps them: a page has one reference for each list that names it and one for its node; a
 * page with one reference that is a sequence's may be written; a node with users has, in classes
 * without a window, a page that all its users hold, so that what only the tree holds there belongs
 * to unused nodes.
 */
#include "paging.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"

/* ---- Making and freeing ---------------------------------------------------------------------- */

static fm_status check_params(const paging_params *params, fm_error *err) {
    if (params->n_classes < 1 || params->n_classes > PAGING_MAX_CLASSES)
        return error_set(err, FM_ERR_ARG, "%d classes of pages asked for: give 1 to %d",
                         params->n_classes, PAGING_MAX_CLASSES);
    if (params->n_rollback < 0 || params->n_snapshots < 0)
        return error_set(err, FM_ERR_ARG, "tokens to go back by and slots must not be negative");
    for (int c = 0; c < params->n_classes; c++) {
        if (params->window[c] < 0)
            return error_set(err, FM_ERR_ARG, "the window of class %d must not be negative", c);
        if (params->n_pages[c] < 1)
            return error_set(err, FM_ERR_ARG, "class %d has %d pages: give at least 1", c,
                             params->n_pages[c]);
    }
    return FM_OK;
}

fm_status paging_new(const paging_params *params, paging *out, fm_error *err) {
    *out = (paging){0};
    FM_TRY(check_params(params, err));
    out->n_classes = params->n_classes;
    out->n_rollback = params->n_rollback;
    out->share = params->share;
    int32_t n_nodes = 0;
    fm_status status = FM_OK;
    for (int c = 0; status == FM_OK && c < params->n_classes; c++) {
        int32_t n_pages = params->n_pages[c];
        if (params->share && n_pages > n_nodes) n_nodes = n_pages;
        status = page_class_new(params->window[c], n_pages, &out->classes[c], err);
    }
    int32_t n_slots = params->share ? params->n_snapshots : 0;
    if (status == FM_OK) status = page_class_new(0, n_slots, &out->slots, err);
    if (status == FM_OK) status = prefix_tree_new(n_nodes, &out->tree, err);
    if (status != FM_OK) paging_free(out);
    return status;
}

void paging_free(paging *p) {
    for (int c = 0; c < PAGING_MAX_CLASSES; c++) page_class_free(&p->classes[c]);
    page_class_free(&p->slots);
    prefix_tree_free(&p->tree);
    *p = (paging){0};
}

fm_status paged_sequence_new(const paging *p, uint64_t tenant, int32_t max_tokens,
                             paged_sequence *out, fm_error *err) {
    *out = (paged_sequence){0};
    if (max_tokens < 1)
        return error_set(err, FM_ERR_ARG, "a sequence of %d tokens: give at least 1", max_tokens);
    size_t n_spans = (size_t)cache_page_count(max_tokens), n_entries, size;
    size_t n_lists = (size_t)p->n_classes + 1; /* of pages and of nodes, behind the ids */
    int32_t *block = NULL;
    if (checked_mul(n_spans, n_lists, &n_entries) &&
        checked_add(n_entries, (size_t)max_tokens, &n_entries) &&
        checked_mul(n_entries, sizeof *block, &size))
        block = calloc(1, size);
    if (!block)
        return error_set(err, FM_ERR_MEMORY, "out of memory for the lists of %d tokens",
                         max_tokens);
    *out = (paged_sequence){.tenant = tenant, .max_tokens = max_tokens, .ids = block};
    out->nodes = block + max_tokens;
    for (int c = 0; c < p->n_classes; c++) out->pages[c] = out->nodes + (size_t)(c + 1) * n_spans;
    return FM_OK;
}

void paged_sequence_free(paged_sequence *s) {
    assert(s->n_pages == 0 && s->n_nodes == 0);
    free(s->ids);
    *s = (paged_sequence){0};
}

/* ---- Room: what the tree gives back when pages run out --------------------------------------- */

static prefix_node *node_of(paging *p, int32_t node) {
    return &p->tree.nodes[node];
}

/** The node leaves the tree; returns how many of its pages are free now. */
static int32_t remove_node(paging *p, int32_t number) {
    prefix_node *node = node_of(p, number);
    int32_t n_freed = 0;
    for (int c = 0; c < p->n_classes; c++)
        if (node->pages[c] >= 0) n_freed += page_class_forget(&p->classes[c], node->pages[c]);
    if (node->snapshot >= 0) paging_unsave(p, node->snapshot);
    prefix_tree_remove(&p->tree, number);
    return n_freed;
}

/** The oldest cached page of a window class leaves its node, which stays: prefixes that end far
 * enough behind it can still be adopted. False when no page is cached. */
static bool strip_oldest(paging *p, int32_t class_index) {
    page_class *c = &p->classes[class_index];
    int32_t page = recency_oldest(&c->cached);
    if (page < 0) return false;
    node_of(p, c->node[page])->pages[class_index] = -1;
    page_class_forget(c, page);
    return true;
}

/** Takes a page or a node from the tree, such that repeated calls free every cached page of the
 * class; there is one. */
static void evict(paging *p, int32_t class_index) {
    page_class *c = &p->classes[class_index];
    assert(c->cached.n_listed > 0);
    if (c->window > 0) {
        strip_oldest(p, class_index);
        p->counts.n_evicted_pages++;
        return;
    }
    int32_t oldest = prefix_tree_oldest(&p->tree);
    assert(oldest >= 0);
    p->counts.n_evicted_pages += (uint64_t)remove_node(p, oldest);
    p->counts.n_evicted_nodes++;
}

/** A page of a class that has an available one; -1 when a test wants it to find nothing. */
static int32_t take_page(paging *p, int32_t class_index) {
    page_class *c = &p->classes[class_index];
    while (c->pool.n_free == 0) evict(p, class_index);
    return page_pool_take(&c->pool);
}

void paging_unsave(paging *p, int32_t slot) {
    page_class *slots = &p->slots;
    if (slots->node[slot] < 0) return;
    node_of(p, slots->node[slot])->snapshot = -1;
    page_class_forget(slots, slot);
}

/** A slot for the state behind `node`: the least recently used one when none is free. */
static int32_t take_slot(paging *p, int32_t node) {
    page_class *slots = &p->slots;
    if (slots->pool.n_free == 0) paging_unsave(p, recency_oldest(&slots->cached));
    int32_t slot = page_pool_take(&slots->pool);
    if (slot < 0) return -1;
    page_class_keep(slots, slot, node);
    page_class_release(slots, slot);
    node_of(p, node)->snapshot = slot;
    return slot;
}

/** Makes the slot the one that was used last. */
static void touch_slot(paging *p, int32_t slot) {
    page_class_hold(&p->slots, slot);
    page_class_release(&p->slots, slot);
}

int32_t paging_available(const paging *p, int32_t class_index) {
    assert(class_index >= 0 && class_index < p->n_classes);
    const page_class *c = &p->classes[class_index];
    return c->pool.n_free + c->cached.n_listed;
}

int32_t paging_need(const paging *p, int32_t class_index, int32_t n_tokens, int32_t n_step) {
    assert(class_index >= 0 && class_index < p->n_classes);
    const page_class *c = &p->classes[class_index];
    int32_t n_all = cache_page_count(n_tokens);
    if (c->window == 0) return n_all;
    /* So many tokens in a row touch the most pages when the first lies in a page's last row. */
    int64_t n_held = (int64_t)c->window - 1 + p->n_rollback + n_step;
    int64_t n_pages = (n_held + FM_CACHE_PAGE_ROWS - 2) / FM_CACHE_PAGE_ROWS + 1;
    return n_pages < n_all ? (int32_t)n_pages : n_all;
}

int32_t paging_drop_cached(paging *p) {
    int32_t n_freed = 0, oldest;
    while ((oldest = prefix_tree_oldest(&p->tree)) >= 0) n_freed += remove_node(p, oldest);
    for (int c = 0; c < p->n_classes; c++)
        while (strip_oldest(p, c)) n_freed++;
    return n_freed;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/** Gives back the pages of spans from … n_pages - 1, the last first: -1 stands for one that could
 * not be taken. */
static void give_back(paging *p, paged_sequence *s, int32_t from) {
    for (int32_t span = s->n_pages - 1; span >= from; span--) {
        for (int c = 0; c < p->n_classes; c++) {
            int32_t page = s->pages[c][span];
            if (span >= s->first[c] && page >= 0) page_class_release(&p->classes[c], page);
            s->pages[c][span] = 0;
        }
    }
    s->n_pages = from;
}

/** Gives back the pages of a class before span `first`. */
static void drop_before(paging *p, paged_sequence *s, int32_t class_index, int32_t first) {
    for (int32_t span = s->first[class_index]; span < first && span < s->n_pages; span++) {
        page_class_release(&p->classes[class_index], s->pages[class_index][span]);
        s->pages[class_index][span] = 0;
    }
    if (first > s->first[class_index]) s->first[class_index] = first;
}

/** Leaves all nodes but the first n, the deepest first: the tree relies on it. */
static void leave_nodes(paging *p, paged_sequence *s, int32_t n) {
    while (s->n_nodes > n) prefix_tree_leave(&p->tree, s->nodes[--s->n_nodes]);
}

void paging_unreserve(paging *p, paged_sequence *s) {
    int32_t n_pages = cache_page_count(s->n_tokens);
    if (s->n_pages > n_pages) give_back(p, s, n_pages);
    s->n_reserved = 0;
}

/* ---- Adopting -------------------------------------------------------------------------------- */

/** Whether the pages that come before `depth` spans, run[c] without a gap, are all that the next
 * token needs. */
static bool is_enough(const paging *p, const int32_t *run, int32_t depth) {
    for (int c = 0; c < p->n_classes; c++) {
        int32_t first = page_class_first(&p->classes[c], depth * FM_CACHE_PAGE_ROWS, 0);
        if (run[c] < depth - first) return false;
    }
    return true;
}

/** Follows the tree along ids for at most `limit` spans, and notes the nodes in s->nodes. Returns
 * the depth of the longest prefix that can be adopted; run[c] is then the number of pages before
 * it without a gap. */
static int32_t find_prefix(const paging *p, paged_sequence *s, const int32_t *ids, int32_t limit,
                           int32_t *run) {
    int32_t best = s->n_nodes, reached[PAGING_MAX_CLASSES];
    for (int c = 0; c < p->n_classes; c++) reached[c] = run[c] = s->n_pages - s->first[c];
    for (int32_t depth = s->n_nodes; depth < limit; depth++) {
        int32_t parent = depth > 0 ? s->nodes[depth - 1] : -1;
        int32_t number =
            prefix_tree_find(&p->tree, parent, s->tenant, ids + (size_t)depth * FM_CACHE_PAGE_ROWS);
        if (number < 0) break;
        const prefix_node *node = &p->tree.nodes[number];
        s->nodes[depth] = number;
        for (int c = 0; c < p->n_classes; c++)
            reached[c] = node->pages[c] >= 0 ? reached[c] + 1 : 0;
        if (p->slots.pool.n > 0 && node->snapshot < 0) continue;
        if (!is_enough(p, reached, depth + 1)) continue;
        best = depth + 1;
        memcpy(run, reached, sizeof reached);
    }
    return best;
}

/** Takes over the pages of a class from the nodes up to `depth`: the last `run` of them, and no
 * more than a sequence of that length keeps. */
static void adopt_pages(paging *p, paged_sequence *s, int32_t class_index, int32_t depth,
                        int32_t run) {
    page_class *c = &p->classes[class_index];
    int32_t first = page_class_first(c, depth * FM_CACHE_PAGE_ROWS, p->n_rollback);
    if (first < depth - run) first = depth - run;
    drop_before(p, s, class_index, first);
    for (int32_t span = s->n_pages; span < depth; span++) {
        int32_t page = span < first ? 0 : node_of(p, s->nodes[span])->pages[class_index];
        if (span >= first) page_class_hold(c, page);
        s->pages[class_index][span] = page;
    }
}

int32_t paging_adopt(paging *p, paged_sequence *s, const int32_t *ids, int32_t n_ids,
                     int32_t *snapshot) {
    *snapshot = -1;
    paging_unreserve(p, s);
    if (n_ids > 0) p->counts.n_asked += (uint64_t)n_ids;
    if (!p->share || s->n_tokens % FM_CACHE_PAGE_ROWS != 0 || s->n_nodes != s->n_pages) return 0;
    int32_t limit = (n_ids - 1) / FM_CACHE_PAGE_ROWS, run[PAGING_MAX_CLASSES] = {0};
    if (limit > s->max_tokens / FM_CACHE_PAGE_ROWS) limit = s->max_tokens / FM_CACHE_PAGE_ROWS;
    int32_t depth = find_prefix(p, s, ids, limit, run);
    if (depth == s->n_nodes) return 0;
    for (int32_t span = s->n_nodes; span < depth; span++) prefix_tree_use(&p->tree, s->nodes[span]);
    for (int c = 0; c < p->n_classes; c++) adopt_pages(p, s, c, depth, run[c]);
    *snapshot = node_of(p, s->nodes[depth - 1])->snapshot;
    if (*snapshot >= 0) touch_slot(p, *snapshot);
    s->n_nodes = s->n_pages = depth;
    int32_t n_before = s->n_tokens, n_adopted = depth * FM_CACHE_PAGE_ROWS - n_before;
    memcpy(s->ids + n_before, ids + n_before, (size_t)n_adopted * sizeof *ids);
    s->n_tokens += n_adopted;
    p->counts.n_adopted += (uint64_t)n_adopted;
    return n_adopted;
}

/* ---- Reserving ------------------------------------------------------------------------------- */

/** Whether writing n further tokens would write to a page that has another holder. */
static bool needs_copy(const paging *p, const paged_sequence *s, int32_t class_index, int32_t n) {
    if (n == 0 || s->n_tokens % FM_CACHE_PAGE_ROWS == 0) return false;
    int32_t page = s->pages[class_index][s->n_tokens / FM_CACHE_PAGE_ROWS];
    return page_pool_refs(&p->classes[class_index].pool, page) > 1;
}

/** Takes the pages of spans up to n_pages, and those to copy to. False when one cannot be had: -1
 * stands in its place. */
static bool take_pages(paging *p, paged_sequence *s, int32_t n_pages, page_copies *copies) {
    int32_t n_before = s->n_pages;
    for (; s->n_pages < n_pages; s->n_pages++)
        for (int c = 0; c < p->n_classes; c++) s->pages[c][s->n_pages] = -1;
    for (int32_t i = 0; i < copies->n; i++) {
        page_copy *copy = &copies->items[i];
        copy->to = take_page(p, copy->class_index);
        if (copy->to < 0) return false;
    }
    for (int c = 0; c < p->n_classes; c++) {
        for (int32_t span = n_before; span < n_pages; span++) {
            s->pages[c][span] = take_page(p, c);
            if (s->pages[c][span] < 0) return false;
        }
    }
    return true;
}

bool paging_reserve(paging *p, paged_sequence *s, int32_t n, page_copies *copies) {
    assert(n >= 0 && n <= s->max_tokens - s->n_tokens);
    *copies = (page_copies){0};
    int32_t n_before = s->n_pages, n_pages = cache_page_count(s->n_tokens + n);
    int32_t last = s->n_tokens / FM_CACHE_PAGE_ROWS, n_new = 0;
    if (n_pages > n_before) n_new = n_pages - n_before;
    page_copies wanted = {0};
    for (int c = 0; c < p->n_classes; c++) {
        bool copied = needs_copy(p, s, c, n);
        if (n_new + copied > paging_available(p, c)) return false;
        if (copied)
            wanted.items[wanted.n++] =
                (page_copy){.class_index = c, .from = s->pages[c][last], .to = -1};
    }
    if (!take_pages(p, s, n_pages, &wanted)) {
        give_back(p, s, n_before);
        for (int32_t i = 0; i < wanted.n; i++) {
            const page_copy *copy = &wanted.items[i];
            if (copy->to >= 0) page_class_release(&p->classes[copy->class_index], copy->to);
        }
        return false;
    }
    for (int32_t i = 0; i < wanted.n; i++) {
        const page_copy *copy = &wanted.items[i];
        s->pages[copy->class_index][last] = copy->to;
        page_class_release(&p->classes[copy->class_index], copy->from);
    }
    *copies = wanted;
    if (n > s->n_reserved) s->n_reserved = n;
    return true;
}

/* ---- Committing ------------------------------------------------------------------------------ */

/** Sequence and node hold one page between them: whichever has it gives it to the other. */
static void join_pages(paging *p, paged_sequence *s, int32_t span, int32_t number) {
    for (int c = 0; c < p->n_classes; c++) {
        if (span < s->first[c]) continue;
        int32_t *own = &s->pages[c][span], *kept = &node_of(p, number)->pages[c];
        if (*kept < 0) {
            page_class_keep(&p->classes[c], *own, number);
            *kept = *own;
        } else if (*kept != *own) {
            page_class_hold(&p->classes[c], *kept);
            page_class_release(&p->classes[c], *own);
            *own = *kept;
        }
    }
}

static int32_t add_node(paging *p, int32_t parent, const paged_sequence *s, const int32_t *ids) {
    int32_t number = prefix_tree_add(&p->tree, parent, s->tenant, ids);
    if (number >= 0) return number;
    int32_t oldest = prefix_tree_oldest(&p->tree);
    if (oldest < 0) return -1;
    p->counts.n_evicted_pages += (uint64_t)remove_node(p, oldest);
    p->counts.n_evicted_nodes++;
    return prefix_tree_add(&p->tree, parent, s->tenant, ids);
}

/** Gives whole spans their nodes. Where the tree is full of used nodes, the sequence goes on
 * without and tries again with its next tokens. */
static void attach_nodes(paging *p, paged_sequence *s) {
    while (s->n_nodes < s->n_tokens / FM_CACHE_PAGE_ROWS) {
        int32_t span = s->n_nodes, parent = span > 0 ? s->nodes[span - 1] : -1;
        const int32_t *ids = s->ids + (size_t)span * FM_CACHE_PAGE_ROWS;
        int32_t number = prefix_tree_find(&p->tree, parent, s->tenant, ids);
        if (number >= 0)
            prefix_tree_use(&p->tree, number);
        else
            number = add_node(p, parent, s, ids);
        if (number < 0) return;
        join_pages(p, s, span, number);
        s->nodes[s->n_nodes++] = number;
    }
}

int32_t paging_commit(paging *p, paged_sequence *s, const int32_t *ids, int32_t n) {
    assert(n >= 0 && n <= s->n_reserved);
    if (n == 0) return -1;
    memcpy(s->ids + s->n_tokens, ids, (size_t)n * sizeof *ids);
    s->n_tokens += n;
    s->n_reserved -= n;
    if (p->share) attach_nodes(p, s);
    for (int c = 0; c < p->n_classes; c++)
        drop_before(p, s, c, page_class_first(&p->classes[c], s->n_tokens, p->n_rollback));
    bool at_border = s->n_nodes > 0 && s->n_tokens == s->n_nodes * FM_CACHE_PAGE_ROWS;
    if (p->slots.pool.n == 0 || !at_border) return -1;
    int32_t node = s->nodes[s->n_nodes - 1], slot = node_of(p, node)->snapshot;
    if (slot < 0) return take_slot(p, node);
    touch_slot(p, slot);
    return -1;
}

/* ---- Going back, forking, ending ------------------------------------------------------------- */

int32_t paging_rollback_limit(const paging *p, const paged_sequence *s) {
    int32_t shortest = 0;
    for (int c = 0; c < p->n_classes; c++) {
        if (s->first[c] == 0) continue;
        /* The next token's first key is then the first row of the first page. */
        int32_t n = s->first[c] * FM_CACHE_PAGE_ROWS + p->classes[c].window - 1;
        if (n > shortest) shortest = n;
    }
    return s->n_tokens - shortest;
}

bool paging_rollback(paging *p, paged_sequence *s, int32_t k) {
    if (k < 0 || k > paging_rollback_limit(p, s)) return false;
    s->n_tokens -= k;
    paging_unreserve(p, s);
    int32_t n_whole = s->n_tokens / FM_CACHE_PAGE_ROWS;
    if (s->n_nodes > n_whole) leave_nodes(p, s, n_whole);
    return true;
}

int32_t paging_saved(const paging *p, const paged_sequence *s, int32_t n_tokens,
                     int32_t *snapshot) {
    int32_t depth = n_tokens / FM_CACHE_PAGE_ROWS;
    if (depth > s->n_nodes) depth = s->n_nodes;
    for (; depth > 0; depth--) {
        *snapshot = p->tree.nodes[s->nodes[depth - 1]].snapshot;
        if (*snapshot >= 0) return depth * FM_CACHE_PAGE_ROWS;
    }
    *snapshot = -1;
    return 0;
}

void paging_fork(paging *p, paged_sequence *parent, paged_sequence *child) {
    assert(child->n_pages == 0 && child->n_tokens == 0 && child->max_tokens >= parent->n_tokens);
    paging_unreserve(p, parent);
    child->tenant = parent->tenant;
    child->n_tokens = parent->n_tokens;
    child->n_pages = parent->n_pages;
    child->n_nodes = parent->n_nodes;
    memcpy(child->ids, parent->ids, (size_t)parent->n_tokens * sizeof *child->ids);
    memcpy(child->nodes, parent->nodes, (size_t)parent->n_nodes * sizeof *child->nodes);
    for (int32_t i = 0; i < child->n_nodes; i++) prefix_tree_use(&p->tree, child->nodes[i]);
    for (int c = 0; c < p->n_classes; c++) {
        child->first[c] = parent->first[c];
        for (int32_t span = 0; span < child->n_pages; span++) {
            child->pages[c][span] = parent->pages[c][span];
            if (span >= child->first[c]) page_class_hold(&p->classes[c], child->pages[c][span]);
        }
    }
}

void paging_release(paging *p, paged_sequence *s) {
    give_back(p, s, 0);
    leave_nodes(p, s, 0);
    s->n_tokens = s->n_reserved = 0;
    memset(s->first, 0, sizeof s->first);
}
