/*
 * sampler.c - temperature, top-k, top-p, min-p, in this order, and the draw, over tokens in the
 * order of their rank. Candidates come ranked; a whole row is a heap of which only as many tokens
 * are taken as the draw looks at.
 */
#include "sampler.h"

#include <math.h>
#include <stdlib.h>

fm_status sampler_new(int32_t vocab_size, sampler *out, fm_error *err) {
    out->vocab_size = vocab_size;
    out->ranked = calloc((size_t)vocab_size, sizeof *out->ranked);
    if (out->ranked) return FM_OK;
    return error_set(err, FM_ERR_MEMORY, "out of memory for a sampler");
}

void sampler_free(sampler *s) {
    free(s->ranked);
    *s = (sampler){0};
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static fm_status check_bias(const fm_sampling *p, int32_t vocab_size, fm_error *err) {
    if (p->n_bias > FM_LOGIT_BIAS_MAX)
        return error_set(err, FM_ERR_ARG, "logit bias for %zu tokens: give at most %d", p->n_bias,
                         (int)FM_LOGIT_BIAS_MAX);
    if (p->n_bias > 0 && !p->bias) return error_set(err, FM_ERR_ARG, "the logit bias is missing");
    for (size_t i = 0; i < p->n_bias; i++) {
        int id = (int)p->bias[i].id;
        if (id < 0 || id >= vocab_size)
            return error_set(err, FM_ERR_ARG,
                             "logit bias for token %d, which is outside the vocabulary of %d", id,
                             (int)vocab_size);
        if (!isfinite(p->bias[i].bias))
            return error_set(err, FM_ERR_ARG, "the logit bias of token %d is not finite", id);
        for (size_t k = 0; k < i; k++)
            if (p->bias[k].id == p->bias[i].id)
                return error_set(err, FM_ERR_ARG, "two values of logit bias for token %d", id);
    }
    return FM_OK;
}

static fm_status check_penalties(const fm_sampling *p, fm_error *err) {
    float r = p->repetition_penalty;
    if (r != 0.0f && !(r >= 0.01f && r <= 100.0f))
        return error_set(err, FM_ERR_ARG, "repetition_penalty must be 0 or from 0.01 to 100");
    if (!(fabsf(p->frequency_penalty) <= 2.0f))
        return error_set(err, FM_ERR_ARG, "frequency_penalty must be from -2 to 2");
    if (!(fabsf(p->presence_penalty) <= 2.0f))
        return error_set(err, FM_ERR_ARG, "presence_penalty must be from -2 to 2");
    return FM_OK;
}

fm_status sampler_check(const fm_sampling *p, int32_t vocab_size, fm_error *err) {
    if (!(p->temperature >= 0.0f && p->temperature <= 100.0f))
        return error_set(err, FM_ERR_ARG, "temperature must be from 0 to 100");
    if (p->top_k < 0) return error_set(err, FM_ERR_ARG, "top_k must not be negative");
    if (!(p->top_p >= 0.0f && p->top_p <= 1.0f))
        return error_set(err, FM_ERR_ARG, "top_p must be from 0 to 1");
    if (!(p->min_p >= 0.0f && p->min_p <= 1.0f))
        return error_set(err, FM_ERR_ARG, "min_p must be from 0 to 1");
    FM_TRY(check_penalties(p, err));
    return check_bias(p, vocab_size, err);
}

float sampler_temperature(const fm_sampling *p) {
    if (p->temperature == 0.0f) return 1.0f;
    return p->temperature > 1e-30f ? p->temperature : 1e-30f;
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

/* ---- Tokens by rank -------------------------------------------------------------------------- */

/** The allowed tokens of a row, best first, as far as they are known. */
typedef struct ranking {
    const sampler_row *row; /* ids and values of candidates, unless there is a heap */
    sampler_ranked
        *heap; /* [n]: a heap of n - n_taken tokens, then the taken ones, the best last */
    int32_t n;
    int32_t n_taken;
    bool complete; /* no allowed token is missing */
    float temperature;
} ranking;

static bool is_better(sampler_ranked a, sampler_ranked b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
}

/** Puts `token` into the heap [n] in place of the one at `at`, whose children are heaps. */
static void sift_down(sampler_ranked *heap, int32_t n, int32_t at, sampler_ranked token) {
    for (;;) {
        int64_t child = 2 * (int64_t)at + 1;
        if (child >= n) break;
        if (child + 1 < n && is_better(heap[child + 1], heap[child])) child++;
        if (!is_better(heap[child], token)) break;
        heap[at] = heap[child];
        at = (int32_t)child;
    }
    heap[at] = token;
}

/** The token of a rank below r->n; ranks are asked for without gaps. */
static sampler_ranked token_at(ranking *r, int32_t rank) {
    if (!r->heap) return (sampler_ranked){r->row->ids[rank], r->row->values[rank]};
    while (r->n_taken <= rank) {
        int32_t last = r->n - ++r->n_taken;
        sampler_ranked moved = r->heap[last];
        r->heap[last] = r->heap[0];
        sift_down(r->heap, last, 0, moved);
    }
    return r->heap[r->n - 1 - rank];
}

static double share_at(ranking *r, int32_t rank) {
    return (double)expf((token_at(r, rank).value - r->row->sums[2]) / r->temperature);
}

static ranking rank_candidates(const sampler_row *row, float temperature) {
    ranking r = {.row = row, .n = row->n, .temperature = temperature};
    for (int32_t i = 0; i < row->n && !r.complete; i++) {
        r.complete = row->ids[i] < 0;
        if (r.complete) r.n = i;
    }
    return r;
}

static ranking rank_all(const sampler *s, const sampler_row *row, const sampler_logits *all,
                        float temperature) {
    ranking r = {.row = row, .heap = s->ranked, .complete = true, .temperature = temperature};
    int32_t n_edits = all->edits ? all->edits->n : 0, edit = 0;
    for (int32_t id = 0; id < s->vocab_size; id++) {
        float value = all->logits[id];
        if (edit < n_edits && all->edits->ids[edit] == id) {
            value = penalty_apply(value, all->edits->scales[edit], all->edits->adds[edit]);
            edit++;
        }
        if (all->mask && !(all->mask[id / 32] >> id % 32 & 1u)) continue;
        if (value > -INFINITY) r.heap[r.n++] = (sampler_ranked){id, value};
    }
    for (int32_t at = r.n / 2 - 1; at >= 0; at--) sift_down(r.heap, r.n, at, r.heap[at]);
    return r;
}

/* ---- The draw -------------------------------------------------------------------------------- */

/** What the restrictions leave: the first n ranks, and what their shares sum up to. */
typedef struct kept {
    int32_t n; /* INT32_MAX without restrictions */
    double total;
} kept;

/** Whether rank `rank` is there to be asked for. Clears *enough when it may exist but is not at
 * hand. */
static bool has_rank(const ranking *r, int32_t rank, bool *enough) {
    if (rank < r->n) return true;
    if (!r->complete) *enough = false;
    return false;
}

static double sum_of_first(ranking *r, int32_t n, bool *enough) {
    double sum = 0.0;
    for (int32_t rank = 0; rank < n && has_rank(r, rank, enough); rank++) sum += share_at(r, rank);
    return sum;
}

static kept restrict_to(ranking *r, const fm_sampling *p, bool *enough) {
    bool has_top_p = p->top_p > 0.0f && p->top_p < 1.0f;
    int32_t limit = p->top_k > 0 ? p->top_k : INT32_MAX;
    kept k = {INT32_MAX, (double)r->row->sums[3]};
    if (!has_top_p && p->top_k == 0 && p->min_p == 0.0f) return k;
    double nucleus = HUGE_VAL;
    if (has_top_p && p->top_k > 0) k.total = sum_of_first(r, limit, enough);
    if (has_top_p) nucleus = (double)p->top_p * k.total;
    k.total = 0.0;
    for (k.n = 0; *enough && k.n < limit && k.total < nucleus && has_rank(r, k.n, enough); k.n++) {
        double share = share_at(r, k.n);
        if (k.n > 0 && share < (double)p->min_p) break;
        k.total += share;
    }
    return k;
}

/** The first rank at which the sum of shares reaches the part `u` of what is kept. Where rounding
 * keeps it from being reached, the last rank that has a share. */
static int32_t draw_rank(ranking *r, const kept *k, double u, bool *enough) {
    double target = u * k->total, sum = 0.0;
    int32_t rank = 0;
    for (; rank < k->n && has_rank(r, rank, enough); rank++) {
        double share = share_at(r, rank);
        if (rank > 0 && share == 0.0) break;
        sum += share;
        if (sum >= target) return rank;
    }
    return rank - 1;
}

static fm_status check_sums(const float *sums) {
    if (!isfinite(sums[0]) || !isfinite(sums[1])) return FM_ERR_NOT_FINITE;
    if (sums[2] == -INFINITY) return FM_ERR_ARG;
    return isfinite(sums[2]) && isfinite(sums[3]) ? FM_OK : FM_ERR_NOT_FINITE;
}

/** The rank that `p` draws; -1 when the ranking does not reach as far. */
static int32_t draw(ranking *r, const fm_sampling *p, uint64_t counter) {
    bool enough = true;
    if (p->temperature == 0.0f) return 0;
    kept k = restrict_to(r, p, &enough);
    if (!enough) return -1;
    int32_t rank = draw_rank(r, &k, (double)sampler_uniform(p->seed, counter), &enough);
    return enough ? rank : -1;
}

fm_status sampler_draw(const fm_sampling *p, const sampler_row *row, uint64_t counter,
                       fm_logprob *token) {
    FM_TRY(check_sums(row->sums));
    ranking r = rank_candidates(row, sampler_temperature(p));
    int32_t rank = draw(&r, p, counter);
    *token = (fm_logprob){.id = -1};
    if (rank >= 0)
        *token = (fm_logprob){row->ids[rank], sampler_logprob(row->sums, row->raw[rank])};
    return FM_OK;
}

fm_status sampler_draw_all(sampler *s, const fm_sampling *p, const sampler_row *row,
                           const sampler_logits *all, uint64_t counter, fm_logprob *token) {
    FM_TRY(check_sums(row->sums));
    ranking r = rank_all(s, row, all, sampler_temperature(p));
    if (r.n == 0) return FM_ERR_ARG;
    int32_t id = token_at(&r, draw(&r, p, counter)).id;
    *token = (fm_logprob){id, sampler_logprob(row->sums, all->logits[id])};
    return FM_OK;
}

/* ---- Log-probabilities ----------------------------------------------------------------------- */

float sampler_logprob(const float *sums, float raw) {
    return (float)((double)raw - (double)sums[0] - log((double)sums[1]));
}

int32_t sampler_alternatives(const float *sums, const int32_t *ids, const float *raw, int32_t n,
                             fm_logprob *out) {
    int32_t i = 0;
    for (; i < n && ids[i] >= 0; i++) out[i] = (fm_logprob){ids[i], sampler_logprob(sums, raw[i])};
    return i;
}
