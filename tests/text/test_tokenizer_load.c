/* test_tokenizer_load.c - what tokenizer.json and the files beside it may say, and what is
 * refused. */
#include "support/expect.h"
#include "support/temp_dir.h"
#include "text/fixture.h"

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
        {"[]", "tokenizer_config.json: is no object"},
        {"null", "tokenizer_config.json: is no object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_tokenizer *t = NULL;
        fm_error err = {0};
        fm_status status = fixture_parse(&(fixture_json){0}, cases[i].config, &t, &err);
        assert_int_equal(status, FM_ERR_FORMAT);
        if (!strstr(err.text, cases[i].part)) fail_msg("case %zu: %s", i, err.text);
    }
}

/* ---- Directories ----------------------------------------------------------------------------- */

static void write_tokenizer(const temp_dir *dir, const fixture_json *part) {
    char *text = fixture_write(part);
    temp_dir_write_text(dir, "tokenizer.json", text);
    free(text);
}

static void tokenizer_load_open_needs_tokenizer_json_alone(void **state) {
    const temp_dir *dir = *state;
    fm_tokenizer *t = NULL;
    fm_error err = {0};
    assert_int_equal(fm_tokenizer_open(dir->path, &t, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    write_tokenizer(dir, &(fixture_json){0});
    t = fixture_open(dir->path);
    assert_int_equal(fm_tokenizer_vocab_size(t), 256);
    fm_tokenizer_close(t);
}

/** The files beside tokenizer.json may be absent, but one that is there must be usable. */
/** False, with the reason, where there are none: Emscripten makes a file. */
static bool make_fifo(const char *path) {
    struct stat made;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(stat(path, &made), 0);
    if (S_ISFIFO(made.st_mode)) return true;
    print_message("skip: no pipes in this file system\n");
    assert_int_equal(remove(path), 0);
    return false;
}

static void tokenizer_load_odd_files_are_refused(void **state) {
    const temp_dir *dir = *state;
    static const char *const files[] = {"tokenizer_config.json", "chat_template.jinja"};
    write_tokenizer(dir, &(fixture_json){0});
    for (int i = 0; i < 6; i++) {
        char path[TEMP_PATH_SIZE], word[64];
        fm_tokenizer *t;
        fm_error err = {0};
        static const char *const words[] = {"device or pipe", "is a directory", "leads nowhere"};
        temp_dir_path(dir, files[i / 3], path);
        if (i % 3 == 0 && !make_fifo(path)) continue;
        if (i % 3 == 1) assert_int_equal(mkdir(path, 0700), 0);
        if (i % 3 == 2) assert_int_equal(symlink("nowhere", path), 0);
        fm_status status = i % 3 == 2 ? FM_ERR_NOT_FOUND : FM_ERR_IO;
        snprintf(word, sizeof word, "%s: is a ", files[i / 3]);
        expect_error(path, fm_tokenizer_open(dir->path, &t, &err), &err, status, word);
        expect_error(path, err.status, &err, status, words[i % 3]);
        assert_null(t);
        assert_int_equal(remove(path), 0);
    }
    fm_tokenizer_close(fixture_open(dir->path));
}

static void tokenizer_load_errors_say_which_directory(void **state) {
    const temp_dir *dir = *state;
    fm_tokenizer *t;
    fm_error err = {0};
    write_tokenizer(dir, &(fixture_json){.decoder = "null"});
    expect_error("decoder", fm_tokenizer_open(dir->path, &t, &err), &err, FM_ERR_UNSUPPORTED,
                 "tokenizer.json: the decoder");
    assert_non_null(strstr(err.text, dir->path));
}

#define USER "<｜User｜>"
#define R1   "{{'<｜Assistant｜><think>\\n'}}"
#define V3   "{{'<｜Assistant｜>'}}"

/** A template in a file of its own is the one that holds. */
static void tokenizer_load_template_file_decides_the_layout(void **state) {
    const temp_dir *dir = *state;
    static const struct {
        const char *config, *template, *layout;
    } cases[] = {
        {NULL, R1, "deepseek-r1"},
        {NULL, "<｜Assistant｜><think>\n", "deepseek-r1"},
        {NULL, V3, "deepseek-v3"},
        {NULL, "", "deepseek-v3"},
        {"{\"chat_template\":\"" V3 "\"}", R1, "deepseek-r1"},
        {"{\"chat_template\":\"<｜Assistant｜><think>\\n\"}", V3, "deepseek-v3"},
    };
    write_tokenizer(dir, &(fixture_json){.added = ADDED("300", USER, "")});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        temp_dir_write_text(dir, "chat_template.jinja", cases[i].template);
        temp_dir_write_text(dir, "tokenizer_config.json", cases[i].config ? cases[i].config : "{}");
        fm_tokenizer *t = fixture_open(dir->path);
        assert_string_equal(fm_chat_layout(t), cases[i].layout);
        fm_tokenizer_close(t);
    }
}

static void tokenizer_load_template_file_has_a_limit(void **state) {
    const temp_dir *dir = *state;
    enum { LIMIT = 1 << 20 };
    char *text = malloc(LIMIT + 1);
    assert_non_null(text);
    memset(text, ' ', LIMIT + 1);
    write_tokenizer(dir, &(fixture_json){0});
    temp_dir_write(dir, "chat_template.jinja", text, LIMIT);
    fm_tokenizer_close(fixture_open(dir->path));
    temp_dir_write(dir, "chat_template.jinja", text, LIMIT + 1);
    free(text);
    fm_tokenizer *t;
    fm_error err = {0};
    expect_error("template", fm_tokenizer_open(dir->path, &t, &err), &err, FM_ERR_LIMIT,
                 "chat_template.jinja");
    assert_null(t);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_load_settings_without_effect_are_accepted),
        cmocka_unit_test(tokenizer_load_bad_files_are_refused_by_name),
        cmocka_unit_test(tokenizer_load_other_models_are_refused),
        cmocka_unit_test(tokenizer_load_long_added_token_is_refused),
        cmocka_unit_test(tokenizer_load_bos_follows_config_and_post_processor),
        cmocka_unit_test(tokenizer_load_bad_config_is_refused),
        IN_DIR(tokenizer_load_open_needs_tokenizer_json_alone),
        IN_DIR(tokenizer_load_odd_files_are_refused),
        IN_DIR(tokenizer_load_errors_say_which_directory),
        IN_DIR(tokenizer_load_template_file_decides_the_layout),
        IN_DIR(tokenizer_load_template_file_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
