/*
 * arena.h - memory with one owner: everything allocated from an arena lives until the arena is
 * freed. Not thread-safe; an arena belongs to one object and is used by the thread that builds it.
 */
#ifndef FATHOM_BASE_ARENA_H
#define FATHOM_BASE_ARENA_H

#include "error.h"

typedef struct arena arena;

/** A new empty arena, or NULL when memory is out. */
arena *arena_new(void);

/** Frees the arena and all that was allocated from it. NULL is allowed. */
void arena_free(arena *a);

/** `count * size` zeroed bytes aligned to 64; NULL when memory is out or the product overflows.
 * A zero-sized request returns a valid pointer. */
void *arena_alloc(arena *a, size_t count, size_t size);

/** A terminated copy of `length` bytes; NULL when memory is out. */
char *arena_strndup(arena *a, const char *text, size_t length);

#endif
