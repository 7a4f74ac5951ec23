/* test_dtype.c - elements of float formats widened, and formats told apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/dtype.h"

static void dtype_is_float_takes_only_what_is_computed_with(void **state) {
    (void)state;
    int n_floats = 0;
    for (int dtype = 0; dtype < FM_DTYPE_COUNT; dtype++)
        n_floats += dtype_is_float((fm_dtype)dtype);
    assert_int_equal(n_floats, 3);
    assert_true(dtype_is_float(FM_DTYPE_F32));
    assert_true(dtype_is_float(FM_DTYPE_BF16));
    assert_true(dtype_is_float(FM_DTYPE_F16));
    assert_false(dtype_is_float(FM_DTYPE_COUNT));
    assert_false(dtype_is_float((fm_dtype)-1));
}

static void dtype_widen_reads_each_format_at_any_alignment(void **state) {
    (void)state;
    static const struct {
        fm_dtype dtype;
        uint32_t bits;
        float wanted;
    } cases[] = {
        {FM_DTYPE_F32, 0x3fc00000, 1.5f},      {FM_DTYPE_F32, 0x00000001, 0x1p-149f},
        {FM_DTYPE_F32, 0xff800000, -INFINITY}, {FM_DTYPE_BF16, 0x3fc0, 1.5f},
        {FM_DTYPE_BF16, 0x8001, -0x1p-133f},   {FM_DTYPE_BF16, 0x7f80, INFINITY},
        {FM_DTYPE_F16, 0x3e00, 1.5f},          {FM_DTYPE_F16, 0x8001, -0x1p-24f},
        {FM_DTYPE_F16, 0x7bff, 65504},         {FM_DTYPE_F16, 0xfc00, -INFINITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t shift = 0; shift < 4; shift++) {
            uint8_t bytes[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
            uint16_t h = (uint16_t)cases[i].bits;
            if (cases[i].dtype == FM_DTYPE_F32)
                memcpy(bytes + shift, &cases[i].bits, sizeof cases[i].bits);
            else
                memcpy(bytes + shift, &h, sizeof h);
            assert_true(dtype_widen(bytes + shift, cases[i].dtype) == cases[i].wanted);
        }
}

static void dtype_widen_keeps_nan_and_the_sign_of_zero(void **state) {
    (void)state;
    static const fm_dtype halves[] = {FM_DTYPE_BF16, FM_DTYPE_F16};
    uint16_t nan = 0x7fff, zero = 0x8000;
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        assert_true(isnan(dtype_widen(&nan, halves[i])));
        assert_true(dtype_widen(&zero, halves[i]) == 0 && signbit(dtype_widen(&zero, halves[i])));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_is_float_takes_only_what_is_computed_with),
        cmocka_unit_test(dtype_widen_reads_each_format_at_any_alignment),
        cmocka_unit_test(dtype_widen_keeps_nan_and_the_sign_of_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
