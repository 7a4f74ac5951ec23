/* test_template_statements.c - white space, loops, macros, assignment. What is expected is what the
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

static const template_row spaces[] = {
    {"a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"},
    {"  {%- if true -%}\n   x\n  {%- endif -%}\n y", "xy"},
    {"  {%+ if true +%}\n x\n  {% endif +%}\n y", "  \n x\n\n y"},
    {"{# c #}\n {# c -#}   x\n  {#- c +#}\nz {# d #} w", "x\nz  w"},
    {"{{ 1 }}\n{{- 2 -}}\n {{ 3 }}", "123"},
    {"x {{- ' y ' -}} z", "x y z"},
    {"{% raw %}{{ x }}{% if %}{% endraw %} after", "{{ x }}{% if %} after"},
    {"  {% raw -%}   a {{ b }}\n  {%- endraw %}\nz", "a {{ b }}z"},
    {"{%- raw -%}\n q\n{%- endraw -%}\n r", "qr"},
    {"{%if i%}x{%endif%}{{i}}{{-i-}}{{i}}", "x777"},
    {"{{ '{{' }} {{ '%}' }} {{ \"}}\" }}", "{{ %} }}"},
    {"}} %} #} { % { {", "}} %} #} { % { {"},
    {"{%- for message in m -%}\n    {%- if message.role == 'user' %}\n        {{- '<user>' + "
     "message.content + '\\n' }}\n    {%- elif message.role == 'tool' %}\n        {{ "
     "message.content }}\n    {%- endif %}\n{%- endfor %}\n{% if add_generation_prompt %}x{% endif "
     "%}\nend\n",
     "<user>a\n        b<user>c\nend"},
    {"{% set x = 5 %}{{ x }}\n{% set y = x\n   + 1 %}\n{{ y }}", "5\n6"},
    {"a\n", "a"},
    {"a\n\n", "a\n"},
    {"a\r\nb\rc\r\n", "a\nb\nc"},
    {"", ""},
    {"\n", ""},
    {"{{ 1 }}\n", "1"},
    {"{# x #}\n\n", ""},
    {"x{#- a -#}  y", "xy"},
    {"{% if i == 7: %}1{% endif %}", "1"},
    {"{{ {'a': {'b': 1}}['a']['b'] }}", "1"},
};

static const template_row loops[] = {
    {"{% for a in l %}{{ a }}{{ \",\" if not loop.last }}{% endfor %}", "3,1,2"},
    {"{% for a in l if a > 1 %}{{ loop.index }}/{{ loop.length }}:{{ a }}{{ loop.first }}{{ "
     "loop.last }} {% else %}none{% endfor %}",
     "1/2:3TrueFalse 2/2:2FalseTrue "},
    {"{% for a in [] %}x{% else %}none{% endfor %}", "none"},
    {"{% for a in l if a > 100 %}x{% else %}none{% endfor %}", "none"},
    {"{% for a in u %}x{% else %}none{% endfor %}", "none"},
    {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
     "b=1;a=[1, {'x': None}];get=5;baget"},
    {"{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a + b + c }} {% endfor %}{% for a, in "
     "[[1]] %}{{ a }}{% endfor %}",
     NULL},
    {"{% for a, b in [1] %}{% endfor %}", NULL},
    {"{% for a, b in [(1, 2, 3)] %}{% endfor %}", NULL},
    {"{% for x in 'a你b' %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{{ "
     "loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('p', 'q') }}{{ loop.depth }}|{% endfor %}",
     "320你p1|211abq1|102你p1|"},
    {"{% for x in l %}{% if loop.index == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}|{% for "
     "x in l %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
     "32|3"},
    {"{% for x in range(4) %}{% for y in range(4) %}{% if y > x %}{% break %}{% endif %}{{ y }}{% "
     "endfor %};{% endfor %}",
     "0;01;012;0123;"},
    {"{% for x in n %}{% endfor %}", NULL},
    {"{% for x in i %}{% endfor %}", NULL},
    {"{% for x in [[1, [2, [3]]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x "
     "}}:{{ loop.depth }}{% endif %}{% endfor %}",
     "(1:2(2:3(3:4)))"},
    {"{% for x in l %}{{ loop(x) }}{% endfor %}", NULL},
    {"{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}", "TrueFalseTrue"},
    {"{% set ns = namespace(stop=false) %}{% for x in range(5) if not ns.stop %}{{ x }}{% if x == "
     "2 %}{% set ns.stop = true %}{% endif %}{% endfor %}",
     "012"},
    {"{% set ns = namespace(stop=false) %}{% for x in range(5) if not ns.stop %}{{ x }}{{ "
     "loop.last }}{% if x == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}",
     "0False1False2False3True"},
    {"{% for x in l %}{% set loop = 5 %}{{ loop }}{% endfor %}", NULL},
    {"{{ loop }}{% for x in m %}{{ x.content }}{% if loop.nextitem is defined and "
     "loop.nextitem.role == x.role %}!{% endif %}{% endfor %}",
     "abc"},
};

static const template_row assignments[] = {
    {"{% set x = 1 %}{% for a in l %}{% set x = x + a %}{{ x }} {% endfor %}{{ x }}", "4 2 3 1"},
    {"{% set ns = namespace(x=0) %}{% for a in l %}{% set ns.x = ns.x + a %}{% endfor %}{{ ns.x }} "
     "{{ ns }}",
     "6 <Namespace {'x': 6}>"},
    {"{% set ns = 1 %}{% set ns.x = 2 %}", NULL},
    {"{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a = 1, 2 %}{{ a }}", "12(1, 2)"},
    {"{% set a, b = 1 %}", NULL},
    {"{% set x %}hello {{ i }}{% endset %}{{ x|upper }}", "HELLO 7"},
    {"{% set x | upper | trim %}  hello {{ i }} {% endset %}[{{ x }}]", "[HELLO 7]"},
    {"{% set x %}{% set y = 5 %}{{ y }}{% endset %}{{ x }}{{ y }}", "5"},
    {"{% if i %}{% set q = 1 %}{% endif %}{{ q }}{% if a %}1{% elif i %}2{% else %}3{% endif %}",
     "12"},
    {"{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "3"},
    {"{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}", "1"},
    {"{% generation %}gen {% set z = 1 %}{{ z }}{% endgeneration %}{{ z }}", "gen 1"},
    {"{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | upper %}abc{% "
     "endfilter %}",
     "ABC HELLO, WORLD 你好BBC"},
    {"{% set bos_token = 'q' %}{{ bos_token }}{{ eos_token }}", "q</s>"},
    {"{{ bos_token }}{{ i }}{% set i = 8 %}{{ i }}", "<s>78"},
    {"{% set a = [1] %}{% set b = a + [2] %}{{ a }}{{ b }}", "[1][1, 2]"},
    {"{% set ns = namespace() %}{% set ns._x = 1 %}", NULL},
};

static const template_row macros[] = {
    {"{% macro f(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} "
     "{{ f(b=1) }} {{ f() }}",
     "1-2-x 1-2-3 -1-x -2-x"},
    {"{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", NULL},
    {"{% macro f(a) %}{{ a }}{% endmacro %}{{ f(z=2) }}", NULL},
    {"{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}", NULL},
    {"{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, z=2) }}{{ f() }}",
     "1(2, 3){'z': 2}(){}"},
    {"{% macro f(a) %}[{{ caller() }}{{ a }}]{% endmacro %}{% call f(1) %}body{{ i }}{% endcall %}",
     "[body71]"},
    {"{% macro f(a) %}{% for x in a %}[{{ caller(x) }}]{% endfor %}{% endmacro %}{% call(x) f(l) "
     "%}<{{ x }}>{% endcall %}",
     "[<3>][<1>][<2>]"},
    {"{% macro f(a) %}{{ a }}{% endmacro %}{% call f(1) %}x{% endcall %}", NULL},
    {"{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}", "False"},
    {"{% macro f() %}{{ caller(1) }}{% endmacro %}{% call(a, b=3) f() %}{{ a }}{{ b }}{% endcall "
     "%}",
     "13"},
    {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
     "543210"},
    {"{% set x = 1 %}{% macro f() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ f() }}", "2"},
    {"{% for x in l %}{% macro f() %}{{ x }}{% endmacro %}{{ f() }}{% endfor %}{{ f is defined }}",
     "312True"},
    {"{% macro f(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{{ f(1) }}{{ x }}", "21.5"},
    {"{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(3) }}", "33"},
    {"{{ f(1) }}{% macro f(a) %}{{ a }}{% endmacro %}", NULL},
    {"{% macro f(a) %}x{% endmacro %}{{ f.name }} {{ f(1)|length }} {{ f(1) is string }}",
     "f 1 True"},
    {"{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}G{% endmacro %}{{ f() }}", "G"},
    {"{% macro t(x) %}{% if x is mapping %}{{ '{' }}{% for k, v in x.items() %}{{ k }}:{{ t(v) "
     "}},{% endfor %}{{ '}' }}{% elif x is sequence and x is not string %}[{% for y in x %}{{ t(y) "
     "}}{% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ t(d) }}",
     "{b:1,a:[1{x:None,}],get:5,}"},
    {"{% if true %}{% macro f() %}A{% endmacro %}{% endif %}{{ f() }}", "A"},
};

TEMPLATE_CASE(template_white_space_beside_tags_is_taken_off, spaces)
TEMPLATE_CASE(template_loops_are_those_of_the_reference, loops)
TEMPLATE_CASE(template_assignments_stay_in_their_scope, assignments)
TEMPLATE_CASE(template_macros_are_those_of_the_reference, macros)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_white_space_beside_tags_is_taken_off),
        cmocka_unit_test(template_loops_are_those_of_the_reference),
        cmocka_unit_test(template_assignments_stay_in_their_scope),
        cmocka_unit_test(template_macros_are_those_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
