/* test_tokenizer.c - whole tokenizers against vectors of the reference library. */
#include "base/os.h"
#include "support/cache.h"
#include "text/fixture.h"

/* ---- Vectors ----------------------------------------------------------------------------------
 * A line is the text in hex, a tab, its ids, and, where they differ, a tab and its ids as plain
 * text. In place of ids, "-" says that only the round trip is known, "!" that the text is refused.
 */

static size_t parse_hex(const char *hex, size_t n, char *out) {
    for (size_t i = 0; i + 1 < n; i += 2) {
        const char digits[3] = {hex[i], hex[i + 1], '\0'};
        out[i / 2] = (char)strtol(digits, NULL, 16);
    }
    return n / 2;
}

static fm_tokens parse_ids(const char *text) {
    fm_tokens tokens = {0};
    char *end;
    for (long id = strtol(text, &end, 10); end != text; id = strtol(text, &end, 10)) {
        assert_int_equal(fm_tokens_append(&tokens, (int32_t)id), FM_OK);
        text = end;
    }
    return tokens;
}

static void expect_round_trip(const fm_tokenizer *t, const fm_tokens *tokens, const char *text,
                              size_t length) {
    size_t done = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        size_t n;
        const char *bytes = fm_tokenizer_bytes(t, tokens->ids[i], &n);
        assert_non_null(bytes);
        assert_true(n <= length - done);
        assert_memory_equal(bytes, text + done, n);
        done += n;
    }
    assert_int_equal(done, length);
}

/** False when the ids are others than expected. Added tokens that strip the white space beside them
 * do not give it back, so the round trip is that of the plain ids. */
static bool vector_holds(const fm_tokenizer *t, const char *text, size_t length, char *ids) {
    char *plain_ids = strchr(ids, '\t');
    if (plain_ids) *plain_ids++ = '\0';
    bool holds = true;
    for (int mode = FM_ENCODE_ADDED; mode <= FM_ENCODE_PLAIN; mode++) {
        fm_tokens tokens = fixture_encode(t, text, length, (fm_encode_mode)mode);
        if (mode == FM_ENCODE_PLAIN) expect_round_trip(t, &tokens, text, length);
        if (*ids != '-') {
            fm_tokens expected = parse_ids(mode == FM_ENCODE_PLAIN && plain_ids ? plain_ids : ids);
            holds &= expected.count == tokens.count &&
                     memcmp(expected.ids ? (void *)expected.ids : "",
                            tokens.ids ? (void *)tokens.ids : "", 4 * expected.count) == 0;
            fm_tokens_free(&expected);
        }
        fm_tokens_free(&tokens);
    }
    return holds;
}

static bool is_refused(const fm_tokenizer *t, const char *text, size_t length) {
    fm_tokens tokens = {0};
    fm_error err = {0};
    fm_status status = fm_tokenizer_encode(t, text, length, FM_ENCODE_PLAIN, &tokens, &err);
    bool empty = tokens.count == 0;
    fm_tokens_free(&tokens);
    return status == FM_ERR_UNSUPPORTED && empty && strstr(err.text, "has no token");
}

static void check_vectors(const char *dir, size_t at_least) {
    char path[1024];
    fm_error err = {0};
    fm_tokenizer *t = fixture_open(dir);
    assert_int_equal(os_path_join(dir, "vectors.tsv", path, sizeof path, NULL), FM_OK);
    char *file = NULL;
    size_t size = 0;
    if (os_file_read(path, 64 << 20, &file, &size, &err) != FM_OK) fail_msg("%s", err.text);
    char text[4096];
    size_t n_lines = 0;
    size_t n_wrong = 0;
    for (char *line = file; *line; n_lines++) {
        char *end = strchr(line, '\n');
        char *ids = strchr(line, '\t');
        assert_true(end && ids && ids < end && (size_t)(ids - line) < 2 * sizeof text);
        *end = '\0';
        size_t length = parse_hex(line, (size_t)(ids - line), text);
        bool holds =
            ids[1] == '!' ? is_refused(t, text, length) : vector_holds(t, text, length, ids + 1);
        if (!holds && n_wrong++ < 5) print_error("%s: %.200s\n", dir, line);
        line = end + 1;
    }
    free(file);
    fm_tokenizer_close(t);
    assert_int_equal(n_wrong, 0);
    assert_true(n_lines >= at_least);
}

static void tokenizer_small_deepseek_v3_gives_the_references_ids(void **state) {
    (void)state;
    check_vectors(TEST_DATA "/tokenizer/deepseek_v3", 5000);
}

static void tokenizer_small_smollm_gives_the_references_ids(void **state) {
    (void)state;
    check_vectors(TEST_DATA "/tokenizer/smollm", 5000);
}

/** Published vocabularies are not part of the repository; ./dev oracle puts them into the cache. */
static void check_published(const char *name) {
    char place[64], dir[1024];
    snprintf(place, sizeof place, "oracle/tokenizer/%s", name);
    cache_path(place, dir, sizeof dir);
    cache_need(dir, "vectors.tsv", "./dev oracle");
    check_vectors(dir, 5000);
}

static void tokenizer_published_deepseek_gives_the_references_ids(void **state) {
    (void)state;
    check_published("deepseek");
}

static void tokenizer_published_smollm2_gives_the_references_ids(void **state) {
    (void)state;
    check_published("smollm2");
}

/* ---- Questions ------------------------------------------------------------------------------- */

static void tokenizer_answers_questions_about_tokens(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_open(TEST_DATA "/tokenizer/deepseek_v3");
    size_t n = 0;
    assert_int_equal(fm_tokenizer_vocab_size(t), 2012);
    int32_t bos = fm_tokenizer_find(t, "<｜begin▁of▁sentence｜>");
    assert_int_equal(bos, 2000);
    assert_int_equal(fm_tokenizer_bos(t), bos);
    assert_int_equal(fm_tokenizer_eos(t), fm_tokenizer_find(t, "<｜end▁of▁sentence｜>"));
    assert_true(fm_tokenizer_adds_bos(t));
    assert_true(fm_tokenizer_is_special(t, bos));
    assert_false(fm_tokenizer_is_special(t, fm_tokenizer_find(t, "<think>")));
    assert_memory_equal(fm_tokenizer_bytes(t, fm_tokenizer_find(t, "Ġthe"), &n), " the", 4);
    assert_int_equal(n, 4);
    assert_int_equal(fm_tokenizer_find(t, " the"), -1);
    assert_memory_equal(fm_tokenizer_bytes(t, fm_tokenizer_find(t, "ű"), &n), "ű", 2);
    fm_tokenizer_close(t);
}

static void tokenizer_ids_outside_the_vocabulary_stand_for_nothing(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&(fixture_json){.vocab = ",\"ab\":300"}, NULL);
    static const int32_t ids[] = {-1, 256, 299, 301, 1 << 20, INT32_MIN, INT32_MAX};
    assert_int_equal(fm_tokenizer_vocab_size(t), 301);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        size_t n = 1;
        assert_null(fm_tokenizer_bytes(t, ids[i], &n));
        assert_int_equal(n, 0);
        assert_false(fm_tokenizer_is_special(t, ids[i]));
    }
    fm_tokenizer_close(t);
    fm_tokenizer_close(NULL);
}

static void tokenizer_empty_text_gives_no_tokens(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&(fixture_json){0}, NULL);
    fm_tokens tokens = {0};
    assert_int_equal(fm_tokenizer_encode(t, NULL, 0, FM_ENCODE_ADDED, &tokens, NULL), FM_OK);
    assert_int_equal(tokens.count, 0);
    fm_tokenizer_close(t);
}

static void tokenizer_failed_encode_leaves_the_list_as_it_was(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&(fixture_json){.without = "#"}, NULL);
    fm_tokens tokens = {0};
    fm_error err = {0};
    assert_int_equal(fm_tokens_append(&tokens, 5), FM_OK);
    assert_int_equal(fm_tokenizer_encode(t, "ab #", 4, FM_ENCODE_ADDED, &tokens, &err),
                     FM_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "the byte 0x23 has no token in this vocabulary");
    assert_int_equal(tokens.count, 1);
    fm_tokens_free(&tokens);
    fm_tokenizer_close(t);
}

static void tokens_free_zeroes_the_list(void **state) {
    (void)state;
    fm_tokens tokens = {0};
    for (int32_t i = 0; i < 1000; i++) assert_int_equal(fm_tokens_append(&tokens, i), FM_OK);
    for (int32_t i = 0; i < 1000; i++) assert_int_equal(tokens.ids[i], i);
    fm_tokens_free(&tokens);
    assert_null(tokens.ids);
    assert_int_equal(tokens.count + tokens.capacity, 0);
}

/* ---- Added tokens ---------------------------------------------------------------------------- */

static void expect_encoded(const fm_tokenizer *t, const char *text, fm_encode_mode mode,
                           const int32_t *ids, size_t n) {
    fm_tokens tokens = fixture_encode(t, text, strlen(text), mode);
    fixture_expect_ids(&tokens, ids, n);
    fm_tokens_free(&tokens);
}

#define EXPECT(t, text, mode, ...)                                                                 \
    expect_encoded(t, text, mode, (const int32_t[]){__VA_ARGS__},                                  \
                   sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/** The expected ids of this and the next case are the reference library's. */
static void tokenizer_longest_added_token_wins(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(
        &(fixture_json){.added =
                            "{\"id\":300,\"content\":\"abc\"},{\"id\":301,\"content\":\"bcd\"},"
                            "{\"id\":302,\"content\":\"ab\"},{\"id\":303,\"content\":\"abcde\"}"},
        NULL);
    EXPECT(t, "abcd", FM_ENCODE_ADDED, 300, 'd');
    EXPECT(t, "abcde", FM_ENCODE_ADDED, 303);
    EXPECT(t, "xbcd", FM_ENCODE_ADDED, 'x', 301);
    EXPECT(t, "aab", FM_ENCODE_ADDED, 'a', 302);
    EXPECT(t, "abcd", FM_ENCODE_PLAIN, 'a', 'b', 'c', 'd');
    fm_tokenizer_close(t);
}

static void tokenizer_normalized_added_tokens_are_matched_last(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(
        &(fixture_json){.added =
                            "{\"id\":300,\"content\":\"abc\",\"normalized\":true},"
                            "{\"id\":301,\"content\":\"bcd\"},{\"id\":302,\"content\":\"cx\"}"},
        NULL);
    EXPECT(t, "abcd", FM_ENCODE_ADDED, 'a', 301);
    EXPECT(t, "abcx", FM_ENCODE_ADDED, 'a', 'b', 302);
    EXPECT(t, "abc", FM_ENCODE_ADDED, 300);
    fm_tokenizer_close(t);
}

static void tokenizer_strip_flags_take_white_space(void **state) {
    (void)state;
    fm_tokenizer *t =
        fixture_make(&(fixture_json){.added = "{\"id\":300,\"content\":\"<l>\",\"lstrip\":true},"
                                              "{\"id\":301,\"content\":\"<r>\",\"rstrip\":true}"},
                     NULL);
    EXPECT(t, "x \u3000<l> y", FM_ENCODE_ADDED, 'x', 300, ' ', 'y');
    EXPECT(t, "x <r>\n\u00a0y", FM_ENCODE_ADDED, 'x', ' ', 301, 'y');
    EXPECT(t, "<r>  <l>", FM_ENCODE_ADDED, 301, 300);
    EXPECT(t, " <l>", FM_ENCODE_ADDED, 300);
    fm_tokenizer_close(t);
}

/** "<x>" is an ordinary token, too, which merges lead to. */
static void tokenizer_plain_text_makes_no_added_token(void **state) {
    (void)state;
    fixture_json part = {
        .vocab = ",\"<x\":256,\"<x>\":257,\"<x>y\":258",
        .merges = "\"< x\",\"<x >\",\"<x> y\"",
        .added = "{\"id\":257,\"content\":\"<x>\",\"special\":true}",
        .pre_tokenizer =
            "{\"type\":\"Sequence\",\"pretokenizers\":[" FIXTURE_DIGITS
            ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]}",
    };
    fm_tokenizer *t = fixture_make(&part, NULL);
    EXPECT(t, "<x>", FM_ENCODE_ADDED, 257);
    EXPECT(t, "a<x>b", FM_ENCODE_PLAIN, 'a', '<', 'x', '>', 'b');
    fm_tokenizer_close(t);
}

static void tokenizer_ignore_merges_takes_whole_tokens(void **state) {
    (void)state;
    fixture_json part = {.vocab = ",\"ab\":256,\"Ġabc\":257,\"zz\":258",
                         .merges = "\"a b\"",
                         .added = "{\"id\":258,\"content\":\"zz\"}"};
    fm_tokenizer *t = fixture_make(&part, NULL);
    EXPECT(t, "ab abc", FM_ENCODE_ADDED, 256, ' ', 256, 'c');
    fm_tokenizer_close(t);
    part.model = ",\"ignore_merges\":true";
    t = fixture_make(&part, NULL);
    EXPECT(t, "ab abc", FM_ENCODE_ADDED, 256, 257);
    EXPECT(t, "abcd", FM_ENCODE_ADDED, 256, 'c', 'd');
    EXPECT(t, "zz", FM_ENCODE_PLAIN, 'z', 'z');
    fm_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_small_deepseek_v3_gives_the_references_ids),
        cmocka_unit_test(tokenizer_small_smollm_gives_the_references_ids),
        cmocka_unit_test(tokenizer_published_deepseek_gives_the_references_ids),
        cmocka_unit_test(tokenizer_published_smollm2_gives_the_references_ids),
        cmocka_unit_test(tokenizer_answers_questions_about_tokens),
        cmocka_unit_test(tokenizer_ids_outside_the_vocabulary_stand_for_nothing),
        cmocka_unit_test(tokenizer_empty_text_gives_no_tokens),
        cmocka_unit_test(tokenizer_failed_encode_leaves_the_list_as_it_was),
        cmocka_unit_test(tokens_free_zeroes_the_list),
        cmocka_unit_test(tokenizer_longest_added_token_wins),
        cmocka_unit_test(tokenizer_normalized_added_tokens_are_matched_last),
        cmocka_unit_test(tokenizer_strip_flags_take_white_space),
        cmocka_unit_test(tokenizer_plain_text_makes_no_added_token),
        cmocka_unit_test(tokenizer_ignore_merges_takes_whole_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
