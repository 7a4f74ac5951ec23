/* arena.c - a chain of zeroed blocks; allocation moves a mark forward in the newest one. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

enum {
    ALIGNMENT = 64,
    FIRST_BLOCK = 4096,     /* bytes; small, since many objects own an arena and use little */
    LARGEST_STEP = 1 << 20, /* bytes; blocks double up to here, larger requests get their own */
};

typedef struct arena_block {
    struct arena_block *older;
    uint8_t *data;   /* aligned to ALIGNMENT */
    size_t used;     /* bytes, a multiple of ALIGNMENT */
    size_t capacity; /* bytes, a multiple of ALIGNMENT */
} arena_block;

struct arena {
    arena_block *newest; /* NULL while nothing was allocated */
    size_t next_size;    /* bytes */
};

arena *arena_new(void) {
    arena *a = calloc(1, sizeof *a);
    if (a) a->next_size = FIRST_BLOCK;
    return a;
}

void arena_free(arena *a) {
    if (!a) return;
    for (arena_block *block = a->newest; block;) {
        arena_block *older = block->older;
        free(block);
        block = older;
    }
    free(a);
}

/** calloc gives zeroed memory, for large blocks without touching it; nothing in a block is handed
 * out twice, so what arena_alloc returns is zero. */
static arena_block *add_block(arena *a, size_t size) {
    size_t capacity = size > a->next_size ? size : a->next_size;
    size_t bytes;
    if (!checked_add(capacity, sizeof(arena_block) + ALIGNMENT - 1, &bytes)) return NULL;
    arena_block *block = calloc(1, bytes);
    if (!block) return NULL;
    uintptr_t start = (uintptr_t)(block + 1);
    size_t pad = (size_t)(-start & (ALIGNMENT - 1));
    block->data = (uint8_t *)(block + 1) + pad;
    block->capacity = capacity;
    block->older = a->newest;
    a->newest = block;
    if (a->next_size < LARGEST_STEP) a->next_size *= 2;
    return block;
}

void *arena_alloc(arena *a, size_t count, size_t size) {
    size_t bytes, padded;
    if (!checked_mul(count, size, &bytes)) return NULL;
    if (bytes == 0) bytes = 1;
    if (!checked_add(bytes, ALIGNMENT - 1, &padded)) return NULL;
    padded &= ~(size_t)(ALIGNMENT - 1);
    arena_block *block = a->newest;
    if (!block || padded > block->capacity - block->used) {
        block = add_block(a, padded);
        if (!block) return NULL;
    }
    void *memory = block->data + block->used;
    block->used += padded;
    return memory;
}

char *arena_strndup(arena *a, const char *text, size_t length) {
    size_t bytes;
    if (!checked_add(length, 1, &bytes)) return NULL;
    char *copy = arena_alloc(a, bytes, 1);
    if (copy && length > 0) memcpy(copy, text, length);
    return copy;
}
