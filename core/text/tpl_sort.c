/* tpl_sort.c - keys of items, and a stable merge sort whose comparisons may fail. */
#include "tpl_sort.h"

#include <string.h>

#include "tpl_case.h"
#include "tpl_eval.h"
#include "tpl_number.h"

/** Follows one part of an attribute: digits are a place. */
static fm_status follow(tpl_run *r, tpl_value *v, const tpl_text *part) {
    int64_t place = 0;
    bool is_place = part->length > 0 && part->length < 18;
    for (size_t i = 0; i < part->length; i++)
        is_place &= part->bytes[i] >= '0' && part->bytes[i] <= '9';
    if (is_place) is_place = tpl_number_read_whole(part->bytes, part->length, 10, &place);
    return tpl_get_item(r, *v, is_place ? tpl_int(place) : tpl_string(part), v);
}

static fm_status follow_path(tpl_run *r, tpl_value item, const tpl_text *path, const tpl_sort *how,
                             tpl_value *out) {
    const tpl_text *part = NULL;
    *out = item;
    for (size_t start = 0, end; start <= path->length; start = end + 1) {
        const char *dot = memchr(path->bytes + start, '.', path->length - start);
        end = dot ? (size_t)(dot - path->bytes) : path->length;
        FM_TRY(tpl_text_cut(r, path, start, end, &part));
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(follow(r, out, part));
        bool is_missing = out->kind == TPL_UNDEFINED && how->fallback.kind != TPL_UNDEFINED &&
                          how->fallback.kind != TPL_NONE;
        if (is_missing) *out = how->fallback;
    }
    return FM_OK;
}

static fm_status fold(tpl_run *r, const tpl_sort *how, tpl_value *v) {
    if (!how->folds || v->kind != TPL_STRING) return FM_OK;
    return tpl_text_case(r, v->text, TPL_CASE_LOWER, v);
}

fm_status tpl_sort_key(tpl_run *r, tpl_value item, const tpl_sort *how, tpl_value *out) {
    tpl_value attribute = how->attribute;
    *out = item;
    if (attribute.kind == TPL_STRING)
        FM_TRY(follow_path(r, item, attribute.text, how, out));
    else if (attribute.kind != TPL_ABSENT && attribute.kind != TPL_NONE)
        FM_TRY(tpl_get_item(r, item, attribute, out));
    return fold(r, how, out);
}

/** The keys of several attributes as one list. */
static fm_status many_keys(tpl_run *r, tpl_value item, const tpl_sort *how, tpl_value *out) {
    tpl_items keys = {0};
    tpl_sort one = *how;
    const tpl_text *names = how->attribute.text;
    for (size_t start = 0, end; start <= names->length; start = end + 1) {
        const char *comma = memchr(names->bytes + start, ',', names->length - start);
        tpl_value key;
        end = comma ? (size_t)(comma - names->bytes) : names->length;
        FM_TRY(tpl_text_cut_value(r, names, start, end, &one.attribute));
        FM_TRY(tpl_sort_key(r, item, &one, &key));
        FM_TRY(tpl_items_add(r, &keys, key));
    }
    return tpl_list_new(r, TPL_LIST, keys.items, keys.count, out);
}

typedef struct sorted {
    tpl_value key, item;
} sorted;

/** Merges from[start, middle) and from[middle, end) into `to`. */
static fm_status merge(tpl_run *r, const sorted *from, sorted *to, size_t start, size_t middle,
                       size_t end, bool is_many, int sign) {
    size_t left = start, right = middle;
    FM_TRY(tpl_spend(r, (end - start) / 4 + 1));
    for (size_t i = start; i < end; i++) {
        int order = 1;
        bool equal = false;
        if (left < middle && right < end) {
            /* Several keys are a list, whose items are asked for equality before their order. */
            if (is_many) FM_TRY(tpl_equal(r, from[right].key, from[left].key, &equal));
            if (equal)
                order = 0;
            else
                FM_TRY(tpl_compare(r, from[right].key, from[left].key, &order));
            order = order == 2 ? 1 : order * sign;
        }
        bool takes_right = left == middle || (right < end && order < 0);
        to[i] = takes_right ? from[right++] : from[left++];
    }
    return FM_OK;
}

fm_status tpl_sort_list(tpl_run *r, const tpl_list *list, const tpl_sort *how, tpl_value *out) {
    size_t n = list->count;
    sorted *from = tpl_new(r, n, sizeof *from), *to = tpl_new(r, n, sizeof *to);
    tpl_value *items = tpl_new(r, n, sizeof *items);
    if (!from || !to || !items) return r->status;
    for (size_t i = 0; i < n; i++) {
        from[i].item = list->items[i];
        if (how->many && how->attribute.kind == TPL_STRING)
            FM_TRY(many_keys(r, list->items[i], how, &from[i].key));
        else
            FM_TRY(tpl_sort_key(r, list->items[i], how, &from[i].key));
    }
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n;
            size_t end = start + 2 * width < n ? start + 2 * width : n;
            FM_TRY(merge(r, from, to, start, middle, end, how->many, how->reverse ? -1 : 1));
        }
        sorted *swapped = from;
        from = to;
        to = swapped;
    }
    for (size_t i = 0; i < n; i++) items[i] = from[i].item;
    return tpl_list_new(r, TPL_LIST, items, n, out);
}
