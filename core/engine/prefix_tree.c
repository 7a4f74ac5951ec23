/*
 * prefix_tree.c - the nodes and the table that finds them: places of chained nodes, as many as
 * there can be nodes, so that a chain is short whatever the tree holds.
 */
#include "prefix_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

fm_status prefix_tree_new(int32_t n_nodes, prefix_tree *out, fm_error *err) {
    *out = (prefix_tree){0};
    fm_status status = page_pool_new(n_nodes, &out->numbers, err);
    if (status == FM_OK) status = recency_new(n_nodes, &out->unused, err);
    if (status != FM_OK) goto error;
    size_t n_places = 1;
    while (n_places < (size_t)n_nodes) n_places *= 2;
    out->nodes = calloc(n_nodes > 0 ? (size_t)n_nodes : 1, sizeof *out->nodes);
    out->table = malloc(n_places * sizeof *out->table);
    if (!out->nodes || !out->table) {
        status = error_set(err, FM_ERR_MEMORY, "out of memory for a tree of %d spans", n_nodes);
        goto error;
    }
    out->mask = (uint32_t)(n_places - 1);
    for (size_t i = 0; i < n_places; i++) out->table[i] = -1;
    return FM_OK;
error:
    prefix_tree_free(out);
    return status;
}

void prefix_tree_free(prefix_tree *t) {
    page_pool_free(&t->numbers);
    recency_free(&t->unused);
    free(t->nodes);
    free(t->table);
    *t = (prefix_tree){0};
}

/** The place of the table where the node is or would be. */
static int32_t *place_of(const prefix_tree *t, int32_t parent, uint64_t tenant,
                         const int32_t *ids) {
    unsigned char key[sizeof tenant + sizeof parent + FM_CACHE_PAGE_ROWS * sizeof *ids];
    memcpy(key, &tenant, sizeof tenant);
    memcpy(key + sizeof tenant, &parent, sizeof parent);
    memcpy(key + sizeof tenant + sizeof parent, ids, FM_CACHE_PAGE_ROWS * sizeof *ids);
    return &t->table[XXH3_64bits(key, sizeof key) & t->mask];
}

int32_t prefix_tree_find(const prefix_tree *t, int32_t parent, uint64_t tenant,
                         const int32_t *ids) {
    int32_t found = *place_of(t, parent, tenant, ids);
    for (; found >= 0; found = t->nodes[found].next) {
        const prefix_node *node = &t->nodes[found];
        if (node->parent == parent && node->tenant == tenant &&
            memcmp(node->ids, ids, sizeof node->ids) == 0)
            break;
    }
    return found;
}

int32_t prefix_tree_add(prefix_tree *t, int32_t parent, uint64_t tenant, const int32_t *ids) {
    assert(parent < 0 || t->nodes[parent].n_users > 0);
    int32_t added = page_pool_take(&t->numbers);
    if (added < 0) return -1;
    int32_t *place = place_of(t, parent, tenant, ids);
    prefix_node *node = &t->nodes[added];
    *node = (prefix_node){
        .tenant = tenant, .parent = parent, .next = *place, .n_users = 1, .snapshot = -1};
    for (int c = 0; c < PAGING_MAX_CLASSES; c++) node->pages[c] = -1;
    memcpy(node->ids, ids, sizeof node->ids);
    *place = added;
    if (parent >= 0) t->nodes[parent].n_children++;
    return added;
}

void prefix_tree_use(prefix_tree *t, int32_t node) {
    t->nodes[node].n_users++;
    recency_remove(&t->unused, node);
}

void prefix_tree_leave(prefix_tree *t, int32_t node) {
    assert(t->nodes[node].n_users > 0);
    if (--t->nodes[node].n_users == 0) recency_add(&t->unused, node);
}

int32_t prefix_tree_oldest(const prefix_tree *t) {
    return recency_oldest(&t->unused);
}

void prefix_tree_remove(prefix_tree *t, int32_t node) {
    prefix_node *gone = &t->nodes[node];
    assert(gone->n_users == 0 && gone->n_children == 0);
    int32_t *link = place_of(t, gone->parent, gone->tenant, gone->ids);
    while (*link != node) link = &t->nodes[*link].next;
    *link = gone->next;
    if (gone->parent >= 0) t->nodes[gone->parent].n_children--;
    recency_remove(&t->unused, node);
    page_pool_drop(&t->numbers, node);
}
