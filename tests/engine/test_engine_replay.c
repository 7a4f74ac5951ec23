/*
 * test_engine_replay.c - stretches of steps that a device keeps: one recording for each form that
 * steps have, the answers of a device that keeps nothing, and keys that tell every two forms apart.
 */
#include <stdio.h>

#include "pages.h"
#include "support/replay.h"
/* behind them: its names are common words */
#include "engine/engine.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"
#define V3    TEST_DATA "/oracle/v3_groups"

enum { N_ASKED = 8 };

static const char *const checkpoints[] = {LLAMA, V3, TEST_DATA "/oracle/qwen2_window",
                                          TEST_DATA "/oracle/v3_plain_q"};

static fm_model *open_with(const char *dir, const fm_model_params *params) {
    fm_model *m;
    fm_error err = {0};
    if (model_open_with(dir, params, replay_find_backend, &m, &err) != FM_OK)
        fail_msg("%s: %s", dir, err.text);
    return m;
}

static fm_model *open_on(const char *dir, const char *device) {
    return open_with(dir, &(fm_model_params){.device = device,
                                             .n_threads = 1,
                                             .max_context = 256,
                                             .max_chunk = 24,
                                             .max_sequences = 5});
}

static replay_device *device_of(const fm_model *m, int32_t place) {
    return replay_of(m->places.runs[place].dev);
}

/** Forbids a quarter of the tokens, others after each. */
static bool forbid_some(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)user;
    for (int32_t word = 0; word < 4; word++)
        mask[word] &= ~(0x11111111u << (n > 0 ? ids[n - 1] % 4 : 0));
    return true;
}

/** All ways of drawing, prompts of all lengths. */
static void make_asked(asked *a, int32_t i, int32_t vocab) {
    *a = (asked){.max_new = 5 + 13 * i % 40, .n_logprobs = i % 4 == 3 ? -1 : i % 4};
    asked_fill(a, 0, 20, 1, vocab);
    asked_fill(a, 20, 21 + 23 * i % 90, (uint64_t)i + 2, vocab);
    if (i % 2) a->sampling = asked_sampled((uint64_t)i);
    if (i % 4 == 1) a->sampling.repetition_penalty = 1.3f;
    if (i % 3 == 2) a->mask = forbid_some;
}

typedef struct batch {
    asked asked[N_ASKED];
    answer wanted[N_ASKED], got[N_ASKED];
} batch;

/** What a CPU that keeps nothing answers each alone. */
static void make_batch(const char *dir, batch *b) {
    fm_model *m = open_on(dir, "cpu");
    for (int32_t i = 0; i < N_ASKED; i++) {
        make_asked(&b->asked[i], i, fm_model_vocab_size(m));
        b->wanted[i] = asked_alone(m, &b->asked[i]);
    }
    fm_model_close(m);
}

/** Each by itself, in steps of one row. */
static void run_each(fm_engine *e, batch *b) {
    for (int32_t i = 0; i < N_ASKED; i++) {
        answer got = {0};
        asked_submit(e, &b->asked[i], &got);
        while (asked_step(e) > 0) {
        }
        answer_expect("kept", &got, &b->wanted[i]);
    }
}

/** Requests come one after the other and go when they are done. */
static void run_batch(fm_engine *e, batch *b) {
    int32_t active = 1;
    memset(b->got, 0, sizeof b->got);
    for (int32_t n = 0; active > 0 || n < 4 * N_ASKED; n++) {
        if (n % 4 == 0 && n < 4 * N_ASKED) asked_submit(e, &b->asked[n / 4], &b->got[n / 4]);
        active = asked_step(e);
    }
    for (int32_t i = 0; i < N_ASKED; i++) answer_expect("kept", &b->got[i], &b->wanted[i]);
}

/* ---- How often --------------------------------------------------------------------------------- */

/** A hundred tokens, the prompt in one step: layers of two sizes, one head, one search. */
static void replay_records_each_stretch_once(void **state) {
    (void)state;
    fm_model *cpu = open_on(LLAMA, "cpu"), *m = open_on(LLAMA, "replay");
    const replay_device *d = device_of(m, 0);
    asked a = {.max_new = 100};
    asked_fill(&a, 0, 20, 1, fm_model_vocab_size(m));
    answer wanted = asked_alone(cpu, &a), got = {0};
    fm_engine *e = asked_engine(m, NULL);
    asked_submit(e, &a, &got);
    while (asked_step(e) > 0) {
    }
    answer_expect("replayed", &got, &wanted);
    assert_int_equal(e->n_steps, 100);
    assert_int_equal(d->n_recorded, 4);
    assert_int_equal(d->n_replayed, 3 * 100 - 4);
    asked_submit(e, &a,
                 &(answer){0}); /* the same again needs nothing new, but the shorter prompt */
    for (int32_t n = 0; n < 5; n++) asked_step(e);
    assert_in_range(d->n_recorded, 4, 5);
    fm_engine_free(e);
    assert_int_equal(d->n_kept, 0); /* nothing outlives its buffers */
    fm_model_close(cpu);
    fm_model_close(m);
}

/** Experts that the host chooses stand between operations: those layers are not kept. */
static void replay_keeps_no_layers_that_wait_for_the_host(void **state) {
    (void)state;
    asked a = {.max_new = 10};
    answer got = {0}, wanted;
    fm_model *m = open_on(V3, "cpu");
    asked_fill(&a, 0, 20, 1, fm_model_vocab_size(m));
    wanted = asked_alone(m, &a);
    fm_model_close(m);
    m = open_on(V3, "replayhost*1+replayhost"); /* the first layer is dense */
    fm_engine *e = asked_engine(m, NULL);
    asked_submit(e, &a, &got);
    while (asked_step(e) > 0) {
    }
    answer_expect("routed by the host", &got, &wanted);
    assert_int_equal(device_of(m, 0)->n_recorded, 2); /* layers of two sizes */
    assert_int_equal(device_of(m, 0)->n_replayed, 10 - 2);
    assert_int_equal(device_of(m, 1)->n_recorded, 2); /* head and search */
    assert_int_equal(device_of(m, 1)->n_replayed, 2 * 10 - 2);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- The same answers -------------------------------------------------------------------------- */

static void replay_answers_as_without(void **state) {
    (void)state;
    static const char *const devices[] = {"replay", "replayhost", "replay*1+replay"};
    batch b;
    for (size_t c = 0; c < sizeof checkpoints / sizeof *checkpoints; c++) {
        make_batch(checkpoints[c], &b);
        for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
            fm_model *m = open_on(checkpoints[c], devices[i]);
            fm_engine *e = asked_engine(m, NULL);
            run_batch(e, &b);
            const replay_device *d = device_of(m, m->places.n - 1);
            run_each(e, &b);
            int32_t n_recorded = d->n_recorded;
            assert_true(n_recorded > 5 && d->n_replayed > n_recorded);
            run_batch(e, &b);
            assert_true(d->n_recorded < n_recorded + n_recorded / 2); /* few are new */
            pages_expect_all_back(e);
            fm_engine_free(e);
            fm_model_close(m);
        }
    }
}

/** An engine in the place of another has nothing of it. */
static void replay_forgets_an_engine_that_is_freed(void **state) {
    (void)state;
    batch b;
    make_batch(LLAMA, &b);
    fm_model *m = open_on(LLAMA, "replay");
    const replay_device *d = device_of(m, 0);
    for (int32_t i = 0; i < 3; i++) {
        int32_t n_before = d->n_recorded;
        fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = 256 + 64 * i});
        run_batch(e, &b);
        assert_true(d->n_recorded > n_before);
        fm_engine_free(e);
    }
    assert_int_equal(d->n_forgotten, d->n_recorded);
    fm_model_close(m);
}

/* ---- Keys -------------------------------------------------------------------------------------- */

/** What has the same key is, call by call and argument by argument, the same. */
static void replay_keys_tell_all_forms_apart(void **state) {
    (void)state;
    static const char *const devices[] = {"replay,check", "replayhost,check",
                                          "replay,check*1+replay,check"};
    batch b;
    for (size_t c = 0; c < sizeof checkpoints / sizeof *checkpoints; c++) {
        make_batch(checkpoints[c], &b);
        for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
            fm_model *m = open_on(checkpoints[c], devices[i]);
            fm_engine *e = asked_engine(m, NULL);
            run_batch(e, &b);
            run_each(e, &b);
            for (int32_t place = 0; place < m->places.n; place++) {
                const replay_device *d = device_of(m, place);
                assert_int_equal(d->n_wrong, 0);
                assert_int_equal(d->n_replayed, 0);
                if (i != 1) assert_true(d->n_checked > 30);
            }
            fm_engine_free(e);
            fm_model_close(m);
        }
    }
}

/** The check sees what it should: a size that the key leaves out, and a call more. */
static void replay_check_finds_a_key_that_says_too_little(void **state) {
    (void)state;
    fm_model *m = open_on(LLAMA, "replay,check");
    fm_engine *e = asked_engine(m, NULL);
    replay_device *d = device_of(m, 0);
    fm_device *dev = m->places.runs[0].dev;
    const fm_record_key key = {.owner = m, .sizes = {7}};
    for (int32_t i = 0; i < 4; i++) {
        bool kept;
        fm_tensor rows = tensor_slice(e->a[0].h, 0, 0, i == 1 ? 2 : 3);
        const fm_norm args = {.x = rows, .weight = m->weights.out_norm, .eps = 1e-5f, .y = rows};
        assert_int_equal(device_record(dev, &key, &kept), FM_OK);
        assert_false(kept);
        assert_int_equal(op_norm(dev, &args), FM_OK);
        if (i == 2) assert_int_equal(op_norm(dev, &args), FM_OK);
        assert_int_equal(device_record_end(dev), FM_OK);
    }
    assert_int_equal(d->n_recorded, 1);
    assert_int_equal(d->n_checked, 3);
    assert_int_equal(d->n_wrong, 2); /* of fewer rows, and of two calls */
    device_abandon(dev);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Faults and the profile -------------------------------------------------------------------- */

/** The nth call of the device fails in one step, whether it stands in a stretch that is being
 * recorded, replays one, or neither; false when there is no nth. */
static bool survives(fm_model *m, int64_t nth, const asked *a, const answer *wanted) {
    fm_engine *e = asked_engine(m, NULL);
    fm_device *dev = m->places.runs[0].dev;
    answer got[2] = {{0}};
    int32_t active = 1;
    device_inject(dev, FM_FAULT_OP, nth, FM_ERR_MEMORY);
    for (int32_t i = 0; i < 2; i++) {
        asked_submit(e, a, &got[i]);
        for (active = 1; active > 0;) {
            fm_error err = {0};
            fm_status status = fm_engine_step(e, &active, &err);
            assert_true(status == FM_OK || status == FM_ERR_MEMORY);
        }
        answer_expect("beside a fault", &got[i], wanted);
    }
    bool struck = device_inject(dev, FM_FAULT_OP, 0, FM_OK) == 0;
    fm_engine_free(e);
    return struck;
}

static void replay_survives_a_fault_of_each_call(void **state) {
    (void)state;
    for (int32_t check = 0; check <= 1; check++) {
        fm_model *m = open_on(V3, check ? "replay,check" : "replay");
        const replay_device *d = device_of(m, 0);
        asked a = {.max_new = 4};
        asked_fill(&a, 0, 10, 1, fm_model_vocab_size(m));
        answer wanted = asked_alone(m, &a);
        int64_t nth = 1;
        while (survives(m, nth, &a, &wanted)) nth++;
        assert_true(nth > 100);
        assert_true(d->n_dropped > 50); /* in the middle of a stretch */
        assert_int_equal(d->n_wrong, 0);
        fm_model_close(m);
    }
}

/** Each call is counted, as often as on a device that keeps nothing. */
static int64_t count_calls(fm_model *m, const asked *a) {
    fm_profile rows[FM_MAX_PROFILE];
    int64_t n_calls = 0;
    fm_engine *e = asked_engine(m, NULL);
    answer got[3] = {{0}};
    for (int32_t i = 0; i < 3; i++) { /* before, while and after it counts */
        fm_model_profile(m, i == 1);
        asked_submit(e, a, &got[i]);
        while (asked_step(e) > 0) {
        }
        answer_expect("profiled", &got[i], &got[0]);
        if (i != 1) continue;
        for (int32_t n = fm_model_get_profile(m, rows) - 1; n >= 0; n--) n_calls += rows[n].calls;
    }
    fm_engine_free(e);
    return n_calls;
}

static void replay_is_left_off_while_calls_are_counted(void **state) {
    (void)state;
    fm_model *cpu = open_on(LLAMA, "cpu"), *m = open_on(LLAMA, "replay");
    const replay_device *d = device_of(m, 0);
    asked a = {.max_new = 8};
    asked_fill(&a, 0, 10, 1, fm_model_vocab_size(m));
    int64_t n = count_calls(cpu, &a);
    assert_true(n > 100);
    assert_int_equal(count_calls(m, &a), n);
    assert_int_equal(d->n_recorded + d->n_replayed, 2 * 3 * 8); /* of the other two runs */
    fm_model_close(cpu);
    fm_model_close(m);
}

/** Edits of eight histories that hold the whole vocabulary are looked at four rows at a time: the
 * same search in other rows of the same logits. */
static void replay_tells_groups_of_one_block_apart(void **state) {
    (void)state;
    fm_model_params params = {.device = "replay",
                              .n_threads = 1,
                              .max_context = 256,
                              .max_chunk = 256,
                              .max_sequences = N_ASKED};
    fm_model *m = open_with(LLAMA, &params);
    fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = N_ASKED * 512});
    static asked a[N_ASKED];
    static answer got[N_ASKED];
    memset(got, 0, sizeof got);
    for (int32_t i = 0; i < N_ASKED; i++) {
        a[i] = (asked){.max_new = 14, .sampling = asked_sampled((uint64_t)i)};
        a[i].sampling.repetition_penalty = 1.3f;
        asked_fill(&a[i], 0, 240, (uint64_t)i, fm_model_vocab_size(m));
        asked_submit(e, &a[i], &got[i]);
    }
    while (asked_step(e) > 0) {
    }
    fm_engine_free(e);
    fm_model_close(m);
    params.device = "cpu";
    m = open_with(LLAMA, &params);
    for (int32_t i = 0; i < N_ASKED; i++) {
        const answer wanted = asked_alone(m, &a[i]);
        answer_expect("in a group", &got[i], &wanted);
    }
    fm_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_records_each_stretch_once),
        cmocka_unit_test(replay_keeps_no_layers_that_wait_for_the_host),
        cmocka_unit_test(replay_answers_as_without),
        cmocka_unit_test(replay_forgets_an_engine_that_is_freed),
        cmocka_unit_test(replay_keys_tell_all_forms_apart),
        cmocka_unit_test(replay_check_finds_a_key_that_says_too_little),
        cmocka_unit_test(replay_survives_a_fault_of_each_call),
        cmocka_unit_test(replay_tells_groups_of_one_block_apart),
        cmocka_unit_test(replay_is_left_off_while_calls_are_counted),
    };
    return cmocka_run_group_tests_name("test_engine_replay", tests, NULL, NULL);
}
