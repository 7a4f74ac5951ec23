/*
 * test_template_special.c - a property of every template and layout: what people write, even if it
 * consists of the texts of special tokens, brings no added token but letters into the prompt. Each
 * request is rendered twice, with such texts and with harmless ones in their places; both prompts
 * have to hold the same added tokens, and one BOS where the template writes it.
 */
#include "support/stream.h"
#include "text/template_fixture.h"

/* The vocabularies of tests/data/tokenizer have 2,000 tokens, added ones behind them. */
/* One of them is a letter, "ű", which says nothing but itself and may come from anywhere. */
enum { LETTER = 2011 };
enum { FIRST_ADDED = 2000, MAX_ADDED = 16, CASES = 300, MAX_TEXT = 512, MAX_INPUT = 16384 };

typedef struct added_counts {
    int of[MAX_ADDED];
} added_counts;

static added_counts count_added(const fm_tokens *tokens) {
    added_counts n = {0};
    for (size_t i = 0; i < tokens->count; i++) {
        int added = tokens->ids[i] - FIRST_ADDED;
        assert_true(added < MAX_ADDED);
        if (added >= 0 && tokens->ids[i] != LETTER) n.of[added]++;
    }
    return n;
}

static bool same_counts(const added_counts *a, const added_counts *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- Texts that look like special tokens
 * ------------------------------------------------------ */

static size_t character_length(const char *text) {
    size_t n = 1;
    while (((unsigned char)text[n] & 0xC0) == 0x80) n++;
    return n;
}

/** The text of a random added token: whole, or without some characters at its start or end. */
static void add_mark(char *out, const fm_tokenizer *t, stream *s) {
    size_t length = 0, end = 0;
    const char *mark = NULL;
    while (!mark || length == 0) {
        int32_t id = FIRST_ADDED + stream_between(s, 0, MAX_ADDED - 1);
        mark = fm_tokenizer_bytes(t, id, &length);
    }
    size_t n_characters = 0;
    for (; end < length; end += character_length(mark + end)) n_characters++;
    size_t cut = (size_t)stream_between(s, 0, (int32_t)n_characters - 1), at = 0;
    for (size_t i = 0; i < cut; i++) at += character_length(mark + at);
    switch (stream_between(s, 0, 3)) {
    case 0:
        strncat(out, mark + at, length - at);
        break;
    case 1:
        strncat(out, mark, at);
        break;
    default:
        strncat(out, mark, length);
    }
}

/** A text of some marks with little between them; JSON can take it as it stands. */
static void write_hostile(char out[MAX_TEXT], const fm_tokenizer *t, stream *s) {
    static const char *const glue[] = {"", "", "", " ", "x", "<", ">", "|", "｜", "\\n", "Ünï "};
    out[0] = '\0';
    strcat(out, stream_between(s, 0, 1) ? "a" : "");
    for (int i = stream_between(s, 1, 6); i > 0; i--) {
        add_mark(out, t, s);
        strcat(out, glue[stream_between(s, 0, sizeof glue / sizeof glue[0] - 1)]);
    }
    if (!out[0]) strcat(out, "b");
}

/** Copies `pattern`; in place of each '@' stands a hostile text, or "x" in `harmless`. */
static void fill(const char *pattern, const fm_tokenizer *t, stream *s, char hostile[MAX_INPUT],
                 char harmless[MAX_INPUT]) {
    size_t n_hostile = 0, n_harmless = 0;
    for (; *pattern; pattern++) {
        char text[MAX_TEXT] = {*pattern};
        if (*pattern == '@') write_hostile(text, t, s);
        assert_true(n_hostile + strlen(text) + 1 < MAX_INPUT && n_harmless + 2 < MAX_INPUT);
        n_hostile += (size_t)sprintf(hostile + n_hostile, "%s", text);
        harmless[n_harmless++] = *pattern == '@' ? 'x' : *pattern;
    }
    harmless[n_harmless] = '\0';
}

/* ---- Templates ------------------------------------------------------------------------------- */

#define SYSTEM "{\"role\":\"system\",\"content\":\"@\"}"
#define ASK    "{\"role\":\"user\",\"content\":\"@\"}"
#define REPLY  "{\"role\":\"assistant\",\"content\":\"Yes.\"}"
#define CALL                                                                                       \
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"@\",\"type\":"             \
    "\"function\","                                                                                \
    "\"function\":{\"name\":\"@\",\"arguments\":{\"@\":\"@\"}}}]}"
#define RESULT "{\"role\":\"tool\",\"content\":\"@\",\"name\":\"@\"}"
#define TOOL                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"@\",\"description\":\"@\",\"parameters\":"    \
    "{\"type\":\"object\",\"properties\":{\"@\":{\"type\":\"string\",\"description\":\"@\"}}}}}"
#define PARTS                                                                                      \
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"@\"},{\"type\":\"text\","       \
    "\"text\":\"@\"}]}"

static const char *const talks[] = {
    "{\"messages\":[" SYSTEM "," ASK "," REPLY "," ASK
    "],\"tools\":null,\"documents\":null,\"add_generation_prompt\":true}",
    "{\"messages\":[" ASK "],\"add_generation_prompt\":false}",
    "{\"messages\":[" SYSTEM "," ASK "," CALL "," RESULT "," RESULT "," REPLY "," ASK
    "],\"tools\":[" TOOL "," TOOL "],\"thinking\":true,\"enable_thinking\":true,"
    "\"add_generation_prompt\":true}",
    "{\"messages\":[" PARTS "," REPLY "," ASK "],\"add_generation_prompt\":true}",
};

typedef struct special_case {
    const char *template; /* a file, or a built-in layout */
    int n_talks;          /* of the first ones, which the template takes */
    bool writes_bos;
} special_case;

static const special_case special_cases[] = {
    {"plain.jinja", 2, true},    {"reasoning.jinja", 3, true}, {"tools.jinja", 4, false},
    {"types.jinja", 4, false},   {"filters.jinja", 4, false},  {"calls.jinja", 4, false},
    {"deepseek-coder", 2, true}, {"chatml", 2, false},
};

typedef struct prompt {
    fm_tokens tokens;
    added_counts added;
    bool marks_matter; /* taken as the template's own, the text has more added tokens */
} prompt;

static void expect_whole_text(const fm_tokenizer *t, const fm_tokens *tokens, const char *text) {
    for (size_t i = 0; i < tokens->count; i++) {
        size_t n;
        const char *bytes = fm_tokenizer_bytes(t, tokens->ids[i], &n);
        assert_non_null(bytes);
        assert_true(strncmp(text, bytes, n) == 0);
        text += n;
    }
    assert_int_equal(*text, '\0');
}

static prompt render_prompt(const fm_template *template, const fm_tokenizer *t, const char *input) {
    size_t n;
    char bos[64] = "", eos[64] = "";
    const char *bytes = fm_tokenizer_bytes(t, fm_tokenizer_bos(t), &n);
    memcpy(bos, bytes, n);
    bytes = fm_tokenizer_bytes(t, fm_tokenizer_eos(t), &n);
    memcpy(eos, bytes, n);
    const fm_template_name names[] = {{"bos_token", bos}, {"eos_token", eos}};
    fm_rendering *rendering = NULL;
    fm_error err = {0};
    prompt out = {0};
    if (fm_template_render(template, input, strlen(input), names, 2, TEMPLATE_NOW, &rendering,
                           &err) != FM_OK)
        fail_msg("%s\n%s", err.text, input);
    const fm_span *spans = fm_rendering_spans(rendering, &n);
    if (fm_tokenizer_encode_spans(t, spans, n, &out.tokens, &err) != FM_OK)
        fail_msg("%s", err.text);
    out.added = count_added(&out.tokens);
    char *text = template_join(rendering);
    expect_whole_text(t, &out.tokens, text);
    fm_tokens all = fixture_encode(t, text, strlen(text), FM_ENCODE_ADDED);
    added_counts all_added = count_added(&all);
    out.marks_matter = !same_counts(&all_added, &out.added);
    fm_tokens_free(&all);
    free(text);
    fm_rendering_free(rendering);
    return out;
}

static void check_template(const special_case *c, const fm_tokenizer *t, stream *s) {
    char hostile[MAX_INPUT], harmless[MAX_INPUT];
    fm_template *template = NULL;
    const char *layout = fm_chat_layout_text(c->template);
    size_t size = layout ? strlen(layout) : 0;
    char *text = layout ? strdup(layout) : template_read(c->template, &size);
    assert_non_null(text);
    assert_int_equal(fm_template_parse(text, size, &template, NULL), FM_OK);
    int n_matter = 0;
    for (int i = 0; i < CASES; i++) {
        fill(talks[i % c->n_talks], t, s, hostile, harmless);
        prompt a = render_prompt(template, t, hostile), b = render_prompt(template, t, harmless);
        if (!same_counts(&a.added, &b.added)) fail_msg("%s: %s", c->template, hostile);
        if (c->writes_bos) assert_int_equal(a.added.of[fm_tokenizer_bos(t) - FIRST_ADDED], 1);
        assert_false(b.marks_matter);
        n_matter += a.marks_matter;
        fm_tokens_free(&a.tokens);
        fm_tokens_free(&b.tokens);
    }
    /* The texts are what they are meant to be. */
    assert_true(n_matter > CASES / 2);
    fm_template_free(template);
    free(text);
}

static void template_input_brings_no_special_token(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_open(TEST_DATA "/tokenizer/deepseek_v3");
    stream s = {12};
    for (size_t i = 0; i < sizeof special_cases / sizeof special_cases[0]; i++)
        check_template(&special_cases[i], t, &s);
    fm_tokenizer_close(t);
}

/* ---- Built-in layouts ------------------------------------------------------------------------ */

typedef struct layout_case {
    const char *layout, *tokenizer;
    bool writes_bos;
} layout_case;

static const layout_case layouts[] = {
    {"deepseek-v3", "deepseek_v3", true},
    {"deepseek-r1", "deepseek_v3", true},
    {"deepseek-v3.1", "deepseek_v3", true},
    {"deepseek-llm", "deepseek_v3", true},
    {"chatml", "smollm", false},
};

static fm_tokens encode_talk(const fm_tokenizer *t, const char *layout, char texts[3][MAX_TEXT]) {
    const fm_message messages[] = {
        {"system", texts[0]}, {"user", texts[1]}, {"assistant", "Yes."}, {"user", texts[2]}};
    fm_tokens tokens = {0};
    fm_error err = {0};
    if (fm_chat_encode(t, layout, messages, 4, &tokens, &err) != FM_OK) fail_msg("%s", err.text);
    return tokens;
}

static void check_layout(const layout_case *c, stream *s) {
    char path[1024];
    snprintf(path, sizeof path, "%s/tokenizer/%s", TEST_DATA, c->tokenizer);
    fm_tokenizer *t = fixture_open(path);
    fm_tokens tokens = encode_talk(t, c->layout, (char[3][MAX_TEXT]){"x", "x", "x"});
    added_counts expected = count_added(&tokens);
    fm_tokens_free(&tokens);
    if (c->writes_bos) assert_int_equal(expected.of[fm_tokenizer_bos(t) - FIRST_ADDED], 1);
    for (int i = 0; i < CASES; i++) {
        char texts[3][MAX_TEXT];
        for (int k = 0; k < 3; k++) write_hostile(texts[k], t, s);
        tokens = encode_talk(t, c->layout, texts);
        added_counts added = count_added(&tokens);
        if (!same_counts(&added, &expected))
            fail_msg("%s: %s | %s | %s", c->layout, texts[0], texts[1], texts[2]);
        fm_tokens_free(&tokens);
    }
    fm_tokenizer_close(t);
}

static void template_layouts_bring_no_special_token(void **state) {
    (void)state;
    stream s = {11};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) check_layout(&layouts[i], &s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_input_brings_no_special_token),
        cmocka_unit_test(template_layouts_bring_no_special_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
