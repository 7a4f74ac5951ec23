/* test_fields.c - numbers and strings to bytes and back, and every field that is not there. */
#include <math.h>

#include "data/fields.h"
#include "support/expect.h"

static void fields_are_little_endian_without_gaps(void **state) {
    (void)state;
    uint8_t bytes[32];
    fields_writer w = {bytes, sizeof bytes, 0};
    fields_put_u32(&w, 0x04030201);
    fields_put_u64(&w, 0x0C0B0A0908070605);
    fields_put_f32(&w, -2.0f);
    fields_put_string(&w, "ab\0", 3);
    fields_put_bytes(&w, "xyz", 3);
    static const uint8_t wanted[] = {1, 2, 3,    4, 5, 6, 7, 8,   9,   10, 11,  12,  0,
                                     0, 0, 0xC0, 3, 0, 0, 0, 'a', 'b', 0,  'x', 'y', 'z'};
    assert_int_equal(w.length, sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

static void fields_come_back(void **state) {
    (void)state;
    uint8_t bytes[64];
    fields_writer w = {bytes, sizeof bytes, 0};
    size_t length;
    fields_put_u32(&w, UINT32_MAX);
    fields_put_u64(&w, UINT64_C(0xFEDCBA9876543210));
    fields_put_f32(&w, 1e-42f);
    fields_put_f32(&w, -INFINITY);
    fields_put_string(&w, "", 0);
    fields_put_string(&w, "héllo", 6);
    fields_put_bytes(&w, NULL, 0);
    fields_reader r = {bytes, w.length, false};
    assert_int_equal(fields_get_u32(&r), UINT32_MAX);
    assert_int_equal(fields_get_u64(&r), UINT64_C(0xFEDCBA9876543210));
    assert_true(fields_get_f32(&r) == 1e-42f);
    assert_true(fields_get_f32(&r) == -INFINITY);
    assert_non_null(fields_get_string(&r, 0, &length));
    assert_int_equal(length, 0);
    const char *text = fields_get_string(&r, 6, &length);
    assert_int_equal(length, 6);
    assert_memory_equal(text, "héllo", 6);
    assert_int_equal(fields_end(&r, "it", NULL), FM_OK);
}

static void fields_that_are_not_there_are_zero_from_then_on(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
    fields_reader r = {bytes, sizeof bytes, false};
    fm_error err = {0};
    size_t length = 9;
    assert_int_equal(fields_get_u64(&r), 0);
    assert_true(r.has_failed);
    assert_int_equal(fields_get_u32(&r), 0); /* four bytes would be there */
    assert_true(fields_get_f32(&r) == 0);
    assert_null(fields_get_bytes(&r, 1));
    assert_null(fields_get_bytes(&r, 0));
    assert_null(fields_get_string(&r, 9, &length));
    assert_int_equal(length, 0);
    expect_error("missing", fields_end(&r, "the rows", &err), &err, FM_ERR_FORMAT,
                 "the rows: lacks");
}

static void fields_surplus_bytes_are_found(void **state) {
    (void)state;
    static const uint8_t bytes[7] = {0};
    fields_reader r = {bytes, sizeof bytes, false};
    fm_error err = {0};
    fields_get_u32(&r);
    expect_error("surplus", fields_end(&r, "it", &err), &err, FM_ERR_FORMAT,
                 "has 3 bytes too many");
    fields_reader none = {0};
    assert_int_equal(fields_end(&none, "it", NULL), FM_OK);
    fields_get_u32(&none);
    assert_true(none.has_failed);
}

static void fields_string_lengths_are_bounded(void **state) {
    (void)state;
    static const uint8_t longer[] = {4, 0, 0, 0, 'a', 'b', 'c'}, huge[] = {255, 255, 255, 255, 'a'};
    static const uint8_t whole[] = {3, 0, 0, 0, 'a', 'b', 'c'};
    size_t length;
    fields_reader r = {longer, sizeof longer, false};
    assert_null(fields_get_string(&r, 100, &length));
    r = (fields_reader){huge, sizeof huge, false};
    assert_null(fields_get_string(&r, SIZE_MAX, &length));
    r = (fields_reader){whole, sizeof whole, false};
    assert_null(fields_get_string(&r, 2, &length));
    assert_int_equal(length, 0);
    assert_true(r.has_failed);
    r = (fields_reader){whole, sizeof whole, false};
    assert_non_null(fields_get_string(&r, 3, &length));
}

static void fields_writer_measures_what_does_not_fit(void **state) {
    (void)state;
    uint8_t bytes[8] = {0};
    fields_writer measure = {0}, small = {bytes, 5, 0};
    fields_put_u32(&measure, 1);
    fields_put_string(&measure, "abc", 3);
    assert_int_equal(measure.length, 11);
    fields_put_u32(&small, 0x01010101);
    fields_put_u32(&small, 0x02020202);
    fields_put_bytes(&small, "\3",
                     1); /* one byte of room is left, but behind a field that is not */
    assert_int_equal(small.length, 9);
    assert_memory_equal(bytes, "\1\1\1\1\0\0\0\0", 8);
    fields_put_bytes(&small, NULL, SIZE_MAX);
    fields_put_u32(&small, 1);
    assert_true(small.length == SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_little_endian_without_gaps),
        cmocka_unit_test(fields_come_back),
        cmocka_unit_test(fields_that_are_not_there_are_zero_from_then_on),
        cmocka_unit_test(fields_surplus_bytes_are_found),
        cmocka_unit_test(fields_string_lengths_are_bounded),
        cmocka_unit_test(fields_writer_measures_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
