/*
 * test_engine_cancel.c - the names of requests, ending one before its time, and what a callback may
 * ask of the engine that calls it.
 */
#include <pthread.h>
#include <sched.h>

#include "request.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { STEP_TOKENS = 2 }; /* so that prompt7 takes four steps */

static const fm_model_params params = {
    .dtype = "f32", .cache_dtype = "f32", .n_threads = 1, .max_chunk = STEP_TOKENS};

/** Everything that a request's callback was told. */
typedef struct record {
    int32_t n_tokens, n_ends;
    uint64_t request; /* of all events, which must agree */
    fm_event end;
} record;

static bool record_event(void *user, const fm_event *event) {
    record *seen = user;
    if (seen->n_tokens + seen->n_ends > 0) assert_int_equal(event->request, seen->request);
    seen->request = event->request;
    if (event->finish == FM_FINISH_NONE) {
        seen->n_tokens++;
        return true;
    }
    seen->n_ends++;
    seen->end = *event;
    return true;
}

static fm_request recorded(const oracle_case *c, int32_t max_new, record *seen) {
    *seen = (record){0};
    return (fm_request){.ids = c->ids,
                        .n_ids = (size_t)c->n_ids,
                        .max_new = max_new,
                        .on_event = record_event,
                        .user = seen};
}

static void expect_not_found(fm_engine *e, uint64_t id) {
    fm_error err = {0};
    expect_error("cancel", fm_engine_cancel(e, id, &err), &err, FM_ERR_NOT_FOUND,
                 "has ended, or never was");
}

static void cancel(fm_engine *e, uint64_t id) {
    fm_error err = {0};
    if (fm_engine_cancel(e, id, &err) != FM_OK) fail_msg("%s", err.text);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void engine_request_ids_name_each_request_once(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    uint64_t ids[6], refused = 7;
    run r = run_open(LLAMA, &params);
    for (int i = 0; i < 6; i++) {
        record seen;
        fm_request request = recorded(&c, 2, &seen);
        ids[i] = submit(r.engine, &request);
        refused = 7;
        request.n_ids = 0;
        assert_int_equal(fm_engine_submit(r.engine, &request, &refused, NULL), FM_ERR_ARG);
        assert_int_equal(refused, 0);
        if (i % 2) cancel(r.engine, ids[i]);
        while (step(r.engine)) {
        }
        assert_int_equal(seen.n_ends, 1);
        assert_int_equal(seen.request, ids[i]);
        for (int k = 0; k < i; k++) assert_int_not_equal(ids[k], ids[i]);
    }
    record seen;
    fm_request request = recorded(&c, 2, &seen);
    assert_int_equal(fm_engine_submit(r.engine, &request, NULL, NULL), FM_OK);
    while (step(r.engine)) {
    }
    for (int k = 0; k < 6; k++) assert_int_not_equal(ids[k], seen.request);
    run_close(&r);
}

/* ---- Ending from outside --------------------------------------------------------------------- */

/** Four steps take the prompt and give the first token; each further one gives one. */
static void engine_cancel_between_steps_tells_what_was_done(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &params);
    for (int32_t n_steps = 0; n_steps < 7; n_steps++) {
        record seen;
        fm_request request = recorded(&c, 20, &seen);
        uint64_t id = submit(r.engine, &request);
        int32_t n_tokens = n_steps < 4 ? 0 : n_steps - 3;
        for (int32_t i = 0; i < n_steps; i++) assert_true(step(r.engine));
        assert_int_equal(seen.n_ends, 0);
        cancel(r.engine, id);
        cancel(r.engine, id);
        assert_int_equal(seen.n_ends, 0); /* it comes in the next step */
        assert_false(step(r.engine));
        expect_not_found(r.engine, id);
        assert_int_equal(seen.n_ends, 1);
        assert_int_equal(seen.n_tokens, n_tokens);
        assert_int_equal(seen.end.request, id);
        assert_int_equal(seen.end.id, -1);
        assert_int_equal(seen.end.finish, FM_FINISH_CANCELLED);
        assert_int_equal(seen.end.status, FM_OK);
        assert_int_equal(seen.end.n_prompt, 7);
        assert_int_equal(seen.end.n_prefilled, n_steps < 4 ? STEP_TOKENS * n_steps : 7);
        assert_int_equal(seen.end.n_generated, n_tokens);
        assert_int_equal(seen.end.prefill_seconds > 0, n_steps > 0);
        assert_int_equal(seen.end.decode_seconds > 0, n_steps > 4);
        expect_usable(r.engine, &c);
    }
    run_close(&r);
}

static void engine_cancel_of_what_does_not_run_is_not_found(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &params);
    run_answer answer;
    fm_request request = request_of(&c, 5, &answer);
    expect_not_found(r.engine, 0);
    expect_not_found(r.engine, 1);
    finish(r.engine, &request);
    uint64_t old = answer.end.request;
    expect_not_found(r.engine, old);
    request = request_of(&c, 5, &answer);
    uint64_t id = submit(r.engine, &request);
    do {
        expect_not_found(r.engine, 0);
        expect_not_found(r.engine, old);
        expect_not_found(r.engine, id + 1);
        assert_int_equal(fm_engine_cancel(r.engine, UINT64_MAX, NULL), FM_ERR_NOT_FOUND);
    } while (step(r.engine));
    expect_greedy(&answer, &c, 5);
    assert_int_equal(answer.end.finish, FM_FINISH_LENGTH);
    run_close(&r);
}

/* ---- Ending from a callback ------------------------------------------------------------------ */

typedef struct quitter {
    fm_engine *engine;
    int32_t cancel_at; /* the token at which it asks for the end */
    record seen;
} quitter;

static bool cancel_at_token(void *user, const fm_event *event) {
    quitter *q = user;
    record_event(&q->seen, event);
    if (event->finish != FM_FINISH_NONE) {
        expect_not_found(q->engine, event->request); /* it has ended already */
    } else if (q->seen.n_tokens == q->cancel_at) {
        cancel(q->engine, event->request);
        cancel(q->engine, event->request);
        assert_int_equal(q->seen.n_ends, 0); /* no event inside another */
    }
    return true;
}

static void engine_cancel_from_an_event_ends_it_after_that_token(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &params);
    for (int32_t at = 1; at <= 4; at++) { /* the fourth token is the last one anyway */
        quitter q = {.engine = r.engine, .cancel_at = at};
        fm_request request = recorded(&c, 4, &q.seen);
        request.on_event = cancel_at_token;
        request.user = &q;
        finish(r.engine, &request);
        assert_int_equal(q.seen.n_tokens, at);
        assert_int_equal(q.seen.n_ends, 1);
        assert_int_equal(q.seen.end.finish, FM_FINISH_CANCELLED);
        assert_int_equal(q.seen.end.n_generated, at);
        expect_usable(r.engine, &c);
    }
    run_close(&r);
}

typedef struct successor {
    fm_engine *engine;
    const fm_request *next;
    const record *seen; /* what the next request's callback is told */
} successor;

static bool submit_and_cancel(void *user, const fm_event *event) {
    successor *s = user;
    if (event->finish == FM_FINISH_NONE) return true;
    int32_t n_ends = s->seen->n_ends;
    uint64_t id = submit(s->engine, s->next);
    assert_int_not_equal(id, event->request);
    cancel(s->engine, id);
    assert_int_equal(s->seen->n_ends, n_ends); /* no event inside another */
    return true;
}

static void engine_cancel_of_a_request_from_the_last_event_of_another(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &params);
    record seen;
    const fm_request next = recorded(&c, 4, &seen);
    successor s = {r.engine, &next, &seen};
    fm_request first = next;
    first.max_new = 1;
    first.on_event = submit_and_cancel;
    first.user = &s;
    submit(r.engine, &first);
    for (int i = 0; i < 4; i++) assert_true(step(r.engine));
    assert_false(step(r.engine)); /* the second one ends before it has begun */
    assert_int_equal(seen.n_tokens, 0);
    assert_int_equal(seen.n_ends, 1);
    assert_int_equal(seen.end.finish, FM_FINISH_CANCELLED);
    assert_int_equal(seen.end.n_prefilled, 0);
    expect_usable(r.engine, &c);
    /* The same where the first one is itself cancelled, from outside. */
    seen = (record){0};
    cancel(r.engine, submit(r.engine, &first));
    assert_true(step(r.engine));
    assert_int_equal(seen.n_ends, 0);
    assert_false(step(r.engine));
    assert_int_equal(seen.n_ends, 1);
    assert_int_equal(seen.end.finish, FM_FINISH_CANCELLED);
    expect_usable(r.engine, &c);
    run_close(&r);
}

/* ---- What a callback may not ----------------------------------------------------------------- */

typedef struct intruder {
    fm_engine *engine;
    const oracle_case *c;
    const char *path; /* of a file that must not appear */
    int32_t n_calls;
    run_answer answer;
    run_rows rows;
} intruder;

static fm_status no_rows(void *user, const float *logits, int32_t n_rows) {
    (void)user, (void)logits, (void)n_rows;
    fail_msg("rows came");
    return FM_OK;
}

static void expect_locked(intruder *in) {
    fm_error err = {0};
    int32_t active = -1;
    const char *word = "called from a callback";
    expect_error("step", fm_engine_step(in->engine, &active, &err), &err, FM_ERR_STATE, word);
    assert_int_equal(active, 0);
    expect_error("logits", fm_engine_logits(in->engine, in->c->ids, 7, no_rows, NULL, &err), &err,
                 FM_ERR_STATE, word);
    expect_error("write",
                 fm_engine_write_logits(in->engine, in->c->ids, 7, in->path, NULL, NULL, &err),
                 &err, FM_ERR_STATE, word);
    in->n_calls++;
}

static bool intrude_at_event(void *user, const fm_event *event) {
    intruder *in = user;
    expect_locked(in);
    return run_keep_token(&in->answer, event);
}

static fm_status intrude_at_rows(void *user, const float *logits, int32_t n_rows) {
    intruder *in = user;
    expect_locked(in);
    return run_keep_rows(&in->rows, logits, n_rows);
}

static void engine_callbacks_may_not_compute(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "a.npy", path);
    run r = run_open(LLAMA, &params);
    intruder in = {.engine = r.engine, .c = &c, .path = path};
    fm_request request = request_of(&c, 5, &in.answer);
    request.on_event = intrude_at_event;
    request.user = &in;
    finish(r.engine, &request);
    assert_int_equal(in.n_calls, 6);
    expect_greedy(&in.answer, &c, 5);

    size_t n = 7 * (size_t)fm_model_vocab_size(r.model);
    float *expected = run_logits(&r, c.ids, 7), *got = calloc(n, sizeof *got);
    assert_non_null(got);
    in.n_calls = 0;
    in.rows = (run_rows){got, fm_model_vocab_size(r.model)};
    assert_int_equal(fm_engine_logits(r.engine, c.ids, 7, intrude_at_rows, &in, NULL), FM_OK);
    assert_int_equal(in.n_calls, 4);
    assert_memory_equal(got, expected, n * sizeof *got);
    assert_int_equal(temp_dir_count(dir), 0);
    free(expected);
    free(got);
    run_close(&r);
}

/* ---- One call at a time on a model ----------------------------------------------------------- */

/** Calls of a second engine of the model while a callback of the first one is under way. */
typedef struct rival {
    fm_engine *engine;
    const oracle_case *c;
    const char *path; /* of a file that must not appear */
    bool on_thread;   /* calls come from a thread of their own */
    int32_t n_calls;
    run_answer answer; /* of the first engine */
    fm_status status[3];
    fm_error err[3];
} rival;

/** Asserts nothing, as it may be on a thread that the test does not know. */
static void *call_all(void *user) {
    rival *v = user;
    int32_t active;
    v->status[0] = fm_engine_step(v->engine, &active, &v->err[0]);
    v->status[1] = fm_engine_logits(v->engine, v->c->ids, 7, no_rows, NULL, &v->err[1]);
    v->status[2] = fm_engine_write_logits(v->engine, v->c->ids, 7, v->path, NULL, NULL, &v->err[2]);
    return NULL;
}

static void expect_kept_out(rival *v) {
    pthread_t thread;
    if (v->on_thread) {
        assert_int_equal(pthread_create(&thread, NULL, call_all, v), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    } else {
        call_all(v);
    }
    for (int i = 0; i < 3; i++)
        expect_error("rival", v->status[i], &v->err[i], FM_ERR_STATE, "while another thread runs");
    v->n_calls++;
}

static bool rival_at_event(void *user, const fm_event *event) {
    rival *v = user;
    expect_kept_out(v);
    return run_keep_token(&v->answer, event);
}

static fm_status rival_at_rows(void *user, const float *logits, int32_t n_rows) {
    (void)logits, (void)n_rows;
    expect_kept_out(user);
    return FM_OK;
}

static void engine_second_call_on_a_model_is_refused(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "a.npy", path);
    run r = run_open(LLAMA, &params);
    fm_engine *second;
    assert_int_equal(fm_engine_new(r.model, NULL, &second, NULL), FM_OK);
    for (int on_thread = 0; on_thread < 2; on_thread++) {
        rival v = {.engine = second, .c = &c, .path = path, .on_thread = on_thread};
        fm_request request = request_of(&c, 5, &v.answer);
        request.on_event = rival_at_event;
        request.user = &v;
        finish(r.engine, &request);
        assert_int_equal(v.n_calls, 6);
        expect_greedy(&v.answer, &c, 5);
        assert_int_equal(fm_engine_logits(r.engine, c.ids, 7, rival_at_rows, &v, NULL), FM_OK);
        assert_int_equal(v.n_calls, 6 + 4);
        cancel(r.engine, submit(r.engine, &request));
        assert_false(step(r.engine));
        assert_int_equal(v.n_calls, 6 + 4 + 1);
        v.engine = r.engine; /* another thread is refused on the engine itself, too */
        finish(r.engine, &request);
        assert_int_equal(v.n_calls, 6 + 4 + 1 + 6);
        expect_usable(second, &c);
        expect_usable(r.engine, &c);
    }
    assert_int_equal(temp_dir_count(dir), 0);
    fm_engine_free(second);
    run_close(&r);
}

/** Steps its engine to the end of its request, and tries again when it is refused. */
static void *step_to_end(void *engine) {
    for (int32_t active = 1; active;) {
        fm_status status = fm_engine_step(engine, &active, NULL);
        if (status == FM_ERR_STATE) {
            active = 1;
            sched_yield();
        } else if (status != FM_OK) {
            return engine;
        }
    }
    return NULL;
}

/** Whoever is let in finds the device as the last call left it. */
static void engine_threads_that_try_again_get_their_answers(void **state) {
    (void)state;
    const oracle_case c = prompt7(LLAMA);
    run r = run_open(LLAMA, &params);
    fm_engine *engines[2] = {r.engine, NULL};
    run_answer answers[2];
    pthread_t threads[2];
    assert_int_equal(fm_engine_new(r.model, NULL, &engines[1], NULL), FM_OK);
    for (int i = 0; i < 2; i++) {
        fm_request request = request_of(&c, 12, &answers[i]);
        submit(engines[i], &request);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, step_to_end, engines[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
        expect_greedy(&answers[i], &c, 12);
    }
    fm_engine_free(engines[1]);
    run_close(&r);
}

/** A call that fails lets the next one in. */
static void engine_failed_calls_leave_the_model_free(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    const int32_t bad[1] = {-1};
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "no/such/a.npy", path);
    run r = run_open(LLAMA, &params);
    assert_int_equal(fm_engine_logits(r.engine, bad, 1, no_rows, NULL, NULL), FM_ERR_ARG);
    assert_int_equal(fm_engine_write_logits(r.engine, bad, 1, path, NULL, NULL, NULL), FM_ERR_ARG);
    assert_int_equal(fm_engine_write_logits(r.engine, c.ids, 7, path, NULL, NULL, NULL),
                     FM_ERR_NOT_FOUND);
    expect_usable(r.engine, &c);
    run_close(&r);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_request_ids_name_each_request_once),
        cmocka_unit_test(engine_cancel_between_steps_tells_what_was_done),
        cmocka_unit_test(engine_cancel_of_what_does_not_run_is_not_found),
        cmocka_unit_test(engine_cancel_from_an_event_ends_it_after_that_token),
        cmocka_unit_test(engine_cancel_of_a_request_from_the_last_event_of_another),
        IN_DIR(engine_callbacks_may_not_compute),
        IN_DIR(engine_second_call_on_a_model_is_refused),
        cmocka_unit_test(engine_threads_that_try_again_get_their_answers),
        IN_DIR(engine_failed_calls_leave_the_model_free),
    };
    return cmocka_run_group_tests_name("test_engine_cancel", tests, NULL, NULL);
}
