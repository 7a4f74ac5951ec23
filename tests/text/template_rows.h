/*
 * template_rows.h - what the suites of templates share: rendering a text with an input, and tables
 * of templates with what they give. It brings cmocka with it.
 */
#ifndef FATHOM_TESTS_TEXT_TEMPLATE_ROWS_H
#define FATHOM_TESTS_TEXT_TEMPLATE_ROWS_H

#include <stdio.h>
#include <stdlib.h>

#include "support/expect.h"

/** A template and its text; NULL: it is refused, when it is parsed or rendered. */
typedef struct template_row {
    const char *text, *expected;
} template_row;

/** 14 November 2023, 22:13:20 UTC, a Tuesday. */
enum { TEMPLATE_NOW = 1700000000 };

static inline fm_status template_try(const char *text, const char *input, fm_rendering **out,
                                     fm_error *err) {
    static const fm_template_name names[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    fm_template *t;
    *out = NULL;
    fm_status status = fm_template_parse(text, strlen(text), &t, err);
    if (status == FM_OK)
        status = fm_template_render(t, input, strlen(input), names, 2, TEMPLATE_NOW, out, err);
    fm_template_free(t);
    return status;
}

/** The spans as one terminated text, which the caller frees. */
static inline char *template_text(const fm_rendering *r) {
    size_t n, length = 0;
    const fm_span *spans = fm_rendering_spans(r, &n);
    for (size_t i = 0; i < n; i++) length += spans[i].length;
    char *text = malloc(length + 1);
    assert_non_null(text);
    length = 0;
    for (size_t i = 0; i < n; length += spans[i].length, i++)
        memcpy(text + length, spans[i].text, spans[i].length);
    text[length] = '\0';
    return text;
}

/** The text of a template that has to be right; the caller frees it. */
static inline char *template_render_text(const char *text, const char *input) {
    fm_rendering *r;
    fm_error err = {0};
    if (template_try(text, input, &r, &err) != FM_OK) fail_msg("%s: %s", text, err.text);
    char *rendered = template_text(r);
    fm_rendering_free(r);
    return rendered;
}

static inline void template_check_row(const template_row *row, const char *input) {
    fm_rendering *r;
    fm_error err = {0};
    fm_status status = template_try(row->text, input, &r, &err);
    if (!row->expected) {
        if (status == FM_OK) fail_msg("%s: was not refused", row->text);
        expect_error(row->text, status, &err, status, "line ");
        return;
    }
    if (status != FM_OK) fail_msg("%s: %s", row->text, err.text);
    char *text = template_text(r);
    if (strcmp(text, row->expected) != 0)
        fail_msg("%s: gives \"%s\", not \"%s\"", row->text, text, row->expected);
    free(text);
    fm_rendering_free(r);
}

static inline void template_check(const template_row *rows, size_t n, const char *input) {
    for (size_t i = 0; i < n; i++) template_check_row(&rows[i], input);
}

#define TEMPLATE_CHECK(rows, input) template_check(rows, sizeof rows / sizeof rows[0], input)

/** A test of a table, with the suite's own `input`. */
#define TEMPLATE_CASE(name, rows)                                                                  \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        TEMPLATE_CHECK(rows, input);                                                               \
    }

#endif
