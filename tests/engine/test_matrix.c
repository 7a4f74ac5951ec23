/*
 * test_matrix.c - a request's tokens and log-probabilities have the same bits alone and in company,
 * in whatever chunks and threads, fresh, from a cached prefix, after preemption, forked and
 * restored. The reference is each request alone in an engine of its own, its prompt in one chunk,
 * on one thread.
 *
 * What is varied stands in the tables under "The matrix": models, ways of cutting the work, batches
 * and states; and how much of it is run where a cell takes longer.
 */
#include "cell.h"
#include "support/suite_model.h"

#ifndef SUITE_RUNS_AGAIN
#define SUITE_RUNS_AGAIN 0 /* late_suite.h and places_suite.h say 1 */
#endif

enum { ALL = 2048 }; /* a chunk that takes all prompts of a batch at once */

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

/** Ways of drawing: greedy and sampled from few candidates, from a nucleus that needs all logits,
 * with penalties and bias, under a mask. */
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

/* ---- The matrix -------------------------------------------------------------------------------- */

/** A test each. Directories are those of tests/data/oracle. */
static const struct model_row {
    const char *test, *dir, *dtype;
    int32_t format, n_formats; /* the which of how many that the checkpoint is run in */
} model_rows[] = {
    {"matrix_llama_mha_f32_gives_one_answer", "llama_mha", "f32", 0, 2},
    {"matrix_llama_mha_bf16_gives_one_answer", "llama_mha", "bf16", 1, 2},
    {"matrix_v3_groups_f32_gives_one_answer", "v3_groups", "f32", 0, 2},
    {"matrix_v3_groups_bf16_gives_one_answer", "v3_groups", "bf16", 1, 2},
    {"matrix_qwen2_window_f32_gives_one_answer", "qwen2_window", "f32", 0, 1},
};

/** How a step is cut: tokens of prompts in it, and threads that share its rows. */
static const struct cut {
    int32_t chunk, n_threads;
} cuts[] = {
    {1, 1}, {7, 1}, {64, 1}, {ALL, 1}, /* on a device other than the CPU these alone */
    {1, 2}, {7, 2}, {64, 2}, {ALL, 2},
};

/** Requests that run together, each the neighbour of the others, and all compared. The small ones
 * are run twice: with request 0 first and with request 3. */
static const struct batch {
    int32_t n;
    bool is_run_twice;
} batches[] = {{1, true}, {2, true}, {5, false}, {16, false}};

static const struct state {
    const char *name;
    void (*run)(cell *c);
} states[] = {
    {"fresh", run_fresh},         {"prefix hit", run_hit},
    {"preempted", run_preempted}, {"preempted, nothing shared", run_preempted_unshared},
    {"cramped", run_cramped},     {"cramped, nothing shared", run_cramped_unshared},
    {"forked", run_forked},       {"restored", run_restored},
};

enum {
    N_MODELS = sizeof model_rows / sizeof *model_rows,
    N_CUTS = sizeof cuts / sizeof *cuts,
    N_BATCHES = sizeof batches / sizeof *batches,
    N_STATES = sizeof states / sizeof *states,
};

/** How much of the matrix is run: of each cut every nth of its batches and states, in each cut
 * others, so that all batches are run in all states in some cut. n_cells is what that comes to for
 * a model: whoever changes a table writes the number down that the test names. */
typedef struct part {
    const char *where;
    int32_t n_cuts, every_nth, n_cells;
    int32_t
        n_formats; /* of a checkpoint that share its cells: cuts of the second follow the first's */
} part;

#ifdef __SANITIZE_ADDRESS__
static const part on_cpu = {"on the CPU, sanitized", N_CUTS, 3, 127, 1};
static const part again = {"late or on two devices, sanitized", N_CUTS, 8, 48, 1};
#else
static const part on_cpu = {"on the CPU", N_CUTS, 1, 384, 1};
static const part again = {"late or on two devices", N_CUTS, 3, 127, 1};
#endif
static const part elsewhere = {"on a device other than the CPU", 4, 4, 48, 1};
static const part elsewhere_shared = {"on a device, in one of two formats", 4, 8, 24, 2};

static const part *part_here(const struct model_row *row) {
    if (!suite.is_cpu) return row->n_formats == 2 ? &elsewhere_shared : &elsewhere;
    return SUITE_RUNS_AGAIN ? &again : &on_cpu;
}

static bool is_run(const part *p, int32_t cut, int32_t batch, int32_t state) {
    return (cut + batch + state) % p->every_nth == 0;
}

/* ---- All cells --------------------------------------------------------------------------------- */

static fm_model_params params_of(const struct model_row *row, const struct cut *cut) {
    const fm_model_params params = {.dtype = row->dtype,
                                    .cache_dtype = row->dtype,
                                    .n_threads = cut->n_threads,
                                    .max_context = MAX_CONTEXT,
                                    .max_chunk = cut->chunk,
                                    .max_sequences = N_ASKED,
                                    .deterministic = true};
    return suite_model_params(&suite, &params);
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

/** What is run of one model, in the `format`-th of those that share cells, in one cut; returns the
 * number of cells. */
static int32_t run_cut(const cell *start, const part *p, int32_t cut, int32_t format) {
    int32_t n_cells = 0;
    for (int32_t b = 0; b < N_BATCHES; b++)
        for (int32_t s = 0; s < N_STATES; s++)
            for (int32_t twice = 0; twice <= batches[b].is_run_twice; twice++) {
                if (!is_run(p, format * p->n_cuts + cut, b, s)) continue;
                run_cell(start, s, batches[b].n, 3 * twice);
                n_cells++;
            }
    return n_cells;
}

/** One model, and a directory for its files. */
typedef struct matrix {
    const struct model_row *row;
    temp_dir *dir;
} matrix;

static int matrix_setup(void **state) {
    matrix *m = *state;
    void *dir = NULL;
    int status = temp_dir_setup(&dir);
    m->dir = dir;
    return status;
}

static int matrix_teardown(void **state) {
    matrix *m = *state;
    void *dir = m->dir;
    return temp_dir_teardown(&dir);
}

/** What requests of the model give alone, their prompts in one chunk, on one thread. */
static void make_wanted(const struct model_row *row, const char *path, asked *asked_all,
                        answer *wanted) {
    const fm_model_params params = params_of(row, &(struct cut){ALL, 1});
    fm_model *m = asked_open(path, &params);
    make_asked(asked_all, fm_model_vocab_size(m));
    for (int32_t i = 0; i < N_ASKED; i++) {
        wanted[i] = asked_alone(m, &asked_all[i]);
        answer_expect_logprobs(&asked_all[i], &wanted[i]);
    }
    fm_model_close(m);
}

static void matrix_gives_one_answer(void **state) {
    const matrix *m = *state;
    const part *p = part_here(m->row);
    char path[512];
    asked asked_all[N_ASKED];
    answer wanted[N_ASKED];
    int32_t n_cells = 0;
    snprintf(path, sizeof path, TEST_DATA "/oracle/%s", m->row->dir);
    make_wanted(m->row, path, asked_all, wanted);
    for (int32_t c = 0; c < p->n_cuts; c++) {
        const fm_model_params params = params_of(m->row, &cuts[c]);
        cell start = {.asked = asked_all, .wanted = wanted, .dir = m->dir};
        print_message("%s, %s: chunk %d, %d thread%s\n", m->row->dir, m->row->dtype,
                      params.max_chunk, params.n_threads, params.n_threads > 1 ? "s" : "");
        start.model = asked_open(path, &params);
        n_cells += run_cut(&start, p, c, p->n_formats > 1 ? m->row->format : 0);
        fm_model_close(start.model);
    }
    print_message("%s: %d cells\n", p->where, n_cells);
    assert_int_equal(n_cells, p->n_cells);
}

/** However much of the matrix is run, each batch is run in each state. */
static void matrix_leaves_no_batch_out_of_a_state(void **state) {
    (void)state;
    const part *const parts[] = {&on_cpu, &again, &elsewhere, &elsewhere_shared};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int32_t b = 0; b < N_BATCHES; b++)
            for (int32_t s = 0; s < N_STATES; s++) {
                int32_t n = 0;
                for (int32_t c = 0; c < parts[i]->n_formats * parts[i]->n_cuts; c++)
                    n += is_run(parts[i], c, b, s);
                if (n == 0)
                    fail_msg("%s: %d requests are not run in the state \"%s\"", parts[i]->where,
                             batches[b].n, states[s].name);
            }
}

int main(int argc, char **argv) {
    struct CMUnitTest tests[N_MODELS + 1] = {
        cmocka_unit_test(matrix_leaves_no_batch_out_of_a_state)};
    matrix all[N_MODELS];
    for (int32_t i = 0; i < N_MODELS; i++) {
        all[i] = (matrix){.row = &model_rows[i]};
        tests[1 + i] = (struct CMUnitTest){model_rows[i].test, matrix_gives_one_answer,
                                           matrix_setup, matrix_teardown, &all[i]};
    }
    const suite_device device = suite_device_of(argc, argv);
    fm_error err = {0};
    bool is_there = suite_model_init(&suite, &device, TEST_DATA "/oracle/llama_mha", &err);
    if (!is_there) return suite_skip("test_matrix", err.text);
    return suite_model_end(&suite, cmocka_run_group_tests_name("test_matrix", tests, NULL, NULL));
}
