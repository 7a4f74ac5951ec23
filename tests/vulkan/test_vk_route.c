/*
 * test_vk_route.c - route gives the plan of core/model/router.h, id for id. Where two biased scores
 * lie closer than a sigmoid is rounded either may come first, so such slots are told apart; where
 * scores are equal, or differ by more, there is no such excuse.
 */
#include <math.h>
#include <stdio.h>

#include "model/router.h"
#include "support/vulkan_shim.h"
#include "vk_rig.h"
#include "vk_view.h"

typedef struct route_case {
    const char *name;
    router_params params;
    int32_t n_tokens;
    float *logits; /* [T, E] */
    float *bias;   /* [E] */
    bool has_bias;
} route_case;

static void *take(size_t n, size_t size) {
    void *memory = calloc(n + 1, size);
    assert_non_null(memory);
    return memory;
}

static void case_new(route_case *c, const char *name, router_params params, int32_t n_tokens) {
    size_t n_experts = (size_t)params.n_experts;
    *c = (route_case){.name = name, .params = params, .n_tokens = n_tokens};
    c->logits = take((size_t)n_tokens * n_experts, sizeof *c->logits);
    c->bias = take(n_experts, sizeof *c->bias);
}

static void case_free(route_case *c) {
    free(c->logits);
    free(c->bias);
}

static int64_t count_logits(const route_case *c) {
    return (int64_t)c->n_tokens * c->params.n_experts;
}

/* ---- On the device --------------------------------------------------------------------------- */

/** Returns what route does; the plan means something where that is FM_OK. */
static fm_status run_device(fm_device *dev, const route_case *c, router_plan *plan) {
    int64_t n_tokens = c->n_tokens, n_experts = c->params.n_experts, k = c->params.top_k;
    fm_route a = {.logits = vk_view_new(dev, FM_DTYPE_F32, n_tokens, n_experts),
                  .n_groups = c->params.n_groups,
                  .top_groups = c->params.top_groups,
                  .normalize = c->params.normalize,
                  .scale = c->params.scale,
                  .experts = vk_view_new(dev, FM_DTYPE_I32, n_tokens, k),
                  .weights = vk_view_new(dev, FM_DTYPE_F32, n_tokens, k),
                  .offsets = vk_view_new(dev, FM_DTYPE_I32, n_experts + 1, 0),
                  .row_token = vk_view_new(dev, FM_DTYPE_I32, n_tokens * k, 1),
                  .slot_row = vk_view_new(dev, FM_DTYPE_I32, n_tokens, k)};
    if (c->has_bias) a.bias = vk_view_new(dev, FM_DTYPE_F32, n_experts, 0);
    vk_view_copy(dev, &a.logits, c->logits, true);
    if (c->has_bias) vk_view_copy(dev, &a.bias, c->bias, true);
    fm_status status = op_route(dev, &a);
    uint64_t ticket;
    vk_view_demand(dev, device_submit(dev, &ticket), "submit");
    vk_view_demand(dev, device_wait(dev, ticket), "wait");
    const fm_tensor *outputs[] = {&a.experts, &a.weights, &a.offsets, &a.row_token, &a.slot_row};
    void *hosts[] = {plan->experts, plan->weights, plan->offsets, plan->row_token, plan->slot_row};
    for (int i = 0; i < 5; i++) {
        vk_view_copy(dev, outputs[i], hosts[i], false);
        buf_free(dev, outputs[i]->buf);
    }
    buf_free(dev, a.logits.buf);
    if (c->has_bias) buf_free(dev, a.bias.buf);
    return status;
}

/* ---- Comparisons ----------------------------------------------------------------------------- */

static double biased_score(const route_case *c, int32_t token, int32_t expert) {
    double logit = c->logits[(int64_t)token * c->params.n_experts + expert];
    return 1 / (1 + exp(-logit)) + (c->has_bias ? c->bias[expert] : 0);
}

/** Whether the sigmoid's rounding can turn the order of two experts. Equal logits have the same
 * score on any device. */
static bool can_swap(const route_case *c, int32_t token, int32_t a, int32_t b) {
    const float *logits = c->logits + (int64_t)token * c->params.n_experts;
    double x = biased_score(c, token, a), y = biased_score(c, token, b);
    bool same = logits[a] == logits[b] && (!c->has_bias || c->bias[a] == c->bias[b]);
    return !same && fabs(x - y) <= 0x1p-23 * fmax(1, fabs(x));
}

static bool close_weights(float got, float expected) {
    if (isnan(expected)) return isnan(got);
    if (!isfinite(expected)) return got == expected;
    return fabsf(got - expected) <= 5e-7f * fabsf(expected) + 1e-37f;
}

/** Of a token: 1 where its experts are not those of the router, for a reason that can be excused.
 * */
static int compare_token(const route_case *c, int32_t t, const router_plan *got,
                         const router_plan *expected) {
    int32_t k = c->params.top_k;
    const int32_t *x = got->experts + t * k, *y = expected->experts + t * k;
    for (int32_t i = 0; i < k; i++) {
        if (x[i] == y[i]) continue;
        if (x[i] < 0 || x[i] >= c->params.n_experts || !can_swap(c, t, x[i], y[i]))
            fail_msg("%s: slot %d of token %d is expert %d, not %d", c->name, (int)i, (int)t,
                     (int)x[i], (int)y[i]);
        return 1;
    }
    for (int32_t i = 0; i < k; i++)
        if (!close_weights(got->weights[t * k + i], expected->weights[t * k + i]))
            fail_msg("%s: weight %d of token %d is %.9g, not %.9g", c->name, (int)i, (int)t,
                     (double)got->weights[t * k + i], (double)expected->weights[t * k + i]);
    return 0;
}

/** Sorts the plan's experts in the plainest way: expert after expert, all slots. */
static void check_sorted(const route_case *c, const router_plan *plan) {
    int32_t row = 0, n_slots = c->n_tokens * c->params.top_k;
    int32_t *next = take((size_t)c->params.n_experts, sizeof *next);
    for (int32_t i = 0; i < n_slots; i++) next[plan->experts[i]]++;
    for (int32_t e = 0; e < c->params.n_experts; e++) {
        int32_t count = next[e];
        if (plan->offsets[e] != row)
            fail_msg("%s: expert %d starts at %d, not %d", c->name, (int)e, (int)plan->offsets[e],
                     (int)row);
        next[e] = row;
        row += count;
    }
    assert_int_equal(plan->offsets[c->params.n_experts], n_slots);
    for (int32_t i = 0; i < n_slots; i++) {
        row = next[plan->experts[i]]++;
        if (plan->slot_row[i] != row || plan->row_token[row] != i / c->params.top_k)
            fail_msg("%s: slot %d has row %d of token %d, not row %d of token %d", c->name, (int)i,
                     (int)plan->slot_row[i], (int)plan->row_token[row], (int)row,
                     (int)(i / c->params.top_k));
    }
    free(next);
}

/** Runs a case on the device and against the router; the number of tokens that differ with excuse.
 * */
static int check_case(fm_device *dev, route_case *c) {
    router_plan got, expected;
    int n_excused = 0;
    c->params.bias = c->has_bias ? c->bias : NULL;
    assert_int_equal(router_plan_new(&c->params, c->n_tokens, &got, NULL), FM_OK);
    assert_int_equal(router_plan_new(&c->params, c->n_tokens, &expected, NULL), FM_OK);
    router_route(&c->params, c->logits, c->n_tokens, &expected);
    vk_view_demand(dev, run_device(dev, c, &got), "route");
    for (int32_t t = 0; t < c->n_tokens; t++) n_excused += compare_token(c, t, &got, &expected);
    check_sorted(c, &got);
    router_plan_free(&got);
    router_plan_free(&expected);
    return n_excused;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static int32_t below(uint64_t *random, int32_t n) {
    return (int32_t)(vk_view_random(random) % (uint64_t)n);
}

/** Some number of experts, groups and choices that go together. */
static router_params random_params(uint64_t *random) {
    static const int32_t counts[] = {1, 2, 7, 24, 64, 100, 160, 256};
    router_params p = {.n_experts = counts[below(random, 8)], .n_groups = 1};
    int32_t n_groups = 1 + below(random, 8);
    if (p.n_experts % n_groups == 0) p.n_groups = n_groups;
    p.top_groups = 1 + below(random, p.n_groups);
    int32_t most = p.top_groups * (p.n_experts / p.n_groups);
    p.top_k = 1 + below(random, most < 16 ? most : 16);
    p.normalize = below(random, 2);
    p.scale = below(random, 2) ? 1.0f : 2.5f;
    return p;
}

typedef float value_of(uint64_t *random);

static float value_any(uint64_t *random) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += vk_view_uniform(random);
    return (float)(2 * sum);
}

/* Far enough apart that no rounding makes one of two, and both zeros. */
static float value_tied(uint64_t *random) {
    static const float values[] = {-3, -0.5f, -0.0f, 0, 0.25f, 2, 5};
    return values[below(random, 7)];
}

/* Scores of exactly 0, 1/2 and 1, and no number. */
static float value_odd(uint64_t *random) {
    static const float values[] = {NAN, -NAN, INFINITY, -INFINITY, 100, -200, 0, 1, 3e38f};
    return values[below(random, 9)];
}

static void fill_case(route_case *c, uint64_t *random, value_of *value) {
    for (int64_t i = 0; i < count_logits(c); i++) c->logits[i] = value(random);
    for (int32_t e = 0; e < c->params.n_experts; e++)
        c->bias[e] = value == value_any ? value(random) / 20 : (float)below(random, 3) / 4;
}

static void check_seeds(fm_device *dev, const char *name, value_of *value, int n_seeds) {
    int n_excused = 0;
    for (int seed = 0; seed < n_seeds; seed++) {
        char text[64];
        uint64_t random = (uint64_t)seed;
        route_case c;
        snprintf(text, sizeof text, "%s, seed %d", name, seed);
        router_params params = random_params(&random);
        case_new(&c, text, params, 1 + below(&random, 20));
        c.has_bias = below(&random, 2);
        fill_case(&c, &random, value);
        n_excused += check_case(dev, &c);
        case_free(&c);
    }
    if (value != value_any) assert_int_equal(n_excused, 0);
    if (n_excused > 0) print_message("%s: %d tokens with scores too close\n", name, n_excused);
    assert_true(n_excused <= n_seeds / 50);
}

static int rig_open(void **state) {
    static vk_rig rig;
    vk_rig_open_for(&rig, "", 8192, 8192 * 16);
    *state = &rig;
    return 0;
}

static int rig_close(void **state) {
    vk_rig_close(*state);
    return 0;
}

static void vk_route_gives_the_routers_plan(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    check_seeds(rig->dev, "random", value_any, 400);
}

static void vk_route_tie_takes_lower_id(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    check_seeds(rig->dev, "ties", value_tied, 200);
}

static void vk_route_gives_valid_ids_of_logits_that_are_not_finite(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    check_seeds(rig->dev, "odd", value_odd, 200);
}

static void vk_route_takes_any_size(void **state) {
    static const struct {
        const char *name;
        int32_t n_tokens, n_experts, n_groups, top_groups, top_k;
    } sizes[] = {
        {"a long step", 512, 256, 8, 4, 8},      {"most experts", 5, 4096, 1, 1, 16},
        {"many groups", 3, 4096, 4096, 7, 5},    {"most choices", 9, 256, 1, 1, 128},
        {"all chosen", 17, 64, 4, 4, 64},        {"the longest step", 8192, 24, 1, 1, 16},
        {"the most of all", 2, 4096, 8, 8, 128}, {"many of many groups", 2, 4096, 2048, 760, 128}};
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t random = 1000 + i;
        route_case c;
        router_params params = {.n_experts = sizes[i].n_experts,
                                .top_k = sizes[i].top_k,
                                .n_groups = sizes[i].n_groups,
                                .top_groups = sizes[i].top_groups,
                                .normalize = true,
                                .scale = 2.5f};
        case_new(&c, sizes[i].name, params, sizes[i].n_tokens);
        c.has_bias = i % 2;
        fill_case(&c, &random, value_tied);
        assert_int_equal(check_case(rig->dev, &c), 0);
        case_free(&c);
    }
}

/* The memory that every device lets a workgroup share: experts that do not fit are refused. */
static void vk_route_needs_no_more_memory_than_there_is(void **state) {
    vk_rig rig;
    shim_control *shim = shim_open();
    (void)state;
    if (!shim) skip();
    shim->mask = (shim_mask){.shared_max = 16 << 10};
    vk_rig_open_for(&rig, SHIM_OPTION, 64, 64 * 16);
    VK_RIG_NEED(&rig);
    for (int32_t n_experts = 3800; n_experts <= 4096; n_experts += 4096 - 3800) {
        uint64_t random = 5;
        route_case c;
        router_params params = {
            .n_experts = n_experts, .top_k = 8, .n_groups = 1, .top_groups = 1, .scale = 1};
        router_plan plan;
        case_new(&c, "a small memory", params, 3);
        fill_case(&c, &random, value_tied);
        if (n_experts < 4096) {
            assert_int_equal(check_case(rig.dev, &c), 0);
        } else {
            assert_int_equal(router_plan_new(&c.params, c.n_tokens, &plan, NULL), FM_OK);
            assert_int_equal(run_device(rig.dev, &c, &plan), FM_ERR_UNSUPPORTED);
            assert_non_null(strstr(rig.last_warning, "cannot do this route"));
            router_plan_free(&plan);
        }
        case_free(&c);
    }
    vk_rig_close(&rig);
    shim->mask = (shim_mask){0};
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vk_route_gives_the_routers_plan, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(vk_route_tie_takes_lower_id, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(vk_route_gives_valid_ids_of_logits_that_are_not_finite,
                                        rig_open, rig_close),
        cmocka_unit_test_setup_teardown(vk_route_takes_any_size, rig_open, rig_close),
        cmocka_unit_test(vk_route_needs_no_more_memory_than_there_is),
    };
    return cmocka_run_group_tests_name("test_vk_route", tests, NULL, NULL);
}
