/* test_parts_write.c - the formats of answers: which one a model has, and what none can write. */
#include "support/expect.h"
#include "support/parts_trace.h"
#include "text/fixture.h"
#include "text/parts_marks.h"

static const fm_parts_format r1_opened = {"deepseek-r1", true}, v3 = {"deepseek-v3", false};
static const fm_parts_format v31 = {"deepseek-v3.1", false};
static const fm_parts_format think = {"think", false}, think_opened = {"think", true};

static void parts_unknown_formats_are_refused(void **state) {
    (void)state;
    static const struct {
        fm_parts_format format;
        const char *word;
    } cases[] = {{{"deepseek", false}, "use deepseek-r1, deepseek-v3"},
                 {{NULL, false}, "not known"},
                 {{"none", true}, "no reasoning"},
                 {{"deepseek-v3", true}, "no reasoning"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fm_error err = {0};
        fm_parts *p = (fm_parts *)&err;
        expect_error(cases[i].word, fm_parts_new(cases[i].format, parts_trace_take, NULL, &p, &err),
                     &err, FM_ERR_ARG, cases[i].word);
        assert_null(p);
        err = (fm_error){0};
        expect_error(cases[i].word,
                     fm_parts_write(cases[i].format, NULL, 0, parts_text_take, NULL, &err), &err,
                     FM_ERR_ARG, cases[i].word);
    }
}

#define TEXT(k, t)                                                                                 \
    { .kind = FM_PART_##k, .text = (t), .length = sizeof(t) - 1 }
#define MARK(k)                                                                                    \
    { .kind = FM_PART_##k }
#define A_CALL(n, t)                                                                               \
    { .kind = FM_PART_CALL, .name = (n), .name_length = sizeof(n) - 1, TEXT_OF(t) }
#define TEXT_OF(t) .text = (t), .length = sizeof(t) - 1

static void parts_that_no_answer_has_are_not_written(void **state) {
    static char long_name[FM_MAX_CALL_NAME + 1], long_text[FM_MAX_CALL_ARGUMENTS + 1];
    memset(long_name, 'a', sizeof long_name);
    memset(long_text, '1', sizeof long_text);
    const struct {
        fm_parts_format format;
        fm_part parts[3];
        size_t n;
        fm_status status;
        const char *word;
    } cases[] = {
        {think, {TEXT(ANSWER, "a"), TEXT(REASONING, "b")}, 2, FM_ERR_ARG, "part 2: reasoning"},
        {v31, {A_CALL("a", "{}"), TEXT(REASONING, "b")}, 2, FM_ERR_ARG, "part 2: reasoning"},
        {think, {MARK(REASONING_END)}, 1, FM_ERR_ARG, "part 1: no reasoning"},
        {think, {TEXT(REASONING, "a"), TEXT(ANSWER, "b")}, 2, FM_ERR_ARG, "part 2: text needs"},
        {think_opened, {TEXT(ANSWER, "b")}, 1, FM_ERR_ARG, "part 1: text needs"},
        {think_opened, {MARK(REASONING_END), TEXT(REASONING, "b")}, 2, FM_ERR_ARG, "part 2"},
        {think, {A_CALL("a", "{}")}, 1, FM_ERR_ARG, "format think"},
        {v3, {TEXT(REASONING, "a")}, 1, FM_ERR_ARG, "part 1: reasoning"},
        {r1_opened, {A_CALL("a", "{}")}, 1, FM_ERR_ARG, "part 1: a call"},
        {v3, {MARK(CALLS_END)}, 1, FM_ERR_ARG, "no calls to end"},
        {v3, {A_CALL("", "{}")}, 1, FM_ERR_ARG, "a name is empty"},
        {v3, {TEXT(ANSWER, "a"), A_CALL("a\nb", "{}")}, 2, FM_ERR_ARG, "part 2: a name"},
        {v31, {A_CALL("a<b", "{}")}, 1, FM_ERR_ARG, "a name"},
        {v31, {A_CALL(long_name, "{}")}, 1, FM_ERR_LIMIT, "256"},
        {v31, {A_CALL("a", long_text)}, 1, FM_ERR_LIMIT, "1048576"},
        {v31, {{.kind = (fm_part_kind)9}}, 1, FM_ERR_ARG, "kind"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parts_text written = {0};
        fm_part parts[3];
        fm_error err = {0};
        memcpy(parts, cases[i].parts, sizeof parts);
        if (parts[0].name == long_name) parts[0].name_length = sizeof long_name;
        if (parts[0].text == long_text) parts[0].length = sizeof long_text;
        expect_error(
            cases[i].word,
            fm_parts_write(cases[i].format, parts, cases[i].n, parts_text_take, &written, &err),
            &err, cases[i].status, cases[i].word);
        assert_null(written.bytes);
    }
}

static void parts_of_too_many_calls_are_not_written(void **state) {
    static fm_part parts[FM_MAX_CALLS + 1];
    parts_text written = {0};
    fm_error err = {0};
    (void)state;
    for (int i = 0; i <= FM_MAX_CALLS; i++) parts[i] = (fm_part)A_CALL("a", "1");
    assert_int_equal(fm_parts_write(v31, parts, FM_MAX_CALLS, parts_text_take, &written, NULL),
                     FM_OK);
    free(written.bytes);
    written = (parts_text){0};
    expect_error("129 calls",
                 fm_parts_write(v31, parts, FM_MAX_CALLS + 1, parts_text_take, &written, &err),
                 &err, FM_ERR_LIMIT, "part 129: at most 128 calls");
    assert_null(written.bytes);
}

/** Marks are told from all else, so that what people write cannot become one. */
static void parts_are_written_with_marks_apart(void **state) {
    static const fm_part parts[] = {TEXT(ANSWER, "a" CALL), A_CALL("b", "\"" CALL_END "\""),
                                    MARK(CALLS_END)};
    parts_text written = {0};
    (void)state;
    assert_int_equal(fm_parts_write(v31, parts, 3, parts_text_take, &written, NULL), FM_OK);
    assert_string_equal(written.bytes, "a" CALL CALLS V31_CALL("b", "\"" CALL_END "\"") CALLS_END);
    assert_int_equal(written.n_marks,
                     strlen(CALLS) + strlen(CALL SEP CALL_END) + strlen(CALLS_END));
    free(written.bytes);
}

/** The prompt's tail, over a byte vocabulary with the marks of a family. */
static void parts_format_goes_by_vocabulary_and_prompt(void **state) {
    static const struct {
        const char *added, *config, *prompt, *name;
        bool in_reasoning;
    } cases[] = {
        {"", NULL, "<think>", "none", false},
        {"<think>", NULL, "a<think>", "think", true},
        {"<think>", NULL, "a<think>\n \r\t", "think", true},
        {"<think>", NULL, "<think>a", "think", false},
        {"<think>", NULL, "\n", "think", false},
        {"<think>", NULL, "", "think", false},
        {"<think>", NULL, "think>", "think", false},
        {"<think>", NULL, "<th ink>", "think", false},
        {"<think>", NULL, "a</think>", "think", false},
        {"<｜User｜>" CALLS, NULL, "<think>", "deepseek-v3", false},
        {"<｜User｜><think>" CALLS, NULL, "</think>", "deepseek-v3.1", false},
        {"<｜User｜><think>" CALLS, NULL, "<think>", "deepseek-v3.1", true},
        {"<｜User｜>", "{\"chat_template\":\"<｜Assistant｜><think>\\\\n\"}", "<think>\n",
         "deepseek-r1", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char added[512] = "";
        size_t n = 0;
        int id = 300;
        for (const char *mark = cases[i].added; *mark; mark = strchr(mark, '>') + 1)
            n += (size_t)snprintf(added + n, sizeof added - n, "%s{\"id\":%d,\"content\":\"%.*s\"}",
                                  n ? "," : "", id++, (int)(strchr(mark, '>') + 1 - mark), mark);
        fm_tokenizer *t = fixture_make(&(fixture_json){.added = added}, cases[i].config);
        for (int mode = FM_ENCODE_ADDED; mode <= FM_ENCODE_PLAIN; mode++) {
            fm_tokens prompt =
                fixture_encode(t, cases[i].prompt, strlen(cases[i].prompt), (fm_encode_mode)mode);
            fm_parts_format format = fm_parts_format_get(t, prompt.ids, prompt.count);
            assert_string_equal(format.name, cases[i].name);
            assert_int_equal(format.in_reasoning, cases[i].in_reasoning);
            fm_tokens_free(&prompt);
        }
        fm_tokenizer_close(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_unknown_formats_are_refused),
        cmocka_unit_test(parts_that_no_answer_has_are_not_written),
        cmocka_unit_test(parts_of_too_many_calls_are_not_written),
        cmocka_unit_test(parts_are_written_with_marks_apart),
        cmocka_unit_test(parts_format_goes_by_vocabulary_and_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
