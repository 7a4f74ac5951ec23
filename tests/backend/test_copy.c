/*
 * test_copy.c - copies between tensors of one device: what reaches the table, what is refused, and
 * what the CPU makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mock.h"

/* ---- Against the mock ------------------------------------------------------------------------ */

static void copy_gives_both_ranges_in_bytes(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    fm_buf to = {dev, 64}, from = {dev, 64};
    fm_tensor dst = tensor_slice(tensor_1d(&to, FM_DTYPE_BF16, 32), 0, 5, 12);
    fm_tensor src = tensor_slice(tensor_2d(&from, FM_DTYPE_BF16, 8, 4), 0, 1, 3);
    assert_int_equal(device_copy(dev, dst, src), FM_OK);
    assert_string_equal(m.entry, "copy");
    assert_int_equal(m.offset, 10);
    assert_int_equal(m.src_offset, 8);
    assert_int_equal(m.size, 24);
    device_close(dev);
}

static void copy_is_encoded(void **state) {
    (void)state;
    mock m = {0};
    float values[4];
    fm_device *dev = mock_open(&m);
    fm_buf to = {dev, 16}, from = {dev, 16};
    fm_tensor dst = tensor_1d(&to, FM_DTYPE_F32, 4), src = tensor_1d(&from, FM_DTYPE_F32, 4);
    assert_int_equal(device_copy(dev, dst, src), FM_OK);
    assert_int_equal(device_read(dev, dst, values), FM_ERR_STATE);
    mock_finish(dev);
    assert_int_equal(device_read(dev, dst, values), FM_OK);
    device_close(dev);
}

static void copy_inside_a_buffer_may_touch_but_not_overlap(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    fm_buf buf = {dev, 64};
    fm_tensor all = tensor_1d(&buf, FM_DTYPE_F32, 16);
    fm_tensor middle = tensor_slice(all, 0, 4, 4);
    for (int32_t start = 0; start <= 12; start++) {
        bool apart = start == 0 || start >= 8;
        fm_status expected = apart ? FM_OK : FM_ERR_ARG;
        fm_tensor other = tensor_slice(all, 0, start, 4);
        assert_int_equal(device_copy(dev, middle, other), expected);
        assert_int_equal(device_copy(dev, other, middle), expected);
        if (!apart) assert_non_null(strstr(device_fault(dev), "overlaps"));
    }
    device_close(dev);
}

/* Both sides are broken in the same ways: the first fault's tensor is dst, then src. */
static void copy_refuses_what_is_not_a_pair_of_equals(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m), *other = mock_open(&m);
    fm_buf buf = {dev, 64}, to = {dev, 64}, elsewhere = {other, 64};
    fm_tensor whole = tensor_2d(&buf, FM_DTYPE_F32, 4, 4),
              good = tensor_2d(&to, FM_DTYPE_F32, 4, 4);
    fm_tensor faulty[9];
    for (size_t i = 0; i < 9; i++) faulty[i] = whole;
    faulty[0].buf = NULL;
    faulty[1].buf = &elsewhere;
    faulty[2].size[0] = 3; /* fewer elements */
    faulty[3].dtype = FM_DTYPE_I32;
    faulty[4] = tensor_2d(&buf, FM_DTYPE_BF16, 4, 8); /* as many bytes */
    faulty[5].stride[0] = 1;
    faulty[6].offset = 1;
    faulty[7].n_dims = 0;
    faulty[8].size[1] = 2; /* gaps behind rows */
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        if (device_copy(dev, faulty[i], good) != FM_ERR_ARG ||
            device_copy(dev, good, faulty[i]) != FM_ERR_ARG)
            fail_msg("copy %zu was not refused", i);
        assert_true(strlen(device_fault(dev)) > 0);
    }
    assert_int_equal(m.n_calls, 0);
    device_close(other);
    device_close(dev);
}

static void copy_names_the_tensor_that_is_wrong(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    fm_buf buf = {dev, 16}, to = {dev, 16};
    fm_tensor good = tensor_1d(&to, FM_DTYPE_F32, 4), bad = tensor_1d(&buf, FM_DTYPE_F32, 5);
    assert_int_equal(device_copy(dev, good, bad), FM_ERR_ARG);
    assert_non_null(strstr(device_fault(dev), "src"));
    assert_int_equal(device_copy(dev, bad, good), FM_ERR_ARG);
    assert_non_null(strstr(device_fault(dev), "dst"));
    device_close(dev);
}

/* ---- On the CPU ------------------------------------------------------------------------------ */

static void copy_on_the_cpu_moves_the_elements_alone(void **state) {
    (void)state;
    fm_device *dev = NULL;
    fm_buf *to = NULL, *from = NULL;
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got[8];
    const float expected[8] = {0, 0, 0, 4, 5, 6, 0, 0};
    fm_error err = {0};
    assert_int_equal(device_open(&fm_backend_cpu, &mock_params, (fm_log){0}, &dev, &err), FM_OK);
    assert_int_equal(buf_new(dev, sizeof values, &from, &err), FM_OK);
    assert_int_equal(buf_new(dev, sizeof values, &to, &err), FM_OK);
    fm_tensor src = tensor_1d(from, FM_DTYPE_F32, 8), dst = tensor_1d(to, FM_DTYPE_F32, 8);
    assert_int_equal(device_write(dev, src, values), FM_OK);
    assert_int_equal(device_copy(dev, tensor_slice(dst, 0, 3, 3), tensor_slice(src, 0, 3, 3)),
                     FM_OK);
    mock_finish(dev);
    assert_int_equal(device_read(dev, dst, got), FM_OK);
    assert_memory_equal(got, expected, sizeof got);
    assert_int_equal(device_copy(dev, tensor_slice(dst, 0, 6, 2), tensor_slice(dst, 0, 4, 2)),
                     FM_OK);
    mock_finish(dev);
    assert_int_equal(device_read(dev, dst, got), FM_OK);
    assert_true(got[6] == 5.0f && got[7] == 6.0f && got[5] == 6.0f);
    buf_free(dev, to);
    buf_free(dev, from);
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_gives_both_ranges_in_bytes),
        cmocka_unit_test(copy_is_encoded),
        cmocka_unit_test(copy_inside_a_buffer_may_touch_but_not_overlap),
        cmocka_unit_test(copy_refuses_what_is_not_a_pair_of_equals),
        cmocka_unit_test(copy_names_the_tensor_that_is_wrong),
        cmocka_unit_test(copy_on_the_cpu_moves_the_elements_alone),
    };
    return cmocka_run_group_tests_name("test_copy", tests, NULL, NULL);
}
