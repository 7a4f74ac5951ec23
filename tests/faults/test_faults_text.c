/*
 * test_faults_text.c - the host's memory runs out at every allocation in turn while a tokenizer is
 * read, while it encodes, and while the parts of an answer are read.
 */
#include "each.h"
#include "text/fixture.h"
#include "text/parts_marks.h"

/* A small vocabulary with the marks of a chat layout. */
static const fixture_json small = {
    .vocab = ",\"ab\":256,\"abc\":257",
    .merges = "\"a b\",\"ab c\"",
    .added = "{\"id\":300,\"content\":\"<|im_start|>\",\"special\":true},"
             "{\"id\":301,\"content\":\"<|im_end|>\",\"special\":true},"
             "{\"id\":302,\"content\":\"<mark>\"}",
};
static const char config[] = "{\"add_bos_token\":false,\"bos_token\":\"<|im_start|>\","
                             "\"eos_token\":{\"content\":\"<|im_end|>\"}}";

static fm_status parse_and_close(void *user, fm_error *err) {
    const char *text = user;
    fm_tokenizer *t = NULL;
    fm_status status = tokenizer_parse(text, strlen(text), config, strlen(config), &t, err);
    assert_true((status == FM_OK) == (t != NULL));
    fm_tokenizer_close(t);
    return status;
}

static void faults_of_memory_are_reported_by_a_tokenizer(void **state) {
    (void)state;
    char *text = fixture_write(&small);
    assert_true(each_allocation_fails("tokenizer", parse_and_close, text) > 200);
    free(text);
}

/* ---- Encoding ---------------------------------------------------------------------------------- */

static const char prompt[] =
    "abc <mark>ab cab 12 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "abababababababababababababababababababababababababababababababababa";

static fm_status encode(void *user, fm_error *err) {
    fm_tokens tokens = {0};
    fm_status status =
        fm_tokenizer_encode(user, prompt, sizeof prompt - 1, FM_ENCODE_ADDED, &tokens, err);
    assert_true(status != FM_OK || tokens.count > 50);
    fm_tokens_free(&tokens);
    return status;
}

static fm_status encode_chat(void *user, fm_error *err) {
    const fm_message messages[] = {{"system", "abc"}, {"user", prompt}};
    fm_tokens tokens = {0};
    fm_status status = fm_chat_encode(user, NULL, messages, 2, &tokens, err);
    assert_true(status != FM_OK || tokens.count > 50);
    fm_tokens_free(&tokens);
    return status;
}

static void faults_of_memory_are_reported_by_encoding(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&small, config);
    assert_true(each_allocation_fails("encoding", encode, t) > 0);
    assert_true(each_allocation_fails("encoding a chat", encode_chat, t) > 0);
    fm_tokenizer_close(t);
}

/* ---- Parts of an answer ------------------------------------------------------------------------ */

static void count_calls(void *user, const fm_part *part) {
    int *n_calls = user;
    *n_calls += part->kind == FM_PART_CALL;
}

/** A stream that has failed stays so, and a call whose arguments could not be read is not told. */
static fm_status read_parts(void *user, fm_error *err) {
    static const char text[] = "Well." CALLS V31_CALL("f", "{\"\\u0061\": 1, \"b\": 2}") CALLS_END;
    fm_parts *p;
    int n_calls = 0;
    (void)user;
    FM_TRY(fm_parts_new((fm_parts_format){"deepseek-v3.1", false}, count_calls, &n_calls, &p, err));
    fm_status status = fm_parts_push(p, text, 7);
    fm_status next = fm_parts_push(p, text + 7, sizeof text - 1 - 7), last = fm_parts_end(p);
    if (status != FM_OK) assert_int_equal(next, status);
    assert_int_equal(last, next);
    assert_int_equal(n_calls, last == FM_OK);
    fm_parts_free(p);
    return last == FM_OK ? FM_OK : error_set(err, last, "%s", fm_status_text(last));
}

static void faults_of_memory_are_reported_by_the_parts_of_an_answer(void **state) {
    (void)state;
    assert_true(each_allocation_fails("parts", read_parts, NULL) >= 4);
}

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_memory_are_reported_by_a_tokenizer),
        cmocka_unit_test(faults_of_memory_are_reported_by_encoding),
        cmocka_unit_test(faults_of_memory_are_reported_by_the_parts_of_an_answer),
    };
    return cmocka_run_group_tests_name("test_faults_text", tests, NULL, NULL);
}
