/*
 * test_engine.c - requests through the public interface: how they end, that they leave nothing
 * behind, and that a seed gives the same tokens however the work is cut.
 */
#include <time.h>

#include "request.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"
#define V3    TEST_DATA "/oracle/v3_groups"

static const fm_model_params f32 = {.dtype = "f32", .cache_dtype = "f32", .n_threads = 1};

/* ---- How a request ends ---------------------------------------------------------------------- */

/** The greedy answer to prompt7 begins 118 149 6 156. */
static const struct end_case {
    int32_t end_ids[3];
    size_t n_end_ids;
    int32_t n;
    fm_finish finish;
} end_cases[] = {
    {{156}, 1, 3, FM_FINISH_STOP},         {{6, 149, 223}, 3, 1, FM_FINISH_STOP},
    {{118}, 1, 0, FM_FINISH_STOP},         {{149, 149, 118}, 2, 1, FM_FINISH_STOP},
    {{-1, 9999, 6}, 3, 2, FM_FINISH_STOP}, {{5, 7}, 2, 6, FM_FINISH_LENGTH},
    {{0}, 0, 6, FM_FINISH_LENGTH},
};

static void engine_end_tokens_of_a_request_end_it_undelivered(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &f32);
    for (size_t i = 0; i < sizeof end_cases / sizeof *end_cases; i++) {
        run_answer answer;
        fm_request request = request_of(&c, 6, &answer);
        request.end_ids = end_cases[i].end_ids;
        request.n_end_ids = end_cases[i].n_end_ids;
        finish(r.engine, &request);
        expect_greedy(&answer, &c, end_cases[i].n);
        assert_int_equal(answer.end.finish, end_cases[i].finish);
        assert_int_equal(answer.end.n_generated, end_cases[i].n);
    }
    run_close(&r);
}

static void engine_end_tokens_of_the_checkpoint_hold_unless_overridden(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char from[1024], to[TEMP_PATH_SIZE];
        assert_true(snprintf(from, sizeof from, LLAMA "/%s", files[i]) < 1024);
        temp_dir_path(dir, files[i], to);
        assert_int_equal(symlink(from, to), 0);
    }
    temp_dir_write_text(dir, "generation_config.json", "{\"eos_token_id\": [6, 149]}");
    run r = run_open(dir->path, &f32);
    run_answer answer;
    fm_request request = request_of(&c, 6, &answer);
    finish(r.engine, &request);
    expect_greedy(&answer, &c, 1);
    assert_int_equal(answer.end.finish, FM_FINISH_STOP);
    request = request_of(&c, 6, &answer);
    request.end_ids = (const int32_t[]){156};
    request.n_end_ids = 1;
    finish(r.engine, &request);
    expect_greedy(&answer, &c, 3);
    run_close(&r);
}

static void engine_context_ends_a_request_with_length(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    static const struct {
        int32_t context, max_new, n;
    } cases[] = {{40, 0, 33}, {40, 33, 33}, {40, 34, 33}, {40, INT32_MAX, 33}, {40, 32, 32},
                 {8, 0, 1},   {7, 0, 0},    {7, 5, 0},    {64, 0, 57},         {65, 0, 58}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fm_model_params params = f32;
        run_answer answer;
        fm_request request = request_of(&c, cases[i].max_new, &answer);
        params.max_context = cases[i].context;
        run r = run_open(LLAMA, &params);
        assert_int_equal(fm_model_max_context(r.model), cases[i].context);
        finish(r.engine, &request);
        expect_greedy(&answer, &c, cases[i].n);
        assert_int_equal(answer.end.finish, FM_FINISH_LENGTH);
        run_close(&r);
    }
}

typedef struct counter {
    int32_t n_tokens, n_ends, cancel_at;
    fm_event last;
} counter;

static bool count_events(void *user, const fm_event *event) {
    counter *c = user;
    assert_int_equal(c->n_ends, 0); /* nothing comes behind the last event */
    if (event->finish == FM_FINISH_NONE) {
        assert_in_range(event->id, 0, 223);
        c->n_tokens++;
    } else {
        c->n_ends++;
    }
    c->last = *event;
    return c->n_tokens < c->cancel_at;
}

static void engine_last_event_says_how_and_how_much(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &f32);
    static const struct {
        int32_t cancel_at, n;
        fm_finish finish;
    } cases[] = {{99, 6, FM_FINISH_LENGTH},
                 {3, 3, FM_FINISH_CANCELLED},
                 {1, 1, FM_FINISH_CANCELLED},
                 {6, 6, FM_FINISH_CANCELLED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_answer unused;
        counter events = {.cancel_at = cases[i].cancel_at};
        fm_request request = request_of(&c, 6, &unused);
        request.on_event = count_events;
        request.user = &events;
        finish(r.engine, &request);
        assert_false(step(r.engine)); /* with nothing to do */
        assert_int_equal(events.n_tokens, cases[i].n);
        assert_int_equal(events.n_ends, 1);
        assert_int_equal(events.last.id, -1);
        assert_int_equal(events.last.finish, cases[i].finish);
        assert_int_equal(events.last.status, FM_OK);
        assert_int_equal(events.last.n_prompt, 7);
        assert_int_equal(events.last.n_prefilled, 7);
        assert_int_equal(events.last.n_shared + events.last.n_preempted, 0);
        assert_true(events.last.wait_seconds >= 0);
        assert_int_equal(events.last.n_generated, cases[i].n);
        assert_true(events.last.prefill_seconds >= 0 && events.last.decode_seconds >= 0);
        expect_usable(r.engine, &c);
    }
    run_close(&r);
}

/** A time that is over ends a request before it runs, and after it has run, wherever it stands. */
static void engine_deadline_ends_a_request_in_the_next_step(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    fm_model_params one_place = f32;
    one_place.max_chunk = 2;
    one_place.max_sequences = 1;
    run r = run_open(LLAMA, &one_place);
    run_answer unused;
    counter seen[3];
    const double seconds[3] = {0.5, 1e-9, 1000.0};
    for (int i = 0; i < 3; i++) { /* the first takes the place, the second is late as it waits */
        fm_request request = request_of(&c, 20, &unused);
        request.deadline_seconds = seconds[i];
        request.on_event = count_events;
        request.user = &seen[i];
        seen[i] = (counter){.cancel_at = 99};
        submit(r.engine, &request);
    }
    assert_int_equal(step_many(r.engine, 2), 2);
    assert_int_equal(seen[1].last.finish, FM_FINISH_DEADLINE);
    assert_int_equal(seen[1].last.n_prefilled, 0);
    assert_int_equal(seen[0].n_ends, 0);
    nanosleep(&(struct timespec){.tv_nsec = 600000000}, NULL);
    assert_int_equal(step_many(r.engine, 2), 1);
    assert_int_equal(seen[0].last.finish, FM_FINISH_DEADLINE);
    assert_int_equal(seen[0].last.status, FM_OK);
    assert_int_equal(seen[0].last.n_prefilled, 2);
    while (step(r.engine)) {
    }
    assert_int_equal(seen[2].last.finish, FM_FINISH_LENGTH);
    assert_int_equal(seen[2].last.n_generated, 20);
    run_close(&r);
}

static void engine_free_ends_requests_without_an_event(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    fm_model_params one_place = f32;
    one_place.max_chunk = 2;
    one_place.max_sequences = 1;
    for (int n_steps = 0; n_steps < 7; n_steps++) {
        run r = run_open(LLAMA, &one_place);
        run_answer unused;
        counter seen[2];
        for (int i = 0; i < 2; i++) {
            fm_request request = request_of(&c, 20, &unused);
            request.on_event = count_events;
            request.user = &seen[i];
            seen[i] = (counter){.cancel_at = 99};
            submit(r.engine, &request);
        }
        for (int i = 0; i < n_steps; i++) step_many(r.engine, 2);
        run_close(&r);
        assert_int_equal(seen[0].n_ends + seen[1].n_ends, 0);
    }
}

/* ---- Calls beside a request, and nothing left of it ------------------------------------------ */

static fm_status take_no_rows(void *user, const float *logits, int32_t n_rows) {
    (void)user, (void)logits, (void)n_rows;
    fail_msg("rows came");
    return FM_OK;
}

/** A request may join, logits must wait until both have ended. */
static void engine_running_requests_keep_logits_out(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "a.npy", path);
    fm_model_params params = f32;
    params.max_chunk = 3; /* so that the prompt takes three steps */
    run r = run_open(LLAMA, &params);
    run_answer answer, other;
    fm_request request = request_of(&c, 5, &answer), second = request_of(&c, 2, &other);
    submit(r.engine, &request);
    submit(r.engine, &second);
    do {
        fm_error err = {0};
        expect_error("logits", fm_engine_logits(r.engine, c.ids, 7, take_no_rows, NULL, &err), &err,
                     FM_ERR_STATE, "a request is running");
        expect_error("write", fm_engine_write_logits(r.engine, c.ids, 7, path, NULL, NULL, &err),
                     &err, FM_ERR_STATE, "a request is running");
    } while (step_many(r.engine, 2) > 0);
    expect_greedy(&answer, &c, 5);
    expect_greedy(&other, &c, 2);
    assert_int_equal(other.end.finish, FM_FINISH_LENGTH);
    assert_int_equal(temp_dir_count(dir), 0);
    free(run_logits(&r, c.ids, 7));
    run_close(&r);
}

static void engine_arguments_may_go_after_submit(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &f32);
    run_answer answer;
    int32_t *ids = malloc(sizeof c.ids), *end_ids = malloc(sizeof *end_ids);
    fm_request *request = malloc(sizeof *request);
    assert_true(ids && end_ids && request);
    memcpy(ids, c.ids, sizeof c.ids);
    *end_ids = 156;
    *request = request_of(&c, 9, &answer);
    request->ids = ids;
    request->end_ids = end_ids;
    request->n_end_ids = 1;
    submit(r.engine, request);
    memset(ids, 0xff, sizeof c.ids);
    free(ids);
    free(end_ids);
    free(request);
    while (step(r.engine)) {
    }
    expect_greedy(&answer, &c, 3);
    run_close(&r);
}

static void engine_requests_leave_nothing_in_the_cache(void **state) {
    (void)state;
    static const char *const dirs[] = {LLAMA, V3};
    for (int i = 0; i < 2; i++) {
        oracle o;
        assert_true(oracle_read(dirs[i], &o));
        run r = run_open(dirs[i], &f32);
        for (int round = 0; round < 2; round++)
            for (int32_t k = o.n_cases - 1; k >= 0; k--) { /* the longest prompt first */
                run_answer answer;
                fm_request request = request_of(&o.cases[k], 12, &answer);
                finish(r.engine, &request);
                expect_greedy(&answer, &o.cases[k], 12);
            }
        run_close(&r);
        oracle_free(&o);
    }
}

static void engine_two_engines_of_a_model_do_not_meet(void **state) {
    (void)state;
    static const char *const dirs[] = {LLAMA, V3};
    for (int i = 0; i < 2; i++) {
        oracle o;
        assert_true(oracle_read(dirs[i], &o));
        fm_model_params params = f32;
        params.max_chunk = 20;
        run r = run_open(dirs[i], &params);
        fm_engine *second;
        run_answer a, b;
        assert_int_equal(fm_engine_new(r.model, NULL, &second, NULL), FM_OK);
        fm_request first_request = request_of(&o.cases[2], 24, &a);
        fm_request second_request = request_of(&o.cases[1], 30, &b);
        submit(r.engine, &first_request);
        submit(second, &second_request);
        for (bool more = true; more;) more = step(r.engine) | step(second);
        expect_greedy(&a, &o.cases[2], 24);
        expect_greedy(&b, &o.cases[1], 30);
        fm_engine_free(second);
        expect_usable(r.engine, &o.cases[1]);
        run_close(&r);
        oracle_free(&o);
    }
}

typedef struct chain {
    fm_engine *engine;
    const oracle_case *c;
    int32_t n_left; /* requests still to be submitted */
    run_answer answer;
} chain;

static bool submit_next(void *user, const fm_event *event) {
    chain *l = user;
    run_answer unused;
    fm_request next = request_of(l->c, 4, &unused);
    next.on_event = submit_next;
    next.user = l;
    if (event->finish == FM_FINISH_NONE) {
        l->answer.ids[l->answer.n++] = event->id;
    } else if (l->n_left-- > 0) {
        l->answer.n = 0;
        submit(l->engine, &next);
    }
    return true;
}

static void engine_last_event_may_submit_the_next_request(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    fm_model_params params = f32;
    params.max_context = 11;
    run r = run_open(LLAMA, &params);
    chain l = {.engine = r.engine, .c = &c, .n_left = 2};
    const int32_t full[11] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    /* The first request ends at once, as its prompt fills the context. */
    const fm_request first = {.ids = full, .n_ids = 11, .on_event = submit_next, .user = &l};
    finish(r.engine, &first);
    assert_int_equal(l.n_left, -1);
    expect_greedy(&l.answer, &c, 4);
    run_close(&r);
}

typedef struct grower {
    fm_engine *engine;
    const oracle_case *c;
    run_answer first, others[5];
} grower;

static bool submit_at_each_token(void *user, const fm_event *event) {
    grower *g = user;
    if (event->finish == FM_FINISH_NONE) {
        fm_request next = request_of(g->c, 3, &g->others[g->first.n]);
        submit(g->engine, &next);
    }
    return run_keep_token(&g->first, event);
}

static void engine_any_event_may_submit(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &f32);
    grower g = {.engine = r.engine, .c = &c};
    fm_request request = request_of(&c, 5, &g.first);
    request.on_event = submit_at_each_token;
    request.user = &g;
    submit(r.engine, &request);
    while (step_many(r.engine, 6) > 0) {
    }
    expect_greedy(&g.first, &c, 5);
    for (int i = 0; i < 5; i++) expect_greedy(&g.others[i], &c, 3);
    run_close(&r);
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static void engine_sampled_answers_repeat_with_the_seed_in_any_chunks(void **state) {
    (void)state;
    const int32_t chunks[] = {64, 7, 1};
    oracle o;
    assert_true(oracle_read(V3, &o));
    const oracle_case *c = &o.cases[2];
    run_answer first[2] = {{0}};
    for (int i = 0; i < 3; i++) {
        fm_model_params params = f32;
        params.max_chunk = chunks[i];
        run r = run_open(V3, &params);
        for (int k = 0; k < 4; k++) { /* each seed twice */
            fm_sampling sampling = {.temperature = 1.0f,
                                    .top_k = 40,
                                    .top_p = 0.95f,
                                    .min_p = 0.01f,
                                    .seed = (uint64_t)(k % 2)};
            run_answer answer = run_generate(&r, c->ids, c->n_ids, 30, sampling);
            assert_int_equal(answer.n, 30);
            if (i == 0 && k < 2) first[k] = answer;
            assert_memory_equal(answer.ids, first[k % 2].ids, 30 * sizeof *answer.ids);
        }
        run_close(&r);
    }
    assert_memory_not_equal(first[0].ids, first[1].ids, 30 * sizeof *first->ids);
    assert_memory_not_equal(first[0].ids, c->greedy, 30 * sizeof *first->ids);
    oracle_free(&o);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_end_tokens_of_a_request_end_it_undelivered),
        IN_DIR(engine_end_tokens_of_the_checkpoint_hold_unless_overridden),
        cmocka_unit_test(engine_context_ends_a_request_with_length),
        cmocka_unit_test(engine_last_event_says_how_and_how_much),
        cmocka_unit_test(engine_deadline_ends_a_request_in_the_next_step),
        cmocka_unit_test(engine_free_ends_requests_without_an_event),
        IN_DIR(engine_running_requests_keep_logits_out),
        cmocka_unit_test(engine_arguments_may_go_after_submit),
        cmocka_unit_test(engine_requests_leave_nothing_in_the_cache),
        cmocka_unit_test(engine_last_event_may_submit_the_next_request),
        cmocka_unit_test(engine_any_event_may_submit),
        cmocka_unit_test(engine_two_engines_of_a_model_do_not_meet),
        cmocka_unit_test(engine_sampled_answers_repeat_with_the_seed_in_any_chunks),
    };
    return cmocka_run_group_tests_name("test_engine", tests, NULL, NULL);
}
