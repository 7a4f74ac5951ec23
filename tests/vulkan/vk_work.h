/*
 * vk_work.h - a piece of work that has a little of everything: a device is opened, a weight loaded,
 * buffers written, a few steps of kept operations run, the result read, all of it freed and closed.
 * For tests that let something in between fail, and look at what the shim has counted.
 */
#ifndef TESTS_VULKAN_VK_WORK_H
#define TESTS_VULKAN_VK_WORK_H

#include "backend.h"
#include "support/vulkan_shim.h"

enum { WORK_TOKENS = 4, WORK_WIDTH = 64, WORK_N = WORK_TOKENS * WORK_WIDTH, WORK_STEPS = 3 };

typedef struct vk_work {
    const char *backend;   /* as in backend_find */
    const char *options;   /* of the device */
    const shim_mask *mask; /* put on before it is opened; NULL: nothing is masked */
    float result[WORK_N];  /* [WORK_TOKENS, WORK_WIDTH] */
    int32_t n_told;        /* lines of the log that are more than FM_LOG_DEBUG */
    int32_t n_errors;      /* those at FM_LOG_ERROR */
    char last_error[300];
} vk_work;

/** Does it. Nothing is left behind, whatever the status. */
fm_status vk_work_run(vk_work *work, fm_error *err);

/** The shim's control, nothing ordered and all counts 0; skips the test, with a reason, where there
 * is no Vulkan device to use it with. *options is then how to open one through the shim: with
 * `validate` where the layer is installed. */
shim_control *vk_work_shim(const char **options);

/** Fails the test unless the result is about that of the CPU. */
void vk_work_check(const vk_work *work);

/** Fails the test when an object is left, something masked was used or an error logged. */
void vk_work_check_clean(const char *what, const shim_control *shim, const vk_work *work);

#endif
