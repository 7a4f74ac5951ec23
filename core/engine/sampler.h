/*
 * sampler.h - draws the next token of a sequence from what head_topk found in its row of logits:
 * candidates, best first, and sums. Nothing here knows a device. The random numbers are a function
 * of seed and position in the answer, so that the same request gives the same tokens whatever else
 * runs.
 *
 * A token of the allowed ones has the share exp((edited - largest) / temperature). Top-k keeps the
 * first k; top-p the shortest beginning of these whose shares reach that part of their sum (of
 * sums[3] without top-k); min-p those whose share is not below it. Shares are added in the order of
 * rank in float64, so that what comes out does not depend on how many candidates there were: where
 * they are too few, sampler_draw says so, and sampler_draw_all draws the same from all logits.
 *
 * A sampler owns scratch of the vocabulary's size; one thread at a time.
 */
#ifndef FATHOM_ENGINE_SAMPLER_H
#define FATHOM_ENGINE_SAMPLER_H

#include "penalties.h"

/** One row of head_topk's results. */
typedef struct sampler_row {
    int32_t n;           /* candidates at hand; they may end before in -1 */
    const int32_t *ids;  /* [n] */
    const float *values; /* [n] edited logits */
    const float *raw;    /* [n] logits as the model gave them */
    const float *sums;   /* [4] */
} sampler_row;

/** The same row whole. */
typedef struct sampler_logits {
    const float *logits;        /* [V] as the model gave them */
    const penalty_edits *edits; /* as head_topk had them; NULL: none */
    const uint32_t *mask;       /* [(V + 31) / 32]; NULL: all ids are allowed */
} sampler_logits;

typedef struct sampler_ranked {
    int32_t id;
    float value; /* edited logit */
} sampler_ranked;

typedef struct sampler {
    int32_t vocab_size;
    sampler_ranked *ranked; /* [V] */
} sampler;

fm_status sampler_new(int32_t vocab_size, sampler *out, fm_error *err);
void sampler_free(sampler *s);

/** FM_ERR_ARG, with what is wrong, when a parameter is out of its range or not finite. */
fm_status sampler_check(const fm_sampling *p, int32_t vocab_size, fm_error *err);

/** The temperature that head_topk gets: `p`'s, but above 0 where that is greedy or so small that a
 * device might take it for 0. */
float sampler_temperature(const fm_sampling *p);

/** A number in [0, 1) with 24 random bits, from seed and counter alone. */
float sampler_uniform(uint64_t seed, uint64_t counter);

/** The token that `p` draws, with its log-probability; `counter` is the number of tokens drawn
 * before in this answer. token->id is -1 when the candidates are too few to say: then
 * sampler_draw_all does. FM_ERR_NOT_FINITE when a logit is not, or becomes so by the edits;
 * FM_ERR_ARG when the row allows no token, which the caller has to put in words. */
fm_status sampler_draw(const fm_sampling *p, const sampler_row *row, uint64_t counter,
                       fm_logprob *token);

/** The same from the row's logits: always a token. Of `row` only the sums are read. */
fm_status sampler_draw_all(sampler *s, const fm_sampling *p, const sampler_row *row,
                           const sampler_logits *all, uint64_t counter, fm_logprob *token);

/** The log-probability of a token by its logit, from the sums of its row. */
float sampler_logprob(const float *sums, float raw);

/** Log-probabilities of the first n of head_topk's best, ids and raw [n], into out [n]. Returns how
 * many there are: fewer than n when the vocabulary is smaller. */
int32_t sampler_alternatives(const float *sums, const int32_t *ids, const float *raw, int32_t n,
                             fm_logprob *out);

#endif
