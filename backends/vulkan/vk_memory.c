/* vk_memory.c - makes and frees blocks, and cuts ranges from them. */
#include "vk_memory.h"

#include <assert.h>
#include <stdlib.h>

#include "vk_device.h"

/* ---- Blocks -------------------------------------------------------------------------------------- */

/** Bytes of a block that many buffers share. */
static uint64_t block_size(const vk_gpu *gpu, uint32_t type) {
    const uint64_t most = (uint64_t)64 << 20, least = (uint64_t)1 << 20;
    uint64_t share = gpu->memory.memoryHeaps[gpu->memory.memoryTypes[type].heapIndex].size / 32;
    share = share / least * least;
    return share > most ? most : share < least ? least : share;
}

/** A free place in the list of blocks. */
static fm_status find_place(vk_memory *m, int32_t *out) {
    int32_t i = 0;
    while (i < m->n_blocks && m->blocks[i].memory) i++;
    if (i == m->n_blocks) {
        vk_block *grown = realloc(m->blocks, ((size_t)i + 1) * sizeof *grown);
        if (!grown) return FM_ERR_MEMORY;
        m->blocks = grown;
        m->blocks[m->n_blocks++] = (vk_block){0};
    }
    *out = i;
    return FM_OK;
}

static void free_block(fm_device_state *s, vk_block *block) {
    s->memory.taken -= block->ranges.size;
    vk_ranges_release(&block->ranges);
    s->vk.FreeMemory(s->device, block->memory, NULL);
    *block = (vk_block){0};
}

/** Makes a block of `size` bytes; *out: its place. */
static fm_status make_block(fm_device_state *s, uint32_t type, bool is_mapped, uint64_t size,
                            int32_t *out) {
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = size,
                                 .memoryTypeIndex = type};
    vk_block made = {.type = type};
    void *mapped = NULL;
    FM_TRY(find_place(&s->memory, out));
    FM_TRY(vk_ranges_init(&made.ranges, size));
    fm_status status = vk_status(s, s->vk.AllocateMemory(s->device, &info, NULL, &made.memory));
    if (status != FM_OK) {
        vk_ranges_release(&made.ranges);
        return status;
    }
    vk_block *block = &s->memory.blocks[*out];
    *block = made;
    s->memory.taken += size;
    if (is_mapped)
        status =
            vk_status(s, s->vk.MapMemory(s->device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped));
    if (status != FM_OK) {
        free_block(s, block);
        return status;
    }
    block->mapped = mapped;
    block->is_cached =
        s->gpu.memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    return FM_OK;
}

/* ---- Ranges -------------------------------------------------------------------------------------- */

static fm_status take_of(fm_device_state *s, int32_t index, const VkMemoryRequirements *needs,
                         vk_range *out) {
    vk_block *block = &s->memory.blocks[index];
    uint64_t offset = 0;
    FM_TRY(vk_ranges_take(&block->ranges, needs->size, needs->alignment, &offset));
    *out = (vk_range){.memory = block->memory,
                      .offset = offset,
                      .size = needs->size,
                      .mapped = block->mapped ? block->mapped + offset : NULL,
                      .is_cached = block->is_cached,
                      .block = index};
    return FM_OK;
}

/** From a block that is there; FM_ERR_LIMIT when none has room. */
static fm_status take_shared(fm_device_state *s, uint32_t type, bool is_mapped,
                             const VkMemoryRequirements *needs, vk_range *out) {
    fm_status status = FM_ERR_LIMIT;
    for (int32_t i = 0; status == FM_ERR_LIMIT && i < s->memory.n_blocks; i++) {
        const vk_block *block = &s->memory.blocks[i];
        if (block->memory && block->type == type && (block->mapped != NULL) == is_mapped)
            status = take_of(s, i, needs, out);
    }
    return status;
}

static fm_status refuse(const fm_device_state *s, uint64_t size, fm_status status, fm_error *err) {
    uint64_t total, available;
    vk_gpu_memory(&s->vk, &s->gpu, s->memory.taken, &total, &available);
    return error_set(err, status, "%llu bytes do not fit on %s: of %llu are %llu free",
                     (unsigned long long)size, s->gpu.name, (unsigned long long)total,
                     (unsigned long long)available);
}

/** Whether the heap of buffers has that many bytes left. Some drivers would give more than there
 * are, and pay with everything becoming slow. */
static bool is_affordable(const fm_device_state *s, uint64_t size) {
    uint64_t total, available;
    vk_gpu_memory(&s->vk, &s->gpu, s->memory.taken, &total, &available);
    return size <= available;
}

/** From a block that is made for it: one to be shared, or where it is large, or there is no memory
 * for one, of its own size. */
static fm_status take_new(fm_device_state *s, uint32_t type, bool is_mapped,
                          const VkMemoryRequirements *needs, vk_range *out) {
    uint64_t shared = block_size(&s->gpu, type);
    int32_t block = 0;
    fm_status status = FM_ERR_MEMORY;
    if (needs->size <= shared / 2 && is_affordable(s, shared))
        status = make_block(s, type, is_mapped, shared, &block);
    if (status == FM_ERR_MEMORY) status = make_block(s, type, is_mapped, needs->size, &block);
    if (status == FM_OK) status = take_of(s, block, needs, out);
    return status;
}

fm_status vk_memory_take(fm_device_state *s, const VkMemoryRequirements *needs, vk_memory_kind kind,
                         vk_range *out, fm_error *err) {
    int32_t found = kind == VK_MEMORY_DEVICE ? vk_gpu_device_type(&s->gpu, needs->memoryTypeBits)
                                             : vk_gpu_host_type(&s->gpu, needs->memoryTypeBits,
                                                                kind == VK_MEMORY_READBACK);
    if (found < 0) return error_set(err, FM_ERR_UNSUPPORTED, "no memory of %s fits", s->gpu.name);
    if (needs->size > s->gpu.alloc_max)
        return error_set(err, FM_ERR_LIMIT, "%llu bytes are too many for %s: it gives %llu at once",
                         (unsigned long long)needs->size, s->gpu.name,
                         (unsigned long long)s->gpu.alloc_max);
    uint32_t type = (uint32_t)found;
    bool is_mapped =
        kind != VK_MEMORY_DEVICE || (!s->options.staging && vk_gpu_host_sees(&s->gpu, type));
    fm_status status = take_shared(s, type, is_mapped, needs, out);
    if (status == FM_ERR_LIMIT && kind == VK_MEMORY_DEVICE && !is_affordable(s, needs->size))
        return refuse(s, needs->size, FM_ERR_MEMORY, err);
    if (status == FM_ERR_LIMIT) status = take_new(s, type, is_mapped, needs, out);
    return status == FM_OK ? FM_OK : refuse(s, needs->size, status, err);
}

void vk_memory_give(fm_device_state *s, const vk_range *range) {
    vk_block *block = &s->memory.blocks[range->block];
    vk_ranges_give(&block->ranges, range->offset, range->size);
    if (block->ranges.n_taken == 0) free_block(s, block);
}

void vk_memory_close(fm_device_state *s) {
    for (int32_t i = 0; i < s->memory.n_blocks; i++) assert(!s->memory.blocks[i].memory);
    free(s->memory.blocks);
    s->memory = (vk_memory){0};
}
