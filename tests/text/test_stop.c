/* test_stop.c - stop strings across any cut of the text, against a search in the whole text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "support/expect.h"
#include "support/stop_reference.h"
#include "support/stream.h"
#include "text/stop.h"

enum { TEXT_MAX = 4096 }; /* bytes of a text in these tests */

/* ---- One answer, pushed in pieces ------------------------------------------------------------ */

typedef struct answer {
    stop_set *set;
    stop_stream stream;
    char text[TEXT_MAX + STOP_SIZE_MAX];
    size_t length; /* bytes that came out */
} answer;

static void answer_begin(answer *a, const char *const *strings, size_t n_strings) {
    memset(a, 0, sizeof *a);
    assert_int_equal(stop_set_new(strings, n_strings, &a->set, NULL), FM_OK);
}

/** Pushes through a buffer of the promised size, so that a sanitizer sees a byte too many. */
static void answer_push(answer *a, const char *text, size_t length) {
    size_t bound = stop_bound(a->set, length), n;
    char *out = malloc(bound + 1);
    assert_non_null(out);
    out[bound] = '#';
    assert_int_equal(stop_push(a->set, &a->stream, text, length, out, bound, &n), FM_OK);
    assert_true(n <= bound && out[bound] == '#');
    assert_true(a->length + n <= sizeof a->text);
    memcpy(a->text + a->length, out, n);
    a->length += n;
    free(out);
}

static void answer_end(answer *a) {
    assert_true(a->length + stop_bound(a->set, 0) <= sizeof a->text);
    a->length += stop_end(a->set, &a->stream, a->text + a->length);
    stop_set_free(a->set);
}

static void expect_text(const answer *a, const char *text) {
    if (a->length != strlen(text) || memcmp(a->text, text, a->length) != 0)
        fail_msg("\"%.*s\" came out, not \"%s\"", (int)a->length, a->text, text);
}

/** Pushes `text` in pieces of `piece` bytes, and wants `wanted` and the verdict. */
static void expect_answer(const char *const *strings, size_t n_strings, const char *text,
                          const char *wanted, bool stops) {
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        answer a;
        answer_begin(&a, strings, n_strings);
        for (size_t at = 0; at < length; at += piece)
            answer_push(&a, text + at, piece < length - at ? piece : length - at);
        assert_int_equal(a.stream.has_stopped, stops);
        answer_end(&a);
        expect_text(&a, wanted);
    }
}

/* ---- Named cases ----------------------------------------------------------------------------- */

static void stop_string_cuts_the_text_before_it(void **state) {
    (void)state;
    const char *const strings[] = {"\n\nUser:"};
    expect_answer(strings, 1, "Yes.\n\nUser: and", "Yes.", true);
    expect_answer(strings, 1, "\n\nUser:", "", true);
    expect_answer(strings, 1, "Yes.\n\nUse: and", "Yes.\n\nUse: and", false);
}

static void stop_string_that_does_not_end_is_given_back(void **state) {
    (void)state;
    const char *const strings[] = {"</s>", "END"};
    expect_answer(strings, 2, "a </s", "a </s", false);
    expect_answer(strings, 2, "a EN", "a EN", false);
    expect_answer(strings, 2, "", "", false);
}

static void stop_string_may_begin_inside_a_failed_one(void **state) {
    (void)state;
    const char *const aab[] = {"aab"}, *const abab[] = {"ababc"}, *const two[] = {"abcd", "bx"};
    expect_answer(aab, 1, "aaaab!", "aa", true);
    expect_answer(abab, 1, "abababc!", "ab", true);
    expect_answer(two, 2, "abx!", "a", true);
}

static void stop_string_that_ends_first_wins(void **state) {
    (void)state;
    const char *const strings[] = {"bcdef", "cd"}, *const prefix[] = {"abc", "ab"};
    expect_answer(strings, 2, "abcdef", "ab", true);
    expect_answer(prefix, 2, "xabc", "x", true);
}

static void stop_string_that_starts_first_wins_at_one_end(void **state) {
    (void)state;
    const char *const strings[] = {"d", "bcd", "cd"}, *const inner[] = {"abcd", "c", "bc"};
    expect_answer(strings, 3, "abcd", "a", true);
    expect_answer(inner, 3, "abcd", "a", true);
}

static void stop_string_may_come_twice_in_a_set(void **state) {
    (void)state;
    const char *const strings[] = {"ab", "ab", "b"};
    expect_answer(strings, 3, "aab", "a", true);
}

static void stop_push_waits_no_longer_than_it_must(void **state) {
    (void)state;
    static const struct {
        const char *piece, *so_far;
    } steps[] = {{"one ", "one "}, {"S", "one "},       {"T", "one "},        {"A", "one STA"},
                 {"S", "one STA"}, {"STO", "one STAS"}, {"X", "one STASSTOX"}};
    const char *const strings[] = {"STOP"};
    answer a;
    answer_begin(&a, strings, 1);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        answer_push(&a, steps[i].piece, strlen(steps[i].piece));
        expect_text(&a, steps[i].so_far);
    }
    answer_end(&a);
    expect_text(&a, "one STASSTOX");
}

static void stop_push_gives_nothing_after_the_stop(void **state) {
    (void)state;
    const char *const strings[] = {"."};
    answer a;
    answer_begin(&a, strings, 1);
    answer_push(&a, "a.b", 3);
    answer_push(&a, "c.d", 3);
    assert_true(a.stream.has_stopped);
    answer_end(&a);
    expect_text(&a, "a");
}

static void stop_stream_may_be_copied(void **state) {
    (void)state;
    const char *const strings[] = {"stop"};
    answer a, b;
    answer_begin(&a, strings, 1);
    answer_push(&a, "go st", 5);
    b = a;
    answer_push(&b, "ay", 2);
    answer_push(&a, "op", 2);
    expect_text(&b, "go stay");
    answer_end(&a);
    expect_text(&a, "go ");
}

static void stop_end_gives_what_waits_once(void **state) {
    (void)state;
    const char *const strings[] = {"stop"};
    char out[8];
    answer a;
    answer_begin(&a, strings, 1);
    answer_push(&a, "go st", 5);
    assert_int_equal(stop_end(a.set, &a.stream, out), 2);
    assert_int_equal(stop_end(a.set, &a.stream, out), 0);
    answer_end(&a);
}

static void stop_text_may_hold_any_bytes(void **state) {
    (void)state;
    const char *const strings[] = {"é"};
    answer a;
    answer_begin(&a, strings, 1);
    answer_push(&a, "\0\xFF\xC3", 3);
    answer_push(&a, "\xC3\xA9", 2);
    assert_true(a.stream.has_stopped);
    answer_end(&a);
    assert_int_equal(a.length, 3);
    assert_memory_equal(a.text, "\0\xFF\xC3", 3);
}

static void stop_set_without_strings_lets_all_through(void **state) {
    (void)state;
    expect_answer(NULL, 0, "all of it", "all of it", false);
}

static void stop_set_takes_the_largest_strings(void **state) {
    (void)state;
    char text[STOP_STRINGS_MAX][STOP_SIZE_MAX + 1];
    const char *strings[STOP_STRINGS_MAX];
    for (size_t i = 0; i < STOP_STRINGS_MAX; i++) {
        memset(text[i], 'a', STOP_SIZE_MAX);
        text[i][0] = (char)('b' + i); /* no two share a node */
        text[i][STOP_SIZE_MAX] = '\0';
        strings[i] = text[i];
    }
    answer a;
    answer_begin(&a, strings, STOP_STRINGS_MAX);
    assert_int_equal(stop_bound(a.set, 1), STOP_SIZE_MAX);
    answer_push(&a, "x", 1);
    answer_push(&a, text[15], STOP_SIZE_MAX - 1);
    answer_push(&a, "b", 1); /* all that waited comes out, and one byte waits */
    assert_int_equal(a.length, STOP_SIZE_MAX);
    answer_push(&a, text[0] + 1, STOP_SIZE_MAX - 1);
    assert_true(a.stream.has_stopped);
    answer_end(&a);
    assert_int_equal(a.length, STOP_SIZE_MAX);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void expect_refused(const char *const *strings, size_t n_strings, fm_status status,
                           const char *word) {
    fm_error err = {0};
    stop_set *set = (stop_set *)&err;
    expect_error(word, stop_set_new(strings, n_strings, &set, &err), &err, status, word);
    assert_null(set);
    assert_int_equal(stop_set_new(strings, n_strings, &set, NULL), status);
}

static void stop_set_refuses_what_cannot_be_met(void **state) {
    (void)state;
    char too_long[STOP_SIZE_MAX + 2] = {0};
    memset(too_long, 'a', STOP_SIZE_MAX + 1);
    const char *many[STOP_STRINGS_MAX + 1];
    for (size_t i = 0; i <= STOP_STRINGS_MAX; i++) many[i] = "a";
    expect_refused((const char *[]){"a", ""}, 2, FM_ERR_ARG, "stop string 2 is empty");
    expect_refused((const char *[]){too_long}, 1, FM_ERR_LIMIT, "longer than 256 bytes");
    expect_refused((const char *[]){"\xC3"}, 1, FM_ERR_ARG, "stop string 1 is no UTF-8");
    expect_refused((const char *[]){"a\xA9z"}, 1, FM_ERR_ARG, "is no UTF-8");
    expect_refused(many, STOP_STRINGS_MAX + 1, FM_ERR_LIMIT, "17 stop strings");
}

static void stop_push_refuses_small_buffers_and_foreign_streams(void **state) {
    (void)state;
    const char *const strings[] = {"abc"};
    char out[8] = "#######";
    size_t n = 9;
    stop_set *set;
    stop_stream fresh = {0}, beyond = {.node = 4}, at_end = {.node = 3};
    assert_int_equal(stop_set_new(strings, 1, &set, NULL), FM_OK);
    assert_int_equal(stop_bound(set, 5), 7);
    assert_int_equal(stop_bound(set, SIZE_MAX), SIZE_MAX);
    assert_int_equal(stop_push(set, &fresh, "a", 1, out, 2, &n), FM_ERR_ARG);
    assert_int_equal(n, 0);
    assert_int_equal(stop_push(set, &beyond, "a", 1, out, 8, &n), FM_ERR_ARG);
    assert_int_equal(stop_push(set, &at_end, "a", 1, out, 8, &n), FM_ERR_ARG);
    assert_int_equal(stop_end(set, &beyond, out), 0);
    assert_int_equal(stop_end(set, &at_end, out), 0);
    assert_string_equal(out, "#######");
    stop_set_free(set);
    stop_set_free(NULL);
}

/* ---- Random texts ---------------------------------------------------------------------------- */

/** Appends characters of a tiny alphabet, so that strings and texts often agree for a while. Its
 * characters share bytes: é and è the first one, é and ũ the second. */
static size_t random_text(stream *s, int32_t n_letters, size_t n_chars, char *out) {
    static const char *const letters[] = {"a", "b", "é", "è", "ũ", "c"};
    size_t length = 0;
    for (size_t i = 0; i < n_chars; i++) {
        const char *letter = letters[stream_between(s, 0, n_letters - 1)];
        memcpy(out + length, letter, strlen(letter));
        length += strlen(letter);
    }
    out[length] = '\0';
    return length;
}

/** Every prefix of what has come out is what the reference lets out, also between code points. */
static void check_cuts(stream *s, const char *const *strings, size_t n_strings, const char *text,
                       size_t length, bool by_bytes) {
    answer a;
    bool stops = false;
    answer_begin(&a, strings, n_strings);
    for (size_t at = 0; at < length;) {
        size_t end = at + (size_t)stream_between(s, 0, 7);
        end = end > length ? length : by_bytes ? end : utf8_cut(text, length, end);
        answer_push(&a, text + at, end - at);
        at = end;
        size_t known = stop_reference(strings, n_strings, text, at, &stops);
        assert_int_equal(a.length, known);
        assert_memory_equal(a.text, text, known);
        assert_int_equal(a.stream.has_stopped, stops);
        if (!by_bytes) assert_int_equal(utf8_cut(text, length, known), known);
    }
    size_t known = a.length;
    answer_end(&a);
    assert_int_equal(a.length, stops ? known : length);
    assert_memory_equal(a.text, text, a.length);
}

static void stop_agrees_with_a_search_in_the_whole_text(void **state) {
    (void)state;
    stream s = {20};
    int n_stopped = 0, n_rounds = 6000;
    for (int round = 0; round < n_rounds; round++) {
        char text[256], bytes[STOP_STRINGS_MAX][32];
        const char *strings[STOP_STRINGS_MAX];
        int32_t n_letters = stream_between(&s, 1, 6);
        size_t n_strings = (size_t)stream_between(&s, 1, round % 4 == 0 ? STOP_STRINGS_MAX : 3);
        for (size_t i = 0; i < n_strings; i++) {
            random_text(&s, n_letters, (size_t)stream_between(&s, 1, 8), bytes[i]);
            strings[i] = bytes[i];
        }
        size_t length = random_text(&s, n_letters, (size_t)stream_between(&s, 0, 60), text);
        bool stops;
        stop_reference(strings, n_strings, text, length, &stops);
        n_stopped += stops;
        check_cuts(&s, strings, n_strings, text, length, round % 2 == 0);
    }
    assert_true(n_stopped > n_rounds / 4 && n_stopped < n_rounds * 3 / 4);
}

/** Strings that agree with the text almost to their ends, at every one of its bytes. */
static void stop_agrees_on_hostile_repeats(void **state) {
    (void)state;
    static char text[1024];
    char bytes[3][STOP_SIZE_MAX + 1] = {{0}};
    const char *const strings[] = {bytes[0], bytes[1], bytes[2]};
    for (size_t i = 0; i < STOP_SIZE_MAX; i++) {
        bytes[0][i] = i == STOP_SIZE_MAX - 1 ? 'b' : 'a';
        bytes[1][i] = i == STOP_SIZE_MAX - 1 ? 'c' : i % 2 == 0 ? 'a' : 'b';
        bytes[2][i] = i == 128 ? 'c' : 'a';
    }
    for (size_t i = 0; i < sizeof text; i++) text[i] = i < 200 || i % 2 == 0 ? 'a' : 'b';
    stream s = {21};
    check_cuts(&s, strings, 3, text, sizeof text, true);
    memset(text, 'a', 700);
    memcpy(text + 700, bytes[0] + STOP_SIZE_MAX - 6, 6);
    check_cuts(&s, strings, 3, text, sizeof text, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_string_cuts_the_text_before_it),
        cmocka_unit_test(stop_string_that_does_not_end_is_given_back),
        cmocka_unit_test(stop_string_may_begin_inside_a_failed_one),
        cmocka_unit_test(stop_string_that_ends_first_wins),
        cmocka_unit_test(stop_string_that_starts_first_wins_at_one_end),
        cmocka_unit_test(stop_string_may_come_twice_in_a_set),
        cmocka_unit_test(stop_push_waits_no_longer_than_it_must),
        cmocka_unit_test(stop_push_gives_nothing_after_the_stop),
        cmocka_unit_test(stop_stream_may_be_copied),
        cmocka_unit_test(stop_end_gives_what_waits_once),
        cmocka_unit_test(stop_text_may_hold_any_bytes),
        cmocka_unit_test(stop_set_without_strings_lets_all_through),
        cmocka_unit_test(stop_set_takes_the_largest_strings),
        cmocka_unit_test(stop_set_refuses_what_cannot_be_met),
        cmocka_unit_test(stop_push_refuses_small_buffers_and_foreign_streams),
        cmocka_unit_test(stop_agrees_with_a_search_in_the_whole_text),
        cmocka_unit_test(stop_agrees_on_hostile_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
