/* fields.c - bytes and their numbers, the same on every machine. */
#include "fields.h"

#include <string.h>

#include "../base/checked.h"

/* ---- Reading --------------------------------------------------------------------------------- */

const uint8_t *fields_get_bytes(fields_reader *r, size_t size) {
    if (r->has_failed || size > r->left) {
        r->has_failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->bytes;
    if (size > 0) r->bytes += size; /* the pointer may be NULL where nothing is to be read */
    r->left -= size;
    return bytes;
}

static uint64_t get_number(fields_reader *r, size_t size) {
    const uint8_t *bytes = fields_get_bytes(r, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint32_t fields_get_u32(fields_reader *r) {
    return (uint32_t)get_number(r, 4);
}

uint64_t fields_get_u64(fields_reader *r) {
    return get_number(r, 8);
}

float fields_get_f32(fields_reader *r) {
    uint32_t bits = fields_get_u32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *fields_get_string(fields_reader *r, size_t max, size_t *length) {
    size_t size = fields_get_u32(r);
    if (size > max) r->has_failed = true;
    const uint8_t *bytes = fields_get_bytes(r, size);
    *length = bytes ? size : 0;
    return (const char *)bytes;
}

fm_status fields_end(const fields_reader *r, const char *what, fm_error *err) {
    if (r->has_failed)
        return error_set(err, FM_ERR_FORMAT, "%s: lacks a field, or has one that is too long",
                         what);
    if (r->left > 0)
        return error_set(err, FM_ERR_FORMAT, "%s: has %zu bytes too many", what, r->left);
    return FM_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void fields_put_bytes(fields_writer *w, const void *bytes, size_t size) {
    size_t end;
    if (!checked_add(w->length, size, &end)) end = SIZE_MAX;
    if (end <= w->size && size > 0) memcpy(w->bytes + w->length, bytes, size);
    w->length = end;
}

static void put_number(fields_writer *w, uint64_t value, size_t size) {
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    fields_put_bytes(w, bytes, size);
}

void fields_put_u32(fields_writer *w, uint32_t value) {
    put_number(w, value, 4);
}

void fields_put_u64(fields_writer *w, uint64_t value) {
    put_number(w, value, 8);
}

void fields_put_f32(fields_writer *w, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    fields_put_u32(w, bits);
}

void fields_put_string(fields_writer *w, const char *text, size_t length) {
    if (length > UINT32_MAX) {
        w->length = SIZE_MAX;
        return;
    }
    fields_put_u32(w, (uint32_t)length);
    fields_put_bytes(w, text, length);
}
