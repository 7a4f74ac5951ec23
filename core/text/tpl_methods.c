/* tpl_methods.c - methods of strings that cut, join and replace; and which kinds have which
 * methods. */
#include "tpl_methods.h"

#include <string.h>

#include "tpl_eval.h"

/* ---- Taking off, replacing, joining ---------------------------------------------------------- */

fm_status tpl_strip(tpl_run *r, const tpl_text *text, const tpl_text *chars, bool left, bool right,
                    tpl_value *out) {
    size_t start, end;
    tpl_text_strip(text, chars, left, right, &start, &end);
    FM_TRY(tpl_spend_bytes(r, (text->length - (end - start)) * (chars ? chars->length : 1)));
    return tpl_text_cut_value(r, text, start, end, out);
}

static fm_status strip_sides(tpl_run *r, tpl_value self, const tpl_call *call, bool left,
                             bool right, tpl_value *out) {
    enum { MAX_CHARS = 4096 };
    const tpl_text *chars = NULL;
    FM_TRY(tpl_arg_text(r, "what is stripped", call->arg[0], &chars));
    if (chars && chars->length > MAX_CHARS) return tpl_fail_limit(r, "characters to strip");
    return tpl_strip(r, self.text, chars, left, right, out);
}

static fm_status strip(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return strip_sides(r, self, call, true, true, out);
}
static fm_status lstrip(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return strip_sides(r, self, call, true, false, out);
}
static fm_status rstrip(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return strip_sides(r, self, call, false, true, out);
}

/** An empty text stands in front of every code point and at the end. */
static fm_status replace_empty(tpl_run *r, const tpl_text *text, const tpl_text *new, int64_t limit,
                               tpl_value *out) {
    tpl_builder b = {.r = r};
    size_t at = 0, n = 0;
    int64_t done = 0;
    for (; at <= text->length && (limit < 0 || done < limit) && b.status == FM_OK; at += n) {
        tpl_add(&b, new);
        done++;
        if (at == text->length) return tpl_built_value(&b, out);
        tpl_text_code(text, at, &n);
        tpl_add_part(&b, text, at, n);
    }
    tpl_add_part(&b, text, at, text->length - at);
    return tpl_built_value(&b, out);
}

fm_status tpl_replace(tpl_run *r, const tpl_text *text, const tpl_text *old, const tpl_text *new,
                      int64_t limit, tpl_value *out) {
    tpl_builder b = {.r = r};
    size_t at = 0, found;
    if (old->length == 0) return replace_empty(r, text, new, limit, out);
    for (int64_t done = 0; limit < 0 || done < limit; done++) {
        FM_TRY(tpl_text_find(r, text, old, at, &found));
        if (found == SIZE_MAX) break;
        tpl_add_part(&b, text, at, found - at);
        tpl_add(&b, new);
        if (b.status != FM_OK) return b.status;
        at = found + old->length;
    }
    if (at == 0) { /* nothing was found: the text itself */
        *out = tpl_string(text);
        return FM_OK;
    }
    tpl_add_part(&b, text, at, text->length - at);
    return tpl_built_value(&b, out);
}

static fm_status replace(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    const tpl_text *old = NULL, *new = NULL;
    int64_t limit;
    FM_TRY(tpl_arg_text(r, "what is replaced", call->arg[0], &old));
    FM_TRY(tpl_arg_text(r, "the replacement", call->arg[1], &new));
    FM_TRY(tpl_arg_whole(r, "the number of replacements", call->arg[2], -1, &limit));
    if (!old || !new) return tpl_fail(r, FM_ERR_ARG, "replace takes two strings");
    if (self.text->is_safe) {
        FM_TRY(tpl_escape(r, call->arg[0], &old));
        FM_TRY(tpl_escape(r, call->arg[1], &new));
    }
    FM_TRY(tpl_replace(r, self.text, old, new, limit, out));
    return tpl_keep_safe(r, self.text, out);
}

fm_status tpl_join_values(tpl_run *r, const tpl_text *between, const tpl_list *values, bool checks,
                          tpl_value *out) {
    tpl_builder b = {.r = r};
    FM_TRY(tpl_spend(r, values->count / 4));
    for (size_t i = 0; i < values->count && b.status == FM_OK; i++) {
        if (checks && values->items[i].kind != TPL_STRING)
            return tpl_fail(r, FM_ERR_ARG, "item %zu to join is %s instead of a string", i,
                            tpl_kind_name(values->items[i]));
        if (i > 0) tpl_add(&b, between);
        tpl_add_str(&b, values->items[i]);
    }
    return tpl_built_value(&b, out);
}

static fm_status join(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    tpl_list items;
    FM_TRY(tpl_iterate(r, call->arg[0], &items));
    return tpl_join_values(r, self.text, &items, true, out);
}

static fm_status remove_end(tpl_run *r, tpl_value self, const tpl_call *call, bool is_prefix,
                            tpl_value *out) {
    const tpl_text *text = self.text, *part = NULL;
    FM_TRY(tpl_arg_text(r, "what is removed", call->arg[0], &part));
    if (!part) return tpl_fail(r, FM_ERR_ARG, "what is removed is no string");
    *out = self;
    if (part->length > text->length) return FM_OK;
    size_t rest = text->length - part->length;
    const char *place = text->bytes + (is_prefix ? 0 : rest);
    if (memcmp(place, part->bytes, part->length) != 0) return FM_OK;
    return tpl_text_cut_value(r, text, is_prefix ? part->length : 0,
                              is_prefix ? text->length : rest, out);
}

static fm_status removeprefix(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return remove_end(r, self, call, true, out);
}
static fm_status removesuffix(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return remove_end(r, self, call, false, out);
}

/* ---- Splitting ------------------------------------------------------------------------------- */

static fm_status add_cut(tpl_run *r, tpl_items *items, const tpl_text *text, size_t start,
                         size_t end) {
    tpl_value piece;
    FM_TRY(tpl_spend(r, (items->count & 7) == 0));
    FM_TRY(tpl_text_cut_value(r, text, start, end, &piece));
    return tpl_items_add(r, items, piece);
}

/** Words between white space, from the left. */
static fm_status split_words(tpl_run *r, const tpl_text *text, int64_t limit, tpl_items *items) {
    size_t at = 0, n = 0;
    FM_TRY(tpl_spend_bytes(r, text->length));
    for (;;) {
        while (at < text->length && tpl_is_space(tpl_text_code(text, at, &n))) at += n;
        if (at == text->length) return FM_OK;
        size_t start = at;
        if (limit >= 0 && (int64_t)items->count == limit)
            return add_cut(r, items, text, start, text->length);
        while (at < text->length && !tpl_is_space(tpl_text_code(text, at, &n))) at += n;
        FM_TRY(add_cut(r, items, text, start, at));
    }
}

/** The same from the right; the items come in reverse. */
static fm_status split_words_right(tpl_run *r, const tpl_text *text, int64_t limit,
                                   tpl_items *items) {
    size_t at = text->length, n, unused;
    FM_TRY(tpl_spend_bytes(r, text->length));
    for (;;) {
        for (; at > 0; at -= n) {
            n = tpl_text_code_before(text, at);
            if (!tpl_is_space(tpl_text_code(text, at - n, &unused))) break;
        }
        if (at == 0) return FM_OK;
        size_t end = at;
        if (limit >= 0 && (int64_t)items->count == limit) return add_cut(r, items, text, 0, end);
        for (; at > 0; at -= n) {
            n = tpl_text_code_before(text, at);
            if (tpl_is_space(tpl_text_code(text, at - n, &unused))) break;
        }
        FM_TRY(add_cut(r, items, text, at, end));
    }
}

static fm_status split_at(tpl_run *r, const tpl_text *text, const tpl_text *separator,
                          int64_t limit, tpl_items *items) {
    size_t at = 0, found;
    while (limit < 0 || (int64_t)items->count < limit) {
        FM_TRY(tpl_text_find(r, text, separator, at, &found));
        if (found == SIZE_MAX) break;
        FM_TRY(add_cut(r, items, text, at, found));
        at = found + separator->length;
    }
    return add_cut(r, items, text, at, text->length);
}

static fm_status split_at_right(tpl_run *r, const tpl_text *text, const tpl_text *separator,
                                int64_t limit, tpl_items *items) {
    size_t end = text->length, found;
    while (limit < 0 || (int64_t)items->count < limit) {
        FM_TRY(tpl_text_find_last(r, text, separator, end, &found));
        if (found == SIZE_MAX) break;
        FM_TRY(add_cut(r, items, text, found + separator->length, end));
        end = found;
    }
    return add_cut(r, items, text, 0, end);
}

static fm_status split_side(tpl_run *r, tpl_value self, const tpl_call *call, bool is_right,
                            tpl_value *out) {
    const tpl_text *separator = NULL;
    tpl_items items = {0};
    int64_t limit;
    FM_TRY(tpl_arg_text(r, "the separator", call->arg[0], &separator));
    FM_TRY(tpl_arg_whole(r, "the number of splits", call->arg[1], -1, &limit));
    if (separator && separator->length == 0)
        return tpl_fail(r, FM_ERR_ARG, "the separator of a split is empty");
    if (separator)
        FM_TRY((is_right ? split_at_right : split_at)(r, self.text, separator, limit, &items));
    else
        FM_TRY((is_right ? split_words_right : split_words)(r, self.text, limit, &items));
    for (size_t i = 0; is_right && i < items.count / 2; i++) {
        tpl_value swapped = items.items[i];
        items.items[i] = items.items[items.count - 1 - i];
        items.items[items.count - 1 - i] = swapped;
    }
    return tpl_list_new(r, TPL_LIST, items.items, items.count, out);
}

static fm_status split(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return split_side(r, self, call, false, out);
}
static fm_status rsplit(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return split_side(r, self, call, true, out);
}

static bool is_line_end(uint32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

fm_status tpl_split_lines(tpl_run *r, const tpl_text *text, bool keeps, tpl_value *out) {
    tpl_items items = {0};
    size_t start = 0, n;
    FM_TRY(tpl_spend_bytes(r, text->length));
    for (size_t at = 0; at < text->length; at += n) {
        uint32_t code = tpl_text_code(text, at, &n);
        if (!is_line_end(code)) continue;
        if (code == '\r' && at + 1 < text->length && text->bytes[at + 1] == '\n') n++;
        FM_TRY(add_cut(r, &items, text, start, keeps ? at + n : at));
        start = at + n;
    }
    if (start < text->length) FM_TRY(add_cut(r, &items, text, start, text->length));
    return tpl_list_new(r, TPL_LIST, items.items, items.count, out);
}

static fm_status splitlines(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return tpl_split_lines(r, self.text, tpl_arg_bool(call->arg[0], false), out);
}

/** (before, separator, behind), or the whole and two empty texts. */
static fm_status partition_side(tpl_run *r, tpl_value self, const tpl_call *call, bool is_right,
                                tpl_value *out) {
    const tpl_text *text = self.text, *separator = NULL;
    tpl_value part[3];
    size_t at, end;
    FM_TRY(tpl_arg_text(r, "the separator", call->arg[0], &separator));
    if (!separator || separator->length == 0)
        return tpl_fail(r, FM_ERR_ARG, "a partition needs a separator");
    if (is_right)
        FM_TRY(tpl_text_find_last(r, text, separator, text->length, &at));
    else
        FM_TRY(tpl_text_find(r, text, separator, 0, &at));
    if (at == SIZE_MAX) at = is_right ? 0 : text->length;
    end = at + separator->length <= text->length &&
                  memcmp(text->bytes + at, separator->bytes, separator->length) == 0
              ? at + separator->length
              : at;
    FM_TRY(tpl_text_cut_value(r, text, 0, at, &part[0]));
    FM_TRY(tpl_text_cut_value(r, text, at, end, &part[1]));
    FM_TRY(tpl_text_cut_value(r, text, end, text->length, &part[2]));
    return tpl_list_new(r, TPL_TUPLE, part, 3, out);
}

static fm_status partition(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return partition_side(r, self, call, false, out);
}
static fm_status rpartition(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    return partition_side(r, self, call, true, out);
}

/* ---- Mappings -------------------------------------------------------------------------------- */

static fm_status get(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    const tpl_value *found = NULL;
    FM_TRY(tpl_dict_find(r, self.dict, call->arg[0], &found));
    *out = call->arg[1].kind == TPL_ABSENT ? tpl_none() : call->arg[1];
    if (found) *out = *found;
    return FM_OK;
}

static fm_status make_view(tpl_run *r, tpl_value self, tpl_view_kind kind, tpl_value *out) {
    tpl_view *view = tpl_new(r, 1, sizeof *view);
    if (!view) return r->status;
    *view = (tpl_view){kind, self.dict};
    *out = (tpl_value){.kind = TPL_VIEW, .view = view};
    return FM_OK;
}

static fm_status items(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return make_view(r, self, TPL_VIEW_ITEMS, out);
}
static fm_status keys(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return make_view(r, self, TPL_VIEW_KEYS, out);
}
static fm_status values(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)call;
    return make_view(r, self, TPL_VIEW_VALUES, out);
}

/** Mappings do not change, so that one is as good as its copy. */
static fm_status copy(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    (void)r;
    (void)call;
    *out = self;
    return FM_OK;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static fm_status index_of(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    bool equal = false;
    tpl_list list;
    int64_t start, end;
    FM_TRY(tpl_iterate(r, self, &list));
    FM_TRY(tpl_arg_whole(r, "the start of a search", call->arg[1], 0, &start));
    FM_TRY(tpl_arg_whole(r, "the end of a search", call->arg[2], INT64_MAX, &end));
    if (start < 0) start = start + (int64_t)list.count < 0 ? 0 : start + (int64_t)list.count;
    if (end < 0) end += (int64_t)list.count;
    for (int64_t i = start; i < (int64_t)list.count && i < end && !equal; i++) {
        FM_TRY(tpl_equal(r, list.items[i], call->arg[0], &equal));
        if (equal) *out = tpl_int(i);
    }
    FM_TRY(tpl_spend(r, list.count / 16));
    return equal ? FM_OK : tpl_fail(r, FM_ERR_ARG, "the value is not in the list");
}

static fm_status count_of(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    int64_t count = 0;
    bool equal;
    tpl_list list;
    FM_TRY(tpl_iterate(r, self, &list));
    for (size_t i = 0; i < list.count; i++) {
        FM_TRY(tpl_equal(r, list.items[i], call->arg[0], &equal));
        count += equal;
    }
    *out = tpl_int(count);
    return tpl_spend(r, list.count / 16);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

const tpl_function tpl_text_methods[] = {
    {"strip", strip, "chars"},
    {"lstrip", lstrip, "chars"},
    {"rstrip", rstrip, "chars"},
    {"split", split, "sep,maxsplit"},
    {"rsplit", rsplit, "sep,maxsplit"},
    {"splitlines", splitlines, "keepends"},
    {"replace", replace, "old*,new*,count"},
    {"join", join, "iterable*"},
    {"removeprefix", removeprefix, "prefix*"},
    {"removesuffix", removesuffix, "suffix*"},
    {"partition", partition, "sep*"},
    {"rpartition", rpartition, "sep*"},
    {0},
};

static const tpl_function dict_methods[] = {
    {"get", get, "key*,default"}, {"items", items, ""}, {"keys", keys, ""},
    {"values", values, ""},       {"copy", copy, ""},   {0},
};

static const tpl_function list_methods[] = {{"index", index_of, "value*,start,stop"},
                                            {"count", count_of, "value*"},
                                            {"copy", copy, ""},
                                            {0}};

static const tpl_function tuple_methods[] = {
    {"index", index_of, "value*,start,stop"}, {"count", count_of, "value*"}, {0}};

/* What changes a mapping or list; the reference refuses it, too. */
static const char *const dict_refused[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
static const char *const list_refused[] = {"append", "clear",  "pop",    "reverse", "insert",
                                           "sort",   "extend", "remove", NULL};

static const tpl_function *find_row(const tpl_function *rows, const char *name, size_t length) {
    for (; rows->name; rows++)
        if (strlen(rows->name) == length && memcmp(rows->name, name, length) == 0) return rows;
    return NULL;
}

static bool is_listed(const char *const *names, const char *name, size_t length) {
    for (; *names; names++)
        if (strlen(*names) == length && memcmp(*names, name, length) == 0) return true;
    return false;
}

const tpl_function *tpl_method_find(tpl_value v, const char *name, size_t length,
                                    bool *is_refused) {
    const tpl_function *found = NULL;
    *is_refused = false;
    switch (v.kind) {
    case TPL_STRING:
        found = find_row(tpl_text_methods, name, length);
        return found ? found : find_row(tpl_text_words, name, length);
    case TPL_DICT:
        *is_refused = is_listed(dict_refused, name, length);
        return find_row(dict_methods, name, length);
    case TPL_LIST:
        *is_refused = is_listed(list_refused, name, length);
        return find_row(list_methods, name, length);
    case TPL_TUPLE:
    case TPL_RANGE:
        return find_row(tuple_methods, name, length);
    case TPL_CYCLER:
        return find_row(tpl_cycler_methods, name, length);
    default:
        return NULL;
    }
}
