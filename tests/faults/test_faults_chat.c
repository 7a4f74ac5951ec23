/*
 * test_faults_chat.c - the host's memory runs out at every allocation in turn while a conversation
 * is made, written, read and turned into a prompt.
 */
#include "chat_prefix.h"
#include "conversation.h"
#include "each.h"
#include "text/fixture.h"

static const fixture_json small = {
    .vocab = ",\"ab\":256",
    .merges = "\"a b\"",
    .added = "{\"id\":300,\"content\":\"<|im_start|>\",\"special\":true},"
             "{\"id\":301,\"content\":\"<|im_end|>\",\"special\":true}",
};

static const char file[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"},{\"role\":\"assistant\",\"content\":"
    "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\\u0001\"}]}]}";

/* What a call that fails leaves is what was there before it. */
static fm_status read_and_write(void *user, fm_error *err) {
    conversation c = {0};
    bytes out = {0};
    (void)user;
    fm_status status = conversation_add(&c, "user", "Q", 1, err);
    if (status == FM_OK) {
        status = conversation_parse_json(&c, "file", file, sizeof file - 1, err);
        assert_int_equal(c.count, status == FM_OK ? 2 : 1);
    }
    if (status == FM_OK && !conversation_write_json(&c, &out)) {
        *err = (fm_error){FM_ERR_MEMORY, "out of memory for the file"};
        status = FM_ERR_MEMORY;
    }
    bytes_free(&out);
    conversation_free(&c);
    return status;
}

static void faults_of_memory_are_reported_by_a_file(void **state) {
    (void)state;
    assert_true(each_allocation_fails("a conversation's file", read_and_write, NULL) > 20);
}

static fm_status fill_and_encode(void *user, fm_error *err) {
    conversation c = {0};
    fm_tokens ids = {0};
    fm_status status = FM_OK;
    for (size_t i = 0; status == FM_OK && i < 20; i++) {
        status = conversation_add(&c, i % 2 ? "assistant" : "user", "ab", 2, err);
        assert_int_equal(c.count, status == FM_OK ? i + 1 : i);
    }
    if (status == FM_OK) {
        status = conversation_set_system(&c, "S", 1, err);
        assert_int_equal(c.count, status == FM_OK ? 21 : 20);
    }
    if (status == FM_OK) status = conversation_encode(&c, user, NULL, &ids, err);
    assert_true((status == FM_OK) == (ids.count > 0));
    fm_tokens_free(&ids);
    conversation_free(&c);
    return status;
}

static void faults_of_memory_are_reported_by_a_conversation(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&small, NULL);
    assert_true(each_allocation_fails("a conversation", fill_and_encode, t) > 20);
    fm_tokenizer_close(t);
}

/* Without memory a prompt stays as it is, and what is kept is empty: both cost time alone. */
static fm_status keep_and_apply(void *user, fm_error *err) {
    static const int32_t begin[] = {300, 'q', 300}, answer[] = {'a', 'b'},
                         next[] = {300, 'q', 300, 256, 301};
    chat_prefix p = {0};
    fm_tokens prompt = {0}, fresh = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < 3; i++) ok = fm_tokens_append(&prompt, begin[i]) == FM_OK;
    for (size_t i = 0; ok && i < 5; i++) ok = fm_tokens_append(&fresh, next[i]) == FM_OK;
    if (ok) {
        chat_prefix_keep(&p, 0, &prompt, answer, 2);
        assert_true(p.n_answers == 0 ? p.ids.count == 0 : p.ids.count == 5);
        ok = chat_prefix_apply(&p, user, &fresh) == 1;
        assert_int_equal(fresh.count, ok ? 6 : 5);
    }
    fm_tokens_free(&prompt);
    fm_tokens_free(&fresh);
    chat_prefix_free(&p);
    if (!ok) *err = (fm_error){FM_ERR_MEMORY, "out of memory"};
    return ok ? FM_OK : FM_ERR_MEMORY;
}

static void faults_of_memory_keep_prompts_whole(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&small, NULL);
    assert_true(each_allocation_fails("a prefix", keep_and_apply, t) > 3);
    fm_tokenizer_close(t);
}

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_memory_are_reported_by_a_file),
        cmocka_unit_test(faults_of_memory_are_reported_by_a_conversation),
        cmocka_unit_test(faults_of_memory_keep_prompts_whole),
    };
    return cmocka_run_group_tests_name("test_faults_chat", tests, NULL, NULL);
}
