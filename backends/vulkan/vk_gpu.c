/* vk_gpu.c - looks at physical devices: which of them can run this backend, and what they can. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk.h"
#include "vk_instance.h"

/* ---- One device ---------------------------------------------------------------------------------- */

typedef struct extension_list {
    VkExtensionProperties *at;
    uint32_t n;
} extension_list;

static bool has_extension(const extension_list *list, const char *name) {
    for (uint32_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i].extensionName, name) == 0) return true;
    return false;
}

static VkResult list_extensions(const vk_api *vk, VkPhysicalDevice device, extension_list *out) {
    VkResult result = vk->EnumerateDeviceExtensionProperties(device, NULL, &out->n, NULL);
    if (result != VK_SUCCESS) return result;
    out->at = calloc(out->n + 1, sizeof *out->at);
    if (!out->at) return VK_ERROR_OUT_OF_HOST_MEMORY;
    return vk->EnumerateDeviceExtensionProperties(device, NULL, &out->n, out->at);
}

static void read_properties(const vk_api *vk, vk_gpu *gpu, bool has_control) {
    VkPhysicalDeviceSubgroupSizeControlProperties control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
        .pNext = has_control ? &control : NULL};
    VkPhysicalDeviceMaintenance3Properties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
                                       .pNext = &sizes};
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &id};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &driver};
    const VkSubgroupFeatureFlags needed =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    vk->GetPhysicalDeviceProperties2(gpu->handle, &all);
    const VkPhysicalDeviceProperties *p = &all.properties;
    snprintf(gpu->name, sizeof gpu->name, "%s", p->deviceName);
    snprintf(gpu->driver, sizeof gpu->driver, "%s", driver.driverName);
    memcpy(gpu->driver_uuid, id.driverUUID, VK_UUID_SIZE);
    memcpy(gpu->device_uuid, id.deviceUUID, VK_UUID_SIZE);
    gpu->type = p->deviceType;
    gpu->api_version = p->apiVersion;
    gpu->vendor = p->vendorID;
    gpu->device = p->deviceID;
    gpu->driver_version = p->driverVersion;
    gpu->limits = p->limits;
    gpu->alloc_max = sizes.maxMemoryAllocationSize;
    gpu->subgroup_size = subgroup.subgroupSize;
    gpu->has_subgroup_arithmetic = (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                                   (subgroup.supportedOperations & needed) == needed;
    /* Sums take workgroups of whole subgroups, whose sizes are powers of two: group_sum in
     * sum.glsl. A size that Vulkan does not know of is left to the shaders that use none. */
    bool is_known = gpu->subgroup_size > 0 && gpu->subgroup_size <= VK_GROUP_SIZE_MOST &&
                    (gpu->subgroup_size & (gpu->subgroup_size - 1)) == 0;
    if (!is_known) {
        gpu->subgroup_size = 32;
        gpu->has_subgroup_arithmetic = has_control = false;
    }
    gpu->group_subgroups_max = control.maxComputeWorkgroupSubgroups;
    gpu->has_subgroup_control =
        has_control && (control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
        gpu->subgroup_size >= control.minSubgroupSize &&
        gpu->subgroup_size <= control.maxSubgroupSize;
}

/** The features that are needed; *control: whether subgroup sizes can be demanded. */
static const char *read_features(const vk_api *vk, const vk_gpu *gpu, bool *control) {
    VkPhysicalDeviceSubgroupSizeControlFeatures sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
    VkPhysicalDeviceSynchronization2Features barriers = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES, .pNext = &sizes};
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES, .pNext = &barriers};
    VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &timeline};
    vk->GetPhysicalDeviceFeatures2(gpu->handle, &all);
    *control = sizes.subgroupSizeControl && sizes.computeFullSubgroups;
    if (!timeline.timelineSemaphore) return "timeline semaphores";
    if (!barriers.synchronization2) return "synchronization2";
    return NULL;
}

/** One queue for everything: any that computes; one that does not also draw is less disturbed by
 * the desktop. */
static bool find_queue(const vk_api *vk, vk_gpu *gpu) {
    enum { FAMILIES_MAX = 32 };
    VkQueueFamilyProperties families[FAMILIES_MAX];
    uint32_t n = FAMILIES_MAX;
    bool found = false;
    vk->GetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, families);
    for (uint32_t i = 0; i < n; i++) {
        bool draws = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || (found && draws)) continue;
        found = true;
        gpu->queue_family = i;
        gpu->timestamp_bits = families[i].timestampValidBits;
        if (!draws) break;
    }
    return found;
}

/** Fills *gpu; what it lacks to run this backend, or NULL. */
static const char *examine(const vk_api *vk, const extension_list *extensions, vk_gpu *gpu) {
    VkPhysicalDeviceProperties2 basic = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    bool control = false;
    vk->GetPhysicalDeviceProperties2(gpu->handle, &basic);
    snprintf(gpu->name, sizeof gpu->name, "%s", basic.properties.deviceName);
    if (basic.properties.apiVersion < VK_API_VERSION_1_2) return "Vulkan 1.2";
    if (!has_extension(extensions, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME))
        return VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME;
    const char *lacks = read_features(vk, gpu, &control);
    if (lacks) return lacks;
    bool is_old = basic.properties.apiVersion < VK_API_VERSION_1_3;
    if (is_old && !has_extension(extensions, VK_KHR_SYNCHRONIZATION_2_EXTENSION_NAME))
        return VK_KHR_SYNCHRONIZATION_2_EXTENSION_NAME;
    read_properties(vk, gpu, control && !is_old);
    vk->GetPhysicalDeviceMemoryProperties2(gpu->handle, &memory);
    gpu->memory = memory.memoryProperties;
    gpu->has_memory_budget = has_extension(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    gpu->is_portability = has_extension(extensions, "VK_KHR_portability_subset");
    if (vk_gpu_device_type(gpu, UINT32_MAX) < 0 || vk_gpu_host_type(gpu, UINT32_MAX, false) < 0)
        return "memory that the host sees";
    return find_queue(vk, gpu) ? NULL : "a compute queue";
}

/* ---- All of them --------------------------------------------------------------------------------- */

/** Smaller is faster. */
static int kind_rank(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return 1;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return 3;
    default:
        return 2;
    }
}

/** Puts one behind those of its kind. */
static void insert(vk_gpu *list, int32_t *n, const vk_gpu *gpu) {
    int32_t at = (*n)++;
    for (; at > 0 && kind_rank(list[at - 1].type) > kind_rank(gpu->type); at--)
        list[at] = list[at - 1];
    list[at] = *gpu;
}

fm_status vk_gpus_find(const vk_api *vk, VkInstance instance, vk_gpu out[VK_GPUS_MAX], int32_t *n,
                       char lacks[200], fm_error *err) {
    VkPhysicalDevice handles[VK_GPUS_MAX];
    uint32_t n_handles = VK_GPUS_MAX;
    *n = 0;
    *lacks = '\0';
    VkResult result = vk->EnumeratePhysicalDevices(instance, &n_handles, handles);
    if (result != VK_INCOMPLETE) FM_TRY(vk_result_error(result, "vkEnumeratePhysicalDevices", err));
    for (uint32_t i = 0; i < n_handles; i++) {
        vk_gpu gpu = {.handle = handles[i]};
        extension_list extensions = {0};
        result = list_extensions(vk, gpu.handle, &extensions);
        const char *lack = result == VK_SUCCESS ? examine(vk, &extensions, &gpu) : NULL;
        free(extensions.at);
        FM_TRY(vk_result_error(result, "vkEnumerateDeviceExtensionProperties", err));
        if (lack)
            snprintf(lacks, 200, "%.100s has no %s", gpu.name, lack);
        else
            insert(out, n, &gpu);
    }
    return FM_OK;
}

bool vk_gpu_is_unified(const vk_gpu *gpu) {
    return gpu->type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU ||
           gpu->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
}
