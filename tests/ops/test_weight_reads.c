/*
 * test_weight_reads.c - each weight element is loaded once for all tokens of a step: bytes counted
 * in the weight loops of the kernels themselves, for single products and for whole steps of a
 * model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"
#include "count.h"
#include "support/forward_rig.h"

/* ---- Products -------------------------------------------------------------------------------- */

typedef void (*counted_test)(const column *col, const op_case *c);

/** Runs `test` with every instruction set that this machine has and every format of weights. */
static void each_set_and_format(op_shape shape, counted_test test) {
    static const char *const sets[] = {"scalar_soft", "scalar", "avx2", "avx512"};
    static const fm_dtype formats[] = {FM_DTYPE_F32, FM_DTYPE_BF16, FM_DTYPE_F16};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        fm_device_params params = {1024, 1024, 1, 1, .n_threads = 2, .isa = sets[i]};
        column col = {0};
        if (device_open(count_backend(), &params, (fm_log){0}, &col.dev, NULL) != FM_OK) {
            assert_int_not_equal(i, 0);
            continue;
        }
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
            op_case c;
            shape.weight = formats[f];
            case_init(&c, &shape);
            test(&col, &c);
            case_free(&c);
        }
        device_close(col.dev);
    }
}

/** Runs the case's call; afterwards b->weight's counts are those of this call. */
static void run_counted(binding *b, const column *col, const op_case *c) {
    binding_open(b, col, c);
    count_reset();
    binding_run(b, c->shape.op, &b->args);
}

static void expect_bytes(const op_case *c, uint64_t got, uint64_t expected) {
    char shape[160];
    shape_print(&c->shape, shape, sizeof shape);
    if (got != expected)
        fail_msg("%s: %llu bytes of weights were loaded, not %llu", shape, (unsigned long long)got,
                 (unsigned long long)expected);
}

static void check_whole_weight(const column *col, const op_case *c) {
    binding b;
    run_counted(&b, col, c);
    uint64_t passes = (uint64_t)(c->shape.T + 63) / 64;
    for (int32_t m = 0; m < b.weight->n_matrices; m++)
        expect_bytes(c, count_matrix(b.weight, m), passes * matrix_bytes(b.weight));
    expect_bytes(c, count_all(), passes * matrix_bytes(b.weight) * (uint64_t)b.weight->n_matrices);
    binding_close(&b);
}

/* Rows that fill no tile, parts, and more than one block of a row; up to 64 tokens are one pass. */
static void weight_reads_of_matmul_are_one_for_up_to_64_tokens(void **state) {
    static const int32_t tokens[] = {1, 2, 4, 5, 6, 7, 16, 17, 64, 65, 130};
    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        op_shape shape = {.op = OP_matmul, .T = tokens[i], .K = 1100, .N = 71};
        each_set_and_format(shape, check_whole_weight);
        shape.flags = PARTS | BIAS;
        each_set_and_format(shape, check_whole_weight);
    }
}

static void weight_reads_of_matmul_heads_are_one_for_each_head(void **state) {
    (void)state;
    each_set_and_format((op_shape){.op = OP_matmul_heads, .T = 16, .K = 513, .N = 70, .H = 3},
                        check_whole_weight);
}

static void check_experts(const column *col, const op_case *c) {
    binding b;
    run_counted(&b, col, c);
    const fm_tensor *offsets = &c->args.matmul_experts.offsets;
    int32_t n_used = 0;
    for (int32_t e = 0; e < c->shape.E; e++) {
        bool used = host_int(offsets, e + 1, 0) > host_int(offsets, e, 0);
        expect_bytes(c, count_matrix(b.weight, e), used ? matrix_bytes(b.weight) : 0);
        n_used += used;
    }
    assert_true(n_used > 0 && n_used < c->shape.E);
    binding_close(&b);
}

static void weight_reads_of_experts_are_one_where_used_and_none_elsewhere(void **state) {
    (void)state;
    each_set_and_format((op_shape){.op = OP_matmul_experts, .T = 16 * 4, .K = 530, .N = 70, .E = 8},
                        check_experts);
    each_set_and_format(
        (op_shape){.op = OP_matmul_experts, .flags = ONE_EXPERT, .T = 16, .K = 64, .N = 7, .E = 4},
        check_experts);
}

/* ---- Steps of a model ------------------------------------------------------------------------ */

static void open_rig(forward_rig *r, const char *name) {
    char dir[512];
    fm_error err = {0};
    snprintf(dir, sizeof dir, TEST_DATA "/oracle/%s", name);
    if (forward_rig_open(r, dir, count_backend(), 2, &err) != FM_OK) fail_msg("%s", err.text);
}

/** Runs sequences [first, first + n) for one token; returns the bytes of weights that were loaded.
 */
static uint64_t step_bytes(forward_rig *r, int32_t first, int32_t n) {
    count_reset();
    assert_int_equal(forward_rig_step(r, first, n, 0), FM_OK);
    return count_all();
}

static void add_weight(const fm_weight *w, uint64_t *n_bytes) {
    if (w) *n_bytes += matrix_bytes(w) * (uint64_t)w->n_matrices;
}

/** Bytes of all weights that every token goes through: all but the experts, and the embedding of
 * which a token takes a row. */
static uint64_t dense_bytes(const forward_rig *r) {
    uint64_t n = 0;
    add_weight(r->weights.head, &n);
    for (int32_t i = 0; i < r->f.c->n_layers; i++) {
        const model_layer *l = &r->weights.layers[i];
        const fm_weight *const dense[] = {l->qkv, l->q_kv_a,  l->q_b,  l->k_b,   l->v_b,
                                          l->o,   l->gate_up, l->down, l->router};
        for (size_t k = 0; k < sizeof dense / sizeof *dense; k++) add_weight(dense[k], &n);
    }
    return n;
}

static void weight_reads_of_a_dense_step_of_16_are_those_of_a_step_of_one(void **state) {
    static const char *const names[] = {"llama_mha", "llama_gqa_tied"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        forward_rig r;
        open_rig(&r, names[i]);
        uint64_t one = step_bytes(&r, 0, 1), apart = 0;
        assert_int_equal(one, dense_bytes(&r));
        assert_int_equal(step_bytes(&r, 0, 16), one);
        for (int32_t q = 0; q < 16; q++) apart += step_bytes(&r, q, 1);
        assert_int_equal(apart, 16 * one);
        forward_rig_close(&r);
    }
}

/** Takes the bytes of a layer's experts off `rest`; returns how many of them were loaded, each of
 * them once. */
static int32_t count_experts(const fm_weight *w, uint64_t *rest) {
    int32_t n_used = 0;
    for (int32_t e = 0; w && e < w->n_matrices; e++) {
        uint64_t n = count_matrix(w, e);
        if (n != 0) assert_int_equal(n, matrix_bytes(w));
        n_used += n != 0;
        *rest -= n;
    }
    return n_used;
}

static int32_t count_used_experts(const forward_rig *r, uint64_t *rest) {
    int32_t n = 0;
    for (int32_t i = 0; i < r->f.c->n_layers; i++) {
        const model_layer *l = &r->weights.layers[i];
        int32_t n_layer = count_experts(l->experts_gate_up, rest);
        assert_int_equal(count_experts(l->experts_down, rest), n_layer);
        n += n_layer;
    }
    return n;
}

static void weight_reads_of_a_step_of_16_are_one_for_each_expert(void **state) {
    static const char *const names[] = {"v3_groups", "v3_q_lora"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        forward_rig r;
        open_rig(&r, names[i]);
        uint64_t rest = step_bytes(&r, 0, 1);
        int32_t n_one = count_used_experts(&r, &rest);
        assert_int_equal(rest, dense_bytes(&r));
        rest = step_bytes(&r, 0, 16);
        int32_t n_used = count_used_experts(&r, &rest);
        assert_int_equal(rest, dense_bytes(&r));
        assert_true(n_one > 0 && n_used > n_one);
        forward_rig_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weight_reads_of_matmul_are_one_for_up_to_64_tokens),
        cmocka_unit_test(weight_reads_of_matmul_heads_are_one_for_each_head),
        cmocka_unit_test(weight_reads_of_experts_are_one_where_used_and_none_elsewhere),
        cmocka_unit_test(weight_reads_of_a_dense_step_of_16_are_those_of_a_step_of_one),
        cmocka_unit_test(weight_reads_of_a_step_of_16_are_one_for_each_expert),
    };
    return cmocka_run_group_tests_name("test_weight_reads", tests, NULL, NULL);
}
