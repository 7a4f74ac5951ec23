/*
 * test_profile.c - what the front counts: calls, seconds and bytes of each kind of call, from the
 * start of the profile to its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/os.h"
#include "call.h"

/* Bytes of the valid calls of call.c, added up by hand: [T = 3, C = 8] is 96 bytes. */
static const uint64_t bytes_of[OP_COUNT] = {
    [OP_embed] = 12 + 3 * 32 + 96,                /* tokens, rows of the table, y */
    [OP_norm] = 96 + 32 + 96,                     /* x, weight, y */
    [OP_matmul] = 96 + 160 + 20 + 60,             /* x, W, bias, y */
    [OP_matmul_heads] = 384 + 640 + 240,          /* x, four matrices, y */
    [OP_rope] = 384 + 12 + 3 * 32 + 384,          /* x, positions, rows of the table, y */
    [OP_cache_write] = 192 + 12 + 3 * 64,         /* x, rows, rows of the cache */
    [OP_attend] = 576 + 12 + 12 + 360,            /* q, positions, sequences, y */
    [OP_gather_rows] = 24 + 24 + 6 * 32 + 96,     /* rows, weights, six of x's seven rows, y */
    [OP_matmul_experts] = 96 + 20 + 3 * 160 + 60, /* x, offsets, three of four matrices, y */
    [OP_gate_mul] = 3 * 96,
    /* logits, four arrays of edits, mask, temperatures, candidates, alternatives, sums */
    [OP_head_topk] = 840 + (16 + 3 * 36) + 36 + 12 + 3 * 60 + 2 * 24 + 48,
    /* logits, bias, experts, weights, offsets, row_token, slot_row */
    [OP_route] = 96 + 32 + 24 + 24 + 36 + 24 + 24,
};

/** The row of a name; ends the test when there is none. */
static fm_profile_row row_of(const fm_device *dev, const char *name) {
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    int32_t n = device_profile_get(dev, rows);
    for (int32_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i];
    fail_msg("no row for %s", name);
    return (fm_profile_row){0};
}

static uint64_t bytes_of_call(fm_device *dev, const op_call *c) {
    device_profile(dev, true);
    if (call_run(dev, c) != FM_OK) fail_msg("%s: %s", call_name(c->op), device_fault(dev));
    return row_of(dev, call_name(c->op)).bytes;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void profile_counts_calls_and_bytes_of_every_operation(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    fm_device *dev = mock_open(&m);
    device_profile(dev, true);
    for (int32_t op = 0; op < OP_COUNT; op++)
        for (int32_t i = 0; i <= op; i++) {
            call_init(&c, dev, (op_kind)op);
            assert_int_equal(call_run(dev, &c), FM_OK);
        }
    assert_int_equal(device_profile_get(dev, rows), OP_COUNT);
    for (int32_t op = 0; op < OP_COUNT; op++) {
        assert_string_equal(rows[op].name, call_name((op_kind)op));
        assert_int_equal(rows[op].calls, op + 1);
        if (bytes_of[op] == 0) fail_msg("%s has no bytes in this test", rows[op].name);
        if (rows[op].bytes != (uint64_t)(op + 1) * bytes_of[op])
            fail_msg("%s: %llu bytes", rows[op].name, (unsigned long long)rows[op].bytes);
    }
    device_close(dev);
}

static void profile_bytes_follow_what_a_call_leaves_out(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_matmul);
    c.args.matmul.accumulate = true;
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_matmul] + 60);
    c.args.matmul.bias = (fm_tensor){0};
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_matmul] + 60 - 20);
    c.weight.dtype = FM_DTYPE_BF16;
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_matmul] + 60 - 20 - 80);
    call_init(&c, dev, OP_cache_write);
    c.args.cache_write.cache.dtype = FM_DTYPE_BF16;
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_cache_write] - 3 * 32);
    call_init(&c, dev, OP_gather_rows);
    c.args.gather_rows.accumulate = true;
    c.args.gather_rows.weights = (fm_tensor){0};
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_gather_rows] - 24 + 96);
    c.args.gather_rows.x.size[0] = 2; /* six indices to two rows */
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_gather_rows] - 24 + 96 - 4 * 32);
    call_init(&c, dev, OP_matmul_experts);
    c.weight.n_matrices = 2; /* of two experts both, at most, for three rows */
    c.args.matmul_experts.offsets.size[0] = 3;
    assert_int_equal(bytes_of_call(dev, &c), bytes_of[OP_matmul_experts] - 160 - 8);
    device_close(dev);
}

/* ---- Transfers and tickets ------------------------------------------------------------------- */

static void profile_counts_transfers_and_tickets(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    float values[24] = {0};
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_norm);
    device_profile(dev, true);
    for (int32_t i = 0; i < 2; i++) {
        assert_int_equal(device_write(dev, c.args.norm.x, values), FM_OK);
        assert_int_equal(device_copy(dev, c.args.norm.y, c.args.norm.x), FM_OK);
        mock_finish(dev);
    }
    assert_int_equal(device_read(dev, c.args.norm.weight, values), FM_OK);
    assert_int_equal(row_of(dev, "write").calls, 2);
    assert_int_equal(row_of(dev, "write").bytes, 2 * 96);
    assert_int_equal(row_of(dev, "copy").calls, 2);
    assert_int_equal(row_of(dev, "copy").bytes, 2 * 2 * 96);
    assert_int_equal(row_of(dev, "read").calls, 1);
    assert_int_equal(row_of(dev, "read").bytes, 32);
    assert_int_equal(row_of(dev, "submit").calls, 2);
    assert_int_equal(row_of(dev, "submit").bytes, 0);
    assert_int_equal(row_of(dev, "wait").calls, 2);
    device_close(dev);
}

/* ---- From start to end ----------------------------------------------------------------------- */

static fm_status slow_norm(fm_device_state *s, const fm_norm *args) {
    (void)s, (void)args;
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    return FM_OK;
}

/* No less than the backend slept, no more than the test waited. */
static void profile_times_the_backend(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_backend slow = mock_backend;
    slow.norm = slow_norm;
    fm_device *dev = mock_open_table(&m, &slow);
    device_profile(dev, true);
    double start = os_seconds();
    call_init(&c, dev, OP_norm);
    for (int32_t i = 0; i < 2; i++) assert_int_equal(call_run(dev, &c), FM_OK);
    double seconds = row_of(dev, "norm").seconds;
    assert_true(seconds >= 0.006 && seconds <= os_seconds() - start);
    start = os_seconds();
    call_init(&c, dev, OP_gate_mul);
    assert_int_equal(call_run(dev, &c), FM_OK);
    seconds = row_of(dev, "gate_mul").seconds;
    assert_true(seconds >= 0.0 && seconds <= os_seconds() - start);
    device_close(dev);
}

/* As slow as the test says, whatever the front's clock shows. */
static void own_seconds(const fm_device_state *m, double seconds[FM_OP_COUNT]) {
    for (int32_t op = 0; op < FM_OP_COUNT; op++) seconds[op] = m->profiled ? 1000.0 + op : 0.0;
}

static void own_profile(fm_device_state *m, bool on) {
    m->profiled = on;
}

static void profile_takes_the_devices_own_clock(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    float values[24] = {0};
    fm_backend table = mock_backend;
    table.profile = own_profile;
    table.op_seconds = own_seconds;
    fm_device *dev = mock_open_table(&m, &table);
    device_profile(dev, true);
    assert_true(m.profiled);
    call_init(&c, dev, OP_norm);
    for (int32_t i = 0; i < 2; i++) assert_int_equal(call_run(dev, &c), FM_OK);
    assert_int_equal(device_write(dev, c.args.norm.x, values), FM_OK);
    assert_true(row_of(dev, "norm").seconds == 1000.0 + FM_OP_norm);
    assert_int_equal(row_of(dev, "norm").calls, 2);
    assert_true(row_of(dev, "write").seconds < 1000.0);
    device_profile(dev, false);
    assert_false(m.profiled);
    device_close(dev);
}

static void profile_counts_between_start_and_stop_alone(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_norm);
    assert_int_equal(call_run(dev, &c), FM_OK); /* off at first */
    assert_int_equal(device_profile_get(dev, rows), 0);
    device_profile(dev, true);
    assert_int_equal(call_run(dev, &c), FM_OK);
    device_profile(dev, false);
    assert_int_equal(call_run(dev, &c), FM_OK);
    assert_int_equal(device_profile_get(dev, rows), 1);
    assert_int_equal(rows[0].calls, 1);
    device_profile(dev, true);
    assert_int_equal(device_profile_get(dev, rows), 0);
    device_close(dev);
}

static void profile_leaves_failed_calls_out(void **state) {
    (void)state;
    mock m = {.answer = FM_OK};
    op_call c;
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    fm_device *dev = mock_open(&m);
    device_profile(dev, true);
    call_init(&c, dev, OP_norm);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    m.answer = FM_OK;
    c.args.norm.eps = -1.0f;
    assert_int_equal(call_run(dev, &c), FM_ERR_ARG);
    c.args.norm.eps = 0.5f;
    device_inject(dev, FM_FAULT_OP, 1, FM_ERR_MEMORY);
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    assert_int_equal(device_profile_get(dev, rows), 0);
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profile_counts_calls_and_bytes_of_every_operation),
        cmocka_unit_test(profile_bytes_follow_what_a_call_leaves_out),
        cmocka_unit_test(profile_counts_transfers_and_tickets),
        cmocka_unit_test(profile_times_the_backend),
        cmocka_unit_test(profile_takes_the_devices_own_clock),
        cmocka_unit_test(profile_counts_between_start_and_stop_alone),
        cmocka_unit_test(profile_leaves_failed_calls_out),
    };
    return cmocka_run_group_tests_name("test_profile", tests, NULL, NULL);
}
