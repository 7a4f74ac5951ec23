/*
 * tpl_number.h - numbers as texts and texts as numbers, the way Python writes and reads them, in
 * any locale. Pure functions: any thread, in the default floating-point environment.
 */
#ifndef FATHOM_TEXT_TPL_NUMBER_H
#define FATHOM_TEXT_TPL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes for any number below, terminator included: 'f' of the largest double has 309 digits in
 * front of the point. */
enum { TPL_NUMBER_SIZE = 512, TPL_MAX_PRECISION = 100 };

/** The shortest decimal that reads back as the same double, always with a point or exponent: "1.0",
 * "1e+16", "nan". Returns its bytes. */
size_t tpl_number_repr(double value, char out[TPL_NUMBER_SIZE]);

/** `format` is 'e', 'f' or 'g' with `precision` digits, at most TPL_MAX_PRECISION, as printf has
 * them; the separator is a point. Returns its bytes. */
size_t tpl_number_format(double value, char format, int precision, char out[TPL_NUMBER_SIZE]);

/** Reads a decimal number, [+-]digits[.digits][e[+-]digits], the whole of `text`; rounded to the
 * nearest double. False for anything else, and beyond 4096 bytes. */
bool tpl_number_read(const char *text, size_t length, double *out);

/** Reads [+-]digits in a base from 2 to 36; false when there is anything else or it does not
 * fit. */
bool tpl_number_read_whole(const char *text, size_t length, int base, int64_t *out);

/* Arithmetic that tells when the result does not fit. */
bool tpl_whole_add(int64_t a, int64_t b, int64_t *out);
bool tpl_whole_subtract(int64_t a, int64_t b, int64_t *out);
bool tpl_whole_multiply(int64_t a, int64_t b, int64_t *out);
/** `exponent` is 0 or more. */
bool tpl_whole_power(int64_t base, int64_t exponent, int64_t *out);
/** Quotient rounded down, and what is left, which has the divisor's sign; b is not 0. */
bool tpl_whole_divide(int64_t a, int64_t b, int64_t *quotient, int64_t *rest);
/** The same of doubles. */
void tpl_real_divide(double a, double b, double *quotient, double *rest);

/** `value` rounded to `digits` digits behind the point, halves to the even digit, by its exact
 * decimal value. */
double tpl_real_round(double value, int64_t digits);

#endif
