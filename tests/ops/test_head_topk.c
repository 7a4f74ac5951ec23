/*
 * test_head_topk.c - what head_topk does beside the op table's cases: logits that are not finite
 * show in the sums, whatever hides them, and infinite edits do not end in a candidate.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"

/** Reads the i-th output of a call that ran, dense. */
static void read_output(binding *b, int32_t i, double *out) {
    const fm_tensor *y = op_output(OP_head_topk, &b->host->args, i);
    uint8_t *bytes = binding_read(b, case_slab_index(b->host, y));
    for (int64_t t = 0; t < y->size[0]; t++)
        for (int64_t k = 0; k < y->size[1]; k++)
            *out++ = number_get(y->dtype,
                                bytes + (size_t)tensor_index(y, t, k, 0) * fm_dtype_size(y->dtype));
    free(bytes);
}

enum { IDS = 0, VALUES = 1, SUMS = 5, N_BEST = 8 };

/* One odd logit among finite ones, at the ends of lanes and blocks; the mask rules it out. */
static void head_odd_logit(const column *col, int32_t n_ids, int64_t at, double odd,
                           uint32_t flags) {
    op_shape shape = {.op = OP_head_topk, .flags = flags, .T = 1, .K = n_ids, .N = N_BEST};
    op_case c;
    binding b;
    double sums[4], ids[N_BEST], values[N_BEST];
    case_init(&c, &shape);
    host_set(&c.args.head_topk.logits, 0, at, 0, odd);
    for (int64_t w = 0; w < (n_ids + 31) / 32 && c.args.head_topk.mask.buf; w++)
        host_set(&c.args.head_topk.mask, 0, w, 0, w == at / 32 ? 0 : -1);
    binding_open(&b, col, &c);
    binding_run(&b, OP_head_topk, &b.args);
    read_output(&b, SUMS, sums);
    read_output(&b, IDS, ids);
    read_output(&b, VALUES, values);
    if (!isnan(sums[1])) fail_msg("%g at %d of %d: sum %g", odd, (int)at, n_ids, sums[1]);
    for (int32_t k = 0; k < N_BEST; k++) {
        bool ruled_out = flags & MASKED || !(odd > 0);
        if (ruled_out && ids[k] == (double)at) fail_msg("%g is a candidate", odd);
        assert_true(!isnan(values[k]));
    }
    binding_close(&b);
    case_free(&c);
}

static void head_logits_that_are_not_finite_show_in_the_sums(void **state) {
    static const double odd[] = {(double)NAN, HUGE_VAL, -HUGE_VAL};
    static const int64_t places[] = {0, 15, 16, 1023, 1024, 1039, 1040};
    const columns *all = *state;
    for (int32_t i = 0; i < all->n; i++)
        for (size_t p = 0; p < sizeof places / sizeof *places; p++)
            for (int32_t o = 0; o < 3; o++) {
                head_odd_logit(&all->at[i], 1041, places[p], odd[o], 0);
                head_odd_logit(&all->at[i], 1041, places[p], odd[o], MASKED);
            }
}

/* Edits that overflow: up is the caller's to refuse and shows as the largest, down is ruled out. */
static void head_infinite_edits_show_or_rule_out(void **state) {
    const columns *all = *state;
    op_shape shape = {.op = OP_head_topk, .flags = EDITED, .T = 1, .K = 17, .N = 17};
    for (int32_t i = 0; i < all->n; i++)
        for (int32_t up = 0; up < 2; up++) {
            op_case c;
            binding b;
            double sums[4], ids[17];
            case_init(&c, &shape);
            host_set(&c.args.head_topk.logits, 0, 0, 0, up ? 3e38 : -3e38);
            host_set(&c.args.head_topk.edit_scales, 0, 0, 0, up ? 0.5 : 2);
            binding_open(&b, &all->at[i], &c);
            binding_run(&b, OP_head_topk, &b.args);
            read_output(&b, SUMS, sums);
            read_output(&b, IDS, ids);
            assert_true(up ? isinf(sums[2]) && isnan(sums[3]) : isfinite(sums[3]));
            assert_true(isfinite(sums[1]));
            for (int32_t k = 0; k < 17; k++) assert_true(up || ids[k] != 0);
            assert_true(ids[16] == -1 || up);
            binding_close(&b);
            case_free(&c);
        }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_logits_that_are_not_finite_show_in_the_sums),
        cmocka_unit_test(head_infinite_edits_show_or_rule_out),
    };
    return COLUMNS_RUN("test_head_topk", tests);
}
