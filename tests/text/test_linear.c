/* test_linear.c - hostile text costs a bounded number of steps for each byte. The matchers are
 * compiled into this suite with every look at a code point counted, which no clock has a part in.
 */
#include "text/fixture.h"
#include "text/unicode.h"

static size_t n_looks;

static unsigned counted_entry(uint32_t code) {
    n_looks++;
    return unicode_entry(code);
}

#define unicode_class_of(code)    ((unicode_class)(counted_entry(code) & UNICODE_CLASS_BITS))
#define unicode_is_unstable(code) ((counted_entry(code) & UNICODE_FLAG_UNSTABLE) != 0)

#include "text/nfc.c"
#include "text/splitters.c"

enum {
    TEXT_SIZE = 1 << 16, /* bytes: steps that grow with its square are 2^16 for each */
    LONG_SIZE = 10 << 20,
    MOST_LOOKS = 12, /* for each byte: six splitters that each look twice */
};

/** Texts that repeat a unit: one letter, combining marks, digits, white space, what no rule
 * matches. */
static const char *const units[] = {
    "a",      "\u0301", "1",  " ",      "\n",     " \n",     "\t \u3000", "!",       "'",
    "\u200b", "\x80",   "中", "\u1161", "\u0628", "\u0e01 ", "\u2014",    "a\u0301", "' ",
};

/** A text of `size` bytes, which the caller frees. */
static char *repeat(const char *unit, size_t size) {
    size_t n = strlen(unit);
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) text[i] = unit[i % n];
    return text;
}

/** The pieces cover the text, so a walk that counts too little shows, too. */
static size_t walk(split_rule rule, const char *text) {
    split s = split_begin(rule, (const uint8_t *)text, TEXT_SIZE);
    size_t covered = 0;
    n_looks = 0;
    for (size_t start, end; split_next(&s, &start, &end); covered = end)
        assert_int_equal(start, covered);
    assert_int_equal(covered, TEXT_SIZE);
    return n_looks;
}

static void linear_split_looks_at_each_byte_a_few_times(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char *text = repeat(units[i], TEXT_SIZE);
        for (int rule = 0; rule < SPLIT_RULE_COUNT; rule++) {
            size_t looks = walk((split_rule)rule, text);
            if (looks < TEXT_SIZE / 8 || looks > (size_t)MOST_LOOKS * TEXT_SIZE)
                fail_msg("unit %zu, rule %d: %zu looks", i, rule, looks);
        }
        free(text);
    }
}

static void linear_normalization_looks_at_each_byte_twice(void **state) {
    (void)state;
    nfc_text out = {0};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char *text = repeat(units[i], TEXT_SIZE);
        n_looks = 0;
        assert_int_equal(nfc_normalize((const uint8_t *)text, TEXT_SIZE, &out, NULL), FM_OK);
        if (n_looks > 2 * (size_t)TEXT_SIZE) fail_msg("unit %zu: %zu looks", i, n_looks);
        free(text);
    }
    nfc_free(&out);
}

/** One piece of ten million symbols: the working memory is what bpe.h says, the ids are few. */
static void linear_merges_of_one_letter_halve_the_text(void **state) {
    (void)state;
    static const fixture_json part = {
        .vocab = ",\"aa\":256,\"aaaa\":257,\"aaaaaaaa\":258",
        .merges = "\"a a\",\"aa aa\",\"aaaa aaaa\"",
    };
    fm_tokenizer *t = fixture_make(&part, NULL);
    char *text = repeat("a", LONG_SIZE);
    bpe_scratch scratch = {0};
    fm_tokens tokens = {0};
    assert_int_equal(
        bpe_encode(&t->bpe, (const uint8_t *)text, LONG_SIZE, true, &scratch, &tokens, NULL),
        FM_OK);
    assert_int_equal(scratch.size, (size_t)28 * LONG_SIZE);
    assert_int_equal(tokens.count, LONG_SIZE / 8);
    bpe_scratch_free(&scratch);
    fm_tokens_free(&tokens);
    free(text);
    fm_tokenizer_close(t);
}

/** Ten megabytes of one thing, from text to ids. */
static void linear_long_texts_are_encoded(void **state) {
    (void)state;
    static const char *const things[] = {"a", "\u0301", "1", "e\u0301"};
    fm_tokenizer *t = fixture_make(&(fixture_json){.root = ",\"normalizer\":{\"type\":\"NFC\"}",
                                                   .vocab = ",\"aa\":256,\"Ã©\":257,\"Ìģ\":258",
                                                   .merges = "\"a a\",\"Ã ©\",\"Ì ģ\""},
                                   NULL);
    static const size_t bytes_for_each[] = {2, 2, 1, 3};
    for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
        char *text = repeat(things[i], LONG_SIZE - 1);
        fm_tokens tokens = fixture_encode(t, text, LONG_SIZE - 1, FM_ENCODE_ADDED);
        assert_int_equal(tokens.count, (LONG_SIZE - 1 + bytes_for_each[i] - 1) / bytes_for_each[i]);
        fm_tokens_free(&tokens);
        free(text);
    }
    fm_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_split_looks_at_each_byte_a_few_times),
        cmocka_unit_test(linear_normalization_looks_at_each_byte_twice),
        cmocka_unit_test(linear_merges_of_one_letter_halve_the_text),
        cmocka_unit_test(linear_long_texts_are_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
