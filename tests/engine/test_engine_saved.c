/*
 * test_engine_saved.c - what a file keeps of a request, to the last field; what it is restored
 * with; windows that have lost rows; models that differ in one number; and engines whose pages are
 * taken.
 */
#include "alike.h"
#include "script.h"
#include "support/expect.h"
#include "support/json_edit.h"
#include "support/temp_dir.h"

#define LLAMA  TEST_DATA "/oracle/llama_mha"
#define WINDOW TEST_DATA "/oracle/qwen2_window"

enum { MAX_CONTEXT = 256 };

static const fm_model_params params = {.device = "cpu",
                                       .n_threads = 1,
                                       .max_context = MAX_CONTEXT,
                                       .max_chunk = 64,
                                       .max_sequences = 2};

static void step_to_end(fm_engine *e) {
    while (asked_step(e) > 0) {
    }
}

static void save(fm_engine *e, uint64_t id, const char *path) {
    fm_error err = {0};
    if (fm_engine_save(e, id, path, &err) != FM_OK) fail_msg("%s", err.text);
}

static uint64_t restore(fm_engine *e, const char *path, const fm_restore *how) {
    fm_error err = {0};
    uint64_t id = 0;
    if (fm_engine_restore(e, path, how, &id, &err) != FM_OK) fail_msg("%s", err.text);
    return id;
}

/* ---- What is kept ------------------------------------------------------------------------------ */

static void expect_same_files(const char *path, const char *other_path) {
    size_t size, other_size;
    char *bytes = json_edit_read(path, &size), *other = json_edit_read(other_path, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    free(bytes);
    free(other);
}

/** A restored request is asked what the saved one was, and a file of it is the same file. */
static void engine_saved_request_keeps_all_that_was_asked(void **state) {
    char path[2][TEMP_PATH_SIZE];
    for (int i = 0; i < 2; i++) temp_dir_path(*state, i ? "b.saved" : "a.saved", path[i]);
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    fm_tokenizer *t = script_tokenizer();
    static answer got, second;
    got = second = (answer){0};
    const fm_request all = alike_request(t, &got);
    const fm_restore how = {.tokenizer = t,
                            .tenant = 9,
                            .deadline_seconds = 500.0,
                            .mask = all.mask,
                            .mask_user = all.mask_user,
                            .on_event = answer_keep,
                            .user = &second};
    uint64_t id = 0;
    assert_int_equal(fm_engine_submit(e, &all, &id, NULL), FM_OK);
    while (got.n < 5) asked_step(e);
    save(e, id, path[0]);
    uint64_t second_id = restore(e, path[0], &how);
    save(e, second_id, path[1]);
    expect_same_files(path[0], path[1]);
    const request *r = queue_find(&e->queue, second_id);
    alike_expect(queue_find(&e->queue, id), r);
    assert_int_equal(r->q.pages.tenant, 9);
    assert_true(r->deadline > 0.0 && r->deadline == r->submitted + 500.0);
    assert_true(r->mask == all.mask && r->mask_user == all.mask_user);
    second = got;
    step_to_end(e);
    assert_true(got.n > 5);
    answer_expect("restored", &second, &got);
    fm_tokenizer_close(t);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- What it is restored with ------------------------------------------------------------------ */

/** The file's rows go to the tenant that restores them, and to nobody else. */
static void engine_restored_request_is_its_tenant_s(void **state) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(*state, "a.saved", path);
    fm_model *m = asked_open(LLAMA, &params);
    asked a = {.max_new = 20, .tenant = 3};
    answer first = {0}, second = {0}, late = {0};
    asked_fill(&a, 0, 130, 1, fm_model_vocab_size(m));
    fm_engine *e = asked_engine(m, NULL);
    uint64_t id = asked_submit(e, &a, &first);
    while (first.n < 5) asked_step(e);
    save(e, id, path);
    second = first;
    step_to_end(e);
    fm_engine_free(e);

    e = asked_engine(m, &(fm_engine_params){.cache_tokens = 4 * MAX_CONTEXT});
    restore(e, path, &(fm_restore){.tenant = 4, .on_event = answer_keep, .user = &second});
    id = restore(
        e, path,
        &(fm_restore){
            .tenant = 4, .deadline_seconds = 1000.0, .on_event = answer_keep, .user = &late});
    queue_find(&e->queue, id)->deadline -= 1001.0;
    asked_step(e);
    pages_expect_tenants_apart(e);
    assert_int_equal(late.end.finish, FM_FINISH_DEADLINE);
    assert_int_equal(late.end.n_generated, 5);
    step_to_end(e);
    answer_expect("restored", &second, &first);
    for (uint64_t tenant = 3; tenant <= 5; tenant++) {
        answer got = {0};
        a.tenant = tenant;
        asked_submit(e, &a, &got);
        step_to_end(e);
        answer_expect("after it", &got, &first);
        assert_int_equal(got.end.n_shared, tenant == 4 ? 128 : 0);
    }
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Windows ----------------------------------------------------------------------------------- */

/** Prompts that use the pages that the first one's window has given back. */
static void run_others(fm_engine *e, answer *unused) {
    for (uint64_t text = 100; text < 106; text++) {
        asked other = {.max_new = 1};
        *unused = (answer){0};
        asked_fill(&other, 0, 200, text, 224);
        asked_submit(e, &other, unused);
        while (unused->n_ends == 0) asked_step(e);
    }
}

/** Rows that a window has lost, and others have overwritten since, come back to nobody: the
 * restored request's tokens are run again, and what that leaves in the cache is right. */
static void engine_saved_request_leaves_out_what_its_window_lost(void **state) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(*state, "a.saved", path);
    fm_model *m = asked_open(WINDOW, &params);
    asked a = {.max_new = 50, .n_logprobs = 1}, begins_alike = {.max_new = 9, .n_logprobs = 1};
    answer first = {0}, second = {0}, third = {0}, unused;
    asked_fill(&a, 0, 200, 1, fm_model_vocab_size(m));
    asked_fill(&begins_alike, 0, 70, 1, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &begins_alike);
    fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = 3 * MAX_CONTEXT});
    uint64_t id = asked_submit(e, &a, &first);
    while (first.n < 3) asked_step(e);
    run_others(e, &unused);
    assert_true(first.n_ends == 0);
    const paged_sequence *pages = &queue_find(&e->queue, id)->q.pages;
    int32_t n_lost = 0;
    for (int32_t c = 0; c < e->paging.n_classes; c++) n_lost += pages->first[c];
    assert_true(n_lost > 0);
    save(e, id, path);
    second = first;
    step_to_end(e);
    fm_engine_free(e);

    e = asked_engine(m, NULL);
    restore(e, path, &(fm_restore){.on_event = answer_keep, .user = &second});
    step_to_end(e);
    answer_expect("restored", &second, &first);
    assert_int_equal(second.end.n_shared, 0);
    assert_int_equal(second.end.n_prefilled,
                     200); /* of the prompt, though its answer was run, too */
    asked_submit(e, &begins_alike, &third);
    step_to_end(e);
    answer_expect("begins alike", &third, &wanted);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Other models ------------------------------------------------------------------------------ */

/** A copy of a checkpoint whose description is edited. */
static void copy_model(const temp_dir *dir, const char *from, const char *edits) {
    char path[TEMP_PATH_SIZE];
    size_t size;
    snprintf(path, sizeof path, "%s/config.json", from);
    char *text = json_edit_read(path, NULL), *edited = json_edit(text, edits);
    temp_dir_write_text(dir, "model/config.json", edited);
    free(edited);
    free(text);
    snprintf(path, sizeof path, "%s/model.safetensors", from);
    char *weights = json_edit_read(path, &size);
    temp_dir_write(dir, "model/model.safetensors", weights, size);
    free(weights);
}

static const struct other {
    const char *dir, *edits;
} others[] = {
    {WINDOW, "sliding_window=41"},
    {WINDOW, "max_window_layers=2"},
    {WINDOW, "rope_theta=20000.0"},
    {WINDOW, "rms_norm_eps=1e-05"},
    {LLAMA, "rope_theta=10001.0"},
    {LLAMA, "rms_norm_eps=1.5e-06"},
    {LLAMA, "rope_scaling={\"rope_type\":\"linear\",\"factor\":2.0}"},
    {TEST_DATA "/oracle/v3_groups", "routed_scaling_factor=2.25"},
    {TEST_DATA "/oracle/v3_groups", "norm_topk_prob=false"},
    {TEST_DATA "/oracle/v3_groups", "topk_group=3"},
    {TEST_DATA "/oracle/v3_groups", "num_experts_per_tok=3"},
};

static fm_status restore_with(const char *dir, const char *path, fm_error *err) {
    answer unused = {0};
    const fm_restore how = {.on_event = answer_keep, .user = &unused};
    fm_model *m = asked_open(dir, &params);
    fm_engine *e = asked_engine(m, NULL);
    fm_status status = fm_engine_restore(e, path, &how, NULL, err);
    fm_engine_free(e);
    fm_model_close(m);
    return status;
}

/** Weights are the same in all of these pairs: one number of the description tells them apart. */
static void engine_restore_refuses_a_model_that_differs_in_one_number(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE], copy[TEMP_PATH_SIZE];
    temp_dir_path(dir, "a.saved", path);
    temp_dir_path(dir, "model", copy);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct other *o = &others[i];
        asked a = {.max_new = 5};
        answer got = {0};
        fm_error err = {0};
        asked_fill(&a, 0, 20, 1, 200);
        fm_model *m = asked_open(o->dir, &params);
        fm_engine *e = asked_engine(m, NULL);
        uint64_t id = asked_submit(e, &a, &got);
        while (got.n < 2) asked_step(e);
        save(e, id, path);
        fm_engine_free(e);
        fm_model_close(m);
        copy_model(dir, o->dir, "transformers_version=\"0\"");
        assert_int_equal(restore_with(copy, path, NULL), FM_OK);
        copy_model(dir, o->dir, o->edits);
        expect_error(o->edits, restore_with(copy, path, &err), &err, FM_ERR_UNSUPPORTED,
                     "another model");
    }
}

/* ---- Without free pages ------------------------------------------------------------------------ */

enum { N_SAVED = 128, N_LONG = 180 /* tokens, which leave one page of the engine's four */ };

/** A prefix that finds one page and not two is refused with what to do, and keeps none; a request
 * runs its tokens again. Once there are pages both have them. */
static void engine_restore_without_free_pages(void **state) {
    char prefix[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE];
    temp_dir_path(*state, "prefix", prefix);
    temp_dir_path(*state, "sequence", path);
    fm_model *m = asked_open(LLAMA, &params);
    asked saved = {.max_new = 20}, full = {.max_new = 5};
    asked_fill(&saved, 0, N_SAVED + 2, 1, fm_model_vocab_size(m));
    asked_fill(&full, 0, N_LONG, 2, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &saved);
    static answer first, beside, got[2];
    first = beside = got[0] = got[1] = (answer){0};

    fm_engine *e = asked_engine(m, NULL);
    uint64_t id = asked_submit(e, &saved, &first);
    while (first.n < 1) asked_step(e);
    int32_t n = 0;
    save(e, id, path);
    got[0] = got[1] = first;
    assert_int_equal(fm_engine_save_prefix(e, 0, saved.ids, N_SAVED, prefix, &n, NULL), FM_OK);
    assert_int_equal(n, N_SAVED);
    fm_engine_free(e);

    e = asked_engine(m, &(fm_engine_params){.cache_tokens = MAX_CONTEXT});
    asked_submit(e, &full, &beside);
    while (beside.n < 1) asked_step(e);
    fm_error err = {0};
    assert_int_equal(fm_engine_restore_prefix(e, 0, prefix, &n, &err), FM_ERR_MEMORY);
    assert_int_equal(n, 0);
    assert_non_null(strstr(err.text, "no free pages for the 128 saved tokens"));
    assert_int_equal(e->prompt.n_pages, 0);
    restore(e, path, &(fm_restore){.on_event = answer_keep, .user = &got[0]});
    step_to_end(e);
    assert_int_equal(beside.end.finish, FM_FINISH_LENGTH);
    answer_expect("run again", &got[0], &wanted);
    assert_true(got[0].end.n_shared < N_SAVED);

    paging_drop_cached(&e->paging);
    assert_int_equal(fm_engine_restore_prefix(e, 0, prefix, &n, NULL), FM_OK);
    assert_int_equal(n, N_SAVED);
    restore(e, path, &(fm_restore){.on_event = answer_keep, .user = &got[1]});
    step_to_end(e);
    answer_expect("with its rows", &got[1], &wanted);
    assert_true(got[1].end.n_shared >= N_SAVED);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(engine_saved_request_keeps_all_that_was_asked),
        IN_DIR(engine_restored_request_is_its_tenant_s),
        IN_DIR(engine_saved_request_leaves_out_what_its_window_lost),
        IN_DIR(engine_restore_refuses_a_model_that_differs_in_one_number),
        IN_DIR(engine_restore_without_free_pages),
    };
    return cmocka_run_group_tests_name("test_engine_saved", tests, NULL, NULL);
}
