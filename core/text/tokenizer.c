/*
 * tokenizer.c - text -> ids and the questions about tokens. Encoding is steps inside each other:
 * added tokens are taken out, the text between them is normalized and cut into pieces, each piece
 * is merged.
 */
#include "tokenizer.h"

#include <string.h>

#include "nfc.h"
#include "tokens.h"

/** One call of fm_tokenizer_encode. */
typedef struct encoder {
    const fm_tokenizer *t;
    bool plain;
    bpe_scratch scratch;
    nfc_text normal;
    fm_tokens *out;
    fm_error *err;
} encoder;

static fm_status encode_piece(encoder *e, const uint8_t *piece, size_t length) {
    const fm_tokenizer *t = e->t;
    int32_t id = whole_find(&t->whole, &t->vocab, piece, length);
    if (id >= 0) return tokens_append(e->out, id, e->err);
    return bpe_encode(&t->bpe, piece, length, e->plain, &e->scratch, e->out, e->err);
}

static fm_status encode_text(encoder *e, const char *text, size_t length) {
    const uint8_t *bytes = (const uint8_t *)text;
    split s = split_begin(e->t->rule, bytes, length);
    for (size_t start, end; split_next(&s, &start, &end);)
        FM_TRY(encode_piece(e, bytes + start, end - start));
    return FM_OK;
}

/** Takes out the added tokens that are matched in normalized text. */
static fm_status encode_normal(encoder *e, const char *text, size_t length) {
    size_t done = 0;
    const added_set *set = &e->t->added[ADDED_NORMALIZED];
    for (added_match m; !e->plain && added_find(set, text, length, done, &m); done = m.end) {
        FM_TRY(encode_text(e, text + done, m.start - done));
        FM_TRY(tokens_append(e->out, m.id, e->err));
    }
    return encode_text(e, text + done, length - done);
}

static fm_status encode_raw(encoder *e, const char *text, size_t length) {
    const uint8_t *bytes = (const uint8_t *)text;
    if (!e->t->nfc || nfc_is_stable(bytes, length)) return encode_normal(e, text, length);
    FM_TRY(nfc_normalize(bytes, length, &e->normal, e->err));
    return encode_normal(e, (const char *)e->normal.bytes, e->normal.length);
}

/** Takes out the added tokens that are matched in the text as it stands. */
static fm_status encode_added(encoder *e, const char *text, size_t length) {
    size_t done = 0;
    const added_set *set = &e->t->added[ADDED_RAW];
    for (added_match m; !e->plain && added_find(set, text, length, done, &m); done = m.end) {
        FM_TRY(encode_raw(e, text + done, m.start - done));
        FM_TRY(tokens_append(e->out, m.id, e->err));
    }
    return encode_raw(e, text + done, length - done);
}

/** Puts the BOS token in front of the ids from `first` on, unless one stands there. */
static fm_status add_bos(const fm_tokenizer *t, fm_tokens *out, size_t first, fm_error *err) {
    if (out->count > first && out->ids[first] == t->bos) return FM_OK;
    FM_TRY(tokens_append(out, t->bos, err));
    memmove(out->ids + first + 1, out->ids + first, (out->count - 1 - first) * sizeof *out->ids);
    out->ids[first] = t->bos;
    return FM_OK;
}

fm_status fm_tokenizer_encode(const fm_tokenizer *t, const char *text, size_t length,
                              fm_encode_mode mode, fm_tokens *out, fm_error *err) {
    size_t first = out->count;
    encoder e = {.t = t, .plain = mode == FM_ENCODE_PLAIN, .out = out, .err = err};
    fm_status status = length > 0 ? encode_added(&e, text, length) : FM_OK;
    if (status == FM_OK && mode == FM_ENCODE_PROMPT && t->adds_bos)
        status = add_bos(t, out, first, err);
    if (status != FM_OK) out->count = first;
    bpe_scratch_free(&e.scratch);
    nfc_free(&e.normal);
    return status;
}

void fm_tokenizer_close(fm_tokenizer *t) {
    if (t) arena_free(t->memory);
}

int32_t fm_tokenizer_vocab_size(const fm_tokenizer *t) {
    return t->vocab.size;
}

int32_t fm_tokenizer_find(const fm_tokenizer *t, const char *token) {
    return vocab_find(&t->vocab, token, strlen(token));
}

int32_t fm_tokenizer_bos(const fm_tokenizer *t) {
    return t->bos;
}

int32_t fm_tokenizer_eos(const fm_tokenizer *t) {
    return t->eos;
}

bool fm_tokenizer_adds_bos(const fm_tokenizer *t) {
    return t->adds_bos;
}

bool fm_tokenizer_is_special(const fm_tokenizer *t, int32_t id) {
    const vocab_token *token = vocab_get(&t->vocab, id);
    return token && token->special;
}

const char *fm_tokenizer_bytes(const fm_tokenizer *t, int32_t id, size_t *length) {
    const vocab_token *token = vocab_get(&t->vocab, id);
    *length = token ? token->n_bytes : 0;
    return token ? (const char *)token->bytes : NULL;
}
