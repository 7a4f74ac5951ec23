/* tpl_value.c - truth, equality and order of values, as Python has them. */
#include <math.h>
#include <string.h>

#include "tpl_number.h"
#include "tpl_run.h"

const char *tpl_kind_name(tpl_value v) {
    static const char *const names[] = {
        [TPL_UNDEFINED] = "an undefined value",
        [TPL_NONE] = "none",
        [TPL_BOOL] = "a boolean",
        [TPL_INT] = "a whole number",
        [TPL_BIG] = "a whole number beyond 64 bits",
        [TPL_FLOAT] = "a float",
        [TPL_STRING] = "a string",
        [TPL_LIST] = "a list",
        [TPL_TUPLE] = "a tuple",
        [TPL_DICT] = "a mapping",
        [TPL_VIEW] = "a view of a mapping",
        [TPL_RANGE] = "a range",
        [TPL_ITERATOR] = "an iterator",
        [TPL_NAMESPACE] = "a namespace",
        [TPL_FUNCTION] = "a function",
        [TPL_METHOD] = "a method",
        [TPL_MACRO] = "a macro",
        [TPL_LOOP] = "a loop",
        [TPL_CYCLER] = "a cycler",
        [TPL_JOINER] = "a joiner",
        [TPL_ABSENT] = "nothing",
    };
    return names[v.kind];
}

bool tpl_truth(tpl_value v) {
    size_t length;
    switch (v.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        return false;
    case TPL_BOOL:
        return v.boolean;
    case TPL_INT:
        return v.integer != 0;
    case TPL_FLOAT:
        return v.real != 0;
    case TPL_STRING:
        return v.text->length > 0;
    default:
        return !tpl_length(v, &length) || length > 0;
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool is_whole(tpl_value v) {
    return v.kind == TPL_BOOL || v.kind == TPL_INT;
}

static int64_t whole_of(tpl_value v) {
    return v.kind == TPL_BOOL ? v.boolean : v.integer;
}

static bool is_negative_big(tpl_value v) {
    return v.text->bytes[0] == '-';
}

static int compare_doubles(double a, double b) {
    if (isnan(a) || isnan(b)) return 2;
    return (a > b) - (a < b);
}

/** Two numbers of which one at least is beyond 64 bits; beside a double it is rounded to one. */
static int compare_big(tpl_value a, tpl_value b) {
    double real = 0;
    if (a.kind == TPL_FLOAT) {
        tpl_number_read(b.text->bytes, b.text->length, &real);
        return compare_doubles(a.real, real);
    }
    if (b.kind == TPL_FLOAT) {
        tpl_number_read(a.text->bytes, a.text->length, &real);
        return compare_doubles(real, b.real);
    }
    if (b.kind != TPL_BIG) return is_negative_big(a) ? -1 : 1;
    if (a.kind != TPL_BIG) return is_negative_big(b) ? 1 : -1;
    if (is_negative_big(a) != is_negative_big(b)) return is_negative_big(a) ? -1 : 1;
    int sign = is_negative_big(a) ? -1 : 1;
    if (a.text->length != b.text->length) return a.text->length < b.text->length ? -sign : sign;
    return sign * tpl_text_compare(a.text, b.text);
}

/** A whole number and a double, exactly: most whole numbers above 2^53 are no double. */
static int compare_mixed(int64_t whole, double real) {
    if (isnan(real)) return 2;
    if (real >= 9223372036854775808.0) return -1;
    if (real < -9223372036854775808.0) return 1;
    double floored = floor(real);
    int64_t below = (int64_t)floored;
    if (whole != below) return whole < below ? -1 : 1;
    return real > floored ? -1 : 0;
}

static int compare_numbers(tpl_value a, tpl_value b) {
    if (a.kind == TPL_BIG || b.kind == TPL_BIG) return compare_big(a, b);
    if (is_whole(a) && is_whole(b))
        return (whole_of(a) > whole_of(b)) - (whole_of(a) < whole_of(b));
    if (is_whole(a)) return compare_mixed(whole_of(a), b.real);
    if (is_whole(b)) {
        int order = compare_mixed(whole_of(b), a.real);
        return order == 2 ? 2 : -order;
    }
    return compare_doubles(a.real, b.real);
}

/* ---- Equality -------------------------------------------------------------------------------- */

static fm_status equal_at(tpl_run *r, tpl_value a, tpl_value b, int depth, bool *out);

static fm_status equal_lists(tpl_run *r, const tpl_list *a, const tpl_list *b, int depth,
                             bool *out) {
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++)
        FM_TRY(equal_at(r, a->items[i], b->items[i], depth, out));
    return FM_OK;
}

static fm_status equal_dicts(tpl_run *r, const tpl_dict *a, const tpl_dict *b, int depth,
                             bool *out) {
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++) {
        const tpl_value *other = NULL;
        FM_TRY(tpl_dict_find(r, b, a->entries[i].key, &other));
        *out = other != NULL;
        if (other) FM_TRY(equal_at(r, a->entries[i].value, *other, depth, out));
    }
    return FM_OK;
}

/** Keys and items compare as sets; values are their own alone. */
static fm_status equal_views(tpl_run *r, tpl_value a, tpl_value b, int depth, bool *out) {
    const tpl_dict *left = a.view->dict, *right = b.view->dict;
    const tpl_value *found = NULL;
    *out = a.view == b.view;
    if (a.view->kind != b.view->kind || a.view->kind == TPL_VIEW_VALUES) return FM_OK;
    if (a.view->kind == TPL_VIEW_ITEMS) return equal_dicts(r, left, right, depth, out);
    *out = left->count == right->count;
    for (size_t i = 0; *out && i < left->count; i++) {
        FM_TRY(tpl_dict_find(r, right, left->entries[i].key, &found));
        *out = found != NULL;
    }
    return FM_OK;
}

static fm_status equal_at(tpl_run *r, tpl_value a, tpl_value b, int depth, bool *out) {
    *out = false;
    if (depth == TPL_MAX_VALUE_DEPTH) return tpl_fail_limit(r, "lists inside each other");
    if (depth > 0) FM_TRY(tpl_spend(r, 1));
    if (tpl_is_number(a) && tpl_is_number(b)) {
        *out = compare_numbers(a, b) == 0;
        return FM_OK;
    }
    if (a.kind != b.kind) return FM_OK;
    switch (a.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        *out = true;
        return FM_OK;
    case TPL_STRING:
        *out = tpl_text_equal(a.text, b.text);
        return a.text->length == b.text->length ? tpl_spend_bytes(r, a.text->length) : FM_OK;
    case TPL_LIST:
    case TPL_TUPLE:
        return equal_lists(r, a.list, b.list, depth + 1, out);
    case TPL_DICT:
        return equal_dicts(r, a.dict, b.dict, depth + 1, out);
    case TPL_VIEW:
        return equal_views(r, a, b, depth + 1, out);
    case TPL_RANGE:
        *out = a.range->count == b.range->count &&
               (a.range->count == 0 || (a.range->start == b.range->start &&
                                        (a.range->count == 1 || a.range->step == b.range->step)));
        return FM_OK;
    default:
        *out = a.loop == b.loop;
        return FM_OK;
    }
}

fm_status tpl_equal(tpl_run *r, tpl_value a, tpl_value b, bool *out) {
    return equal_at(r, a, b, 0, out);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static fm_status compare_at(tpl_run *r, tpl_value a, tpl_value b, int depth, int *out);

/** The order of the first items that differ, or of the lengths. */
static fm_status compare_lists(tpl_run *r, const tpl_list *a, const tpl_list *b, int depth,
                               int *out) {
    size_t both = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < both; i++) {
        bool equal;
        FM_TRY(equal_at(r, a->items[i], b->items[i], depth, &equal));
        if (!equal) return compare_at(r, a->items[i], b->items[i], depth, out);
    }
    *out = (a->count > b->count) - (a->count < b->count);
    return FM_OK;
}

static fm_status compare_at(tpl_run *r, tpl_value a, tpl_value b, int depth, int *out) {
    if (depth == TPL_MAX_VALUE_DEPTH) return tpl_fail_limit(r, "lists inside each other");
    if (tpl_is_number(a) && tpl_is_number(b)) {
        *out = compare_numbers(a, b);
        return FM_OK;
    }
    if (a.kind == TPL_UNDEFINED || b.kind == TPL_UNDEFINED)
        return tpl_fail(r, FM_ERR_ARG, "'%s' is undefined and has no order",
                        a.kind == TPL_UNDEFINED ? a.name : b.name);
    if (a.kind == b.kind && a.kind == TPL_STRING) {
        *out = tpl_text_compare(a.text, b.text);
        size_t both = a.text->length < b.text->length ? a.text->length : b.text->length;
        return tpl_spend_bytes(r, both);
    }
    if (a.kind == b.kind && (a.kind == TPL_LIST || a.kind == TPL_TUPLE))
        return compare_lists(r, a.list, b.list, depth + 1, out);
    return tpl_fail(r, FM_ERR_ARG, "%s and %s have no order", tpl_kind_name(a), tpl_kind_name(b));
}

fm_status tpl_compare(tpl_run *r, tpl_value a, tpl_value b, int *out) {
    return compare_at(r, a, b, 0, out);
}

/* ---- Containing ------------------------------------------------------------------------------ */

static fm_status contains_text(tpl_run *r, const tpl_text *text, tpl_value item, bool *out) {
    size_t at;
    if (item.kind != TPL_STRING)
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be in a string", tpl_kind_name(item));
    FM_TRY(tpl_text_find(r, text, item.text, 0, &at));
    *out = at != SIZE_MAX;
    return FM_OK;
}

fm_status tpl_contains(tpl_run *r, tpl_value container, tpl_value item, bool *out) {
    const tpl_value *found = NULL;
    tpl_list items;
    *out = false;
    if (container.kind == TPL_STRING) return contains_text(r, container.text, item, out);
    bool has_keys = container.kind == TPL_VIEW && container.view->kind == TPL_VIEW_KEYS;
    if (container.kind == TPL_DICT || has_keys) {
        FM_TRY(tpl_dict_find(r, has_keys ? container.view->dict : container.dict, item, &found));
        *out = found != NULL;
        return FM_OK;
    }
    FM_TRY(tpl_iterate(r, container, &items));
    FM_TRY(tpl_spend(r, items.count / 16));
    for (size_t i = 0; !*out && i < items.count; i++)
        FM_TRY(tpl_equal(r, items.items[i], item, out));
    return FM_OK;
}
