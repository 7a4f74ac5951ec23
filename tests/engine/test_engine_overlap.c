/*
 * test_engine_overlap.c - on a device that computes by itself the events of a step come while it
 * computes the next one, never before and never twice; and what a request is between its token and
 * the event of that.
 */
#include "late.h"
#include "pages.h"
#include "support/fp_modes.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { MAX_SEQUENCES = 40, MAX_CHUNK = 48, N_PROMPT = 60 /* two chunks */ };

/** A model whose device is late, an engine, and one request. */
typedef struct stage {
    fm_model *model;
    fm_engine *engine;
    asked asked;
    answer wanted; /* of the request alone, on the device as it was */
} stage;

static stage stage_open(bool async, int32_t n_ids, int32_t max_new) {
    const fm_model_params params = {.dtype = "f32",
                                    .cache_dtype = "f32",
                                    .n_threads = 1,
                                    .max_context = 256,
                                    .max_chunk = MAX_CHUNK,
                                    .max_sequences = MAX_SEQUENCES};
    stage s = {.model = asked_open(LLAMA, &params)};
    s.asked = (asked){.max_new = max_new, .n_logprobs = 2, .sampling = asked_sampled(7)};
    asked_fill(&s.asked, 0, n_ids, 1, fm_model_vocab_size(s.model));
    s.wanted = asked_alone(s.model, &s.asked);
    late_enter(s.model->dev, async);
    s.engine = asked_engine(s.model, &(fm_engine_params){.cache_tokens = MAX_SEQUENCES * 256});
    late_one.log[0] = '\0'; /* what making the engine submitted is not of interest */
    return s;
}

/** Nothing is left: no event, no request, no page. */
static void stage_close(stage *s) {
    while (asked_step(s->engine) > 0) {
    }
    assert_null(s->engine->events.first);
    pages_expect_all_back(s->engine);
    fm_engine_free(s->engine);
    fm_model_close(s->model);
}

/** Steps until the answer has n tokens; one more is drawn by then and was not told. */
static void step_until(stage *s, const answer *got, int32_t n) {
    while (got->n < n || !s->engine->events.first) assert_true(asked_step(s->engine) > 0);
    assert_int_equal(got->n, n);
}

static uint64_t submit(stage *s, fm_event_fn on_event, void *user) {
    fm_request made = asked_request(&s->asked, NULL);
    uint64_t id = 0;
    made.on_event = on_event;
    made.user = user;
    assert_int_equal(fm_engine_submit(s->engine, &made, &id, NULL), FM_OK);
    return id;
}

/* ---- When events come -------------------------------------------------------------------------- */

/** An fm_event_fn that logs; `user` is an answer. */
static bool keep_and_note(void *user, const fm_event *event) {
    late_note(event->finish == FM_FINISH_NONE ? "e" : "E");
    return answer_keep(user, event);
}

/** s: submitted, w: waited for, e: a token, E: the last event, |: the call has returned. */
static void expect_log(bool async, int32_t n_requests, int32_t n_ids, int32_t max_new,
                       const char *wanted) {
    static answer got[MAX_SEQUENCES];
    stage s = stage_open(async, n_ids, max_new);
    memset(got, 0, sizeof got);
    for (int32_t i = 0; i < n_requests; i++) submit(&s, keep_and_note, &got[i]);
    for (int32_t active = 1; active > 0; late_note("|")) {
        active = asked_step(s.engine);
        assert_false(late_one.computes);
    }
    assert_string_equal(late_one.log, wanted);
    for (int32_t i = 0; i < n_requests; i++) answer_expect("noted", &got[i], &s.wanted);
    stage_close(&s);
}

static void overlap_events_come_while_the_next_step_computes(void **state) {
    (void)state;
    expect_log(false, 1, N_PROMPT, 3, "sw|swe|swe|sweE|");
    expect_log(true, 1, N_PROMPT, 3, "sw|sw|sew|sew|eE|");
    expect_log(false, 2, 1, 1, "sweEeE|");
    expect_log(true, 2, 1, 1, "sw|eEeE|");
}

/** More rows than a block takes: all events come beside the first. */
static void overlap_events_come_beside_the_first_block(void **state) {
    (void)state;
    enum { N = ACTIVATIONS_LOGIT_ROWS + 3 };
    char wanted[LATE_LOG_SIZE] = "swsw|s";
    for (int32_t i = 0; i < N; i++) strcat(wanted, "e");
    strcat(wanted, "wsw|");
    for (int32_t i = 0; i < N; i++) strcat(wanted, "eE");
    strcat(wanted, "|");
    expect_log(true, N, 1, 2, wanted);
}

/** An fm_event_fn; `user` is an answer, the mode the caller's. */
static bool keep_in_last_mode(void *user, const fm_event *event) {
    const fp_mode *mode = &fp_modes[FP_MODE_COUNT - 1];
    uint32_t found = fp_mode_get();
    fp_mode_reset();
    fp_mode_set(mode);
    assert_int_equal(found, fp_mode_get());
    return answer_keep(user, event);
}

/** Between two halves of a step's computing callbacks have the caller's floating-point environment,
 * and what is computed does not. */
static void overlap_callbacks_have_the_callers_environment(void **state) {
    (void)state;
    stage s = stage_open(true, N_PROMPT, 5);
    answer got = {0};
    submit(&s, keep_in_last_mode, &got);
    for (int32_t active = 1; active > 0;) {
        fp_mode_set(&fp_modes[FP_MODE_COUNT - 1]);
        fm_status status = fm_engine_step(s.engine, &active, NULL);
        fp_mode_reset();
        assert_int_equal(status, FM_OK);
    }
    answer_expect("in another mode", &got, &s.wanted);
    stage_close(&s);
}

/* ---- Between a token and its event --------------------------------------------------------------- */

/** Forks and saved requests go on from the tokens that were told, also when the parent has its last
 * token or its end, and only the events of these are to come. Neither call tells anything. */
static void overlap_forks_and_files_go_on_from_what_was_told(void **state) {
    enum { N_NEW = 6 };
    char path[TEMP_PATH_SIZE];
    temp_dir_path(*state, "saved", path);
    for (int32_t n = 0; n < N_NEW; n++) {
        stage s = stage_open(true, N_PROMPT, N_NEW);
        static answer got, fork_got, back_got, saved_got;
        got = (answer){0};
        uint64_t id = submit(&s, answer_keep, &got);
        step_until(&s, &got, n);
        const request *r = queue_find(&s.engine->queue, id);
        assert_true(r->has_untold_token && r->q.n_ids == N_PROMPT + n + 1);
        assert_int_equal(r->end, n == N_NEW - 1 ? FM_FINISH_LENGTH : FM_FINISH_NONE);
        fork_got = back_got = saved_got = got;
        back_got.n -= n > 0;
        const fm_fork fork = {.on_event = answer_keep, .user = &fork_got};
        const fm_fork back = {.n_back = n > 0, .on_event = answer_keep, .user = &back_got};
        const fm_restore how = {.on_event = answer_keep, .user = &saved_got};
        assert_int_equal(fm_engine_fork(s.engine, id, &fork, NULL, NULL), FM_OK);
        assert_int_equal(fm_engine_fork(s.engine, id, &back, NULL, NULL), FM_OK);
        assert_int_equal(fm_engine_save(s.engine, id, path, NULL), FM_OK);
        assert_int_equal(fm_engine_restore(s.engine, path, &how, NULL, NULL), FM_OK);
        assert_int_equal(got.n, n);
        stage_close(&s);
        answer_expect("parent", &got, &s.wanted);
        answer_expect("fork", &fork_got, &s.wanted);
        answer_expect("fork that went back", &back_got, &s.wanted);
        answer_expect("restored", &saved_got, &s.wanted);
    }
}

/** A request whose last event is to come has not ended for anybody. */
static void overlap_what_is_to_come_counts_as_active(void **state) {
    (void)state;
    stage s = stage_open(true, N_PROMPT, 2);
    answer got = {0};
    int32_t active = 1;
    submit(&s, answer_keep, &got);
    while (got.n < 1) active = asked_step(s.engine);
    assert_int_equal(s.engine->scheduler.n_running, 0);
    assert_int_equal(active, 1);
    assert_true(fm_engine_wait(s.engine, 0.0));
    assert_int_equal(fm_engine_logits(s.engine, s.asked.ids, 1, NULL, NULL, NULL), FM_ERR_STATE);
    assert_int_equal(asked_step(s.engine), 0);
    assert_false(fm_engine_wait(s.engine, 0.0));
    answer_expect("told", &got, &s.wanted);
    stage_close(&s);
}

static void overlap_free_tells_nothing(void **state) {
    (void)state;
    for (int32_t max_new = 3; max_new <= 10;
         max_new += 7) { /* its end is to come, or more tokens */
        stage s = stage_open(true, N_PROMPT, max_new);
        answer got = {0};
        submit(&s, answer_keep, &got);
        step_until(&s, &got, 2);
        fm_engine_free(s.engine);
        assert_int_equal(got.n, 2);
        assert_int_equal(got.n_ends, 0);
        fm_model_close(s.model);
    }
}

/* ---- Cancelling -------------------------------------------------------------------------------- */

/** Between steps: the token that was drawn comes, and the last event behind it, in the next step.
 * An end that was to come gives way. */
static void overlap_cancelled_between_steps_ends_in_the_next(void **state) {
    (void)state;
    for (int32_t max_new = 3; max_new <= 10; max_new += 7) {
        stage s = stage_open(true, N_PROMPT, max_new);
        answer got = {0};
        uint64_t id = submit(&s, answer_keep, &got);
        step_until(&s, &got, 2);
        assert_int_equal(fm_engine_cancel(s.engine, id, NULL), FM_OK);
        assert_int_equal(asked_step(s.engine), 0);
        assert_int_equal(fm_engine_cancel(s.engine, id, NULL), FM_ERR_NOT_FOUND);
        assert_int_equal(got.n_ends, 1);
        assert_int_equal(got.end.finish, FM_FINISH_CANCELLED);
        assert_int_equal(got.n, 3);
        assert_int_equal(got.end.n_generated, 3);
        assert_memory_equal(got.ids, s.wanted.ids, 3 * sizeof *got.ids);
        stage_close(&s);
    }
}

static bool allow_nothing(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)user, (void)ids;
    if (n == 2) memset(mask, 0, 224 / 8);
    return true;
}

static void overlap_cancelled_does_not_cover_an_error(void **state) {
    (void)state;
    stage s = stage_open(true, N_PROMPT, 10);
    answer got = {0};
    s.asked.mask = allow_nothing;
    uint64_t id = submit(&s, answer_keep, &got);
    step_until(&s, &got, 1);
    asked_step(s.engine);
    assert_int_equal(got.n, 2);
    assert_int_equal(fm_engine_cancel(s.engine, id, NULL), FM_OK);
    assert_int_equal(asked_step(s.engine), 0);
    assert_int_equal(got.end.finish, FM_FINISH_ERROR);
    assert_int_equal(got.end.status, FM_ERR_ARG);
    assert_int_equal(got.end.n_generated, 2);
    stage_close(&s);
}

/** Says no at its second token; logs. */
static bool say_no(void *user, const fm_event *event) {
    const answer *a = user;
    keep_and_note(user, event);
    return a->n < 2;
}

/** A callback that says no while its request is in the step: that ends with the step, and the
 * token is dropped. Where no step is under way it ends at once; so it does where it has its end
 * already. */
static void overlap_callback_that_says_no_ends_with_the_step(void **state) {
    (void)state;
    static const struct {
        bool async;
        int32_t max_new;
        const char *log;
    } cases[] = {{false, 10, "sw|swe|sweE|"},
                 {true, 10, "sw|sw|sew|sew|E|"},
                 {false, 2, "sw|swe|sweE|"},
                 {true, 2, "sw|sw|sew|eE|"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s = stage_open(cases[i].async, N_PROMPT, cases[i].max_new);
        answer got = {0};
        submit(&s, say_no, &got);
        for (int32_t active = 1; active > 0; late_note("|")) active = asked_step(s.engine);
        assert_string_equal(late_one.log, cases[i].log);
        assert_int_equal(got.end.finish, FM_FINISH_CANCELLED);
        assert_int_equal(got.n, 2);
        assert_int_equal(got.end.n_generated, 2);
        assert_memory_equal(got.ids, s.wanted.ids, 2 * sizeof *got.ids);
        stage_close(&s);
    }
}

/* ---- Submitting -------------------------------------------------------------------------------- */

typedef struct relay {
    stage *stage;
    answer got[5];
    int32_t n; /* that have begun */
} relay;

/** Whoever ends submits the next. */
static bool pass_on(void *user, const fm_event *event) {
    relay *r = user;
    answer_keep(&r->got[r->n - 1], event);
    if (event->finish == FM_FINISH_NONE || r->n == 5) return true;
    r->n++;
    submit(r->stage, pass_on, r);
    return true;
}

static void overlap_last_events_may_submit(void **state) {
    (void)state;
    stage s = stage_open(true, N_PROMPT, 3);
    relay r = {.stage = &s, .n = 1};
    submit(&s, pass_on, &r);
    while (asked_step(s.engine) > 0) {
    }
    assert_int_equal(r.n, 5);
    for (int32_t i = 0; i < 5; i++) answer_expect("relay", &r.got[i], &s.wanted);
    stage_close(&s);
}

/* ---- Failing steps ----------------------------------------------------------------------------- */

/** Wherever a step fails, what the one before has left is told in it, before an end that the
 * failure brings; and the end is told by the same call. */
static void overlap_failing_step_tells_what_was_to_come(void **state) {
    (void)state;
    bool struck = true;
    for (int64_t nth = 1; struck; nth++) {
        stage s = stage_open(true, N_PROMPT, 10);
        answer got = {0};
        int32_t active = 0;
        submit(&s, answer_keep, &got);
        step_until(&s, &got, 2);
        for (int32_t i = 0; i < 2 && struck; i++) {
            device_inject(s.model->dev, FM_FAULT_OP, nth, FM_ERR_IO);
            fm_status status = fm_engine_step(s.engine, &active, NULL);
            struck = device_inject(s.model->dev, FM_FAULT_OP, 0, FM_OK) == 0;
            assert_int_equal(status, struck ? FM_ERR_IO : FM_OK);
            assert_int_equal(got.n, 3);
            assert_int_equal(got.n_ends, struck ? i : 0);
            assert_int_equal(active, 1 - got.n_ends);
        }
        if (struck) {
            assert_int_equal(got.end.finish, FM_FINISH_ERROR);
            assert_int_equal(got.end.n_generated, 3);
            assert_memory_equal(got.ids, s.wanted.ids, 3 * sizeof *got.ids);
        } else {
            assert_true(nth > 20);
        }
        stage_close(&s);
        if (!struck) answer_expect("not struck", &got, &s.wanted);
    }
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_events_come_while_the_next_step_computes),
        cmocka_unit_test(overlap_events_come_beside_the_first_block),
        cmocka_unit_test(overlap_callbacks_have_the_callers_environment),
        IN_DIR(overlap_forks_and_files_go_on_from_what_was_told),
        cmocka_unit_test(overlap_what_is_to_come_counts_as_active),
        cmocka_unit_test(overlap_free_tells_nothing),
        cmocka_unit_test(overlap_cancelled_between_steps_ends_in_the_next),
        cmocka_unit_test(overlap_cancelled_does_not_cover_an_error),
        cmocka_unit_test(overlap_callback_that_says_no_ends_with_the_step),
        cmocka_unit_test(overlap_last_events_may_submit),
        cmocka_unit_test(overlap_failing_step_tells_what_was_to_come),
    };
    return cmocka_run_group_tests_name("test_engine_overlap", tests, NULL, NULL);
}
