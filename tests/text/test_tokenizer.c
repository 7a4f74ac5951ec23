/* test_tokenizer.c - whole tokenizers against vectors of the reference library. */
#include "base/os.h"
#include "support/cache.h"
#include "text/fixture.h"
#include "text/nfc.h"

/* ---- Vectors ----------------------------------------------------------------------------------
 * texts.txt has one text a line, with \n, \r, \\ and \xHH for what does not fit into one; ids.txt
 * has for each a hash of its ids, and, where it differs, a blank and that of its ids as plain text.
 * In place of it, "-" says that only the round trip is known, "!" that the text is refused. */

/** Takes the escapes out of a line, in place; returns the bytes that are left. */
static size_t unescape(char *line) {
    size_t n = 0;
    for (const char *c = line; *c; c++) {
        if (*c != '\\') {
            line[n++] = *c;
            continue;
        }
        c++;
        if (*c == 'x') {
            const char digits[3] = {c[1], c[2], '\0'};
            line[n++] = (char)strtol(digits, NULL, 16);
            c += 2;
        } else {
            line[n++] = *c;
            if (*c == 'n') line[n - 1] = '\n';
            if (*c == 'r') line[n - 1] = '\r';
        }
    }
    return n;
}

/** FNV-1a of 64 bits over the ids as four bytes each, folded into 32. */
static uint32_t hash_ids(const fm_tokens *tokens) {
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < tokens->count; i++)
        for (int shift = 0; shift < 32; shift += 8)
            h = (h ^ ((uint32_t)tokens->ids[i] >> shift & 0xFF)) * 0x100000001B3u;
    return (uint32_t)(h >> 32 ^ h);
}

/** The tokens' bytes are those of the text, or of its normal form. */
static void expect_round_trip(const fm_tokenizer *t, const fm_tokens *tokens, const char *text,
                              size_t length) {
    nfc_text normal = {0};
    if (t->nfc && length > 0) {
        assert_int_equal(nfc_normalize((const uint8_t *)text, length, &normal, NULL), FM_OK);
        text = (const char *)normal.bytes;
        length = normal.length;
    }
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
    nfc_free(&normal);
}

/** False when the ids are others than expected. Added tokens that strip the white space beside them
 * do not give it back, so the round trip is that of the plain ids. */
static bool vector_holds(const fm_tokenizer *t, const char *text, size_t length, const char *ids) {
    bool holds = true;
    const char *plain_ids = strchr(ids, ' ');
    for (int mode = FM_ENCODE_ADDED; mode <= FM_ENCODE_PLAIN; mode++) {
        fm_tokens tokens = fixture_encode(t, text, length, (fm_encode_mode)mode);
        if (mode == FM_ENCODE_PLAIN) expect_round_trip(t, &tokens, text, length);
        const char *expected = mode == FM_ENCODE_PLAIN && plain_ids ? plain_ids : ids;
        if (*ids != '-') holds &= strtoul(expected, NULL, 16) == hash_ids(&tokens);
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

static char *read_file(const char *dir, const char *name) {
    char path[1024];
    char *text = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_int_equal(os_path_join(dir, name, path, sizeof path, NULL), FM_OK);
    if (os_file_read(path, 64 << 20, &text, &size, &err) != FM_OK) fail_msg("%s", err.text);
    return text;
}

/** Ends the line and returns the next one. */
static char *end_line(char *line) {
    char *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    return end + 1;
}

/** The texts may lie in another directory than the tokenizer and its ids. */
static void check_vectors(const char *dir, const char *texts_dir) {
    fm_tokenizer *t = fixture_open(dir);
    char *texts = read_file(texts_dir, "texts.txt");
    char *all_ids = read_file(dir, "ids.txt");
    char *text = texts;
    size_t n_lines = 0;
    size_t n_wrong = 0;
    for (char *ids = all_ids; *ids; n_lines++) {
        char *next_text = end_line(text);
        char *next_ids = end_line(ids);
        size_t length = unescape(text);
        bool holds = *ids == '!' ? is_refused(t, text, length) : vector_holds(t, text, length, ids);
        if (!holds && n_wrong++ < 5) print_error("%s: line %zu: %.200s\n", dir, n_lines + 1, text);
        text = next_text;
        ids = next_ids;
    }
    assert_int_equal(*text, '\0');
    free(texts);
    free(all_ids);
    fm_tokenizer_close(t);
    assert_int_equal(n_wrong, 0);
    assert_true(n_lines >= 10000);
}

static void check_small(const char *name) {
    char dir[1024];
    assert_int_equal(os_path_join(TEST_DATA "/tokenizer", name, dir, sizeof dir, NULL), FM_OK);
    check_vectors(dir, TEST_DATA "/tokenizer");
}

static void tokenizer_small_deepseek_gives_the_references_ids(void **state) {
    (void)state;
    check_small("deepseek_llm");
    check_small("deepseek_coder");
    check_small("deepseek_v3");
}

static void tokenizer_small_llama3_and_qwen2_give_the_references_ids(void **state) {
    (void)state;
    check_small("llama3");
    check_small("qwen2");
}

static void tokenizer_small_gpt2_and_smollm_give_the_references_ids(void **state) {
    (void)state;
    check_small("gpt2");
    check_small("smollm");
}

/** Published vocabularies are not part of the repository; ./dev oracle puts them into the cache. */
static void tokenizer_published_gives_the_references_ids(void **state) {
    const char *name = *state;
    char place[64], dir[1024];
    snprintf(place, sizeof place, "oracle/tokenizer/%s", name);
    cache_path(place, dir, sizeof dir);
    cache_need(dir, "ids.txt", "./dev oracle");
    check_vectors(dir, dir);
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

/** The expected ids are the reference library's: what a token that is no whole word covers is not
 * searched for others. */
static void tokenizer_single_word_tokens_stand_alone(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(
        &(fixture_json){.added =
                            "{\"id\":300,\"content\":\"ab\",\"single_word\":true},"
                            "{\"id\":301,\"content\":\"b!\"},"
                            "{\"id\":302,\"content\":\"<<\",\"single_word\":true,\"lstrip\":true}"},
        NULL);
    EXPECT(t, "ab", FM_ENCODE_ADDED, 300);
    EXPECT(t, "-ab b!", FM_ENCODE_ADDED, '-', 300, ' ', 301);
    EXPECT(t, "xab!", FM_ENCODE_ADDED, 'x', 'a', 'b', '!');
    EXPECT(t, "ab1b!", FM_ENCODE_ADDED, 'a', 'b', '1', 301);
    EXPECT(t, "ab\u0301", FM_ENCODE_ADDED, 'a', 'b', 0xCC, 0x81);
    EXPECT(t, "\u200dab", FM_ENCODE_ADDED, 0xE2, 0x80, 0x8D, 'a', 'b');
    EXPECT(t, "\u00b2ab", FM_ENCODE_ADDED, 0xC2, 0xB2, 300);
    EXPECT(t, "x  <<", FM_ENCODE_ADDED, 'x', 302);
    EXPECT(t, "<<x", FM_ENCODE_ADDED, '<', '<', 'x');
    fm_tokenizer_close(t);
}

/** A token that is matched in normalized text is looked for in its own normal form. */
static void tokenizer_added_tokens_are_normalized_where_their_text_is(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(
        &(fixture_json){.root = ",\"normalizer\":{\"type\":\"NFC\"}",
                        .added = "{\"id\":300,\"content\":\"e\u0301\",\"normalized\":true},"
                                 "{\"id\":301,\"content\":\"u\u0301\"}"},
        NULL);
    EXPECT(t, "\u00e9", FM_ENCODE_ADDED, 300);
    EXPECT(t, "e\u0301", FM_ENCODE_ADDED, 300);
    EXPECT(t, "\u00fa", FM_ENCODE_ADDED, 0xC3, 0xBA);
    EXPECT(t, "u\u0301", FM_ENCODE_ADDED, 301);
    EXPECT(t, "e\u0301", FM_ENCODE_PLAIN, 0xC3, 0xA9);
    fm_tokenizer_close(t);
}

/** Exactly one BOS in front of a raw prompt, whether the text brings its own or not. */
static void tokenizer_prompt_begins_with_one_bos(void **state) {
    (void)state;
    fixture_json part = {.added = "{\"id\":300,\"content\":\"<s>\",\"special\":true}"};
    fm_tokenizer *t = fixture_make(&part, "{\"bos_token\":\"<s>\",\"add_bos_token\":true}");
    EXPECT(t, "ab", FM_ENCODE_PROMPT, 300, 'a', 'b');
    EXPECT(t, "<s>ab", FM_ENCODE_PROMPT, 300, 'a', 'b');
    EXPECT(t, " <s>ab", FM_ENCODE_PROMPT, 300, ' ', 300, 'a', 'b');
    EXPECT(t, "", FM_ENCODE_PROMPT, 300);
    EXPECT(t, "<s>", FM_ENCODE_PROMPT, 300);
    EXPECT(t, "ab", FM_ENCODE_ADDED, 'a', 'b');
    EXPECT(t, "<s>ab", FM_ENCODE_PLAIN, '<', 's', '>', 'a', 'b');
    fm_tokens tokens = {0};
    assert_int_equal(fm_tokens_append(&tokens, 300), FM_OK);
    assert_int_equal(fm_tokenizer_encode(t, "a", 1, FM_ENCODE_PROMPT, &tokens, NULL), FM_OK);
    fixture_expect_ids(&tokens, (const int32_t[]){300, 300, 'a'}, 3);
    fm_tokens_free(&tokens);
    fm_tokenizer_close(t);
    t = fixture_make(&part, "{\"bos_token\":\"<s>\",\"add_bos_token\":false}");
    EXPECT(t, "ab", FM_ENCODE_PROMPT, 'a', 'b');
    EXPECT(t, "<s>ab", FM_ENCODE_PROMPT, 300, 'a', 'b');
    fm_tokenizer_close(t);
    part.root = ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"
                "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}";
    t = fixture_make(&part, NULL);
    EXPECT(t, "ab", FM_ENCODE_PROMPT, 300, 'a', 'b');
    EXPECT(t, "<s>ab", FM_ENCODE_PROMPT, 300, 'a', 'b');
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

#define PUBLISHED(name)                                                                            \
    {                                                                                              \
        "tokenizer_published_" name "_gives_the_references_ids",                                   \
            tokenizer_published_gives_the_references_ids, NULL, NULL, name                         \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_small_deepseek_gives_the_references_ids),
        cmocka_unit_test(tokenizer_small_llama3_and_qwen2_give_the_references_ids),
        cmocka_unit_test(tokenizer_small_gpt2_and_smollm_give_the_references_ids),
        PUBLISHED("deepseek_llm"),
        PUBLISHED("deepseek_coder"),
        PUBLISHED("deepseek_v3"),
        PUBLISHED("deepseek_v4"),
        PUBLISHED("llama3"),
        PUBLISHED("llama3_1"),
        PUBLISHED("qwen3"),
        PUBLISHED("gpt2"),
        PUBLISHED("smollm2"),
        cmocka_unit_test(tokenizer_answers_questions_about_tokens),
        cmocka_unit_test(tokenizer_ids_outside_the_vocabulary_stand_for_nothing),
        cmocka_unit_test(tokenizer_empty_text_gives_no_tokens),
        cmocka_unit_test(tokenizer_failed_encode_leaves_the_list_as_it_was),
        cmocka_unit_test(tokens_free_zeroes_the_list),
        cmocka_unit_test(tokenizer_longest_added_token_wins),
        cmocka_unit_test(tokenizer_normalized_added_tokens_are_matched_last),
        cmocka_unit_test(tokenizer_strip_flags_take_white_space),
        cmocka_unit_test(tokenizer_single_word_tokens_stand_alone),
        cmocka_unit_test(tokenizer_added_tokens_are_normalized_where_their_text_is),
        cmocka_unit_test(tokenizer_prompt_begins_with_one_bos),
        cmocka_unit_test(tokenizer_plain_text_makes_no_added_token),
        cmocka_unit_test(tokenizer_ignore_merges_takes_whole_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
