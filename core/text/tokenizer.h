/*
 * tokenizer.h - what an fm_tokenizer is made of, for core/text alone. Everything lies in one arena
 * that the tokenizer owns. Immutable once built: any thread.
 */
#ifndef FATHOM_TEXT_TOKENIZER_H
#define FATHOM_TEXT_TOKENIZER_H

#include "../base/json.h"
#include "added.h"
#include "bpe.h"
#include "split.h"
#include "vocab.h"
#include "whole.h"

/** The searches for added tokens, in this order. The second one sees what the first one left, after
 * normalization. */
typedef enum added_search {
    ADDED_RAW,
    ADDED_NORMALIZED, /* the tokens that the file marks so */
    ADDED_COUNT
} added_search;

struct fm_tokenizer {
    arena *memory;
    vocab vocab;
    bpe bpe;
    added_set added[ADDED_COUNT];
    split_rule rule;
    bool nfc;          /* text between the tokens of the first search is normalized */
    whole_table whole; /* what no merges have to be made for; with ignore_merges all tokens */
    bool adds_bos;
    bool opens_reasoning; /* the directory's chat template begins the answer with <think> */
    int32_t bos, eos;     /* -1: none */
};

/** Builds a tokenizer from the bytes of a tokenizer.json and, unless NULL, a tokenizer_config.json.
 */
fm_status tokenizer_parse(const char *text, size_t length, const char *config_text,
                          size_t config_length, fm_tokenizer **out, fm_error *err);

/** Builds a tokenizer from the two parsed files; `config` may be NULL. Keeps nothing of them. */
fm_status tokenizer_build(const json *root, const json *config, fm_tokenizer **out, fm_error *err);

#endif
