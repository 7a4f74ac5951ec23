/*
 * bpe.h - byte pair encoding inside one piece of text: the pair of neighbours with the lowest merge
 * rank becomes one token, the leftmost first among equals, until no pair has a merge. A table is
 * built once in an arena that outlives it, then read only: any thread. Scratch belongs to one call
 * at a time.
 */
#ifndef FATHOM_TEXT_BPE_H
#define FATHOM_TEXT_BPE_H

#include "../base/arena.h"

/** Bytes of one piece at most: the working memory is 28 bytes for each. */
enum { BPE_MAX_PIECE = 64 << 20 };

/** (left, right) -> result, at a rank. */
typedef struct bpe_merge {
    uint32_t left, right; /* token ids; left is UINT32_MAX in a free slot */
    uint32_t rank;        /* lower comes first */
    uint32_t result : 31;
    uint32_t makes_added : 1; /* the result is an added token: no merge for plain text */
} bpe_merge;

typedef struct bpe {
    bpe_merge *slots;      /* [n_slots], open addressing by (left, right) */
    size_t n_slots;        /* a power of two, at least twice the merges */
    int32_t byte_ids[256]; /* the token of each byte, -1 when the vocabulary has none */
} bpe;

/** Working memory that grows with the longest piece. Start from a zeroed struct. */
typedef struct bpe_scratch {
    void *memory;
    size_t size; /* bytes */
} bpe_scratch;

void bpe_scratch_free(bpe_scratch *scratch);

/** Makes an empty table for at most `max_merges` merges, no byte having a token yet. */
fm_status bpe_new(bpe *b, arena *memory, size_t max_merges, fm_error *err);

/** Adds a merge. As in the reference, a second merge of a pair takes the place of the first. */
fm_status bpe_add(bpe *b, bpe_merge merge, fm_error *err);

/** Appends the tokens of one piece of `length` bytes to `out`; `plain` keeps added tokens from
 * being made. FM_ERR_LIMIT above BPE_MAX_PIECE, FM_ERR_UNSUPPORTED for a byte that has no token.
 * Time is linear up to a logarithm in `length`. */
fm_status bpe_encode(const bpe *b, const uint8_t *piece, size_t length, bool plain,
                     bpe_scratch *scratch, fm_tokens *out, fm_error *err);

#endif
