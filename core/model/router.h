/*
 * router.h - which experts a token goes to. A pure module: scores in, plan out, no device and no
 * state. Any thread. Source: deepseek-ai/DeepSeek-V3 inference/model.py, class Gate.
 */
#ifndef FATHOM_MODEL_ROUTER_H
#define FATHOM_MODEL_ROUTER_H

#include "../base/error.h"

enum { ROUTER_MAX_EXPERTS = 4096 };

/** How experts are chosen. E experts in n_groups equal groups; K = top_k chosen from the top_groups
 *  best groups. The caller keeps 1 <= K <= top_groups * (E / n_groups). */
typedef struct router_params {
    int32_t n_experts;
    int32_t top_k;
    int32_t n_groups;   /* 1: no groups */
    int32_t top_groups; /* groups that stay eligible */
    bool normalize;     /* weights of a token divided by their sum */
    float scale;        /* routed_scaling_factor: multiplies the weights */
    const float *bias;  /* [E] added for choosing only, never to a weight; NULL: none */
} router_params;

/** Where every token's row goes. Rows of the experts' input are sorted by expert, and by token
 * within an expert; slot k of token t is row slot_row[t, k]. */
typedef struct router_plan {
    int32_t *experts;   /* [T, K] best first */
    float *weights;     /* [T, K] */
    int32_t *offsets;   /* [E + 1] first row of each expert */
    int32_t *row_token; /* [T*K] */
    int32_t *slot_row;  /* [T, K] */
} router_plan;

/** Memory for plans of up to max_tokens tokens; router_plan_free frees it. */
fm_status router_plan_new(const router_params *params, int32_t max_tokens, router_plan *out,
                          fm_error *err);
void router_plan_free(router_plan *plan);

/** The experts and weights of one token from its router logits [E]. Scores are their sigmoid; with
 *  groups, a group counts the sum of its two best biased scores, and experts of groups that are not
 *  kept are out, whatever their score. Ties go to the lower id. Always gives K different valid ids,
 * also when logits are not finite. */
void router_choose(const router_params *params, const float *logits, int32_t *experts,
                   float *weights);

/** Routes n_tokens tokens, logits [T, E], and sorts them by expert. */
void router_route(const router_params *params, const float *logits, int32_t n_tokens,
                  router_plan *plan);

#endif
