/* tpl_attribute.c - what stands behind a dot or in brackets. */
#include <string.h>

#include "tpl_eval.h"

/* ---- Attributes ------------------------------------------------------------------------------ */

static fm_status cycle(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    if (call->all.count == 0) return tpl_fail(r, FM_ERR_ARG, "there is nothing to cycle through");
    *out = call->all.values[(size_t)self.loop->index % call->all.count];
    return FM_OK;
}

static fm_status changed(tpl_run *r, tpl_value self, const tpl_call *call, tpl_value *out) {
    tpl_loop *loop = self.loop;
    tpl_value asked;
    bool equal = false;
    FM_TRY(tpl_list_new(r, TPL_TUPLE, call->all.values, call->all.count, &asked));
    if (loop->changed.kind != TPL_ABSENT) FM_TRY(tpl_equal(r, loop->changed, asked, &equal));
    loop->changed = asked;
    *out = tpl_bool(!equal);
    return FM_OK;
}

static const tpl_function loop_methods[] = {{"cycle", cycle, NULL}, {"changed", changed, NULL}};

static fm_status bind_method(tpl_run *r, const tpl_function *f, tpl_value self, tpl_value *out) {
    tpl_bound *bound = tpl_new(r, 1, sizeof *bound);
    if (!bound) return r->status;
    *bound = (tpl_bound){f, self};
    *out = (tpl_value){.kind = TPL_METHOD, .method = bound};
    return FM_OK;
}

fm_status tpl_loop_get(tpl_run *r, tpl_loop *loop, const char *name, tpl_value *out) {
    enum { INDEX, INDEX0, REVINDEX, REVINDEX0, FIRST, LAST, LENGTH, PREVIOUS, NEXT, DEPTH, DEPTH0 };
    static const char *const names[] = {"index",    "index0", "revindex", "revindex0",
                                        "first",    "last",   "length",   "previtem",
                                        "nextitem", "depth",  "depth0"};
    const tpl_value self = {.kind = TPL_LOOP, .loop = loop};
    int which = 0, n = (int)(sizeof names / sizeof names[0]);
    bool found = false;
    int64_t length = 0;
    while (which < n && strcmp(names[which], name) != 0) which++;
    if (which == LENGTH || which == REVINDEX || which == REVINDEX0)
        FM_TRY(tpl_loop_length(r, loop, &length));
    if (which == LAST || which == NEXT) FM_TRY(tpl_loop_peek(r, loop, &found));
    switch (which) {
    case INDEX:
    case INDEX0:
        *out = tpl_int(loop->index + (which == INDEX));
        return FM_OK;
    case REVINDEX:
    case REVINDEX0:
        *out = tpl_int(length - loop->index - (which == REVINDEX0));
        return FM_OK;
    case FIRST:
        *out = tpl_bool(loop->index == 0);
        return FM_OK;
    case LAST:
        *out = tpl_bool(!found);
        return FM_OK;
    case LENGTH:
        *out = tpl_int(length);
        return FM_OK;
    case PREVIOUS:
        *out = loop->index == 0 ? tpl_undefined("previtem") : loop->previous;
        return FM_OK;
    case NEXT:
        *out = found ? loop->next : tpl_undefined("nextitem");
        return FM_OK;
    case DEPTH:
    case DEPTH0:
        *out = tpl_int(loop->depth + (which == DEPTH));
        return FM_OK;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof loop_methods / sizeof loop_methods[0]; i++)
        if (strcmp(loop_methods[i].name, name) == 0)
            return bind_method(r, &loop_methods[i], self, out);
    *out = tpl_undefined(name);
    return FM_OK;
}

static fm_status make_string(tpl_run *r, const char *word, tpl_value *out) {
    const tpl_text *text = NULL;
    FM_TRY(tpl_text_new(r, word, strlen(word), true, &text));
    *out = tpl_string(text);
    return FM_OK;
}

/** *found is false when the kind has no attribute of that name. */
static fm_status find_attribute(tpl_run *r, tpl_value v, const char *name, tpl_value *out,
                                bool *found) {
    bool is_refused = false;
    size_t length = strlen(name);
    *found = true;
    if (v.kind == TPL_LOOP) return tpl_loop_get(r, v.loop, name, out);
    if (v.kind == TPL_NAMESPACE) {
        const tpl_value *field = tpl_dict_get(v.dict, name, length);
        *found = field != NULL;
        if (field) *out = *field;
        return FM_OK;
    }
    if (v.kind == TPL_MACRO && strcmp(name, "name") == 0 && v.macro->node->name)
        return make_string(r, v.macro->node->name, out);
    if (v.kind == TPL_CYCLER && strcmp(name, "current") == 0) {
        *out = v.cycler->items->items[v.cycler->at];
        return FM_OK;
    }
    const tpl_function *method = tpl_method_find(v, name, length, &is_refused);
    if (method) return bind_method(r, method, v, out);
    *found = is_refused;
    *out = tpl_undefined(name);
    return FM_OK;
}

/** A terminated copy, for the name of an undefined value. */
static fm_status copy_name(tpl_run *r, const tpl_text *text, const char **out) {
    char *copy = tpl_new(r, text->length + 1, 1);
    if (!copy) return r->status;
    memcpy(copy, text->bytes, text->length);
    *out = copy;
    return tpl_spend_bytes(r, text->length);
}

static fm_status fail_undefined(tpl_run *r, tpl_value v) {
    return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined", v.name);
}

fm_status tpl_get_attribute(tpl_run *r, tpl_value v, const char *name, tpl_value *out) {
    bool found = false;
    if (v.kind == TPL_UNDEFINED) return fail_undefined(r, v);
    FM_TRY(find_attribute(r, v, name, out, &found));
    if (found) return FM_OK;
    const tpl_value *item = v.kind == TPL_DICT ? tpl_dict_get(v.dict, name, strlen(name)) : NULL;
    *out = item ? *item : tpl_undefined(name);
    return FM_OK;
}

/* ---- Items ----------------------------------------------------------------------------------- */

static bool is_whole(tpl_value v) {
    return v.kind == TPL_BOOL || v.kind == TPL_INT;
}

/** The item at a place, counted from the end when it is negative; undefined where there is none. */
static fm_status get_at(tpl_run *r, tpl_value v, int64_t index, tpl_value *out) {
    size_t length = 0;
    tpl_length(v, &length);
    if (v.kind == TPL_STRING) FM_TRY(tpl_spend_bytes(r, v.text->length));
    if (index < 0) index += (int64_t)length;
    if (index < 0 || (uint64_t)index >= length) {
        *out = tpl_undefined("an item beyond the end");
        return FM_OK;
    }
    if (v.kind == TPL_RANGE) {
        *out = tpl_int(v.range->start + index * v.range->step);
        return FM_OK;
    }
    if (v.kind != TPL_STRING) {
        *out = v.list->items[index];
        return FM_OK;
    }
    size_t start = tpl_text_offset(v.text, (size_t)index), n;
    tpl_text_code(v.text, start, &n);
    return tpl_text_cut_value(r, v.text, start, start + n, out);
}

static bool has_places(tpl_value v) {
    return v.kind == TPL_STRING || v.kind == TPL_LIST || v.kind == TPL_TUPLE || v.kind == TPL_RANGE;
}

/** True for what can never be a key: looking for it finds nothing. */
static bool is_no_key(tpl_value v) {
    return v.kind == TPL_LIST || v.kind == TPL_DICT;
}

fm_status tpl_get_item(tpl_run *r, tpl_value v, tpl_value key, tpl_value *out) {
    const tpl_value *item = NULL;
    const char *name = "an item";
    bool found = false;
    if (v.kind == TPL_UNDEFINED) return fail_undefined(r, v);
    if (v.kind == TPL_DICT && !is_no_key(key)) FM_TRY(tpl_dict_find(r, v.dict, key, &item));
    if (item) {
        *out = *item;
        return FM_OK;
    }
    if (has_places(v) && is_whole(key))
        return get_at(r, v, key.kind == TPL_BOOL ? key.boolean : key.integer, out);
    if (key.kind == TPL_STRING) {
        FM_TRY(copy_name(r, key.text, &name));
        FM_TRY(find_attribute(r, v, name, out, &found));
    }
    if (!found) *out = tpl_undefined(name);
    return FM_OK;
}

/* ---- Slices ---------------------------------------------------------------------------------- */

/** The first place, the step and the number of places of a slice of `length` items. */
typedef struct slice_places {
    int64_t start, end, step, count;
} slice_places;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/** A bound of a slice, counted from the end when it is negative, within what the step's direction
 * allows. */
static int64_t bound_of(tpl_value v, int64_t length, bool is_backward, int64_t fallback) {
    if (v.kind == TPL_NONE) return fallback;
    int64_t value = v.kind == TPL_BOOL ? v.boolean : v.integer;
    if (value < 0) value = value < -length ? -length - 1 + length : value + length;
    return is_backward ? clamp(value, -1, length - 1) : clamp(value, 0, length);
}

static fm_status slice_places_of(tpl_run *r, const tpl_value part[3], size_t n_items,
                                 slice_places *out) {
    int64_t length = (int64_t)n_items;
    out->step = part[2].kind == TPL_NONE   ? 1
                : part[2].kind == TPL_BOOL ? part[2].boolean
                                           : part[2].integer;
    if (out->step == 0) return tpl_fail(r, FM_ERR_ARG, "the step of a slice cannot be zero");
    bool is_backward = out->step < 0;
    out->step = clamp(out->step, -INT32_MAX, INT32_MAX);
    out->start = bound_of(part[0], length, is_backward, is_backward ? length - 1 : 0);
    out->end = bound_of(part[1], length, is_backward, is_backward ? -1 : length);
    int64_t span = is_backward ? out->start - out->end : out->end - out->start;
    int64_t step = is_backward ? -out->step : out->step;
    out->count = span > 0 ? (span + step - 1) / step : 0;
    return FM_OK;
}

static fm_status slice_text(tpl_run *r, const tpl_text *text, slice_places range, tpl_value *out) {
    FM_TRY(tpl_spend_bytes(r, text->length));
    if (range.step == 1) {
        size_t start = tpl_text_offset(text, (size_t)range.start);
        const tpl_text rest = {.bytes = text->bytes + start, .length = text->length - start};
        size_t length = tpl_text_offset(&rest, (size_t)range.count);
        return tpl_text_cut_value(r, text, start, start + length, out);
    }
    tpl_list items;
    tpl_builder b = {.r = r};
    FM_TRY(tpl_iterate(r, tpl_string(text), &items));
    FM_TRY(tpl_spend(r, (size_t)range.count / 16));
    for (int64_t i = 0; i < range.count; i++)
        tpl_add(&b, items.items[range.start + i * range.step].text);
    return tpl_built_value(&b, out);
}

static fm_status slice_range(tpl_run *r, const tpl_range *of, slice_places places, tpl_value *out) {
    tpl_range *range = tpl_new(r, 1, sizeof *range);
    if (!range) return r->status;
    /* What lies behind the last item may not fit, and is only shown. */
    uint64_t start = (uint64_t)of->start, step = (uint64_t)of->step;
    *range = (tpl_range){.start = (int64_t)(start + (uint64_t)places.start * step),
                         .stop = (int64_t)(start + (uint64_t)places.end * step),
                         .step = (int64_t)(step * (uint64_t)places.step),
                         .count = (size_t)places.count};
    *out = (tpl_value){.kind = TPL_RANGE, .range = range};
    return FM_OK;
}

fm_status tpl_get_slice(tpl_run *r, tpl_value v, const tpl_value part[3], tpl_value *out) {
    size_t length = 0;
    slice_places range = {0};
    tpl_list items;
    if (v.kind == TPL_UNDEFINED) return fail_undefined(r, v);
    if (!has_places(v)) return tpl_fail(r, FM_ERR_ARG, "%s has no slices", tpl_kind_name(v));
    for (int i = 0; i < 3; i++)
        if (part[i].kind != TPL_NONE && !is_whole(part[i]))
            return tpl_fail(r, FM_ERR_ARG, "a slice is made with %s instead of a whole number",
                            tpl_kind_name(part[i]));
    tpl_length(v, &length);
    FM_TRY(slice_places_of(r, part, length, &range));
    if (v.kind == TPL_STRING) return slice_text(r, v.text, range, out);
    if (v.kind == TPL_RANGE) return slice_range(r, v.range, range, out);
    FM_TRY(tpl_iterate(r, v, &items));
    tpl_value *kept = tpl_new(r, (size_t)range.count, sizeof *kept);
    if (!kept) return r->status;
    for (int64_t i = 0; i < range.count; i++) kept[i] = items.items[range.start + i * range.step];
    return tpl_list_new(r, v.kind == TPL_TUPLE ? TPL_TUPLE : TPL_LIST, kept, (size_t)range.count,
                        out);
}
