/*
 * parts_soup.h - random answers: whole calls, marks, cut marks and letters in any order, so that
 * the texts lead into every state of fm_parts and out of it at every place.
 */
#ifndef FATHOM_TESTS_TEXT_PARTS_SOUP_H
#define FATHOM_TESTS_TEXT_PARTS_SOUP_H

#include <string.h>

#include "fathom.h"
#include "support/stream.h"
#include "text/parts_marks.h"

/* All formats, where an answer may begin inside reasoning twice. */
static const fm_parts_format soup_formats[] = {{"deepseek-r1", false},  {"deepseek-r1", true},
                                               {"deepseek-v3", false},  {"deepseek-v3.1", false},
                                               {"deepseek-v3.1", true}, {"think", false},
                                               {"think", true},         {"none", false}};

enum { SOUP_FORMATS = sizeof soup_formats / sizeof soup_formats[0], SOUP_SIZE = 1024 };

static const char *const soup_pieces[] = {
    V3_CALL("a", "{}"),
    V3_CALL("long_name", "{\"b\": [1, \"" CALL_END "\"]}"),
    V31_CALL("a", "{}"),
    V31_CALL("é", "{\"b\": \"" CALLS "\\\"\"}"),
    CALLS V3_CALL("a", "[]"),
    CALLS V31_CALL("b", "[]"),
    CALLS V3_CALL("a", "") CALLS_END,
    CALLS V31_CALL("b", "") CALLS_END,
    "\n" V3_CALL("c", "'"),
    V31_CALL("c", "\"") CALLS_END,
    CALLS,
    CALLS_END,
    CALL,
    CALL "function" SEP,
    CALL_END,
    SEP,
    "\n```json\n",
    "\n```" CALL_END,
    "<think>",
    "</think>",
    "<",
    "<think",
    "</",
    "<｜tool▁call",
    "<\xEF\xBD",
    "\xEF\xBD\x9C",
    "function",
    "\"",
    "\\",
    "{\"k\": 1}",
    "\n",
    " ",
    "a",
    "END",
    "é",
    "中文",
    "\xF0\x9F\x92",
    "\xA1",
    "\xFF",
};

enum { SOUP_PIECES = sizeof soup_pieces / sizeof soup_pieces[0] };

/** Writes at most SOUP_SIZE bytes, not terminated, and returns how many. Half of the answers begin
 * as a model would. */
static inline size_t soup_write(stream *s, char *out) {
    static const char *const openings[] = {"<think>", "\n<think>a", "a</think>", CALLS};
    size_t length = 0;
    if (stream_between(s, 0, 1) == 0) {
        const char *opening = openings[stream_between(s, 0, 3)];
        length = strlen(opening);
        memcpy(out, opening, length);
    }
    for (int32_t n = stream_between(s, 0, 14); n > 0; n--) {
        const char *piece = soup_pieces[stream_between(s, 0, SOUP_PIECES - 1)];
        if (strlen(piece) > SOUP_SIZE - length) break;
        memcpy(out + length, piece, strlen(piece));
        length += strlen(piece);
    }
    return length;
}

#endif
