/*
 * vk_instance.h - the connection to Vulkan, and the physical devices behind it.
 *
 *   vk_instance   the loader's functions, an instance, and with `validate` a messenger that brings
 * the validation layer's messages to a log. Destroys both. vk_gpu        what is known of one
 * physical device that can run this backend. Owns nothing.
 */
#ifndef FATHOM_VK_INSTANCE_H
#define FATHOM_VK_INSTANCE_H

#include "../../core/base/log.h"
#include "vk_api.h"
#include "vk_options.h"

enum { VK_GPUS_MAX = 16 };

typedef struct vk_instance {
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
} vk_instance;

/** Fills the functions up to those of an instance. The log is what messages go to as long as the
 * instance lives. FM_ERR_UNSUPPORTED when there is no loader, it is older than Vulkan 1.2, or the
 * validation layer is wanted and absent. */
fm_status vk_instance_open(const vk_options *options, const fm_log *log, vk_api *vk,
                           vk_instance *out, fm_error *err);
void vk_instance_close(const vk_api *vk, vk_instance *instance);

typedef struct vk_gpu {
    VkPhysicalDevice handle;
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver[VK_MAX_DRIVER_NAME_SIZE];
    uint8_t driver_uuid[VK_UUID_SIZE], device_uuid[VK_UUID_SIZE];
    VkPhysicalDeviceType type;
    uint32_t api_version, vendor, device, driver_version;
    VkPhysicalDeviceLimits limits;
    VkPhysicalDeviceMemoryProperties memory;
    uint64_t alloc_max; /* bytes of one allocation */
    uint32_t queue_family;
    uint32_t timestamp_bits;      /* that are valid; 0: the queue has no clock */
    uint32_t subgroup_size;       /* invocations */
    uint32_t group_subgroups_max; /* of a workgroup whose subgroups are demanded to be full */
    bool has_subgroup_arithmetic; /* sums over a subgroup in compute shaders */
    bool has_subgroup_control;    /* the subgroup size of a pipeline can be demanded */
    bool has_memory_budget;
    bool is_portability; /* a layer over another interface, with an extension to be named */
} vk_gpu;

/** Fills the devices that can run this backend, the fastest kind first; *n of them. `lacks` becomes
 * what the last one that cannot is lacking, or "". */
fm_status vk_gpus_find(const vk_api *vk, VkInstance instance, vk_gpu out[VK_GPUS_MAX], int32_t *n,
                       char lacks[200], fm_error *err);

/** True for the memory of the host's own: integrated and emulated devices. */
bool vk_gpu_is_unified(const vk_gpu *gpu);

/** Bytes of the heap that buffers come from, and of them those that are free for this process,
 * where the driver tells; else what is left when `taken` bytes are in use. */
void vk_gpu_memory(const vk_api *vk, const vk_gpu *gpu, uint64_t taken, uint64_t *total,
                   uint64_t *available);

/** The type of memory for buffers of the device, of those that `type_bits` allows: on the device,
 * on its largest heap, and seen by the host where that costs nothing. -1: none. */
int32_t vk_gpu_device_type(const vk_gpu *gpu, uint32_t type_bits);
/** A type that the host sees, for transfers; `is_cached`: fast for it to read. -1: none. */
int32_t vk_gpu_host_type(const vk_gpu *gpu, uint32_t type_bits, bool is_cached);
/** Whether the host can see memory of a type, without telling the driver when it wrote. */
bool vk_gpu_host_sees(const vk_gpu *gpu, uint32_t type);

#endif
