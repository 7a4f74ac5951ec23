/*
 * sections_writer.c - writes sections as their bytes come: the length is known before and the
 * checksum stands behind, so nothing is written twice or kept.
 */
#include "sections_writer.h"

#include <stdlib.h>

#include <xxhash.h>

#include "../base/draft.h"
#include "fields.h"
#include "sections.h"

struct sections_writer {
    draft *file;
    XXH3_state_t *hash; /* of the section that is open */
    uint64_t seal;
    uint64_t count;  /* sections begun, the end not counted */
    uint32_t tag;    /* of the last one; 0: none yet */
    uint64_t length; /* of its payload, in bytes */
    uint64_t n_left; /* of these, still to come */
    bool has_failed;
};

void sections_writer_abandon(sections_writer *w) {
    if (!w) return;
    draft_abandon(w->file);
    XXH3_freeState(w->hash);
    free(w);
}

/** Every failure passes here: a file that lacks anything must not become complete later. */
static fm_status note(sections_writer *w, fm_status status) {
    if (status != FM_OK) w->has_failed = true;
    return status;
}

static fm_status write_file_header(sections_writer *w, const char *magic, uint32_t version,
                                   fm_error *err) {
    uint8_t header[SECTIONS_HEADER_SIZE];
    fields_writer f = {header, sizeof header, 0};
    fields_put_bytes(&f, magic, SECTIONS_MAGIC_SIZE);
    fields_put_u32(&f, version);
    fields_put_u32(&f, 0);
    w->seal = XXH3_64bits(header, sizeof header);
    return draft_write(w->file, header, sizeof header, err);
}

fm_status sections_writer_create(const char *path, const char *magic, uint32_t version,
                                 sections_writer **out, fm_error *err) {
    *out = NULL;
    sections_writer *w = calloc(1, sizeof *w);
    if (w) w->hash = XXH3_createState();
    fm_status status = FM_OK;
    if (!w || !w->hash)
        status = error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    if (status == FM_OK) status = draft_create(path, &w->file, err);
    if (status == FM_OK) status = write_file_header(w, magic, version, err);
    if (status == FM_OK)
        *out = w;
    else
        sections_writer_abandon(w);
    return status;
}

static fm_status write_header(sections_writer *w, uint32_t tag, uint64_t length, fm_error *err) {
    uint8_t header[SECTIONS_HEADER_SIZE];
    fields_writer f = {header, sizeof header, 0};
    fields_put_u32(&f, tag);
    fields_put_u32(&f, 0);
    fields_put_u64(&f, length);
    XXH3_64bits_reset(w->hash);
    XXH3_64bits_update(w->hash, header, sizeof header);
    w->length = w->n_left = length;
    return draft_write(w->file, header, sizeof header, err);
}

static fm_status write_payload(sections_writer *w, const void *bytes, size_t size, fm_error *err) {
    if (size == 0) return FM_OK;
    XXH3_64bits_update(w->hash, bytes, size);
    w->n_left -= size;
    return draft_write(w->file, bytes, size, err);
}

/** Writes what stands behind a complete payload, and moves the seal on. */
static fm_status write_footer(sections_writer *w, fm_error *err) {
    static const uint8_t zeros[8] = {0};
    uint8_t checksum[SECTIONS_CHECKSUM_SIZE];
    fields_writer f = {checksum, sizeof checksum, 0};
    fields_put_u64(&f, XXH3_64bits_digest(w->hash));
    w->seal = XXH3_64bits_withSeed(checksum, sizeof checksum, w->seal);
    FM_TRY(draft_write(w->file, zeros, (8 - w->length % 8) % 8, err));
    return draft_write(w->file, checksum, sizeof checksum, err);
}

/** Ends the section that is open, where one is. */
static fm_status end_section(sections_writer *w, fm_error *err) {
    if (w->n_left > 0)
        return error_set(err, FM_ERR_STATE, "%s: section %u lacks %llu of its %llu bytes",
                         draft_path(w->file), w->tag, (unsigned long long)w->n_left,
                         (unsigned long long)w->length);
    return w->count > 0 ? write_footer(w, err) : FM_OK;
}

fm_status sections_writer_begin(sections_writer *w, uint32_t tag, uint64_t length, fm_error *err) {
    if (tag <= w->tag)
        return note(w, error_set(err, FM_ERR_ARG, "%s: section %u cannot follow section %u",
                                 draft_path(w->file), tag, w->tag));
    fm_status status = end_section(w, err);
    if (status == FM_OK) status = write_header(w, tag, length, err);
    w->tag = tag;
    w->count++;
    return note(w, status);
}

fm_status sections_writer_write(sections_writer *w, const void *bytes, size_t size, fm_error *err) {
    if (size > w->n_left)
        return note(w, error_set(err, FM_ERR_ARG,
                                 "%s: %zu bytes more than the %llu that section %u still lacks",
                                 draft_path(w->file), size, (unsigned long long)w->n_left, w->tag));
    return note(w, write_payload(w, bytes, size, err));
}

static fm_status write_end(sections_writer *w, fm_error *err) {
    uint8_t payload[16];
    fields_writer f = {payload, sizeof payload, 0};
    FM_TRY(end_section(w, err));
    fields_put_u64(&f, w->count);
    fields_put_u64(&f, w->seal);
    FM_TRY(write_header(w, 0, sizeof payload, err));
    FM_TRY(write_payload(w, payload, sizeof payload, err));
    return write_footer(w, err);
}

fm_status sections_writer_close(sections_writer *w, fm_error *err) {
    fm_status status = FM_OK;
    if (w->has_failed)
        status = error_set(err, FM_ERR_STATE, "%s: an earlier write failed", draft_path(w->file));
    if (status == FM_OK) status = write_end(w, err);
    if (status == FM_OK) {
        status = draft_close(w->file, err);
        w->file = NULL;
    }
    sections_writer_abandon(w);
    return status;
}
