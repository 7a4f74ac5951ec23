/*
 * unicode.c - the two-level table of classes: code points in blocks of 256, equal blocks stored
 * once.
 */
#include "unicode.h"

#include "unicode_table.h"

unicode_class unicode_class_of(uint32_t code) {
    if (code > 0x10FFFF) return UNICODE_CLASS_NONE;
    return (unicode_class)unicode_blocks[unicode_block_of[code >> 8]][code & 0xFF];
}
