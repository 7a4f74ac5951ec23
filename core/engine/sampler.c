/*
 * sampler.c - temperature, top-k, top-p, min-p, in this order, and the draw. Sums over candidates
 * run in blocks of 1,024, ascending, so that a result does not depend on how it was computed.
 */
#include "sampler.h"

#include <math.h>
#include <stdlib.h>

enum { SUM_BLOCK = 1024 };

fm_status sampler_new(int32_t vocab_size, sampler *out, fm_error *err) {
    out->vocab_size = vocab_size;
    out->candidates = calloc((size_t)vocab_size, sizeof *out->candidates);
    if (out->candidates) return FM_OK;
    return error_set(err, FM_ERR_MEMORY, "out of memory for a sampler");
}

void sampler_free(sampler *s) {
    free(s->candidates);
    *s = (sampler){0};
}

fm_status sampler_check(const fm_sampling *p, fm_error *err) {
    if (!(p->temperature >= 0.0f && p->temperature <= 100.0f))
        return error_set(err, FM_ERR_ARG, "temperature must be from 0 to 100");
    if (p->top_k < 0) return error_set(err, FM_ERR_ARG, "top_k must not be negative");
    if (!(p->top_p >= 0.0f && p->top_p <= 1.0f))
        return error_set(err, FM_ERR_ARG, "top_p must be from 0 to 1");
    if (!(p->min_p >= 0.0f && p->min_p <= 1.0f))
        return error_set(err, FM_ERR_ARG, "min_p must be from 0 to 1");
    return FM_OK;
}

/* ---- Random numbers -------------------------------------------------------------------------- */

/** One round of SplitMix64's finalizer (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

float sampler_uniform(uint64_t seed, uint64_t counter) {
    uint64_t bits = mix(mix(seed + 0x9e3779b97f4a7c15u) + (counter + 1) * 0x9e3779b97f4a7c15u);
    return (float)(bits >> 40) * 0x1p-24f;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/** Larger logits first, among equals the lower id. */
static int better_first(const void *a, const void *b) {
    const sampler_candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static int32_t best_of(const float *logits, int32_t n) {
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/** Candidates worth sorting, with their relative probabilities: those that can still be drawn. A
 * token more than 60 below the best one (after temperature) has a share under 1e-26, less than a
 * random number of 24 bits resolves. */
static int32_t collect(sampler *s, const fm_sampling *p, const float *logits, float largest) {
    int32_t n = 0;
    for (int32_t i = 0; i < s->vocab_size; i++) {
        float below = (logits[i] - largest) / p->temperature;
        if (below < -60.0f) continue;
        s->candidates[n++] = (sampler_candidate){i, logits[i], expf(below)};
    }
    qsort(s->candidates, (size_t)n, sizeof *s->candidates, better_first);
    return n;
}

static float sum_of(const sampler_candidate *c, int32_t n) {
    float total = 0.0f;
    for (int32_t start = 0; start < n; start += SUM_BLOCK) {
        float block = 0.0f;
        for (int32_t i = start; i < n && i < start + SUM_BLOCK; i++) block += c[i].p;
        total += block;
    }
    return total;
}

/** The shortest prefix whose probability reaches `share` of the first n. */
static int32_t reach(const sampler_candidate *c, int32_t n, float share) {
    float target = share * sum_of(c, n), total = 0.0f;
    for (int32_t start = 0; start < n; start += SUM_BLOCK) {
        float block = 0.0f;
        for (int32_t i = start; i < n && i < start + SUM_BLOCK; i++) {
            block += c[i].p;
            if (total + block >= target) return i + 1;
        }
        total += block;
    }
    return n;
}

/** Sorted candidates that top-k, top-p and min-p leave. At least one. */
static int32_t restrict_to(const sampler_candidate *c, int32_t n, const fm_sampling *p) {
    if (p->top_k > 0 && p->top_k < n) n = p->top_k;
    if (p->top_p > 0.0f && p->top_p < 1.0f) n = reach(c, n, p->top_p);
    while (n > 1 && c[n - 1].p < p->min_p) n--;
    return n;
}

fm_status sampler_draw(sampler *s, const fm_sampling *p, const float *logits, uint64_t counter,
                       int32_t *id) {
    for (int32_t i = 0; i < s->vocab_size; i++)
        if (!isfinite(logits[i])) return FM_ERR_NOT_FINITE;
    int32_t best = best_of(logits, s->vocab_size);
    *id = best;
    if (p->temperature == 0.0f) return FM_OK;
    int32_t n = restrict_to(s->candidates, collect(s, p, logits, logits[best]), p);
    float u = sampler_uniform(p->seed, counter);
    int32_t drawn = reach(s->candidates, n, u);
    *id = s->candidates[drawn - 1].id;
    return FM_OK;
}
