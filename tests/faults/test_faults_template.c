/*
 * test_faults_template.c - the host's memory runs out at every allocation in turn while a chat
 * template is parsed, rendered, read from a directory, and while its text becomes ids.
 */
#include "each.h"
#include "support/temp_dir.h"
#include "text/fixture.h"

static const char text[] =
    "{%- macro show(x, n=1) -%}{{ x|tojson(indent=2) }}{{ caller() }}{% endmacro -%}"
    "{%- set ns = namespace(s='', l=[]) -%}"
    "{%- for m in messages if m.role != 'system' recursive -%}"
    "{%- set ns.s = ns.s ~ m.content|upper ~ loop.index -%}"
    "{%- set ns.l = ns.l + [m.content.split(' ')] -%}"
    "{%- else -%}none{%- endfor -%}"
    "{{ ns.s }}{{ ns.l|map('join', '-')|list|sort(reverse=true) }}{{ messages|length }}"
    "{% call(y) show(messages, n=2) %}{{ '%s{}'.format(y) }}{% endcall %}"
    "{{ {'a': (1, 2.5)}|dictsort }}{{ 'x' * 5000 }}{{ 'a\\nb'|indent }}{{ strftime_now('%c') }}";

static const char input[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"a b "
                            "\\u4f60\"},{\"role\":\"x\",\"content\":\"c\"}],"
                            "\"n\":[1,2.5,123456789012345678901,null,true]}";

static fm_status parse_and_free(void *user, fm_error *err) {
    fm_template *t;
    (void)user;
    fm_status status = fm_template_parse(text, strlen(text), &t, err);
    assert_true((status == FM_OK) == (t != NULL));
    fm_template_free(t);
    return status;
}

static fm_status render_and_free(void *user, fm_error *err) {
    const fm_template_name name = {"bos_token", "<s>"};
    fm_rendering *r;
    fm_status status = fm_template_render(user, input, strlen(input), &name, 1, 0, &r, err);
    assert_true((status == FM_OK) == (r != NULL));
    fm_rendering_free(r);
    return status;
}

static void faults_of_memory_are_reported_by_templates(void **state) {
    (void)state;
    fm_template *t;
    assert_true(each_allocation_fails("parsing a template", parse_and_free, NULL) > 2);
    assert_int_equal(fm_template_parse(text, strlen(text), &t, NULL), FM_OK);
    assert_true(each_allocation_fails("rendering a template", render_and_free, t) > 5);
    fm_template_free(t);
}

static fm_status open_and_close(void *user, fm_error *err) {
    const temp_dir *dir = user;
    fm_chat_template *c;
    fm_status status = fm_chat_template_open(dir->path, NULL, &c, err);
    assert_true((status == FM_OK) == (c != NULL));
    fm_chat_template_close(c);
    return status;
}

static void faults_of_memory_are_reported_by_a_directory(void **state) {
    temp_dir_write_text(*state, "tokenizer_config.json",
                        "{\"chat_template\":\"x\",\"bos_token\":\"<s>\"}");
    assert_true(each_allocation_fails("a directory's template", open_and_close, *state) > 5);
    temp_dir_write_text(*state, "chat_template.jinja", "x");
    assert_true(each_allocation_fails("a directory's file", open_and_close, *state) > 5);
}

static fm_status encode_spans(void *user, fm_error *err) {
    const fm_span spans[] = {{"<|a|>x", 6, true}, {"<|a|>y", 6, false}};
    fm_tokens tokens = {0};
    fm_status status = fm_tokenizer_encode_spans(user, spans, 2, &tokens, err);
    assert_true(status != FM_OK || tokens.count > 5);
    fm_tokens_free(&tokens);
    return status;
}

static void faults_of_memory_are_reported_by_spans(void **state) {
    (void)state;
    const fixture_json small = {.added = "{\"id\":300,\"content\":\"<|a|>\",\"special\":true}"};
    fm_tokenizer *t = fixture_make(&small, NULL);
    assert_true(each_allocation_fails("encoding spans", encode_spans, t) > 1);
    fm_tokenizer_close(t);
}

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_memory_are_reported_by_templates),
        cmocka_unit_test_setup_teardown(faults_of_memory_are_reported_by_a_directory,
                                        temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(faults_of_memory_are_reported_by_spans),
    };
    return cmocka_run_group_tests_name("test_faults_template", tests, NULL, NULL);
}
