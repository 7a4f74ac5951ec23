/* test_conversation.c - messages, their limits, and JSON back and forth. */
#include "conversation.h"

#include "support/expect.h"

#include <stdlib.h>

static void add(conversation *c, const char *role, const char *text) {
    fm_error err;
    if (conversation_add(c, role, text, strlen(text), &err) != FM_OK) fail_msg("%s", err.text);
}

/* "s:one|u:two": the letters that roles begin with, and the texts. */
static void expect_messages(const conversation *c, const char *expected) {
    bytes got = {0};
    size_t n_bytes = 0;
    for (size_t i = 0; i < c->count; i++) {
        const conversation_message *m = &c->messages[i];
        assert_true(bytes_append(&got, "|", i > 0 ? 1 : 0) && bytes_append(&got, m->role, 1) &&
                    bytes_append(&got, ":", 1) && bytes_append(&got, m->text, m->length));
        assert_int_equal(m->text[m->length], 0);
        n_bytes += m->length;
    }
    assert_true(bytes_append(&got, "", 1));
    assert_string_equal(got.data, expected);
    assert_int_equal(c->n_bytes, n_bytes);
    bytes_free(&got);
}

/* ---- The list ------------------------------------------------------------------------------------ */

static void conversation_keeps_messages_in_order(void **state) {
    (void)state;
    conversation c = {0};
    assert_string_equal(conversation_last_role(&c), "");
    assert_null(conversation_take_last(&c));
    add(&c, "user", "one");
    add(&c, "assistant", "");
    add(&c, "user", "t\xffhree");
    expect_messages(&c, "u:one|a:|u:t\xffhree");
    assert_string_equal(conversation_last_role(&c), "user");
    char *text = conversation_take_last(&c);
    assert_string_equal(text, "t\xffhree");
    free(text);
    expect_messages(&c, "u:one|a:");
    for (int i = 0; i < 100; i++) add(&c, "user", "x");
    assert_int_equal(c.count, 102);
    conversation_free(&c);
    assert_int_equal(c.count + c.n_bytes + c.capacity, 0);
}

static void conversation_system_text_stands_at_the_head(void **state) {
    (void)state;
    fm_error err;
    conversation c = {0};
    assert_int_equal(conversation_set_system(&c, "", 0, &err), FM_OK);
    expect_messages(&c, "");
    add(&c, "user", "Q");
    assert_int_equal(conversation_set_system(&c, "S", 1, &err), FM_OK);
    expect_messages(&c, "s:S|u:Q");
    assert_int_equal(conversation_set_system(&c, "other", 5, &err), FM_OK);
    expect_messages(&c, "s:other|u:Q");
    conversation_clear(&c);
    expect_messages(&c, "s:other");
    add(&c, "user", "Q");
    assert_int_equal(conversation_set_system(&c, "", 0, &err), FM_OK);
    expect_messages(&c, "u:Q");
    conversation_clear(&c);
    expect_messages(&c, "");
    conversation_free(&c);
}

static void conversation_refuses_what_no_layout_takes(void **state) {
    (void)state;
    fm_error err;
    conversation c = {0};
    expect_error("role", conversation_add(&c, "to\nol", "x", 1, &err), &err, FM_ERR_ARG,
                 "\"to?ol\" is not known");
    expect_error("NUL", conversation_add(&c, "user", "a\0b", 3, &err), &err, FM_ERR_ARG,
                 "NUL byte");
    expect_error("NUL", conversation_set_system(&c, "\0", 1, &err), &err, FM_ERR_ARG, "NUL byte");
    expect_messages(&c, "");
    conversation_free(&c);
}

static void conversation_has_limits(void **state) {
    (void)state;
    fm_error err;
    conversation c = {0};
    for (int i = 0; i < CONVERSATION_MAX_MESSAGES; i++) add(&c, i == 0 ? "system" : "user", "");
    expect_error("messages", conversation_add(&c, "user", "", 0, &err), &err, FM_ERR_LIMIT,
                 "10000 messages");
    expect_error("system", conversation_set_system(&c, "S", 1, &err), &err, FM_ERR_LIMIT,
                 "10000 messages");
    assert_int_equal(c.count, CONVERSATION_MAX_MESSAGES);
    conversation_free(&c);

    char *text = malloc(CONVERSATION_MAX_BYTES);
    assert_non_null(text);
    memset(text, 'x', CONVERSATION_MAX_BYTES);
    add(&c, "user", "x");
    expect_error("bytes", conversation_add(&c, "user", text, CONVERSATION_MAX_BYTES, &err), &err,
                 FM_ERR_LIMIT, "64 MB");
    assert_int_equal(conversation_add(&c, "user", text, CONVERSATION_MAX_BYTES - 1, &err), FM_OK);
    expect_error("bytes", conversation_add(&c, "user", "x", 1, &err), &err, FM_ERR_LIMIT, "64 MB");
    free(conversation_take_last(&c));
    expect_messages(&c, "u:x");
    conversation_free(&c);
    free(text);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static void expect_json(const conversation *c, const char *expected) {
    bytes json = {0};
    assert_true(conversation_write_json(c, &json) && bytes_append(&json, "", 1));
    assert_string_equal(json.data, expected);
    bytes_free(&json);
}

static void conversation_is_written_as_json(void **state) {
    (void)state;
    conversation c = {0};
    expect_json(&c, "{\"messages\":[\n]}\n");
    add(&c, "system", "a \"b\" \\ \n\t\x01\x7f");
    add(&c, "user", "é\xc2\x85世😀");
    add(&c, "assistant", "\xc3|\xff|\xed\xa0\x80|\xe4\xb8");
    expect_json(
        &c,
        "{\"messages\":[\n"
        "{\"role\":\"system\",\"content\":\"a \\\"b\\\" \\\\ \\u000a\\u0009\\u0001\\u007f\"},\n"
        "{\"role\":\"user\",\"content\":\"é\xc2\x85世😀\"},\n"
        "{\"role\":\"assistant\",\"content\":\"\ufffd|\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd\"}\n"
        "]}\n");
    conversation_free(&c);
}

static void parse(conversation *c, const char *json) {
    fm_error err;
    if (conversation_parse_json(c, "file", json, strlen(json), &err) != FM_OK)
        fail_msg("%s: %s", json, err.text);
}

/* Every code point that a message can hold, in messages of a thousand. */
static void conversation_comes_back_from_json(void **state) {
    (void)state;
    conversation c = {0}, again = {0};
    bytes text = {0}, json = {0};
    fm_error err;
    for (unsigned code = 1; code < 0x110000; code++) {
        char utf8[4] = {(char)code};
        size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        if (code >= 0xd800 && code < 0xe000) continue;
        for (size_t k = n - 1, rest = code; k > 0; k--, rest >>= 6) {
            utf8[k] = (char)(0x80 | (rest & 0x3f));
            utf8[0] = (char)((0xf00 >> n & 0xff) | rest >> 6);
        }
        assert_true(bytes_append(&text, utf8, n));
        if (code % 1000 != 0 && code != 0x10ffff) continue;
        assert_int_equal(conversation_add(&c, "user", text.data, text.length, &err), FM_OK);
        text.length = 0;
    }
    assert_true(conversation_write_json(&c, &json));
    if (conversation_parse_json(&again, "file", json.data, json.length, &err) != FM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(again.count, c.count);
    for (size_t i = 0; i < c.count; i++)
        assert_string_equal(again.messages[i].text, c.messages[i].text);
    bytes_free(&text);
    bytes_free(&json);
    conversation_free(&c);
    conversation_free(&again);
}

static void conversation_takes_the_forms_of_others(void **state) {
    (void)state;
    conversation c = {0};
    parse(&c, "[{\"content\":\"Q\",\"role\":\"user\"}]");
    expect_messages(&c, "u:Q");
    parse(&c, "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"refusal\":null,\"content\":"
              "[{\"type\":\"text\",\"text\":\"a\"},{\"text\":\"b\",\"type\":\"text\"}]}]}");
    expect_messages(&c, "a:ab");
    parse(&c, "[]");
    expect_messages(&c, "");
    conversation_free(&c);
}

static void conversation_refuses_json_and_stays_as_it_was(void **state) {
    (void)state;
    static const struct {
        const char *json;
        fm_status status;
        const char *word;
    } cases[] = {
        {"", FM_ERR_FORMAT, "file"},
        {"{\"messages\":[", FM_ERR_FORMAT, "line 1"},
        {"[] x", FM_ERR_FORMAT, "line 1"},
        {"{\"message\":[]}", FM_ERR_FORMAT, "file: no conversation"},
        {"{\"messages\":{}}", FM_ERR_FORMAT, "file: no conversation"},
        {"[{\"role\":\"user\",\"content\":\"a\"},[]]", FM_ERR_FORMAT, "message 2: an object"},
        {"[{\"role\":1,\"content\":\"a\"}]", FM_ERR_FORMAT, "message 1: \"role\" takes"},
        {"[{\"role\":\"\\n\\u001b[31m\",\"content\":\"a\"}]", FM_ERR_ARG, "the role \"??[31m\""},
        {"[{\"role\":\"user\"}]", FM_ERR_FORMAT, "\"content\" takes"},
        {"[{\"role\":\"user\",\"content\":[\"a\"]}]", FM_ERR_UNSUPPORTED, "a part of"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", FM_ERR_UNSUPPORTED,
         "a part of"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"x\":1}]}]",
         FM_ERR_UNSUPPORTED, "a part of"},
        {"[{\"role\":\"user\",\"content\":\"a\",\"a\\nb\":1}]", FM_ERR_UNSUPPORTED, "\"a?b\" can"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", FM_ERR_LIMIT,
         "line 1"},
    };
    conversation c = {0};
    add(&c, "user", "Q");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_error err = {0};
        fm_status status =
            conversation_parse_json(&c, "file", cases[i].json, strlen(cases[i].json), &err);
        expect_error(cases[i].json, status, &err, cases[i].status, cases[i].word);
        expect_messages(&c, "u:Q");
    }
    conversation_free(&c);
}

static void conversation_of_json_has_the_same_limits(void **state) {
    (void)state;
    static const char one[] = "{\"role\":\"user\",\"content\":\"x\"},";
    fm_error err = {0};
    conversation c = {0};
    bytes json = {0};
    assert_true(bytes_append(&json, "[", 1));
    for (int i = 0; i <= CONVERSATION_MAX_MESSAGES; i++)
        assert_true(bytes_append(&json, one, sizeof one - 1));
    json.data[json.length - 1] = ']';
    fm_status status = conversation_parse_json(&c, "file", json.data, json.length, &err);
    expect_error("messages", status, &err, FM_ERR_LIMIT, "message 10001: ");
    assert_int_equal(c.count, 0);
    bytes_free(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversation_keeps_messages_in_order),
        cmocka_unit_test(conversation_system_text_stands_at_the_head),
        cmocka_unit_test(conversation_refuses_what_no_layout_takes),
        cmocka_unit_test(conversation_has_limits),
        cmocka_unit_test(conversation_is_written_as_json),
        cmocka_unit_test(conversation_comes_back_from_json),
        cmocka_unit_test(conversation_takes_the_forms_of_others),
        cmocka_unit_test(conversation_refuses_json_and_stays_as_it_was),
        cmocka_unit_test(conversation_of_json_has_the_same_limits),
    };
    return cmocka_run_group_tests_name("test_conversation", tests, NULL, NULL);
}
