/* vk_call.c - what operations fill, and what becomes of it: one dispatch. */
#include <assert.h>
#include <string.h>

#include "../../core/data/dtype.h"
#include "vk_device.h"
#include "vk_label.h"

enum {
    WORD = 4, /* bytes that a shader reads at least */
    /* Of all loops of an invocation together. Mesa's device of software ends them after 65,535,
     * whatever is left to do; what operations count leaves out a few. */
    LOOP_TURNS_MOST = 60000,
};

/* ---- Filling ------------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

void vk_push_u32(vk_call *call, uint32_t value) {
    assert(call->n_push < VK_MAX_PUSH / 4);
    call->push[call->n_push++] = value;
}

void vk_push_size(vk_call *call, int64_t n) {
    vk_push_u32(call, (uint32_t)n);
}

void vk_push_f32(vk_call *call, float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    vk_push_u32(call, word);
}

void vk_push_constant(vk_call *call, int64_t value) {
    assert(call->n_constants < VK_MAX_CONSTANTS);
    call->constants[call->n_constants++] = (uint32_t)value;
}

/* As little as alignment allows is bound, so that views of one buffer that lie apart are seen to.
 */
void vk_bind(vk_call *call, const fm_device_state *s, const fm_tensor *t, vk_access access) {
    assert(call->n_bindings < VK_MAX_BINDINGS);
    vk_binding *b = &call->bindings[call->n_bindings++];
    *b = (vk_binding){.access = access};
    if (!t->buf) {
        vk_push_u32(call, 0);
        return;
    }
    uint64_t element = fm_dtype_size(t->dtype);
    uint64_t begin = (uint64_t)t->offset * element, end = (uint64_t)tensor_extent(t) * element;
    uint64_t alignment = s->gpu.limits.minStorageBufferOffsetAlignment;
    if (alignment < WORD) alignment = WORD;
    b->buf = (const vk_buf *)t->buf;
    b->offset = begin / alignment * alignment;
    b->size = round_up(end - b->offset, WORD);
    b->first = b->offset;
    b->touched = b->size;
    assert(b->size <= vk_binding_max(s));
    vk_push_u32(call, (uint32_t)((begin - b->offset) / element));
}

bool vk_has_wide_subgroups(const fm_device_state *s) {
    return vk_subgroup_size(s) >= 16;
}

bool vk_loop_ends_early(const fm_device_state *s, int64_t n_turns) {
    return s->gpu.type == VK_PHYSICAL_DEVICE_TYPE_CPU && n_turns > LOOP_TURNS_MOST;
}

uint32_t vk_group_size(const fm_device_state *s, uint32_t usual, int64_t n_visits) {
    uint32_t size = vk_subgroup_size(s);
    if (vk_has_wide_subgroups(s) && size < usual) size = usual;
    if (vk_ceil_div(n_visits, size) <= LOOP_TURNS_MOST) return size;
    if (size < VK_GROUP_SIZE_MOST) size = VK_GROUP_SIZE_MOST;
    return vk_loop_ends_early(s, vk_ceil_div(n_visits, size)) ? 0 : size;
}

void vk_groups(vk_call *call, uint64_t n) {
    enum { SIDE = 65535 };
    uint64_t y = (n + SIDE - 1) / SIDE;
    if (y == 0) y = 1;
    assert(y <= SIDE);
    call->n_groups[0] = (uint32_t)((n + y - 1) / y);
    call->n_groups[1] = (uint32_t)y;
    call->n_groups[2] = 1;
}

vk_format vk_format_of(fm_dtype dtype) {
    return dtype == FM_DTYPE_BF16  ? VK_FORMAT_BF16
           : dtype == FM_DTYPE_F16 ? VK_FORMAT_F16
                                   : VK_FORMAT_F32;
}

/* ---- Encoding ------------------------------------------------------------------------------------ */

static int32_t list_touches(const vk_call *call, vk_touch touches[VK_MAX_BINDINGS]) {
    int32_t n = 0;
    for (int32_t i = 0; i < call->n_bindings; i++) {
        const vk_binding *b = &call->bindings[i];
        if (b->buf && b->touched > 0)
            touches[n++] = (vk_touch){b->buf, b->first, b->first + b->touched, b->access};
    }
    return n;
}

static void push_descriptors(const fm_device_state *s, const vk_call *call, VkPipelineLayout layout,
                             VkCommandBuffer commands) {
    VkDescriptorBufferInfo ranges[VK_MAX_BINDINGS];
    VkWriteDescriptorSet writes[VK_MAX_BINDINGS];
    for (int32_t i = 0; i < call->n_bindings; i++) {
        const vk_binding *b = &call->bindings[i];
        ranges[i] = b->buf ? (VkDescriptorBufferInfo){b->buf->handle, b->offset, b->size}
                           : (VkDescriptorBufferInfo){s->nothing->handle, 0, s->nothing->size};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstBinding = (uint32_t)i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &ranges[i]};
    }
    s->vk.CmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0,
                                  (uint32_t)call->n_bindings, writes);
}

static uint32_t at_least_one(uint32_t n) {
    return n > 0 ? n : 1;
}

fm_status vk_refuse(const fm_device_state *s, fm_op op, const char *why) {
    log_line(&s->log, FM_LOG_WARN, "%s cannot do this %s: %s; use the CPU", s->gpu.name,
             vk_label_of(op), why);
    return FM_ERR_UNSUPPORTED;
}

fm_status vk_encode(fm_device_state *s, const vk_call *call) {
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkCommandBuffer commands;
    vk_touch touches[VK_MAX_BINDINGS];
    if (call->group_size == 0)
        return vk_refuse(s, call->op, "such shapes need longer loops than it may make");
    FM_TRY(vk_kernel_find(s, call, &pipeline, &layout));
    FM_TRY(vk_times_prepare(s));
    FM_TRY(vk_recorder_command(s, touches, list_touches(call, touches), &commands));
    s->vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    push_descriptors(s, call, layout, commands);
    if (call->n_push > 0)
        s->vk.CmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                               (uint32_t)call->n_push * sizeof *call->push, call->push);
    vk_label_begin(s, commands, call->op);
    vk_times_begin(s, commands, call->op);
    s->vk.CmdDispatch(commands, at_least_one(call->n_groups[0]), at_least_one(call->n_groups[1]),
                      at_least_one(call->n_groups[2]));
    vk_label_end(s, commands);
    return vk_times_end(s, commands, call->op);
}
