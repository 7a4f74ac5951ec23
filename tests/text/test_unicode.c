/* test_unicode.c - code points from bytes, and their classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"
#include "text/alphabet.h"
#include "text/unicode.h"

/** Counted by the generator's source, the reference library: a shifted or truncated table shows
 * here. */
static void unicode_class_counts_are_those_of_the_reference(void **state) {
    (void)state;
    static const size_t expected[] = {
        [UNICODE_CLASS_LETTER] = 141028,   [UNICODE_CLASS_MARK] = 2501,
        [UNICODE_CLASS_NUMBER] = 1911,     [UNICODE_CLASS_PUNCTUATION] = 855,
        [UNICODE_CLASS_SYMBOL] = 8514,     [UNICODE_CLASS_SPACE] = 25,
        [UNICODE_CLASS_LATER_NUMBER] = 13,
    };
    size_t counts[sizeof expected / sizeof expected[0]] = {0};
    for (uint32_t code = 0; code <= 0x10FFFF; code++) counts[unicode_class_of(code)]++;
    for (size_t i = 1; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(counts[i], expected[i]);
}

static void unicode_class_of_known_code_points(void **state) {
    (void)state;
    static const struct {
        uint32_t code;
        unicode_class expected;
    } cases[] = {
        {'a', UNICODE_CLASS_LETTER},         {0x4E2D, UNICODE_CLASS_LETTER},
        {0xAA, UNICODE_CLASS_LETTER},        {0x2A6DF, UNICODE_CLASS_LETTER},
        {0x301, UNICODE_CLASS_MARK},         {0x94D, UNICODE_CLASS_MARK},
        {'7', UNICODE_CLASS_NUMBER},         {0xBD, UNICODE_CLASS_NUMBER},
        {0x2168, UNICODE_CLASS_NUMBER},      {'_', UNICODE_CLASS_PUNCTUATION},
        {0x3002, UNICODE_CLASS_PUNCTUATION}, {'+', UNICODE_CLASS_SYMBOL},
        {0x1F600, UNICODE_CLASS_SYMBOL},     {' ', UNICODE_CLASS_SPACE},
        {0x85, UNICODE_CLASS_SPACE},         {0x3000, UNICODE_CLASS_SPACE},
        {0x200B, UNICODE_CLASS_NONE},        {0x1C, UNICODE_CLASS_NONE},
        {0xE000, UNICODE_CLASS_NONE},        {0xD800, UNICODE_CLASS_NONE},
        {0x378, UNICODE_CLASS_NONE},         {0x11DE0, UNICODE_CLASS_LATER_NUMBER},
        {0x110000, UNICODE_CLASS_NONE},      {UTF8_NO_CODE, UNICODE_CLASS_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(unicode_class_of(cases[i].code), cases[i].expected);
}

static void utf8_every_code_point_decodes_to_itself(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        uint8_t b[4];
        size_t n = 0;
        if (code < 0x80) {
            b[n++] = (uint8_t)code;
        } else {
            int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
            static const uint8_t leads[] = {0, 0xC0, 0xE0, 0xF0};
            b[n++] = (uint8_t)(leads[more] | code >> 6 * more);
            for (int i = more - 1; i >= 0; i--) b[n++] = (uint8_t)(0x80 | (code >> 6 * i & 0x3F));
        }
        utf8_char c = utf8_decode(b, n);
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

static void alphabet_symbols_stand_for_their_bytes(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char symbol[2];
        uint8_t back[2];
        size_t n = 0;
        size_t length = alphabet_symbol((uint8_t)byte, symbol);
        assert_true(alphabet_decode(symbol, length, back, &n));
        assert_int_equal(n, 1);
        assert_int_equal(back[0], byte);
        /* A symbol is never white space, control or unassigned: for that the alphabet is made. */
        uint32_t code = utf8_decode((const uint8_t *)symbol, length).code;
        assert_false(unicode_in(unicode_class_of(code), UNICODE_SET(UNICODE_CLASS_NONE) |
                                                            UNICODE_SET(UNICODE_CLASS_SPACE)));
    }
}

static void alphabet_known_symbols(void **state) {
    (void)state;
    uint8_t bytes[16];
    size_t n = 0;
    assert_true(alphabet_decode("ĠaĊÃ©", strlen("ĠaĊÃ©"), bytes, &n));
    assert_int_equal(n, 5);
    assert_memory_equal(bytes, " a\n\xC3\xA9", 5);
    assert_false(alphabet_decode(" ", 1, bytes, &n));
    assert_false(alphabet_decode("｜", 3, bytes, &n));
    assert_false(alphabet_decode("ń", 2, bytes, &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unicode_class_counts_are_those_of_the_reference),
        cmocka_unit_test(unicode_class_of_known_code_points),
        cmocka_unit_test(utf8_every_code_point_decodes_to_itself),
        cmocka_unit_test(utf8_invalid_part_is_maximal),
        cmocka_unit_test(alphabet_symbols_stand_for_their_bytes),
        cmocka_unit_test(alphabet_known_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
