/* test_template_spans.c - what came with the input stays apart from what the template wrote,
 * whatever is done to it, and gives no added token. */
#include "text/fixture.h"
#include "text/template_rows.h"

static const char input[] =
    "{\"a\":\"in<x>\",\"b\":\"  out  \",\"l\":[\"p\",\"q\"],\"d\":{\"k\":\"v\"},\"n\":12,\"f\":1.5,"
    "\"t\":true,\"z\":null,\"big\":123456789012345678901}";

/** Writes spans as [template] and <input> into `out`. */
static void show(const fm_rendering *r, char *out, size_t size) {
    size_t n, at = 0;
    const fm_span *spans = fm_rendering_spans(r, &n);
    for (size_t i = 0; i < n; i++) {
        const char *brackets = spans[i].is_template ? "[]" : "{}";
        assert_true(i == 0 || spans[i].is_template != spans[i - 1].is_template);
        at += (size_t)snprintf(out + at, size - at, "%c%.*s%c", brackets[0], (int)spans[i].length,
                               spans[i].text, brackets[1]);
    }
    out[at < size ? at : size - 1] = '\0';
}

static void check(const template_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char shown[512] = "";
        fm_rendering *r;
        fm_error err = {0};
        if (template_try(rows[i].text, input, &r, &err) != FM_OK)
            fail_msg("%s: %s", rows[i].text, err.text);
        show(r, shown, sizeof shown);
        if (strcmp(shown, rows[i].expected) != 0)
            fail_msg("%s: gives %s, not %s", rows[i].text, shown, rows[i].expected);
        fm_rendering_free(r);
    }
}

static void template_marks_survive_what_is_done_to_strings(void **state) {
    (void)state;
    static const template_row rows[] = {
        {"x{{ a }}y", "[x]{in<x>}[y]"},
        {"{{ bos_token }}{{ a }}{{ eos_token }}", "[<s>]{in<x>}[</s>]"},
        {"{{ 'x' + a + 'y' }}", "[x]{in<x>}[y]"},
        {"{{ 'x' ~ a ~ 1 ~ n }}", "[x]{in<x>}[1]{12}"},
        {"{{ ('x' + a + 'y')[0:3] }}{{ (a + 'y')[::-1] }}", "[x]{in}[y]{>x<ni}"},
        {"{{ ('[' + b + ']').strip('[]') }}{{ (b + '..').rstrip('.') }}", "{  out    out  }"},
        {"{{ b.strip() }}{{ b|trim }}", "{outout}"},
        {"{{ a.replace('n', 'N') }}{{ a|replace('<', '(') }}", "{i}[N]{<x>in}[(]{x>}"},
        {"{{ 'a-b'.replace('-', a) }}", "[a]{in<x>}[b]"},
        {"{{ '-'.join(l) }}{{ l|join('+') }}", "{p}[-]{qp}[+]{q}"},
        {"{{ a.split('<')|join('|') }}", "{in}[|]{x>}"},
        {"{{ ('x' + a)|upper }}{{ a|title }}{{ a.capitalize() }}", "[X]{IN<X>In<X>In<x>}"},
        {"{{ a|tojson }}{{ d|tojson }}", "[\"]{in<x>}[\"{\"]{k}[\": \"]{v}[\"}]"},
        {"{{ d|tojson(indent=1) }}", "[{\n \"]{k}[\": \"]{v}[\"\n}]"},
        {"{{ '%s!'|format(a) }}{{ '{}?'.format(a) }}{{ '%4s' % l[0] }}",
         "{in<x>}[!]{in<x>}[?   ]{p}"},
        {"{{ l }}{{ d }}", "[[]{'p'}[, ]{'q'}[]{]{'k'}[: ]{'v'}[}]"},
        {"{{ (a + '!')|indent(2, true) }}{{ a|e }}", "[  ]{in<x>}[!]{in&lt;x&gt;}"},
        {"{{ n }} {{ f }} {{ t }} {{ z }} {{ big }}",
         "{12}[ ]{1.5}[ ]{True}[ ]{None}[ ]{123456789012345678901}"},
        {"{{ n + 1 }} {{ -n }} {{ 1 + 1 }} {{ n|string }} {{ '7'|int }}",
         "{13}[ ]{-12}[ 2 ]{12}[ 7]"},
        {"{{ a|length }} {{ a == 'x' }} {{ range(2) }}", "[5 False range(0, 2)]"},
        {"{% set s %}x{{ a }}y{% endset %}{{ s }}", "[x]{in<x>}[y]"},
        {"{% macro m(v) %}({{ v }}{{ caller() }}){% endmacro %}{% call m(a) %}b{{ l[0] }}{% "
         "endcall %}",
         "[(]{in<x>}[b]{p}[)]"},
        {"{% filter upper %}x{{ a }}{% endfilter %}", "[X]{IN<X>}"},
        {"{% for c in a %}{{ c }}.{% endfor %}", "{i}[.]{n}[.]{<}[.]{x}[.]{>}[.]"},
        {"{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", "{k}[=]{v}"},
        {"{% set ns = namespace(s='') %}{% for x in l %}{% set ns.s = ns.s + x + ',' %}{% endfor %}"
         "{{ ns.s }}",
         "{p}[,]{q}[,]"},
        {"{{ a|default('x') }}{{ nope|default('x') }}", "{in<x>}[x]"},
        {"{{ l|sort(reverse=true)|join }}{{ l|map('upper')|join('.') }}", "{qpP}[.]{Q}"},
        {"{{ strftime_now('%Y') }}", "[2023]"},
        {"", ""},
        {"{{ '' }}{{ nope }}", ""},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

/** A member of the input that is called like a special token is input. */
static void template_input_names_no_special_token(void **state) {
    (void)state;
    char shown[64] = "";
    fm_rendering *r;
    fm_error err = {0};
    assert_int_equal(template_try("{{ bos_token }}!", "{\"bos_token\":\"<s>\"}", &r, &err), FM_OK);
    show(r, shown, sizeof shown);
    assert_string_equal(shown, "{<s>}[!]");
    fm_rendering_free(r);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

#define BYTES(text)                                                                                \
    { text, sizeof text - 1, false }
#define MARKS(text)                                                                                \
    { text, sizeof text - 1, true }

static void check_ids(const fm_tokenizer *t, const fm_span *spans, size_t n, const int32_t *ids,
                      size_t n_ids) {
    fm_tokens out = {0};
    fm_error err = {0};
    if (fm_tokenizer_encode_spans(t, spans, n, &out, &err) != FM_OK) fail_msg("%s", err.text);
    fixture_expect_ids(&out, ids, n_ids);
    fm_tokens_free(&out);
}

static void spans_of_the_template_alone_give_added_tokens(void **state) {
    (void)state;
    const fixture_json part = {
        .vocab = ",\"ab\":256",
        .merges = "\"a b\"",
        .added = "{\"id\":300,\"content\":\"<x>\"},"
                 "{\"id\":301,\"content\":\"<y>\",\"normalized\":true}",
    };
    fm_tokenizer *t = fixture_make(&part, NULL);
    /* The same text, of either kind. */
    check_ids(t, (fm_span[]){MARKS("<x>a<y>")}, 1, (int32_t[]){300, 'a', 301}, 3);
    check_ids(t, (fm_span[]){BYTES("<x>")}, 1, (int32_t[]){'<', 'x', '>'}, 3);
    check_ids(t, (fm_span[]){BYTES("<y>")}, 1, (int32_t[]){'<', 'y', '>'}, 3);
    /* A token does not reach over a border, from either side. */
    check_ids(t, (fm_span[]){MARKS("<x"), BYTES(">")}, 2, (int32_t[]){'<', 'x', '>'}, 3);
    check_ids(t, (fm_span[]){BYTES("<"), MARKS("x>")}, 2, (int32_t[]){'<', 'x', '>'}, 3);
    /* Text merges over a border, as the reference has it. */
    check_ids(t, (fm_span[]){MARKS("<x>a"), BYTES("b<x>"), MARKS("<y>")}, 3,
              (int32_t[]){300, 256, '<', 'x', '>', 301}, 6);
    check_ids(t, NULL, 0, NULL, 0);
    fm_tokenizer_close(t);
}

/** A letter that is an added token is one in messages, too; unless it is special. */
static void spans_of_the_input_give_letters(void **state) {
    (void)state;
    const fixture_json part = {.added = "{\"id\":300,\"content\":\"ő\"},"
                                        "{\"id\":301,\"content\":\"ű\",\"normalized\":true},"
                                        "{\"id\":302,\"content\":\"ž\",\"special\":true},"
                                        "{\"id\":303,\"content\":\"<ő>\"}"};
    fm_tokenizer *t = fixture_make(&part, NULL);
    check_ids(t, (fm_span[]){BYTES("aőűb")}, 1, (int32_t[]){'a', 300, 301, 'b'}, 4);
    check_ids(t, (fm_span[]){BYTES("ž")}, 1, (int32_t[]){0xC5, 0xBE}, 2);
    check_ids(t, (fm_span[]){MARKS("ž<ő>")}, 1, (int32_t[]){302, 303}, 2);
    check_ids(t, (fm_span[]){BYTES("<ő>")}, 1, (int32_t[]){'<', 0xC5, 0x91, '>'}, 4);
    fm_tokenizer_close(t);
}

static void spans_fail_without_a_trace(void **state) {
    (void)state;
    const fixture_json part = {.without = "q"};
    fm_tokenizer *t = fixture_make(&part, NULL);
    fm_tokens out = {0};
    fm_error err = {0};
    const fm_span spans[] = {MARKS("ab"), BYTES("q")};
    assert_int_equal(fm_tokens_append(&out, 7), FM_OK);
    fm_status status = fm_tokenizer_encode_spans(t, spans, 2, &out, &err);
    expect_error("a byte without a token", status, &err, FM_ERR_UNSUPPORTED, "");
    assert_int_equal(out.count, 1);
    fm_tokens_free(&out);
    fm_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_marks_survive_what_is_done_to_strings),
        cmocka_unit_test(template_input_names_no_special_token),
        cmocka_unit_test(spans_of_the_template_alone_give_added_tokens),
        cmocka_unit_test(spans_of_the_input_give_letters),
        cmocka_unit_test(spans_fail_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
