/*
 * stop_reference.h - what stop strings mean, by searching the whole text anew: slow, and too short
 * to be wrong in the same way as an automaton.
 */
#ifndef FATHOM_TESTS_STOP_REFERENCE_H
#define FATHOM_TESTS_STOP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** Bytes of the longest end of `text` that is one of the strings (`whole`) or a beginning of one
 * that is shorter than it. */
static inline size_t stop_reference_tail(const char *const *strings, size_t n_strings, bool whole,
                                         const char *text, size_t length) {
    size_t best = 0;
    for (size_t i = 0; i < n_strings; i++) {
        size_t size = strlen(strings[i]);
        for (size_t n = whole ? size : 1; n < size + whole; n++)
            if (n > best && n <= length && memcmp(text + length - n, strings[i], n) == 0) best = n;
    }
    return best;
}

/** Bytes of `text` that are certain to belong to the answer; *has_stopped as of stop_stream. */
static inline size_t stop_reference(const char *const *strings, size_t n_strings, const char *text,
                                    size_t length, bool *has_stopped) {
    *has_stopped = true;
    for (size_t end = 1; end <= length; end++) {
        size_t match = stop_reference_tail(strings, n_strings, true, text, end);
        if (match > 0) return end - match;
    }
    *has_stopped = false;
    return length - stop_reference_tail(strings, n_strings, false, text, length);
}

#endif
