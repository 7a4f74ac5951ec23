/*
 * alphabet.c - the byte alphabet. Bytes that are printable in Latin-1 stand for themselves; the
 * other 68 take the code points from U+0100 on, in order: 0-32, 127-160 and 173.
 */
#include "alphabet.h"

#include "../base/utf8.h"

static bool is_itself(uint32_t byte) {
    return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte <= 0xFF && byte != 0xAD);
}

size_t alphabet_symbol(uint8_t byte, char out[2]) {
    uint32_t code = byte;
    if (byte <= 0x20) code = 0x100u + byte;
    if (byte >= 0x7F && byte <= 0xA0) code = 0x121u + (byte - 0x7Fu);
    if (byte == 0xAD) code = 0x143;
    return utf8_encode(code, out);
}

/** The byte of a code point, or -1. */
static int byte_of(uint32_t code) {
    if (is_itself(code)) return (int)code;
    if (code >= 0x100 && code <= 0x120) return (int)code - 0x100;
    if (code >= 0x121 && code <= 0x142) return (int)code - 0x121 + 0x7F;
    return code == 0x143 ? 0xAD : -1;
}

bool alphabet_decode(const char *text, size_t length, uint8_t *out, size_t *n_bytes) {
    size_t n = 0;
    for (size_t pos = 0; pos < length;) {
        utf8_char c = utf8_decode((const uint8_t *)text + pos, length - pos);
        int byte = byte_of(c.code);
        if (byte < 0) return false;
        out[n++] = (uint8_t)byte;
        pos += c.length;
    }
    *n_bytes = n;
    return true;
}
