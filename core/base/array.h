/*
 * array.h - growing lists. A list is a pointer from malloc, its count and its capacity, which stay
 * in the struct that owns them; it starts from NULL and zeros and is freed with free. Any thread
 * that owns the list.
 */
#ifndef FATHOM_BASE_ARRAY_H
#define FATHOM_BASE_ARRAY_H

#include <stddef.h>

/** A list of `size` bytes an item with room for at least `needed` items (1 or more): `items` as it
 * is, or moved, with *capacity raised to twice the room or more. NULL when memory is out or the
 * bytes do not fit a size_t; `items` and *capacity are left alone then. */
void *array_grow(void *items, size_t *capacity, size_t needed, size_t size);

#endif
