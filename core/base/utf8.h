/*
 * utf8.h - well-formed UTF-8, as the Unicode standard defines it (no overlong forms, no surrogates,
 * nothing above U+10FFFF), read from bytes that may be anything. Pure functions: any thread.
 */
#ifndef FATHOM_BASE_UTF8_H
#define FATHOM_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The code of what is no character: above every code point. An enum cannot hold it. */
#define UTF8_NO_CODE UINT32_MAX

typedef enum utf8_kind {
    UTF8_KIND_CHAR,      /* a well-formed code point */
    UTF8_KIND_INVALID,   /* bytes that no continuation can make well-formed */
    UTF8_KIND_TRUNCATED, /* the text ends inside what could become a code point */
} utf8_kind;

typedef struct utf8_char {
    uint32_t code;   /* UTF8_NO_CODE unless kind is UTF8_KIND_CHAR */
    uint32_t length; /* bytes, 1 to 4; of an invalid sequence its maximal invalid part (Unicode
                        standard, section 3.9: at least one byte, else the longest prefix of a
                        well-formed sequence) */
    utf8_kind kind;
} utf8_char;

/** Reads the code point at the head of `length` bytes; `length` is at least 1. */
utf8_char utf8_decode(const uint8_t *bytes, size_t length);

/** Bytes (1 to 4) of the code point that starts at `text`; 0 when the bytes there are no whole,
 * well-formed code point, or `length` is 0. */
size_t utf8_length(const char *text, size_t length);

/** Writes a code point, at most U+10FFFF, to `out`, not terminated; returns its bytes, 1 to 4. */
size_t utf8_encode(uint32_t code, char *out);

/** The most bytes, at most `max`, that can be kept of a text without cutting a code point. */
size_t utf8_cut(const char *text, size_t length, size_t max);

#endif
