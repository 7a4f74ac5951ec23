/*
 * encode_spans.c - rendered text to ids. The reference encodes a prompt as one text, so a newline
 * of the template may merge with one that a message begins with: spans are joined, and only added
 * tokens cut the text. Those that are more than a letter are looked for in the template's spans
 * alone.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"
#include "../base/utf8.h"
#include "tokenizer.h"
#include "tokens.h"

typedef struct span_encoder {
    const fm_tokenizer *t;
    char *text;  /* all spans */
    size_t done; /* bytes that ids were made of */
    fm_tokens *out;
    fm_error *err;
} span_encoder;

/** Makes ids of the text up to `end`. */
static fm_status encode_to(span_encoder *e, size_t end) {
    size_t start = e->done;
    e->done = end;
    if (end == start) return FM_OK;
    return fm_tokenizer_encode(e->t, e->text + start, end - start, FM_ENCODE_PLAIN, e->out, e->err);
}

/** True for an added token that is a letter and no more ("ö" in some vocabularies, whose training
 * text never showed its bytes): it says nothing but itself, so it may come from anywhere. */
static bool is_letter(const fm_tokenizer *t, int32_t id) {
    const vocab_token *token = vocab_get(&t->vocab, id);
    return !token->special && utf8_length(token->text, token->text_length) == token->text_length;
}

/** Takes out the added tokens of search `pass` in one span; what lies between them goes to the next
 * search, and at last waits for what follows it. */
static fm_status encode_span(span_encoder *e, size_t pass, size_t start, size_t end,
                             bool is_template) {
    if (pass == 2) return FM_OK;
    size_t done = start, from = start;
    for (added_match m; added_find(&e->t->added[pass], e->text, end, from, &m); from = m.end) {
        if (!is_template && !is_letter(e->t, m.id)) continue;
        FM_TRY(encode_span(e, pass + 1, done, m.start, is_template));
        FM_TRY(encode_to(e, m.start));
        FM_TRY(tokens_append(e->out, m.id, e->err));
        e->done = done = m.end;
    }
    return encode_span(e, pass + 1, done, end, is_template);
}

static fm_status encode(span_encoder *e, const fm_span *spans, size_t n) {
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end = start + spans[i].length;
        FM_TRY(encode_span(e, 0, start, end, spans[i].is_template));
        start = end;
    }
    return encode_to(e, start);
}

fm_status fm_tokenizer_encode_spans(const fm_tokenizer *t, const fm_span *spans, size_t n,
                                    fm_tokens *out, fm_error *err) {
    size_t length = 0, at = 0, count = out->count;
    bool fits = true;
    for (size_t i = 0; i < n; i++) fits &= checked_add(length, spans[i].length, &length);
    span_encoder e = {.t = t, .out = out, .err = err};
    e.text = fits ? malloc(length + 1) : NULL;
    if (!e.text) return error_set(err, FM_ERR_MEMORY, "out of memory for a prompt");
    for (size_t i = 0; i < n; at += spans[i].length, i++)
        if (spans[i].length > 0) memcpy(e.text + at, spans[i].text, spans[i].length);
    fm_status status = encode(&e, spans, n);
    if (status != FM_OK) out->count = count;
    free(e.text);
    return status;
}
