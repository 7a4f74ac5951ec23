/*
 * test_engine_counts.c - what the last event counts: tokens of the prompt that ran, those that
 * others had computed, and seconds; and how many sequences of a model with windows run together.
 */
#include "base/os.h"
#include "pages.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

static void step_to_end(fm_engine *e) {
    while (asked_step(e) > 0) {
    }
}

/* ---- Prompts ----------------------------------------------------------------------------------- */

enum { N_CROWDED = 4, N_PROMPT = 60, N_NEW = 70 };

/** Steps read whole prompts here, so that whoever loses its pages has read its own: it is read once
 * more, and its answer, which is run again with it, does not count. */
static void engine_prefilled_counts_the_prompt_each_time_and_no_answer(void **state) {
    (void)state;
    const fm_model_params params = {
        .n_threads = 1, .max_context = 256, .max_chunk = 512, .max_sequences = N_CROWDED};
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e =
        asked_engine(m, &(fm_engine_params){.no_prefix_sharing = true, .cache_tokens = 256 + 64});
    static answer got[N_CROWDED];
    int32_t n_preempted = 0;
    memset(got, 0, sizeof got);
    for (int32_t i = 0; i < N_CROWDED; i++) {
        asked a = {.max_new = N_NEW};
        asked_fill(&a, 0, N_PROMPT, (uint64_t)i, fm_model_vocab_size(m));
        asked_submit(e, &a, &got[i]);
    }
    step_to_end(e);
    for (int32_t i = 0; i < N_CROWDED; i++) {
        const fm_event *end = &got[i].end;
        assert_int_equal(end->n_prompt, N_PROMPT);
        assert_int_equal(end->n_generated, N_NEW);
        assert_int_equal(end->n_shared, 0);
        assert_int_equal(end->n_prefilled, N_PROMPT * (1 + end->n_preempted));
        n_preempted += end->n_preempted;
    }
    fm_engine_stats stats;
    fm_engine_get_stats(e, &stats);
    assert_true(n_preempted > 0);
    assert_int_equal(stats.n_preempted, n_preempted);
    assert_int_equal(stats.n_tokens_shared, 0);
    fm_engine_free(e);
    fm_model_close(m);
}

/** Of prompts that begin alike each token is either run or taken over. */
static void engine_shared_and_prefilled_make_the_prompt(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &(fm_model_params){.n_threads = 1, .max_context = 256});
    fm_engine *e = asked_engine(m, NULL);
    static const struct {
        int32_t n_alike, n_ids, n_shared;
    } cases[] = {{0, 200, 0},     {200, 200, 192}, {63, 200, 0},   {64, 200, 64},
                 {130, 130, 128}, {128, 128, 64},  {129, 129, 128}};
    uint64_t n_shared = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asked a = {.max_new = 3};
        answer got = {0};
        asked_fill(&a, 0, cases[i].n_alike, 0, fm_model_vocab_size(m));
        asked_fill(&a, cases[i].n_alike, cases[i].n_ids, i, fm_model_vocab_size(m));
        asked_submit(e, &a, &got);
        step_to_end(e);
        assert_int_equal(got.end.n_shared, cases[i].n_shared);
        assert_int_equal(got.end.n_prefilled, cases[i].n_ids - cases[i].n_shared);
        n_shared += (uint64_t)cases[i].n_shared;
    }
    fm_engine_stats stats;
    fm_engine_get_stats(e, &stats);
    assert_int_equal(stats.n_tokens_shared, n_shared);
    fm_engine_free(e);
    fm_model_close(m);
}

/** A fork that waits loses its pages to its parent, which needs all there are: what it has taken
 * over counts no longer, as its prompt is run after all. */
static void engine_shared_is_forgotten_with_the_pages(void **state) {
    (void)state;
    const fm_model_params params = {.n_threads = 1, .max_context = 256, .max_sequences = 1};
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e =
        asked_engine(m, &(fm_engine_params){.no_prefix_sharing = true, .cache_tokens = 256});
    static answer got, child;
    got = child = (answer){0};
    asked a = {.max_new = 120};
    asked_fill(&a, 0, 130, 1, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &a);
    uint64_t id = asked_submit(e, &a, &got);
    while (got.n < 10) asked_step(e);
    child = got;
    const fm_fork fork = {.on_event = answer_keep, .user = &child};
    assert_int_equal(fm_engine_fork(e, id, &fork, NULL, NULL), FM_OK);
    asked_step(e);
    const sequence *waiting = e->scheduler.first;
    assert_true(waiting && waiting->pages.n_pages > 0 && waiting->n_shared == 139);
    step_to_end(e);
    answer_expect("parent", &got, &wanted);
    answer_expect("fork", &child, &wanted);
    assert_int_equal(got.end.n_preempted + child.end.n_preempted, 0);
    assert_int_equal(child.end.n_shared, 0);
    assert_int_equal(child.end.n_prefilled, 130);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Seconds ----------------------------------------------------------------------------------- */

/** One place: each waits for all steps of those before it, and no longer than the test took. */
static void engine_wait_lasts_until_the_first_step(void **state) {
    (void)state;
    const fm_model_params params = {.n_threads = 1, .max_context = 256, .max_sequences = 1};
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    answer got[3] = {{0}}, never = {0};
    asked a = {.max_new = 20};
    double start = os_seconds(), before = 0.0;
    for (int32_t i = 0; i < 3; i++) {
        asked_fill(&a, 0, 150, (uint64_t)i, fm_model_vocab_size(m));
        asked_submit(e, &a, &got[i]);
    }
    uint64_t id = asked_submit(e, &a, &never);
    assert_int_equal(fm_engine_cancel(e, id, NULL), FM_OK);
    step_to_end(e);
    double whole = os_seconds() - start;
    for (int32_t i = 0; i < 3; i++) {
        const fm_event *end = &got[i].end;
        double run = end->prefill_seconds + end->decode_seconds;
        assert_true(end->prefill_seconds > 0.0 && end->decode_seconds > 0.0);
        assert_true(end->wait_seconds >= 0.0 && end->wait_seconds + run <= whole + 1e-6);
        assert_true(end->wait_seconds >= before - 1e-6);
        before += run;
    }
    assert_true(never.end.wait_seconds == 0.0);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Windows ----------------------------------------------------------------------------------- */

enum { N_WINDOWED = 16, WINDOWED_CONTEXT = 384 };

/** Caches that hold all tokens of all sequences do so where windows have pages of their own, too:
 * all places are taken at once, and nobody loses his pages. */
static void run_windowed(const char *dir, int32_t max_chunk) {
    const fm_model_params params = {.n_threads = 1,
                                    .max_context = WINDOWED_CONTEXT,
                                    .max_chunk = max_chunk,
                                    .max_sequences = N_WINDOWED};
    fm_model *m = asked_open(dir, &params);
    fm_engine *e =
        asked_engine(m, &(fm_engine_params){.cache_tokens = N_WINDOWED * WINDOWED_CONTEXT});
    static answer got[N_WINDOWED];
    int32_t most = 0;
    memset(got, 0, sizeof got);
    for (int32_t i = 0; i < N_WINDOWED; i++) {
        asked a = {.max_new = 100};
        asked_fill(&a, 0, 250, (uint64_t)i, fm_model_vocab_size(m));
        asked_submit(e, &a, &got[i]);
    }
    while (asked_step(e) > 0)
        if (e->scheduler.n_running > most) most = e->scheduler.n_running;
    assert_int_equal(most, N_WINDOWED);
    assert_int_equal(e->scheduler.n_preempted, 0);
    for (int32_t i = 0; i < N_WINDOWED; i++) {
        assert_int_equal(got[i].n, 100);
        assert_int_equal(got[i].end.n_prefilled, 250);
    }
    /* As many steps as the budget of prompts needs, and the answer to the last. */
    int32_t n_read = (N_WINDOWED * 250 + max_chunk - 1) / max_chunk;
    assert_in_range(e->n_steps, 100, n_read + 100);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

static void engine_windows_have_pages_for_all_sequences(void **state) {
    (void)state;
    run_windowed(TEST_DATA "/oracle/qwen2_layer_types", 128);
    run_windowed(TEST_DATA "/oracle/qwen2_layer_types", WINDOWED_CONTEXT);
    run_windowed(TEST_DATA "/oracle/qwen2_window", 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_prefilled_counts_the_prompt_each_time_and_no_answer),
        cmocka_unit_test(engine_shared_and_prefilled_make_the_prompt),
        cmocka_unit_test(engine_shared_is_forgotten_with_the_pages),
        cmocka_unit_test(engine_wait_lasts_until_the_first_step),
        cmocka_unit_test(engine_windows_have_pages_for_all_sequences),
    };
    return cmocka_run_group_tests_name("test_engine_counts", tests, NULL, NULL);
}
