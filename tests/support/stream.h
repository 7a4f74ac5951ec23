/*
 * stream.h - seeded random values for tests: the same seed gives the same values on every machine.
 */
#ifndef FATHOM_TESTS_STREAM_H
#define FATHOM_TESTS_STREAM_H

#include <stdint.h>

typedef struct stream {
    uint64_t state;
} stream;

/** A step of a linear congruential generator, whose high bits are folded onto the low ones. */
static inline uint64_t stream_next(stream *s) {
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = (s->state ^ s->state >> 33) * 0xff51afd7ed558ccdu;
    return x ^ x >> 29;
}

/** An integer from min to max, both included. */
static inline int32_t stream_between(stream *s, int32_t min, int32_t max) {
    return min + (int32_t)(stream_next(s) % (uint64_t)(max - min + 1));
}

/** A value in [-size, size). */
static inline double stream_value(stream *s, double size) {
    return ((double)(stream_next(s) >> 11) * 0x1p-52 - 1.0) * size;
}

#endif
