r"""Small templates for the conformance table, by what they are about.

A section is a name, the JSON text of the input, and templates; what they give is not written here:
the reference says it. Templates whose text the reference gives by address or by chance have no place.
"""

VALUES = ('{"n":7,"m":-3,"z":0,"f":2.5,"big":123456789012345678901234567890,"s":"hello","e":"",'
          '"sp":"  a b\\t\\n","u":"Grüße 世界 👋🏽","xs":[3,1,2],"ys":[],"d":{"b":1,"a":[1,2.0,null,true]},'
          '"dd":{},"yes":true,"no":false,"nil":null}')
MESSAGES = ('{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi <b>"},'
            '{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":'
            '{"name":"weather","arguments":{"city":"Zürich","days":3}}}]},'
            '{"role":"tool","content":"18 °C","tool_call_id":"c1"}],"tools":null}')
PEOPLE = ('{"people":[{"name":"Bo","age":31,"home":{"city":"Oslo"}},{"name":"al","age":7,"home":'
          '{"city":"bern"}},{"name":"Cy","age":31,"home":{"city":"Rom"}},{"name":"al","age":9}]}')
NUMBERS = ('{"a":1,"b":1.0,"c":-0.0,"d":1e16,"e":123456789012345680.0,"f":1e-5,"g":0.0001,"h":1e22,'
           '"i":1.5e300,"j":5e-324,"k":9007199254740993,"l":9223372036854775807,"m":-9223372036854775808,'
           '"n":18446744073709551616,"o":0.1,"p":100.0,"q":1E2,"r":-1.25e-7,"s":2.5,"t":3.0000000000000004,'
           '"u":1e15,"v":1234567.125,"w":0,"x":-0}')
ODD = ('{"quote":"it\'s","double":"say \\"x\\"","both":"\'\\"","back":"a\\\\b","ctl":"a\\u0001b\\n\\r\\t\\u007f",'
       '"nbsp":"a\\u00a0b","zero":"a\\u200bb\\ufeff","emoji":"👩‍👩‍👧","comb":"e\\u0301","han":"汉字",'
       '"sep":"a\\u2028b\\u2029c\\u0085d\\u000be\\u000cf\\u001cg","pua":"\\ue000","html":"<a href=\\"x\\">&\'</a>"}')
NONE = "{}"
WRITTEN = ('{ "a" : 1 ,\t"o":{"x":1,"y":2,"x":3}, "a":[ ], "esc":"\\u0041\\ud83d\\ude00\\/\\b\\f",'
           '"tiny":1e-400,"exp":1E+2,"neg":-0.0,"int":-0,"long":0.1000000000000000055511151231257827,'
           '"deep":[[[[[[[[[[1]]]]]]]]]],"":"nameless","k y":2,"é":"e","loop":5,"range":6,"none":7} ')

SECTIONS = [
    ("what is printed", VALUES, [
        "{{ n }}", "{{ m }}", "{{ f }}", "{{ big }}", "{{ s }}", "{{ u }}", "[{{ e }}]", "{{ xs }}",
        "{{ ys }}", "{{ d }}", "{{ dd }}", "{{ yes }} {{ no }} {{ nil }}", "{{ (1, 'a') }}", "{{ (1,) }}",
        "{{ () }}", "{{ 1, 2 }}", "{{ [none, true, 1.5, 'x'] }}", "{{ {'k': [1, {'z': ()}]} }}",
        "{{ [s, u] }}", "{{ true }} {{ True }} {{ false }} {{ False }} {{ none }} {{ None }}",
        "{{ 0x1f }} {{ 0o17 }} {{ 0b101 }} {{ 1_000_000 }}", "{{ 1.0 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 2E10 }}",
        "{{ 1_0.5_0 }}", "{{ 'a' 'b' \"c\" }}", "{{ -n }} {{ +n }} {{ --n }}", "{{ -f }}", "{{ -yes }}",
        "{{ -s }}", "{{ +nil }}", "{{ {} }}", "{{ {1: 'a', none: 'b', true: 'c'} }}",
        "{{ {'a': 1, 'a': 2} }}", "{{ {1: 'x', 1.0: 'y', true: 'z'} }}", "{{ {(1, 2): 3} }}",
        "{{ {[1]: 2} }}", "{{ {{}: 2} }}", "{{ [1, 2,] }} {{ (1, 2,) }} {{ {'a': 1,} }}",
        "{{ [[], [[]], {}] }}", "{{ range(3) }}", "{{ range(1, 9, 2) }}", "{{ d.keys() }}",
        "{{ d.values() }}", "{{ dd.items() }}", "{{ {'a': 1}.items() }}", "{{ [1, 2][0] }}{{ 'ab'[1] }}",
        "plain text", "", "a{{ '' }}b", "{{ '{{' }} {{ '}}' }} {{ '{%' }}", "{{ \"it's\" }} {{ 'say \"x\"' }}",
    ]),
    ("numbers from the input", NUMBERS, [
        "{{ a }} {{ b }} {{ c }}", "{{ d }} {{ e }} {{ f }} {{ g }}", "{{ h }} {{ i }} {{ j }}", "{{ k }}",
        "{{ l }} {{ m }}", "{{ n }}", "{{ o }} {{ p }} {{ q }} {{ r }} {{ s }}", "{{ t }} {{ u }} {{ v }}",
        "{{ w }} {{ x }}", "{{ [a, b, c, d, e, f] }}", "{{ [a, b, c, d, e, f, n]|tojson }}",
        "{{ {'x': h, 'y': r, 'z': j}|tojson }}", "{{ a is integer }} {{ b is integer }} {{ n is integer }}",
        "{{ a is float }} {{ b is float }} {{ q is float }}", "{{ a == b }} {{ w == c }}", "{{ k == k + 0.0 }}",
        "{{ n > l }} {{ l > m }}", "{{ n|string|length }}", "{{ l + 0 }}", "{{ o + 0.2 }}", "{{ b|int }} {{ s|int }}",
        "{{ d|int }}", "{{ d + 1 }}", "{{ -c }}", "{{ 1e308 * 10 }} {{ -1e308 * 10 }}", "{{ [1e308 * 10]|tojson }}",
        "{{ 1e308 * 10 - 1e308 * 10 }}", "{{ v|round(2) }} {{ v|round }}", "{{ a ~ b ~ c }}",
        "{{ b + a }} {{ a + a }} {{ b * 3 }}", "{{ k % 10 }} {{ k // 10 }}", "{{ m // 10 }} {{ m % 10 }}",
    ]),
    ("the input as it is written", WRITTEN, [
        "{{ a }}", "{{ o }} {{ o|tojson }} {{ o|length }}", "{{ esc }} {{ esc|length }} {{ [esc] }}", "{{ tiny }} {{ exp }} {{ neg }} {{ int }} {{ long }}", "{{ deep }} {{ deep|tojson }}", "{{ loop }}", "{% for x in [1] %}{{ loop.index }}{% endfor %}{{ loop }}", "{{ range }}", "{{ none }}", "{% set a = 2 %}{{ a }}", "{{ [exp, int, long]|tojson }}", "{% macro o() %}m{% endmacro %}{{ o() }}",
    ]),
    ("strings as lists show them", ODD, [
        "{{ [quote] }}", "{{ [double] }}", "{{ [both] }}", "{{ [back] }}", "{{ [ctl] }}", "{{ [nbsp] }}",
        "{{ [zero] }}", "{{ [emoji] }}", "{{ [comb] }}", "{{ [han] }}", "{{ [sep] }}", "{{ [pua] }}",
        "{{ {quote: double} }}", "{{ quote }} {{ double }} {{ both }} {{ back }}", "{{ [html] }}", "{{ html }}",
        "{{ html|e }}", "{{ html|escape }}", "{{ quote|tojson }}{{ double|tojson }}{{ back|tojson }}",
        "{{ ctl|tojson }}", "{{ nbsp|tojson }}{{ zero|tojson }}{{ sep|tojson }}", "{{ emoji|tojson }}{{ han|tojson }}",
        "{{ html|tojson }}", "{{ sep.splitlines() }}", "{{ sep.split() }}", "{{ nbsp.split() }}", "{{ zero.split() }}",
        "{{ emoji|length }} {{ comb|length }}", "{{ comb|upper }} {{ han|upper }}", "{{ emoji[0] }}|{{ emoji[1:]|length }}",
        "{{ ctl|length }}", "{{ nbsp|trim|length }}", "{{ ('\\u00a0x\\u2003' | trim)|length }}",
        "{{ [emoji]|tojson(ensure_ascii=true) }}", "{{ [han, nbsp]|tojson(ensure_ascii=true) }}",
    ]),
    ("string literals", NONE, [
        "{{ 'a\\nb' }}", "{{ 'a\\tb' }}", "{{ 'a\\\\b' }}", "{{ 'a\\'b' }}", "{{ \"a\\\"b\" }}", "{{ 'a\\\"b' }}",
        "{{ '\\x41\\x7e' }}", "{{ '\\u00e9\\u4e16' }}", "{{ '\\U0001F600' }}", "{{ '\\101\\60' }}", "{{ '\\0'|length }}",
        "{{ '\\a\\b\\f\\v\\r'|length }}", "{{ 'é世👋' }}", "{{ 'a\nb' }}", "{{ 'a\\\nb' }}", "{{ '\\x4' }}",
        "{{ '\\u12' }}", "{{ '\\d\\w' }}", "{{ '\\d\\w'|length }}", "{{ '\\é' }}", "{{ 'a' 'b' }}", "{{ 'a'\n'b' }}",
        "{{ 'a", "{{ \"a'b\" ~ 'c\"d' }}", "{{ '\\'\\'' }}", "{{ '%}' }}{{ '}}' }}{{ '#}' }}", "{{ 'a\r\nb'|length }}",
        "{{ '\\r\\n'|length }}", "{{ '\\ud83d' }}",
    ]),
    ("truth", VALUES, [
        "{% if n %}1{% endif %}{% if z %}2{% endif %}{% if f %}3{% endif %}{% if 0.0 %}4{% endif %}",
        "{% if s %}1{% endif %}{% if e %}2{% endif %}{% if sp %}3{% endif %}{% if '0' %}4{% endif %}",
        "{% if xs %}1{% endif %}{% if ys %}2{% endif %}{% if d %}3{% endif %}{% if dd %}4{% endif %}",
        "{% if yes %}1{% endif %}{% if no %}2{% endif %}{% if nil %}3{% endif %}{% if unknown %}4{% endif %}",
        "{% if () %}1{% endif %}{% if (0,) %}2{% endif %}{% if [none] %}3{% endif %}{% if big %}4{% endif %}",
        "{% if range(0) %}1{% endif %}{% if range(1) %}2{% endif %}{% if dd.items() %}3{% endif %}",
        "{% if d.keys() %}1{% endif %}{% if namespace() %}2{% endif %}{% if range %}3{% endif %}",
        "{{ n and s }} {{ z and s }} {{ e or 'x' }} {{ s or 'x' }}", "{{ none or 0 }} {{ 0 or none }} {{ none and 0 }}",
        "{{ ys or dd or e or nil or no }}", "{{ n and xs and d }}", "{{ not n }} {{ not z }} {{ not e }} {{ not unknown }}",
        "{{ not not s }}", "{{ unknown or 'd' }}", "[{{ unknown and 'd' }}]", "{{ no or no }} {{ yes and yes }}",
        "{{ 'a' if n else 'b' }} {{ 'a' if z else 'b' }}", "[{{ 'a' if z }}]", "{{ ('a' if z) is undefined }}",
        "{{ 1 if z else 2 if e else 3 }}", "{{ (1 if n else 2) + 3 }}", "{{ 1 if n else 2 + 3 }}",
        "{{ 'x' ~ ('a' if n else 'b') }}", "{{ yes + yes }} {{ yes * 3 }} {{ no - 1 }}", "{{ yes == 1 }} {{ no == 0 }} {{ yes is sameas 1 }}",
        "{{ s and unknown.x }}", "{{ e and unknown.x }}|", "{{ s or unknown.x }}", "{{ 0 and 1/0 }}", "{{ 1 or 1/0 }}", "{{ 1 and 1/0 }}",
        "{{ 'a' or 'b' and '' }}", "{{ not 1 == 2 }}", "{{ not (1 == 2) and 3 }}", "{{ not 'a' in 'abc' }}",
    ]),
    ("arithmetic", VALUES, [
        "{{ n + m }} {{ n - m }} {{ n * m }}", "{{ 7 / 2 }} {{ 6 / 3 }} {{ -7 / 2 }}", "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ -7 // -2 }}",
        "{{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7 % -3 }}", "{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }}",
        "{{ 7.5 // -2 }} {{ 7.5 % -2 }}", "{{ 6.0 // 2 }} {{ 0.0 * -1 }} {{ -1 % 1.0 }}", "{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ 2.0 ** 3 }}",
        "{{ 2 ** 3 ** 2 }}", "{{ -2 ** 2 }}", "{{ 0 ** 0 }}", "{{ 0 ** -1 }}", "{{ (-2) ** 3 }}", "{{ 10 ** 18 }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}",
        "{{ 1.0 / 0 }}", "{{ 1.0 // 0 }}", "{{ 1.0 % 0 }}", "{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }}", "{{ 10 - 2 - 3 }} {{ 100 / 10 / 2 }} {{ 2 * 3 % 4 }}",
        "{{ 1 + 1.0 }} {{ 2 * 1.5 }} {{ 3 - 3.0 }}", "{{ 0.1 + 0.2 }}", "{{ 1e16 + 1 }}", "{{ 'a' + 'b' }}", "{{ 'a' + 1 }}", "{{ 1 + 'a' }}",
        "{{ 'a' + none }}", "{{ 'ab' * 3 }}|{{ 3 * 'ab' }}|{{ 'ab' * 0 }}|{{ 'ab' * -1 }}", "{{ 'a' * 2.0 }}", "{{ 'a' * 'b' }}", "{{ 'a' - 'a' }}",
        "{{ [1] + [2] }} {{ (1,) + (2,) }}", "{{ [1] + (2,) }}", "{{ [1] + none }}", "{{ [1, 2] * 2 }} {{ 2 * [0] }} {{ (1,) * 3 }}", "{{ {} + {} }}",
        "{{ none + 1 }}", "{{ true + 1 }} {{ true / 2 }} {{ true // 2 }} {{ -true }}", "{{ 1 ~ 2 }} {{ 1 ~ 'a' ~ none ~ true ~ 1.0 ~ [1] }}",
        "{{ 1 + 2 ~ 3 }}", "{{ 1 ~ 2 + 3 }}", "{{ 2 * 3 ~ 4 }}", "{{ 'a' ~ unknown ~ 'b' }}", "{{ n ~ m }}", "{{ 5 - -3 }} {{ 5 + +3 }} {{ 5 - - - 3 }}",
        "{{ 2 * -3 }} {{ -3 * 2 }} {{ 6 / -4 }}", "{{ -1|abs }} {{ (-1)|abs }} {{ 0 - 1|abs }}", "{{ 1 + 2|string }}", "{{ (1 + 2)|string ~ 'x' }}",
        "{{ 7 // 2.0 }} {{ 7 % 2.5 }}", "{{ 1e3 // 7 }}", "{{ f * n }} {{ f / f }} {{ f // 1 }}", "{{ 9 // 3 * 3 + 9 % 4 }}", "{{ 1000000 * 1000000 }}",
        "{{ 0.1 * 3 }} {{ 1 / 3 }} {{ 2 / 3 }} {{ 10 / 3 }}", "{{ 1e23 }} {{ 1.7976931348623157e308 }}", "{{ 123456789.123456789 }}", "{{ 5e-324 }} {{ 2.2250738585072014e-308 }}",
        "{{ 100000000000000000.0 }} {{ 9999999999999998.0 }}", "{{ 0.00001 }} {{ 0.0001 }} {{ 0.00012345 }}", "{{ '%s' % 'x' }}", "{{ '%d items' % 3 }}",
    ]),
    ("comparison", VALUES, [
        "{{ 1 == 1.0 }} {{ 1 == '1' }} {{ 1 == true }} {{ 0 == false }} {{ none == false }} {{ none == none }}", "{{ 'a' == 'a' }} {{ 'a' != 'A' }} {{ '' == none }}",
        "{{ 1 < 2 }} {{ 1 <= 1 }} {{ 2 > 1 }} {{ 2 >= 3 }}", "{{ 1 < 2.5 }} {{ true < 2 }} {{ false < true }}", "{{ 1 < 'a' }}", "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ none < none }}",
        "{{ [] < 1 }}", "{{ {} < {} }}", "{{ 'a' < 'b' }} {{ 'a' < 'B' }} {{ 'a' < 'ab' }} {{ '' < 'a' }}", "{{ 'é' < 'z' }} {{ 'é' > 'z' }} {{ '世' < '👋' }}", "{{ '\\uffee' < '👋' }}",
        "{{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }} {{ [2] > [1, 9] }}", "{{ [1, 'a'] < [1, 2] }}", "{{ [1, 'a'] < [2, 2] }}", "{{ (1, 2) < (1, 3) }}", "{{ [1] < (2,) }}", "{{ [1] == (1,) }} {{ [1] == [1.0] }} {{ (1,) == (1.0,) }}",
        "{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1.0} }} {{ {'a': 1} == {'a': 2} }}", "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 3 > 2 > 1 }} {{ 1 == 1 == 1 }}", "{{ 1 < 3 > 2 != 5 }}", "{{ 2 > 1 == 1 }}", "{{ (1 < 2) == true }}",
        "{{ big > n }} {{ big == big }} {{ big > 1e30 }} {{ big < 1e30 }}", "{{ 'a' in 'abc' }} {{ 'ac' in 'abc' }} {{ '' in 'abc' }} {{ '' in '' }}", "{{ 1 in 'abc' }}", "{{ none in 'abc' }}",
        "{{ 3 in xs }} {{ 3.0 in xs }} {{ '3' in xs }} {{ true in xs }}", "{{ 'a' in d }} {{ 'x' in d }} {{ 1 in d }} {{ none in d }}", "{{ [1] in d }}", "{{ 1 in n }}", "{{ 1 in none }}", "{{ 'a' not in d }} {{ 4 not in xs }}",
        "{{ 1 in (1, 2) }} {{ [1] in [[1], 2] }} {{ none in [none] }} {{ 1 in [true] }}", "{{ 2 in range(5) }} {{ 5 in range(5) }} {{ 'a' in range(5) }}", "{{ 'b' in d.keys() }} {{ 1 in d.values() }} {{ ('b', 1) in d.items() }}",
        "{{ not 1 in [1] }} {{ not 1 not in [1] }}", "{{ 'x' in ['x'] and 'y' not in ['x'] }}", "{{ 1 in [1] == true }}", "{{ s == 'hello' and n == 7 or false }}", "{{ xs == [3, 1, 2] }} {{ xs != [3, 1] }}", "{{ range(3) == range(0, 3) }} {{ range(3) == [0, 1, 2] }}",
        "{{ d == {'b': 1, 'a': [1, 2, none, true]} }}", "{{ 0.1 + 0.2 == 0.3 }} {{ 0.5 == 1/2 }}", "{{ 1 = 1 }}", "{{ 1 <> 2 }}", "{{ 1 === 1 }}", "{{ 1 == }}", "{{ nil == unknown }} {{ unknown == unknown2 }} {{ unknown != 1 }}",
        "{{ 9007199254740993 == 9007199254740992.0 }} {{ 9007199254740993 > 9007199254740992.0 }}", "{{ 'straße' == 'strasse' }}", "{{ -0.0 == 0 }}",
    ]),
    ("names, members, subscripts", MESSAGES, [
        "{{ messages[0].role }} {{ messages[0]['role'] }} {{ messages[-1].role }}", "{{ messages[0].content[0] }} {{ messages[0].content[-1] }}", "{{ messages.0.role }}", "{{ messages[9] }}|", "{{ messages[9].role }}", "{{ messages[0].nope }}|", "{{ messages[0].nope.more }}",
        "{{ messages[0]['nope'] }}|", "{{ messages[2].tool_calls[0].function.arguments.city }}", "{{ messages[2]['tool_calls'][0]['function']['arguments']['days'] + 1 }}", "{{ messages['role'] }}|", "{{ messages.role }}|", "{{ tools.x }}|", "{{ none.x }}|", "{{ (1).x }}|", "{{ 'a'.x }}|",
        "{{ unknown }}|", "{{ unknown.x }}", "{{ unknown['x'] }}", "{{ unknown[0] }}", "{{ unknown() }}", "{{ messages[none] }}|", "{{ messages['0'] }}|", "{{ messages[1.0] }}|", "{{ messages[true].role }}", "{{ messages[0][0] }}|",
        "{{ 'abc'[0] }}{{ 'abc'[2] }}{{ 'abc'[-1] }}{{ 'abc'[3] }}|", "{{ 'héllo世👋'[1] }}{{ 'héllo世👋'[5] }}{{ 'héllo世👋'[-1] }}", "{{ 'héllo世👋'[4:6] }}|{{ 'héllo世👋'[::-1] }}|{{ 'héllo世👋'[-3:] }}|{{ 'héllo世👋'[::2] }}",
        "{{ 'abcdef'[1:3] }} {{ 'abcdef'[:2] }} {{ 'abcdef'[4:] }} {{ 'abcdef'[:] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[:-2] }}", "{{ 'abcdef'[1:5:2] }} {{ 'abcdef'[::3] }} {{ 'abcdef'[5:1:-2] }} {{ 'abcdef'[-1:-4:-1] }}",
        "{{ 'abcdef'[10:] }}|{{ 'abcdef'[3:1] }}|{{ 'abcdef'[-100:2] }}|{{ 'abcdef'[2:100] }}", "{{ 'abc'[::0] }}", "{{ [1, 2, 3, 4][1:3] }} {{ [1, 2, 3, 4][::-1] }} {{ [1, 2, 3][5:] }} {{ (1, 2, 3)[1:] }}", "{{ [1, 2][none:1] }} {{ 'abc'[none:none:none] }}", "{{ 'abc'['a':] }}|", "{{ [1, 2, 3]['a':] }}|", "{{ [1, 2][1.5:] }}|",
        "{{ messages[1:]|length }} {{ messages[1:][0].role }}", "{{ messages[:-1]|map(attribute='role')|join(',') }}", "{{ (messages|last).content }}", "{{ messages[messages|length - 1].role }}", "{{ {'a': {'b': 1}}.a.b }} {{ {'a': 1}['a'] }}", "{{ {1: 'x'}[1] }} {{ {1: 'x'}[1.0] }} {{ {1: 'x'}[true] }}", "{{ {none: 'x'}[none] }}", "{{ {'a': 1}[[1]] }}|",
        "{{ {'a': 1}[:1] }}|", "{{ {'items': 3}.items is string }} {{ {'items': 3}['items'] }}", "{{ {'items': 3}.items() }}", "{{ {'get': 3}.get('get') }}", "{{ {'x': {'keys': 1}}.x.keys() | list }}", "{{ range(5)[1] }} {{ range(5)[-1] }} {{ range(9)[9] }}|", "{{ range(9)[2:5] }}", "{{ 'abc'.upper() }}{{ 'abc'['upper']() }}", "{{ messages[0].role.upper() }}",
        "{{ messages[0].__class__ }}|", "{{ ''.__class__.__mro__ }}", "{{ messages[0]['__class__'] }}|", "{{ messages.__len__() }}", "{{ messages[0].content.__len__ is defined }}", "{{ [[1, 2], [3]][0][1] }}", "{{ ({'a': [1]}).a[0] }}", "{{ messages [0] . role }}", "{{ {'a-b': 1}['a-b'] }}", "{{ {'1': 'x'}.1 }}|", "{{ {1: 'x'}.1 }}", "{{ messages[0]. }}", "{{ messages[] }}", "{{ messages[0, 1] }}|",
        "{{ messages[2].content is none }} {{ messages[2].content is defined }} {{ messages[2].nope is defined }}", "{{ messages[2].get('content') }} {{ messages[2].get('nope') }} {{ messages[2].get('nope', 'd') }}", "{{ messages[0].content|length }}", "{{ tools is none }} {{ tools is defined }}",
    ]),
    ("undefined", NONE, [
        "[{{ x }}]", "{{ x.y }}", "{{ x['y'] }}", "{{ x + 1 }}", "{{ 1 + x }}", "{{ x ~ 'a' ~ x }}", "{{ -x }}", "{{ x < 1 }}", "{{ x == 1 }} {{ x != 1 }} {{ x == y }}", "{{ x in [1] }} {{ 1 in x }}", "{{ x in 'a' }}", "{{ x() }}", "{% for a in x %}a{% else %}none{% endfor %}", "{{ x|length }}", "{{ x|list }}", "[{{ x|string }}][{{ x|trim }}][{{ x|upper }}]",
        "{{ x|int }} {{ x|float }}", "{{ x|tojson }}", "{{ [x]|tojson }}", "{{ x|default('d') }} {{ x|d('d') }}", "[{{ x|default }}]", "{{ x.y|default('d') }}", "{{ none|default('d') }} {{ ''|default('d') }}|{{ none|default('d', true) }} {{ ''|default('d', true) }} {{ 0|default('d', boolean=true) }}", "{{ x|default(y)|default('z') }}", "{{ [x] }}", "{{ {'a': x} }}",
        "[{{ x|join(',') }}]", "[{{ x|first }}]", "[{{ x|last }}]", "{{ x|sort }} {{ x|unique|list }}", "{{ x|reverse|list }}", "{{ x|items|list }}", "{{ x|dictsort }}", "{{ x|map('upper')|list }}", "{{ x|select|list }} {{ x|selectattr('a')|list }}", "{{ x|sum }}", "{{ x|abs }}", "{{ x|round }}", "[{{ x|replace('a', 'b') }}]", "[{{ x|indent }}]", "[{{ x|e }}]", "[{{ x|safe }}]", "[{{ x|capitalize }}]", "[{{ x|title }}]",
        "{{ x is defined }} {{ x is undefined }} {{ x is none }} {{ x is string }} {{ x is number }} {{ x is mapping }} {{ x is iterable }} {{ x is sequence }}", "{{ x is true }} {{ x is false }} {{ x is boolean }} {{ x is integer }}", "{{ x is odd }}", "{{ x.y is defined }}", "{{ {'a': 1}.b is defined }} {{ {'a': 1}.b.c is defined }}", "{{ x is not defined and true }}", "{% if x is defined and x.y %}a{% else %}b{% endif %}",
        "{{ x if x }}|{{ x or 'o' }}|{{ x and 'a' }}|{{ not x }}", "{% set y = x %}[{{ y }}]{{ y is defined }}", "{% set ns = namespace(a=x) %}{{ ns.a is defined }}", "{{ x.strip() }}", "{{ 'a'.nope() }}", "{{ 'a'.replace(x, 'b') }}", "{{ 'a b'.split(x) }}", "{{ raise_exception(x) }}", "{{ range(x) }}", "{{ [1, 2][x] }}|", "{{ 'abc'[x:] }}|", "{{ {x: 1} }}", "{{ x * 2 }}", "{{ x ** 2 }}", "{{ x // 2 }}", "{{ x|min }}|", "{{ x|max }}|", "{{ x|batch(2)|list }}", "{{ x|wordcount }}", "{{ ''.join([x]) }}", "{{ [x, 'a']|join('-') }}",
    ]),
    ("white space", VALUES, [
        "a\n", "a\n\n", "\n", "\n\na", "a{{ n }}\n", "{{ n }}\n{{ n }}\n", "a\n{% if yes %}\nb\n{% endif %}\nc\n", "a\n  {% if yes %}\n  b\n  {% endif %}\nc", "a {% if yes %} b {% endif %} c", "  {% if yes %}x{% endif %}", "a  {% if yes %}  \nx{% endif %}", "  {{ n }}  ", "a\n  {{ n }}\n  b", "a\n\t {% set q = 1 %}\t\nb", "a \n {%- if yes %} b {% endif %}", "a {%- if yes -%} b {%- endif -%} c",
        "a\n\n{{- n -}}\n\nb", "a  {{- ' x ' -}}  b", "a\n{%+ if yes %}\nb{% endif %}", "a\n  {%+ if yes %}b{% endif %}", "a\n{% if yes +%}\nb{% endif %}", "a{% if yes +%}  \nb{% endif +%}\nc", "{# c #}a", "a{# c #}b", "a\n{# c #}\nb", "a\n  {# c #}  \nb", "a  {#- c -#}  b", "a\n{#+ c +#}\nb", "{#\n multi\n line #}\na", "a{# {{ n }} {% if %} #}b", "{% raw %}{{ n }}{% endraw %}", "a {%- raw -%} {{ n }} {%- endraw -%} b", "{% raw %}\n{% x %}\n{% endraw %}\nb",
        "{% for x in xs %}\n{{ x }}\n{% endfor %}", "{% for x in xs -%}\n{{ x }}\n{%- endfor %}", "{%- for x in xs %}\n  - {{ x }}\n{%- endfor %}", "{% for x in xs %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "  {%- if yes -%}  \n\n x \n\n {%- else -%} y {%- endif -%}  \n z", "a\r\nb\rc\n", "a\r\n", "a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\nc", "{%if yes%}a{%endif%}", "{{n}}{{-n}}", "{{ n -}} \n {{- n }}", "{{- n }}", "{{ -n }}", "{{ - n }}", "{{+ n }}", "{%-if yes-%} a {%-endif-%}", "{{\n n\n\t}}", "{%\nif\nyes\n%}\nb\n{%\nendif\n%}\n",
        "x\u00a0{%- if yes %}y{% endif %}", "x\u3000\n{%- if yes %}y{% endif %}", "x\u00a0\n\u00a0{% if yes %}y{% endif %}", "a\n{{ n }}{% if yes %}\n{% endif %}\n\nb", "{% if no %}\na\n{% endif %}\n{% if yes %}\nb\n{% endif %}\n", "a{% set q = 1 %}\n\n{{ q }}", "   {# c #}   {% if yes %}\na{% endif %}", "a\n   {# c #}{% if yes %}\nb{% endif %}", "a {# c #} {% if yes %}b{% endif %}", "a\x0b\n{%- if yes %}b{% endif %}", "a \u2028 {%- if yes %}b{% endif %}", "a\u2028  {% if yes %}b{% endif %}", "{{ 'a\n' }}\n", "{{ n }} \n", "{% if yes %}\n\n\na{% endif %}", "{# a #}\n\n\nb",
        "{{ '-' }}{{- '-' -}}{{ '-' }}", "a }} b", "a %} b", "a #} b", "{ { n } }", "{", "}", "{{ '{' ~ '}' }}", "a{b}c{{n}}{d}", "# not a comment", "{ % if % }", "{{ {'a': {'b': 1}}}}", "{{ {'a': {'b': 1} } }}",
    ]),
    ("if", VALUES, [
        "{% if n == 7 %}a{% elif n == 8 %}b{% else %}c{% endif %}", "{% if n == 8 %}a{% elif n == 7 %}b{% else %}c{% endif %}", "{% if n == 8 %}a{% elif n == 9 %}b{% else %}c{% endif %}", "{% if no %}a{% endif %}b", "{% if yes %}{% if no %}a{% else %}b{% endif %}{% else %}c{% endif %}", "{% if yes and (no or n > 3) %}a{% endif %}", "{% if not yes %}a{% else %}b{% endif %}", "{% if n %}{% endif %}", "{% if yes %}a{% elif unknown.x %}b{% endif %}", "{% if %}a{% endif %}", "{% if yes %}a", "{% endif %}", "{% if yes %}a{% endfor %}", "{% else %}", "{% if yes %}a{% else %}b{% else %}c{% endif %}", "{% if yes %}a{% else %}b{% elif no %}c{% endif %}", "{% if 1, 2 %}a{% endif %}", "{% if yes: %}a{% endif %}", "{% elif yes %}", "{% if yes %}{% set q = 1 %}{% endif %}{{ q }}", "{% if no %}{% set q = 1 %}{% endif %}[{{ q }}]", "{% if n is defined and n is number %}num{% endif %}",
    ]),
    ("for", VALUES, [
        "{% for x in xs %}{{ x }};{% endfor %}", "{% for x in ys %}x{% else %}empty{% endfor %}", "{% for x in xs %}x{% else %}empty{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for c in s %}{{ c }}.{% endfor %}", "{% for c in 'é世👋' %}{{ c }}.{% endfor %}", "{% for i in range(3) %}{{ i }}{% endfor %}", "{% for x in n %}x{% endfor %}", "{% for x in nil %}x{% endfor %}", "{% for x in f %}x{% else %}e{% endfor %}", "{% for x in yes %}x{% endfor %}",
        "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}", "{% for x in xs %}[{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}]{% endfor %}", "{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}", "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in xs %}{{ loop.cycle() }}{% endfor %}", "{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }};{% endfor %}", "{% for x in xs if x > 9 %}x{% else %}none{% endfor %}", "{% for x in xs if loop.first %}{{ x }}{% endfor %}",
        "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "{% for x in xs %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}", "{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}-{{ b }};{% endfor %}", "{% for a, b in [[1, 2, 3]] %}x{% endfor %}", "{% for a, b in [[1]] %}x{% endfor %}", "{% for a, b in [1] %}x{% endfor %}", "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in [[1, 2]] %}{{ a }}{{ b }}{% endfor %}", "{% for (k, v) in d.items() %}{{ k }}{% endfor %}",
        "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% break %}{% else %}e{% endfor %}", "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}", "{% break %}", "{% continue %}", "{% for x in xs %}{% continue %}{% endfor %}ok", "{% set x = 9 %}{% for x in xs %}{{ x }}{% endfor %}{{ x }}", "{% for q in xs %}{% endfor %}[{{ q }}]", "{% set t = 0 %}{% for x in xs %}{% set t = t + x %}{{ t }} {% endfor %}{{ t }}", "{% for x in xs %}{% if loop.first %}{% set t = 1 %}{% endif %}[{{ t }}]{% endfor %}",
        "{% for x in xs %}{% set y = x %}{% endfor %}[{{ y }}]", "{{ loop }}|", "{{ loop.index }}", "{% for loop in xs %}x{% endfor %}", "{% for x in xs|sort %}{{ x }}{% endfor %}", "{% for x in xs|sort(reverse=true) %}{{ x }}{% endfor %}", "{% for x in xs|reverse %}{{ x }}{{ loop.last }}{% endfor %}", "{% for x in xs[1:] %}{{ x }}{% endfor %}", "{% for x in xs + [4] %}{{ x }}{% endfor %}", "{% for x in [1, 2] if x is odd %}{{ x }}{% endfor %}", "{% for x in (1, 2) %}{{ x }}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in xs %}x", "{% for x xs %}{% endfor %}", "{% for in xs %}{% endfor %}", "{% for x in %}{% endfor %}", "{% for 1 in xs %}{% endfor %}", "{% for x.y in xs %}{% endfor %}", "{% for x in xs else %}{% endfor %}",
        "{% for x in xs|map('string') %}{{ loop.index }}{{ loop.last }}{{ x }} {% endfor %}", "{% for x in xs|select('odd') %}{{ loop.length }}{{ x }} {% endfor %}", "{% for x in xs %}{{ loop.index is odd }}{{ loop.index is divisibleby 3 }} {% endfor %}", "{% for m in [{'role': 'a'}, {'role': 'b'}] if m.role == 'b' %}{{ m.role }}{{ loop.index0 }}{% endfor %}", "{% for x in xs %}{{ loop.nope }}|{% endfor %}", "{% for x in xs %}{{ x }}{% if loop.nextitem is defined and loop.nextitem > x %}<{% endif %}{% endfor %}", "{% for k in d.keys() %}{{ k }}{% endfor %}{% for v in d.values() %}{{ v }}{% endfor %}", "{% for x in xs if x != 1 %}{% if loop.last %}{{ x }}{% endif %}{% endfor %}", "{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}", "{% for x in xs %}{{ loop.changed(x > 1) }} {% endfor %}", "{% for x in xs %}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    ]),
    ("set and namespaces", VALUES, [
        "{% set a = 1 %}{{ a }}", "{% set a = 1 %}{% set a = a + 1 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1, 2] %}{{ b }}{{ a }}", "{% set a, b = 1 %}", "{% set a, b = [1] %}", "{% set a, b = 'xy' %}{{ b }}{{ a }}", "{% set (a, b) = (1, 2) %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set n = 8 %}{{ n }}", "{% set a %}x{{ n }}{% endset %}[{{ a }}]", "{% set a | upper %}x{{ s }}{% endset %}{{ a }}", "{% set a | replace('l', 'L') | trim %}  {{ s }} {% endset %}[{{ a }}]", "{% set a %}\n  x\n{% endset %}[{{ a }}]", "{% set a %}{% endset %}[{{ a }}]{{ a is string }}", "{% set a %}{% for x in xs %}{{ x }}{% endfor %}{% endset %}{{ a|length }}",
        "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}", "{% set ns = namespace() %}{% set ns.a = 2 %}{{ ns.a }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace(a=0) %}{% for x in xs %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}", "{% set ns = namespace(a='') %}{% for x in xs %}{% set ns.a = ns.a ~ x %}{% endfor %}{{ ns.a }}", "{% set ns = namespace(l=[]) %}{% for x in xs %}{% set ns.l = ns.l + [x * 2] %}{% endfor %}{{ ns.l }}", "{% set ns = namespace() %}[{{ ns.nope }}]{{ ns.nope is defined }}", "{% set ns = namespace(a=1) %}{{ ns['a'] }}", "{% set ns = namespace(_a=1) %}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set ns = namespace(a=1, a=2) %}", "{% set ns = namespace([['a', 1]]) %}{{ ns.a }}", "{% set ns = namespace(1) %}",
        "{% set d.x = 1 %}", "{% set unknown.x = 1 %}", "{% set ns = {'a': 1} %}{% set ns.a = 2 %}", "{% set d['x'] = 1 %}", "{% set 1 = 2 %}", "{% set a %}", "{% set a = %}", "{% set = 1 %}", "{% set a b = 1 %}", "{% set a.b.c = 1 %}", "{% set ns = namespace(a=1) %}{% set ns.a %}x{{ n }}{% endset %}{{ ns.a }}", "{% set ns = namespace(a=namespace(b=1)) %}{{ ns.a.b }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set true = 1 %}", "{% set none = 1 %}", "{% set messages = 5 %}{{ messages }}", "{% set range = 5 %}{{ range }}", "{% set x = xs %}{{ x == xs }}", "{% if yes %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}", "{% set a = a|default('x') %}{{ a }}", "{% if a is not defined %}{% set a = 3 %}{% endif %}{{ a }}", "{% set ns = namespace(x=xs) %}{{ ns.x[0] }}{{ ns.x|length }}", "{% set a = 'x' if no else none %}{{ a is none }}", "{% set b = n %}{% set n = 1 %}{{ b }}{{ n }}", "{% set\n  a\n  =\n  [1,\n  2]\n%}{{ a }}",
    ]),
    ("macros", VALUES, [
        "{% macro m() %}x{% endmacro %}{{ m() }}{{ m() }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}{{ m('x') }}{{ m() }}", "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(a=5) }}{{ m(b=6, a=7) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=1, b) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}", "{% macro m() %}{{ varargs }}{% endmacro %}{{ m(1, 2) }}", "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(a=1) }}", "{% macro m(a) %}{{ a }}{{ varargs|length }}{{ kwargs|length }}{% endmacro %}{{ m(1, 2, 3, b=4) }}",
        "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "{% macro m() %}{% set x = 5 %}{{ x }}{% endmacro %}{{ m() }}[{{ x }}]", "{% set x = 1 %}{% macro m() %}{% set x = 5 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% for i in xs %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{{ loop }}{% endmacro %}{% for i in xs %}[{{ m() }}]{% endfor %}", "{% macro m(k) %}{{ k }}{% if k > 0 %}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro a() %}a{{ b() }}{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}x{% endmacro %}", "{% macro m() %} x {% endmacro %}[{{ m()|trim }}]", "{% macro m() %}<{% endmacro %}{{ m() ~ '>' }}{{ m() + '>' }}", "{% macro m() %}{% endmacro %}{{ m() is string }}{{ m() == '' }}{{ m()|length }}",
        "{% macro m(x) %}{% for i in x %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}{% endmacro %}{{ m(xs) }}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body{{ n }}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}-{{ b }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}body{% endcall %}", "{% macro m(x) %}{{ x }}{{ caller is defined }}{% endmacro %}{{ m(1) }}", "{% macro m(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call m('b') %}{% call m('i') %}x{% endcall %}{% endcall %}", "{% macro m() %}{{ caller(x=3) }}{% endmacro %}{% call(x=1) m() %}{{ x }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{% set q = 1 %}{% call m() %}{{ q }}{% set q = 2 %}{{ q }}{% endcall %}{{ q }}", "{% call 5 %}{% endcall %}", "{% call s() %}{% endcall %}",
        "{% macro m() %}x", "{% macro m %}{% endmacro %}", "{% macro () %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{% macro m(a.b) %}{% endmacro %}", "{% macro m(a, a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(**{'a': 1, 'b': 2}) }}", "{% macro m(a=[]) %}{{ a }}{% endmacro %}{{ m() }}{{ m([1]) }}", "{% macro m(a=none) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a='x') -%}\n  {{ a }}\n{%- endmacro %}[{{ m() }}]", "{% macro m(a) -%}{{ a }}{%- endmacro -%}\n{{ m(1) }}", "{% if yes %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}", "{% set f = none %}{% macro f() %}x{% endmacro %}{{ f() }}", "{% macro m(n) %}{{ n }}{% endmacro %}{{ m(1) }}{{ n }}", "{% macro m() %}{% set ns.x = 5 %}{% endmacro %}{% set ns = namespace(x=1) %}{{ m() }}{{ ns.x }}",
        "{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}{{ inner() }}{% endmacro %}{{ outer() }}", "{% macro m(x) %}{{ x|upper }}{% endmacro %}{% set r = m('abc') %}{{ r }}{{ r|length }}", "{% macro m(a, b='B', c='C') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m('1', c='3') }}", "{% macro m() %}{{ 'x' * 3 }}{% endmacro %}{{ [m(), m()] }}", "{% macro m() %}a{% endmacro %}{{ m is defined }} {{ m is string }} {{ m.name }}", "{% macro m(d) %}{% for k, v in d.items() %}{{ k }}:{% if v is mapping %}({{ m(v) }}){% else %}{{ v }}{% endif %};{% endfor %}{% endmacro %}{{ m({'a': 1, 'b': {'c': 2, 'd': {'e': 3}}}) }}",
    ]),
    ("blocks", VALUES, [
        "{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter trim|upper %}  {{ s }} {% endfilter %}", "{% filter replace('l', '1') %}{{ s }}{% endfilter %}", "{% filter indent(2) %}a\nb\n{% endfilter %}", "{% filter upper %}{% if yes %}a{% else %}b{% endif %}{% endfilter %}", "{% filter nope %}a{% endfilter %}", "{% filter upper %}a", "{% filter upper %}{% set q = 1 %}{{ q }}{% endfilter %}[{{ q }}]", "{% filter length %}abc{% endfilter %}", "{% generation %}a{{ n }}{% endgeneration %}", "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}[{{ q }}]", "a {%- generation -%} b {%- endgeneration -%} c", "{% generation %}\na\n{% endgeneration %}\n", "{% for x in xs %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% generation %}a", "{% generation x %}a{% endgeneration %}", "{% set ns = namespace(a=0) %}{% generation %}{% set ns.a = 1 %}{% endgeneration %}{{ ns.a }}", "{% include 'a' %}", "{% import 'a' as b %}", "{% from 'a' import b %}", "{% extends 'a' %}", "{% nope %}", "{% %}", "{{ }}", "{% if yes %}{% include 'x' %}{% endif %}",
    ]),
    ("syntax refused", NONE, [
        "{{ 1", "{{ 1 }", "{% if true", "{% if true %}", "{# a", "{{ (1 }}", "{{ [1 }}", "{{ {'a' 1} }}", "{{ {'a': } }}", "{{ 1) }}", "{{ 1] }}", "{{ 1 2 }}", "{{ a b }}", "{{ | upper }}", "{{ 'a'| }}", "{{ 'a'|nope }}", "{{ 1 is nope }}", "{{ 1 is }}", "{{ f(1, }}", "{{ f(a=1, 2) }}", "{{ f(1 2) }}", "{{ @ }}", "{{ $a }}", "{{ a ! b }}", "{{ a & b }}", "{{ a ? b : c }}", "{{ a && b }}", "{{ a || b }}", "{{ 1 + }}", "{{ * 1 }}", "{{ not }}", "{{ a.b. }}", "{{ .a }}", "{{ a..b }}", "{{ a[1 }}", "{{ a if }}", "{{ a if b else }}", "{{ 'a }}", "{{ \"a' }}", "{% set %}", "{% for %}", "{% raw %}a", "{% endraw %}", "{{ 1.2.3 }}", "{{ 1a }}", "{{ 01 }}", "{{ 0x }}", "{{ 1__0 }}", "{{ 1_ }}", "{{ 1e }}", "{{ 1. }}", "{{ `a` }}", "{{ a -> b }}", "{{ lambda: 1 }}", "{{ [x for x in y] }}", "{{ a = 1 }}", "{{ a; b }}", "{{ {1} }}", "{{ f(**a, b) }}", "{{ f(*a, b) }}", "{{ and }}", "{{ in }}", "{{ is }}", "{{ if }}", "{{ a not b }}", "{{ a is not }}", "{% if a %}{% for x in y %}{% endif %}{% endfor %}", "{{ a[:::] }}", "{{ a|b.c }}", "{% endmacro %}", "{% else %}", "{{ 'a' 1 }}", "{{ ünïcode }}|", "{{ 名 }}|",
    ]),
]
