/* test_split_rules.c - split rules recognised by the text of tokenizer.json. */
#include "text/fixture.h"
#include "text/letters.h"
#include "text/split.h"

static fm_status recognise(const char *text, split_rule *out, fm_error *err) {
    json_doc *doc = NULL;
    const json_limits limits = {.max_bytes = 1 << 16, .max_depth = 32};
    assert_int_equal(json_parse("test", text, strlen(text), limits, &doc, err), FM_OK);
    fm_status status = split_recognise(json_root(doc), out, err);
    json_free(doc);
    return status;
}

#define SPLIT(regex, more)                                                                         \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\"" more "}"
#define HAN "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define LONG(newline)                                                                              \
    "[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|[^" newline                 \
    "\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[" newline                 \
    "]*|\\\\s*[" newline "]+|\\\\s+(?!\\\\S)|\\\\s+"
#define BYTES           "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SEQUENCE(steps) "{\"type\":\"Sequence\",\"pretokenizers\":[" steps "]}"

#define CJK             "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
#define LLM_PUNCTUATION "\\\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
#define GPT2            "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define CODER                                                                                      \
    SPLIT("[\\r\\n]", "")                                                                          \
    "," SPLIT("\\\\s?\\\\p{L}+", "") "," SPLIT("\\\\s?\\\\p{P}+", "") "," SPLIT(CJK, "")
#define LLAMA3(numbers)                                                                            \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" numbers                \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define REMOVED(regex)                                                                             \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex                                          \
    "\"},\"behavior\":\"Removed\",\"invert\":true}"

static void split_known_rules_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *text;
        split_rule rule;
    } cases[] = {
        {FIXTURE_SMOLLM, SPLIT_RULE_SMOLLM},
        {GPT2, SPLIT_RULE_GPT2},
        {SEQUENCE(GPT2), SPLIT_RULE_GPT2},
        {SEQUENCE(CODER "," FIXTURE_DIGITS "," BYTES), SPLIT_RULE_DEEPSEEK_CODER},
        {SEQUENCE(CODER "," SPLIT("\\\\p{N}", "") "," BYTES), SPLIT_RULE_DEEPSEEK_CODER_GGUF},
        {SEQUENCE(SPLIT(LLAMA3("\\\\p{N}{1,3}"), "") "," BYTES), SPLIT_RULE_LLAMA3},
        {SEQUENCE(REMOVED(LLAMA3("\\\\p{N}{1,3}")) "," BYTES), SPLIT_RULE_LLAMA3},
        {SEQUENCE(SPLIT(LLAMA3("\\\\p{N}"), "") "," BYTES), SPLIT_RULE_QWEN2},
        {SEQUENCE(REMOVED(LLAMA3("\\\\p{N}")) "," BYTES), SPLIT_RULE_QWEN2},
        {SEQUENCE(SPLIT("\\\\p{N}{1,3}", ",\"invert\":false") "," SPLIT(HAN, "") "," SPLIT(
             LONG("\\r\\n"), "") "," BYTES),
         SPLIT_RULE_DEEPSEEK_V3},
        /* The pattern may hold the newlines or their escapes, and sequences may be nested. */
        {SEQUENCE(SEQUENCE(SPLIT("\\\\p{N}{1,3}", "") "," SPLIT(HAN, "")) "," SPLIT(
             LONG("\\\\r\\\\n"), "") "," BYTES),
         SPLIT_RULE_DEEPSEEK_V3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        split_rule rule = SPLIT_RULE_COUNT;
        fm_error err = {0};
        assert_int_equal(recognise(cases[i].text, &rule, &err), FM_OK);
        assert_int_equal(rule, cases[i].rule);
    }
}

/** The letters are listed in the pattern of deepseek-llm: a list with one more is another rule. */
static void split_rule_with_listed_letters_is_recognised(void **state) {
    (void)state;
    char letters[LETTERS_PATTERN_SIZE], text[4096];
    letters_pattern(letters);
    static const struct {
        const char *more, *last;
        split_rule rule;
    } cases[] = {
        {"", FIXTURE_DIGITS, SPLIT_RULE_DEEPSEEK_LLM},
        {"", SPLIT("\\\\p{N}+", ""), SPLIT_RULE_DEEPSEEK_LLM_RUNS},
        {"\u0628", FIXTURE_DIGITS, SPLIT_RULE_COUNT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text,
                 SEQUENCE(SPLIT("[\\r\\n]", "") "," SPLIT("\\\\s?[%s%s]+", "") "," SPLIT(
                     LLM_PUNCTUATION, "") "," SPLIT("\\\\s+$", "") "," SPLIT(CJK, "") ",%s," BYTES),
                 letters, cases[i].more, cases[i].last);
        split_rule rule = SPLIT_RULE_COUNT;
        fm_error err = {0};
        bool known = cases[i].rule != SPLIT_RULE_COUNT;
        assert_int_equal(recognise(text, &rule, &err), known ? FM_OK : FM_ERR_UNSUPPORTED);
        assert_int_equal(rule, cases[i].rule);
    }
}

static void split_unknown_rule_is_refused_by_its_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"null", ": none"},
        {"{\"type\":\"Metaspace\"}", ": Metaspace"},
        {"{\"type\":\"ByteLevel\"}", "ByteLevel(gpt-2 rule)(adds a space in front)"},
        {SEQUENCE(FIXTURE_DIGITS "," BYTES), "Digits(one by one) ByteLevel"},
        {SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":false}"), "Digits(in runs)"},
        {SEQUENCE(SPLIT("\\\\p{N}{1,2}", "")), "Split(\\p{N}{1,2})"},
        {SEQUENCE(SPLIT("\\r", ",\"invert\":true")), "Split(\\r, inverted)"},
        {"{\"type\":\"Split\",\"pattern\":{\"String\":\"ab\"},\"behavior\":\"Removed\"}",
         "Split(the string ab, Removed)"},
        {"{\"type\":\"Split\"}", "Split(the string ?, ?)"},
        {SEQUENCE(SEQUENCE(SEQUENCE(SEQUENCE(SEQUENCE("7"))))), ": Sequence"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        split_rule rule = SPLIT_RULE_COUNT;
        fm_error err = {0};
        assert_int_equal(recognise(cases[i].text, &rule, &err), FM_ERR_UNSUPPORTED);
        if (!strstr(err.text, cases[i].part)) fail_msg("%s", err.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_known_rules_are_recognised),
        cmocka_unit_test(split_rule_with_listed_letters_is_recognised),
        cmocka_unit_test(split_unknown_rule_is_refused_by_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
