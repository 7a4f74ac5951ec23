/*
 * test_router.c - choices of experts against hand-made cases and an independent reimplementation in
 * float64, and the sorted plan against a naive one.
 */
#include <math.h>
#include <stdlib.h>

#include "model/router.h"
#include "support/expect.h"
#include "support/stream.h"

enum { MAX_E = 256, MAX_K = 16, MAX_T = 300 };

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

/* ---- Cases by hand --------------------------------------------------------------------------- */

#define BIAS(...) ((const float[]){__VA_ARGS__})

/** `p` lists E, K, groups, kept groups, normalize, scale, bias; `experts` what must come out. */
static const struct choice {
    const char *name;
    router_params p;
    float logits[8];
    int32_t experts[8];
} choices[] = {
    {"tie of experts", {5, 2, 1, 1, true, 1, NULL}, {0, 1, 1, 0, 1}, {1, 2}},
    {"all the same", {5, 3, 1, 1, true, 1, NULL}, {7, 7, 7, 7, 7}, {0, 1, 2}},
    {"saturated scores tie", {4, 2, 1, 1, true, 1, NULL}, {80, 900, 90, 100}, {0, 1}},
    {"tie of all groups", {6, 4, 3, 2, true, 1, NULL}, {1, 1, 1, 1, 1, 1}, {0, 1, 2, 3}},
    {"tie of the last groups", {6, 3, 3, 2, true, 1, NULL}, {0, 0, 1, 1, 0, 0}, {2, 3, 0}},
    {"best first", {4, 3, 1, 1, true, 1, NULL}, {-1, 2, 0, 1}, {1, 3, 2}},
    {"bias lifts", {4, 2, 1, 1, true, 1, BIAS(0, 0, 0, 5)}, {2, 1, 0, -3}, {3, 0}},
    {"bias sinks", {4, 2, 1, 1, true, 1, BIAS(-5, 0, 0, 0)}, {2, 1, 0, -3}, {1, 2}},
    {"bias breaks a tie", {3, 1, 1, 1, true, 1, BIAS(0, 0, .01f)}, {1, 1, 1}, {2}},
    {"groups: not the best one", {4, 1, 2, 1, true, 1, NULL}, {3, -9, 1, 1}, {2}},
    {"groups: not the sum of all", {6, 1, 2, 1, true, 1, NULL}, {1, 1, -9, .5f, .5f, .5f}, {0}},
    {"groups of one", {4, 2, 4, 2, true, 1, NULL}, {0, 3, 1, 2}, {1, 3}},
    {"groups by biased scores", {4, 1, 2, 1, true, 1, BIAS(0, 0, 1, 0)}, {2, 2, 0, 0}, {2}},
    {"groups left out are out", {4, 2, 2, 1, true, 1, BIAS(0, -3, -1, -1)}, {2, -9, 0, 0}, {2, 3}},
    {"all groups kept", {4, 3, 2, 2, true, 1, NULL}, {3, -9, 1, 1}, {0, 2, 3}},
    {"every expert", {4, 4, 1, 1, true, 2.5f, NULL}, {0, 3, 1, 2}, {1, 3, 2, 0}},
    {"every expert of the kept", {4, 2, 2, 1, false, 2, NULL}, {0, 1, 3, 2}, {2, 3}},
    {"one expert", {1, 1, 1, 1, true, 2.5f, NULL}, {-4}, {0}},
    {"normalized, all scores zero",
     {3, 2, 1, 1, true, 2.5f, NULL},
     {-1000, -1000, -INFINITY},
     {0, 1}},
    {"not normalized", {4, 2, 1, 1, false, 1, NULL}, {0, 3, 1, 2}, {1, 3}},
    {"not normalized, scaled", {4, 2, 1, 1, false, 16, BIAS(1, 0, 0, 0)}, {0, 3, 1, 2}, {0, 1}},
    {"normalized, scaled", {4, 2, 1, 1, true, 2.5f, BIAS(1, 0, 0, 0)}, {0, 3, 1, 2}, {0, 1}},
};

/** Weights come from scores without bias. */
static double weight_of(const router_params *p, const float *logits, const int32_t *experts,
                        int32_t k) {
    double sum = 1e-20;
    for (int32_t i = 0; i < p->top_k; i++) sum += sigmoid((double)logits[experts[i]]);
    double score = sigmoid((double)logits[experts[k]]);
    return (double)p->scale * (p->normalize ? score / sum : score);
}

static void router_hand_made_cases_choose_as_written(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const struct choice *c = &choices[i];
        int32_t experts[8];
        float weights[8];
        router_choose(&c->p, c->logits, experts, weights);
        for (int32_t k = 0; k < c->p.top_k; k++) {
            if (experts[k] != c->experts[k])
                fail_msg("%s: slot %d is expert %d, not %d", c->name, k, experts[k], c->experts[k]);
            double expected = weight_of(&c->p, c->logits, experts, k);
            if (!(fabs((double)weights[k] - expected) <= 1e-6 * fabs(expected)))
                fail_msg("%s: weight %d is %g, not %g", c->name, k, (double)weights[k], expected);
        }
    }
}

static void router_bias_never_enters_a_weight(void **state) {
    (void)state;
    const float logits[4] = {1, 1, 1, 1}, bias[4] = {0.25f, 0.5f, -7, -7};
    const router_params plain = {4, 2, 1, 1, true, 1, NULL}, biased = {4, 2, 1, 1, true, 1, bias};
    int32_t experts[2], moved[2];
    float weights[2], same[2];
    router_choose(&plain, logits, experts, weights);
    router_choose(&biased, logits, moved, same);
    assert_int_equal(moved[0], 1);
    assert_int_equal(moved[1], 0);
    assert_memory_equal(weights, same, sizeof weights);
}

/* ---- Values that are not finite -------------------------------------------------------------- */

static void expect_valid(const router_params *p, const float *logits) {
    int32_t experts[MAX_K];
    float weights[MAX_K];
    bool seen[MAX_E] = {false};
    router_choose(p, logits, experts, weights);
    for (int32_t k = 0; k < p->top_k; k++) {
        assert_in_range(experts[k], 0, p->n_experts - 1);
        assert_false(seen[experts[k]]);
        seen[experts[k]] = true;
    }
}

static void router_not_finite_logits_still_give_valid_experts(void **state) {
    (void)state;
    const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0.0f};
    stream s = {1};
    for (int i = 0; i < 2000; i++) {
        float logits[16], bias[16];
        router_params p = {16, 6, i % 3 == 0 ? 1 : 4, 0, i % 2 == 0, 2.5f, i % 5 ? NULL : bias};
        p.top_groups = p.n_groups == 1 ? 1 : 2;
        for (int e = 0; e < 16; e++) {
            logits[e] = i < 6 ? odd[i] : odd[stream_between(&s, 0, 5)];
            bias[e] = odd[stream_between(&s, 0, 5)];
        }
        expect_valid(&p, logits);
    }
}

static void router_nan_is_chosen_last(void **state) {
    (void)state;
    const float logits[4] = {NAN, -50, NAN, 1};
    int32_t experts[4];
    float weights[4];
    router_choose(&(router_params){4, 4, 1, 1, true, 1, NULL}, logits, experts, weights);
    assert_memory_equal(experts, ((const int32_t[]){3, 1, 0, 2}), sizeof experts);
}

/* ---- An independent reimplementation in float64 ---------------------------------------------- */

typedef struct ranked {
    double score;
    int32_t id;
} ranked;

static int higher_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id - y->id;
}

/** The smallest distance between neighbours of the first n + 1 of `total` sorted values. */
static double smallest_gap(const ranked *r, int32_t n, int32_t total) {
    double gap = INFINITY;
    for (int32_t i = 0; i < n && i + 1 < total; i++) gap = fmin(gap, r[i].score - r[i + 1].score);
    return gap;
}

/** Chooses by sorting. Returns how close the closest decision was. */
static double choose_by_sorting(const router_params *p, const float *logits, int32_t *experts) {
    int32_t size = p->n_experts / p->n_groups, n = 0;
    ranked group[MAX_E], in[MAX_E], kept[MAX_E];
    for (int32_t g = 0; g < p->n_groups; g++) {
        for (int32_t i = 0; i < size; i++) {
            int32_t e = g * size + i;
            double bias = p->bias ? (double)p->bias[e] : 0.0;
            in[i] = (ranked){sigmoid((double)logits[e]) + bias, e};
        }
        qsort(in, (size_t)size, sizeof *in, higher_first);
        group[g] = (ranked){in[0].score + (size > 1 ? in[1].score : 0.0), g};
    }
    qsort(group, (size_t)p->n_groups, sizeof *group, higher_first);
    bool all = p->top_groups == p->n_groups;
    double gap = all ? INFINITY : group[p->top_groups - 1].score - group[p->top_groups].score;
    for (int32_t g = 0; g < p->top_groups; g++)
        for (int32_t e = group[g].id * size; e < (group[g].id + 1) * size; e++, n++)
            kept[n] = (ranked){sigmoid((double)logits[e]) + (p->bias ? (double)p->bias[e] : 0), e};
    qsort(kept, (size_t)n, sizeof *kept, higher_first);
    for (int32_t k = 0; k < p->top_k; k++) experts[k] = kept[k].id;
    return fmin(gap, smallest_gap(kept, p->top_k, n));
}

static router_params random_params(stream *s, int32_t max_e) {
    static const int32_t groups[] = {1, 1, 2, 3, 4, 8};
    router_params p = {.n_groups = groups[stream_between(s, 0, 5)]};
    int32_t size = stream_between(s, 1, max_e / p.n_groups);
    p.n_experts = size * p.n_groups;
    p.top_groups = stream_between(s, 1, p.n_groups);
    int32_t most = size * p.top_groups;
    p.top_k = stream_between(s, 1, most < MAX_K ? most : MAX_K);
    p.normalize = stream_between(s, 0, 1) == 1;
    p.scale = (float)stream_between(s, 1, 16) * 0.5f;
    return p;
}

static void router_random_choices_agree_with_float64(void **state) {
    (void)state;
    stream s = {2};
    int compared = 0;
    for (int i = 0; i < 10000; i++) {
        float logits[MAX_E], bias[MAX_E], weights[MAX_K];
        int32_t experts[MAX_K], expected[MAX_K];
        router_params p = random_params(&s, MAX_E);
        for (int32_t e = 0; e < p.n_experts; e++) {
            logits[e] = (float)stream_value(&s, 4.0);
            bias[e] = (float)stream_value(&s, 1.5);
        }
        if (i % 2) p.bias = bias;
        /* Closer decisions than this may turn on the rounding of a float32 score. */
        if (choose_by_sorting(&p, logits, expected) < 1e-6) continue;
        router_choose(&p, logits, experts, weights);
        assert_memory_equal(experts, expected, (size_t)p.top_k * sizeof *experts);
        for (int32_t k = 0; k < p.top_k; k++) {
            double weight = weight_of(&p, logits, experts, k);
            assert_true(fabs((double)weights[k] - weight) <= 2e-6 * weight);
        }
        compared++;
    }
    assert_true(compared > 9000);
}

/* ---- Plans ----------------------------------------------------------------------------------- */

/** Checks a plan against rows that are counted out by expert, token and slot. */
static void expect_plan(const router_params *p, int32_t n_tokens, const router_plan *plan) {
    int32_t row = 0;
    for (int32_t e = 0; e < p->n_experts; e++) {
        assert_int_equal(plan->offsets[e], row);
        for (int32_t i = 0; i < n_tokens * p->top_k; i++) {
            if (plan->experts[i] != e) continue;
            assert_int_equal(plan->slot_row[i], row);
            assert_int_equal(plan->row_token[row], i / p->top_k);
            row++;
        }
    }
    assert_int_equal(plan->offsets[p->n_experts], row);
    assert_int_equal(row, n_tokens * p->top_k);
}

static void router_plans_agree_with_naive_ones(void **state) {
    (void)state;
    stream s = {3};
    float *logits = malloc((size_t)MAX_T * MAX_E * sizeof *logits);
    assert_non_null(logits);
    for (int i = 0; i < 120; i++) {
        router_params p = random_params(&s, i < 4 ? 1 << (2 * i + 2) : MAX_E);
        router_plan plan;
        assert_int_equal(router_plan_new(&p, MAX_T, &plan, NULL), FM_OK);
        /* A plan is used again for each step; the larger one must leave nothing behind. */
        for (int32_t step = 0; step < 2; step++) {
            int32_t n_tokens = step == 0 ? stream_between(&s, 1, MAX_T) : 1 + i % 3;
            for (int32_t k = 0; k < n_tokens * p.n_experts; k++)
                logits[k] = (float)stream_between(&s, -3, 3); /* many ties */
            router_route(&p, logits, n_tokens, &plan);
            expect_plan(&p, n_tokens, &plan);
        }
        router_plan_free(&plan);
    }
    free(logits);
}

static void router_plan_routes_each_token_as_alone(void **state) {
    (void)state;
    stream s = {4};
    router_params p = {64, 6, 8, 3, true, 2.5f, NULL};
    float logits[50 * 64], weights[6];
    int32_t experts[6];
    router_plan plan;
    for (size_t i = 0; i < 50 * 64; i++) logits[i] = (float)stream_value(&s, 3.0);
    assert_int_equal(router_plan_new(&p, 50, &plan, NULL), FM_OK);
    router_route(&p, logits, 50, &plan);
    for (int32_t t = 0; t < 50; t++) {
        router_choose(&p, logits + t * 64, experts, weights);
        assert_memory_equal(plan.experts + t * 6, experts, sizeof experts);
        assert_memory_equal(plan.weights + t * 6, weights, sizeof weights);
    }
    router_plan_free(&plan);
    router_plan_free(&plan); /* freed plans are empty ones */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(router_hand_made_cases_choose_as_written),
        cmocka_unit_test(router_bias_never_enters_a_weight),
        cmocka_unit_test(router_not_finite_logits_still_give_valid_experts),
        cmocka_unit_test(router_nan_is_chosen_last),
        cmocka_unit_test(router_random_choices_agree_with_float64),
        cmocka_unit_test(router_plans_agree_with_naive_ones),
        cmocka_unit_test(router_plan_routes_each_token_as_alone),
    };
    return cmocka_run_group_tests_name("test_router", tests, NULL, NULL);
}
