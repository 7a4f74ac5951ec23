/*
 * vk_rig.h - a device of the Vulkan backend for the suites of this folder, and the log that it
 * speaks to. The suites skip, with a reason, where the module, a loader or a device is missing.
 */
#ifndef TESTS_VULKAN_VK_RIG_H
#define TESTS_VULKAN_VK_RIG_H

#include "backend.h"

typedef struct vk_rig {
    const fm_backend *backend; /* NULL: absent */
    fm_device *dev;            /* NULL: absent */
    fm_error err;              /* why */
    int32_t n_errors;          /* lines of the log at FM_LOG_ERROR */
    char last_error[500];
    char last_warning[500];
} vk_rig;

/** Opens the first device with these options, without the user's cache, with `validate` too where
 * the layer is installed. */
void vk_rig_open(vk_rig *rig, const char *options);
/** The same, for steps of as many tokens and rows. */
void vk_rig_open_for(vk_rig *rig, const char *options, int32_t max_tokens, int32_t max_rows);
/** The same, with limits of all kinds; their options are not looked at. */
void vk_rig_open_with(vk_rig *rig, const char *options, fm_device_params params);
/** Closes it, and fails the test when anything was reported as an error. */
void vk_rig_close(vk_rig *rig);

/** Skips the test when there is no device. */
#define VK_RIG_NEED(rig)                                                                           \
    do {                                                                                           \
        if (!(rig)->dev) {                                                                         \
            printf("skip: %s\n", (rig)->err.text);                                                 \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/** A buffer of n floats, and its whole as a tensor; a failure ends the test. */
fm_tensor vk_rig_floats(vk_rig *rig, int64_t n);
/** Writes all elements of a contiguous tensor. */
void vk_rig_write(vk_rig *rig, fm_tensor t, const void *values);
/** Submits, waits, and reads all elements of a contiguous tensor. */
void vk_rig_read(vk_rig *rig, fm_tensor t, void *values);
void vk_rig_finish(vk_rig *rig);

#endif
