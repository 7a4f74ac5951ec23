/* test_split.c - texts cut into pieces. */
#include "text/fixture.h"
#include "text/split.h"

#define V3     SPLIT_RULE_DEEPSEEK_V3
#define SM     SPLIT_RULE_SMOLLM
#define LLM    SPLIT_RULE_DEEPSEEK_LLM
#define RUNS   SPLIT_RULE_DEEPSEEK_LLM_RUNS
#define CODER  SPLIT_RULE_DEEPSEEK_CODER
#define GGUF   SPLIT_RULE_DEEPSEEK_CODER_GGUF
#define LLAMA3 SPLIT_RULE_LLAMA3
#define QWEN2  SPLIT_RULE_QWEN2
#define GPT2   SPLIT_RULE_GPT2

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
    {LLM, "a\r\n\nb", "a|\r|\n|\n|b"},
    {LLM, "abc def", "abc| def"},
    {LLM, " abc", " abc"},
    {LLM, "a  b", "a| | b"},
    {LLM, "  abc  ", " | abc|  "},
    {LLM, "éabc", "é|abc"},
    {LLM, "élan vital", "é|lan| vital"},
    {LLM, "\u3000x", "\u3000|x"},
    {LLM, "x \u3000", "x| |\u3000"},
    {LLM, "1234", "1|2|3|4"},
    {LLM, "a1 22", "a|1| |2|2"},
    {LLM, "a_b c.d", "a|_|b| c|.|d"},
    {LLM, "Hello, world!", "Hello|,| world|!"},
    {LLM, "!?x", "!?|x"},
    {LLM, " !?", " !?"},
    {LLM, " x.", " x|."},
    {LLM, "中文 中文，。字", "中文| |中文|，|。|字"},
    {LLM, "ア・イ", "ア・イ"},
    {LLM, "가나 다", "가나| |다"},
    {LLM, "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928\u092e\u0938\u094d\u0924\u0947"},
    {LLM, "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643  ",
     "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643|  "},
    {LLM, "\u05e9\u05dc\u05d5\u05dd  ", "\u05e9\u05dc\u05d5\u05dd|  "},
    {LLM, "—x—", "—|x|—"},
    {LLM, "“a”", "“|a|”"},
    {LLM, "‘a’", "‘|a|’"},
    {LLM, "\U00011de0\U00011de1a", "\U00011de0|\U00011de1|a"},
    {LLM, "😀 a", "😀| a"},
    {LLM, "３４", "３|４"},
    {LLM, "½²x", "½|²|x"},
    {LLM, "ªº", "ªº"},
    {LLM, "don't", "don|'|t"},
    {LLM, "ǅa", "ǅ|a"},
    {CODER, "a\r\n\nb", "a|\r|\n|\n|b"},
    {CODER, "abc def", "abc| def"},
    {CODER, "  abc  ", " | abc|  "},
    {CODER, "éabc", "éabc"},
    {CODER, "\u3000x", "\u3000|x"},
    {CODER, "1234", "1|2|3|4"},
    {CODER, "a1 22", "a|1| |2|2"},
    {CODER, "a_b c.d", "a|_|b| c|.|d"},
    {CODER, " !?x", " !?|x"},
    {CODER, "$x = a->b[3];", "$|x| =| a|-|>|b|[|3|];"},
    {CODER, "中文 中文，。字", "中文| |中文|，|。|字"},
    {CODER, "ア・イ", "ア|・|イ"},
    {CODER, "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643  ",
     "\u0645\u0631\u062d\u0628\u0627| \u0628\u0643|  "},
    {CODER, "—x—", "—|x|—"},
    {CODER, "“a”", "“|a|”"},
    {CODER, "\U00011de0\U00011de1a", "\U00011de0|\U00011de1|a"},
    {CODER, "😀 a", "😀| a"},
    {CODER, "½²x", "½|²|x"},
    {CODER, "e\u0301x", "e|\u0301|x"},
    {CODER, " \u0301x", " \u0301|x"},
    {LLAMA3, "I'm YOU'RE we'Ve", "I|'m| YOU|'RE| we|'Ve"},
    {LLAMA3, "'ſx", "'ſ|x"},
    {LLAMA3, "'ſ'", "'ſ|'"},
    {LLAMA3, "''s", "''|s"},
    {LLAMA3, "x'", "x|'"},
    {LLAMA3, "'r", "'r"},
    {LLAMA3, "12345", "123|45"},
    {LLAMA3, "a1b22", "a|1|b|22"},
    {LLAMA3, "½²", "½²"},
    {LLAMA3, "  a", " | a"},
    {LLAMA3, "a  \n b", "a|  \n| b"},
    {LLAMA3, "x  ", "x|  "},
    {LLAMA3, "\n\n  x", "\n\n| | x"},
    {LLAMA3, "!!ab", "!!|ab"},
    {LLAMA3, " !?\n\nx", " !?\n\n|x"},
    {LLAMA3, "!é", "!é"},
    {LLAMA3, "e\u0301x", "e|\u0301x"},
    {LLAMA3, " \u0301x", " \u0301|x"},
    {LLAMA3, "\u0301\u0301x", "\u0301\u0301|x"},
    {LLAMA3, "中文字", "中文字"},
    {LLAMA3, "ア・イ", "ア|・イ"},
    {LLAMA3, "\u3000\u3000x", "\u3000|\u3000x"},
    {LLAMA3, "\u200b\u200bx", "\u200b\u200b|x"},
    {LLAMA3, "$x = a->b[3];", "$x| =| a|->|b|[|3|];"},
    {LLAMA3, "\tif (x)", "\tif| (|x|)"},
    {LLAMA3, "\U00011de0a", "\U00011de0a"},
    {LLAMA3, "😀 a", "😀| a"},
    {QWEN2, "I'm YOU'RE", "I|'m| YOU|'RE"},
    {QWEN2, "'ſx", "'ſ|x"},
    {QWEN2, "12345", "1|2|3|4|5"},
    {QWEN2, " 1", " |1"},
    {QWEN2, "½²", "½|²"},
    {QWEN2, "a  \n b", "a|  \n| b"},
    {QWEN2, "x  ", "x|  "},
    {QWEN2, "!!ab", "!!|ab"},
    {QWEN2, "e\u0301x", "e|\u0301x"},
    {QWEN2, "\u3000\u3000x", "\u3000|\u3000x"},
    {GPT2, "I'm YOU'RE", "I|'m| YOU|'|RE"},
    {GPT2, "'ſx", "'|ſx"},
    {GPT2, "12345", "12345"},
    {GPT2, " 12 3", " 12| 3"},
    {GPT2, "  12", " | 12"},
    {GPT2, "½²", "½²"},
    {GPT2, "a  \n b", "a|  \n| b"},
    {GPT2, "x  ", "x|  "},
    {GPT2, "!!ab", "!!|ab"},
    {GPT2, "e\u0301x", "e|\u0301|x"},
    {GPT2, "\u3000\u3000x", "\u3000|\u3000|x"},
    {GPT2, "\U00011de0a", "\U00011de0|a"},
    {GPT2, "_a_b", "_|a|_|b"},
    {GPT2, "\n\n  x", "\n\n | x"},
    {RUNS, "a1234½ 5", "a|1234½| |5"},
    {RUNS, "\U00011de0\U00011de1 12", "\U00011de0\U00011de1 |12"},
    {GGUF, "a1234½ 5", "a|1|2|3|4|½| |5"},
    {GGUF, "\U00011de0\U00011de1 12", "\U00011de0\U00011de1 |1|2"},
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
        char first, second;
        size_t pieces[SPLIT_RULE_COUNT]; /* 0: not checked */
    } cases[] = {
        {' ', ' ', {[V3] = 1, [SM] = 1, [LLM] = 1, [CODER] = 1, [LLAMA3] = 1, [GPT2] = 1}},
        {'a', 'a', {[V3] = 1, [SM] = 1, [LLM] = 1, [CODER] = 1, [LLAMA3] = 1, [GPT2] = 1}},
        {'!', '!', {[V3] = 1, [SM] = 1, [LLM] = 1, [CODER] = 1, [LLAMA3] = 1, [GPT2] = 1}},
        {'\n', ' ', {[V3] = 2, [SM] = 1, [LLM] = 1 << 20, [LLAMA3] = 2, [GPT2] = 1}},
        {1, 1, {[V3] = 1, [SM] = 1, [LLM] = 1, [CODER] = 1, [LLAMA3] = 1, [GPT2] = 1}},
        {'\x80', '\x80', {[V3] = 1, [SM] = 1, [LLM] = 1, [CODER] = 1, [LLAMA3] = 1, [GPT2] = 1}},
        {'1',
         '1',
         {[V3] = 349526,
          [SM] = 1 << 20,
          [LLM] = 1 << 20,
          [RUNS] = 1,
          [CODER] = 1 << 20,
          [LLAMA3] = 349526,
          [QWEN2] = 1 << 20,
          [GPT2] = 1}},
    };
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < n; k += 2) {
            text[k] = cases[i].first;
            text[k + 1] = cases[i].second;
        }
        for (int rule = 0; rule < SPLIT_RULE_COUNT; rule++) {
            size_t pieces = count_pieces((split_rule)rule, text, n);
            if (cases[i].pieces[rule] && pieces != cases[i].pieces[rule])
                fail_msg("case %zu, rule %d: %zu pieces", i, rule, pieces);
        }
    }
    free(text);
}

static void split_pieces_cover_random_bytes(void **state) {
    (void)state;
    uint64_t random = 7;
    uint8_t text[64];
    for (int round = 0; round < 50000; round++) {
        size_t length = fixture_random(&random) % sizeof text;
        for (size_t i = 0; i < length; i++) {
            static const char often[] = " \n\ra1!'\xC3\xA9\xE4\xB8\xAD\xE3\x82\xA2\xCC\x81";
            uint32_t r = fixture_random(&random);
            text[i] = r & 1 ? (uint8_t)often[(r >> 1) % (sizeof often - 1)] : (uint8_t)(r >> 1);
        }
        size_t covered = 0;
        split s = split_begin((split_rule)(round % SPLIT_RULE_COUNT), text, length);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_pieces_are_those_of_the_reference),
        cmocka_unit_test(split_long_runs_give_few_pieces),
        cmocka_unit_test(split_pieces_cover_random_bytes),
        cmocka_unit_test(split_invalid_bytes_are_of_no_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
