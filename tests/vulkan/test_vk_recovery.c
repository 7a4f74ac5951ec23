/*
 * test_vk_recovery.c - a Vulkan device whose calls fail, by the shim of this folder: each creation
 * and allocation once, each submission and wait once. Nothing is left behind, and the next try
 * works; after a loss nothing works any more but closing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/vulkan_shim.h"
#include "vk_rig.h"

enum { N = 5000, ROUNDS_MAX = 400 };

/* What a round made, and how far it came. */
typedef struct round {
    const fm_backend *backend;
    const char *options;
    fm_device *dev;
    fm_buf *x, *y;
    uint64_t ticket;
} round;

static fm_status open_device(round *r) {
    fm_error err = {0};
    fm_device_params params = {16, 16, 2, 64, 1, .options = r->options};
    fm_status status = device_open(r->backend, &params, (fm_log){0}, &r->dev, &err);
    if (status != FM_OK && !*err.text) fail_msg("a device that does not open has to say why");
    return status;
}

static fm_status make_buffers(round *r) {
    fm_error err = {0};
    fm_status status = buf_new(r->dev, N * sizeof(float), &r->x, &err);
    if (status == FM_OK) status = buf_new(r->dev, N * sizeof(float), &r->y, &err);
    if (status != FM_OK && !*err.text) fail_msg("a buffer that cannot be made has to say why");
    return status;
}

/** y = silu(x) * x, kept under a key, twice. */
static fm_status encode(round *r) {
    fm_tensor x = tensor_2d(r->x, FM_DTYPE_F32, 1, N), y = tensor_2d(r->y, FM_DTYPE_F32, 1, N);
    fm_gate_mul call = {.gate = x, .up = x, .y = y};
    fm_record_key key = {.owner = r->dev, .sizes = {1}};
    for (int32_t i = 0; i < 2; i++) {
        bool kept;
        FM_TRY(device_record(r->dev, &key, &kept));
        if (kept) continue;
        FM_TRY(op_gate_mul(r->dev, &call));
        FM_TRY(device_record_end(r->dev));
    }
    return FM_OK;
}

static fm_status step(round *r, float value) {
    float values[N];
    for (int32_t i = 0; i < N; i++) values[i] = value;
    fm_tensor x = tensor_1d(r->x, FM_DTYPE_F32, N);
    FM_TRY(device_write(r->dev, x, values));
    FM_TRY(encode(r));
    FM_TRY(device_submit(r->dev, &r->ticket));
    FM_TRY(device_wait(r->dev, r->ticket));
    FM_TRY(device_read(r->dev, tensor_1d(r->y, FM_DTYPE_F32, N), values));
    for (int32_t i = 0; i < N; i++)
        if (!(values[i] > value * value * 0.999f && values[i] < value * value * 1.001f))
            fail_msg("element %d is %g", (int)i, (double)values[i]);
    return FM_OK;
}

static fm_status run(round *r) {
    if (!r->dev) FM_TRY(open_device(r));
    if (!r->y) FM_TRY(make_buffers(r));
    FM_TRY(step(r, 20.0f));
    FM_TRY(step(r, 30.0f));
    return FM_OK;
}

static void close_round(round *r) {
    if (r->dev) {
        buf_free(r->dev, r->x);
        buf_free(r->dev, r->y);
    }
    device_close(r->dev);
    *r = (round){.backend = r->backend, .options = r->options};
}

static shim_control *need_shim(round *r, const char *options) {
    fm_error err = {0};
    shim_control *shim = shim_open();
    fm_status status = FM_ERR_UNSUPPORTED;
    *r = (round){.options = options};
    if (shim && backend_find("vulkan", &r->backend, &err) == FM_OK) status = open_device(r);
    close_round(r);
    if (status == FM_OK) return shim;
    printf("skip: no Vulkan device behind the shim %s\n", err.text);
    skip();
    return NULL;
}

static void expect_nothing_left(const shim_control *shim, int64_t nth) {
    if (shim_live_count(shim) != 0 || shim->live_bytes != 0)
        fail_msg("%lld objects, %llu bytes left after the failure of call %lld",
                 (long long)shim_live_count(shim), (unsigned long long)shim->live_bytes,
                 (long long)nth);
}

/* ---- Refusals ------------------------------------------------------------------------------------ */

/* After the refusal the same objects are used again: only a device that did not open is opened
 * anew. Where there is no memory for a block of many buffers, one of its own serves a single
 * buffer: such a refusal is not seen. */
static void run_refusals(const char *options) {
    round r;
    shim_control *shim = need_shim(&r, options);
    int64_t nth = 0, n_told = 0;
    for (bool refused = true; refused; nth++) {
        shim->has_refused = false;
        shim->refuse_nth = nth + 1;
        fm_status status = run(&r);
        refused = shim->has_refused;
        shim->refuse_nth = 0;
        if (status != FM_OK && (!refused || status != FM_ERR_MEMORY))
            fail_msg("call %lld: %s", (long long)nth, fm_status_text(status));
        n_told += status != FM_OK;
        if (r.dev) device_abandon(r.dev);
        if (r.dev && !r.y && r.x) {
            buf_free(r.dev, r.x);
            r.x = NULL;
        }
        assert_int_equal(run(&r), FM_OK);
        close_round(&r);
        expect_nothing_left(shim, nth);
        assert_true(nth < ROUNDS_MAX);
    }
    assert_true(n_told > 15); /* each kind of object once, at least */
    assert_true(n_told >= nth - 4);
    printf("%lld calls were refused, one a round, %lld were told\n", (long long)nth - 1,
           (long long)n_told);
}

static void refused_call_is_told_and_survived(void **state) {
    (void)state;
    run_refusals(SHIM_OPTION);
}

static void refused_call_is_told_and_survived_when_staged(void **state) {
    (void)state;
    run_refusals("staging," SHIM_OPTION);
}

/* ---- Loss ---------------------------------------------------------------------------------------- */

static void expect_all_lost(round *r) {
    float value = 0.0f;
    fm_buf *buf;
    fm_error err;
    assert_int_equal(device_status(r->dev), FM_ERR_DEVICE);
    assert_int_equal(device_submit(r->dev, &r->ticket), FM_ERR_DEVICE);
    assert_int_equal(buf_new(r->dev, 4, &buf, &err), FM_ERR_DEVICE);
    if (r->x)
        assert_int_equal(device_write(r->dev, tensor_1d(r->x, FM_DTYPE_F32, 1), &value),
                         FM_ERR_DEVICE);
    if (r->y) assert_int_equal(encode(r), FM_ERR_DEVICE);
}

static void run_losses(const char *options) {
    round r;
    shim_control *shim = need_shim(&r, options);
    int64_t nth = 0;
    for (bool lost = true; lost; nth++) {
        shim->lose_nth = nth + 1;
        fm_status status = run(&r);
        lost = shim->is_lost;
        shim->lose_nth = 0;
        if (status != (lost ? FM_ERR_DEVICE : FM_OK))
            fail_msg("submission or wait %lld: %s", (long long)nth, fm_status_text(status));
        if (lost && r.dev) expect_all_lost(&r);
        close_round(&r);
        expect_nothing_left(shim, nth);
        assert_int_equal(run(&r), FM_OK);
        close_round(&r);
        assert_true(nth < ROUNDS_MAX);
    }
    assert_true(nth > 3);
}

static void lost_device_stays_lost_and_leaves_nothing(void **state) {
    (void)state;
    run_losses(SHIM_OPTION);
}

static void lost_device_stays_lost_and_leaves_nothing_when_staged(void **state) {
    (void)state;
    run_losses("staging," SHIM_OPTION);
}

/* ---- Memory -------------------------------------------------------------------------------------- */

static void full_memory_is_told_in_numbers(void **state) {
    (void)state;
    enum { BUFS = 64 };
    round r;
    fm_buf *bufs[BUFS];
    fm_error err = {0};
    int32_t n = 0;
    shim_control *shim = need_shim(&r, SHIM_OPTION);
    shim->mask.memory_max = (uint64_t)160 << 20;
    assert_int_equal(open_device(&r), FM_OK);
    assert_int_equal(device_info(r.dev)->memory_total, (uint64_t)160 << 20);
    fm_status status = FM_OK;
    while (n < BUFS && status == FM_OK) status = buf_new(r.dev, 10 << 20, &bufs[n++], &err);
    assert_int_equal(status, FM_ERR_MEMORY);
    assert_true(n > 8); /* the rest is the ring and the workspace */
    if (!strstr(err.text, "10485760 bytes do not fit on")) fail_msg("%s", err.text);
    buf_free(r.dev, bufs[0]);
    assert_int_equal(buf_new(r.dev, 10 << 20, &bufs[0], &err), FM_OK);
    for (int32_t i = 0; i < n - 1; i++) buf_free(r.dev, bufs[i]);
    close_round(&r);
    shim->mask = (shim_mask){0};
    expect_nothing_left(shim, 0);
}

/* From nothing at all to more than enough. */
static void too_little_memory_opens_nothing_and_leaves_nothing(void **state) {
    (void)state;
    round r;
    int32_t n_failed = 0, n_worked = 0;
    shim_control *shim = need_shim(&r, SHIM_OPTION);
    for (uint64_t max = 4 << 10; max <= 256 << 20; max *= 4) {
        shim->mask.memory_max = max;
        fm_status status = run(&r);
        n_worked += status == FM_OK;
        n_failed += status == FM_ERR_MEMORY;
        if (status != FM_OK && status != FM_ERR_MEMORY)
            fail_msg("%llu bytes: %s", (unsigned long long)max, fm_status_text(status));
        close_round(&r);
        expect_nothing_left(shim, 0);
    }
    shim->mask = (shim_mask){0};
    assert_true(n_worked > 0 && n_failed > 0);
}

/* ---- Counts -------------------------------------------------------------------------------------- */

/* Each command buffer has a barrier before its work and one behind it, and two calls that meet have
 * one between them. */
static void every_piece_stands_between_barriers(void **state) {
    (void)state;
    round r;
    shim_control *shim = need_shim(&r, SHIM_OPTION);
    assert_int_equal(run(&r), FM_OK);
    fm_tensor x = tensor_2d(r.x, FM_DTYPE_F32, 1, N), y = tensor_2d(r.y, FM_DTYPE_F32, 1, N);
    fm_gate_mul there = {.gate = x, .up = x, .y = y}, back = {.gate = y, .up = y, .y = x};
    shim->counts = (shim_counts){0};
    assert_int_equal(op_gate_mul(r.dev, &there), FM_OK);
    assert_int_equal(op_gate_mul(r.dev, &back), FM_OK);
    assert_int_equal(device_submit(r.dev, &r.ticket), FM_OK);
    assert_int_equal(device_wait(r.dev, r.ticket), FM_OK);
    assert_int_equal(shim->counts.recordings, 1);
    assert_int_equal(shim->counts.dispatches, 2);
    assert_int_equal(shim->counts.barriers, 3);
    close_round(&r);
}

static void warm_step_creates_nothing(void **state) {
    (void)state;
    round r;
    shim_control *shim = need_shim(&r, SHIM_OPTION);
    assert_int_equal(run(&r), FM_OK);
    shim->counts = (shim_counts){0};
    for (int32_t i = 0; i < 100; i++) assert_int_equal(step(&r, 20.0f + (float)i), FM_OK);
    assert_int_equal(shim->counts.creations, 0);
    assert_int_equal(shim->counts.pipelines, 0);
    assert_int_equal(shim->counts.recordings, 0); /* all of the step is a kept stretch */
    assert_int_equal(shim->counts.submissions, 100);
    close_round(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_call_is_told_and_survived),
        cmocka_unit_test(refused_call_is_told_and_survived_when_staged),
        cmocka_unit_test(lost_device_stays_lost_and_leaves_nothing),
        cmocka_unit_test(lost_device_stays_lost_and_leaves_nothing_when_staged),
        cmocka_unit_test(full_memory_is_told_in_numbers),
        cmocka_unit_test(too_little_memory_opens_nothing_and_leaves_nothing),
        cmocka_unit_test(every_piece_stands_between_barriers),
        cmocka_unit_test(warm_step_creates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
