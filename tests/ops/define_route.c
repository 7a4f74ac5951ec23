/* define_route.c - owns what route means: each token's N best of K experts, from the H best of G
 * groups, and all slots sorted by expert. */
#include "case.h"

#include <math.h>
#include <stdlib.h>

/* ---- The call -------------------------------------------------------------------------------- */

/* Logits of some width, or of few values whose scores and sums of scores are equal or far apart. */
static void route_logits(op_case *c) {
    static const double values[] = {-3, -0.5, 0.25, 2, 5};
    const fm_tensor *logits = &c->args.route.logits;
    case_fill(c, *logits);
    for (int64_t t = 0; t < c->shape.T && c->shape.flags & TIED; t++)
        for (int64_t e = 0; e < c->shape.K; e++)
            host_set(logits, t, e, 0, values[random_below(&c->random, 5)]);
}

static void route_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_route *a = &c->args.route;
    a->logits = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->K);
    route_logits(c);
    if (s->flags & BIAS) {
        a->bias = case_tensor_1d(c, FM_DTYPE_F32, s->K);
        case_fill(c, a->bias);
    }
    a->n_groups = s->G;
    a->top_groups = s->H;
    a->normalize = s->flags & NORMALIZED;
    a->scale = 2.5f;
    a->experts = case_tensor_2d(c, FM_DTYPE_I32, s->T, s->N);
    a->offsets = case_tensor_1d(c, FM_DTYPE_I32, s->K + 1);
    a->row_token = case_tensor_2d(c, FM_DTYPE_I32, (int64_t)s->T * s->N, 1);
    a->slot_row = case_tensor_2d(c, FM_DTYPE_I32, s->T, s->N);
    a->weights = case_tensor_2d(c, FM_DTYPE_F32, s->T, s->N);
}

/* ---- The reference --------------------------------------------------------------------------- */

/** An expert or a group, and what it is ranked by. */
typedef struct scored {
    int64_t id;
    double score;
} scored;

/* NaN comes last, the lower of equals first. */
static int better_first(const void *x, const void *y) {
    const scored *a = x, *b = y;
    if (isnan(a->score) != isnan(b->score)) return isnan(a->score) ? 1 : -1;
    if (a->score > b->score || a->score < b->score) return a->score > b->score ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static double route_score(const fm_route *a, int64_t t, int64_t e) {
    return 1 / (1 + exp(-host_get(&a->logits, t, e, 0)));
}

/** The sum of the two best of a group's experts, in whatever order: the one best where there is
 * one. */
static double group_score(const scored *experts, int64_t n) {
    double best[2] = {-HUGE_VAL, -HUGE_VAL};
    for (int64_t i = 0; i < n; i++) {
        double score = isnan(experts[i].score) ? -HUGE_VAL : experts[i].score;
        best[1] = fmax(best[1], fmin(best[0], score));
        best[0] = fmax(best[0], score);
    }
    return n > 1 ? best[0] + best[1] : best[0];
}

/** Ranks the experts of the groups that are kept: `order` [K]; `groups` [G] is scratch. */
static void rank_experts(const fm_route *a, int64_t t, scored *order, scored *groups) {
    int64_t n = a->logits.size[1], size = n / a->n_groups;
    for (int64_t e = 0; e < n; e++) {
        double bias = a->bias.buf ? host_get(&a->bias, e, 0, 0) : 0;
        order[e] = (scored){e, route_score(a, t, e) + bias};
    }
    for (int64_t g = 0; g < a->n_groups; g++)
        groups[g] = (scored){g, group_score(order + g * size, size)};
    qsort(groups, (size_t)a->n_groups, sizeof *groups, better_first);
    /* Kept groups to the front; experts stay apart by their ids, whatever their place. */
    scored *kept = malloc((size_t)n * sizeof *kept);
    if (!kept) abort();
    for (int64_t i = 0; i < a->top_groups * size; i++)
        kept[i] = order[groups[i / size].id * size + i % size];
    for (int64_t i = 0; i < a->top_groups * size; i++) order[i] = kept[i];
    qsort(order, (size_t)(a->top_groups * size), sizeof *order, better_first);
    free(kept);
}

/** Weights [N] of a token's experts. */
static void weigh(const fm_route *a, int64_t t, const scored *chosen, double *weights) {
    double sum = 0;
    for (int64_t k = 0; k < a->weights.size[1]; k++) {
        weights[k] = route_score(a, t, chosen[k].id);
        sum += weights[k];
    }
    double factor = (double)a->scale / (a->normalize ? sum + 1e-20 : 1);
    for (int64_t k = 0; k < a->weights.size[1]; k++) weights[k] *= factor;
}

/** Goes through all slots once for each expert. */
static void sort_slots(const fm_route *a, const double *experts, double *offsets, double *row_token,
                       double *slot_row) {
    int64_t n = a->logits.size[1], n_chosen = a->weights.size[1];
    int64_t n_slots = a->logits.size[0] * n_chosen, row = 0;
    for (int64_t e = 0; e < n; e++) {
        offsets[e] = (double)row;
        for (int64_t i = 0; i < n_slots; i++) {
            if (experts[i] != (double)e) continue;
            row_token[row] = (double)(i / n_chosen);
            slot_row[i] = (double)row++;
        }
    }
    offsets[n] = (double)row;
}

static void route_reference(const op_args *args, double *expected) {
    const fm_route *a = &args->route;
    int64_t n = a->logits.size[1], n_chosen = a->weights.size[1], n_tokens = a->logits.size[0];
    double *offsets = expected + n_tokens * n_chosen, *row_token = offsets + n + 1;
    double *slot_row = row_token + n_tokens * n_chosen, *weights = slot_row + n_tokens * n_chosen;
    scored *order = malloc((size_t)(n + a->n_groups) * sizeof *order);
    if (!order) abort();
    for (int64_t t = 0; t < n_tokens; t++) {
        rank_experts(a, t, order, order + n);
        for (int64_t k = 0; k < n_chosen; k++) expected[t * n_chosen + k] = (double)order[k].id;
        weigh(a, t, order, weights + t * n_chosen);
    }
    sort_slots(a, expected, offsets, row_token, slot_row);
    free(order);
}

const op_definition define_route = {
    .build = route_build,
    .reference = route_reference,
    .operands = {{offsetof(fm_route, logits), true},
                 {offsetof(fm_route, bias), false},
                 {offsetof(fm_route, experts), true},
                 {offsetof(fm_route, offsets), false},
                 {offsetof(fm_route, row_token), false},
                 {offsetof(fm_route, slot_row), false},
                 {offsetof(fm_route, weights), true}},
    .n_operands = 7,
    .n_more_outputs = 4,
};
