/* unicode.c - searches in the tables of normal forms, and the arithmetic of Hangul syllables. */
#include "unicode.h"

#include "unicode_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Hangul syllables are numbered by their parts: 19 leading consonants, 21 vowels, and 27 trailing
 * consonants or none (Unicode standard, section 3.12). */
enum {
    HANGUL_FIRST = 0xAC00,
    HANGUL_LEADING = 0x1100,
    HANGUL_VOWEL = 0x1161,
    HANGUL_TRAILING = 0x11A7, /* one before the first: none */
    N_LEADING = 19,
    N_VOWELS = 21,
    N_TRAILING = 28,
    N_SYLLABLES = N_LEADING * N_VOWELS * N_TRAILING,
};

uint8_t unicode_combining_class(uint32_t code) {
    size_t low = 0;
    size_t high = COUNT(unicode_marks);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_marks[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < COUNT(unicode_marks) && code >= unicode_marks[low].first;
    return found ? unicode_marks[low].combining_class : 0;
}

static size_t decompose_hangul(uint32_t syllable, uint32_t *out) {
    uint32_t trailing = syllable % N_TRAILING;
    out[0] = HANGUL_LEADING + syllable / (N_VOWELS * N_TRAILING);
    out[1] = HANGUL_VOWEL + syllable / N_TRAILING % N_VOWELS;
    out[2] = HANGUL_TRAILING + trailing;
    return trailing ? 3 : 2;
}

size_t unicode_decompose(uint32_t code, uint32_t out[UNICODE_MAX_DECOMPOSITION]) {
    if (code - HANGUL_FIRST < N_SYLLABLES) return decompose_hangul(code - HANGUL_FIRST, out);
    size_t low = 0;
    size_t high = COUNT(unicode_decompositions);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_decompositions[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    const unicode_decomposition *found = &unicode_decompositions[low];
    if (low == COUNT(unicode_decompositions) || found->code != code) {
        out[0] = code;
        return 1;
    }
    for (size_t i = 0; i < found->length; i++) out[i] = unicode_parts[found->start + i];
    return found->length;
}

static uint32_t compose_hangul(uint32_t first, uint32_t second) {
    uint32_t leading = first - HANGUL_LEADING;
    uint32_t vowel = second - HANGUL_VOWEL;
    if (leading < N_LEADING && vowel < N_VOWELS)
        return HANGUL_FIRST + (leading * N_VOWELS + vowel) * N_TRAILING;
    uint32_t syllable = first - HANGUL_FIRST;
    uint32_t trailing = second - HANGUL_TRAILING;
    bool open = syllable < N_SYLLABLES && syllable % N_TRAILING == 0;
    return open && trailing > 0 && trailing < N_TRAILING ? first + trailing : 0;
}

uint32_t unicode_compose(uint32_t first, uint32_t second) {
    size_t low = 0;
    size_t high = COUNT(unicode_compositions);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const unicode_composition *at = &unicode_compositions[middle];
        if (at->first < first || (at->first == first && at->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    const unicode_composition *found = &unicode_compositions[low];
    if (low < COUNT(unicode_compositions) && found->first == first && found->second == second)
        return found->code;
    return compose_hangul(first, second);
}
