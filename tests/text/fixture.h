/*
 * fixture.h - what the suites of core/text share: tokenizers made from short descriptions, the
 * checked-in tokenizers, and a random stream. It brings cmocka with it.
 */
#ifndef FATHOM_TESTS_TEXT_FIXTURE_H
#define FATHOM_TESTS_TEXT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/alphabet.h"
#include "text/tokenizer.h"

/** A short tokenizer.json: the tokens of all bytes but `without` (id = byte), then these parts. A
 * part left NULL takes the default beside it. */
typedef struct fixture_json {
    const char *vocab;         /* more entries, each with a comma in front: ,"ab":256 */
    const char *merges;        /* entries: "a b","ab c" */
    const char *added;         /* entries: {"id":300,"content":"<x>"} */
    const char *model;         /* more members, each with a comma in front: ,"ignore_merges":true */
    const char *root;          /* more members of the file */
    const char *pre_tokenizer; /* smollm's */
    const char *decoder;       /* {"type":"ByteLevel"} */
    const char *without;       /* bytes without a token */
} fixture_json;

#define FIXTURE_DIGITS "{\"type\":\"Digits\",\"individual_digits\":true}"
#define FIXTURE_SMOLLM                                                                             \
    "{\"type\":\"Sequence\",\"pretokenizers\":[" FIXTURE_DIGITS                                    \
    ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]}"

static inline const char *fixture_or(const char *text, const char *fallback) {
    return text ? text : fallback;
}

/** Writes the file; the caller frees it. */
static inline char *fixture_write(const fixture_json *part) {
    char words[8192] = "";
    size_t n = 0;
    for (int byte = 0; byte < 256; byte++) {
        char symbol[3] = "";
        if (part->without && byte && strchr(part->without, byte)) continue;
        symbol[alphabet_symbol((uint8_t)byte, symbol)] = '\0';
        const char *escape = *symbol == '"' || *symbol == '\\' ? "\\" : "";
        n += (size_t)snprintf(words + n, sizeof words - n, "%s\"%s%s\":%d", n ? "," : "", escape,
                              symbol, byte);
    }
    size_t size = 65536;
    char *out = malloc(size);
    assert_non_null(out);
    int length = snprintf(
        out, size,
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{%s%s},\"merges\":[%s]%s},\"added_tokens\":[%s],"
        "\"pre_tokenizer\":%s,\"decoder\":%s%s}",
        words, fixture_or(part->vocab, ""), fixture_or(part->merges, ""),
        fixture_or(part->model, ""), fixture_or(part->added, ""),
        fixture_or(part->pre_tokenizer, FIXTURE_SMOLLM),
        fixture_or(part->decoder, "{\"type\":\"ByteLevel\"}"), fixture_or(part->root, ""));
    assert_true(length > 0 && (size_t)length < size);
    return out;
}

static inline fm_status fixture_parse(const fixture_json *part, const char *config_text,
                                      fm_tokenizer **out, fm_error *err) {
    char *text = fixture_write(part);
    fm_status status = tokenizer_parse(text, strlen(text), config_text,
                                       config_text ? strlen(config_text) : 0, out, err);
    free(text);
    return status;
}

/** A tokenizer that has to be right. */
static inline fm_tokenizer *fixture_make(const fixture_json *part, const char *config_text) {
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    if (fixture_parse(part, config_text, &t, &err) != FM_OK) fail_msg("%s", err.text);
    return t;
}

/** The tokenizer of a directory that has to be right. */
static inline fm_tokenizer *fixture_open(const char *dir) {
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    if (fm_tokenizer_open(dir, &t, &err) != FM_OK) fail_msg("%s", err.text);
    return t;
}

static inline fm_tokens fixture_encode(const fm_tokenizer *t, const char *text, size_t length,
                                       fm_encode_mode mode) {
    fm_tokens tokens = {0};
    fm_error err = {0};
    if (fm_tokenizer_encode(t, text, length, mode, &tokens, &err) != FM_OK)
        fail_msg("%s", err.text);
    return tokens;
}

static inline void fixture_expect_ids(const fm_tokens *tokens, const int32_t *ids, size_t n) {
    assert_int_equal(tokens->count, n);
    if (n > 0) assert_memory_equal(tokens->ids, ids, n * sizeof *ids);
}

/** The next number of a random stream. */
static inline uint32_t fixture_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

#endif
