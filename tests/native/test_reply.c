/* test_reply.c - the JSON of an answer that has parts. */
#include "reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CALL     "<｜tool▁call▁begin｜>"
#define SEP      "<｜tool▁sep｜>"
#define CALL_END "<｜tool▁call▁end｜>"

/** The JSON of an answer that came with one event, which has this text. */
static void expect_json(const char *format, bool in_reasoning, const char *text,
                        const char *wanted) {
    reply r = {.has_text = true, .keeps_text = true, .has_parts = true};
    r.format = (fm_parts_format){format, in_reasoning};
    fm_event event = {
        .id = -1, .finish = FM_FINISH_STOP, .text = text, .text_length = strlen(text)};
    cJSON *object = cJSON_CreateObject();
    assert_true(object && reply_take(&r, &event) && reply_add_json(&r, object));
    cJSON_DeleteItemFromObject(object, "text");
    char *json = cJSON_PrintUnformatted(object);
    assert_non_null(json);
    assert_string_equal(json, wanted);
    cJSON_free(json);
    cJSON_Delete(object);
    reply_free(&r);
}

#define HEAD "{\"ids\":[],\"finish_reason\":\"stop\","

static void reply_parts_are_members_of_their_own(void **state) {
    (void)state;
    expect_json("deepseek-r1", true, "Hm.</think>\n\nYes.",
                HEAD "\"reasoning\":\"Hm.\",\"answer\":\"\\u000a\\u000aYes.\",\"tool_calls\":[]}");
    expect_json("think", false, "Yes.",
                HEAD "\"reasoning\":null,\"answer\":\"Yes.\",\"tool_calls\":[]}");
    expect_json("think", false, "<think>",
                HEAD "\"reasoning\":\"\",\"answer\":\"\",\"tool_calls\":[]}");
    expect_json("think", true, "</think>",
                HEAD "\"reasoning\":\"\",\"answer\":\"\",\"tool_calls\":[]}");
    expect_json("none", false, "", HEAD "\"reasoning\":null,\"answer\":\"\",\"tool_calls\":[]}");
}

static void reply_calls_are_a_list(void **state) {
    (void)state;
    expect_json(
        "deepseek-v3.1", false,
        "So: <｜tool▁calls▁begin｜>" CALL "get" SEP "{\"a\":\n\"é\"}" CALL_END CALL "b\"" SEP
        "c" CALL_END "<｜tool▁calls▁end｜>",
        HEAD "\"reasoning\":null,\"answer\":\"So: \",\"tool_calls\":["
             "{\"name\":\"get\",\"arguments\":\"{\\\"a\\\":\\u000a\\\"é\\\"}\",\"is_json\":true},"
             "{\"name\":\"b\\\"\",\"arguments\":\"c\",\"is_json\":false}]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_parts_are_members_of_their_own),
        cmocka_unit_test(reply_calls_are_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
