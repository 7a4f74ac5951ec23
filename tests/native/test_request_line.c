/* test_request_line.c - lines of a batch, and the numbers of their tenants. */
#include "request_line.h"

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
    if (!take(f, text)) fail_msg("%s: %s", text, f->line.in.fault);
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
        taken(f, "{\"id\":\"a\\u0000\\u007f\",\"ids\":[1],\"n\":9,\"seed\":18446744073709551615,"
                 "\"temperature\":1.5,\"top_p\":0.25,\"top_k\":40,\"min_p\":0.125,"
                 "\"repetition_penalty\":1.25,\"frequency_penalty\":-2,\"presence_penalty\":2,"
                 "\"logit_bias\":{\"12\":-5.5,\"0\":1},\"stop\":[\"a\",\"bc\"],\"logprobs\":20,"
                 "\"tenant\":5,\"deadline_s\":2.5}");
    assert_string_equal(f->line.id.data, "\"a\\u0000\\u007f\"");
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
    for (int i = 0; i < 3; i++) taken(f, "{\"ids\":[1],\"stop\":\"x\"}");
    assert_int_equal(f->line.stops.length, 2);
}

static void request_line_names_the_fault(void **state) {
    static const char *const rows[][2] = {
        {"[]", "an object is needed"},
        {"7", "an object is needed"},
        {"{\"ids\":[1]} x", "the end of the line is needed"},
        {"{\"ids\":[1]", "the line ends where"},
        {"{}", "either \"prompt\" or \"ids\""},
        {"{\"ids\":[1],\"prompt\":\"x\"}", "either \"prompt\" or \"ids\""},
        {"{\"prompt\":\"x\"}", "no tokenizer.json"},
        {"{\"ids\":[1],\"max_tokens\":1}", "the key \"max_tokens\" is unknown"},
        {"{\"a\\n\\u0000b\":1}", "the key \"a\\u000a\\u0000b\" is unknown"},
        {"{\"\":1}", "the key \"\" is unknown"},
        {"{\"ids\":[1],\"ids\":[1]}", "the key \"ids\" stands twice"},
        {"{\"ids\":[1],\"n\":1,\"\\u006e\":1}", "the key \"n\" stands twice"},
        {"{\"ids\":[-1]}", "\"ids\" takes a whole number"},
        {"{\"ids\":[2147483648]}", "\"ids\" takes a whole number"},
        {"{\"ids\":\"1\"}", "a list for \"ids\""},
        {"{\"ids\":[1],\"n\":null}", "\"n\" takes a number"},
        {"{\"ids\":[1],\"n\":1.5}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"n\":16777217}", "\"n\" takes a whole number from 0"},
        {"{\"ids\":[1],\"seed\":-1}", "\"seed\" takes a whole number"},
        {"{\"ids\":[1],\"temperature\":-1}", "\"temperature\" takes a number from 0 to 100"},
        {"{\"ids\":[1],\"top_p\":1.01}", "\"top_p\" takes a number from 0 to 1"},
        {"{\"ids\":[1],\"repetition_penalty\":0}",
         "\"repetition_penalty\" takes a number from 0.01"},
        {"{\"ids\":[1],\"presence_penalty\":3}",
         "\"presence_penalty\" takes a number from -2 to 2"},
        {"{\"ids\":[1],\"logit_bias\":[]}", "for \"logit_bias\" is needed"},
        {"{\"ids\":[1],\"logit_bias\":{\"a\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"-1\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"\":1}}", "the keys of \"logit_bias\" are token ids"},
        {"{\"ids\":[1],\"logit_bias\":{\"2147483648\":1}}", "the keys of \"logit_bias\""},
        {"{\"ids\":[1],\"logit_bias\":{\"1\":1e9}}", "\"logit_bias\" takes a number from -10000"},
        {"{\"ids\":[1],\"stop\":7}", "\"stop\" takes a string"},
        {"{\"ids\":[1],\"stop\":[7]}", "\"stop\" takes a string"},
        {"{\"ids\":[1],\"stop\":\"a\\u0000b\"}", "no string with a NUL byte"},
        {"{\"ids\":[1],\"logprobs\":21}", "\"logprobs\" takes a whole number from 0 to 20"},
        {"{\"ids\":[1],\"tenant\":-1}", "\"tenant\" takes a whole number"},
        {"{\"ids\":[1],\"deadline_s\":-1}", "\"deadline_s\" takes a number from 0"},
        {"{\"ids\":[1],\"id\":null}", "\"id\" takes a number"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (take(f, rows[i][0])) fail_msg("taken: %s", rows[i][0]);
        if (!strstr(f->line.in.fault, rows[i][1])) fail_msg("%s: %s", rows[i][0], f->line.in.fault);
        assert_string_equal(f->line.id.data, "7");
    }
}

static void request_line_id_is_found_behind_a_fault(void **state) {
    fixture *f = *state;
    assert_false(take(f, "{\"bogus\":{\"id\":1},\"n\":-1,\"id\":\"me\"}"));
    assert_string_equal(f->line.id.data, "\"me\"");
    assert_false(take(f, "{\"id\":12.5,\"n\":"));
    assert_string_equal(f->line.id.data, "12.5");
}

/* A key of a megabyte comes back as a few characters, none of them broken. */
static void request_line_shows_a_part_of_a_long_key(void **state) {
    fixture *f = *state;
    char text[400] = "{\"x";
    for (int i = 0; i < 100; i++) strcat(text, "\xc3\xa9");
    strcat(text, "\":1}");
    assert_false(take(f, text));
    size_t length = strlen(f->line.in.fault);
    assert_true(length < 100);
    assert_non_null(strstr(f->line.in.fault, "\xc3\xa9\" is unknown"));
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
    uint64_t zero = tenant_of(f, "0"), nul = tenant_of(f, "\"a\\u0000\"");
    uint64_t all[] = {a, seven, text_seven, empty, zero, nul};
    for (int i = 0; i < 6; i++) {
        assert_true(all[i] != 0);
        for (int j = 0; j < i; j++) assert_true(all[i] != all[j]);
    }
    assert_true(tenant_of(f, "\"\\u0061\"") == a);
    assert_true(tenant_of(f, "7") == seven);
    assert_true(tenant_of(f, "\"a\\u0000\"") == nul);
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
        cmocka_unit_test_setup_teardown(request_line_shows_a_part_of_a_long_key, begin, end),
        cmocka_unit_test_setup_teardown(request_line_takes_so_many_stops_and_biases, begin, end),
        cmocka_unit_test_setup_teardown(tenants_have_numbers_of_their_own, begin, end),
        cmocka_unit_test_setup_teardown(tenants_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
