/*
 * bpe.h - byte pair encoding inside one piece of text: the pair of neighbours with the lowest merge
 * rank becomes one token, the leftmost first among equals, until no pair has a merge. A table is
 * built once in an arena that outlives it, then read only: any thread. Scratch belongs to one call
 * at a time.
 */
#ifndef FATHOM_TEXT_BPE_H
#define FATHOM_TEXT_BPE_H

#include "../base/arena.h"

enum {
    BPE_MAX_PIECE = 64 << 20, /* bytes: the working memory is 28 bytes for each */
    BPE_MAX_IDS = 1 << 20,
    BPE_MAX_MERGES = 1 << 22, /* Llama 3 has 2.2 for each of its 128,000 tokens */
};

/** (left, right) -> result, at a rank. */
typedef struct bpe_merge {
    uint32_t left, right; /* token ids */
    uint32_t rank;        /* lower comes first */
    uint32_t result;
    bool makes_added; /* the result is an added token: no merge for plain text */
} bpe_merge;

typedef struct bpe {
    uint64_t *slots;  /* [n_slots], open addressing by (left, right): both and the rank */
    size_t n_slots;   /* a power of two, at least twice the merges */
    uint64_t *filter; /* [n_slots / 16] a bit for each hash that a pair has: most that are asked for
                              have no merge, and this table is small enough to stay near */
    uint32_t *results;     /* [max_merges] by rank, with BPE_MAKES_ADDED */
    size_t max_merges;     /* ranks are below it */
    bool makes_added;      /* a merge does */
    int32_t byte_ids[256]; /* the token of each byte, -1 when the vocabulary has none */
    uint32_t
        *byte_ranks; /* [256 * 256] of the pairs of bytes, so that the first look at a piece does
                              not go through the slots; BPE_NO_RANK where there is no merge */
} bpe;

/* Above every rank and id; an enum cannot hold it. */
#define BPE_NO_RANK     UINT32_MAX
#define BPE_MAKES_ADDED (1u << 31)

/** Working memory that grows with the longest piece. Start from a zeroed struct. */
typedef struct bpe_scratch {
    void *memory;
    size_t size; /* bytes */
} bpe_scratch;

void bpe_scratch_free(bpe_scratch *scratch);

/** Makes an empty table for at most `max_merges` merges, no byte having a token yet. */
fm_status bpe_new(bpe *b, arena *memory, size_t max_merges, fm_error *err);

/** Adds a merge, of a rank below `max_merges`. As in the reference, a second merge of a pair takes
 * the place of the first. */
fm_status bpe_add(bpe *b, bpe_merge merge, fm_error *err);

/** Has to be called once, after the last merge and byte, before the first piece. */
void bpe_finish(bpe *b);

/** Appends the tokens of one piece of `length` bytes to `out`; `plain` keeps added tokens from
 * being made. FM_ERR_LIMIT above BPE_MAX_PIECE, FM_ERR_UNSUPPORTED for a byte that has no token.
 * Time is linear up to a logarithm in `length`. */
fm_status bpe_encode(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                     bpe_scratch *scratch, fm_tokens *out, fm_error *err);

#endif
