/*
 * test_engine_fork.c - what a fork takes over from its parent: its tenant, its limits, and all that
 * decides its tokens; and who may not fork.
 */
#include "alike.h"
#include "script.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { TENANT = 7, N_PROMPT = 130 };

static const fm_model_params params = {.n_threads = 1, .max_context = 256, .max_sequences = 4};

static uint64_t fork_of(fm_engine *e, uint64_t parent, const fm_fork *fork) {
    fm_error err = {0};
    uint64_t id = 0;
    if (fm_engine_fork(e, parent, fork, &id, &err) != FM_OK) fail_msg("%s", err.text);
    return id;
}

static void step_to_end(fm_engine *e) {
    while (asked_step(e) > 0) {
    }
}

static bool mask_of_fork(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)user, (void)ids, (void)n, (void)mask;
    return true;
}

/** Everything that was asked of the parent is asked of its forks, the stop strings among it, but
 * not its mask: a fork has its own or none. */
static void engine_fork_is_asked_what_its_parent_was(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    fm_tokenizer *t = script_tokenizer();
    static answer got, child;
    got = child = (answer){0};
    for (int32_t n_back = 0; n_back <= 2; n_back++) {
        const fm_request all = alike_request(t, &got);
        fm_fork fork = {.n_back = n_back, .on_event = answer_keep, .user = &child};
        uint64_t id = 0;
        if (n_back < 2) { /* else it has no mask */
            fork.mask = mask_of_fork;
            fork.mask_user = &child;
        }
        assert_int_equal(fm_engine_submit(e, &all, &id, NULL), FM_OK);
        while (got.n < 3) asked_step(e);
        const request *a = queue_find(&e->queue, id);
        const request *b = queue_find(&e->queue, fork_of(e, id, &fork));
        alike_expect(a, b);
        assert_int_equal(a->q.pages.tenant, b->q.pages.tenant);
        assert_true(a->deadline > 0.0 && a->deadline == b->deadline);
        assert_true(a->mask && a->mask != mask_of_fork);
        assert_true(b->mask == fork.mask && b->mask_user == fork.mask_user);
        assert_int_equal(request_n_generated(b), 3 - n_back);
        assert_true(b->on_event == answer_keep && b->user == &child);
        step_to_end(e);
        got = child = (answer){0};
    }
    fm_tokenizer_close(t);
    fm_engine_free(e);
    fm_model_close(m);
}

/** A fork that can hold less than its parent has computed takes no pages over. It finds its
 * tenant's in the cache, and what it computes is not for others. */
static void engine_fork_without_pages_stays_with_its_tenant(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    asked a = {.max_new = 40, .tenant = TENANT}, other;
    answer got = {0}, child = {0}, stranger = {0};
    asked_fill(&a, 0, N_PROMPT, 1, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &a);
    other = a;
    other.tenant = 0;
    uint64_t id = asked_submit(e, &a, &got);
    while (got.n < 20) asked_step(e);
    const fm_fork fork = {.n_back = 20, .max_new = 5, .on_event = answer_keep, .user = &child};
    uint64_t child_id = fork_of(e, id, &fork);
    pages_expect_tenants_apart(e);
    assert_int_equal(queue_find(&e->queue, child_id)->q.pages.n_tokens, 0);
    while (child.n < 2) asked_step(e);
    pages_expect_tenants_apart(e);
    step_to_end(e);
    assert_int_equal(child.end.n_shared, 128);
    assert_int_equal(child.end.n_prefilled, N_PROMPT - 128);
    assert_int_equal(child.n, 5);
    assert_memory_equal(child.ids, wanted.ids, 5 * sizeof *child.ids);
    asked_submit(e, &other, &stranger);
    step_to_end(e);
    assert_int_equal(stranger.end.n_shared, 0);
    answer_expect("parent", &got, &wanted);
    answer_expect("stranger", &stranger, &wanted);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

/** Forks of a parent whose time is over end with it, whether they run or wait. */
static void engine_fork_ends_at_its_parent_s_deadline(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    asked a = {.max_new = 100};
    answer got = {0}, child[2] = {{0}};
    uint64_t id = 0;
    asked_fill(&a, 0, 20, 1, fm_model_vocab_size(m));
    fm_request late = asked_request(&a, &got);
    late.deadline_seconds = 1000.0;
    assert_int_equal(fm_engine_submit(e, &late, &id, NULL), FM_OK);
    while (got.n < 3) asked_step(e);
    queue_find(&e->queue, id)->deadline = 1e-9; /* long ago */
    for (int i = 0; i < 2; i++)
        fork_of(e, id, &(fm_fork){.n_back = i, .on_event = answer_keep, .user = &child[i]});
    assert_int_equal(asked_step(e), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(child[i].n_ends, 1);
        assert_int_equal(child[i].end.finish, FM_FINISH_DEADLINE);
        assert_int_equal(child[i].end.n_generated, 3 - i);
    }
    assert_int_equal(got.end.finish, FM_FINISH_DEADLINE);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

/** Forks that no step has seen hold pages, which an engine that is freed takes back. */
static void engine_free_takes_the_pages_of_queued_forks_back(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    for (int32_t n_forks = 1; n_forks <= 3; n_forks++) {
        fm_engine *e = asked_engine(m, NULL);
        asked a = {.max_new = 30};
        answer got = {0}, child = {0};
        asked_fill(&a, 0, N_PROMPT, 1, fm_model_vocab_size(m));
        uint64_t id = asked_submit(e, &a, &got);
        while (got.n < 3) asked_step(e);
        for (int32_t i = 0; i < n_forks; i++) {
            const fm_fork fork = {.on_event = answer_keep, .user = &child};
            id = fork_of(e, id, &fork);
            assert_true(queue_find(&e->queue, id)->q.pages.n_pages > 0);
        }
        fm_engine_free(e);
        assert_int_equal(child.n + child.n_ends, 0);
    }
    fm_model_close(m);
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

typedef struct intruder {
    fm_engine *engine;
    uint64_t id;
    const int32_t *ids; /* [N_PROMPT] */
    const char *path;   /* of a file that must not appear */
    int32_t n_calls;
    answer answer, second;
} intruder;

static bool intrude(void *user, const fm_event *event) {
    intruder *in = user;
    fm_engine *e = in->engine;
    const fm_fork fork = {.on_event = answer_keep, .user = &in->second};
    const fm_restore how = {.on_event = answer_keep, .user = &in->second};
    const char *word = "called from a callback";
    uint64_t id = 5;
    int32_t n = 5;
    fm_error err = {0};
    expect_error("fork", fm_engine_fork(e, in->id, &fork, &id, &err), &err, FM_ERR_STATE, word);
    assert_int_equal(id, 0);
    expect_error("save", fm_engine_save(e, in->id, in->path, &err), &err, FM_ERR_STATE, word);
    id = 5;
    expect_error("restore", fm_engine_restore(e, in->path, &how, &id, &err), &err, FM_ERR_STATE,
                 word);
    assert_int_equal(id, 0);
    expect_error("save_prefix", fm_engine_save_prefix(e, 0, in->ids, N_PROMPT, in->path, &n, &err),
                 &err, FM_ERR_STATE, word);
    assert_int_equal(n, 0);
    expect_error("restore_prefix", fm_engine_restore_prefix(e, 0, in->path, &n, &err), &err,
                 FM_ERR_STATE, word);
    in->n_calls++;
    return answer_keep(&in->answer, event);
}

static void engine_callbacks_may_not_fork_save_or_restore(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "saved", path);
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    asked a = {.max_new = 6};
    asked_fill(&a, 0, N_PROMPT, 1, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &a);
    intruder in = {.engine = e, .ids = a.ids, .path = path};
    fm_request rude = asked_request(&a, NULL);
    rude.on_event = intrude;
    rude.user = &in;
    assert_int_equal(fm_engine_submit(e, &rude, &in.id, NULL), FM_OK);
    step_to_end(e);
    assert_int_equal(in.n_calls, 7);
    answer_expect("intruder", &in.answer, &wanted);
    assert_int_equal(in.second.n + in.second.n_ends, 0);
    assert_int_equal(temp_dir_count(dir), 0);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_fork_is_asked_what_its_parent_was),
        cmocka_unit_test(engine_fork_without_pages_stays_with_its_tenant),
        cmocka_unit_test(engine_fork_ends_at_its_parent_s_deadline),
        cmocka_unit_test(engine_free_takes_the_pages_of_queued_forks_back),
        cmocka_unit_test_setup_teardown(engine_callbacks_may_not_fork_save_or_restore,
                                        temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests_name("test_engine_fork", tests, NULL, NULL);
}
