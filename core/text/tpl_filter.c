/* tpl_filter.c - filters by name, and those about one value: numbers, truth, JSON. */
#include "tpl_filter.h"

#include <math.h>
#include <string.h>

#include "tpl_eval.h"
#include "tpl_number.h"

const tpl_function *tpl_filter_find(const char *name, size_t length) {
    const tpl_function *const tables[] = {tpl_text_filters, tpl_list_filters, tpl_number_filters};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const tpl_function *f = tables[i]; f->name; f++)
            if (strlen(f->name) == length && memcmp(f->name, name, length) == 0) return f;
    return NULL;
}

fm_status tpl_filter_apply(tpl_run *r, const tpl_function *f, tpl_value v, const tpl_args *args,
                           tpl_value *out) {
    return tpl_function_call(r, f, v, args, out);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/** A string as a double, as Python's float reads it. */
static bool read_real(const tpl_text *text, double *out) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    char digits[64];
    size_t start, end, n = 0;
    tpl_text_strip(text, NULL, true, true, &start, &end);
    for (size_t at = start; at < end; at++) {
        char c = text->bytes[at];
        bool joins = c == '_' && n > 0 && at + 1 < end && digits[n - 1] >= '0' &&
                     digits[n - 1] <= '9' && text->bytes[at + 1] >= '0' &&
                     text->bytes[at + 1] <= '9';
        if (joins) continue;
        if (n == sizeof digits - 1) return tpl_number_read(text->bytes + start, end - start, out);
        digits[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    if (tpl_number_read(digits, n, out)) return true;
    digits[n] = '\0';
    const char *word = digits[0] == '-' || digits[0] == '+' ? digits + 1 : digits;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) != 0) continue;
        *out = digits[0] == '-' ? -words[i].value : words[i].value;
        return true;
    }
    return false;
}

/** Takes 0x, 0o or 0b off the digits where the base allows it, and sets a base that was left open
 * (0). */
static bool read_prefixed(char *digits, size_t n, int base, int64_t *out) {
    size_t sign = n > 0 && (digits[0] == '-' || digits[0] == '+');
    char letter = n > sign + 2 && digits[sign] == '0' ? (char)(digits[sign + 1] | 0x20) : '\0';
    int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix != 0 && (base == 0 || base == prefix)) {
        memmove(digits + sign, digits + sign + 2, n - sign - 2);
        return tpl_number_read_whole(digits, n - 2, prefix, out);
    }
    return tpl_number_read_whole(digits, n, base == 0 ? 10 : base, out);
}

/** A string of digits as a whole number, blanks around it and underscores between allowed. */
static bool read_whole(const tpl_text *text, int base, int64_t *out) {
    char digits[80];
    size_t start, end, n = 0;
    tpl_text_strip(text, NULL, true, true, &start, &end);
    for (size_t at = start; at < end; at++) {
        bool is_between = at > start && at + 1 < end && text->bytes[at + 1] != '_';
        if (text->bytes[at] == '_' && is_between && n > 0 && digits[n - 1] != '+' &&
            digits[n - 1] != '-')
            continue;
        if (n == sizeof digits) return false;
        digits[n++] = text->bytes[at];
    }
    return read_prefixed(digits, n, base, out);
}

static bool whole_of_real(double real, int64_t *out) {
    if (!(real > -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    *out = (int64_t)real;
    return true;
}

/** A string of more digits than an int64_t has keeps them; *out is left alone when it is none. */
static fm_status read_big(tpl_run *r, const tpl_text *text, tpl_value *out) {
    size_t start, end;
    const tpl_text *digits = NULL;
    tpl_text_strip(text, NULL, true, true, &start, &end);
    start += start < end && text->bytes[start] == '+';
    bool is_negative = start < end && text->bytes[start] == '-';
    bool is_whole = end - start > 18;
    for (size_t at = start + is_negative; at < end; at++)
        is_whole &= text->bytes[at] >= '0' && text->bytes[at] <= '9';
    if (!is_whole || text->bytes[start + is_negative] == '0') return FM_OK;
    FM_TRY(tpl_text_cut(r, text, start, end, &digits));
    *out = (tpl_value){.kind = TPL_BIG, .text = digits};
    return tpl_spend_bytes(r, text->length);
}

static fm_status to_int(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    int64_t base, whole = 0;
    double real = 0;
    bool found = false;
    FM_TRY(tpl_arg_whole(r, "the base of a number", call->arg[1], 10, &base));
    if (base != 0 && (base < 2 || base > 36))
        return tpl_fail(r, FM_ERR_ARG, "a base goes from 2 to 36");
    *out = call->arg[0].kind == TPL_ABSENT ? tpl_int(0) : call->arg[0];
    if (v.kind == TPL_UNDEFINED) return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined", v.name);
    if (v.kind == TPL_INT || v.kind == TPL_BIG) {
        *out = v;
        return FM_OK;
    }
    if (v.kind == TPL_BOOL) {
        found = true;
        whole = v.boolean;
    }
    if (v.kind == TPL_FLOAT) found = whole_of_real(v.real, &whole);
    if (v.kind == TPL_FLOAT && !found && isfinite(v.real))
        return tpl_fail_limit(r, "64 bits of a whole number");
    if (v.kind == TPL_STRING)
        found = read_whole(v.text, (int)base, &whole) ||
                (read_real(v.text, &real) && whole_of_real(real, &whole));
    if (!found && v.kind == TPL_STRING && base == 10) return read_big(r, v.text, out);
    if (!found) return FM_OK;
    *out = tpl_int(whole);
    out->from_input = v.from_input || (v.kind == TPL_STRING && !v.text->is_template);
    return FM_OK;
}

static fm_status to_float(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    double real = 0;
    bool found = true;
    if (v.kind == TPL_UNDEFINED) return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined", v.name);
    if (v.kind == TPL_BOOL)
        real = v.boolean;
    else if (v.kind == TPL_INT)
        real = (double)v.integer;
    else if (v.kind == TPL_BIG)
        tpl_number_read(v.text->bytes, v.text->length, &real);
    else if (v.kind == TPL_FLOAT)
        real = v.real;
    else
        found = v.kind == TPL_STRING && read_real(v.text, &real);
    *out = call->arg[0].kind == TPL_ABSENT ? tpl_float(0) : call->arg[0];
    if (!found) return FM_OK;
    *out = tpl_float(real);
    out->from_input = v.from_input || (v.kind == TPL_STRING && !v.text->is_template);
    return FM_OK;
}

static fm_status absolute(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    (void)call;
    if (v.kind == TPL_BIG) {
        const tpl_text *digits = NULL;
        size_t sign = v.text->bytes[0] == '-';
        FM_TRY(tpl_text_cut(r, v.text, sign, v.text->length, &digits));
        *out = (tpl_value){.kind = TPL_BIG, .text = digits};
        return FM_OK;
    }
    bool is_negative =
        (v.kind == TPL_INT && v.integer < 0) || (v.kind == TPL_FLOAT && signbit(v.real));
    return tpl_negate(r, v, !is_negative, out);
}

/** A whole number rounded to a power of ten in front of the point; halves go to the even one. */
static fm_status round_whole(tpl_run *r, int64_t value, int64_t digits, int64_t *out) {
    int64_t unit = 1, quotient, rest;
    *out = value;
    if (digits >= 0) return FM_OK;
    if (!tpl_whole_power(10, digits < -19 ? 19 : -digits, &unit)) {
        *out = 0;
        return FM_OK;
    }
    if (!tpl_whole_divide(value, unit, &quotient, &rest)) return tpl_fail_limit(r, "64 bits");
    bool is_up = rest > unit / 2 || (rest == unit / 2 && (quotient & 1));
    if (!tpl_whole_multiply(quotient + is_up, unit, out))
        return tpl_fail_limit(r, "64 bits of a whole number");
    return FM_OK;
}

static fm_status round_to(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *method = NULL;
    int64_t digits, whole = 0;
    FM_TRY(tpl_arg_whole(r, "the number of digits", call->arg[0], 0, &digits));
    FM_TRY(tpl_arg_text(r, "the way of rounding", call->arg[1], &method));
    bool is_ceil = method && tpl_text_is(method, "ceil");
    bool is_floor = method && tpl_text_is(method, "floor");
    if (method && !is_ceil && !is_floor && !tpl_text_is(method, "common"))
        return tpl_fail(r, FM_ERR_ARG, "a number is rounded common, ceil or floor");
    if (!tpl_is_number(v) || v.kind == TPL_BIG)
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be rounded", tpl_kind_name(v));
    if (v.kind != TPL_FLOAT && !is_ceil && !is_floor) {
        FM_TRY(round_whole(r, v.kind == TPL_BOOL ? v.boolean : v.integer, digits, &whole));
        *out = tpl_int(whole);
    } else if (is_ceil || is_floor) {
        double real = v.kind == TPL_FLOAT ? v.real
                      : v.kind == TPL_INT ? (double)v.integer
                                          : v.boolean;
        double unit = pow(10, (double)digits), scaled = real * unit;
        *out = tpl_float((is_ceil ? ceil(scaled) : floor(scaled)) / unit);
    } else {
        *out = tpl_float(tpl_real_round(v.real, digits));
    }
    out->from_input = v.from_input;
    return FM_OK;
}

/* ---- Any value ------------------------------------------------------------------------------- */

static fm_status default_to(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    static const tpl_text empty = {.bytes = "", .is_template = true};
    bool is_replaced =
        v.kind == TPL_UNDEFINED || (tpl_arg_bool(call->arg[1], false) && !tpl_truth(v));
    (void)r;
    *out = v;
    if (is_replaced) *out = call->arg[0].kind == TPL_ABSENT ? tpl_string(&empty) : call->arg[0];
    return FM_OK;
}

static fm_status to_string(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *text = NULL;
    (void)call;
    FM_TRY(tpl_str(r, v, &text));
    *out = tpl_string(text);
    return FM_OK;
}

static fm_status separator_of(tpl_run *r, tpl_value v, const tpl_text **out) {
    if (v.kind != TPL_STRING) return tpl_fail(r, FM_ERR_ARG, "separators of JSON are two strings");
    *out = v.text;
    return FM_OK;
}

static fm_status to_json(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    static const tpl_text comma = {.bytes = ",", .length = 1, .is_template = true};
    static const tpl_text comma_blank = {.bytes = ", ", .length = 2, .is_template = true};
    static const tpl_text colon = {.bytes = ": ", .length = 2, .is_template = true};
    tpl_builder b = {.r = r};
    tpl_value indent = call->arg[1], separators = call->arg[2];
    tpl_json_style style = {.indent = -1, .item = &comma_blank, .key = &colon};
    style.ascii = tpl_arg_bool(call->arg[0], false);
    style.sorts = tpl_arg_bool(call->arg[3], false);
    if (indent.kind == TPL_STRING) {
        style.indent_text = indent.text;
    } else if (indent.kind != TPL_NONE && indent.kind != TPL_ABSENT) {
        FM_TRY(tpl_arg_whole(r, "the indent of JSON", indent, -1, &style.indent));
        if (style.indent < 0) style.indent = 0;
        if (style.indent > 1024) return tpl_fail_limit(r, "the indent of JSON");
    }
    bool is_spread = style.indent_text || style.indent >= 0;
    if (is_spread) style.item = &comma;
    if (separators.kind == TPL_LIST || separators.kind == TPL_TUPLE) {
        if (separators.list->count != 2)
            return tpl_fail(r, FM_ERR_ARG, "separators of JSON are two strings");
        FM_TRY(separator_of(r, separators.list->items[0], &style.item));
        FM_TRY(separator_of(r, separators.list->items[1], &style.key));
    } else if (separators.kind != TPL_NONE && separators.kind != TPL_ABSENT) {
        return tpl_fail(r, FM_ERR_ARG, "separators of JSON are two strings");
    }
    tpl_add_json(&b, v, &style);
    return tpl_built_value(&b, out);
}

const tpl_function tpl_number_filters[] = {
    {"int", to_int, "default,base"},
    {"float", to_float, "default"},
    {"abs", absolute, ""},
    {"round", round_to, "precision,method"},
    {"default", default_to, "default_value,boolean"},
    {"d", default_to, "default_value,boolean"},
    {"string", to_string, ""},
    {"tojson", to_json, "ensure_ascii,indent,separators,sort_keys"},
    {0},
};
