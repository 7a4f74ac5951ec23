/*
 * bpe.c - the merge table and the two ways of merging a piece. Nearly all pieces are a few bytes
 * long: there a search through all pairs for each merge beats every clever structure. Long ones (a
 * run of a million spaces is one piece) use a linked list of symbols and a heap of pairs.
 */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#include "tokens.h"

/* Above every id, rank and index; an enum cannot hold it. */
#define FREE_SLOT UINT32_MAX
#define NO_RANK   UINT32_MAX
#define NO_NODE   UINT32_MAX

enum {
    MAX_PROBES = 512,
    SHORT_PIECE = 32, /* bytes; about where the heap starts to win */
};

/* ---- The table ------------------------------------------------------------------------------- */

fm_status bpe_new(bpe *b, arena *memory, size_t max_merges, fm_error *err) {
    size_t n_slots = 16;
    while (n_slots / 2 < max_merges && n_slots <= SIZE_MAX / 2) n_slots *= 2;
    b->n_slots = n_slots;
    b->slots = arena_alloc(memory, n_slots, sizeof *b->slots);
    if (!b->slots) return error_set(err, FM_ERR_MEMORY, "out of memory for %zu merges", max_merges);
    for (size_t i = 0; i < n_slots; i++) b->slots[i].left = FREE_SLOT;
    for (int i = 0; i < 256; i++) b->byte_ids[i] = -1;
    return FM_OK;
}

static size_t hash_pair(uint32_t left, uint32_t right) {
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    return (size_t)(h >> 32 ^ h >> 40);
}

/** The merge of a pair, or NULL. */
static const bpe_merge *find_merge(const bpe *b, uint32_t left, uint32_t right, bool plain) {
    for (size_t i = hash_pair(left, right);; i++) {
        const bpe_merge *slot = &b->slots[i & (b->n_slots - 1)];
        if (slot->left == FREE_SLOT) return NULL;
        if (slot->left == left && slot->right == right)
            return plain && slot->makes_added ? NULL : slot;
    }
}

/* A file can be made so that its pairs collide; no honest one reaches the limit of probes. */
fm_status bpe_add(bpe *b, bpe_merge merge, fm_error *err) {
    size_t start = hash_pair(merge.left, merge.right);
    for (size_t i = 0; i < MAX_PROBES; i++) {
        bpe_merge *slot = &b->slots[(start + i) & (b->n_slots - 1)];
        if (slot->left == FREE_SLOT || (slot->left == merge.left && slot->right == merge.right)) {
            *slot = merge;
            return FM_OK;
        }
    }
    return error_set(err, FM_ERR_FORMAT, "tokenizer.json: merge %u collides with too many others",
                     merge.rank);
}

/* ---- Short pieces ---------------------------------------------------------------------------- */

/** The pair of symbols i and i + 1: its rank, or NO_RANK. */
typedef struct pair {
    uint32_t rank;
    uint32_t result;
} pair;

static pair find_pair(const bpe *b, uint32_t left, uint32_t right, bool plain) {
    const bpe_merge *merge = find_merge(b, left, right, plain);
    return merge ? (pair){merge->rank, merge->result} : (pair){NO_RANK, 0};
}

/** The index of the first pair with the lowest rank. */
static size_t lowest_pair(const pair *pairs, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (pairs[i].rank < pairs[best].rank) best = i;
    return best;
}

/** Merges ids[0 … n) in place and returns how many are left; n is 1 to SHORT_PIECE. */
static size_t merge_short(const bpe *b, uint32_t *ids, size_t n, bool plain) {
    pair pairs[SHORT_PIECE];
    for (size_t i = 0; i + 1 < n; i++) pairs[i] = find_pair(b, ids[i], ids[i + 1], plain);
    while (n > 1) {
        size_t best = lowest_pair(pairs, n - 1);
        if (pairs[best].rank == NO_RANK) break;
        ids[best] = pairs[best].result;
        n--;
        memmove(&ids[best + 1], &ids[best + 2], (n - best - 1) * sizeof *ids);
        if (best + 1 < n) {
            memmove(&pairs[best + 1], &pairs[best + 2], (n - best - 2) * sizeof *pairs);
            pairs[best] = find_pair(b, ids[best], ids[best + 1], plain);
        }
        if (best > 0) pairs[best - 1] = find_pair(b, ids[best - 1], ids[best], plain);
    }
    return n;
}

static fm_status encode_short(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                              fm_tokens *out, fm_error *err) {
    uint32_t ids[SHORT_PIECE];
    for (size_t i = 0; i < length; i++) ids[i] = (uint32_t)b->byte_ids[piece[i]];
    size_t n = merge_short(b, ids, length, plain);
    for (size_t i = 0; i < n; i++) FM_TRY(tokens_append(out, (int32_t)ids[i], err));
    return FM_OK;
}

/* ---- Long pieces ----------------------------------------------------------------------------- */

/** A symbol, at the index of its first byte; without an id once it is merged into its left one. */
typedef struct node {
    uint32_t id;
    uint32_t prev, next; /* NO_NODE at the ends */
} node;

/** Candidate pairs as rank << 32 | index of the left symbol: the smallest is the next to merge. An
 * entry is stale when the pair at its index has another rank by now; it is dropped when it comes
 * up. Every merge takes one entry out and puts at most two in, so twice the piece's bytes are room
 * enough. */
typedef struct chain {
    const bpe *table;
    bool plain;
    node *nodes;    /* [length] */
    uint64_t *heap; /* [2 * length] */
    size_t n_heap;
} chain;

static void heap_sink(uint64_t *heap, size_t n, size_t i) {
    uint64_t value = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= value) break;
        heap[i] = heap[child];
    }
    heap[i] = value;
}

static void heap_push(chain *c, uint64_t value) {
    size_t i = c->n_heap++;
    for (; i > 0 && c->heap[(i - 1) / 2] > value; i = (i - 1) / 2)
        c->heap[i] = c->heap[(i - 1) / 2];
    c->heap[i] = value;
}

static uint64_t heap_pop(chain *c) {
    uint64_t top = c->heap[0];
    c->heap[0] = c->heap[--c->n_heap];
    if (c->n_heap > 0) heap_sink(c->heap, c->n_heap, 0);
    return top;
}

/** The pair whose left symbol is at `i`. */
static pair pair_at(const chain *c, uint32_t i) {
    const node *left = &c->nodes[i];
    if (left->id == FREE_SLOT || left->next == NO_NODE) return (pair){NO_RANK, 0};
    return find_pair(c->table, left->id, c->nodes[left->next].id, c->plain);
}

static void push_pair(chain *c, uint32_t i) {
    if (i == NO_NODE) return;
    pair p = pair_at(c, i);
    if (p.rank != NO_RANK) heap_push(c, (uint64_t)p.rank << 32 | i);
}

static void chain_start(chain *c, const uint8_t *piece, uint32_t length) {
    for (uint32_t i = 0; i < length; i++)
        c->nodes[i] = (node){(uint32_t)c->table->byte_ids[piece[i]], i - 1, i + 1};
    c->nodes[0].prev = NO_NODE;
    c->nodes[length - 1].next = NO_NODE;
    for (uint32_t i = 0; i < length; i++) {
        pair p = pair_at(c, i);
        if (p.rank != NO_RANK) c->heap[c->n_heap++] = (uint64_t)p.rank << 32 | i;
    }
    for (size_t i = c->n_heap / 2; i-- > 0;) heap_sink(c->heap, c->n_heap, i);
}

static void chain_merge(chain *c) {
    while (c->n_heap > 0) {
        uint64_t top = heap_pop(c);
        uint32_t i = (uint32_t)top;
        pair p = pair_at(c, i);
        if (p.rank != (uint32_t)(top >> 32)) continue;
        node *left = &c->nodes[i];
        node *right = &c->nodes[left->next];
        left->id = p.result;
        left->next = right->next;
        right->id = FREE_SLOT;
        if (left->next != NO_NODE) c->nodes[left->next].prev = i;
        push_pair(c, left->prev);
        push_pair(c, i);
    }
}

static fm_status scratch_reserve(bpe_scratch *scratch, size_t size, fm_error *err) {
    if (scratch->size >= size) return FM_OK;
    bpe_scratch_free(scratch);
    scratch->memory = malloc(size);
    if (!scratch->memory)
        return error_set(err, FM_ERR_MEMORY, "out of memory for tokenising: %zu MiB are needed",
                         size >> 20);
    scratch->size = size;
    return FM_OK;
}

static fm_status encode_long(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                             bpe_scratch *scratch, fm_tokens *out, fm_error *err) {
    if (length > BPE_MAX_PIECE)
        return error_set(err, FM_ERR_LIMIT,
                         "%zu bytes without a place to split are above the limit of %d: break the "
                         "text into lines",
                         length, BPE_MAX_PIECE);
    FM_TRY(scratch_reserve(scratch, length * (2 * sizeof(uint64_t) + sizeof(node)), err));
    chain c = {.table = b, .plain = plain, .heap = scratch->memory};
    c.nodes = (node *)(c.heap + 2 * length);
    chain_start(&c, piece, (uint32_t)length);
    chain_merge(&c);
    for (uint32_t i = 0; i != NO_NODE; i = c.nodes[i].next)
        FM_TRY(tokens_append(out, (int32_t)c.nodes[i].id, err));
    return FM_OK;
}

void bpe_scratch_free(bpe_scratch *scratch) {
    free(scratch->memory);
    *scratch = (bpe_scratch){0};
}

fm_status bpe_encode(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                     bpe_scratch *scratch, fm_tokens *out, fm_error *err) {
    for (size_t i = 0; i < length; i++)
        if (b->byte_ids[piece[i]] < 0)
            return error_set(err, FM_ERR_UNSUPPORTED,
                             "the byte 0x%02X has no token in this vocabulary", piece[i]);
    if (length == 0) return FM_OK;
    if (length <= SHORT_PIECE) return encode_short(b, piece, length, plain, out, err);
    return encode_long(b, piece, length, plain, scratch, out, err);
}
