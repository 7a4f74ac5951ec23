/* safetensors_header.c - the header of one file: every number is checked before it is used. */
#include "safetensors_header.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/json.h"
#include "../base/line.h"
#include "../base/utf8.h"

enum {
    LENGTH_BYTES = 8, /* of the header's length, at the start of the file */
    SHOWN_NAME = 120, /* bytes of a name in error texts, which leave room for 499 */
};

int st_shown(const char *name) {
    return (int)utf8_cut(name, strlen(name), SHOWN_NAME);
}

typedef struct header_reader {
    const char *file_name;
    const uint8_t *data; /* what stands behind the header */
    size_t data_size;    /* bytes */
    fm_error *err;
} header_reader;

/** "FILE: tensor NAME …" */
FM_PRINTF(4, 5)
static fm_status refuse(const header_reader *r, fm_status status, const char *tensor,
                        const char *format, ...) {
    char what[sizeof r->err->text];
    va_list args;
    va_start(args, format);
    line_format(what, sizeof what, format, args);
    va_end(args);
    return error_set(r->err, status, "%s: tensor %.*s %s", r->file_name, st_shown(tensor), tensor,
                     what);
}

/* ---- One tensor ------------------------------------------------------------------------------ */

static fm_status read_dtype(const header_reader *r, const json *entry, st_tensor *t) {
    const char *name = json_string(json_find(entry, "dtype"));
    if (!name) return refuse(r, FM_ERR_FORMAT, t->name, "has no dtype");
    for (int dtype = 0; dtype < FM_DTYPE_COUNT; dtype++) {
        if (strcmp(name, fm_dtype_name((fm_dtype)dtype)) != 0) continue;
        t->dtype = (fm_dtype)dtype;
        return FM_OK;
    }
    return refuse(r, FM_ERR_UNSUPPORTED, t->name,
                  "has dtype %.20s, which is not known here: convert it to BF16 or F32", name);
}

/** Reads the shape; *n_bytes is what dtype and shape need. A size of 0 is legal but gives the
 * others no leave to overflow: whoever multiplies them later gets a number that fits. */
static fm_status read_shape(const header_reader *r, const json *entry, st_tensor *t,
                            uint64_t *n_bytes) {
    const json *shape = json_find(entry, "shape");
    uint64_t bytes = fm_dtype_size(t->dtype);
    bool is_empty = false;
    if (!json_is_array(shape)) return refuse(r, FM_ERR_FORMAT, t->name, "has no shape");
    json_for_each(node, shape) {
        int64_t size;
        if (t->n_dims == SAFETENSORS_MAX_DIMS)
            return refuse(r, FM_ERR_UNSUPPORTED, t->name, "has more than %d dimensions",
                          SAFETENSORS_MAX_DIMS);
        if (!json_integer(node, 0, INT64_MAX, &size))
            return refuse(r, FM_ERR_FORMAT, t->name,
                          "has a size that is no whole number from 0 to 2^53 - 1");
        if (size == 0) is_empty = true;
        if (size > 0 && bytes > INT64_MAX / (uint64_t)size)
            return refuse(r, FM_ERR_FORMAT, t->name, "has a shape whose size overflows");
        bytes *= size > 0 ? (uint64_t)size : 1;
        t->size[t->n_dims++] = size;
    }
    *n_bytes = is_empty ? 0 : bytes;
    return FM_OK;
}

static fm_status read_offsets(const header_reader *r, const json *entry, uint64_t n_bytes,
                              st_tensor *t) {
    const json *offsets = json_find(entry, "data_offsets");
    int64_t begin, end;
    if (!json_is_array(offsets) || json_count(offsets) != 2 ||
        !json_integer(json_first(offsets), 0, INT64_MAX, &begin) ||
        !json_integer(json_next(json_first(offsets)), 0, INT64_MAX, &end))
        return refuse(r, FM_ERR_FORMAT, t->name,
                      "has no data_offsets of two whole numbers from 0 to 2^53 - 1");
    if (begin > end)
        return refuse(r, FM_ERR_FORMAT, t->name, "has data_offsets that run backwards");
    if ((uint64_t)end > r->data_size)
        return refuse(r, FM_ERR_FORMAT, t->name,
                      "ends %llu bytes behind the end of the file: the download is incomplete",
                      (unsigned long long)((uint64_t)end - r->data_size));
    if ((uint64_t)(end - begin) != n_bytes)
        return refuse(r, FM_ERR_FORMAT, t->name,
                      "needs %llu bytes by dtype and shape, but its data_offsets span %lld",
                      (unsigned long long)n_bytes, (long long)(end - begin));
    t->data = r->data + begin;
    t->n_bytes = (size_t)n_bytes;
    return FM_OK;
}

static fm_status read_tensor(const header_reader *r, const json *entry, st_tensor *t) {
    uint64_t n_bytes = 0;
    if (!json_is_object(entry))
        return refuse(r, FM_ERR_FORMAT, t->name, "is not described by an object");
    FM_TRY(read_dtype(r, entry, t));
    FM_TRY(read_shape(r, entry, t, &n_bytes));
    return read_offsets(r, entry, n_bytes, t);
}

/* ---- All tensors ----------------------------------------------------------------------------- */

static fm_status no_memory(const header_reader *r) {
    return error_set(r->err, FM_ERR_MEMORY, "%s: out of memory for a list of tensors",
                     r->file_name);
}

/** Makes room for one more item. */
static fm_status make_room(const header_reader *r, st_list *list) {
    if (list->count == SAFETENSORS_MAX_TENSORS)
        return error_set(r->err, FM_ERR_LIMIT, "%s: the checkpoint has more than %d tensors",
                         r->file_name, SAFETENSORS_MAX_TENSORS);
    st_item *items = array_grow(list->items, &list->capacity, list->count + 1, sizeof *items);
    if (!items) return no_memory(r);
    list->items = items;
    return FM_OK;
}

static fm_status read_all(const header_reader *r, const json *root, uint32_t file, arena *names,
                          st_list *list) {
    json_for_each(entry, root) {
        const char *key = json_key(entry);
        if (strcmp(key, "__metadata__") == 0) continue;
        FM_TRY(make_room(r, list));
        st_item *item = &list->items[list->count];
        *item = (st_item){.file = file, .tensor.name = arena_strndup(names, key, strlen(key))};
        if (!item->tensor.name) return no_memory(r);
        FM_TRY(read_tensor(r, entry, &item->tensor));
        list->count++;
    }
    return FM_OK;
}

static int compare_places(const void *left, const void *right) {
    const st_tensor *a = *(const st_tensor *const *)left, *b = *(const st_tensor *const *)right;
    uintptr_t a_start = (uintptr_t)a->data, b_start = (uintptr_t)b->data;
    return (a_start > b_start) - (a_start < b_start);
}

/** Refuses tensors, from the list's item `start` on, that share bytes. Empty ones share nothing,
 * wherever they stand. */
static fm_status check_overlap(const header_reader *r, const st_list *list, size_t start) {
    if (list->count == start) return FM_OK;
    const st_tensor **sorted = malloc((list->count - start) * sizeof *sorted);
    fm_status status = FM_OK;
    size_t n = 0;
    if (!sorted) return no_memory(r);
    for (size_t i = start; i < list->count; i++)
        if (list->items[i].tensor.n_bytes > 0) sorted[n++] = &list->items[i].tensor;
    qsort(sorted, n, sizeof *sorted, compare_places);
    for (size_t i = 1; i < n && status == FM_OK; i++) {
        const st_tensor *before = sorted[i - 1];
        if ((const uint8_t *)before->data + before->n_bytes > (const uint8_t *)sorted[i]->data)
            status = refuse(r, FM_ERR_FORMAT, sorted[i]->name, "overlaps tensor %.*s",
                            st_shown(before->name), before->name);
    }
    free(sorted);
    return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

/** Reads the length of the header and checks that the header lies in the file. */
static fm_status read_length(const header_reader *r, const uint8_t *bytes, size_t size,
                             size_t *out) {
    static const char pointer_file[] = "version https://git-lfs";
    if (size >= sizeof pointer_file - 1 &&
        memcmp(bytes, pointer_file, sizeof pointer_file - 1) == 0)
        return error_set(r->err, FM_ERR_FORMAT,
                         "%s: is a Git LFS pointer, not the weights: run `git lfs pull`",
                         r->file_name);
    if (size < LENGTH_BYTES)
        return error_set(r->err, FM_ERR_FORMAT,
                         "%s: has %zu bytes, too few for a header: the download is incomplete",
                         r->file_name, size);
    uint64_t length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) length = length << 8 | bytes[i];
    if (length > SAFETENSORS_MAX_HEADER)
        return error_set(r->err, FM_ERR_LIMIT,
                         "%s: gives its header %llu bytes, at most %d are read: this is no "
                         "safetensors file, or it is damaged",
                         r->file_name, (unsigned long long)length, SAFETENSORS_MAX_HEADER);
    if (length > size - LENGTH_BYTES)
        return error_set(r->err, FM_ERR_FORMAT,
                         "%s: its header has %llu bytes, but the file ends after %zu of them: the "
                         "download is incomplete",
                         r->file_name, (unsigned long long)length, size - LENGTH_BYTES);
    *out = (size_t)length;
    return FM_OK;
}

fm_status st_header_read(const char *name, const void *bytes, size_t size, uint32_t file,
                         arena *names, st_list *list, fm_error *err) {
    header_reader r = {.file_name = name, .err = err};
    const json_limits limits = {.max_bytes = SAFETENSORS_MAX_HEADER,
                                .max_depth = SAFETENSORS_MAX_DEPTH};
    const char *text = (const char *)bytes + LENGTH_BYTES;
    size_t length = 0, start = list->count;
    json_doc *doc = NULL;
    FM_TRY(read_length(&r, bytes, size, &length));
    FM_TRY(json_parse(name, text, length, limits, &doc, err));
    r.data = (const uint8_t *)text + length;
    r.data_size = size - LENGTH_BYTES - length;
    fm_status status = FM_OK;
    if (!json_is_object(json_root(doc)))
        status = error_set(err, FM_ERR_FORMAT, "%s: its header is no JSON object", name);
    if (status == FM_OK) status = read_all(&r, json_root(doc), file, names, list);
    if (status == FM_OK) status = check_overlap(&r, list, start);
    json_free(doc);
    return status;
}
