/*
 * vk_ranges.h - which parts of a block are free. Pure bookkeeping over numbers, without Vulkan.
 *
 *   vk_ranges   the free parts of [0, size), ascending, apart from each other.
 */
#ifndef FATHOM_VK_RANGES_H
#define FATHOM_VK_RANGES_H

#include "../../core/base/error.h"

typedef struct vk_span {
    uint64_t offset, size; /* bytes */
} vk_span;

typedef struct vk_ranges {
    uint64_t size; /* bytes */
    vk_span *free; /* [n_free] ascending; two never touch */
    int32_t n_free, room;
    int32_t n_taken;
} vk_ranges;

/** All of [0, size) is free. FM_ERR_MEMORY. */
fm_status vk_ranges_init(vk_ranges *r, uint64_t size);
void vk_ranges_release(vk_ranges *r);

/** Takes `size` bytes, at least one, at a multiple of `alignment`, a power of two, from the
 * smallest free part that has room. FM_ERR_LIMIT when none has, FM_ERR_MEMORY when the list cannot
 * grow. */
fm_status vk_ranges_take(vk_ranges *r, uint64_t size, uint64_t alignment, uint64_t *offset);
/** Gives back what was taken, whole. Cannot fail. */
void vk_ranges_give(vk_ranges *r, uint64_t offset, uint64_t size);

#endif
