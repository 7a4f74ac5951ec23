/*
 * test_engine_save.c - forks, and sequences and prefixes in files: they go on as if nothing had
 * happened, and a file that is wrong in any way is refused or does no harm.
 */
#include "request.h"
#include "support/expect.h"
#include "support/json_edit.h"
#include "support/sections_repair.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"
#define GQA   TEST_DATA "/oracle/llama_gqa_tied"
#define V3    TEST_DATA "/oracle/v3_groups"

enum { LONG = 200 }; /* tokens: three whole pages and a part */

static const fm_model_params f32 = {.dtype = "f32", .cache_dtype = "f32", .n_threads = 1};

static const fm_logit_bias bias = {3, 0.5f};
static const fm_sampling sampled = {.temperature = 1.0f,
                                    .top_k = 40,
                                    .seed = 9,
                                    .repetition_penalty = 1.1f,
                                    .bias = &bias,
                                    .n_bias = 1};
static const int32_t no_end = -1; /* answers are as long as was asked */

/** A prompt of n made-up tokens. */
static const int32_t *made_up(int32_t n) {
    static int32_t ids[512];
    for (int32_t i = 0; i < n; i++) ids[i] = (i * 37 + 11) % 200;
    return ids;
}

static fm_request request_for(int32_t n_prompt, int32_t max_new, run_answer *answer) {
    *answer = (run_answer){0};
    return (fm_request){.ids = made_up(n_prompt),
                        .n_ids = (size_t)n_prompt,
                        .max_new = max_new,
                        .sampling = sampled,
                        .end_ids = &no_end,
                        .n_end_ids = 1,
                        .on_event = run_keep_token,
                        .user = answer};
}

static void step_until(fm_engine *e, const run_answer *answer, int32_t n) {
    while (answer->n < n) assert_true(step_many(e, 8) > 0);
}

static void step_to_end(fm_engine *e) {
    while (step_many(e, 8) > 0) {
    }
}

static void expect_rest(const run_answer *whole, const run_answer *rest, int32_t n_before) {
    assert_int_equal(rest->n, whole->n - n_before);
    assert_memory_equal(rest->ids, whole->ids + n_before, (size_t)rest->n * sizeof *rest->ids);
    assert_int_equal(rest->end.finish, whole->end.finish);
    assert_int_equal(rest->end.n_generated, whole->end.n_generated);
    assert_int_equal(rest->end.n_prompt, whole->end.n_prompt);
}

/* ---- Forks ------------------------------------------------------------------------------------- */

static void engine_fork_goes_on_like_its_parent(void **state) {
    (void)state;
    static const char *const dirs[] = {LLAMA, V3};
    for (int i = 0; i < 2; i++)
        for (int32_t at = 0; at <= 12; at += 4)
            for (int32_t n_back = 0; n_back <= at; n_back += 3) {
                run r = run_open(dirs[i], &f32);
                run_answer answer, child = {0};
                fm_request request = request_for(LONG, 20, &answer);
                fm_fork fork = {.n_back = n_back, .on_event = run_keep_token, .user = &child};
                uint64_t id = submit(r.engine, &request), child_id = 0;
                step_until(r.engine, &answer, at);
                assert_int_equal(fm_engine_fork(r.engine, id, &fork, &child_id, NULL), FM_OK);
                assert_int_not_equal(child_id, id);
                step_to_end(r.engine);
                assert_int_equal(answer.n, 20);
                expect_rest(&answer, &child, at - n_back);
                if (at > 0) assert_true(child.end.n_shared >= LONG - 1);
                run_close(&r);
            }
}

/** A page that two sequences fill differently from its middle on is copied once, for one of them.
 */
static void engine_forks_part_without_touching_each_other(void **state) {
    (void)state;
    run r = run_open(LLAMA, &f32);
    run_answer answer, children[3] = {0}, alone;
    fm_request request = request_for(LONG, 20, &answer);
    uint64_t id = submit(r.engine, &request);
    step_until(r.engine, &answer, 5);
    for (int i = 0; i < 3; i++) {
        fm_sampling other = sampled;
        other.seed = 100 + (uint64_t)i;
        fm_fork fork = {.sampling = &other, .on_event = run_keep_token, .user = &children[i]};
        assert_int_equal(fm_engine_fork(r.engine, id, &fork, NULL, NULL), FM_OK);
    }
    step_to_end(r.engine);
    fm_engine_stats stats;
    fm_engine_get_stats(r.engine, &stats);
    assert_int_equal(stats.n_pages_copied, 3);
    assert_int_equal(stats.n_pages_free + stats.n_pages_cached, stats.n_pages);
    request = request_for(LONG, 20, &alone);
    finish(r.engine, &request);
    assert_memory_equal(alone.ids, answer.ids, 20 * sizeof *alone.ids);
    for (int i = 0; i < 3; i++) {
        /* The same tokens as a prompt, drawn from on where the fork began. */
        assert_int_equal(children[i].n, 15);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(children[i].ids, children[k].ids, 15 * sizeof *alone.ids);
    }
    run_close(&r);
}

static void engine_fork_refuses_what_it_cannot_do(void **state) {
    (void)state;
    run r = run_open(LLAMA, &f32);
    run_answer answer, child;
    fm_error err = {0};
    fm_request request = request_for(20, 6, &answer);
    uint64_t id = submit(r.engine, &request);
    fm_fork fork = {.on_event = run_keep_token, .user = &child};
    step_until(r.engine, &answer, 2);
    expect_error("unknown", fm_engine_fork(r.engine, id + 1, &fork, NULL, &err), &err,
                 FM_ERR_NOT_FOUND, "has ended, or never was");
    fork.n_back = 3;
    expect_error("too far", fm_engine_fork(r.engine, id, &fork, NULL, &err), &err, FM_ERR_ARG,
                 "n_back 3");
    fork.n_back = -1;
    expect_error("forward", fm_engine_fork(r.engine, id, &fork, NULL, &err), &err, FM_ERR_ARG,
                 "n_back -1");
    fork = (fm_fork){.max_new = 1, .on_event = run_keep_token, .user = &child};
    expect_error("short", fm_engine_fork(r.engine, id, &fork, NULL, &err), &err, FM_ERR_ARG,
                 "max_new 1");
    fork = (fm_fork){.user = &child};
    expect_error("silent", fm_engine_fork(r.engine, id, &fork, NULL, &err), &err, FM_ERR_ARG,
                 "callback");
    step_to_end(r.engine);
    assert_int_equal(answer.n, 6);
    run_close(&r);
}

/* ---- Saved requests ---------------------------------------------------------------------------- */

/** Saves a request after `at` tokens, and returns the whole answer. */
static run_answer save_at(const char *dir, const fm_model_params *params, int32_t n_prompt,
                          int32_t at, const char *path) {
    run r = run_open(dir, params);
    run_answer answer;
    fm_error err = {0};
    fm_request request = request_for(n_prompt, 20, &answer);
    uint64_t id = submit(r.engine, &request);
    step_until(r.engine, &answer, at);
    if (fm_engine_save(r.engine, id, path, &err) != FM_OK) fail_msg("%s", err.text);
    step_to_end(r.engine);
    run_close(&r);
    return answer;
}

static fm_status restore(fm_engine *e, const char *path, run_answer *answer, fm_error *err) {
    const fm_restore how = {.on_event = run_keep_token, .user = answer};
    *answer = (run_answer){0};
    return fm_engine_restore(e, path, &how, NULL, err);
}

static void engine_restored_request_goes_on_where_it_was(void **state) {
    const temp_dir *dir = *state;
    static const char *const dirs[] = {LLAMA, V3, TEST_DATA "/oracle/qwen2_window"};
    const int32_t prompts[] = {1, 63, 64, 65, LONG};
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "a.saved", path);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 5; k++)
            for (int32_t at = 0; at <= 10; at += 5) {
                run_answer rest, whole = save_at(dirs[i], &f32, prompts[k], at, path);
                fm_model_params params = f32;
                params.max_chunk = 50;
                run r = run_open(dirs[i], &params);
                fm_error err = {0};
                if (restore(r.engine, path, &rest, &err) != FM_OK) fail_msg("%s", err.text);
                step_to_end(r.engine);
                expect_rest(&whole, &rest, at);
                if (at > 0 && i < 2) assert_int_equal(rest.end.n_shared, prompts[k] + at - 1);
                assert_int_equal(temp_dir_count(dir), 1);
                run_close(&r);
            }
}

static void engine_restore_refuses_other_models_and_formats(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    run_answer unused;
    temp_dir_path(dir, "a.saved", path);
    save_at(LLAMA, &f32, 70, 3, path);
    fm_model_params others[] = {f32, f32, f32};
    const char *dirs[] = {GQA, LLAMA, LLAMA};
    others[1].cache_dtype = "bf16";
    others[2].max_context = 60;
    for (int i = 0; i < 3; i++) {
        fm_error err = {0};
        run r = run_open(dirs[i], &others[i]);
        expect_error("other", restore(r.engine, path, &unused, &err), &err,
                     i < 2 ? FM_ERR_UNSUPPORTED : FM_ERR_LIMIT,
                     i < 2 ? "another model" : "context");
        assert_int_equal(restore(r.engine, "/absent/a.saved", &unused, NULL), FM_ERR_NOT_FOUND);
        assert_int_equal(restore(r.engine, dir->path, &unused, NULL), FM_ERR_IO);
        run_close(&r);
    }
}

/** Every byte of the small sections, and some of the rows, damaged in turn. */
static void engine_damaged_file_is_refused(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    size_t size;
    temp_dir_path(dir, "a.saved", path);
    save_at(LLAMA, &f32, 20, 3, path);
    char *bytes = json_edit_read(path, &size);
    run r = run_open(LLAMA, &f32);
    run_answer unused;
    for (size_t i = 0; i < size; i += i < 1000 ? 1 : 997) {
        bytes[i] = (char)(bytes[i] ^ 0x41);
        temp_dir_write(dir, "a.saved", bytes, size);
        fm_status status = restore(r.engine, path, &unused, NULL);
        if (status != FM_ERR_FORMAT && status != FM_ERR_UNSUPPORTED)
            fail_msg("byte %zu: status %d", i, status);
        bytes[i] = (char)(bytes[i] ^ 0x41);
    }
    for (size_t n = 0; n < size; n += 1 + size / 50) {
        temp_dir_write(dir, "a.saved", bytes, n);
        assert_int_equal(restore(r.engine, path, &unused, NULL), FM_ERR_FORMAT);
    }
    free(bytes);
    run_close(&r);
}

/** Files that are whole, and say anything: they are refused, or run as a request. */
static void engine_forged_file_does_no_harm(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    size_t size;
    int n_refused = 0, n_run = 0;
    temp_dir_path(dir, "a.saved", path);
    save_at(LLAMA, &f32, 20, 3, path);
    char *bytes = json_edit_read(path, &size);
    uint8_t *forged = malloc(size);
    run r = run_open(LLAMA, &f32);
    assert_non_null(forged);
    for (uint32_t i = 0; i < 1500; i++) {
        run_answer unused;
        size_t at = 16 + (i * 7u) % 520;
        memcpy(forged, bytes, size);
        forged[at] = (uint8_t)(forged[at] ^ (1u << i % 8));
        if (i % 3 == 0) forged[at + 3] = 0xff;
        sections_repair(forged, size);
        temp_dir_write(dir, "a.saved", forged, size);
        if (restore(r.engine, path, &unused, NULL) == FM_OK) {
            fm_engine_stats stats;
            int32_t active;
            n_run++;
            do fm_engine_step(r.engine, &active, NULL);
            while (active);
            fm_engine_get_stats(r.engine, &stats);
            assert_int_equal(stats.n_pages_free + stats.n_pages_cached, stats.n_pages);
        } else {
            n_refused++;
        }
    }
    assert_true(n_refused > 100 && n_run > 100);
    free(forged);
    free(bytes);
    run_close(&r);
}

/* ---- Saved prefixes ---------------------------------------------------------------------------- */

static void engine_restored_prefix_is_found_by_its_tenant(void **state) {
    const temp_dir *dir = *state;
    static const char *const dirs[] = {LLAMA, V3};
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "p.saved", path);
    for (int i = 0; i < 2; i++) {
        run_answer first, second, other;
        fm_error err = {0};
        int32_t n = -1;
        run r = run_open(dirs[i], &f32);
        expect_error("not cached",
                     fm_engine_save_prefix(r.engine, 0, made_up(LONG), LONG, path, &n, &err), &err,
                     FM_ERR_NOT_FOUND, "no whole page");
        fm_request request = request_for(LONG, 10, &first);
        finish(r.engine, &request);
        assert_int_equal(first.end.n_shared, 0);
        assert_int_equal(fm_engine_save_prefix(r.engine, 0, made_up(LONG), LONG, path, &n, NULL),
                         FM_OK);
        assert_int_equal(n, 192);
        run_close(&r);

        r = run_open(dirs[i], &f32);
        assert_int_equal(fm_engine_restore_prefix(r.engine, 7, path, &n, NULL), FM_OK);
        assert_int_equal(n, 192);
        expect_error("no request", restore(r.engine, path, &other, &err), &err, FM_ERR_ARG,
                     "no request");
        request = request_for(LONG, 10, &other);
        finish(r.engine, &request);
        assert_int_equal(other.end.n_shared, 0);
        request = request_for(LONG, 10, &second);
        request.tenant = 7;
        finish(r.engine, &request);
        assert_int_equal(second.end.n_shared, 192);
        assert_int_equal(second.end.n_prefilled, LONG - 192);
        expect_rest(&first, &second, 0);
        expect_rest(&first, &other, 0);
        run_close(&r);
    }
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_fork_goes_on_like_its_parent),
        cmocka_unit_test(engine_forks_part_without_touching_each_other),
        cmocka_unit_test(engine_fork_refuses_what_it_cannot_do),
        IN_DIR(engine_restored_request_goes_on_where_it_was),
        IN_DIR(engine_restore_refuses_other_models_and_formats),
        IN_DIR(engine_damaged_file_is_refused),
        IN_DIR(engine_forged_file_does_no_harm),
        IN_DIR(engine_restored_prefix_is_found_by_its_tenant),
    };
    return cmocka_run_group_tests_name("test_engine_save", tests, NULL, NULL);
}
