/* line.c - formatting and cleaning of one line. */
#include "line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/** C0, DEL and C1. */
static bool is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

void line_format(char *out, size_t out_size, const char *format, va_list args) {
    out[0] = '\0';
    int wanted = vsnprintf(out, out_size, format, args);
    bool is_cut = wanted >= 0 && (size_t)wanted >= out_size;
    size_t length = strlen(out);
    for (size_t i = 0; i < length;) {
        utf8_char c = utf8_decode((const uint8_t *)out + i, length - i);
        /* The beginning of a code point whose rest was cut goes, too. */
        if (c.kind == UTF8_KIND_TRUNCATED && is_cut) {
            out[i] = '\0';
            return;
        }
        if (c.kind != UTF8_KIND_CHAR || is_control(c.code)) memset(out + i, '?', c.length);
        i += c.length;
    }
}
