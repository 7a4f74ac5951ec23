/* vk_cache.c - names, reads and writes the file of compiled pipelines. */
#include "vk_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "../../core/base/draft.h"
#include "../../core/base/os.h"
#include "vk_device.h"

enum { FILE_MAX = 64 << 20 }; /* bytes */

/** The header that a good file of this device begins with, `size` and `hash` aside. */
static vk_cache_header header_of(const vk_gpu *gpu) {
    vk_cache_header h = {.magic = "FMVKPC1\n",
                         .vendor = gpu->vendor,
                         .device = gpu->device,
                         .driver_version = gpu->driver_version};
    memcpy(h.driver_uuid, gpu->driver_uuid, sizeof h.driver_uuid);
    memcpy(h.device_uuid, gpu->device_uuid, sizeof h.device_uuid);
    return h;
}

/* ---- Where it lies ------------------------------------------------------------------------------- */

static bool is_set(const char *variable) {
    return variable && *variable;
}

/** The user's cache, found as `dev` finds it; "" where there is none, or its name is too long. */
static void find_user_dir(char dir[VK_OPTION_PATH_SIZE]) {
    const char *own = getenv("FATHOM_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n = 0;
    if (is_set(own))
        n = snprintf(dir, VK_OPTION_PATH_SIZE, "%s", own);
    else if (is_set(xdg))
        n = snprintf(dir, VK_OPTION_PATH_SIZE, "%s/fathom", xdg);
    else if (is_set(home))
        n = snprintf(dir, VK_OPTION_PATH_SIZE, "%s/.cache/fathom", home);
    if (n <= 0 || n >= VK_OPTION_PATH_SIZE) *dir = '\0';
}

static void name_file(const fm_device_state *s, char path[VK_CACHE_PATH_SIZE]) {
    char dir[VK_OPTION_PATH_SIZE], uuid[2 * VK_UUID_SIZE + 1];
    *path = '\0';
    if (s->options.no_cache) return;
    if (*s->options.cache)
        snprintf(dir, sizeof dir, "%s", s->options.cache);
    else
        find_user_dir(dir);
    if (!*dir) return;
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        snprintf(uuid + 2 * i, 3, "%02x", s->gpu.driver_uuid[i]);
    snprintf(path, VK_CACHE_PATH_SIZE, "%s/vulkan-%04x-%04x-%s.pipelines", dir, s->gpu.vendor,
             s->gpu.device, uuid);
}

/* Only the two directories that lead to the file, ~/.cache and ~/.cache/fathom: a home that is not
 * there is not to appear. Whether they are there is seen when the file is opened. */
static void make_user_dir(const char *path) {
    char dir[VK_CACHE_PATH_SIZE], above[VK_CACHE_PATH_SIZE];
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    snprintf(above, sizeof above, "%s", dir);
    char *slash = strrchr(above, '/');
    if (slash && slash > above) {
        *slash = '\0';
        (void)mkdir(above, 0700);
    }
    (void)mkdir(dir, 0700);
}

/* ---- Reading ------------------------------------------------------------------------------------- */

/** What is wrong with a file's bytes, or NULL. */
static const char *find_fault(const vk_gpu *gpu, const char *bytes, size_t size) {
    vk_cache_header h, expected = header_of(gpu);
    if (size < sizeof h) return "is too short";
    memcpy(&h, bytes, sizeof h);
    expected.size = h.size;
    expected.hash = h.hash;
    if (memcmp(&h, &expected, sizeof h) != 0) return "is of another device, driver or version";
    if (h.size != size - sizeof h) return "has not the length that it states";
    if (h.hash != XXH3_64bits(bytes + sizeof h, size - sizeof h)) return "is damaged";
    return NULL;
}

/** Bytes of a good file, else NULL. The caller frees them. */
static char *read_file(const fm_device_state *s, const char *path, size_t *size) {
    char *bytes = NULL;
    fm_error err = {0};
    if (!*path || !os_path_exists(path)) return NULL;
    const char *fault = err.text;
    if (os_file_read(path, FILE_MAX, &bytes, size, &err) == FM_OK)
        fault = find_fault(&s->gpu, bytes, *size);
    if (!fault) return bytes;
    log_line(&s->log, FM_LOG_DEBUG, "%s %s: pipelines are compiled anew", path, fault);
    free(bytes);
    return NULL;
}

fm_status vk_cache_open(fm_device_state *s, vk_cache *out, fm_error *err) {
    size_t size = 0;
    name_file(s, out->path);
    char *bytes = read_file(s, out->path, &size);
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    if (bytes) {
        info.initialDataSize = size - sizeof(vk_cache_header);
        info.pInitialData = bytes + sizeof(vk_cache_header);
        out->hash = XXH3_64bits(info.pInitialData, info.initialDataSize);
    }
    VkResult result = s->vk.CreatePipelineCache(s->device, &info, NULL, &out->handle);
    free(bytes);
    return vk_check(s, result, "vkCreatePipelineCache", err);
}

/* ---- Writing ------------------------------------------------------------------------------------- */

static fm_status write_file(const fm_device_state *s, const char *path, const void *data,
                            size_t size, uint64_t hash, fm_error *err) {
    draft *file;
    vk_cache_header header = header_of(&s->gpu);
    header.size = size;
    header.hash = hash;
    if (!*s->options.cache) make_user_dir(path);
    FM_TRY(draft_create(path, &file, err));
    fm_status status = draft_write(file, &header, sizeof header, err);
    if (status == FM_OK) status = draft_write(file, data, size, err);
    if (status == FM_OK) return draft_close(file, err);
    draft_abandon(file);
    return status;
}

/** What the driver has to keep; the caller frees it. */
static fm_status get_data(fm_device_state *s, VkPipelineCache cache, void **data, size_t *size,
                          fm_error *err) {
    FM_TRY(vk_check(s, s->vk.GetPipelineCacheData(s->device, cache, size, NULL),
                    "vkGetPipelineCacheData", err));
    if (*size > FILE_MAX)
        return error_set(err, FM_ERR_LIMIT, "compiled pipelines of %zu bytes are not kept", *size);
    *data = malloc(*size + 1);
    if (!*data) return error_set(err, FM_ERR_MEMORY, "no memory for %zu bytes of pipelines", *size);
    return vk_check(s, s->vk.GetPipelineCacheData(s->device, cache, size, *data),
                    "vkGetPipelineCacheData", err);
}

static fm_status save(fm_device_state *s, const vk_cache *cache, fm_error *err) {
    void *data = NULL;
    size_t size = 0;
    fm_status status = get_data(s, cache->handle, &data, &size, err);
    uint64_t hash = status == FM_OK ? XXH3_64bits(data, size) : 0;
    if (status == FM_OK && hash != cache->hash)
        status = write_file(s, cache->path, data, size, hash, err);
    free(data);
    return status;
}

void vk_cache_close(fm_device_state *s, vk_cache *cache) {
    fm_error err = {0};
    bool has_news = s->kernels.n_pipelines > 0 && !s->is_lost;
    if (cache->handle && *cache->path && has_news && save(s, cache, &err) != FM_OK)
        log_line(&s->log, FM_LOG_DEBUG, "%s: pipelines are not kept", err.text);
    s->vk.DestroyPipelineCache(s->device, cache->handle, NULL);
    *cache = (vk_cache){0};
}
