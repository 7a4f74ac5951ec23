/*
 * test_inject.c - faults that a test sets: the call they strike, the calls that count, and what
 * comes after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

enum { N_CALLS = OP_COUNT + 5 };

/** One call of each kind that FM_FAULT_OP strikes: the operations, then the others. */
static fm_status make_call(fm_device *dev, int32_t kind) {
    op_call c;
    uint64_t ticket;
    float values[24] = {0};
    call_init(&c, dev, kind < OP_COUNT ? (op_kind)kind : OP_norm);
    switch (kind - OP_COUNT) {
    case 0:
        return device_read(dev, c.args.norm.x, values);
    case 1:
        return device_write(dev, c.args.norm.x, values);
    case 2:
        return device_copy(dev, c.args.norm.y, c.args.norm.x);
    case 3:
        return device_submit(dev, &ticket);
    case 4:
        return device_wait(dev, 0);
    default:
        return call_run(dev, &c);
    }
}

static fm_status load(fm_device *dev, fm_error *err) {
    float values[4] = {0};
    fm_weight_part part = {values, 2, 2, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, 2, &part};
    fm_weight *w = NULL;
    fm_status status = weight_load(dev, &source, FM_DTYPE_F32, &w, err);
    assert_true((status == FM_OK) == (w != NULL));
    weight_free(dev, w);
    return status;
}

static fm_status allocate(fm_device *dev, fm_error *err) {
    fm_buf *buf = NULL;
    fm_status status = buf_new(dev, 16, &buf, err);
    assert_true((status == FM_OK) == (buf != NULL));
    buf_free(dev, buf);
    return status;
}

/* ---- Operations and transfers ---------------------------------------------------------------- */

static void inject_strikes_every_kind_of_call_once(void **state) {
    (void)state;
    for (int32_t kind = 0; kind < N_CALLS; kind++) {
        mock m = {0};
        fm_device *dev = mock_open(&m);
        device_inject(dev, FM_FAULT_OP, 1, FM_ERR_NOT_FINITE);
        if (make_call(dev, kind) != FM_ERR_NOT_FINITE) fail_msg("call %d was not struck", kind);
        assert_int_equal(m.n_calls, 0); /* the backend was spared */
        assert_int_equal(device_status(dev), FM_OK);
        assert_int_equal(device_inject(dev, FM_FAULT_OP, 0, FM_OK), 0);
        device_abandon(dev);
        m.n_calls = 0;
        assert_int_equal(make_call(dev, kind), FM_OK);
        assert_int_equal(m.n_calls, 1);
        device_close(dev);
    }
}

static void inject_strikes_the_nth_call(void **state) {
    (void)state;
    for (int32_t n = 1; n <= 4; n++) {
        mock m = {0};
        fm_device *dev = mock_open(&m);
        device_inject(dev, FM_FAULT_OP, n, FM_ERR_MEMORY);
        for (int32_t i = 1; i <= 5; i++)
            assert_int_equal(make_call(dev, OP_COUNT + 1 + i % 2), i == n ? FM_ERR_MEMORY : FM_OK);
        assert_int_equal(m.n_calls, 4);
        device_close(dev);
    }
}

static void inject_counts_calls_that_pass_the_checks_alone(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    float values[24];
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_norm);
    assert_int_equal(call_run(dev, &c), FM_OK);
    device_inject(dev, FM_FAULT_OP, 1, FM_ERR_MEMORY);
    assert_int_equal(device_read(dev, c.args.norm.x, values), FM_ERR_STATE);
    assert_int_equal(device_wait(dev, 9), FM_ERR_STATE);
    c.args.norm.eps = -1.0f;
    assert_int_equal(call_run(dev, &c), FM_ERR_ARG);
    assert_int_equal(allocate(dev, NULL), FM_OK);
    c.args.norm.eps = 1.0f;
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    device_close(dev);
}

static void inject_of_a_loss_is_for_good(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    device_inject(dev, FM_FAULT_OP, 1, FM_ERR_DEVICE);
    assert_int_equal(make_call(dev, OP_rope), FM_ERR_DEVICE);
    assert_int_equal(device_status(dev), FM_ERR_DEVICE);
    for (int32_t kind = 0; kind < N_CALLS; kind++)
        assert_int_equal(make_call(dev, kind), FM_ERR_DEVICE);
    assert_int_equal(allocate(dev, NULL), FM_ERR_DEVICE);
    assert_int_equal(load(dev, NULL), FM_ERR_DEVICE);
    assert_int_equal(m.n_calls, 0);
    device_close(dev);
}

static void inject_is_taken_back_by_zero(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    assert_int_equal(device_inject(dev, FM_FAULT_OP, 3, FM_ERR_MEMORY), 0);
    assert_int_equal(make_call(dev, OP_norm), FM_OK);
    assert_int_equal(device_inject(dev, FM_FAULT_OP, 0, FM_OK), 2);
    for (int32_t i = 0; i < 4; i++) assert_int_equal(make_call(dev, OP_norm), FM_OK);
    assert_int_equal(device_inject(dev, FM_FAULT_OP, 7, FM_ERR_MEMORY), 0);
    assert_int_equal(device_inject(dev, FM_FAULT_OP, 1, FM_ERR_IO), 7); /* in its place */
    assert_int_equal(make_call(dev, OP_norm), FM_ERR_IO);
    device_close(dev);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void inject_strikes_buffers_and_weights(void **state) {
    (void)state;
    mock m = {0};
    fm_error err = {0};
    fm_device *dev = mock_open(&m);
    assert_int_equal(device_inject(dev, FM_FAULT_ALLOC, 2, FM_ERR_MEMORY), 0);
    assert_int_equal(make_call(dev, OP_norm), FM_OK); /* of another kind */
    assert_int_equal(allocate(dev, &err), FM_OK);
    assert_int_equal(load(dev, &err), FM_ERR_MEMORY);
    assert_int_equal(err.status, FM_ERR_MEMORY);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(device_bytes(dev), 0);
    device_inject(dev, FM_FAULT_ALLOC, 2, FM_ERR_MEMORY);
    assert_int_equal(load(dev, NULL), FM_OK);
    err = (fm_error){0};
    assert_int_equal(allocate(dev, &err), FM_ERR_MEMORY);
    assert_int_equal(err.status, FM_ERR_MEMORY);
    assert_int_equal(allocate(dev, &err), FM_OK);
    device_inject(dev, FM_FAULT_ALLOC, 1, FM_ERR_DEVICE);
    assert_int_equal(allocate(dev, NULL), FM_ERR_DEVICE);
    assert_int_equal(device_status(dev), FM_ERR_DEVICE);
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inject_strikes_every_kind_of_call_once),
        cmocka_unit_test(inject_strikes_the_nth_call),
        cmocka_unit_test(inject_counts_calls_that_pass_the_checks_alone),
        cmocka_unit_test(inject_of_a_loss_is_for_good),
        cmocka_unit_test(inject_is_taken_back_by_zero),
        cmocka_unit_test(inject_strikes_buffers_and_weights),
    };
    return cmocka_run_group_tests_name("test_inject", tests, NULL, NULL);
}
