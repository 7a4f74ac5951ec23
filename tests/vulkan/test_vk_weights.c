/*
 * test_vk_weights.c - weights that lie in several windows, products with more workgroups than one
 * dimension has, and weights that cannot be loaded. Numbers are small integers, so that every order
 * of a sum gives the same result: it has to be the exact one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vulkan_shim.h"
#include "vk_rig.h"

enum { BINDING_MAX = 64 << 10 }; /* bytes */

/** Opens a device whose bindings span BINDING_MAX bytes. */
static void open_narrow(vk_rig *rig) {
    shim_control *shim = shim_open();
    *rig = (vk_rig){0};
    if (!shim) {
        snprintf(rig->err.text, sizeof rig->err.text, "the shim was not built");
        return;
    }
    shim->mask = (shim_mask){.binding_max = BINDING_MAX};
    vk_rig_open(rig, SHIM_OPTION);
}

/* ---- Products ------------------------------------------------------------------------------------ */

static float weight_value(int64_t row, int64_t k) {
    return (float)((row * 7 + k * 3) % 9 - 4);
}

static float x_value(int64_t token, int64_t k) {
    return (float)((token * 5 + k) % 7 - 3);
}

static float *fill(int64_t n_rows, int64_t n_k, float (*value)(int64_t row, int64_t k)) {
    float *values = malloc((size_t)(n_rows * n_k) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n_rows * n_k; i++) values[i] = value(i / n_k, i % n_k);
    return values;
}

static fm_weight_source source_of(const fm_weight_part *part, int64_t n_k) {
    return (fm_weight_source){FM_DTYPE_F32, 1, 1, n_k, part};
}

/** y = W x on the device, [n_tokens, n_rows]. */
static float *product_on_device(vk_rig *rig, int32_t n_tokens, int64_t n_rows, int64_t n_k,
                                fm_dtype dtype) {
    fm_weight *w = NULL;
    float *weights = fill(n_rows, n_k, weight_value), *numbers = fill(n_tokens, n_k, x_value);
    float *got = malloc((size_t)(n_tokens * n_rows) * sizeof *got);
    fm_tensor x = vk_rig_floats(rig, n_tokens * n_k), y = vk_rig_floats(rig, n_tokens * n_rows);
    fm_weight_part part = {weights, n_rows, n_k, 1};
    fm_weight_source source = source_of(&part, n_k);
    assert_non_null(got);
    if (weight_load(rig->dev, &source, dtype, &w, &rig->err) != FM_OK)
        fail_msg("%s", rig->err.text);
    fm_matmul matmul = {.x = tensor_2d(x.buf, FM_DTYPE_F32, n_tokens, n_k),
                        .w = w,
                        .y = tensor_2d(y.buf, FM_DTYPE_F32, n_tokens, n_rows)};
    vk_rig_write(rig, x, numbers);
    assert_int_equal(op_matmul(rig->dev, &matmul), FM_OK);
    vk_rig_read(rig, y, got);
    weight_free(rig->dev, w);
    buf_free(rig->dev, x.buf);
    buf_free(rig->dev, y.buf);
    free(weights);
    free(numbers);
    return got;
}

static void check_product(vk_rig *rig, int32_t n_tokens, int64_t n_rows, int64_t n_k,
                          fm_dtype dtype) {
    float *got = product_on_device(rig, n_tokens, n_rows, n_k, dtype);
    for (int64_t t = 0; t < n_tokens; t++)
        for (int64_t row = 0; row < n_rows; row++) {
            float expected = 0.0f;
            for (int64_t k = 0; k < n_k; k++) expected += weight_value(row, k) * x_value(t, k);
            if (got[t * n_rows + row] != expected)
                fail_msg("T%d N%d K%d %s: token %d, row %d is %g, not %g", (int)n_tokens,
                         (int)n_rows, (int)n_k, fm_dtype_name(dtype), (int)t, (int)row,
                         (double)got[t * n_rows + row], (double)expected);
        }
    free(got);
}

/* One row fills a window; rows of an odd length; and windows that tiles are cut from. */
static void vk_weights_products_take_every_window(void **state) {
    static const struct {
        int32_t n_tokens;
        int64_t n_rows, n_k;
    } shapes[] = {{1, 5, 16384}, {3, 100, 1023}, {40, 100, 257}, {64, 255, 255}, {33, 300, 64}};
    static const fm_dtype dtypes[] = {FM_DTYPE_F32, FM_DTYPE_BF16, FM_DTYPE_F16};
    vk_rig rig;
    (void)state;
    open_narrow(&rig);
    VK_RIG_NEED(&rig);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
            check_product(&rig, shapes[i].n_tokens, shapes[i].n_rows, shapes[i].n_k, dtypes[d]);
    vk_rig_close(&rig);
}

/* 65,535 workgroups are what a device must take in one dimension; a block has four rows. */
static void vk_weights_products_may_have_many_rows(void **state) {
    vk_rig rig;
    (void)state;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    check_product(&rig, 1, 4 * 65535 + 4001, 3, FM_DTYPE_BF16);
    vk_rig_close(&rig);
}

/* ---- What cannot be loaded ----------------------------------------------------------------------- */

static void vk_weights_a_row_beyond_a_binding_is_refused(void **state) {
    enum { COLS = BINDING_MAX / sizeof(float) };
    vk_rig rig;
    fm_weight *w = NULL;
    (void)state;
    open_narrow(&rig);
    VK_RIG_NEED(&rig);
    float *values = fill(1, COLS + 1, weight_value);
    fm_weight_part part = {values, 1, COLS + 1, 1};
    fm_weight_source source = source_of(&part, COLS + 1);
    assert_int_equal(weight_size(rig.dev, &source, FM_DTYPE_F32), 0);
    assert_int_equal(weight_load(rig.dev, &source, FM_DTYPE_F32, &w, &rig.err), FM_ERR_LIMIT);
    assert_non_null(strstr(rig.err.text, "16385"));
    assert_null(w);
    source.cols = COLS;
    assert_int_equal(weight_size(rig.dev, &source, FM_DTYPE_F32), BINDING_MAX);
    free(values);
    vk_rig_close(&rig);
}

/* The value that does not fit comes last, when most of the weight is on its way to the device. */
static void check_late_refusal(const char *options) {
    enum { ROWS = 1500, COLS = 1000 };
    vk_rig rig;
    fm_weight *w = NULL;
    vk_rig_open(&rig, options);
    VK_RIG_NEED(&rig);
    float *values = fill(ROWS, COLS, weight_value);
    fm_weight_part part = {values, ROWS, COLS, 1};
    fm_weight_source source = source_of(&part, COLS);
    values[ROWS * COLS - 1] = 1e6f;
    assert_int_equal(weight_load(rig.dev, &source, FM_DTYPE_F16, &w, &rig.err), FM_ERR_NOT_FINITE);
    assert_null(w);
    assert_int_equal(device_bytes(rig.dev), 0);
    check_product(&rig, 2, 70, 1000, FM_DTYPE_F16);
    free(values);
    vk_rig_close(&rig);
}

static void vk_weights_a_late_refusal_leaves_the_device_as_it_was(void **state) {
    (void)state;
    check_late_refusal("");
    check_late_refusal("staging");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vk_weights_products_take_every_window),
        cmocka_unit_test(vk_weights_products_may_have_many_rows),
        cmocka_unit_test(vk_weights_a_row_beyond_a_binding_is_refused),
        cmocka_unit_test(vk_weights_a_late_refusal_leaves_the_device_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
