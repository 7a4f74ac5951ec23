/* test_tokenizer.c - whole tokenizers against vectors of the reference library, and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "text/fixture.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Vectors: hex of the text, tab, ids, and a tab and ids as plain text where those differ
 * --------- */

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

/* False when the ids are others than expected. Added tokens that strip the white space beside them
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
    const fm_status status = fm_tokenizer_encode(t, text, length, FM_ENCODE_PLAIN, &tokens, &err);
    const bool empty = tokens.count == 0;
    fm_tokens_free(&tokens);
    return status == FM_ERR_UNSUPPORTED && empty && strstr(err.text, "has no token");
}

static void check_vectors(const char *dir, size_t at_least) {
    char path[1024];
    fm_error err = {0};
    fm_tokenizer *t = NULL;
    if (fm_tokenizer_open(dir, &t, &err) != FM_OK) fail_msg("%s", err.text);
    assert_int_equal(os_path_join(dir, "vectors.tsv", path, sizeof(path), NULL), FM_OK);
    char *file = NULL;
    size_t size = 0;
    if (os_file_read(path, 64 << 20, &file, &size, &err) != FM_OK) fail_msg("%s", err.text);
    char text[4096];
    size_t n_lines = 0;
    size_t n_wrong = 0;
    for (char *line = file; *line; n_lines++) {
        char *end = strchr(line, '\n');
        char *ids = strchr(line, '\t');
        assert_true(end && ids && ids < end && (size_t)(ids - line) < 2 * sizeof(text));
        *end = '\0';
        const size_t length = parse_hex(line, (size_t)(ids - line), text);
        const bool holds =
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

/* Published vocabularies are not part of the repository; ./dev oracle puts them into the cache. */
static void check_published(const char *name) {
    char dir[1024];
    const char *cache = getenv("FATHOM_CACHE");
    const char *home = getenv("HOME");
    if (cache) {
        snprintf(dir, sizeof(dir), "%s/oracle/tokenizer/%s", cache, name);
    } else {
        snprintf(dir, sizeof(dir), "%s/.cache/fathom/oracle/tokenizer/%s", home ? home : "", name);
    }
    char vectors[1100];
    snprintf(vectors, sizeof(vectors), "%s/vectors.tsv", dir);
    if (!os_file_exists(vectors)) {
        print_message("skip: no vectors of the published vocabulary at %s (./dev oracle)\n", dir);
        skip();
    }
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

/* ---- Questions
 * ------------------------------------------------------------------------------------- */

static void tokenizer_answers_questions_about_tokens(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_open("deepseek_v3");
    size_t n = 0;
    assert_int_equal(fm_tokenizer_vocab_size(t), 2012);
    const int32_t bos = fm_tokenizer_find(t, "<｜begin▁of▁sentence｜>");
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
    for (size_t i = 0; i < N(ids); i++) {
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

/* ---- Added tokens
 * -------------------------------------------------------------------------------------- */

static void expect_encoded(const fm_tokenizer *t, const char *text, fm_encode_mode mode,
                           const int32_t *ids, size_t n) {
    fm_tokens tokens = fixture_encode(t, text, strlen(text), mode);
    fixture_expect_ids(&tokens, ids, n);
    fm_tokens_free(&tokens);
}

#define EXPECT(t, text, mode, ...)                                                                 \
    expect_encoded(t, text, mode, (const int32_t[]){__VA_ARGS__}, N(((int32_t[]){__VA_ARGS__})))

/* The expected ids of this and the next case are the reference library's. */
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

/* "<x>" is an ordinary token, too, which merges lead to. */
static void tokenizer_plain_text_makes_no_added_token(void **state) {
    (void)state;
    const fixture_json part = {
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

/* ---- Files
 * ------------------------------------------------------------------------------------------------
 */

static void tokenizer_settings_without_effect_are_accepted(void **state) {
    (void)state;
    const fixture_json part = {
        .merges = "[\"a\",\"b\"]",
        .vocab = ",\"ab\":256",
        .model = ",\"dropout\":0.0,\"unk_token\":\"a\",\"continuing_subword_prefix\":\"\","
                 "\"end_of_word_suffix\":null,\"byte_fallback\":false,\"fuse_unk\":true",
        .root = ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]},\"truncation\":null",
    };
    fm_tokenizer *t = fixture_make(&part, NULL);
    EXPECT(t, "ab", FM_ENCODE_ADDED, 256);
    fm_tokenizer_close(t);
}

#define ADDED(id, content, more) "{\"id\":" id ",\"content\":\"" content "\"" more "}"

static void tokenizer_bad_files_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        fixture_json part;
        fm_status status;
        const char *text;
    } cases[] = {
        {{.model = ",\"type\":\"BPE\""}, FM_ERR_FORMAT, "type"},
        {{.model = ",\"dropout\":0.1"}, FM_ERR_UNSUPPORTED, "model.dropout"},
        {{.model = ",\"byte_fallback\":true"}, FM_ERR_UNSUPPORTED, "model.byte_fallback"},
        {{.model = ",\"continuing_subword_prefix\":\"##\""},
         FM_ERR_UNSUPPORTED,
         "model.continuing_subword_prefix"},
        {{.model = ",\"end_of_word_suffix\":\"</w>\""},
         FM_ERR_UNSUPPORTED,
         "model.end_of_word_suffix"},
        {{.model = ",\"unk_token\":\"a\"", .without = "zq"}, FM_ERR_UNSUPPORTED, "0x71"},
        {{.vocab = ",\"ab\":255"}, FM_ERR_FORMAT, "the id 255 stands for"},
        {{.vocab = ",\"ab\":-1"}, FM_ERR_FORMAT, "the id of \"ab\""},
        {{.vocab = ",\"ab\":1048576"}, FM_ERR_FORMAT, "the id of \"ab\""},
        {{.vocab = ",\"ab\":1.5"}, FM_ERR_FORMAT, "the id of \"ab\""},
        {{.vocab = ",\"ab\":\"7\""}, FM_ERR_FORMAT, "the id of \"ab\""},
        {{.merges = "\"a b\""}, FM_ERR_FORMAT, "merge 0"},
        {{.merges = "\"ab\"", .vocab = ",\"ab\":256"}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "\" b\""}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "\"a \""}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "7"}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "[\"a\"]"}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "[\"a\",7]"}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "[\"a\",\"b\",\"c\"]"}, FM_ERR_FORMAT, "not a pair"},
        {{.merges = "\"x ab\"", .vocab = ",\"xab\":256"}, FM_ERR_FORMAT, "needs a token"},
        {{.merges = "\"a b\"", .added = ADDED("300", "ab", "")}, FM_ERR_FORMAT, "needs a token"},
        {{.added = "7"}, FM_ERR_FORMAT, "no content"},
        {{.added = ADDED("300", "", "")}, FM_ERR_FORMAT, "no content"},
        {{.added = "{\"content\":\"x\"}"}, FM_ERR_FORMAT, "the id of \"x\""},
        {{.added = ADDED("300", "a", "")}, FM_ERR_FORMAT, "\"a\" has two ids, 97 and 300"},
        {{.added = ADDED("97", "<x>", "")}, FM_ERR_FORMAT, "the id 97 stands for"},
        {{.added = ADDED("300", "<x>", "") "," ADDED("300", "<x>", "")},
         FM_ERR_FORMAT,
         "is there twice"},
        {{.added = ADDED("300", "<x>", ",\"single_word\":true")},
         FM_ERR_UNSUPPORTED,
         "single_word of \"<x>\""},
        {{.decoder = "null"}, FM_ERR_UNSUPPORTED, "the decoder is \"none\""},
        {{.decoder = "{\"type\":\"Metaspace\"}"}, FM_ERR_UNSUPPORTED, "Metaspace"},
        {{.pre_tokenizer = "null"}, FM_ERR_UNSUPPORTED, "splitting text is not known: none"},
        {{.root = ",\"normalizer\":{\"type\":\"NFC\"}"}, FM_ERR_UNSUPPORTED, "normalizer \"NFC\""},
        {{.root = ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]}"},
         FM_ERR_UNSUPPORTED,
         "normalizer"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        const fm_status status = fixture_parse(&cases[i].part, NULL, &t, &err);
        assert_null(t);
        assert_int_equal(err.status, status);
        if (status != cases[i].status || !strstr(err.text, cases[i].text)) {
            fail_msg("case %zu: %d %s", i, status, err.text);
        }
    }
}

static void tokenizer_other_models_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "tokenizer.json"},
        {"[]", "the model type is \"none\""},
        {"{\"model\":{\"type\":\"Unigram\"}}", "Unigram"},
        {"{\"model\":{\"type\":\"BPE\"},\"decoder\":{\"type\":\"ByteLevel\"},"
         "\"pre_tokenizer\":" FIXTURE_SMOLLM "}",
         "model.vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{}},\"decoder\":{\"type\":\"ByteLevel\"},"
         "\"pre_tokenizer\":" FIXTURE_SMOLLM "}",
         "no tokens"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}},\"decoder\":{\"type\":\"ByteLevel\"},"
         "\"pre_tokenizer\":" FIXTURE_SMOLLM "}",
         "model.merges"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        const size_t length = strlen(cases[i].text);
        assert_int_not_equal(tokenizer_parse(cases[i].text, length, NULL, 0, &t, &err), FM_OK);
        if (!strstr(err.text, cases[i].part)) fail_msg("case %zu: %s", i, err.text);
    }
}

static void tokenizer_long_added_token_is_refused(void **state) {
    (void)state;
    char name[ADDED_MAX_LENGTH + 2];
    char added[sizeof(name) + 64];
    for (size_t length = ADDED_MAX_LENGTH; length <= ADDED_MAX_LENGTH + 1; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        snprintf(added, sizeof(added), "{\"id\":300,\"content\":\"%s\"}", name);
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        const fm_status status = fixture_parse(&(fixture_json){.added = added}, NULL, &t, &err);
        assert_int_equal(status, length > ADDED_MAX_LENGTH ? FM_ERR_LIMIT : FM_OK);
        fm_tokenizer_close(t);
    }
}

/* ---- tokenizer_config.json
 * ------------------------------------------------------------------------------ */

#define TEMPLATE(first)                                                                            \
    "{\"type\":\"TemplateProcessing\",\"single\":[" first                                          \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}"
#define LEADING "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"

static void tokenizer_bos_follows_config_and_post_processor(void **state) {
    (void)state;
    static const struct {
        const char *config, *post_processor;
        int32_t bos, eos;
        bool adds;
    } cases[] = {
        {NULL, "null", -1, -1, false},
        {"{}", "null", -1, -1, false},
        {"{\"bos_token\":\"<s>\"}", "null", 300, -1, false},
        {"{\"bos_token\":\"<s>\",\"add_bos_token\":true}", "null", 300, -1, true},
        {"{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":{\"content\":\"</s>\"}}", "null", 300,
         301, false},
        {"{\"bos_token\":null,\"eos_token\":\"</s>\"}", "null", -1, 301, false},
        {NULL, TEMPLATE(LEADING), 300, -1, true},
        {NULL, TEMPLATE(""), -1, -1, false},
        {"{\"add_bos_token\":false}", TEMPLATE(LEADING), 300, -1, false},
        {"{\"add_bos_token\":null}",
         "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE(LEADING) "]}",
         300, -1, true},
    };
    for (size_t i = 0; i < N(cases); i++) {
        char root[512];
        snprintf(root, sizeof(root), ",\"post_processor\":%s", cases[i].post_processor);
        const fixture_json part = {.root = root,
                                   .added = ADDED("300", "<s>", "") "," ADDED("301", "</s>", "")};
        fm_tokenizer *t = fixture_make(&part, cases[i].config);
        assert_int_equal(fm_tokenizer_bos(t), cases[i].bos);
        assert_int_equal(fm_tokenizer_eos(t), cases[i].eos);
        assert_int_equal(fm_tokenizer_adds_bos(t), cases[i].adds);
        fm_tokenizer_close(t);
    }
}

static void tokenizer_bad_config_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *config, *part;
    } cases[] = {
        {"{\"bos_token\":\"<s>\"}", "bos_token \"<s>\" is not a token"},
        {"{\"eos_token\":{\"content\":\"<s>\"}}", "eos_token \"<s>\" is not a token"},
        {"{\"add_bos_token\":true}", "bos_token names none"},
        {"{", "tokenizer_config.json"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        const fm_status status = fixture_parse(&(fixture_json){0}, cases[i].config, &t, &err);
        assert_int_equal(status, FM_ERR_FORMAT);
        if (!strstr(err.text, cases[i].part)) fail_msg("case %zu: %s", i, err.text);
    }
}

static void tokenizer_open_needs_tokenizer_json_alone(void **state) {
    (void)state;
    char dir[] = "/tmp/fathom-test-XXXXXX";
    char path[64];
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(fm_tokenizer_open(dir, &t, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
    char *text = fixture_write(&(fixture_json){0});
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    assert_int_equal(fm_tokenizer_open(dir, &t, &err), FM_OK);
    assert_int_equal(fm_tokenizer_vocab_size(t), 256);
    fm_tokenizer_close(t);
    free(text);
    unlink(path);
    rmdir(dir);
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
        cmocka_unit_test(tokenizer_settings_without_effect_are_accepted),
        cmocka_unit_test(tokenizer_bad_files_are_refused_by_name),
        cmocka_unit_test(tokenizer_other_models_are_refused),
        cmocka_unit_test(tokenizer_long_added_token_is_refused),
        cmocka_unit_test(tokenizer_bos_follows_config_and_post_processor),
        cmocka_unit_test(tokenizer_bad_config_is_refused),
        cmocka_unit_test(tokenizer_open_needs_tokenizer_json_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
