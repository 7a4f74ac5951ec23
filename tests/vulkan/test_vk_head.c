/*
 * test_vk_head.c - head_topk against the CPU's, bit for bit but for the sums, where the op table
 * does not reach: quotients of any two numbers, and rows so long that they take turns.
 */
#include <math.h>
#include <stdio.h>

#include "vk_rig.h"
#include "vk_view.h"

enum { SUMS = 4, N_OUTPUTS = 6 };

typedef struct head_case {
    int32_t n_rows, n_ids, n_best, n_raw; /* L, V, K, A */
    bool masked;
    float *logits; /* [L, V] */
    int32_t *edit_offsets, *edit_ids;
    float *edit_scales, *edit_adds;
    uint32_t *mask;      /* [L, (V + 31) / 32] */
    float *temperatures; /* [L] */
} head_case;

/** Results, dense, as fm_head_topk lists them. */
typedef struct head_results {
    int32_t *ids;
    float *values, *raw;
    int32_t *best_ids;
    float *best_raw, *sums;
} head_results;

static void *take(size_t n) {
    void *memory = calloc(n + 1, sizeof(float));
    assert_non_null(memory);
    return memory;
}

static int32_t n_words(const head_case *c) {
    return (c->n_ids + 31) / 32;
}

static void case_new(head_case *c) {
    size_t n = (size_t)c->n_rows * (size_t)c->n_ids;
    c->logits = take(n);
    c->edit_offsets = take((size_t)c->n_rows + 1);
    c->edit_ids = take(n);
    c->edit_scales = take(n);
    c->edit_adds = take(n);
    c->mask = take((size_t)c->n_rows * (size_t)n_words(c));
    c->temperatures = take((size_t)c->n_rows);
}

static void case_free(head_case *c) {
    void *all[] = {c->logits,    c->edit_offsets, c->edit_ids,    c->edit_scales,
                   c->edit_adds, c->mask,         c->temperatures};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void results_new(const head_case *c, head_results *out) {
    size_t n_rows = (size_t)c->n_rows, n_best = n_rows * (size_t)c->n_best;
    size_t n_raw = n_rows * (size_t)c->n_raw;
    *out = (head_results){take(n_best), take(n_best), take(n_best),
                          take(n_raw),  take(n_raw),  take(n_rows * SUMS)};
}

static void results_free(head_results *r) {
    void *all[] = {r->ids, r->values, r->raw, r->best_ids, r->best_raw, r->sums};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* ---- A run ----------------------------------------------------------------------------------- */

static fm_tensor input(fm_device *dev, fm_dtype dtype, int64_t n0, int64_t n1, void *values) {
    fm_tensor t = vk_view_new(dev, dtype, n0, n1);
    vk_view_copy(dev, &t, values, true);
    return t;
}

static void name_inputs(fm_device *dev, const head_case *c, fm_head_topk *a) {
    int64_t n_rows = c->n_rows, n_edits = c->edit_offsets[c->n_rows];
    a->logits = input(dev, FM_DTYPE_F32, n_rows, c->n_ids, c->logits);
    a->edit_offsets = input(dev, FM_DTYPE_I32, n_rows + 1, 0, c->edit_offsets);
    a->edit_ids = input(dev, FM_DTYPE_I32, n_edits, 0, c->edit_ids);
    a->edit_scales = input(dev, FM_DTYPE_F32, n_edits, 0, c->edit_scales);
    a->edit_adds = input(dev, FM_DTYPE_F32, n_edits, 0, c->edit_adds);
    if (c->masked) a->mask = input(dev, FM_DTYPE_I32, n_rows, n_words(c), c->mask);
    a->temperatures = input(dev, FM_DTYPE_F32, n_rows, 0, c->temperatures);
}

static void run(fm_device *dev, const head_case *c, head_results *out) {
    fm_head_topk a = {.ids = vk_view_new(dev, FM_DTYPE_I32, c->n_rows, c->n_best),
                      .values = vk_view_new(dev, FM_DTYPE_F32, c->n_rows, c->n_best),
                      .raw = vk_view_new(dev, FM_DTYPE_F32, c->n_rows, c->n_best),
                      .best_ids = vk_view_new(dev, FM_DTYPE_I32, c->n_rows, c->n_raw),
                      .best_raw = vk_view_new(dev, FM_DTYPE_F32, c->n_rows, c->n_raw),
                      .sums = vk_view_new(dev, FM_DTYPE_F32, c->n_rows, SUMS)};
    uint64_t ticket;
    name_inputs(dev, c, &a);
    vk_view_demand(dev, op_head_topk(dev, &a), "head_topk");
    vk_view_demand(dev, device_submit(dev, &ticket), "submit");
    vk_view_demand(dev, device_wait(dev, ticket), "wait");
    const fm_tensor *outputs[] = {&a.ids, &a.values, &a.raw, &a.best_ids, &a.best_raw, &a.sums};
    void *hosts[] = {out->ids, out->values, out->raw, out->best_ids, out->best_raw, out->sums};
    for (int i = 0; i < N_OUTPUTS; i++) {
        vk_view_copy(dev, outputs[i], hosts[i], false);
        buf_free(dev, outputs[i]->buf);
    }
    const fm_tensor *inputs[] = {&a.logits,    &a.edit_offsets, &a.edit_ids,    &a.edit_scales,
                                 &a.edit_adds, &a.mask,         &a.temperatures};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (inputs[i]->buf) buf_free(dev, inputs[i]->buf);
}

static void compare_lists(const char *name, int32_t n_rows, int32_t n, const int32_t *ids,
                          const float *values, const int32_t *want_ids, const float *want_values) {
    for (int32_t i = 0; i < n_rows * n; i++)
        if (ids[i] != want_ids[i] || values[i] != want_values[i])
            fail_msg("%s %d of row %d is %d (%.9g), not %d (%.9g)", name, (int)(i % n),
                     (int)(i / n), (int)ids[i], (double)values[i], (int)want_ids[i],
                     (double)want_values[i]);
}

static void compare_sums(int32_t n_rows, const float *got, const float *want) {
    for (int32_t i = 0; i < n_rows * SUMS; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * fabsf(want[i])))
            fail_msg("sum %d of row %d is %.9g, not %.9g", (int)(i % SUMS), (int)(i / SUMS),
                     (double)got[i], (double)want[i]);
}

/** Runs a case on both devices, and compares. */
static void check_case(vk_rig *rig, const head_case *c) {
    head_results got, want;
    fm_device *cpu = NULL;
    fm_device_params params = {.max_tokens = 8192,
                               .max_rows = 8192,
                               .max_sequences = 1,
                               .max_context = 64,
                               .n_threads = 2};
    assert_int_equal(device_open(&fm_backend_cpu, &params, (fm_log){0}, &cpu, NULL), FM_OK);
    results_new(c, &got);
    results_new(c, &want);
    run(rig->dev, c, &got);
    run(cpu, c, &want);
    compare_lists("candidate", c->n_rows, c->n_best, got.ids, got.values, want.ids, want.values);
    compare_lists("logit of candidate", c->n_rows, c->n_best, got.ids, got.raw, want.ids, want.raw);
    compare_lists("best", c->n_rows, c->n_raw, got.best_ids, got.best_raw, want.best_ids,
                  want.best_raw);
    compare_sums(c->n_rows, got.sums, want.sums);
    results_free(&got);
    results_free(&want);
    device_close(cpu);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static int rig_open(void **state) {
    static vk_rig rig;
    vk_rig_open_for(&rig, "", 8192, 8192);
    *state = &rig;
    return 0;
}

static int rig_close(void **state) {
    vk_rig_close(*state);
    return 0;
}

/* A sign, any mantissa, and an exponent within `reach` of 0. */
static float any_number(uint64_t *random, int32_t reach) {
    int32_t exponent = (int32_t)(vk_view_random(random) % (uint64_t)(2 * reach + 1)) - reach;
    float value = ldexpf(1.0f + (float)(vk_view_random(random) >> 41) * 0x1p-23f, exponent);
    return vk_view_random(random) % 4 == 0 ? -value : value;
}

/* All ids are candidates, and all are edited, so every edited logit is seen. */
static void vk_head_edits_are_rounded_like_the_cpus(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    uint64_t random = 1;
    head_case c = {.n_rows = 2000, .n_ids = 128, .n_best = 128, .n_raw = 1};
    case_new(&c);
    for (int32_t i = 0; i < c.n_rows * c.n_ids; i++) {
        int32_t reach = i / c.n_ids % 2 ? 40 : 1;
        c.logits[i] = any_number(&random, reach);
        c.edit_ids[i] = i % c.n_ids;
        c.edit_scales[i] = fabsf(any_number(&random, reach));
        c.edit_adds[i] = i / c.n_ids % 3 ? 0 : any_number(&random, reach);
    }
    for (int32_t row = 0; row <= c.n_rows; row++) c.edit_offsets[row] = row * c.n_ids;
    for (int32_t row = 0; row < c.n_rows; row++) c.temperatures[row] = 1;
    check_case(rig, &c);
    case_free(&c);
}

/* Each row has edits of its own, some none, and a logit that is often met. */
static void fill_long(head_case *c) {
    uint64_t random = 2;
    int32_t at = 0;
    for (int32_t row = 0; row < c->n_rows; row++) {
        float *logits = c->logits + (int64_t)row * c->n_ids;
        c->edit_offsets[row] = at;
        c->temperatures[row] = 0.25f + (float)vk_view_uniform(&random);
        for (int32_t i = 0; i < c->n_ids; i++) {
            double value = 8 * vk_view_uniform(&random) * vk_view_uniform(&random);
            logits[i] = (float)(row % 2 ? round(16 * value) / 16 : value);
        }
        for (int32_t i = row; i < c->n_ids && row % 5; i += 1 + row * row) {
            c->edit_ids[at] = i;
            c->edit_scales[at] = 1.1f;
            c->edit_adds[at++] = row % 3 ? 0.0f : -0.5f;
        }
        for (int32_t w = 0; w < n_words(c); w++)
            c->mask[row * n_words(c) + w] = (uint32_t)vk_view_random(&random);
    }
    c->edit_offsets[c->n_rows] = at;
}

static void vk_head_long_rows_take_turns(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    head_case c = {.n_rows = 19, .n_ids = 130000, .n_best = 128, .n_raw = 128};
    case_new(&c);
    fill_long(&c);
    check_case(rig, &c);
    c.masked = true;
    check_case(rig, &c);
    case_free(&c);
}

/* A row's sums are the same to the bit whatever its neighbours want of theirs. */
static void vk_head_sums_do_not_depend_on_what_is_asked(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    head_case c = {.n_rows = 19, .n_ids = 130000, .n_best = 1, .n_raw = 1};
    head_results few, many;
    case_new(&c);
    fill_long(&c);
    results_new(&c, &few);
    run(rig->dev, &c, &few);
    c.n_best = c.n_raw = 128;
    results_new(&c, &many);
    run(rig->dev, &c, &many);
    assert_memory_equal(few.sums, many.sums, (size_t)(c.n_rows * SUMS) * sizeof(float));
    results_free(&few);
    results_free(&many);
    case_free(&c);
}

/* Half a million ids are merged, more are refused. */
static void vk_head_takes_half_a_million_ids(void **state) {
    vk_rig *rig = *state;
    VK_RIG_NEED(rig);
    head_case c = {.n_rows = 2, .n_ids = 512 << 10, .n_best = 128, .n_raw = 128};
    case_new(&c);
    fill_long(&c);
    check_case(rig, &c);
    case_free(&c);
    fm_buf *buf = NULL;
    int64_t n_ids = (512 << 10) + 1;
    assert_int_equal(buf_new(rig->dev, (size_t)(n_ids + 8) * sizeof(float), &buf, NULL), FM_OK);
    fm_head_topk a = {.logits = tensor_2d(buf, FM_DTYPE_F32, 1, n_ids),
                      .temperatures = tensor_1d(buf, FM_DTYPE_F32, 1),
                      .ids = tensor_2d(buf, FM_DTYPE_I32, 1, 1),
                      .values = tensor_2d(buf, FM_DTYPE_F32, 1, 1),
                      .raw = tensor_2d(buf, FM_DTYPE_F32, 1, 1),
                      .sums = tensor_2d(buf, FM_DTYPE_F32, 1, SUMS)};
    fm_tensor *outputs[] = {&a.ids, &a.values, &a.raw, &a.sums};
    for (int i = 0; i < 4; i++) outputs[i]->offset = n_ids + i;
    assert_int_equal(op_head_topk(rig->dev, &a), FM_ERR_UNSUPPORTED);
    assert_non_null(strstr(rig->last_warning, "cannot do this head_topk"));
    buf_free(rig->dev, buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vk_head_edits_are_rounded_like_the_cpus, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(vk_head_long_rows_take_turns, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(vk_head_sums_do_not_depend_on_what_is_asked, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(vk_head_takes_half_a_million_ids, rig_open, rig_close),
    };
    return cmocka_run_group_tests_name("test_vk_head", tests, NULL, NULL);
}
