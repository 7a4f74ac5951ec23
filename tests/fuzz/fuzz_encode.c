/*
 * fuzz_encode.c - any bytes through a fixed tokenizer. The first byte chooses the split rule and
 * whether text is normalized. The plain tokens' bytes have to be the input, or its normal form,
 * which has to be its own normal form; and the decoder has to give whole UTF-8 that a second
 * decoder, fed byte by byte, gives too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/nfc.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The bytes, merges among a few of them, and two added tokens. */
static fm_tokenizer *make_tokenizer(split_rule rule, bool nfc) {
    static char text[1 << 14];
    size_t n = (size_t)sprintf(
        text, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"aa\":256,\"aaa\":257,"
              "\"aaaa\":258,\"ĠĠ\":259,\"ĠĠĠĠ\":260,\"Ã©\":261,\"ab\":262,\"Ġa\":263");
    for (int byte = 0; byte < 256; byte++) {
        char symbol[3] = "";
        symbol[alphabet_symbol((uint8_t)byte, symbol)] = '\0';
        const char *escape = *symbol == '"' || *symbol == '\\' ? "\\" : "";
        n += (size_t)sprintf(text + n, ",\"%s%s\":%d", escape, symbol, byte);
    }
    n += (size_t)sprintf(
        text + n,
        "},\"merges\":[\"Ġ Ġ\",\"a a\",\"a b\",\"aa a\",\"aa aa\",\"ĠĠ ĠĠ\",\"Ã ©\",\"Ġ a\"]},"
        "\"added_tokens\":[{\"id\":300,\"content\":\"<s>\",\"special\":true,\"lstrip\":true,"
        "\"rstrip\":true},{\"id\":301,\"content\":\"s>a\",\"normalized\":true}],"
        "\"decoder\":{\"type\":\"ByteLevel\"},\"normalizer\":%s,"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}}",
        nfc ? "{\"type\":\"NFC\"}" : "null");
    fm_tokenizer *t = NULL;
    if (tokenizer_parse(text, n, NULL, 0, &t, NULL) != FM_OK) abort();
    t->rule = rule;
    return t;
}

static void check_round_trip(const fm_tokenizer *t, const fm_tokens *tokens, const uint8_t *data,
                             size_t size) {
    size_t done = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        size_t n;
        const char *bytes = fm_tokenizer_bytes(t, tokens->ids[i], &n);
        if (tokens->ids[i] >= 300 || n > size - done || memcmp(bytes, data + done, n) != 0) abort();
        done += n;
    }
    if (done != size) abort();
}

/** Normalizes the input, twice. */
static void normalize(const uint8_t *data, size_t size, nfc_text *out) {
    nfc_text twice = {0};
    if (nfc_normalize(data, size, out, NULL) != FM_OK) abort();
    if (nfc_normalize(out->bytes, out->length, &twice, NULL) != FM_OK) abort();
    if (out->length != twice.length) abort();
    if (out->length > 0 && memcmp(out->bytes, twice.bytes, out->length) != 0) abort();
    if (nfc_is_stable(data, size) && out->length != size) abort();
    nfc_free(&twice);
}

/** Decodes and returns the text, which the caller frees. */
static char *decode(const fm_tokenizer *t, const fm_tokens *tokens, size_t *length) {
    size_t bound = fm_decoder_bound(t);
    char *out = malloc((tokens->count + 1) * bound);
    fm_decoder d = {0};
    *length = 0;
    if (!out) abort();
    for (size_t i = 0; i < tokens->count; i++) {
        size_t n;
        if (fm_decoder_push(&d, t, tokens->ids[i], out + *length, bound, &n) != FM_OK) abort();
        *length += n;
    }
    *length += fm_decoder_end(&d, out + *length);
    for (size_t pos = 0; pos < *length;) {
        utf8_char c = utf8_decode((const uint8_t *)out + pos, *length - pos);
        if (c.kind != UTF8_KIND_CHAR) abort();
        pos += c.length;
    }
    return out;
}

static void check_decoder(const fm_tokenizer *t, const fm_tokens *tokens, const uint8_t *data,
                          size_t size) {
    fm_tokens bytes = {0};
    for (size_t i = 0; i < size; i++)
        if (fm_tokens_append(&bytes, data[i]) != FM_OK) abort();
    size_t n, m;
    char *text = decode(t, tokens, &n);
    char *same = decode(t, &bytes, &m);
    if (n != m || memcmp(text, same, n) != 0) abort();
    free(text);
    free(same);
    fm_tokens_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fm_tokenizer *tokenizers[2 * SPLIT_RULE_COUNT];
    if (size == 0) return 0;
    int kind = data[0] % (2 * SPLIT_RULE_COUNT);
    if (!tokenizers[kind])
        tokenizers[kind] =
            make_tokenizer((split_rule)(kind % SPLIT_RULE_COUNT), kind >= SPLIT_RULE_COUNT);
    const fm_tokenizer *t = tokenizers[kind];
    const char *text = (const char *)data + 1;
    fm_tokens tokens = {0};
    if (fm_tokenizer_encode(t, text, size - 1, FM_ENCODE_ADDED, &tokens, NULL) != FM_OK) abort();
    tokens.count = 0;
    if (fm_tokenizer_encode(t, text, size - 1, FM_ENCODE_PLAIN, &tokens, NULL) != FM_OK) abort();
    nfc_text normal = {0};
    if (t->nfc) normalize(data + 1, size - 1, &normal);
    const uint8_t *expected = t->nfc ? normal.bytes : data + 1;
    size_t length = t->nfc ? normal.length : size - 1;
    check_round_trip(t, &tokens, expected, length);
    check_decoder(t, &tokens, expected, length);
    nfc_free(&normal);
    fm_tokens_free(&tokens);
    return 0;
}
