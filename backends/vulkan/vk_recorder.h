/*
 * vk_recorder.h - command buffers: what is encoded, in which order it runs, and when it is done.
 *
 *   piece      a command buffer in the order of execution: one filled as calls come (dynamic), or a
 * kept stretch that is run again. Pieces that were encoded and not yet submitted are the queue's
 *              next submission.
 *   moment     a value of the device's timeline semaphore; each submission has the next one. What a
 *              submission used is free again when its moment has passed.
 *   ticket     the front's name for a submission.
 *
 * Every piece begins with a barrier against all before it and ends with one towards the host, so
 * that hazards are looked for only inside of a piece.
 */
#ifndef FATHOM_VK_RECORDER_H
#define FATHOM_VK_RECORDER_H

#include "vk_api.h"
#include "vk_hazard.h"
#include "vk_stretch.h"

enum {
    VK_DYNAMIC_MAX = 16, /* dynamic command buffers */
    VK_PIECES_MAX = 128, /* of one submission */
    VK_TICKETS_MAX = 64, /* whose moments are remembered */
};

typedef struct vk_ticket {
    uint64_t ticket, moment;
} vk_ticket;

typedef struct vk_recorder {
    VkCommandPool pool;
    VkSemaphore timeline;
    uint64_t submitted; /* last moment given out */
    uint64_t completed; /* last moment known to have passed */
    VkCommandBuffer dynamic[VK_DYNAMIC_MAX];
    uint64_t dynamic_moment[VK_DYNAMIC_MAX]; /* at which each is free; VK_MOMENT_NONE: encoded */
    VkCommandBuffer open;                    /* being filled; NULL: none */
    VkCommandBufferSubmitInfo pieces[VK_PIECES_MAX];
    int32_t n_pieces;
    vk_hazards hazards; /* of the open one */
    vk_ticket tickets[VK_TICKETS_MAX];
    uint32_t n_tickets; /* ever remembered */
    vk_stretches stretches;
} vk_recorder;

#define VK_MOMENT_NONE UINT64_MAX

fm_status vk_recorder_open(fm_device_state *s, fm_error *err);
/** Waits for the device; what is encoded is dropped. */
void vk_recorder_close(fm_device_state *s);

/** The command buffer for the next command, which touches the given ranges; a barrier is set before
 * it where one is needed. */
fm_status vk_recorder_command(fm_device_state *s, const vk_touch *touches, int32_t n,
                              VkCommandBuffer *out);

/** Submits what is encoded, if anything is. Not while a stretch is recorded. */
fm_status vk_recorder_flush(fm_device_state *s);
/** Waits until a moment has passed; asks no driver where that is known. */
fm_status vk_recorder_wait(fm_device_state *s, uint64_t moment);
/** Whether a moment has passed; does not wait. */
bool vk_recorder_has_passed(fm_device_state *s, uint64_t moment);
/** Submits what is encoded, and waits for all that was submitted. */
fm_status vk_recorder_settle(fm_device_state *s);
/** True when nothing is encoded, and all that was submitted has passed. */
bool vk_recorder_is_idle(fm_device_state *s);

fm_status vk_recorder_submit(fm_device_state *s, uint64_t ticket);
fm_status vk_recorder_wait_ticket(fm_device_state *s, uint64_t ticket);

/* For vk_stretch.c: */

/** Begins to fill a command buffer, which becomes the open one. */
fm_status vk_recorder_begin(fm_device_state *s, VkCommandBuffer commands,
                            VkCommandBufferUsageFlags flags);
/** Ends the open command buffer. */
fm_status vk_recorder_end(fm_device_state *s);
/** Ends the open command buffer, and makes room for a piece. */
fm_status vk_recorder_make_room(fm_device_state *s);
void vk_recorder_add_piece(fm_device_state *s, VkCommandBuffer commands);

#endif
