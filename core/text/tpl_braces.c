/* tpl_braces.c - "text".format(values): places in braces. */
#include <string.h>

#include "tpl_eval.h"
#include "tpl_layout.h"
#include "tpl_number.h"

typedef struct braces {
    tpl_run *r;
    const tpl_args *args;
    size_t n_taken;
    bool is_safe;       /* values are escaped */
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

static fm_status read_layout(braces *f, const tpl_text *spec, tpl_layout *l) {
    size_t at = 0, n = 0;
    const char *s = spec->bytes;
    *l = (tpl_layout){.precision = -1};
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
        if (l->width <= TPL_MAX_WIDTH) l->width = l->width * 10 + (s[at] - '0');
    l->groups = at < spec->length && s[at] == ',';
    at += l->groups;
    if (at + 1 < spec->length && s[at] == '.' && s[at + 1] >= '0' && s[at + 1] <= '9') {
        l->precision = 0;
        for (at++; at < spec->length && s[at] >= '0' && s[at] <= '9'; at++)
            if (l->precision <= TPL_MAX_WIDTH) l->precision = l->precision * 10 + (s[at] - '0');
    }
    if (at < spec->length && strchr("bdeEfFgGosxX%", s[at])) l->type = s[at++];
    if (at < spec->length)
        return tpl_fail(f->r, FM_ERR_ARG, "a place of a string has no such form");
    if (l->width > TPL_MAX_WIDTH || l->precision > TPL_MAX_WIDTH)
        return tpl_fail_limit(f->r, "the width of a place");
    return FM_OK;
}

static fm_status add_laid_out(braces *f, tpl_value v, const tpl_text *spec) {
    tpl_layout l;
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
        return tpl_layout_number(f->r, &f->out, v, &l);
    }
    if (wants_number || l.align == '=' || l.sign || l.groups || (is_number && l.type == 's'))
        return tpl_fail(f->r, FM_ERR_ARG, "%s does not have that form", tpl_kind_name(v));
    if (v.kind != TPL_STRING && v.kind != TPL_BOOL && spec->length > 0)
        return tpl_fail(f->r, FM_ERR_ARG, "%s does not have that form", tpl_kind_name(v));
    FM_TRY(tpl_str(f->r, v, &text));
    if (f->is_safe) FM_TRY(tpl_escape(f->r, tpl_string(text), &text));
    return tpl_layout_text(f->r, &f->out, text, &l);
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
    braces f = {.r = r, .args = args, .is_safe = format->is_safe, .out = {.r = r}};
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
    FM_TRY(tpl_built_value(&f.out, out));
    return tpl_keep_safe(r, format, out);
}
