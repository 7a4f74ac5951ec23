/* test_chat_template.c - the template and the names that a model directory carries, and the
 * built-in layouts as templates. */
#include "support/temp_dir.h"
#include "text/template_rows.h"

static fm_chat_template *open_dir(const temp_dir *dir, const char *name) {
    fm_chat_template *c = NULL;
    fm_error err = {0};
    if (fm_chat_template_open(dir->path, name, &c, &err) != FM_OK) fail_msg("%s", err.text);
    return c;
}

static void expect_text(const fm_chat_template *c, const char *expected) {
    size_t length;
    const char *text = fm_chat_template_text(c, &length);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void chat_template_is_the_directorys(void **state) {
    const temp_dir *dir = *state;
    static const char one[] = "{\"chat_template\":\"one\",\"bos_token\":\"<s>\","
                              "\"eos_token\":{\"content\":\"</s>\"},\"pad_token\":null,"
                              "\"add_bos_token\":true,\"x_tokens\":\"no\"}";
    fm_chat_template *c = open_dir(dir, NULL); /* an empty directory carries none */
    size_t n;
    expect_text(c, NULL);
    fm_chat_template_names(c, &n);
    assert_int_equal(n, 0);
    fm_chat_template_close(c);

    temp_dir_write_text(dir, "tokenizer_config.json", one);
    c = open_dir(dir, NULL);
    expect_text(c, "one");
    const fm_template_name *names = fm_chat_template_names(c, &n);
    assert_int_equal(n, 2);
    assert_string_equal(names[0].name, "bos_token");
    assert_string_equal(names[0].text, "<s>");
    assert_string_equal(names[1].name, "eos_token");
    assert_string_equal(names[1].text, "</s>");
    fm_chat_template_close(c);

    temp_dir_write_text(dir, "chat_template.jinja", "file\n"); /* goes before the key */
    c = open_dir(dir, NULL);
    expect_text(c, "file\n");
    fm_chat_template_names(c, &n);
    assert_int_equal(n, 2);
    fm_chat_template_close(c);
}

static void chat_template_is_chosen_by_name(void **state) {
    const temp_dir *dir = *state;
    static const char several[] =
        "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},"
        "{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"broken\"}]}";
    fm_chat_template *c;
    fm_error err = {0};
    temp_dir_write_text(dir, "tokenizer_config.json", several);
    c = open_dir(dir, NULL);
    expect_text(c, "d");
    fm_chat_template_close(c);
    c = open_dir(dir, "tool_use");
    expect_text(c, "t");
    fm_chat_template_close(c);
    fm_status status = fm_chat_template_open(dir->path, "broken", &c, &err);
    expect_error("broken", status, &err, FM_ERR_NOT_FOUND, "no chat template \"broken\"");
    assert_null(c);
}

static void chat_template_faults_are_reported(void **state) {
    const temp_dir *dir = *state;
    fm_chat_template *c;
    fm_error err = {0};
    fm_status status = fm_chat_template_open("/nonexistent", NULL, &c, &err);
    expect_error("no directory", status, &err, FM_ERR_NOT_FOUND, "no such directory");
    status = fm_chat_template_open(dir->path, "x", &c, &err);
    expect_error("no file", status, &err, FM_ERR_NOT_FOUND, "tokenizer_config.json");
    temp_dir_write_text(dir, "tokenizer_config.json", "{");
    status = fm_chat_template_open(dir->path, NULL, &c, &err);
    expect_error("malformed", status, &err, FM_ERR_FORMAT, "tokenizer_config.json");
    assert_null(c);
    fm_chat_template_close(NULL);
}

/* ---- Layouts --------------------------------------------------------------------------------- */

#define BOS "<｜begin▁of▁sentence｜>"
#define EOS "<｜end▁of▁sentence｜>"
#define TALK                                                                                       \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"U\"}" \
    ","                                                                                            \
    "{\"role\":\"assistant\",\"content\":\"<think>r</think>A\"},"                                  \
    "{\"role\":\"user\",\"content\":\"V\"}],\"add_generation_prompt\":true"

static void chat_layouts_are_written_as_published(void **state) {
    (void)state;
    static const struct {
        const char *layout, *input, *expected;
    } rows[] = {
        {"deepseek-llm", TALK "}",
         BOS "S\n\nUser: U\n\nAssistant: <think>r</think>A" EOS "User: V\n\nAssistant:"},
        {"deepseek-coder", TALK "}",
         BOS "S\n### Instruction:\nU\n### Response:\n<think>r</think>A\n<|EOT|>\n"
             "### Instruction:\nV\n### Response:\n"},
        {"deepseek-v3", TALK "}",
         BOS "S<｜User｜>U<｜Assistant｜><think>r</think>A" EOS "<｜User｜>V<｜Assistant｜>"},
        {"deepseek-r1", TALK "}",
         BOS "S<｜User｜>U<｜Assistant｜>A" EOS "<｜User｜>V<｜Assistant｜><think>\n"},
        {"deepseek-v3.1", TALK "}",
         BOS "S<｜User｜>U<｜Assistant｜></think>A" EOS "<｜User｜>V<｜Assistant｜></think>"},
        {"deepseek-v3.1", TALK ",\"thinking\":true}",
         BOS "S<｜User｜>U<｜Assistant｜></think>A" EOS "<｜User｜>V<｜Assistant｜><think>"},
        {"chatml", "{\"messages\":[{\"role\":\"user\",\"content\":\" U\\n\"}]}",
         "<|im_start|>user\n U\n<|im_end|>\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *layout = fm_chat_layout_text(rows[i].layout);
        assert_non_null(layout);
        char *text = template_render_text(layout, rows[i].input);
        assert_string_equal(text, rows[i].expected);
        free(text);
    }
    assert_null(fm_chat_layout_text("llama"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chat_template_is_the_directorys, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(chat_template_is_chosen_by_name, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(chat_template_faults_are_reported, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test(chat_layouts_are_written_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
