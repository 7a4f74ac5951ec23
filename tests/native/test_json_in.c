/* test_json_in.c - the strict reader: what it takes, what it refuses, and that it stays in bounds. */
#include "json_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads over one value in a copy that ends where the allocation does, so that a sanitizer sees a step
 * behind it. */
static bool is_json(const char *text, size_t length) {
    json_in in;
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    json_in_begin(&in, copy, length);
    bool ok = json_in_skip(&in) && json_in_end(&in);
    assert_true(ok == !in.fault[0]);
    free(copy);
    return ok;
}

static void json_in_takes_what_is_json(void **state) {
    static const char *const texts[] = {"{}",
                                        " [ ] ",
                                        "0",
                                        "-0.5e+10",
                                        "\"\"",
                                        "[1,2,[3]]",
                                        "{\"a\":{\"b\":[true,false,null]}}",
                                        "\"\\u00e9\\ud83d\\ude00\\n\"",
                                        "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\""};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!is_json(texts[i], strlen(texts[i]))) fail_msg("refused: %s", texts[i]);
}

static void json_in_refuses_what_is_none(void **state) {
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "[",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "[,1]",
                                        "{,}",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{\"a\" 1}",
                                        "[1 2]",
                                        "1 2",
                                        "{}}",
                                        "tru",
                                        "nulL",
                                        "True",
                                        "+1",
                                        "01",
                                        "-",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "1e+",
                                        "0x1",
                                        "NaN",
                                        "'a'",
                                        "\"",
                                        "\"a",
                                        "\"\\",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"\x01\"",
                                        "\"\xff\"",
                                        "\"\xc0\x80\"",
                                        "\"\xc3\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xe0\x80\x80\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\xef\xbb\xbf{}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (is_json(texts[i], strlen(texts[i]))) fail_msg("taken: %s", texts[i]);
    assert_false(is_json("\"\0\"", 3));
    assert_false(is_json("{}\0", 3));
}

static void json_in_bounds_depth_and_numbers(void **state) {
    char text[80];
    (void)state;
    memset(text, '[', 40);
    memset(text + 40, ']', 40);
    assert_true(is_json(text + 40 - JSON_IN_MAX_DEPTH, (size_t)2 * JSON_IN_MAX_DEPTH));
    assert_false(is_json(text + 39 - JSON_IN_MAX_DEPTH, (size_t)2 * JSON_IN_MAX_DEPTH + 2));
    memset(text, '7', sizeof text);
    assert_true(is_json(text, 63));
    assert_false(is_json(text, 64));
}

static void json_in_strings_mean_what_they_say(void **state) {
    json_in in;
    bytes out = {0};
    const char text[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00E9\\u20ac\\ud83d\\ude00\"";
    const char meaning[] = "\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    (void)state;
    json_in_begin(&in, text, sizeof text - 1);
    assert_true(json_in_string(&in, "x", &out));
    assert_int_equal(out.length, sizeof meaning - 1);
    assert_memory_equal(out.data, meaning, out.length);
    bytes_free(&out);
}

static bool count(const char *text, uint64_t max, uint64_t *out) {
    json_in in;
    json_in_begin(&in, text, strlen(text));
    return json_in_count(&in, "x", 2, max, out);
}

static void json_in_counts_keep_every_digit(void **state) {
    uint64_t value;
    (void)state;
    assert_true(count("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(count("9007199254740993", UINT64_MAX, &value));
    assert_true(value == UINT64_C(9007199254740993));
    assert_false(count("18446744073709551616", UINT64_MAX, &value));
    assert_false(count("99999999999999999999", UINT64_MAX, &value));
    assert_false(count("1", 10, &value));
    assert_false(count("11", 10, &value));
    assert_false(count("-3", 10, &value));
    assert_false(count("3.0", 10, &value));
    assert_false(count("3e0", 10, &value));
    assert_false(count("\"3\"", 10, &value));
}

static bool real(const char *text, double *out) {
    json_in in;
    json_in_begin(&in, text, strlen(text));
    return json_in_real(&in, "x", -1, 2, out);
}

static void json_in_reals_stay_in_their_range(void **state) {
    double value;
    (void)state;
    assert_true(real("-1", &value) && value == -1);
    assert_true(real("2.0e0", &value) && value == 2);
    assert_false(real("2.0001", &value));
    assert_false(real("-1.5", &value));
    assert_false(real("1e999", &value));
    assert_false(real("true", &value));
}

static void json_in_keeps_the_first_fault(void **state) {
    json_in in;
    bytes out = {0};
    uint64_t value;
    (void)state;
    json_in_begin(&in, "[x]", 3);
    assert_true(json_in_open(&in, '[', "a list"));
    assert_true(json_in_more(&in, ']'));
    assert_false(json_in_count(&in, "n", 0, 1, &value));
    assert_string_equal(in.fault, "\"n\" takes a number");
    assert_false(json_in_more(&in, ']'));
    assert_false(json_in_string(&in, "s", &out));
    assert_false(json_in_end(&in));
    assert_string_equal(in.fault, "\"n\" takes a number");
    bytes_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_in_takes_what_is_json),
        cmocka_unit_test(json_in_refuses_what_is_none),
        cmocka_unit_test(json_in_bounds_depth_and_numbers),
        cmocka_unit_test(json_in_strings_mean_what_they_say),
        cmocka_unit_test(json_in_counts_keep_every_digit),
        cmocka_unit_test(json_in_reals_stay_in_their_range),
        cmocka_unit_test(json_in_keeps_the_first_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
