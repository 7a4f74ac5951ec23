/*
 * unicode.h - the classes of code points that split rules ask for, as the reference tokenizer
 * library sees them. The classes exclude each other. Pure functions: any thread.
 */
#ifndef FATHOM_TEXT_UNICODE_H
#define FATHOM_TEXT_UNICODE_H

#include <stdint.h>

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

/** The class of a code point; UNICODE_CLASS_NONE above U+10FFFF. */
unicode_class unicode_class_of(uint32_t code);

#endif
