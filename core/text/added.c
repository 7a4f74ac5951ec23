/*
 * added.c - the search for added tokens. The tokens are sorted by text, so those that share a
 * prefix are neighbours: a search keeps the range of tokens that agree with the text so far and
 * narrows it byte by byte, which does a trie's work without one. The first byte is looked up in a
 * table, which is all that most positions of a text cost.
 */
#include "added.h"

#include <stdlib.h>
#include <string.h>

#include "../base/utf8.h"
#include "unicode.h"

fm_status added_new(added_set *set, arena *memory, size_t max_tokens, fm_error *err) {
    *set = (added_set){.tokens = arena_alloc(memory, max_tokens, sizeof *set->tokens)};
    if (!set->tokens) return error_set(err, FM_ERR_MEMORY, "out of memory for added tokens");
    return FM_OK;
}

void added_add(added_set *set, added_token token) {
    token.order = set->count;
    set->tokens[set->count++] = token;
    set->starts[(uint8_t)token.text[0]] = true;
}

/* Two texts can become one by normalization: the reference then takes the first in the file. */
static int compare_text(const void *left, const void *right) {
    const added_token *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

void added_sort(added_set *set) {
    if (set->count > 1) qsort(set->tokens, set->count, sizeof *set->tokens, compare_text);
}

/* ---- What stands beside a token -------------------------------------------------------------- */

/** The code point that ends at `end`, not reaching below `from`, and its length, which is 0 when
 * none does. */
static utf8_char char_before(const char *text, size_t from, size_t end) {
    for (size_t n = 1; n <= 4 && n <= end - from; n++) {
        utf8_char c = utf8_decode((const uint8_t *)text + end - n, n);
        if (c.kind == UTF8_KIND_CHAR && c.length == n) return c;
    }
    return (utf8_char){.code = UTF8_NO_CODE};
}

static utf8_char char_after(const char *text, size_t length, size_t start) {
    if (start == length) return (utf8_char){.code = UTF8_NO_CODE};
    return utf8_decode((const uint8_t *)text + start, length - start);
}

static bool is_space(utf8_char c) {
    return unicode_class_of(c.code) == UNICODE_CLASS_SPACE;
}

static bool is_whole_word(const char *text, size_t length, const added_match *match) {
    return !unicode_is_word(char_before(text, 0, match->start).code) &&
           !unicode_is_word(char_after(text, length, match->end).code);
}

static void strip(const added_token *token, const char *text, size_t length, size_t from,
                  added_match *match) {
    if (token->lstrip)
        for (utf8_char c; is_space(c = char_before(text, from, match->start));)
            match->start -= c.length;
    if (token->rstrip)
        for (utf8_char c; is_space(c = char_after(text, length, match->end));)
            match->end += c.length;
}

/* ---- Search ---------------------------------------------------------------------------------- */

/** The first token in [low, high) whose byte at `depth` is at least `byte`. All of them agree
 * before `depth`; one that ends there counts as having the byte 0. */
static size_t lower_bound(const added_set *set, size_t low, size_t high, size_t depth,
                          unsigned byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uint8_t)set->tokens[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** The longest token that starts text[0 … length), or NULL. */
static const added_token *longest_at(const added_set *set, const char *text, size_t length) {
    const added_token *longest = NULL;
    size_t low = 0;
    size_t high = set->count;
    for (size_t depth = 0; depth < length && text[depth] != '\0'; depth++) {
        uint8_t byte = (uint8_t)text[depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1u);
        if (low == high) break;
        /* A token that ends here sorts before those that go on. */
        if (set->tokens[low].length == depth + 1) longest = &set->tokens[low];
    }
    return longest;
}

/* As in the reference, what a token that is no whole word covers is not searched again. */
bool added_find(const added_set *set, const char *text, size_t length, size_t from,
                added_match *out) {
    for (size_t pos = from; pos < length; pos++) {
        if (!set->starts[(uint8_t)text[pos]]) continue;
        const added_token *token = longest_at(set, text + pos, length - pos);
        if (!token) continue;
        *out = (added_match){pos, pos + token->length, token->id};
        if (token->single_word && !is_whole_word(text, length, out)) {
            pos = out->end - 1;
            continue;
        }
        strip(token, text, length, from, out);
        return true;
    }
    return false;
}
