/* vk_buffer.c - makes and frees buffers, and chooses the way of bytes in and out of them. */
#include "vk_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "vk_device.h"

enum { GRANULE = 16 }; /* bytes: whole words, also where numbers of 16 bits are read in pairs */

/* ---- Making and freeing -------------------------------------------------------------------------- */

static VkResult create(fm_device_state *s, vk_buf *buf) {
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = buf->size,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    return s->vk.CreateBuffer(s->device, &info, NULL, &buf->handle);
}

static fm_status bind_memory(fm_device_state *s, vk_buf *buf, vk_memory_kind kind, fm_error *err) {
    VkMemoryRequirements needs;
    s->vk.GetBufferMemoryRequirements(s->device, buf->handle, &needs);
    FM_TRY(vk_memory_take(s, &needs, kind, &buf->range, err));
    return vk_check(
        s, s->vk.BindBufferMemory(s->device, buf->handle, buf->range.memory, buf->range.offset),
        "vkBindBufferMemory", err);
}

/* The range may have been another buffer's before. Nothing uses it by now: vk_buf_drop waited. */
static fm_status fill_zero(fm_device_state *s, const vk_buf *buf, fm_error *err) {
    VkCommandBuffer commands;
    vk_touch touch = {buf, 0, buf->size, VK_WRITE};
    if (buf->range.mapped) {
        memset(buf->range.mapped, 0, buf->size);
        return FM_OK;
    }
    fm_status status = vk_recorder_command(s, &touch, 1, &commands);
    if (status != FM_OK) return error_set(err, status, "a new buffer cannot be filled with zeros");
    s->vk.CmdFillBuffer(commands, buf->handle, 0, buf->size, 0);
    return FM_OK;
}

static void destroy(fm_device_state *s, vk_buf *buf) {
    s->vk.DestroyBuffer(s->device, buf->handle, NULL);
    if (buf->range.memory) vk_memory_give(s, &buf->range);
    free(buf);
}

fm_status vk_buf_make(fm_device_state *s, uint64_t size, vk_memory_kind kind, vk_buf **out,
                      fm_error *err) {
    *out = NULL;
    /* Its zeros would become a part of the stretch. */
    if (s->recorder.stretches.recording)
        return error_set(err, FM_ERR_STATE, "no buffer can be made while a stretch is recorded");
    if (size > PTRDIFF_MAX) return error_set(err, FM_ERR_LIMIT, "a buffer is too large");
    vk_buf *buf = calloc(1, sizeof *buf);
    if (!buf) return error_set(err, FM_ERR_MEMORY, "out of memory for a buffer");
    buf->base.size = (size_t)size;
    buf->size = (size + GRANULE - 1) / GRANULE * GRANULE;
    fm_status status = vk_check(s, create(s, buf), "vkCreateBuffer", err);
    if (status == FM_OK) status = bind_memory(s, buf, kind, err);
    if (status == FM_OK) status = fill_zero(s, buf, err);
    if (status == FM_OK)
        *out = buf;
    else
        destroy(s, buf);
    return status;
}

void vk_buf_drop(fm_device_state *s, vk_buf *buf) {
    if (!buf) return;
    vk_stretches_forget(s);
    /* A device that was lost may still run what it was given. */
    if (!s->recorder.stretches.recording && vk_recorder_settle(s) != FM_OK)
        s->vk.DeviceWaitIdle(s->device);
    destroy(s, buf);
}

fm_status vk_buf_new(fm_device_state *s, size_t size, fm_buf **out, fm_error *err) {
    vk_buf *buf;
    uint64_t max = vk_buf_max(&s->gpu);
    if (size > max)
        return error_set(err, FM_ERR_LIMIT,
                         "a buffer of %zu bytes is too large for %s: %llu is the most", size,
                         s->gpu.name, (unsigned long long)max);
    FM_TRY(vk_buf_make(s, size, VK_MEMORY_DEVICE, &buf, err));
    *out = &buf->base;
    return FM_OK;
}

void vk_buf_free(fm_device_state *s, fm_buf *buf) {
    vk_buf_drop(s, (vk_buf *)buf);
}

/* ---- Bytes --------------------------------------------------------------------------------------- */

fm_status vk_buf_copy(fm_device_state *s, const vk_buf *dst, uint64_t dst_offset, const vk_buf *src,
                      uint64_t src_offset, uint64_t size) {
    VkCommandBuffer commands;
    VkBufferCopy region = {src_offset, dst_offset, size};
    vk_touch touches[] = {{src, src_offset, src_offset + size, VK_READ},
                          {dst, dst_offset, dst_offset + size, VK_WRITE}};
    FM_TRY(vk_recorder_command(s, touches, 2, &commands));
    s->vk.CmdCopyBuffer(commands, src->handle, dst->handle, 1, &region);
    return FM_OK;
}

/* Memory that the host sees is written at once where nothing that came before may still use it. */
fm_status vk_write(fm_device_state *s, fm_buf *dst, size_t offset, const void *src, size_t size) {
    const vk_buf *buf = (const vk_buf *)dst;
    if (!buf->range.mapped || !vk_recorder_is_idle(s))
        return vk_staging_write(s, buf, offset, src, size);
    memcpy(buf->range.mapped + offset, src, size);
    return FM_OK;
}

/* Memory of a graphics card that the host sees is slow for it to read. */
fm_status vk_read(fm_device_state *s, const fm_buf *src, size_t offset, void *dst, size_t size) {
    const vk_buf *buf = (const vk_buf *)src;
    if (!buf->range.mapped || !buf->range.is_cached)
        return vk_staging_read(s, buf, offset, dst, size);
    FM_TRY(vk_recorder_settle(s));
    memcpy(dst, buf->range.mapped + offset, size);
    return FM_OK;
}

fm_status vk_copy(fm_device_state *s, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                  size_t src_offset, size_t size) {
    return vk_buf_copy(s, (const vk_buf *)dst, dst_offset, (const vk_buf *)src, src_offset, size);
}
