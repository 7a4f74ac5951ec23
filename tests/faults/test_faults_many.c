/*
 * test_faults_many.c - many requests that use all an engine has, forked, saved and restored: every
 * allocation on the way fails once, and no step allocates, whatever it does.
 */
#include <stdlib.h>
#include <string.h>

#include "backend_front.h"
#include "base/error.h"
#include "each.h"
#include "model/model.h"
#include "model/run.h"
#include "support/temp_dir.h"

#define LLAMA  TEST_DATA "/oracle/llama_mha"
#define WINDOW TEST_DATA "/oracle/qwen2_window"

enum { N_REQUESTS = 6, N_PROMPT = 90, N_NEW = 60 };

static const fm_logit_bias bias[] = {{3, 0.5f}, {9, -0.5f}};
static const char *const stop[] = {"no such text", "nor this"};
static const int32_t no_end = -1;

static bool allow_most(void *user, const int32_t *answer, int32_t n_answer, uint32_t *mask) {
    (void)user, (void)answer;
    mask[0] &= ~(1u << n_answer % 32);
    return true;
}

typedef struct party {
    const fm_tokenizer *tokenizer;
    const char *path;
    int32_t ids[N_PROMPT];
    int32_t n_tokens, n_ends;
    uint64_t cancelled; /* ended by its callback; 0: none */
} party;

static bool count(void *user, const fm_event *event) {
    party *p = user;
    p->n_tokens += event->finish == FM_FINISH_NONE;
    p->n_ends += event->finish != FM_FINISH_NONE;
    return event->request != p->cancelled || p->n_tokens < 30;
}

/** Prompts that begin alike for half of them; each with all that a request may have. */
static fm_request request_of(party *p, int32_t i) {
    for (int32_t k = 0; k < N_PROMPT; k++) p->ids[k] = (k * 7 + i % 2 * 3 + 1) % 200;
    p->ids[N_PROMPT - 1] = i;
    return (fm_request){
        .ids = p->ids,
        .n_ids = N_PROMPT,
        .max_new = N_NEW - i,
        .sampling = {.temperature = i % 3 ? 0.9f : 0.0f,
                     .top_p = 0.95f,
                     .repetition_penalty = 1.1f,
                     .frequency_penalty = 0.1f,
                     .presence_penalty = 0.1f,
                     .bias = bias,
                     .n_bias = 2,
                     .seed = (uint64_t)i},
        .end_ids = &no_end,
        .n_end_ids = 1,
        .n_logprobs = 3,
        .tokenizer = p->tokenizer,
        .stop = stop,
        .n_stop = 2,
        .tenant = (uint64_t)(i % 2),
        .deadline_seconds = 1000.0,
        .mask = allow_most,
        .on_event = count,
        .user = p,
    };
}

static fm_status submit_all(fm_engine *e, party *p, uint64_t *ids, fm_error *err) {
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        const fm_request request = request_of(p, i);
        FM_TRY(fm_engine_submit(e, &request, &ids[i], err));
    }
    return FM_OK;
}

static fm_status step_to_end(fm_engine *e, fm_error *err) {
    fm_status status = FM_OK;
    for (int32_t active = 1; active > 0 && status == FM_OK;)
        status = fm_engine_step(e, &active, err);
    return status;
}

/* ---- Failing allocations ------------------------------------------------------------------------- */

static fm_status run_party(fm_engine *e, party *p, fm_error *err) {
    uint64_t ids[N_REQUESTS];
    int32_t active, n;
    const fm_fork fork = {.on_event = count, .user = p};
    const fm_restore how = {.tokenizer = p->tokenizer, .on_event = count, .user = p};
    FM_TRY(submit_all(e, p, ids, err));
    for (int i = 0; i < 8; i++) FM_TRY(fm_engine_step(e, &active, err));
    FM_TRY(fm_engine_fork(e, ids[0], &fork, NULL, err));
    FM_TRY(fm_engine_save(e, ids[1], p->path, err));
    FM_TRY(fm_engine_restore(e, p->path, &how, NULL, err));
    FM_TRY(step_to_end(e, err));
    request_of(p, 0);
    FM_TRY(fm_engine_save_prefix(e, 0, p->ids, N_PROMPT, p->path, &n, err));
    return fm_engine_restore_prefix(e, 7, p->path, &n, err);
}

static fm_status open_and_run(void *user, fm_error *err) {
    const fm_model_params limits = {
        .device = "cpu", .n_threads = 1, .max_context = 192, .max_chunk = 64, .max_sequences = 4};
    const fm_engine_params large = {.cache_tokens = 2000}; /* so that the prefix stays */
    run r = {0};
    fm_status status = fm_model_open(LLAMA, &limits, &r.model, err);
    if (status == FM_OK) status = fm_engine_new(r.model, &large, &r.engine, err);
    if (status == FM_OK) status = run_party(r.engine, user, err);
    run_close(&r);
    return status;
}

static void faults_of_memory_are_reported_by_every_call_of_an_engine(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_tokenizer *tokenizer;
    temp_dir_path(dir, "a.saved", path);
    assert_int_equal(fm_tokenizer_open(TEST_DATA "/tokenizer/smollm", &tokenizer, NULL), FM_OK);
    party p = {.tokenizer = tokenizer, .path = path};
    assert_true(each_allocation_fails("an engine", open_and_run, &p) > 150);
    fm_tokenizer_close(tokenizer);
}

/* ---- Steps --------------------------------------------------------------------------------------- */

/** Six requests in caches for two: prefixes are taken over, pages evicted and sequences stopped,
 * one is forked, one restored, one cancelled from outside and one from its callback. The same on a
 * device that says it computes by itself. */
static void allocates_nothing(const char *model, bool async, party *p) {
    const fm_model_params limits = {
        .device = "cpu", .n_threads = 2, .max_context = 192, .max_chunk = 48, .max_sequences = 5};
    const fm_engine_params small = {.cache_tokens = 320};
    const fm_fork fork = {.n_back = 2, .on_event = count, .user = p};
    const fm_restore how = {.tokenizer = p->tokenizer, .on_event = count, .user = p};
    uint64_t ids[N_REQUESTS], n_allocations = 0;
    fm_error err = {0};
    fm_engine_stats stats;
    run r = {0};
    assert_int_equal(fm_model_open(model, &limits, &r.model, &err), FM_OK);
    r.model->dev->info.async = async;
    assert_int_equal(fm_engine_new(r.model, &small, &r.engine, &err), FM_OK);
    assert_int_equal(submit_all(r.engine, p, ids, &err), FM_OK);
    p->n_tokens = p->n_ends = 0;
    p->cancelled = ids[4];
    for (int32_t i = 0, active = 1; active > 0; i++) {
        if (i == 12) assert_int_equal(fm_engine_fork(r.engine, ids[0], &fork, NULL, &err), FM_OK);
        if (i == 13) assert_int_equal(fm_engine_save(r.engine, ids[0], p->path, &err), FM_OK);
        if (i == 14)
            assert_int_equal(fm_engine_restore(r.engine, p->path, &how, NULL, &err), FM_OK);
        if (i == 16) fm_engine_cancel(r.engine, ids[5], NULL);
        alloc_guard_begin();
        fm_status status = fm_engine_step(r.engine, &active, &err);
        n_allocations += alloc_guard_end();
        if (status != FM_OK) fail_msg("step %d: %s", (int)i, err.text);
    }
    fm_engine_get_stats(r.engine, &stats);
    assert_int_equal(p->n_ends, N_REQUESTS + 2);
    assert_true(p->n_tokens > 150);
    assert_true(stats.n_preempted > 0 && stats.n_tokens_shared > 0);
    assert_true(stats.n_pages_evicted > 0 && stats.n_pages_copied > 0);
    assert_int_equal(n_allocations, 0);
    run_close(&r);
}

static void faults_steps_of_many_allocate_nothing(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_tokenizer *tokenizer;
    temp_dir_path(dir, "a.saved", path);
    assert_int_equal(fm_tokenizer_open(TEST_DATA "/tokenizer/smollm", &tokenizer, NULL), FM_OK);
    party p = {.tokenizer = tokenizer, .path = path};
    allocates_nothing(LLAMA, false, &p);
    allocates_nothing(LLAMA, true, &p);
    allocates_nothing(WINDOW, false, &p);
    allocates_nothing(WINDOW, true, &p);
    fm_tokenizer_close(tokenizer);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        IN_DIR(faults_of_memory_are_reported_by_every_call_of_an_engine),
        IN_DIR(faults_steps_of_many_allocate_nothing),
    };
    return cmocka_run_group_tests_name("test_faults_many", tests, NULL, NULL);
}
