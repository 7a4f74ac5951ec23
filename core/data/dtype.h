/*
 * dtype.h - what the core asks of number formats beyond their names and sizes (fathom.h). Pure
 * functions: any thread.
 */
#ifndef FATHOM_DATA_DTYPE_H
#define FATHOM_DATA_DTYPE_H

#include <stdbool.h>

#include "../fathom.h"

/** True for the floating point formats that are computed with: F32, BF16 and F16. False for those
 * that are known by name only, and outside the enumeration. */
static inline bool dtype_is_float(fm_dtype dtype) {
    return dtype == FM_DTYPE_F32 || dtype == FM_DTYPE_BF16 || dtype == FM_DTYPE_F16;
}

/** One element of a format for which dtype_is_float holds, as float32; exact. `at` may have any
 * alignment. */
float dtype_widen(const void *at, fm_dtype dtype);

/** Stores a float32 in such a format, rounded to nearest even; false when a finite value became
 * infinite. `at` may have any alignment. */
bool dtype_narrow(void *at, fm_dtype dtype, float value);

#endif
