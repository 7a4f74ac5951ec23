/*
 * test_engine_draw.c - what a request says of its draws: a mask that gives up, more alternatives
 * than there are tokens, penalties of many long histories, and a bias that is the caller's again
 * after the call.
 */
#include <math.h>

#include "asked.h"
#include "cut_vocab.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"
#define TIED  TEST_DATA "/oracle/llama_gqa_tied"

static const fm_model_params params = {.n_threads = 1, .max_context = 256};

static void step_to_end(fm_engine *e) {
    while (asked_step(e) > 0) {
    }
}

static bool give_up_at(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)ids, (void)mask;
    return n < *(const int32_t *)user;
}

/** No token is delivered after a mask has said no; the requests beside it do not notice. */
static void engine_mask_that_says_no_cancels_before_the_next_token(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    asked a = {.max_new = 10};
    asked_fill(&a, 0, 20, 1, fm_model_vocab_size(m));
    const answer wanted = asked_alone(m, &a);
    for (int32_t at = 0; at < 10; at += 3) {
        fm_engine *e = asked_engine(m, NULL);
        answer got = {0}, beside = {0};
        fm_request stubborn = asked_request(&a, &got);
        stubborn.mask = give_up_at;
        stubborn.mask_user = &at;
        assert_int_equal(fm_engine_submit(e, &stubborn, NULL, NULL), FM_OK);
        asked_submit(e, &a, &beside);
        step_to_end(e);
        assert_int_equal(got.n_ends, 1);
        assert_int_equal(got.end.finish, FM_FINISH_CANCELLED);
        assert_int_equal(got.end.status, FM_OK);
        assert_int_equal(got.n, at);
        assert_int_equal(got.end.n_generated, at);
        assert_memory_equal(got.ids, wanted.ids, (size_t)at * sizeof *got.ids);
        answer_expect("beside it", &beside, &wanted);
        fm_engine_free(e);
    }
    fm_model_close(m);
}

/* ---- A small vocabulary ------------------------------------------------------------------------ */

enum { TINY = 5 };

typedef struct tops {
    int32_t n; /* events that brought alternatives */
} tops;

/** All tokens there are, best first, whose probabilities make one. */
static bool expect_all_tokens(void *user, const fm_event *event) {
    tops *t = user;
    double sum = 0.0;
    uint32_t seen = 0;
    if (event->finish != FM_FINISH_NONE) return true;
    assert_int_equal(event->n_top, TINY);
    for (int32_t i = 0; i < TINY; i++) {
        const fm_logprob *top = &event->top[i];
        assert_in_range(top->id, 0, TINY - 1);
        seen |= 1u << top->id;
        sum += exp((double)top->logprob);
        if (i > 0) assert_true(top->logprob <= event->top[i - 1].logprob);
        if (top->id == event->id) assert_true(top->logprob == event->logprob);
    }
    assert_int_equal(seen, (1u << TINY) - 1);
    assert_true(fabs(sum - 1.0) < 1e-5);
    t->n++;
    return true;
}

static void engine_alternatives_are_no_more_than_the_vocabulary(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "tiny", path);
    cut_vocab(TIED, TINY, dir, "tiny");
    fm_model *m = asked_open(path, &params);
    fm_engine *e = asked_engine(m, NULL);
    asked a = {.max_new = 12, .n_logprobs = FM_MAX_LOGPROBS}, plain = {.max_new = 12};
    tops seen = {0};
    answer beside = {0};
    assert_int_equal(fm_model_vocab_size(m), TINY);
    asked_fill(&a, 0, 9, 1, TINY);
    asked_fill(&plain, 0, 9, 2, TINY);
    a.sampling = asked_sampled(3);
    a.sampling.top_k = 4;
    fm_request all = asked_request(&a, NULL);
    all.on_event = expect_all_tokens;
    all.user = &seen;
    assert_int_equal(fm_engine_submit(e, &all, NULL, NULL), FM_OK);
    asked_submit(e, &plain, &beside); /* which asks for none */
    step_to_end(e);
    assert_int_equal(seen.n, 12);
    assert_int_equal(beside.n, 12);
    fm_engine_free(e);
    fm_model_close(m);
}

/* ---- Penalties of many ------------------------------------------------------------------------- */

enum { N_CROWD = 40, N_CROWD_PROMPT = 200 };

/** The prompt and penalty of sequence i of a crowd. */
static asked crowd_ask(int32_t i, float penalty, int32_t vocab) {
    asked a = {.max_new = 24}; /* the first still goes on when the last has read its prompt */
    asked_fill(&a, 0, N_CROWD_PROMPT, (uint64_t)i, vocab);
    a.sampling = asked_sampled((uint64_t)i);
    if (i % 2) a.sampling.top_k = 0; /* draws from the whole row */
    a.sampling.repetition_penalty = penalty;
    return a;
}

static int64_t calls_of(const fm_model *m, const char *name) {
    fm_profile rows[FM_MAX_PROFILE];
    for (int32_t i = fm_model_get_profile(m, rows) - 1; i >= 0; i--)
        if (strcmp(rows[i].name, name) == 0) return rows[i].calls;
    return 0;
}

/** Calls of two operations in one step in which all of n sequences draw. */
typedef struct crowd_calls {
    int64_t n_matmul, n_head_topk;
} crowd_calls;

static crowd_calls run_crowd(fm_model *m, int32_t n, float penalty, answer *got) {
    fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = N_CROWD * 512});
    memset(got, 0, (size_t)n * sizeof *got);
    for (int32_t i = 0; i < n; i++) {
        const asked a = crowd_ask(i, penalty, fm_model_vocab_size(m));
        asked_submit(e, &a, &got[i]);
    }
    while (got[n - 1].n == 0) asked_step(e);
    for (int32_t i = 0; i < n; i++) assert_int_equal(got[i].n_ends, 0);
    fm_model_profile(m, true);
    asked_step(e);
    const crowd_calls calls = {calls_of(m, "matmul"), calls_of(m, "head_topk")};
    fm_model_profile(m, false);
    step_to_end(e);
    fm_engine_free(e);
    return calls;
}

/** The edits of many long histories fit the search for candidates: sequences with penalties are as
 * many calls as without. The answers are those of sequences that run alone, also with more of them
 * than there are rows of logits. */
static void engine_penalties_cost_no_further_call(void **state) {
    (void)state;
    static const int32_t sizes[] = {16, N_CROWD};
    const fm_model_params many = {
        .n_threads = 1, .max_context = 512, .max_chunk = 512, .max_sequences = N_CROWD};
    static answer got[N_CROWD];
    fm_model *m = asked_open(LLAMA, &many);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        crowd_calls plain = run_crowd(m, sizes[s], 0.0f, got);
        crowd_calls edited = run_crowd(m, sizes[s], 1.3f, got);
        assert_true(plain.n_matmul > 0);
        assert_int_equal(plain.n_head_topk, s + 1);
        assert_int_equal(edited.n_head_topk, plain.n_head_topk);
        assert_int_equal(edited.n_matmul, plain.n_matmul);
        for (int32_t i = 0; i < sizes[s]; i++) {
            const asked a = crowd_ask(i, 1.3f, fm_model_vocab_size(m));
            const answer wanted = asked_alone(m, &a);
            answer_expect("in a crowd", &got[i], &wanted);
        }
    }
    fm_model_close(m);
}

/* ---- Arguments --------------------------------------------------------------------------------- */

/** Everything that a request points to is the caller's again when the call returns. */
static void engine_submit_copies_prompt_bias_and_ends(void **state) {
    (void)state;
    fm_model *m = asked_open(LLAMA, &params);
    fm_engine *e = asked_engine(m, NULL);
    asked a = {.max_new = 30, .sampling = asked_sampled(4), .n_end_ids = 1, .end_ids = {222}};
    const fm_logit_bias bias[] = {{7, 3.0f}, {90, -2.0f}, {11, 3.5f}};
    asked_fill(&a, 0, 70, 1, fm_model_vocab_size(m));
    const answer without = asked_alone(m, &a);
    a.sampling.bias = bias;
    a.sampling.n_bias = 3;
    const answer wanted = asked_alone(m, &a);
    assert_memory_not_equal(wanted.ids, without.ids, sizeof wanted.ids);

    asked *mine = malloc(sizeof *mine);
    fm_logit_bias *my_bias = malloc(sizeof bias);
    assert_true(mine && my_bias);
    *mine = a;
    memcpy(my_bias, bias, sizeof bias);
    mine->sampling.bias = my_bias;
    answer got = {0};
    asked_submit(e, mine, &got);
    memset(my_bias, 0x7f, sizeof bias); /* seen without a sanitizer, too */
    memset(mine, 0x7f, sizeof *mine);
    free(my_bias);
    free(mine);
    step_to_end(e);
    answer_expect("after it was freed", &got, &wanted);
    fm_engine_free(e);
    fm_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_mask_that_says_no_cancels_before_the_next_token),
        cmocka_unit_test_setup_teardown(engine_alternatives_are_no_more_than_the_vocabulary,
                                        temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(engine_penalties_cost_no_further_call),
        cmocka_unit_test(engine_submit_copies_prompt_bias_and_ends),
    };
    return cmocka_run_group_tests_name("test_engine_draw", tests, NULL, NULL);
}
