/*
 * driver_leaks.c - part of every program that is built with a leak checker and may open a device of
 * a driver. Drivers and layers leave memory behind, and would be unloaded before the checker looks,
 * so that it could neither say whose that was nor be told to pass over it.
 */
#include <dlfcn.h>

#pragma GCC visibility push(default)

/* Ours is called in place of libc's, by the loader of the drivers too: what was loaded stays. */
int dlclose(void *handle) {
    (void)handle;
    return 0;
}

/* Measured: the validation layer 1.3.239 leaves about a megabyte, a driver that finds no card 128
 * bytes. The compiler in the driver of Mesa and the loader are named because what they leave is not
 * ours either; nothing of ours is in these. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
    return "leak:libvulkan_lvp\n"
           "leak:libvulkan_intel\n"
           "leak:libvulkan_radeon\n"
           "leak:libLLVM\n"
           "leak:libVkLayer_\n"
           "leak:libvulkan.so\n";
}
