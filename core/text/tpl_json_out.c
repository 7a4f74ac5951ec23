/* tpl_json_out.c - values as JSON, the way Python's json.dumps writes them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tpl_eval.h"
#include "tpl_number.h"
#include "tpl_sort.h"

static void add_value(tpl_builder *b, tpl_value v, const tpl_json_style *style, int depth);

/* ---- Strings --------------------------------------------------------------------------------- */

static void add_escape(tpl_builder *b, uint32_t code, bool is_template) {
    static const char letters[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
    char escape[16];
    const char *known = code < 0x80 && code ? strchr(letters, (int)code) : NULL;
    if (known)
        snprintf(escape, sizeof escape, "\\%c", names[known - letters]);
    else if (code < 0x10000)
        snprintf(escape, sizeof escape, "\\u%04" PRIx32, code);
    else
        snprintf(escape, sizeof escape, "\\u%04" PRIx32 "\\u%04" PRIx32,
                 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    tpl_add_word(b, escape, is_template);
}

static void add_string(tpl_builder *b, const tpl_text *text, bool ascii) {
    size_t shown = 0;
    tpl_add_word(b, "\"", true);
    for (size_t at = 0, n; at < text->length && b->status == FM_OK; at += n) {
        uint32_t code = tpl_text_code(text, at, &n);
        bool is_plain = code >= 0x20 && code != '"' && code != '\\' && (code < 0x7F || !ascii);
        if (is_plain) continue;
        tpl_add_part(b, text, shown, at - shown);
        add_escape(b, code, text->marks ? text->marks[at] : text->is_template);
        shown = at + n;
    }
    tpl_add_part(b, text, shown, text->length - shown);
    tpl_add_word(b, "\"", true);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void add_number(tpl_builder *b, tpl_value v) {
    char text[TPL_NUMBER_SIZE];
    bool is_template = !v.from_input;
    if (v.kind == TPL_BIG) {
        tpl_add(b, v.text);
        return;
    }
    if (v.kind == TPL_INT)
        snprintf(text, sizeof text, "%" PRId64, v.integer);
    else if (isnan(v.real))
        snprintf(text, sizeof text, "NaN");
    else if (isinf(v.real))
        snprintf(text, sizeof text, v.real < 0 ? "-Infinity" : "Infinity");
    else
        tpl_number_repr(v.real, text);
    tpl_add_word(b, text, is_template);
}

/* ---- Collections ----------------------------------------------------------------------------- */

/** A new line and its indent, where the style spreads values over lines. */
static void add_line(tpl_builder *b, const tpl_json_style *style, int depth) {
    if (!style->indent_text && style->indent < 0) return;
    tpl_add_word(b, "\n", true);
    for (int i = 0; i < depth && b->status == FM_OK; i++) {
        if (style->indent_text) tpl_add(b, style->indent_text);
        for (int64_t n = 0; !style->indent_text && n < style->indent; n++)
            tpl_add_word(b, " ", true);
    }
}

static void add_list(tpl_builder *b, const tpl_list *list, const tpl_json_style *style, int depth) {
    tpl_add_word(b, "[", true);
    for (size_t i = 0; i < list->count && b->status == FM_OK; i++) {
        if (i > 0) tpl_add(b, style->item);
        add_line(b, style, depth + 1);
        add_value(b, list->items[i], style, depth + 1);
    }
    if (list->count > 0) add_line(b, style, depth);
    tpl_add_word(b, "]", true);
}

/** Keys that are no strings are written as one. */
static void add_key(tpl_builder *b, tpl_value key, const tpl_json_style *style) {
    if (key.kind == TPL_STRING) {
        add_string(b, key.text, style->ascii);
        return;
    }
    bool is_possible = tpl_is_number(key) || key.kind == TPL_NONE;
    if (!is_possible && b->status == FM_OK)
        b->status = tpl_fail(b->r, FM_ERR_ARG, "%s cannot be a key in JSON", tpl_kind_name(key));
    tpl_add_word(b, "\"", true);
    if (is_possible) add_value(b, key, style, 0);
    tpl_add_word(b, "\"", true);
}

/** The entries in order, or in the order of their keys. */
static fm_status entries_of(tpl_run *r, const tpl_dict *d, bool sorts, tpl_list *out) {
    tpl_value sorted;
    tpl_view view = {TPL_VIEW_ITEMS, d};
    tpl_sort how = {.attribute = tpl_int(0)};
    FM_TRY(tpl_iterate(r, (tpl_value){.kind = TPL_VIEW, .view = &view}, out));
    if (!sorts) return FM_OK;
    FM_TRY(tpl_sort_list(r, out, &how, &sorted));
    *out = *sorted.list;
    return FM_OK;
}

static void add_dict(tpl_builder *b, const tpl_dict *d, const tpl_json_style *style, int depth) {
    tpl_list entries = {0};
    if (b->status == FM_OK) b->status = entries_of(b->r, d, style->sorts, &entries);
    if (b->status != FM_OK) return;
    tpl_add_word(b, "{", true);
    for (size_t i = 0; i < entries.count && b->status == FM_OK; i++) {
        const tpl_value *pair = entries.items[i].list->items;
        if (i > 0) tpl_add(b, style->item);
        add_line(b, style, depth + 1);
        add_key(b, pair[0], style);
        tpl_add(b, style->key);
        add_value(b, pair[1], style, depth + 1);
    }
    if (entries.count > 0) add_line(b, style, depth);
    tpl_add_word(b, "}", true);
}

static void add_value(tpl_builder *b, tpl_value v, const tpl_json_style *style, int depth) {
    if (depth == TPL_MAX_VALUE_DEPTH && b->status == FM_OK)
        b->status = tpl_fail_limit(b->r, "lists inside each other");
    if (b->status == FM_OK) b->status = tpl_spend(b->r, depth > 0);
    if (b->status != FM_OK) return;
    switch (v.kind) {
    case TPL_NONE:
        tpl_add_word(b, "null", !v.from_input);
        break;
    case TPL_BOOL:
        tpl_add_word(b, v.boolean ? "true" : "false", !v.from_input);
        break;
    case TPL_INT:
    case TPL_BIG:
    case TPL_FLOAT:
        add_number(b, v);
        break;
    case TPL_STRING:
        add_string(b, v.text, style->ascii);
        break;
    case TPL_LIST:
    case TPL_TUPLE:
        add_list(b, v.list, style, depth);
        break;
    case TPL_DICT:
        add_dict(b, v.dict, style, depth);
        break;
    case TPL_UNDEFINED:
        b->status = tpl_fail(b->r, FM_ERR_ARG, "'%.80s' is undefined and has no JSON", v.name);
        break;
    default:
        b->status = tpl_fail(b->r, FM_ERR_ARG, "%s has no JSON", tpl_kind_name(v));
        break;
    }
}

void tpl_add_json(tpl_builder *b, tpl_value v, const tpl_json_style *style) {
    add_value(b, v, style, 0);
}
