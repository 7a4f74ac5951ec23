/*
 * sections_writer.h - makes a file of sections (sections.h has the layout). It appears under its
 * name only when it is complete, as a draft does. One thread at a time.
 */
#ifndef FATHOM_DATA_SECTIONS_WRITER_H
#define FATHOM_DATA_SECTIONS_WRITER_H

#include "../base/error.h"

typedef struct sections_writer sections_writer;

/** Starts a file of the kind that `magic` (SECTIONS_MAGIC_SIZE bytes) names. Fails as draft_create
 * and draft_write do; *out is NULL then. */
fm_status sections_writer_create(const char *path, const char *magic, uint32_t version,
                                 sections_writer **out, fm_error *err);
/** Starts the section of `length` bytes, and ends the one before. Tags are not 0 and ascend:
 * FM_ERR_ARG. FM_ERR_STATE when the section before lacks bytes. */
fm_status sections_writer_begin(sections_writer *w, uint32_t tag, uint64_t length, fm_error *err);
/** Appends to the section's payload, in pieces of any size. FM_ERR_ARG when it would become longer
 * than was said. */
fm_status sections_writer_write(sections_writer *w, const void *bytes, size_t size, fm_error *err);
/** Ends the file, gives it its name, and frees. Frees in every case; where it fails, an older file
 * is as it was. FM_ERR_STATE when the last section lacks bytes or any call before failed. */
fm_status sections_writer_close(sections_writer *w, fm_error *err);
/** Drops what was written. NULL is allowed. */
void sections_writer_abandon(sections_writer *w);

#endif
