/*
 * tpl_memory.h - the memory of one template, or of one rendering: small pieces cut from the blocks
 * of an arena that the owner frees as a whole, up to a limit. For the thread that owns it.
 */
#ifndef FATHOM_TEXT_TPL_MEMORY_H
#define FATHOM_TEXT_TPL_MEMORY_H

#include "../base/arena.h"

typedef struct tpl_memory {
    arena *arena; /* the owner's */
    char *next;   /* the unused rest of the newest block */
    size_t left;  /* bytes of it */
    size_t used;  /* bytes handed out */
    size_t limit; /* bytes that may be handed out */
} tpl_memory;

/** `count * size` zeroed bytes, aligned for any value of a template; NULL when memory is out or the
 * limit is reached, which tpl_memory_is_full tells apart. */
void *tpl_alloc(tpl_memory *m, size_t count, size_t size);

/** True when `bytes` more would pass the limit. */
bool tpl_memory_is_full(const tpl_memory *m, size_t bytes);

#endif
