/* check.c - the recount: slow and simple, from the lists alone. */
#include "check.h"

#include <string.h>

enum { MAX_NUMBERS = 512 }; /* pages, nodes or slots of a test */

/** Whether the class's references, free and cached pages are those of refs [pages]. */
static const char *check_class(const page_class *c, const int32_t *refs) {
    int32_t n_free = 0, n_cached = 0;
    if (c->pool.n > MAX_NUMBERS) return "too many pages for the test";
    for (int32_t page = 0; page < c->pool.n; page++) {
        bool cached = c->node[page] >= 0 && refs[page] == 1;
        if (page_pool_refs(&c->pool, page) != refs[page]) return "references of a page";
        if (recency_has(&c->cached, page) != cached) return "a page cached or not";
        n_free += refs[page] == 0;
        n_cached += cached;
    }
    if (c->pool.n_free != n_free) return "free pages";
    return c->cached.n_listed == n_cached ? NULL : "cached pages";
}

static bool exists(const prefix_tree *t, int32_t node) {
    return t->numbers.refs[node] > 0;
}

static const char *check_pages(const paging *p, const paged_sequence *const *sequences, int n,
                               int class_index) {
    int32_t refs[MAX_NUMBERS] = {0};
    const page_class *c = &p->classes[class_index];
    for (int i = 0; i < n; i++) {
        const paged_sequence *s = sequences[i];
        const int32_t *pages = s->pages[class_index];
        if (s->first[class_index] > s->n_pages) return "the first page of a list";
        for (int32_t span = 0; span < s->n_pages; span++) {
            if (span >= s->first[class_index])
                refs[pages[span]]++;
            else if (pages[span] != 0)
                return "an entry that was given back";
        }
    }
    for (int32_t node = 0; node < p->tree.numbers.n; node++) {
        if (!exists(&p->tree, node)) continue;
        int32_t page = p->tree.nodes[node].pages[class_index];
        if (page < 0 && c->window == 0) return "a node without a page";
        if (page >= 0 && c->node[page] != node) return "the node of a page";
        if (page >= 0) refs[page]++;
    }
    return check_class(c, refs);
}

static const char *check_slots(const paging *p) {
    int32_t refs[MAX_NUMBERS] = {0};
    for (int32_t node = 0; node < p->tree.numbers.n; node++) {
        int32_t slot = exists(&p->tree, node) ? p->tree.nodes[node].snapshot : -1;
        if (slot >= 0 && p->slots.node[slot] != node) return "the node of a slot";
        if (slot >= 0) refs[slot]++;
    }
    return check_class(&p->slots, refs);
}

static const char *check_tree(const paging *p, const paged_sequence *const *sequences, int n) {
    int32_t users[MAX_NUMBERS] = {0}, children[MAX_NUMBERS] = {0};
    const prefix_tree *t = &p->tree;
    for (int i = 0; i < n; i++) {
        const paged_sequence *s = sequences[i];
        if (s->n_nodes > s->n_tokens / FM_CACHE_PAGE_ROWS) return "nodes of a sequence";
        for (int32_t span = 0; span < s->n_nodes; span++) {
            const prefix_node *node = &t->nodes[s->nodes[span]];
            if (!exists(t, s->nodes[span])) return "a node that has left";
            if (node->tenant != s->tenant) return "the tenant of a node";
            if (node->parent != (span > 0 ? s->nodes[span - 1] : -1)) return "a parent";
            users[s->nodes[span]]++;
        }
    }
    for (int32_t i = 0; i < t->numbers.n; i++)
        if (exists(t, i) && t->nodes[i].parent >= 0) children[t->nodes[i].parent]++;
    for (int32_t i = 0; i < t->numbers.n; i++) {
        if (recency_has(&t->unused, i) != (exists(t, i) && users[i] == 0)) return "unused nodes";
        if (!exists(t, i)) continue;
        const prefix_node *node = &t->nodes[i];
        if (node->n_users != users[i]) return "users of a node";
        if (node->n_children != children[i]) return "children of a node";
        if (node->parent >= 0 && !exists(t, node->parent)) return "a parent that left first";
        if (prefix_tree_find(t, node->parent, node->tenant, node->ids) != i) return "a lost node";
    }
    return NULL;
}

const char *check_paging(const paging *p, const paged_sequence *const *sequences, int n) {
    const char *wrong = check_tree(p, sequences, n);
    for (int c = 0; !wrong && c < p->n_classes; c++) wrong = check_pages(p, sequences, n, c);
    return wrong ? wrong : check_slots(p);
}
