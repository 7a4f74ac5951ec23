/*
 * test_engine_plan.c - the plan of a model and its engine: the bytes it names are those that are
 * then taken, and what has no room is refused with the number that has.
 */
#include "model/run.h"
#include "support/expect.h"
/* behind them: its names are common words */
#include "backend_front.h"
#include "engine/engine.h"

static const struct planned {
    const char *dir;
    fm_model_params model;
    fm_engine_params engine;
} cases[] = {
    {TEST_DATA "/oracle/llama_mha", {.device = "cpu", .n_threads = 1}, {0}},
    {TEST_DATA "/oracle/llama_bf16",
     {.device = "cpu", .dtype = "f32", .n_threads = 2, .max_context = 100},
     {0}},
    {TEST_DATA "/oracle/v3_groups",
     {.device = "cpu", .dtype = "bf16", .max_sequences = 3},
     {.cache_tokens = 2000}},
    {TEST_DATA "/oracle/v3_experts128",
     {.device = "cpu", .max_chunk = 7, .cache_dtype = "f32"},
     {0}},
    {TEST_DATA "/oracle/qwen2_window",
     {.device = "cpu", .max_context = 300},
     {.cache_tokens = 20000}},
};

static void plan_names_the_bytes_that_are_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct planned *c = &cases[i];
        fm_error err = {0};
        fm_plan plan;
        run r = {0};
        if (fm_plan_make(c->dir, &c->model, &c->engine, &plan, &err) != FM_OK)
            fail_msg("%s: %s", c->dir, err.text);
        assert_int_equal(fm_model_open(c->dir, &c->model, &r.model, &err), FM_OK);
        assert_int_equal(device_bytes(r.model->dev), plan.weights_copied);
        assert_int_equal(r.model->weights.bytes_in_place, plan.weights_in_place);
        assert_int_equal(fm_engine_new(r.model, &c->engine, &r.engine, &err), FM_OK);
        assert_int_equal(device_bytes(r.model->dev),
                         plan.weights_copied + plan.cache + plan.workspace);
        assert_true(plan.fits);
        assert_int_equal(plan.cache_tokens_that_fit, plan.cache_tokens);
        assert_int_equal(plan.max_context, fm_model_max_context(r.model));
        uint64_t before = plan.cache;
        fm_engine_params more = {.cache_tokens = plan.cache_tokens + 64};
        assert_int_equal(fm_plan_make(c->dir, &c->model, &more, &plan, &err), FM_OK);
        assert_int_equal(plan.cache - before, 64 * plan.cache_per_token);
        run_close(&r);
    }
}

/** Two thousand million tokens need some terabytes. */
static void engine_without_room_is_refused_with_the_number_that_fits(void **state) {
    (void)state;
    static const char *const dirs[] = {TEST_DATA "/oracle/llama_mha",
                                       TEST_DATA "/oracle/v3_groups"};
    for (int i = 0; i < 2; i++) {
        const fm_model_params on_cpu = {.device = "cpu"};
        const fm_engine_params huge = {.cache_tokens = 2000000000};
        fm_error err = {0};
        fm_plan plan;
        run r = {0};
        assert_int_equal(fm_plan_make(dirs[i], &on_cpu, &huge, &plan, &err), FM_OK);
        assert_int_equal(fm_model_open(dirs[i], &on_cpu, &r.model, &err), FM_OK);
        uint64_t before = device_bytes(r.model->dev);
        expect_error("huge", fm_engine_new(r.model, &huge, &r.engine, &err), &err, FM_ERR_MEMORY,
                     "it would fit with --cache-tokens");
        assert_null(r.engine);
        assert_int_equal(device_bytes(r.model->dev), before);
        assert_false(plan.fits);
        assert_in_range(plan.cache_tokens_that_fit, 64, 1999999999);
        assert_int_equal(plan.cache_tokens_that_fit % 64, 0);
        /* Half of it fits, and half more does not: free memory moves in between, as other suites
         * take and give back gigabytes. */
        fm_engine_params fitting = {.cache_tokens = (int32_t)(plan.cache_tokens_that_fit / 2)};
        assert_int_equal(fm_plan_make(dirs[i], &on_cpu, &fitting, &plan, &err), FM_OK);
        assert_true(plan.fits);
        fitting.cache_tokens = plan.cache_tokens * 3;
        assert_int_equal(fm_plan_make(dirs[i], &on_cpu, &fitting, &plan, &err), FM_OK);
        assert_false(plan.fits);
        run_close(&r);
    }
}

static void plan_fails_as_opening_does(void **state) {
    (void)state;
    fm_plan plan;
    fm_error err = {0};
    const fm_model_params bad = {.max_chunk = -3};
    const fm_engine_params few = {.cache_tokens = 5};
    expect_error("absent", fm_plan_make("/absent", NULL, NULL, &plan, &err), &err, FM_ERR_NOT_FOUND,
                 "/absent");
    expect_error("chunk", fm_plan_make(cases[0].dir, &bad, NULL, &plan, &err), &err, FM_ERR_ARG,
                 "a chunk of -3");
    expect_error("few", fm_plan_make(cases[0].dir, NULL, &few, &plan, &err), &err, FM_ERR_ARG,
                 "5 tokens are out of range");
}

/** A device whose buffers hold two pages of a layer's keys. */
static void cache_in_pieces_is_refused_with_the_number_that_fits(void **state) {
    (void)state;
    const fm_model_params model = {.device = "cpu", .max_context = 128};
    fm_error err = {0};
    run r = {0};
    assert_int_equal(fm_model_open(TEST_DATA "/oracle/llama_mha", &model, &r.model, &err), FM_OK);
    const config *c = &r.model->checkpoint->config;
    r.model->dev->info.buf_max = 2u * FM_CACHE_PAGE_ROWS * (uint64_t)c->n_kv_heads *
                                 (uint64_t)c->head_dim * fm_dtype_size(r.model->cache_dtype);
    assert_int_equal(
        fm_engine_new(r.model, &(fm_engine_params){.cache_tokens = 192}, &r.engine, &err),
        FM_ERR_LIMIT);
    assert_non_null(strstr(err.text, "caches of 128 tokens fit"));
    assert_int_equal(
        fm_engine_new(r.model, &(fm_engine_params){.cache_tokens = 128}, &r.engine, &err), FM_OK);
    run_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_names_the_bytes_that_are_taken),
        cmocka_unit_test(engine_without_room_is_refused_with_the_number_that_fits),
        cmocka_unit_test(plan_fails_as_opening_does),
        cmocka_unit_test(cache_in_pieces_is_refused_with_the_number_that_fits),
    };
    return cmocka_run_group_tests_name("test_engine_plan", tests, NULL, NULL);
}
