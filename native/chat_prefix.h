/*
 * chat_prefix.h - what the engine has computed of a conversation: the ids of the last prompt and of
 * its answer, and where the answers stand in them. A model need not write a text in the ids that
 * the tokenizer would give it, so a prompt that holds such an answer again is given the answer's
 * own ids, and nothing in front of the new question is computed twice.
 */
#ifndef FATHOM_NATIVE_CHAT_PREFIX_H
#define FATHOM_NATIVE_CHAT_PREFIX_H

#include "fathom.h"

/* Ids from `begin` up to `end`. */
typedef struct chat_span {
    size_t begin;
    size_t end;
} chat_span;

/* Start from a zeroed struct. */
typedef struct chat_prefix {
    fm_tokens ids;
    chat_span *answers; /* [n_answers], in order */
    size_t n_answers;
} chat_prefix;

/** Where a prompt has the kept ids but, in place of kept answers, other ids of the same text, gives
 * it theirs, up to the last answer where all this holds. Marks of the layout are compared as ids,
 * so no text becomes one; an answer with special tokens in it is no text. Returns how many answers
 * the prompt has as they are kept. Out of memory the prompt stays as it is. */
size_t chat_prefix_apply(const chat_prefix *p, const fm_tokenizer *t, fm_tokens *prompt);

/** Keeps a prompt, whose ids move here, that has the first `n_answers` kept answers, and its
 * answer, [n_ids]. Out of memory nothing is kept. */
void chat_prefix_keep(chat_prefix *p, size_t n_answers, fm_tokens *prompt, const int32_t *ids,
                      size_t n_ids);

void chat_prefix_free(chat_prefix *p); /* and zeroes the struct */

#endif
