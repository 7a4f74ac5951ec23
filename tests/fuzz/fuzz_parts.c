/*
 * fuzz_parts.c - any answer in any format and in any pieces. The first byte chooses the format, two
 * bits of a byte how long the next piece is. Read in one piece it has the same parts, and its parts
 * written are the answer. "{a}" to "{k}" stand for marks, which the input would else have to
 * spell.
 */
#include <stdlib.h>
#include <string.h>

#include "../support/parts_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static const fm_parts_format formats[] = {{"deepseek-r1", false},  {"deepseek-r1", true},
                                          {"deepseek-v3", false},  {"deepseek-v3.1", false},
                                          {"deepseek-v3.1", true}, {"think", false},
                                          {"think", true},         {"none", false}};

static const char *const marks[] = {
    "<think>",
    "</think>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n",
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    "\n```<｜tool▁call▁end｜>",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>",
};

enum { N_MARKS = sizeof marks / sizeof marks[0], MARK_MAX = 96 };

/** Replaces what stands for a mark: '{', a letter from 'a' on and '}'. */
static size_t spell(const char *data, size_t size, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (size - i >= 3 && data[i] == '{' && data[i + 2] == '}' && data[i + 1] >= 'a' &&
            data[i + 1] < 'a' + N_MARKS) {
            const char *mark = marks[data[i + 1] - 'a'];
            memcpy(out + n, mark, strlen(mark));
            n += strlen(mark);
            i += 2;
        } else {
            out[n++] = data[i];
        }
    }
    return n;
}

/** Each piece lies in a block of its own, so that a sanitizer sees a byte too many. */
static void push_piece(fm_parts *p, const char *text, size_t length) {
    char *piece = malloc(length);
    require(piece != NULL);
    memcpy(piece, text, length);
    require(fm_parts_push(p, piece, length) == FM_OK);
    free(piece);
}

static void read_answer(fm_parts_format format, const char *text, size_t length, bool cut,
                        parts_trace *out) {
    fm_parts *p;
    require(parts_trace_new(out, length));
    require(fm_parts_new(format, parts_trace_take, out, &p, NULL) == FM_OK);
    for (size_t at = 0; at < length;) {
        size_t piece = cut ? 1 + ((uint8_t)text[at] & 3) * ((uint8_t)text[at] & 3) : length;
        if (piece > length - at) piece = length - at;
        push_piece(p, text + at, piece);
        at += piece;
    }
    require(fm_parts_end(p) == FM_OK);
    fm_parts_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parts_trace whole, cut;
    parts_text written = {0};
    if (size == 0 || size > 2048) return 0;
    fm_parts_format format = formats[data[0] % (sizeof formats / sizeof formats[0])];
    char *text = malloc(size * MARK_MAX);
    require(text != NULL);
    size_t length = spell((const char *)data + 1, size - 1, text);
    read_answer(format, text, length, false, &whole);
    read_answer(format, text, length, true, &cut);
    require(parts_trace_equal(&whole, &cut));
    require(fm_parts_write(format, whole.parts, whole.n, parts_text_take, &written, NULL) == FM_OK);
    require(parts_trace_same_text(written.bytes, written.length, text, length));
    parts_trace_free(&whole);
    parts_trace_free(&cut);
    free(written.bytes);
    free(text);
    return 0;
}
