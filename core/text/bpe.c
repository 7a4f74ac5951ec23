/*
 * bpe.c - the merge table and the two ways of merging a piece, both along a linked list of symbols.
 * Nearly all pieces are a few bytes long: there a search through all pairs for each merge, which
 * the compiler makes vectors of, beats every clever structure. Long ones (a run of a million spaces
 * is one piece) use a heap of pairs.
 */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#include "tokens.h"

/* Above every id and index; an enum cannot hold them. */
#define NO_ID     UINT32_MAX
#define NO_NODE   UINT32_MAX
#define FREE_SLOT UINT64_MAX

enum {
    MAX_PROBES = 512,
    ID_BITS = 20,
    RANK_BITS = 22,
    FILTER_SHARE = 16, /* slots for each word of the filter: 8 bits or more for each pair */
    INDEX_BITS = 8,
    SHORT_PIECE = 1 << INDEX_BITS, /* bytes; about where the heap starts to win */
};

/* A slot is left, right and rank; a rank and an index in a short piece are one key. */
_Static_assert(BPE_MAX_IDS == 1 << ID_BITS && BPE_MAX_MERGES == 1 << RANK_BITS, "slots fit");
_Static_assert(BPE_MAX_MERGES <= INT32_MAX >> INDEX_BITS, "keys are 32-bit");

/* ---- The table -------------------------------------------------------------------------------
 * It is small, because looking at it costs most of the time, and that is waiting for memory. */

fm_status bpe_new(bpe *b, arena *memory, size_t max_merges, fm_error *err) {
    size_t n_slots = 16;
    while (n_slots / 2 < max_merges && n_slots <= SIZE_MAX / 2) n_slots *= 2;
    *b = (bpe){.n_slots = n_slots, .max_merges = max_merges};
    b->slots = arena_alloc(memory, n_slots, sizeof *b->slots);
    b->filter = arena_alloc(memory, n_slots / FILTER_SHARE, sizeof *b->filter);
    b->results = arena_alloc(memory, max_merges, sizeof *b->results);
    b->byte_ranks = arena_alloc(memory, 1 << 16, sizeof *b->byte_ranks);
    if (!b->slots || !b->filter || !b->results || !b->byte_ranks)
        return error_set(err, FM_ERR_MEMORY, "out of memory for %zu merges", max_merges);
    for (size_t i = 0; i < n_slots; i++) b->slots[i] = FREE_SLOT;
    for (int i = 0; i < 256; i++) b->byte_ids[i] = -1;
    return FM_OK;
}

/** What the slot of a pair holds above the rank. */
static uint64_t pack_pair(uint32_t left, uint32_t right) {
    return (uint64_t)left << (ID_BITS + RANK_BITS) | (uint64_t)right << RANK_BITS;
}

static bool is_pair(uint64_t slot, uint64_t packed) {
    return (slot ^ packed) >> RANK_BITS == 0;
}

static uint64_t hash_pair(uint64_t packed) {
    uint64_t h = (packed >> RANK_BITS) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

/** The first slot to look at. */
static size_t place_of(const bpe *b, uint64_t hash) {
    return (size_t)hash & (b->n_slots - 1);
}

/** The filter's word of a hash; its bit is the number in the highest bits. */
static uint64_t *filter_word(const bpe *b, uint64_t hash) {
    return &b->filter[(size_t)(hash >> 24) & (b->n_slots / FILTER_SHARE - 1)];
}

/** The rank of a pair, or BPE_NO_RANK. */
static uint32_t rank_of_pair(const bpe *b, uint32_t left, uint32_t right, bool plain) {
    uint64_t packed = pack_pair(left, right);
    uint64_t hash = hash_pair(packed);
    if (!(*filter_word(b, hash) >> (hash >> 58) & 1)) return BPE_NO_RANK;
    for (size_t i = place_of(b, hash);; i = (i + 1) & (b->n_slots - 1)) {
        uint64_t slot = b->slots[i];
        if (slot == FREE_SLOT) return BPE_NO_RANK;
        if (!is_pair(slot, packed)) continue;
        uint32_t rank = (uint32_t)slot & (BPE_MAX_MERGES - 1);
        bool hidden = plain && b->makes_added && (b->results[rank] & BPE_MAKES_ADDED);
        return hidden ? BPE_NO_RANK : rank;
    }
}

/** The token that the merge of a rank makes. */
static uint32_t result_of(const bpe *b, uint32_t rank) {
    return b->results[rank] & ~BPE_MAKES_ADDED;
}

/* A file can be made so that its pairs collide; no honest one reaches the limit of probes. */
fm_status bpe_add(bpe *b, bpe_merge merge, fm_error *err) {
    if (merge.rank >= b->max_merges || merge.rank >= BPE_MAX_MERGES || merge.left >= BPE_MAX_IDS ||
        merge.right >= BPE_MAX_IDS)
        return error_set(err, FM_ERR_LIMIT, "tokenizer.json: merge %u is one too many", merge.rank);
    b->results[merge.rank] = merge.result | (merge.makes_added ? BPE_MAKES_ADDED : 0);
    b->makes_added |= merge.makes_added;
    uint64_t packed = pack_pair(merge.left, merge.right);
    uint64_t hash = hash_pair(packed);
    size_t start = place_of(b, hash);
    *filter_word(b, hash) |= (uint64_t)1 << (hash >> 58);
    for (size_t i = 0; i < MAX_PROBES; i++) {
        uint64_t *slot = &b->slots[(start + i) & (b->n_slots - 1)];
        if (*slot != FREE_SLOT && !is_pair(*slot, packed)) continue;
        *slot = packed | merge.rank;
        return FM_OK;
    }
    return error_set(err, FM_ERR_FORMAT, "tokenizer.json: merge %u collides with too many others",
                     merge.rank);
}

void bpe_finish(bpe *b) {
    for (size_t i = 0; i < 1 << 16; i++) {
        int32_t left = b->byte_ids[i >> 8], right = b->byte_ids[i & 0xFF];
        bool both = left >= 0 && right >= 0;
        b->byte_ranks[i] =
            both ? rank_of_pair(b, (uint32_t)left, (uint32_t)right, false) : BPE_NO_RANK;
    }
}

/** The rank of the pair of two bytes, or BPE_NO_RANK. */
static uint32_t rank_of_bytes(const bpe *b, const uint8_t *bytes, bool plain) {
    uint32_t rank = b->byte_ranks[bytes[0] << 8 | bytes[1]];
    bool hidden =
        plain && b->makes_added && rank != BPE_NO_RANK && (b->results[rank] & BPE_MAKES_ADDED);
    return hidden ? BPE_NO_RANK : rank;
}

/* ---- Short pieces ---------------------------------------------------------------------------- */

/** The symbols of a piece, each at the index of its first byte, and for each the key of its pair
 * with the next one: rank << INDEX_BITS | index, so that the lowest key is the next to merge. */
typedef struct row {
    int32_t keys[SHORT_PIECE]; /* NO_KEY: no merge, or merged into the one before */
    uint32_t ids[SHORT_PIECE];
    uint16_t prev[SHORT_PIECE + 1], next[SHORT_PIECE];
} row;

#define NO_KEY INT32_MAX

static int32_t make_key(uint32_t rank, size_t i) {
    return rank == BPE_NO_RANK ? NO_KEY : (int32_t)(rank << INDEX_BITS | (uint32_t)i);
}

static int32_t lowest_key(const int32_t *keys, size_t n) {
    int32_t lowest = NO_KEY;
    for (size_t i = 0; i < n; i++) lowest = keys[i] < lowest ? keys[i] : lowest;
    return lowest;
}

/** Merges until no pair is left; the first symbol stays at index 0. */
static void merge_row(const bpe *b, row *r, size_t length, bool plain) {
    for (int32_t key; (key = lowest_key(r->keys, length)) != NO_KEY;) {
        size_t i = (size_t)key & (SHORT_PIECE - 1);
        size_t gone = r->next[i], next = r->next[gone], prev = r->prev[i];
        uint32_t id = result_of(b, (uint32_t)key >> INDEX_BITS);
        r->ids[i] = id;
        r->next[i] = (uint16_t)next;
        r->prev[next] = (uint16_t)i;
        r->keys[gone] = NO_KEY;
        r->keys[i] = next < length ? make_key(rank_of_pair(b, id, r->ids[next], plain), i) : NO_KEY;
        if (i > 0) r->keys[prev] = make_key(rank_of_pair(b, r->ids[prev], id, plain), prev);
    }
}

static fm_status encode_short(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                              fm_tokens *out, fm_error *err) {
    row r;
    for (size_t i = 0; i < length; i++) {
        bool last = i + 1 == length;
        r.ids[i] = (uint32_t)b->byte_ids[piece[i]];
        r.keys[i] = last ? NO_KEY : make_key(rank_of_bytes(b, piece + i, plain), i);
        r.next[i] = (uint16_t)(i + 1);
        r.prev[i + 1] = (uint16_t)i;
    }
    r.prev[0] = 0;
    merge_row(b, &r, length, plain);
    for (size_t i = 0; i < length; i = r.next[i])
        FM_TRY(tokens_append(out, (int32_t)r.ids[i], err));
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

/** The rank of the pair whose left symbol is at `i`. */
static uint32_t rank_at(const chain *c, uint32_t i) {
    const node *left = &c->nodes[i];
    if (left->id == NO_ID || left->next == NO_NODE) return BPE_NO_RANK;
    return rank_of_pair(c->table, left->id, c->nodes[left->next].id, c->plain);
}

static void push_pair(chain *c, uint32_t i) {
    if (i == NO_NODE) return;
    uint32_t rank = rank_at(c, i);
    if (rank != BPE_NO_RANK) heap_push(c, (uint64_t)rank << 32 | i);
}

static void chain_start(chain *c, const uint8_t *piece, uint32_t length) {
    for (uint32_t i = 0; i < length; i++)
        c->nodes[i] = (node){(uint32_t)c->table->byte_ids[piece[i]], i - 1, i + 1};
    c->nodes[0].prev = NO_NODE;
    c->nodes[length - 1].next = NO_NODE;
    for (uint32_t i = 0; i + 1 < length; i++) {
        uint32_t rank = rank_of_bytes(c->table, piece + i, c->plain);
        if (rank != BPE_NO_RANK) c->heap[c->n_heap++] = (uint64_t)rank << 32 | i;
    }
    for (size_t i = c->n_heap / 2; i-- > 0;) heap_sink(c->heap, c->n_heap, i);
}

static void chain_merge(chain *c) {
    while (c->n_heap > 0) {
        uint64_t top = heap_pop(c);
        uint32_t i = (uint32_t)top;
        uint32_t rank = rank_at(c, i);
        if (rank != (uint32_t)(top >> 32)) continue;
        node *left = &c->nodes[i];
        node *right = &c->nodes[left->next];
        left->id = result_of(c->table, rank);
        left->next = right->next;
        right->id = NO_ID;
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
