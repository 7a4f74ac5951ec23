/*
 * cpu_lanes.h - sixteen floats in step: the unit in which the CPU backend computes. The definition
 * is the scalar form; the vector forms give its bits, because every operation is exact or correctly
 * rounded per lane. Included by cpu_kernels.c only, which is compiled once per instruction set.
 */
#ifndef FATHOM_CPU_LANES_H
#define FATHOM_CPU_LANES_H

#include <math.h>
#include <stdint.h>

#include "../../core/data/half.h"

enum { LANES = 16 };

#if defined(__AVX512F__)
#include <immintrin.h>

typedef __m512 lanes;

static inline lanes lanes_set(float x) {
    return _mm512_set1_ps(x);
}
static inline lanes lanes_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline lanes lanes_load_bf16(const uint16_t *p) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline lanes lanes_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline void lanes_store(float *p, lanes a) {
    _mm512_storeu_ps(p, a);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline lanes lanes_mul(lanes a, lanes b) {
    return _mm512_mul_ps(a, b);
}
static inline lanes lanes_add(lanes a, lanes b) {
    return _mm512_add_ps(a, b);
}
static inline lanes lanes_div(lanes a, lanes b) {
    return _mm512_div_ps(a, b);
}
/** The larger one; b where a is NaN. */
static inline lanes lanes_max(lanes a, lanes b) {
    return _mm512_max_ps(a, b);
}
static inline lanes lanes_min(lanes a, lanes b) {
    return _mm512_min_ps(a, b);
}
/** To the nearest integer, ties to even. */
static inline lanes lanes_round(lanes a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/** a * 2^n for integral n in [-126, 127] and a in [0.5, 2). */
static inline lanes lanes_scale(lanes a, lanes n) {
    __m512i power = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), power));
}

/** The sum of sixteen partial sums, in the one order of the numerics rule: +8, +4, +2, +1. */
static inline float lanes_fold(lanes a) {
    __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

#elif defined(__AVX2__)
#include <immintrin.h>

typedef struct {
    __m256 lo, hi;
} lanes;

static inline lanes lanes_set(float x) {
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
static inline lanes lanes_load(const float *p) {
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
static inline __m256 lanes_half_bf16(const uint16_t *p) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline lanes lanes_load_bf16(const uint16_t *p) {
    return (lanes){lanes_half_bf16(p), lanes_half_bf16(p + 8)};
}
static inline lanes lanes_load_f16(const uint16_t *p) {
    return (lanes){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                   _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
static inline void lanes_store(float *p, lanes a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    return (lanes){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
static inline lanes lanes_mul(lanes a, lanes b) {
    return (lanes){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
static inline lanes lanes_add(lanes a, lanes b) {
    return (lanes){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
static inline lanes lanes_div(lanes a, lanes b) {
    return (lanes){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
static inline lanes lanes_max(lanes a, lanes b) {
    return (lanes){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
static inline lanes lanes_min(lanes a, lanes b) {
    return (lanes){_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
static inline lanes lanes_round(lanes a) {
    enum { MODE = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    return (lanes){_mm256_round_ps(a.lo, MODE), _mm256_round_ps(a.hi, MODE)};
}
static inline __m256 lanes_half_scale(__m256 a, __m256 n) {
    __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), power));
}
static inline lanes lanes_scale(lanes a, lanes n) {
    return (lanes){lanes_half_scale(a.lo, n.lo), lanes_half_scale(a.hi, n.hi)};
}

static inline float lanes_fold(lanes a) {
    __m256 s8 = _mm256_add_ps(a.lo, a.hi);
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

#else /* scalar: the definition */

typedef struct {
    float at[LANES];
} lanes;

#define LANES_EACH(expression)                                                                     \
    lanes out;                                                                                     \
    for (int l = 0; l < LANES; l++) out.at[l] = (expression);                                      \
    return out

static inline lanes lanes_set(float x) {
    LANES_EACH(x);
}
static inline lanes lanes_load(const float *p) {
    LANES_EACH(p[l]);
}
static inline lanes lanes_load_bf16(const uint16_t *p) {
    LANES_EACH(half_bf16_widen(p[l]));
}
static inline lanes lanes_load_f16(const uint16_t *p) {
    LANES_EACH(half_f16_widen(p[l]));
}
static inline void lanes_store(float *p, lanes a) {
    for (int l = 0; l < LANES; l++) p[l] = a.at[l];
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    LANES_EACH(fmaf(a.at[l], b.at[l], c.at[l]));
}
static inline lanes lanes_mul(lanes a, lanes b) {
    LANES_EACH(a.at[l] * b.at[l]);
}
static inline lanes lanes_add(lanes a, lanes b) {
    LANES_EACH(a.at[l] + b.at[l]);
}
static inline lanes lanes_div(lanes a, lanes b) {
    LANES_EACH(a.at[l] / b.at[l]);
}
/** The larger one; b where a is NaN. */
static inline lanes lanes_max(lanes a, lanes b) {
    LANES_EACH(a.at[l] > b.at[l] ? a.at[l] : b.at[l]);
}
static inline lanes lanes_min(lanes a, lanes b) {
    LANES_EACH(a.at[l] < b.at[l] ? a.at[l] : b.at[l]);
}
/** To the nearest integer, ties to even. */
static inline lanes lanes_round(lanes a) {
    LANES_EACH(rintf(a.at[l]));
}
/** a * 2^n for integral n in [-126, 127] and a in [0.5, 2). */
static inline lanes lanes_scale(lanes a, lanes n) {
    LANES_EACH(half_from_bits(half_to_bits(a.at[l]) + ((uint32_t)(int32_t)n.at[l] << 23)));
}

/** The sum of sixteen partial sums, in the one order of the numerics rule: +8, +4, +2, +1. */
static inline float lanes_fold(lanes a) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) a.at[l] += a.at[l + half];
    return a.at[0];
}

#endif

/* ---- The same for every form ----------------------------------------------------------------- */

/** The first n lanes from memory, zeros behind them. */
static inline lanes lanes_load_part(const float *p, int64_t n) {
    float part[LANES] = {0};
    for (int64_t l = 0; l < n; l++) part[l] = p[l];
    return lanes_load(part);
}

static inline void lanes_store_part(float *p, lanes a, int64_t n) {
    float part[LANES];
    lanes_store(part, a);
    for (int64_t l = 0; l < n; l++) p[l] = part[l];
}

/** e^x to about one unit in the last place; exp(0) is exactly 1. Below -87 it is exactly 0, above
 * 88 it stays at e^88; NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2, then the Taylor
 * polynomial of degree 7 in r. */
static inline lanes lanes_exp(lanes x) {
    lanes clamped = lanes_max(lanes_min(x, lanes_set(88.0f)), lanes_set(-87.0f));
    lanes n = lanes_round(lanes_mul(clamped, lanes_set(1.44269504f)));
    lanes r = lanes_fma(n, lanes_set(-0.693145752f), clamped);
    r = lanes_fma(n, lanes_set(-1.42860677e-6f), r);
    lanes p = lanes_set(1.0f / 5040.0f);
    p = lanes_fma(p, r, lanes_set(1.0f / 720.0f));
    p = lanes_fma(p, r, lanes_set(1.0f / 120.0f));
    p = lanes_fma(p, r, lanes_set(1.0f / 24.0f));
    p = lanes_fma(p, r, lanes_set(1.0f / 6.0f));
    p = lanes_fma(p, r, lanes_set(0.5f));
    p = lanes_fma(p, r, lanes_set(1.0f));
    p = lanes_fma(p, r, lanes_set(1.0f));
    float value[LANES], input[LANES];
    lanes_store(value, lanes_scale(p, n));
    lanes_store(input, x);
    for (int l = 0; l < LANES; l++)
        value[l] = input[l] < -87.0f ? 0.0f : input[l] == input[l] ? value[l] : input[l];
    return lanes_load(value);
}

#endif
