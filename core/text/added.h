/*
 * added.h - finds added tokens ("<|im_start|>") standing in raw text. A set is built once in an
 * arena that outlives it, then read only: any thread.
 */
#ifndef FATHOM_TEXT_ADDED_H
#define FATHOM_TEXT_ADDED_H

#include "../base/arena.h"

/** Bytes of an added token at most: a search costs up to this times the text's length. */
enum { ADDED_MAX_LENGTH = 512 };

typedef struct added_token {
    const char *text; /* the owner's; must outlive the set */
    size_t length;    /* bytes, 1 to ADDED_MAX_LENGTH */
    int32_t id;
    bool lstrip, rstrip; /* takes the white space on its left, on its right, too */
    bool single_word;    /* matches only with no word character beside it */
    size_t order;        /* among the set's tokens; added_add sets it */
} added_token;

typedef struct added_set {
    added_token *tokens; /* [count], sorted by text once complete */
    size_t count;
    bool starts[256]; /* the bytes with which a token starts */
} added_set;

typedef struct added_match {
    size_t start, end; /* bytes, stripped white space included */
    int32_t id;
} added_match;

/** Makes an empty set with room for `max_tokens`. */
fm_status added_new(added_set *set, arena *memory, size_t max_tokens, fm_error *err);
/** Adds a token. Of several with the same text the first one added is found. */
void added_add(added_set *set, added_token token);
/** Has to be called once, after the last token and before the first search. */
void added_sort(added_set *set);

/** Finds the next token in text[from … length): the leftmost, the longest among those that start
 * there. White space is stripped back to `from` at most. False when there is none. */
bool added_find(const added_set *set, const char *text, size_t length, size_t from,
                added_match *out);

#endif
