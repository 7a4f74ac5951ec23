/* vk_api.c - finds functions by name, and translates results. */
#include "vk_api.h"

#include <stdio.h>

#include "../../core/base/os.h"

static PFN_vkVoidFunction find_of_instance(const vk_api *vk, VkInstance instance,
                                           const char *name) {
    return vk->GetInstanceProcAddr(instance, name);
}

/* What a newer version of Vulkan has as its own, an older device may have as an extension. */
static PFN_vkVoidFunction find_of_device(const vk_api *vk, VkDevice device, const char *name) {
    char extended[64];
    PFN_vkVoidFunction found = vk->GetDeviceProcAddr(device, name);
    if (found) return found;
    snprintf(extended, sizeof extended, "%sKHR", name);
    return vk->GetDeviceProcAddr(device, extended);
}

static fm_status refuse_without(const char *name, fm_error *err) {
    return error_set(err, FM_ERR_UNSUPPORTED, "the Vulkan driver has no function %s: update it",
                     name);
}

fm_status vk_api_open_loader(vk_api *vk, const char *path, fm_error *err) {
    char why[256];
    void *symbol = os_library_symbol(*path ? path : "libvulkan.so.1", "vkGetInstanceProcAddr", why,
                                     sizeof why);
    if (!symbol)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "Vulkan is not installed (package libvulkan1): %s", why);
    /* ISO C has no cast from an object pointer to a function; POSIX makes their bits the same. */
    *(void **)&vk->GetInstanceProcAddr = symbol;
#define FIND(name)                                                                                 \
    vk->name = (PFN_vk##name)find_of_instance(vk, VK_NULL_HANDLE, "vk" #name);                     \
    if (!vk->name) return refuse_without("vk" #name, err);
    VK_API_LOADER_LIST(FIND)
#undef FIND
    return FM_OK;
}

fm_status vk_api_open_instance(vk_api *vk, VkInstance instance, fm_error *err) {
#define FIND(name)                                                                                 \
    vk->name = (PFN_vk##name)find_of_instance(vk, instance, "vk" #name);                           \
    if (!vk->name) return refuse_without("vk" #name, err);
    VK_API_INSTANCE_LIST(FIND)
#undef FIND
#define FIND_DEBUG(name) vk->name = (PFN_vk##name)find_of_instance(vk, instance, "vk" #name);
    VK_API_DEBUG_LIST(FIND_DEBUG)
#undef FIND_DEBUG
    return FM_OK;
}

fm_status vk_api_open_device(vk_api *vk, VkDevice device, fm_error *err) {
#define FIND(name)                                                                                 \
    vk->name = (PFN_vk##name)find_of_device(vk, device, "vk" #name);                               \
    if (!vk->name) return refuse_without("vk" #name, err);
    VK_API_DEVICE_LIST(FIND)
#undef FIND
    return FM_OK;
}

fm_status vk_result_status(VkResult result) {
    switch (result) {
    case VK_SUCCESS:
        return FM_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_MEMORY_MAP_FAILED:
        return FM_ERR_MEMORY;
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_INITIALIZATION_FAILED:
        return FM_ERR_UNSUPPORTED;
    default:
        return FM_ERR_DEVICE;
    }
}

fm_status vk_result_error(VkResult result, const char *call, fm_error *err) {
    if (result == VK_SUCCESS) return FM_OK;
    return error_set(err, vk_result_status(result), "%s failed with VkResult %d", call,
                     (int)result);
}
