/*
 * step.h - one step's work as data: some tokens of some sequences, in ragged order, never padded.
 * The host arrays are filled with step_begin and step_add, then written to the buffers that every
 * operation reads, on each device that the model is on. A step owns both.
 */
#ifndef FATHOM_MODEL_STEP_H
#define FATHOM_MODEL_STEP_H

#include "cache.h"

typedef struct step {
    int32_t max_tokens, max_sequences, max_pages, n_classes;
    int32_t n_tokens, n_sequences;

    /* host */
    int32_t *tokens;     /* [T] ids */
    int32_t *positions;  /* [T] within the sequence */
    int32_t *sequences;  /* [T] index of the token's sequence */
    int32_t *cache_rows; /* [n_classes, max_tokens] row that the token's keys go to */
    int32_t *pages;      /* [n_classes, max_sequences, max_pages] */

    /* devices: one buffer on each, cut into the same arrays at their largest size */
    int32_t n_places;
    fm_device *devs[MODEL_MAX_DEVICES];
    fm_buf *bufs[MODEL_MAX_DEVICES];
} step;

/** The largest step. */
typedef struct step_params {
    int32_t max_tokens;
    int32_t max_sequences;
    int32_t max_context; /* positions of one sequence */
    int32_t n_classes;   /* of the cache: 1 … CACHE_MAX_CLASSES */
} step_params;

fm_status step_new(const placement *places, const step_params *params, step *out, fm_error *err);
void step_free(step *s);

/** Empties the step. */
void step_begin(step *s);

/** Consecutive tokens of one sequence. */
typedef struct step_part {
    const int32_t *tokens; /* [n_tokens] ids below the vocabulary's size */
    int32_t n_tokens;
    int32_t start; /* position of the first one */
    /* The sequence's pages in each class, enough for start + n_tokens positions. Entries of pages
     * that no token of the part has in its window are not read on the device; let them be 0. */
    const int32_t *pages[CACHE_MAX_CLASSES];
} step_part;

/** Adds a sequence's part to the step; a sequence has one part in a step. The caller keeps within
 * the step's limits. */
void step_add(step *s, const step_part *part);

/** Writes the step's arrays to all devices, which must be idle. */
fm_status step_upload(const step *s);

/** Views of the current step's arrays on device `place` of the placement: i32 [T]. */
fm_tensor step_tokens(const step *s, int32_t place);
fm_tensor step_positions(const step *s, int32_t place);
fm_tensor step_sequences(const step *s, int32_t place);
/** Of a class of the cache: i32 [T]; and [max_sequences, max_pages] whatever S is, so that the
 * shape stays the same: rows from S on are old. */
fm_tensor step_cache_rows(const step *s, int32_t place, int32_t class_id);
fm_tensor step_pages(const step *s, int32_t place, int32_t class_id);

#endif
