/* tpl_operator.c - arithmetic and comparison of values, as Python has them. */
#include <math.h>

#include "tpl_eval.h"
#include "tpl_number.h"

static const char *const op_names[] = {
    [TPL_OP_ADD] = "+",       [TPL_OP_SUBTRACT] = "-",     [TPL_OP_MULTIPLY] = "*",
    [TPL_OP_DIVIDE] = "/",    [TPL_OP_DIVIDE_DOWN] = "//", [TPL_OP_REST] = "%",
    [TPL_OP_POWER] = "**",    [TPL_OP_EQUAL] = "==",       [TPL_OP_UNEQUAL] = "!=",
    [TPL_OP_BELOW] = "<",     [TPL_OP_AT_MOST] = "<=",     [TPL_OP_ABOVE] = ">",
    [TPL_OP_AT_LEAST] = ">=", [TPL_OP_IN] = "in",          [TPL_OP_NOT_IN] = "not in",
};

static bool is_whole(tpl_value v) {
    return v.kind == TPL_BOOL || v.kind == TPL_INT;
}

static int64_t whole_of(tpl_value v) {
    return v.kind == TPL_BOOL ? v.boolean : v.integer;
}

static double real_of(tpl_value v) {
    return v.kind == TPL_FLOAT ? v.real : (double)whole_of(v);
}

static fm_status fail_kinds(tpl_run *r, tpl_op op, tpl_value a, tpl_value b) {
    if (a.kind == TPL_UNDEFINED || b.kind == TPL_UNDEFINED)
        return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined",
                        a.kind == TPL_UNDEFINED ? a.name : b.name);
    return tpl_fail(r, FM_ERR_ARG, "'%s' does not go between %s and %s", op_names[op],
                    tpl_kind_name(a), tpl_kind_name(b));
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static fm_status power_of_wholes(tpl_run *r, int64_t a, int64_t b, tpl_value *out) {
    int64_t result = 0;
    if (b < 0) {
        if (a == 0) return tpl_fail(r, FM_ERR_ARG, "0 has no negative power");
        *out = tpl_float(pow((double)a, (double)b));
        return FM_OK;
    }
    if (!tpl_whole_power(a, b, &result)) return tpl_fail_limit(r, "64 bits of a whole number");
    *out = tpl_int(result);
    return FM_OK;
}

static fm_status binary_wholes(tpl_run *r, tpl_op op, int64_t a, int64_t b, tpl_value *out) {
    int64_t result = 0, rest = 0;
    bool fits = true;
    if (b == 0 && (op == TPL_OP_DIVIDE || op == TPL_OP_DIVIDE_DOWN || op == TPL_OP_REST))
        return tpl_fail(r, FM_ERR_ARG, "a division by zero");
    switch (op) {
    case TPL_OP_ADD:
        fits = tpl_whole_add(a, b, &result);
        break;
    case TPL_OP_SUBTRACT:
        fits = tpl_whole_subtract(a, b, &result);
        break;
    case TPL_OP_MULTIPLY:
        fits = tpl_whole_multiply(a, b, &result);
        break;
    case TPL_OP_DIVIDE:
        *out = tpl_float((double)a / (double)b);
        return FM_OK;
    case TPL_OP_POWER:
        return power_of_wholes(r, a, b, out);
    default:
        fits = tpl_whole_divide(a, b, &result, &rest);
        if (op == TPL_OP_REST) result = rest;
        break;
    }
    if (!fits) return tpl_fail_limit(r, "64 bits of a whole number");
    *out = tpl_int(result);
    return FM_OK;
}

static fm_status power_of_reals(tpl_run *r, double a, double b, tpl_value *out) {
    if (a == 0 && b < 0) return tpl_fail(r, FM_ERR_ARG, "0 has no negative power");
    double result = pow(a, b);
    if (isnan(result) && !isnan(a) && !isnan(b))
        return tpl_fail(r, FM_ERR_ARG, "a negative number has no such power");
    if (isinf(result) && isfinite(a) && isfinite(b))
        return tpl_fail(r, FM_ERR_ARG, "the power is too large for a float");
    *out = tpl_float(result);
    return FM_OK;
}

static fm_status binary_reals(tpl_run *r, tpl_op op, double a, double b, tpl_value *out) {
    double quotient, rest;
    if (op == TPL_OP_POWER) return power_of_reals(r, a, b, out);
    if (b == 0 && (op == TPL_OP_DIVIDE || op == TPL_OP_DIVIDE_DOWN || op == TPL_OP_REST))
        return tpl_fail(r, FM_ERR_ARG, "a division by zero");
    switch (op) {
    case TPL_OP_ADD:
        *out = tpl_float(a + b);
        return FM_OK;
    case TPL_OP_SUBTRACT:
        *out = tpl_float(a - b);
        return FM_OK;
    case TPL_OP_MULTIPLY:
        *out = tpl_float(a * b);
        return FM_OK;
    case TPL_OP_DIVIDE:
        *out = tpl_float(a / b);
        return FM_OK;
    default:
        tpl_real_divide(a, b, &quotient, &rest);
        *out = tpl_float(op == TPL_OP_REST ? rest : quotient);
        return FM_OK;
    }
}

static fm_status binary_numbers(tpl_run *r, tpl_op op, tpl_value a, tpl_value b, tpl_value *out) {
    bool from_input = a.from_input || b.from_input;
    if (a.kind == TPL_BIG || b.kind == TPL_BIG)
        return tpl_fail_limit(r, "64 bits of a whole number");
    if (is_whole(a) && is_whole(b))
        FM_TRY(binary_wholes(r, op, whole_of(a), whole_of(b), out));
    else
        FM_TRY(binary_reals(r, op, real_of(a), real_of(b), out));
    out->from_input = from_input;
    return FM_OK;
}

/* ---- Strings and lists ----------------------------------------------------------------------- */

/** A string that went through `safe` makes the other one so too, by escaping it. */
static fm_status add_texts(tpl_run *r, tpl_value a, tpl_value b, tpl_value *out) {
    const tpl_text *left = a.text, *right = b.text, *joined = NULL;
    bool is_safe = left->is_safe || right->is_safe;
    if (is_safe && !left->is_safe) FM_TRY(tpl_escape(r, a, &left));
    if (is_safe && !right->is_safe) FM_TRY(tpl_escape(r, b, &right));
    FM_TRY(tpl_text_join(r, left, right, &joined));
    *out = tpl_string(joined);
    return tpl_keep_safe(r, is_safe ? &(tpl_text){.is_safe = true} : joined, out);
}

static fm_status add_lists(tpl_run *r, tpl_value a, tpl_value b, tpl_value *out) {
    tpl_items items = {0};
    const tpl_list *const parts[2] = {a.list, b.list};
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            FM_TRY(tpl_items_add(r, &items, parts[p]->items[i]));
    return tpl_list_new(r, (tpl_kind)a.kind, items.items, items.count, out);
}

static fm_status repeat_text(tpl_run *r, const tpl_text *text, int64_t count, tpl_value *out) {
    tpl_builder b = {.r = r};
    if (text->length > 0 && count > TPL_MAX_OUTPUT / (int64_t)text->length)
        return tpl_fail_limit(r, "a string that is repeated");
    for (int64_t i = 0; text->length > 0 && i < count; i++) tpl_add(&b, text);
    return tpl_built_value(&b, out);
}

static fm_status repeat_list(tpl_run *r, tpl_value list, int64_t count, tpl_value *out) {
    tpl_items items = {0};
    size_t n = list.list->count;
    if (n > 0 && count > TPL_MAX_STEPS / (int64_t)n)
        return tpl_fail_limit(r, "a list that is repeated");
    for (int64_t i = 0; n > 0 && i < count; i++)
        for (size_t j = 0; j < n; j++) FM_TRY(tpl_items_add(r, &items, list.list->items[j]));
    return tpl_list_new(r, (tpl_kind)list.kind, items.items, items.count, out);
}

static bool is_sequence(tpl_value v) {
    return v.kind == TPL_STRING || v.kind == TPL_LIST || v.kind == TPL_TUPLE;
}

fm_status tpl_binary(tpl_run *r, tpl_op op, tpl_value a, tpl_value b, tpl_value *out) {
    if (tpl_is_number(a) && tpl_is_number(b)) return binary_numbers(r, op, a, b, out);
    if (op == TPL_OP_ADD && a.kind == b.kind && a.kind == TPL_STRING)
        return add_texts(r, a, b, out);
    if (op == TPL_OP_ADD && a.kind == b.kind && (a.kind == TPL_LIST || a.kind == TPL_TUPLE))
        return add_lists(r, a, b, out);
    if (op == TPL_OP_REST && a.kind == TPL_STRING) return tpl_format_percent(r, a.text, b, out);
    if (op == TPL_OP_MULTIPLY && is_whole(a) && is_sequence(b)) return tpl_binary(r, op, b, a, out);
    if (op == TPL_OP_MULTIPLY && is_sequence(a) && is_whole(b)) {
        if (a.kind == TPL_STRING) return repeat_text(r, a.text, whole_of(b), out);
        return repeat_list(r, a, whole_of(b), out);
    }
    return fail_kinds(r, op, a, b);
}

fm_status tpl_negate(tpl_run *r, tpl_value a, bool is_plus, tpl_value *out) {
    if (a.kind == TPL_BIG) return tpl_fail_limit(r, "64 bits of a whole number");
    if (!tpl_is_number(a)) {
        if (a.kind == TPL_UNDEFINED) return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined", a.name);
        return tpl_fail(r, FM_ERR_ARG, "%s has no sign", tpl_kind_name(a));
    }
    if (a.kind == TPL_FLOAT)
        *out = tpl_float(is_plus ? a.real : -a.real);
    else if (!is_plus && whole_of(a) == INT64_MIN)
        return tpl_fail_limit(r, "64 bits of a whole number");
    else
        *out = tpl_int(is_plus ? whole_of(a) : -whole_of(a));
    out->from_input = a.from_input;
    return FM_OK;
}

fm_status tpl_compares(tpl_run *r, tpl_op op, tpl_value a, tpl_value b, bool *out) {
    int order = 0;
    switch (op) {
    case TPL_OP_EQUAL:
        return tpl_equal(r, a, b, out);
    case TPL_OP_UNEQUAL:
        FM_TRY(tpl_equal(r, a, b, out));
        *out = !*out;
        return FM_OK;
    case TPL_OP_IN:
        return tpl_contains(r, b, a, out);
    case TPL_OP_NOT_IN:
        FM_TRY(tpl_contains(r, b, a, out));
        *out = !*out;
        return FM_OK;
    default:
        break;
    }
    FM_TRY(tpl_compare(r, a, b, &order));
    *out = order != 2 && (op == TPL_OP_BELOW     ? order < 0
                          : op == TPL_OP_AT_MOST ? order <= 0
                          : op == TPL_OP_ABOVE   ? order > 0
                                                 : order >= 0);
    return FM_OK;
}
