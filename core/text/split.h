/*
 * split.h - cuts text into the pieces inside which byte pairs are merged (what the reference calls
 * pre-tokenisation). A split_rule stands for one published chain of splitters; each is matched by
 * hand, there is no regular expression engine. Pure functions over the caller's text: any thread.
 *
 * The first splitter of a chain cuts the text, the next one cuts each of those pieces and sees
 * nothing beyond its ends, and so on. What a splitter does not match stays as one piece. Pieces
 * cover the text without gap or overlap.
 *
 * The reference takes well-formed text only. Here each maximal invalid part of UTF-8 counts as one
 * character of no class: not a letter, mark, number, punctuation, symbol or space.
 */
#ifndef FATHOM_TEXT_SPLIT_H
#define FATHOM_TEXT_SPLIT_H

#include <stdbool.h>

#include "../base/json.h"

typedef enum split_rule {
    SPLIT_RULE_DEEPSEEK_LLM,        /* deepseek-llm, moe-16b, V2, Coder-V2: digits one by one */
    SPLIT_RULE_DEEPSEEK_LLM_RUNS,   /* the same with numbers in runs, as GGUF files mean it */
    SPLIT_RULE_DEEPSEEK_CODER,      /* deepseek-coder: digits one by one */
    SPLIT_RULE_DEEPSEEK_CODER_GGUF, /* the same with \p{N}, which knows fewer digits */
    SPLIT_RULE_DEEPSEEK_V3,
    SPLIT_RULE_LLAMA3,
    SPLIT_RULE_QWEN2,
    SPLIT_RULE_GPT2,
    SPLIT_RULE_SMOLLM, /* digits one by one, then the GPT-2 rule */
    SPLIT_RULE_COUNT
} split_rule;

/** Finds the rule that a tokenizer.json's `pre_tokenizer` describes. FM_ERR_UNSUPPORTED, with the
 * description in the text, when it is none of the known ones. `node` may be NULL. */
fm_status split_recognise(const json *node, split_rule *out, fm_error *err);

enum { SPLIT_MAX_STEPS = 6 }; /* splitters of a chain */

/** A walk over the pieces of a text; the text is the caller's and must outlive it. */
typedef struct split {
    split_rule rule;
    const uint8_t *text;
    size_t length;                /* bytes */
    size_t end;                   /* of the last piece: where the next one starts */
    size_t ends[SPLIT_MAX_STEPS]; /* of each splitter's piece that holds `end` */
} split;

split split_begin(split_rule rule, const uint8_t *text, size_t length);

/** Sets *start and *end to the bounds of the next piece; false at the end of the text. All calls of
 * a walk together take time linear in the text. */
bool split_next(split *s, size_t *start, size_t *end);

#endif
