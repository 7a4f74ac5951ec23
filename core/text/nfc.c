/*
 * nfc.c - normalization, stretch by stretch. Between two stable code points nothing can happen, so
 * a stretch is a run of unstable ones and the stable one in front of it, with which they may
 * compose; all other text is copied. A stretch is decomposed, its marks are sorted by combining
 * class, and then what composes is put together (Unicode standard, section 3.11).
 */
#include "nfc.h"

#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/utf8.h"
#include "unicode.h"

enum {
    CODE_BITS = 0x1FFFFF,
    CLASS_SHIFT = 24,
    SHORT_RUN = 24, /* marks; about where counting starts to beat insertion */
    UTF8_MAX = 4,   /* bytes of a code point */
};

void nfc_free(nfc_text *t) {
    free(t->bytes);
    free(t->codes);
    free(t->sorted);
    *t = (nfc_text){0};
}

/* ---- Reading --------------------------------------------------------------------------------- */

/** Where the first unstable code point is, from `pos` on; `length` when there is none. *before is
 * set to the start of the stable code point in front of it, or to the result when there is none. */
static size_t find_unstable(const uint8_t *text, size_t length, size_t pos, size_t *before) {
    *before = SIZE_MAX;
    while (pos < length) {
        uint32_t n = 1;
        if (text[pos] >= 0x80) {
            utf8_char c = utf8_decode(text + pos, length - pos);
            if (unicode_is_unstable(c.code)) break;
            n = c.length;
            *before = c.kind == UTF8_KIND_CHAR ? pos : SIZE_MAX;
        } else {
            *before = pos;
        }
        pos += n;
    }
    if (*before == SIZE_MAX) *before = pos;
    return pos;
}

bool nfc_is_stable(const uint8_t *text, size_t length) {
    size_t before;
    return find_unstable(text, length, 0, &before) == length;
}

static fm_status out_of_memory(fm_error *err) {
    return error_set(err, FM_ERR_MEMORY, "out of memory for normalizing text");
}

/** Decomposes the code point at `pos` into codes[n …), with their combining classes. */
static fm_status read_code(nfc_text *t, utf8_char c, size_t *n, fm_error *err) {
    uint32_t *codes =
        array_grow(t->codes, &t->codes_capacity, *n + UNICODE_MAX_DECOMPOSITION, sizeof *codes);
    if (!codes) return out_of_memory(err);
    t->codes = codes;
    size_t parts = unicode_decompose(c.code, codes + *n);
    for (size_t i = 0; i < parts; i++, ++*n)
        codes[*n] |= (uint32_t)unicode_combining_class(codes[*n]) << CLASS_SHIFT;
    return FM_OK;
}

/** Reads the stretch that starts at `pos`: one code point and the unstable ones behind it. *end is
 * set to where it ends. */
static fm_status read_stretch(nfc_text *t, const uint8_t *text, size_t length, size_t pos,
                              size_t *end, size_t *n, fm_error *err) {
    *n = 0;
    for (bool first = true; pos < length; first = false) {
        utf8_char c = utf8_decode(text + pos, length - pos);
        if (!first && !unicode_is_unstable(c.code)) break;
        FM_TRY(read_code(t, c, n, err));
        pos += c.length;
    }
    *end = pos;
    return FM_OK;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void sort_short(uint32_t *codes, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint32_t code = codes[i];
        size_t k = i;
        for (; k > 0 && codes[k - 1] >> CLASS_SHIFT > code >> CLASS_SHIFT; k--)
            codes[k] = codes[k - 1];
        codes[k] = code;
    }
}

/* Text may be made of nothing but marks: sorting by comparisons would not be linear. */
static fm_status sort_long(nfc_text *t, uint32_t *codes, size_t n, fm_error *err) {
    size_t start[257] = {0};
    uint32_t *sorted = array_grow(t->sorted, &t->sorted_capacity, n, sizeof *sorted);
    if (!sorted) return out_of_memory(err);
    t->sorted = sorted;
    for (size_t i = 0; i < n; i++) start[(codes[i] >> CLASS_SHIFT) + 1]++;
    for (size_t i = 1; i < 257; i++) start[i] += start[i - 1];
    for (size_t i = 0; i < n; i++) sorted[start[codes[i] >> CLASS_SHIFT]++] = codes[i];
    memcpy(codes, sorted, n * sizeof *codes);
    return FM_OK;
}

/** Sorts each run of marks by class; those of the same class keep their order. */
static fm_status sort_marks(nfc_text *t, size_t n, fm_error *err) {
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && t->codes[i] >> CLASS_SHIFT) i++;
        if (i - start > SHORT_RUN)
            FM_TRY(sort_long(t, t->codes + start, i - start, err));
        else
            sort_short(t->codes + start, i - start);
        if (i == start) i++;
    }
    return FM_OK;
}

/* ---- Composition ----------------------------------------------------------------------------- */

/** Puts together in place what composes, and returns how many code points are left. A mark reaches
 * the last starter unless another one of its own or of a higher class stands between. */
static size_t compose(uint32_t *codes, size_t n) {
    size_t starter = SIZE_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t class = codes[i] >> CLASS_SHIFT;
        bool beside = kept == starter + 1;
        if (starter != SIZE_MAX && (beside || codes[kept - 1] >> CLASS_SHIFT < class)) {
            uint32_t code = unicode_compose(codes[starter], codes[i] & CODE_BITS);
            if (code) {
                codes[starter] = code;
                continue;
            }
        }
        if (class == 0) starter = kept;
        codes[kept++] = codes[i];
    }
    return kept;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static fm_status reserve(nfc_text *t, size_t more, fm_error *err) {
    uint8_t *bytes = array_grow(t->bytes, &t->bytes_capacity, t->length + more, 1);
    if (!bytes) return out_of_memory(err);
    t->bytes = bytes;
    return FM_OK;
}

static fm_status append(nfc_text *t, const uint8_t *text, size_t length, fm_error *err) {
    if (length == 0) return FM_OK;
    FM_TRY(reserve(t, length, err));
    memcpy(t->bytes + t->length, text, length);
    t->length += length;
    return FM_OK;
}

static fm_status append_codes(nfc_text *t, size_t n, fm_error *err) {
    FM_TRY(reserve(t, n * UTF8_MAX, err));
    for (size_t i = 0; i < n; i++)
        t->length += utf8_encode(t->codes[i] & CODE_BITS, (char *)t->bytes + t->length);
    return FM_OK;
}

fm_status nfc_normalize(const uint8_t *text, size_t length, nfc_text *out, fm_error *err) {
    out->length = 0;
    for (size_t pos = 0; pos < length;) {
        size_t before, n;
        size_t unstable = find_unstable(text, length, pos, &before);
        if (unstable == length) return append(out, text + pos, length - pos, err);
        FM_TRY(append(out, text + pos, before - pos, err));
        FM_TRY(read_stretch(out, text, length, before, &pos, &n, err));
        FM_TRY(sort_marks(out, n, err));
        FM_TRY(append_codes(out, compose(out->codes, n), err));
    }
    return FM_OK;
}
