/*
 * tpl_number.c - printf and strtod do the rounding; the decimal point, which the C library takes
 * from the locale, is never read or written through them: digits are read as a whole number with an
 * exponent, and what stands between digits is replaced.
 */
#include "tpl_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing --------------------------------------------------------------------------------- */

static size_t write_special(double value, char *out) {
    const char *word = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    strcpy(out, word);
    return strlen(word);
}

/** The locale's separator, whatever its bytes, becomes a point. */
static size_t set_point(char *text) {
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        bool is_kept = (*p >= '0' && *p <= '9') || strchr("+-eE", *p);
        if (is_kept)
            text[n++] = *p;
        else if (n > 0 && text[n - 1] != '.')
            text[n++] = '.';
    }
    text[n] = '\0';
    return n;
}

size_t tpl_number_format(double value, char format, int precision, char out[TPL_NUMBER_SIZE]) {
    const char pattern[] = {'%', '.', '*', format, '\0'};
    if (!isfinite(value)) return write_special(value, out);
    snprintf(out, TPL_NUMBER_SIZE, pattern, precision, value);
    return set_point(out);
}

/** The digits and the decimal exponent of the first one, of the shortest text that reads back. */
static int shortest_digits(double value, char digits[24]) {
    char text[TPL_NUMBER_SIZE];
    for (int precision = 0; precision <= 16; precision++) {
        double back = 0;
        size_t length = tpl_number_format(value, 'e', precision, text);
        if (tpl_number_read(text, length, &back) && back == value) break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.') digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0') n--;
    digits[n] = '\0';
    return atoi(p + 1);
}

static size_t write_exponent(const char *digits, int exponent, char *out) {
    const char *point = digits[1] ? "." : "";
    return (size_t)snprintf(out, TPL_NUMBER_SIZE, "%c%s%se%c%02d", digits[0], point, digits + 1,
                            exponent < 0 ? '-' : '+', abs(exponent));
}

static size_t write_plain(const char *digits, int exponent, char *out) {
    size_t n = 0;
    int length = (int)strlen(digits);
    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > exponent; i--) out[n++] = '0';
        for (int i = 0; i < length; i++) out[n++] = digits[i];
    } else {
        for (int i = 0; i <= exponent || i < length; i++) {
            if (i == exponent + 1) out[n++] = '.';
            out[n++] = i < length ? digits[i] : '0';
        }
        if (length <= exponent + 1) {
            out[n++] = '.';
            out[n++] = '0';
        }
    }
    out[n] = '\0';
    return n;
}

size_t tpl_number_repr(double value, char out[TPL_NUMBER_SIZE]) {
    char digits[24];
    size_t sign = 0;
    if (!isfinite(value)) return write_special(value, out);
    if (signbit(value)) out[sign++] = '-';
    int exponent = shortest_digits(fabs(value), digits);
    if (exponent < -4 || exponent >= 16) {
        char body[TPL_NUMBER_SIZE];
        size_t n = write_exponent(digits, exponent, body);
        memcpy(out + sign, body, n + 1);
        return sign + n;
    }
    return sign + write_plain(digits, exponent, out + sign);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/** Copies the digits of text[*at …) to `out` and moves behind them; returns how many. */
static size_t take_digits(const char *text, size_t length, size_t *at, char *out, size_t *n) {
    size_t start = *at;
    while (*at < length && is_digit(text[*at])) out[(*n)++] = text[(*at)++];
    return *at - start;
}

/** Reads e[+-]digits to the end; a large exponent is cut to one that is as good as infinite. */
static bool take_exponent(const char *text, size_t length, size_t at, long *out) {
    long value = 0;
    bool is_negative = false;
    *out = 0;
    if (at == length) return true;
    if (text[at] != 'e' && text[at] != 'E') return false;
    at++;
    if (at < length && (text[at] == '+' || text[at] == '-')) is_negative = text[at++] == '-';
    if (at == length) return false;
    for (; at < length; at++) {
        if (!is_digit(text[at])) return false;
        if (value < 1000000) value = value * 10 + (text[at] - '0');
    }
    *out = is_negative ? -value : value;
    return true;
}

bool tpl_number_read(const char *text, size_t length, double *out) {
    enum { MAX_LENGTH = 4096 };
    char digits[MAX_LENGTH + 32];
    size_t at = 0, n = 0, n_whole, n_fraction = 0;
    long exponent;
    if (length > MAX_LENGTH) return false;
    if (at < length && (text[at] == '+' || text[at] == '-')) digits[n++] = text[at++];
    n_whole = take_digits(text, length, &at, digits, &n);
    if (at < length && text[at] == '.') {
        at++;
        n_fraction = take_digits(text, length, &at, digits, &n);
    }
    if (n_whole + n_fraction == 0 || !take_exponent(text, length, at, &exponent)) return false;
    snprintf(digits + n, sizeof digits - n, "e%ld", exponent - (long)n_fraction);
    *out = strtod(digits, NULL);
    return true;
}

bool tpl_number_read_whole(const char *text, size_t length, int base, int64_t *out) {
    size_t at = 0;
    bool is_negative = false;
    int64_t value = 0;
    if (at < length && (text[at] == '+' || text[at] == '-')) is_negative = text[at++] == '-';
    if (at == length) return false;
    for (; at < length; at++) {
        char c = text[at];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 10
                    : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                           : 99;
        if (digit >= base) return false;
        if (!tpl_whole_multiply(value, base, &value)) return false;
        if (!tpl_whole_add(value, is_negative ? -digit : digit, &value)) return false;
    }
    *out = value;
    return true;
}

/* ---- Whole numbers --------------------------------------------------------------------------- */

bool tpl_whole_add(int64_t a, int64_t b, int64_t *out) {
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) return false;
    *out = a + b;
    return true;
}

bool tpl_whole_subtract(int64_t a, int64_t b, int64_t *out) {
    if (b < 0 ? a > INT64_MAX + b : a < INT64_MIN + b) return false;
    *out = a - b;
    return true;
}

bool tpl_whole_multiply(int64_t a, int64_t b, int64_t *out) {
    if (a != 0 && b != 0) {
        if (a > 0 ? (b > 0 ? a > INT64_MAX / b : b < INT64_MIN / a)
                  : (b > 0 ? a < INT64_MIN / b : b < INT64_MAX / a))
            return false;
    }
    *out = a * b;
    return true;
}

bool tpl_whole_power(int64_t base, int64_t exponent, int64_t *out) {
    int64_t result = 1;
    while (exponent > 0) {
        if ((exponent & 1) && !tpl_whole_multiply(result, base, &result)) return false;
        exponent >>= 1;
        if (exponent > 0 && !tpl_whole_multiply(base, base, &base)) return false;
    }
    *out = result;
    return true;
}

bool tpl_whole_divide(int64_t a, int64_t b, int64_t *quotient, int64_t *rest) {
    if (a == INT64_MIN && b == -1) return false;
    *quotient = a / b;
    *rest = a % b;
    if (*rest != 0 && (*rest < 0) != (b < 0)) {
        *rest += b;
        --*quotient;
    }
    return true;
}

/* ---- Doubles --------------------------------------------------------------------------------- */

void tpl_real_divide(double a, double b, double *quotient, double *rest) {
    double r = fmod(a, b), q = (a - r) / b;
    if (r != 0) {
        if ((b < 0) != (r < 0)) {
            r += b;
            q -= 1;
        }
    } else {
        r = copysign(0, b);
    }
    if (q != 0) {
        double whole = floor(q);
        *quotient = q - whole > 0.5 ? whole + 1 : whole;
    } else {
        *quotient = copysign(0, a / b);
    }
    *rest = r;
}

double tpl_real_round(double value, int64_t digits) {
    char text[TPL_NUMBER_SIZE + 512];
    if (!isfinite(value) || digits > 323) return value;
    if (digits < -308) return copysign(0, value);
    if (digits > 22 && fabs(value) >= 1) return value; /* 22 digits behind the point are exact */
    if (digits >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)digits, value);
        size_t length = set_point(text);
        tpl_number_read(text, length, &value);
        return value;
    }
    /* In front of the point: as many significant digits as are left in scientific notation. */
    snprintf(text, sizeof text, "%.0f", fabs(value));
    int n_kept = (int)strlen(text) + (int)digits;
    if (n_kept < 0) return copysign(0, value);
    if (n_kept == 0) {
        double unit = pow(10, (double)-digits);
        return copysign(fabs(value) > unit / 2 ? unit : 0, value);
    }
    size_t length = tpl_number_format(value, 'e', n_kept - 1, text);
    tpl_number_read(text, length, &value);
    return value;
}
