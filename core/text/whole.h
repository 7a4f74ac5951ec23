/*
 * whole.h - the pieces of text that become one token as they stand: those whose merges lead to a
 * token of the vocabulary, which is what nearly all pieces of real text do. One look at this table
 * then takes the place of all merges. Built once in an arena that outlives it, then read only: any
 * thread.
 */
#ifndef FATHOM_TEXT_WHOLE_H
#define FATHOM_TEXT_WHOLE_H

#include "vocab.h"

/** Up to 8 bytes are their own key, with which the length makes them exact; longer pieces have a
 * hash for one and are compared with the token's bytes. */
typedef struct whole_piece {
    uint64_t key;
    uint32_t length; /* bytes; 0 in a free slot */
    int32_t id;
} whole_piece;

typedef struct whole_table {
    whole_piece *slots; /* [n_slots], open addressing by key */
    size_t n_slots;     /* a power of two, at least twice the pieces */
    uint32_t max_length;
} whole_table;

/** Makes an empty table with room for `max_pieces`. */
fm_status whole_new(whole_table *w, arena *memory, size_t max_pieces, fm_error *err);

/** Adds a token's bytes, which have to be in the table of `v`; no two tokens have the same. */
fm_status whole_add(whole_table *w, const vocab *v, int32_t id, fm_error *err);

/** The token that a whole piece becomes, or -1 when its merges have to be made. */
int32_t whole_find(const whole_table *w, const vocab *v, const uint8_t *piece, size_t length);

#endif
