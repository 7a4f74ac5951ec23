/*
 * decode.c - ids -> text. A token may end inside a code point; its bytes wait in the decoder
 * until the next token completes them or makes them wrong.
 */
#include <string.h>

#include "../base/utf8.h"
#include "tokenizer.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

enum { REPLACEMENT_SIZE = 3 };

/* Each byte that arrives can end at most one invalid part, and those that wait are one. */
size_t fm_decoder_bound(const fm_tokenizer *t) {
    return REPLACEMENT_SIZE * ((size_t)t->vocab.max_bytes + 1);
}

/** Takes in one byte and returns how many bytes of text it completed. */
static size_t push_byte(fm_decoder *d, uint8_t byte, char *out) {
    size_t written = 0;
    d->pending[d->n_pending++] = byte;
    while (d->n_pending > 0) {
        utf8_char c = utf8_decode(d->pending, d->n_pending);
        if (c.kind == UTF8_KIND_TRUNCATED) break;
        bool valid = c.kind == UTF8_KIND_CHAR;
        size_t size = valid ? c.length : REPLACEMENT_SIZE;
        memcpy(out + written, valid ? (const char *)d->pending : REPLACEMENT, size);
        written += size;
        d->n_pending = (uint8_t)(d->n_pending - c.length);
        memmove(d->pending, d->pending + c.length, d->n_pending);
    }
    return written;
}

fm_status fm_decoder_push(fm_decoder *d, const fm_tokenizer *t, int32_t id, char *out,
                          size_t out_size, size_t *length) {
    *length = 0;
    if (out_size < fm_decoder_bound(t) || d->n_pending >= sizeof d->pending) return FM_ERR_ARG;
    if (d->skip_special && fm_tokenizer_is_special(t, id)) return FM_OK;
    size_t n_bytes;
    const char *bytes = fm_tokenizer_bytes(t, id, &n_bytes);
    for (size_t i = 0; i < n_bytes; i++) *length += push_byte(d, (uint8_t)bytes[i], out + *length);
    return FM_OK;
}

size_t fm_decoder_end(fm_decoder *d, char *out) {
    if (d->n_pending == 0) return 0;
    d->n_pending = 0;
    memcpy(out, REPLACEMENT, REPLACEMENT_SIZE);
    return REPLACEMENT_SIZE;
}
