/*
 * unicode.h - the properties of code points that split rules, added tokens and normal forms ask
 * for, as the reference tokenizer library sees them. Pure functions over constant tables: any
 * thread.
 */
#ifndef FATHOM_TEXT_UNICODE_H
#define FATHOM_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The classes exclude each other. */
typedef enum unicode_class {
    UNICODE_CLASS_NONE,   /* control, format, private use, unassigned, and no code point at all */
    UNICODE_CLASS_LETTER, /* \p{L} */
    UNICODE_CLASS_MARK,   /* \p{M} */
    UNICODE_CLASS_NUMBER, /* \p{N} */
    UNICODE_CLASS_PUNCTUATION, /* \p{P} */
    UNICODE_CLASS_SYMBOL,      /* \p{S} */
    UNICODE_CLASS_SPACE,       /* \s, the property White_Space */
    /* Numbers to the reference's Digits splitter alone: it follows a later Unicode version than the
     * reference's regular expressions, which take these code points for unassigned. */
    UNICODE_CLASS_LATER_NUMBER,
} unicode_class;

/** Sets of classes, as bits. */
typedef unsigned unicode_set;
#define UNICODE_SET(c) (1u << (c))

/* The two-level table: code points in blocks of 256, equal blocks stored once. An entry is the
 * class and two flags. */
enum { UNICODE_CLASS_BITS = 7, UNICODE_FLAG_WORD = 8, UNICODE_FLAG_UNSTABLE = 16 };
extern const uint8_t unicode_block_of[];
extern const uint8_t unicode_blocks[][256];

/** Class and flags of a code point; 0 above U+10FFFF. */
static inline unsigned unicode_entry(uint32_t code) {
    return code > 0x10FFFF ? 0 : unicode_blocks[unicode_block_of[code >> 8]][code & 0xFF];
}

static inline unicode_class unicode_class_of(uint32_t code) {
    return (unicode_class)(unicode_entry(code) & UNICODE_CLASS_BITS);
}

/** True for what a word is made of: letters, marks, decimal digits, connectors. */
static inline bool unicode_is_word(uint32_t code) {
    return unicode_entry(code) & UNICODE_FLAG_WORD;
}

/** True for a code point that NFC may change, move, or put together with one before it. Text
 * without any is in NFC. */
static inline bool unicode_is_unstable(uint32_t code) {
    return unicode_entry(code) & UNICODE_FLAG_UNSTABLE;
}

/** The canonical combining class; 0 for what is no combining mark. */
uint8_t unicode_combining_class(uint32_t code);

enum { UNICODE_MAX_DECOMPOSITION = 4 }; /* code points */

/** Writes the full canonical decomposition, `code` itself if it has none, and returns its length.
 */
size_t unicode_decompose(uint32_t code, uint32_t out[UNICODE_MAX_DECOMPOSITION]);

/** What the two compose to; 0 when they do not. */
uint32_t unicode_compose(uint32_t first, uint32_t second);

#endif
