/*
 * asked.h - requests that are a function of a number, and the answers that come. What an engine is
 * asked in these suites has an answer that depends on `asked` alone, whatever runs beside it.
 */
#ifndef TESTS_ENGINE_ASKED_H
#define TESTS_ENGINE_ASKED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fathom.h"

enum { ASKED_MAX_IDS = 256, ASKED_MAX_NEW = 128, ASKED_TOP = 3 };

typedef struct asked {
    int32_t n_ids, ids[ASKED_MAX_IDS];
    int32_t max_new;
    fm_sampling sampling;
    fm_mask_fn mask;
    int32_t n_logprobs; /* at most ASKED_TOP */
    size_t n_end_ids;   /* 0: nothing but max_new ends it */
    int32_t end_ids[ASKED_TOP];
    uint64_t tenant;
} asked;

typedef struct answer {
    int32_t n, ids[ASKED_MAX_NEW];
    float logprobs[ASKED_MAX_NEW];
    fm_logprob top[ASKED_MAX_NEW][ASKED_TOP];
    int32_t n_ends; /* 1 when it has ended; more is an error */
    fm_event end;   /* without its pointers */
} answer;

/** Well mixed bits of a number. */
static inline uint32_t asked_bits(uint64_t x) {
    x = (x + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(x >> 32);
}

/** Sets tokens [first, end) of a prompt to those of the text named `text`. */
static inline void asked_fill(asked *a, int32_t first, int32_t end, uint64_t text, int32_t vocab) {
    for (int32_t i = first; i < end; i++)
        a->ids[i] = (int32_t)(asked_bits(text * 4096 + (uint64_t)i) % (uint32_t)vocab);
    a->n_ids = end;
}

static inline fm_sampling asked_sampled(uint64_t seed) {
    return (fm_sampling){.temperature = 0.9f, .top_k = 60, .top_p = 0.95f, .seed = seed};
}

/** An fm_event_fn; `user` is an answer. */
static inline bool answer_keep(void *user, const fm_event *event) {
    answer *a = user;
    assert_int_equal(a->n_ends, 0);
    if (event->finish != FM_FINISH_NONE) {
        a->end = *event;
        a->end.text = NULL;
        a->end.top = NULL;
        a->n_ends++;
        return true;
    }
    assert_in_range(a->n, 0, ASKED_MAX_NEW - 1);
    assert_in_range(event->n_top, 0, ASKED_TOP);
    a->ids[a->n] = event->id;
    a->logprobs[a->n] = event->logprob;
    for (int32_t i = 0; i < event->n_top; i++) a->top[a->n][i] = event->top[i];
    a->n++;
    return true;
}

/** The request, whose answer is added to `to`. */
static inline fm_request asked_request(const asked *a, answer *to) {
    return (fm_request){.ids = a->ids,
                        .n_ids = (size_t)a->n_ids,
                        .max_new = a->max_new,
                        .sampling = a->sampling,
                        .end_ids = a->end_ids,
                        .n_end_ids = a->n_end_ids,
                        .n_logprobs = a->n_logprobs,
                        .tenant = a->tenant,
                        .mask = a->mask,
                        .on_event = answer_keep,
                        .user = to};
}

/** Submits what has to be accepted. */
static inline uint64_t asked_submit(fm_engine *e, const asked *a, answer *to) {
    const fm_request request = asked_request(a, to);
    fm_error err = {0};
    uint64_t id = 0;
    if (fm_engine_submit(e, &request, &id, &err) != FM_OK) fail_msg("%s", err.text);
    return id;
}

/** A step that has to succeed; how many requests have not ended. */
static inline int32_t asked_step(fm_engine *e) {
    fm_error err = {0};
    int32_t active = -1;
    if (fm_engine_step(e, &active, &err) != FM_OK) fail_msg("%s", err.text);
    return active;
}

/** On the CPU where `params` name no device. */
static inline fm_model *asked_open(const char *dir, const fm_model_params *params) {
    fm_model *m;
    fm_error err = {0};
    fm_model_params here = params ? *params : (fm_model_params){0};
    if (!here.device) here.device = "cpu";
    if (fm_model_open(dir, &here, &m, &err) != FM_OK) fail_msg("%s: %s", dir, err.text);
    return m;
}

static inline fm_engine *asked_engine(fm_model *m, const fm_engine_params *params) {
    fm_engine *e;
    fm_error err = {0};
    if (fm_engine_new(m, params, &e, &err) != FM_OK) fail_msg("%s", err.text);
    return e;
}

/** The answer of a request that runs alone in an engine of its own. */
static inline answer asked_alone(fm_model *m, const asked *a) {
    fm_engine *e = asked_engine(m, &(fm_engine_params){.no_prefix_sharing = true});
    answer out = {0};
    asked_submit(e, a, &out);
    while (asked_step(e) > 0) {
    }
    fm_engine_free(e);
    assert_int_equal(out.n_ends, 1);
    return out;
}

/** The log-probabilities that were asked for came. */
static inline void answer_expect_logprobs(const asked *a, const answer *got) {
    for (int32_t i = 0; i < got->n; i++) {
        assert_int_equal(got->logprobs[i] < 0.0f, a->n_logprobs != 0);
        for (int32_t k = 1; k < a->n_logprobs; k++)
            assert_true(got->top[i][k].logprob <= got->top[i][k - 1].logprob);
        if (a->n_logprobs > 0) assert_true(got->top[i][a->n_logprobs - 1].logprob < 0.0f);
    }
}

/** Ids, log-probabilities bit by bit, and the reason for the end. `what` names the case. */
static inline void answer_expect(const char *what, const answer *got, const answer *wanted) {
    size_t n = (size_t)wanted->n;
    if (got->n_ends != 1) fail_msg("%s: %d last events", what, got->n_ends);
    if (got->end.finish != wanted->end.finish)
        fail_msg("%s: ended with %d, not %d", what, got->end.finish, wanted->end.finish);
    if (got->n != wanted->n) fail_msg("%s: %d tokens, not %d", what, got->n, wanted->n);
    assert_int_equal(got->end.n_generated, wanted->n);
    if (memcmp(got->ids, wanted->ids, n * sizeof *got->ids) != 0) fail_msg("%s: other ids", what);
    if (memcmp(got->logprobs, wanted->logprobs, n * sizeof *got->logprobs) != 0 ||
        memcmp(got->top, wanted->top, n * sizeof *got->top) != 0)
        fail_msg("%s: other log-probabilities", what);
}

#endif
