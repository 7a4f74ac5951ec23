/*
 * test_engine_prefix.c - what engines share, and what they count as shared; prefixes and requests
 * that cannot be saved or restored are refused in words.
 */
#include "asked.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#define LLAMA  TEST_DATA "/oracle/llama_mha"
#define WINDOW TEST_DATA "/oracle/mistral_window" /* of 100 tokens, in all layers */

static const fm_model_params limits = {
    .n_threads = 1, .max_context = 256, .max_chunk = 64, .max_sequences = 2};

static asked plain(int32_t n_ids, int32_t max_new) {
    asked a = {.max_new = max_new, .n_end_ids = 1, .end_ids = {-1}};
    asked_fill(&a, 0, n_ids, 1, 200);
    return a;
}

static answer run_to_end(fm_engine *e, const asked *a) {
    answer to = {0};
    asked_submit(e, a, &to);
    while (asked_step(e) > 0) {
    }
    return to;
}

static void prefix_beyond_a_window_is_not_saved(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    int32_t n = -1;
    temp_dir_path(dir, "p.saved", path);
    fm_model *m = asked_open(WINDOW, &limits);
    fm_engine *e = asked_engine(m, NULL);
    const asked a = plain(200, 4), b = plain(100, 4);
    run_to_end(e, &a);
    expect_error("window", fm_engine_save_prefix(e, 0, a.ids, 200, path, &n, &err), &err,
                 FM_ERR_UNSUPPORTED, "a window");
    assert_int_equal(n, 0);
    assert_int_equal(temp_dir_count(dir), 0);
    /* One that a window holds is saved, and found again. */
    const answer first = run_to_end(e, &b);
    assert_int_equal(fm_engine_save_prefix(e, 0, b.ids, 100, path, &n, NULL), FM_OK);
    assert_int_equal(n, 64);
    fm_engine_free(e);
    e = asked_engine(m, NULL);
    assert_int_equal(fm_engine_restore_prefix(e, 0, path, &n, NULL), FM_OK);
    const answer second = run_to_end(e, &b);
    assert_int_equal(second.end.n_shared, 64);
    assert_memory_equal(first.ids, second.ids, 4 * sizeof *first.ids);
    fm_engine_free(e);
    fm_model_close(m);
}

static void prefix_is_not_restored_where_none_is_shared(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    int32_t n = -1;
    temp_dir_path(dir, "p.saved", path);
    fm_model *m = asked_open(LLAMA, &limits);
    fm_engine *e = asked_engine(m, NULL);
    const asked a = plain(130, 4);
    run_to_end(e, &a);
    assert_int_equal(fm_engine_save_prefix(e, 0, a.ids, 130, path, &n, NULL), FM_OK);
    fm_engine_free(e);
    e = asked_engine(m, &(fm_engine_params){.no_prefix_sharing = true});
    expect_error("unshared", fm_engine_restore_prefix(e, 0, path, &n, &err), &err, FM_ERR_STATE,
                 "no_prefix_sharing");
    assert_int_equal(n, 0);
    fm_engine_free(e);
    fm_model_close(m);
}

/** A prompt that fills the context has no token to give, in whatever context it is restored. */
static void saved_request_at_its_end_is_refused(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    answer to = {0};
    temp_dir_path(dir, "a.saved", path);
    fm_model *m = asked_open(LLAMA, &limits);
    fm_engine *e = asked_engine(m, NULL);
    const asked a = plain(256, 0);
    uint64_t id = asked_submit(e, &a, &to);
    expect_error("at its end", fm_engine_save(e, id, path, &err), &err, FM_ERR_STATE,
                 "no token left");
    assert_int_equal(asked_step(e), 0);
    assert_int_equal(to.end.finish, FM_FINISH_LENGTH);
    assert_int_equal(temp_dir_count(dir), 0);
    fm_engine_free(e);
    fm_model_close(m);
}

/** The second and third prompt begin like the first; the third finds no room for many steps, in
 * each of which it is looked at again. */
static void stats_count_what_requests_share(void **state) {
    (void)state;
    fm_engine_stats stats;
    answer to[3] = {{0}};
    uint64_t n_shared = 0;
    fm_model *m = asked_open(LLAMA, &limits);
    fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = 256});
    asked a[3] = {plain(70, 50), plain(70, 100), plain(180, 3)};
    for (int i = 0; i < 3; i++) asked_submit(e, &a[i], &to[i]);
    while (asked_step(e) > 0) {
    }
    for (int i = 0; i < 3; i++) n_shared += (uint64_t)to[i].end.n_shared;
    fm_engine_get_stats(e, &stats);
    assert_true(n_shared >= 64 + 64);
    assert_int_equal(stats.n_preempted, 0);
    assert_int_equal(stats.n_tokens_shared, n_shared);
    fm_engine_free(e);
    fm_model_close(m);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(prefix_beyond_a_window_is_not_saved),
        IN_DIR(prefix_is_not_restored_where_none_is_shared),
        IN_DIR(saved_request_at_its_end_is_refused),
        cmocka_unit_test(stats_count_what_requests_share),
    };
    return cmocka_run_group_tests_name("test_engine_prefix", tests, NULL, NULL);
}
