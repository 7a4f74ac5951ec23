/* tpl_filter_list.c - filters that go through lists. */
#include <string.h>

#include "tpl_case.h"
#include "tpl_eval.h"
#include "tpl_filter.h"
#include "tpl_methods.h"
#include "tpl_sort.h"
#include "tpl_test.h"

/* ---- Results --------------------------------------------------------------------------------- */

/** What a filter gives that the reference makes item by item: it can be gone through once. */
static fm_status give_iterator(tpl_run *r, const tpl_items *items, tpl_value *out) {
    tpl_iterator *made = tpl_new(r, 1, sizeof *made);
    if (!made) return r->status;
    *made = (tpl_iterator){.items = items->items, .count = items->count};
    *out = (tpl_value){.kind = TPL_ITERATOR, .iterator = made};
    return FM_OK;
}

static fm_status give_list(tpl_run *r, const tpl_items *items, tpl_value *out) {
    return tpl_list_new(r, TPL_LIST, items->items, items->count, out);
}

/* ---- Ends and lengths ------------------------------------------------------------------------ */

static fm_status length(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    size_t n = 0;
    int64_t in_loop = 0;
    (void)call;
    if (v.kind == TPL_STRING) FM_TRY(tpl_spend_bytes(r, v.text->length));
    if (v.kind == TPL_LOOP)
        FM_TRY(tpl_loop_length(r, v.loop, &in_loop));
    else if (!tpl_length(v, &n))
        return tpl_fail(r, FM_ERR_ARG, "%s has no length", tpl_kind_name(v));
    *out = tpl_int(v.kind == TPL_LOOP ? in_loop : (int64_t)n);
    return FM_OK;
}

static fm_status first(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list items;
    bool found;
    (void)call;
    if (v.kind == TPL_STRING) { /* without going through all of it */
        size_t n = 0;
        *out = tpl_undefined("first");
        if (v.text->length == 0) return FM_OK;
        tpl_text_code(v.text, 0, &n);
        return tpl_text_cut_value(r, v.text, 0, n, out);
    }
    *out = tpl_undefined("first");
    if (v.kind == TPL_ITERATOR) return tpl_iterator_next(r, v.iterator, out, &found);
    FM_TRY(tpl_iterate(r, v, &items));
    *out = items.count > 0 ? items.items[0] : tpl_undefined("first");
    return FM_OK;
}

static fm_status last(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list items;
    (void)call;
    if (v.kind == TPL_ITERATOR)
        return tpl_fail(r, FM_ERR_ARG, "an iterator cannot be gone through backwards: use |list");
    FM_TRY(tpl_iterate(r, v, &items));
    *out = items.count > 0 ? items.items[items.count - 1] : tpl_undefined("last");
    return FM_OK;
}

static fm_status to_list(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list items;
    (void)call;
    FM_TRY(tpl_iterate(r, v, &items));
    return tpl_list_new(r, TPL_LIST, items.items, items.count, out);
}

static fm_status reverse(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list;
    tpl_items items = {0};
    tpl_builder b = {.r = r};
    (void)call;
    FM_TRY(tpl_iterate(r, v, &list));
    FM_TRY(tpl_spend(r, list.count / 16));
    for (size_t i = list.count; i-- > 0;) {
        if (v.kind == TPL_STRING)
            tpl_add(&b, list.items[i].text);
        else
            FM_TRY(tpl_items_add(r, &items, list.items[i]));
    }
    if (v.kind == TPL_STRING) return tpl_built_value(&b, out);
    return v.kind == TPL_ITERATOR ? give_list(r, &items, out) : give_iterator(r, &items, out);
}

static fm_status pairs(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list = {0};
    tpl_view view = {TPL_VIEW_ITEMS, v.dict};
    (void)call;
    if (v.kind != TPL_DICT && v.kind != TPL_UNDEFINED)
        return tpl_fail(r, FM_ERR_ARG, "%s has no items: only a mapping has", tpl_kind_name(v));
    if (v.kind == TPL_DICT)
        FM_TRY(tpl_iterate(r, (tpl_value){.kind = TPL_VIEW, .view = &view}, &list));
    return give_iterator(r, &(tpl_items){list.items, list.count, list.count}, out);
}

static fm_status batch(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list;
    tpl_items rows = {0}, row = {0};
    tpl_value made;
    int64_t size;
    FM_TRY(tpl_arg_whole(r, "the size of a batch", call->arg[0], 0, &size));
    FM_TRY(tpl_iterate(r, v, &list));
    bool fills = call->arg[1].kind != TPL_ABSENT && call->arg[1].kind != TPL_NONE;
    if (fills && size > TPL_MAX_RANGE) return tpl_fail_limit(r, "the size of a batch");
    for (size_t i = 0; i < list.count; i++) {
        if ((int64_t)row.count == size) {
            FM_TRY(give_list(r, &row, &made));
            FM_TRY(tpl_items_add(r, &rows, made));
            row = (tpl_items){0};
        }
        FM_TRY(tpl_items_add(r, &row, list.items[i]));
    }
    while (fills && row.count > 0 && (int64_t)row.count < size)
        FM_TRY(tpl_items_add(r, &row, call->arg[1]));
    if (row.count > 0) {
        FM_TRY(give_list(r, &row, &made));
        FM_TRY(tpl_items_add(r, &rows, made));
    }
    FM_TRY(tpl_spend(r, list.count / 16));
    return give_iterator(r, &rows, out);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static fm_status sort(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list;
    tpl_sort how = {.reverse = tpl_arg_bool(call->arg[0], false),
                    .folds = !tpl_arg_bool(call->arg[1], false),
                    .attribute = call->arg[2],
                    .many = true};
    FM_TRY(tpl_iterate(r, v, &list));
    return tpl_sort_list(r, &list, &how, out);
}

static fm_status dictsort(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    const tpl_text *by = NULL;
    tpl_list list;
    tpl_view view = {TPL_VIEW_ITEMS, v.dict};
    tpl_sort how = {.reverse = tpl_arg_bool(call->arg[2], false),
                    .folds = !tpl_arg_bool(call->arg[0], false)};
    FM_TRY(tpl_arg_text(r, "what a mapping is sorted by", call->arg[1], &by));
    bool by_value = by && tpl_text_is(by, "value");
    if (by && !by_value && !tpl_text_is(by, "key"))
        return tpl_fail(r, FM_ERR_ARG, "a mapping is sorted by key or value");
    if (v.kind != TPL_DICT)
        return tpl_fail(r, FM_ERR_ARG, "%s is no mapping to sort", tpl_kind_name(v));
    how.attribute = tpl_int(by_value);
    FM_TRY(tpl_iterate(r, (tpl_value){.kind = TPL_VIEW, .view = &view}, &list));
    return tpl_sort_list(r, &list, &how, out);
}

static fm_status unique(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list;
    tpl_items items = {0};
    tpl_dict *seen;
    const tpl_value *found = NULL;
    tpl_sort how = {.folds = !tpl_arg_bool(call->arg[0], false), .attribute = call->arg[1]};
    FM_TRY(tpl_iterate(r, v, &list));
    FM_TRY(tpl_dict_new(r, &seen));
    for (size_t i = 0; i < list.count; i++) {
        tpl_value key;
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(tpl_sort_key(r, list.items[i], &how, &key));
        FM_TRY(tpl_dict_find(r, seen, key, &found));
        if (found) continue;
        FM_TRY(tpl_dict_set(r, seen, key, tpl_none()));
        FM_TRY(tpl_items_add(r, &items, list.items[i]));
    }
    return give_iterator(r, &items, out);
}

static fm_status extreme(tpl_run *r, tpl_value v, const tpl_call *call, int sign, tpl_value *out) {
    tpl_list list;
    tpl_value best, key;
    int order = 0;
    tpl_sort how = {.folds = !tpl_arg_bool(call->arg[0], false), .attribute = call->arg[1]};
    FM_TRY(tpl_iterate(r, v, &list));
    *out = tpl_undefined("an item of an empty list");
    for (size_t i = 0; i < list.count; i++) {
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(tpl_sort_key(r, list.items[i], &how, &key));
        if (i > 0) FM_TRY(tpl_compare(r, key, best, &order));
        if (i > 0 && (order == 2 || order * sign <= 0)) continue;
        best = key;
        *out = list.items[i];
    }
    return FM_OK;
}

static fm_status largest(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return extreme(r, v, call, 1, out);
}
static fm_status smallest(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return extreme(r, v, call, -1, out);
}

static fm_status sum(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    tpl_list list;
    tpl_value item;
    tpl_sort how = {.attribute = call->arg[0]};
    FM_TRY(tpl_iterate(r, v, &list));
    *out = call->arg[1].kind == TPL_ABSENT ? tpl_int(0) : call->arg[1];
    if (out->kind == TPL_STRING) return tpl_fail(r, FM_ERR_ARG, "strings are joined, not summed");
    for (size_t i = 0; i < list.count; i++) {
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(tpl_sort_key(r, list.items[i], &how, &item));
        FM_TRY(tpl_binary(r, TPL_OP_ADD, *out, item, out));
    }
    return FM_OK;
}

static fm_status join(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    static const tpl_text empty = {.bytes = "", .is_template = true};
    const tpl_text *between = &empty;
    tpl_list list, picked = {0};
    tpl_sort how = {.attribute = call->arg[1]};
    if (call->arg[0].kind != TPL_ABSENT) FM_TRY(tpl_str(r, call->arg[0], &between));
    FM_TRY(tpl_iterate(r, v, &list));
    if (call->arg[1].kind == TPL_ABSENT || call->arg[1].kind == TPL_NONE)
        return tpl_join_values(r, between, &list, false, out);
    picked.items = tpl_new(r, list.count, sizeof *picked.items);
    if (!picked.items) return r->status;
    for (picked.count = 0; picked.count < list.count; picked.count++)
        FM_TRY(tpl_sort_key(r, list.items[picked.count], &how, &picked.items[picked.count]));
    return tpl_join_values(r, between, &picked, false, out);
}

/* ---- Choosing and changing every item --------------------------------------------------------
 * The reference makes items when they are asked for, so that a failure is one of the item that
 * failed: it is kept and told when somebody gets there. A limit is told at once. */

/** What every item goes through. */
typedef struct each {
    tpl_sort key;
    const tpl_function *filter, *test; /* at most one of them */
    bool chooses, wanted;              /* keeps the item when the outcome's truth is as wanted */
    tpl_args args;                     /* of the filter or test */
} each;

static fm_status run_each(tpl_run *r, const each *e, tpl_value item, tpl_items *items) {
    tpl_value made;
    bool holds = false;
    FM_TRY(tpl_spend(r, 1));
    FM_TRY(tpl_sort_key(r, item, &e->key, &made));
    if (e->filter) FM_TRY(tpl_filter_apply(r, e->filter, made, &e->args, &made));
    if (!e->chooses) return tpl_items_add(r, items, made);
    holds = tpl_truth(made);
    if (e->test) FM_TRY(tpl_test_apply(r, e->test, made, &e->args, &holds));
    return holds == e->wanted ? tpl_items_add(r, items, item) : FM_OK;
}

/** Keeps what went wrong, and goes on as if nothing had. */
static fm_status keep_failure(tpl_run *r, tpl_iterator *made) {
    fm_error *failure = tpl_new(r, 1, sizeof *failure);
    if (!failure) return r->status;
    *failure = *r->err;
    made->failure = failure;
    r->status = FM_OK;
    return tpl_spend_bytes(r, r->at); /* which were gone through for its line */
}

static fm_status go_through(tpl_run *r, tpl_value v, const each *e, tpl_value *out) {
    tpl_list list = {0};
    tpl_items items = {0};
    const fm_error *late = NULL;
    tpl_iterator *made = tpl_new(r, 1, sizeof *made);
    if (!made) return r->status;
    if (v.kind == TPL_ITERATOR) { /* what failed there fails here, behind the same items */
        late = v.iterator->failure;
        v.iterator->failure = NULL;
    }
    if (tpl_truth(v)) FM_TRY(tpl_iterate(r, v, &list));
    FM_TRY(tpl_enter_level(r)); /* map can be what map applies */
    int n_levels = r->n_levels, n_calls = r->n_calls;
    for (size_t i = 0; i < list.count && !made->failure; i++) {
        fm_status status = run_each(r, e, list.items[i], &items);
        r->n_levels = n_levels;
        r->n_calls = n_calls;
        if (status == FM_ERR_LIMIT || status == FM_ERR_MEMORY) return status;
        if (status != FM_OK) FM_TRY(keep_failure(r, made));
    }
    tpl_leave_level(r);
    if (!made->failure) made->failure = late;
    made->items = items.items;
    made->count = items.count;
    *out = (tpl_value){.kind = TPL_ITERATOR, .iterator = made};
    return FM_OK;
}

/** The arguments behind the first `n`. */
static tpl_args rest_of(const tpl_args *all, size_t n) {
    tpl_args rest = *all;
    size_t skipped = all->count < n ? all->count : n;
    if (skipped > 0) rest.values += skipped;
    rest.count -= skipped;
    return rest;
}

/** The filter or test that an argument names. */
static fm_status find_row(tpl_run *r, const tpl_args *all, size_t at,
                          const tpl_function *(*find)(const char *, size_t),
                          const tpl_function **out) {
    *out = NULL;
    if (all->values[at].kind == TPL_STRING)
        *out = find(all->values[at].text->bytes, all->values[at].text->length);
    return *out ? FM_OK : tpl_fail(r, FM_ERR_ARG, "there is no filter or test of the name given");
}

static fm_status map_attribute(tpl_run *r, const tpl_args *all, tpl_sort *key) {
    for (size_t i = 0; i < all->n_named; i++) {
        if (tpl_text_is(all->named[i].name, "attribute"))
            key->attribute = all->named[i].value;
        else if (tpl_text_is(all->named[i].name, "default"))
            key->fallback = all->named[i].value;
        else
            return tpl_fail(r, FM_ERR_ARG, "map takes a filter, or attribute and default");
    }
    if (key->attribute.kind == TPL_ABSENT)
        return tpl_fail(r, FM_ERR_ARG, "map needs a filter or an attribute");
    return FM_OK;
}

static fm_status map(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    each e = {.key = {.attribute = {.kind = TPL_ABSENT}, .fallback = {.kind = TPL_NONE}},
              .args = rest_of(&call->all, 1)};
    if (call->all.count == 0)
        FM_TRY(map_attribute(r, &call->all, &e.key));
    else
        FM_TRY(find_row(r, &call->all, 0, tpl_filter_find, &e.filter));
    return go_through(r, v, &e, out);
}

/** Keeps the items for which a test (by its name; none: their truth) is `wanted`. */
static fm_status choose(tpl_run *r, tpl_value v, const tpl_call *call, bool by_attribute,
                        bool wanted, tpl_value *out) {
    const tpl_args *all = &call->all;
    size_t at = by_attribute ? 1 : 0;
    each e = {.key = {.attribute = {.kind = TPL_ABSENT}},
              .chooses = true,
              .wanted = wanted,
              .args = rest_of(all, at + 1)};
    if (all->count < at) return tpl_fail(r, FM_ERR_ARG, "the name of an attribute is missing");
    if (by_attribute) e.key.attribute = all->values[0];
    if (all->count > at) FM_TRY(find_row(r, all, at, tpl_test_find, &e.test));
    return go_through(r, v, &e, out);
}

static fm_status select_(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return choose(r, v, call, false, true, out);
}
static fm_status reject(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return choose(r, v, call, false, false, out);
}
static fm_status selectattr(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return choose(r, v, call, true, true, out);
}
static fm_status rejectattr(tpl_run *r, tpl_value v, const tpl_call *call, tpl_value *out) {
    return choose(r, v, call, true, false, out);
}

const tpl_function tpl_list_filters[] = {
    {"length", length, ""},
    {"count", length, ""},
    {"first", first, ""},
    {"last", last, ""},
    {"list", to_list, ""},
    {"reverse", reverse, ""},
    {"items", pairs, ""},
    {"batch", batch, "linecount*,fill_with"},
    {"sort", sort, "reverse,case_sensitive,attribute"},
    {"dictsort", dictsort, "case_sensitive,by,reverse"},
    {"unique", unique, "case_sensitive,attribute"},
    {"max", largest, "case_sensitive,attribute"},
    {"min", smallest, "case_sensitive,attribute"},
    {"sum", sum, "attribute,start"},
    {"join", join, "d,attribute"},
    {"map", map, NULL},
    {"select", select_, NULL},
    {"reject", reject, NULL},
    {"selectattr", selectattr, NULL},
    {"rejectattr", rejectattr, NULL},
    {0},
};
