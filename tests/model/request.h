/*
 * request.h - requests of the oracle's prompts, submitted and stepped to their end; whatever fails
 * ends the test with the library's error text.
 */
#ifndef TESTS_MODEL_REQUEST_H
#define TESTS_MODEL_REQUEST_H

#include "oracle.h"
#include "run.h"

/** The case "prompt7" of a checkpoint. */
static inline oracle_case prompt7(const char *dir) {
    oracle o;
    assert_true(oracle_read(dir, &o));
    oracle_free(&o);
    assert_int_equal(o.cases[1].n_ids, 7);
    return o.cases[1];
}

/** A request for what follows the prompt of `c`, whose tokens go to `answer`. */
static inline fm_request request_of(const oracle_case *c, int32_t max_new, run_answer *answer) {
    *answer = (run_answer){0};
    return (fm_request){.ids = c->ids,
                        .n_ids = (size_t)c->n_ids,
                        .max_new = max_new,
                        .on_event = run_keep_token,
                        .user = answer};
}

/** Submits what has to be accepted; the request's id. */
static inline uint64_t submit(fm_engine *e, const fm_request *request) {
    fm_error err = {0};
    uint64_t id = 0;
    if (fm_engine_submit(e, request, &id, &err) != FM_OK) fail_msg("%s", err.text);
    assert_int_not_equal(id, 0);
    return id;
}

/** One step that has to succeed; how many requests have not ended, at most `most`. */
static inline int32_t step_many(fm_engine *e, int32_t most) {
    fm_error err = {0};
    int32_t active = -1;
    if (fm_engine_step(e, &active, &err) != FM_OK) fail_msg("%s", err.text);
    assert_in_range(active, 0, most);
    return active;
}

/** The same for one request; whether it still runs. */
static inline bool step(fm_engine *e) {
    return step_many(e, 1) == 1;
}

static inline void finish(fm_engine *e, const fm_request *request) {
    submit(e, request);
    while (step(e)) {
    }
}

static inline void expect_greedy(const run_answer *answer, const oracle_case *c, int32_t n) {
    assert_int_equal(answer->n, n);
    assert_memory_equal(answer->ids, c->greedy, (size_t)n * sizeof *c->greedy);
}

/** The engine still does what it should. */
static inline void expect_usable(fm_engine *e, const oracle_case *c) {
    run_answer answer;
    fm_request request = request_of(c, 5, &answer);
    finish(e, &request);
    expect_greedy(&answer, c, 5);
}

#endif
