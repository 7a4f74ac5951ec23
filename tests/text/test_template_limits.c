/* test_template_limits.c - every limit of templates: at it, and past it with its name. */
#include "text/template_rows.h"

static char *repeat(const char *open, const char *middle, const char *close, size_t n) {
    size_t length = n * (strlen(open) + strlen(close)) + strlen(middle);
    char *text = malloc(length + 1);
    assert_non_null(text);
    char *at = text;
    for (size_t i = 0; i < n; i++) at = strcpy(at, open) + strlen(open);
    at = strcpy(at, middle) + strlen(middle);
    for (size_t i = 0; i < n; i++) at = strcpy(at, close) + strlen(close);
    return text;
}

static void expect_limit(const char *text, const char *word) {
    fm_rendering *r;
    fm_error err = {0};
    fm_status status = template_try(text, "{}", &r, &err);
    expect_error(strlen(text) < 200 ? text : word, status, &err, FM_ERR_LIMIT, word);
    assert_null(r);
}

static void expect_works(const char *text) {
    free(template_render_text(text, "{}"));
}

/* ---- Parsing --------------------------------------------------------------------------------- */

static void template_text_is_limited(void **state) {
    (void)state;
    size_t length = 1 << 20;
    fm_template *t;
    fm_error err = {0};
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, 'x', length + 1);
    assert_int_equal(fm_template_parse(text, length, &t, &err), FM_OK);
    fm_template_free(t);
    fm_status status = fm_template_parse(text, length + 1, &t, &err);
    expect_error("1 MiB and a byte", status, &err, FM_ERR_LIMIT, "above the limit of 1048576");
    free(text);
}

static void template_nesting_is_limited(void **state) {
    (void)state;
    static const struct {
        const char *open, *middle, *close, *begin, *end;
    } rows[] = {
        {"(", "1", ")", "{{ ", " }}"},
        {"[", "", "]", "{{ ", " }}"},
        {"{'a': ", "1", "}", "{{ ", " }}"},
        {"-", "1", "", "{{ ", " }}"},
        {"not ", "1", "", "{{ ", " }}"},
        {"range(1)[", "1", "]", "{{ ", " }}"},
        {"1 if 0 else ", "1", "", "{{ ", " }}"},
        {"x|default(", "1", ")", "{{ ", " }}"},
        {"{% if true %}", "x", "{% endif %}", "", ""},
        {"{% for x in [1] %}", "x", "{% endfor %}", "", ""},
        {"{% filter upper %}", "x", "{% endfilter %}", "", ""},
        {"{% macro f() %}", "x", "{% endmacro %}", "", ""},
        {"(", "x", ")", "{% set ", " = 1 %}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t n = 60; n <= 70; n += 10) {
            char whole[4096];
            char *text = repeat(rows[i].open, rows[i].middle, rows[i].close, n);
            assert_true(snprintf(whole, sizeof whole, "%s%s%s", rows[i].begin, text, rows[i].end) <
                        (int)sizeof whole);
            if (n == 60)
                expect_works(whole);
            else
                expect_limit(whole, "the limit of nesting, 64 levels");
            free(text);
        }
    }
    /* Far past it, too. */
    char *deep = repeat("{{ (", "1", "", 1000);
    fm_error err = {0};
    fm_template *t;
    assert_int_not_equal(fm_template_parse(deep, strlen(deep), &t, &err), FM_OK);
    free(deep);
}

/** What associates to the left does not nest, however long it is. */
static void template_chains_are_not_nested(void **state) {
    (void)state;
    static const char *const links[][2] = {
        {"1", " + 1"},        {"1", " ~ 1"},        {"1", " and 1"},     {"1", " or 1"},
        {"1", " < 2 < 3"},    {"x", "|default(1)"}, {"'a'", ".strip()"}, {"1", " * 1"},
        {"1", " is defined"}, {"2", " ** 1"}};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char *chain = repeat(links[i][1], "", "", i == 4 || i == 8 ? 1 : 5000);
        char *text = malloc(strlen(chain) + 64);
        assert_non_null(text);
        sprintf(text, "{{ %s%s }}", links[i][0], chain);
        expect_works(text);
        free(text);
        free(chain);
    }
    char *branches = repeat("{% elif false %}", "", "", 5000);
    char *text = malloc(strlen(branches) + 64);
    assert_non_null(text);
    sprintf(text, "{%% if false %%}%s{%% endif %%}", branches);
    expect_works(text);
    free(text);
    free(branches);
}

/* ---- Rendering ------------------------------------------------------------------------------- */

static void template_steps_are_limited(void **state) {
    (void)state;
    expect_works(
        "{% for a in range(300) %}{% for b in range(300) %}{{ b }}{{ b }}{% endfor %}{% endfor %}");
    expect_limit("{% for a in range(1000) %}{% for b in range(1000) %}{{ b }}{{ b }}{% endfor %}{% "
                 "endfor %}",
                 "1000000 steps");
    /* Work that no step shows: comparing, searching and copying long strings, sorting,
     * splitting. */
    expect_limit("{% set s = 'a' * 8000000 %}{% set t = 'a' * 7999999 ~ 'b' %}"
                 "{% for i in range(100000) %}{{ '' if s == t }}{% endfor %}",
                 "1000000 steps");
    expect_limit("{% set s = 'a' * 8000000 %}"
                 "{% for i in range(100000) %}{{ '' if 'aab' in s }}{% endfor %}",
                 "1000000 steps");
    expect_limit("{% set s = 'a' * 1000000 %}{% set t = 'a' * 500000 ~ 'b' %}{{ t in s }}",
                 "1000000 steps");
    expect_limit("{% set s = 'a' * 8000000 %}"
                 "{% for i in range(100000) %}{{ s[7000000] }}{% endfor %}",
                 "1000000 steps");
    expect_limit("{% set l = range(100000)|list %}"
                 "{% for i in range(100000) %}{{ '' if -1 in l }}{% endfor %}",
                 "1000000 steps");
}

/** Failures that nobody comes to cost what it takes to tell their line. */
static void template_failures_that_are_kept_cost_steps(void **state) {
    (void)state;
    static const char *const failing[] = {"{% set x = [n]|map('abs') %}", "{{ 1[1:] }}"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = 1000000;
        char *text = malloc(length + 200);
        assert_non_null(text);
        memset(text, ' ', length);
        snprintf(text + length, 200,
                 "{%% set n = none %%}{%% for i in range(100000) %%}%s{%% endfor %%}", failing[i]);
        expect_limit(text, "1000000 steps");
        free(text);
    }
}

static void template_memory_is_limited(void **state) {
    (void)state;
    expect_limit("{% set ns = namespace(s='ab') %}{% for i in range(40) %}"
                 "{% set ns.s = ns.s + ns.s %}{% endfor %}",
                 "64 MiB of values");
    expect_limit("{% set ns = namespace(l=[1]) %}{% for i in range(40) %}"
                 "{% set ns.l = ns.l + ns.l %}{% endfor %}",
                 "the template passes the limit of ");
    expect_limit(
        "{% set s = 'a' * 16000000 %}{% for i in range(9) %}{{ s|upper|length }}{% endfor %}",
        "64 MiB of values");
}

/** A string that grows in a loop costs what is added to it. */
static void template_strings_grow_in_place(void **state) {
    (void)state;
    char *text = template_render_text(
        "{% set ns = namespace(s='') %}{% for i in range(60000) %}"
        "{% set ns.s = ns.s + 'abcdefghijklmnopqrstuvwxyz' %}{% endfor %}{{ ns.s|length }}",
        "{}");
    assert_string_equal(text, "1560000");
    free(text);
    /* And what was there before does not see it. */
    text = template_render_text("{% set a = 'x' ~ 'y' %}{% set b = a + '1' %}{% set c = a + '2' %}"
                                "{% set d = b + '3' %}{{ a }}{{ b }}{{ c }}{{ d }}",
                                "{}");
    assert_string_equal(text, "xyxy1xy2xy13");
    free(text);
}

static void template_output_is_limited(void **state) {
    (void)state;
    expect_works("{{ 'a' * 16000000 }}");
    expect_limit("{{ 'a' * 16000000 }}{{ 'a' * 1000000 }}", "16 MiB of output");
}

static void template_calls_are_limited(void **state) {
    (void)state;
    expect_works("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(63) }}");
    expect_limit("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(64) }}",
                 "macros that call each other");
    expect_limit("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
                 "macros that call each other");
    expect_limit("{% macro f() %}{% call f() %}{% endcall %}{{ caller }}{% endmacro %}{{ f() }}",
                 "macros that call each other");
    expect_limit("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
                 "loops that call themselves");
    /* Macros whose bodies nest reach the limit of all levels first. */
    expect_limit(
        "{% macro f() %}{% if 1 %}{% if 1 %}{% if 1 %}{% if 1 %}{% if 1 %}{% if 1 %}"
        "{{ [[[[f()]]]] }}{% endif %}{% endif %}{% endif %}{% endif %}{% endif %}{% endif %}"
        "{% endmacro %}{{ f() }}",
        "levels inside each other");
}

static void template_numbers_are_limited(void **state) {
    (void)state;
    expect_limit("{{ range(100001) }}", "a range, 100000 items");
    expect_limit("{{ range(-9223372036854775807, 9223372036854775807) }}", "a range");
    expect_limit("{{ 2 ** 63 }}", "64 bits of a whole number");
    expect_limit("{{ 10 ** 1000000000 }}", "64 bits of a whole number");
    expect_limit("{{ 9223372036854775807 + 1 }}", "64 bits of a whole number");
    expect_limit("{{ -9223372036854775807 - 2 }}", "64 bits of a whole number");
    expect_limit("{{ 4611686018427387904 * 2 }}", "64 bits of a whole number");
    expect_limit("{{ 9223372036854775808 + 1 }}", "64 bits of a whole number");
    expect_limit("{{ 'ab' * 10000000000 }}", "a string that is repeated");
    expect_limit("{{ [1, 2] * 10000000000 }}", "a list that is repeated");
    expect_limit("{{ 'x'|indent(1000000) }}", "the width of an indent");
    expect_limit("{{ [1]|tojson(indent=1000000) }}", "the indent of JSON");
    expect_limit("{{ '%1000000d' % 1 }}", "the width of a place");
    expect_limit("{{ '{:1000000}'.format(1) }}", "the width of a place");
    expect_limit("{{ [1]|batch(1000000, 0)|list }}", "the size of a batch");
}

/** Lists that hold lists, however they came to be. */
static void template_values_inside_each_other_are_limited(void **state) {
    (void)state;
    static const char *const uses[] = {"{{ ns.a }}", "{{ ns.a|tojson }}", "{{ ns.a == ns.b }}",
                                       "{{ ns.a < ns.b }}", "{{ ns.a in [ns.b] }}"};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "{%% set ns = namespace(a=[], b=[]) %%}{%% for i in range(1000) %%}"
                 "{%% set ns.a = [ns.a] %%}{%% set ns.b = [ns.b] %%}{%% endfor %%}%s",
                 uses[i]);
        expect_limit(text, "lists inside each other");
    }
    expect_limit("{% set ns = namespace(a=()) %}{% for i in range(1000) %}"
                 "{% set ns.a = (ns.a,) %}{% endfor %}{{ {ns.a: 1} }}",
                 "tuples inside each other");
    /* A namespace can hold itself. */
    expect_limit("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
                 "lists inside each other");
    expect_limit("{% set ns = namespace() %}{% set ns.a = ns %}{% set ns.b = ns %}{{ ns }}",
                 "limit of");
}

/** Arrays of the input inside each other. */
static void template_input_is_limited(void **state) {
    (void)state;
    char *deep = repeat("[", "", "]", 100), *input = malloc(400);
    fm_rendering *r;
    fm_error err = {0};
    assert_non_null(input);
    sprintf(input, "{\"a\":%s}", deep);
    fm_status status = template_try("x", input, &r, &err);
    expect_error("deep input", status, &err, FM_ERR_LIMIT, "nested deeper than 64");
    free(input);
    free(deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_text_is_limited),
        cmocka_unit_test(template_nesting_is_limited),
        cmocka_unit_test(template_chains_are_not_nested),
        cmocka_unit_test(template_steps_are_limited),
        cmocka_unit_test(template_failures_that_are_kept_cost_steps),
        cmocka_unit_test(template_memory_is_limited),
        cmocka_unit_test(template_strings_grow_in_place),
        cmocka_unit_test(template_output_is_limited),
        cmocka_unit_test(template_calls_are_limited),
        cmocka_unit_test(template_numbers_are_limited),
        cmocka_unit_test(template_values_inside_each_other_are_limited),
        cmocka_unit_test(template_input_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
