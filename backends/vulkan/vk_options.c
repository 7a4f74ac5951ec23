/* vk_options.c - reads the options of a device. */
#include "vk_options.h"

#include <string.h>

/** Whether an option of `length` bytes is "NAME=value", and its value. */
static bool has_value(const char *option, size_t length, const char *name, const char **value,
                      size_t *value_length) {
    size_t n = strlen(name);
    if (length <= n || memcmp(option, name, n) != 0 || option[n] != '=') return false;
    *value = option + n + 1;
    *value_length = length - n - 1;
    return true;
}

static bool is_option(const char *option, size_t length, const char *name) {
    return length == strlen(name) && memcmp(option, name, length) == 0;
}

static fm_status take_path(const char *name, const char *value, size_t length,
                           char out[VK_OPTION_PATH_SIZE], fm_error *err) {
    if (length == 0 || length >= VK_OPTION_PATH_SIZE)
        return error_set(err, FM_ERR_ARG, "the option %s of Vulkan needs a path of 1 to %d bytes",
                         name, VK_OPTION_PATH_SIZE - 1);
    memcpy(out, value, length);
    out[length] = '\0';
    return FM_OK;
}

static fm_status parse_one(const char *option, size_t length, vk_options *out, fm_error *err) {
    const char *value;
    size_t n;
    if (has_value(option, length, "loader", &value, &n))
        return take_path("loader", value, n, out->loader, err);
    if (has_value(option, length, "cache", &value, &n)) {
        out->no_cache = is_option(value, n, "off");
        return take_path("cache", value, n, out->cache, err);
    }
    if (is_option(option, length, "validate"))
        out->validate = true;
    else if (is_option(option, length, "staging"))
        out->staging = true;
    else
        return error_set(err, FM_ERR_ARG,
                         "Vulkan has no option \"%.*s\": use validate, staging, loader=PATH, "
                         "cache=DIR or cache=off",
                         (int)(length < 100 ? length : 100), option);
    return FM_OK;
}

fm_status vk_options_parse(const char *text, vk_options *out, fm_error *err) {
    *out = (vk_options){0};
    if (!text || !*text) return FM_OK;
    for (;;) {
        size_t length = strcspn(text, ",");
        FM_TRY(parse_one(text, length, out, err));
        if (text[length] == '\0') return FM_OK;
        text += length + 1;
    }
}
