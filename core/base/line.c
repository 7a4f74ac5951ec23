/* line.c - formatting and cleaning of one line. */
#include "line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/** True when the bytes that end a cut text may begin a code point whose rest was cut. */
static bool tail_is_cut(const char *tail, size_t length) {
    char whole[4];
    if (length >= sizeof whole) return false;
    memcpy(whole, tail, length);
    /* 0x80 and 0xA0 continue every lead byte between them: one of them completes any true
     * beginning. */
    memset(whole + length, 0x80, sizeof whole - length);
    if (utf8_length(whole, sizeof whole) > length) return true;
    whole[length] = (char)0xA0;
    return utf8_length(whole, sizeof whole) > length;
}

static bool is_control(const char *text, size_t length) {
    unsigned char first = (unsigned char)text[0];
    if (length == 1) return first < 0x20 || first == 0x7F;
    return length == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
}

void line_format(char *out, size_t out_size, const char *format, va_list args) {
    out[0] = '\0';
    int wanted = vsnprintf(out, out_size, format, args);
    bool is_cut = wanted >= 0 && (size_t)wanted >= out_size;
    size_t length = strlen(out);
    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(out + i, length - i);
        if (n == 0 && is_cut && tail_is_cut(out + i, length - i)) {
            out[i] = '\0';
            return;
        }
        if (n == 0 || is_control(out + i, n)) {
            n = n == 0 ? 1 : n;
            memset(out + i, '?', n);
        }
        i += n;
    }
}
