/* test_split.c - texts cut into pieces, and rules recognised. */
#include "text/fixture.h"
#include "text/split.h"

#define V3 SPLIT_RULE_DEEPSEEK_V3
#define SM SPLIT_RULE_SMOLLM

/** The pieces as one text, '|' between them; none of the texts contains one. */
static void expect_pieces(split_rule rule, const char *text, const char *expected) {
    char joined[512] = "";
    size_t n = 0;
    split s = split_begin(rule, (const uint8_t *)text, strlen(text));
    for (size_t start, end; split_next(&s, &start, &end);) {
        if (n > 0) joined[n++] = '|';
        memcpy(joined + n, text + start, end - start);
        n += end - start;
    }
    joined[n] = '\0';
    assert_string_equal(joined, expected);
}

/* Every line was taken from the reference library. */
static const struct {
    split_rule rule;
    const char *text, *pieces;
} reference_cases[] = {
    {V3, "", ""},
    {V3, "a\nb", "a|\n|b"},
    {V3, "\r\nx", "\r\n|x"},
    {V3, "\na", "\n|a"},
    {V3, "abc def", "abc| def"},
    {V3, " abc", " abc"},
    {V3, "a  b", "a| | b"},
    {V3, "a   b", "a|  | b"},
    {V3, "a \n b", "a| \n| b"},
    {V3, "x  ", "x|  "},
    {V3, "x \r\n\r\n  y", "x| \r\n\r\n| | y"},
    {V3, "\n\n", "\n\n"},
    {V3, "12345678", "123|456|78"},
    {V3, "a1b22", "a|1|b|22"},
    {V3, "1,234.5", "1|,|234|.|5"},
    {V3, "3.14", "3|.|14"},
    {V3, "٣٤٥٦", "٣٤٥|٦"},
    {V3, "½²", "½²"},
    {V3, "!ab", "!ab"},
    {V3, "!!ab", "!!|ab"},
    {V3, "_a_b", "_a|_b"},
    {V3, "#tag @me", "#tag| @|me"},
    {V3, "a.b...\n\nc", "a|.b|...\n\n|c"},
    {V3, " !?", " !?"},
    {V3, "  !?", " | !?"},
    {V3, "!é", "!|é"},
    {V3, "!\u0301", "!|\u0301"},
    {V3, "e\u0301x", "e\u0301x"},
    {V3, "\u0301x", "\u0301x"},
    {V3, "\u200ba", "\u200ba"},
    {V3, "\u200b\u200ba", "\u200b|\u200ba"},
    {V3, "\u200b 1", "\u200b| |1"},
    {V3, "中文字", "中文字"},
    {V3, "ab中文cd", "ab|中文|cd"},
    {V3, "中1文", "中|1|文"},
    {V3, "ア・イ", "ア|・|イ"},
    {V3, "か\u3099が", "か\u3099が"},
    {V3, "\u3040あ", "\u3040あ"},
    {V3, "一\u3001二", "一|\u3001|二"},
    {V3, "龥龦", "龥|龦"},
    {V3, "가나 다", "가나| 다"},
    {V3, "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928\u092e\u0938\u094d\u0924\u0947"},
    {V3, "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"},
    {V3, "a\u00a0b", "a|\u00a0b"},
    {V3, "\u3000\u3000x", "\u3000|\u3000x"},
    {V3, "\302\205\u2028x", "\302\205|\u2028x"},
    {V3, "I'm", "I|'m"},
    {V3, "you're", "you|'re"},
    {V3, "don't!", "don|'t|!"},
    {V3, "😀 a", "😀| a"},
    {V3, "\U00011de0\U00011de1a", "\U00011de0|\U00011de1a"},
    {V3, "$x = a->b[3];", "$x| =| a|->|b|[|3|];"},
    {V3, "\tif (x)", "\tif| (|x|)"},
    {V3, "$$", "$$"},
    {SM, "!\U00011de0!", "!|\U00011de0|!"},
    {SM, "a\nb", "a|\n|b"},
    {SM, "abc def", "abc| def"},
    {SM, " abc", " abc"},
    {SM, "a  b", "a| | b"},
    {SM, "a   b", "a|  | b"},
    {SM, "a \n b", "a| \n| b"},
    {SM, "x  ", "x|  "},
    {SM, "x \r\n\r\n  y", "x| \r\n\r\n | y"},
    {SM, "\n\n", "\n\n"},
    {SM, "1234", "1|2|3|4"},
    {SM, "a1b22", "a|1|b|2|2"},
    {SM, " 1", " |1"},
    {SM, "  12", "  |1|2"},
    {SM, "3.14", "3|.|1|4"},
    {SM, "٣½Ⅻ", "٣|½|Ⅻ"},
    {SM, "\U00011de0\U00011de1a", "\U00011de0|\U00011de1|a"},
    {SM, "I'm you're we've they'll he'd it's don't",
     "I|'m| you|'re| we|'ve| they|'ll| he|'d| it|'s| don|'t"},
    {SM, "I'M", "I|'|M"},
    {SM, "'", "'"},
    {SM, "''s", "''|s"},
    {SM, " 's", " '|s"},
    {SM, "'x", "'|x"},
    {SM, "a's'b", "a|'s|'|b"},
    {SM, "!ab", "!|ab"},
    {SM, "!!ab", "!!|ab"},
    {SM, "_a_b", "_|a|_|b"},
    {SM, "a.b...\n\nc", "a|.|b|...|\n|\n|c"},
    {SM, " !?", " !?"},
    {SM, "  !?", " | !?"},
    {SM, "e\u0301x", "e|\u0301|x"},
    {SM, "\u200ba", "\u200b|a"},
    {SM, "中文字", "中文字"},
    {SM, "ab中文cd", "ab中文cd"},
    {SM, "ア・イ", "ア|・|イ"},
    {SM, "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928\u092e\u0938|\u094d|\u0924|\u0947"},
    {SM, "a\u00a0b", "a|\u00a0|b"},
    {SM, "\u3000\u3000x", "\u3000|\u3000|x"},
    {SM, "\302\205\u2028x", "\302\205|\u2028|x"},
    {SM, "😀 a", "😀| a"},
    {SM, "$x = a->b[3];", "$|x| =| a|->|b|[|3|];"},
    {SM, "\tif (x)", "\t|if| (|x|)"},
};

static void split_pieces_are_those_of_the_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof reference_cases / sizeof reference_cases[0]; i++)
        expect_pieces(reference_cases[i].rule, reference_cases[i].text, reference_cases[i].pieces);
}

static size_t count_pieces(split_rule rule, const char *text, size_t length) {
    size_t n = 0;
    split s = split_begin(rule, (const uint8_t *)text, length);
    for (size_t start, end; split_next(&s, &start, &end);) n++;
    return n;
}

/** Each of these would take a quadratic matcher hours. */
static void split_long_runs_give_few_pieces(void **state) {
    (void)state;
    size_t n = 1 << 20;
    static const struct {
        split_rule rule;
        char first, second;
        size_t pieces;
    } cases[] = {
        {V3, ' ', ' ', 1},       {V3, 'a', 'a', 1},       {V3, '!', '!', 1}, {V3, '\n', ' ', 2},
        {V3, 1, 1, 1},           {SM, ' ', ' ', 1},       {SM, 'a', 'a', 1}, {SM, '\n', ' ', 1},
        {V3, '\x80', '\x80', 1}, {SM, '1', '1', 1 << 20},
    };
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < n; k += 2) {
            text[k] = cases[i].first;
            text[k + 1] = cases[i].second;
        }
        assert_int_equal(count_pieces(cases[i].rule, text, n), cases[i].pieces);
    }
    free(text);
}

static void split_pieces_cover_random_bytes(void **state) {
    (void)state;
    uint64_t random = 7;
    uint8_t text[64];
    for (int round = 0; round < 20000; round++) {
        size_t length = fixture_random(&random) % sizeof text;
        for (size_t i = 0; i < length; i++) {
            static const char often[] = " \n\ra1!'\xC3\xA9\xE4\xB8\xAD\xE3\x82\xA2\xCC\x81";
            uint32_t r = fixture_random(&random);
            text[i] = r & 1 ? (uint8_t)often[(r >> 1) % (sizeof often - 1)] : (uint8_t)(r >> 1);
        }
        size_t covered = 0;
        split s = split_begin(round & 1 ? V3 : SM, text, length);
        for (size_t start, end; split_next(&s, &start, &end); covered = end) {
            assert_int_equal(start, covered);
            assert_true(end > start && end <= length);
        }
        assert_int_equal(covered, length);
    }
}

/** An invalid part is a character of no class: it stays in one piece, and it may stand in front of
 * letters as any such character may. */
static void split_invalid_bytes_are_of_no_class(void **state) {
    (void)state;
    expect_pieces(V3, "ab\xFF", "ab|\xFF");
    expect_pieces(V3, "\xFF\xFF", "\xFF\xFF");
    expect_pieces(V3,
                  "ab\xE4\xB8"
                  "cd",
                  "ab|\xE4\xB8"
                  "cd");
    expect_pieces(V3,
                  "1\xFF"
                  "1",
                  "1|\xFF|1");
    expect_pieces(V3, "a \xFF", "a| |\xFF");
    expect_pieces(SM, "a \xFF\x80!", "a| \xFF\x80!");
    expect_pieces(SM,
                  "a\xFF"
                  "b",
                  "a|\xFF|b");
}

/* ---- Recognition ----------------------------------------------------------------------------- */

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

static void split_known_rules_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *text;
        split_rule rule;
    } cases[] = {
        {FIXTURE_SMOLLM, SM},
        {SEQUENCE(SPLIT("\\\\p{N}{1,3}", ",\"invert\":false") "," SPLIT(HAN, "") "," SPLIT(
             LONG("\\r\\n"), "") "," BYTES),
         V3},
        /* The pattern may hold the newlines or their escapes, and sequences may be nested. */
        {SEQUENCE(SEQUENCE(SPLIT("\\\\p{N}{1,3}", "") "," SPLIT(HAN, "")) "," SPLIT(
             LONG("\\\\r\\\\n"), "") "," BYTES),
         V3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        split_rule rule = SPLIT_RULE_COUNT;
        fm_error err = {0};
        assert_int_equal(recognise(cases[i].text, &rule, &err), FM_OK);
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
        cmocka_unit_test(split_pieces_are_those_of_the_reference),
        cmocka_unit_test(split_long_runs_give_few_pieces),
        cmocka_unit_test(split_pieces_cover_random_bytes),
        cmocka_unit_test(split_invalid_bytes_are_of_no_class),
        cmocka_unit_test(split_known_rules_are_recognised),
        cmocka_unit_test(split_unknown_rule_is_refused_by_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
