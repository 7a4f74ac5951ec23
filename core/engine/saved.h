/*
 * saved.h - a sequence in a file: what was asked, its tokens, and the rows of its caches. Written
 * and read by an engine; the file is one of data/sections.h. It holds
 *
 *   model     fingerprint of the model; streams, and bytes of a row of each
 *   tokens    prompt and answer, and how many of them have rows
 *   request   sampling, ends, stop strings: absent in a saved prefix
 *   rows      of the first tokens: stream by stream, page by page. Only where no window has lost
 *             some; else the tokens are run again
 *
 * Checksums find damage. They do not find forgery: rows decide what a model answers, so files are
 * to be read only from where they were written.
 */
#ifndef FATHOM_ENGINE_SAVED_H
#define FATHOM_ENGINE_SAVED_H

#include "../data/sections.h"
#include "engine.h"

/** Tokens whose rows a file can hold of a sequence: all that are cached, or none where a window has
 * lost some. */
int32_t saved_row_count(const fm_engine *e, const paged_sequence *pages);

/** Writes n_rows cached tokens of a sequence, and `r` (NULL: a prefix), to a file, which appears
 * when it is complete. The device is idle. */
fm_status saved_write(fm_engine *e, const char *path, const request *r, const paged_sequence *pages,
                      const int32_t *ids, int32_t n_ids, fm_error *err);

/** An opened file, in memory, checked against the engine's model. Pointers go into it. */
typedef struct saved {
    sections *file;
    const int32_t *ids; /* [n_ids] inside the vocabulary */
    int32_t n_ids, n_prompt;
    int32_t n_rows; /* tokens that have rows */
    const uint8_t *rows;
    const section *request; /* NULL: a prefix */
} saved;

/** FM_ERR_FORMAT for a file that is damaged, FM_ERR_UNSUPPORTED for one of another model or
 * version; *out is empty then. */
fm_status saved_open(const fm_engine *e, const char *path, saved *out, fm_error *err);
void saved_close(saved *s);

/** Fills what the request section says into a request; its pointers go into `memory`. */
fm_status saved_read_request(const saved *s, arena *memory, fm_request *out, fm_error *err);

/** Gives an empty sequence the file's rows of its first n_tokens <= n_rows tokens. FM_ERR_MEMORY
 * when there are no pages for them, or the device's status; the sequence is empty then. */
fm_status saved_read_rows(fm_engine *e, const saved *s, int32_t n_tokens, paged_sequence *pages,
                          fm_error *err);

#endif
