/*
 * head.h - brings the rows of logits of a step to head_topk, and what it found to the sampler:
 * edits, masks and temperatures on their way to the device, candidates and sums on their way back.
 * Owns the arrays on both sides, made once for the largest step. One thread at a time.
 */
#ifndef FATHOM_ENGINE_HEAD_H
#define FATHOM_ENGINE_HEAD_H

#include "../backend.h"
#include "sampler.h"

/** The largest step. */
typedef struct head_limits {
    int32_t vocab_size;
    int32_t max_rows;  /* L */
    int32_t row_edits; /* R: no row's penalties_bound is above it; penalties_limit says it */
} head_limits;

typedef struct head {
    fm_device *dev;
    head_limits limits;
    penalties penalties;
    int32_t n_rows; /* added since head_begin */
    int32_t n_best; /* A of this step: the most alternatives that a row wants */
    bool greedy;    /* all rows are: one candidate is enough */
    bool masked;    /* some row has a mask */

    int32_t *offsets;    /* [L + 1] */
    penalty_edits edits; /* arrays of [L * R], the edits of a row behind those of the row before */
    uint32_t *mask;      /* [L, (V + 31) / 32] */
    float *temperatures; /* [L] */
    int32_t *found;      /* [n_found] the arrays that follow, as head_encode has cut it */
    int64_t n_found;
    int32_t *ids;         /* [L, K] */
    float *values, *raw;  /* [L, K] */
    int32_t *best_ids;    /* [L, A] */
    float *best_raw;      /* [L, A] */
    float *sums;          /* [L, 4] */
    void *memory;         /* of all these arrays */
    penalty_edits *views; /* [L] the edits of a row */
    fm_buf *buf;          /* the same arrays on the device, one after the other */
} head;

fm_status head_new(fm_device *dev, const head_limits *limits, head *out, fm_error *err);
void head_free(head *h);

/** Starts a step. */
void head_begin(head *h);

/** Adds a row: that of a sequence with this history. n_best is the number of alternatives it wants,
 * at most FM_HEAD_TOP_MAX. */
void head_add(head *h, const fm_sampling *p, const penalty_history *history, int32_t n_best);

/** The mask of the row added last, all bits set, to be cleared. */
uint32_t *head_mask(head *h);

/** Encodes the search for candidates and sums of all rows of `logits`, [L, V] on the device, in the
 * order in which they were added; at least one. They lie in the same buffer at every call. */
fm_status head_encode(head *h, fm_tensor logits);

/** Reads what head_encode found, after it was submitted and waited for. */
fm_status head_read(head *h);

/** What was found for row i, for sampler_draw; valid until the next head_encode. */
sampler_row head_row(const head *h, int32_t i);

/** For sampler_draw_all: row i with `logits` [V], the same read from the device. */
sampler_logits head_logits(const head *h, int32_t i, const float *logits);

/** Log-probabilities of the n most likely tokens of row i, n as it was added; returns how many
 * there are. */
int32_t head_alternatives(const head *h, int32_t i, int32_t n, fm_logprob *out);

#endif
