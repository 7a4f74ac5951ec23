/*
 * vk_options.h - the options of a Vulkan device, "name,name=value,…":
 *
 *   validate      with the validation layer; its messages go to the log as errors
 *   staging       transfers go through the staging ring also where the host sees device memory
 *   loader=PATH   this library in the place of the system's loader
 *   cache=DIR     compiled pipelines are read from and written to a file in this directory, in
 * place of the user's cache (vk_cache.h); cache=off: of none
 */
#ifndef FATHOM_VK_OPTIONS_H
#define FATHOM_VK_OPTIONS_H

#include "../../core/base/error.h"

enum { VK_OPTION_PATH_SIZE = 1024 }; /* bytes, terminator included */

typedef struct vk_options {
    bool validate;
    bool staging;
    char loader[VK_OPTION_PATH_SIZE]; /* "": the system's */
    char cache[VK_OPTION_PATH_SIZE];  /* "": the user's */
    bool no_cache;
} vk_options;

/** NULL and "" are no options. FM_ERR_ARG for one that is not known, or whose value is missing or
 * too long. */
fm_status vk_options_parse(const char *text, vk_options *out, fm_error *err);

#endif
