/* vk_kernel.c - makes shader modules, layouts and pipelines when they are first needed. */
#include "vk_kernel.h"

#include <stdlib.h>
#include <string.h>
#include <vk_shaders.h> /* made by the build from shaders/ */

#include "vk_device.h"
#include "vk_label.h"

static const struct {
    const char *name;
    uint32_t n_buffers;
} kernels[VK_KERNEL_COUNT] = {
#define KERNEL_ENTRY(name, n_buffers) {#name, n_buffers},
    VK_KERNEL_LIST(KERNEL_ENTRY)
#undef KERNEL_ENTRY
};

const char *vk_kernel_name(vk_kernel_id kernel) {
    return kernels[kernel].name;
}

/* ---- What the pipelines of a shader share ---------------------------------------------------------- */

static fm_status make_module(fm_device_state *s, vk_kernel_id id) {
    const vk_shader *shader = &vk_shaders[id];
    bool with_subgroups = s->gpu.has_subgroup_arithmetic;
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = with_subgroups ? shader->subgroup_size : shader->plain_size,
        .pCode = with_subgroups ? shader->subgroup : shader->plain,
    };
    if (!info.pCode) return FM_ERR_UNSUPPORTED;
    return vk_status(s,
                     s->vk.CreateShaderModule(s->device, &info, NULL, &s->kernels.at[id].module));
}

static fm_status make_bindings(fm_device_state *s, vk_kernel_id id) {
    VkDescriptorSetLayoutBinding bindings[VK_MAX_BINDINGS];
    VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR,
        .bindingCount = kernels[id].n_buffers,
        .pBindings = bindings};
    for (uint32_t i = 0; i < kernels[id].n_buffers; i++)
        bindings[i] =
            (VkDescriptorSetLayoutBinding){.binding = i,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .descriptorCount = 1,
                                           .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    return vk_status(
        s, s->vk.CreateDescriptorSetLayout(s->device, &info, NULL, &s->kernels.at[id].bindings));
}

static fm_status make_layout(fm_device_state *s, vk_kernel_id id) {
    VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = VK_MAX_PUSH};
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                       .setLayoutCount = 1,
                                       .pSetLayouts = &s->kernels.at[id].bindings,
                                       .pushConstantRangeCount = 1,
                                       .pPushConstantRanges = &push};
    return vk_status(s,
                     s->vk.CreatePipelineLayout(s->device, &info, NULL, &s->kernels.at[id].layout));
}

/** Makes what is not there yet: an earlier try may have failed half-way. */
static fm_status prepare(fm_device_state *s, vk_kernel_id id) {
    const vk_kernel *kernel = &s->kernels.at[id];
    if (!kernel->module) FM_TRY(make_module(s, id));
    if (!kernel->bindings) FM_TRY(make_bindings(s, id));
    if (!kernel->layout) FM_TRY(make_layout(s, id));
    return FM_OK;
}

/* ---- Pipelines ------------------------------------------------------------------------------------- */

static VkResult compile(fm_device_state *s, const vk_call *call, VkPipeline *out) {
    const vk_kernel *kernel = &s->kernels.at[call->kernel];
    uint32_t values[1 + VK_MAX_CONSTANTS] = {call->group_size};
    VkSpecializationMapEntry entries[1 + VK_MAX_CONSTANTS];
    uint32_t n = 1 + (uint32_t)call->n_constants;
    memcpy(values + 1, call->constants, (n - 1) * sizeof *values);
    for (uint32_t i = 0; i < n; i++)
        entries[i] = (VkSpecializationMapEntry){i, i * (uint32_t)sizeof *values, sizeof *values};
    VkSpecializationInfo constants = {n, entries, n * sizeof *values, values};
    /* Without, a driver may choose another size for each pipeline, and sums would differ. */
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroups = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = s->gpu.subgroup_size};
    bool demands = s->gpu.has_subgroup_control &&
                   call->group_size <= s->gpu.subgroup_size * s->gpu.group_subgroups_max;
    bool is_full = demands && call->group_size % s->gpu.subgroup_size == 0;
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = demands ? &subgroups : NULL,
                  .flags = is_full ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = kernel->module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = kernel->layout};
    return s->vk.CreateComputePipelines(s->device, s->kernels.cache.handle, 1, &info, NULL, out);
}

static bool is_for(const vk_pipeline *p, const vk_call *call) {
    return p->group_size == call->group_size && p->n_constants == call->n_constants &&
           memcmp(p->constants, call->constants,
                  (size_t)call->n_constants * sizeof *call->constants) == 0;
}

static fm_status make_place(vk_kernel *kernel) {
    if (kernel->n_pipelines < kernel->room) return FM_OK;
    int32_t room = kernel->room == 0 ? 8 : 2 * kernel->room;
    vk_pipeline *grown = realloc(kernel->pipelines, (size_t)room * sizeof *grown);
    if (!grown) return FM_ERR_MEMORY;
    kernel->pipelines = grown;
    kernel->room = room;
    return FM_OK;
}

static fm_status make_pipeline(fm_device_state *s, const vk_call *call) {
    vk_kernel *kernel = &s->kernels.at[call->kernel];
    vk_pipeline made = {.group_size = call->group_size, .n_constants = call->n_constants};
    memcpy(made.constants, call->constants, sizeof made.constants);
    FM_TRY(prepare(s, call->kernel));
    FM_TRY(make_place(kernel));
    FM_TRY(vk_status(s, compile(s, call, &made.handle)));
    vk_label_object(s, VK_OBJECT_TYPE_PIPELINE, (uint64_t)made.handle,
                    vk_kernel_name(call->kernel));
    kernel->pipelines[kernel->n_pipelines++] = made;
    s->kernels.n_pipelines++;
    log_line(&s->log, FM_LOG_DEBUG, "pipeline %d: %s, workgroups of %u",
             (int)s->kernels.n_pipelines, vk_kernel_name(call->kernel), call->group_size);
    return FM_OK;
}

fm_status vk_kernel_find(fm_device_state *s, const vk_call *call, VkPipeline *pipeline,
                         VkPipelineLayout *layout) {
    vk_kernel *kernel = &s->kernels.at[call->kernel];
    int32_t i = 0;
    while (i < kernel->n_pipelines && !is_for(&kernel->pipelines[i], call)) i++;
    if (i == kernel->n_pipelines) FM_TRY(make_pipeline(s, call));
    *pipeline = kernel->pipelines[i].handle;
    *layout = kernel->layout;
    return FM_OK;
}

/* ---- All ------------------------------------------------------------------------------------------- */

fm_status vk_kernels_open(fm_device_state *s, fm_error *err) {
    return vk_cache_open(s, &s->kernels.cache, err);
}

void vk_kernels_close(fm_device_state *s) {
    vk_cache_close(s, &s->kernels.cache);
    for (int32_t id = 0; id < VK_KERNEL_COUNT; id++) {
        vk_kernel *kernel = &s->kernels.at[id];
        for (int32_t i = 0; i < kernel->n_pipelines; i++)
            s->vk.DestroyPipeline(s->device, kernel->pipelines[i].handle, NULL);
        free(kernel->pipelines);
        s->vk.DestroyPipelineLayout(s->device, kernel->layout, NULL);
        s->vk.DestroyDescriptorSetLayout(s->device, kernel->bindings, NULL);
        s->vk.DestroyShaderModule(s->device, kernel->module, NULL);
    }
    s->kernels = (vk_kernels){0};
}
