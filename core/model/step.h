/*
 * step.h - one step's work as data: some tokens of some sequences, in ragged order, never padded.
 * The host arrays are filled with step_begin and step_add, then written to the device buffers that
 * every operation reads. A step owns both.
 */
#ifndef FATHOM_MODEL_STEP_H
#define FATHOM_MODEL_STEP_H

#include "../backend.h"

typedef struct step {
    fm_device *dev;
    int32_t max_tokens, max_sequences, max_pages;
    int32_t n_tokens, n_sequences;

    /* host */
    int32_t *tokens;     /* [T] ids */
    int32_t *positions;  /* [T] within the sequence */
    int32_t *sequences;  /* [T] index of the token's sequence */
    int32_t *cache_rows; /* [T] row that the token's keys go to */
    int32_t *pages;      /* [S, max_pages] */

    /* device: one buffer, cut into the same arrays at their largest size */
    fm_buf *buf;
} step;

fm_status step_new(fm_device *dev, int32_t max_tokens, int32_t max_sequences, int32_t max_context,
                   step *out, fm_error *err);
void step_free(step *s);

/** Empties the step. */
void step_begin(step *s);

/** Adds `n` consecutive tokens of one sequence, the first at position `start`. `pages` lists the
 *  sequence's cache pages, enough for start + n positions. The caller keeps within the step's
 * limits and gives ids below the vocabulary's size. */
void step_add(step *s, const int32_t *tokens, int32_t n, int32_t start, const int32_t *pages);

/** Writes the step's arrays to the device. The device must be idle. */
fm_status step_upload(const step *s);

/** Device views of the current step's arrays: i32 [T], and [S, max_pages]. */
fm_tensor step_tokens(const step *s);
fm_tensor step_positions(const step *s);
fm_tensor step_sequences(const step *s);
fm_tensor step_cache_rows(const step *s);
fm_tensor step_pages(const step *s);

#endif
