/*
 * shim.c - owns the control and the objects' wrappers: creations and destructions of all kinds, and
 * the functions that find functions. What a device says of itself is in shim_mask.c, what it is
 * told to do in shim_queue.c.
 */
#include "shim_next.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

shim_control shim;
shim_functions next;

shim_control *shim_get(void) {
    return &shim;
}

bool shim_refuses(void) {
    if (shim.refuse_nth == 0 || --shim.refuse_nth > 0) return false;
    shim.has_refused = true;
    return true;
}

VkResult shim_breach(const char *what) {
    shim.n_breaches++;
    snprintf(shim.breach, sizeof shim.breach, "%s", what);
    return VK_ERROR_FEATURE_NOT_PRESENT;
}

/* ---- Objects of the usual form ------------------------------------------------------------------ */

static VkResult count_creation(shim_object kind, VkResult result) {
    shim.counts.creations++;
    if (result == VK_SUCCESS) shim.live[kind]++;
    return result;
}

#define SHIM_OBJECT(name)                                                                          \
    static VKAPI_ATTR VkResult VKAPI_CALL shim_Create##name(                                       \
        VkDevice device, const Vk##name##CreateInfo *info, const VkAllocationCallbacks *host,      \
        Vk##name *out) {                                                                           \
        return count_creation(SHIM_OBJECT_##name,                                                  \
                              shim_refuses() ? VK_ERROR_OUT_OF_DEVICE_MEMORY                       \
                                             : next.Create##name(device, info, host, out));        \
    }                                                                                              \
    static VKAPI_ATTR void VKAPI_CALL shim_Destroy##name(VkDevice device, Vk##name object,         \
                                                         const VkAllocationCallbacks *host) {      \
        if (object) shim.live[SHIM_OBJECT_##name]--;                                               \
        next.Destroy##name(device, object, host);                                                  \
    }
SHIM_USUAL_OBJECT_LIST(SHIM_OBJECT)

static VKAPI_ATTR VkResult VKAPI_CALL shim_CreateShaderModule(VkDevice device,
                                                              const VkShaderModuleCreateInfo *info,
                                                              const VkAllocationCallbacks *host,
                                                              VkShaderModule *out) {
    VkResult result = shim_check_shader(info);
    if (result == VK_SUCCESS)
        result = shim_refuses() ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                : next.CreateShaderModule(device, info, host, out);
    return count_creation(SHIM_OBJECT_ShaderModule, result);
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyShaderModule(VkDevice device, VkShaderModule object,
                                                           const VkAllocationCallbacks *host) {
    if (object) shim.live[SHIM_OBJECT_ShaderModule]--;
    next.DestroyShaderModule(device, object, host);
}

/* ---- Objects of another form -------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL shim_CreateComputePipelines(
    VkDevice device, VkPipelineCache cache, uint32_t n, const VkComputePipelineCreateInfo *infos,
    const VkAllocationCallbacks *host, VkPipeline *out) {
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    shim.counts.creations += n;
    shim.counts.pipelines += n;
    for (uint32_t i = 0; i < n; i++) out[i] = VK_NULL_HANDLE;
    if (!shim_refuses()) result = next.CreateComputePipelines(device, cache, n, infos, host, out);
    for (uint32_t i = 0; i < n; i++) shim.live[SHIM_OBJECT_Pipeline] += out[i] != VK_NULL_HANDLE;
    return result;
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyPipeline(VkDevice device, VkPipeline object,
                                                       const VkAllocationCallbacks *host) {
    if (object) shim.live[SHIM_OBJECT_Pipeline]--;
    next.DestroyPipeline(device, object, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_CreateDebugUtilsMessengerEXT(
    VkInstance instance, const VkDebugUtilsMessengerCreateInfoEXT *info,
    const VkAllocationCallbacks *host, VkDebugUtilsMessengerEXT *out) {
    return count_creation(SHIM_OBJECT_DebugUtilsMessengerEXT,
                          shim_refuses()
                              ? VK_ERROR_OUT_OF_HOST_MEMORY
                              : next.CreateDebugUtilsMessengerEXT(instance, info, host, out));
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyDebugUtilsMessengerEXT(
    VkInstance instance, VkDebugUtilsMessengerEXT object, const VkAllocationCallbacks *host) {
    if (object) shim.live[SHIM_OBJECT_DebugUtilsMessengerEXT]--;
    next.DestroyDebugUtilsMessengerEXT(instance, object, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL
shim_CreatePipelineCache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                         const VkAllocationCallbacks *host, VkPipelineCache *out) {
    shim.cache_bytes = info->initialDataSize;
    return count_creation(SHIM_OBJECT_PipelineCache,
                          shim_refuses() ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                         : next.CreatePipelineCache(device, info, host, out));
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyPipelineCache(VkDevice device, VkPipelineCache object,
                                                            const VkAllocationCallbacks *host) {
    if (object) shim.live[SHIM_OBJECT_PipelineCache]--;
    next.DestroyPipelineCache(device, object, host);
}

/* They go with their pool, so only their number is kept. */
static VKAPI_ATTR VkResult VKAPI_CALL shim_AllocateCommandBuffers(
    VkDevice device, const VkCommandBufferAllocateInfo *info, VkCommandBuffer *out) {
    shim.counts.creations += info->commandBufferCount;
    if (shim_refuses()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return next.AllocateCommandBuffers(device, info, out);
}

/* ---- Memory ------------------------------------------------------------------------------------- */

enum { MAX_ALLOCATIONS = 4096 };

/* What is allocated, to know its size when it is freed, and whether it may be mapped. */
typedef struct allocation {
    VkDeviceMemory memory;
    uint64_t size; /* bytes */
    bool mappable;
} allocation;

static allocation allocations[MAX_ALLOCATIONS];
static int32_t n_allocations;

static allocation *find_allocation(VkDeviceMemory memory) {
    for (int32_t i = 0; i < n_allocations; i++)
        if (allocations[i].memory == memory) return &allocations[i];
    return NULL;
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_AllocateMemory(VkDevice device,
                                                          const VkMemoryAllocateInfo *info,
                                                          const VkAllocationCallbacks *host,
                                                          VkDeviceMemory *out) {
    VkMemoryAllocateInfo real = *info;
    bool mappable = true;
    real.memoryTypeIndex = shim_memory_type(info->memoryTypeIndex, &mappable);
    bool is_full =
        shim.mask.memory_max && shim.live_bytes + info->allocationSize > shim.mask.memory_max;
    shim.counts.allocations++;
    if (shim_refuses() || is_full || n_allocations == MAX_ALLOCATIONS)
        return count_creation(SHIM_OBJECT_DeviceMemory, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    VkResult result = next.AllocateMemory(device, &real, host, out);
    if (result == VK_SUCCESS) {
        allocations[n_allocations++] = (allocation){*out, info->allocationSize, mappable};
        shim.live_bytes += info->allocationSize;
    }
    return count_creation(SHIM_OBJECT_DeviceMemory, result);
}

static VKAPI_ATTR void VKAPI_CALL shim_FreeMemory(VkDevice device, VkDeviceMemory memory,
                                                  const VkAllocationCallbacks *host) {
    allocation *a = find_allocation(memory);
    if (a) {
        shim.live[SHIM_OBJECT_DeviceMemory]--;
        shim.live_bytes -= a->size;
        *a = allocations[--n_allocations];
    }
    next.FreeMemory(device, memory, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_MapMemory(VkDevice device, VkDeviceMemory memory,
                                                     VkDeviceSize offset, VkDeviceSize size,
                                                     VkMemoryMapFlags flags, void **out) {
    const allocation *a = find_allocation(memory);
    if (a && !a->mappable) {
        shim_breach("memory that is not host-visible was mapped");
        return VK_ERROR_MEMORY_MAP_FAILED;
    }
    if (shim_refuses()) return VK_ERROR_MEMORY_MAP_FAILED;
    return next.MapMemory(device, memory, offset, size, flags, out);
}

/* ---- Instances and devices ---------------------------------------------------------------------- */

/* The loader's own functions serve every instance and device alike, so the last one's will do. What
 * an instance has not, as vkCreateInstance, stays what it is. */
static void find_next(VkInstance instance) {
    PFN_vkVoidFunction found;
#define FIND_NEXT(name)                                                                            \
    found = next.GetInstanceProcAddr(instance, "vk" #name);                                        \
    if (found) next.name = (PFN_vk##name)found;
    SHIM_FUNCTION_LIST(FIND_NEXT)
#undef FIND_NEXT
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_CreateInstance(const VkInstanceCreateInfo *info,
                                                          const VkAllocationCallbacks *host,
                                                          VkInstance *out) {
    if (shim_refuses()) return count_creation(SHIM_OBJECT_Instance, VK_ERROR_OUT_OF_HOST_MEMORY);
    VkResult result = next.CreateInstance(info, host, out);
    if (result == VK_SUCCESS) find_next(*out);
    return count_creation(SHIM_OBJECT_Instance, result);
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyInstance(VkInstance instance,
                                                       const VkAllocationCallbacks *host) {
    if (instance) shim.live[SHIM_OBJECT_Instance]--;
    next.DestroyInstance(instance, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_CreateDevice(VkPhysicalDevice physical,
                                                        const VkDeviceCreateInfo *info,
                                                        const VkAllocationCallbacks *host,
                                                        VkDevice *out) {
    VkResult result = shim_check_device(info);
    if (result == VK_SUCCESS)
        result = shim_refuses() ? VK_ERROR_OUT_OF_HOST_MEMORY
                                : next.CreateDevice(physical, info, host, out);
    return count_creation(SHIM_OBJECT_Device, result);
}

static VKAPI_ATTR void VKAPI_CALL shim_DestroyDevice(VkDevice device,
                                                     const VkAllocationCallbacks *host) {
    if (device && --shim.live[SHIM_OBJECT_Device] == 0) shim.is_lost = false;
    next.DestroyDevice(device, host);
}

/* ---- Finding functions -------------------------------------------------------------------------- */

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetDeviceProcAddr(VkDevice, const char *);

typedef struct shim_function {
    const char *name;
    PFN_vkVoidFunction fn;
} shim_function;

static PFN_vkVoidFunction find_own(const char *name) {
    static const shim_function functions[] = {
#define OWN_FUNCTION(name) {"vk" #name, (PFN_vkVoidFunction)shim_##name},
        SHIM_FUNCTION_LIST(OWN_FUNCTION)
#undef OWN_FUNCTION
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(name, functions[i].name) == 0) return functions[i].fn;
    return NULL;
}

/* Ours only where the loader has one, so that what is absent stays absent. */
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetDeviceProcAddr(VkDevice device,
                                                                       const char *name) {
    PFN_vkVoidFunction real = next.GetDeviceProcAddr(device, name);
    PFN_vkVoidFunction own = find_own(name);
    return real && own ? own : real;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char *name) {
    if (!next.GetInstanceProcAddr) {
        void *loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!loader) return NULL;
        PFN_vkGetInstanceProcAddr real;
        *(void **)&real = dlsym(loader, "vkGetInstanceProcAddr");
        next.GetInstanceProcAddr = real;
        if (!real) return NULL;
        next.CreateInstance = (PFN_vkCreateInstance)real(NULL, "vkCreateInstance");
    }
    if (strcmp(name, "vkGetInstanceProcAddr") == 0)
        return (PFN_vkVoidFunction)vkGetInstanceProcAddr;
    PFN_vkVoidFunction real = next.GetInstanceProcAddr(instance, name);
    PFN_vkVoidFunction own = find_own(name);
    return real && own ? own : real;
}
