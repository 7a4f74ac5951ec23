/*
 * numbers.h - seeded test values, and the number formats by arithmetic on doubles: written apart
 * from the library, which works on bits, so that a mistake in one is not a mistake in both.
 */
#ifndef TESTS_OPS_NUMBERS_H
#define TESTS_OPS_NUMBERS_H

#include "base/error.h"

/** A stream of random values; the same seed gives the same stream on every machine. */
typedef struct random_stream {
    uint64_t state;
} random_stream;

uint64_t random_next(random_stream *r);
/** An integer in [0, n). */
int32_t random_below(random_stream *r, int32_t n);
/** About a normal distribution of deviation 1, within -3.5 … 3.5, exact in float32. */
double random_normal(random_stream *r);
/** A permutation of 0 … n - 1. */
void random_permutation(random_stream *r, int32_t *out, int32_t n);

/** The value of the element at `p`, which may lie at any alignment. F32, BF16, F16 and I32. */
double number_get(fm_dtype dtype, const void *p);

/** Stores `value` rounded to nearest, ties to even. Too large for the format gives infinity, and
 * false when `value` itself was finite. */
bool number_set(fm_dtype dtype, void *p, double value);

/** What number_set stores, as a value. */
double number_round(fm_dtype dtype, double value);

#endif
