/* numbers.c - owns the random streams and the formats of numbers.h. */
#include "numbers.h"

#include <math.h>
#include <string.h>

/* ---- Random values (splitmix64: any seed is a good one) -------------------------------------- */

uint64_t random_next(random_stream *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int32_t random_below(random_stream *r, int32_t n) {
    return (int32_t)(random_next(r) % (uint64_t)n);
}

double random_normal(random_stream *r) {
    uint64_t bits = random_next(r);
    double sum = -2.0; /* four uniform values: mean 2, variance 1/3 */
    for (int i = 0; i < 4; i++) sum += (double)(bits >> (16 * i) & 0xffff) * 0x1p-16;
    return sum * 1.75;
}

void random_permutation(random_stream *r, int32_t *out, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        int32_t j = random_below(r, i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}

/* ---- Formats --------------------------------------------------------------------------------- */

typedef struct format {
    int fraction_bits;
    int min_exponent; /* of normal values */
    double max;
} format;

static const format format_bf16 = {7, -126, 0x1.fep127};
static const format format_f16 = {10, -14, 65504.0};

/* Division by the distance of neighbouring values is exact, and nearbyint rounds to even. */
static double format_round(const format *f, double value) {
    if (value == 0 || !isfinite(value)) return value;
    int exponent = ilogb(value);
    if (exponent < f->min_exponent) exponent = f->min_exponent;
    double step = ldexp(1.0, exponent - f->fraction_bits);
    double rounded = nearbyint(value / step) * step;
    return fabs(rounded) > f->max ? copysign(HUGE_VAL, value) : rounded;
}

static uint16_t f16_encode(double value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(value)) return 0x7e00;
    if (isinf(value)) return sign | 0x7c00;
    if (size < 0x1p-14) return (uint16_t)(sign | (int)(size * 0x1p24));
    int exponent = ilogb(size);
    int fraction = (int)ldexp(size, 10 - exponent) - 1024;
    return (uint16_t)(sign | ((exponent + 15) << 10) | fraction);
}

static double f16_decode(uint16_t bits) {
    int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    double size = exponent == 31  ? (fraction ? (double)NAN : HUGE_VAL)
                  : exponent == 0 ? fraction * 0x1p-24
                                  : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -size : size;
}

double number_get(fm_dtype dtype, const void *p) {
    float f;
    int32_t i;
    uint16_t half;
    uint32_t word;
    switch (dtype) {
    case FM_DTYPE_I32:
        memcpy(&i, p, 4);
        return i;
    case FM_DTYPE_BF16:
        memcpy(&half, p, 2);
        word = (uint32_t)half << 16;
        memcpy(&f, &word, 4);
        return (double)f;
    case FM_DTYPE_F16:
        memcpy(&half, p, 2);
        return f16_decode(half);
    default:
        memcpy(&f, p, 4);
        return (double)f;
    }
}

double number_round(fm_dtype dtype, double value) {
    switch (dtype) {
    case FM_DTYPE_BF16:
        return format_round(&format_bf16, value);
    case FM_DTYPE_F16:
        return format_round(&format_f16, value);
    default:
        return (double)(float)value;
    }
}

bool number_set(fm_dtype dtype, void *p, double value) {
    double rounded = number_round(dtype, value);
    float f = (float)rounded;
    int32_t i = dtype == FM_DTYPE_I32 ? (int32_t)value : 0;
    uint32_t word;
    uint16_t half = dtype == FM_DTYPE_F16 ? f16_encode(rounded) : 0;
    if (dtype == FM_DTYPE_BF16) {
        memcpy(&word, &f, 4); /* a BF16 value is a float whose lower half is zero */
        half = (uint16_t)(word >> 16);
    }
    switch (dtype) {
    case FM_DTYPE_I32:
        memcpy(p, &i, 4);
        return true;
    case FM_DTYPE_BF16:
    case FM_DTYPE_F16:
        memcpy(p, &half, 2);
        break;
    default:
        memcpy(p, &f, 4);
        break;
    }
    return isfinite(rounded) || !isfinite(value);
}
