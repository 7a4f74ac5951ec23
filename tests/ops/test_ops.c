/*
 * test_ops.c - the op table: every case of rows.c on every column, against float64, against the
 * bits of the first column of the same backend, and with nothing written outside the output. Prints
 * one line for each operation: the worst case over all columns.
 *
 * To add a case, add a row in rows.c; a device, a subject in column.c; an operation, its
 * op_definition in a define_*.c (until then this suite does not link) and its rows.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"
#include "rows.h"

/** The run of one operation's rows. */
typedef struct table_run {
    const columns *columns;
    int32_t n_cases;
    int32_t n_lacks[N_LACKS]; /* cases times columns, by what these lack */
    int32_t n_failed;
    score worst;
} table_run;

static void report(table_run *run, const op_case *c, const column *col, const char *what,
                   const score *s) {
    char shape[160];
    if (run->n_failed++ >= 20) return;
    shape_print(&c->shape, shape, sizeof shape);
    print_error("%s on %s: %s", shape, col->subject->name, what);
    if (s) print_error(": nmse %.2e max abs %.2e 1-cos %.2e", s->nmse, s->max_abs, s->cosine_gap);
    print_error("\n");
}

/* ---- An output: values, and what lies around them -------------------------------------------- */

/** Copies an output's values, dense, out of its slab's bytes, and blanks them there with the bytes
 *  that were in the slab before, so that what is left to differ was written outside the view. */
static void take_values(const op_case *c, const fm_tensor *y, uint8_t *bytes, double *values) {
    const slab *s = &c->slabs[case_slab_index(c, y)];
    size_t size = fm_dtype_size(y->dtype);
    int64_t n1 = y->n_dims > 1 ? y->size[1] : 1, n2 = y->n_dims > 2 ? y->size[2] : 1;
    for (int64_t i = 0; i < y->size[0]; i++)
        for (int64_t j = 0; j < n1; j++)
            for (int64_t k = 0; k < n2; k++) {
                size_t at = (size_t)tensor_index(y, i, j, k) * size;
                *values++ = number_get(y->dtype, bytes + at);
                memcpy(bytes + at, s->bytes + at, size);
            }
}

static bool is_output_slab(const op_case *c, int32_t slab_index) {
    for (int32_t i = 0; i < op_n_outputs(c->shape.op); i++) {
        const fm_tensor *y = op_output(c->shape.op, &c->args, i);
        if (y->buf && case_slab_index(c, y) == slab_index) return true;
    }
    return false;
}

/** True when no slab but the outputs' differs from what was written to it. */
static bool inputs_untouched(binding *b) {
    bool same = true;
    for (int32_t i = 0; i < b->host->n_slabs; i++) {
        if (is_output_slab(b->host, i)) continue;
        uint8_t *bytes = binding_read(b, i);
        same = same && memcmp(bytes, b->host->slabs[i].bytes, b->host->slabs[i].buf.size) == 0;
        free(bytes);
    }
    return same;
}

/** Values of which NaN equals NaN: a cache row that nothing was written to. */
static bool same_values(const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(a[i] != a[i] && b[i] != b[i])) return false;
    return true;
}

/* ---- One case -------------------------------------------------------------------------------- */

typedef struct case_results {
    const double *expected; /* dense, [n]: of all outputs */
    double *got;            /* the same, scratch */
    size_t n;
    /* The first column's output slabs, whose bits the others have to give. */
    uint8_t *bits[OP_MAX_OUTPUTS];
} case_results;

/** Values [n] of the i-th output. */
static void check_values(table_run *run, const op_case *c, const column *col, int32_t i,
                         const double *expected, const double *got, size_t n) {
    const op_definition *d = op_entries[c->shape.op].definition;
    const tolerance *limit =
        &col->subject->tolerances[d->cached ? c->shape.cache : c->shape.weight];
    if (d->exact || i < d->n_more_outputs) {
        if (!same_values(expected, got, n)) report(run, c, col, "not the reference's values", NULL);
        return;
    }
    score s = score_of(expected, got, n);
    score_worsen(&run->worst, &s);
    if (!score_within(&s, limit)) report(run, c, col, "too far from the reference", &s);
}

/** Keeps the bits of the first column, or compares with them. */
static void check_bits(table_run *run, const op_case *c, const column *col, case_results *r,
                       int32_t i, const uint8_t *bytes, size_t size) {
    if (!col->subject->same_bits) return;
    if (!r->bits[i]) {
        r->bits[i] = malloc(size);
        assert_non_null(r->bits[i]);
        memcpy(r->bits[i], bytes, size);
    } else if (memcmp(r->bits[i], bytes, size) != 0) {
        report(run, c, col, "not the bits of the first column", NULL);
    }
}

static void run_column(table_run *run, const op_case *c, const column *col, case_results *r) {
    binding b;
    size_t at = 0;
    int32_t n_messages = col->n_messages;
    binding_open(&b, col, c);
    binding_run(&b, c->shape.op, &b.args);
    if (!inputs_untouched(&b)) report(run, c, col, "an input was written", NULL);
    for (int32_t i = 0; i < op_n_outputs(c->shape.op); i++) {
        const fm_tensor *y = op_output(c->shape.op, &c->args, i);
        if (!y->buf) continue;
        const slab *s = &c->slabs[case_slab_index(c, y)];
        uint8_t *bytes = binding_read(&b, case_slab_index(c, y));
        check_bits(run, c, col, r, i, bytes, s->buf.size);
        take_values(c, y, bytes, r->got + at);
        if (memcmp(bytes, s->bytes, s->buf.size) != 0)
            report(run, c, col, "written outside the output", NULL);
        check_values(run, c, col, i, r->expected + at, r->got + at, (size_t)tensor_count(y));
        at += (size_t)tensor_count(y);
        free(bytes);
    }
    binding_close(&b);
    if (col->n_messages != n_messages) report(run, c, col, "errors in the log", NULL);
}

static void run_case(void *user, const op_shape *shape) {
    table_run *run = user;
    op_case c;
    case_init(&c, shape);
    size_t n = op_output_count(shape->op, &c.args);
    double *values = malloc(2 * n * sizeof *values);
    assert_non_null(values);
    op_entries[shape->op].definition->reference(&c.args, values);
    case_results r = {.expected = values, .got = values + n, .n = n};
    for (int32_t i = 0; i < run->columns->n; i++) {
        const column *col = &run->columns->at[i];
        column_lack lack = column_lacks(col, &c);
        run->n_lacks[lack]++;
        if (lack == LACKS_NOTHING) run_column(run, &c, col, &r);
    }
    run->n_cases++;
    for (int32_t i = 0; i < OP_MAX_OUTPUTS; i++) free(r.bits[i]);
    free(values);
    case_free(&c);
}

/* ---- The suite ------------------------------------------------------------------------------- */

static const char *const lack_texts[N_LACKS] = {
    [LACKS_OPERATION] = "the device leaves the operation to the host",
    [LACKS_FORMAT] = "the device has not the format",
    [LACKS_ROOM] = "a tensor is longer than the device's bindings",
};

static void run_op(void **state, op_kind op) {
    table_run run = {.columns = *state};
    for (size_t i = 0; i < n_op_rows; i++)
        if (op_rows[i].op == op) row_expand(&op_rows[i], run_case, &run);
    print_message("%-15s %4d cases x %d columns: worst nmse %.1e, max abs %.1e, 1-cos %.1e%s\n",
                  op_entries[op].name, run.n_cases, run.columns->n, run.worst.nmse,
                  run.worst.max_abs, run.worst.cosine_gap,
                  op_entries[op].definition->exact ? " (exact)" : "");
    for (int32_t lack = LACKS_NOTHING + 1; lack < N_LACKS; lack++)
        if (run.n_lacks[lack] > 0)
            print_message("skip: %s: %d times %s\n", op_entries[op].name, run.n_lacks[lack],
                          lack_texts[lack]);
    if (run.n_failed) fail_msg("%s: %d faults", op_entries[op].name, run.n_failed);
}

#define OP_TEST(name)                                                                              \
    static void ops_##name##_agrees_with_float64(void **state) {                                   \
        run_op(state, OP_##name);                                                                  \
    }
FM_OP_ALL_LIST(OP_TEST)

/* ---- Not a number ---------------------------------------------------------------------------- */

static int32_t count_nan(const double *values, size_t n) {
    int32_t count = 0;
    for (size_t i = 0; i < n; i++) count += isnan(values[i]) != 0;
    return count;
}

/* NaN at the end of the first and the last row of the first operand: where it has to appear, the
 * reference says. A kernel that loses it would hide a broken model. */
static void put_nan(op_case *c) {
    const op_operand *first = &op_entries[c->shape.op].definition->operands[0];
    const fm_tensor *x = (const fm_tensor *)(const void *)((uint8_t *)&c->args + first->offset);
    if (x->dtype != FM_DTYPE_F32) return;
    int64_t j = x->n_dims > 1 ? x->size[1] - 1 : 0, k = x->n_dims > 2 ? x->size[2] - 1 : 0;
    host_set(x, 0, j, k, (double)NAN);
    host_set(x, x->size[0] - 1, j, k, (double)NAN);
}

static void run_nan_column(table_run *run, const op_case *c, const column *col, case_results *r) {
    binding b;
    binding_open(&b, col, c);
    binding_run(&b, c->shape.op, &b.args);
    size_t at = 0;
    for (int32_t i = 0; i < op_n_outputs(c->shape.op); i++) {
        const fm_tensor *y = op_output(c->shape.op, &c->args, i);
        if (!y->buf) continue;
        uint8_t *bytes = binding_read(&b, case_slab_index(c, y));
        take_values(c, y, bytes, r->got + at);
        at += (size_t)tensor_count(y);
        free(bytes);
    }
    bool same = true;
    for (size_t i = 0; i < r->n; i++) same = same && !isnan(r->expected[i]) == !isnan(r->got[i]);
    if (!same) report(run, c, col, "NaN at other places than in the reference", NULL);
    binding_close(&b);
}

static void run_nan(void *user, const op_shape *shape) {
    table_run *run = user;
    op_case c;
    if (shape->flags != 0 || shape->T != 17) return;
    case_init(&c, shape);
    put_nan(&c);
    size_t n = op_output_count(shape->op, &c.args);
    double *values = malloc(2 * n * sizeof *values);
    assert_non_null(values);
    op_entries[shape->op].definition->reference(&c.args, values);
    run->n_cases += count_nan(values, n) > 0;
    case_results r = {.expected = values, .got = values + n, .n = n};
    for (int32_t i = 0; i < run->columns->n; i++)
        if (column_lacks(&run->columns->at[i], &c) == LACKS_NOTHING)
            run_nan_column(run, &c, &run->columns->at[i], &r);
    free(values);
    case_free(&c);
}

static void ops_nan_appears_where_it_does_in_the_reference(void **state) {
    for (int32_t op = 0; op < OP_COUNT; op++) {
        table_run run = {.columns = *state};
        for (size_t i = 0; i < n_op_rows; i++)
            if (op_rows[i].op == (op_kind)op) row_expand(&op_rows[i], run_nan, &run);
        if (run.n_failed) fail_msg("%s: %d faults", op_entries[op].name, run.n_failed);
        if (run.n_cases == 0 && op != OP_embed) fail_msg("%s: no NaN", op_entries[op].name);
    }
}

/* ---- The table itself, and the columns ------------------------------------------------------- */

static void ops_table_covers_every_operation(void **state) {
    (void)state;
    bool covered[OP_COUNT] = {false};
    for (size_t i = 0; i < n_op_rows; i++) covered[op_rows[i].op] = true;
    for (int32_t op = 0; op < OP_COUNT; op++)
        if (!covered[op]) fail_msg("operation %s has no row in rows.c", op_entries[op].name);
}

static void ops_devices_take_every_format(void **state) {
    const columns *c = *state;
    uint32_t weights = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16 | 1u << FM_DTYPE_F16;
    uint32_t caches = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16;
    for (int32_t i = 0; i < c->n; i++) {
        const fm_device_info *info = device_info(c->at[i].dev);
        assert_int_equal(info->weight_dtypes & weights, weights);
        assert_int_equal(info->cache_dtypes & caches, caches);
        assert_true(strlen(info->name) > 0);
    }
}

static void ops_cpu_refuses_an_unknown_instruction_set(void **state) {
    (void)state;
    fm_device_params params = {.max_tokens = 1,
                               .max_rows = 1,
                               .max_sequences = 1,
                               .max_context = 1,
                               .n_threads = 1,
                               .isa = "avx1024"};
    fm_device *dev = NULL;
    fm_error err = {0};
    assert_int_equal(device_open(&fm_backend_cpu, &params, (fm_log){0}, &dev, &err),
                     FM_ERR_UNSUPPORTED);
    assert_null(dev);
    assert_non_null(strstr(err.text, "avx1024"));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_table_covers_every_operation),
        cmocka_unit_test(ops_devices_take_every_format),
        cmocka_unit_test(ops_cpu_refuses_an_unknown_instruction_set),
        cmocka_unit_test(ops_nan_appears_where_it_does_in_the_reference),
#define OP_UNIT_TEST(name) cmocka_unit_test(ops_##name##_agrees_with_float64),
        FM_OP_ALL_LIST(OP_UNIT_TEST)};
    return COLUMNS_RUN("test_ops", tests);
}
