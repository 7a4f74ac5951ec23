/*
 * split.c - the matchers of the split rules. A rule is a row of split_rules: how to cut
 * segments, and how to match inside one. A matcher gets a span and a position and returns the end
 * of the match, or the position itself when nothing matches; it reads only inside the span, which
 * is how look-ahead and runs stop at the ends of a segment.
 */
#include "split.h"

#include "../base/utf8.h"
#include "unicode.h"

#define SET_LETTER UNICODE_SET(UNICODE_CLASS_LETTER)
#define SET_MARK   UNICODE_SET(UNICODE_CLASS_MARK)
#define SET_NUMBER UNICODE_SET(UNICODE_CLASS_NUMBER)
#define SET_SPACE  UNICODE_SET(UNICODE_CLASS_SPACE)
#define SET_DIGITS (SET_NUMBER | UNICODE_SET(UNICODE_CLASS_LATER_NUMBER))
#define SET_PUNCTUATION_SYMBOL                                                                     \
    (UNICODE_SET(UNICODE_CLASS_PUNCTUATION) | UNICODE_SET(UNICODE_CLASS_SYMBOL))

typedef struct span {
    const uint8_t *text;
    size_t end;
} span;

/* ---- Reading characters ---------------------------------------------------------------------- */

/** One character of a span. At the end of the span its length is 0 and it is in no set. */
typedef struct character {
    uint32_t code;
    size_t length; /* bytes */
    unicode_set set;
} character;

static character peek(span s, size_t pos) {
    if (pos >= s.end) return (character){UTF8_NO_CODE, 0, 0};
    utf8_char c = utf8_decode(s.text + pos, s.end - pos);
    return (character){c.code, c.length, UNICODE_SET(unicode_class_of(c.code))};
}

/** The end of the run of characters in `set` that starts at `pos`. */
static size_t skip_set(span s, size_t pos, unicode_set set) {
    for (character c = peek(s, pos); c.set & set; c = peek(s, pos)) pos += c.length;
    return pos;
}

static bool is_newline(uint32_t code) {
    return code == '\r' || code == '\n';
}

static bool is_ascii_letter(uint32_t code) {
    return (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
}

static bool is_ascii_punctuation(uint32_t code) {
    return code > ' ' && code < 0x7F && !is_ascii_letter(code) && !(code >= '0' && code <= '9');
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

/** `\s*[\r\n]+`: from here to the last newline of the run of white space. */
static size_t match_space_newline(span s, size_t pos) {
    size_t matched = pos;
    size_t end = pos;
    for (character c = peek(s, pos); c.set & SET_SPACE; c = peek(s, end)) {
        end += c.length;
        if (is_newline(c.code)) matched = end;
    }
    return matched;
}

/* ---- deepseek-v3 --------------------------------------------------------------------------------
 * Segments: up to three numbers; a run of Han and kana; a run of anything else. */

static bool is_han_or_kana(uint32_t code) {
    return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

static size_t deepseek_v3_segment(span s, size_t pos) {
    character first = peek(s, pos);
    if (first.set & SET_NUMBER) {
        for (int n = 0; n < 3 && (peek(s, pos).set & SET_NUMBER); n++) pos += peek(s, pos).length;
        return pos;
    }
    bool han = is_han_or_kana(first.code);
    for (character c = first; c.length > 0; c = peek(s, pos)) {
        if ((c.set & SET_NUMBER) || is_han_or_kana(c.code) != han) break;
        pos += c.length;
    }
    return pos;
}

static size_t deepseek_v3_match(span s, size_t pos) {
    character first = peek(s, pos);
    size_t next = pos + first.length;

    /* one ASCII punctuation mark and the ASCII letters behind it */
    if (is_ascii_punctuation(first.code) && is_ascii_letter(peek(s, next).code)) {
        size_t end = next;
        while (is_ascii_letter(peek(s, end).code)) end++;
        return end;
    }
    /* `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+` */
    unicode_set word = SET_LETTER | SET_MARK;
    if (!(first.set & (SET_LETTER | SET_PUNCTUATION_SYMBOL)) && !is_newline(first.code)) {
        size_t end = skip_set(s, next, word);
        if (end > next) return end;
    }
    if (first.set & word) return skip_set(s, pos, word);
    /* ` ?[\p{P}\p{S}]+[\r\n]*` */
    size_t mark = first.code == ' ' ? next : pos;
    size_t end = skip_set(s, mark, SET_PUNCTUATION_SYMBOL);
    if (end > mark) {
        while (is_newline(peek(s, end).code)) end++;
        return end;
    }
    end = match_space_newline(s, pos);
    return end > pos ? end : match_space(s, pos);
}

/* ---- smollm -------------------------------------------------------------------------------------
 * Segments: one digit; a run of anything else. */

static size_t smollm_segment(span s, size_t pos) {
    character first = peek(s, pos);
    if (first.set & SET_DIGITS) return pos + first.length;
    return skip_set(s, pos, ~SET_DIGITS);
}

/** `'s|'t|'re|'ve|'m|'ll|'d` at an apostrophe */
static size_t match_contraction(span s, size_t pos) {
    const uint8_t *c = s.text + pos;
    size_t n = s.end - pos;
    if (n < 2 || c[0] != '\'') return pos;
    if (c[1] == 's' || c[1] == 't' || c[1] == 'm' || c[1] == 'd') return pos + 2;
    if (n < 3) return pos;
    bool two = (c[1] == 'r' && c[2] == 'e') || (c[1] == 'v' && c[2] == 'e') ||
               (c[1] == 'l' && c[2] == 'l');
    return two ? pos + 3 : pos;
}

static size_t gpt2_match(span s, size_t pos) {
    size_t contraction = match_contraction(s, pos);
    if (contraction > pos) return contraction;

    /* ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+` */
    const unicode_set runs[] = {SET_LETTER, SET_NUMBER, ~(SET_SPACE | SET_LETTER | SET_NUMBER)};
    size_t start = pos + (s.text[pos] == ' ');
    character first = peek(s, start);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        if (first.set & runs[i]) return skip_set(s, start, runs[i]);
    return match_space(s, pos);
}

/* ---- The rules and the walk ------------------------------------------------------------------ */

typedef struct split_matchers {
    size_t (*segment)(span s, size_t pos); /* the end of the segment that starts at pos < s.end */
    size_t (*match)(span s, size_t pos);   /* the end of the match at pos < s.end, or pos */
} split_matchers;

static const split_matchers matchers[SPLIT_RULE_COUNT] = {
    [SPLIT_RULE_DEEPSEEK_V3] = {deepseek_v3_segment, deepseek_v3_match},
    [SPLIT_RULE_SMOLLM] = {smollm_segment, gpt2_match},
};

split split_begin(split_rule rule, const uint8_t *text, size_t length) {
    return (split){.rule = rule, .text = text, .length = length};
}

bool split_next(split *s, size_t *start, size_t *end) {
    if (s->end == s->length) return false;
    const split_matchers *rule = &matchers[s->rule];
    if (s->end == s->segment_end)
        s->segment_end = rule->segment((span){s->text, s->length}, s->end);
    span segment = {s->text, s->segment_end};
    *start = s->end;
    *end = rule->match(segment, *start);
    if (*end == *start) {
        /* Nothing matches here: the piece runs to the next match. */
        do {
            *end += peek(segment, *end).length;
        } while (*end < s->segment_end && rule->match(segment, *end) == *end);
    }
    s->end = *end;
    return true;
}
