/* array.c - by how much lists grow. */
#include "array.h"

#include <stdint.h>
#include <stdlib.h>

#include "checked.h"

enum { FIRST_CAPACITY = 64 }; /* items */

void *array_grow(void *items, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return items;
    size_t bytes, wanted = *capacity > SIZE_MAX / 2 ? needed : 2 * *capacity;
    if (wanted < needed) wanted = needed;
    if (wanted < FIRST_CAPACITY) wanted = FIRST_CAPACITY;
    if (!checked_mul(wanted, size, &bytes)) return NULL;
    void *grown = realloc(items, bytes);
    if (grown) *capacity = wanted;
    return grown;
}
