/*
 * fuzz_stop.c - any text under any stop strings, in any pieces, against a search in the whole text.
 * The input has lines: the first ones are the stop strings (as many as its first byte says), the
 * rest is the text. Two bits of a byte choose how long the next piece is.
 */
#include <stdlib.h>
#include <string.h>

#include "../support/stop_reference.h"
#include "text/stop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

/** Pushes the text in pieces; after each, the whole that came out is what the reference says. The
 * reference searches the text anew for each piece, so there are few of them in a long text. */
static void check_answer(const stop_set *set, const char *const *strings, size_t n_strings,
                         const char *text, size_t length, char *whole) {
    stop_stream stream = {0};
    size_t done = 0, n = 0;
    bool stops = false;
    for (size_t at = 0; at < length;) {
        size_t piece = 1 + ((uint8_t)text[at] & 3) * (1 + length / 64);
        if (piece > length - at) piece = length - at;
        char *out = malloc(stop_bound(set, piece) + 1); /* exact but for the empty one */
        require(out != NULL);
        require(stop_push(set, &stream, text + at, piece, out, stop_bound(set, piece), &n) ==
                FM_OK);
        memcpy(whole + done, out, n);
        free(out);
        done += n;
        at += piece;
        require(done == stop_reference(strings, n_strings, text, at, &stops));
        require(stream.has_stopped == stops && memcmp(whole, text, done) == 0);
    }
    done += stop_end(set, &stream, whole + done);
    require((stops || done == length) && memcmp(whole, text, done) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > 1024) return 0;
    char *text = calloc(1, size), *whole = malloc(size + STOP_SIZE_MAX);
    const char *strings[STOP_STRINGS_MAX + 1];
    size_t n_strings = 0;
    require(text && whole);
    memcpy(text, data + 1, size - 1);
    char *rest = text, *end = text + size - 1;
    while (n_strings < data[0] % (STOP_STRINGS_MAX + 2)) {
        char *line = memchr(rest, '\n', (size_t)(end - rest));
        if (!line) break;
        *line = '\0';
        strings[n_strings++] = rest;
        rest = line + 1;
    }
    stop_set *set;
    fm_error err = {0};
    if (stop_set_new(strings, n_strings, &set, &err) == FM_OK)
        check_answer(set, strings, n_strings, rest, (size_t)(end - rest), whole);
    else
        require(!set && err.text[0] != '\0' && !strchr(err.text, '\n'));
    stop_set_free(set);
    free(whole);
    free(text);
    return 0;
}
