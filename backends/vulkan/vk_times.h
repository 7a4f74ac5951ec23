/*
 * vk_times.h - how long operations take, by the device's own clock: two time stamps around each
 * dispatch, read when all that was submitted is over. On a queue without a clock each dispatch is
 * submitted by itself, and the host's clock is read.
 */
#ifndef FATHOM_VK_TIMES_H
#define FATHOM_VK_TIMES_H

#include "vk.h"
#include "vk_api.h"

enum { VK_TIMES_MAX = 1024 }; /* dispatches between two readings */

typedef struct vk_times {
    bool is_on;
    VkQueryPool stamps; /* two for each dispatch; made when times are first asked for */
    int32_t n;          /* dispatches that were encoded and not read */
    fm_op ops[VK_TIMES_MAX];
    uint64_t results[VK_TIMES_MAX][2][2]; /* begin and end: a stamp, and whether it was written */
    double seconds[FM_OP_COUNT];
    double started; /* by the host's clock */
} vk_times;

/* Entries of the table. */
void vk_profile(fm_device_state *s, bool on);
void vk_op_seconds(const fm_device_state *s, double seconds[FM_OP_COUNT]);

void vk_times_close(fm_device_state *s);

/** Makes room for one more dispatch. */
fm_status vk_times_prepare(fm_device_state *s);
/** Stand around a dispatch. */
void vk_times_begin(fm_device_state *s, VkCommandBuffer commands, fm_op op);
fm_status vk_times_end(fm_device_state *s, VkCommandBuffer commands, fm_op op);

/** Reads what there is, if all that was encoded has run. */
void vk_times_read(fm_device_state *s);

#endif
