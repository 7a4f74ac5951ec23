/*
 * test_real.c - rung 10 of the ladder: SmolLM2-135M, where `./dev model smollm2` has put it,
 * against what
 * `./dev oracle` recorded from the reference implementation.
 */
#include <math.h>

#include "oracle.h"
#include "run.h"
#include "support/cache.h"

static char model_dir[2048], oracle_dir[2048];

static void need_model(void) {
    cache_need(model_dir, "model.safetensors", "./dev model smollm2");
}

static void real_model_says_paris(void **state) {
    (void)state;
    need_model();
    const int32_t prompt[] = {504, 3575, 282, 4649, 314}; /* The capital of France is */
    const char *formats[] = {"auto", "f32"};
    for (int i = 0; i < 2; i++) {
        run r = run_open(model_dir, &(fm_model_params){.dtype = formats[i], .max_context = 64});
        run_answer answer = run_generate(&r, prompt, 5, 2, (fm_sampling){0});
        assert_int_equal(answer.ids[0], 7042); /* " Paris" */
        assert_int_equal(answer.ids[1], 30);   /* "." */
        run_close(&r);
    }
}

static void real_model_f32_logits_are_the_references(void **state) {
    (void)state;
    need_model();
    cache_need(oracle_dir, "cases.txt", "./dev oracle");
    oracle o;
    assert_true(oracle_read(oracle_dir, &o));
    assert_true(o.n_cases >= 3);
    run r = run_open(model_dir, &(fm_model_params){.dtype = "f32"});
    for (int32_t k = 0; k < o.n_cases; k++) {
        const oracle_case *c = &o.cases[k];
        double worst = 0.0;
        float *logits = run_logits(&r, c->ids, c->n_ids);
        for (size_t row = 0; row < (size_t)c->n_rows; row++)
            for (size_t v = 0; v < (size_t)o.vocab; v++) {
                size_t at = (size_t)c->rows[row] * (size_t)o.vocab + v;
                double difference =
                    fabs((double)logits[at] - (double)c->logits[row * (size_t)o.vocab + v]);
                if (!(difference / c->range <= worst)) worst = difference / c->range;
            }
        print_message("%-10s %3d tokens: worst difference %.1e of the range\n", c->name, c->n_ids,
                      worst);
        assert_true(worst <= 1e-4);
        run_answer answer = run_generate(&r, c->ids, c->n_ids, c->n_greedy, (fm_sampling){0});
        assert_int_equal(answer.n, c->n_greedy);
        assert_memory_equal(answer.ids, c->greedy, (size_t)c->n_greedy * sizeof *c->greedy);
        free(logits);
    }
    run_close(&r);
    oracle_free(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_model_says_paris),
        cmocka_unit_test(real_model_f32_logits_are_the_references),
    };
    cache_path("models/smollm2", model_dir, sizeof model_dir);
    cache_path("oracle/smollm2", oracle_dir, sizeof oracle_dir);
    return cmocka_run_group_tests_name("test_real", tests, NULL, NULL);
}
