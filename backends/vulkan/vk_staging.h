/*
 * vk_staging.h - how bytes reach memory that the host does not see, or that the device is using.
 *
 *   ring       a buffer that the host writes from front to end and again from the front; each write
 *              takes a stretch, which is free when the submission that reads it is over.
 *   readback   a buffer that the device writes and the host reads, one piece at a time.
 */
#ifndef FATHOM_VK_STAGING_H
#define FATHOM_VK_STAGING_H

#include "vk_buffer.h"

enum {
    VK_STAGING_RING_SIZE = 16 << 20,    /* bytes */
    VK_STAGING_READBACK_SIZE = 1 << 20, /* bytes */
    VK_STAGING_FENCES_MAX = 64,         /* submissions that may read the ring */
};

/** Bytes before `end` are free when a moment has passed. */
typedef struct vk_staging_fence {
    uint64_t end, moment;
} vk_staging_fence;

typedef struct vk_staging {
    vk_buf *ring, *readback;
    /* Bytes ever given out, and ever freed: what lies between is in use. Modulo the size they are
     * places in the ring. */
    uint64_t head, tail;
    vk_staging_fence fences[VK_STAGING_FENCES_MAX]; /* a ring of its own, oldest first */
    uint32_t first_fence, n_fences;
} vk_staging;

fm_status vk_staging_open(fm_device_state *s, fm_error *err);
void vk_staging_close(fm_device_state *s);

/** Copies bytes into the ring and encodes their copy to the buffer, in pieces where they are many.
 * May wait for the device where the ring is full. */
fm_status vk_staging_write(fm_device_state *s, const vk_buf *dst, uint64_t offset, const void *src,
                           uint64_t size);
/** Submits and waits. */
fm_status vk_staging_read(fm_device_state *s, const vk_buf *src, uint64_t offset, void *dst,
                          uint64_t size);
/** What was taken since the last call is read by the submission of this moment. */
void vk_staging_submitted(fm_device_state *s, uint64_t moment);

#endif
