/*
 * utf8.h - well-formed UTF-8, as the Unicode standard defines it (no overlong forms, no surrogates,
 * nothing above U+10FFFF). Pure functions: any thread.
 */
#ifndef FATHOM_BASE_UTF8_H
#define FATHOM_BASE_UTF8_H

#include <stddef.h>

/** Bytes (1 to 4) of the code point that starts at `text`; 0 when the bytes there are no whole,
 * well-formed code point, or `length` is 0. Never looks beyond `length` bytes. */
size_t utf8_length(const char *text, size_t length);

/** The most bytes, at most `max`, that can be kept of a text without cutting a code point in two.
 */
size_t utf8_cut(const char *text, size_t length, size_t max);

#endif
