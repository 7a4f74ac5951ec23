/*
 * test_matrix.c - a request's tokens and log-probabilities have the same bits alone and in company, in
 * whatever chunks and threads, fresh, from a cached prefix, after preemption, forked and restored. The
 * reference is each request alone in an engine of its own, its prompt in one chunk, on one thread.
 *
 * Every request of a batch is compared, so that each is the neighbour of the others. Under a sanitizer,
 * on a device that computes late and on two devices, every third cell of a row is run, with both every
 * eighth; on a device other than the CPU, where there are no threads to vary, every fourth: in each row
 * others, so that no cell of all rows is left out (is_left_out).
 */
#include "asked.h"
#include "engine/engine.h"
#include "support/suite_model.h"
#include "support/temp_dir.h"

enum {
    N_ASKED = 16,
    ALL = 2048,        /* a chunk that takes all prompts of a batch at once */
    MAX_CONTEXT = 256, /* four pages */
    MAX_BROKEN = 3,    /* steps of a run that are denied a page */
};

static suite_model suite;

/* ---- What is asked --------------------------------------------------------------------------- */

/** Prompts and answers that end in a page, at its border and behind it; texts 0 and 1 begin several
 * prompts. Requests 0 and 3 stand first in batches: the one greedy, the other sampled. */
static const struct shape {
    int32_t n_shared, n_ids, max_new; /* n_shared tokens are those of text i % 2 */
} shapes[N_ASKED] = {
    {110, 120, 20}, {64, 90, 9},   {0, 1, 30},   {70, 125, 9}, {119, 130, 70}, {64, 64, 8},
    {110, 110, 40}, {128, 200, 6}, {0, 63, 5},   {80, 128, 3}, {0, 12, 128},   {5, 5, 2},
    {64, 129, 16},  {0, 7, 12},    {0, 30, 128}, {0, 40, 33},
};

/** Forbids a third of all tokens, others after each. */
static bool forbid_a_third(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)user;
    int32_t shift = n > 0 ? ids[n - 1] : 0;
    for (int32_t id = 0; id < 32; id++)
        if ((id + shift) % 3 == 0)
            for (int32_t word = 0; word < 4; word++) mask[word] &= ~(1u << id);
    return true;
}

/** Ways of drawing: greedy and sampled from few candidates, from a nucleus that needs all logits, with
 * penalties and bias, under a mask. */
static void make_drawing(asked *a, int32_t i) {
    static const fm_logit_bias bias[2] = {{7, 1.5f}, {90, -2.0f}};
    if (i % 2) a->sampling = asked_sampled((uint64_t)i);
    if (i % 8 == 5) {
        a->sampling = (fm_sampling){.temperature = 3.0f, .top_p = 0.99f, .seed = (uint64_t)i};
    } else if (i % 8 == 3 || i % 8 == 6) {
        a->sampling.repetition_penalty = 1.2f;
        a->sampling.frequency_penalty = 0.3f;
        a->sampling.presence_penalty = -0.2f;
        a->sampling.bias = bias;
        a->sampling.n_bias = 2;
    }
    if (i % 8 == 6 || i % 8 == 7) a->mask = forbid_a_third;
}

static void make_asked(asked out[N_ASKED], int32_t vocab) {
    for (int32_t i = 0; i < N_ASKED; i++) {
        const struct shape *shape = &shapes[i];
        asked *a = &out[i];
        *a = (asked){.max_new = shape->max_new, .n_logprobs = i % 4 == 3 ? -1 : i % 4};
        asked_fill(a, 0, shape->n_shared, (uint64_t)(i % 2), vocab);
        asked_fill(a, shape->n_shared, shape->n_ids, (uint64_t)(i + 2), vocab);
        make_drawing(a, i);
        if (i % 7 != 4) continue;
        a->n_end_ids = ASKED_TOP; /* which may end it early */
        for (int32_t k = 0; k < ASKED_TOP; k++) a->end_ids[k] = 50 * k + i;
    }
}

/* ---- One cell -------------------------------------------------------------------------------- */

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

static const asked *asked_of(const cell *c, int32_t k) {
    return &c->asked[(c->first + k) % N_ASKED];
}

static const answer *wanted_of(const cell *c, int32_t k) {
    return &c->wanted[(c->first + k) % N_ASKED];
}

static fm_engine *cell_engine(const cell *c, bool share, int32_t cache_tokens) {
    return asked_engine(
        c->model, &(fm_engine_params){.no_prefix_sharing = !share, .cache_tokens = cache_tokens});
}

static fm_engine *roomy_engine(const cell *c, bool share) {
    return cell_engine(c, share, 2 * N_ASKED * MAX_CONTEXT);
}

/** Steps all requests to their end; request k comes before step 2 * (k % 4). */
static void cell_run(cell *c, fm_engine *e, void (*before_step)(cell *c, fm_engine *e)) {
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

static void expect_all_right(cell *c) {
    for (int32_t k = 0; k < c->n; k++) {
        answer_expect("request", &c->got[k], wanted_of(c, k));
        c->n_preempted += c->got[k].end.n_preempted;
        c->n_shared += c->got[k].end.n_shared;
    }
}

/** Whether it is time for request k to be forked or saved: some while their prompts are read, others
 * half-way through their answers. */
static bool is_time(const cell *c, int32_t k) {
    if (c->has_second[k] || c->got[k].n_ends > 0 || c->n_steps[k] < 3) return false;
    return (c->first + k) % 2 || c->got[k].n >= asked_of(c, k)->max_new / 2;
}

/** Begins the second answer of request k: what it has so far, less n_back tokens. */
static void begin_second(cell *c, int32_t k, int32_t n_back) {
    c->second[k] = c->got[k];
    c->second[k].n -= n_back;
    c->has_second[k] = true;
    c->n_seconds++;
}

/* ---- States ---------------------------------------------------------------------------------- */

static void run_fresh(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    cell_run(c, e, NULL);
    expect_all_right(c);
    if (c->n == N_ASKED) assert_true(c->n_shared > 0); /* with those that run beside it */
    fm_engine_free(e);
}

/** All prompts were read before, by requests that have ended. */
static void run_hit(cell *c) {
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

/** Denies the next page to a sequence that generates, which is always at the cost of the one admitted
 * last. */
static void break_a_step(cell *c, fm_engine *e) {
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

static void run_preempted_with(cell *c, bool share) {
    fm_engine *e = roomy_engine(c, share);
    cell_run(c, e, break_a_step);
    expect_all_right(c);
    assert_true(c->n_broken > 0);
    assert_int_equal(c->n_preempted, c->n_broken);
    if (c->n == 1) assert_int_equal(c->got[0].end.n_preempted, c->n_broken);
    if (!share) assert_int_equal(c->n_shared, 0);
    fm_engine_free(e);
}

static void run_preempted(cell *c) {
    run_preempted_with(c, true);
}

static void run_preempted_unshared(cell *c) {
    run_preempted_with(c, false);
}

/** The least caches that an engine may have: one context. */
static void run_cramped_with(cell *c, bool share) {
    fm_engine *e = cell_engine(c, share, MAX_CONTEXT);
    cell_run(c, e, NULL);
    expect_all_right(c);
    if (c->n == N_ASKED && c->first == 0) assert_true(c->n_preempted > 0);
    fm_engine_free(e);
}

static void run_cramped(cell *c) {
    run_cramped_with(c, true);
}

static void run_cramped_unshared(cell *c) {
    run_cramped_with(c, false);
}

static void fork_some(cell *c, fm_engine *e) {
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

static void run_forked(cell *c) {
    fm_engine *e = roomy_engine(c, true);
    cell_run(c, e, fork_some);
    expect_all_right(c);
    assert_true(c->n_seconds > 0);
    if (c->first == 0) assert_true(e->scheduler.n_copied > 0); /* it stands within a page */
    for (int32_t k = 0; k < c->n; k++)
        if (c->has_second[k]) answer_expect("fork", &c->second[k], wanted_of(c, k));
    fm_engine_free(e);
}

static void saved_path(const cell *c, int32_t k, char *out) {
    char name[32];
    snprintf(name, sizeof name, "saved%d", (int)k);
    temp_dir_path(c->dir, name, out);
}

/** All that are cached, unless a window has lost some; but the last token is run in any case. */
static int32_t rows_of_file(const fm_engine *e, const request *r) {
    int32_t n_ids = r->n_prompt + request_n_told(r);
    for (int32_t c = 0; c < e->paging.n_classes; c++)
        if (r->q.pages.first[c] > 0) return 0;
    return r->q.pages.n_tokens < n_ids ? r->q.pages.n_tokens : n_ids - 1;
}

static void save_some(cell *c, fm_engine *e) {
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
static void run_restored(cell *c) {
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

static const struct state {
    const char *name;
    void (*run)(cell *c);
} states[] = {
    {"fresh", run_fresh},         {"prefix hit", run_hit},
    {"preempted", run_preempted}, {"preempted, nothing shared", run_preempted_unshared},
    {"cramped", run_cramped},     {"cramped, nothing shared", run_cramped_unshared},
    {"forked", run_forked},       {"restored", run_restored},
};

/* ---- All cells ------------------------------------------------------------------------------- */

enum { N_STATES = sizeof states / sizeof *states };

static const int32_t batches[] = {1, 2, 5, 16}, chunks[] = {1, 7, 64, ALL};

static fm_model_params params_of(const char *dtype, int32_t chunk, int32_t n_threads) {
    const fm_model_params params = {.dtype = dtype,
                                    .cache_dtype = dtype,
                                    .n_threads = n_threads,
                                    .max_context = MAX_CONTEXT,
                                    .max_chunk = chunk,
                                    .max_sequences = N_ASKED,
                                    .deterministic = true};
    return suite_model_params(&suite, &params);
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 3 };
#else
enum { SANITIZED = 1 };
#endif
#if defined TESTS_ENGINE_LATE_SUITE_H || defined TESTS_ENGINE_PLACES_SUITE_H
enum { AGAIN = 3 };
#else
enum { AGAIN = 1 };
#endif

/** At most as many rows as a model has, so that every column is run in one of them. */
static bool is_left_out(int32_t row, int32_t column) {
    int32_t thinned = SANITIZED * AGAIN > 8 ? 8 : SANITIZED * AGAIN;
    int32_t one_of = suite.is_cpu ? thinned : 4;
    return (row + column) % one_of != 0;
}

static void run_cell(const cell *start, int32_t state, int32_t n, int32_t first) {
    cell *c = malloc(sizeof *c);
    assert_non_null(c);
    *c = *start;
    c->n = n;
    c->first = first;
    states[state].run(c);
    free(c);
}

/** All batches and states of one model in one way of cutting the work. */
static void run_row(const cell *start, int32_t row) {
    for (int32_t b = 0; b < 4; b++)
        for (int32_t s = 0; s < N_STATES; s++) {
            if (is_left_out(row, b + s)) continue;
            run_cell(start, s, batches[b], 0);
            if (batches[b] <= 2) run_cell(start, s, batches[b], 3);
        }
}

static void run_matrix(const temp_dir *dir, const char *name, const char *dtype) {
    char path[512];
    asked asked_all[N_ASKED];
    answer wanted[N_ASKED];
    snprintf(path, sizeof path, TEST_DATA "/oracle/%s", name);
    fm_model_params params = params_of(dtype, ALL, 1);
    fm_model *m = asked_open(path, &params);
    make_asked(asked_all, fm_model_vocab_size(m));
    for (int32_t i = 0; i < N_ASKED; i++) {
        wanted[i] = asked_alone(m, &asked_all[i]);
        answer_expect_logprobs(&asked_all[i], &wanted[i]);
    }
    fm_model_close(m);
    for (int32_t row = 0; row < (suite.is_cpu ? 8 : 4); row++) {
        params = params_of(dtype, chunks[row % 4], 1 + row / 4);
        cell start = {.asked = asked_all, .wanted = wanted, .dir = dir};
        start.model = asked_open(path, &params);
        print_message("%s, %s: chunk %d, %d thread%s\n", name, dtype, params.max_chunk,
                      params.n_threads, params.n_threads > 1 ? "s" : "");
        run_row(&start, row);
        fm_model_close(start.model);
    }
}

#define MATRIX(checkpoint, dtype)                                                                  \
    static void matrix_##checkpoint##_##dtype##_gives_one_answer(void **state) {                   \
        run_matrix(*state, #checkpoint, #dtype);                                                   \
    }
MATRIX(llama_mha, f32)
MATRIX(llama_mha, bf16)
MATRIX(v3_groups, f32)
MATRIX(v3_groups, bf16)
MATRIX(qwen2_window, f32)

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        IN_DIR(matrix_llama_mha_f32_gives_one_answer),
        IN_DIR(matrix_llama_mha_bf16_gives_one_answer),
        IN_DIR(matrix_v3_groups_f32_gives_one_answer),
        IN_DIR(matrix_v3_groups_bf16_gives_one_answer),
        IN_DIR(matrix_qwen2_window_f32_gives_one_answer),
    };
    const suite_device device = suite_device_of(argc, argv);
    fm_error err = {0};
    bool is_there = suite_model_init(&suite, &device, TEST_DATA "/oracle/llama_mha", &err);
    if (!is_there) return suite_skip("test_matrix", err.text);
    return suite_model_end(&suite, cmocka_run_group_tests_name("test_matrix", tests, NULL, NULL));
}
