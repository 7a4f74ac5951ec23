/*
 * cell.h - a cell of test_matrix.c: a batch of requests that an engine runs in one of the states
 * there are. Each answer has to be what the request gives alone: run_STATE makes the state, runs
 * the batch, looks.
 */
#ifndef TESTS_ENGINE_CELL_H
#define TESTS_ENGINE_CELL_H

#include "asked.h"
#include "engine/engine.h"
#include "support/temp_dir.h"

enum {
    N_ASKED = 16,
    MAX_CONTEXT = 256, /* four pages */
    MAX_BROKEN = 3,    /* steps of a run that are denied a page */
};

/** A batch in one state. Request k of it is asked[(first + k) % N_ASKED]. */
typedef struct cell {
    fm_model *model;
    const asked *asked;   /* [N_ASKED] */
    const answer *wanted; /* [N_ASKED] */
    int32_t first, n;
    const temp_dir *dir;

    answer got[N_ASKED];
    uint64_t id[N_ASKED];
    int32_t n_steps[N_ASKED]; /* that began since it was submitted; 0: it was not */
    answer second[N_ASKED];   /* of forks and restored requests */
    bool has_second[N_ASKED];
    int32_t n_rows[N_ASKED]; /* of its file that need not be computed again */
    int32_t n_seconds, n_broken;
    int64_t n_preempted, n_shared; /* of all last events */
} cell;

static inline const asked *asked_of(const cell *c, int32_t k) {
    return &c->asked[(c->first + k) % N_ASKED];
}

static inline const answer *wanted_of(const cell *c, int32_t k) {
    return &c->wanted[(c->first + k) % N_ASKED];
}

static inline fm_engine *cell_engine(const cell *c, bool share, int32_t cache_tokens) {
    return asked_engine(
        c->model, &(fm_engine_params){.no_prefix_sharing = !share, .cache_tokens = cache_tokens});
}

static inline fm_engine *roomy_engine(const cell *c, bool share) {
    return cell_engine(c, share, 2 * N_ASKED * MAX_CONTEXT);
}

/** Steps all requests to their end; request k comes before step 2 * (k % 4). */
static inline void cell_run(cell *c, fm_engine *e, void (*before_step)(cell *c, fm_engine *e)) {
    int32_t active = 1;
    for (int32_t step_number = 0; active > 0 || step_number <= 6; step_number++) {
        for (int32_t k = 0; k < c->n; k++) {
            if (2 * (k % 4) == step_number) c->id[k] = asked_submit(e, asked_of(c, k), &c->got[k]);
            if (2 * (k % 4) <= step_number) c->n_steps[k]++;
        }
        if (before_step) before_step(c, e);
        active = asked_step(e);
    }
}

static inline void expect_all_right(cell *c) {
    for (int32_t k = 0; k < c->n; k++) {
        answer_expect("request", &c->got[k], wanted_of(c, k));
        c->n_preempted += c->got[k].end.n_preempted;
        c->n_shared += c->got[k].end.n_shared;
    }
}

/** Whether it is time for request k to be forked or saved: some while their prompts are read,
 * others half-way through their answers. */
static inline bool is_time(const cell *c, int32_t k) {
    if (c->has_second[k] || c->got[k].n_ends > 0 || c->n_steps[k] < 3) return false;
    return (c->first + k) % 2 || c->got[k].n >= asked_of(c, k)->max_new / 2;
}

/** Begins the second answer of request k: what it has so far, less n_back tokens. */
static inline void begin_second(cell *c, int32_t k, int32_t n_back) {
    c->second[k] = c->got[k];
    c->second[k].n -= n_back;
    c->has_second[k] = true;
    c->n_seconds++;
}

/* ---- States ---------------------------------------------------------------------------------- */

static inline void run_fresh(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    cell_run(c, e, NULL);
    expect_all_right(c);
    if (c->n == N_ASKED) assert_true(c->n_shared > 0); /* with those that run beside it */
    fm_engine_free(e);
}

/** All prompts were read before, by requests that have ended. */
static inline void run_hit(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    answer unused[N_ASKED] = {{0}};
    for (int32_t k = 0; k < c->n; k++) {
        asked before = *asked_of(c, k);
        before.max_new = 1;
        asked_submit(e, &before, &unused[k]);
    }
    while (asked_step(e) > 0) {
    }
    cell_run(c, e, NULL);
    expect_all_right(c);
    for (int32_t k = 0; k < c->n; k++)
        assert_true(c->got[k].end.n_shared >= (asked_of(c, k)->n_ids - 1) / 64 * 64);
    fm_engine_free(e);
}

/** Denies the next page to a sequence that generates, which is always at the cost of the one
 * admitted last. */
static inline void break_a_step(cell *c, fm_engine *e) {
    for (int32_t i = 0; i < e->scheduler.n_running; i++) {
        const sequence *q = e->scheduler.running[i];
        int32_t n = q->pages.n_tokens;
        if (n == 0 || n % FM_CACHE_PAGE_ROWS != 0 || q->n_ids != n + 1) continue;
        if (c->n_broken == MAX_BROKEN) return;
        page_pool_fail_in(&e->paging.classes[0].pool, 1);
        c->n_broken++;
        return;
    }
}

static inline void run_preempted_with(cell *c, bool share) {
    fm_engine *e = roomy_engine(c, share);
    cell_run(c, e, break_a_step);
    expect_all_right(c);
    assert_true(c->n_broken > 0);
    assert_int_equal(c->n_preempted, c->n_broken);
    if (c->n == 1) assert_int_equal(c->got[0].end.n_preempted, c->n_broken);
    if (!share) assert_int_equal(c->n_shared, 0);
    fm_engine_free(e);
}

static inline void run_preempted(cell *c) {
    run_preempted_with(c, true);
}

static inline void run_preempted_unshared(cell *c) {
    run_preempted_with(c, false);
}

/** The least caches that an engine may have: one context. */
static inline void run_cramped_with(cell *c, bool share) {
    fm_engine *e = cell_engine(c, share, MAX_CONTEXT);
    cell_run(c, e, NULL);
    expect_all_right(c);
    if (c->n == N_ASKED && c->first == 0) assert_true(c->n_preempted > 0);
    fm_engine_free(e);
}

static inline void run_cramped(cell *c) {
    run_cramped_with(c, true);
}

static inline void run_cramped_unshared(cell *c) {
    run_cramped_with(c, false);
}

static inline void fork_some(cell *c, fm_engine *e) {
    for (int32_t k = 0; k < c->n; k++) {
        if (!is_time(c, k)) continue;
        int32_t n_back = k % 4 < c->got[k].n ? k % 4 : c->got[k].n;
        const fm_fork fork = {.n_back = n_back,
                              .mask = asked_of(c, k)->mask,
                              .on_event = answer_keep,
                              .user = &c->second[k]};
        fm_error err = {0};
        begin_second(c, k, n_back);
        if (fm_engine_fork(e, c->id[k], &fork, NULL, &err) != FM_OK) fail_msg("%s", err.text);
    }
}

static inline void run_forked(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    cell_run(c, e, fork_some);
    expect_all_right(c);
    assert_true(c->n_seconds > 0);
    if (c->first == 0) assert_true(e->scheduler.n_copied > 0); /* it stands within a page */
    for (int32_t k = 0; k < c->n; k++)
        if (c->has_second[k]) answer_expect("fork", &c->second[k], wanted_of(c, k));
    fm_engine_free(e);
}

static inline void saved_path(const cell *c, int32_t k, char *out) {
    char name[32];
    snprintf(name, sizeof name, "saved%d", (int)k);
    temp_dir_path(c->dir, name, out);
}

/** All that are cached, unless a window has lost some; but the last token is run in any case. */
static inline int32_t rows_of_file(const fm_engine *e, const request *r) {
    int32_t n_ids = r->n_prompt + request_n_told(r);
    for (int32_t c = 0; c < e->paging.n_classes; c++)
        if (r->q.pages.first[c] > 0) return 0;
    return r->q.pages.n_tokens < n_ids ? r->q.pages.n_tokens : n_ids - 1;
}

static inline void save_some(cell *c, fm_engine *e) {
    for (int32_t k = 0; k < c->n; k++) {
        if (!is_time(c, k)) continue;
        char path[TEMP_PATH_SIZE];
        fm_error err = {0};
        saved_path(c, k, path);
        begin_second(c, k, 0);
        c->n_rows[k] = rows_of_file(e, queue_find(&e->queue, c->id[k]));
        if (fm_engine_save(e, c->id[k], path, &err) != FM_OK) fail_msg("%s", err.text);
    }
}

/** Those that were saved go on in another engine. */
static inline void run_restored(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    cell_run(c, e, save_some);
    expect_all_right(c);
    fm_engine_free(e);
    e = roomy_engine(c, true);
    for (int32_t k = 0; k < c->n; k++) {
        char path[TEMP_PATH_SIZE];
        fm_error err = {0};
        saved_path(c, k, path);
        const fm_restore how = {
            .mask = asked_of(c, k)->mask, .on_event = answer_keep, .user = &c->second[k]};
        if (c->has_second[k] && fm_engine_restore(e, path, &how, NULL, &err) != FM_OK)
            fail_msg("%s", err.text);
    }
    while (asked_step(e) > 0) {
    }
    assert_true(c->n_seconds > 0);
    for (int32_t k = 0; k < c->n; k++)
        if (c->has_second[k]) {
            answer_expect("restored", &c->second[k], wanted_of(c, k));
            assert_true(c->second[k].end.n_shared >= c->n_rows[k]);
        }
    fm_engine_free(e);
}

#endif
