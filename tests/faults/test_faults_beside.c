/*
 * test_faults_beside.c - the host's memory runs out at every allocation of a call, while another
 * request runs: the call fails and leaves nothing behind, the request answers what it answers
 * alone, and what the call makes once there is memory answers rightly, too.
 */
#include <stdlib.h>

#include "each.h"
#include "model/run.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum {
    N_PROMPT = 70,
    N_NEW = 110,
    PAGE = 64, /* tokens */
    ALONE = 5, /* tenant of the request that ran alone: its pages are cached, and nobody's */
    OTHER = 7, /* a tenant who has nothing cached */
};

static const int32_t no_end = -1;

typedef struct scene {
    run r;
    int32_t prompt[N_PROMPT];
    char saved[TEMP_PATH_SIZE], prefix[TEMP_PATH_SIZE];
    run_answer alone;       /* what the request answers when nothing else happens */
    run_answer running;     /* the same request, beside the calls */
    uint64_t id;            /* of the running one */
    run_answer made;        /* of what the call under test made */
    int32_t n_before;       /* tokens of the answer that it took over */
    int32_t n_told;         /* the same for the file at `saved` */
    int32_t n_live;         /* requests that have not ended */
    fm_engine_stats before; /* the call */
} scene;

static fm_request request_into(const scene *s, run_answer *answer) {
    return (fm_request){.ids = s->prompt,
                        .n_ids = N_PROMPT,
                        .max_new = N_NEW,
                        .sampling = {.temperature = 0.8f, .top_p = 0.95f, .seed = 11},
                        .end_ids = &no_end,
                        .n_end_ids = 1,
                        .on_event = run_keep_token,
                        .user = answer};
}

static void step_once(scene *s) {
    fm_error err = {0};
    if (fm_engine_step(s->r.engine, &s->n_live, &err) != FM_OK) fail_msg("step: %s", err.text);
}

/** Opens an engine in which the request is under way, behind its prompt. */
static void open_scene(scene *s, const temp_dir *dir) {
    const fm_model_params limits = {.n_threads = 1, .max_context = 192, .max_sequences = 4};
    *s = (scene){0};
    for (int32_t i = 0; i < N_PROMPT; i++) s->prompt[i] = (i * 7 + 1) % 200;
    temp_dir_path(dir, "request.saved", s->saved);
    temp_dir_path(dir, "prefix.saved", s->prefix);
    s->r = run_open(LLAMA, &limits);
    fm_request request = request_into(s, &s->alone);
    request.tenant = ALONE;
    assert_int_equal(fm_engine_submit(s->r.engine, &request, NULL, NULL), FM_OK);
    do step_once(s);
    while (s->n_live > 0);
    assert_int_equal(s->alone.n, N_NEW);
    request = request_into(s, &s->running);
    assert_int_equal(fm_engine_submit(s->r.engine, &request, &s->id, NULL), FM_OK);
    while (s->running.n < 2) step_once(s);
}

static fm_engine *begin_attempt(scene *s) {
    fm_engine_get_stats(s->r.engine, &s->before);
    return s->r.engine;
}

/** A call that failed made no request and holds no page. Each attempt, failed or not, is followed
 * by a step of what runs. */
static fm_status end_attempt(scene *s, uint64_t made, fm_status status) {
    fm_engine_stats after;
    fm_engine_get_stats(s->r.engine, &after);
    step_once(s);
    if (status == FM_OK) return status;
    assert_int_equal(made, 0);
    assert_int_equal(after.n_pages_free, s->before.n_pages_free);
    assert_int_equal(after.n_pages_cached, s->before.n_pages_cached);
    assert_int_equal(s->n_live, 1);
    return status;
}

static void expect_answer(const scene *s, const run_answer *answer, int32_t n_before) {
    assert_int_equal(answer->end.finish, FM_FINISH_LENGTH);
    assert_int_equal(answer->n, N_NEW - n_before);
    assert_memory_equal(answer->ids, s->alone.ids + n_before,
                        (size_t)answer->n * sizeof *answer->ids);
}

/** Runs to the end, and wants every page back. */
static void close_scene(scene *s) {
    fm_engine_stats stats;
    assert_int_equal(s->running.end.finish, FM_FINISH_NONE); /* it ran beside all attempts */
    while (s->n_live > 0) step_once(s);
    expect_answer(s, &s->running, 0);
    fm_engine_get_stats(s->r.engine, &stats);
    assert_int_equal(stats.n_running + stats.n_waiting, 0);
    assert_int_equal(stats.n_pages_free + stats.n_pages_cached, stats.n_pages);
    run_close(&s->r);
}

/* ---- The calls ----------------------------------------------------------------------------------- */

static fm_status try_submit(void *user, fm_error *err) {
    scene *s = user;
    const fm_request request = request_into(s, &s->made);
    uint64_t id = 1;
    fm_status status = fm_engine_submit(begin_attempt(s), &request, &id, err);
    return end_attempt(s, id, status);
}

static fm_status try_fork(void *user, fm_error *err) {
    scene *s = user;
    const fm_fork fork = {.on_event = run_keep_token, .user = &s->made};
    uint64_t id = 1;
    s->n_before = s->running.n;
    fm_status status = fm_engine_fork(begin_attempt(s), s->id, &fork, &id, err);
    return end_attempt(s, id, status);
}

static fm_status try_save(void *user, fm_error *err) {
    scene *s = user;
    s->n_told = s->running.n;
    fm_status status = fm_engine_save(begin_attempt(s), s->id, s->saved, err);
    assert_int_equal(access(s->saved, F_OK) == 0, status == FM_OK);
    return end_attempt(s, 0, status);
}

static fm_status try_restore(void *user, fm_error *err) {
    scene *s = user;
    const fm_restore how = {.on_event = run_keep_token, .user = &s->made};
    uint64_t id = 1;
    s->n_before = s->n_told;
    fm_status status = fm_engine_restore(begin_attempt(s), s->saved, &how, &id, err);
    return end_attempt(s, id, status);
}

static fm_status try_save_prefix(void *user, fm_error *err) {
    scene *s = user;
    int32_t n = -1;
    fm_status status =
        fm_engine_save_prefix(begin_attempt(s), ALONE, s->prompt, N_PROMPT, s->prefix, &n, err);
    assert_int_equal(n, status == FM_OK ? PAGE : 0);
    assert_int_equal(access(s->prefix, F_OK) == 0, status == FM_OK);
    return end_attempt(s, 0, status);
}

static fm_status try_restore_prefix(void *user, fm_error *err) {
    scene *s = user;
    int32_t n = -1;
    fm_status status = fm_engine_restore_prefix(begin_attempt(s), OTHER, s->prefix, &n, err);
    assert_int_equal(n, status == FM_OK ? PAGE : 0);
    return end_attempt(s, 0, status);
}

/* ---- Tests --------------------------------------------------------------------------------------- */

/** A call that makes a request, in a scene that is open. */
static void expect_request_made(scene *s, const char *what, each_fn call, int32_t n_least) {
    assert_true(each_allocation_fails(what, call, s) >= n_least);
    close_scene(s);
    expect_answer(s, &s->made, s->n_before);
}

static void faults_of_submit_leave_what_runs(void **state) {
    scene s;
    open_scene(&s, *state);
    expect_request_made(&s, "submit", try_submit, 3);
}

static void faults_of_fork_leave_what_runs(void **state) {
    scene s;
    open_scene(&s, *state);
    expect_request_made(&s, "fork", try_fork, 3);
}

static void faults_of_save_and_restore_leave_what_runs(void **state) {
    scene s;
    open_scene(&s, *state);
    assert_true(each_allocation_fails("save", try_save, &s) >= 3);
    assert_int_equal(temp_dir_count(*state), 1); /* no attempt left a part of the file */
    expect_request_made(&s, "restore", try_restore, 6);
}

static void faults_of_prefixes_leave_what_runs(void **state) {
    scene s;
    open_scene(&s, *state);
    assert_true(each_allocation_fails("save_prefix", try_save_prefix, &s) >= 3);
    assert_int_equal(temp_dir_count(*state), 1);
    assert_true(each_allocation_fails("restore_prefix", try_restore_prefix, &s) >= 3);
    close_scene(&s);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(faults_of_submit_leave_what_runs),
        IN_DIR(faults_of_fork_leave_what_runs),
        IN_DIR(faults_of_save_and_restore_leave_what_runs),
        IN_DIR(faults_of_prefixes_leave_what_runs),
    };
    return cmocka_run_group_tests_name("test_faults_beside", tests, NULL, NULL);
}
