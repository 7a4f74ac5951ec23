/*
 * paging.h - which pages hold which tokens of which sequence. `paging` owns the numbers of all
 * pages, in up to four classes (streams of the same span and lifetime), the tree of spans that
 * sequences share, and the numbers of the slots that saved states live in. A `paged_sequence` owns
 * the lists of one sequence: its ids, one page number a span and class, one node a span. Only
 * numbers move here; the caller writes rows, copies pages and saves states on the device, in the
 * order in which these functions asked for it.
 *
 * A span is FM_CACHE_PAGE_ROWS tokens; token t of a sequence lies in row t % FM_CACHE_PAGE_ROWS of
 * page pages[c][t / FM_CACHE_PAGE_ROWS], in every class c. A page that more than one holder refers
 * to (sequences, or a node of the tree) is never written.
 *
 * One thread at a time uses a `paging` and the sequences on it, except where a function says
 * otherwise. Nothing is allocated after paging_new and paged_sequence_new.
 */
#ifndef FATHOM_ENGINE_PAGING_H
#define FATHOM_ENGINE_PAGING_H

#include "page_class.h"
#include "prefix_tree.h"

typedef struct paging_params {
    int32_t n_classes;                   /* 1 … PAGING_MAX_CLASSES */
    int32_t window[PAGING_MAX_CLASSES];  /* tokens that a query sees, itself among them: keys
                                            max(0, pos - window + 1) … pos; 0: all before it */
    int32_t n_pages[PAGING_MAX_CLASSES]; /* pages of the class's pools, at least 1 */
    int32_t n_rollback;                  /* tokens of its own that a sequence can always go back by:
                                            window pages are kept this much longer */
    int32_t n_snapshots; /* slots for state that cannot be cut at any token; 0: there is none.
                            Without `share` it counts as 0 */
    bool share;          /* whole spans become nodes, which other sequences may adopt */
} paging_params;

/** What happened since paging_new. */
typedef struct paging_counts {
    uint64_t n_asked;         /* tokens that paging_adopt looked for: n_ids of each call */
    uint64_t n_adopted;       /* tokens that it found */
    uint64_t n_evicted_nodes; /* nodes that left the tree to make room */
    uint64_t n_evicted_pages; /* pages of the tree that came free for it */
} paging_counts;

typedef struct paging {
    int32_t n_classes;
    int32_t n_rollback;
    bool share;
    page_class classes[PAGING_MAX_CLASSES];
    prefix_tree tree;
    page_class slots; /* for saved states: a slot is a page, held by its node alone */
    paging_counts counts;
} paging;

typedef struct paged_sequence {
    uint64_t tenant;    /* only sequences of the same tenant share pages */
    int32_t max_tokens; /* room in the lists */
    int32_t n_tokens;   /* committed: their rows are in the cache */
    int32_t n_reserved; /* tokens after those that have room in pages */
    int32_t n_pages;    /* entries of each list of pages */
    int32_t n_nodes;    /* entries of `nodes`: the first whole spans, without a gap */
    int32_t first[PAGING_MAX_CLASSES];  /* entries before it hold 0: pages that were given back */
    int32_t *pages[PAGING_MAX_CLASSES]; /* [spans of max_tokens] for attention and cache writes */
    int32_t *nodes;                     /* [spans of max_tokens] */
    int32_t *ids;                       /* [max_tokens] the committed tokens */
} paged_sequence;

/** The caller copies page `from` to page `to` in all streams of the class. */
typedef struct page_copy {
    int32_t class_index;
    int32_t from, to;
} page_copy;

/** Copies that a reservation needs: at most one a class. */
typedef struct page_copies {
    int32_t n;
    page_copy items[PAGING_MAX_CLASSES];
} page_copies;

/* ---- Making and freeing ---------------------------------------------------------------------- */

/** Makes the numbers of all pages, all free, and an empty tree with as many nodes as the largest
 * class has pages. FM_ERR_ARG when a parameter is out of its range, FM_ERR_MEMORY; *out is then
 * empty, and paging_free does nothing. */
fm_status paging_new(const paging_params *params, paging *out, fm_error *err);
/** Sequences are released before; they are freed by their owner, before or after. */
void paging_free(paging *p);

/** Makes the lists of a sequence of up to max_tokens (at least 1) tokens, with nothing in them.
 * FM_ERR_ARG, FM_ERR_MEMORY; *out is then empty. Any thread: it reads what paging_new fixed. */
fm_status paged_sequence_new(const paging *p, uint64_t tenant, int32_t max_tokens,
                             paged_sequence *out, fm_error *err);
/** The sequence was released, or never held a page. Any thread. */
void paged_sequence_free(paged_sequence *s);

/* ---- The life of a sequence ------------------------------------------------------------------ */

/** Takes over as many whole spans as are cached for the sequence's tenant and follow its own.
 *
 * ids [n_ids] are the sequence's tokens from position 0 on, those that are in the cache already
 * among them. At most n_ids - 1 tokens are in the cache afterwards: the last one must run to give
 * logits. Returns the number of tokens adopted, a multiple of FM_CACHE_PAGE_ROWS; 0 when the
 * sequence stands at no border of a span, or a span before it has no node. Pages of window
 * classes that later tokens need come along, else the prefix is shorter. With saved states the
 * prefix ends at a node that has one, and *snapshot is its slot: the caller loads the state before
 * the sequence's next step and before he saves one that a later paging_commit asks for. Else
 * *snapshot is -1. Reserved tokens are forgotten. */
int32_t paging_adopt(paging *p, paged_sequence *s, const int32_t *ids, int32_t n_ids,
                     int32_t *snapshot);

/** Makes room for n >= 0 tokens after the committed ones, those that are reserved already among
 * them: n_reserved is at least n afterwards. n_tokens + n is at most max_tokens.
 *
 * Takes free pages, then those that only the tree holds, least recently used first. All or nothing:
 * false when a class has too few, and the sequence and the tree are as before (with a fault of
 * page_pool_fail_in, what left the tree stays gone). A last page that is partly filled and has
 * another holder is replaced by a page of its own, and *copies says what the caller must copy: in
 * the order of the reservations, before the next step, and also when he forgets the reservation;
 * where that fails, the sequence must be released. copies->n is 0 when false is returned. */
bool paging_reserve(paging *p, paged_sequence *s, int32_t n, page_copies *copies);

/** Forgets the reserved tokens and gives back the pages that only they needed: after a step that
 * failed, or when the sequence does not run after all. */
void paging_unreserve(paging *p, paged_sequence *s);

/** The rows of the next n <= n_reserved tokens, ids [n], are in the cache; the rest stays reserved.
 *
 * Whole spans become nodes. Where an equal node appeared meanwhile, its page replaces the
 * sequence's own: it holds the same rows. Window pages that no later token needs are given back
 * (they stay cached while there is room). Returns the slot that the caller must save the
 * sequence's state to, now; -1 when there is nothing to save. It asks only where the sequence
 * stands at the border of a span and the node there has no state yet. */
int32_t paging_commit(paging *p, paged_sequence *s, const int32_t *ids, int32_t n);

/** How many tokens the sequence can go back by: the window pages that it needs there are still its
 * own. After a commit at least n_rollback, or all that it committed itself; less after it went
 * back. */
int32_t paging_rollback_limit(const paging *p, const paged_sequence *s);

/** Forgets the last k tokens, and all reserved ones. False, with nothing changed, when k is
 * negative or above paging_rollback_limit. State that cannot be cut is the caller's: see
 * paging_saved. */
bool paging_rollback(paging *p, paged_sequence *s, int32_t k);

/** The longest prefix of at most n_tokens committed tokens whose state is saved, in tokens, and its
 * slot, which is good until the next paging_commit. 0 tokens and -1 when none is: the state before
 * the first token needs no slot. */
int32_t paging_saved(const paging *p, const paged_sequence *s, int32_t n_tokens, int32_t *snapshot);

/** A state that could not be saved: the slot is free again, and nobody loads it. A slot that is
 * free stays so. Not while a load of it is still to come. */
void paging_unsave(paging *p, int32_t slot);

/** Gives the child, which holds nothing and has room for them, all committed tokens of the parent;
 * they share all pages. Tokens that the parent reserved are forgotten, so that it does not write
 * to a shared page. The child gets the parent's tenant. */
void paging_fork(paging *p, paged_sequence *parent, paged_sequence *child);

/** The sequence gives everything back and is empty; its nodes stay cached. */
void paging_release(paging *p, paged_sequence *s);

/* ---- Room ------------------------------------------------------------------------------------ */

/** Pages of a class that paging_reserve could take now: free ones and those that only the tree
 * holds. */
int32_t paging_available(const paging *p, int32_t class_index);

/** The most pages of a class that a sequence holds on its way to n_tokens, when it reserves at most
 * n_step tokens at a time: a class with fewer can never run it. */
int32_t paging_need(const paging *p, int32_t class_index, int32_t n_tokens, int32_t n_step);

/** Empties the tree of all that no sequence uses. Returns the number of pages that came free. */
int32_t paging_drop_cached(paging *p);

#endif
