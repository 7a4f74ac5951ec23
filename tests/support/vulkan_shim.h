/* vulkan_shim.h - opens the shim that a device is told to use by the option SHIM_OPTION. */
#ifndef TESTS_SUPPORT_VULKAN_SHIM_H
#define TESTS_SUPPORT_VULKAN_SHIM_H

#include "base/os.h"
#include "vulkan/shim/shim.h"

#define SHIM_PATH BUILD_DIR "/tests/libvulkan_shim.so"
/* Suites leave the user's cache alone. */
#define SHIM_OPTION "cache=off,loader=" SHIM_PATH

/** The shim's control; NULL where it was not built, for want of Vulkan's headers. */
static inline shim_control *shim_open(void) {
    shim_get_fn get;
    *(void **)(void *)&get = os_library_symbol(SHIM_PATH, "shim_get", NULL, 0);
    return get ? get() : NULL;
}

/** Objects that were created and not destroyed. */
static inline int64_t shim_live_count(const shim_control *shim) {
    int64_t n = 0;
    for (int i = 0; i < SHIM_OBJECT_COUNT; i++) n += shim->live[i];
    return n;
}

#endif
