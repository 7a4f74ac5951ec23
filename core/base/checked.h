/*
 * checked.h - arithmetic on sizes that come from files and requests. Each function returns false
 * and leaves *out alone when the result does not fit.
 */
#ifndef FATHOM_BASE_CHECKED_H
#define FATHOM_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

static inline bool checked_mul(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

/** True when [offset, offset + length) lies inside an object of `size` bytes. */
static inline bool checked_range(uint64_t offset, uint64_t length, uint64_t size) {
    return offset <= size && length <= size - offset;
}

#endif
