/*
 * driver_leaks.h - for suites that open devices of a driver, under a leak checker. Drivers and layers
 * leave memory behind, and are unloaded before the checker looks, so that it can neither say whose it
 * was nor be told to pass over it. Included by one file of a program.
 */
#ifndef TESTS_SUPPORT_DRIVER_LEAKS_H
#define TESTS_SUPPORT_DRIVER_LEAKS_H

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* Measured: the validation layer 1.3.239 leaves about a megabyte. Drivers, the compiler in the one of Mesa
 * and the loader are named because what they leave is not ours either; nothing of ours is in these. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libvulkan_lvp\n"
           "leak:libLLVM\n"
           "leak:libVkLayer_\n"
           "leak:libvulkan.so\n";
}

/** While a device is open: what it runs on stays loaded until the program ends. */
static inline void driver_leaks_pin(void) {
    static const char *const names[] = {"/libvulkan", "/libVkLayer_", "/libLLVM"};
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        char *path = strchr(line, '/');
        if (!path) continue;
        path[strcspn(path, "\n")] = '\0';
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strstr(path, names[i])) (void)dlopen(path, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
    if (maps) fclose(maps);
}

#endif
