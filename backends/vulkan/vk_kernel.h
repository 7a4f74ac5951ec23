/*
 * vk_kernel.h - shaders and their pipelines.
 *
 *   vk_kernel     one shader: what its pipelines share. Made on first use.
 *   vk_pipeline   a shader compiled for one size of workgroup and one set of constants. Made on
 * first use, kept until the device is closed.
 */
#ifndef FATHOM_VK_KERNEL_H
#define FATHOM_VK_KERNEL_H

#include "vk.h"
#include "vk_api.h"
#include "vk_cache.h"

typedef struct vk_pipeline {
    uint32_t group_size;
    uint32_t constants[VK_MAX_CONSTANTS];
    int32_t n_constants;
    VkPipeline handle;
} vk_pipeline;

typedef struct vk_kernel {
    VkShaderModule module;
    VkDescriptorSetLayout bindings;
    VkPipelineLayout layout;
    vk_pipeline *pipelines;
    int32_t n_pipelines, room;
} vk_kernel;

typedef struct vk_kernels {
    vk_cache cache;
    vk_kernel at[VK_KERNEL_COUNT];
    int32_t n_pipelines; /* of all */
} vk_kernels;

fm_status vk_kernels_open(fm_device_state *s, fm_error *err);
void vk_kernels_close(fm_device_state *s);

/** The pipeline that a call needs. FM_ERR_UNSUPPORTED when its shader was not built in. */
fm_status vk_kernel_find(fm_device_state *s, const vk_call *call, VkPipeline *pipeline,
                         VkPipelineLayout *layout);

/** The shader's name. */
const char *vk_kernel_name(vk_kernel_id kernel);

#endif
