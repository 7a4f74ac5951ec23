/*
 * utf8.h - one code point at a time from bytes that may be anything. Pure functions: any thread.
 */
#ifndef FATHOM_TEXT_UTF8_H
#define FATHOM_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** The code of what is no character. Above every code point, so it has no Unicode class. */
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

#endif
