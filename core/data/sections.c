/*
 * sections.c - reads a file of sections from its beginning to its end. Every length is held against
 * what is left of the file before it is used, and every section's checksum is right before its
 * header is believed.
 */
#include "sections.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "../base/array.h"
#include "../base/os.h"
#include "fields.h"

enum { SEAL_SIZE = 16 }; /* bytes of the end's payload */

struct sections {
    char *bytes; /* of the whole file; NULL where they are the caller's */
    uint32_t version;
    section *items; /* [count], ascending by tag */
    size_t count, capacity;
};

/** Where the reading of a file stands. */
typedef struct scan {
    const char *name;
    const sections_kind *kind;
    const uint8_t *data; /* the whole file */
    size_t size;
    size_t pos; /* of the next section */
    uint64_t seal;
} scan;

static fm_status fail_damaged(const scan *p, const char *fault, fm_error *err) {
    return error_set(err, FM_ERR_FORMAT, "%s: is damaged: %s at byte %zu: take another copy",
                     p->name, fault, p->pos);
}

/** Reads what stands before the first section. */
static fm_status read_file_header(scan *p, sections *s, fm_error *err) {
    const sections_kind *kind = p->kind;
    if (kind->max_size > 0 && p->size > kind->max_size)
        return error_set(err, FM_ERR_LIMIT, "%s: has %zu bytes, at most %llu are read", p->name,
                         p->size, (unsigned long long)kind->max_size);
    fields_reader r = {p->data, p->size, false};
    const uint8_t *magic = fields_get_bytes(&r, SECTIONS_MAGIC_SIZE);
    if (!magic || memcmp(magic, kind->magic, SECTIONS_MAGIC_SIZE) != 0)
        return error_set(err, FM_ERR_FORMAT, "%s: is no %s: name another file", p->name,
                         kind->what);
    s->version = fields_get_u32(&r);
    uint32_t zero = fields_get_u32(&r);
    if (r.has_failed) return fail_damaged(p, "it is cut off", err);
    if (s->version < kind->min_version || s->version > kind->max_version)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "%s: is a %s of version %u, only %u to %u are read: write it again",
                         p->name, kind->what, s->version, kind->min_version, kind->max_version);
    if (zero != 0) return fail_damaged(p, "a wrong header", err);
    p->seal = XXH3_64bits(p->data, SECTIONS_HEADER_SIZE);
    p->pos = SECTIONS_HEADER_SIZE;
    return FM_OK;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0) return false;
    return true;
}

/** Reads the section at p->pos and moves behind its checksum. */
static fm_status read_section(scan *p, section *out, fm_error *err) {
    const uint8_t *header = p->data + p->pos;
    fields_reader r = {header, p->size - p->pos, false};
    *out = (section){.tag = fields_get_u32(&r)};
    uint32_t zero = fields_get_u32(&r);
    uint64_t length = fields_get_u64(&r);
    if (r.has_failed || length > r.left) return fail_damaged(p, "a section is cut off", err);
    out->size = (size_t)length;
    out->data = fields_get_bytes(&r, out->size);
    size_t n_padding = (8 - out->size % 8) % 8;
    const uint8_t *padding = fields_get_bytes(&r, n_padding);
    uint64_t checksum = fields_get_u64(&r);
    if (r.has_failed) return fail_damaged(p, "a section is cut off", err);
    if (XXH3_64bits(header, SECTIONS_HEADER_SIZE + out->size) != checksum)
        return fail_damaged(p, "a wrong checksum of the section", err);
    if (zero != 0 || !is_zero(padding, n_padding))
        return fail_damaged(p, "a byte that has to be zero in the section", err);
    p->pos = p->size - r.left;
    return FM_OK;
}

/** Takes a section into the list. */
static fm_status keep_section(const scan *p, sections *s, const section *item, fm_error *err) {
    size_t max_count = p->kind->max_count > 0 ? p->kind->max_count : SECTIONS_COUNT_DEFAULT;
    if (s->count > 0 && item->tag <= s->items[s->count - 1].tag)
        return fail_damaged(p, "tags out of order before the section", err);
    if (s->count >= max_count)
        return error_set(err, FM_ERR_LIMIT, "%s: has more than the %zu sections that are read",
                         p->name, max_count);
    section *items = array_grow(s->items, &s->capacity, s->count + 1, sizeof *items);
    if (!items) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for reading it", p->name);
    s->items = items;
    s->items[s->count++] = *item;
    return FM_OK;
}

/** Holds the end against what was read before it. */
static fm_status check_end(const scan *p, const sections *s, const section *end, fm_error *err) {
    fields_reader r = {end->data, end->size, false};
    uint64_t count = fields_get_u64(&r);
    uint64_t seal = fields_get_u64(&r);
    if (end->size != SEAL_SIZE || count != s->count || seal != p->seal)
        return fail_damaged(p, "sections that do not belong together before the end", err);
    if (p->pos != p->size) return fail_damaged(p, "bytes behind the end", err);
    return FM_OK;
}

static fm_status read_all(scan *p, sections *s, fm_error *err) {
    FM_TRY(read_file_header(p, s, err));
    for (;;) {
        section item;
        FM_TRY(read_section(p, &item, err));
        if (item.tag == 0) return check_end(p, s, &item, err);
        FM_TRY(keep_section(p, s, &item, err));
        const uint8_t *stored = p->data + p->pos - SECTIONS_CHECKSUM_SIZE;
        p->seal = XXH3_64bits_withSeed(stored, SECTIONS_CHECKSUM_SIZE, p->seal);
    }
}

fm_status sections_parse(const char *name, const uint8_t *data, size_t size,
                         const sections_kind *kind, sections **out, fm_error *err) {
    *out = NULL;
    sections *s = calloc(1, sizeof *s);
    if (!s) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for reading it", name);
    scan p = {.name = name, .kind = kind, .data = data, .size = size};
    fm_status status = read_all(&p, s, err);
    if (status == FM_OK)
        *out = s;
    else
        sections_close(s);
    return status;
}

/** Refuses what need not be read whole: another kind of file (a model's weights, by mistake), and
 * one that does not fit into memory. */
static fm_status check_before_reading(const char *path, const sections_kind *kind, fm_error *err) {
    uint8_t start[SECTIONS_HEADER_SIZE];
    size_t n, file_size;
    sections unread = {0};
    FM_TRY(os_file_read_start(path, start, sizeof start, &n, &file_size, err));
    scan p = {.name = path, .kind = kind, .data = start, .size = n};
    FM_TRY(read_file_header(&p, &unread, err));
    uint64_t room = os_memory_available();
    if (file_size < room) return FM_OK;
    return error_set(err, FM_ERR_MEMORY, "%s: has %zu bytes, and %llu of memory are free", path,
                     file_size, (unsigned long long)room);
}

/** The bytes are read, not mapped: a map of a file that somebody cuts kills the program. */
fm_status sections_open(const char *path, const sections_kind *kind, sections **out,
                        fm_error *err) {
    char *bytes;
    size_t size;
    size_t max_size =
        kind->max_size > 0 && kind->max_size < SIZE_MAX ? (size_t)kind->max_size : SIZE_MAX - 1;
    *out = NULL;
    FM_TRY(check_before_reading(path, kind, err));
    FM_TRY(os_file_read(path, max_size, &bytes, &size, err));
    fm_status status = sections_parse(path, (uint8_t *)bytes, size, kind, out, err);
    if (status == FM_OK)
        (*out)->bytes = bytes;
    else
        free(bytes);
    return status;
}

void sections_close(sections *s) {
    if (!s) return;
    free(s->bytes);
    free(s->items);
    free(s);
}

/* ---- What was read --------------------------------------------------------------------------- */

uint32_t sections_version(const sections *s) {
    return s->version;
}

size_t sections_count(const sections *s) {
    return s->count;
}

const section *sections_at(const sections *s, size_t i) {
    return &s->items[i];
}

const section *sections_find(const sections *s, uint32_t tag) {
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->items[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->items[low].tag == tag ? &s->items[low] : NULL;
}
