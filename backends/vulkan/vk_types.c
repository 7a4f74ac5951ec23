/* vk_types.c - chooses types of memory by need, and tells how much is left. */
#include "../../core/base/os.h"
#include "vk_instance.h"

static const VkMemoryPropertyFlags HOST =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

static uint64_t heap_size(const vk_gpu *gpu, uint32_t type) {
    return gpu->memory.memoryHeaps[gpu->memory.memoryTypes[type].heapIndex].size;
}

static VkMemoryPropertyFlags flags_of(const vk_gpu *gpu, uint32_t type) {
    return gpu->memory.memoryTypes[type].propertyFlags;
}

/* Memory of these kinds needs features that are not asked for. */
static bool is_plain(VkMemoryPropertyFlags flags) {
    return !(flags &
             (VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD |
              VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT));
}

/* Of a graphics card's memory the host may see all, or a window of 256 MiB that is a heap of its
 * own: the heap counts first, so that the window is left alone. */
static bool is_better_device_type(const vk_gpu *gpu, uint32_t a, uint32_t b) {
    const VkMemoryPropertyFlags wanted[] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, HOST,
                                            VK_MEMORY_PROPERTY_HOST_CACHED_BIT};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        bool has_a = (flags_of(gpu, a) & wanted[i]) == wanted[i];
        bool has_b = (flags_of(gpu, b) & wanted[i]) == wanted[i];
        if (has_a != has_b) return has_a;
        if (i == 0 && heap_size(gpu, a) != heap_size(gpu, b))
            return heap_size(gpu, a) > heap_size(gpu, b);
    }
    return false;
}

int32_t vk_gpu_device_type(const vk_gpu *gpu, uint32_t type_bits) {
    int32_t best = -1;
    for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++) {
        if (!(type_bits >> i & 1u) || !is_plain(flags_of(gpu, i))) continue;
        if (best < 0 || is_better_device_type(gpu, i, (uint32_t)best)) best = (int32_t)i;
    }
    return best;
}

int32_t vk_gpu_host_type(const vk_gpu *gpu, uint32_t type_bits, bool is_cached) {
    int32_t best = -1;
    for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = flags_of(gpu, i);
        if (!(type_bits >> i & 1u) || !is_plain(flags) || (flags & HOST) != HOST) continue;
        bool fits = !(flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT) == !is_cached;
        if (best < 0 || fits) best = (int32_t)i;
        if (fits) break;
    }
    return best;
}

bool vk_gpu_host_sees(const vk_gpu *gpu, uint32_t type) {
    return (flags_of(gpu, type) & HOST) == HOST;
}

void vk_gpu_memory(const vk_api *vk, const vk_gpu *gpu, uint64_t taken, uint64_t *total,
                   uint64_t *available) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    uint32_t type = (uint32_t)vk_gpu_device_type(gpu, UINT32_MAX);
    uint32_t heap = gpu->memory.memoryTypes[type].heapIndex;
    uint64_t limit = *total = gpu->memory.memoryHeaps[heap].size;
    if (gpu->has_memory_budget) {
        vk->GetPhysicalDeviceMemoryProperties2(gpu->handle, &memory);
        if (budget.heapBudget[heap] > 0) limit = budget.heapBudget[heap];
        taken = budget.heapUsage[heap];
    }
    *available = taken < limit ? limit - taken : 0;
    if (vk_gpu_is_unified(gpu) && *available > os_memory_available())
        *available = os_memory_available();
}
