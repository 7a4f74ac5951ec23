/*
 * test_engine_places.c - a model on several devices: the bits of one device wherever it is cut,
 * what is saved on one placement goes on in another, every call and every allocation of either
 * device may fail, and the plan says what each takes.
 */
#include <dirent.h>
#include <stdio.h>

#include "model/oracle.h"
#include "model/run.h"
#include "pages.h"
#include "support/expect.h"
#include "support/temp_dir.h"
/* behind them: its names are common words */
#include "engine/engine.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

/* ---- The bits of one device -------------------------------------------------------------------- */

static run open_on(const char *dir, const char *device) {
    const fm_model_params params = {
        .device = device, .n_threads = 1, .max_context = 512, .max_chunk = 50};
    return run_open(dir, &params);
}

static void expect_logits(const char *dir, const char *device, const oracle_case *c,
                          const float *expected) {
    run r = open_on(dir, device);
    float *logits = run_logits(&r, c->ids, c->n_ids);
    size_t n = (size_t)c->n_ids * (size_t)fm_model_vocab_size(r.model);
    if (memcmp(logits, expected, n * sizeof *logits) != 0) fail_msg("%s on %s", dir, device);
    free(logits);
    run_close(&r);
}

/** Two devices at every border of layers; and a device for every layer, as far as there may be. */
static void cut_everywhere(const char *dir) {
    oracle o;
    char device[64];
    assert_true(oracle_read(dir, &o));
    const oracle_case *c = &o.cases[0];
    run whole = open_on(dir, "cpu");
    float *expected = run_logits(&whole, c->ids, c->n_ids);
    int32_t n_layers = whole.model->checkpoint->config.n_layers;
    run_close(&whole);
    assert_in_range(n_layers, 2, 4);
    for (int32_t i = 1; i < n_layers; i++) {
        snprintf(device, sizeof device, "cpu*%d+cpu", (int)i);
        expect_logits(dir, device, c, expected);
    }
    if (n_layers > 2)
        expect_logits(dir, n_layers == 3 ? "cpu*1+cpu*1+cpu" : "cpu*1+cpu*1+cpu*1+cpu", c,
                      expected);
    free(expected);
    oracle_free(&o);
}

static void places_give_the_bits_of_one_device(void **state) {
    (void)state;
    int n = 0;
    DIR *d = opendir(TEST_DATA "/oracle");
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        char dir[512], path[600];
        snprintf(dir, sizeof dir, TEST_DATA "/oracle/%.200s", entry->d_name);
        snprintf(path, sizeof path, "%s/cases.txt", dir);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        fclose(f);
        cut_everywhere(dir);
        n++;
    }
    closedir(d);
    assert_true(n >= 20);
}

/* ---- Requests ---------------------------------------------------------------------------------- */

enum { N_ASKED = 5 };

static const char *const checkpoints[] = {LLAMA, TEST_DATA "/oracle/v3_groups",
                                          TEST_DATA "/oracle/qwen2_full"};

static fm_model *open_placed(const char *dir, const char *device) {
    const fm_model_params params = {.device = device,
                                    .n_threads = 1,
                                    .max_context = 256,
                                    .max_chunk = 24,
                                    .max_sequences = N_ASKED};
    return asked_open(dir, &params);
}

static void make_asked(asked *a, int32_t i, int32_t vocab) {
    *a = (asked){.max_new = 20 + 11 * i, .n_logprobs = i % 3};
    asked_fill(a, 0, 30, 1, vocab);
    asked_fill(a, 30, 40 + 17 * i, (uint64_t)i + 2, vocab);
    if (i % 2) a->sampling = asked_sampled((uint64_t)i);
}

/** What one device answers each of the requests alone. */
static void answer_alone(const char *dir, asked *all, answer *wanted) {
    fm_model *m = open_placed(dir, "cpu");
    for (int32_t i = 0; i < N_ASKED; i++) {
        make_asked(&all[i], i, fm_model_vocab_size(m));
        wanted[i] = asked_alone(m, &all[i]);
    }
    fm_model_close(m);
}

static void places_answer_many_as_one_device_answers_each(void **state) {
    (void)state;
    asked all[N_ASKED];
    answer wanted[N_ASKED];
    for (size_t c = 0; c < sizeof checkpoints / sizeof *checkpoints; c++) {
        answer_alone(checkpoints[c], all, wanted);
        fm_model *m = open_placed(checkpoints[c], "cpu*1+cpu");
        fm_engine *e = asked_engine(m, NULL);
        answer got[N_ASKED] = {{0}};
        for (int32_t i = 0; i < N_ASKED; i++) {
            asked_submit(e, &all[i], &got[i]);
            asked_step(e);
        }
        while (asked_step(e) > 0) {
        }
        for (int32_t i = 0; i < N_ASKED; i++) answer_expect("placed", &got[i], &wanted[i]);
        pages_expect_all_back(e);
        fm_engine_free(e);
        fm_model_close(m);
    }
}

/** Half of a request on one placement, the rest on another. */
static void move_over(const temp_dir *dir, const char *checkpoint, const char *from, const char *to,
                      const asked *a, const answer *wanted) {
    char path[TEMP_PATH_SIZE];
    answer got = {0};
    fm_error err = {0};
    temp_dir_path(dir, "half", path);
    fm_model *m = open_placed(checkpoint, from);
    fm_engine *e = asked_engine(m, NULL);
    uint64_t id = asked_submit(e, a, &got);
    while (got.n < a->max_new / 2) asked_step(e);
    if (fm_engine_save(e, id, path, &err) != FM_OK) fail_msg("%s", err.text);
    fm_engine_free(e);
    fm_model_close(m);
    m = open_placed(checkpoint, to);
    e = asked_engine(m, NULL);
    const fm_restore how = {.on_event = answer_keep, .user = &got};
    if (fm_engine_restore(e, path, &how, NULL, &err) != FM_OK) fail_msg("%s", err.text);
    while (asked_step(e) > 0) {
    }
    answer_expect(to, &got, wanted);
    assert_true(got.end.n_shared >= a->n_ids); /* it was taken over, not run again */
    fm_engine_free(e);
    fm_model_close(m);
}

static void places_take_over_what_others_saved(void **state) {
    asked all[N_ASKED];
    answer wanted[N_ASKED];
    for (size_t c = 0; c < sizeof checkpoints / sizeof *checkpoints; c++) {
        answer_alone(checkpoints[c], all, wanted);
        move_over(*state, checkpoints[c], "cpu", "cpu*1+cpu", &all[1], &wanted[1]);
        move_over(*state, checkpoints[c], "cpu*1+cpu", "cpu", &all[2], &wanted[2]);
        move_over(*state, checkpoints[c], "cpu*1+cpu", "cpu*1+cpu", &all[3], &wanted[3]);
        if (c != 1) continue; /* it has three layers */
        move_over(*state, checkpoints[c], "cpu*2+cpu", "cpu*1+cpu*1+cpu", &all[4], &wanted[4]);
    }
}

/* ---- Faults ------------------------------------------------------------------------------------ */

/** Requests run while the nth call of one device fails, in one step; then all is right. Returns
 * whether there was such a call. */
static bool survives(fm_engine *e, fm_device *dev, int64_t nth, const asked *all,
                     const answer *wanted) {
    answer got[2] = {{0}};
    int32_t active = 1, n_failed = 0;
    paging_drop_cached(&e->paging);
    device_inject(dev, FM_FAULT_OP, nth, FM_ERR_MEMORY);
    for (int32_t i = 0; i < 2; i++) asked_submit(e, &all[i], &got[i]);
    while (active > 0) {
        fm_error err = {0};
        fm_status status = fm_engine_step(e, &active, &err);
        assert_true(status == FM_OK || status == FM_ERR_MEMORY);
        n_failed += status != FM_OK;
    }
    bool struck = device_inject(dev, FM_FAULT_OP, 0, FM_OK) == 0;
    assert_int_equal(n_failed, struck);
    for (int32_t i = 0; i < 2; i++) answer_expect("beside a fault", &got[i], &wanted[i]);
    return struck;
}

static void places_survive_a_fault_of_each_call_of_either_device(void **state) {
    (void)state;
    asked all[2];
    answer wanted[2];
    for (size_t c = 0; c < 2; c++) {
        fm_model *m = open_placed(checkpoints[c], "cpu*1+cpu");
        fm_engine *e = asked_engine(m, NULL);
        for (int32_t i = 0; i < 2; i++) {
            make_asked(&all[i], i, fm_model_vocab_size(m));
            all[i].max_new = 3;
            wanted[i] = asked_alone(m, &all[i]);
        }
        for (int32_t place = 0; place < 2; place++) {
            int64_t nth = 1;
            while (survives(e, m->places.runs[place].dev, nth, all, wanted)) nth++;
            assert_true(nth > 60);
        }
        pages_expect_all_back(e);
        fm_engine_free(e);
        fm_model_close(m);
    }
}

static void places_end_all_when_either_device_is_lost(void **state) {
    (void)state;
    for (int32_t place = 0; place < 2; place++) {
        fm_model *m = open_placed(LLAMA, "cpu*1+cpu");
        fm_engine *e = asked_engine(m, NULL);
        asked a;
        answer got[2] = {{0}};
        int32_t active;
        fm_error err = {0};
        make_asked(&a, 0, fm_model_vocab_size(m));
        for (int32_t i = 0; i < 2; i++) asked_submit(e, &a, &got[i]);
        for (int32_t i = 0; i < 4; i++) asked_step(e);
        device_inject(m->places.runs[place].dev, FM_FAULT_OP, 3, FM_ERR_DEVICE);
        expect_error("lost", fm_engine_step(e, &active, &err), &err, FM_ERR_DEVICE, "could not be");
        assert_int_equal(active, 0);
        for (int32_t i = 0; i < 2; i++) assert_int_equal(got[i].end.status, FM_ERR_DEVICE);
        asked_submit(e, &a, &got[1]);
        got[1].n_ends = 0;
        assert_int_equal(fm_engine_step(e, &active, &err), FM_ERR_DEVICE);
        fm_engine_free(e);
        fm_model_close(m);
    }
}

/** An engine is made while the nth allocation of one device fails; false when there is no nth. */
static bool makes_no_engine(fm_model *m, fm_device *dev, int64_t nth) {
    fm_engine *e = NULL;
    fm_error err = {0};
    uint64_t before[2];
    for (int32_t i = 0; i < 2; i++) before[i] = device_bytes(m->places.runs[i].dev);
    device_inject(dev, FM_FAULT_ALLOC, nth, FM_ERR_MEMORY);
    fm_status status = fm_engine_new(m, NULL, &e, &err);
    bool struck = device_inject(dev, FM_FAULT_ALLOC, 0, FM_OK) == 0;
    assert_int_equal(status, struck ? FM_ERR_MEMORY : FM_OK);
    fm_engine_free(e);
    for (int32_t i = 0; i < 2; i++)
        assert_int_equal(device_bytes(m->places.runs[i].dev), before[i]);
    return struck;
}

static void places_give_all_back_when_either_device_is_full(void **state) {
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        fm_model *m = open_placed(checkpoints[c], "cpu*1+cpu");
        for (int32_t place = 0; place < 2; place++) {
            int64_t nth = 1;
            while (makes_no_engine(m, m->places.runs[place].dev, nth)) nth++;
            assert_true(nth > 7);
        }
        fm_model_close(m);
    }
}

/* ---- Plans ------------------------------------------------------------------------------------- */

static void plan_as_taken(const char *dir, const char *device, int32_t n_devices) {
    const fm_model_params params = {.device = device, .n_threads = 1, .dtype = "f16"};
    fm_plan p;
    fm_error err = {0};
    uint64_t sum = 0;
    if (fm_plan_make(dir, &params, NULL, &p, &err) != FM_OK) fail_msg("%s", err.text);
    run r = run_open(dir, &params);
    assert_int_equal(p.n_devices, n_devices);
    assert_true(p.fits);
    for (int32_t i = 0; i < n_devices; i++) {
        const fm_plan_device *d = &p.devices[i];
        const placement_run *part = &r.model->places.runs[i];
        uint64_t bytes = d->weights_copied + d->cache + d->workspace;
        assert_int_equal(bytes, device_bytes(part->dev));
        assert_true(d->weights_copied > 0 && d->cache > 0 && d->workspace > 0);
        assert_int_equal(d->first_layer, part->first_layer);
        assert_int_equal(d->n_layers, part->n_layers);
        assert_int_equal(d->memory, 0); /* both have the host's */
        sum += bytes;
    }
    assert_int_equal(sum, p.weights_copied + p.cache + p.workspace);
    assert_true(p.memory_free == p.devices[0].memory_free);
    if (n_devices > 1) assert_non_null(strstr(fm_model_summary(r.model), "(layers 0-0) and CPU"));
    run_close(&r);
}

static void places_are_planned_one_by_one(void **state) {
    (void)state;
    plan_as_taken(LLAMA, "cpu", 1);
    plan_as_taken(LLAMA, "cpu*1+cpu", 2);
    plan_as_taken(TEST_DATA "/oracle/v3_groups", "cpu*1+cpu*1+cpu", 3);
    plan_as_taken(TEST_DATA "/oracle/qwen2_full", "cpu*1+cpu", 2); /* tied: two copies */
    fm_plan whole, cut;
    const fm_model_params params = {.device = "cpu*1+cpu"}, one = {.device = "cpu"};
    assert_int_equal(fm_plan_make(LLAMA, &one, NULL, &whole, NULL), FM_OK);
    assert_int_equal(fm_plan_make(LLAMA, &params, NULL, &cut, NULL), FM_OK);
    assert_int_equal(cut.cache, whole.cache); /* no cache is there twice */
    assert_int_equal(cut.cache_per_token, whole.cache_per_token);
    assert_int_equal(cut.weights_in_place, whole.weights_in_place);
}

/** Two devices of one memory do not fit where each alone would. */
static void places_share_the_hosts_memory(void **state) {
    (void)state;
    const fm_model_params params = {.device = "cpu*1+cpu"};
    fm_engine_params engine = {.cache_tokens = 2000000000};
    fm_plan p;
    fm_model *m;
    fm_engine *e;
    fm_error err = {0};
    assert_int_equal(fm_plan_make(LLAMA, &params, &engine, &p, &err), FM_OK);
    assert_false(p.fits);
    engine.cache_tokens = (int32_t)(p.cache_tokens_that_fit / 2); /* free memory moves in between */
    assert_int_equal(fm_plan_make(LLAMA, &params, &engine, &p, &err), FM_OK);
    assert_true(p.fits);
    engine.cache_tokens = engine.cache_tokens * 3; /* three quarters for each of the two */
    assert_int_equal(fm_plan_make(LLAMA, &params, &engine, &p, &err), FM_OK);
    assert_false(p.fits);
    assert_true(p.devices[0].cache < p.devices[0].memory_free);
    assert_true(p.devices[1].cache < p.devices[1].memory_free);
    assert_int_equal(fm_model_open(LLAMA, &params, &m, &err), FM_OK);
    expect_error("both", fm_engine_new(m, &engine, &e, &err), &err, FM_ERR_MEMORY, "would fit");
    fm_model_close(m);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_give_the_bits_of_one_device),
        cmocka_unit_test(places_answer_many_as_one_device_answers_each),
        IN_DIR(places_take_over_what_others_saved),
        cmocka_unit_test(places_survive_a_fault_of_each_call_of_either_device),
        cmocka_unit_test(places_end_all_when_either_device_is_lost),
        cmocka_unit_test(places_give_all_back_when_either_device_is_full),
        cmocka_unit_test(places_are_planned_one_by_one),
        cmocka_unit_test(places_share_the_hosts_memory),
    };
    return cmocka_run_group_tests_name("test_engine_places", tests, NULL, NULL);
}
