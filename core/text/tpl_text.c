/* tpl_text.c - pieces and joins of strings that carry a mark for each byte. */
#include "tpl_text.h"

#include <string.h>

#include "../base/utf8.h"
#include "tpl_run.h"

fm_status tpl_text_new(tpl_run *r, const char *bytes, size_t length, bool is_template,
                       const tpl_text **out) {
    tpl_text *text = tpl_new(r, 1, sizeof *text);
    if (!text) return r->status;
    *text = (tpl_text){.bytes = bytes, .length = length, .is_template = is_template};
    *out = text;
    return FM_OK;
}

fm_status tpl_text_cut(tpl_run *r, const tpl_text *text, size_t start, size_t end,
                       const tpl_text **out) {
    if (start == 0 && end == text->length) {
        *out = text;
        return FM_OK;
    }
    tpl_text *cut = tpl_new(r, 1, sizeof *cut);
    if (!cut) return r->status;
    *cut = *text;
    cut->bytes += start;
    cut->length = end - start;
    if (cut->marks) cut->marks += start;
    *out = cut;
    return FM_OK;
}

fm_status tpl_text_cut_value(tpl_run *r, const tpl_text *text, size_t start, size_t end,
                             tpl_value *out) {
    const tpl_text *cut = NULL;
    FM_TRY(tpl_text_cut(r, text, start, end, &cut));
    *out = tpl_string(cut);
    return FM_OK;
}

fm_status tpl_text_plain(tpl_run *r, const tpl_text *text, const tpl_text **out) {
    tpl_text *plain = tpl_new(r, 1, sizeof *plain);
    if (!plain) return r->status;
    *plain = *text;
    plain->is_safe = false;
    *out = plain;
    return FM_OK;
}

/* ---- Building -------------------------------------------------------------------------------- */

/** Gives every byte of a buffer a mark of its own. */
static fm_status split_marks(tpl_run *r, tpl_buffer *buffer) {
    if (buffer->marks) return FM_OK;
    uint8_t *marks = tpl_new(r, buffer->capacity, 1);
    if (!marks) return r->status;
    memset(marks, buffer->is_template, buffer->used);
    buffer->marks = marks;
    return FM_OK;
}

/** A buffer that begins with `length` bytes of `from`, with room for `more` behind them. */
static fm_status new_buffer(tpl_run *r, const tpl_text *from, size_t more, size_t spare,
                            tpl_buffer **out) {
    tpl_buffer *buffer = tpl_new(r, 1, sizeof *buffer);
    if (!buffer) return r->status;
    if (more > SIZE_MAX / 4 || from->length > SIZE_MAX / 4) return tpl_fail_limit(r, "values");
    buffer->capacity = from->length + more + spare;
    buffer->bytes = tpl_new(r, buffer->capacity, 1);
    if (!buffer->bytes) return r->status;
    if (from->marks) {
        buffer->marks = tpl_new(r, buffer->capacity, 1);
        if (!buffer->marks) return r->status;
        memcpy(buffer->marks, from->marks, from->length);
    }
    if (from->length > 0) memcpy(buffer->bytes, from->bytes, from->length);
    buffer->used = from->length;
    buffer->is_template = from->is_template;
    *out = buffer;
    return tpl_spend_bytes(r, from->length);
}

/** Writes a text behind the used part, where there is room. */
static fm_status put(tpl_run *r, tpl_buffer *buffer, const tpl_text *text) {
    if (text->length == 0) return FM_OK;
    if (buffer->used == 0 && !buffer->marks) buffer->is_template = text->is_template;
    if (text->marks || (!buffer->marks && text->is_template != buffer->is_template))
        FM_TRY(split_marks(r, buffer));
    if (buffer->marks && text->marks)
        memcpy(buffer->marks + buffer->used, text->marks, text->length);
    else if (buffer->marks)
        memset(buffer->marks + buffer->used, text->is_template, text->length);
    memcpy(buffer->bytes + buffer->used, text->bytes, text->length);
    buffer->used += text->length;
    return tpl_spend_bytes(r, text->length);
}

static tpl_text whole(tpl_buffer *buffer) {
    return (tpl_text){.bytes = buffer->bytes,
                      .length = buffer->used,
                      .marks = buffer->marks,
                      .is_template = buffer->is_template,
                      .buffer = buffer};
}

static fm_status add(tpl_builder *b, const tpl_text *text) {
    enum { FIRST = 64 }; /* bytes */
    if (!b->buffer) {
        const tpl_text empty = {.bytes = "", .is_template = text->is_template};
        FM_TRY(new_buffer(b->r, &empty, text->length, FIRST, &b->buffer));
    } else if (text->length > b->buffer->capacity - b->buffer->used) {
        const tpl_text before = whole(b->buffer);
        FM_TRY(new_buffer(b->r, &before, text->length, before.length + text->length, &b->buffer));
    }
    return put(b->r, b->buffer, text);
}

void tpl_add(tpl_builder *b, const tpl_text *text) {
    if (b->status == FM_OK) b->status = add(b, text);
}

void tpl_add_bytes(tpl_builder *b, const char *bytes, size_t length, bool is_template) {
    tpl_add(b, &(tpl_text){.bytes = bytes, .length = length, .is_template = is_template});
}

void tpl_add_word(tpl_builder *b, const char *word, bool is_template) {
    tpl_add_bytes(b, word, strlen(word), is_template);
}

void tpl_add_code(tpl_builder *b, uint32_t code, bool is_template) {
    char bytes[4];
    tpl_add_bytes(b, bytes, utf8_encode(code, bytes), is_template);
}

void tpl_add_part(tpl_builder *b, const tpl_text *text, size_t start, size_t count) {
    tpl_text part = *text;
    part.bytes += start;
    part.length = count;
    if (part.marks) part.marks += start;
    tpl_add(b, &part);
}

fm_status tpl_built(tpl_builder *b, const tpl_text **out) {
    if (b->status != FM_OK) return b->status;
    tpl_text *text = tpl_new(b->r, 1, sizeof *text);
    if (!text) return b->r->status;
    *text = b->buffer ? whole(b->buffer) : (tpl_text){.bytes = "", .is_template = true};
    *out = text;
    return FM_OK;
}

fm_status tpl_built_value(tpl_builder *b, tpl_value *out) {
    const tpl_text *text = NULL;
    FM_TRY(tpl_built(b, &text));
    *out = tpl_string(text);
    return FM_OK;
}

/** True when text can be written behind `a` in a's own buffer: nothing stands there yet. Older
 * texts of the buffer do not see what is behind their end. */
static bool can_grow(const tpl_text *a, size_t more) {
    const tpl_buffer *buffer = a->buffer;
    return buffer && a->bytes + a->length == buffer->bytes + buffer->used &&
           more <= buffer->capacity - buffer->used;
}

fm_status tpl_text_join(tpl_run *r, const tpl_text *a, const tpl_text *b, const tpl_text **out) {
    if (b->length == 0 || a->length == 0) {
        *out = a->length == 0 ? b : a;
        return FM_OK;
    }
    size_t start = 0;
    tpl_buffer *buffer = a->buffer;
    if (can_grow(a, b->length))
        start = (size_t)(a->bytes - buffer->bytes);
    else
        FM_TRY(new_buffer(r, a, b->length, a->length + b->length, &buffer));
    FM_TRY(put(r, buffer, b));
    tpl_text *text = tpl_new(r, 1, sizeof *text);
    if (!text) return r->status;
    *text = whole(buffer);
    text->bytes += start;
    text->length -= start;
    if (text->marks) text->marks += start;
    *out = text;
    return FM_OK;
}

/* ---- Comparing and searching ----------------------------------------------------------------- */

bool tpl_text_equal(const tpl_text *a, const tpl_text *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool tpl_text_is(const tpl_text *a, const char *word) {
    return a->length == strlen(word) && memcmp(a->bytes, word, a->length) == 0;
}

int tpl_text_compare(const tpl_text *a, const tpl_text *b) {
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    if (order != 0) return order < 0 ? -1 : 1;
    return (a->length > b->length) - (a->length < b->length);
}

/* A needle of one letter in a text of that letter is compared in full at every place, so its length
 * is spent for each place where it may begin, and what a comparison costs besides: the work stays
 * within what a rendering may do. */
enum { COMPARISON = 15 /* bytes */ };

fm_status tpl_text_find(tpl_run *r, const tpl_text *text, const tpl_text *needle, size_t from,
                        size_t *out) {
    *out = SIZE_MAX;
    if (from > text->length || needle->length > text->length - from) return FM_OK;
    size_t last = text->length - needle->length, compared = 0;
    *out = needle->length == 0 ? from : SIZE_MAX;
    for (size_t at = from; *out == SIZE_MAX && at <= last; at++) {
        const char *found = memchr(text->bytes + at, needle->bytes[0], last - at + 1);
        if (!found) break;
        at = (size_t)(found - text->bytes);
        compared += needle->length + COMPARISON;
        if (memcmp(found, needle->bytes, needle->length) == 0) *out = at;
        if (compared >> 20) {
            FM_TRY(tpl_spend_bytes(r, compared));
            compared = 0;
        }
    }
    size_t end = *out == SIZE_MAX ? text->length : *out;
    return tpl_spend_bytes(r, compared + (end - from));
}

fm_status tpl_text_find_last(tpl_run *r, const tpl_text *text, const tpl_text *needle, size_t end,
                             size_t *out) {
    *out = SIZE_MAX;
    if (needle->length > end) return FM_OK;
    size_t compared = 0;
    for (size_t at = end - needle->length + 1; *out == SIZE_MAX && at-- > 0;) {
        if (needle->length > 0 && text->bytes[at] != needle->bytes[0]) continue;
        compared += needle->length + COMPARISON;
        if (memcmp(text->bytes + at, needle->bytes, needle->length) == 0) *out = at;
        if (compared >> 20) {
            FM_TRY(tpl_spend_bytes(r, compared));
            compared = 0;
        }
    }
    return tpl_spend_bytes(r, compared + (*out == SIZE_MAX ? end : end - *out));
}

/* ---- Code points ----------------------------------------------------------------------------- */

uint32_t tpl_text_code(const tpl_text *text, size_t at, size_t *length) {
    utf8_char c = utf8_decode((const uint8_t *)text->bytes + at, text->length - at);
    *length = c.length;
    return c.code;
}

size_t tpl_text_code_before(const tpl_text *text, size_t end) {
    size_t n = 1;
    while (n < 4 && n < end && ((uint8_t)text->bytes[end - n] & 0xC0) == 0x80) n++;
    return n;
}

size_t tpl_text_count(const tpl_text *text) {
    size_t count = 0;
    for (size_t i = 0; i < text->length; i++) count += ((uint8_t)text->bytes[i] & 0xC0) != 0x80;
    return count;
}

size_t tpl_text_offset(const tpl_text *text, size_t index) {
    for (size_t i = 0; i < text->length; i++)
        if (((uint8_t)text->bytes[i] & 0xC0) != 0x80 && index-- == 0) return i;
    return text->length;
}

bool tpl_is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
           code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/** True when the code point of `length` bytes at `at` is one of those to be taken off. */
static bool is_taken(const tpl_text *text, size_t at, size_t length, const tpl_text *chars) {
    size_t n;
    if (!chars) return tpl_is_space(tpl_text_code(text, at, &n));
    for (size_t i = 0; i < chars->length; i += n) {
        tpl_text_code(chars, i, &n);
        if (n == length && memcmp(chars->bytes + i, text->bytes + at, n) == 0) return true;
    }
    return false;
}

void tpl_text_strip(const tpl_text *text, const tpl_text *chars, bool left, bool right,
                    size_t *start, size_t *end) {
    *start = 0;
    *end = text->length;
    for (size_t n; left && *start < *end; *start += n) {
        tpl_text_code(text, *start, &n);
        if (!is_taken(text, *start, n, chars)) break;
    }
    while (right && *end > *start) {
        size_t n = tpl_text_code_before(text, *end);
        if (!is_taken(text, *end - n, n, chars)) break;
        *end -= n;
    }
}
