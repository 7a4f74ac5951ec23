/*
 * fp_modes.h - the floating-point environments that a host program may run in: rounding modes, and
 * on x86 the flushing of denormals. The first one is the default.
 */
#ifndef FATHOM_TESTS_FP_MODES_H
#define FATHOM_TESTS_FP_MODES_H

#include <fenv.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef struct fp_mode {
    const char *name;
    int rounding;
    uint32_t mxcsr; /* bits to set: 0x8000 results flushed to zero, 0x0040 operands read as zero */
} fp_mode;

static const fp_mode fp_modes[] = {
    {"default", FE_TONEAREST, 0},          {"upward", FE_UPWARD, 0},
    {"toward zero", FE_TOWARDZERO, 0},
#if defined(__SSE2__)
    {"FTZ and DAZ", FE_TONEAREST, 0x8040}, {"downward, FTZ", FE_DOWNWARD, 0x8000},
#endif
};

enum { FP_MODE_COUNT = sizeof fp_modes / sizeof *fp_modes };

static inline void fp_mode_set(const fp_mode *mode) {
    fesetround(mode->rounding);
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | mode->mxcsr);
#endif
}

/** The thread's mode as a number: rounding, and on x86 flushing and traps. */
static inline uint32_t fp_mode_get(void) {
    uint32_t mode = (uint32_t)fegetround();
#if defined(__SSE2__)
    mode |= (_mm_getcsr() & ~(uint32_t)_MM_EXCEPT_MASK) << 16;
#endif
    return mode;
}

static inline void fp_mode_reset(void) {
    fesetenv(FE_DFL_ENV);
}

#endif
