/* router.c - choosing experts, and sorting tokens by expert. */
#include "router.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fm_status router_plan_new(const router_params *params, int32_t max_tokens, router_plan *out,
                          fm_error *err) {
    size_t n_slots = (size_t)max_tokens * (size_t)params->top_k;
    *out = (router_plan){
        .experts = calloc(n_slots, sizeof *out->experts),
        .weights = calloc(n_slots, sizeof *out->weights),
        .offsets = calloc((size_t)params->n_experts + 1, sizeof *out->offsets),
        .row_token = calloc(n_slots, sizeof *out->row_token),
        .slot_row = calloc(n_slots, sizeof *out->slot_row),
    };
    if (out->experts && out->weights && out->offsets && out->row_token && out->slot_row)
        return FM_OK;
    router_plan_free(out);
    return error_set(err, FM_ERR_MEMORY, "out of memory for a routing plan of %zu rows", n_slots);
}

void router_plan_free(router_plan *plan) {
    free(plan->experts);
    free(plan->weights);
    free(plan->offsets);
    free(plan->row_token);
    free(plan->slot_row);
    *plan = (router_plan){0};
}

/** The index of the largest value that is still eligible; the lowest one among equals. At least one
 *  is eligible; NaN, which compares with nothing, is taken when nothing else is left. */
static int32_t best_of(const float *values, const bool *eligible, int32_t n) {
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++)
        if (eligible[i] &&
            (best < 0 || values[i] > values[best] || (isnan(values[best]) && !isnan(values[i]))))
            best = i;
    return best;
}

/** The sum of the two largest of n values (the largest alone when n is 1). */
static float two_best(const float *values, int32_t n) {
    float first = -INFINITY, second = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        if (values[i] > first) {
            second = first;
            first = values[i];
        } else if (values[i] > second) {
            second = values[i];
        }
    }
    return n > 1 ? first + second : first;
}

/** Leaves only the experts of the best groups eligible. */
static void keep_groups(const router_params *p, const float *biased, bool *eligible) {
    int32_t size = p->n_experts / p->n_groups;
    float score[ROUTER_MAX_EXPERTS];
    bool open[ROUTER_MAX_EXPERTS];
    for (int32_t g = 0; g < p->n_groups; g++) {
        score[g] = two_best(biased + g * size, size);
        open[g] = true;
    }
    memset(eligible, 0, (size_t)p->n_experts * sizeof *eligible);
    for (int32_t i = 0; i < p->top_groups; i++) {
        int32_t g = best_of(score, open, p->n_groups);
        open[g] = false;
        for (int32_t e = g * size; e < (g + 1) * size; e++) eligible[e] = true;
    }
}

void router_choose(const router_params *p, const float *logits, int32_t *experts, float *weights) {
    float scores[ROUTER_MAX_EXPERTS], biased[ROUTER_MAX_EXPERTS];
    bool eligible[ROUTER_MAX_EXPERTS];
    for (int32_t e = 0; e < p->n_experts; e++) {
        scores[e] = (float)(1.0 / (1.0 + exp(-(double)logits[e])));
        biased[e] = p->bias ? scores[e] + p->bias[e] : scores[e];
        eligible[e] = true;
    }
    if (p->n_groups > 1) keep_groups(p, biased, eligible);
    float sum = 0.0f;
    for (int32_t k = 0; k < p->top_k; k++) {
        experts[k] = best_of(biased, eligible, p->n_experts);
        eligible[experts[k]] = false;
        weights[k] = scores[experts[k]];
        sum += weights[k];
    }
    float factor = p->normalize ? p->scale / (sum + 1e-20f) : p->scale;
    for (int32_t k = 0; k < p->top_k; k++) weights[k] *= factor;
}

/** Gives every slot its row: a counting sort by expert that keeps the tokens' order. */
static void sort_rows(const router_params *p, int32_t n_tokens, router_plan *plan) {
    int32_t next[ROUTER_MAX_EXPERTS], n_slots = n_tokens * p->top_k;
    memset(plan->offsets, 0, ((size_t)p->n_experts + 1) * sizeof *plan->offsets);
    for (int32_t i = 0; i < n_slots; i++) plan->offsets[plan->experts[i] + 1]++;
    for (int32_t e = 0; e < p->n_experts; e++) {
        plan->offsets[e + 1] += plan->offsets[e];
        next[e] = plan->offsets[e];
    }
    for (int32_t i = 0; i < n_slots; i++) {
        int32_t row = next[plan->experts[i]]++;
        plan->slot_row[i] = row;
        plan->row_token[row] = i / p->top_k;
    }
}

void router_route(const router_params *p, const float *logits, int32_t n_tokens,
                  router_plan *plan) {
    for (int32_t t = 0; t < n_tokens; t++)
        router_choose(p, logits + (int64_t)t * p->n_experts, plan->experts + t * p->top_k,
                      plan->weights + t * p->top_k);
    sort_rows(p, n_tokens, plan);
}
