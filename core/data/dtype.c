/* dtype.c - names and sizes of the number formats, made from the one list in fathom.h. */
#include "dtype.h"

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
