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

/** Consecutive tokens of one sequence. */
typedef struct step_part {
    const int32_t *tokens; /* [n_tokens] ids below the vocabulary's size */
    int32_t n_tokens;
    int32_t start;        /* position of the first one */
    const int32_t *pages; /* the sequence's cache pages, enough for start + n_tokens positions */
} step_part;

/** Adds a sequence's part to the step; a sequence has one part in a step. The caller keeps within the
 * step's limits. */
void step_add(step *s, const step_part *part);

/** Writes the step's arrays to the device. The device must be idle. */
fm_status step_upload(const step *s);

/** Device views of the current step's arrays: i32 [T], and [S, max_pages]. */
fm_tensor step_tokens(const step *s);
fm_tensor step_positions(const step *s);
fm_tensor step_sequences(const step *s);
fm_tensor step_cache_rows(const step *s);
fm_tensor step_pages(const step *s);

#endif
