/*
 * test_record.c - stretches that are kept: what may stand in one, what ends it, and what becomes of
 * it when a call in it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

static const fm_record_key key = {.owner = &key, .sizes = {3, 1, 4, 1}};

/** A table that keeps stretches. */
static fm_backend recording_table(void) {
    fm_backend table = mock_backend;
    table.record = mock_record;
    table.record_end = mock_record_end;
    return table;
}

static void run_ok(fm_device *dev, op_kind op) {
    op_call c;
    call_init(&c, dev, op);
    assert_int_equal(call_run(dev, &c), FM_OK);
}

/* What may not stand in a stretch, as it is no operation. */
static void expect_state_errors(fm_device *dev, mock *m) {
    op_call c;
    bool kept;
    uint64_t ticket;
    float values[24] = {0};
    int32_t n_calls = m->n_calls;
    call_init(&c, dev, OP_norm);
    assert_int_equal(device_write(dev, c.args.norm.x, values), FM_ERR_STATE);
    assert_int_equal(device_read(dev, c.args.norm.x, values), FM_ERR_STATE);
    assert_int_equal(device_submit(dev, &ticket), FM_ERR_STATE);
    assert_int_equal(device_wait(dev, 0), FM_ERR_STATE);
    assert_int_equal(device_record(dev, &key, &kept), FM_ERR_STATE);
    assert_int_equal(m->n_calls, n_calls);
}

/* ---- A device that keeps nothing ------------------------------------------------------------- */

/* The rules hold there, too, so that a fault shows on every device. */
static void record_on_a_device_without_it_keeps_nothing(void **state) {
    (void)state;
    mock m = {0};
    bool kept = true;
    fm_device *dev = mock_open(&m);
    assert_int_equal(device_record_end(dev), FM_ERR_STATE);
    for (int32_t i = 0; i < 2; i++) {
        assert_int_equal(device_record(dev, &key, &kept), FM_OK);
        assert_false(kept);
        expect_state_errors(dev, &m);
        run_ok(dev, OP_norm);
        assert_string_equal(m.entry, "norm");
        assert_int_equal(device_record_end(dev), FM_OK);
        assert_string_equal(m.entry, "norm");
    }
    assert_int_equal(m.n_calls, 2);
    mock_finish(dev);
    device_close(dev);
}

/* ---- A device that keeps --------------------------------------------------------------------- */

static void record_begins_and_ends_what_is_kept(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    bool kept = true;
    float value;
    const fm_backend table = recording_table();
    fm_device *dev = mock_open_table(&m, &table);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    assert_false(kept);
    assert_string_equal(m.entry, "record");
    assert_memory_equal(&m.key, &key, sizeof key);
    expect_state_errors(dev, &m);
    run_ok(dev, OP_norm);
    call_init(&c, dev, OP_norm);
    assert_int_equal(device_copy(dev, c.args.norm.y, c.args.norm.x), FM_OK);
    assert_int_equal(device_record_end(dev), FM_OK);
    assert_int_equal(m.n_kept, 1);
    assert_int_equal(m.n_dropped, 0);
    assert_int_equal(device_record_end(dev), FM_ERR_STATE);
    fm_tensor one = tensor_slice(c.args.norm.weight, 0, 0, 1);
    assert_int_equal(device_read(dev, one, &value), FM_ERR_STATE); /* it is encoded */
    mock_finish(dev);
    assert_int_equal(device_read(dev, one, &value), FM_OK);
    device_close(dev);
}

static void record_of_what_is_kept_encodes_it(void **state) {
    (void)state;
    mock m = {.has_kept = true};
    op_call c;
    bool kept = false;
    float values[24];
    const fm_backend table = recording_table();
    fm_device *dev = mock_open_table(&m, &table);
    call_init(&c, dev, OP_norm);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    assert_true(kept);
    assert_int_equal(device_record_end(dev), FM_ERR_STATE); /* nothing began */
    assert_int_equal(device_read(dev, c.args.norm.x, values), FM_ERR_STATE);
    assert_int_equal(device_write(dev, c.args.norm.x, values), FM_OK);
    mock_finish(dev);
    assert_int_equal(device_read(dev, c.args.norm.x, values), FM_OK);
    assert_int_equal(m.n_kept, 0);
    device_close(dev);
}

/* While calls are counted each is made. */
static void record_keeps_nothing_while_it_is_profiled(void **state) {
    (void)state;
    mock m = {.has_kept = true};
    bool kept = true;
    const fm_backend table = recording_table();
    fm_device *dev = mock_open_table(&m, &table);
    device_profile(dev, true);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    assert_false(kept);
    run_ok(dev, OP_norm);
    assert_int_equal(m.n_calls, 1);
    assert_int_equal(device_record_end(dev), FM_OK);
    assert_int_equal(m.n_calls, 1);
    device_profile(dev, false);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    assert_true(kept);
    device_close(dev);
}

/* ---- What fails ------------------------------------------------------------------------------ */

static void record_abandoned_in_the_middle_drops_the_stretch(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    bool kept;
    const fm_backend table = recording_table();
    fm_device *dev = mock_open_table(&m, &table);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    call_init(&c, dev, OP_norm);
    device_inject(dev, FM_FAULT_OP, 1, FM_ERR_MEMORY);
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    device_abandon(dev);
    assert_int_equal(m.n_kept, 0);
    assert_int_equal(m.n_dropped, 1);
    assert_int_equal(device_record(dev, &key, &kept), FM_OK); /* the next step starts clean */
    assert_int_equal(device_record_end(dev), FM_OK);
    assert_int_equal(m.n_kept, 1);
    device_abandon(dev);
    assert_int_equal(m.n_dropped, 1);
    device_close(dev);
}

static void record_takes_an_injected_fault(void **state) {
    (void)state;
    for (int32_t has_kept = 0; has_kept <= 1; has_kept++) {
        mock m = {.has_kept = has_kept};
        bool kept = true;
        const fm_backend table = recording_table();
        fm_device *dev = mock_open_table(&m, &table);
        device_inject(dev, FM_FAULT_OP, 1, FM_ERR_MEMORY);
        assert_int_equal(device_record(dev, &key, &kept), FM_ERR_MEMORY);
        assert_false(kept);
        assert_int_equal(m.n_calls, 0);
        assert_int_equal(device_record_end(dev), FM_ERR_STATE);
        device_abandon(dev);
        assert_int_equal(device_record(dev, &key, &kept), FM_OK);
        assert_int_equal(kept, has_kept);
        device_close(dev);
    }
}

static void record_failures_of_the_backend_are_handed_on(void **state) {
    (void)state;
    mock m = {0};
    bool kept = true;
    const fm_backend table = recording_table();
    fm_device *dev = mock_open_table(&m, &table);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(device_record(dev, &key, &kept), FM_ERR_MEMORY);
    assert_false(kept);
    assert_int_equal(device_record_end(dev), FM_ERR_STATE);
    m.answer = FM_OK;
    assert_int_equal(device_record(dev, &key, &kept), FM_OK);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(device_record_end(dev), FM_ERR_MEMORY);
    m.answer = FM_OK;
    assert_int_equal(device_record_end(dev), FM_ERR_STATE); /* it ended, and failed */
    device_close(dev);
}

/* At the beginning, at the end, and when it is dropped. */
static void record_finds_the_device_lost(void **state) {
    (void)state;
    for (int32_t at = 0; at < 3; at++) {
        mock m = {0};
        bool kept;
        const fm_backend table = recording_table();
        fm_device *dev = mock_open_table(&m, &table);
        if (at > 0) assert_int_equal(device_record(dev, &key, &kept), FM_OK);
        m.answer = FM_ERR_DEVICE;
        if (at == 0) assert_int_equal(device_record(dev, &key, &kept), FM_ERR_DEVICE);
        if (at == 1) assert_int_equal(device_record_end(dev), FM_ERR_DEVICE);
        if (at == 2) device_abandon(dev);
        m.answer = FM_OK;
        int32_t n_calls = m.n_calls;
        assert_int_equal(device_status(dev), FM_ERR_DEVICE);
        assert_int_equal(device_record(dev, &key, &kept), FM_ERR_DEVICE);
        assert_int_equal(device_record_end(dev), FM_ERR_DEVICE);
        assert_int_equal(m.n_calls, n_calls);
        device_close(dev);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_on_a_device_without_it_keeps_nothing),
        cmocka_unit_test(record_begins_and_ends_what_is_kept),
        cmocka_unit_test(record_of_what_is_kept_encodes_it),
        cmocka_unit_test(record_keeps_nothing_while_it_is_profiled),
        cmocka_unit_test(record_abandoned_in_the_middle_drops_the_stretch),
        cmocka_unit_test(record_takes_an_injected_fault),
        cmocka_unit_test(record_failures_of_the_backend_are_handed_on),
        cmocka_unit_test(record_finds_the_device_lost),
    };
    return cmocka_run_group_tests_name("test_record", tests, NULL, NULL);
}
