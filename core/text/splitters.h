/*
 * splitters.h - the single steps of the split rules. A splitter gets a span and a position in it
 * and returns the end of the piece that starts there: of a match, or of the text up to the next
 * match or the end of the span. It reads only inside the span, which is how look-ahead and runs
 * stop there, and is called with positions where one of its pieces begins. Pure functions: any
 * thread.
 */
#ifndef FATHOM_TEXT_SPLITTERS_H
#define FATHOM_TEXT_SPLITTERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct span {
    const uint8_t *text;
    size_t end; /* bytes */
} span;

/** All calls along a span together take time linear in it. `pos` is below the span's end. */
typedef size_t splitter(span s, size_t pos);

size_t splitter_newline(span s, size_t pos);        /* [\r\n] */
size_t splitter_trailing_space(span s, size_t pos); /* \s+$ */
size_t splitter_cjk(span s, size_t pos);            /* [一-龥ࠀ-一가-퟿]+ */
size_t splitter_digit(span s, size_t pos);          /* the reference's Digits, one by one */
size_t splitter_number(span s, size_t pos);         /* \p{N} */
size_t splitter_numbers(span s, size_t pos);        /* \p{N}+ */

/* deepseek-llm and -coder: \s? and a run of letters or of punctuation */
size_t splitter_llm_letters(span s, size_t pos);
size_t splitter_llm_punctuation(span s, size_t pos);
size_t splitter_coder_letters(span s, size_t pos);
size_t splitter_coder_punctuation(span s, size_t pos);

/* deepseek-v3: its first two splitters, which cannot match the same text, and its long rule */
size_t splitter_v3_numbers_and_han(span s, size_t pos);
size_t splitter_v3(span s, size_t pos);

size_t splitter_llama3(span s, size_t pos);
size_t splitter_qwen2(span s, size_t pos);
size_t splitter_gpt2(span s, size_t pos);

#endif
