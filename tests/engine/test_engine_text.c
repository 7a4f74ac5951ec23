/*
 * test_engine_text.c - the text of answers: stop strings in a batch, and forks and restored
 * requests that begin within a character, or within a stop string.
 */
#include "script.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { N_PROMPT = 70, N_BATCH = 6, N_NEW = 100 };

typedef struct stage {
    fm_model *model;
    fm_engine *engine;
    fm_tokenizer *tokenizer;
    asked asked;
} stage;

static stage stage_open(void) {
    stage s = {.model = asked_open(LLAMA, &(fm_model_params){.n_threads = 1, .max_context = 256})};
    s.engine = asked_engine(s.model, NULL);
    s.tokenizer = script_tokenizer();
    s.asked = (asked){.max_new = N_NEW};
    asked_fill(&s.asked, 0, N_PROMPT, 3, SCRIPT_VOCAB);
    assert_int_equal(fm_model_vocab_size(s.model), SCRIPT_VOCAB);
    return s;
}

static void stage_close(stage *s) {
    fm_engine_free(s->engine);
    fm_tokenizer_close(s->tokenizer);
    fm_model_close(s->model);
}

static uint64_t submit(stage *s, const fm_request *request) {
    fm_error err = {0};
    uint64_t id = 0;
    if (fm_engine_submit(s->engine, request, &id, &err) != FM_OK) fail_msg("%s", err.text);
    return id;
}

static void step_to_end(stage *s) {
    while (asked_step(s->engine) > 0) {
    }
}

/* ---- Stop strings in a batch ------------------------------------------------------------------- */

static const struct stops {
    size_t n;
    const char *strings[3];
} stops[N_BATCH] = {
    {1, {"ab"}}, {2, {"hgh", "cc"}}, {1, {"d"}}, {3, {"aaa", "bcb", "ee"}}, {1, {"fade"}}, {0, {0}},
};

/** Allows the letters a … h. */
static bool allow_letters(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)user, (void)ids, (void)n;
    memset(mask, 0, SCRIPT_VOCAB / 32 * sizeof *mask);
    for (int32_t id = 'a'; id <= 'h'; id++) mask[id / 32] |= 1u << id % 32;
    return true;
}

/** Where the text ends, and after how many of its bytes that is known. */
static size_t cut_of(const char *text, const struct stops *stop, size_t *n_known) {
    size_t n = strlen(text);
    for (*n_known = 1; *n_known <= n; ++*n_known) {
        size_t first = n;
        for (size_t i = 0; i < stop->n; i++) {
            size_t length = strlen(stop->strings[i]);
            if (length > *n_known) continue;
            size_t start = *n_known - length;
            if (memcmp(text + start, stop->strings[i], length) == 0 && start < first) first = start;
        }
        if (first < n) return first;
    }
    *n_known = n;
    return n;
}

static void expect_cut(const spoken *got, const spoken *whole, const struct stops *stop) {
    size_t n_known, n = cut_of(whole->text, stop, &n_known);
    bool stopped = n < whole->length;
    assert_int_equal(got->answer.end.finish, stopped ? FM_FINISH_STOP : FM_FINISH_LENGTH);
    assert_int_equal(got->length, n);
    assert_memory_equal(got->text, whole->text, n);
    assert_int_equal(got->answer.n, n_known); /* the tokens of the stop string are delivered */
    assert_int_equal(got->answer.end.n_generated, n_known);
    assert_memory_equal(got->answer.ids, whole->answer.ids, n_known * sizeof *got->answer.ids);
}

/** Each of a batch ends with a stop string of its own; all draw with penalties and bias. */
static void engine_text_ends_at_each_request_s_own_stop_string(void **state) {
    (void)state;
    stage s = stage_open();
    static const fm_logit_bias bias[] = {{'a', 0.5f}, {'h', -0.5f}};
    static spoken whole[N_BATCH], got[N_BATCH];
    int n_stopped = 0;
    memset(whole, 0, sizeof whole);
    memset(got, 0, sizeof got);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < N_BATCH; i++) {
            fm_request request = asked_request(&s.asked, NULL);
            request.sampling = (fm_sampling){.temperature = 3.0f,
                                             .seed = (uint64_t)i,
                                             .repetition_penalty = 1.05f,
                                             .frequency_penalty = 0.02f,
                                             .presence_penalty = 0.1f,
                                             .bias = bias,
                                             .n_bias = 2};
            request.mask = allow_letters;
            request.tokenizer = s.tokenizer;
            request.on_event = spoken_keep;
            request.user = pass ? &got[i] : &whole[i];
            if (pass) request.stop = stops[i].strings;
            if (pass) request.n_stop = stops[i].n;
            submit(&s, &request);
        }
        step_to_end(&s);
    }
    for (int i = 0; i < N_BATCH; i++) {
        assert_int_equal(whole[i].length, N_NEW);
        for (int32_t k = 0; k < N_NEW; k++)
            assert_int_equal(whole[i].text[k], whole[i].answer.ids[k]);
        expect_cut(&got[i], &whole[i], &stops[i]);
        n_stopped += got[i].answer.end.finish == FM_FINISH_STOP;
    }
    assert_true(n_stopped >= 3);
    stage_close(&s);
}

/* ---- Answers that go on ------------------------------------------------------------------------ */

/** Characters of two bytes, the beginnings of stop strings, and at the end a whole one. */
static script told = {"aé öST-STO é STSTOP and more"};
static const char *const told_stop[] = {"never", "STOP"};
static const char told_text[] = "aé öST-STO é ST";
enum { N_TOLD = sizeof told_text - 1 + 4 };

static fm_request tell(const stage *s, spoken *to) {
    fm_request request = asked_request(&s->asked, NULL);
    request.mask = script_mask;
    request.mask_user = &told;
    request.tokenizer = s->tokenizer;
    request.stop = told_stop;
    request.n_stop = 2;
    request.on_event = spoken_keep;
    request.user = to;
    *to = (spoken){.length = 0};
    return request;
}

/** The answer of one that goes on after n tokens: no text comes twice, and none is lost. */
static void expect_told(const spoken *got, const spoken *whole, int32_t n) {
    assert_int_equal(got->answer.end.finish, FM_FINISH_STOP);
    assert_int_equal(got->answer.end.n_generated, N_TOLD);
    assert_int_equal(got->answer.n, N_TOLD - n);
    assert_string_equal(got->text, told_text + whole->length_at[n]);
}

static void engine_text_of_a_fork_goes_on_within_characters_and_stop_strings(void **state) {
    (void)state;
    stage s = stage_open();
    for (int32_t at = 0; at < N_TOLD; at++)
        for (int32_t n_back = 0; n_back <= at; n_back += 1 + n_back) {
            spoken whole, got = {.length = 0};
            const fm_request request = tell(&s, &whole);
            const fm_fork fork = {.n_back = n_back,
                                  .mask = script_mask,
                                  .mask_user = &told,
                                  .on_event = spoken_keep,
                                  .user = &got};
            fm_error err = {0};
            uint64_t id = submit(&s, &request);
            while (whole.answer.n < at) asked_step(s.engine);
            if (fm_engine_fork(s.engine, id, &fork, NULL, &err) != FM_OK) fail_msg("%s", err.text);
            step_to_end(&s);
            assert_string_equal(whole.text, told_text);
            expect_told(&whole, &whole, 0);
            expect_told(&got, &whole, at - n_back);
        }
    stage_close(&s);
}

static void
engine_text_of_a_restored_request_goes_on_within_characters_and_stop_strings(void **state) {
    char path[TEMP_PATH_SIZE];
    stage s = stage_open();
    temp_dir_path(*state, "saved", path);
    for (int32_t at = 0; at < N_TOLD; at++) {
        spoken whole, got = {.length = 0};
        fm_request request = tell(&s, &whole);
        fm_error err = {0};
        fm_restore how = {
            .mask = script_mask, .mask_user = &told, .on_event = spoken_keep, .user = &got};
        uint64_t id = submit(&s, &request);
        while (whole.answer.n < at) asked_step(s.engine);
        if (fm_engine_save(s.engine, id, path, &err) != FM_OK) fail_msg("%s", err.text);
        step_to_end(&s);
        expect_error("no tokenizer", fm_engine_restore(s.engine, path, &how, &id, &err), &err,
                     FM_ERR_ARG, "tokenizer");
        how.tokenizer = s.tokenizer;
        err = (fm_error){0};
        if (fm_engine_restore(s.engine, path, &how, &id, &err) != FM_OK) fail_msg("%s", err.text);
        step_to_end(&s);
        expect_told(&got, &whole, at);
    }
    stage_close(&s);
}

/** An answer that ends for another reason brings what waited for a stop string, or for the rest of
 * a character. */
static void engine_text_that_waited_comes_with_the_last_event(void **state) {
    (void)state;
    stage s = stage_open();
    static const struct {
        int32_t max_new;
        const char *text;
    } cases[] = {{2, "a\xef\xbf\xbd"}, {8, "aé öST"}, {12, "aé öST-STO"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spoken got;
        fm_request request = tell(&s, &got);
        request.max_new = cases[i].max_new;
        submit(&s, &request);
        step_to_end(&s);
        assert_int_equal(got.answer.end.finish, FM_FINISH_LENGTH);
        assert_int_equal(got.answer.n, cases[i].max_new);
        assert_string_equal(got.text, cases[i].text);
    }
    stage_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_text_ends_at_each_request_s_own_stop_string),
        cmocka_unit_test(engine_text_of_a_fork_goes_on_within_characters_and_stop_strings),
        cmocka_unit_test_setup_teardown(
            engine_text_of_a_restored_request_goes_on_within_characters_and_stop_strings,
            temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(engine_text_that_waited_comes_with_the_last_event),
    };
    return cmocka_run_group_tests_name("test_engine_text", tests, NULL, NULL);
}
