/*
 * alike.h - a request that uses all there is to ask, none of it a default, and the comparison of
 * what two requests were asked.
 */
#ifndef TESTS_ENGINE_ALIKE_H
#define TESTS_ENGINE_ALIKE_H

#include "pages.h"

enum { ALIKE_PROMPT = 70, ALIKE_VOCAB = 224 };

static inline bool alike_allow_half(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)ids, (void)n;
    const uint32_t *allowed = user;
    for (int32_t i = 0; i < ALIKE_VOCAB / 32; i++) mask[i] &= *allowed;
    return true;
}

static inline fm_request alike_request(const fm_tokenizer *t, answer *to) {
    static int32_t ids[ALIKE_PROMPT];
    static const int32_t end_ids[] = {200, 201};
    static const fm_logit_bias bias[] = {{17, 0.5f}, {90, -1.5f}, {3, 0.25f}};
    static const char *const stop[] = {"no such text", "nor this"};
    static uint32_t allowed = 0x5555ffff;
    for (int32_t i = 0; i < ALIKE_PROMPT; i++) ids[i] = (i * 31 + 5) % ALIKE_VOCAB;
    return (fm_request){
        .ids = ids,
        .n_ids = ALIKE_PROMPT,
        .max_new = 33,
        .sampling = {.temperature = 0.75f,
                     .top_k = 50,
                     .top_p = 0.875f,
                     .min_p = 0.015625f,
                     .repetition_penalty = 1.125f,
                     .frequency_penalty = 0.3f,
                     .presence_penalty = -0.2f,
                     .bias = bias,
                     .n_bias = 3,
                     .seed = 0x123456789abcdefu},
        .end_ids = end_ids,
        .n_end_ids = 2,
        .n_logprobs = 3,
        .tokenizer = t,
        .stop = stop,
        .n_stop = 2,
        .tenant = 7,
        .deadline_seconds = 1000.0,
        .mask = alike_allow_half,
        .mask_user = &allowed,
        .on_event = answer_keep,
        .user = to,
    };
}

/** Field by field, as padding is nobody's; of -0 and 0 the bits count. */
static inline void alike_expect_sampling(const fm_sampling *a, const fm_sampling *b) {
    assert_memory_equal(&a->temperature, &b->temperature, sizeof a->temperature);
    assert_int_equal(a->top_k, b->top_k);
    assert_memory_equal(&a->top_p, &b->top_p, sizeof a->top_p);
    assert_memory_equal(&a->min_p, &b->min_p, sizeof a->min_p);
    assert_memory_equal(&a->repetition_penalty, &b->repetition_penalty, sizeof a->min_p);
    assert_memory_equal(&a->frequency_penalty, &b->frequency_penalty, sizeof a->min_p);
    assert_memory_equal(&a->presence_penalty, &b->presence_penalty, sizeof a->min_p);
    assert_int_equal(a->seed, b->seed);
    assert_int_equal(a->n_bias, b->n_bias);
    assert_memory_equal(a->bias, b->bias, a->n_bias * sizeof *a->bias);
    assert_ptr_not_equal(a->bias, b->bias);
}

/** What decides the tokens, the text, the log-probabilities and the end of two requests is the
 * same; neither points into the other. */
static inline void alike_expect(const request *a, const request *b) {
    assert_int_equal(a->n_prompt, b->n_prompt);
    assert_memory_equal(a->q.ids, b->q.ids, (size_t)a->n_prompt * sizeof *a->q.ids);
    assert_int_equal(a->max_new, b->max_new);
    alike_expect_sampling(&a->sampling, &b->sampling);
    assert_int_equal(a->n_end_ids, b->n_end_ids);
    assert_memory_equal(a->end_ids, b->end_ids, a->n_end_ids * sizeof *a->end_ids);
    assert_ptr_not_equal(a->end_ids, b->end_ids);
    assert_int_equal(a->n_logprobs, b->n_logprobs);
    assert_ptr_equal(a->text.tokenizer, b->text.tokenizer);
    assert_int_equal(a->n_stop, b->n_stop);
    for (size_t i = 0; i < a->n_stop; i++) {
        assert_string_equal(a->stop[i], b->stop[i]);
        assert_ptr_not_equal(a->stop[i], b->stop[i]);
    }
}

#endif
