/* test_tensor.c - number formats by name and size; views made, cut, split and measured. */
#include "data/tensor.h"
#include "support/temp_dir.h"

static void dtype_names_and_sizes_match_the_list(void **state) {
    (void)state;
#define CHECK_DTYPE(dtype, text, bits)                                                             \
    assert_string_equal(fm_dtype_name(FM_DTYPE_##dtype), text);                                    \
    assert_int_equal(fm_dtype_size(FM_DTYPE_##dtype) * 8, bits);
    FM_DTYPE_LIST(CHECK_DTYPE)
#undef CHECK_DTYPE
    assert_string_equal(fm_dtype_name(FM_DTYPE_COUNT), "?");
    assert_string_equal(fm_dtype_name((fm_dtype)-1), "?");
    assert_int_equal(fm_dtype_size(FM_DTYPE_COUNT), 0);
    assert_int_equal(fm_dtype_size((fm_dtype)-1), 0);
}

static void tensor_new_views_are_contiguous(void **state) {
    (void)state;
    fm_buf *buf = (fm_buf *)(uintptr_t)64;
    fm_tensor a = tensor_1d(buf, FM_DTYPE_F32, 7);
    fm_tensor b = tensor_2d(buf, FM_DTYPE_BF16, 3, 5);
    fm_tensor c = tensor_3d(buf, FM_DTYPE_I32, 2, 3, 4);
    assert_ptr_equal(c.buf, buf);
    assert_int_equal(b.dtype, FM_DTYPE_BF16);
    assert_int_equal(a.n_dims, 1);
    assert_int_equal(a.stride[0], 1);
    assert_int_equal(b.n_dims, 2);
    assert_int_equal(b.stride[0], 5);
    assert_int_equal(c.n_dims, 3);
    assert_int_equal(c.stride[0], 12);
    assert_int_equal(c.stride[1], 4);
    assert_int_equal(c.stride[2], 1);
    assert_int_equal(tensor_count(&a), 7);
    assert_int_equal(tensor_count(&b), 15);
    assert_int_equal(tensor_extent(&c), 24);
    assert_int_equal(c.offset, 0);
}

static void tensor_slice_moves_offset_and_keeps_strides(void **state) {
    (void)state;
    fm_tensor t = tensor_3d(NULL, FM_DTYPE_F32, 4, 6, 10);
    fm_tensor tail = tensor_slice(t, 2, 7, 3); /* [4, 6, 3]: as the rope part of q */
    assert_int_equal(tail.offset, 7);
    assert_int_equal(tail.size[2], 3);
    assert_int_equal(tail.stride[1], 10);
    assert_int_equal(tensor_count(&tail), 72);
    assert_int_equal(tensor_extent(&tail), 240);
    fm_tensor rows = tensor_slice(tail, 0, 1, 2);
    assert_int_equal(rows.offset, 67);
    assert_int_equal(tensor_extent(&rows), 67 + 60 + 50 + 2 + 1);
    fm_tensor none = tensor_slice(t, 1, 6, 0);
    assert_int_equal(tensor_count(&none), 0);
    assert_int_equal(tensor_extent(&none), 0);
}

static void tensor_split_cuts_the_last_dimension(void **state) {
    (void)state;
    fm_tensor t = tensor_slice(tensor_2d(NULL, FM_DTYPE_F32, 5, 24), 1, 12, 12);
    fm_tensor s = tensor_split(t, 3, 4); /* [T, H*D] -> [T, H, D] */
    assert_int_equal(s.n_dims, 3);
    assert_int_equal(s.size[0], 5);
    assert_int_equal(s.size[1], 3);
    assert_int_equal(s.size[2], 4);
    assert_int_equal(s.stride[0], 24);
    assert_int_equal(s.stride[1], 4);
    assert_int_equal(s.stride[2], 1);
    assert_int_equal(s.offset, 12);
    assert_int_equal(tensor_count(&s), tensor_count(&t));
    assert_int_equal(tensor_extent(&s), tensor_extent(&t));
}

static void tensor_extent_refuses_what_is_no_view(void **state) {
    (void)state;
    const fm_tensor good = tensor_2d(NULL, FM_DTYPE_F32, 3, 4);
    fm_tensor t = good;
    t.offset = -1;
    assert_int_equal(tensor_extent(&t), -1);
    t = good, t.size[1] = -4;
    assert_int_equal(tensor_extent(&t), -1);
    t = good, t.stride[0] = -4;
    assert_int_equal(tensor_extent(&t), -1);
    t = good, t.size[0] = 0, t.stride[1] = -1;
    assert_int_equal(tensor_extent(&t), -1);
    t = good, t.n_dims = FM_TENSOR_MAX_DIMS + 1;
    assert_int_equal(tensor_extent(&t), -1);
    t = good, t.n_dims = -1;
    assert_int_equal(tensor_extent(&t), -1);
    assert_int_equal(tensor_extent(&good), 12);
}

static void tensor_extent_refuses_overflow(void **state) {
    (void)state;
    static const struct {
        int64_t offset, size[2], stride[2], wanted;
    } cases[] = {
        {0, {1, 1}, {INT64_MAX, INT64_MAX}, 1},
        {0, {2, 1}, {INT64_MAX - 1, 1}, INT64_MAX},
        {0, {2, 1}, {INT64_MAX, 1}, -1},
        {1, {2, 1}, {INT64_MAX - 1, 1}, -1},
        {0, {INT64_MAX, 1}, {1, 1}, INT64_MAX},
        {0, {INT64_MAX, 1}, {2, 1}, -1},
        {0, {INT64_MAX, INT64_MAX}, {0, 0}, 1},
        {INT64_MAX, {1, 1}, {1, 1}, -1},
        {INT64_MAX - 1, {1, 1}, {1, 1}, INT64_MAX},
        {INT64_MAX, {0, 1}, {1, 1}, 0},
        {0, {3000000000, 4000000000}, {4000000000, 1}, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_tensor t = {.n_dims = 2, .offset = cases[i].offset};
        memcpy(t.size, cases[i].size, sizeof cases[i].size);
        memcpy(t.stride, cases[i].stride, sizeof cases[i].stride);
        assert_true(tensor_extent(&t) == cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_names_and_sizes_match_the_list),
        cmocka_unit_test(tensor_new_views_are_contiguous),
        cmocka_unit_test(tensor_slice_moves_offset_and_keeps_strides),
        cmocka_unit_test(tensor_split_cuts_the_last_dimension),
        cmocka_unit_test(tensor_extent_refuses_what_is_no_view),
        cmocka_unit_test(tensor_extent_refuses_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
