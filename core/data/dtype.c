/* dtype.c - the number formats: names and sizes, made from the one list in fathom.h; widening and
 * narrowing. */
#include "dtype.h"

#include <math.h>

#include "half.h"

static const struct {
    const char *name;
    size_t size; /* bytes */
} dtypes[FM_DTYPE_COUNT] = {
#define DTYPE_ROW(dtype, text, bits) [FM_DTYPE_##dtype] = {text, (bits) / 8},
    FM_DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

const char *fm_dtype_name(fm_dtype dtype) {
    return (unsigned)dtype < FM_DTYPE_COUNT ? dtypes[dtype].name : "?";
}

size_t fm_dtype_size(fm_dtype dtype) {
    return (unsigned)dtype < FM_DTYPE_COUNT ? dtypes[dtype].size : 0;
}

float dtype_widen(const void *at, fm_dtype dtype) {
    uint32_t bits;
    uint16_t h;
    if (dtype == FM_DTYPE_F32) {
        memcpy(&bits, at, sizeof bits);
        return half_from_bits(bits);
    }
    memcpy(&h, at, sizeof h);
    return dtype == FM_DTYPE_BF16 ? half_bf16_widen(h) : half_f16_widen(h);
}

bool dtype_narrow(void *at, fm_dtype dtype, float value) {
    if (dtype == FM_DTYPE_F32) {
        memcpy(at, &value, sizeof value);
        return true;
    }
    bool bf16 = dtype == FM_DTYPE_BF16;
    uint16_t half = bf16 ? half_bf16_round(value) : half_f16_round(value);
    memcpy(at, &half, sizeof half);
    return !isfinite(value) || isfinite(bf16 ? half_bf16_widen(half) : half_f16_widen(half));
}
