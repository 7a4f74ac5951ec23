/* test_template_methods.c - methods of strings, mappings and lists. What is expected is what the
 * reference gives, jinja2 3.1.6 in the environment that the reference library sets up. */
#include "text/template_rows.h"

static const char input[] =
    "{\"s\": \"Hello, World 你好\", \"e\": \"\", \"n\": null, \"t\": true, \"f\": false, \"i\": 7, "
    "\"x\": 1.5, \"l\": [3, 1, 2], \"ls\": [\"b\", \"A\", \"c\"], \"d\": {\"b\": 1, \"a\": [1, "
    "{\"x\""
    ": null}], \"get\": 5}, \"m\": [{\"role\": \"user\", \"content\": \"a\", \"k\": 1}, {\"role\""
    ": \"tool\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"c\", \"k\": 0}], \"fl\": "
    "[0.1, 1e+16, 1e-05, 123456.789, 2.0], \"ws\": \"  a b\\t\\nc  \", \"ml\": \"x\\ny\\r\\nz"
    "\\n\\nw\"}";

static const template_row strings[] = {
    {"{{ '[' ~ ws.strip() ~ ']' ~ '[' ~ ws.lstrip() ~ ']' ~ '[' ~ ws.rstrip() ~ ']' }}",
     "[a b\t\nc][a b\t\nc  ][  a b\t\nc]"},
    {"{{ 'xax'.strip('x') ~ 'xyaxy'.lstrip('yx') ~ 'a你你'.rstrip('你') }}", "aaxya"},
    {"{{ ws.split() ~ ws.split(none, 1) ~ ws.rsplit(none, 1) }}",
     "['a', 'b', 'c']['a', 'b\\t\\nc  ']['  a b', 'c']"},
    {"{{ 'a,b,,c'.split(',') ~ 'a,b,c'.split(',', 1) ~ 'a,b,c'.rsplit(',', 1) ~ "
     "'a--b'.split(sep='--', maxsplit=5) }}",
     "['a', 'b', '', 'c']['a', 'b,c']['a,b', 'c']['a', 'b']"},
    {"{{ 'a'.split('') }}", NULL},
    {"{{ ''.split() ~ ''.split(',') }}", "[]['']"},
    {"{{ ml.splitlines() ~ ml.splitlines(true) }}",
     "['x', 'y', 'z', '', 'w']['x\\n', 'y\\r\\n', 'z\\n', '\\n', 'w']"},
    {"{{ s.startswith('He') ~ s.startswith(('x', 'He')) ~ s.endswith('好') ~ s.startswith('l', 2) "
     "~ s.endswith('l', 0, 4) }}",
     "TrueTrueTrueTrueTrue"},
    {"{{ s.endswith(['a']) }}", NULL},
    {"{{ s.upper() ~ s.lower() ~ \"they're\".title() ~ 'aBC dEF'.capitalize() }}",
     "HELLO, WORLD 你好hello, world 你好They'ReAbc def"},
    {"{{ s.replace('l', '') ~ s.replace('l', 'L', 1) }}", "Heo, Word 你好HeLlo, World 你好"},
    {"{{ s.replace('l') }}", NULL},
    {"{{ s.find('l') ~ s.find('zz') ~ s.find('好') ~ s.rfind('l') ~ s.index('W') }}", "2-114107"},
    {"{{ s.index('zz') }}", NULL},
    {"{{ s.count('l') ~ s.count('') ~ 'aaaa'.count('aa') }}", "3162"},
    {"{{ ','.join(ls) ~ ', '.join('abc') }}", "b,A,ca, b, c"},
    {"{{ ','.join(l) }}", NULL},
    {"{{ 'ab'.isalpha() ~ '12'.isdigit() ~ 'ab1'.isalnum() ~ ' '.isspace() ~ ''.isdigit() ~ "
     "'ab'.islower() ~ 'AB'.isupper() }}",
     "TrueTrueTrueTrueFalseTrueTrue"},
    {"{{ 'ab'.removeprefix('a') ~ 'ba'.removesuffix('a') ~ 'a'.removeprefix('b') }}", "bba"},
    {"{{ 'a=b=c'.partition('=') ~ 'a=b=c'.rpartition('=') ~ 'abc'.partition('x') ~ "
     "'abc'.rpartition('x') }}",
     "('a', '=', 'b=c')('a=b', '=', 'c')('abc', '', '')('', '', 'abc')"},
    {"{{ 'a'.strip(1) }}", NULL},
    {"{{ 'a'.strip('a', 'b') }}", NULL},
    {"{{ 'a'.nosuch() }}", NULL},
};

static const template_row formats[] = {
    {"{{ '{}-{}'.format(1, 'a') ~ '{0}{1}{0}'.format(1, 2) ~ '{a}'.format(a=5) ~ '{{}}'.format() "
     "}}",
     "1-a1215{}"},
    {"{{ '{a.b}{a[b]}'.format(a=d) ~ '{0.a[1]}'.format(d) ~ '{0[a][0]}'.format(d) }}",
     "11{'x': None}1"},
    {"{{ '{:>5}|{:<5}|{:^5}|{:*^7}|'.format('a', 'b', 'c', 'd') }}", "    a|b    |  c  |***d***|"},
    {"{{ '{:05d}|{:.2f}|{:,}|{:x}|{:+}|{:8.3f}|{:<8}|{:=+8}|{:e}|{:%}'.format(42, 3.14159, "
     "1234567, 255, 5, 3.14159, 3, 3, 1234.5, 0.5) }}",
     "00042|3.14|1,234,567|ff|+5|   3.142|3       |+      3|1.234500e+03|50.000000%"},
    {"{{ '{!r}|{!s:>3}|{:.3}|{:5}'.format('a', 1, 'abcdef', true) }}", "'a'|  1|abc|    1"},
    {"{{ '{}'.format() }}", NULL},
    {"{{ '{} {1}'.format(1, 2) }}", NULL},
    {"{{ '{a}'.format(b=1) }}", NULL},
    {"{{ '{:d}'.format('a') }}", NULL},
    {"{{ '{:s}'.format(5) }}", NULL},
    {"{{ '{:5}'.format(l) }}", NULL},
    {"{{ '{'.format() }}", NULL},
    {"{{ '}'.format() }}", NULL},
    {"{{ '{}'.format(none) ~ '{}'.format(l) }}", "None[3, 1, 2]"},
};

static const template_row mappings_and_lists[] = {
    {"{{ d.get('b') ~ d.get('zz') ~ d.get('zz', 5) }}", "1None5"},
    {"{{ d.get() }}", NULL},
    {"{{ d.items() ~ d.keys() ~ d.values() }}",
     "dict_items([('b', 1), ('a', [1, {'x': None}]), ('get', 5)])dict_keys(['b', 'a', "
     "'get'])dict_values([1, [1, {'x': None}], 5])"},
    {"{{ d.keys()|list ~ d.values()|list|length ~ d.items()|length }}", "['b', 'a', 'get']33"},
    {"{{ d.items()[0] is defined }}", "False"},
    {"{{ {'items': 1}.items() ~ {'items': 1}['items'] }}", "dict_items([('items', 1)])1"},
    {"{{ l.index(1) ~ l.count(1) ~ (1, 1).count(1) }}", "112"},
    {"{{ l.index(9) }}", NULL},
    {"{{ d.copy() == d }}", "True"},
    {"{{ l.copy() == l }}", "True"},
    {"{{ l.pop() }}", NULL},
    {"{{ l.insert(0, 1) }}", NULL},
    {"{{ l.extend([1]) }}", NULL},
    {"{{ d.setdefault('a', 1) }}", NULL},
    {"{{ d.clear() }}", NULL},
};

TEMPLATE_CASE(template_methods_of_strings_are_those_of_the_reference, strings)
TEMPLATE_CASE(template_formats_are_those_of_the_reference, formats)
TEMPLATE_CASE(template_mappings_and_lists_cannot_be_changed, mappings_and_lists)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_methods_of_strings_are_those_of_the_reference),
        cmocka_unit_test(template_formats_are_those_of_the_reference),
        cmocka_unit_test(template_mappings_and_lists_cannot_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
