/* test_chat_prefix.c - prompts that hold earlier answers get the ids in which these were given. */
#include "chat_prefix.h"

#include "text/fixture.h"

/* Bytes are their own ids; 256 to 258 are tokens of several bytes, 300 a mark and 301 a special
 * token. */
static const fixture_json vocabulary = {
    .vocab = ",\"ab\":256,\"abc\":257,\"bc\":258",
    .merges = "\"a b\",\"ab c\"",
    .added = "{\"id\":300,\"content\":\"<m>\"},{\"id\":301,\"content\":\"<s>\",\"special\":true}",
};
enum { AB = 256, ABC = 257, BC = 258, MARK = 300, SPECIAL = 301, END = -1, MAX_IDS = 12 };

static fm_tokens list(const int32_t *ids) {
    fm_tokens out = {0};
    for (; *ids != END; ids++) assert_int_equal(fm_tokens_append(&out, *ids), FM_OK);
    return out;
}

static size_t length(const int32_t *ids) {
    size_t n = 0;
    while (ids[n] != END) n++;
    return n;
}

typedef struct prefix_case {
    const char *name;
    int32_t prompt[MAX_IDS], answer[MAX_IDS]; /* kept */
    int32_t fresh[MAX_IDS];                   /* the next prompt */
    int32_t expected[MAX_IDS];                /* what it becomes; empty: it stays */
} prefix_case;

static const prefix_case cases[] = {
    {"the same text in fewer tokens",
     {MARK, 'q', MARK, END},
     {'a', 'b', 'c', END},
     {MARK, 'q', MARK, ABC, MARK, 'z', END},
     {MARK, 'q', MARK, 'a', 'b', 'c', MARK, 'z', END}},
    {"tokens that overlap",
     {MARK, END},
     {'a', BC, END},
     {MARK, AB, 'c', 'z', END},
     {MARK, 'a', BC, 'z', END}},
    {"the same ids", {MARK, END}, {AB, END}, {MARK, AB, 'z', END}, {MARK, AB, 'z', END}},
    {"nothing behind it", {MARK, END}, {AB, END}, {MARK, 'a', 'b', END}, {MARK, AB, END}},
    {"a mark that the model wrote",
     {MARK, END},
     {MARK, 'a', END},
     {MARK, '<', 'm', '>', 'a', 'z', END},
     {MARK, MARK, 'a', 'z', END}},
    {"another text", {MARK, END}, {'a', 'b', END}, {MARK, 'a', 'c', 'z', END}, {END}},
    {"an end inside of a token", {MARK, END}, {'a', 'b', END}, {MARK, ABC, 'z', END}, {END}},
    {"an answer that is longer", {MARK, END}, {'a', 'b', 'c', END}, {MARK, AB, END}, {END}},
    {"a prompt that is shorter", {MARK, 'q', MARK, END}, {'a', END}, {MARK, 'q', END}, {END}},
    {"no prompt", {MARK, END}, {'a', END}, {END}, {END}},
    {"another question", {MARK, 'q', END}, {'a', 'b', END}, {MARK, 'z', AB, END}, {END}},
    {"text in place of a mark", {MARK, END}, {'a', 'b', END}, {'<', 'm', '>', AB, END}, {END}},
    {"a mark in place of text", {'<', 'm', '>', END}, {'a', 'b', END}, {MARK, AB, END}, {END}},
    {"a question in other ids", {MARK, 'a', 'b', END}, {'a', END}, {MARK, AB, 'a', END}, {END}},
    {"a special token in the answer",
     {MARK, END},
     {SPECIAL, 'a', END},
     {MARK, '<', 's', '>', 'a', 'z', END},
     {END}},
    {"an empty answer", {MARK, END}, {END}, {MARK, MARK, 'z', END}, {MARK, MARK, 'z', END}},
};

static void prefix_of_an_answer_is_taken_over(void **state) {
    fm_tokenizer *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const prefix_case *c = &cases[i];
        bool stays = c->expected[0] == END;
        const int32_t *expected = stays ? c->fresh : c->expected;
        chat_prefix p = {0};
        fm_tokens prompt = list(c->prompt), fresh = list(c->fresh);
        chat_prefix_keep(&p, 0, &prompt, c->answer, length(c->answer));
        assert_null(prompt.ids);
        size_t n = chat_prefix_apply(&p, t, &fresh);
        if (n != (stays ? 0 : 1) || fresh.count != length(expected) ||
            (fresh.count && memcmp(fresh.ids, expected, fresh.count * sizeof *expected) != 0))
            fail_msg("%s: %zu answers, %zu ids", c->name, n, fresh.count);
        fm_tokens_free(&fresh);
        chat_prefix_free(&p);
    }
}

static void nothing_kept_changes_nothing(void **state) {
    chat_prefix p = {0};
    fm_tokens fresh = list((const int32_t[]){MARK, 'a', END});
    assert_int_equal(chat_prefix_apply(&p, *state, &fresh), 0);
    assert_int_equal(fresh.count, 2);
    fm_tokens_free(&fresh);
    chat_prefix_free(&p);
}

/* ---- Conversations ------------------------------------------------------------------------------- */

enum { N_TURNS = 6, N_CONVERSATIONS = 2000, MAX_TEXT = 8 };

/* Appends a text of a, b and c in one of the ways that tokens can be cut. */
static void append_text(fm_tokens *out, const char *text, uint64_t *random) {
    static const struct {
        const char *text;
        int32_t id;
    } tokens[] = {{"abc", ABC}, {"ab", AB}, {"bc", BC}};
    while (*text) {
        size_t n = 1;
        int32_t id = *text;
        for (size_t i = 0; i < 3; i++) {
            size_t token_length = strlen(tokens[i].text);
            if (strncmp(text, tokens[i].text, token_length) != 0 || fixture_random(random) % 2)
                continue;
            id = tokens[i].id;
            n = token_length;
            break;
        }
        assert_int_equal(fm_tokens_append(out, id), FM_OK);
        text += n;
    }
}

/* The prompt of turn n: marks around texts, the answers cut in any way. */
static fm_tokens make_prompt(char texts[N_TURNS][MAX_TEXT], int n, uint64_t *random) {
    fm_tokens out = {0};
    for (int i = 0; i < n; i++) {
        assert_int_equal(fm_tokens_append(&out, MARK), FM_OK);
        append_text(&out, texts[i], random);
    }
    assert_int_equal(fm_tokens_append(&out, MARK), FM_OK);
    return out;
}

/* Whatever cuts the tokenizer chooses anew, each prompt begins with all ids of the turn before; and
 * one that leaves the last answer out, to have it anew, with those of the turn before that. */
static void every_turn_begins_with_the_one_before(void **state) {
    fm_tokenizer *t = *state;
    uint64_t random = 1;
    for (int k = 0; k < N_CONVERSATIONS; k++) {
        char texts[N_TURNS][MAX_TEXT] = {{0}};
        chat_prefix p = {0};
        for (int n = 0; n < N_TURNS; n++) {
            bool is_anew = n > 0 && fixture_random(&random) % 4 == 0;
            size_t n_known = (size_t)(is_anew ? --n : n);
            size_t n_same = is_anew ? p.answers[n_known].begin : p.ids.count;
            fm_tokens prompt = make_prompt(texts, n, &random), answer = {0};
            assert_int_equal(chat_prefix_apply(&p, t, &prompt), n_known);
            assert_true(prompt.count >= n_same);
            assert_true(n_same == 0 ||
                        memcmp(prompt.ids, p.ids.ids, n_same * sizeof *prompt.ids) == 0);
            for (int i = 0; i < MAX_TEXT - 1; i++)
                texts[n][i] = (char)('a' + fixture_random(&random) % 3);
            append_text(&answer, texts[n], &random);
            chat_prefix_keep(&p, n_known, &prompt, answer.ids, answer.count);
            fm_tokens_free(&answer);
        }
        chat_prefix_free(&p);
    }
}

static int open_tokenizer(void **state) {
    *state = fixture_make(&vocabulary, NULL);
    return 0;
}

static int close_tokenizer(void **state) {
    fm_tokenizer_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_of_an_answer_is_taken_over),
        cmocka_unit_test(nothing_kept_changes_nothing),
        cmocka_unit_test(every_turn_begins_with_the_one_before),
    };
    return cmocka_run_group_tests_name("test_chat_prefix", tests, open_tokenizer, close_tokenizer);
}
