/*
 * vocab.h - the tokens of a tokenizer: id -> text and bytes, text -> id. Built once in an arena
 * that outlives it, then read only: any thread.
 */
#ifndef FATHOM_TEXT_VOCAB_H
#define FATHOM_TEXT_VOCAB_H

#include "../base/arena.h"

/** Ids are below this. */
enum { VOCAB_MAX_SIZE = 1 << 20 };

typedef struct vocab_token {
    const char *text;     /* as the file writes it, terminated; NULL: no token has this id */
    const uint8_t *bytes; /* what it stands for in text */
    uint32_t text_length; /* bytes */
    uint32_t n_bytes;
    bool added;   /* matched in the raw text, before splitting */
    bool special; /* added, and not part of an answer's text */
} vocab_token;

typedef struct vocab {
    vocab_token *tokens; /* [size] */
    int32_t size;        /* highest id plus one */
    uint32_t max_text;   /* bytes of the longest text */
    uint32_t max_bytes;  /* and of the longest token's bytes */
    int32_t *slots;      /* [n_slots], open addressing: ids by hash of the text, -1 is free */
    size_t n_slots;      /* a power of two, at least twice the tokens */
    char *pool;          /* the unused rest of the memory for texts and bytes */
    size_t pool_left;    /* bytes */
} vocab;

/** What has to be known before the first token is added. */
typedef struct vocab_limits {
    int32_t size;      /* every id is below it */
    size_t n_tokens;   /* calls of vocab_add and vocab_add_added at most */
    size_t text_bytes; /* of the texts of all tokens together at most, without terminators */
} vocab_limits;

/** Makes an empty vocabulary in `memory`. */
fm_status vocab_new(vocab *v, arena *memory, vocab_limits limits, fm_error *err);

/** Adds an ordinary token, written in the byte alphabet; one that is not stands for its own text.
 * Refuses an id or a text that is there already. The text is copied. */
fm_status vocab_add(vocab *v, int32_t id, const char *text, fm_error *err);

/** Adds an added token, which stands for its own text, or marks the ordinary token of the same text
 * and id as one, whose bytes stay. The text is copied. */
fm_status vocab_add_added(vocab *v, int32_t id, const char *text, bool special, fm_error *err);

/** The id of a token by its text; -1 when absent. */
int32_t vocab_find(const vocab *v, const char *text, size_t length);

/** The id of the ordinary token, written in the byte alphabet, that stands for these bytes; -1 when
 * absent. */
int32_t vocab_find_bytes(const vocab *v, const uint8_t *bytes, size_t length);

/** The token of an id, or NULL when there is none. */
const vocab_token *vocab_get(const vocab *v, int32_t id);

#endif
