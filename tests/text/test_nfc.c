/* test_nfc.c - normal form C. That whole texts get the reference's form is shown by the ids of
 * qwen2's vectors in test_tokenizer.c. */
#include "base/utf8.h"
#include "text/fixture.h"
#include "text/nfc.h"
#include "text/unicode.h"

static void expect_form(const char *text, const char *expected) {
    nfc_text out = {0};
    assert_int_equal(nfc_normalize((const uint8_t *)text, strlen(text), &out, NULL), FM_OK);
    assert_int_equal(out.length, strlen(expected));
    if (out.length > 0) assert_memory_equal(out.bytes, expected, out.length);
    if (nfc_is_stable((const uint8_t *)text, strlen(text))) assert_string_equal(text, expected);
    nfc_free(&out);
}

/** The expected forms are those of the reference library. */
static void nfc_known_texts_get_their_forms(void **state) {
    (void)state;
    expect_form("", "");
    expect_form("plain", "plain");
    expect_form("e\u0301", "\u00e9");
    expect_form("xe\u0301y", "x\u00e9y");
    expect_form("\u0301e", "\u0301e");
    expect_form("\u212b\u2126\u00c5", "\u00c5\u03a9\u00c5");
    /* Marks are sorted by class, those of one class keep their order, and the first blocks the
     * rest. */
    expect_form("a\u0301\u0323", "\u1ea1\u0301");
    expect_form("a\u0302\u0301", "\u1ea5");
    expect_form("a\u0301\u0302", "\u00e1\u0302");
    expect_form("s\u0307\u0323", "\u1e69");
    expect_form("q\u0307\u0323", "q\u0323\u0307");
    /* Exclusions come apart and stay so. */
    expect_form("\u0958\ufb1d", "\u0915\u093c\u05d9\u05b4");
    /* A vowel that composes with the letter before it, though it is no mark that moves. */
    expect_form("\u09c7\u09be", "\u09cb");
    expect_form("\u09c7\u09bc\u09be", "\u09c7\u09bc\u09be");
    expect_form("\u1100\u1161\u11a8", "\uac01");
    expect_form("\uac00\u11a8\u11a8", "\uac01\u11a8");
    expect_form("\uac01\u11a8", "\uac01\u11a8");
    expect_form("\u1100\u0301\u1161", "\u1100\u0301\u1161");
}

static void nfc_invalid_bytes_stay_and_separate(void **state) {
    (void)state;
    expect_form("e\xFF\u0301", "e\xFF\u0301");
    expect_form("\xC3"
                "e\u0301\xE4\xB8",
                "\xC3\u00e9\xE4\xB8");
    expect_form("\xED\xA0\x80\u0301", "\xED\xA0\x80\u0301");
}

/** Text of nothing but marks is one stretch: its order is that of a stable sort. */
static void nfc_long_runs_of_marks_are_sorted(void **state) {
    (void)state;
    enum { N_MARKS = 1 << 20 };
    static const uint32_t marks[] = {0x301, 0x323, 0x334, 0x302, 0x345, 0x327, 0x308};
    char *text = malloc(2 * N_MARKS + 1);
    char *expected = malloc(2 * N_MARKS + 1);
    assert_true(text && expected);
    uint64_t random = 1;
    for (size_t i = 0; i < N_MARKS; i++)
        utf8_encode(marks[fixture_random(&random) % (sizeof marks / sizeof *marks)], text + 2 * i);
    text[2 * N_MARKS] = expected[2 * N_MARKS] = '\0';
    size_t n = 0;
    static const uint8_t classes[] = {1, 202, 220, 230, 240};
    for (size_t k = 0; k < sizeof classes; k++) {
        for (size_t i = 0; i < N_MARKS; i++) {
            uint32_t code = utf8_decode((uint8_t *)text + 2 * i, 2).code;
            if (unicode_combining_class(code) == classes[k])
                memcpy(expected + 2 * n++, text + 2 * i, 2);
        }
    }
    assert_int_equal(n, N_MARKS);
    expect_form(text, expected);
    free(text);
    free(expected);
}

static void nfc_of_random_text_is_its_own_form(void **state) {
    (void)state;
    static const char often[] = "ae \u0301\u0323\u09c7\u09be\u1100\u1161\u11a8\u0958\u00e9\xFF";
    uint64_t random = 3;
    nfc_text once = {0}, twice = {0};
    for (int round = 0; round < 50000; round++) {
        uint8_t text[80];
        size_t length = 0;
        while (length < 70 && fixture_random(&random) % 24) {
            uint32_t r = fixture_random(&random);
            uint32_t code = r % 3 ? 0xA0 + (r >> 2) % 0x3000 : (r >> 2) % 0xD800;
            if (r % 5 < 2)
                text[length++] = (uint8_t)often[(r >> 3) % (sizeof often - 1)];
            else
                length += utf8_encode(code, (char *)text + length);
        }
        assert_int_equal(nfc_normalize(text, length, &once, NULL), FM_OK);
        assert_int_equal(nfc_normalize(once.bytes, once.length, &twice, NULL), FM_OK);
        assert_int_equal(once.length, twice.length);
        if (once.length > 0) assert_memory_equal(once.bytes, twice.bytes, once.length);
    }
    nfc_free(&once);
    nfc_free(&twice);
}

/** Counted in the reference library: a shifted or truncated table shows here. */
static void nfc_tables_have_the_references_sizes(void **state) {
    (void)state;
    size_t n_unstable = 0, n_marks = 0, n_decomposed = 0;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        uint32_t parts[UNICODE_MAX_DECOMPOSITION];
        size_t n = unicode_decompose(code, parts);
        n_unstable += unicode_is_unstable(code);
        n_marks += unicode_combining_class(code) > 0;
        n_decomposed += n > 1 || parts[0] != code;
        if (n == 2 && !unicode_is_unstable(code)) {
            uint32_t inner[UNICODE_MAX_DECOMPOSITION];
            assert_int_equal(unicode_decompose(parts[0], inner), 1);
            assert_int_equal(unicode_compose(parts[0], parts[1]), code);
        }
    }
    assert_int_equal(n_decomposed, 13232);
    assert_int_equal(n_marks, 814);
    assert_int_equal(n_unstable, 2001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nfc_known_texts_get_their_forms),
        cmocka_unit_test(nfc_invalid_bytes_stay_and_separate),
        cmocka_unit_test(nfc_long_runs_of_marks_are_sorted),
        cmocka_unit_test(nfc_of_random_text_is_its_own_form),
        cmocka_unit_test(nfc_tables_have_the_references_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
