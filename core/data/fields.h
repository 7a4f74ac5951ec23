/*
 * fields.h - numbers and strings one behind the other in memory, little-endian and without gaps, as
 * the sections of saved files hold them. Reader and writer are plain data over memory of the
 * caller's. A failure sticks: a run of fields is read or written without looking at each, and asked
 * once at its end. One thread at a time.
 */
#ifndef FATHOM_DATA_FIELDS_H
#define FATHOM_DATA_FIELDS_H

#include "../base/error.h"

/* ---- Reading --------------------------------------------------------------------------------- */

/** Start from {bytes, size}. */
typedef struct fields_reader {
    const uint8_t *bytes; /* the next one */
    size_t left;          /* bytes */
    bool has_failed;      /* a field was not there; all from then on are 0 */
} fields_reader;

/** The next number; 0 when fewer bytes than it has are left. */
uint32_t fields_get_u32(fields_reader *r);
uint64_t fields_get_u64(fields_reader *r);
/** To the bit: may be infinite or no number, which the caller checks. */
float fields_get_f32(fields_reader *r);
/** The next `size` bytes, in the memory that is read; NULL when they are not there. */
const uint8_t *fields_get_bytes(fields_reader *r, size_t size);
/** The next string, behind its length as a u32: any bytes, not terminated, in the memory that is
 * read, and *length of them. NULL and 0 when it is not there or has more than `max` bytes. */
const char *fields_get_string(fields_reader *r, size_t max, size_t *length);
/** Asks whether every field was there and all bytes were read: else FM_ERR_FORMAT, with `what` as
 * the name of what was read. */
fm_status fields_end(const fields_reader *r, const char *what, fm_error *err);

/* ---- Writing --------------------------------------------------------------------------------- */

/** Start from {bytes, size}; {NULL, 0} only measures. */
typedef struct fields_writer {
    uint8_t *bytes; /* [size] */
    size_t size;    /* bytes there is room for; what does not fit is not written */
    size_t length;  /* bytes of all fields so far. Above `size`: not all were written */
} fields_writer;

void fields_put_u32(fields_writer *w, uint32_t value);
void fields_put_u64(fields_writer *w, uint64_t value);
/** To the bit. */
void fields_put_f32(fields_writer *w, float value);
void fields_put_bytes(fields_writer *w, const void *bytes, size_t size);
/** The length as a u32, then the bytes. A string of 4 GiB or more fits nowhere. */
void fields_put_string(fields_writer *w, const char *text, size_t length);

#endif
