/*
 * vk_stretch.h - stretches of a step that are kept as command buffers of their own and run again
 * (device_record in backend.h). They hold buffers and pipelines by their handles, so all are
 * dropped when a buffer is freed; when there are too many, the one that was not used for the
 * longest time goes.
 */
#ifndef FATHOM_VK_STRETCH_H
#define FATHOM_VK_STRETCH_H

#include "vk.h"
#include "vk_api.h"

enum { VK_STRETCHES_MAX = 64 };

typedef struct vk_stretch {
    fm_record_key key;
    bool is_kept;
    VkCommandBuffer commands;
    uint64_t moment; /* at which its last run is over; VK_MOMENT_NONE: encoded, not submitted */
    uint64_t used;   /* by the clock of vk_stretches */
} vk_stretch;

typedef struct vk_stretches {
    vk_stretch at[VK_STRETCHES_MAX];
    vk_stretch *recording; /* NULL: none */
    uint64_t clock;        /* counts uses */
    bool is_spoiled;       /* the one that is recorded: a buffer was freed since it began */
} vk_stretches;

fm_status vk_record(fm_device_state *s, const fm_record_key *key, bool *kept);
fm_status vk_record_end(fm_device_state *s, bool keep);

/** Stretches that are kept. */
int32_t vk_stretches_count(const vk_stretches *all);

/** Drops all. */
void vk_stretches_forget(fm_device_state *s);
/** Those that were encoded run at this moment. */
void vk_stretches_submitted(fm_device_state *s, uint64_t moment);

#endif
