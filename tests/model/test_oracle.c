/*
 * test_oracle.c - rung 5 of the ladder: every checkpoint of tests/data/oracle against the reference
 * implementation, and against itself in every way of cutting the work. On a device other than the
 * CPU also with its layers cut between the two.
 */
#include <dirent.h>
#include <math.h>

#include "oracle.h"
#include "run.h"
#include "support/suite_model.h"

enum { MAX_CHECKPOINTS = 64 };

static const double TOLERANCE = 1e-4; /* of the logit range */

static suite_model suite;
static char checkpoints[MAX_CHECKPOINTS][512];
static int n_checkpoints;

static int compare_names(const void *a, const void *b) {
    return strcmp(a, b);
}

/** Lists the directories that hold a cases.txt. */
static void list_checkpoints(void) {
    DIR *d = opendir(TEST_DATA "/oracle");
    if (!d) return;
    for (struct dirent *entry; (entry = readdir(d)) && n_checkpoints < MAX_CHECKPOINTS;) {
        char path[1024];
        snprintf(path, sizeof path, TEST_DATA "/oracle/%s/cases.txt", entry->d_name);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        fclose(f);
        snprintf(checkpoints[n_checkpoints++], sizeof *checkpoints, TEST_DATA "/oracle/%.200s",
                 entry->d_name);
    }
    closedir(d);
    qsort(checkpoints, (size_t)n_checkpoints, sizeof *checkpoints, compare_names);
}

static const char *name_of(const char *dir) {
    return strrchr(dir, '/') + 1;
}

/** Largest difference over the stored rows, as a share of the case's range. */
static double worst_difference(const oracle_case *c, const float *logits, int32_t vocab) {
    double worst = 0.0;
    for (int32_t r = 0; r < c->n_rows; r++)
        for (int32_t v = 0; v < vocab; v++) {
            double ours = logits[(size_t)c->rows[r] * (size_t)vocab + (size_t)v];
            double theirs = c->logits[(size_t)r * (size_t)vocab + (size_t)v];
            double difference = fabs(ours - theirs) / c->range;
            if (!(difference <= worst)) worst = difference; /* a NaN stays */
        }
    return worst;
}

/** Largest difference over all cases of a checkpoint, as a share of the range. */
static double largest_difference(run *r, const oracle *o) {
    double worst = 0.0;
    assert_int_equal(fm_model_vocab_size(r->model), o->vocab);
    for (int32_t k = 0; k < o->n_cases; k++) {
        float *logits = run_logits(r, o->cases[k].ids, o->cases[k].n_ids);
        double difference = worst_difference(&o->cases[k], logits, o->vocab);
        if (!(difference <= worst)) worst = difference;
        free(logits);
    }
    return worst;
}

/** The greedy continuations of all cases, `at_once` of them in each other's company. */
static void expect_greedy(run *r, const oracle *o, int32_t at_once) {
    run_answer answers[ORACLE_MAX_CASES] = {{0}};
    for (int32_t k = 0; k < o->n_cases; k++) {
        const oracle_case *c = &o->cases[k];
        run_submit(r, c->ids, c->n_ids, c->n_greedy, (fm_sampling){0}, &answers[k]);
        if ((k + 1) % at_once == 0 || k == o->n_cases - 1) run_finish(r);
    }
    for (int32_t k = 0; k < o->n_cases; k++) {
        const oracle_case *c = &o->cases[k];
        assert_int_equal(answers[k].n, c->n_greedy);
        assert_int_equal(answers[k].end.finish, FM_FINISH_LENGTH);
        assert_memory_equal(answers[k].ids, c->greedy, (size_t)c->n_greedy * sizeof *c->greedy);
    }
}

/** Logits and greedy continuations in float32, prompts in several chunks. The largest difference,
 * as a share of the range. */
static double agrees_in_f32(const char *dir, const char *device, bool in_company) {
    oracle o;
    assert_true(oracle_read(dir, &o));
    fm_model_params params =
        suite_model_params(&suite, &(fm_model_params){.dtype = "f32",
                                                      .cache_dtype = "f32",
                                                      .max_chunk = 50,
                                                      .max_sequences = ORACLE_MAX_CASES});
    params.device = device;
    run r = run_open(dir, &params);
    double worst = largest_difference(&r, &o);
    if (!(worst <= TOLERANCE)) fail_msg("%s on %s: %.1e", name_of(dir), device, worst);
    expect_greedy(&r, &o, in_company ? o.n_cases : 1);
    run_close(&r);
    oracle_free(&o);
    return worst;
}

/** All checkpoints on the CPU; on a device, which takes long to open, every n-th. */
static bool is_one_of(int n, int i) {
    return suite.is_cpu || i % n == 0;
}

/* A device takes about as long for a step of four sequences as for one, so most run in company
 * there. */
static void oracle_f32_logits_and_greedy_continuations_agree(void **state) {
    (void)state;
    assert_true(n_checkpoints >= 20);
    for (int i = 0; i < n_checkpoints; i++) {
        double worst = agrees_in_f32(checkpoints[i], suite.device, !is_one_of(8, i));
        print_message("%-20s worst difference %.1e of the range\n", name_of(checkpoints[i]), worst);
    }
}

/* In turns the first layer on the device and the last. */
static void oracle_layers_on_two_devices_agree(void **state) {
    (void)state;
    if (suite.is_cpu) return; /* the suites of placements cut CPU devices in all ways */
    for (int i = 0; i < n_checkpoints; i += 2)
        agrees_in_f32(checkpoints[i], suite.cut[i / 2 % 2], true);
}

/** The longest prompt of a checkpoint. */
static const oracle_case *longest(const oracle *o) {
    const oracle_case *best = &o->cases[0];
    for (int32_t k = 1; k < o->n_cases; k++)
        if (o->cases[k].n_ids > best->n_ids) best = &o->cases[k];
    return best;
}

/** One way of running a prompt that must give the same bits as any other. */
static const struct way {
    int32_t chunk, threads;
    const char *isa;
} ways[] = {
    {1, 1, NULL},  {7, 1, NULL},   {64, 1, NULL},     {1, 2, NULL},    {7, 2, NULL},
    {64, 2, NULL}, {512, 2, NULL}, {64, 1, "scalar"}, {64, 2, "avx2"},
};

/** Whether this machine has an instruction set. */
static bool is_present(const char *isa) {
    const fm_model_params params = {.device = "cpu", .isa = isa, .n_threads = 1};
    fm_model *probe;
    fm_status status = fm_model_open(checkpoints[0], &params, &probe, NULL);
    fm_model_close(probe);
    return status != FM_ERR_UNSUPPORTED;
}

/** Says once which of the ways below are left out. */
static void tell_absent_ways(void) {
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        if (ways[w].isa && !is_present(ways[w].isa))
            print_message("skip: the instruction set %s is not on this machine\n", ways[w].isa);
}

static void same_bits_in_every_way(const char *dir, const char *dtype) {
    oracle o;
    assert_true(oracle_read(dir, &o));
    const oracle_case *c = longest(&o);
    fm_model_params params = suite_model_params(
        &suite, &(fm_model_params){
                    .dtype = dtype, .max_chunk = 512, .n_threads = 1, .deterministic = true});
    run whole = run_open(dir, &params);
    float *expected = run_logits(&whole, c->ids, c->n_ids);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        bool is_of_cpu = ways[w].threads > 1 || ways[w].isa;
        if (is_of_cpu && !suite.is_cpu) continue;
        params.max_chunk = ways[w].chunk;
        params.n_threads = ways[w].threads;
        params.isa = ways[w].isa;
        if (params.isa && !is_present(params.isa)) continue;
        run r = run_open(dir, &params);
        float *logits = run_logits(&r, c->ids, c->n_ids);
        size_t size = (size_t)c->n_ids * (size_t)o.vocab * sizeof *logits;
        if (memcmp(expected, logits, size) != 0)
            fail_msg("%s: chunk %d, %d threads, %s differs", dir, ways[w].chunk, ways[w].threads,
                     ways[w].isa ? ways[w].isa : "best");
        free(logits);
        run_close(&r);
    }
    free(expected);
    run_close(&whole);
    oracle_free(&o);
}

static void oracle_chunks_threads_and_instructions_give_the_same_bits(void **state) {
    (void)state;
    if (suite.is_cpu) tell_absent_ways();
    for (int i = 0; i < n_checkpoints; i++)
        if (is_one_of(8, i)) same_bits_in_every_way(checkpoints[i], "f32");
}

static void oracle_bf16_gives_the_same_bits_in_every_way(void **state) {
    (void)state;
    for (int i = 0; i < n_checkpoints; i++)
        if (is_one_of(8, i + 4)) same_bits_in_every_way(checkpoints[i], "bf16");
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/** Looked up on the CPU, which is open at once. */
static bool has_half_weights(const char *dir) {
    run r = run_open(dir, NULL);
    bool is_half = !strstr(fm_model_summary(r.model), "weights F32");
    run_close(&r);
    return is_half;
}

/** Calls fn for every checkpoint whose weights are BF16 or F16. */
static void for_each_half(const fm_model_params *params,
                          void (*fn)(const char *name, run *r, const oracle *o)) {
    int n = 0;
    for (int i = 0; i < n_checkpoints; i++) {
        oracle o;
        if (!has_half_weights(checkpoints[i])) continue;
        assert_true(oracle_read(checkpoints[i], &o));
        const fm_model_params p = suite_model_params(&suite, params);
        run r = run_open(checkpoints[i], &p);
        fn(name_of(checkpoints[i]), &r, &o);
        n++;
        run_close(&r);
        oracle_free(&o);
    }
    assert_true(n >= 4);
}

/** With an F32 cache nothing but the stored weights is rounded, and those are the reference's. */
static void logits_agree(const char *name, run *r, const oracle *o) {
    for (int32_t k = 0; k < o->n_cases; k++) {
        float *logits = run_logits(r, o->cases[k].ids, o->cases[k].n_ids);
        if (!(worst_difference(&o->cases[k], logits, o->vocab) <= TOLERANCE))
            fail_msg("%s %s", name, o->cases[k].name);
        free(logits);
    }
}

static void oracle_half_weights_are_read_exactly(void **state) {
    (void)state;
    for_each_half(&(fm_model_params){.cache_dtype = "f32"}, logits_agree);
}

/** With its own BF16 cache every stored row stays close. One row of v3_experts128 (prompt300, row
 * 299) is allowed to be further off: its 16th and 17th of 128 experts are so close that the rounded
 * cache changes the choice. The reference with its cache rounded alike has the cosine 0.9779 there,
 * as we have. */
static void rows_stay_close(const char *name, run *r, const oracle *o) {
    int n_far = 0;
    double worst = 1.0;
    assert_non_null(strstr(fm_model_summary(r->model), "cache BF16"));
    for (int32_t k = 0; k < o->n_cases; k++) {
        const oracle_case *c = &o->cases[k];
        float *logits = run_logits(r, c->ids, c->n_ids);
        for (int32_t row = 0; row < c->n_rows; row++) {
            double similar = cosine(logits + (size_t)c->rows[row] * (size_t)o->vocab,
                                    c->logits + (size_t)row * (size_t)o->vocab, (size_t)o->vocab);
            if (!(similar >= worst)) worst = similar;
            n_far += !(similar >= 0.999);
        }
        free(logits);
    }
    print_message("%-20s worst cosine of a row %.6f, %d below 0.999\n", name, worst, n_far);
    assert_true(worst >= 0.97);
    assert_true(n_far <= (strcmp(name, "v3_experts128") == 0 ? 1 : 0));
}

static void oracle_half_weights_with_bf16_cache_stay_close_to_f32(void **state) {
    (void)state;
    for_each_half(NULL, rows_stay_close);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oracle_f32_logits_and_greedy_continuations_agree),
        cmocka_unit_test(oracle_layers_on_two_devices_agree),
        cmocka_unit_test(oracle_chunks_threads_and_instructions_give_the_same_bits),
        cmocka_unit_test(oracle_bf16_gives_the_same_bits_in_every_way),
        cmocka_unit_test(oracle_half_weights_are_read_exactly),
        cmocka_unit_test(oracle_half_weights_with_bf16_cache_stay_close_to_f32),
    };
    const suite_device device = suite_device_of(argc, argv);
    fm_error err = {0};
    list_checkpoints();
    bool is_there = suite_model_init(&suite, &device, checkpoints[0], &err);
    if (!is_there) return suite_skip("test_oracle", err.text);
    return suite_model_end(&suite, cmocka_run_group_tests_name("test_oracle", tests, NULL, NULL));
}
