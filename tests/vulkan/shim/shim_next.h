/*
 * shim_next.h - what the files of the shim share: the loader's functions that it stands before, and
 * its own under the same names.
 */
#ifndef TESTS_VULKAN_SHIM_NEXT_H
#define TESTS_VULKAN_SHIM_NEXT_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include "shim.h"

#define SHIM_EXPORT __attribute__((visibility("default")))

/** Objects that a device creates and destroys by two functions of the usual form. */
#define SHIM_USUAL_OBJECT_LIST(X)                                                                  \
    X(Buffer)                                                                                      \
    X(Semaphore)                                                                                   \
    X(Fence)                                                                                       \
    X(CommandPool)                                                                                 \
    X(QueryPool)                                                                                   \
    X(DescriptorSetLayout)                                                                         \
    X(DescriptorPool)                                                                              \
    X(DescriptorUpdateTemplate)                                                                    \
    X(PipelineLayout)

/** Functions of shim_mask.c and shim_queue.c. */
#define SHIM_MASK_FUNCTION_LIST(X)                                                                 \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceFeatures)                                                                   \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(GetPhysicalDeviceMemoryProperties2)                                                          \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(GetBufferMemoryRequirements)                                                                 \
    X(GetBufferMemoryRequirements2)                                                                \
    X(GetDeviceBufferMemoryRequirements)                                                           \
    X(CmdPushDescriptorSetKHR)
#define SHIM_QUEUE_FUNCTION_LIST(X)                                                                \
    X(QueueSubmit)                                                                                 \
    X(QueueSubmit2)                                                                                \
    X(QueueSubmit2KHR)                                                                             \
    X(QueueWaitIdle)                                                                               \
    X(DeviceWaitIdle)                                                                              \
    X(WaitForFences)                                                                               \
    X(WaitSemaphores)                                                                              \
    X(WaitSemaphoresKHR)                                                                           \
    X(GetSemaphoreCounterValue)                                                                    \
    X(GetSemaphoreCounterValueKHR)                                                                 \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdPipelineBarrier)                                                                          \
    X(CmdPipelineBarrier2)                                                                         \
    X(CmdPipelineBarrier2KHR)                                                                      \
    X(CmdDispatch)

/* clang-format off */
#define SHIM_FUNCTION_LIST(X)                                                                      \
    X(CreateInstance) X(DestroyInstance) X(CreateDevice) X(DestroyDevice) X(GetDeviceProcAddr)     \
    X(CreateDebugUtilsMessengerEXT) X(DestroyDebugUtilsMessengerEXT) X(AllocateMemory)             \
    X(FreeMemory) X(MapMemory) X(AllocateCommandBuffers) X(CreateShaderModule)                     \
    X(DestroyShaderModule) X(CreateComputePipelines) X(DestroyPipeline) X(CreateBuffer)            \
    X(DestroyBuffer) X(CreateSemaphore) X(DestroySemaphore) X(CreateFence) X(DestroyFence)         \
    X(CreateCommandPool) X(DestroyCommandPool) X(CreateQueryPool) X(DestroyQueryPool)              \
    X(CreateDescriptorSetLayout) X(DestroyDescriptorSetLayout) X(CreateDescriptorPool)             \
    X(DestroyDescriptorPool) X(CreateDescriptorUpdateTemplate) X(DestroyDescriptorUpdateTemplate)  \
    X(CreatePipelineLayout) X(DestroyPipelineLayout) X(CreatePipelineCache)                        \
    X(DestroyPipelineCache) SHIM_MASK_FUNCTION_LIST(X) SHIM_QUEUE_FUNCTION_LIST(X)
/* clang-format on */

typedef struct shim_functions {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define SHIM_NEXT(name) PFN_vk##name name;
    SHIM_FUNCTION_LIST(SHIM_NEXT)
#undef SHIM_NEXT
} shim_functions;

extern shim_control shim;
extern shim_functions next;

/* C has no word for "a function of this pointer's type"; the definitions say it again. */
#define SHIM_DECLARE(name) extern __typeof__(*(PFN_vk##name)0) shim_##name;
SHIM_MASK_FUNCTION_LIST(SHIM_DECLARE)
SHIM_QUEUE_FUNCTION_LIST(SHIM_DECLARE)
#undef SHIM_DECLARE

SHIM_EXPORT shim_control *shim_get(void);
SHIM_EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                                           const char *name);

/** Whether this call, which may run out of memory, is the one to fail. */
bool shim_refuses(void);

/** Notes a use of what is masked; the status for it. */
VkResult shim_breach(const char *what);

/** VK_SUCCESS when a device or shader asks for nothing that is masked, else a breach. */
VkResult shim_check_device(const VkDeviceCreateInfo *info);
VkResult shim_check_shader(const VkShaderModuleCreateInfo *info);

/** The real memory type of one that was shown, and whether it was shown as mappable. */
uint32_t shim_memory_type(uint32_t shown, bool *mappable);

#endif
