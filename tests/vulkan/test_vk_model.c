/*
 * test_vk_model.c - models and engines on a Vulkan device, seen through the shim: warm steps create
 * and record nothing, whatever fails is said and leaves nothing behind, answers are those of the
 * CPU, and the checks of the validation layer have nothing to say to any of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fathom.h"
#include "vk_work.h"

enum { N_PROMPT = 60, MAX_NEW = 160, FEW_NEW = 4, N_WARM = 12, N_STEPS = 100, FAULTS_MAX = 3000 };

/* Memory that is mapped, and memory that is not: what is not goes through the staging ring. */
static const shim_mask mapped, staged = {.mapped_local = true};

/* ---- A model that answers ----------------------------------------------------------------------- */

typedef struct model_run {
    const char *name;   /* of the checkpoint */
    const char *device; /* as in fm_model_params */
    int32_t max_new;
    fm_model *model;
    fm_engine *engine;
    int32_t n, ids[MAX_NEW]; /* of the answer */
    fm_finish finish;
    int32_t n_failed; /* steps */
    vk_work log;      /* its count of errors */
} model_run;

static void keep_line(void *user, fm_log_level level, const char *line) {
    vk_work *log = user;
    if (level != FM_LOG_ERROR) return;
    log->n_errors++;
    snprintf(log->last_error, sizeof log->last_error, "%s", line);
}

static bool keep_event(void *user, const fm_event *event) {
    model_run *r = user;
    if (event->finish != FM_FINISH_NONE)
        r->finish = event->finish;
    else if (r->n < MAX_NEW)
        r->ids[r->n++] = event->id;
    return true;
}

static void run_close(model_run *r) {
    fm_engine_free(r->engine);
    fm_model_close(r->model);
    r->engine = NULL;
    r->model = NULL;
}

/** Opens the model and an engine, and submits the request. Nothing is open when it fails. */
static fm_status run_open(model_run *r, fm_error *err) {
    char dir[512];
    int32_t ids[N_PROMPT];
    const fm_model_params params = {.device = r->device,
                                    .max_context = 256,
                                    .max_chunk = 64,
                                    .max_sequences = 2,
                                    .log = keep_line,
                                    .log_user = &r->log};
    snprintf(dir, sizeof dir, TEST_DATA "/oracle/%s", r->name);
    fm_status status = fm_model_open(dir, &params, &r->model, err);
    if (status == FM_OK) status = fm_engine_new(r->model, NULL, &r->engine, err);
    for (int32_t i = 0; i < N_PROMPT; i++) ids[i] = (i * 37 + 5) % 100;
    const fm_request request = {.ids = ids,
                                .n_ids = N_PROMPT,
                                .max_new = r->max_new,
                                .end_ids = ids, /* none of these: it ends with max_new */
                                .n_end_ids = 0,
                                .on_event = keep_event,
                                .user = r};
    if (status == FM_OK) status = fm_engine_submit(r->engine, &request, NULL, err);
    if (status != FM_OK) run_close(r);
    return status;
}

/** Steps to the end of the answer. A step that fails is tried again by the engine, so its status is
 * only kept: the first one that was not FM_OK. */
static fm_status run_steps(model_run *r, fm_error *err) {
    fm_status first = FM_OK;
    for (int32_t active = 1, i = 0; active > 0; i++) {
        fm_error step_err = {0};
        fm_status status = fm_engine_step(r->engine, &active, &step_err);
        assert_true(i < 10 * MAX_NEW);
        if (status == FM_OK) continue;
        r->n_failed++;
        if (first == FM_OK) *err = step_err;
        if (first == FM_OK) first = status;
        if (status == FM_ERR_DEVICE) break;
    }
    return first;
}

static model_run run_of(const char *name, const char *device, int32_t max_new) {
    return (model_run){.name = name, .device = device, .max_new = max_new};
}

static model_run run_on_cpu(const char *name, int32_t max_new) {
    model_run r = run_of(name, "cpu", max_new);
    fm_error err = {0};
    if (run_open(&r, &err) != FM_OK || run_steps(&r, &err) != FM_OK) fail_msg("cpu: %s", err.text);
    run_close(&r);
    if (r.n != max_new) fail_msg("cpu: ended with %d after %d tokens", (int)r.finish, (int)r.n);
    return r;
}

static void expect_same_answer(const char *what, const model_run *r, const model_run *wanted) {
    if (r->finish != FM_FINISH_LENGTH || r->n != wanted->n)
        fail_msg("%s: ended with %d after %d tokens", what, (int)r->finish, (int)r->n);
    if (memcmp(r->ids, wanted->ids, (size_t)r->n * sizeof *r->ids) != 0)
        fail_msg("%s: another answer than the CPU's", what);
}

/** The shim, nothing ordered, and how to open a model through it: with the device's own checks,
 * where they are installed, or for what runs hundreds of times without. */
static shim_control *model_shim(char device[400], const shim_mask *mask, bool checked) {
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    shim->mask = *mask;
    snprintf(device, 400, "vulkan:0,%s", checked ? options : SHIM_OPTION);
    return shim;
}

/* ---- Warm steps --------------------------------------------------------------------------------- */

/** Steps of one request that generates, after a few that made what they need. */
static shim_counts count_steps(const char *name, const shim_mask *mask) {
    char device[400];
    fm_error err = {0};
    int32_t active;
    shim_control *shim = model_shim(device, mask, true);
    model_run wanted = run_on_cpu(name, MAX_NEW), r = run_of(name, device, MAX_NEW);
    if (run_open(&r, &err) != FM_OK) fail_msg("%s: %s", name, err.text);
    for (int32_t i = 0; i < N_WARM + N_STEPS; i++) {
        if (i == N_WARM) memset(&shim->counts, 0, sizeof shim->counts);
        if (fm_engine_step(r.engine, &active, &err) != FM_OK) fail_msg("%s: %s", name, err.text);
    }
    shim_counts counts = shim->counts;
    if (run_steps(&r, &err) != FM_OK) fail_msg("%s: %s", name, err.text);
    expect_same_answer(name, &r, &wanted);
    run_close(&r);
    vk_work_check_clean(name, shim, &r.log);
    print_message("%s: %d steps: %d submissions, %d recordings, %d dispatches recorded, %d waits\n",
                  name, N_STEPS, (int)counts.submissions, (int)counts.recordings,
                  (int)counts.dispatches, (int)counts.waits);
    return counts;
}

/** `submissions`, and waits for them: of one step at most. */
static void expect_nothing_made(const shim_counts *counts, int64_t submissions) {
    assert_int_equal(counts->allocations, 0);
    assert_int_equal(counts->creations, 0);
    assert_int_equal(counts->pipelines, 0);
    assert_int_equal(counts->dispatches, 0);
    assert_true(counts->submissions >= N_STEPS);
    assert_true(counts->submissions <= submissions * N_STEPS);
    assert_true(counts->waits <= submissions * N_STEPS);
}

/* Positions, pages and tokens change in each of the steps, and a page is filled in some. */
static void vk_model_warm_steps_record_nothing(void **state) {
    static const char *const names[] = {"llama_mha", "v3_groups", "qwen2_window"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        shim_counts counts = count_steps(names[i], &mapped);
        expect_nothing_made(&counts, 1);
    }
}

/* What is written goes through the ring by commands, recorded each time; operations are not. What
 * was found is read by one submission more. */
static void vk_model_warm_steps_create_nothing_when_staged(void **state) {
    (void)state;
    shim_counts counts = count_steps("v3_groups", &staged);
    expect_nothing_made(&counts, 2);
}

/* ---- Refusals ----------------------------------------------------------------------------------- */

/** Refuses each call of opening and, of those that steps make, every `stride`-th. */
static void refuse_each(const char *name, const shim_mask *mask, int64_t stride) {
    char device[400];
    shim_control *shim = model_shim(device, mask, false);
    model_run wanted = run_on_cpu(name, FEW_NEW);
    int32_t n_refused_open = 0, n_refused_step = 0;
    for (int64_t nth = 1, next; nth < FAULTS_MAX; nth = next) {
        model_run r = run_of(name, device, FEW_NEW);
        fm_error err = {0};
        char what[64];
        snprintf(what, sizeof what, "%s, call %d refused", name, (int)nth);
        shim->has_refused = false;
        shim->refuse_nth = nth;
        fm_status status = run_open(&r, &err);
        bool in_open = status != FM_OK;
        if (!in_open) status = run_steps(&r, &err);
        shim->refuse_nth = 0;
        if (status != FM_OK && status != FM_ERR_MEMORY)
            fail_msg("%s: %s: %s", what, fm_status_text(status), err.text);
        if (status != FM_OK && !*err.text) fail_msg("%s: no words", what);
        if (!in_open) expect_same_answer(what, &r, &wanted);
        run_close(&r);
        vk_work_check_clean(what, shim, &r.log);
        next = nth + (in_open ? 1 : stride);
        n_refused_open += in_open;
        n_refused_step += !in_open && status != FM_OK;
        if (!shim->has_refused) {
            assert_int_equal(status, FM_OK);
            print_message("%s: calls up to %d refused one by one, %d fatal to open, %d to a step\n",
                          name, (int)nth - 1, (int)n_refused_open, (int)n_refused_step);
            assert_true(n_refused_open > 20 && n_refused_step > 5);
            return;
        }
    }
    fail_msg("%s: creates without end", name);
}

static void vk_model_each_refusal_is_survived(void **state) {
    (void)state;
    refuse_each("v3_groups", &mapped, 1);
}

static void vk_model_each_refusal_is_survived_when_staged(void **state) {
    (void)state;
    refuse_each("llama_mha", &staged, 3);
}

/* ---- Loss --------------------------------------------------------------------------------------- */

/** The device is gone: what is asked of the model from here on says so. */
static void expect_lost(model_run *r) {
    fm_error err = {0};
    int32_t active = -1, ids[4] = {1, 2, 3, 4};
    const fm_request request = {
        .ids = ids, .n_ids = 4, .max_new = 2, .on_event = keep_event, .user = r};
    fm_status status = fm_engine_submit(r->engine, &request, NULL, &err);
    if (status == FM_OK) status = fm_engine_step(r->engine, &active, &err);
    assert_int_equal(status, FM_ERR_DEVICE);
    fm_engine *second = NULL;
    assert_int_equal(fm_engine_new(r->model, NULL, &second, &err), FM_ERR_DEVICE);
    assert_null(second);
}

static void lose_each(const char *name, const shim_mask *mask, bool checked) {
    char device[400];
    shim_control *shim = model_shim(device, mask, checked);
    model_run wanted = run_on_cpu(name, FEW_NEW);
    for (int64_t nth = 1; nth < FAULTS_MAX; nth++) {
        model_run r = run_of(name, device, FEW_NEW);
        fm_error err = {0};
        char what[64];
        snprintf(what, sizeof what, "%s, lost at call %d", name, (int)nth);
        shim->lose_nth = nth;
        fm_status status = run_open(&r, &err);
        if (status == FM_OK) status = run_steps(&r, &err);
        bool was_lost = shim->lose_nth == 0;
        shim->lose_nth = 0;
        if (status == FM_OK) expect_same_answer(what, &r, &wanted);
        if (status != FM_OK && (!was_lost || status != FM_ERR_DEVICE))
            fail_msg("%s: %s: %s", what, fm_status_text(status), err.text);
        if (status != FM_OK && r.engine) expect_lost(&r);
        run_close(&r);
        vk_work_check_clean(what, shim, &r.log);
        if (!was_lost) {
            print_message("%s: lost at each of %d calls\n", name, (int)nth - 1);
            assert_true(nth > FEW_NEW);
            return;
        }
    }
    fail_msg("%s: submits without end", name);
}

static void vk_model_lost_device_ends_all_and_leaves_nothing(void **state) {
    (void)state;
    lose_each("v3_groups", &mapped, true);
}

static void vk_model_lost_device_leaves_nothing_when_staged(void **state) {
    (void)state;
    lose_each("llama_mha", &staged, false);
}

/* ---- Devices that lack something ---------------------------------------------------------------- */

static void vk_model_answers_on_the_least_device(void **state) {
    static const shim_mask least = {.subgroup_arithmetic = true,
                                    .numbers_16_bit = true,
                                    .mapped_local = true,
                                    .binding_max = 1 << 20};
    static const char *const names[] = {"llama_odd", "mistral_window", "v3_odd", "v3_experts128"};
    char device[400];
    fm_error err = {0};
    shim_control *shim = model_shim(device, &least, true);
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        model_run wanted = run_on_cpu(names[i], FEW_NEW), r = run_of(names[i], device, FEW_NEW);
        if (run_open(&r, &err) != FM_OK || run_steps(&r, &err) != FM_OK)
            fail_msg("%s: %s", names[i], err.text);
        expect_same_answer(names[i], &r, &wanted);
        run_close(&r);
        vk_work_check_clean(names[i], shim, &r.log);
    }
}

/* ---- What a model says of itself ---------------------------------------------------------------- */

/** The row of a name among n; what a step needs has to have one. */
static const fm_profile *row_named(const fm_profile *rows, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    fail_msg("the profile has no %s", name);
    return NULL;
}

/* Warm steps are replayed whole: what they ran is in the profile all the same. */
static void vk_model_profile_has_each_operation_of_a_step(void **state) {
    static const char *const names[] = {"embed",          "norm",        "matmul",   "matmul_heads",
                                        "rope",           "cache_write", "attend",   "route",
                                        "matmul_experts", "gate_mul",    "head_topk"};
    char device[400];
    fm_error err = {0};
    fm_profile rows[FM_MAX_PROFILE];
    model_shim(device, &mapped, false);
    model_run r = run_of("v3_groups", device, N_WARM);
    (void)state;
    if (run_open(&r, &err) != FM_OK) fail_msg("%s", err.text);
    fm_model_profile(r.model, true);
    fm_status status = run_steps(&r, &err);
    int32_t n = fm_model_get_profile(r.model, rows);
    run_close(&r);
    if (status != FM_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const fm_profile *row = row_named(rows, n, names[i]);
        if (row->calls < N_WARM || !(row->seconds >= 0) || row->bytes == 0)
            fail_msg("%s: %d calls in %d steps, %g s, %d bytes", row->name, (int)row->calls, N_WARM,
                     row->seconds, (int)row->bytes);
    }
}

/* Rows of a copy may be padded, so that it is longer than what the files have. */
static void vk_model_reads_no_weights_in_place(void **state) {
    char device[400];
    fm_error err = {0};
    model_shim(device, &mapped, false);
    model_run r = run_of("v3_yarn", device, FEW_NEW);
    (void)state;
    if (run_open(&r, &err) != FM_OK) fail_msg("%s", err.text);
    bool nothing = strstr(fm_model_summary(r.model), "(0.0 MB in place");
    run_close(&r);
    assert_true(nothing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vk_model_warm_steps_record_nothing),
        cmocka_unit_test(vk_model_warm_steps_create_nothing_when_staged),
        cmocka_unit_test(vk_model_each_refusal_is_survived),
        cmocka_unit_test(vk_model_each_refusal_is_survived_when_staged),
        cmocka_unit_test(vk_model_lost_device_ends_all_and_leaves_nothing),
        cmocka_unit_test(vk_model_lost_device_leaves_nothing_when_staged),
        cmocka_unit_test(vk_model_answers_on_the_least_device),
        cmocka_unit_test(vk_model_profile_has_each_operation_of_a_step),
        cmocka_unit_test(vk_model_reads_no_weights_in_place),
    };
    return cmocka_run_group_tests_name("test_vk_model", tests, NULL, NULL);
}
