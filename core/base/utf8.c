/* utf8.c - the one decision of what a well-formed code point is. */
#include "utf8.h"

#include <stdint.h>

/* The second byte carries the whole difference between the rows of the standard's table 3-7: its
 * range shuts out overlong forms (E0, F0), surrogates (ED) and values above U+10FFFF (F4). */
size_t utf8_length(const char *text, size_t length) {
    const uint8_t *b = (const uint8_t *)text;
    if (length == 0) return 0;
    if (b[0] < 0x80) return 1;
    if (b[0] < 0xC2 || b[0] > 0xF4) return 0;
    size_t n = b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    if (length < n) return 0;
    uint8_t low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
    if (b[1] < low || b[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((b[i] & 0xC0) != 0x80) return 0;
    return n;
}

size_t utf8_cut(const char *text, size_t length, size_t max) {
    if (length <= max) return length;
    size_t end = max;
    while (end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80) end--;
    return end;
}
