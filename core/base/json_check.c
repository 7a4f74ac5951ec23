/* json_check.c - one pass over a JSON text: grammar, UTF-8, limits and keys given twice. */
#include "json_check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "line.h"
#include "utf8.h"

/** A key of an object that is still open, unescaped. */
typedef struct checked_key {
    const char *text; /* into the text, or into checker.unescaped */
    size_t length;    /* bytes */
    size_t at;        /* where it stands in the text, bytes */
} checked_key;

typedef struct checker {
    const char *name;
    const char *text;
    size_t length; /* bytes */
    size_t at;     /* the next byte to read */
    int max_depth;
    bool keys_repeat, one_line; /* see json_limits */
    int n_values;
    checked_key *keys; /* of all open objects, outermost first; [n_keys] */
    size_t n_keys;
    size_t keys_capacity;
    char *unescaped; /* keys that held escapes; as large as the text: unescaping never grows */
    size_t n_unescaped;
    fm_error *err;
} checker;

/* ---- Failures -------------------------------------------------------------------------------- */

FM_PRINTF(4, 5)
static fm_status fail(const checker *c, fm_status status, size_t at, const char *format, ...) {
    char what[sizeof c->err->text];
    size_t line = 1;
    va_list args;
    va_start(args, format);
    line_format(what, sizeof what, format, args);
    va_end(args);
    if (c->one_line) return error_set(c->err, status, "%s: column %zu: %s", c->name, at + 1, what);
    for (size_t i = 0; i < at && i < c->length; i++) line += c->text[i] == '\n';
    return error_set(c->err, status, "%s: line %zu: %s", c->name, line, what);
}

/** Something else than `wanted` stands at the current place. */
static fm_status unexpected(const checker *c, const char *wanted) {
    if (c->at == c->length)
        return fail(c, FM_ERR_FORMAT, c->at,
                    "the text ends where %s is needed: is the file complete?", wanted);
    const char *found = c->text + c->at;
    size_t n = utf8_length(found, c->length - c->at);
    if (n == 0 || (n == 1 && (found[0] < ' ' || found[0] == 0x7F)))
        return fail(c, FM_ERR_FORMAT, c->at, "byte 0x%02X stands where %s is needed",
                    (unsigned)(unsigned char)found[0], wanted);
    return fail(c, FM_ERR_FORMAT, c->at, "'%.*s' stands where %s is needed", (int)n, found, wanted);
}

/* ---- Characters ------------------------------------------------------------------------------ */

/** The next byte, or -1 at the end. */
static int peek(const checker *c) {
    return c->at < c->length ? (unsigned char)c->text[c->at] : -1;
}

static bool take(checker *c, char wanted) {
    if (c->at == c->length || c->text[c->at] != wanted) return false;
    c->at++;
    return true;
}

static void skip_space(checker *c) {
    for (int b = peek(c); b == ' ' || b == '\n' || b == '\r' || b == '\t'; b = peek(c)) c->at++;
}

static bool is_digit(int byte) {
    return byte >= '0' && byte <= '9';
}

/* ---- Strings --------------------------------------------------------------------------------- */

/** The value of four hexadecimal digits at `text`, or -1. */
static int32_t read_hex4(const char *text, size_t length) {
    int32_t value = 0;
    if (length < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char d = text[i];
        int digit = d >= '0' && d <= '9'   ? d - '0'
                    : d >= 'a' && d <= 'f' ? d - 'a' + 10
                    : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/** Reads the code point of a \u escape whose "\u" was taken; *out is set to it. */
static fm_status read_unicode_escape(checker *c, int32_t *out) {
    size_t start = c->at - 2;
    int32_t high = read_hex4(c->text + c->at, c->length - c->at);
    if (high < 0) return fail(c, FM_ERR_FORMAT, start, "\\u needs four hexadecimal digits");
    if (high == 0) return fail(c, FM_ERR_FORMAT, start, "\\u0000 is not allowed in strings");
    c->at += 4;
    *out = high;
    if (high < 0xD800 || high > 0xDFFF) return FM_OK;
    int32_t low = -1;
    if (high < 0xDC00 && take(c, '\\') && take(c, 'u'))
        low = read_hex4(c->text + c->at, c->length - c->at);
    if (low < 0xDC00 || low > 0xDFFF)
        return fail(c, FM_ERR_FORMAT, start,
                    "\\u%04X is half of a surrogate pair without its other half", (unsigned)high);
    c->at += 4;
    *out = 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00);
    return FM_OK;
}

/** Reads the escape whose backslash is at the current place; *out is the code point it means. */
static fm_status read_escape(checker *c, int32_t *out) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    c->at++;
    if (take(c, 'u')) return read_unicode_escape(c, out);
    int letter = peek(c);
    const char *found = letter > 0 ? strchr(letters, letter) : NULL;
    if (!found) return unexpected(c, "one of \"\\/bfnrtu (behind a backslash)");
    c->at++;
    *out = meanings[found - letters];
    return FM_OK;
}

/** Reads a string whose opening quote is at the current place. *has_escapes tells whether its bytes
 * differ from their meaning. */
static fm_status check_string(checker *c, bool *has_escapes) {
    size_t start = c->at++;
    *has_escapes = false;
    for (;;) {
        int b = peek(c);
        if (b < 0) return fail(c, FM_ERR_FORMAT, start, "a string begins here and never ends");
        if (b == '"') break;
        if (b < 0x20)
            return fail(c, FM_ERR_FORMAT, c->at,
                        "control character 0x%02X in a string: write it as \\u%04X", (unsigned)b,
                        (unsigned)b);
        if (b == '\\') {
            int32_t code_point;
            *has_escapes = true;
            FM_TRY(read_escape(c, &code_point));
            continue;
        }
        size_t n = b < 0x80 ? 1 : utf8_length(c->text + c->at, c->length - c->at);
        if (n == 0) return fail(c, FM_ERR_FORMAT, c->at, "byte 0x%02X is no UTF-8", (unsigned)b);
        c->at += n;
    }
    c->at++;
    return FM_OK;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static size_t skip_digits(checker *c) {
    size_t start = c->at;
    while (is_digit(peek(c))) c->at++;
    return c->at - start;
}

/** The power of ten of the first digit that is not zero; 0 when all are zero. `text` is a number in
 * JSON's grammar of at most JSON_MAX_NUMBER_LENGTH characters. */
static int magnitude_of(const char *text, size_t length) {
    int n_whole = 0, n_leading_zeros = 0, exponent = 0;
    bool is_whole = true, is_zero = true;
    size_t i = text[0] == '-' ? 1 : 0;
    for (; i < length && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            is_whole = false;
            continue;
        }
        if (is_whole) n_whole++;
        if (text[i] != '0') is_zero = false;
        if (is_zero) n_leading_zeros++;
    }
    if (is_zero) return 0;
    bool is_negative = i + 1 < length && text[i + 1] == '-';
    for (; i < length; i++)
        if (is_digit(text[i]) && exponent < 100000) exponent = exponent * 10 + text[i] - '0';
    return n_whole - n_leading_zeros - 1 + (is_negative ? -exponent : exponent);
}

static fm_status check_number(checker *c) {
    size_t start = c->at;
    take(c, '-');
    if (!take(c, '0') && skip_digits(c) == 0) return unexpected(c, "a digit");
    if (is_digit(peek(c)))
        return fail(c, FM_ERR_FORMAT, start, "a number begins with a needless 0");
    if (take(c, '.') && skip_digits(c) == 0) return unexpected(c, "a digit");
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+')) take(c, '-');
        if (skip_digits(c) == 0) return unexpected(c, "a digit");
    }
    if (c->at - start > JSON_MAX_NUMBER_LENGTH)
        return fail(c, FM_ERR_LIMIT, start, "a number has more than %d characters",
                    JSON_MAX_NUMBER_LENGTH);
    if (magnitude_of(c->text + start, c->at - start) > JSON_MAX_EXPONENT)
        return fail(c, FM_ERR_LIMIT, start, "the number %.*s is too large for a double",
                    (int)(c->at - start), c->text + start);
    return FM_OK;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/** Replaces a key by its meaning. It was checked, so reading its escapes again cannot fail. */
static fm_status unescape_key(checker *c, checked_key *key) {
    if (!c->unescaped) c->unescaped = malloc(c->length);
    if (!c->unescaped)
        return error_set(c->err, FM_ERR_MEMORY, "%s: out of memory for its keys", c->name);
    char *out = c->unescaped + c->n_unescaped;
    size_t n = 0, resume = c->at;
    size_t end = key->at + 1 + key->length;
    c->at = key->at + 1;
    while (c->at < end) {
        int32_t code_point = 0;
        if (c->text[c->at] != '\\') {
            out[n++] = c->text[c->at++];
            continue;
        }
        FM_TRY(read_escape(c, &code_point));
        n += utf8_encode((uint32_t)code_point, out + n); /* at most the bytes of its escape */
    }
    c->at = resume;
    c->n_unescaped += n;
    key->text = out;
    key->length = n;
    return FM_OK;
}

static fm_status add_key(checker *c, checked_key key) {
    checked_key *keys = array_grow(c->keys, &c->keys_capacity, c->n_keys + 1, sizeof key);
    if (!keys) return error_set(c->err, FM_ERR_MEMORY, "%s: out of memory for its keys", c->name);
    c->keys = keys;
    c->keys[c->n_keys++] = key;
    return FM_OK;
}

static int compare_keys(const void *left, const void *right) {
    const checked_key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (order != 0) return order;
    return (a->length > b->length) - (a->length < b->length);
}

/** Ends an object whose keys begin at `first`: sorted, a key given twice stands beside itself. */
static fm_status close_keys(checker *c, size_t first) {
    checked_key *keys = c->keys + first;
    size_t n = c->n_keys - first;
    c->n_keys = first;
    if (n < 2 || c->keys_repeat) return FM_OK;
    qsort(keys, n, sizeof keys[0], compare_keys);
    for (size_t i = 1; i < n; i++) {
        if (compare_keys(&keys[i - 1], &keys[i]) != 0) continue;
        size_t at = keys[i].at > keys[i - 1].at ? keys[i].at : keys[i - 1].at;
        size_t shown = utf8_cut(keys[i].text, keys[i].length, 100);
        return fail(c, FM_ERR_FORMAT, at, "the key \"%.*s\" stands twice in one object", (int)shown,
                    keys[i].text);
    }
    return FM_OK;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static fm_status check_value(checker *c, int depth);

/** Reads "key": */
static fm_status check_key(checker *c) {
    bool has_escapes;
    checked_key key = {.at = c->at};
    if (peek(c) != '"') return unexpected(c, "a key in double quotes");
    FM_TRY(check_string(c, &has_escapes));
    key.text = c->text + key.at + 1;
    key.length = c->at - key.at - 2;
    if (has_escapes) FM_TRY(unescape_key(c, &key));
    FM_TRY(add_key(c, key));
    skip_space(c);
    if (!take(c, ':')) return unexpected(c, "':'");
    return FM_OK;
}

/** Reads an array or object, whose bracket is at the current place. */
static fm_status check_container(checker *c, int depth) {
    bool is_object = peek(c) == '{';
    char closing = is_object ? '}' : ']';
    size_t first_key = c->n_keys;
    if (depth >= c->max_depth)
        return fail(c, FM_ERR_LIMIT, c->at, "arrays and objects are nested deeper than %d",
                    c->max_depth);
    c->at++;
    skip_space(c);
    if (take(c, closing)) return FM_OK;
    for (;;) {
        skip_space(c);
        if (is_object) FM_TRY(check_key(c));
        FM_TRY(check_value(c, depth + 1));
        skip_space(c);
        if (take(c, closing)) break;
        if (!take(c, ',')) return unexpected(c, is_object ? "',' or '}'" : "',' or ']'");
    }
    return is_object ? close_keys(c, first_key) : FM_OK;
}

static fm_status check_word(checker *c, const char *word) {
    for (const char *letter = word; *letter; letter++)
        if (!take(c, *letter)) return unexpected(c, word);
    return FM_OK;
}

/** Reads a value and the space before it; `depth` counts the containers around it. */
static fm_status check_value(checker *c, int depth) {
    bool has_escapes;
    skip_space(c);
    if (c->n_values++ == JSON_MAX_VALUES)
        return fail(c, FM_ERR_LIMIT, c->at, "the text has more than %d values", JSON_MAX_VALUES);
    switch (peek(c)) {
    case '{':
    case '[':
        return check_container(c, depth);
    case '"':
        return check_string(c, &has_escapes);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        break;
    }
    if (is_digit(peek(c)) || peek(c) == '-') return check_number(c);
    return unexpected(c, "a value");
}

static fm_status check_text(checker *c) {
    if (c->length >= 3 && memcmp(c->text, "\xEF\xBB\xBF", 3) == 0)
        return fail(c, FM_ERR_FORMAT, 0,
                    "the text begins with a byte order mark: save it without one");
    FM_TRY(check_value(c, 0));
    skip_space(c);
    if (c->at < c->length) return unexpected(c, "the end of the text");
    return FM_OK;
}

fm_status json_check(const char *name, const char *text, size_t length, json_limits limits,
                     fm_error *err) {
    if (length > limits.max_bytes)
        return error_set(err, FM_ERR_LIMIT, "%s: has %zu bytes, at most %zu are read", name, length,
                         limits.max_bytes);
    checker c = {.name = name, .text = text, .length = length, .err = err};
    c.one_line = limits.one_line;
    c.keys_repeat = limits.keys_repeat;
    c.max_depth = limits.max_depth < JSON_MAX_DEPTH ? limits.max_depth : JSON_MAX_DEPTH;
    fm_status status = check_text(&c);
    free(c.unescaped);
    free(c.keys);
    return status;
}
