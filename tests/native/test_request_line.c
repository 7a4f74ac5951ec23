/* test_request_line.c - lines of a batch, and the numbers of their tenants. */
#include "request_line.h"

#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    request_line line;
    tenants names;
    fm_request defaults;
} fixture;

static int begin(void **state) {
    static fixture f;
    static const char *const stop[] = {"END"};
    f = (fixture){.defaults = {.max_new = 128,
                               .sampling = {.temperature = 0.5f, .top_p = 1, .seed = 3},
                               .stop = stop,
                               .n_stop = 1,
                               .n_logprobs = 4}};
    *state = &f;
    return 0;
}

static int end(void **state) {
    fixture *f = *state;
    request_line_free(&f->line);
    tenants_free(&f->names);
    return 0;
}

static bool take(fixture *f, const char *text) {
    return request_line_read(&f->line, &f->defaults, &f->names, text, strlen(text), 7);
}

static const fm_request *taken(fixture *f, const char *text) {
    if (!take(f, text)) fail_msg("%s: %s", text, f->line.fault);
    return &f->line.request;
}

static void request_line_takes_the_defaults(void **state) {
    const fm_request *r = taken(*state, "{\"ids\": [4, 5]}");
    assert_int_equal(r->n_ids, 2);
    assert_int_equal(r->ids[1], 5);
    assert_int_equal(r->max_new, 128);
    assert_true(r->sampling.temperature == 0.5f && r->sampling.top_p == 1.0f);
    assert_int_equal(r->sampling.seed, 3);
    assert_int_equal(r->n_stop, 1);
    assert_string_equal(r->stop[0], "END");
    assert_int_equal(r->n_logprobs, 4);
    assert_int_equal(r->tenant, 0);
    assert_false(((fixture *)*state)->line.has_seed);
}

static void request_line_takes_every_key(void **state) {
    fixture *f = *state;
    const fm_request *r =
        taken(f, "{\"id\":\"a\\n\\u007f\",\"ids\":[1],\"n\":9,\"seed\":\"18446744073709551615\","
                 "\"temperature\":1.5,\"top_p\":0.25,\"top_k\":40,\"min_p\":0.125,"
                 "\"repetition_penalty\":1.25,\"frequency_penalty\":-2,\"presence_penalty\":2,"
                 "\"logit_bias\":{\"12\":-5.5,\"0\":1},\"stop\":[\"a\",\"bc\"],\"logprobs\":20,"
                 "\"parts\":false,\"tenant\":5,\"deadline_s\":2.5}");
    assert_string_equal(f->line.id.data, "\"a\\u000a\\u007f\"");
    assert_int_equal(r->max_new, 9);
    assert_true(r->sampling.seed == UINT64_MAX && f->line.has_seed);
    assert_true(r->sampling.temperature == 1.5f && r->sampling.top_p == 0.25f);
    assert_true(r->sampling.top_k == 40 && r->sampling.min_p == 0.125f);
    assert_true(r->sampling.repetition_penalty == 1.25f);
    assert_true(r->sampling.frequency_penalty == -2 && r->sampling.presence_penalty == 2);
    assert_int_equal(r->sampling.n_bias, 2);
    assert_true(r->sampling.bias[0].id == 12 && r->sampling.bias[0].bias == -5.5f);
    assert_true(r->sampling.bias[1].id == 0 && r->sampling.bias[1].bias == 1);
    assert_int_equal(r->n_stop, 2);
    assert_string_equal(r->stop[0], "a");
    assert_string_equal(r->stop[1], "bc");
    assert_int_equal(r->n_logprobs, 20);
    assert_int_equal(r->tenant, 1);
    assert_true(r->deadline_seconds == 2.5);
}

/* What one line says does not stay for the next. */
static void request_line_forgets_the_line_before(void **state) {
    fixture *f = *state;
    taken(f, "{\"ids\":[1,2],\"n\":9,\"seed\":5,\"stop\":\"x\",\"logit_bias\":{\"1\":1},"
             "\"tenant\":\"t\",\"logprobs\":0,\"id\":3}");
    assert_int_equal(f->line.request.n_logprobs, -1);
    assert_false(take(f, "{\"n\":3}"));
    const fm_request *r = taken(f, "{\"ids\":[1]}");
    assert_int_equal(r->n_ids, 1);
    assert_int_equal(r->max_new, 128);
    assert_int_equal(r->sampling.n_bias, 0);
    assert_int_equal(r->tenant, 0);
    assert_string_equal(r->stop[0], "END");
    assert_false(f->line.has_seed);
    assert_string_equal(f->line.id.data, "7");
    assert_null(f->line.bias);
}

static void request_line_names_the_fault(void **state) {
    static const char *const rows[][2] = {
        {"[]", "an object is needed"},
        {"7", "an object is needed"},
        {"{\"ids\":[1]} x", "line 7: column 13: 'x' stands where the end"},
        {"{\"ids\":[1]", "line 7: column 11: the text ends where"},
        {"{\"ids\":[1],\"id\":\"x\\u0000\"}", "\\u0000 is not allowed in strings"},
        {"{}", "either \"prompt\" or \"ids\""},
        {"{\"ids\":[1],\"prompt\":\"x\"}", "either \"prompt\" or \"ids\""},
        {"{\"prompt\":\"x\"}", "no tokenizer.json"},
        {"{\"ids\":[1],\"max_tokens\":1}", "the key \"max_tokens\" is unknown"},
        {"{\"a\\n\\u0001b\":1}", "line 7: the key \"a\\u000a\\u0001b\" is unknown"},
        {"{\"\":1}", "the key \"\" is unknown"},
        {"{\"ids\":[1],\"ids\":[1]}", "the key \"ids\" stands twice"},
        {"{\"ids\":[1],\"n\":1,\"\\u006e\":1}", "the key \"n\" stands twice"},
        {"{\"ids\":[-1]}", "\"ids\" takes a whole number"},
        {"{\"ids\":[2147483648]}", "\"ids\" takes a whole number"},
        {"{\"ids\":\"1\"}", "a list for \"ids\""},
        {"{\"ids\":[1],\"n\":null}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"n\":1.5}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"n\":16777217}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"n\":\"1\"}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"seed\":-1}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"seed\":1.5}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"seed\":9007199254740992}", "\"seed\" takes a whole number below 2^53"},
        {"{\"ids\":[1],\"seed\":\"18446744073709551616\"}", "below 2^64 as a string"},
        {"{\"ids\":[1],\"seed\":\"-1\"}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"seed\":\"1 \"}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"seed\":\"\"}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"prompt\":7}", "\"prompt\" takes a string"},
        {"{\"ids\":[1],\"temperature\":\"1\"}", "\"temperature\" takes a number from 0"},
        {"{\"ids\":[1],\"temperature\":1e999}", "the number 1e999 is too large"},
        {"{\"ids\":[1],\"temperature\":-1}", "\"temperature\" takes a number from 0 to 100"},
        {"{\"ids\":[1],\"top_p\":1.01}", "\"top_p\" takes a number from 0 to 1"},
        {"{\"ids\":[1],\"repetition_penalty\":-1}",
         "\"repetition_penalty\" takes a number from 0 to 100"},
        {"{\"ids\":[1],\"presence_penalty\":3}",
         "\"presence_penalty\" takes a number from -2 to 2"},
        {"{\"ids\":[1],\"logit_bias\":[]}", "for \"logit_bias\" is needed"},
        {"{\"ids\":[1],\"logit_bias\":{\"a\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"-1\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"2147483648\":1}}", "the keys of \"logit_bias\""},
        {"{\"ids\":[1],\"logit_bias\":{\"1x\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"1\":1e9}}", "\"logit_bias\" takes a number from -10000"},
        {"{\"ids\":[1],\"stop\":7}", "\"stop\" takes a string"},
        {"{\"ids\":[1],\"stop\":[7]}", "\"stop\" takes a string"},
        {"{\"ids\":[1],\"stop\":\"a\\u0000b\"}", "\\u0000 is not allowed in strings"},
        {"{\"ids\":[1],\"logprobs\":21}", "\"logprobs\" takes a whole number from 0 to 20"},
        {"{\"ids\":[1],\"tenant\":-1}", "\"tenant\" takes a whole number"},
        {"{\"ids\":[1],\"tenant\":9007199254740992}", "\"tenant\" takes a whole number below 2^53"},
        {"{\"ids\":[1],\"tenant\":[]}", "\"tenant\" takes a whole number"},
        {"{\"ids\":[1],\"deadline_s\":-1}", "\"deadline_s\" takes a number from 0"},
        {"{\"ids\":[1],\"id\":null}", "\"id\" takes a string, or a number"},
        {"{\"ids\":[1],\"id\":9007199254740992}", "\"id\" takes a string, or a number"},
        {"{\"ids\":[1],\"id\":-1e300}", "\"id\" takes a string, or a number"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (take(f, rows[i][0])) fail_msg("taken: %s", rows[i][0]);
        if (!strstr(f->line.fault, rows[i][1])) fail_msg("%s: %s", rows[i][0], f->line.fault);
        assert_string_equal(f->line.id.data, "7");
    }
}

static void request_line_id_is_found_behind_a_fault(void **state) {
    fixture *f = *state;
    assert_false(take(f, "{\"bogus\":{\"id\":1},\"n\":-1,\"id\":\"me\"}"));
    assert_string_equal(f->line.id.data, "\"me\"");
    assert_false(take(f, "{\"n\":null,\"id\":12.5}"));
    assert_string_equal(f->line.id.data, "12.5");
}

/* Only a tree has members: of what is no JSON, not even an id that stands in front is believed. */
static void request_line_id_is_the_number_of_what_is_no_json(void **state) {
    static const char *const texts[] = {"",
                                        "nil",
                                        "{\"id\":1,\"n\":",
                                        "{\"id\":1,\"id\":2}",
                                        "{\"id\":1,\"prompt\":\"\\u0000\"}",
                                        "\"id\"",
                                        "[1]"};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        taken(f, "{\"ids\":[1],\"id\":\"before\"}");
        assert_false(take(f, texts[i]));
        assert_string_equal(f->line.id.data, "7");
    }
}

/* As text where every digit is known, else as few digits as give the number back. */
static void request_line_id_keeps_its_value(void **state) {
    static const char *const rows[][2] = {
        {"0", "0"},
        {"9007199254740991", "9007199254740991"},
        {"-9007199254740991", "-9007199254740991"},
        {"1e3", "1000"},
        {"12.50", "12.5"},
        {"0.1", "0.1"},
        {"-1.1e-7", "-1.1e-07"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"4503599627370495.5", "4503599627370495.5"},
        {"\"\"", "\"\""},
        {"\"18446744073709551616\"", "\"18446744073709551616\""},
        {"\"\\u00e9\\\"\\ud83d\\ude00\"", "\"\xc3\xa9\\\"\xf0\x9f\x98\x80\""},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"ids\":[1],\"id\":%s}", rows[i][0]);
        taken(f, text);
        assert_string_equal(f->line.id.data, rows[i][1]);
    }
}

/* A thousand bytes as JSON, escapes and quotes included. */
static void request_line_id_is_bounded(void **state) {
    fixture *f = *state;
    char text[1200] = "{\"ids\":[1],\"id\":\"\\n";
    size_t n = strlen(text);
    memset(text + n, 'x', 1000);
    strcpy(text + n + 992, "\"}");
    taken(f, text);
    assert_int_equal(f->line.id.length, 1001);
    strcpy(text + n + 992, "x\"}");
    assert_false(take(f, text));
    assert_string_equal(f->line.fault, "line 7: \"id\" has more than 1000 bytes");
    assert_string_equal(f->line.id.data, "7");
}

static void request_line_seeds_keep_every_digit(void **state) {
    static const struct {
        const char *text;
        uint64_t seed;
    } rows[] = {{"0", 0},
                {"9007199254740991", UINT64_C(9007199254740991)},
                {"\"0\"", 0},
                {"\"9007199254740993\"", UINT64_C(9007199254740993)},
                {"\"18446744073709551615\"", UINT64_MAX}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"ids\":[1],\"seed\":%s}", rows[i].text);
        assert_true(taken(f, text)->sampling.seed == rows[i].seed && f->line.has_seed);
    }
}

/* The limit of a line is the tree's, whoever reads the line. */
static void request_line_takes_as_many_bytes_as_a_line_has(void **state) {
    static char text[LINES_MAX_LENGTH + 2];
    fixture *f = *state;
    memset(text, ' ', LINES_MAX_LENGTH + 1);
    memcpy(text, "{\"ids\":[1]}", 11);
    text[LINES_MAX_LENGTH] = '\0';
    taken(f, text);
    text[LINES_MAX_LENGTH] = ' ';
    assert_false(take(f, text));
    assert_non_null(strstr(f->line.fault, "line 7: has 4000001 bytes"));
}

static void request_line_bounds_depth(void **state) {
    fixture *f = *state;
    char text[200];
    for (int depth = 31; depth <= 32; depth++) { /* inside the object */
        int n = snprintf(text, sizeof text, "{\"deep\":%.*s1%.*s}", depth,
                         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth,
                         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
        assert_true(n == 2 * depth + 10);
        assert_false(take(f, text));
        assert_non_null(
            strstr(f->line.fault, depth == 31 ? "is unknown" : "nested deeper than 32"));
    }
}

/* A key of a megabyte comes back as a few characters, none of them broken. */
static void request_line_shows_a_part_of_a_long_key(void **state) {
    fixture *f = *state;
    char text[400] = "{\"x";
    for (int i = 0; i < 100; i++) strcat(text, "\xc3\xa9");
    strcat(text, "\":1}");
    assert_false(take(f, text));
    size_t length = strlen(f->line.fault);
    assert_true(length < 100);
    assert_non_null(strstr(f->line.fault, "\xc3\xa9\" is unknown"));
}

static void request_line_takes_so_many_stops_and_biases(void **state) {
    fixture *f = *state;
    char text[20000] = "{\"ids\":[1],\"stop\":[\"s\"";
    for (int i = 1; i < FM_MAX_STOPS; i++) strcat(text, ",\"s\"");
    strcat(text, "]}");
    assert_int_equal(taken(f, text)->n_stop, FM_MAX_STOPS);
    strcpy(text + strlen(text) - 2, ",\"s\"]}");
    assert_false(take(f, text));
    size_t n = (size_t)sprintf(text, "{\"ids\":[1],\"logit_bias\":{\"0\":1");
    for (int i = 1; i < FM_LOGIT_BIAS_MAX; i++) n += (size_t)sprintf(text + n, ",\"%d\":1", i);
    strcpy(text + n, "}}");
    assert_int_equal(taken(f, text)->sampling.n_bias, FM_LOGIT_BIAS_MAX);
    strcpy(text + n, ",\"5000\":1}}");
    assert_false(take(f, text));
}

/* ---- Tenants ----------------------------------------------------------------------------------- */

static uint64_t tenant_of(fixture *f, const char *name) {
    char text[80];
    snprintf(text, sizeof text, "{\"ids\":[1],\"tenant\":%s}", name);
    return taken(f, text)->tenant;
}

/* A string and a number are two tenants, also where they look alike. */
static void tenants_have_numbers_of_their_own(void **state) {
    fixture *f = *state;
    uint64_t a = tenant_of(f, "\"a\""), seven = tenant_of(f, "7");
    uint64_t text_seven = tenant_of(f, "\"7\""), empty = tenant_of(f, "\"\"");
    uint64_t zero = tenant_of(f, "0"), quote = tenant_of(f, "\"a\\\"\"");
    uint64_t all[] = {a, seven, text_seven, empty, zero, quote};
    for (int i = 0; i < 6; i++) {
        assert_true(all[i] != 0);
        for (int j = 0; j < i; j++) assert_true(all[i] != all[j]);
    }
    assert_true(tenant_of(f, "\"\\u0061\"") == a);
    assert_true(tenant_of(f, "7") == seven);
    assert_true(tenant_of(f, "\"a\\u0022\"") == quote);
}

static void tenants_are_bounded(void **state) {
    fixture *f = *state;
    char name[TENANTS_MAX_LENGTH + 1];
    uint64_t number, first;
    memset(name, 'x', sizeof name);
    assert_true(tenants_number(&f->names, name, TENANTS_MAX_LENGTH, &first));
    assert_false(tenants_number(&f->names, name, TENANTS_MAX_LENGTH + 1, &number));
    for (int i = 1; i < TENANTS_MAX; i++) {
        int length = snprintf(name, sizeof name, "%d", i * 7919 % 65537);
        assert_true(tenants_number(&f->names, name, (size_t)length, &number));
        assert_int_equal(number, i + 1);
    }
    assert_false(tenants_number(&f->names, "another", 7, &number));
    memset(name, 'x', sizeof name);
    assert_true(tenants_number(&f->names, name, TENANTS_MAX_LENGTH, &number));
    assert_true(number == first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_line_takes_the_defaults, begin, end),
        cmocka_unit_test_setup_teardown(request_line_takes_every_key, begin, end),
        cmocka_unit_test_setup_teardown(request_line_forgets_the_line_before, begin, end),
        cmocka_unit_test_setup_teardown(request_line_names_the_fault, begin, end),
        cmocka_unit_test_setup_teardown(request_line_id_is_found_behind_a_fault, begin, end),
        cmocka_unit_test_setup_teardown(request_line_id_is_the_number_of_what_is_no_json, begin,
                                        end),
        cmocka_unit_test_setup_teardown(request_line_id_keeps_its_value, begin, end),
        cmocka_unit_test_setup_teardown(request_line_id_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(request_line_seeds_keep_every_digit, begin, end),
        cmocka_unit_test_setup_teardown(request_line_takes_as_many_bytes_as_a_line_has, begin, end),
        cmocka_unit_test_setup_teardown(request_line_bounds_depth, begin, end),
        cmocka_unit_test_setup_teardown(request_line_shows_a_part_of_a_long_key, begin, end),
        cmocka_unit_test_setup_teardown(request_line_takes_so_many_stops_and_biases, begin, end),
        cmocka_unit_test_setup_teardown(tenants_have_numbers_of_their_own, begin, end),
        cmocka_unit_test_setup_teardown(tenants_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
