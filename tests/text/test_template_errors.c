/* test_template_errors.c - what is refused, and where the message says that it is. */
#include "text/template_rows.h"

typedef struct error_row {
    const char *text;
    fm_status status;
    const char *place; /* how the message begins */
    const char *word;  /* what it holds */
} error_row;

static void check_rows(const error_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        fm_rendering *r;
        fm_error err = {0};
        fm_status status = template_try(rows[i].text, "{\"n\":null,\"l\":[1]}", &r, &err);
        expect_error(rows[i].text, status, &err, rows[i].status, rows[i].word);
        if (strncmp(err.text, rows[i].place, strlen(rows[i].place)) != 0)
            fail_msg("%s: \"%s\" does not begin with \"%s\"", rows[i].text, err.text,
                     rows[i].place);
        assert_null(r);
    }
}

static void template_malformed_text_is_refused_with_its_place(void **state) {
    (void)state;
    static const error_row rows[] = {
        {"a\n{% if %}", FM_ERR_FORMAT, "line 2, column 7: ", "'%}' stands where an expression"},
        {"{% if 1 %}x", FM_ERR_FORMAT, "line 1, column 12: ", "the template ends where endif"},
        {"{% endif %}", FM_ERR_FORMAT, "line 1, column 4: ", "'endif' stands where a statement"},
        {"{% for %}", FM_ERR_FORMAT, "line 1, column 8: ", "a name"},
        {"{% for x of l %}", FM_ERR_FORMAT, "line 1, column 10: ", "where in is needed"},
        {"{{ }}", FM_ERR_FORMAT, "line 1, column 4: ", "an expression"},
        {"{{ 1", FM_ERR_FORMAT, "line 1, column 5: ", "'}}' is needed"},
        {"{{ 1 2 }}", FM_ERR_FORMAT, "line 1, column 6: ", "'2' stands where '}}'"},
        {"你好 {{ 1 ! }}", FM_ERR_FORMAT, "line 1, column 9: ", "'!' has no meaning"},
        {"{{ 'abc }}", FM_ERR_FORMAT, "line 1, column 4: ", "never ends"},
        {"x{# abc", FM_ERR_FORMAT, "line 1, column 2: ", "a comment begins here"},
        {"{% raw %}x", FM_ERR_FORMAT, "line 1, column 1: ", "a raw block begins here"},
        {"{{ (1] }}", FM_ERR_FORMAT, "line 1, column 6: ", "']' stands where ')'"},
        {"{{ 1) }}", FM_ERR_FORMAT, "line 1, column 5: ", "')' closes nothing"},
        {"{{ '\\N{DASH}' }}", FM_ERR_FORMAT, "line 1, column 5: ", "no"},
        {"{{ '\\ud800' }}", FM_ERR_FORMAT, "line 1, column 5: ", "escape"},
        {"{{ x|nosuch }}", FM_ERR_FORMAT, "line 1, column 6: ", "no filter 'nosuch'"},
        {"{{ x is nosuch }}", FM_ERR_FORMAT, "line 1, column 9: ", "no test 'nosuch'"},
        {"{{ x is string is none }}", FM_ERR_FORMAT, "line 1, column 16: ", "cannot follow a test"},
        {"{% set 1 = 2 %}", FM_ERR_FORMAT, "line 1, column 8: ", "a name"},
        {"{% set true = 2 %}", FM_ERR_FORMAT, "line 1, column ", "assigned to true"},
        {"{% set x = %}", FM_ERR_FORMAT, "line 1, column 12: ", "an expression"},
        {"{% for loop in l %}{% endfor %}", FM_ERR_FORMAT, "line 1, column ", "assigned to loop"},
        {"{% break %}", FM_ERR_FORMAT, "line 1, column 4: ", "outside a loop"},
        {"{% for x in l %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}", FM_ERR_FORMAT,
         "line 1, column 35: ", "outside a loop"},
        {"{% macro f(a=1, b) %}{% endmacro %}", FM_ERR_FORMAT,
         "line 1, column 18: ", "without a default"},
        {"{% call f %}{% endcall %}", FM_ERR_FORMAT, "line 1, column 11: ", "a call of a macro"},
        {"{{ f(a=1, 2) }}", FM_ERR_FORMAT, "line 1, column ", "has to be later"},
        {"{{ f(**a, *b) }}", FM_ERR_FORMAT, "line 1, column ", "has to be later"},
        {"{{ l[1:2:3:4] }}", FM_ERR_FORMAT, "line 1, column ", "three parts"},
        {"{% include 'x' %}", FM_ERR_FORMAT, "line 1, column 4: ", "a statement that chat"},
        {"{% import 'x' as y %}", FM_ERR_FORMAT, "line 1, column 4: ", "a statement that chat"},
        {"a\n\xFF", FM_ERR_FORMAT, "line 2, column 1: ", "byte 0xFF is no UTF-8"},
        {"{{ 0x1ffffffffffffffff }}", FM_ERR_FORMAT, "line 1, column 4: ", "64 bits"},
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void template_operations_without_meaning_name_their_line(void **state) {
    (void)state;
    static const error_row rows[] = {
        {"a\n\n{{ 1 + 'a' }}", FM_ERR_ARG,
         "line 3: ", "'+' does not go between a whole number and a string"},
        {"{{ u.x }}", FM_ERR_ARG, "line 1: ", "'u' is undefined"},
        {"{{ n.zz.x }}", FM_ERR_ARG, "line 1: ", "'zz' is undefined"},
        {"{{ u() }}", FM_ERR_ARG, "line 1: ", "cannot be called"},
        {"{{ l() }}", FM_ERR_ARG, "line 1: ", "a list cannot be called"},
        {"{{ 1 / 0 }}", FM_ERR_ARG, "line 1: ", "division by zero"},
        {"{{ 1 < 'a' }}", FM_ERR_ARG, "line 1: ", "have no order"},
        {"{% for x in n %}{% endfor %}", FM_ERR_ARG, "line 1: ", "none cannot be gone through"},
        {"{% set a, b = l %}", FM_ERR_ARG, "line 1: ", "1 values are assigned to 2 names"},
        {"{% set l.x = 1 %}", FM_ERR_ARG, "line 1: ", "'l' is no namespace"},
        {"{{ l.append(1) }}", FM_ERR_ARG, "line 1: ", "'append' is undefined"},
        {"{{ 'a'.zfill(3) }}", FM_ERR_UNSUPPORTED, "line 1: ", "not supported"},
        {"{{ range }}", FM_ERR_ARG, "line 1: ", "a function has no text"},
        {"{{ l|join(1, 2, 3) }}", FM_ERR_ARG, "line 1: ", "join takes 2 arguments at most"},
        {"{{ 'a'|replace('b') }}", FM_ERR_ARG, "line 1: ", "'new' is missing"},
        {"{{ l|tojson(nosuch=1) }}", FM_ERR_ARG, "line 1: ", "tojson has no argument"},
        {"{{ u|tojson }}", FM_ERR_ARG, "line 1: ", "'u' is undefined"},
        /* What the template itself says stands alone. */
        {"\n\n{{ raise_exception('Roles must\\nalternate') }}", FM_ERR_ARG, "Roles must?alternate",
         ""},
        {"{{ raise_exception('\\0\\0x') }}", FM_ERR_ARG, "??x", ""},
        {"{{ raise_exception(u) }}", FM_ERR_ARG, "line 1: ", "refuses its input"},
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void template_input_has_to_be_an_object(void **state) {
    (void)state;
    static const struct {
        const char *input, *word;
        fm_status status;
    } rows[] = {
        {"", "the text ends", FM_ERR_FORMAT},
        {"[1]", "is a list: give an object", FM_ERR_FORMAT},
        {"{\"a\":1} x", "the end of the text", FM_ERR_FORMAT},
        {"{\"a\":\"\xC3\"}", "is no UTF-8", FM_ERR_FORMAT},
        {"{\"a\":\"\\u0000\"}", "\\u0000", FM_ERR_FORMAT},
        {"{\"a\":1e999}", "too large", FM_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fm_rendering *r;
        fm_error err = {0};
        fm_status status = template_try("x", rows[i].input, &r, &err);
        expect_error(rows[i].input, status, &err, rows[i].status, rows[i].word);
    }
}

static void template_input_is_read_as_the_reference_reads_it(void **state) {
    (void)state;
    static const char input[] =
        "{\"a\":1,\"b\":[1.0,1e2,-0,-0.0,12345678901234567890123,\"\\u00e9\\n\\ud83d\\ude00\\/\"],"
        "\"d\":{\"x\":1,\"y\":2,\"x\":3},\"a\":2}";
    static const template_row rows[] = {
        {"{{ a }}", "2"},
        {"{{ b[0] }} {{ b[1] }} {{ b[2] }} {{ b[3] }} {{ b[4] }}", "1.0 100.0 0 -0.0 "
                                                                   "12345678901234567890123"},
        {"{{ b|tojson }}", "[1.0, 100.0, 0, -0.0, 12345678901234567890123, \"é\\n😀/\"]"},
        {"{{ b[5] }}", "é\n😀/"},
        {"{{ d|tojson }}", "{\"x\": 3, \"y\": 2}"},
    };
    TEMPLATE_CHECK(rows, input);
}

/** A call without an fm_error is as good. */
static void template_errors_may_be_left_out(void **state) {
    (void)state;
    fm_template *t;
    fm_rendering *r;
    assert_int_equal(fm_template_parse("{{ 1 +", 6, &t, NULL), FM_ERR_FORMAT);
    assert_null(t);
    assert_int_equal(fm_template_parse("{{ u.x }}", 9, &t, NULL), FM_OK);
    assert_int_equal(fm_template_render(t, "{}", 2, NULL, 0, 0, &r, NULL), FM_ERR_ARG);
    assert_null(r);
    fm_template_free(t);
    fm_template_free(NULL);
    fm_rendering_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_malformed_text_is_refused_with_its_place),
        cmocka_unit_test(template_operations_without_meaning_name_their_line),
        cmocka_unit_test(template_input_has_to_be_an_object),
        cmocka_unit_test(template_input_is_read_as_the_reference_reads_it),
        cmocka_unit_test(template_errors_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
