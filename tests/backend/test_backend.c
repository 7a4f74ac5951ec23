/*
 * test_backend.c - the checking front against a mock: opening, the order of encoding and transfers,
 * a lost device, buffers and weights, and what of a valid call reaches the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

/* ---- Opening --------------------------------------------------------------------------------- */

static void backend_open_passes_the_limits_on(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    assert_int_equal(m.params.max_tokens, mock_params.max_tokens);
    assert_int_equal(m.params.max_sequences, mock_params.max_sequences);
    assert_int_equal(m.params.max_context, mock_params.max_context);
    assert_int_equal(m.params.n_threads, mock_params.n_threads);
    assert_string_equal(device_info(dev)->name, "mock");
    assert_int_equal(device_info(dev)->memory_free, 4096);
    assert_int_equal(device_status(dev), FM_OK);
    assert_string_equal(device_fault(dev), "");
    device_close(dev);
    assert_int_equal(m.n_open, 0);
    device_close(NULL);
}

static void expect_no_device(const fm_backend *backend, fm_device_params params, mock *m,
                             fm_status expected) {
    fm_error err = {0};
    fm_device *dev = (fm_device *)(void *)m; /* must be cleared */
    assert_int_equal(device_open(backend, &params, (fm_log){.user = m}, &dev, &err), expected);
    assert_null(dev);
    assert_int_equal(err.status, expected);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(m->n_open, 0);
}

static void backend_open_refuses_another_version(void **state) {
    (void)state;
    mock m = {0};
    fm_backend other = mock_backend;
    other.version = FM_BACKEND_VERSION + 1;
    expect_no_device(&other, mock_params, &m, FM_ERR_UNSUPPORTED);
    other.version = FM_BACKEND_VERSION - 1;
    expect_no_device(&other, mock_params, &m, FM_ERR_UNSUPPORTED);
}

static void backend_open_refuses_limits_below_one(void **state) {
    (void)state;
    mock m = {0};
    for (int32_t value = -1; value <= 0; value++)
        for (int32_t field = 0; field < 5; field++) {
            fm_device_params params = mock_params;
            if (field == 0) params.max_tokens = value;
            if (field == 1) params.max_sequences = value;
            if (field == 2) params.max_context = value;
            if (field == 3) params.n_threads = value;
            if (field == 4) params.max_rows = value;
            expect_no_device(&mock_backend, params, &m, FM_ERR_ARG);
        }
}

static void backend_open_hands_on_a_failure(void **state) {
    (void)state;
    mock m = {.answer = FM_ERR_UNSUPPORTED};
    expect_no_device(&mock_backend, mock_params, &m, FM_ERR_UNSUPPORTED);
}

/* ---- Transfers ------------------------------------------------------------------------------- */

/* A write is ordered like an operation: allowed at any time, and read back only when it is done. */
static void backend_writes_are_encoded(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    uint64_t ticket = 0;
    int32_t ids[3] = {0};
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_embed);
    assert_int_equal(call_run(dev, &c), FM_OK);
    assert_int_equal(device_write(dev, c.args.embed.tokens, ids), FM_OK);
    assert_string_equal(m.entry, "write");
    assert_int_equal(device_submit(dev, &ticket), FM_OK);
    assert_int_equal(device_wait(dev, ticket), FM_OK);
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_OK);
    assert_int_equal(device_write(dev, c.args.embed.tokens, ids), FM_OK);
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_ERR_STATE);
    device_close(dev);
}

/* After a failed operation the device is ready again, unless it was lost. */
static void backend_abandon_clears_a_failed_step(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    int32_t ids[3] = {0};
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_embed);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    m.answer = FM_OK;
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_ERR_STATE);
    device_abandon(dev);
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_OK);
    m.answer = FM_ERR_MEMORY; /* even when submitting fails */
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    device_abandon(dev);
    m.answer = FM_OK;
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_OK);
    m.answer = FM_ERR_DEVICE;
    assert_int_equal(call_run(dev, &c), FM_ERR_DEVICE);
    device_abandon(dev);
    assert_int_equal(device_status(dev), FM_ERR_DEVICE);
    device_close(dev);
}

static void backend_transfers_wait_for_encoded_work(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    uint64_t first = 0, second = 0;
    int32_t ids[3] = {0};
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_embed);
    fm_tensor tokens = c.args.embed.tokens;
    assert_int_equal(call_run(dev, &c), FM_OK);
    assert_int_equal(device_read(dev, tokens, ids), FM_ERR_STATE); /* encoded */
    assert_string_equal(m.entry, "embed");
    assert_int_equal(device_submit(dev, &first), FM_OK);
    assert_int_equal(device_read(dev, tokens, ids), FM_ERR_STATE); /* submitted */
    assert_int_equal(call_run(dev, &c), FM_OK);
    assert_int_equal(device_wait(dev, first), FM_OK);
    assert_int_equal(device_read(dev, tokens, ids), FM_ERR_STATE); /* the second is encoded */
    assert_int_equal(device_submit(dev, &second), FM_OK);
    assert_int_equal(device_wait(dev, first), FM_OK);
    assert_int_equal(device_read(dev, tokens, ids), FM_ERR_STATE); /* the second is under way */
    assert_int_equal(device_wait(dev, second), FM_OK);
    assert_int_equal(device_read(dev, tokens, ids), FM_OK);
    assert_int_equal(device_status(dev), FM_OK);
    device_close(dev);
}

static void backend_a_refused_call_encodes_nothing(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    int32_t ids[3] = {0};
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_embed);
    c.args.embed.table = NULL;
    assert_int_equal(call_run(dev, &c), FM_ERR_ARG);
    assert_int_equal(device_read(dev, c.args.embed.tokens, ids), FM_OK);
    device_close(dev);
}

static void backend_wait_refuses_a_ticket_not_given_out(void **state) {
    (void)state;
    mock m = {0};
    uint64_t ticket = 0;
    fm_device *dev = mock_open(&m);
    assert_int_equal(device_submit(dev, &ticket), FM_OK);
    assert_int_equal(device_wait(dev, ticket + 1), FM_ERR_STATE);
    assert_string_equal(m.entry, "submit");
    device_close(dev);
}

static void backend_transfer_gives_the_range_in_bytes(void **state) {
    (void)state;
    mock m = {0};
    float values[16] = {0};
    fm_device *dev = mock_open(&m);
    fm_buf buf = {dev, 64};
    fm_tensor rows = tensor_slice(tensor_2d(&buf, FM_DTYPE_F32, 4, 4), 0, 1, 2);
    assert_int_equal(device_write(dev, rows, values), FM_OK);
    assert_int_equal(m.offset, 16);
    assert_int_equal(m.size, 32);
    mock_finish(dev);
    fm_tensor halves = tensor_slice(tensor_1d(&buf, FM_DTYPE_BF16, 32), 0, 5, 27);
    assert_int_equal(device_read(dev, halves, values), FM_OK);
    assert_int_equal(m.offset, 10);
    assert_int_equal(m.size, 54);
    device_close(dev);
}

static void backend_transfer_refuses_what_is_not_contiguous(void **state) {
    (void)state;
    mock m = {0};
    float values[16] = {0};
    fm_device *dev = mock_open(&m);
    fm_buf buf = {dev, 64};
    fm_tensor whole = tensor_2d(&buf, FM_DTYPE_F32, 4, 4), faulty[9];
    for (size_t i = 0; i < 9; i++) faulty[i] = whole;
    faulty[0].size[1] = 2; /* gaps behind rows */
    faulty[1].offset = 1;
    faulty[2].buf = NULL;
    faulty[3].size[0] = 0;
    faulty[4].n_dims = 0;
    faulty[5].n_dims = FM_TENSOR_MAX_DIMS + 1;
    faulty[6].dtype = FM_DTYPE_COUNT;
    /* These span as many elements as they have, but in another order. */
    faulty[7].stride[0] = 1;
    faulty[7].stride[1] = 4;
    faulty[8] = tensor_3d(&buf, FM_DTYPE_F32, 2, 3, 2);
    faulty[8].stride[0] = 2;
    faulty[8].stride[1] = 4;
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        if (device_write(dev, faulty[i], values) != FM_ERR_ARG ||
            device_read(dev, faulty[i], values) != FM_ERR_ARG)
            fail_msg("transfer %zu was not refused", i);
        assert_true(strlen(device_fault(dev)) > 0);
    }
    assert_int_equal(m.n_calls, 0);
    device_close(dev);
}

/* ---- A lost device --------------------------------------------------------------------------- */

static void expect_all_lost(fm_device *dev) {
    op_call c;
    fm_buf *buf = NULL;
    fm_weight *weight = NULL;
    fm_error err = {0};
    uint64_t ticket = 0;
    float values[24] = {0};
    for (int32_t op = 0; op < OP_COUNT; op++) {
        call_init(&c, dev, (op_kind)op);
        assert_int_equal(call_run(dev, &c), FM_ERR_DEVICE);
    }
    call_init(&c, dev, OP_norm);
    fm_weight_part part = {values, 2, 3, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, 3, &part};
    assert_int_equal(device_status(dev), FM_ERR_DEVICE);
    assert_int_equal(device_submit(dev, &ticket), FM_ERR_DEVICE);
    assert_int_equal(device_wait(dev, 0), FM_ERR_DEVICE);
    assert_int_equal(device_write(dev, c.args.norm.x, values), FM_ERR_DEVICE);
    assert_int_equal(device_read(dev, c.args.norm.x, values), FM_ERR_DEVICE);
    assert_int_equal(device_copy(dev, c.args.norm.y, c.args.norm.x), FM_ERR_DEVICE);
    assert_int_equal(buf_new(dev, 16, &buf, &err), FM_ERR_DEVICE);
    assert_null(buf);
    assert_int_equal(err.status, FM_ERR_DEVICE);
    err = (fm_error){0};
    assert_int_equal(weight_load(dev, &source, FM_DTYPE_F32, &weight, &err), FM_ERR_DEVICE);
    assert_null(weight);
    assert_int_equal(err.status, FM_ERR_DEVICE);
}

/* Every entry may be the one that finds the device lost: the operations, then the others. */
static fm_status lose_by(fm_device *dev, int32_t entry) {
    op_call c;
    fm_buf *buf = NULL;
    fm_weight *weight = NULL;
    uint64_t ticket = 0;
    float values[24] = {0};
    fm_weight_part part = {values, 2, 3, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, 3, &part};
    call_init(&c, dev, entry < OP_COUNT ? (op_kind)entry : OP_norm);
    switch (entry - OP_COUNT) {
    case 0:
        return device_submit(dev, &ticket);
    case 1:
        return device_wait(dev, 0);
    case 2:
        return device_write(dev, c.args.norm.x, values);
    case 3:
        return device_read(dev, c.args.norm.x, values);
    case 4:
        return buf_new(dev, 16, &buf, NULL);
    case 5:
        return weight_load(dev, &source, FM_DTYPE_F32, &weight, NULL);
    case 6:
        return device_copy(dev, c.args.norm.y, c.args.norm.x);
    default:
        return call_run(dev, &c);
    }
}

static void backend_a_lost_device_stays_lost(void **state) {
    (void)state;
    for (int32_t entry = 0; entry < OP_COUNT + 7; entry++) {
        mock m = {0};
        fm_device *dev = mock_open(&m);
        m.answer = FM_ERR_DEVICE;
        if (lose_by(dev, entry) != FM_ERR_DEVICE) fail_msg("entry %d did not fail", entry);
        m.answer = FM_OK; /* the device comes back; the front does not trust it */
        int32_t n_calls = m.n_calls;
        assert_int_equal(n_calls, 1);
        expect_all_lost(dev);
        assert_int_equal(m.n_calls, n_calls);
        device_close(dev);
        assert_int_equal(m.n_open, 0);
    }
}

static void backend_other_failures_pass(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_device *dev = mock_open(&m);
    call_init(&c, dev, OP_norm);
    m.answer = FM_ERR_MEMORY;
    assert_int_equal(call_run(dev, &c), FM_ERR_MEMORY);
    assert_int_equal(device_status(dev), FM_OK);
    m.answer = FM_OK;
    assert_int_equal(call_run(dev, &c), FM_OK);
    device_close(dev);
}

/* ---- Buffers and weights --------------------------------------------------------------------- */

static void backend_buf_new_refuses_no_bytes(void **state) {
    (void)state;
    mock m = {0};
    fm_buf *buf = NULL;
    fm_error err = {0};
    fm_device *dev = mock_open(&m);
    assert_int_equal(buf_new(dev, 0, &buf, &err), FM_ERR_ARG);
    assert_null(buf);
    assert_int_equal(m.n_calls, 0);
    assert_int_equal(buf_new(dev, 1, &buf, &err), FM_OK);
    assert_int_equal(buf->size, 1);
    buf_free(dev, buf);
    buf_free(dev, NULL);
    device_close(dev);
}

/* Two matrices of two parts, with 1 and 3 rows of 4 values. */
typedef struct weight_fault {
    const char *what;
    fm_status expected;
    fm_weight_source source; /* parts aside */
    fm_dtype dtype;
    int64_t rows[4]; /* of the parts */
} weight_fault;

static const weight_fault weight_faults[] = {
    {"none", FM_OK, {FM_DTYPE_F16, 2, 2, 4, NULL}, FM_DTYPE_BF16, {1, 3, 1, 3}},
    {"no matrix", FM_ERR_ARG, {FM_DTYPE_F32, 0, 2, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"no part", FM_ERR_ARG, {FM_DTYPE_F32, 2, 0, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"no column", FM_ERR_ARG, {FM_DTYPE_F32, 2, 2, 0, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"negative", FM_ERR_ARG, {FM_DTYPE_F32, -2, -2, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"too many", FM_ERR_ARG, {FM_DTYPE_F32, 65536, 65536, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"no row", FM_ERR_ARG, {FM_DTYPE_F32, 2, 2, 4, NULL}, FM_DTYPE_F32, {0, 3, 0, 3}},
    {"more rows than memory",
     FM_ERR_ARG,
     {FM_DTYPE_F32, 2, 2, 4, NULL},
     FM_DTYPE_F32,
     {INT64_MAX / 2, 3, INT64_MAX / 2, 3}},
    {"more columns than memory",
     FM_ERR_ARG,
     {FM_DTYPE_F32, 2, 2, INT64_MAX / 2, NULL},
     FM_DTYPE_F32,
     {1, 3, 1, 3}},
    {"uneven parts", FM_ERR_ARG, {FM_DTYPE_F32, 2, 2, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 2}},
    {"from I32", FM_ERR_UNSUPPORTED, {FM_DTYPE_I32, 2, 2, 4, NULL}, FM_DTYPE_F32, {1, 3, 1, 3}},
    {"to F16", FM_ERR_UNSUPPORTED, {FM_DTYPE_F32, 2, 2, 4, NULL}, FM_DTYPE_F16, {1, 3, 1, 3}},
    {"to I32", FM_ERR_UNSUPPORTED, {FM_DTYPE_F32, 2, 2, 4, NULL}, FM_DTYPE_I32, {1, 3, 1, 3}},
};

static void backend_weight_load_checks_the_source(void **state) {
    (void)state;
    mock m = {0};
    float values[16] = {0};
    fm_device *dev = mock_open(&m);
    for (size_t i = 0; i < sizeof weight_faults / sizeof weight_faults[0]; i++) {
        const weight_fault *f = &weight_faults[i];
        fm_weight_part parts[4];
        fm_weight_source source = f->source;
        fm_weight *w = NULL;
        fm_error err = {0};
        for (int32_t p = 0; p < 4; p++) parts[p] = (fm_weight_part){values, f->rows[p], 4, 1};
        source.parts = parts;
        m.n_calls = 0;
        if (weight_load(dev, &source, f->dtype, &w, &err) != f->expected)
            fail_msg("weight with %s: not %s", f->what, fm_status_text(f->expected));
        assert_int_equal(m.n_calls, f->expected == FM_OK ? 1 : 0);
        assert_int_equal(err.status, f->expected);
        assert_true(f->expected == FM_OK || strlen(err.text) > 0);
        weight_free(dev, w);
    }
    fm_weight_part part = {values, 4, 4, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, 4, &part};
    assert_int_equal(weight_size(dev, &source, FM_DTYPE_F32), 77);
    part.rows = INT64_MAX / 2;
    assert_int_equal(weight_size(dev, &source, FM_DTYPE_F32), 0);
    weight_free(dev, NULL);
    device_close(dev);
}

/* ---- What reaches the table ------------------------------------------------------------------ */

static void backend_valid_calls_reach_the_table_unchanged(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_device *dev = mock_open(&m);
    for (int32_t op = 0; op < OP_COUNT; op++) {
        call_init(&c, dev, (op_kind)op);
        m.n_calls = 0;
        memset(&m.args, 0, sizeof m.args);
        if (call_run(dev, &c) != FM_OK) fail_msg("%s: %s", call_name(c.op), device_fault(dev));
        assert_int_equal(m.n_calls, 1);
        assert_string_equal(m.entry, call_name(c.op));
        for (const call_operand *o = call_operands(c.op); o->name; o++)
            assert_memory_equal((uint8_t *)&m.args + o->offset, call_tensor(&c, o),
                                sizeof(fm_tensor));
    }
    device_close(dev);
}

static void backend_scalars_reach_the_table_unchanged(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    for (int32_t i = 0; i < 2; i++) {
        op_call c;
        call_init(&c, dev, OP_norm);
        c.args.norm.eps = i ? 1e-6f : 0.0f;
        assert_int_equal(call_run(dev, &c), FM_OK);
        assert_true(m.args.norm.eps == c.args.norm.eps);
        call_init(&c, dev, OP_matmul);
        c.args.matmul.accumulate = i;
        assert_int_equal(call_run(dev, &c), FM_OK);
        assert_int_equal(m.args.matmul.accumulate, i);
        assert_ptr_equal(m.args.matmul.w, &c.weight);
        call_init(&c, dev, OP_rope);
        c.args.rope.pairing = i ? FM_ROPE_PAIRING_INTERLEAVED : FM_ROPE_PAIRING_HALF;
        assert_int_equal(call_run(dev, &c), FM_OK);
        assert_int_equal(m.args.rope.pairing, c.args.rope.pairing);
        call_init(&c, dev, OP_attend);
        c.args.attend.scale = i ? 0.125f : -3.0f;
        assert_int_equal(call_run(dev, &c), FM_OK);
        assert_true(m.args.attend.scale == c.args.attend.scale);
        call_init(&c, dev, OP_gather_rows);
        c.args.gather_rows.accumulate = i;
        assert_int_equal(call_run(dev, &c), FM_OK);
        assert_int_equal(m.args.gather_rows.accumulate, i);
    }
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_open_passes_the_limits_on),
        cmocka_unit_test(backend_open_refuses_another_version),
        cmocka_unit_test(backend_open_refuses_limits_below_one),
        cmocka_unit_test(backend_open_hands_on_a_failure),
        cmocka_unit_test(backend_writes_are_encoded),
        cmocka_unit_test(backend_abandon_clears_a_failed_step),
        cmocka_unit_test(backend_transfers_wait_for_encoded_work),
        cmocka_unit_test(backend_a_refused_call_encodes_nothing),
        cmocka_unit_test(backend_wait_refuses_a_ticket_not_given_out),
        cmocka_unit_test(backend_transfer_gives_the_range_in_bytes),
        cmocka_unit_test(backend_transfer_refuses_what_is_not_contiguous),
        cmocka_unit_test(backend_a_lost_device_stays_lost),
        cmocka_unit_test(backend_other_failures_pass),
        cmocka_unit_test(backend_buf_new_refuses_no_bytes),
        cmocka_unit_test(backend_weight_load_checks_the_source),
        cmocka_unit_test(backend_valid_calls_reach_the_table_unchanged),
        cmocka_unit_test(backend_scalars_reach_the_table_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
