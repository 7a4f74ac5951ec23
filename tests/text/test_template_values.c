/* test_template_values.c - expressions: literals, items, operators, comparisons. What is
 * expected is what the reference gives, jinja2 3.1.6 in the environment that the reference
 * library sets up. */
#include "text/template_rows.h"

static const char input[] =
    "{\"s\": \"Hello, World 你好\", \"e\": \"\", \"n\": null, \"t\": true, \"f\": false, \"i\": 7, "
    "\"x\": 1.5, \"l\": [3, 1, 2], \"ls\": [\"b\", \"A\", \"c\"], \"d\": {\"b\": 1, \"a\": [1, "
    "{\"x\""
    ": null}], \"get\": 5}, \"m\": [{\"role\": \"user\", \"content\": \"a\", \"k\": 1}, {\"role\""
    ": \"tool\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"c\", \"k\": 0}], \"fl\": "
    "[0.1, 1e+16, 1e-05, 123456.789, 2.0], \"ws\": \"  a b\\t\\nc  \", \"ml\": \"x\\ny\\r\\nz"
    "\\n\\nw\"}";

static const template_row literals[] = {
    {"{{ 1_000 ~ ' ' ~ 0x1f ~ ' ' ~ 0b11 ~ ' ' ~ 0o17 }}", "1000 31 3 15"},
    {"{{ 1e3 }}", "1000.0"},
    {"{{ 1.5e+3 ~ '|' ~ 1e-7 ~ '|' ~ 1e16 ~ '|' ~ 123456789.123 }}",
     "1500.0|1e-07|1e+16|123456789.123"},
    {"{{ 9223372036854775807 }}", "9223372036854775807"},
    {"{{ 9223372036854775808 }}", "9223372036854775808"},
    {"{{ 'a' 'b' \"c\" }}", "abc"},
    {"{{ 'é\\u4f60\\x41\\101\\q\\'\\\\' }}", "é你AA\\q'\\"},
    {"{{ [1, 'a', none, true, 1.0, (1,), (), {'k': [2]}] }}",
     "[1, 'a', None, True, 1.0, (1,), (), {'k': [2]}]"},
    {"{{ ['a\"b', \"a'b\", 'a\\'b\"c', '\\n\\t\\\\', '\\x00', '\\u200b'] }}",
     "['a\"b', \"a'b\", 'a\\'b\"c', '\\n\\t\\\\', '\\x00', '\\u200b']"},
    {"{{ {'a': 1, 'b': 2, 'a': 3} }}", "{'a': 3, 'b': 2}"},
    {"{{ {1: 2, 1.0: 3, true: 4} }}", "{1: 4}"},
    {"{{ {[1]: 2} }}", NULL},
    {"{{ 1, 2 }}", "(1, 2)"},
    {"{{ (1, 2,) }}", "(1, 2)"},
    {"{{ [1, 2,] }}", "[1, 2]"},
    {"{{ [1 2 }}", NULL},
    {"{{ 'never }}", NULL},
    {"{{ True ~ true ~ False ~ None ~ none }}", "TrueTrueFalseNoneNone"},
    {"{{ fl }}", "[0.1, 1e+16, 1e-05, 123456.789, 2.0]"},
    {"{{ fl|join(' ') }}", "0.1 1e+16 1e-05 123456.789 2.0"},
};

static const template_row items[] = {
    {"{{ s[0] ~ s[-1] ~ s[13] ~ s[99] }}", "H好你"},
    {"{{ s[7:12] ~ '|' ~ s[::-1] ~ '|' ~ s[1:8:2] ~ '|' ~ s[-3:] ~ '|' ~ s[:-13] }}",
     "World|好你 dlroW ,olleH|el,W| 你好|He"},
    {"{{ s[5:2] ~ s[9:99] }}", "rld 你好"},
    {"{{ l[0] ~ l[-1] ~ l[5] ~ l['0'] }}", "32"},
    {"{{ l[1:] }}", "[1, 2]"},
    {"{{ l[::-1] ~ l[-2:] ~ l[::2] }}", "[2, 1, 3][1, 2][3, 2]"},
    {"{{ l[::0] }}", NULL},
    {"{{ (1, 2, 3)[1:] }}", "(2, 3)"},
    {"{{ l['a':] }}", NULL},
    {"{{ d[1:2] }}", NULL},
    {"{{ d.b ~ d['b'] ~ d['get'] ~ d.zz ~ d['zz'] }}", "115"},
    {"{{ d.a[1].x }}", "None"},
    {"{{ d.a.1.x }}", "None"},
    {"{{ m[0].role ~ m[-1]['content'] }}", "userc"},
    {"{{ n.x ~ n['x'] ~ i.x ~ i[0] }}", ""},
    {"{{ u.x }}", NULL},
    {"{{ u['x'] }}", NULL},
    {"{{ d.zz.y }}", NULL},
    {"{{ u }}", ""},
    {"{{ l[true] }}", "1"},
    {"{{ l[1.0] }}", ""},
    {"{{ range(5)[2] ~ range(5)[1:3] }}", "2range(1, 3)"},
    {"{{ l.append }}", ""},
    {"{{ l.append(1) }}", NULL},
    {"{{ d.pop('b') }}", NULL},
    {"{{ d.update({}) }}", NULL},
};

static const template_row arithmetic[] = {
    {"{{ 1 + 2 * 3 - 4 }}", "3"},
    {"{{ 7 // 2 ~ ' ' ~ -7 // 2 ~ ' ' ~ 7 % 3 ~ ' ' ~ -7 % 3 ~ ' ' ~ 7 % -3 }}", "3 -4 1 2 -2"},
    {"{{ 7.5 // 2 ~ ' ' ~ -7.5 % 2 ~ ' ' ~ 7 / 2 ~ ' ' ~ 4 / 2 }}", "3.0 0.5 3.5 2.0"},
    {"{{ 2 ** 10 ~ ' ' ~ 2 ** -1 ~ ' ' ~ 2 ** 0.5 ~ ' ' ~ 2 ** 3 ** 2 }}",
     "1024 0.5 1.4142135623730951 64"},
    {"{{ -2 ** 2 }}", "4"},
    {"{{ 1 / 0 }}", NULL},
    {"{{ 1 // 0 }}", NULL},
    {"{{ 1 % 0.0 }}", NULL},
    {"{{ 0 ** -1 }}", NULL},
    {"{{ 'a' * 3 ~ 3 * 'ab' ~ 'a' * -1 }}", "aaaababab"},
    {"{{ [1] * 2 + [2] }}", "[1, 1, 2]"},
    {"{{ (1,) + (2,) }}", "(1, 2)"},
    {"{{ [1] + (2,) }}", NULL},
    {"{{ 'a' + 'b' }}", "ab"},
    {"{{ 'a' + 1 }}", NULL},
    {"{{ 1 + 'a' }}", NULL},
    {"{{ u + 1 }}", NULL},
    {"{{ true + 1 }}", "2"},
    {"{{ -true ~ +true }}", "-11"},
    {"{{ -'a' }}", NULL},
    {"{{ -u }}", NULL},
    {"{{ 1 ~ 2.0 ~ none ~ [1] }}", "12.0None[1]"},
    {"{{ '%s-%d' % ('a', 3) }}", "a-3"},
    {"{{ 0.1 + 0.2 }}", "0.30000000000000004"},
    {"{{ 1 / 3 }}", "0.3333333333333333"},
    {"{{ 1e308 * 10 }}", "inf"},
};

static const template_row comparisons[] = {
    {"{{ 1 == 1.0 }}", "True"},
    {"{{ 1 == true }}", "True"},
    {"{{ '1' == 1 }}", "False"},
    {"{{ [1] == (1,) }}", "False"},
    {"{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1.0} }}", "True"},
    {"{{ none == none }}", "True"},
    {"{{ u == none }}", "False"},
    {"{{ u == zz }}", "True"},
    {"{{ 1 < 2 < 3 }}", "True"},
    {"{{ 1 < 2 > 3 }}", "False"},
    {"{{ 'a' < 'b' }}", "True"},
    {"{{ 'a' < 'B' }}", "False"},
    {"{{ [1, 2] < [1, 3] }}", "True"},
    {"{{ (1, 2) < (1,) }}", "False"},
    {"{{ 1 < 'a' }}", NULL},
    {"{{ none < 1 }}", NULL},
    {"{{ u < 1 }}", NULL},
    {"{{ 'a' in 'abc' }}", "True"},
    {"{{ '' in '' }}", "True"},
    {"{{ 1 in 'a' }}", NULL},
    {"{{ 3.0 in l }}", "True"},
    {"{{ [3] in [[3]] }}", "True"},
    {"{{ 'b' in d }}", "True"},
    {"{{ 'b' in d.keys() }}", "True"},
    {"{{ (1, 2) in {1: 2}.items() }}", "True"},
    {"{{ [1] in d }}", NULL},
    {"{{ 1 not in l }}", "False"},
    {"{{ 1 in u }}", "False"},
    {"{{ u in 'a' }}", NULL},
    {"{{ 1 in 5 }}", NULL},
    {"{{ 'a' in none }}", NULL},
    {"{{ 9223372036854775808 > 9223372036854775807 }}", "True"},
    {"{{ 9007199254740993 == 9007199254740992.0 }}", "False"},
};

static const template_row words[] = {
    {"{{ 1 and 2 }}", "2"},
    {"{{ 0 and 2 }}", "0"},
    {"{{ 0 or 3 }}", "3"},
    {"{{ '' or 'b' or 'c' }}", "b"},
    {"{{ not 0 }}", "True"},
    {"{{ not not 5 }}", "True"},
    {"{{ not u }}", "True"},
    {"{{ 1 if true else 2 }}", "1"},
    {"{{ 1 if false else 2 }}", "2"},
    {"{{ (1 if false) is defined }}", "False"},
    {"{{ 'a' if e else 'b' if n else 'c' }}", "c"},
    {"{{ 'x' if 'a' in 'abc' and 1 < 2 else 'y' }}", "x"},
    {"{{ [] or {} or () or '' or 0 or 0.0 or none or 'all false' }}", "all false"},
    {"{{ -1|abs }}", "1"},
    {"{{ 1 + 2|string|length }}", "2"},
    {"{{ i is odd and not i is even }}", "True"},
};

static const template_row functions[] = {
    {"{{ range(3) }}", "range(0, 3)"},
    {"{{ range(5)|list ~ range(2, 8, 2)|list ~ range(5, 0, -1)|list ~ range(0)|list }}",
     "[0, 1, 2, 3, 4][2, 4, 6][5, 4, 3, 2, 1][]"},
    {"{{ range(1, 2, 0) }}", NULL},
    {"{{ range(100000)|length }}", "100000"},
    {"{{ range('a') }}", NULL},
    {"{{ range() }}", NULL},
    {"{{ namespace(a=1) }}", "<Namespace {'a': 1}>"},
    {"{{ namespace(a=1).a ~ namespace(a=1)['a'] ~ namespace({'x': 2}).x }}", "112"},
    {"{{ namespace(a=1).b is defined }}", "False"},
    {"{{ dict(a=1, b=2) }}", "{'a': 1, 'b': 2}"},
    {"{{ dict([('a', 1)], b=2) }}", "{'a': 1, 'b': 2}"},
    {"{{ dict({'a': 1}, **{'c': 3}) }}", "{'a': 1, 'c': 3}"},
    {"{{ dict(1) }}", NULL},
    {"{{ dict(a=1, **{'a': 2}) }}", NULL},
    {"{{ joiner(',')() ~ 'x' }}", "x"},
    {"{{ cycler(1, 2).next() }}", "1"},
    {"{{ cycler() }}", NULL},
    {"{{ strftime_now('%Y-%m-%d') }}", "2023-11-14"},
    {"{{ strftime_now('%d %b %Y, %B %A %a %H:%M:%S %I %p %j %y') }}",
     "14 Nov 2023, November Tuesday Tue 22:13:20 10 PM 318 23"},
    {"{{ strftime_now('%-d|%e|%U|%W|%V|%u|%w|%%|%D|%T|%R|%F') }}",
     "14|14|46|46|46|2|2|%|11/14/23|22:13:20|22:13|2023-11-14"},
    {"{{ strftime_now('%c') }}", "Tue Nov 14 22:13:20 2023"},
    {"{{ strftime_now(1) }}", NULL},
    {"{{ nosuch() }}", NULL},
    {"{{ s() }}", NULL},
    {"{{ s.nosuch() }}", NULL},
    {"{{ range(*[1, 4])|list }}", "[1, 2, 3]"},
    {"{{ range(1, 2, 3, 4) }}", NULL},
    {"{{ range(1, foo=2) }}", NULL},
};

TEMPLATE_CASE(template_literals_are_those_of_the_reference, literals)
TEMPLATE_CASE(template_items_and_slices_count_code_points, items)
TEMPLATE_CASE(template_arithmetic_is_that_of_the_reference, arithmetic)
TEMPLATE_CASE(template_comparisons_are_those_of_the_reference, comparisons)
TEMPLATE_CASE(template_words_give_the_operand_that_decides, words)
TEMPLATE_CASE(template_functions_are_those_of_the_reference, functions)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_literals_are_those_of_the_reference),
        cmocka_unit_test(template_items_and_slices_count_code_points),
        cmocka_unit_test(template_arithmetic_is_that_of_the_reference),
        cmocka_unit_test(template_comparisons_are_those_of_the_reference),
        cmocka_unit_test(template_words_give_the_operand_that_decides),
        cmocka_unit_test(template_functions_are_those_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
