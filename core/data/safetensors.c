/*
 * safetensors.c - the files of a checkpoint: finds and maps them, puts their tensors into one list
 * in the order of names, and holds the index of shards against what the shards contain.
 */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/json.h"
#include "../base/os.h"
#include "safetensors_header.h"

enum {
    MAX_SHARDS = 10000,
    PATH_SIZE = 4096,     /* bytes */
    MAX_SHARD_NAME = 255, /* bytes */
};

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

struct safetensors {
    arena *names;
    st_list list; /* sorted by name once open */
    os_map *maps; /* [n_maps] */
    size_t n_maps;
    uint64_t file_bytes;
};

/* ---- The set --------------------------------------------------------------------------------- */

static safetensors *new_set(void) {
    safetensors *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->names = arena_new();
    if (s->names) return s;
    free(s);
    return NULL;
}

void safetensors_close(safetensors *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n_maps; i++) os_map_close(&s->maps[i]);
    free(s->maps);
    free(s->list.items);
    arena_free(s->names);
    free(s);
}

static int compare_items(const void *left, const void *right) {
    const st_item *a = left, *b = right;
    return strcmp(a->tensor.name, b->tensor.name);
}

/** Brings the list into its final order; a name that two files have stands beside itself then. */
static fm_status sort_items(safetensors *s, const char *name, fm_error *err) {
    st_item *items = s->list.items;
    if (s->list.count == 0) return FM_OK;
    qsort(items, s->list.count, sizeof *items, compare_items);
    for (size_t i = 0; i < s->list.count; i++) items[i].tensor.index = i;
    for (size_t i = 1; i < s->list.count; i++) {
        const char *tensor = items[i].tensor.name;
        if (strcmp(tensor, items[i - 1].tensor.name) == 0)
            return error_set(err, FM_ERR_FORMAT, "%s: tensor %.*s stands in two shards", name,
                             st_shown(tensor), tensor);
    }
    return FM_OK;
}

size_t safetensors_count(const safetensors *s) {
    return s->list.count;
}

const st_tensor *safetensors_at(const safetensors *s, size_t index) {
    return &s->list.items[index].tensor;
}

static const st_item *find_item(const safetensors *s, const char *name) {
    const st_item wanted = {.tensor.name = name};
    if (s->list.count == 0) return NULL;
    return bsearch(&wanted, s->list.items, s->list.count, sizeof wanted, compare_items);
}

const st_tensor *safetensors_find(const safetensors *s, const char *name) {
    const st_item *item = find_item(s, name);
    return item ? &item->tensor : NULL;
}

uint64_t safetensors_file_bytes(const safetensors *s) {
    return s->file_bytes;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/** Makes room for the maps of all files of the checkpoint. */
static fm_status reserve_maps(safetensors *s, size_t n_files, fm_error *err) {
    s->maps = calloc(n_files > 0 ? n_files : 1, sizeof *s->maps);
    if (!s->maps)
        return error_set(err, FM_ERR_MEMORY, "out of memory for a list of %zu files", n_files);
    return FM_OK;
}

static fm_status add_file(safetensors *s, const char *path, fm_error *err) {
    os_map *map = &s->maps[s->n_maps];
    FM_TRY(os_map_open(path, map, err));
    uint32_t file = (uint32_t)s->n_maps++;
    s->file_bytes += map->size;
    return st_header_read(path, map->data, map->size, file, s->names, &s->list, err);
}

static fm_status add_single(safetensors *s, const char *path, fm_error *err) {
    FM_TRY(reserve_maps(s, 1, err));
    FM_TRY(add_file(s, path, err));
    return sort_items(s, path, err);
}

/* ---- Shards ---------------------------------------------------------------------------------- */

/** The index names its shards; a name that could lead out of the directory is refused. */
static fm_status check_shard_name(const char *index_path, const json *entry, fm_error *err) {
    const char *name = json_string(entry);
    if (!name)
        return error_set(err, FM_ERR_FORMAT, "%s: weight_map has no file name for tensor %.*s",
                         index_path, st_shown(json_key(entry)), json_key(entry));
    if (name[0] == '\0' || name[0] == '.' || strpbrk(name, "/\\:") || strlen(name) > MAX_SHARD_NAME)
        return error_set(err, FM_ERR_FORMAT,
                         "%s: weight_map names the shard \"%.*s\": only a plain file name beside "
                         "the index is allowed",
                         index_path, st_shown(name), name);
    return FM_OK;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/** Lists the shards of an index, each once, in byte order. The names are the JSON tree's; the
 * caller frees the list. */
static fm_status list_shards(const char *index_path, const json *weight_map, const char ***out,
                             size_t *count, fm_error *err) {
    size_t n_entries = json_count(weight_map), n = 0;
    const char **names = malloc((n_entries > 0 ? n_entries : 1) * sizeof *names);
    if (!names)
        return error_set(err, FM_ERR_MEMORY, "%s: out of memory for its shards", index_path);
    fm_status status = FM_OK;
    json_for_each(entry, weight_map) {
        status = check_shard_name(index_path, entry, err);
        if (status != FM_OK) goto fail;
        names[n++] = json_string(entry);
    }
    qsort(names, n, sizeof *names, compare_names);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[*count - 1]) != 0) names[(*count)++] = names[i];
    if (*count > MAX_SHARDS) {
        status = error_set(err, FM_ERR_LIMIT, "%s: names %zu shards, at most %d are read",
                           index_path, *count, MAX_SHARDS);
        goto fail;
    }
    *out = names;
    return FM_OK;
fail:
    free(names);
    return status;
}

static fm_status add_shard(safetensors *s, const char *dir, const char *name, fm_error *err) {
    char path[PATH_SIZE];
    FM_TRY(os_path_join(dir, name, path, sizeof path, err));
    if (!os_path_exists(path))
        return error_set(err, FM_ERR_NOT_FOUND,
                         "%s: is named by %s and absent: download this shard too", path,
                         index_name);
    return add_file(s, path, err);
}

/** Every entry of the index must be true: the tensor is there, and in the shard that is named. */
static fm_status check_index(const safetensors *s, const char *index_path, const json *weight_map,
                             const char *const *names, fm_error *err) {
    json_for_each(entry, weight_map) {
        const char *key = json_key(entry);
        const st_item *item = find_item(s, key);
        if (!item || strcmp(names[item->file], json_string(entry)) != 0)
            return error_set(
                err, FM_ERR_FORMAT,
                "%s: tensor %.*s is not in %.*s, where the index says: the files are of "
                "different checkpoints",
                index_path, st_shown(key), key, st_shown(json_string(entry)), json_string(entry));
    }
    return FM_OK;
}

static fm_status add_shards(safetensors *s, const char *dir, const char *index_path,
                            fm_error *err) {
    const json_limits limits = {.max_bytes = SAFETENSORS_MAX_HEADER,
                                .max_depth = SAFETENSORS_MAX_DEPTH};
    json_doc *index = NULL;
    const char **names = NULL;
    size_t n_shards = 0;
    FM_TRY(json_read(index_path, limits, &index, err));
    const json *weight_map = json_find(json_root(index), "weight_map");
    fm_status status = FM_OK;
    if (!json_is_object(weight_map))
        status = error_set(err, FM_ERR_FORMAT, "%s: has no object weight_map", index_path);
    if (status == FM_OK) status = list_shards(index_path, weight_map, &names, &n_shards, err);
    if (status == FM_OK) status = reserve_maps(s, n_shards, err);
    for (size_t i = 0; i < n_shards && status == FM_OK; i++)
        status = add_shard(s, dir, names[i], err);
    if (status == FM_OK) status = sort_items(s, index_path, err);
    if (status == FM_OK) status = check_index(s, index_path, weight_map, names, err);
    free(names);
    json_free(index);
    return status;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static fm_status add_dir(safetensors *s, const char *dir, fm_error *err) {
    char path[PATH_SIZE];
    if (!os_dir_exists(dir))
        return error_set(err, FM_ERR_NOT_FOUND, "%s: no such directory: check the path", dir);
    FM_TRY(os_path_join(dir, single_name, path, sizeof path, err));
    if (os_path_exists(path)) return add_single(s, path, err);
    FM_TRY(os_path_join(dir, index_name, path, sizeof path, err));
    if (os_path_exists(path)) return add_shards(s, dir, path, err);
    return error_set(err, FM_ERR_NOT_FOUND, "%s: has no weights: neither %s nor %s is there", dir,
                     single_name, index_name);
}

/** Hands over a set that opened well, and frees any other. */
static fm_status finish(safetensors *s, fm_status status, safetensors **out) {
    if (status == FM_OK)
        *out = s;
    else
        safetensors_close(s);
    return status;
}

fm_status safetensors_open(const char *dir, safetensors **out, fm_error *err) {
    *out = NULL;
    safetensors *s = new_set();
    if (!s) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for a list of tensors", dir);
    return finish(s, add_dir(s, dir, err), out);
}

fm_status safetensors_open_bytes(const char *name, const void *bytes, size_t size,
                                 safetensors **out, fm_error *err) {
    *out = NULL;
    safetensors *s = new_set();
    if (!s) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for a list of tensors", name);
    s->file_bytes = size;
    fm_status status = st_header_read(name, bytes, size, 0, s->names, &s->list, err);
    if (status == FM_OK) status = sort_items(s, name, err);
    return finish(s, status, out);
}
