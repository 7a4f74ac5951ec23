/* test_unicode.c - classes of code points, and the byte alphabet. */
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
        unicode_class class = unicode_class_of(code);
        assert_true(class != UNICODE_CLASS_NONE && class != UNICODE_CLASS_SPACE);
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
        cmocka_unit_test(alphabet_symbols_stand_for_their_bytes),
        cmocka_unit_test(alphabet_known_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
