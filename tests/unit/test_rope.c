/*
 * test_rope.c - frequencies, tables and softmax scales of published models against check values
 * that were computed apart from the code (spec: rotary scalings of the published models).
 */
#include <math.h>

#include "support/config_text.h"
#include "support/expect.h"

enum { MAX_PAIRS = 64 };

static const double PI = 3.14159265358979323846;

static void expect_near(const char *what, int i, double got, double expected, double tolerance) {
    if (!(fabs(got - expected) <= tolerance * fabs(expected)))
        fail_msg("%s %d: %.9g, not %.9g", what, i, got, expected);
}

/** The angle per position of pair i without scaling. */
static double plain(const rope_params *p, int32_t i) {
    return pow(p->base, -2.0 * i / p->dim);
}

/** What is left of the plain frequency of each pair: 1 when kept, 1 / factor when stretched. */
static void shares_of(const rope_params *p, double *shares) {
    float f[MAX_PAIRS];
    assert_true(p->dim / 2 <= MAX_PAIRS);
    rope_frequencies(p, f);
    for (int32_t i = 0; i < p->dim / 2; i++) shares[i] = (double)f[i] / plain(p, i);
}

/* ---- Frequencies ----------------------------------------------------------------------------- */

static void rope_without_scaling_is_a_power_of_the_base(void **state) {
    (void)state;
    const config c = config_text_get("deepseek_llm_7b", "");
    double shares[MAX_PAIRS];
    shares_of(&c.rope, shares);
    assert_int_equal(c.rope.dim, 128);
    for (int i = 0; i < 64; i++) expect_near("pair", i, shares[i], 1.0, 1e-7);
    float f[MAX_PAIRS];
    rope_frequencies(&c.rope, f);
    assert_true(f[0] == 1.0f);
    expect_near("pair", 32, (double)f[32], 0.01, 1e-7); /* 10000^(-1/2) */
}

static void rope_linear_divides_by_the_factor(void **state) {
    (void)state;
    const config c = config_text_get("deepseek_coder_6.7b", "");
    double shares[MAX_PAIRS];
    shares_of(&c.rope, shares);
    for (int i = 0; i < 64; i++) expect_near("pair", i, shares[i], 0.25, 1e-7);
}

/** The YaRN ramp by what can be seen of it: pairs up to `low` are kept, those from `high` on
 * divided by the factor, with a straight line between. */
static const struct yarn_case {
    const char *name;
    const char *config, *edits;
    double factor, low, high;
} yarn_cases[] = {
    {"V3", "deepseek_v3", "quantization_config", 40, 10, 23},
    {"base 160000", "deepseek_v3",
     "quantization_config;rope_theta=160000;rope_scaling/original_max_position_embeddings=65536;"
     "rope_scaling/factor=16",
     16, 15, 25},
    {"not truncated", "deepseek_v3", "quantization_config;rope_scaling/truncate=false", 40,
     10.4722408, 22.5134406},
    {"other betas", "deepseek_v3",
     "quantization_config;rope_scaling/beta_fast=16;rope_scaling/beta_slow=2", 40, 12, 21},
    {"ratio of the contexts", "deepseek_v3", "quantization_config;rope_scaling/factor=null", 40, 10,
     23},
    {"original context absent", "deepseek_v3",
     "quantization_config;rope_scaling/original_max_position_embeddings", 40, 23, 36},
    {"ramp from the first pair", "deepseek_v3",
     "quantization_config;rope_scaling/original_max_position_embeddings=64", 40, 0, 9},
    {"ramp of no width", "deepseek_v3",
     "quantization_config;rope_scaling/truncate=false;rope_scaling/beta_fast=1", 40, 22.5134406,
     22.5144406},
    {"ramp of no width at the first pair", "deepseek_v3",
     "quantization_config;rope_scaling/original_max_position_embeddings=6", 40, 0, 0.001},
    {"ramp cut at the last dimension", "deepseek_v3",
     "quantization_config;rope_scaling/beta_slow=0.000001", 40, 10, 63},
    {"ramp before the first pair", "deepseek_v3",
     "quantization_config;rope_scaling/original_max_position_embeddings=4", 40, 0, -1},
};

static void rope_yarn_keeps_fast_pairs_and_stretches_slow_ones(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof yarn_cases / sizeof *yarn_cases; n++) {
        const struct yarn_case *y = &yarn_cases[n];
        const config c = config_text_get(y->config, y->edits);
        double shares[MAX_PAIRS];
        shares_of(&c.rope, shares);
        for (int i = 0; i < 32; i++) {
            double ramp = (i - y->low) / (y->high - y->low);
            ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
            expect_near(y->name, i, shares[i], 1.0 - ramp + ramp / y->factor, 3e-7);
        }
    }
}

static void rope_llama3_keeps_short_waves_and_stretches_long_ones(void **state) {
    (void)state;
    const config c = config_text_get("r1_distill_llama_8b", "");
    double shares[MAX_PAIRS];
    int n_kept = 0, n_stretched = 0;
    shares_of(&c.rope, shares);
    for (int i = 0; i < 64; i++) {
        double turns = 8192.0 / (2.0 * PI / plain(&c.rope, i)); /* within the original context */
        double u = (turns - 1.0) / 3.0;
        double expected = turns > 4.0 ? 1.0 : turns < 1.0 ? 0.125 : u + (1.0 - u) / 8.0;
        expect_near("pair", i, shares[i], expected, 2e-7);
        n_kept += turns > 4.0;
        n_stretched += turns < 1.0;
    }
    /* ln(8192 / (2 pi 4)) / ln(500000) * 64 = 28.2, and with 1 instead of 4: 34.98 */
    assert_int_equal(n_kept, 29);
    assert_int_equal(n_stretched, 64 - 35);
}

/* ---- Magnitudes and softmax scales ----------------------------------------------------------- */

static void rope_yarn_magnitude_is_the_papers(void **state) {
    (void)state;
    static const struct {
        double s, m, magnitude;
    } cases[] = {{40, 1, 1.36888795}, {40, 0.707, 1.26080378}, {1, 1, 1}, {0.5, 1, 1}, {40, 0, 1}};
    for (int i = 0; i < 5; i++)
        expect_near("case", i, rope_yarn_magnitude(cases[i].s, cases[i].m), cases[i].magnitude,
                    1e-8);
}

/** Edits of V3's rope_scaling, and what they make of cosines and of the softmax scale. */
static const struct scale_case {
    const char *edits;
    double magnitude, softmax_scale;
} scale_cases[] = {
    {"", 1.0, 0.1352338},
    {"rope_scaling/mscale=0.707;rope_scaling/mscale_all_dim=0.707", 1.0, 0.1147213},
    {"rope_scaling/mscale;rope_scaling/mscale_all_dim", 1.36888795, 0.07216878},
    {"rope_scaling/mscale=0;rope_scaling/mscale_all_dim=0", 1.36888795, 0.07216878},
    {"rope_scaling/mscale=null;rope_scaling/mscale_all_dim=null", 1.36888795, 0.07216878},
    {"rope_scaling/mscale_all_dim=0.707", 1.36888795 / 1.26080378, 0.1147213},
    {"rope_scaling/mscale", 1.36888795, 0.1352338},
    {"rope_scaling/attention_factor=1.5", 1.5, 0.1352338},
    {"rope_scaling/factor=1", 1.0, 0.07216878},
    {"rope_scaling/type=\"linear\"", 1.0, 0.1352338},
    {"rope_scaling/type=\"default\"", 1.0, 0.07216878},
    {"rope_scaling=null", 1.0, 0.07216878},
};

static void rope_softmax_scale_carries_the_magnitude_squared(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof scale_cases / sizeof *scale_cases; i++) {
        char edits[256];
        snprintf(edits, sizeof edits, "quantization_config;%s", scale_cases[i].edits);
        const config c = config_text_get("deepseek_v3", edits);
        expect_near(edits, (int)i, c.rope.magnitude, scale_cases[i].magnitude, 1e-7);
        expect_near(edits, (int)i, (double)c.softmax_scale, scale_cases[i].softmax_scale, 1e-6);
    }
    const config llama = config_text_get("r1_distill_llama_8b", "");
    expect_near("llama", 0, (double)llama.softmax_scale, 1.0 / sqrt(128.0), 1e-7);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void rope_table_holds_cosine_and_sine_of_position_times_frequency(void **state) {
    (void)state;
    enum { N = 70 };
    rope_params p = config_text_get("deepseek_v3", "quantization_config").rope;
    float table[N * 32 * 2], f[32];
    p.magnitude = 1.25;
    rope_frequencies(&p, f);
    rope_fill_table(&p, N, table);
    for (int t = 0; t < N; t++)
        for (int i = 0; i < 32; i++) {
            const float *pair = table + (t * 32 + i) * 2;
            double angle = (double)((float)t * f[i]);
            assert_true(fabs((double)pair[0] - 1.25 * cos(angle)) <= 1e-7);
            assert_true(fabs((double)pair[1] - 1.25 * sin(angle)) <= 1e-7);
        }
    assert_true(table[0] == 1.25f && table[1] == 0.0f); /* position 0 does not turn */
}

/** The reference multiplies in float32: far out that moves an angle by more than a table's error.
 */
static void rope_table_rounds_the_angle_to_float32(void **state) {
    (void)state;
    enum { N = 10000 };
    const rope_params p = {.dim = 4, .base = 10.0, .factor = 1.0, .magnitude = 1.0};
    float *table = malloc(N * 2 * 2 * sizeof *table), f[2];
    int n_moved = 0;
    assert_non_null(table);
    rope_frequencies(&p, f);
    rope_fill_table(&p, N, table);
    for (int t = 0; t < N; t++) {
        const float *pair = table + (t * 2 + 1) * 2;
        double exact = (double)t * (double)f[1], rounded = (double)((float)t * f[1]);
        assert_true(fabs((double)pair[0] - cos(rounded)) <= 1e-7);
        assert_true(fabs((double)pair[1] - sin(rounded)) <= 1e-7);
        n_moved += fabs(cos(exact) - cos(rounded)) > 5e-5;
    }
    assert_true(n_moved > 100);
    free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rope_without_scaling_is_a_power_of_the_base),
        cmocka_unit_test(rope_linear_divides_by_the_factor),
        cmocka_unit_test(rope_yarn_keeps_fast_pairs_and_stretches_slow_ones),
        cmocka_unit_test(rope_llama3_keeps_short_waves_and_stretches_long_ones),
        cmocka_unit_test(rope_yarn_magnitude_is_the_papers),
        cmocka_unit_test(rope_softmax_scale_carries_the_magnitude_squared),
        cmocka_unit_test(rope_table_holds_cosine_and_sine_of_position_times_frequency),
        cmocka_unit_test(rope_table_rounds_the_angle_to_float32),
    };
    return cmocka_run_group_tests_name("test_rope", tests, NULL, NULL);
}
