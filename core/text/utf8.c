/*
 * utf8.c owns the rules of well-formed UTF-8. The second byte of a sequence is limited by the first
 * so that overlong forms, surrogates and codes above U+10FFFF stop at the byte that makes them
 * wrong.
 */
#include "utf8.h"

utf8_char utf8_decode(const uint8_t *bytes, size_t length) {
    const uint8_t lead = bytes[0];
    if (lead < 0x80) return (utf8_char){lead, 1, UTF8_KIND_CHAR};
    if (lead < 0xC2 || lead > 0xF4) return (utf8_char){UTF8_NO_CODE, 1, UTF8_KIND_INVALID};

    const uint32_t n_more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
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
