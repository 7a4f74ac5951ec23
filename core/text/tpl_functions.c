/* tpl_functions.c - the functions that every template sees. */
#include "../base/utf8.h"
#include "tpl_eval.h"

static fm_status raise_exception(tpl_run *r, tpl_value subject, const tpl_call *call,
                                 tpl_value *out) {
    const tpl_text *text = NULL;
    (void)subject;
    (void)out;
    FM_TRY(tpl_str(r, call->arg[0], &text));
    if (text->length == 0) return tpl_fail(r, FM_ERR_ARG, "the template refuses its input");
    char line[sizeof r->err->text];
    size_t length = utf8_cut(text->bytes, text->length, sizeof line - 1);
    for (size_t i = 0; i < length; i++) line[i] = text->bytes[i] ? text->bytes[i] : '?';
    line[length] = '\0';
    r->status = error_set(r->err, FM_ERR_ARG, "%s", line);
    return r->status;
}

static fm_status strftime_now(tpl_run *r, tpl_value subject, const tpl_call *call, tpl_value *out) {
    const tpl_text *format = NULL;
    (void)subject;
    FM_TRY(tpl_arg_text(r, "the format of strftime_now", call->arg[0], &format));
    if (!format) return tpl_fail(r, FM_ERR_ARG, "strftime_now needs a format");
    return tpl_format_time(r, format, r->now, out);
}

static fm_status range(tpl_run *r, tpl_value subject, const tpl_call *call, tpl_value *out) {
    int64_t start = 0, end = 0, step = 1;
    (void)subject;
    tpl_range *made = tpl_new(r, 1, sizeof *made);
    if (!made) return r->status;
    FM_TRY(tpl_arg_whole(r, "the end of a range", call->arg[0], 0, &end));
    if (call->arg[1].kind != TPL_ABSENT) {
        start = end;
        FM_TRY(tpl_arg_whole(r, "the end of a range", call->arg[1], 0, &end));
    }
    FM_TRY(tpl_arg_whole(r, "the step of a range", call->arg[2], 1, &step));
    if (step == 0) return tpl_fail(r, FM_ERR_ARG, "the step of a range cannot be zero");
    uint64_t span = step > 0 ? (end > start ? (uint64_t)end - (uint64_t)start : 0)
                             : (start > end ? (uint64_t)start - (uint64_t)end : 0);
    uint64_t size = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t count = span / size + (span % size != 0);
    if (count > TPL_MAX_RANGE) return tpl_fail_limit(r, "a range, 100000 items");
    *made = (tpl_range){start, end, step, (size_t)count};
    *out = (tpl_value){.kind = TPL_RANGE, .range = made};
    return FM_OK;
}

/** Pairs, or the entries of a mapping, into a dict. */
static fm_status add_pairs(tpl_run *r, tpl_dict *d, tpl_value v) {
    tpl_list items, pair;
    FM_TRY(tpl_iterate(r, v, &items));
    for (size_t i = 0; i < items.count; i++) {
        if (v.kind == TPL_DICT) {
            FM_TRY(tpl_dict_set(r, d, v.dict->entries[i].key, v.dict->entries[i].value));
            continue;
        }
        FM_TRY(tpl_iterate(r, items.items[i], &pair));
        if (pair.count != 2)
            return tpl_fail(r, FM_ERR_ARG, "a mapping is made of pairs, not of %zu values",
                            pair.count);
        FM_TRY(tpl_dict_set(r, d, pair.items[0], pair.items[1]));
    }
    return FM_OK;
}

static fm_status make_dict(tpl_run *r, const tpl_call *call, tpl_dict **out) {
    FM_TRY(tpl_dict_new(r, out));
    if (call->all.count > 1) return tpl_fail(r, FM_ERR_ARG, "a mapping is made of one value");
    if (call->all.count == 1) FM_TRY(add_pairs(r, *out, call->all.values[0]));
    for (size_t i = 0; i < call->all.n_named; i++) {
        const tpl_named *n = &call->all.named[i];
        FM_TRY(tpl_dict_set(r, *out, tpl_string(n->name), n->value));
    }
    return FM_OK;
}

static fm_status dict(tpl_run *r, tpl_value subject, const tpl_call *call, tpl_value *out) {
    tpl_dict *d;
    (void)subject;
    FM_TRY(make_dict(r, call, &d));
    *out = (tpl_value){.kind = TPL_DICT, .dict = d};
    return FM_OK;
}

static fm_status make_namespace(tpl_run *r, tpl_value subject, const tpl_call *call,
                                tpl_value *out) {
    tpl_dict *d;
    (void)subject;
    FM_TRY(make_dict(r, call, &d));
    for (size_t i = 0; i < d->count; i++) {
        tpl_value key = d->entries[i].key;
        if (key.kind == TPL_STRING && key.text->length > 0 && key.text->bytes[0] == '_')
            return tpl_fail(r, FM_ERR_ARG,
                            "a field of a namespace cannot begin with '_': rename it");
    }
    *out = (tpl_value){.kind = TPL_NAMESPACE, .dict = d};
    return FM_OK;
}

static fm_status cycler(tpl_run *r, tpl_value subject, const tpl_call *call, tpl_value *out) {
    tpl_value items;
    (void)subject;
    if (call->all.count == 0 || call->all.n_named > 0)
        return tpl_fail(r, FM_ERR_ARG, "a cycler is made of values to cycle through");
    tpl_cycler *made = tpl_new(r, 1, sizeof *made);
    if (!made) return r->status;
    FM_TRY(tpl_list_new(r, TPL_LIST, call->all.values, call->all.count, &items));
    *made = (tpl_cycler){items.list, 0};
    *out = (tpl_value){.kind = TPL_CYCLER, .cycler = made};
    return FM_OK;
}

static fm_status joiner(tpl_run *r, tpl_value subject, const tpl_call *call, tpl_value *out) {
    static const tpl_text comma = {.bytes = ", ", .length = 2, .is_template = true};
    (void)subject;
    tpl_joiner *made = tpl_new(r, 1, sizeof *made);
    if (!made) return r->status;
    made->separator = call->arg[0].kind == TPL_ABSENT ? tpl_string(&comma) : call->arg[0];
    *out = (tpl_value){.kind = TPL_JOINER, .joiner = made};
    return FM_OK;
}

const tpl_function tpl_functions[] = {
    {"raise_exception", raise_exception, "message*"},
    {"strftime_now", strftime_now, "format*"},
    {"range", range, "start*,stop,step"},
    {"namespace", make_namespace, NULL},
    {"dict", dict, NULL},
    {"cycler", cycler, NULL},
    {"joiner", joiner, "sep"},
    {0},
};
