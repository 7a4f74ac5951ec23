/*
 * test_vk_device.c - the Vulkan backend as a device: opening and listing, bytes in and out of
 * buffers, the order of what is encoded, and two operations against values computed here.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk_rig.h"

enum { ROWS = 3, COLS = 17 };

static float value(int32_t i) {
    return sinf((float)i) * 2.0f;
}

static void expect_close(float got, double expected) {
    if (fabs(got - expected) > 1e-5 * (1.0 + fabs(expected)))
        fail_msg("got %.9g, expected %.9g", (double)got, expected);
}

/* ---- Operations -------------------------------------------------------------------------------- */

static void run_norm(const char *options) {
    vk_rig rig;
    float x[ROWS * COLS], w[COLS], y[ROWS * COLS];
    vk_rig_open(&rig, options);
    VK_RIG_NEED(&rig);
    for (int32_t i = 0; i < ROWS * COLS; i++) x[i] = value(i);
    for (int32_t i = 0; i < COLS; i++) w[i] = value(i + 1000);
    fm_tensor dx = vk_rig_floats(&rig, ROWS * COLS), dw = vk_rig_floats(&rig, COLS),
              dy = vk_rig_floats(&rig, ROWS * COLS);
    vk_rig_write(&rig, dx, x);
    vk_rig_write(&rig, dw, w);
    fm_norm norm = {.x = tensor_2d(dx.buf, FM_DTYPE_F32, ROWS, COLS),
                    .weight = dw,
                    .eps = 1e-5f,
                    .y = tensor_2d(dy.buf, FM_DTYPE_F32, ROWS, COLS)};
    assert_int_equal(op_norm(rig.dev, &norm), FM_OK);
    vk_rig_read(&rig, dy, y);
    for (int32_t t = 0; t < ROWS; t++) {
        double sum = 0.0;
        for (int32_t c = 0; c < COLS; c++) sum += (double)x[t * COLS + c] * x[t * COLS + c];
        double scale = 1.0 / sqrt(sum / COLS + 1e-5);
        for (int32_t c = 0; c < COLS; c++)
            expect_close(y[t * COLS + c], x[t * COLS + c] * scale * w[c]);
    }
    buf_free(rig.dev, dx.buf);
    buf_free(rig.dev, dw.buf);
    buf_free(rig.dev, dy.buf);
    vk_rig_close(&rig);
}

static void norm_is_computed(void **state) {
    (void)state;
    run_norm("");
    run_norm("staging");
}

static double gated(double gate, double up) {
    return gate / (1.0 + exp(-gate)) * up;
}

/* Each call reads what the one before wrote, and writes what it read. */
static void calls_run_in_their_order(void **state) {
    (void)state;
    enum { N = 1000, CALLS = 40 };
    vk_rig rig;
    float a[N], b[N], expected[2][N];
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    for (int32_t i = 0; i < N; i++) {
        expected[0][i] = a[i] = value(i);
        expected[1][i] = b[i] = 1.0f + value(i + 7) / 8.0f;
    }
    fm_tensor at[2] = {vk_rig_floats(&rig, N), vk_rig_floats(&rig, N)};
    vk_rig_write(&rig, at[0], a);
    vk_rig_write(&rig, at[1], b);
    for (int32_t k = 0; k < CALLS; k++) {
        fm_tensor y = tensor_2d(at[k % 2].buf, FM_DTYPE_F32, 1, N),
                  x = tensor_2d(at[1 - k % 2].buf, FM_DTYPE_F32, 1, N);
        fm_gate_mul call = {.gate = x, .up = x, .y = y};
        assert_int_equal(op_gate_mul(rig.dev, &call), FM_OK);
        for (int32_t i = 0; i < N; i++) {
            double from = expected[1 - k % 2][i];
            expected[k % 2][i] = (float)gated(from, from);
        }
    }
    vk_rig_read(&rig, at[(CALLS - 1) % 2], a);
    for (int32_t i = 0; i < N; i++)
        if (expected[1][i] > 1e-30) /* below, a device may flush to zero */
            assert_true(fabs(a[i] / expected[(CALLS - 1) % 2][i] - 1.0) < 1e-3);
    buf_free(rig.dev, at[0].buf);
    buf_free(rig.dev, at[1].buf);
    vk_rig_close(&rig);
}

/* ---- Bytes --------------------------------------------------------------------------------------- */

static void run_bytes(const char *options) {
    enum { N = 3000000 };
    static const int64_t starts[] = {0, 1, 12345, 2999999};
    vk_rig rig;
    vk_rig_open(&rig, options);
    VK_RIG_NEED(&rig);
    float *values = test_malloc(N * sizeof *values), *got = test_malloc(N * sizeof *got);
    for (int32_t i = 0; i < N; i++) values[i] = (float)i;
    fm_tensor t = vk_rig_floats(&rig, N), u = vk_rig_floats(&rig, N);
    vk_rig_read(&rig, t, got);
    for (int32_t i = 0; i < N; i++) assert_true(got[i] == 0.0f);
    vk_rig_write(&rig, t, values);
    assert_int_equal(device_copy(rig.dev, u, t), FM_OK);
    /* Written over in the same step: each takes effect in its place in the order. */
    for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++) {
        float other = -1.0f - (float)k;
        vk_rig_write(&rig, tensor_slice(t, 0, starts[k], 1), &other);
        values[starts[k]] = other;
    }
    vk_rig_read(&rig, t, got);
    assert_memory_equal(got, values, N * sizeof *got);
    vk_rig_read(&rig, u, got);
    for (int32_t i = 0; i < N; i++) assert_true(got[i] == (float)i);
    vk_rig_read(&rig, tensor_slice(u, 0, 7, 3), got);
    assert_true(got[0] == 7.0f && got[2] == 9.0f);
    buf_free(rig.dev, t.buf);
    buf_free(rig.dev, u.buf);
    test_free(values);
    test_free(got);
    vk_rig_close(&rig);
}

static void bytes_come_back(void **state) {
    (void)state;
    run_bytes("");
    run_bytes("staging");
}

/* ---- Opening --------------------------------------------------------------------------------------- */

static void list_describes_the_devices_that_open(void **state) {
    (void)state;
    vk_rig rig;
    fm_device_info info[4];
    int32_t n = 0;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    assert_int_equal(device_list(rig.backend, "", info, 4, &n, &rig.err), FM_OK);
    assert_in_range(n, 1, 16);
    assert_string_equal(info[0].name, device_info(rig.dev)->name);
    assert_string_equal(info[0].abilities, device_info(rig.dev)->abilities);
    assert_true(info[0].memory_total > 0 &&
                info[0].memory_total == device_info(rig.dev)->memory_total);
    assert_true(info[0].async && info[0].buf_max >= 128 << 20);
    printf("%s: %s\n", info[0].name, device_info(rig.dev)->abilities);
    vk_rig_close(&rig);
}

static void planning_device_is_described_alike(void **state) {
    (void)state;
    vk_rig rig;
    fm_device *plan = NULL;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    fm_device_params params = {1, 1, 1, 1, .plan_only = true};
    assert_int_equal(device_open(rig.backend, &params, (fm_log){0}, &plan, &rig.err), FM_OK);
    const fm_device_info *planned = device_info(plan), *opened = device_info(rig.dev);
    assert_string_equal(planned->name, opened->name);
    assert_string_equal(planned->abilities, opened->abilities);
    assert_int_equal(planned->buf_max, opened->buf_max);
    assert_int_equal(planned->memory_total, opened->memory_total);
    assert_int_equal(planned->weight_dtypes, opened->weight_dtypes);
    assert_int_equal(planned->cache_dtypes, opened->cache_dtypes);
    device_close(plan);
    vk_rig_close(&rig);
}

static void expect_refused(const vk_rig *rig, const char *options, int32_t index, fm_status status,
                           const char *text) {
    fm_device_params params = {1, 1, 1, 1, 1, .index = index, .options = options};
    fm_device *dev = NULL;
    fm_error err = {0};
    assert_int_equal(device_open(rig->backend, &params, (fm_log){0}, &dev, &err), status);
    if (!strstr(err.text, text)) fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void what_cannot_be_opened_is_said(void **state) {
    (void)state;
    vk_rig rig;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    expect_refused(&rig, "", 99, FM_ERR_ARG, "no Vulkan device 99");
    expect_refused(&rig, "", -1, FM_ERR_ARG, "no Vulkan device -1");
    expect_refused(&rig, "fast", 0, FM_ERR_ARG, "no option \"fast\"");
    expect_refused(&rig, "staging,", 0, FM_ERR_ARG, "no option \"\"");
    expect_refused(&rig, "validated", 0, FM_ERR_ARG, "no option \"validated\"");
    expect_refused(&rig, "cache=", 0, FM_ERR_ARG, "cache of Vulkan needs a path");
    expect_refused(&rig, "loader=/nowhere/libvulkan.so", 0, FM_ERR_UNSUPPORTED, "/nowhere");
    vk_rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_is_computed),
        cmocka_unit_test(calls_run_in_their_order),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(list_describes_the_devices_that_open),
        cmocka_unit_test(planning_device_is_described_alike),
        cmocka_unit_test(what_cannot_be_opened_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
