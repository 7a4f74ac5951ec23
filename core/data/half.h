/*
 * half.h - 16-bit floating point formats to and from float32. Widening is exact; narrowing rounds
 * to nearest, ties to even, keeps infinities and quiets NaN. Pure functions: any thread.
 */
#ifndef FATHOM_DATA_HALF_H
#define FATHOM_DATA_HALF_H

#include <stdint.h>
#include <string.h>

static inline float half_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t half_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float half_bf16_widen(uint16_t h) {
    return half_from_bits((uint32_t)h << 16);
}

static inline uint16_t half_bf16_round(float value) {
    uint32_t bits = half_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/** IEEE binary16. Scaling by 2^112 moves the exponent and makes subnormals normal in one exact
 * step. */
static inline float half_f16_widen(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = (uint32_t)(h & 0x7fffu) << 13;
    if (rest >= 0x0f800000u) return half_from_bits(sign | rest | 0x7f800000u); /* inf, NaN */
    float magnitude = half_from_bits(rest) * half_from_bits(0x77800000u);      /* 2^112 */
    return half_from_bits(half_to_bits(magnitude) | sign);
}

static inline uint16_t half_f16_round(float value) {
    uint32_t bits = half_to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);  /* NaN */
    if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to 2^16 and above */
    if (bits < 0x38800000u) { /* below 2^-14: subnormal; adding 2^-1 rounds at 2^-24 */
        float shifted = half_from_bits(bits) + 0.5f;
        return (uint16_t)(sign | (half_to_bits(shifted) - 0x3f000000u));
    }
    uint32_t rounded = bits + 0xfffu + (bits >> 13 & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

#endif
