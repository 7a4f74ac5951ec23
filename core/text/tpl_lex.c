/* tpl_lex.c - the two languages of a template: text with tags in it, and what stands in the
 * tags. */
#include "tpl_lex.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/line.h"
#include "../base/utf8.h"
#include "tpl_text.h"
#include "tpl_tree.h"
#include "unicode.h"

void tpl_place(const char *source, size_t at, size_t *line, size_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        if (source[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((uint8_t)source[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

fm_status tpl_lex_fail(const tpl_lexer *lexer, size_t at, const char *format, ...) {
    char what[sizeof lexer->err->text];
    size_t line, column;
    va_list args;
    va_start(args, format);
    line_format(what, sizeof what, format, args);
    va_end(args);
    tpl_place(lexer->source, at < lexer->length ? at : lexer->length, &line, &column);
    return error_set(lexer->err, FM_ERR_FORMAT, "line %zu, column %zu: %s", line, column, what);
}

/* ---- Places ---------------------------------------------------------------------------------- */

static bool has(const tpl_lexer *lexer, size_t at, const char *word) {
    size_t n = strlen(word);
    return n <= lexer->length - at && memcmp(lexer->source + at, word, n) == 0;
}

static char byte_at(const tpl_lexer *lexer, size_t at) {
    return at < lexer->length ? lexer->source[at] : '\0';
}

static uint32_t code_at(const tpl_lexer *lexer, size_t at, size_t *length) {
    utf8_char c = utf8_decode((const uint8_t *)lexer->source + at, lexer->length - at);
    *length = c.length;
    return c.code;
}

static size_t skip_space(const tpl_lexer *lexer, size_t at) {
    for (size_t n; at < lexer->length && tpl_is_space(code_at(lexer, at, &n));) at += n;
    return at;
}

/** Moves behind the end of a tag or comment and behind the white space that goes with it. `sign` is
 * what stands in front of the closing bracket. */
static void pass_end(tpl_lexer *lexer, size_t at, char sign, bool trims) {
    size_t end = at;
    if (sign == '-')
        end = skip_space(lexer, at);
    else if (trims && sign != '+' && byte_at(lexer, at) == '\n')
        end++;
    lexer->at = end;
    lexer->starts_line = lexer->source[end - 1] == '\n';
}

/* ---- Text ------------------------------------------------------------------------------------ */

/** The next "{%", "{{" or "{#" from `at` on, or the end. */
static size_t find_tag(const tpl_lexer *lexer, size_t at) {
    while (at < lexer->length) {
        const char *found = memchr(lexer->source + at, '{', lexer->length - at);
        if (!found) break;
        at = (size_t)(found - lexer->source);
        char next = byte_at(lexer, at + 1);
        if (next == '%' || next == '{' || next == '#') return at;
        at++;
    }
    return lexer->length;
}

/** Where text that begins at `start` ends in front of a tag at `tag`, without the white space that
 * the tag takes off. `sign` is what stands behind its opening bracket. */
static size_t text_end(const tpl_lexer *lexer, size_t start, size_t tag, char sign, bool lstrips) {
    const tpl_text text = {.bytes = lexer->source + start, .length = tag - start};
    size_t first, end;
    if (sign == '+' || (sign != '-' && !lstrips)) return tag;
    tpl_text_strip(&text, NULL, false, true, &first, &end);
    if (sign == '-') return start + end;
    /* From the line's start, which is behind the text's last newline, or where the text begins a
     * line. */
    size_t line = text.length;
    while (line > 0 && text.bytes[line - 1] != '\n') line--;
    if (line == 0 && !lexer->starts_line) return tag;
    return end <= line ? start + line : tag;
}

static fm_status read_comment(tpl_lexer *lexer) {
    size_t start = lexer->at, body = start + 2;
    if (byte_at(lexer, body) == '-' || byte_at(lexer, body) == '+') body++;
    for (size_t at = body; at + 2 <= lexer->length; at++) {
        if (!has(lexer, at, "#}")) continue;
        char sign = at > body ? lexer->source[at - 1] : '\0';
        pass_end(lexer, at + 2, sign, true);
        return FM_OK;
    }
    return tpl_lex_fail(lexer, start, "a comment begins here and never ends");
}

/** When a tag at `at` is `word`, returns the place behind its closing bracket and sets *sign to
 * what stands in front of that; else 0. */
static size_t match_tag(const tpl_lexer *lexer, size_t at, const char *word, char *sign) {
    if (!has(lexer, at, "{%")) return 0;
    at += 2;
    if (byte_at(lexer, at) == '-' || byte_at(lexer, at) == '+') at++;
    at = skip_space(lexer, at);
    if (!has(lexer, at, word)) return 0;
    at = skip_space(lexer, at + strlen(word));
    *sign = byte_at(lexer, at);
    if (*sign == '-' || *sign == '+') at++;
    return has(lexer, at, "%}") ? at + 2 : 0;
}

/** Reads a raw block, whose tag ends at `body`, as one piece of text. */
static fm_status read_raw(tpl_lexer *lexer, size_t body, char sign, tpl_token *out) {
    size_t begin = lexer->at;
    pass_end(lexer, body, sign == '-' ? '-' : '+', false);
    size_t start = lexer->at;
    for (size_t tag = start; tag < lexer->length; tag++) {
        size_t end = match_tag(lexer, tag, "endraw", &sign);
        if (end == 0) continue;
        size_t stop = text_end(lexer, start, tag, byte_at(lexer, tag + 2), true);
        *out = (tpl_token){TPL_TOKEN_DATA, lexer->source + start, stop - start, start};
        pass_end(lexer, end, sign, true);
        return FM_OK;
    }
    return tpl_lex_fail(lexer, begin, "a raw block begins here and never ends");
}

/** Reads the tag's opening bracket at the current place. */
static void open_tag(tpl_lexer *lexer, tpl_token *out) {
    bool is_print = lexer->source[lexer->at + 1] == '{';
    size_t start = lexer->at;
    lexer->inside = is_print ? TPL_TOKEN_PRINT_BEGIN : TPL_TOKEN_TAG_BEGIN;
    lexer->at += 2;
    if (byte_at(lexer, lexer->at) == '-' || byte_at(lexer, lexer->at) == '+') lexer->at++;
    lexer->n_brackets = 0;
    *out = (tpl_token){lexer->inside, lexer->source + start, 2, start};
}

/** Reads text up to the next tag or, where there is none in front of it, the tag. */
static fm_status lex_text(tpl_lexer *lexer, tpl_token *out) {
    for (;;) {
        size_t start = lexer->at, tag = find_tag(lexer, start);
        char kind = byte_at(lexer, tag + 1), sign = '\0';
        size_t raw = tag < lexer->length ? match_tag(lexer, tag, "raw", &sign) : 0;
        if (tag > start) {
            size_t end = tag < lexer->length
                             ? text_end(lexer, start, tag, byte_at(lexer, tag + 2), kind != '{')
                             : tag;
            lexer->at = tag;
            lexer->starts_line = false;
            if (end == start) continue;
            *out = (tpl_token){TPL_TOKEN_DATA, lexer->source + start, end - start, start};
            return FM_OK;
        }
        if (tag == lexer->length) {
            *out = (tpl_token){TPL_TOKEN_END, lexer->source + tag, 0, tag};
            return FM_OK;
        }
        /* A sign '+' in front of the closing bracket of a raw tag is no part of the language. */
        if (raw > 0 && sign != '+') return read_raw(lexer, raw, sign, out);
        if (kind != '#') {
            open_tag(lexer, out);
            return FM_OK;
        }
        FM_TRY(read_comment(lexer));
    }
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* Bytes of a code point that is spelt out, "\U0001f600", with its end. */
enum { MAX_SPELT = 11 };

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** Reads up to `max` digits of a base that is 8 or 16; returns how many there were. */
static size_t read_digits(const char *text, size_t length, size_t max, int base, uint32_t *out) {
    size_t n = 0;
    *out = 0;
    for (; n < max && n < length; n++) {
        int digit = hex_digit(text[n]);
        if (digit < 0 || digit >= base) break;
        *out = *out * (uint32_t)base + (uint32_t)digit;
    }
    return n;
}

/** Writes what the escape at text[0], a backslash, means. Returns the bytes of the escape, 0 when
 * it is none. An unknown one stands for itself. */
static size_t read_escape(const char *text, size_t length, char *out, size_t *n_out) {
    static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t code;
    char letter = text[1];
    const char *found = strchr(letters, letter);
    *n_out = 1;
    if (letter == '\n') {
        *n_out = 0;
        return 2;
    }
    if (letter && found) {
        *out = meanings[found - letters];
        return 2;
    }
    size_t octal = read_digits(text + 1, length - 1, 3, 8, &code);
    if (octal > 0) {
        *n_out = utf8_encode(code, out);
        return 1 + octal;
    }
    size_t wanted = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (wanted > 0) {
        size_t n = read_digits(text + 2, length - 2, wanted, 16, &code);
        if (n < wanted || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
        *n_out = utf8_encode(code, out);
        return 2 + wanted;
    }
    if (letter == 'N') return 0;
    if ((uint8_t)letter >=
        0x80) { /* the reference takes the backslash and the escape of the letter */
        utf8_char c = utf8_decode((const uint8_t *)text + 1, length - 1);
        *n_out = (size_t)snprintf(out, MAX_SPELT,
                                  c.code < 0x100     ? "\\x%02" PRIx32
                                  : c.code < 0x10000 ? "\\u%04" PRIx32
                                                     : "\\U%08" PRIx32,
                                  c.code);
        return 1 + c.length;
    }
    *out = '\\';
    return 1;
}

static fm_status lex_string(tpl_lexer *lexer, tpl_token *out) {
    size_t start = lexer->at, at = start + 1;
    char quote = lexer->source[start];
    bool has_escapes = false;
    while (at < lexer->length && lexer->source[at] != quote) {
        has_escapes |= lexer->source[at] == '\\';
        at += lexer->source[at] == '\\' ? 2 : 1;
    }
    if (at >= lexer->length)
        return tpl_lex_fail(lexer, start, "a string begins here and never ends");
    *out = (tpl_token){TPL_TOKEN_STRING, lexer->source + start + 1, at - start - 1, start};
    lexer->at = at + 1;
    if (!has_escapes) return FM_OK;
    /* A letter that is spelt out takes twice its bytes at most, and what is written ends with a
     * NUL. */
    char *meaning = tpl_alloc(lexer->memory, 2 * out->length + MAX_SPELT, 1);
    if (!meaning) return error_set(lexer->err, FM_ERR_MEMORY, "out of memory for a template");
    size_t n = 0;
    for (size_t i = 0; i < out->length;) {
        size_t n_written = 1, n_read = 1;
        if (out->text[i] == '\\')
            n_read = read_escape(out->text + i, out->length - i, meaning + n, &n_written);
        else
            meaning[n] = out->text[i];
        if (n_read == 0)
            return tpl_lex_fail(lexer, start + 1 + i, "'\\%c' is not an escape that is known",
                                out->text[i + 1]);
        i += n_read;
        n += n_written;
    }
    out->text = meaning;
    out->length = n;
    return FM_OK;
}

/* ---- Numbers and names ----------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/** The end of digits that single underscores may stand between. */
static size_t digits_end(const tpl_lexer *lexer, size_t at) {
    while (is_digit(byte_at(lexer, at)) ||
           (byte_at(lexer, at) == '_' && is_digit(byte_at(lexer, at + 1))))
        at++;
    return at;
}

/** The end of 0x…, 0o… or 0b… at `at`, or `at`. */
static size_t prefixed_end(const tpl_lexer *lexer, size_t at) {
    char letter = (char)(byte_at(lexer, at + 1) | 0x20);
    int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    size_t end = at + 2, start = at;
    if (byte_at(lexer, at) != '0' || base == 0) return at;
    for (;;) {
        size_t digit = byte_at(lexer, end) == '_' ? end + 1 : end;
        int value = hex_digit(byte_at(lexer, digit));
        if (value < 0 || value >= base) break;
        end = digit + 1;
        start = end;
    }
    return start;
}

static void lex_number(tpl_lexer *lexer, tpl_token *out) {
    size_t start = lexer->at, whole = digits_end(lexer, start), end = whole;
    bool is_attribute = start > 0 && lexer->source[start - 1] == '.';
    if (!is_attribute && byte_at(lexer, end) == '.' && is_digit(byte_at(lexer, end + 1)))
        end = digits_end(lexer, end + 1);
    if (!is_attribute && (byte_at(lexer, end) | 0x20) == 'e') {
        size_t digits = end + 1;
        if (byte_at(lexer, digits) == '+' || byte_at(lexer, digits) == '-') digits++;
        if (is_digit(byte_at(lexer, digits))) end = digits_end(lexer, digits);
    }
    tpl_token_kind kind = end > whole ? TPL_TOKEN_FLOAT : TPL_TOKEN_WHOLE;
    if (kind == TPL_TOKEN_WHOLE) {
        size_t prefixed = prefixed_end(lexer, start);
        if (prefixed > start)
            end = prefixed;
        else if (lexer->source[start] == '0') /* a 0 in front of other digits is a number itself */
            for (end = start; byte_at(lexer, end) == '0' || byte_at(lexer, end) == '_';) end++;
    }
    *out = (tpl_token){kind, lexer->source + start, end - start, start};
    lexer->at = end;
}

static bool is_name_code(uint32_t code) {
    if (code < 0x80)
        return code == '_' || (code >= '0' && code <= '9') ||
               ((code | 0x20) >= 'a' && (code | 0x20) <= 'z');
    unicode_class class = unicode_class_of(code);
    return class == UNICODE_CLASS_LETTER || class == UNICODE_CLASS_MARK ||
           class == UNICODE_CLASS_NUMBER;
}

static fm_status lex_operator(tpl_lexer *lexer, tpl_token *out) {
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    static const char opening[] = "([{", closing[] = ")]}";
    size_t at = lexer->at, i = 0, n = sizeof operators / sizeof operators[0];
    while (i < n && !has(lexer, at, operators[i])) i++;
    if (i == n) {
        size_t length;
        code_at(lexer, at, &length);
        return tpl_lex_fail(lexer, at, "'%.*s' has no meaning here", (int)length,
                            lexer->source + at);
    }
    char c = lexer->source[at];
    const char *opens = strchr(opening, c), *closes = strchr(closing, c);
    if (opens) {
        if (lexer->n_brackets == sizeof lexer->brackets)
            return tpl_lex_fail(lexer, at, "more than %zu brackets are open",
                                sizeof lexer->brackets);
        lexer->brackets[lexer->n_brackets++] = closing[opens - opening];
    }
    if (closes) {
        if (lexer->n_brackets == 0) return tpl_lex_fail(lexer, at, "'%c' closes nothing", c);
        char wanted = lexer->brackets[--lexer->n_brackets];
        if (wanted != c)
            return tpl_lex_fail(lexer, at, "'%c' stands where '%c' is needed", c, wanted);
    }
    *out = (tpl_token){TPL_TOKEN_OPERATOR, lexer->source + at, strlen(operators[i]), at};
    lexer->at += out->length;
    return FM_OK;
}

/** True, with the token read, when the tag ends at the current place. */
static bool lex_end(tpl_lexer *lexer, tpl_token *out) {
    bool is_print = lexer->inside == TPL_TOKEN_PRINT_BEGIN;
    size_t at = lexer->at;
    char sign = byte_at(lexer, at);
    if (lexer->n_brackets > 0) return false;
    if (sign == '-' || (sign == '+' && !is_print))
        at++;
    else
        sign = '\0';
    if (!has(lexer, at, is_print ? "}}" : "%}")) return false;
    *out = (tpl_token){is_print ? TPL_TOKEN_PRINT_END : TPL_TOKEN_TAG_END, lexer->source + at, 2,
                       lexer->at};
    pass_end(lexer, at + 2, sign, !is_print);
    lexer->inside = TPL_TOKEN_DATA;
    return true;
}

static fm_status lex_tag(tpl_lexer *lexer, tpl_token *out) {
    size_t n;
    /* The end of a tag comes before white space: a '-' belongs to what follows it. */
    if (lex_end(lexer, out)) return FM_OK;
    lexer->at = skip_space(lexer, lexer->at);
    if (lexer->at == lexer->length) {
        *out = (tpl_token){TPL_TOKEN_END, lexer->source + lexer->at, 0, lexer->at};
        return FM_OK;
    }
    if (lex_end(lexer, out)) return FM_OK;
    char c = lexer->source[lexer->at];
    if (is_digit(c)) {
        lex_number(lexer, out);
        return FM_OK;
    }
    if (c == '\'' || c == '"') return lex_string(lexer, out);
    size_t start = lexer->at;
    while (lexer->at < lexer->length && is_name_code(code_at(lexer, lexer->at, &n))) lexer->at += n;
    if (lexer->at == start) return lex_operator(lexer, out);
    *out = (tpl_token){TPL_TOKEN_NAME, lexer->source + start, lexer->at - start, start};
    return FM_OK;
}

fm_status tpl_lex(tpl_lexer *lexer, tpl_token *out) {
    return lexer->inside == TPL_TOKEN_DATA ? lex_text(lexer, out) : lex_tag(lexer, out);
}
