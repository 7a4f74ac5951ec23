/*
 * vk_cache.h - compiled pipelines from one run to the next: a file for each device and driver. It
 * is a shortcut only: one that is absent, damaged or foreign is as good as none, and is written
 * anew; where it cannot be written, it is done without.
 *
 * Its directory is the one that the option `cache` names, which has to exist, or the user's cache,
 * which is made when there is something to keep: $FATHOM_CACHE, or fathom in $XDG_CACHE_HOME or in
 * ~/.cache.
 *
 * The file: vk_cache_header, then `size` bytes as the driver gave them. Drivers check little of
 * what they are given, so that nothing reaches one whose checksum is not right.
 */
#ifndef FATHOM_VK_CACHE_H
#define FATHOM_VK_CACHE_H

#include "vk.h"
#include "vk_api.h"
#include "vk_options.h"

typedef struct vk_cache_header {
    char magic[8]; /* "FMVKPC1\n" */
    uint32_t vendor, device, driver_version;
    uint32_t reserved; /* 0 */
    uint8_t driver_uuid[VK_UUID_SIZE], device_uuid[VK_UUID_SIZE];
    uint64_t size; /* bytes that follow */
    uint64_t hash; /* XXH3 of them */
} vk_cache_header;

_Static_assert(sizeof(vk_cache_header) == 72, "the header has no gaps");

enum { VK_CACHE_PATH_SIZE = VK_OPTION_PATH_SIZE + 128 }; /* bytes, terminator included */

typedef struct vk_cache {
    VkPipelineCache handle;
    uint64_t hash;                 /* of the bytes that it was made from; 0: none */
    char path[VK_CACHE_PATH_SIZE]; /* of the file; "": nothing is kept */
} vk_cache;

/** Makes the cache, from the file where there is a good one. */
fm_status vk_cache_open(fm_device_state *s, vk_cache *out, fm_error *err);
/** Writes the file where there is something new to keep, and destroys the cache. */
void vk_cache_close(fm_device_state *s, vk_cache *cache);

#endif
