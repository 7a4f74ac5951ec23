/*
 * vk_buffer.h - buffers of the device, and the bytes that go in and out of them.
 */
#ifndef FATHOM_VK_BUFFER_H
#define FATHOM_VK_BUFFER_H

#include "vk_memory.h"

struct vk_buf {
    fm_buf base;
    VkBuffer handle;
    uint64_t size; /* bytes of the VkBuffer: base.size, to a multiple of 16 */
    vk_range range;
};

/** A zeroed buffer of at least one byte. Unlike vk_buf_new it may be larger than a binding can be:
 * for weights, which are bound in windows. */
fm_status vk_buf_make(fm_device_state *s, uint64_t size, vk_memory_kind kind, vk_buf **out,
                      fm_error *err);
/** Waits for whatever runs, and forgets kept stretches, which may use it. NULL is allowed. */
void vk_buf_drop(fm_device_state *s, vk_buf *buf);

/** Encodes a copy of bytes. */
fm_status vk_buf_copy(fm_device_state *s, const vk_buf *dst, uint64_t dst_offset, const vk_buf *src,
                      uint64_t src_offset, uint64_t size);

/* Entries of the table. */
fm_status vk_buf_new(fm_device_state *s, size_t size, fm_buf **out, fm_error *err);
void vk_buf_free(fm_device_state *s, fm_buf *buf);
fm_status vk_write(fm_device_state *s, fm_buf *dst, size_t offset, const void *src, size_t size);
fm_status vk_read(fm_device_state *s, const fm_buf *src, size_t offset, void *dst, size_t size);
fm_status vk_copy(fm_device_state *s, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                  size_t src_offset, size_t size);

#endif
