/* tpl_memory.c - an arena aligns every piece to a cache line; values of templates are smaller. */
#include "tpl_memory.h"

#include <stdint.h>

#include "../base/checked.h"

enum {
    ALIGNMENT = 16,
    BLOCK = 1 << 15, /* bytes; larger pieces get a block of their own */
};

bool tpl_memory_is_full(const tpl_memory *m, size_t bytes) {
    return bytes > m->limit - m->used;
}

void *tpl_alloc(tpl_memory *m, size_t count, size_t size) {
    size_t bytes;
    if (!checked_mul(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT) return NULL;
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (tpl_memory_is_full(m, bytes)) return NULL;
    if (bytes >= BLOCK / 4) {
        void *large = arena_alloc(m->arena, bytes, 1);
        if (large) m->used += bytes;
        return large;
    }
    if (bytes > m->left) {
        char *block = arena_alloc(m->arena, BLOCK, 1);
        if (!block) return NULL;
        m->next = block;
        m->left = BLOCK;
    }
    void *piece = m->next;
    m->next += bytes;
    m->left -= bytes;
    m->used += bytes;
    return piece;
}
