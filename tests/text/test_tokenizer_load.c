/* test_tokenizer_load.c - what tokenizer.json and tokenizer_config.json may say, and what is
 * refused. */
#include "text/fixture.h"

#include <unistd.h>

/* ---- Files ----------------------------------------------------------------------------------- */

static void tokenizer_load_settings_without_effect_are_accepted(void **state) {
    (void)state;
    fixture_json part = {
        .merges = "[\"a\",\"b\"]",
        .vocab = ",\"ab\":256",
        .model = ",\"dropout\":0.0,\"unk_token\":\"a\",\"continuing_subword_prefix\":\"\","
                 "\"end_of_word_suffix\":null,\"byte_fallback\":false,\"fuse_unk\":true",
        .root = ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]},\"truncation\":null",
    };
    fm_tokenizer *t = fixture_make(&part, NULL);
    int32_t expected = 256;
    fm_tokens tokens = fixture_encode(t, "ab", 2, FM_ENCODE_ADDED);
    fixture_expect_ids(&tokens, &expected, 1);
    fm_tokens_free(&tokens);
    fm_tokenizer_close(t);
}

#define ADDED(id, content, more) "{\"id\":" id ",\"content\":\"" content "\"" more "}"

static void tokenizer_load_bad_files_are_refused_by_name(void **state) {
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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        fm_status status = fixture_parse(&cases[i].part, NULL, &t, &err);
        assert_null(t);
        assert_int_equal(err.status, status);
        if (status != cases[i].status || !strstr(err.text, cases[i].text))
            fail_msg("case %zu: %d %s", i, status, err.text);
    }
}

static void tokenizer_load_other_models_are_refused(void **state) {
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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        size_t length = strlen(cases[i].text);
        assert_int_not_equal(tokenizer_parse(cases[i].text, length, NULL, 0, &t, &err), FM_OK);
        if (!strstr(err.text, cases[i].part)) fail_msg("case %zu: %s", i, err.text);
    }
}

static void tokenizer_load_long_added_token_is_refused(void **state) {
    (void)state;
    char name[ADDED_MAX_LENGTH + 2];
    char added[sizeof name + 64];
    for (size_t length = ADDED_MAX_LENGTH; length <= ADDED_MAX_LENGTH + 1; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        snprintf(added, sizeof added, "{\"id\":300,\"content\":\"%s\"}", name);
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        fm_status status = fixture_parse(&(fixture_json){.added = added}, NULL, &t, &err);
        assert_int_equal(status, length > ADDED_MAX_LENGTH ? FM_ERR_LIMIT : FM_OK);
        fm_tokenizer_close(t);
    }
}

/* ---- tokenizer_config.json ------------------------------------------------------------------- */

#define TEMPLATE(first)                                                                            \
    "{\"type\":\"TemplateProcessing\",\"single\":[" first                                          \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}"
#define LEADING "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"

static void tokenizer_load_bos_follows_config_and_post_processor(void **state) {
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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char root[512];
        snprintf(root, sizeof root, ",\"post_processor\":%s", cases[i].post_processor);
        fixture_json part = {.root = root,
                             .added = ADDED("300", "<s>", "") "," ADDED("301", "</s>", "")};
        fm_tokenizer *t = fixture_make(&part, cases[i].config);
        assert_int_equal(fm_tokenizer_bos(t), cases[i].bos);
        assert_int_equal(fm_tokenizer_eos(t), cases[i].eos);
        assert_int_equal(fm_tokenizer_adds_bos(t), cases[i].adds);
        fm_tokenizer_close(t);
    }
}

static void tokenizer_load_bad_config_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *config, *part;
    } cases[] = {
        {"{\"bos_token\":\"<s>\"}", "bos_token \"<s>\" is not a token"},
        {"{\"eos_token\":{\"content\":\"<s>\"}}", "eos_token \"<s>\" is not a token"},
        {"{\"add_bos_token\":true}", "bos_token names none"},
        {"{", "tokenizer_config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        fm_status status = fixture_parse(&(fixture_json){0}, cases[i].config, &t, &err);
        assert_int_equal(status, FM_ERR_FORMAT);
        if (!strstr(err.text, cases[i].part)) fail_msg("case %zu: %s", i, err.text);
    }
}

static void tokenizer_load_open_needs_tokenizer_json_alone(void **state) {
    (void)state;
    char dir[] = "/tmp/fathom-test-XXXXXX";
    char path[64];
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(fm_tokenizer_open(dir, &t, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
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
        cmocka_unit_test(tokenizer_load_settings_without_effect_are_accepted),
        cmocka_unit_test(tokenizer_load_bad_files_are_refused_by_name),
        cmocka_unit_test(tokenizer_load_other_models_are_refused),
        cmocka_unit_test(tokenizer_load_long_added_token_is_refused),
        cmocka_unit_test(tokenizer_load_bos_follows_config_and_post_processor),
        cmocka_unit_test(tokenizer_load_bad_config_is_refused),
        cmocka_unit_test(tokenizer_load_open_needs_tokenizer_json_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
