/* tpl_string.c - values as text: Python's str and repr. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tpl_eval.h"
#include "tpl_number.h"
#include "unicode.h"

static void add_repr_at(tpl_builder *b, tpl_value v, int depth);

/* ---- Strings --------------------------------------------------------------------------------- */

/** What Python shows as it is; everything else becomes an escape. */
static bool is_printable(uint32_t code) {
    if (code < 0x80) return code >= 0x20 && code != 0x7F;
    unicode_class class = unicode_class_of(code);
    return class != UNICODE_CLASS_NONE && class != UNICODE_CLASS_SPACE;
}

static void add_escape(tpl_builder *b, uint32_t code, bool is_template) {
    char escape[16];
    const char *known = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;
    if (known)
        snprintf(escape, sizeof escape, "%s", known);
    else
        snprintf(escape, sizeof escape,
                 code < 0x100     ? "\\x%02" PRIx32
                 : code < 0x10000 ? "\\u%04" PRIx32
                                  : "\\U%08" PRIx32,
                 code);
    tpl_add_word(b, escape, is_template);
}

/** A string in quotes: double ones where it holds single ones alone. */
static void add_quoted(tpl_builder *b, const tpl_text *text) {
    bool has_single = memchr(text->bytes, '\'', text->length) != NULL;
    bool has_double = memchr(text->bytes, '"', text->length) != NULL;
    const char *quote = has_single && !has_double ? "\"" : "'";
    size_t shown = 0;
    bool is_template = text->is_template;
    tpl_add_word(b, quote, is_template);
    for (size_t at = 0, n; at < text->length; at += n) {
        uint32_t code = tpl_text_code(text, at, &n);
        bool is_slashed = code == '\\' || code == (uint8_t)quote[0];
        if (is_printable(code) && !is_slashed) continue;
        bool mark = text->marks ? text->marks[at] : is_template;
        tpl_add_part(b, text, shown, at - shown);
        if (is_slashed) tpl_add_word(b, "\\", mark);
        shown = is_slashed ? at : at + n;
        if (!is_slashed) add_escape(b, code, mark);
    }
    tpl_add_part(b, text, shown, text->length - shown);
    tpl_add_word(b, quote, is_template);
}

/* ---- Collections ----------------------------------------------------------------------------- */

static void add_items(tpl_builder *b, const tpl_value *items, size_t count, int depth) {
    for (size_t i = 0; i < count && b->status == FM_OK; i++) {
        if (i > 0) tpl_add_word(b, ", ", true);
        add_repr_at(b, items[i], depth + 1);
    }
}

static void add_entries(tpl_builder *b, const tpl_dict *d, int depth) {
    tpl_add_word(b, "{", true);
    for (size_t i = 0; i < d->count && b->status == FM_OK; i++) {
        if (i > 0) tpl_add_word(b, ", ", true);
        add_repr_at(b, d->entries[i].key, depth + 1);
        tpl_add_word(b, ": ", true);
        add_repr_at(b, d->entries[i].value, depth + 1);
    }
    tpl_add_word(b, "}", true);
}

static void add_view(tpl_builder *b, tpl_value v, int depth) {
    static const char *const heads[] = {"dict_keys([", "dict_values([", "dict_items(["};
    tpl_list items;
    if (b->status == FM_OK) b->status = tpl_iterate(b->r, v, &items);
    if (b->status != FM_OK) return;
    tpl_add_word(b, heads[v.view->kind], true);
    add_items(b, items.items, items.count, depth);
    tpl_add_word(b, "])", true);
}

static void add_range(tpl_builder *b, const tpl_range *range) {
    char text[96];
    int n = snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, range->start, range->stop);
    if (range->step != 1) snprintf(text + n, sizeof text - (size_t)n, ", %" PRId64, range->step);
    tpl_add_word(b, text, true);
    tpl_add_word(b, ")", true);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void add_number(tpl_builder *b, tpl_value v) {
    char text[TPL_NUMBER_SIZE];
    bool is_template = !v.from_input;
    if (v.kind == TPL_BOOL) {
        tpl_add_word(b, v.boolean ? "True" : "False", is_template);
    } else if (v.kind == TPL_INT) {
        snprintf(text, sizeof text, "%" PRId64, v.integer);
        tpl_add_word(b, text, is_template);
    } else if (v.kind == TPL_BIG) {
        tpl_add(b, v.text);
    } else {
        tpl_add_bytes(b, text, tpl_number_repr(v.real, text), is_template);
    }
}

static void add_repr_at(tpl_builder *b, tpl_value v, int depth) {
    if (depth == TPL_MAX_VALUE_DEPTH && b->status == FM_OK)
        b->status = tpl_fail_limit(b->r, "lists inside each other");
    if (b->status == FM_OK) b->status = tpl_spend(b->r, depth > 0);
    if (b->status != FM_OK) return;
    switch (v.kind) {
    case TPL_UNDEFINED:
        tpl_add_word(b, "Undefined", true);
        break;
    case TPL_NONE:
        tpl_add_word(b, "None", !v.from_input);
        break;
    case TPL_BOOL:
    case TPL_INT:
    case TPL_BIG:
    case TPL_FLOAT:
        add_number(b, v);
        break;
    case TPL_STRING:
        if (v.text->is_safe) tpl_add_word(b, "Markup(", true);
        add_quoted(b, v.text);
        if (v.text->is_safe) tpl_add_word(b, ")", true);
        break;
    case TPL_LIST:
        tpl_add_word(b, "[", true);
        add_items(b, v.list->items, v.list->count, depth);
        tpl_add_word(b, "]", true);
        break;
    case TPL_TUPLE:
        tpl_add_word(b, "(", true);
        add_items(b, v.list->items, v.list->count, depth);
        tpl_add_word(b, v.list->count == 1 ? ",)" : ")", true);
        break;
    case TPL_DICT:
        add_entries(b, v.dict, depth);
        break;
    case TPL_NAMESPACE:
        tpl_add_word(b, "<Namespace ", true);
        add_entries(b, v.dict, depth);
        tpl_add_word(b, ">", true);
        break;
    case TPL_VIEW:
        add_view(b, v, depth);
        break;
    case TPL_RANGE:
        add_range(b, v.range);
        break;
    default: /* what Python shows with an address */
        b->status = tpl_fail(b->r, FM_ERR_ARG, "%s has no text", tpl_kind_name(v));
        break;
    }
}

void tpl_add_repr(tpl_builder *b, tpl_value v) {
    add_repr_at(b, v, 0);
}

void tpl_add_str(tpl_builder *b, tpl_value v) {
    if (v.kind == TPL_STRING)
        tpl_add(b, v.text);
    else if (v.kind != TPL_UNDEFINED)
        add_repr_at(b, v, 0);
}

fm_status tpl_str(tpl_run *r, tpl_value v, const tpl_text **out) {
    tpl_builder b = {.r = r};
    if (v.kind == TPL_STRING) {
        *out = v.text;
        return FM_OK;
    }
    tpl_add_str(&b, v);
    return tpl_built(&b, out);
}

fm_status tpl_keep_safe(tpl_run *r, const tpl_text *from, tpl_value *v) {
    if (!from->is_safe || v->kind != TPL_STRING || v->text->is_safe) return FM_OK;
    tpl_text *safe = tpl_new(r, 1, sizeof *safe);
    if (!safe) return r->status;
    *safe = *v->text;
    safe->is_safe = true;
    *v = tpl_string(safe);
    return FM_OK;
}

fm_status tpl_escape(tpl_run *r, tpl_value v, const tpl_text **out) {
    static const struct {
        char byte;
        const char *escape;
    } rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    tpl_builder b = {.r = r};
    const tpl_text *text = NULL;
    size_t shown = 0;
    FM_TRY(tpl_str(r, v, &text));
    for (size_t at = 0; at < text->length && !text->is_safe; at++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (text->bytes[at] != rows[i].byte) continue;
            tpl_add_part(&b, text, shown, at - shown);
            tpl_add_word(&b, rows[i].escape, text->marks ? text->marks[at] : text->is_template);
            shown = at + 1;
        }
    }
    tpl_add_part(&b, text, shown, text->length - shown);
    tpl_value made;
    FM_TRY(tpl_built_value(&b, &made));
    FM_TRY(tpl_keep_safe(r, &(tpl_text){.is_safe = true}, &made));
    *out = made.text;
    return FM_OK;
}
