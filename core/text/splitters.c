/*
 * splitters.c - the matchers, by hand. Where two published rules share an alternative they share
 * its function. Alternatives are tried in the order of the pattern; the first one that matches
 * wins.
 */
#include "splitters.h"

#include "../base/utf8.h"
#include "letters.h"
#include "unicode.h"

#define SET_LETTER UNICODE_SET(UNICODE_CLASS_LETTER)
#define SET_MARK   UNICODE_SET(UNICODE_CLASS_MARK)
#define SET_NUMBER UNICODE_SET(UNICODE_CLASS_NUMBER)
#define SET_SPACE  UNICODE_SET(UNICODE_CLASS_SPACE)
#define SET_DIGITS (SET_NUMBER | UNICODE_SET(UNICODE_CLASS_LATER_NUMBER))
#define SET_PUNCTUATION_SYMBOL                                                                     \
    (UNICODE_SET(UNICODE_CLASS_PUNCTUATION) | UNICODE_SET(UNICODE_CLASS_SYMBOL))

/* ---- Reading characters ---------------------------------------------------------------------- */

/** One character of a span. At the end of the span its length is 0 and it is in no set. */
typedef struct character {
    uint32_t code;
    uint32_t length; /* bytes */
    unicode_set set;
} character;

static inline character peek(span s, size_t pos) {
    if (pos >= s.end) return (character){UTF8_NO_CODE, 0, 0};
    uint8_t byte = s.text[pos];
    if (byte < 0x80) return (character){byte, 1, UNICODE_SET(unicode_class_of(byte))};
    utf8_char c = utf8_decode(s.text + pos, s.end - pos);
    return (character){c.code, c.length, UNICODE_SET(unicode_class_of(c.code))};
}

/** The end of the run of characters in `set` that starts at `pos`. */
static inline size_t skip_set(span s, size_t pos, unicode_set set) {
    for (character c = peek(s, pos); c.set & set; c = peek(s, pos)) pos += c.length;
    return pos;
}

static inline bool is_newline(uint32_t code) {
    return code == '\r' || code == '\n';
}

static size_t skip_newlines(span s, size_t pos) {
    while (pos < s.end && is_newline(s.text[pos])) pos++;
    return pos;
}

static inline bool is_ascii_letter(uint32_t code) {
    return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
}

static inline bool is_ascii_punctuation(uint32_t code) {
    return code > ' ' && code < 0x7F && !is_ascii_letter(code) && !(code >= '0' && code <= '9');
}

/* ---- Splitters of one class ------------------------------------------------------------------ */

/** Single characters of a set, and runs of the others. */
static size_t split_single(span s, size_t pos, unicode_set set) {
    character first = peek(s, pos);
    return first.set & set ? pos + first.length : skip_set(s, pos, ~set);
}

/** Runs of characters of a set, and runs of the others. */
static size_t split_runs(span s, size_t pos, unicode_set set) {
    return skip_set(s, pos, peek(s, pos).set & set ? set : ~set);
}

size_t splitter_newline(span s, size_t pos) {
    if (is_newline(s.text[pos])) return pos + 1;
    while (pos < s.end && !is_newline(s.text[pos])) pos++;
    return pos;
}

size_t splitter_digit(span s, size_t pos) {
    return split_single(s, pos, SET_DIGITS);
}

size_t splitter_number(span s, size_t pos) {
    return split_single(s, pos, SET_NUMBER);
}

size_t splitter_numbers(span s, size_t pos) {
    return split_runs(s, pos, SET_NUMBER);
}

static bool is_cjk(uint32_t code) {
    return (code >= 0x0800 && code <= 0x9FA5) || (code >= 0xAC00 && code <= 0xD7FF);
}

size_t splitter_cjk(span s, size_t pos) {
    bool cjk = is_cjk(peek(s, pos).code);
    for (character c = peek(s, pos); c.length > 0 && is_cjk(c.code) == cjk; c = peek(s, pos))
        pos += c.length;
    return pos;
}

/* It looks at the whole span, but makes two pieces of it at most. */
size_t splitter_trailing_space(span s, size_t pos) {
    size_t start = pos;
    size_t space = pos; /* where the space at the end begins */
    for (character c = peek(s, pos); c.length > 0; c = peek(s, pos)) {
        pos += c.length;
        if (!(c.set & SET_SPACE)) space = pos;
    }
    return space > start ? space : pos;
}

/* ---- deepseek-llm and -coder: one space and a run --------------------------------------------- */

/** `\s?` and a run of characters that `has` knows, and what lies between such matches. */
static inline size_t split_spaced_runs(span s, size_t pos, bool (*has)(character c)) {
    size_t match = pos;
    size_t at = pos;
    character c = peek(s, at);
    while (c.length > 0 && !has(c)) {
        at += c.length;
        if (!(c.set & SET_SPACE))
            match = at;
        else
            match = at - c.length;
        c = peek(s, at);
    }
    if (c.length == 0) return s.end;
    if (match > pos) return match;
    for (; c.length > 0 && has(c); c = peek(s, at)) at += c.length;
    return at;
}

static inline bool is_llm_letter(character c) {
    return c.code < 0x80 ? is_ascii_letter(c.code) : letters_has(c.code);
}

static inline bool is_llm_punctuation(character c) {
    uint32_t code = c.code;
    if (code < 0x80) return (code >= '!' && code <= '/') || (code >= ':' && code <= '~');
    return (code >= 0xFF01 && code <= 0xFF0F) || (code >= 0xFF1A && code <= 0xFF5E) ||
           (code >= 0x2018 && code <= 0x201F) || (code >= 0x3000 && code <= 0x3002);
}

static inline bool is_letter(character c) {
    return c.set & SET_LETTER;
}

static inline bool is_punctuation(character c) {
    return c.set & UNICODE_SET(UNICODE_CLASS_PUNCTUATION);
}

size_t splitter_llm_letters(span s, size_t pos) {
    return split_spaced_runs(s, pos, is_llm_letter);
}

size_t splitter_llm_punctuation(span s, size_t pos) {
    return split_spaced_runs(s, pos, is_llm_punctuation);
}

size_t splitter_coder_letters(span s, size_t pos) {
    return split_spaced_runs(s, pos, is_letter);
}

size_t splitter_coder_punctuation(span s, size_t pos) {
    return split_spaced_runs(s, pos, is_punctuation);
}

/* ---- Alternatives that several rules share --------------------------------------------------- */

/** `\s+(?!\S)|\s+`: a run of white space leaves its last character to what follows, unless the span
 * ends there or there is no other character. */
static size_t match_space(span s, size_t pos) {
    size_t last = pos;
    size_t end = pos;
    for (character c = peek(s, pos); c.set & SET_SPACE; c = peek(s, end)) {
        last = end;
        end += c.length;
    }
    return end == s.end || last == pos ? end : last;
}

/** `\s*[\r\n]+|\s+(?!\S)|\s+`: to the last newline of the run of white space, if there is one. */
static size_t match_space_newline(span s, size_t pos) {
    size_t matched = pos;
    size_t end = pos;
    for (character c = peek(s, pos); c.set & SET_SPACE; c = peek(s, end)) {
        end += c.length;
        if (is_newline(c.code)) matched = end;
    }
    return matched > pos ? matched : match_space(s, pos);
}

/** ` ?[SET]+[\r\n]*`, or the position itself. */
static size_t match_marks(span s, size_t pos, character first, unicode_set set) {
    size_t mark = first.code == ' ' ? pos + 1 : pos;
    size_t end = skip_set(s, mark, set);
    return end > mark ? skip_newlines(s, end) : pos;
}

/* ---- deepseek-v3 ----------------------------------------------------------------------------- */

static inline bool is_han_or_kana(uint32_t code) {
    return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

static size_t match_three_numbers(span s, size_t pos) {
    for (int n = 0; n < 3; n++) {
        character c = peek(s, pos);
        if (!(c.set & SET_NUMBER)) break;
        pos += c.length;
    }
    return pos;
}

/** `\p{N}{1,3}`, then the class of Han and kana in what is left. */
size_t splitter_v3_numbers_and_han(span s, size_t pos) {
    character first = peek(s, pos);
    if (first.set & SET_NUMBER) return match_three_numbers(s, pos);
    bool han = is_han_or_kana(first.code);
    for (character c = first; c.length > 0; c = peek(s, pos)) {
        if ((c.set & SET_NUMBER) || is_han_or_kana(c.code) != han) break;
        pos += c.length;
    }
    return pos;
}

/** The end of a match of the long rule, or the position itself. */
static size_t match_v3(span s, size_t pos) {
    const unicode_set word = SET_LETTER | SET_MARK;
    character first = peek(s, pos);
    size_t next = pos + first.length;
    character second = peek(s, next);

    /* one ASCII punctuation mark and the ASCII letters behind it */
    if (is_ascii_punctuation(first.code) && is_ascii_letter(second.code)) {
        while (next < s.end && is_ascii_letter(s.text[next])) next++;
        return next;
    }
    /* `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+` */
    bool may_lead = !(first.set & (SET_LETTER | SET_PUNCTUATION_SYMBOL)) && !is_newline(first.code);
    if (may_lead && (second.set & word)) return skip_set(s, next, word);
    if (first.set & word) return skip_set(s, next, word);
    size_t end = match_marks(s, pos, first, SET_PUNCTUATION_SYMBOL);
    return end > pos ? end : match_space_newline(s, pos);
}

size_t splitter_v3(span s, size_t pos) {
    size_t end = match_v3(s, pos);
    if (end > pos) return end;
    /* Nothing matches here: the piece runs to the next match. */
    do {
        end += peek(s, end).length;
    } while (end < s.end && match_v3(s, end) == end);
    return end;
}

/* ---- llama3, qwen2 and gpt-2 ----------------------------------------------------------------- */

/** `'s|'t|'re|'ve|'m|'ll|'d` at an apostrophe, of the case of `fold`: 0x20 for any, 0 for lower.
 * The position itself when there is none. */
static size_t match_contraction(span s, size_t pos, uint8_t fold) {
    const uint8_t *c = s.text + pos;
    size_t n = s.end - pos;
    if (n < 2 || c[0] != '\'') return pos;
    uint8_t first = c[1] | fold;
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return pos + 2;
    if (n < 3) return pos;
    /* The long s, U+017F, is the s of another case. */
    if (fold && c[1] == 0xC5 && c[2] == 0xBF) return pos + 3;
    uint8_t second = c[2] | fold;
    bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
               (first == 'l' && second == 'l');
    return two ? pos + 3 : pos;
}

/** The rule of both; qwen2 takes numbers one by one. It matches everywhere. */
static inline size_t match_llama3(span s, size_t pos, bool three_numbers) {
    size_t contraction = match_contraction(s, pos, 0x20);
    if (contraction > pos) return contraction;
    character first = peek(s, pos);
    size_t next = pos + first.length;
    /* `[^\r\n\p{L}\p{N}]?\p{L}+` */
    if (first.set & SET_LETTER) return skip_set(s, next, SET_LETTER);
    if (first.set & SET_NUMBER) return three_numbers ? match_three_numbers(s, pos) : next;
    if (!is_newline(first.code) && (peek(s, next).set & SET_LETTER))
        return skip_set(s, next, SET_LETTER);
    size_t end = match_marks(s, pos, first, ~(SET_SPACE | SET_LETTER | SET_NUMBER));
    return end > pos ? end : match_space_newline(s, pos);
}

size_t splitter_llama3(span s, size_t pos) {
    return match_llama3(s, pos, true);
}

size_t splitter_qwen2(span s, size_t pos) {
    return match_llama3(s, pos, false);
}

size_t splitter_gpt2(span s, size_t pos) {
    size_t contraction = match_contraction(s, pos, 0);
    if (contraction > pos) return contraction;

    /* ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+` */
    size_t start = pos + (s.text[pos] == ' ');
    character first = peek(s, start);
    if (first.set & SET_LETTER) return skip_set(s, start, SET_LETTER);
    if (first.set & SET_NUMBER) return skip_set(s, start, SET_NUMBER);
    const unicode_set others = ~(SET_SPACE | SET_LETTER | SET_NUMBER);
    return first.set & others ? skip_set(s, start, others) : match_space(s, pos);
}
