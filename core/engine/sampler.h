/*
 * sampler.h - draws the next token from logits. The random numbers are a function of seed and
 * position in the answer, so that the same request gives the same tokens whatever else runs. A
 * sampler owns its scratch memory; one thread at a time.
 */
#ifndef FATHOM_ENGINE_SAMPLER_H
#define FATHOM_ENGINE_SAMPLER_H

#include "../base/error.h"

typedef struct sampler_candidate {
    int32_t id;
    float logit;
    float p; /* exp(logit - largest), after temperature: relative to the best token */
} sampler_candidate;

typedef struct sampler {
    int32_t vocab_size;
    sampler_candidate *candidates; /* [vocab_size] */
} sampler;

fm_status sampler_new(int32_t vocab_size, sampler *out, fm_error *err);
void sampler_free(sampler *s);

/** FM_ERR_ARG, with what is wrong, when a parameter is out of its range or not finite. */
fm_status sampler_check(const fm_sampling *p, fm_error *err);

/** A number in [0, 1) with 24 random bits, from seed and counter alone. */
float sampler_uniform(uint64_t seed, uint64_t counter);

/** The token that `p` draws from logits [vocab_size]; `counter` is the number of tokens drawn
 * before in this answer. FM_ERR_NOT_FINITE when a logit is not. */
fm_status sampler_draw(sampler *s, const fm_sampling *p, const float *logits, uint64_t counter,
                       int32_t *id);

#endif
