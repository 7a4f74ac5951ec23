/*
 * vk_device.h - the state of an opened device, for the files that make up the device itself;
 * operations see vk.h alone.
 */
#ifndef FATHOM_VK_DEVICE_H
#define FATHOM_VK_DEVICE_H

#include "vk_instance.h"
#include "vk_kernel.h"
#include "vk_recorder.h"
#include "vk_staging.h"
#include "vk_times.h"

struct fm_device_state {
    fm_device_params params; /* without its strings */
    vk_options options;
    fm_log log;
    vk_api vk;
    vk_instance instance;
    vk_gpu gpu;
    bool is_lost;

    /* What follows is absent on a device that is opened to plan. */
    VkDevice device;
    VkQueue queue;
    vk_memory memory;
    vk_kernels kernels;
    vk_recorder recorder;
    vk_staging staging;
    vk_times times;
    vk_buf *nothing; /* what is bound where a call binds no buffer */
    vk_buf *workspaces[VK_WORKSPACE_COUNT];
};

/** What a result is in the house's terms; remembers the loss of the device. */
fm_status vk_status(fm_device_state *s, VkResult result);
/** The same with a text, for what opens something. */
fm_status vk_check(fm_device_state *s, VkResult result, const char *call, fm_error *err);

fm_status vk_device_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                         fm_error *err);
void vk_device_close(fm_device_state *s);
fm_status vk_device_list(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                         fm_error *err);
void vk_device_info(const fm_device_state *s, fm_device_info *out);

/** vk_workspace.c: makes the buffers of s->workspaces, from the limits that the device is opened
 * with. vk_device_close drops them. */
fm_status vk_workspace_open(fm_device_state *s, fm_error *err);

/** Bytes of the largest buffer that one binding reaches. */
uint64_t vk_buf_max(const vk_gpu *gpu);

#endif
