/*
 * test_parts_random.c - parts of random answers: read in any pieces they are the same, written they
 * give the answer again, and what was written is read as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "support/parts_trace.h"
#include "text/parts_soup.h"

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_utf8(const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t n = utf8_length(text + at, length - at);
        if (n == 0) return false;
        at += n;
    }
    return true;
}

/** What a stream tells is kept; told whole code points, of text that is UTF-8. */
typedef struct reading {
    parts_trace trace;
    bool wants_utf8;
} reading;

static void take(void *user, const fm_part *part) {
    reading *r = user;
    if (r->wants_utf8) assert_true(is_utf8(part->text, part->length));
    parts_trace_take(&r->trace, part);
}

/** Reads an answer in random pieces; in one when `s` is NULL. */
static void read_answer(fm_parts_format format, const char *text, size_t length, stream *s,
                        bool by_bytes, reading *out) {
    fm_parts *p;
    parts_trace_clear(&out->trace);
    out->wants_utf8 = !by_bytes && is_utf8(text, length);
    assert_int_equal(fm_parts_new(format, take, out, &p, NULL), FM_OK);
    for (size_t at = 0; at < length;) {
        size_t end = s ? at + (size_t)stream_between(s, 0, 12) : length;
        end = end > length ? length : by_bytes ? end : utf8_cut(text, length, end);
        if (end < at) end = at;
        if (end == at) end += utf8_length(text + at, length - at);
        if (end == at) end++;
        assert_int_equal(fm_parts_push(p, text + at, end - at), FM_OK);
        at = end;
    }
    assert_int_equal(fm_parts_end(p), FM_OK);
    fm_parts_free(p);
}

static void expect_same(const reading *a, const reading *b, const char *text, size_t length) {
    if (!parts_trace_equal(&a->trace, &b->trace))
        fail_msg("another cut has other parts: \"%.*s\"", (int)length, text);
}

static void expect_written(fm_parts_format format, const reading *r, const char *text,
                           size_t length) {
    parts_text written = {0};
    fm_error err = {0};
    if (fm_parts_write(format, r->trace.parts, r->trace.n, parts_text_take, &written, &err) !=
        FM_OK)
        fail_msg("%s: \"%.*s\"", err.text, (int)length, text);
    if (!parts_trace_same_text(written.bytes, written.length, text, length))
        fail_msg("\"%s\" was written, not \"%.*s\"", written.bytes, (int)length, text);
    free(written.bytes);
}

static bool has_kind(const reading *r, fm_part_kind kind) {
    for (size_t i = 0; i < r->trace.n; i++)
        if (r->trace.parts[i].kind == kind) return true;
    return false;
}

static void parts_are_the_same_however_an_answer_is_cut(void **state) {
    static reading whole, cut;
    stream s = {12};
    int n_with[FM_PART_CALLS_END + 1] = {0}, n_rounds = 40000;
    (void)state;
    assert_true(parts_trace_new(&whole.trace, SOUP_SIZE) && parts_trace_new(&cut.trace, SOUP_SIZE));
    for (int round = 0; round < n_rounds; round++) {
        char text[SOUP_SIZE];
        fm_parts_format format = soup_formats[round % SOUP_FORMATS];
        size_t length = soup_write(&s, text);
        read_answer(format, text, length, NULL, false, &whole);
        expect_written(format, &whole, text, length);
        for (int kind = 0; kind <= FM_PART_CALLS_END; kind++)
            n_with[kind] += has_kind(&whole, (fm_part_kind)kind);
        for (int i = 0; i < 2; i++) {
            read_answer(format, text, length, &s, i == 0, &cut);
            expect_same(&whole, &cut, text, length);
        }
    }
    for (int kind = 0; kind <= FM_PART_CALLS_END; kind++) assert_true(n_with[kind] > n_rounds / 40);
    parts_trace_free(&whole.trace);
    parts_trace_free(&cut.trace);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/** A list of parts as a stream would tell it. */
typedef struct turn {
    fm_part parts[16];
    size_t n;
} turn;

static void add(turn *t, fm_part part, const char *text) {
    part.call = -1;
    part.text = text;
    part.length = strlen(text);
    t->parts[t->n++] = part;
}

/** Text in which no mark is whole, wherever it stands. */
static void add_text(stream *s, turn *t, fm_part_kind kind) {
    static const char *const texts[] = {
        "a", "Well <think", " < </thin", ".<｜tool▁call", "é\n\n```json\n", "x" SEP CALL_END};
    add(t, (fm_part){.kind = kind}, texts[stream_between(s, 0, 5)]);
}

static void add_call(stream *s, turn *t, int32_t number) {
    static const char *const names[] = {"f", "get_weather", "größe.2"};
    static const struct {
        const char *text;
        bool is_json;
    } arguments[] = {{"{}", true},       {" {\"a\": \"" CALL_END CALLS "</think>\"}\n", true},
                     {"\"\\\\\"", true}, {"", false},
                     {"a = 1", false},   {"[\"\n", false}};
    const char *name = names[stream_between(s, 0, 2)];
    int32_t which = stream_between(s, 0, 5);
    add(t, (fm_part){.kind = FM_PART_CALL, .name = name, .name_length = strlen(name)},
        arguments[which].text);
    t->parts[t->n - 1].is_json = arguments[which].is_json;
    t->parts[t->n - 1].call = number;
}

static void make_turn(stream *s, fm_parts_format format, bool has_calls, turn *t) {
    int32_t n_calls = has_calls ? stream_between(s, 0, 4) : 0;
    t->n = 0;
    if (format.in_reasoning ||
        (strcmp(format.name, "deepseek-v3") != 0 && stream_between(s, 0, 1))) {
        add_text(s, t, FM_PART_REASONING);
        if (n_calls == 0 && stream_between(s, 0, 3) == 0) return;
        add(t, (fm_part){.kind = FM_PART_REASONING_END}, "");
    }
    if (stream_between(s, 0, 1)) add_text(s, t, FM_PART_ANSWER);
    for (int32_t i = 0; i < n_calls; i++) {
        if (i > 0 && stream_between(s, 0, 3) == 0) add_text(s, t, FM_PART_ANSWER);
        add_call(s, t, i);
    }
    if (n_calls > 0 && stream_between(s, 0, 3) > 0) {
        add(t, (fm_part){.kind = FM_PART_CALLS_END}, "");
        if (stream_between(s, 0, 3) == 0) add_text(s, t, FM_PART_ANSWER);
    }
}

static void parts_that_are_written_are_read_as_they_were(void **state) {
    static reading read;
    stream s = {13};
    (void)state;
    assert_true(parts_trace_new(&read.trace, 4096));
    for (int round = 0; round < 20000; round++) {
        fm_parts_format format = soup_formats[round % (SOUP_FORMATS - 1)];
        parts_text written = {0};
        fm_error err = {0};
        turn t;
        make_turn(&s, format, strncmp(format.name, "deepseek", 8) == 0, &t);
        if (fm_parts_write(format, t.parts, t.n, parts_text_take, &written, &err) != FM_OK)
            fail_msg("%s", err.text);
        read_answer(format, written.bytes, written.length, &s, false, &read);
        parts_trace wanted = {.parts = t.parts, .n = t.n};
        if (!parts_trace_equal(&wanted, &read.trace))
            fail_msg("%s: \"%s\" is read as other parts", format.name, written.bytes);
        free(written.bytes);
    }
    parts_trace_free(&read.trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_same_however_an_answer_is_cut),
        cmocka_unit_test(parts_that_are_written_are_read_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
