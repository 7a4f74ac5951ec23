/*
 * fuzz_tokenizer.c - the reader of tokenizer.json. An input that starts with '{' is the file
 * itself. Any other is up to four lines that are put into the interesting places of a small valid
 * file, so that the fuzzer need not invent that first. A tokenizer that comes out has to work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file_format[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"Ġ\":3,\"<\":4,\"s\":5,\">"
    "\":6%.*s},"
    "\"merges\":[\"a "
    "b\"%.*s],\"ignore_merges\":false},\"added_tokens\":[{\"id\":9,\"content\":\"<s>\","
    "\"special\":true,\"lstrip\":true}%.*s],\"pre_tokenizer\":{\"type\":\"Sequence\","
    "\"pretokenizers\":["
    "{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":"
    "false,"
    "\"use_regex\":true}]},\"decoder\":{\"type\":\"ByteLevel\"}%.*s}";

/** Writes the file; the caller frees it. */
static char *make_file(const uint8_t *data, size_t size, size_t *length) {
    const char *line[4] = {"", "", "", ""};
    int n[4] = {0};
    const char *rest = (const char *)data;
    for (int i = 0; i < 4 && size > 0; i++) {
        const char *end = memchr(rest, '\n', size);
        line[i] = rest;
        n[i] = (int)(end ? (size_t)(end - rest) : size);
        size_t used = (size_t)n[i] + (end != NULL);
        rest += used;
        size -= used;
    }
    size_t room = sizeof file_format + (size_t)(n[0] + n[1] + n[2] + n[3]);
    char *out = malloc(room);
    if (!out) abort();
    *length = (size_t)snprintf(out, room, file_format, n[0], line[0], n[1], line[1], n[2], line[2],
                               n[3], line[3]);
    return out;
}

static void use(const fm_tokenizer *t, const char *text, size_t length) {
    static const fm_message messages[] = {{"system", "a<s>b"}, {"user", " ab"}};
    fm_tokens tokens = {0};
    fm_error err;
    for (int mode = FM_ENCODE_ADDED; mode <= FM_ENCODE_PLAIN; mode++) {
        (void)fm_tokenizer_encode(t, text, length, (fm_encode_mode)mode, &tokens, &err);
        (void)fm_tokenizer_encode(t, "ab <s>  ", 8, (fm_encode_mode)mode, &tokens, &err);
    }
    (void)fm_chat_encode(t, "chatml", messages, 2, &tokens, &err);
    fm_decoder d = {0};
    char *out = malloc(fm_decoder_bound(t));
    if (!out) abort();
    for (size_t i = 0; i < tokens.count; i++) {
        size_t n;
        if (tokens.ids[i] < 0 || tokens.ids[i] >= fm_tokenizer_vocab_size(t)) abort();
        if (fm_decoder_push(&d, t, tokens.ids[i], out, fm_decoder_bound(t), &n) != FM_OK) abort();
    }
    free(out);
    fm_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool whole = size > 0 && data[0] == '{';
    size_t length = size;
    char *made = whole ? NULL : make_file(data, size, &length);
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    const char *text = whole ? (const char *)data : made;
    fm_status status = tokenizer_parse(text, length, NULL, 0, &t, &err);
    if ((status == FM_OK) != (t != NULL) || (!t && !err.text[0])) abort();
    if (t) use(t, (const char *)data, size);
    fm_tokenizer_close(t);
    free(made);
    return 0;
}
