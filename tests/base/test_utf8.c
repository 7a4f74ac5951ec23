/* test_utf8.c - code points from bytes and back, and texts cut between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void utf8_encode_writes_the_shortest_form(void **state) {
    (void)state;
    static const struct {
        uint32_t code;
        const char *bytes;
    } cases[] = {
        {0x41, "A"},
        {0x7F, "\x7F"},
        {0x80, "\xC2\x80"},
        {0x7FF, "\xDF\xBF"},
        {0x800, "\xE0\xA0\x80"},
        {0x20AC, "\xE2\x82\xAC"},
        {0xFFFF, "\xEF\xBF\xBF"},
        {0x10000, "\xF0\x90\x80\x80"},
        {0x1F600, "\xF0\x9F\x98\x80"},
        {0x10FFFF, "\xF4\x8F\xBF\xBF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[5] = "####";
        size_t n = utf8_encode(cases[i].code, out);
        assert_int_equal(n, strlen(cases[i].bytes));
        assert_memory_equal(out, cases[i].bytes, n);
        for (size_t k = n; k < 4; k++) assert_int_equal(out[k], '#');
    }
}

static void utf8_every_code_point_encodes_and_decodes(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char b[4];
        size_t n = utf8_encode(code, b);
        assert_int_equal(n, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
        utf8_char c = utf8_decode((const uint8_t *)b, n);
        bool surrogate = code >= 0xD800 && code < 0xE000;
        assert_int_equal(c.kind, surrogate ? UTF8_KIND_INVALID : UTF8_KIND_CHAR);
        assert_int_equal(c.length, surrogate ? 1 : n);
        assert_int_equal(c.code, surrogate ? UTF8_NO_CODE : code);
    }
}

static void utf8_invalid_part_is_maximal(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        utf8_kind kind;
        uint32_t length;
    } cases[] = {
        {"\x80", UTF8_KIND_INVALID, 1},
        {"\xBF\x80", UTF8_KIND_INVALID, 1},
        {"\xC0\x80", UTF8_KIND_INVALID, 1},
        {"\xC1\xBF", UTF8_KIND_INVALID, 1},
        {"\xF5\x80\x80\x80", UTF8_KIND_INVALID, 1},
        {"\xFF", UTF8_KIND_INVALID, 1},
        {"\xC3", UTF8_KIND_TRUNCATED, 1},
        {"\xC3"
         "a",
         UTF8_KIND_INVALID, 1},
        {"\xE0\x9F\xBF", UTF8_KIND_INVALID, 1},
        {"\xE0\xA0", UTF8_KIND_TRUNCATED, 2},
        {"\xED\xA0\x80", UTF8_KIND_INVALID, 1},
        {"\xE4\xB8"
         "a",
         UTF8_KIND_INVALID, 2},
        {"\xE4\xB8", UTF8_KIND_TRUNCATED, 2},
        {"\xF0\x8F\xBF\xBF", UTF8_KIND_INVALID, 1},
        {"\xF0\x9F\x98", UTF8_KIND_TRUNCATED, 3},
        {"\xF0\x9F\x98\x41", UTF8_KIND_INVALID, 3},
        {"\xF4\x90\x80\x80", UTF8_KIND_INVALID, 1},
        {"\xF1\x80\xE1", UTF8_KIND_INVALID, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        utf8_char c = utf8_decode((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(c.kind, cases[i].kind);
        assert_int_equal(c.length, cases[i].length);
        assert_int_equal(c.code, UTF8_NO_CODE);
    }
}

static void utf8_length_takes_only_well_formed(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length, wanted;
    } cases[] = {
        {"a", 1, 1},
        {"", 0, 0},
        {"\0", 1, 1},
        {"\x7F", 1, 1},
        {"\x80", 1, 0},
        {"\xC1\xBF", 2, 0},
        {"\xC2\x80", 2, 2},
        {"\xC2", 1, 0},
        {"\xC2\x41", 2, 0},
        {"\xDF\xBF", 2, 2},
        {"\xE0\x9F\xBF", 3, 0},
        {"\xE0\xA0\x80", 3, 3},
        {"\xE0\xA0", 2, 0},
        {"\xED\x9F\xBF", 3, 3},
        {"\xED\xA0\x80", 3, 0},
        {"\xEE\x80\x80", 3, 3},
        {"\xEF\xBF\xBF", 3, 3},
        {"\xEF\xBF\x3F", 3, 0},
        {"\xF0\x8F\xBF\xBF", 4, 0},
        {"\xF0\x90\x80\x80", 4, 4},
        {"\xF0\x90\x80", 3, 0},
        {"\xF4\x8F\xBF\xBF", 4, 4},
        {"\xF4\x90\x80\x80", 4, 0},
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xFF", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(utf8_length(cases[i].bytes, cases[i].length), cases[i].wanted);
}

static void utf8_cut_never_splits_a_code_point(void **state) {
    (void)state;
    const char *text = "a\xE2\x82\xAC\xC3\xA4"; /* 1 + 3 + 2 bytes */
    static const size_t wanted[] = {0, 1, 1, 1, 4, 4, 6, 6};
    for (size_t max = 0; max < sizeof wanted / sizeof wanted[0]; max++)
        assert_int_equal(utf8_cut(text, strlen(text), max), wanted[max]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_encode_writes_the_shortest_form),
        cmocka_unit_test(utf8_every_code_point_encodes_and_decodes),
        cmocka_unit_test(utf8_invalid_part_is_maximal),
        cmocka_unit_test(utf8_length_takes_only_well_formed),
        cmocka_unit_test(utf8_cut_never_splits_a_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
