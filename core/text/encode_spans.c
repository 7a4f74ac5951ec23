/*
 * encode_spans.c - rendered text to ids. The reference encodes a prompt as one text, so a newline
 * of the template may merge with one that a message begins with: spans are joined, and only added
 * tokens, which are looked for in the template's spans alone, cut the text.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/checked.h"
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

/** Takes out the added tokens of search `pass` in a piece of the template's; what lies between them
 * goes to the next search, and at last waits for what follows it. */
static fm_status encode_piece(span_encoder *e, size_t pass, size_t start, size_t end) {
    if (pass == 2) return FM_OK;
    size_t done = start;
    for (added_match m; added_find(&e->t->added[pass], e->text, end, done, &m); done = m.end) {
        FM_TRY(encode_piece(e, pass + 1, done, m.start));
        FM_TRY(encode_to(e, m.start));
        FM_TRY(tokens_append(e->out, m.id, e->err));
        e->done = m.end;
    }
    return encode_piece(e, pass + 1, done, end);
}

static fm_status encode(span_encoder *e, const fm_span *spans, size_t n) {
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end = start + spans[i].length;
        if (spans[i].is_template) FM_TRY(encode_piece(e, 0, start, end));
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
