/*
 * vk_memory.h - device memory for buffers. A driver gives few and large allocations: those are
 * blocks, and buffers are ranges of them.
 *
 *   vk_memory   the blocks of a device. Frees them.
 *   vk_block    one allocation: of many buffers, or of a single large one. Freed with its last
 * range. vk_range    a part of a block, taken and given back.
 */
#ifndef FATHOM_VK_MEMORY_H
#define FATHOM_VK_MEMORY_H

#include "vk.h"
#include "vk_api.h"
#include "vk_ranges.h"

typedef enum vk_memory_kind {
    VK_MEMORY_DEVICE,   /* what shaders work on */
    VK_MEMORY_UPLOAD,   /* written by the host */
    VK_MEMORY_READBACK, /* read by the host */
} vk_memory_kind;

typedef struct vk_block {
    VkDeviceMemory memory; /* VK_NULL_HANDLE: the place is free */
    uint32_t type;         /* of memory */
    uint8_t *mapped;       /* where the host sees it; NULL: it does not */
    bool is_cached;        /* the host reads it as fast as its own memory */
    vk_ranges ranges;
} vk_block;

typedef struct vk_memory {
    vk_block *blocks; /* [n_blocks]; their places are what ranges remember */
    int32_t n_blocks;
    uint64_t taken; /* bytes of all blocks */
} vk_memory;

typedef struct vk_range {
    VkDeviceMemory memory; /* of the block; VK_NULL_HANDLE: no range */
    uint64_t offset, size; /* bytes */
    uint8_t *mapped;       /* as of the block, at the offset */
    bool is_cached;
    int32_t block;
} vk_range;

/** Takes memory that fits the requirements of a buffer. FM_ERR_MEMORY says what was asked and what
 * is free, FM_ERR_LIMIT when one allocation cannot be that large. */
fm_status vk_memory_take(fm_device_state *s, const VkMemoryRequirements *needs, vk_memory_kind kind,
                         vk_range *out, fm_error *err);
void vk_memory_give(fm_device_state *s, const vk_range *range);
/** All ranges were given back. */
void vk_memory_close(fm_device_state *s);

#endif
