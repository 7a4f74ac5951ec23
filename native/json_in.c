/* json_in.c - the strict reader. */
#include "json_in.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER_LENGTH = 63 }; /* characters */

void json_in_begin(json_in *in, const char *text, size_t length) {
    *in = (json_in){.text = text, .length = length};
}

/* ---- Faults ---------------------------------------------------------------------------------- */

bool json_in_fail(json_in *in, const char *format, ...) {
    if (in->fault[0]) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(in->fault, sizeof in->fault, format, args);
    va_end(args);
    return false;
}

/* Something else than `wanted` stands at the current place. Columns are bytes, from 1. */
static bool unexpected(json_in *in, const char *wanted) {
    if (in->at >= in->length) return json_in_fail(in, "the line ends where %s is needed", wanted);
    return json_in_fail(in, "column %zu: %s is needed", in->at + 1, wanted);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static bool take(json_in *in, char wanted) {
    if (in->at >= in->length || in->text[in->at] != wanted) return false;
    in->at++;
    return true;
}

static void skip_space(json_in *in) {
    while (in->at < in->length && in->text[in->at] && strchr(" \t\r\n", in->text[in->at])) in->at++;
}

static bool is_digit(const json_in *in) {
    return in->at < in->length && in->text[in->at] >= '0' && in->text[in->at] <= '9';
}

static size_t skip_digits(json_in *in) {
    size_t start = in->at;
    while (is_digit(in)) in->at++;
    return in->at - start;
}

/* Bytes of the character of UTF-8 at `u`, of which `left` are there; 0 when it is none. */
static size_t character_length(const unsigned char *u, size_t left) {
    if (u[0] < 0x80) return 1;
    size_t length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((u[i] & 0xc0) != 0x80) return 0;
    /* Too long a form, a surrogate, above U+10FFFF. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f)) return 0;
    if ((u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f)) return 0;
    return length;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static bool append_code_point(json_in *in, bytes *out, uint32_t c) {
    char u[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6) u[i] = (char)(0x80 | (c & 0x3f));
    u[0] = (char)(first[n] | c);
    return bytes_append(out, u, n) || json_in_fail(in, "out of memory");
}

/* Four hexadecimal digits; -1 when they are none. */
static int32_t read_hex(json_in *in) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++, in->at++) {
        static const char digits[] = "0123456789abcdef";
        if (in->at >= in->length) return -1;
        char c = in->text[in->at];
        const char *digit = strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
        if (!c || !digit) return -1;
        value = value * 16 + (int32_t)(digit - digits);
    }
    return value;
}

/* The code point of an escape whose "\u" was taken; -1 when it is none. */
static int32_t read_code_point(json_in *in) {
    int32_t high = read_hex(in);
    if (high < 0xd800 || high > 0xdfff) return high;
    if (high > 0xdbff || !take(in, '\\') || !take(in, 'u')) return -1;
    int32_t low = read_hex(in);
    if (low < 0xdc00 || low > 0xdfff) return -1;
    return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

/* Reads the escape whose backslash was taken. */
static bool read_escape(json_in *in, bytes *out) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    size_t start = in->at;
    int32_t code_point = -1;
    if (take(in, 'u')) {
        code_point = read_code_point(in);
    } else if (in->at < in->length && in->text[in->at]) {
        const char *letter = strchr(letters, in->text[in->at++]);
        if (letter) code_point = meanings[letter - letters];
    }
    if (code_point >= 0) return append_code_point(in, out, (uint32_t)code_point);
    return json_in_fail(in, "column %zu: no escape that JSON knows", start);
}

/* Reads a string whose opening quote was taken. */
static bool read_string(json_in *in, bytes *out) {
    size_t start = in->at;
    out->length = 0;
    while (in->at < in->length) {
        const char *next = in->text + in->at;
        size_t length = character_length((const unsigned char *)next, in->length - in->at);
        if (length == 0) return json_in_fail(in, "column %zu: no UTF-8", in->at + 1);
        if ((unsigned char)*next < 0x20)
            return json_in_fail(in, "column %zu: a control character in a string", in->at + 1);
        in->at += length;
        if (*next == '"') return true;
        if (*next == '\\') {
            if (!read_escape(in, out)) return false;
        } else if (!bytes_append(out, next, length)) {
            return json_in_fail(in, "out of memory");
        }
    }
    return json_in_fail(in, "column %zu: a string begins here and never ends", start);
}

bool json_in_string(json_in *in, const char *what, bytes *out) {
    if (json_in_peek(in) != '"') return json_in_fail(in, "\"%s\" takes a string", what);
    in->at++;
    return read_string(in, out);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

bool json_in_number(json_in *in, const char *what, const char **text, size_t *length) {
    char first = json_in_peek(in);
    if (first != '-' && !is_digit(in)) return json_in_fail(in, "\"%s\" takes a number", what);
    size_t start = in->at;
    take(in, '-');
    if (!take(in, '0') && skip_digits(in) == 0) return unexpected(in, "a digit");
    if (is_digit(in)) return json_in_fail(in, "column %zu: a needless 0", in->at);
    if (take(in, '.') && skip_digits(in) == 0) return unexpected(in, "a digit");
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) take(in, '-');
        if (skip_digits(in) == 0) return unexpected(in, "a digit");
    }
    *text = in->text + start;
    *length = in->at - start;
    if (*length <= MAX_NUMBER_LENGTH) return true;
    return json_in_fail(in, "column %zu: a number of more than %d characters", start + 1,
                        MAX_NUMBER_LENGTH);
}

bool json_in_real(json_in *in, const char *what, double min, double max, double *out) {
    const char *text;
    size_t length;
    char copy[MAX_NUMBER_LENGTH + 1];
    if (!json_in_number(in, what, &text, &length)) return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *out = strtod(copy, NULL);
    if (*out >= min && *out <= max) return true;
    return json_in_fail(in, "\"%s\" takes a number from %g to %g", what, min, max);
}

bool json_in_count(json_in *in, const char *what, uint64_t min, uint64_t max, uint64_t *out) {
    const char *text;
    size_t length;
    uint64_t value = 0;
    bool ok = true;
    if (!json_in_number(in, what, &text, &length)) return false;
    for (size_t i = 0; ok && i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        ok = text[i] >= '0' && text[i] <= '9' && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    *out = value;
    if (ok && value >= min && value <= max) return true;
    return json_in_fail(in, "\"%s\" takes a whole number from %" PRIu64 " to %" PRIu64, what, min,
                        max);
}

/* ---- Arrays and objects ---------------------------------------------------------------------- */

char json_in_peek(json_in *in) {
    if (in->fault[0]) return 0;
    skip_space(in);
    return in->at < in->length ? in->text[in->at] : 0;
}

bool json_in_open(json_in *in, char bracket, const char *what) {
    if (json_in_peek(in) != bracket)
        return json_in_fail(in, "%s is needed, in %s", what, bracket == '{' ? "{}" : "[]");
    in->at++;
    in->is_first = true;
    return true;
}

bool json_in_more(json_in *in, char closing) {
    bool is_first = in->is_first;
    if (in->fault[0]) return false;
    in->is_first = false;
    skip_space(in);
    if (take(in, closing)) return false;
    if (is_first || take(in, ',')) return true;
    return unexpected(in, closing == '}' ? "',' or '}'" : "',' or ']'");
}

bool json_in_key(json_in *in, bytes *out) {
    if (json_in_peek(in) != '"') return unexpected(in, "a key in double quotes");
    in->at++;
    if (!read_string(in, out)) return false;
    skip_space(in);
    return take(in, ':') || unexpected(in, "':'");
}

static bool skip_word(json_in *in, const char *word) {
    for (const char *letter = word; *letter; letter++)
        if (!take(in, *letter)) return unexpected(in, "a value");
    return true;
}

static bool skip_value(json_in *in, bytes *scratch, int depth) {
    char first = json_in_peek(in);
    const char *text;
    size_t length;
    if (first == '"') return json_in_string(in, "", scratch);
    if (first == 't') return skip_word(in, "true");
    if (first == 'f') return skip_word(in, "false");
    if (first == 'n') return skip_word(in, "null");
    if (first == '-' || (first >= '0' && first <= '9'))
        return json_in_number(in, "", &text, &length);
    if (first != '{' && first != '[') return unexpected(in, "a value");
    if (depth == JSON_IN_MAX_DEPTH)
        return json_in_fail(in, "column %zu: nested deeper than %d", in->at + 1, JSON_IN_MAX_DEPTH);
    json_in_open(in, first, "");
    while (json_in_more(in, first == '{' ? '}' : ']')) {
        if (first == '{' && !json_in_key(in, scratch)) return false;
        if (!skip_value(in, scratch, depth + 1)) return false;
    }
    return !in->fault[0];
}

bool json_in_skip(json_in *in) {
    bytes scratch = {0};
    bool ok = skip_value(in, &scratch, 0);
    bytes_free(&scratch);
    return ok;
}

bool json_in_end(json_in *in) {
    if (in->fault[0]) return false;
    skip_space(in);
    return in->at == in->length || unexpected(in, "the end of the line");
}
