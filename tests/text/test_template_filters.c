/* test_template_filters.c - filters and tests. What is expected is what the reference gives, jinja2
 * 3.1.6 in the environment that the reference library sets up. */
#include "text/template_rows.h"

static const char input[] =
    "{\"s\": \"Hello, World 你好\", \"e\": \"\", \"n\": null, \"t\": true, \"f\": false, \"i\": 7, "
    "\"x\": 1.5, \"l\": [3, 1, 2], \"ls\": [\"b\", \"A\", \"c\"], \"d\": {\"b\": 1, \"a\": [1, "
    "{\"x\""
    ": null}], \"get\": 5}, \"m\": [{\"role\": \"user\", \"content\": \"a\", \"k\": 1}, {\"role\""
    ": \"tool\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"c\", \"k\": 0}], \"fl\": "
    "[0.1, 1e+16, 1e-05, 123456.789, 2.0], \"ws\": \"  a b\\t\\nc  \", \"ml\": \"x\\ny\\r\\nz"
    "\\n\\nw\"}";

static const template_row of_strings[] = {
    {"{{ s|upper ~ s|lower ~ 'aBC'|capitalize ~ \"they're (big) a-b\"|title }}",
     "HELLO, WORLD 你好hello, world 你好AbcThey're (Big) A-B"},
    {"{{ i|upper ~ n|upper ~ u|upper }}", "7NONE"},
    {"{{ '[' ~ ws|trim ~ ']' ~ 'xxaxx'|trim('x') }}", "[a b\t\nc]a"},
    {"{{ 'aaa'|replace('a', 'b') ~ 'aaa'|replace('a', 'b', 2) ~ 'ab'|replace('', '-') ~ "
     "i|replace(7, 8) }}",
     "bbbbba-a-b-8"},
    {"{{ ml|indent }}", "x\n    y\n    z\n\n    w"},
    {"{{ ml|indent(2, true) }}", "  x\n  y\n  z\n\n  w"},
    {"{{ ml|indent('>', first=true, blank=true) }}", ">x\n>y\n>z\n>\n>w"},
    {"{{ i|indent }}", NULL},
    {"{{ 'a-b c_d 1'|wordcount }}", "4"},
    {"{{ '<a&\"b\\'>'|e }}", "&lt;a&amp;&#34;b&#39;&gt;"},
    {"{{ '<a>'|safe ~ '<b>' }}", "<a><b>"},
    {"{{ ('<a>'|safe) + '<b>' }}", "<a>&lt;b&gt;"},
    {"{{ '<b>' + ('<a>'|escape) }}", "&lt;b&gt;&lt;a&gt;"},
    {"{{ '%s-%05.1f|%-4d|%x|%%|%r'|format('a', 2.25, 3, 255, 'q') }}", "a-002.2|3   |ff|%|'q'"},
    {"{{ '%(a)s%(b)d'|format(a=1, b=2) }}", "12"},
    {"{{ '%s'|format }}", NULL},
    {"{{ '%d'|format('a') }}", NULL},
    {"{{ '%s %s' % ('a', 'b') }}", "a b"},
    {"{{ '%5s|%-5s|%.1s' % ('a', 'b', 'cde') }}", "    a|b    |c"},
    {"{{ 'a' % 1 }}", NULL},
    {"{{ '%c%c' % (65, 'b') }}", "Ab"},
    {"{{ '%s %s' % 'a' }}", NULL},
};

static const template_row of_lists[] = {
    {"{{ l|length ~ s|length ~ d|length ~ u|length ~ ''|count }}", "315300"},
    {"{{ i|length }}", NULL},
    {"{{ l|map('abs')|length }}", NULL},
    {"{{ l|first ~ l|last ~ s|first ~ s|last ~ d|first ~ range(3)|last }}", "32H好b2"},
    {"{{ ([]|first) is defined }}", "False"},
    {"{{ l|map('abs')|last }}", NULL},
    {"{{ l|sort ~ l|sort(reverse=true) ~ ls|sort ~ ls|sort(case_sensitive=true) }}",
     "[1, 2, 3][3, 2, 1]['A', 'b', 'c']['A', 'b', 'c']"},
    {"{{ [1, 'a']|sort }}", NULL},
    {"{{ m|sort(attribute='content', reverse=true)|map(attribute='content')|join }}", "cba"},
    {"{{ m|sort(attribute='role,content')|map(attribute='content')|join }}", "bac"},
    {"{{ [[2, 'b'], [1, 'a']]|sort(attribute=0) }}", "[[1, 'a'], [2, 'b']]"},
    {"{{ d|dictsort ~ {'b': 1, 'A': 2}|dictsort ~ {'b': 1, 'A': 2}|dictsort(true) ~ {'b': 1, 'A': "
     "2}|dictsort(by='value', reverse=true) }}",
     "[('a', [1, {'x': None}]), ('b', 1), ('get', 5)][('A', 2), ('b', 1)][('A', 2), ('b', "
     "1)][('A', 2), ('b', 1)]"},
    {"{{ ls|unique|list ~ ['a', 'A', 'b']|unique|list ~ ['a', 'A']|unique(true)|list }}",
     "['b', 'A', 'c']['a', 'b']['a', 'A']"},
    {"{{ l|reverse|list ~ s|reverse ~ d|reverse|list }}",
     "[2, 1, 3]好你 dlroW ,olleH['get', 'a', 'b']"},
    {"{{ l|batch(2)|list ~ l|batch(2, 'x')|list }}", "[[3, 1], [2]][[3, 1], [2, 'x']]"},
    {"{{ l|join ~ l|join(', ') ~ m|join('-', attribute='role') ~ u|join }}",
     "3123, 1, 2user-tool-user"},
    {"{{ s|list|length ~ d|list ~ d.items()|list|length }}", "15['b', 'a', 'get']3"},
    {"{{ d|items|list }}", "[('b', 1), ('a', [1, {'x': None}]), ('get', 5)]"},
    {"{{ l|items|list }}", NULL},
    {"{{ l|sum ~ l|sum(start=10) ~ m|selectattr('k', 'defined')|sum(attribute='k') ~ fl|sum }}",
     "61611.0000000000123458e+16"},
    {"{{ ls|sum }}", NULL},
    {"{{ l|max ~ l|min ~ ls|max ~ ls|min ~ ls|max(case_sensitive=true) }}", "31cAc"},
    {"{{ ([]|max) is defined }}", "False"},
    {"{{ m|max(attribute='content')|tojson }}",
     "{\"role\": \"user\", \"content\": \"c\", \"k\": 0}"},
    {"{{ m|map(attribute='k')|list ~ m|map(attribute='k', default=9)|list ~ "
     "[d]|map(attribute='a.1.x')|list }}",
     "[1, Undefined, 0][1, 9, 0][None]"},
    {"{{ ls|map('upper')|list ~ ls|map('replace', 'b', 'z')|list }}",
     "['B', 'A', 'C']['z', 'A', 'c']"},
    {"{{ ls|map('nosuch')|list }}", NULL},
    {"{{ m|selectattr('role', 'equalto', 'user')|list|length ~ m|selectattr('k')|list|length ~ "
     "m|rejectattr('k')|list|length }}",
     "212"},
    {"{{ m|selectattr('role', 'in', ['tool'])|map(attribute='content')|list }}", "['b']"},
    {"{{ l|select('odd')|list ~ l|reject('odd')|list ~ [0, 1, '']|select|list }}", "[3, 1][2][1]"},
    {"{{ l|select('nosuch')|list }}", NULL},
    {"{{ (m|selectattr('role', 'eq', 'tool')|first).content }}", "b"},
};

static const template_row of_values[] = {
    {"{{ u|default('z') ~ n|default('z') ~ n|default('z', true) ~ ''|d('q', true) ~ u|default }}",
     "zNonezq"},
    {"{{ d.zz|default('z') }}", "z"},
    {"{{ u.x|default('z') }}", NULL},
    {"{{ '5'|int ~ '5.7'|int ~ 'x'|int ~ 'x'|int(9) ~ '0x1f'|int(0, 16) ~ 5.9|int ~ -5.9|int ~ "
     "true|int ~ ' 1_0 '|int }}",
     "5509315-5110"},
    {"{{ u|int }}", NULL},
    {"{{ none|int }}", "0"},
    {"{{ '1.5'|float ~ 'x'|float ~ 'x'|float(2.5) ~ i|float ~ n|float }}", "1.50.02.57.00.0"},
    {"{{ -3|abs ~ -3.5|abs }}", "33.5"},
    {"{{ 'a'|abs }}", NULL},
    {"{{ 2.5|round ~ 3.5|round ~ 2.567|round(2) ~ 2.4|round(method='ceil') ~ 2.6|round(0, 'floor') "
     "~ 15|round(-1) ~ 25|round(-1) ~ 2.675|round(2) }}",
     "2.04.02.573.02.020202.67"},
    {"{{ 2.5|round(0, 'up') }}", NULL},
    {"{{ 'a'|round }}", NULL},
    {"{{ n|string ~ t|string ~ x|string ~ l|string }}", "NoneTrue1.5[3, 1, 2]"},
    {"{{ d|tojson ~ s|tojson ~ [n, t, f, x, i]|tojson }}",
     "{\"b\": 1, \"a\": [1, {\"x\": null}], \"get\": 5}\"Hello, World 你好\"[null, true, false, "
     "1.5, 7]"},
    {"{{ fl|tojson }}", "[0.1, 1e+16, 1e-05, 123456.789, 2.0]"},
    {"{{ (1, 2)|tojson }}", "[1, 2]"},
    {"{{ d|tojson(indent=2) }}",
     "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    {\n      \"x\": null\n    }\n  ],\n  \"get\": 5\n}"},
    {"{{ d|tojson(indent=0) ~ []|tojson(indent=2) ~ {}|tojson(indent=2) }}",
     "{\n\"b\": 1,\n\"a\": [\n1,\n{\n\"x\": null\n}\n],\n\"get\": 5\n}[]{}"},
    {"{{ d|tojson(sort_keys=true) ~ d|tojson(separators=(',', ':')) }}",
     "{\"a\": [1, {\"x\": null}], \"b\": 1, \"get\": 5}{\"b\":1,\"a\":[1,{\"x\":null}],\"get\":5}"},
    {"{{ s|tojson(ensure_ascii=true) ~ '😀'|tojson(true) }}",
     "\"Hello, World \\u4f60\\u597d\"\"\\ud83d\\ude00\""},
    {"{{ 'a/b\\n\\t\"\\\\\\x01\\x7f<&>'|tojson }}", "\"a/b\\n\\t\\\"\\\\\\u0001\177<&>\""},
    {"{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}", "{\"1\": 4, \"null\": 3, \"1.5\": 5}"},
    {"{{ {(1, 2): 3}|tojson }}", NULL},
    {"{{ u|tojson }}", NULL},
    {"{{ l|map('string')|tojson }}", NULL},
    {"{{ d.items()|tojson }}", NULL},
};

static const template_row tests[] = {
    {"{{ i is odd ~ i is even ~ 9 is divisibleby 3 ~ 9 is divisibleby(2) }}", "TrueFalseTrueFalse"},
    {"{{ u is defined ~ u is undefined ~ i is defined ~ i is not defined ~ d.zz is defined }}",
     "FalseTrueTrueFalseFalse"},
    {"{{ n is none ~ i is not none }}", "TrueTrue"},
    {"{{ s is string ~ i is string ~ i is number ~ t is number ~ i is integer ~ t is integer ~ x "
     "is float ~ t is boolean }}",
     "TrueFalseTrueTrueTrueFalseTrueTrue"},
    {"{{ d is mapping ~ l is mapping ~ l is sequence ~ s is sequence ~ d is sequence ~ n is "
     "sequence ~ u is sequence }}",
     "TrueFalseTrueTrueTrueFalseTrue"},
    {"{{ l is iterable ~ i is iterable ~ u is iterable ~ (l|map('abs')) is sequence ~ "
     "(l|map('abs')) is iterable }}",
     "TrueFalseTrueFalseTrue"},
    {"{{ t is true ~ f is false ~ 1 is true ~ true is sameas true }}", "TrueTrueFalseTrue"},
    {"{{ i is equalto 7 ~ i is eq(7) ~ i is ne 8 ~ i is gt 3 ~ i is lt(3) ~ i is ge 7 ~ i is le 7 "
     "}}",
     "TrueTrueTrueTrueFalseTrueTrue"},
    {"{{ 1 is in [1] ~ 'a' is in 'abc' ~ 1 is not in [2] }}", "TrueTrueTrue"},
    {"{{ 'abc' is lower ~ 'ABC' is upper ~ '' is lower ~ 'a1' is lower }}", "TrueTrueFalseTrue"},
    {"{{ range is callable ~ s is callable ~ 'upper' is filter ~ 'zz' is filter ~ 'odd' is test }}",
     "TrueFalseTrueFalseTrue"},
    {"{{ (s|e) is escaped ~ s is escaped }}", "TrueFalse"},
    {"{{ n is odd }}", NULL},
    {"{{ 'a' is odd }}", NULL},
    {"{{ i is nosuch }}", NULL},
    {"{{ i|nosuch }}", NULL},
    {"{{ i is lt 'a' }}", NULL},
    {"{{ i is divisibleby 0 }}", NULL},
};

/** An unknown filter in a branch is refused when it is reached. */
static const template_row unknown[] = {
    {"{% if false %}{{ 1|nosuch }}{% endif %}ok", "ok"},
    {"{% if true %}{{ 1|nosuch }}{% endif %}ok", NULL},
    {"{% if true %}{% for a in l %}{{ 1|nosuch }}{% endfor %}{% endif %}ok", NULL},
    {"{% if i is nosuch %}{% endif %}ok", NULL},
    {"{% if false and i is nosuch %}{% endif %}ok", "ok"},
};

/** What goes through a list item by item can be gone through once. */
static const template_row iterators[] = {
    {"{% set a = l|map('string') %}{{ a|list }}{{ a|list }}", "['3', '1', '2'][]"},
    {"{% set a = l|map('string') %}{{ a|first }}{{ a|list }}", "3['1', '2']"},
    {"{% set a = l|reverse %}{% for b in a %}{{ b }}{{ loop.length }}{% endfor %}", "231333"},
    {"{{ (l|map('abs'))[0] is defined }}{{ 'yes' if []|map('abs') else 'no' }}", "Falseyes"},
};

TEMPLATE_CASE(template_filters_of_strings_are_those_of_the_reference, of_strings)
TEMPLATE_CASE(template_filters_of_lists_are_those_of_the_reference, of_lists)
TEMPLATE_CASE(template_filters_of_values_are_those_of_the_reference, of_values)
TEMPLATE_CASE(template_tests_are_those_of_the_reference, tests)
TEMPLATE_CASE(template_unknown_filters_fail_where_they_are_reached, unknown)
TEMPLATE_CASE(template_iterators_are_gone_through_once, iterators)

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(template_filters_of_strings_are_those_of_the_reference),
        cmocka_unit_test(template_filters_of_lists_are_those_of_the_reference),
        cmocka_unit_test(template_filters_of_values_are_those_of_the_reference),
        cmocka_unit_test(template_tests_are_those_of_the_reference),
        cmocka_unit_test(template_unknown_filters_fail_where_they_are_reached),
        cmocka_unit_test(template_iterators_are_gone_through_once),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
