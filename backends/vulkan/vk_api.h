/*
 * vk_api.h - the functions of Vulkan that this backend calls, found at run time: those of the
 * loader and an instance by vk_api_open_*, those of a logical device by vk_api_open_device. The
 * lists are the only place where a function has to be named to be called as vk->NAME.
 */
#ifndef FATHOM_VK_API_H
#define FATHOM_VK_API_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "../../core/base/error.h"

#define VK_API_LOADER_LIST(X)                                                                      \
    X(CreateInstance)                                                                              \
    X(EnumerateInstanceVersion)                                                                    \
    X(EnumerateInstanceExtensionProperties)                                                        \
    X(EnumerateInstanceLayerProperties)

#define VK_API_INSTANCE_LIST(X)                                                                    \
    X(DestroyInstance)                                                                             \
    X(EnumeratePhysicalDevices)                                                                    \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceMemoryProperties2)                                                          \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(CreateDevice)                                                                                \
    X(GetDeviceProcAddr)

/* Of VK_EXT_debug_utils: NULL unless the instance was opened to be validated. */
#define VK_API_DEBUG_LIST(X)                                                                       \
    X(CreateDebugUtilsMessengerEXT)                                                                \
    X(DestroyDebugUtilsMessengerEXT)                                                               \
    X(SetDebugUtilsObjectNameEXT)                                                                  \
    X(CmdBeginDebugUtilsLabelEXT)                                                                  \
    X(CmdEndDebugUtilsLabelEXT)

#define VK_API_DEVICE_LIST(X)                                                                      \
    X(DestroyDevice)                                                                               \
    X(DeviceWaitIdle)                                                                              \
    X(GetDeviceQueue)                                                                              \
    X(QueueSubmit2)                                                                                \
    X(CreateSemaphore)                                                                             \
    X(DestroySemaphore)                                                                            \
    X(WaitSemaphores)                                                                              \
    X(GetSemaphoreCounterValue)                                                                    \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(MapMemory)                                                                                   \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(GetBufferMemoryRequirements)                                                                 \
    X(BindBufferMemory)                                                                            \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CreateShaderModule)                                                                          \
    X(DestroyShaderModule)                                                                         \
    X(CreateDescriptorSetLayout)                                                                   \
    X(DestroyDescriptorSetLayout)                                                                  \
    X(CreatePipelineLayout)                                                                        \
    X(DestroyPipelineLayout)                                                                       \
    X(CreatePipelineCache)                                                                         \
    X(DestroyPipelineCache)                                                                        \
    X(GetPipelineCacheData)                                                                        \
    X(CreateComputePipelines)                                                                      \
    X(DestroyPipeline)                                                                             \
    X(CreateQueryPool)                                                                             \
    X(DestroyQueryPool)                                                                            \
    X(GetQueryPoolResults)                                                                         \
    X(CmdPipelineBarrier2)                                                                         \
    X(CmdBindPipeline)                                                                             \
    X(CmdPushDescriptorSetKHR)                                                                     \
    X(CmdPushConstants)                                                                            \
    X(CmdDispatch)                                                                                 \
    X(CmdCopyBuffer)                                                                               \
    X(CmdFillBuffer)                                                                               \
    X(CmdResetQueryPool)                                                                           \
    X(CmdWriteTimestamp2)

typedef struct vk_api {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define VK_API_FIELD(name) PFN_vk##name name;
    VK_API_LOADER_LIST(VK_API_FIELD)
    VK_API_INSTANCE_LIST(VK_API_FIELD)
    VK_API_DEBUG_LIST(VK_API_FIELD)
    VK_API_DEVICE_LIST(VK_API_FIELD)
#undef VK_API_FIELD
} vk_api;

/** Finds the loader's functions in a library; "": the system's. FM_ERR_UNSUPPORTED when there is
 * none. */
fm_status vk_api_open_loader(vk_api *vk, const char *path, fm_error *err);
/** Finds the functions of an instance, those of the debug list where it has them. */
fm_status vk_api_open_instance(vk_api *vk, VkInstance instance, fm_error *err);
fm_status vk_api_open_device(vk_api *vk, VkDevice device, fm_error *err);

/** What a result of Vulkan is in the house's terms. */
fm_status vk_result_status(VkResult result);

/** "CALL failed with VkResult N", for those that open something. VK_SUCCESS is FM_OK and says
 * nothing. */
fm_status vk_result_error(VkResult result, const char *call, fm_error *err);

#endif
