/*
 * run.h - a model opened with stated parameters and run through the public interface: all logits of
 * a prompt, or a greedy continuation. Failures end the test with the library's error text.
 */
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fathom.h"

typedef struct run {
    fm_model *model;
    fm_engine *engine;
} run;

/** On the CPU where `params` name no device. */
static inline run run_open(const char *dir, const fm_model_params *params) {
    run r = {0};
    fm_error err = {0};
    fm_model_params here = params ? *params : (fm_model_params){0};
    if (!here.device) here.device = "cpu";
    if (fm_model_open(dir, &here, &r.model, &err) != FM_OK) fail_msg("%s: %s", dir, err.text);
    if (fm_engine_new(r.model, NULL, &r.engine, &err) != FM_OK) fail_msg("%s: %s", dir, err.text);
    return r;
}

static inline void run_close(run *r) {
    fm_engine_free(r->engine);
    fm_model_close(r->model);
}

typedef struct run_rows {
    float *next;
    int32_t vocab;
} run_rows;

static inline fm_status run_keep_rows(void *user, const float *logits, int32_t n_rows) {
    run_rows *rows = user;
    size_t n = (size_t)n_rows * (size_t)rows->vocab;
    memcpy(rows->next, logits, n * sizeof *logits);
    rows->next += n;
    return FM_OK;
}

/** All logits of a prompt, [n_ids, vocab]; the caller frees them. */
static inline float *run_logits(run *r, const int32_t *ids, int32_t n_ids) {
    fm_error err = {0};
    int32_t vocab = fm_model_vocab_size(r->model);
    float *logits = malloc((size_t)n_ids * (size_t)vocab * sizeof *logits);
    run_rows rows = {logits, vocab};
    assert_non_null(logits);
    if (fm_engine_logits(r->engine, ids, (size_t)n_ids, run_keep_rows, &rows, &err) != FM_OK)
        fail_msg("%s", err.text);
    return logits;
}

typedef struct run_answer {
    int32_t n, ids[512];
    fm_event end;
} run_answer;

static inline bool run_keep_token(void *user, const fm_event *event) {
    run_answer *answer = user;
    if (event->finish != FM_FINISH_NONE)
        answer->end = *event;
    else
        answer->ids[answer->n++] = event->id;
    return true;
}

/** Submits a request whose answer comes into *answer, which is all 0 before. */
static inline void run_submit(run *r, const int32_t *ids, int32_t n_ids, int32_t max_new,
                              fm_sampling sampling, run_answer *answer) {
    fm_error err = {0};
    fm_request request = {.ids = ids,
                          .n_ids = (size_t)n_ids,
                          .max_new = max_new,
                          .sampling = sampling,
                          .on_event = run_keep_token,
                          .user = answer};
    if (fm_engine_submit(r->engine, &request, NULL, &err) != FM_OK) fail_msg("%s", err.text);
}

/** Steps all that was submitted to its end. */
static inline void run_finish(run *r) {
    fm_error err = {0};
    int32_t active = 1;
    while (active)
        if (fm_engine_step(r->engine, &active, &err) != FM_OK) fail_msg("%s", err.text);
}

/** Runs a request to its end. */
static inline run_answer run_generate(run *r, const int32_t *ids, int32_t n_ids, int32_t max_new,
                                      fm_sampling sampling) {
    run_answer answer = {0};
    run_submit(r, ids, n_ids, max_new, sampling, &answer);
    run_finish(r);
    return answer;
}

#endif
