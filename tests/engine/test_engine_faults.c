/*
 * test_engine_faults.c - calls of the device fail while five requests run: the status comes back,
 * each request ends right or with that status, nothing that failed is ever taken from the cache,
 * and all pages come back.
 */
#include <stdio.h>

#include "pages.h"
#include "support/temp_dir.h"

enum { N_REQUESTS = 5, MAX_CONTEXT = 256, N_BORN = N_REQUESTS + 1 /* and a fork */ };

static const struct shape {
    int32_t n_ids, max_new;
} shapes[N_REQUESTS] = {{130, 12}, {7, 30}, {70, 5}, {64, 20}, {129, 9}};

typedef struct bench {
    fm_model *model;
    fm_engine *engine;
    asked asked[N_REQUESTS];
    answer wanted[N_REQUESTS];
    answer got[N_BORN]; /* the last is request 0's fork */
} bench;

static void make_asked(asked *a, int32_t i, int32_t vocab) {
    *a = (asked){.max_new = shapes[i].max_new};
    asked_fill(a, 0, shapes[i].n_ids, i % 2 ? 1 : 0, vocab);
    if (i == 3) a->sampling = asked_sampled(5);
}

static void bench_open(bench *b, const char *name, int32_t max_sequences) {
    char dir[512];
    snprintf(dir, sizeof dir, TEST_DATA "/oracle/%s", name);
    const fm_model_params params = {.dtype = "f32",
                                    .cache_dtype = "f32",
                                    .n_threads = 1,
                                    .max_context = MAX_CONTEXT,
                                    .max_chunk = 50,
                                    .max_sequences = max_sequences};
    *b = (bench){.model = asked_open(dir, &params)};
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        make_asked(&b->asked[i], i, fm_model_vocab_size(b->model));
        b->wanted[i] = asked_alone(b->model, &b->asked[i]);
    }
    b->engine = asked_engine(b->model, &(fm_engine_params){.cache_tokens = 4 * MAX_CONTEXT});
}

static void bench_close(bench *b) {
    fm_engine_free(b->engine);
    fm_model_close(b->model);
}

static uint64_t submit_all(bench *b) {
    uint64_t first = 0;
    memset(b->got, 0, sizeof b->got);
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        uint64_t id = asked_submit(b->engine, &b->asked[i], &b->got[i]);
        if (i == 0) first = id;
    }
    return first;
}

/** Forks request 0 once it has four tokens, within a page that both then need a copy of. */
static void fork_once(bench *b, uint64_t id) {
    answer *child = &b->got[N_REQUESTS];
    const fm_fork fork = {.on_event = answer_keep, .user = child};
    fm_error err = {0};
    if (child->n > 0 || b->got[0].n < 4 || b->got[0].n_ends > 0) return;
    *child = b->got[0];
    if (fm_engine_fork(b->engine, id, &fork, NULL, &err) != FM_OK) fail_msg("%s", err.text);
}

typedef struct outcome {
    int32_t n_failed_steps, n_errors, n_right;
} outcome;

/** What it gave before the error is right, too. */
static void look_at(const answer *got, const answer *wanted, fm_status status, outcome *out) {
    assert_int_equal(got->n_ends, 1);
    if (got->end.finish != FM_FINISH_ERROR) {
        answer_expect("beside faults", got, wanted);
        out->n_right++;
        return;
    }
    assert_int_equal(got->end.status, status);
    assert_int_equal(got->end.n_generated, got->n);
    assert_true(got->n <= wanted->n);
    assert_memory_equal(got->ids, wanted->ids, (size_t)got->n * sizeof *got->ids);
    out->n_errors++;
}

/** Runs all, every nth call of the device failing with `status`. */
static outcome run_with_faults(bench *b, int64_t nth, fm_status status) {
    fm_device *dev = b->model->dev;
    outcome out = {0};
    uint64_t first = submit_all(b);
    device_inject(dev, FM_FAULT_OP, nth, status);
    for (int32_t active = N_REQUESTS, n_steps = 0; active > 0; n_steps++) {
        fm_error err = {0};
        fork_once(b, first);
        fm_status got = fm_engine_step(b->engine, &active, &err);
        int64_t left = device_inject(dev, FM_FAULT_OP, 0, FM_OK);
        assert_int_equal(got, left == 0 ? status : FM_OK);
        assert_int_equal(err.status, got);
        out.n_failed_steps += left == 0;
        device_inject(dev, FM_FAULT_OP, left == 0 ? nth : left, status);
        assert_true(n_steps < 1000);
    }
    device_inject(dev, FM_FAULT_OP, 0, FM_OK);
    for (int32_t i = 0; i < N_REQUESTS; i++) look_at(&b->got[i], &b->wanted[i], status, &out);
    if (b->got[N_REQUESTS].n > 0) look_at(&b->got[N_REQUESTS], &b->wanted[0], status, &out);
    return out;
}

static int32_t n_free(const bench *b) {
    return paging_available(&b->engine->paging, 0);
}

/** How many calls of the device the largest step makes, about. */
static int64_t calls_of_step(bench *b) {
    fm_device *dev = b->model->dev;
    int64_t most = 0;
    submit_all(b);
    for (int32_t active = 1; active > 0;) {
        device_inject(dev, FM_FAULT_OP, 1 << 20, FM_ERR_MEMORY);
        active = asked_step(b->engine);
        int64_t n = (1 << 20) - device_inject(dev, FM_FAULT_OP, 0, FM_OK);
        if (n > most) most = n;
    }
    return most;
}

/** What is cached after the faults is right: the same requests take it over. */
static void expect_cache_right(bench *b) {
    submit_all(b);
    while (asked_step(b->engine) > 0) {
    }
    for (int32_t i = 0; i < N_REQUESTS; i++)
        answer_expect("after faults", &b->got[i], &b->wanted[i]);
}

static void survive_faults(const char *name, int32_t max_sequences) {
    bench b;
    bench_open(&b, name, max_sequences);
    int32_t n_pages = n_free(&b);
    int64_t n_calls = calls_of_step(&b);
    assert_true(n_calls > 20);
    for (int64_t nth = 1; nth <= 8 * n_calls; nth += 1 + nth / 8) {
        paging_drop_cached(&b.engine->paging);
        outcome out = run_with_faults(&b, nth, FM_ERR_MEMORY);
        assert_true(out.n_failed_steps > 0);
        if (nth <= 10) assert_int_equal(out.n_errors, N_REQUESTS); /* no step gets through */
        if (nth > 3 * n_calls) assert_int_equal(out.n_errors, 0);  /* none fails twice in a row */
        assert_int_equal(n_free(&b), n_pages);
        expect_cache_right(&b);
    }
    pages_expect_all_back(b.engine);
    bench_close(&b);
}

static void engine_faults_end_at_most_the_requests_in_the_step(void **state) {
    (void)state;
    survive_faults("llama_mha", 16);
    survive_faults("llama_mha", 2);
    survive_faults("v3_groups", 3);
    survive_faults("qwen2_layer_types", 3);
}

/** A step fails twice, with two of five requests in it: they end, and the others take their places.
 */
static void engine_second_failure_in_a_row_ends_those_in_the_step(void **state) {
    (void)state;
    bench b;
    bench_open(&b, "llama_mha", 2);
    submit_all(&b);
    int32_t active = 0;
    for (int i = 0; i < 4; i++) assert_int_equal(asked_step(b.engine), N_REQUESTS);
    for (int i = 0; i < 2; i++) {
        fm_error err = {0};
        int32_t n_before = b.engine->scheduler.n_running;
        assert_int_equal(n_before, 2);
        device_inject(b.model->dev, FM_FAULT_OP, 9, FM_ERR_IO);
        assert_int_equal(fm_engine_step(b.engine, &active, &err), FM_ERR_IO);
        assert_non_null(strstr(err.text, "the model could not be run"));
        assert_int_equal(active, i == 0 ? N_REQUESTS : N_REQUESTS - 2);
    }
    while (asked_step(b.engine) > 0) {
    }
    outcome out = {0};
    for (int32_t i = 0; i < N_REQUESTS; i++) look_at(&b.got[i], &b.wanted[i], FM_ERR_IO, &out);
    assert_int_equal(out.n_errors, 2);
    assert_int_equal(out.n_right, N_REQUESTS - 2);
    pages_expect_all_back(b.engine);
    bench_close(&b);
}

/** Runs all, two steps in a row failing after n_before others; false when all had ended by then. */
static bool run_with_two_failures(bench *b, int32_t n_before, int64_t nth, outcome *out) {
    uint64_t first = submit_all(b);
    int32_t active = N_REQUESTS;
    *out = (outcome){0};
    for (int32_t n = 0; active > 0; n++) {
        bool fails = n == n_before || n == n_before + 1;
        fork_once(b, first);
        device_inject(b->model->dev, FM_FAULT_OP, fails ? nth : 0, fails ? FM_ERR_IO : FM_OK);
        fm_status got = fm_engine_step(b->engine, &active, NULL);
        fails = device_inject(b->model->dev, FM_FAULT_OP, 0, FM_OK) == 0 && fails;
        assert_int_equal(got, fails ? FM_ERR_IO : FM_OK);
        out->n_failed_steps += fails;
    }
    for (int32_t i = 0; i < N_BORN; i++)
        if (i < N_REQUESTS || b->got[i].n > 0)
            look_at(&b->got[i], &b->wanted[i % N_REQUESTS], FM_ERR_IO, out);
    return out->n_failed_steps > 0;
}

/** Wherever two steps fail: those in both end, at most as many as run together. All others give
 * their own answers, and what the failed steps have left in the cache is right. */
static void engine_two_failures_spare_those_that_are_not_in_both_steps(void **state) {
    (void)state;
    static const char *const names[] = {"llama_mha", "v3_groups", "qwen2_layer_types"};
    for (int32_t i = 0; i < 3; i++)
        for (int32_t max_sequences = 2; max_sequences <= 3; max_sequences++) {
            bench b;
            outcome out;
            int32_t n_mixed = 0;
            bench_open(&b, names[i], max_sequences);
            for (int32_t n = 0; run_with_two_failures(&b, n, 1 + n % 12, &out); n += 2) {
                assert_in_range(out.n_errors, 1, max_sequences);
                assert_true(out.n_right >= N_REQUESTS - max_sequences);
                n_mixed++;
                expect_cache_right(&b);
                paging_drop_cached(&b.engine->paging);
            }
            assert_true(n_mixed > 10);
            pages_expect_all_back(b.engine);
            bench_close(&b);
        }
}

static fm_status no_rows(void *user, const float *logits, int32_t n_rows) {
    (void)user, (void)logits, (void)n_rows;
    return FM_OK;
}

/** Logits that fail half-way leave nothing wrong in the cache. */
static void engine_faults_in_logits_leave_a_right_cache(void **state) {
    (void)state;
    bench b;
    bench_open(&b, "v3_groups", 3);
    fm_device *dev = b.model->dev;
    const asked *a = &b.asked[0];
    fm_status status = FM_ERR_MEMORY;
    for (int64_t nth = 1; status != FM_OK; nth += 1 + nth / 8) {
        paging_drop_cached(&b.engine->paging);
        device_inject(dev, FM_FAULT_OP, nth, FM_ERR_MEMORY);
        status = fm_engine_logits(b.engine, a->ids, (size_t)a->n_ids, no_rows, NULL, NULL);
        bool struck = device_inject(dev, FM_FAULT_OP, 0, FM_OK) == 0;
        assert_int_equal(status, struck ? FM_ERR_MEMORY : FM_OK);
        expect_cache_right(&b);
    }
    pages_expect_all_back(b.engine);
    bench_close(&b);
}

/** A call that fails has taken nothing in; one that does not goes on where the saved request was,
 * even where its rows could not be written. */
static void engine_faults_in_restoring_leave_no_request(void **state) {
    char path[TEMP_PATH_SIZE];
    bench b;
    fm_status status = FM_ERR_MEMORY;
    temp_dir_path(*state, "saved", path);
    bench_open(&b, "qwen2_layer_types", 3);
    uint64_t id = asked_submit(b.engine, &b.asked[0], &b.got[0]);
    while (b.got[0].n < 5) asked_step(b.engine);
    assert_int_equal(fm_engine_save(b.engine, id, path, NULL), FM_OK);
    answer before = b.got[0];
    while (asked_step(b.engine) > 0) {
    }
    bool struck = true;
    for (int64_t nth = 1; struck; nth++) {
        answer after = before;
        const fm_restore how = {.on_event = answer_keep, .user = &after};
        paging_drop_cached(&b.engine->paging);
        device_inject(b.model->dev, FM_FAULT_OP, nth, FM_ERR_MEMORY);
        status = fm_engine_restore(b.engine, path, &how, &id, NULL);
        struck = device_inject(b.model->dev, FM_FAULT_OP, 0, FM_OK) == 0;
        if (!struck) assert_int_equal(status, FM_OK);
        while (asked_step(b.engine) > 0) {
        }
        if (status == FM_OK)
            answer_expect("restored", &after, &b.wanted[0]);
        else
            assert_int_equal(after.n_ends + (after.n - before.n) + (int32_t)id, 0);
        expect_cache_right(&b);
    }
    pages_expect_all_back(b.engine);
    bench_close(&b);
}

static void engine_loss_of_the_device_ends_all_and_stays(void **state) {
    (void)state;
    for (int32_t n_before = 0; n_before < 12; n_before += 3) {
        bench b;
        int32_t active = -1;
        bench_open(&b, "llama_mha", 2);
        submit_all(&b);
        for (int32_t i = 0; i < n_before; i++) asked_step(b.engine);
        device_inject(b.model->dev, FM_FAULT_OP, 5, FM_ERR_DEVICE);
        assert_int_equal(fm_engine_step(b.engine, &active, NULL), FM_ERR_DEVICE);
        assert_int_equal(active, 0);
        outcome out = {0};
        for (int32_t i = 0; i < N_REQUESTS; i++)
            look_at(&b.got[i], &b.wanted[i], FM_ERR_DEVICE, &out);
        assert_int_equal(out.n_errors, N_REQUESTS);
        assert_int_equal(fm_engine_step(b.engine, &active, NULL), FM_OK); /* has nothing to do */
        submit_all(&b);
        assert_int_equal(fm_engine_step(b.engine, &active, NULL), FM_ERR_DEVICE);
        assert_int_equal(active, 0);
        for (int32_t i = 0; i < N_REQUESTS; i++) {
            assert_int_equal(b.got[i].n_ends, 1);
            assert_int_equal(b.got[i].end.status, FM_ERR_DEVICE);
        }
        assert_int_equal(fm_engine_logits(b.engine, b.asked[1].ids, 7, no_rows, NULL, NULL),
                         FM_ERR_DEVICE);
        pages_expect_all_back(b.engine);
        bench_close(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_faults_end_at_most_the_requests_in_the_step),
        cmocka_unit_test(engine_second_failure_in_a_row_ends_those_in_the_step),
        cmocka_unit_test(engine_two_failures_spare_those_that_are_not_in_both_steps),
        cmocka_unit_test(engine_faults_in_logits_leave_a_right_cache),
        cmocka_unit_test_setup_teardown(engine_faults_in_restoring_leave_no_request, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test(engine_loss_of_the_device_ends_all_and_stays),
    };
    return cmocka_run_group_tests_name("test_engine_faults", tests, NULL, NULL);
}
