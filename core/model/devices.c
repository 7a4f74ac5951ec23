/* devices.c - what devices this machine has, in words: fm_device_list. */
#include <stdio.h>
#include <string.h>

#include "../backend.h"

enum { LISTED_MAX = 16 }; /* devices of one backend */

/** As it is written in fm_model_params.device. The CPU is one device and has no index. */
static void write_name(const char *backend, int32_t index, char out[32]) {
    if (strcmp(backend, "cpu") == 0)
        snprintf(out, 32, "%s", backend);
    else
        snprintf(out, 32, "%s:%d", backend, (int)index);
}

static fm_device_desc describe(const char *backend, int32_t index, const fm_device_info *info) {
    fm_device_desc d = {.memory_total = info->memory_total,
                        .memory_free = info->memory_free,
                        .unified = info->unified,
                        .software = info->software};
    write_name(backend, index, d.device);
    _Static_assert(sizeof d.name == sizeof info->name &&
                       sizeof d.abilities == sizeof info->abilities,
                   "texts of the same room");
    memcpy(d.name, info->name, sizeof d.name);
    memcpy(d.abilities, info->abilities, sizeof d.abilities);
    return d;
}

static fm_device_desc describe_missing(const char *backend, const fm_error *err) {
    fm_device_desc d = {0};
    snprintf(d.device, sizeof d.device, "%s", backend);
    snprintf(d.missing, sizeof d.missing, "%s", err->text);
    return d;
}

/** Appends a backend's devices, or the reason why there are none. */
static void list_backend(const char *name, fm_device_desc *out, int32_t max, int32_t *n) {
    fm_device_info infos[LISTED_MAX];
    const fm_backend *backend;
    int32_t n_found = 0;
    fm_error err = {0};
    fm_status status = backend_find(name, &backend, &err);
    if (status == FM_OK) status = device_list(backend, NULL, infos, LISTED_MAX, &n_found, &err);
    if (status == FM_OK && n_found == 0) error_set(&err, FM_ERR_NOT_FOUND, "it has no device here");
    if (status != FM_OK || n_found == 0) {
        if (*n < max) out[*n] = describe_missing(name, &err);
        ++*n;
        return;
    }
    for (int32_t i = 0; i < n_found && i < LISTED_MAX; i++, ++*n)
        if (*n < max) out[*n] = describe(name, i, &infos[i]);
}

int32_t fm_device_list(fm_device_desc *out, int32_t max) {
    int32_t n = 0;
    list_backend("cpu", out, max, &n);
    list_backend("vulkan", out, max, &n);
    return n;
}
