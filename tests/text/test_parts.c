/* test_parts.c - the parts of an answer: named cases, cut at every place; and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/parts_trace.h"
#include "text/parts_marks.h"

static const fm_parts_format r1 = {"deepseek-r1", false}, r1_opened = {"deepseek-r1", true};
static const fm_parts_format v3 = {"deepseek-v3", false}, v31 = {"deepseek-v3.1", false};
static const fm_parts_format think = {"think", false}, think_opened = {"think", true};
static const fm_parts_format none = {"none", false};

/* ---- Reading and writing --------------------------------------------------------------------- */

static fm_parts *begin(fm_parts_format format, parts_trace *trace) {
    fm_parts *p;
    fm_error err = {0};
    if (fm_parts_new(format, parts_trace_take, trace, &p, &err) != FM_OK) fail_msg("%s", err.text);
    return p;
}

/** Reads a text in pieces of `piece` bytes; `trace` is made for it. */
static void read_text(fm_parts_format format, const char *text, size_t length, size_t piece,
                      parts_trace *trace) {
    assert_true(parts_trace_new(trace, length));
    fm_parts *p = begin(format, trace);
    for (size_t at = 0; at < length; at += piece)
        assert_int_equal(fm_parts_push(p, text + at, piece < length - at ? piece : length - at),
                         FM_OK);
    assert_int_equal(fm_parts_end(p), FM_OK);
    assert_false(trace->overflows);
    fm_parts_free(p);
}

/** Appends what can be read: a letter for the kind, and in brackets what it has. */
static void describe(const parts_trace *trace, char *out, size_t size) {
    static const char *const letters[] = {"A", "R", "/R", "C", "/C"};
    size_t n = 0;
    *out = '\0';
    for (size_t i = 0; i < trace->n; i++) {
        const fm_part *part = &trace->parts[i];
        bool is_call = part->kind == FM_PART_CALL, has_text = is_call || parts_trace_is_text(part);
        n += (size_t)snprintf(out + n, size - n, "%s", letters[part->kind]);
        if (is_call)
            n += (size_t)snprintf(out + n, size - n, "%d%s[%.*s]", (int)part->call,
                                  part->is_json ? "" : "!", (int)part->name_length, part->name);
        if (has_text)
            n += (size_t)snprintf(out + n, size - n, "[%.*s]", (int)part->length, part->text);
        assert_true(n < size);
    }
}

static void expect_written(fm_parts_format format, const parts_trace *trace, const char *text,
                           size_t length) {
    parts_text written = {0};
    fm_error err = {0};
    if (fm_parts_write(format, trace->parts, trace->n, parts_text_take, &written, &err) != FM_OK)
        fail_msg("%s", err.text);
    if (!parts_trace_same_text(written.bytes, written.length, text, length))
        fail_msg("\"%s\" was written, not \"%s\"", written.bytes, text);
    free(written.bytes);
}

/** The text has these parts however it is cut, and the parts have this text. */
static void expect_parts(fm_parts_format format, const char *text, const char *wanted) {
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        parts_trace trace;
        char found[2048];
        read_text(format, text, length, piece, &trace);
        describe(&trace, found, sizeof found);
        if (strcmp(found, wanted) != 0)
            fail_msg("%s: \"%s\" in pieces of %zu came as %s, not %s", format.name, text, piece,
                     found, wanted);
        expect_written(format, &trace, text, length);
        parts_trace_free(&trace);
    }
}

/* ---- Reasoning ------------------------------------------------------------------------------- */

static void parts_reasoning_ends_where_its_tag_closes(void **state) {
    (void)state;
    expect_parts(think, "<think>\nHm.\n</think>\n\nYes.", "R[\nHm.\n]/RA[\n\nYes.]");
    expect_parts(r1_opened, "Hm.</think>\n\nYes.", "R[Hm.]/RA[\n\nYes.]");
    expect_parts(v31, "<think>Hm.</think>Yes.", "R[Hm.]/RA[Yes.]");
    expect_parts(think, "<think></think>Yes.", "R[]/RA[Yes.]");
    expect_parts(think_opened, "</think>Yes.", "/RA[Yes.]");
    expect_parts(think, "<think>Hm.</think>", "R[Hm.]/R");
}

static void parts_reasoning_may_never_close(void **state) {
    (void)state;
    expect_parts(think, "<think>Hm. </thin", "R[Hm. </thin]");
    expect_parts(think, "<think>", "R[]");
    expect_parts(think_opened, "Hm. <think> </ think> < </think",
                 "R[Hm. <think> </ think> < </think]");
    expect_parts(think_opened, "", "");
}

static void parts_reasoning_opens_at_the_beginning_alone(void **state) {
    (void)state;
    expect_parts(think, "Yes.", "A[Yes.]");
    expect_parts(think, "", "");
    expect_parts(think, "\n <think>Hm.</think>Yes.", "A[\n ]R[Hm.]/RA[Yes.]");
    expect_parts(think, "Say <think>Hm.</think>", "A[Say <think>Hm.</think>]");
    expect_parts(think, "<thin", "A[<thin]");
    expect_parts(think, "<thin>k", "A[<thin>k]");
    expect_parts(think, "<<think>", "A[<<think>]");
    expect_parts(think, "</think>Yes.", "A[</think>Yes.]");
    expect_parts(think, "<think>a</think>b<think>c</think>", "R[a]/RA[b<think>c</think>]");
    expect_parts(v3, "<think>a</think>", "A[<think>a</think>]");
    expect_parts(none, "<think>a</think>" CALLS, "A[<think>a</think>" CALLS "]");
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void parts_calls_of_v3_have_a_type_and_a_fence(void **state) {
    (void)state;
    expect_parts(r1, "<think>\nHm.</think>\n" CALLS V3_CALL("sum", "{}") CALLS_END,
                 "R[\nHm.]/RA[\n]C0[sum][{}]/C");
    expect_parts(v3, CALLS V3_CALL("sum", "{\"a\": 1}") CALLS_END, "C0[sum][{\"a\": 1}]/C");
    expect_parts(v3,
                 "Let me see.\n" CALLS V3_CALL("a", "{}") "\n" V3_CALL("b", "[1,\n2]") CALLS_END,
                 "A[Let me see.\n]C0[a][{}]C1[b][[1,\n2]]/C");
    expect_parts(r1_opened, "Hm." CALLS "</think>" CALLS V3_CALL("a", "{}") CALLS_END,
                 "R[Hm." CALLS "]/RC0[a][{}]/C");
}

static void parts_calls_of_v31_have_a_name_and_arguments(void **state) {
    (void)state;
    expect_parts(v31, CALLS V31_CALL("sum", "{\"a\": 1}") CALLS_END, "C0[sum][{\"a\": 1}]/C");
    expect_parts(v31, "Well" CALLS V31_CALL("a", "{}") V31_CALL("b", "{}") CALLS_END,
                 "A[Well]C0[a][{}]C1[b][{}]/C");
    expect_parts(v31, "<think>Hm.</think>" CALLS V31_CALL("a", "{}") CALLS_END,
                 "R[Hm.]/RC0[a][{}]/C");
}

static void parts_calls_need_no_end_and_no_order(void **state) {
    (void)state;
    expect_parts(v31, CALLS V31_CALL("a", "{}"), "C0[a][{}]");
    expect_parts(v31, CALLS V31_CALL("a", "{}") CALLS_END "\nDone.", "C0[a][{}]/CA[\nDone.]");
    expect_parts(v31, CALLS V31_CALL("a", "{}") CALLS_END CALLS V31_CALL("b", "{}") CALLS_END,
                 "C0[a][{}]/CC1[b][{}]/C");
    expect_parts(v3, CALLS V3_CALL("a", "{}") "\n" CALLS_END, "C0[a][{}]A[\n]/C");
}

/** What stands between two calls is told unless it is what the format writes there. */
static void parts_space_between_calls_is_kept(void **state) {
    (void)state;
    expect_parts(v3, CALLS V3_CALL("a", "{}") V3_CALL("b", "{}") CALLS_END,
                 "C0[a][{}]A[]C1[b][{}]/C");
    expect_parts(v3, CALLS V3_CALL("a", "{}") "\n\n" V3_CALL("b", "{}") CALLS_END,
                 "C0[a][{}]A[\n\n]C1[b][{}]/C");
    expect_parts(v3, CALLS V3_CALL("a", "{}") " and\n" V3_CALL("b", "{}") "\n" V3_CALL("c", "{}"),
                 "C0[a][{}]A[ and\n]C1[b][{}]C2[c][{}]");
    expect_parts(v31, CALLS V31_CALL("a", "{}") "\n" V31_CALL("b", "{}") "\n",
                 "C0[a][{}]A[\n]C1[b][{}]A[\n]");
}

static void parts_arguments_pass_as_they_are_written(void **state) {
    (void)state;
    expect_parts(v31, CALLS V31_CALL("a", " {\"b\" :\t1e2,\"ü\":\"\\u00fc\"} \n"),
                 "C0[a][ {\"b\" :\t1e2,\"ü\":\"\\u00fc\"} \n]");
    expect_parts(v31, CALLS V31_CALL("a", "{'b': 1}"), "C0![a][{'b': 1}]");
    expect_parts(v31, CALLS V31_CALL("a", "{\"b\": 1, \"b\": 2}"), "C0![a][{\"b\": 1, \"b\": 2}]");
    expect_parts(v31, CALLS V31_CALL("a", ""), "C0![a][]");
    expect_parts(v3, CALLS V3_CALL("a", ""), "C0![a][]");
    expect_parts(v3, CALLS V3_CALL("a", "\n```\n"), "C0![a][\n```\n]");
    expect_parts(v3, CALLS V3_CALL("a", "{}\n"), "C0[a][{}\n]");
}

/** In a string of the arguments a mark is content; a string never goes over a line. */
static void parts_marks_in_strings_are_content(void **state) {
    (void)state;
    expect_parts(v31, CALLS V31_CALL("a", "[\"" CALL_END CALLS "\"]"),
                 "C0[a][[\"" CALL_END CALLS "\"]]");
    expect_parts(v31, CALLS V31_CALL("a", "[\"\\\"" CALL_END "\\\\\"]"),
                 "C0[a][[\"\\\"" CALL_END "\\\\\"]]");
    expect_parts(v31, CALLS V31_CALL("a", "[\"b\n") CALLS_END, "C0![a][[\"b\n]/C");
    expect_parts(v31, CALLS V31_CALL("a", "[\"b\\\n") CALLS_END, "C0![a][[\"b\\\n]/C");
    expect_parts(v31, CALLS V31_CALL("a", "\\\"b\""), "C0![a][\\\"b\"]");
}

static void parts_malformed_calls_are_text(void **state) {
    static const char *const texts[] = {
        CALLS,
        CALLS "\n" V3_CALL("a", "{}"),
        CALLS CALLS,
        V3_CALL("a", "{}"),
        CALLS CALL "function" SEP "a\n```json\n{}",
        CALLS CALL "function" SEP "a\n```json\n{}\n```",
        CALLS CALL "function" SEP "a\n```json\n{}" CALL_END CALLS_END,
        CALLS CALL "function" SEP "a\n```json\n{\"b\": 1}" CALL_END CALLS_END,
        CALLS CALL "function" SEP "a\n```json\n```" CALL_END CALLS_END,
        CALLS CALL "function" SEP "a\n```\n{}\n```" CALL_END CALLS_END,
        CALLS CALL "function" SEP "\n```json\n{}\n```" CALL_END CALLS_END,
        CALLS CALL "function" SEP "a\tb\n```json\n{}\n```" CALL_END CALLS_END,
        CALLS CALL "method" SEP "a\n```json\n{}\n```" CALL_END CALLS_END,
        CALLS CALL "function" SEP "a\n```json\n[\"\n" SEP "\n```" CALL_END CALLS_END,
        CALLS CALL "a" SEP "{}" CALL_END CALLS_END,
        CALLS_END CALL_END SEP,
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char wanted[512];
        snprintf(wanted, sizeof wanted, "A[%s]", texts[i]);
        expect_parts(v3, texts[i], wanted);
    }
    expect_parts(v31, CALLS CALL SEP "{}" CALL_END, "A[" CALLS CALL SEP "{}" CALL_END "]");
    expect_parts(v31, CALLS CALL "a" SEP "{}" CALLS_END CALL_END,
                 "A[" CALLS CALL "a" SEP "{}" CALLS_END CALL_END "]");
}

/** What interrupts a call is looked at again, and what follows in the block is told. */
static void parts_calls_are_found_behind_malformed_ones(void **state) {
    (void)state;
    expect_parts(v31, CALLS CALL "a" SEP "{" CALLS V31_CALL("b", "{}"),
                 "A[" CALLS CALL "a" SEP "{]C0[b][{}]");
    expect_parts(v31, CALLS CALL "a" CALLS V31_CALL("b", "{}"), "A[" CALLS CALL "a]C0[b][{}]");
    expect_parts(v31, CALLS CALLS V31_CALL("b", "{}"), "A[" CALLS "]C0[b][{}]");
    expect_parts(v31, CALLS V31_CALL("a", "{}") CALL "b" SEP "{" V31_CALL("c", "{}") CALLS_END,
                 "C0[a][{}]A[" CALL "b" SEP "{]C1[c][{}]/C");
    expect_parts(v3, CALLS V3_CALL("a", "{}") "\n" CALL "function" SEP "b\n" V3_CALL("c", "{}"),
                 "C0[a][{}]A[\n" CALL "function" SEP "b\n]C1[c][{}]");
    expect_parts(v31, CALLS V31_CALL("a", "{}") CALLS V31_CALL("b", "{}"),
                 "C0[a][{}]A[" CALLS "]C1[b][{}]");
}

/* ---- Time and place -------------------------------------------------------------------------- */

static void parts_wait_no_longer_than_they_must(void **state) {
    static const struct {
        const char *piece, *so_far;
    } steps[] = {
        {"\n", "A[\n]"},
        {"<th", "A[\n]"},
        {"ink>", "A[\n]R[]"},
        {"H < 3 <", "A[\n]R[H < 3 ]"},
        {"/b", "A[\n]R[H < 3 </b]"},
        {"</think>", "A[\n]R[H < 3 </b]/R"},
        {"a<｜tool▁", "A[\n]R[H < 3 </b]/RA[a]"},
        {"x" CALLS, "A[\n]R[H < 3 </b]/RA[a<｜tool▁x]"},
        {"!", "A[\n]R[H < 3 </b]/RA[a<｜tool▁x" CALLS "!]"},
    };
    parts_trace trace;
    char found[512];
    (void)state;
    assert_true(parts_trace_new(&trace, 512));
    fm_parts *p = begin(v31, &trace);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(fm_parts_push(p, steps[i].piece, strlen(steps[i].piece)), FM_OK);
        describe(&trace, found, sizeof found);
        assert_string_equal(found, steps[i].so_far);
    }
    fm_parts_free(p);
    parts_trace_free(&trace);
}

static void parts_tell_a_call_with_its_last_byte(void **state) {
    static const char text[] = CALLS V3_CALL("a", "{}");
    size_t length = sizeof text - 1;
    parts_trace trace;
    (void)state;
    assert_true(parts_trace_new(&trace, length));
    fm_parts *p = begin(v3, &trace);
    fm_parts_push(p, text, length - 1);
    assert_int_equal(trace.n, 0);
    fm_parts_push(p, text + length - 1, 1);
    assert_int_equal(trace.n, 1);
    assert_int_equal(fm_parts_end(p), FM_OK);
    assert_int_equal(fm_parts_push(p, "a", 1), FM_ERR_STATE);
    assert_int_equal(fm_parts_end(p), FM_OK);
    assert_int_equal(trace.n, 1);
    fm_parts_free(p);
    fm_parts_free(NULL);
    parts_trace_free(&trace);
}

/** No piece begins inside a character, unless the text is none. */
static void take_whole(void *user, const fm_part *part) {
    assert_true((part->text[0] & 0xC0) != 0x80 || part->text[part->length - 1] == '\x80');
    parts_trace_take(user, part);
}

/** A push is taken in blocks, which end between characters where there are any. */
static void parts_of_a_long_push_are_whole_characters(void **state) {
    static char text[3][10000];
    (void)state;
    for (size_t i = 0; i < sizeof text[0]; i++) {
        text[0][i] = "\xE4\xB8\xAD"[i % 3];
        text[1][i] = i == 0 ? 'a' : "\xE4\xB8\xAD"[(i - 1) % 3];
        text[2][i] = '\x80';
    }
    for (int i = 0; i < 3; i++) {
        parts_trace trace;
        size_t length = i == 0 ? 9999 : 10000;
        assert_true(parts_trace_new(&trace, length));
        fm_parts *p;
        assert_int_equal(fm_parts_new(think, take_whole, &trace, &p, NULL), FM_OK);
        assert_int_equal(fm_parts_push(p, text[i], length), FM_OK);
        assert_int_equal(trace.length, length);
        assert_memory_equal(trace.bytes, text[i], length);
        fm_parts_free(p);
        parts_trace_free(&trace);
    }
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/** A call with a name and arguments of so many bytes; the arguments are one string. */
static char *make_call(size_t name_length, size_t arguments_length) {
    char *text = malloc(name_length + arguments_length + 256), *end = text;
    assert_non_null(text);
    end = stpcpy(end, CALLS CALL);
    memset(end, 'n', name_length);
    end = stpcpy(end + name_length, SEP);
    memset(end, 's', arguments_length);
    end[0] = end[arguments_length - 1] = '"';
    stpcpy(end + arguments_length, CALL_END);
    return text;
}

/** The call is one, or text, whatever the pieces are. */
static void expect_call(size_t name_length, size_t arguments_length, bool is_call) {
    static const size_t pieces[] = {1, 4095, 1 << 22};
    char *text = make_call(name_length, arguments_length);
    size_t length = strlen(text);
    for (size_t i = 0; i < 3; i++) {
        parts_trace trace;
        read_text(v31, text, length, pieces[i], &trace);
        assert_int_equal(trace.n, 1);
        assert_int_equal(trace.parts[0].kind, is_call ? FM_PART_CALL : FM_PART_ANSWER);
        assert_int_equal(trace.parts[0].length, is_call ? arguments_length : length);
        assert_int_equal(trace.parts[0].is_json, is_call);
        expect_written(v31, &trace, text, length);
        parts_trace_free(&trace);
    }
    free(text);
}

static void parts_calls_above_a_limit_are_text(void **state) {
    (void)state;
    expect_call(FM_MAX_CALL_NAME, 2, true);
    expect_call(FM_MAX_CALL_NAME + 1, 2, false);
    expect_call(3, FM_MAX_CALL_ARGUMENTS, true);
    expect_call(3, FM_MAX_CALL_ARGUMENTS + 1, false);
    expect_call(3, FM_MAX_CALL_ARGUMENTS + 5000, false);
}

/** A string that the limit cut does not hide the end of the next call. */
static void parts_calls_are_found_behind_one_above_a_limit(void **state) {
    static const char next[] = CALLS V31_CALL("b", "{}");
    char *text = make_call(1, FM_MAX_CALL_ARGUMENTS + 2);
    size_t length = strlen(text);
    parts_trace trace;
    (void)state;
    text = realloc(text, length + sizeof next);
    assert_non_null(text);
    memcpy(text + length, next, sizeof next);
    read_text(v31, text, strlen(text), 100000, &trace);
    assert_int_equal(trace.n, 2);
    assert_int_equal(trace.parts[0].length, length);
    assert_int_equal(trace.parts[1].kind, FM_PART_CALL);
    parts_trace_free(&trace);
    free(text);
}

static void parts_calls_beyond_the_most_are_text(void **state) {
    static const char call[] = V31_CALL("a", "1");
    size_t n = sizeof call - 1, length = strlen(CALLS);
    char *text = malloc(length + (FM_MAX_CALLS + 1) * n + 1);
    parts_trace trace;
    (void)state;
    assert_non_null(text);
    strcpy(text, CALLS);
    for (int i = 0; i <= FM_MAX_CALLS; i++, length += n) strcpy(text + length, call);
    read_text(v31, text, length, 7, &trace);
    assert_int_equal(trace.n, FM_MAX_CALLS + 1);
    assert_int_equal(trace.parts[FM_MAX_CALLS - 1].call, FM_MAX_CALLS - 1);
    assert_int_equal(trace.parts[FM_MAX_CALLS].kind, FM_PART_ANSWER);
    assert_int_equal(trace.parts[FM_MAX_CALLS].length, n);
    expect_written(v31, &trace, text, length);
    parts_trace_free(&trace);
    free(text);
}

static void parts_deep_arguments_are_no_json(void **state) {
    char deep[2][600];
    (void)state;
    for (int i = 0; i < 2; i++) {
        memset(deep[i], '[', 256 + (size_t)i);
        memset(deep[i] + 256 + i, ']', 256 + (size_t)i);
        deep[i][512 + 2 * i] = '\0';
        char text[1400];
        parts_trace trace;
        snprintf(text, sizeof text, "%s%sa%s%s%s", CALLS, CALL, SEP, deep[i], CALL_END);
        read_text(v31, text, strlen(text), 100, &trace);
        assert_int_equal(trace.parts[0].kind, FM_PART_CALL);
        assert_int_equal(trace.parts[0].is_json, i == 0);
        parts_trace_free(&trace);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_reasoning_ends_where_its_tag_closes),
        cmocka_unit_test(parts_reasoning_may_never_close),
        cmocka_unit_test(parts_reasoning_opens_at_the_beginning_alone),
        cmocka_unit_test(parts_calls_of_v3_have_a_type_and_a_fence),
        cmocka_unit_test(parts_calls_of_v31_have_a_name_and_arguments),
        cmocka_unit_test(parts_calls_need_no_end_and_no_order),
        cmocka_unit_test(parts_space_between_calls_is_kept),
        cmocka_unit_test(parts_arguments_pass_as_they_are_written),
        cmocka_unit_test(parts_marks_in_strings_are_content),
        cmocka_unit_test(parts_malformed_calls_are_text),
        cmocka_unit_test(parts_calls_are_found_behind_malformed_ones),
        cmocka_unit_test(parts_wait_no_longer_than_they_must),
        cmocka_unit_test(parts_tell_a_call_with_its_last_byte),
        cmocka_unit_test(parts_of_a_long_push_are_whole_characters),
        cmocka_unit_test(parts_calls_above_a_limit_are_text),
        cmocka_unit_test(parts_calls_are_found_behind_one_above_a_limit),
        cmocka_unit_test(parts_calls_beyond_the_most_are_text),
        cmocka_unit_test(parts_deep_arguments_are_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
