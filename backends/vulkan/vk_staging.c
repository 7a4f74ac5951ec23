/* vk_staging.c - the ring, its fences, and transfers through it. */
#include "vk_staging.h"

#include <string.h>

#include "vk_device.h"

enum {
    ALIGNMENT = 16, /* bytes */
    PIECE_MAX = VK_STAGING_RING_SIZE / 4,
};

fm_status vk_staging_open(fm_device_state *s, fm_error *err) {
    FM_TRY(vk_buf_make(s, VK_STAGING_RING_SIZE, VK_MEMORY_UPLOAD, &s->staging.ring, err));
    return vk_buf_make(s, VK_STAGING_READBACK_SIZE, VK_MEMORY_READBACK, &s->staging.readback, err);
}

void vk_staging_close(fm_device_state *s) {
    vk_buf_drop(s, s->staging.ring);
    vk_buf_drop(s, s->staging.readback);
    s->staging = (vk_staging){0};
}

/* ---- Fences -------------------------------------------------------------------------------------- */

static vk_staging_fence *fence_at(vk_staging *g, uint32_t i) {
    return &g->fences[(g->first_fence + i) % VK_STAGING_FENCES_MAX];
}

/** Frees what is no longer read. */
static void reclaim(fm_device_state *s) {
    vk_staging *g = &s->staging;
    while (g->n_fences > 0 && vk_recorder_has_passed(s, fence_at(g, 0)->moment)) {
        g->tail = fence_at(g, 0)->end;
        g->first_fence = (g->first_fence + 1) % VK_STAGING_FENCES_MAX;
        g->n_fences--;
    }
}

/* With all fences in use, the last one takes this submission in. */
void vk_staging_submitted(fm_device_state *s, uint64_t moment) {
    vk_staging *g = &s->staging;
    uint64_t fenced = g->n_fences > 0 ? fence_at(g, g->n_fences - 1)->end : g->tail;
    if (g->head == fenced) return;
    if (g->n_fences < VK_STAGING_FENCES_MAX) g->n_fences++;
    *fence_at(g, g->n_fences - 1) = (vk_staging_fence){g->head, moment};
}

/* ---- Transfers ----------------------------------------------------------------------------------- */

/** Where the next `size` bytes go; a piece never wraps around the end of the ring. */
static uint64_t next_place(const vk_staging *g, uint64_t size) {
    uint64_t at = g->head % VK_STAGING_RING_SIZE;
    return at + size <= VK_STAGING_RING_SIZE ? g->head : g->head - at + VK_STAGING_RING_SIZE;
}

/** Takes `size` bytes, a multiple of the alignment; *at: their place in the ring. */
static fm_status take(fm_device_state *s, uint64_t size, uint64_t *at) {
    vk_staging *g = &s->staging;
    uint64_t place = next_place(g, size);
    reclaim(s);
    while (place + size - g->tail > VK_STAGING_RING_SIZE) {
        if (g->n_fences == 0) FM_TRY(vk_recorder_flush(s));
        if (g->n_fences > 0) FM_TRY(vk_recorder_wait(s, fence_at(g, 0)->moment));
        reclaim(s);
    }
    g->head = place + size;
    *at = place % VK_STAGING_RING_SIZE;
    return FM_OK;
}

fm_status vk_staging_write(fm_device_state *s, const vk_buf *dst, uint64_t offset, const void *src,
                           uint64_t size) {
    const vk_buf *ring = s->staging.ring;
    for (uint64_t done = 0, n; done < size; done += n) {
        uint64_t at = 0;
        n = size - done < PIECE_MAX ? size - done : PIECE_MAX;
        FM_TRY(take(s, (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, &at));
        memcpy(ring->range.mapped + at, (const uint8_t *)src + done, n);
        FM_TRY(vk_buf_copy(s, dst, offset + done, ring, at, n));
        /* The device copies one piece while the host fills the next. */
        if (n == PIECE_MAX) FM_TRY(vk_recorder_flush(s));
    }
    return FM_OK;
}

fm_status vk_staging_read(fm_device_state *s, const vk_buf *src, uint64_t offset, void *dst,
                          uint64_t size) {
    const vk_buf *readback = s->staging.readback;
    for (uint64_t done = 0, n; done < size; done += n) {
        n = size - done < VK_STAGING_READBACK_SIZE ? size - done : VK_STAGING_READBACK_SIZE;
        FM_TRY(vk_buf_copy(s, readback, 0, src, offset + done, n));
        FM_TRY(vk_recorder_settle(s));
        memcpy((uint8_t *)dst + done, readback->range.mapped, n);
    }
    return FM_OK;
}
