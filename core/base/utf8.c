/* utf8.c - the one decision of what a well-formed code point is. */
#include "utf8.h"

/* The second byte carries the whole difference between the rows of the standard's table 3-7: its
 * range shuts out overlong forms (E0, F0), surrogates (ED) and values above U+10FFFF (F4), at the
 * byte that makes them wrong. */
utf8_char utf8_decode(const uint8_t *bytes, size_t length) {
    uint8_t lead = bytes[0];
    if (lead < 0x80) return (utf8_char){lead, 1, UTF8_KIND_CHAR};
    if (lead < 0xC2 || lead > 0xF4) return (utf8_char){UTF8_NO_CODE, 1, UTF8_KIND_INVALID};
    uint32_t n_more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    uint32_t code = lead & (0x3Fu >> n_more);
    for (uint32_t i = 1; i <= n_more; i++) {
        if (i == length) return (utf8_char){UTF8_NO_CODE, i, UTF8_KIND_TRUNCATED};
        if (bytes[i] < low || bytes[i] > high)
            return (utf8_char){UTF8_NO_CODE, i, UTF8_KIND_INVALID};
        code = code << 6 | (bytes[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    return (utf8_char){code, n_more + 1, UTF8_KIND_CHAR};
}

size_t utf8_length(const char *text, size_t length) {
    if (length == 0) return 0;
    utf8_char c = utf8_decode((const uint8_t *)text, length);
    return c.kind == UTF8_KIND_CHAR ? c.length : 0;
}

size_t utf8_encode(uint32_t code, char *out) {
    static const uint32_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[n] | code);
    return n;
}

size_t utf8_cut(const char *text, size_t length, size_t max) {
    if (length <= max) return length;
    size_t end = max;
    while (end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80) end--;
    return end;
}
