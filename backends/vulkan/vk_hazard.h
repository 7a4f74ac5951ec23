/*
 * vk_hazard.h - which commands must wait for which. The one place that decides where barriers
 * stand.
 *
 *   vk_touch     a range of a buffer that a command reads or writes.
 *   vk_hazards   what was touched since the last barrier. A barrier is a global one: behind it the
 * list is empty.
 */
#ifndef FATHOM_VK_HAZARD_H
#define FATHOM_VK_HAZARD_H

#include "vk.h"

enum { VK_HAZARDS_MAX = 128 };

typedef struct vk_touch {
    const void *buf;
    uint64_t first, end; /* bytes from the start of the buffer: [first, end) */
    vk_access access;
} vk_touch;

typedef struct vk_hazards {
    int32_t n;
    vk_touch at[VK_HAZARDS_MAX];
} vk_hazards;

/** Adds what the next command touches: at most VK_HAZARDS_MAX ranges. True when a barrier must
 * stand before it, because it reads what an earlier command wrote, writes what an earlier one
 * touched, or the list is full; what was touched before is then forgotten. */
bool vk_hazards_add(vk_hazards *h, const vk_touch *touches, int32_t n);

void vk_hazards_clear(vk_hazards *h);

#endif
