/* vk_device.c - opens and closes a device, and says what it is. */
#include "vk_device.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Results ------------------------------------------------------------------------------------- */

fm_status vk_status(fm_device_state *s, VkResult result) {
    fm_status status = vk_result_status(result);
    if (result == VK_ERROR_DEVICE_LOST) s->is_lost = true;
    return status;
}

fm_status vk_check(fm_device_state *s, VkResult result, const char *call, fm_error *err) {
    vk_status(s, result);
    return vk_result_error(result, call, err);
}

/* ---- What operations ask ------------------------------------------------------------------------- */

uint64_t vk_binding_max(const fm_device_state *s) {
    return s->gpu.limits.maxStorageBufferRange;
}

uint32_t vk_subgroup_size(const fm_device_state *s) {
    return s->gpu.subgroup_size;
}

uint32_t vk_shared_max(const fm_device_state *s) {
    return s->gpu.limits.maxComputeSharedMemorySize;
}

bool vk_is_deterministic(const fm_device_state *s) {
    return s->params.deterministic;
}

const fm_device_params *vk_params(const fm_device_state *s) {
    return &s->params;
}

/* ---- Opening ------------------------------------------------------------------------------------- */

static fm_status choose_gpu(fm_device_state *s, int32_t index, fm_error *err) {
    vk_gpu gpus[VK_GPUS_MAX];
    char lacks[200];
    int32_t n = 0;
    FM_TRY(vk_gpus_find(&s->vk, s->instance.handle, gpus, &n, lacks, err));
    if (n == 0)
        return error_set(err, FM_ERR_UNSUPPORTED, "no device can run the Vulkan backend%s%s",
                         *lacks ? ": " : "", lacks);
    if (index < 0 || index >= n)
        return error_set(err, FM_ERR_ARG, "there is no Vulkan device %d: there %s %d, from 0",
                         (int)index, n == 1 ? "is" : "are", (int)n);
    s->gpu = gpus[index];
    return FM_OK;
}

static fm_status make_device(fm_device_state *s, fm_error *err) {
    const float priority = 1.0f;
    const char *extensions[4] = {VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME};
    uint32_t n = 1;
    bool is_old = s->gpu.api_version < VK_API_VERSION_1_3;
    if (is_old) extensions[n++] = VK_KHR_SYNCHRONIZATION_2_EXTENSION_NAME;
    if (s->gpu.has_memory_budget) extensions[n++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (s->gpu.is_portability) extensions[n++] = "VK_KHR_portability_subset";
    VkPhysicalDeviceSubgroupSizeControlFeatures sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE};
    VkPhysicalDeviceSynchronization2Features barriers = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES,
        .pNext = s->gpu.has_subgroup_control ? &sizes : NULL,
        .synchronization2 = VK_TRUE};
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .pNext = &barriers,
        .timelineSemaphore = VK_TRUE};
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = s->gpu.queue_family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &timeline,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = n,
                               .ppEnabledExtensionNames = extensions};
    FM_TRY(vk_check(s, s->vk.CreateDevice(s->gpu.handle, &info, NULL, &s->device), "vkCreateDevice",
                    err));
    fm_status status = vk_api_open_device(&s->vk, s->device, err);
    if (status != FM_OK) {
        if (s->vk.DestroyDevice) s->vk.DestroyDevice(s->device, NULL);
        s->device = VK_NULL_HANDLE; /* nothing else of it can be called */
        return status;
    }
    s->vk.GetDeviceQueue(s->device, s->gpu.queue_family, 0, &s->queue);
    return FM_OK;
}

/** All that a device has and a planning device has not. */
static fm_status open_logical(fm_device_state *s, fm_error *err) {
    enum { NOTHING_SIZE = 256 }; /* bytes */
    FM_TRY(make_device(s, err));
    FM_TRY(vk_recorder_open(s, err));
    FM_TRY(vk_kernels_open(s, err));
    FM_TRY(vk_buf_make(s, NOTHING_SIZE, VK_MEMORY_DEVICE, &s->nothing, err));
    FM_TRY(vk_staging_open(s, err));
    FM_TRY(vk_workspace_open(s, err));
    log_line(&s->log, FM_LOG_DEBUG, "opened %s (Vulkan, %s), subgroups of %u", s->gpu.name,
             s->gpu.driver, s->gpu.subgroup_size);
    return FM_OK;
}

static void close_logical(fm_device_state *s) {
    for (int32_t i = 0; i < VK_WORKSPACE_COUNT; i++) vk_buf_drop(s, s->workspaces[i]);
    vk_staging_close(s);
    vk_buf_drop(s, s->nothing);
    vk_memory_close(s);
    vk_times_close(s);
    vk_kernels_close(s);
    vk_recorder_close(s);
    s->vk.DestroyDevice(s->device, NULL);
}

fm_status vk_device_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                         fm_error *err) {
    *out = NULL;
    fm_device_state *s = calloc(1, sizeof *s);
    if (!s) return error_set(err, FM_ERR_MEMORY, "out of memory while opening a Vulkan device");
    s->log = log;
    s->params = *params;
    s->params.isa = s->params.options = NULL; /* the caller's, gone after this call */
    fm_status status = vk_options_parse(params->options, &s->options, err);
    if (status == FM_OK) status = vk_instance_open(&s->options, &s->log, &s->vk, &s->instance, err);
    if (status == FM_OK) status = choose_gpu(s, params->index, err);
    if (status == FM_OK && !params->plan_only) status = open_logical(s, err);
    if (status == FM_OK)
        *out = s;
    else
        vk_device_close(s);
    return status;
}

void vk_device_close(fm_device_state *s) {
    if (!s) return;
    if (s->device) close_logical(s);
    vk_instance_close(&s->vk, &s->instance);
    free(s);
}

/* ---- What it is ---------------------------------------------------------------------------------- */

uint64_t vk_buf_max(const vk_gpu *gpu) {
    uint64_t max = gpu->limits.maxStorageBufferRange;
    if (max > gpu->alloc_max) max = gpu->alloc_max;
    return max / 256 * 256; /* room to round a size up */
}

static void describe(const vk_api *vk, const vk_gpu *gpu, const vk_options *options, uint64_t taken,
                     fm_device_info *out) {
    uint32_t type = (uint32_t)vk_gpu_device_type(gpu, UINT32_MAX);
    bool is_mapped = !options->staging && vk_gpu_host_sees(gpu, type);
    *out = (fm_device_info){.buf_max = vk_buf_max(gpu),
                            .async = true,
                            .unified = vk_gpu_is_unified(gpu),
                            .software = gpu->type == VK_PHYSICAL_DEVICE_TYPE_CPU};
    snprintf(out->name, sizeof out->name, "%.60s (Vulkan, %.20s)", gpu->name, gpu->driver);
    snprintf(out->abilities, sizeof out->abilities, "subgroups of %u, %s; %s; %llu MiB per binding",
             gpu->subgroup_size, gpu->has_subgroup_arithmetic ? "arithmetic" : "no arithmetic",
             is_mapped ? "memory mapped" : "staging",
             (unsigned long long)gpu->limits.maxStorageBufferRange >> 20);
    vk_gpu_memory(vk, gpu, taken, &out->memory_total, &out->memory_free);
}

void vk_device_info(const fm_device_state *s, fm_device_info *out) {
    describe(&s->vk, &s->gpu, &s->options, s->memory.taken, out);
    out->weight_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16 | 1u << FM_DTYPE_F16;
    out->cache_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16;
}

fm_status vk_device_list(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                         fm_error *err) {
    vk_options parsed;
    vk_api vk = {0};
    vk_instance instance;
    vk_gpu gpus[VK_GPUS_MAX];
    char lacks[200];
    const fm_log silent = {0};
    FM_TRY(vk_options_parse(options, &parsed, err));
    FM_TRY(vk_instance_open(&parsed, &silent, &vk, &instance, err));
    fm_status status = vk_gpus_find(&vk, instance.handle, gpus, n, lacks, err);
    if (status == FM_OK && *n == 0)
        status = error_set(err, FM_ERR_UNSUPPORTED, "no device can run the Vulkan backend%s%s",
                           *lacks ? ": " : "", lacks);
    for (int32_t i = 0; status == FM_OK && i < *n && i < max; i++)
        describe(&vk, &gpus[i], &parsed, 0, &out[i]);
    vk_instance_close(&vk, &instance);
    return status;
}
