/* tpl_filter_text.c - filters that make strings of strings. They take any value by its text. */
#include <string.h>

#include "tpl_case.h"
#include "tpl_eval.h"
#include "tpl_filter.h"
#include "tpl_methods.h"
#include "unicode.h"

static fm_status trim(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL, *chars = NULL;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_arg_text(r, "what is trimmed", call->arg[0], &chars));
    if (chars && chars->length > 4096) return tpl_fail_limit(r, "characters to trim");
    return tpl_strip(r, text, chars, true, true, out);
}

static fm_status upper(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_text_case(r, text, TPL_CASE_UPPER, out));
    return tpl_keep_safe(r, text, out);
}

static fm_status lower(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_text_case(r, text, TPL_CASE_LOWER, out));
    return tpl_keep_safe(r, text, out);
}

static fm_status capitalize(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    size_t first = 0;
    tpl_builder b = {.r = r};
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    if (text->length > 0) tpl_text_code(text, 0, &first);
    tpl_add_case(&b, text, 0, first, TPL_CASE_TITLE);
    tpl_add_case(&b, text, first, text->length, TPL_CASE_LOWER);
    FM_TRY(tpl_built_value(&b, out));
    return tpl_keep_safe(r, text, out);
}

static bool begins_word(uint32_t code) {
    return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
           tpl_is_space(code);
}

static size_t word_end(const tpl_text *text, size_t at) {
    for (size_t n; at < text->length; at += n)
        if (begins_word(tpl_text_code(text, at, &n))) break;
    return at;
}

/** A capital at the start and behind white space, '-' and opening brackets; small letters
 * elsewhere. */
static fm_status title(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL, *rest = NULL;
    tpl_builder b = {.r = r};
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    for (size_t at = 0, end; at < text->length && b.status == FM_OK; at = end) {
        size_t n;
        uint32_t code = tpl_text_code(text, at, &n);
        end = at + n;
        tpl_add_case(&b, text, at, end, TPL_CASE_UPPER);
        if (begins_word(code)) continue;
        end = word_end(text, end);
        /* By itself, since the first letter does not count for the form of those behind it. */
        FM_TRY(tpl_text_cut(r, text, at + n, end, &rest));
        tpl_add_case(&b, rest, 0, rest->length, TPL_CASE_LOWER);
    }
    return tpl_built_value(&b, out);
}

static fm_status replace(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL, *old = NULL, *new = NULL;
    int64_t limit = -1;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_str(r, call->arg[0], &old));
    FM_TRY(tpl_str(r, call->arg[1], &new));
    if (call->arg[2].kind != TPL_NONE)
        FM_TRY(tpl_arg_whole(r, "the number of replacements", call->arg[2], -1, &limit));
    return tpl_replace(r, text, old, new, limit, out);
}

static fm_status safe(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    *out = tpl_string(text);
    return tpl_keep_safe(r, &(tpl_text){.is_safe = true}, out);
}

static fm_status escape(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    (void)call;
    FM_TRY(tpl_escape(r, v, &text));
    *out = tpl_string(text);
    return FM_OK;
}

/** The white space in front of each line but the first. */
static fm_status indent(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    static const tpl_text newline = {.bytes = "\n", .length = 1, .is_template = true};
    const tpl_text *text = NULL, *width = NULL;
    tpl_builder b = {.r = r}, blanks = {.r = r};
    tpl_value lines;
    int64_t n = 4;
    bool first = tpl_arg_bool(call->arg[1], false), blank = tpl_arg_bool(call->arg[2], false);
    if (v.kind != TPL_STRING)
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be indented", tpl_kind_name(v));
    if (call->arg[0].kind == TPL_STRING) {
        width = call->arg[0].text;
    } else {
        FM_TRY(tpl_arg_whole(r, "the width of an indent", call->arg[0], 4, &n));
        if (n > 65536) return tpl_fail_limit(r, "the width of an indent");
        for (int64_t i = 0; i < n; i++) tpl_add_word(&blanks, " ", true);
        FM_TRY(tpl_built(&blanks, &width));
    }
    FM_TRY(tpl_text_join(r, v.text, &newline, &text));
    FM_TRY(tpl_split_lines(r, text, false, &lines));
    if (first) tpl_add(&b, width);
    for (size_t i = 0; i < lines.list->count && b.status == FM_OK; i++) {
        const tpl_text *line = lines.list->items[i].text;
        if (i > 0) tpl_add(&b, &newline);
        if (i > 0 && (blank || line->length > 0)) tpl_add(&b, width);
        tpl_add(&b, line);
    }
    return tpl_built_value(&b, out);
}

static bool is_word_code(uint32_t code) {
    unicode_class class = unicode_class_of(code);
    return code == '_' || class == UNICODE_CLASS_LETTER || class == UNICODE_CLASS_NUMBER;
}

static fm_status wordcount(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    int64_t count = 0;
    bool is_inside = false;
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    for (size_t at = 0, n; at < text->length; at += n) {
        bool is_word = is_word_code(tpl_text_code(text, at, &n));
        count += is_word && !is_inside;
        is_inside = is_word;
    }
    *out = tpl_int(count);
    return tpl_spend_bytes(r, text->length);
}

static fm_status center(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    tpl_builder b = {.r = r};
    int64_t width;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_arg_whole(r, "the width of a field", call->arg[0], 80, &width));
    if (width > 65536) return tpl_fail_limit(r, "the width of a field");
    FM_TRY(tpl_spend_bytes(r, text->length));
    int64_t missing = width - (int64_t)tpl_text_count(text);
    int64_t left = missing > 0 ? missing / 2 + (missing & width & 1) : 0;
    for (int64_t i = 0; i < left; i++) tpl_add_word(&b, " ", true);
    tpl_add(&b, text);
    for (int64_t i = left; i < missing; i++) tpl_add_word(&b, " ", true);
    return tpl_built_value(&b, out);
}

/** printf-like: "%s" | format(value), or with named values. */
static fm_status format(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    tpl_value values;
    tpl_dict *named;
    FM_TRY(tpl_str(r, v, &text));
    if (call->all.count > 0 && call->all.n_named > 0)
        return tpl_fail(r, FM_ERR_ARG, "format takes values by place or by name, not both");
    FM_TRY(tpl_list_new(r, TPL_TUPLE, call->all.values, call->all.count, &values));
    if (call->all.n_named > 0) {
        FM_TRY(tpl_dict_new(r, &named));
        for (size_t i = 0; i < call->all.n_named; i++)
            FM_TRY(tpl_dict_set(r, named, tpl_string(call->all.named[i].name),
                                call->all.named[i].value));
        values = (tpl_value){.kind = TPL_DICT, .dict = named};
    }
    return tpl_format_percent(r, text, values, out);
}

const tpl_function tpl_text_filters[] = {
    {"trim", trim, "chars"},
    {"upper", upper, ""},
    {"lower", lower, ""},
    {"capitalize", capitalize, ""},
    {"title", title, ""},
    {"replace", replace, "old*,new*,count"},
    {"safe", safe, ""},
    {"escape", escape, ""},
    {"e", escape, ""},
    {"indent", indent, "width,first,blank"},
    {"wordcount", wordcount, ""},
    {"center", center, "width"},
    {"format", format, NULL},
    {0},
};
