/*
 * prefix_tree.h - the spans of FM_CACHE_PAGE_ROWS tokens whose rows are in the cache, as a tree:
 * the path from the root to a node is a prefix. A node belongs to one tenant and is found by its
 * parent, tenant and tokens, which are compared in full: a collision of hashes never shares a page.
 * It has users (sequences that hold it) or lies in the list of unused nodes. Who holds a node holds
 * its ancestors too, and leaves the deepest node first; so the oldest unused node never has a
 * child, and children leave the tree before their parents.
 *
 * The tree stores the numbers of pages and slots for its owner and does not look at them. Nothing
 * is allocated after prefix_tree_new; one thread at a time.
 */
#ifndef FATHOM_ENGINE_PREFIX_TREE_H
#define FATHOM_ENGINE_PREFIX_TREE_H

#include "../backend.h"
#include "page_pool.h"
#include "recency.h"

enum { PAGING_MAX_CLASSES = 4 };

typedef struct prefix_node {
    uint64_t tenant;
    int32_t parent; /* a node; -1: the root of the tenant */
    int32_t next;   /* the next node in the same place of the table; -1: the last */
    int32_t n_users;
    int32_t n_children;
    int32_t pages[PAGING_MAX_CLASSES]; /* -1: no page (a window page that was given back) */
    int32_t snapshot;                  /* slot of the state behind this span; -1: not saved */
    int32_t ids[FM_CACHE_PAGE_ROWS];
} prefix_node;

typedef struct prefix_tree {
    page_pool numbers;  /* which nodes exist: one reference each */
    prefix_node *nodes; /* [n_nodes] */
    uint32_t mask;      /* places of the table - 1: a power of two less one */
    int32_t *table;     /* [mask + 1] the first node of each place; -1: none */
    recency unused;     /* nodes without users */
} prefix_tree;

/** An empty tree for up to n_nodes >= 0 nodes. FM_ERR_MEMORY; *out is then empty. */
fm_status prefix_tree_new(int32_t n_nodes, prefix_tree *out, fm_error *err);
void prefix_tree_free(prefix_tree *t);

/** The tenant's node with these ids [FM_CACHE_PAGE_ROWS] under `parent` (-1: the root); -1 when
 * there is none. */
int32_t prefix_tree_find(const prefix_tree *t, int32_t parent, uint64_t tenant, const int32_t *ids);

/** Adds that node, which the tree does not have yet, with one user, no pages and no snapshot. The
 * parent has a user. -1 when no node is left: the caller removes the oldest unused one first. */
int32_t prefix_tree_add(prefix_tree *t, int32_t parent, uint64_t tenant, const int32_t *ids);

/** One user more; the node's ancestors have it already, or get it in the same way. */
void prefix_tree_use(prefix_tree *t, int32_t node);
/** One user less; the last makes the node the newest of the unused ones. */
void prefix_tree_leave(prefix_tree *t, int32_t node);

/** The node that was unused for longest; -1 when all have users. */
int32_t prefix_tree_oldest(const prefix_tree *t);
/** Removes a node that has neither users nor children. */
void prefix_tree_remove(prefix_tree *t, int32_t node);

#endif
