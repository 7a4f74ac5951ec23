/* tpl_percent.c - "text" % values: places as printf has them. */
#include <math.h>
#include <string.h>

#include "tpl_eval.h"
#include "tpl_layout.h"

typedef struct percent {
    tpl_run *r;
    const tpl_text *format;
    size_t at;
    tpl_value values; /* a tuple, a dict, or one value */
    size_t n_taken;
    tpl_builder out;
} percent;

static char percent_byte(const percent *p) {
    return p->at < p->format->length ? p->format->bytes[p->at] : '\0';
}

static fm_status next_value(percent *p, tpl_value *out) {
    bool is_tuple = p->values.kind == TPL_TUPLE;
    size_t count = is_tuple ? p->values.list->count : 1;
    if (p->n_taken >= count)
        return tpl_fail(p->r, FM_ERR_ARG, "a string has more places than values to put there");
    *out = is_tuple ? p->values.list->items[p->n_taken] : p->values;
    p->n_taken++;
    return FM_OK;
}

/** (key) behind the percent sign. */
static fm_status keyed_value(percent *p, tpl_value *out) {
    size_t start = ++p->at;
    const tpl_text *key = NULL;
    const tpl_value *found = NULL;
    while (percent_byte(p) && percent_byte(p) != ')') p->at++;
    FM_TRY(tpl_text_cut(p->r, p->format, start, p->at, &key));
    if (percent_byte(p) != ')' || p->values.kind != TPL_DICT)
        return tpl_fail(p->r, FM_ERR_ARG, "a place with a name needs a mapping of values");
    p->at++;
    FM_TRY(tpl_dict_find(p->r, p->values.dict, tpl_string(key), &found));
    if (!found) return tpl_fail(p->r, FM_ERR_ARG, "there is no value for a place with a name");
    *out = *found;
    p->n_taken = 1;
    return FM_OK;
}

/** Digits, or * for the next value. */
static fm_status read_count(percent *p, int *out) {
    tpl_value v;
    int64_t count = 0;
    if (percent_byte(p) == '*') {
        p->at++;
        FM_TRY(next_value(p, &v));
        FM_TRY(tpl_arg_whole(p->r, "the width of a place", v, 0, &count));
    }
    for (; percent_byte(p) >= '0' && percent_byte(p) <= '9'; p->at++)
        if (count <= TPL_MAX_WIDTH) count = count * 10 + (percent_byte(p) - '0');
    if (count > TPL_MAX_WIDTH || count < -TPL_MAX_WIDTH)
        return tpl_fail_limit(p->r, "the width of a place");
    *out = (int)count;
    return FM_OK;
}

static fm_status read_percent_layout(percent *p, tpl_layout *l) {
    const char *flags = "-+ #0";
    for (; percent_byte(p) && strchr(flags, percent_byte(p)); p->at++) {
        char c = percent_byte(p);
        if (c == '-') l->align = '<';
        if (c == '+' || (c == ' ' && !l->sign)) l->sign = c;
        if (c == '#') l->alternate = true;
        if (c == '0' && !l->align) l->fill = '0';
    }
    FM_TRY(read_count(p, &l->width));
    if (l->width < 0) {
        l->align = '<';
        l->width = -l->width;
    }
    if (l->align == '<') l->fill = 0;
    if (percent_byte(p) != '.') return FM_OK;
    p->at++;
    FM_TRY(read_count(p, &l->precision));
    if (l->precision < 0) l->precision = 0;
    return FM_OK;
}

static fm_status add_percent_value(percent *p, tpl_layout *l, char type, tpl_value v) {
    const tpl_text *text = NULL;
    tpl_builder b = {.r = p->r};
    bool is_number = strchr("diuoxXeEfFgG", type) != NULL;
    if (is_number) {
        if (!tpl_is_number(v))
            return tpl_fail(p->r, FM_ERR_ARG, "%%%c needs a number, not %s", type,
                            tpl_kind_name(v));
        bool wants_whole = strchr("diuoxX", type) != NULL;
        if (wants_whole && v.kind == TPL_FLOAT) {
            if (strchr("oxX", type) || !(fabs(v.real) < 9e18))
                return tpl_fail(p->r, FM_ERR_ARG, "%%%c needs a whole number", type);
            v = tpl_int((int64_t)v.real);
        }
        l->type = wants_whole && strchr("diu", type) ? 0 : type;
        if (l->fill == '0') l->align = '=';
        if (!l->align) l->align = '>';
        return tpl_layout_number(p->r, &p->out, v, l);
    }
    l->fill = 0;
    if (!l->align) l->align = '>';
    if (type == 'c' && v.kind == TPL_INT && v.integer >= 0 && v.integer < 0x110000 &&
        !(v.integer >= 0xD800 && v.integer < 0xE000))
        tpl_add_code(&b, (uint32_t)v.integer, !v.from_input);
    else if (type == 's' || (type == 'c' && v.kind == TPL_STRING && tpl_text_count(v.text) == 1))
        tpl_add_str(&b, v);
    else if (type == 'r')
        tpl_add_repr(&b, v);
    else
        return tpl_fail(p->r, FM_ERR_ARG, "'%%%c' is no place for a value", type);
    FM_TRY(tpl_built(&b, &text));
    if (type == 's' && v.kind == TPL_STRING) text = v.text;
    if (p->format->is_safe) FM_TRY(tpl_escape(p->r, tpl_string(text), &text));
    return tpl_layout_text(p->r, &p->out, text, l);
}

static fm_status add_place(percent *p) {
    tpl_layout l = {.precision = -1};
    tpl_value v;
    bool is_keyed = percent_byte(p) == '(';
    if (is_keyed) FM_TRY(keyed_value(p, &v));
    FM_TRY(read_percent_layout(p, &l));
    while (percent_byte(p) && strchr("hlL", percent_byte(p))) p->at++;
    char type = percent_byte(p);
    if (!type) return tpl_fail(p->r, FM_ERR_ARG, "a string ends inside a place");
    p->at++;
    if (type == '%') {
        tpl_add_word(&p->out, "%", true);
        return p->out.status;
    }
    if (!is_keyed) FM_TRY(next_value(p, &v));
    return add_percent_value(p, &l, type, v);
}

fm_status tpl_format_percent(tpl_run *r, const tpl_text *format, tpl_value values, tpl_value *out) {
    percent p = {.r = r, .format = format, .values = values, .out = {.r = r}};
    while (p.at < format->length) {
        const char *found = memchr(format->bytes + p.at, '%', format->length - p.at);
        size_t end = found ? (size_t)(found - format->bytes) : format->length;
        tpl_add_part(&p.out, format, p.at, end - p.at);
        p.at = end;
        if (!found) break;
        p.at++;
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(add_place(&p));
    }
    /* What could be a mapping of values may be left over. */
    bool is_mapping = values.kind == TPL_DICT || values.kind == TPL_LIST ||
                      values.kind == TPL_RANGE || values.kind == TPL_UNDEFINED;
    size_t n_values = values.kind == TPL_TUPLE ? values.list->count : is_mapping ? 0 : 1;
    if (p.n_taken < n_values)
        return tpl_fail(r, FM_ERR_ARG, "a string has fewer places than values to put there");
    FM_TRY(tpl_built_value(&p.out, out));
    return tpl_keep_safe(r, format, out);
}
