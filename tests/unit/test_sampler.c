/*
 * test_sampler.c - which tokens can be drawn, how often, and that a draw is a function of its seed
 * and its place. Every draw is made from all tokens as candidates, from one candidate and from the
 * logits, with the same outcome. All seeds are fixed, so a frequency that agrees once agrees
 * always.
 */
#include "support/logit_row.h"

enum { MAX_V = 8, N_DRAWS = 100000 };

/** A row of logits and how to draw from it. */
typedef struct subject {
    sampler s;
    fm_sampling p;
    logit_row row;
} subject;

static subject make(int32_t vocab_size, const float *logits, fm_sampling p) {
    subject t = {.p = p};
    assert_int_equal(sampler_new(vocab_size, &t.s, NULL), FM_OK);
    logit_row_make(&t.row, vocab_size, &(sampler_logits){.logits = logits}, &p);
    return t;
}

static void drop(subject *t) {
    logit_row_free(&t->row);
    sampler_free(&t->s);
}

static int32_t draw(subject *t, uint64_t counter) {
    int32_t n = t->row.vocab_size;
    sampler_row whole = logit_row_with(&t->row, n + 1), one = logit_row_with(&t->row, 1);
    fm_logprob token, other;
    assert_int_equal(sampler_draw(&t->p, &whole, counter, &token), FM_OK);
    assert_in_range(token.id, 0, n - 1);
    assert_int_equal(sampler_draw(&t->p, &one, counter, &other), FM_OK);
    assert_true(other.id == token.id || other.id == -1);
    /* From the logits a draw costs more: not each of very many. */
    if (counter % 64 != 0) return token.id;
    assert_int_equal(sampler_draw_all(&t->s, &t->p, &one, &t->row.all, counter, &other), FM_OK);
    assert_int_equal(other.id, token.id);
    assert_true(other.logprob == token.logprob);
    return token.id;
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
    for (size_t i = 0; i < sizeof greedy_cases / sizeof *greedy_cases; i++)
        for (size_t k = 0; k < sizeof greedy_settings / sizeof *greedy_settings; k++) {
            subject t = make(MAX_V, greedy_cases[i].logits, greedy_settings[k]);
            for (uint64_t n = 0; n < 20; n++) assert_int_equal(draw(&t, n), greedy_cases[i].id);
            drop(&t);
        }
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
    for (size_t i = 0; i < sizeof set_cases / sizeof *set_cases; i++) {
        const struct set_case *c = &set_cases[i];
        float logits[6];
        char drawn[] = "......";
        for (int v = 0; v < 6; v++) logits[v] = logf(c->p[v]);
        subject t = make(6, logits, c->sampling);
        for (uint64_t n = 0; n < 3000; n++) drawn[draw(&t, n)] = 'x';
        drop(&t);
        if (strcmp(drawn, c->drawn) != 0) fail_msg("%s: %s, not %s", c->name, drawn, c->drawn);
    }
}

static void sampler_far_candidates_do_no_harm(void **state) {
    (void)state;
    const float logits[4] = {-3e38f, 3e38f, 0, 3e38f};
    const fm_sampling ways[] = {{.temperature = 1e-40f},
                                {.temperature = 100, .min_p = 0.5f},
                                {.temperature = 100, .top_p = 0.999999f},
                                {.temperature = 100, .top_k = 4}};
    for (int way = 0; way < 4; way++) {
        subject t = make(4, logits, ways[way]);
        for (uint64_t n = 0; n < 1000; n++) {
            int32_t id = draw(&t, n);
            assert_true(id == 1 || id == 3);
        }
        drop(&t);
    }
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
    float logits[8];
    for (int v = 0; v < 8; v++) logits[v] = -0.5f * (float)v;
    for (size_t i = 0; i < sizeof frequency_cases / sizeof *frequency_cases; i++) {
        const struct frequency_case *c = &frequency_cases[i];
        int32_t counts[8] = {0};
        double p[8] = {0}, total = 0.0;
        for (int v = 0; v < c->n; v++) total += exp(-0.5 * v / (double)c->sampling.temperature);
        for (int v = 0; v < c->n; v++)
            p[v] = exp(-0.5 * v / (double)c->sampling.temperature) / total;
        subject t = make(8, logits, c->sampling);
        for (uint64_t n = 0; n < N_DRAWS; n++) counts[draw(&t, n)]++;
        drop(&t);
        /* Seven degrees of freedom go above 29.9 once in 10,000 times. */
        double distance = chi_square(counts, p, 8);
        if (!(distance < 29.9)) fail_msg("case %zu: chi-square %g", i, distance);
    }
}

/** Of 5,000 equal tokens every place has to get its share, whatever the candidates cover. */
static void sampler_large_vocabularies_are_drawn_evenly(void **state) {
    (void)state;
    enum { V = 5000 };
    static float logits[V];
    int32_t counts[50] = {0};
    double p[50];
    for (int i = 0; i < 50; i++) p[i] = 1.0 / 50;
    for (int i = 0; i < V; i++) logits[i] = 2.5f;
    subject t = make(V, logits, (fm_sampling){.temperature = 1, .seed = 11});
    for (uint64_t n = 0; n < N_DRAWS / 10; n++) counts[draw(&t, n) / 100] += 10;
    drop(&t);
    assert_true(chi_square(counts, p, 50) / 10 < 95.0); /* 49 degrees of freedom: 1 in 10,000 */
}

/* ---- Random numbers -------------------------------------------------------------------------- */

static void sampler_same_seed_same_tokens_other_seed_other_tokens(void **state) {
    (void)state;
    const float logits[6] = {0.3f, 0, 0.1f, 0, 0.2f, 0};
    int32_t n_other = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        subject a = make(6, logits, (fm_sampling){.temperature = 1, .seed = seed});
        subject b = make(6, logits, (fm_sampling){.temperature = 1, .seed = ~seed});
        for (uint64_t n = 0; n < 50; n++) {
            int32_t id = draw(&a, n);
            b.p.seed = ~seed;
            n_other += id != draw(&b, n); /* what b drew before must not matter */
            b.p.seed = seed;
            assert_int_equal(draw(&b, n), id);
        }
        drop(&a);
        drop(&b);
    }
    assert_in_range(n_other, 700, 950); /* of 1,000; 5 of 6 if independent */
}

/** Answers of recorded requests depend on these. */
static void sampler_uniform_numbers_stay_as_they_are(void **state) {
    (void)state;
    static const struct {
        uint64_t seed, counter;
        int32_t bits;
    } golden[] = {{0, 0, 10946269}, {0, 1, 11764387},  {0, 1000000, 2499445},
                  {1, 0, 6177195},  {42, 7, 12326563}, {UINT64_MAX, 3, 15551838}};
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        assert_true(sampler_uniform(golden[i].seed, golden[i].counter) * 0x1p24f ==
                    (float)golden[i].bits);
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

static const fm_sampling all_ways[] = {
    {0}, {.temperature = 1}, {.temperature = 1, .top_k = 1}, {.temperature = 1, .top_p = 0.5f}};

static void expect_refused(const float *logits, const uint32_t *mask, const penalty_edits *edits,
                           fm_status expected) {
    for (int way = 0; way < 4; way++) {
        subject t = make(7, logits, all_ways[way]);
        logit_row_free(&t.row);
        logit_row_make(&t.row, 7, &(sampler_logits){logits, edits, mask}, &t.p);
        sampler_row row = logit_row_with(&t.row, 3);
        fm_logprob token = {.id = 99};
        assert_int_equal(sampler_draw(&t.p, &row, 0, &token), expected);
        assert_int_equal(sampler_draw_all(&t.s, &t.p, &row, &t.row.all, 0, &token), expected);
        assert_int_equal(token.id, 99);
        drop(&t);
    }
}

static void sampler_logits_that_are_not_finite_are_refused(void **state) {
    (void)state;
    const float odd[] = {NAN, -NAN, INFINITY, -INFINITY};
    const uint32_t masks[] = {0x7f, 0x02}; /* the second rules the odd ones out */
    for (int i = 0; i < 4; i++)
        for (int at = 0; at < 7; at += 3)
            for (int m = 0; m < 2; m++) {
                float logits[7] = {9, 1, 2, 3, 4, 5, 6};
                logits[at] = odd[i];
                expect_refused(logits, &masks[m], NULL, FM_ERR_NOT_FINITE);
            }
}

static void sampler_edits_to_infinity_are_refused(void **state) {
    (void)state;
    const float logits[7] = {9, 1, 3e38f, 3, 4, 5, 6};
    int32_t id = 2;
    float scale = 0.01f, add = 0;
    expect_refused(logits, NULL, &(penalty_edits){1, &id, &scale, &add}, FM_ERR_NOT_FINITE);
}

static void sampler_masks_that_allow_nothing_are_refused(void **state) {
    (void)state;
    const float logits[7] = {9, 1, 2, 3, 4, 5, 6};
    const uint32_t mask = 0xffffff80u;
    expect_refused(logits, &mask, NULL, FM_ERR_ARG);
}

/** Ids 0 and 1 stand twice in the list of one case. */
static const fm_logit_bias odd_bias[] = {{0, 1},  {1, 1},   {0, 2},       {7, 1},
                                         {-1, 1}, {2, NAN}, {3, INFINITY}};

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
    {{.repetition_penalty = -1}, "repetition_penalty must be 0 or from 0.01 to 100"},
    {{.repetition_penalty = 0.005f}, "repetition_penalty"},
    {{.repetition_penalty = 101}, "repetition_penalty"},
    {{.repetition_penalty = NAN}, "repetition_penalty"},
    {{.repetition_penalty = INFINITY}, "repetition_penalty"},
    {{.frequency_penalty = 2.1f}, "frequency_penalty must be from -2 to 2"},
    {{.frequency_penalty = -2.1f}, "frequency_penalty"},
    {{.frequency_penalty = NAN}, "frequency_penalty"},
    {{.presence_penalty = 2.1f}, "presence_penalty must be from -2 to 2"},
    {{.presence_penalty = -INFINITY}, "presence_penalty"},
    {{.presence_penalty = NAN}, "presence_penalty"},
    {{.bias = odd_bias, .n_bias = 3}, "two values of logit bias for token 0"},
    {{.bias = odd_bias + 3, .n_bias = 1}, "token 7, which is outside the vocabulary of 7"},
    {{.bias = odd_bias + 4, .n_bias = 1}, "token -1"},
    {{.bias = odd_bias + 5, .n_bias = 1}, "bias of token 2 is not finite"},
    {{.bias = odd_bias + 6, .n_bias = 1}, "bias of token 3 is not finite"},
    {{.bias = NULL, .n_bias = 1}, "missing"},
    {{.bias = odd_bias, .n_bias = 1025}, "at most 1024"},
    {{.bias = odd_bias, .n_bias = SIZE_MAX}, "at most 1024"},
};

static void sampler_parameters_out_of_range_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused_cases / sizeof *refused_cases; i++) {
        fm_error err = {0};
        expect_error(refused_cases[i].word, sampler_check(&refused_cases[i].sampling, 7, &err),
                     &err, FM_ERR_ARG, refused_cases[i].word);
    }
}

static void sampler_parameters_at_the_ends_of_ranges_are_taken(void **state) {
    (void)state;
    static fm_logit_bias bias[FM_LOGIT_BIAS_MAX];
    for (int32_t i = 0; i < FM_LOGIT_BIAS_MAX; i++) bias[i] = (fm_logit_bias){i, 3e38f};
    const fm_sampling ends[] = {{0},
                                {.temperature = 100,
                                 .top_k = INT32_MAX,
                                 .top_p = 1,
                                 .min_p = 1,
                                 .repetition_penalty = 100,
                                 .frequency_penalty = 2,
                                 .presence_penalty = 2,
                                 .bias = bias,
                                 .n_bias = FM_LOGIT_BIAS_MAX,
                                 .seed = UINT64_MAX},
                                {.temperature = 1e-40f,
                                 .top_k = 1,
                                 .top_p = 1e-40f,
                                 .repetition_penalty = 0.01f,
                                 .frequency_penalty = -2,
                                 .presence_penalty = -2}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(sampler_check(&ends[i], FM_LOGIT_BIAS_MAX, NULL), FM_OK);
    assert_true(sampler_temperature(&ends[0]) == 1.0f);
    assert_true(sampler_temperature(&ends[1]) == 100.0f);
    assert_true(sampler_temperature(&ends[2]) == 1e-30f);
}

/* ---- Log-probabilities ----------------------------------------------------------------------- */

/** Of the model's own distribution: the same at any temperature, whatever else may be drawn. */
static void sampler_logprobs_are_those_of_the_logits(void **state) {
    (void)state;
    const float logits[7] = {3, -80, 2.5f, 2.5f, 0, 3, -1};
    const fm_sampling ways[] = {{0}, {.temperature = 0.5f, .top_k = 3}, {.temperature = 9}};
    double sum = 0.0;
    for (int v = 0; v < 7; v++) sum += exp((double)logits[v]);
    for (int way = 0; way < 3; way++) {
        subject t = make(7, logits, ways[way]);
        sampler_row row = logit_row_with(&t.row, 8);
        fm_logprob token, best[8];
        for (uint64_t n = 0; n < 200; n++) {
            assert_int_equal(sampler_draw(&t.p, &row, n, &token), FM_OK);
            double expected = (double)logits[token.id] - log(sum);
            assert_true(fabs((double)token.logprob - expected) < 1e-6 * (1 + fabs(expected)));
        }
        static const int32_t order[] = {0, 5, 2, 3, 4, 6, 1};
        assert_int_equal(sampler_alternatives(row.sums, row.ids, row.raw, 8, best), 7);
        assert_int_equal(sampler_alternatives(row.sums, row.ids, row.raw, 2, best), 2);
        for (int i = 0; i < 7; i++) {
            double expected = (double)logits[order[i]] - log(sum);
            assert_int_equal(best[i].id, order[i]);
            assert_true(fabs((double)best[i].logprob - expected) < 1e-6 * (1 + fabs(expected)));
        }
        drop(&t);
    }
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
        cmocka_unit_test(sampler_uniform_numbers_stay_as_they_are),
        cmocka_unit_test(sampler_logits_that_are_not_finite_are_refused),
        cmocka_unit_test(sampler_edits_to_infinity_are_refused),
        cmocka_unit_test(sampler_masks_that_allow_nothing_are_refused),
        cmocka_unit_test(sampler_parameters_out_of_range_are_refused),
        cmocka_unit_test(sampler_parameters_at_the_ends_of_ranges_are_taken),
        cmocka_unit_test(sampler_logprobs_are_those_of_the_logits),
    };
    return cmocka_run_group_tests_name("test_sampler", tests, NULL, NULL);
}
