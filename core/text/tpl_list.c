/* tpl_list.c - lists, dicts, and going through whatever can be gone through. */
#include <math.h>
#include <string.h>

#include "tpl_run.h"

fm_status tpl_list_new(tpl_run *r, tpl_kind kind, const tpl_value *items, size_t count,
                       tpl_value *out) {
    tpl_list *list = tpl_new(r, 1, sizeof *list);
    if (!list) return r->status;
    list->items = tpl_new(r, count, sizeof *items);
    if (!list->items) return r->status;
    if (count > 0) memcpy(list->items, items, count * sizeof *items);
    list->count = count;
    *out = (tpl_value){.kind = (uint8_t)kind, .list = list};
    return tpl_spend(r, count / 16);
}

fm_status tpl_items_add(tpl_run *r, tpl_items *list, tpl_value v) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        tpl_value *items = tpl_new(r, capacity, sizeof *items);
        if (!items) return r->status;
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = v;
    return FM_OK;
}

/* ---- Going through --------------------------------------------------------------------------- */

static fm_status iterate_text(tpl_run *r, const tpl_text *text, tpl_list *out) {
    size_t count = tpl_text_count(text), at = 0;
    FM_TRY(tpl_spend(r, count / 16));
    if (text->is_safe) /* its characters are strings like any other */
        FM_TRY(tpl_text_plain(r, text, &text));
    out->items = tpl_new(r, count, sizeof *out->items);
    if (!out->items) return r->status;
    for (size_t n; at < text->length && out->count < count; at += n) {
        tpl_text_code(text, at, &n);
        FM_TRY(tpl_text_cut_value(r, text, at, at + n, &out->items[out->count++]));
    }
    return FM_OK;
}

static fm_status iterate_dict(tpl_run *r, const tpl_dict *d, tpl_view_kind kind, tpl_list *out) {
    FM_TRY(tpl_spend(r, d->count / 16));
    out->items = tpl_new(r, d->count, sizeof *out->items);
    if (!out->items) return r->status;
    out->count = d->count;
    for (size_t i = 0; i < d->count; i++) {
        const tpl_entry *entry = &d->entries[i];
        const tpl_value pair[2] = {entry->key, entry->value};
        out->items[i] = kind == TPL_VIEW_KEYS ? entry->key : entry->value;
        if (kind == TPL_VIEW_ITEMS) FM_TRY(tpl_list_new(r, TPL_TUPLE, pair, 2, &out->items[i]));
    }
    return FM_OK;
}

static fm_status iterate_range(tpl_run *r, const tpl_range *range, tpl_list *out) {
    FM_TRY(tpl_spend(r, range->count / 16));
    out->items = tpl_new(r, range->count, sizeof *out->items);
    if (!out->items) return r->status;
    out->count = range->count;
    for (size_t i = 0; i < range->count; i++)
        out->items[i] = tpl_int(range->start + (int64_t)i * range->step);
    return FM_OK;
}

static fm_status fail_late(tpl_run *r, const fm_error *failure) {
    *r->err = *failure;
    r->status = failure->status;
    return failure->status;
}

static fm_status iterate_rest(tpl_run *r, tpl_iterator *iterator, tpl_list *out) {
    if (iterator->failure) return fail_late(r, iterator->failure);
    if (iterator->taken < iterator->count)
        *out = (tpl_list){iterator->items + iterator->taken, iterator->count - iterator->taken};
    iterator->taken = iterator->count;
    return FM_OK;
}

fm_status tpl_iterator_next(tpl_run *r, tpl_iterator *iterator, tpl_value *out, bool *found) {
    *found = iterator->taken < iterator->count;
    if (*found)
        *out = iterator->items[iterator->taken++];
    else if (iterator->failure)
        return fail_late(r, iterator->failure);
    return FM_OK;
}

fm_status tpl_iterate(tpl_run *r, tpl_value v, tpl_list *out) {
    *out = (tpl_list){0};
    switch (v.kind) {
    case TPL_UNDEFINED:
        return FM_OK;
    case TPL_STRING:
        return iterate_text(r, v.text, out);
    case TPL_LIST:
    case TPL_TUPLE:
        *out = *v.list;
        return FM_OK;
    case TPL_DICT:
        return iterate_dict(r, v.dict, TPL_VIEW_KEYS, out);
    case TPL_VIEW:
        return iterate_dict(r, v.view->dict, v.view->kind, out);
    case TPL_RANGE:
        return iterate_range(r, v.range, out);
    case TPL_ITERATOR:
        return iterate_rest(r, v.iterator, out);
    default:
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be gone through", tpl_kind_name(v));
    }
}

bool tpl_length(tpl_value v, size_t *out) {
    switch (v.kind) {
    case TPL_UNDEFINED:
        *out = 0;
        return true;
    case TPL_STRING:
        *out = tpl_text_count(v.text);
        return true;
    case TPL_LIST:
    case TPL_TUPLE:
        *out = v.list->count;
        return true;
    case TPL_DICT:
        *out = v.dict->count;
        return true;
    case TPL_VIEW:
        *out = v.view->dict->count;
        return true;
    case TPL_RANGE:
        *out = v.range->count;
        return true;
    default:
        return false;
    }
}

/* ---- Dicts ----------------------------------------------------------------------------------- */

static uint32_t hash_bytes(const char *bytes, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
    return hash;
}

static uint32_t hash_whole(int64_t value) {
    return (uint32_t)(((uint64_t)value * 0x9E3779B97F4A7C15u) >> 32);
}

/** Values that are equal have the same hash: 1, 1.0 and true. */
static fm_status hash_key(tpl_run *r, tpl_value key, int depth, uint32_t *out) {
    uint32_t part;
    switch (key.kind) {
    case TPL_BOOL:
        *out = hash_whole(key.boolean);
        return FM_OK;
    case TPL_INT:
        *out = hash_whole(key.integer);
        return FM_OK;
    case TPL_FLOAT:
        *out = fabs(key.real) < 9e18 ? hash_whole((int64_t)key.real) : 7;
        return FM_OK;
    case TPL_BIG:
        *out = hash_bytes(key.text->bytes, key.text->length);
        return FM_OK;
    case TPL_STRING:
        *out = hash_bytes(key.text->bytes, key.text->length);
        return tpl_spend_bytes(r, key.text->length);
    case TPL_TUPLE:
        if (depth == TPL_MAX_VALUE_DEPTH) return tpl_fail_limit(r, "tuples inside each other");
        *out = 17;
        for (size_t i = 0; i < key.list->count; i++) {
            FM_TRY(hash_key(r, key.list->items[i], depth + 1, &part));
            *out = *out * 31 + part;
        }
        return tpl_spend(r, key.list->count / 16);
    case TPL_LIST:
    case TPL_DICT:
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be a key", tpl_kind_name(key));
    default:
        *out = key.kind;
        return FM_OK;
    }
}

fm_status tpl_dict_new(tpl_run *r, tpl_dict **out) {
    *out = tpl_new(r, 1, sizeof **out);
    return *out ? FM_OK : r->status;
}

/** The slot of the key, or the free one where it belongs. */
static fm_status find_slot(tpl_run *r, const tpl_dict *d, tpl_value key, uint32_t hash,
                           size_t *out) {
    size_t slot = hash & (d->n_slots - 1), n_looked = 0;
    for (bool equal = false; d->slots[slot] != 0; slot = (slot + 1) & (d->n_slots - 1)) {
        const tpl_entry *entry = &d->entries[d->slots[slot] - 1];
        if ((++n_looked & 63) == 0) FM_TRY(tpl_spend(r, 1));
        if (entry->hash == hash) FM_TRY(tpl_equal(r, entry->key, key, &equal));
        if (equal) break;
    }
    *out = slot;
    return FM_OK;
}

/** *out is the index of the key's entry, or SIZE_MAX. */
static fm_status find_entry(tpl_run *r, const tpl_dict *d, tpl_value key, uint32_t hash,
                            size_t *out) {
    *out = SIZE_MAX;
    if (d->slots) {
        size_t slot;
        FM_TRY(find_slot(r, d, key, hash, &slot));
        if (d->slots[slot] != 0) *out = d->slots[slot] - 1;
        return FM_OK;
    }
    for (size_t i = 0; i < d->count; i++) {
        bool equal = false;
        if (d->entries[i].hash == hash) FM_TRY(tpl_equal(r, d->entries[i].key, key, &equal));
        if (equal) *out = i;
        if (equal) break;
    }
    return FM_OK;
}

fm_status tpl_dict_find(tpl_run *r, const tpl_dict *d, tpl_value key, const tpl_value **out) {
    uint32_t hash = 0;
    size_t at;
    *out = NULL;
    FM_TRY(hash_key(r, key, 0, &hash));
    FM_TRY(find_entry(r, d, key, hash, &at));
    if (at != SIZE_MAX) *out = &d->entries[at].value;
    return FM_OK;
}

/** Twice the room for entries, and slots from the first time on. */
static fm_status grow(tpl_run *r, tpl_dict *d) {
    size_t capacity = d->capacity ? 2 * d->capacity : 8;
    tpl_entry *entries = tpl_new(r, capacity, sizeof *entries);
    if (!entries) return r->status;
    if (d->count > 0) memcpy(entries, d->entries, d->count * sizeof *entries);
    d->entries = entries;
    d->capacity = capacity;
    if (capacity == 8) return FM_OK;
    d->n_slots = 2 * capacity;
    d->slots = tpl_new(r, d->n_slots, sizeof *d->slots);
    if (!d->slots) return r->status;
    for (size_t i = 0; i < d->count; i++) {
        size_t slot = entries[i].hash & (d->n_slots - 1);
        size_t n_looked = 0;
        for (; d->slots[slot] != 0; slot = (slot + 1) & (d->n_slots - 1)) n_looked++;
        FM_TRY(tpl_spend(r, n_looked / 64));
        d->slots[slot] = (uint32_t)i + 1;
    }
    return FM_OK;
}

fm_status tpl_dict_set(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value value) {
    uint32_t hash = 0;
    size_t at, slot = 0;
    FM_TRY(hash_key(r, key, 0, &hash));
    FM_TRY(find_entry(r, d, key, hash, &at));
    if (at != SIZE_MAX) {
        d->entries[at].value = value;
        return FM_OK;
    }
    if (d->count == d->capacity) FM_TRY(grow(r, d));
    if (d->slots) {
        FM_TRY(find_slot(r, d, key, hash, &slot));
        d->slots[slot] = (uint32_t)d->count + 1;
    }
    d->entries[d->count++] = (tpl_entry){key, value, hash};
    return FM_OK;
}

const tpl_value *tpl_dict_get(const tpl_dict *d, const char *key, size_t length) {
    uint32_t hash = hash_bytes(key, length);
    size_t mask = d->slots ? d->n_slots - 1 : 0;
    for (size_t i = 0, slot = hash & mask;; i++, slot = (slot + 1) & mask) {
        if (d->slots ? d->slots[slot] == 0 : i == d->count) return NULL;
        const tpl_entry *entry = &d->entries[d->slots ? d->slots[slot] - 1 : i];
        if (entry->hash == hash && entry->key.kind == TPL_STRING &&
            entry->key.text->length == length && memcmp(entry->key.text->bytes, key, length) == 0)
            return &entry->value;
    }
}
