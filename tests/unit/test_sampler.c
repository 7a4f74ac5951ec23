/*
 * test_sampler.c - which tokens can be drawn, how often, and that a draw is a function of its seed
 * and its place. All seeds are fixed, so a frequency that agrees once agrees always.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/sampler.h"
#include "support/expect.h"

enum { MAX_V = 8, N_DRAWS = 100000 };

static int32_t draw(sampler *s, const fm_sampling *p, const float *logits, uint64_t counter) {
    int32_t id = -1;
    assert_int_equal(sampler_draw(s, p, logits, counter, &id), FM_OK);
    assert_in_range(id, 0, s->vocab_size - 1);
    return id;
}

static sampler make(int32_t vocab_size) {
    sampler s;
    assert_int_equal(sampler_new(vocab_size, &s, NULL), FM_OK);
    return s;
}

/* ---- Greedy ---------------------------------------------------------------------------------- */

static const struct greedy_case {
    float logits[MAX_V];
    int32_t id;
} greedy_cases[] = {
    {{0, 1, 2, 3, 4, 5, 6, 7}, 7},           {{7, 6, 5, 4, 3, 2, 1, 0}, 0},
    {{1, 5, 2, 5, 5, 0, 5, 1}, 1},           {{3, 3, 3, 3, 3, 3, 3, 3}, 0},
    {{-9, -8, -9, -8, -9, -9, -9, -9}, 1},   {{-3e38f, 3e38f, 3e38f, 0, 0, 0, 0, 0}, 1},
    {{0, 0, 0, 1e-40f, 1e-40f, 0, 0, 0}, 3}, {{-0.0f, 0.0f, -1, -1, -1, -1, -1, -1}, 0},
};

/** Settings that leave the best token alone, or take no notice of chance. */
static const fm_sampling greedy_settings[] = {
    {.temperature = 0},
    {.temperature = 0, .top_k = 3, .top_p = 0.5f, .min_p = 0.1f, .seed = 9},
    {.temperature = 100, .top_k = 1},
    {.temperature = 1e-30f, .top_k = 1},
    {.temperature = 1, .top_p = 1e-9f},
};

static void sampler_greedy_takes_the_lowest_of_equals(void **state) {
    (void)state;
    sampler s = make(MAX_V);
    for (size_t i = 0; i < sizeof greedy_cases / sizeof *greedy_cases; i++)
        for (size_t k = 0; k < sizeof greedy_settings / sizeof *greedy_settings; k++)
            for (uint64_t n = 0; n < 20; n++)
                assert_int_equal(draw(&s, &greedy_settings[k], greedy_cases[i].logits, n),
                                 greedy_cases[i].id);
    sampler_free(&s);
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/** Probabilities at temperature 1, settings, and which ids must be drawn ('x'). In most cases
 * another order of the restrictions, or another tie, would draw other ones; the name says which. */
static const struct set_case {
    const char *name;
    float p[6];
    fm_sampling sampling;
    const char *drawn;
} set_cases[] = {
    {"everything", {.4f, .2f, .1f, .1f, .1f, .1f}, {.temperature = 1}, "xxxxxx"},
    {"top-k 3", {.1f, .4f, .2f, .05f, .15f, .1f}, {.temperature = 1, .top_k = 3}, ".xx.x."},
    {"top-k above V", {.4f, .2f, .1f, .1f, .1f, .1f}, {.temperature = 1, .top_k = 99}, "xxxxxx"},
    {"top-k cuts a tie", {.1f, .2f, .2f, .2f, .2f, .1f}, {.temperature = 1, .top_k = 2}, ".xx..."},
    {"top-p .55", {.1f, .4f, .2f, .1f, .1f, .1f}, {.temperature = 1, .top_p = .55f}, ".xx..."},
    {"top-p cuts a tie",
     {.2f, .2f, .2f, .2f, .1f, .1f},
     {.temperature = 1, .top_p = .3f},
     "xx...."},
    {"top-p 1 is off", {.4f, .2f, .1f, .1f, .1f, .1f}, {.temperature = 1, .top_p = 1}, "xxxxxx"},
    {"min-p .3", {.4f, .2f, .13f, .11f, .09f, .07f}, {.temperature = 1, .min_p = .3f}, "xxx..."},
    {"min-p 1", {.1f, .2f, .2f, .2f, .2f, .1f}, {.temperature = 1, .min_p = 1}, ".xxxx."},
    {"temperature before top-p",
     {.64f, .16f, .05f, .05f, .05f, .05f},
     {.temperature = 2, .top_p = .5f},
     "xx...."},
    {"temperature before min-p",
     {.64f, .16f, .05f, .05f, .05f, .05f},
     {.temperature = 2, .min_p = .4f},
     "xx...."},
    {"low temperature before top-p",
     {.4f, .2f, .1f, .1f, .1f, .1f},
     {.temperature = .5f, .top_p = .6f},
     "x....."},
    {"top-k before top-p",
     {.4f, .2f, .1f, .1f, .1f, .1f},
     {.temperature = 1, .top_k = 2, .top_p = .6f},
     "x....."},
    {"top-p before min-p",
     {.5f, .2f, .1f, .1f, .05f, .05f},
     {.temperature = 1, .top_p = .6f, .min_p = .35f},
     "xx...."},
    {"all four",
     {.36f, .16f, .16f, .16f, .12f, .04f},
     {.temperature = 2, .top_k = 4, .top_p = .7f, .min_p = .5f},
     "xxx..."},
};

static void sampler_restrictions_leave_the_right_candidates(void **state) {
    (void)state;
    sampler s = make(6);
    for (size_t i = 0; i < sizeof set_cases / sizeof *set_cases; i++) {
        const struct set_case *c = &set_cases[i];
        float logits[6];
        char drawn[] = "......";
        for (int v = 0; v < 6; v++) logits[v] = logf(c->p[v]);
        for (uint64_t n = 0; n < 3000; n++) drawn[draw(&s, &c->sampling, logits, n)] = 'x';
        if (strcmp(drawn, c->drawn) != 0) fail_msg("%s: %s, not %s", c->name, drawn, c->drawn);
    }
    sampler_free(&s);
}

static void sampler_far_candidates_do_no_harm(void **state) {
    (void)state;
    const float logits[4] = {-3e38f, 3e38f, 0, 3e38f};
    sampler s = make(4);
    for (uint64_t n = 0; n < 1000; n++) {
        int32_t id = draw(&s, &(fm_sampling){.temperature = 1e-40f}, logits, n);
        assert_true(id == 1 || id == 3);
        id = draw(&s, &(fm_sampling){.temperature = 100, .min_p = 0.5f}, logits, n);
        assert_true(id == 1 || id == 3);
    }
    sampler_free(&s);
}

/* ---- Frequencies ----------------------------------------------------------------------------- */

/** Chi-square of drawn counts against probabilities. */
static double chi_square(const int32_t *counts, const double *p, int32_t n_bins) {
    double sum = 0.0;
    for (int32_t i = 0; i < n_bins; i++) {
        double expected = p[i] * N_DRAWS, off = counts[i] - expected;
        if (expected > 0.0)
            sum += off * off / expected;
        else
            assert_int_equal(counts[i], 0);
    }
    return sum;
}

/** Settings whose restrictions leave the first `n` of eight tokens with logits 0, -0.5, -1, … */
static const struct frequency_case {
    fm_sampling sampling;
    int32_t n;
} frequency_cases[] = {
    {{.temperature = 1, .seed = 1}, 8},
    {{.temperature = 1, .seed = UINT64_MAX}, 8},
    {{.temperature = 0.6f, .seed = 3}, 8},
    {{.temperature = 3, .top_k = 5, .seed = 4}, 5},
    {{.temperature = 1, .top_p = 0.8f, .seed = 5}, 4}, /* sums: .40 .65 .79 .88 */
    {{.temperature = 1, .min_p = 0.2f, .seed = 6}, 4}, /* ratios: 1 .61 .37 .22 .14 */
};

static void sampler_frequencies_are_the_probabilities(void **state) {
    (void)state;
    sampler s = make(8);
    float logits[8];
    for (int v = 0; v < 8; v++) logits[v] = -0.5f * (float)v;
    for (size_t i = 0; i < sizeof frequency_cases / sizeof *frequency_cases; i++) {
        const struct frequency_case *c = &frequency_cases[i];
        int32_t counts[8] = {0};
        double p[8] = {0}, total = 0.0;
        for (int v = 0; v < c->n; v++) total += exp(-0.5 * v / (double)c->sampling.temperature);
        for (int v = 0; v < c->n; v++)
            p[v] = exp(-0.5 * v / (double)c->sampling.temperature) / total;
        for (uint64_t n = 0; n < N_DRAWS; n++) counts[draw(&s, &c->sampling, logits, n)]++;
        /* Seven degrees of freedom go above 29.9 once in 10,000 times. */
        double distance = chi_square(counts, p, 8);
        if (!(distance < 29.9)) fail_msg("case %zu: chi-square %g", i, distance);
    }
    sampler_free(&s);
}

/** Sums run in blocks of 1,024: with 5,000 equal tokens every block has to get its share. */
static void sampler_large_vocabularies_are_drawn_evenly(void **state) {
    (void)state;
    enum { V = 5000 };
    static float logits[V];
    int32_t counts[50] = {0};
    double p[50];
    sampler s = make(V);
    for (int i = 0; i < 50; i++) p[i] = 1.0 / 50;
    for (int i = 0; i < V; i++) logits[i] = 2.5f;
    for (uint64_t n = 0; n < N_DRAWS / 10; n++)
        counts[draw(&s, &(fm_sampling){.temperature = 1, .seed = 11}, logits, n) / 100] += 10;
    assert_true(chi_square(counts, p, 50) / 10 < 95.0); /* 49 degrees of freedom: 1 in 10,000 */
    sampler_free(&s);
}

/* ---- Random numbers -------------------------------------------------------------------------- */

static void sampler_same_seed_same_tokens_other_seed_other_tokens(void **state) {
    (void)state;
    sampler a = make(6), b = make(6);
    const float logits[6] = {0.3f, 0, 0.1f, 0, 0.2f, 0};
    int32_t n_other = 0;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (uint64_t n = 0; n < 50; n++) {
            fm_sampling p = {.temperature = 1, .seed = seed}, q = {.temperature = 1, .seed = ~seed};
            int32_t id = draw(&a, &p, logits, n);
            n_other += id != draw(&b, &q, logits, n); /* what b drew before must not matter */
            assert_int_equal(draw(&b, &p, logits, n), id);
        }
    assert_in_range(n_other, 700, 950); /* of 1,000; 5 of 6 if independent */
    sampler_free(&a);
    sampler_free(&b);
}

static int compare_u64(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void sampler_uniform_numbers_are_in_range_and_even(void **state) {
    (void)state;
    double sum = 0.0, squares = 0.0;
    for (uint64_t n = 0; n < N_DRAWS; n++) {
        float u = sampler_uniform(42, n);
        assert_true(u >= 0.0f && u < 1.0f);
        assert_true(u * 0x1p24f == floorf(u * 0x1p24f)); /* 24 bits */
        sum += (double)u;
        squares += (double)u * (double)u;
    }
    assert_true(fabs(sum / N_DRAWS - 0.5) < 0.004); /* four deviations */
    assert_true(fabs(squares / N_DRAWS - 1.0 / 3) < 0.004);
}

/** 24 bits repeat by chance; two numbers in a row are 48, which 10^5 draws repeat once in 50,000
 * such tests. Half of the pairs are of one seed, half of neighbouring seeds. */
static void sampler_uniform_numbers_do_not_repeat(void **state) {
    (void)state;
    uint64_t *pairs = malloc(N_DRAWS * sizeof *pairs);
    assert_non_null(pairs);
    for (uint64_t n = 0; n < N_DRAWS; n++) {
        uint64_t seed = n < N_DRAWS / 2 ? 5 : 1000 + n / 100,
                 counter = n < N_DRAWS / 2 ? n : n % 100;
        uint64_t high = (uint64_t)(sampler_uniform(seed, counter) * 0x1p24f);
        pairs[n] = high << 24 | (uint64_t)(sampler_uniform(seed, counter + 1) * 0x1p24f);
    }
    qsort(pairs, N_DRAWS, sizeof *pairs, compare_u64);
    for (size_t n = 1; n < N_DRAWS; n++) assert_true(pairs[n] != pairs[n - 1]);
    free(pairs);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void sampler_logits_that_are_not_finite_are_refused(void **state) {
    (void)state;
    const float odd[] = {NAN, -NAN, INFINITY, -INFINITY};
    const fm_sampling ways[] = {{0}, {.temperature = 1}, {.temperature = 1, .top_k = 1}};
    sampler s = make(7);
    for (int way = 0; way < 3; way++)
        for (int i = 0; i < 4; i++)
            for (int at = 0; at < 7; at += 3) {
                float logits[7] = {9, 1, 2, 3, 4, 5, 6};
                int32_t id;
                logits[at] = odd[i];
                assert_int_equal(sampler_draw(&s, &ways[way], logits, 0, &id), FM_ERR_NOT_FINITE);
            }
    sampler_free(&s);
}

static const struct refused_case {
    fm_sampling sampling;
    const char *word;
} refused_cases[] = {
    {{.temperature = -0.1f}, "temperature must be from 0 to 100"},
    {{.temperature = 100.5f}, "temperature"},
    {{.temperature = NAN}, "temperature"},
    {{.temperature = INFINITY}, "temperature"},
    {{.top_k = -1}, "top_k must not be negative"},
    {{.top_k = INT32_MIN}, "top_k"},
    {{.top_p = -0.5f}, "top_p must be from 0 to 1"},
    {{.top_p = 1.01f}, "top_p"},
    {{.top_p = NAN}, "top_p"},
    {{.min_p = -0.5f}, "min_p must be from 0 to 1"},
    {{.min_p = 1.01f}, "min_p"},
    {{.min_p = NAN}, "min_p"},
};

static void sampler_parameters_out_of_range_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused_cases / sizeof *refused_cases; i++) {
        fm_error err = {0};
        expect_error(refused_cases[i].word, sampler_check(&refused_cases[i].sampling, &err), &err,
                     FM_ERR_ARG, refused_cases[i].word);
    }
    const fm_sampling ends[] = {{0}, {100, INT32_MAX, 1, 1, UINT64_MAX}, {1e-40f, 1, 1e-40f, 0, 0}};
    for (size_t i = 0; i < 3; i++) assert_int_equal(sampler_check(&ends[i], NULL), FM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampler_greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(sampler_restrictions_leave_the_right_candidates),
        cmocka_unit_test(sampler_far_candidates_do_no_harm),
        cmocka_unit_test(sampler_frequencies_are_the_probabilities),
        cmocka_unit_test(sampler_large_vocabularies_are_drawn_evenly),
        cmocka_unit_test(sampler_same_seed_same_tokens_other_seed_other_tokens),
        cmocka_unit_test(sampler_uniform_numbers_are_in_range_and_even),
        cmocka_unit_test(sampler_uniform_numbers_do_not_repeat),
        cmocka_unit_test(sampler_logits_that_are_not_finite_are_refused),
        cmocka_unit_test(sampler_parameters_out_of_range_are_refused),
    };
    return cmocka_run_group_tests_name("test_sampler", tests, NULL, NULL);
}
