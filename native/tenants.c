/* tenants.c - a sorted list of names. */
#include "tenants.h"

#include <stdlib.h>
#include <string.h>

static int compare(const tenant *t, const char *name, size_t length) {
    size_t shorter = t->length < length ? t->length : length;
    int order = shorter ? memcmp(t->name, name, shorter) : 0;
    return order ? order : (t->length > length) - (t->length < length);
}

/* The first place whose name does not come before this one. */
static size_t place_of(const tenants *t, const char *name, size_t length) {
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&t->sorted[middle], name, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool reserve(tenants *t) {
    if (t->count < t->capacity) return true;
    if (t->count >= TENANTS_MAX) return false;
    size_t capacity = t->capacity ? t->capacity * 2 : 16;
    tenant *sorted = realloc(t->sorted, capacity * sizeof *sorted);
    if (!sorted) return false;
    t->sorted = sorted;
    t->capacity = capacity;
    return true;
}

bool tenants_number(tenants *t, const char *name, size_t length, uint64_t *out) {
    size_t at = place_of(t, name, length);
    if (at < t->count && compare(&t->sorted[at], name, length) == 0) {
        *out = t->sorted[at].number;
        return true;
    }
    if (length > TENANTS_MAX_LENGTH || !reserve(t)) return false;
    char *copy = malloc(length + 1);
    if (!copy) return false;
    memcpy(copy, name, length);
    memmove(t->sorted + at + 1, t->sorted + at, (t->count - at) * sizeof *t->sorted);
    t->sorted[at] = (tenant){copy, length, ++t->count};
    *out = t->count;
    return true;
}

void tenants_free(tenants *t) {
    for (size_t i = 0; i < t->count; i++) free(t->sorted[i].name);
    free(t->sorted);
    *t = (tenants){0};
}
