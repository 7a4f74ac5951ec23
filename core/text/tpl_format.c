/* tpl_format.c - values put into strings: "%s" % value and "{}".format(value). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tpl_eval.h"
#include "tpl_number.h"

enum { MAX_WIDTH = 4096 };

/** How a value is to be written: [[fill]align][sign][#][0][width][,][.precision][type]. */
typedef struct layout {
    uint32_t fill;
    char align; /* '<', '>', '^', '='; 0: numbers right, others left */
    char sign;  /* '+', ' ', or 0 */
    bool alternate, groups;
    int width, precision; /* precision -1: none */
    char type;            /* 0: none */
} layout;

/* ---- Numbers --------------------------------------------------------------------------------- */

static size_t write_whole(uint64_t value, char type, bool alternate, char *out) {
    static const char digits[] = "0123456789abcdef";
    char reversed[72];
    size_t n = 0, length = 0;
    unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
    do {
        char digit = digits[value % base];
        reversed[n++] = type == 'X' && digit >= 'a' ? (char)(digit - 32) : digit;
        value /= base;
    } while (value > 0);
    if (alternate && base != 10) {
        out[length++] = '0';
        out[length++] = type;
    }
    while (n > 0) out[length++] = reversed[--n];
    out[length] = '\0';
    return length;
}

/** A comma in front of every three digits of the whole part. */
static void group_digits(char text[TPL_NUMBER_SIZE]) {
    char grouped[TPL_NUMBER_SIZE];
    size_t whole = strspn(text, "0123456789"), n = 0;
    if (strlen(text) + whole / 3 >= TPL_NUMBER_SIZE) return;
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) grouped[n++] = ',';
        grouped[n++] = text[i];
    }
    strcpy(grouped + n, text + whole);
    strcpy(text, grouped);
}

/** Writes the digits of a number without its sign. */
static fm_status write_number(tpl_run *r, tpl_value v, const layout *l, char *out) {
    bool is_real = v.kind == TPL_FLOAT || (l->type && strchr("eEfFgG%", l->type));
    if (!is_real) {
        int64_t whole = v.kind == TPL_BOOL ? v.boolean : v.integer;
        write_whole(whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole, l->type, l->alternate, out);
        return FM_OK;
    }
    double real = v.kind == TPL_FLOAT ? v.real
                  : v.kind == TPL_INT ? (double)v.integer
                                      : (double)v.boolean;
    real = fabs(real);
    int precision = l->precision < 0 ? 6 : l->precision;
    if (precision > TPL_MAX_PRECISION) return tpl_fail_limit(r, "the digits of a number");
    if (!l->type && l->precision < 0)
        tpl_number_repr(real, out);
    else if (l->type == '%') {
        tpl_number_format(real * 100, 'f', precision, out);
        strcat(out, "%");
    } else {
        char kind = l->type ? (char)(l->type | 0x20) : 'g';
        tpl_number_format(real, kind, precision, out);
    }
    return FM_OK;
}

static bool is_negative(tpl_value v) {
    return v.kind == TPL_INT ? v.integer < 0 : v.kind == TPL_FLOAT && signbit(v.real);
}

/* ---- Filling --------------------------------------------------------------------------------- */

static void fill(tpl_builder *b, uint32_t code, size_t count) {
    for (size_t i = 0; i < count; i++) tpl_add_code(b, code, true);
}

/** Appends a sign and a text in the layout's width. */
static void add_aligned(tpl_builder *b, const layout *l, const char *sign, const tpl_text *text,
                        char align) {
    size_t length = strlen(sign) + tpl_text_count(text);
    size_t missing = (size_t)l->width > length ? (size_t)l->width - length : 0;
    size_t left = align == '>' ? missing : align == '^' ? missing / 2 : 0;
    uint32_t code = l->fill ? l->fill : ' ';
    fill(b, code, left);
    tpl_add_word(b, sign, text->is_template);
    if (align == '=') fill(b, code, missing);
    tpl_add(b, text);
    if (align != '=') fill(b, code, missing - left);
}

static fm_status add_number(tpl_run *r, tpl_builder *b, tpl_value v, const layout *l) {
    char digits[TPL_NUMBER_SIZE + 8];
    const char plus[2] = {l->sign, '\0'};
    if (v.kind == TPL_BIG) return tpl_fail_limit(r, "64 bits of a whole number");
    FM_TRY(write_number(r, v, l, digits));
    if (l->groups) group_digits(digits);
    const tpl_text text = {.bytes = digits, .length = strlen(digits), .is_template = !v.from_input};
    add_aligned(b, l, is_negative(v) ? "-" : plus, &text, l->align ? l->align : '>');
    return b->status;
}

static fm_status add_text(tpl_run *r, tpl_builder *b, const tpl_text *text, const layout *l) {
    if (l->precision >= 0)
        FM_TRY(tpl_text_cut(r, text, 0, tpl_text_offset(text, (size_t)l->precision), &text));
    FM_TRY(tpl_spend_bytes(r, text->length));
    add_aligned(b, l, "", text, l->align ? l->align : '<');
    return b->status;
}

/* ---- "%s" % value ---------------------------------------------------------------------------- */

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
        if (count <= MAX_WIDTH) count = count * 10 + (percent_byte(p) - '0');
    if (count > MAX_WIDTH || count < -MAX_WIDTH)
        return tpl_fail_limit(p->r, "the width of a place");
    *out = (int)count;
    return FM_OK;
}

static fm_status read_percent_layout(percent *p, layout *l) {
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

static fm_status add_percent_value(percent *p, layout *l, char type, tpl_value v) {
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
        return add_number(p->r, &p->out, v, l);
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
    return add_text(p->r, &p->out, text, l);
}

static fm_status add_place(percent *p) {
    layout l = {.precision = -1};
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
    size_t n_values = values.kind == TPL_TUPLE  ? values.list->count
                      : values.kind == TPL_DICT ? 0
                                                : 1;
    if (p.n_taken < n_values)
        return tpl_fail(r, FM_ERR_ARG, "a string has fewer places than values to put there");
    return tpl_built_value(&p.out, out);
}

/* ---- "{}".format(value) ---------------------------------------------------------------------- */

typedef struct braces {
    tpl_run *r;
    const tpl_args *args;
    size_t n_taken;
    bool counts, names; /* places were found without and with a number: one excludes the other */
    tpl_builder out;
} braces;

/** The value of "", "0" or "name". */
static fm_status field_base(braces *f, const tpl_text *name, tpl_value *out) {
    int64_t place = 0;
    bool is_place = name->length > 0 && name->bytes[0] >= '0' && name->bytes[0] <= '9';
    if (name->length == 0) {
        f->counts = true;
        place = (int64_t)f->n_taken++;
    } else if (is_place) {
        f->names = true;
        if (!tpl_number_read_whole(name->bytes, name->length, 10, &place))
            return tpl_fail(f->r, FM_ERR_ARG, "a place of a string is neither number nor name");
    }
    if (f->counts && f->names)
        return tpl_fail(f->r, FM_ERR_ARG, "places with numbers do not go with places without");
    if (name->length == 0 || is_place) {
        if ((uint64_t)place >= f->args->count)
            return tpl_fail(f->r, FM_ERR_ARG, "a string has more places than values to put there");
        *out = f->args->values[place];
        return FM_OK;
    }
    for (size_t i = 0; i < f->args->n_named; i++) {
        if (!tpl_text_equal(f->args->named[i].name, name)) continue;
        *out = f->args->named[i].value;
        return FM_OK;
    }
    return tpl_fail(f->r, FM_ERR_ARG, "there is no value for a place with a name");
}

/** One ".name" or "[key]" of a field at *at. */
static fm_status field_step(braces *f, const tpl_text *field, size_t *at, tpl_value *v) {
    bool is_item = field->bytes[*at] == '[';
    size_t start = ++*at;
    int64_t place = 0;
    const tpl_text *name = NULL;
    while (*at < field->length &&
           (is_item ? field->bytes[*at] != ']' : !strchr(".[", field->bytes[*at])))
        ++*at;
    FM_TRY(tpl_text_cut(f->r, field, start, *at, &name));
    if (name->length == 0 || (is_item && *at == field->length))
        return tpl_fail(f->r, FM_ERR_ARG, "a place of a string names nothing behind a value");
    if (is_item) ++*at;
    bool is_place = is_item && tpl_number_read_whole(name->bytes, name->length, 10, &place) &&
                    name->bytes[0] != '-' && name->bytes[0] != '+';
    if (is_place) return tpl_get_item(f->r, *v, tpl_int(place), v);
    if (is_item) return tpl_get_item(f->r, *v, tpl_string(name), v);
    char terminated[256];
    if (name->length >= sizeof terminated) return tpl_fail_limit(f->r, "the name of an attribute");
    memcpy(terminated, name->bytes, name->length);
    terminated[name->length] = '\0';
    FM_TRY(tpl_get_attribute(f->r, *v, terminated, v));
    if (v->kind == TPL_UNDEFINED) *v = tpl_undefined("a field of a value");
    return FM_OK;
}

static fm_status read_layout(braces *f, const tpl_text *spec, layout *l) {
    size_t at = 0, n = 0;
    const char *s = spec->bytes;
    *l = (layout){.precision = -1};
    if (spec->length > 0) tpl_text_code(spec, 0, &n);
    if (n > 0 && n < spec->length && strchr("<>=^", s[n])) {
        l->fill = tpl_text_code(spec, 0, &n);
        l->align = s[n];
        at = n + 1;
    } else if (spec->length > 0 && strchr("<>=^", s[0])) {
        l->align = s[at++];
    }
    if (at < spec->length && strchr("+- ", s[at])) {
        l->sign = s[at] == '-' ? '\0' : s[at];
        at++;
    }
    l->alternate = at < spec->length && s[at] == '#';
    at += l->alternate;
    if (at < spec->length && s[at] == '0') {
        if (!l->align) l->align = '=';
        if (!l->fill) l->fill = '0';
        at++;
    }
    for (; at < spec->length && s[at] >= '0' && s[at] <= '9'; at++)
        if (l->width <= MAX_WIDTH) l->width = l->width * 10 + (s[at] - '0');
    l->groups = at < spec->length && s[at] == ',';
    at += l->groups;
    if (at + 1 < spec->length && s[at] == '.' && s[at + 1] >= '0' && s[at + 1] <= '9') {
        l->precision = 0;
        for (at++; at < spec->length && s[at] >= '0' && s[at] <= '9'; at++)
            if (l->precision <= MAX_WIDTH) l->precision = l->precision * 10 + (s[at] - '0');
    }
    if (at < spec->length && strchr("bdeEfFgGosxX%", s[at])) l->type = s[at++];
    if (at < spec->length)
        return tpl_fail(f->r, FM_ERR_ARG, "a place of a string has no such form");
    if (l->width > MAX_WIDTH || l->precision > MAX_WIDTH)
        return tpl_fail_limit(f->r, "the width of a place");
    return FM_OK;
}

static fm_status add_laid_out(braces *f, tpl_value v, const tpl_text *spec) {
    layout l;
    const tpl_text *text = NULL;
    FM_TRY(read_layout(f, spec, &l));
    bool wants_number = l.type && l.type != 's';
    bool is_number = tpl_is_number(v) && (v.kind != TPL_BOOL || spec->length > 0);
    if (l.type == 'd') l.type = 0;
    if (is_number && l.type != 's') {
        bool is_whole = v.kind != TPL_FLOAT;
        bool needs_whole = wants_number && (l.type == 0 || strchr("boxX", l.type));
        if ((needs_whole && !is_whole) || (is_whole && !l.type && l.precision >= 0))
            return tpl_fail(f->r, FM_ERR_ARG, "a number does not have that form");
        return add_number(f->r, &f->out, v, &l);
    }
    if (wants_number || l.align == '=' || l.sign || l.groups || (is_number && l.type == 's'))
        return tpl_fail(f->r, FM_ERR_ARG, "%s does not have that form", tpl_kind_name(v));
    if (v.kind != TPL_STRING && v.kind != TPL_BOOL && spec->length > 0)
        return tpl_fail(f->r, FM_ERR_ARG, "%s does not have that form", tpl_kind_name(v));
    FM_TRY(tpl_str(f->r, v, &text));
    return add_text(f->r, &f->out, text, &l);
}

/** What stands between the braces: field[!conversion][:form]. */
static fm_status add_field(braces *f, const tpl_text *inside) {
    size_t name_end = 0, at;
    const tpl_text *field = NULL, *base = NULL, *spec = NULL, *shown = NULL;
    tpl_value v;
    tpl_builder repr = {.r = f->r};
    bool in_item = false;
    for (; name_end < inside->length; name_end++) {
        char c = inside->bytes[name_end];
        if (c == '[') in_item = true;
        if (c == ']') in_item = false;
        if (!in_item && (c == '!' || c == ':')) break;
    }
    FM_TRY(tpl_text_cut(f->r, inside, 0, name_end, &field));
    for (at = 0; at < field->length && !strchr(".[", field->bytes[at]);) at++;
    FM_TRY(tpl_text_cut(f->r, field, 0, at, &base));
    FM_TRY(field_base(f, base, &v));
    while (at < field->length) {
        if (!strchr(".[", field->bytes[at]))
            return tpl_fail(f->r, FM_ERR_ARG, "only '.' and '[' follow a ']' in a place");
        FM_TRY(field_step(f, field, &at, &v));
    }
    at = name_end;
    if (at < inside->length && inside->bytes[at] == '!') {
        char kind = at + 1 < inside->length ? inside->bytes[at + 1] : '\0';
        if (kind == 'r') tpl_add_repr(&repr, v);
        if (kind == 's') tpl_add_str(&repr, v);
        if (kind != 'r' && kind != 's')
            return tpl_fail(f->r, FM_ERR_ARG, "a place of a string takes !r and !s");
        FM_TRY(tpl_built(&repr, &shown));
        v = tpl_string(shown);
        at += 2;
        if (at < inside->length && inside->bytes[at] != ':')
            return tpl_fail(f->r, FM_ERR_ARG, "':' is needed behind the conversion of a place");
    }
    FM_TRY(tpl_text_cut(f->r, inside, at < inside->length ? at + 1 : at, inside->length, &spec));
    return add_laid_out(f, v, spec);
}

fm_status tpl_format_braces(tpl_run *r, const tpl_text *format, const tpl_args *args,
                            tpl_value *out) {
    braces f = {.r = r, .args = args, .out = {.r = r}};
    size_t shown = 0;
    for (size_t at = 0; at < format->length; at++) {
        char c = format->bytes[at];
        const tpl_text *inside = NULL;
        if (c != '{' && c != '}') continue;
        bool is_double = at + 1 < format->length && format->bytes[at + 1] == c;
        tpl_add_part(&f.out, format, shown, at - shown + is_double);
        shown = at + 2;
        if (is_double) {
            at++;
            continue;
        }
        if (c == '}') return tpl_fail(r, FM_ERR_ARG, "a single '}' stands in a string to fill");
        size_t end = at + 1;
        while (end < format->length && format->bytes[end] != '}' && format->bytes[end] != '{')
            end++;
        if (end == format->length || format->bytes[end] == '{')
            return tpl_fail(r, FM_ERR_ARG, "a '{' of a string to fill is not closed");
        FM_TRY(tpl_text_cut(r, format, at + 1, end, &inside));
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(add_field(&f, inside));
        at = end;
        shown = end + 1;
    }
    if (shown < format->length) tpl_add_part(&f.out, format, shown, format->length - shown);
    return tpl_built_value(&f.out, out);
}
