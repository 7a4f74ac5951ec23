/*
 * shim_mask.c - owns what a device says of itself: properties, features, extensions and memory
 * types, less what the mask hides; and notes a breach where something hidden is used all the same.
 */
#include "shim_next.h"

#include <string.h>

/* ---- Properties --------------------------------------------------------------------------------- */

static void mask_limits(VkPhysicalDeviceLimits *limits) {
    uint32_t max = shim.mask.binding_max, shared = shim.mask.shared_max;
    if (max && limits->maxStorageBufferRange > max) limits->maxStorageBufferRange = max;
    if (shared && limits->maxComputeSharedMemorySize > shared)
        limits->maxComputeSharedMemorySize = shared;
}

static void mask_subgroup(uint32_t *size, VkSubgroupFeatureFlags *operations) {
    if (shim.mask.subgroup_size) *size = shim.mask.subgroup_size;
    /* Without arithmetic there are neither its clusters nor its scans. */
    if (shim.mask.subgroup_arithmetic)
        *operations &=
            (VkSubgroupFeatureFlags)(VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_VOTE_BIT);
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceProperties(VkPhysicalDevice physical,
                                                            VkPhysicalDeviceProperties *out) {
    next.GetPhysicalDeviceProperties(physical, out);
    mask_limits(&out->limits);
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceProperties2(VkPhysicalDevice physical,
                                                             VkPhysicalDeviceProperties2 *out) {
    next.GetPhysicalDeviceProperties2(physical, out);
    mask_limits(&out->properties.limits);
    for (VkBaseOutStructure *s = out->pNext; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
            VkPhysicalDeviceSubgroupProperties *p = (void *)s;
            mask_subgroup(&p->subgroupSize, &p->supportedOperations);
        }
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES) {
            VkPhysicalDeviceVulkan11Properties *p = (void *)s;
            mask_subgroup(&p->subgroupSize, &p->subgroupSupportedOperations);
        }
    }
}

/* ---- Features ----------------------------------------------------------------------------------- */

/** Visits a feature that a mask may hide: hidden or not, where it stands, what it is called. */
typedef void (*feature_fn)(bool hidden, VkBool32 *value, const char *name);

static void visit_16_bit_storage(VkPhysicalDevice16BitStorageFeatures *f, feature_fn visit) {
    bool hidden = shim.mask.numbers_16_bit;
    visit(hidden, &f->storageBuffer16BitAccess, "storageBuffer16BitAccess");
    visit(hidden, &f->uniformAndStorageBuffer16BitAccess, "uniformAndStorageBuffer16BitAccess");
    visit(hidden, &f->storagePushConstant16, "storagePushConstant16");
}

static void visit_vulkan_1_1(VkPhysicalDeviceVulkan11Features *f, feature_fn visit) {
    bool hidden = shim.mask.numbers_16_bit;
    visit(hidden, &f->storageBuffer16BitAccess, "storageBuffer16BitAccess");
    visit(hidden, &f->uniformAndStorageBuffer16BitAccess, "uniformAndStorageBuffer16BitAccess");
    visit(hidden, &f->storagePushConstant16, "storagePushConstant16");
}

/** All of a chain's features that a mask may hide. */
static void visit_features(VkBaseOutStructure *chain, feature_fn visit) {
    for (VkBaseOutStructure *s = chain; s; s = s->pNext) {
        void *p = s;
        switch ((int)s->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2:
            visit(shim.mask.numbers_16_bit, &((VkPhysicalDeviceFeatures2 *)p)->features.shaderInt16,
                  "shaderInt16");
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES:
            visit_16_bit_storage(p, visit);
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES:
            visit_vulkan_1_1(p, visit);
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES:
            visit(shim.mask.numbers_16_bit,
                  &((VkPhysicalDeviceShaderFloat16Int8Features *)p)->shaderFloat16,
                  "shaderFloat16");
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES:
            visit(shim.mask.numbers_16_bit, &((VkPhysicalDeviceVulkan12Features *)p)->shaderFloat16,
                  "shaderFloat16");
            visit(shim.mask.timeline_semaphore,
                  &((VkPhysicalDeviceVulkan12Features *)p)->timelineSemaphore, "timelineSemaphore");
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES:
            visit(shim.mask.timeline_semaphore,
                  &((VkPhysicalDeviceTimelineSemaphoreFeatures *)p)->timelineSemaphore,
                  "timelineSemaphore");
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES:
            visit(shim.mask.synchronization2,
                  &((VkPhysicalDeviceVulkan13Features *)p)->synchronization2, "synchronization2");
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES:
            visit(shim.mask.synchronization2,
                  &((VkPhysicalDeviceSynchronization2Features *)p)->synchronization2,
                  "synchronization2");
            break;
        default:
            break;
        }
    }
}

static void hide_feature(bool hidden, VkBool32 *value, const char *name) {
    (void)name;
    if (hidden) *value = VK_FALSE;
}

static void check_feature(bool hidden, VkBool32 *value, const char *name) {
    if (hidden && *value) shim_breach(name);
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceFeatures(VkPhysicalDevice physical,
                                                          VkPhysicalDeviceFeatures *out) {
    next.GetPhysicalDeviceFeatures(physical, out);
    if (shim.mask.numbers_16_bit) out->shaderInt16 = VK_FALSE;
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceFeatures2(VkPhysicalDevice physical,
                                                           VkPhysicalDeviceFeatures2 *out) {
    next.GetPhysicalDeviceFeatures2(physical, out);
    visit_features((VkBaseOutStructure *)(void *)out, hide_feature);
}

/* ---- Extensions --------------------------------------------------------------------------------- */

static bool is_hidden_extension(const char *name) {
    return (shim.mask.push_descriptor && strcmp(name, "VK_KHR_push_descriptor") == 0) ||
           (shim.mask.synchronization2 && strcmp(name, "VK_KHR_synchronization2") == 0) ||
           (shim.mask.numbers_16_bit && strcmp(name, "VK_KHR_16bit_storage") == 0);
}

/* What is hidden is renamed to what nobody asks for, so that numbers stay as they are. */
VKAPI_ATTR VkResult VKAPI_CALL shim_EnumerateDeviceExtensionProperties(VkPhysicalDevice physical,
                                                                       const char *layer,
                                                                       uint32_t *n,
                                                                       VkExtensionProperties *out) {
    VkResult result = next.EnumerateDeviceExtensionProperties(physical, layer, n, out);
    for (uint32_t i = 0; out && result >= 0 && i < *n; i++)
        if (is_hidden_extension(out[i].extensionName))
            memcpy(out[i].extensionName, "hidden", sizeof "hidden");
    return result;
}

VkResult shim_check_device(const VkDeviceCreateInfo *info) {
    int64_t n_before = shim.n_breaches;
    VkPhysicalDeviceFeatures plain = {0};
    if (info->pEnabledFeatures) plain = *info->pEnabledFeatures;
    check_feature(shim.mask.numbers_16_bit, &plain.shaderInt16, "shaderInt16");
    /* Read only: check_feature changes nothing. */
    visit_features((VkBaseOutStructure *)(uintptr_t)info->pNext, check_feature);
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (is_hidden_extension(info->ppEnabledExtensionNames[i]))
            shim_breach(info->ppEnabledExtensionNames[i]);
    return shim.n_breaches == n_before ? VK_SUCCESS : VK_ERROR_FEATURE_NOT_PRESENT;
}

/* ---- Shaders ------------------------------------------------------------------------------------ */

/** Whether a shader that declares this capability of SPIR-V needs what is masked. */
static bool is_hidden_capability(uint32_t capability) {
    enum { FLOAT16 = 9, INT16 = 22, ARITHMETIC = 63, QUAD = 68 };
    enum { STORAGE_16 = 4433, INPUT_OUTPUT_16 = 4436 };
    /* Basic operations and votes are 61 and 62; all that follow need what the mask takes. */
    if (capability >= ARITHMETIC && capability <= QUAD) return shim.mask.subgroup_arithmetic;
    bool is_16_bit = capability == FLOAT16 || capability == INT16 ||
                     (capability >= STORAGE_16 && capability <= INPUT_OUTPUT_16);
    return is_16_bit && shim.mask.numbers_16_bit;
}

VkResult shim_check_shader(const VkShaderModuleCreateInfo *info) {
    enum { HEADER_WORDS = 5, OP_CAPABILITY = 17 };
    size_t n = info->codeSize / 4;
    for (size_t i = HEADER_WORDS; i < n; i += info->pCode[i] >> 16) {
        /* Capabilities come before anything else. */
        if ((info->pCode[i] & 0xffff) != OP_CAPABILITY || i + 1 >= n) return VK_SUCCESS;
        if (is_hidden_capability(info->pCode[i + 1]))
            return shim_breach("a shader with a capability that the device lacks");
    }
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL shim_CmdPushDescriptorSetKHR(VkCommandBuffer commands,
                                                        VkPipelineBindPoint point,
                                                        VkPipelineLayout layout, uint32_t set,
                                                        uint32_t n,
                                                        const VkWriteDescriptorSet *writes) {
    uint32_t max = shim.mask.binding_max;
    for (uint32_t i = 0; max && i < n; i++)
        for (uint32_t k = 0; writes[i].pBufferInfo && k < writes[i].descriptorCount; k++)
            if (writes[i].pBufferInfo[k].range > max) shim_breach("a binding that is too long");
    next.CmdPushDescriptorSetKHR(commands, point, layout, set, n, writes);
}

/* ---- Memory ------------------------------------------------------------------------------------- */

/* With mapped_local the types that are the device's own and mappable are shown as not mappable, and
 * each once more behind the real ones, mappable and not the device's own. */
static VkPhysicalDeviceMemoryProperties real_memory;

static bool is_split(uint32_t type) {
    VkMemoryPropertyFlags both =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    return shim.mask.mapped_local && (real_memory.memoryTypes[type].propertyFlags & both) == both;
}

/** The second copy of a split type, or UINT32_MAX where there is no room for one. */
static uint32_t copy_of(uint32_t type) {
    uint32_t at = real_memory.memoryTypeCount;
    for (uint32_t i = 0; i < type; i++) at += is_split(i);
    return at < VK_MAX_MEMORY_TYPES ? at : UINT32_MAX;
}

static void mask_memory(VkPhysicalDeviceMemoryProperties *out) {
    VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                 VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                 VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    real_memory = *out;
    for (uint32_t i = 0; i < real_memory.memoryTypeCount; i++) {
        uint32_t copy = is_split(i) ? copy_of(i) : UINT32_MAX;
        if (copy == UINT32_MAX) continue;
        out->memoryTypes[copy] = out->memoryTypes[i];
        out->memoryTypes[copy].propertyFlags &= host;
        out->memoryTypes[i].propertyFlags &= ~host;
        out->memoryTypeCount = copy + 1;
    }
    for (uint32_t i = 0; shim.mask.memory_max && i < out->memoryHeapCount; i++)
        if (out->memoryHeaps[i].size > shim.mask.memory_max)
            out->memoryHeaps[i].size = shim.mask.memory_max;
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceMemoryProperties(
    VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *out) {
    next.GetPhysicalDeviceMemoryProperties(physical, out);
    mask_memory(out);
}

VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceMemoryProperties2(
    VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *out) {
    next.GetPhysicalDeviceMemoryProperties2(physical, out);
    mask_memory(&out->memoryProperties);
    for (VkBaseOutStructure *s = out->pNext; s && shim.mask.memory_max; s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) {
            VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)s;
            for (uint32_t i = 0; i < VK_MAX_MEMORY_HEAPS; i++)
                if (budget->heapBudget[i] > shim.mask.memory_max)
                    budget->heapBudget[i] = shim.mask.memory_max;
        }
}

uint32_t shim_memory_type(uint32_t shown, bool *mappable) {
    for (uint32_t i = 0; i < real_memory.memoryTypeCount; i++)
        if (is_split(i) && copy_of(i) == shown) return i;
    *mappable = shown >= real_memory.memoryTypeCount || !is_split(shown);
    return shown;
}

static void mask_requirements(VkMemoryRequirements *out) {
    uint32_t real = out->memoryTypeBits;
    for (uint32_t i = 0; i < real_memory.memoryTypeCount; i++)
        if ((real >> i & 1u) && is_split(i) && copy_of(i) != UINT32_MAX)
            out->memoryTypeBits |= 1u << copy_of(i);
}

VKAPI_ATTR void VKAPI_CALL shim_GetBufferMemoryRequirements(VkDevice device, VkBuffer buffer,
                                                            VkMemoryRequirements *out) {
    next.GetBufferMemoryRequirements(device, buffer, out);
    mask_requirements(out);
}

VKAPI_ATTR void VKAPI_CALL shim_GetBufferMemoryRequirements2(
    VkDevice device, const VkBufferMemoryRequirementsInfo2 *info, VkMemoryRequirements2 *out) {
    next.GetBufferMemoryRequirements2(device, info, out);
    mask_requirements(&out->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL shim_GetDeviceBufferMemoryRequirements(
    VkDevice device, const VkDeviceBufferMemoryRequirements *info, VkMemoryRequirements2 *out) {
    next.GetDeviceBufferMemoryRequirements(device, info, out);
    mask_requirements(&out->memoryRequirements);
}
