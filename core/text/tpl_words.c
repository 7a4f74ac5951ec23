/* tpl_words.c - methods of strings that ask about them, change their case, or fill them. */
#include <string.h>

#include "tpl_case.h"
#include "tpl_eval.h"
#include "tpl_methods.h"
#include "unicode.h"

/* ---- Beginnings, ends, places ---------------------------------------------------------------- */

/** The part [start, end) in code points that a search is limited to, as bytes. False where it is
 * empty because start is behind the text's end. */
static fm_status search_range(tpl_run *r, const tpl_text *text, const tpl_call *call, size_t *start,
                              size_t *end, bool *valid) {
    int64_t length = (int64_t)tpl_text_count(text), from, to;
    tpl_value none = {.kind = TPL_ABSENT};
    FM_TRY(tpl_spend_bytes(r, text->length));
    tpl_value first = call->arg[1].kind == TPL_NONE ? none : call->arg[1];
    tpl_value last = call->arg[2].kind == TPL_NONE ? none : call->arg[2];
    FM_TRY(tpl_arg_whole(r, "the start of a search", first, 0, &from));
    FM_TRY(tpl_arg_whole(r, "the end of a search", last, length, &to));
    if (from < 0) from = from < -length ? 0 : from + length;
    if (to < 0) to = to < -length ? 0 : to + length;
    if (to > length) to = length;
    *valid = from <= to;
    *start = tpl_text_offset(text, from > length ? (size_t)length : (size_t)from);
    *end = tpl_text_offset(text, (size_t)to);
    return FM_OK;
}

static bool has_end(const tpl_text *text, size_t start, size_t end, const tpl_text *part,
                    bool is_start) {
    if (part->length > end - start) return false;
    size_t at = is_start ? start : end - part->length;
    return memcmp(text->bytes + at, part->bytes, part->length) == 0;
}

/** startswith and endswith: of one text, or any of a tuple. */
static fm_status check_end(tpl_run *r, tpl_value self, const tpl_call *call, bool is_start,
                           tpl_value *out) {
    size_t start, end;
    bool valid, holds = false;
    tpl_list one = {.items = &(tpl_value){0}, .count = 1};
    const tpl_list *parts = &one;
    one.items[0] = call->arg[0];
    FM_TRY(search_range(r, self.text, call, &start, &end, &valid));
    if (call->arg[0].kind == TPL_TUPLE) parts = call->arg[0].list;
    for (size_t i = 0; i < parts->count && !holds; i++) {
        if (parts->items[i].kind != TPL_STRING)
            return tpl_fail(r, FM_ERR_ARG, "a string cannot begin or end with %s",
                            tpl_kind_name(parts->items[i]));
        holds = valid && has_end(self.text, start, end, parts->items[i].text, is_start);
    }
    *out = tpl_bool(holds);
    return FM_OK;
}

static fm_status startswith(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return check_end(r, self, call, true, out);
}
static fm_status endswith(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return check_end(r, self, call, false, out);
}

/** The place of a text in code points, -1 when there is none. */
static fm_status find_place(tpl_run *r, tpl_value self, const tpl_call *call, bool is_last,
                            int64_t *out) {
    size_t start, end, at = SIZE_MAX;
    bool valid;
    const tpl_text *part = NULL;
    FM_TRY(tpl_arg_text(r, "what is looked for", call->arg[0], &part));
    if (!part) return tpl_fail(r, FM_ERR_ARG, "what is looked for is no string");
    FM_TRY(search_range(r, self.text, call, &start, &end, &valid));
    const tpl_text within = {.bytes = self.text->bytes + start, .length = valid ? end - start : 0};
    if (valid && is_last) FM_TRY(tpl_text_find_last(r, &within, part, within.length, &at));
    if (valid && !is_last) FM_TRY(tpl_text_find(r, &within, part, 0, &at));
    const tpl_text before = {.bytes = self.text->bytes, .length = start + at};
    *out = at == SIZE_MAX ? -1 : (int64_t)tpl_text_count(&before);
    return FM_OK;
}

static fm_status find_side(tpl_run *r, tpl_value self, const tpl_call *call, bool is_last,
                           bool must, tpl_value *out) {
    int64_t place = 0;
    FM_TRY(find_place(r, self, call, is_last, &place));
    if (must && place < 0) return tpl_fail(r, FM_ERR_ARG, "the text looked for is not there");
    *out = tpl_int(place);
    return FM_OK;
}

static fm_status find(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return find_side(r, self, call, false, false, out);
}
static fm_status rfind(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return find_side(r, self, call, true, false, out);
}
static fm_status index_of(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return find_side(r, self, call, false, true, out);
}
static fm_status rindex_of(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return find_side(r, self, call, true, true, out);
}

static fm_status count(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    size_t start, end, at = 0, found;
    bool valid;
    int64_t n = 0;
    const tpl_text *part = NULL;
    FM_TRY(tpl_arg_text(r, "what is counted", call->arg[0], &part));
    if (!part) return tpl_fail(r, FM_ERR_ARG, "what is counted is no string");
    FM_TRY(search_range(r, self.text, call, &start, &end, &valid));
    const tpl_text within = {.bytes = self.text->bytes + start, .length = valid ? end - start : 0};
    if (valid && part->length == 0) n = (int64_t)tpl_text_count(&within) + 1;
    while (valid && part->length > 0) {
        FM_TRY(tpl_text_find(r, &within, part, at, &found));
        if (found == SIZE_MAX) break;
        at = found + part->length;
        n++;
    }
    *out = tpl_int(n);
    return FM_OK;
}

/* ---- Case ------------------------------------------------------------------------------------ */

static fm_status upper(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    FM_TRY(tpl_text_case(r, self.text, TPL_CASE_UPPER, out));
    return tpl_keep_safe(r, self.text, out);
}
static fm_status lower(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    FM_TRY(tpl_text_case(r, self.text, TPL_CASE_LOWER, out));
    return tpl_keep_safe(r, self.text, out);
}

static fm_status capitalize(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    tpl_builder b = {.r = r};
    size_t first = 0;
    (void)call;
    if (self.text->length > 0) tpl_text_code(self.text, 0, &first);
    tpl_add_case(&b, self.text, 0, first, TPL_CASE_TITLE);
    tpl_add_case(&b, self.text, first, self.text->length, TPL_CASE_LOWER);
    FM_TRY(tpl_built_value(&b, out));
    return tpl_keep_safe(r, self.text, out);
}

/** Every run of letters with a case begins with a capital. */
static fm_status title(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    tpl_builder b = {.r = r};
    bool is_inside = false;
    (void)call;
    for (size_t at = 0, n; at < self.text->length && b.status == FM_OK; at += n) {
        uint32_t code = tpl_text_code(self.text, at, &n);
        tpl_add_case(&b, self.text, at, at + n, is_inside ? TPL_CASE_LOWER : TPL_CASE_TITLE);
        is_inside = tpl_has_case(code);
    }
    FM_TRY(tpl_built_value(&b, out));
    return tpl_keep_safe(r, self.text, out);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static bool is_letter(uint32_t code) {
    return unicode_class_of(code) == UNICODE_CLASS_LETTER;
}
static bool is_digit(uint32_t code) {
    return code >= '0' && code <= '9';
}
static bool is_letter_or_number(uint32_t code) {
    return is_letter(code) || unicode_class_of(code) == UNICODE_CLASS_NUMBER;
}
static bool is_ascii(uint32_t code) {
    return code < 0x80;
}

/** True when the text is not empty and all of it is of a kind. */
static fm_status all_are(tpl_run *r, const tpl_text *text, bool (*is)(uint32_t), tpl_value *out) {
    bool holds = text->length > 0;
    FM_TRY(tpl_spend_bytes(r, text->length));
    for (size_t at = 0, n; holds && at < text->length; at += n)
        holds = is(tpl_text_code(text, at, &n));
    *out = tpl_bool(holds);
    return FM_OK;
}

static fm_status isalpha_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return all_are(r, self.text, is_letter, out);
}
static fm_status isdigit_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return all_are(r, self.text, is_digit, out);
}
static fm_status isalnum_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return all_are(r, self.text, is_letter_or_number, out);
}
static fm_status isspace_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return all_are(r, self.text, tpl_is_space, out);
}
static fm_status isascii_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    if (self.text->length > 0) return all_are(r, self.text, is_ascii, out);
    *out = tpl_bool(true);
    return FM_OK;
}

bool tpl_text_has_case(const tpl_text *text, bool (*is)(uint32_t)) {
    bool found = false;
    for (size_t at = 0, n; at < text->length; at += n) {
        uint32_t code = tpl_text_code(text, at, &n);
        if (tpl_has_case(code) && !is(code)) return false;
        found |= is(code);
    }
    return found;
}

static fm_status islower_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    *out = tpl_bool(tpl_text_has_case(self.text, tpl_is_lower));
    return tpl_spend_bytes(r, self.text->length);
}
static fm_status isupper_(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    *out = tpl_bool(tpl_text_has_case(self.text, tpl_is_upper));
    return tpl_spend_bytes(r, self.text->length);
}

/* ---- Formats, and what there is not ---------------------------------------------------------- */

static fm_status format(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return tpl_format_braces(r, self.text, &call->all, out);
}

static fm_status not_there(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)self;
    (void)call;
    (void)out;
    return tpl_fail(r, FM_ERR_UNSUPPORTED, "this method of strings is not supported");
}

const tpl_function tpl_text_words[] = {
    {"startswith", startswith, "prefix*,start,end"},
    {"endswith", endswith, "suffix*,start,end"},
    {"find", find, "sub*,start,end"},
    {"rfind", rfind, "sub*,start,end"},
    {"index", index_of, "sub*,start,end"},
    {"rindex", rindex_of, "sub*,start,end"},
    {"count", count, "sub*,start,end"},
    {"upper", upper, ""},
    {"lower", lower, ""},
    {"capitalize", capitalize, ""},
    {"title", title, ""},
    {"isalpha", isalpha_, ""},
    {"isdigit", isdigit_, ""},
    {"isalnum", isalnum_, ""},
    {"isspace", isspace_, ""},
    {"isascii", isascii_, ""},
    {"islower", islower_, ""},
    {"isupper", isupper_, ""},
    {"format", format, NULL},
    {"casefold", not_there, NULL},
    {"center", not_there, NULL},
    {"encode", not_there, NULL},
    {"expandtabs", not_there, NULL},
    {"format_map", not_there, NULL},
    {"isdecimal", not_there, NULL},
    {"isidentifier", not_there, NULL},
    {"isnumeric", not_there, NULL},
    {"isprintable", not_there, NULL},
    {"istitle", not_there, NULL},
    {"ljust", not_there, NULL},
    {"maketrans", not_there, NULL},
    {"rjust", not_there, NULL},
    {"swapcase", not_there, NULL},
    {"translate", not_there, NULL},
    {"zfill", not_there, NULL},
    {0},
};
