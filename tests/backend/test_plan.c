/*
 * test_plan.c - memory that is counted: on a device that takes it, and on one that only plans,
 * which answers every call without the backend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

static fm_device *open_device(const fm_backend *backend, bool plan_only, mock *m) {
    fm_device *dev = NULL;
    fm_error err = {0};
    fm_device_params params = mock_params;
    params.plan_only = plan_only;
    if (plan_only) params.n_threads = 0;
    if (device_open(backend, &params, (fm_log){.user = m}, &dev, &err) != FM_OK)
        fail_msg("%s", err.text);
    return dev;
}

/** A CPU device; the log has no function, so that its user is not needed. */
static fm_device *open_cpu(bool plan_only) {
    return open_device(&fm_backend_cpu, plan_only, NULL);
}

static fm_buf *new_buf(fm_device *dev, size_t size) {
    fm_buf *buf = NULL;
    fm_error err = {0};
    if (buf_new(dev, size, &buf, &err) != FM_OK) fail_msg("%s", err.text);
    return buf;
}

/** Two matrices of two parts, 3 and 2 rows of 4 float32 values, as `dtype`. */
static fm_weight *new_weight(fm_device *dev, const void *values, fm_dtype dtype) {
    fm_weight_part parts[4] = {
        {values, 3, 4, 1}, {values, 2, 4, 1}, {values, 3, 4, 1}, {values, 2, 4, 1}};
    fm_weight_source source = {FM_DTYPE_F32, 2, 2, 4, parts};
    fm_weight *w = NULL;
    fm_error err = {0};
    if (weight_load(dev, &source, dtype, &w, &err) != FM_OK) fail_msg("%s", err.text);
    return w;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* A planning device and a real one count alike. */
static void plan_bytes_follow_buffers_and_weights(void **state) {
    (void)state;
    const float values[12] = {0};
    for (int32_t plan_only = 0; plan_only <= 1; plan_only++) {
        fm_device *dev = open_cpu(plan_only);
        assert_int_equal(device_bytes(dev), 0);
        assert_int_equal(device_bytes_peak(dev), 0);
        fm_buf *small = new_buf(dev, 1), *large = new_buf(dev, 1000);
        fm_weight *in_place = new_weight(dev, values, FM_DTYPE_F32);
        assert_int_equal(device_bytes(dev), 1001);
        fm_weight *converted = new_weight(dev, values, FM_DTYPE_BF16);
        assert_int_equal(device_bytes(dev), 1001 + 2 * 5 * 4 * 2);
        buf_free(dev, large);
        assert_int_equal(device_bytes(dev), 1 + 80);
        buf_free(dev, new_buf(dev, 10)); /* below the peak */
        weight_free(dev, converted);
        weight_free(dev, in_place);
        buf_free(dev, small);
        assert_int_equal(device_bytes(dev), 0);
        assert_int_equal(device_bytes_peak(dev), 1081);
        device_close(dev);
    }
}

static void plan_failed_allocations_are_not_counted(void **state) {
    (void)state;
    mock m = {0};
    fm_buf *buf = NULL;
    fm_device *dev = open_device(&mock_backend, false, &m);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(buf_new(dev, 100, &buf, NULL), FM_ERR_MEMORY);
    assert_int_equal(device_bytes(dev), 0);
    assert_int_equal(device_bytes_peak(dev), 0);
    device_close(dev);
}

/* ---- A device that only plans ---------------------------------------------------------------- */

static void plan_asks_the_backend_for_formats_and_sizes_alone(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    float values[24] = {1.0f};
    fm_device *dev = open_device(&mock_backend, true, &m);
    assert_true(m.params.plan_only);
    assert_string_equal(device_info(dev)->name, "mock");
    fm_buf *buf = new_buf(dev, 96);
    fm_tensor t = tensor_1d(buf, FM_DTYPE_F32, 24);
    fm_weight *w = new_weight(dev, values, FM_DTYPE_BF16);
    assert_int_equal(device_bytes(dev), 96 + 77); /* as the mock's weight_size says */
    for (int32_t op = 0; op < OP_COUNT; op++) {
        call_init(&c, dev, (op_kind)op);
        if (call_run(dev, &c) != FM_OK) fail_msg("%s: %s", call_name(c.op), device_fault(dev));
    }
    assert_int_equal(device_write(dev, t, values), FM_OK);
    assert_int_equal(device_copy(dev, tensor_slice(t, 0, 0, 4), tensor_slice(t, 0, 4, 4)), FM_OK);
    assert_int_equal(device_read(dev, t, values), FM_ERR_STATE); /* the order counts as ever */
    mock_finish(dev);
    assert_int_equal(device_read(dev, t, values), FM_OK);
    for (int32_t i = 0; i < 24; i++) assert_true(values[i] == 0.0f);
    weight_free(dev, w);
    buf_free(dev, buf);
    assert_int_equal(m.n_calls, 0);
    device_close(dev);
    assert_int_equal(m.n_open, 0);
}

/* The values are not looked at: there need be none where they should lie. */
static void plan_weights_have_their_shape_and_need_no_values(void **state) {
    (void)state;
    fm_device *dev = open_cpu(true);
    fm_weight *w = new_weight(dev, (const void *)(uintptr_t)64, FM_DTYPE_F16);
    assert_int_equal(w->n_matrices, 2);
    assert_int_equal(w->rows, 5);
    assert_int_equal(w->cols, 4);
    assert_int_equal(w->dtype, FM_DTYPE_F16);
    assert_ptr_equal(w->dev, dev);
    fm_buf *x = new_buf(dev, 3 * 2 * 4 * 4), *y = new_buf(dev, 3 * 2 * 5 * 4);
    fm_matmul_heads args = {
        .x = tensor_3d(x, FM_DTYPE_F32, 3, 2, 4), .w = w, .y = tensor_3d(y, FM_DTYPE_F32, 3, 2, 5)};
    assert_int_equal(op_matmul_heads(dev, &args), FM_OK);
    args.x = tensor_3d(x, FM_DTYPE_F32, 3, 4, 2);
    assert_int_equal(op_matmul_heads(dev, &args), FM_ERR_ARG);
    buf_free(dev, y);
    buf_free(dev, x);
    weight_free(dev, w);
    device_close(dev);
}

static void plan_sums_more_than_any_machine_has(void **state) {
    (void)state;
    fm_device *dev = open_cpu(true);
    fm_error err = {0};
    fm_buf *half = new_buf(dev, SIZE_MAX / 2), *other = new_buf(dev, SIZE_MAX / 2), *buf = NULL;
    assert_true(device_bytes(dev) == SIZE_MAX - 1);
    assert_int_equal(buf_new(dev, 2, &buf, &err), FM_ERR_LIMIT);
    assert_null(buf);
    assert_int_equal(err.status, FM_ERR_LIMIT);
    assert_true(strlen(err.text) > 0);
    buf = new_buf(dev, 1);
    assert_true(device_bytes_peak(dev) == SIZE_MAX);
    buf_free(dev, buf);
    buf_free(dev, other);
    buf_free(dev, half);
    device_close(dev);
}

static void plan_hands_on_a_failure_to_open(void **state) {
    (void)state;
    fm_error err = {0};
    fm_device *dev = NULL;
    fm_device_params params = mock_params;
    params.plan_only = true;
    params.isa = "abacus";
    assert_int_equal(device_open(&fm_backend_cpu, &params, (fm_log){0}, &dev, &err),
                     FM_ERR_UNSUPPORTED);
    assert_null(dev);
    assert_true(strlen(err.text) > 0);
}

static void plan_takes_injected_faults(void **state) {
    (void)state;
    fm_buf *buf = NULL;
    fm_device *dev = open_cpu(true);
    device_inject(dev, FM_FAULT_ALLOC, 1, FM_ERR_MEMORY);
    assert_int_equal(buf_new(dev, 8, &buf, NULL), FM_ERR_MEMORY);
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_bytes_follow_buffers_and_weights),
        cmocka_unit_test(plan_failed_allocations_are_not_counted),
        cmocka_unit_test(plan_asks_the_backend_for_formats_and_sizes_alone),
        cmocka_unit_test(plan_weights_have_their_shape_and_need_no_values),
        cmocka_unit_test(plan_sums_more_than_any_machine_has),
        cmocka_unit_test(plan_hands_on_a_failure_to_open),
        cmocka_unit_test(plan_takes_injected_faults),
    };
    return cmocka_run_group_tests_name("test_plan", tests, NULL, NULL);
}
