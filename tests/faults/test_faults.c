/*
 * test_faults.c - the host's memory runs out at every allocation in turn, from opening a model to
 * the end of a request: each failure is reported as what it is, nothing leaks (the sanitizer's
 * suites see to that), and once it has passed everything works. And no step of a request allocates.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "each.h"
#include "model/oracle.h"
#include "model/run.h"
#include "support/temp_dir.h"

enum { N_NEW = 3 };

/** One thread: what the others would allocate, the failure could not reach. */
static const fm_model_params one_thread = {
    .device = "cpu", .n_threads = 1, .max_context = 64, .max_chunk = 4};

static void *volatile kept; /* so that no compiler leaves a pair of malloc and free out */

static void allocate_and_free(void) {
    kept = malloc(10);
    free(kept);
}

/* ---- The allocator itself -------------------------------------------------------------------- */

static void alloc_fails_the_nth_of_every_kind(void **state) {
    (void)state;
    for (int32_t kind = 0; kind < 6; kind++) {
        void *memory = NULL;
        allocate_and_free();
        alloc_fail(2);
        allocate_and_free();
        assert_non_null(kept);
        assert_false(alloc_has_failed());
        if (kind == 0) memory = malloc(8);
        if (kind == 1) memory = calloc(2, 4);
        if (kind == 2) memory = realloc(NULL, 8);
        if (kind == 3) memory = aligned_alloc(64, 64);
        if (kind == 4) assert_int_not_equal(posix_memalign(&memory, 64, 64), 0);
        if (kind == 5) memory = strdup("text");
        assert_null(memory);
        assert_true(alloc_has_failed());
        allocate_and_free();
        assert_non_null(kept);
    }
    alloc_fail(0);
}

static void alloc_reaches_the_library_and_its_json(void **state) {
    (void)state;
    fm_tokens tokens = {0};
    uint64_t before = alloc_count();
    assert_int_equal(fm_tokens_append(&tokens, 7), FM_OK);
    assert_true(alloc_count() > before);
    before = alloc_count();
    cJSON_Delete(cJSON_CreateNull());
    assert_int_equal(alloc_count(), before + 1);
    fm_tokens_free(&tokens);
}

static void *allocate_elsewhere(void *unused) {
    allocate_and_free();
    return unused;
}

static void alloc_guard_sees_all_threads(void **state) {
    (void)state;
    pthread_t thread;
    uint64_t before = alloc_count();
    alloc_guard_begin();
    assert_int_equal(pthread_create(&thread, NULL, allocate_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(alloc_guard_end(), 1);
    assert_int_equal(alloc_count(), before); /* of this thread */
    allocate_and_free();
    alloc_guard_begin();
    assert_int_equal(alloc_guard_end(), 0);
}

/* ---- A failure at every allocation ------------------------------------------------------------- */

typedef struct whole {
    const char *dir;
    const oracle_case *c;
    run_answer answer;
} whole;

static fm_status submit_and_step(fm_engine *e, whole *w, fm_error *err) {
    fm_request request = {.ids = w->c->ids,
                          .n_ids = (size_t)w->c->n_ids,
                          .max_new = N_NEW,
                          .on_event = run_keep_token,
                          .user = &w->answer};
    int32_t active = 1;
    w->answer = (run_answer){0};
    fm_status status = fm_engine_submit(e, &request, NULL, err);
    while (status == FM_OK && active > 0) status = fm_engine_step(e, &active, err);
    return status;
}

/** Opens a model, runs a request to its end, closes all. */
static fm_status run_whole(void *user, fm_error *err) {
    whole *w = user;
    run r = {0};
    fm_status status = fm_model_open(w->dir, &one_thread, &r.model, err);
    if (status == FM_OK) status = fm_engine_new(r.model, NULL, &r.engine, err);
    if (status == FM_OK) status = submit_and_step(r.engine, w, err);
    run_close(&r);
    return status;
}

static void survives_every_failure(const char *dir) {
    oracle o;
    assert_true(oracle_read(dir, &o));
    whole w = {.dir = dir, .c = &o.cases[1]};
    assert_true(each_allocation_fails(dir, run_whole, &w) > 50);
    assert_int_equal(w.answer.n, N_NEW);
    assert_memory_equal(w.answer.ids, w.c->greedy, N_NEW * sizeof *w.c->greedy);
    oracle_free(&o);
}

static void faults_of_memory_are_reported_by_a_dense_model(void **state) {
    (void)state;
    survives_every_failure(TEST_DATA "/oracle/llama_mha");
}

static void faults_of_memory_are_reported_by_a_model_of_experts(void **state) {
    (void)state;
    survives_every_failure(TEST_DATA "/oracle/v3_q_lora");
}

static void faults_of_memory_are_reported_by_files_in_parts(void **state) {
    (void)state;
    survives_every_failure(TEST_DATA "/oracle/llama_sharded");
}

/* ---- Files of logits --------------------------------------------------------------------------- */

typedef struct writing {
    fm_engine *engine;
    const char *path;
} writing;

static fm_status write_logits(void *user, fm_error *err) {
    static const int32_t ids[] = {1, 2, 3, 4, 5, 6};
    const writing *w = user;
    fm_status status = fm_engine_write_logits(w->engine, ids, 6, w->path, NULL, NULL, err);
    if (status != FM_OK) assert_int_not_equal(access(w->path, F_OK), 0);
    return status;
}

static void faults_of_memory_leave_no_file_of_logits(void **state) {
    temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    run r = run_open(TEST_DATA "/oracle/llama_mha", &one_thread);
    temp_dir_path(dir, "logits.npy", path);
    each_allocation_fails("logits", write_logits, &(writing){r.engine, path});
    assert_int_equal(temp_dir_count(dir), 1);
    run_close(&r);
}

/* ---- Steps ------------------------------------------------------------------------------------- */

/** From the first step to the last event; two threads, so that the workers' part is seen, too. */
static void allocates_nothing(const char *dir) {
    oracle o;
    run_answer answer = {0};
    fm_error err = {0};
    fm_model_params params = one_thread;
    params.n_threads = 2;
    assert_true(oracle_read(dir, &o));
    run r = run_open(dir, &params);
    fm_request request = {.ids = o.cases[1].ids,
                          .n_ids = (size_t)o.cases[1].n_ids,
                          .max_new = N_NEW,
                          .sampling = {.temperature = 0.7f, .top_k = 20, .top_p = 0.9f},
                          .on_event = run_keep_token,
                          .user = &answer};
    assert_int_equal(fm_engine_submit(r.engine, &request, NULL, &err), FM_OK);
    int32_t active = 1;
    fm_status status = FM_OK;
    alloc_guard_begin();
    while (status == FM_OK && active > 0) status = fm_engine_step(r.engine, &active, &err);
    uint64_t n_allocations = alloc_guard_end();
    assert_int_equal(status, FM_OK);
    assert_int_equal(answer.end.n_generated, N_NEW);
    assert_int_equal(n_allocations, 0);
    run_close(&r);
    oracle_free(&o);
}

static void faults_steps_allocate_nothing(void **state) {
    (void)state;
    allocates_nothing(TEST_DATA "/oracle/llama_mha");
    allocates_nothing(TEST_DATA "/oracle/v3_q_lora");
}

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_fails_the_nth_of_every_kind),
        cmocka_unit_test(alloc_reaches_the_library_and_its_json),
        cmocka_unit_test(alloc_guard_sees_all_threads),
        cmocka_unit_test(faults_of_memory_are_reported_by_a_dense_model),
        cmocka_unit_test(faults_of_memory_are_reported_by_a_model_of_experts),
        cmocka_unit_test(faults_of_memory_are_reported_by_files_in_parts),
        cmocka_unit_test_setup_teardown(faults_of_memory_leave_no_file_of_logits, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test(faults_steps_allocate_nothing),
    };
    return cmocka_run_group_tests_name("test_faults", tests, NULL, NULL);
}
