/*
 * test_forward.c - the forward pass below the engine: several sequences in one ragged step with scattered
 * cache pages, and every operation failing once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/checkpoint.h"
#include "model/forward.h"

enum { MAX_TOKENS = 64, MAX_CONTEXT = 256, N_PAGES = 12, MAX_SEQUENCES = 3 };

/* ---- A CPU backend that fails on demand ------------------------------------------------------ */

static int64_t ops_until_failure = -1; /* -1: never */
static int64_t n_ops;

#define FAILING_OP(name)                                                                           \
    static fm_status failing_##name(fm_device_state *s, const fm_##name *args) {                   \
        n_ops++;                                                                                   \
        if (ops_until_failure >= 0 && ops_until_failure-- == 0) return FM_ERR_MEMORY;              \
        return fm_backend_cpu.name(s, args);                                                       \
    }
FM_OP_LIST(FAILING_OP)

static fm_backend failing_backend(void) {
    fm_backend backend = fm_backend_cpu;
#define FAILING_ENTRY(name) backend.name = failing_##name;
    FM_OP_LIST(FAILING_ENTRY)
    return backend;
}

/* ---- A model put together by hand ------------------------------------------------------------- */

typedef struct rig {
    fm_checkpoint *checkpoint;
    fm_device *dev;
    model_weights weights;
    fm_buf *rope_buf;
    kv_cache cache;
    activations a;
    step s;
    forward f;
    float *logits; /* [V] */
} rig;

static void must(fm_status status, const fm_error *err) {
    if (status != FM_OK) fail_msg("%s", err->text);
}

static void rig_open(rig *r, const fm_backend *backend, const char *name) {
    char dir[512];
    fm_error err = {0};
    *r = (rig){0};
    snprintf(dir, sizeof dir, TEST_DATA "/oracle/%s", name);
    must(fm_checkpoint_open(dir, &r->checkpoint, &err), &err);
    const config *c = &r->checkpoint->config;
    fm_device_params params = {.max_tokens = MAX_TOKENS,
                               .max_rows = MAX_TOKENS * (c->router.top_k + 1),
                               .max_sequences = MAX_SEQUENCES,
                               .max_context = MAX_CONTEXT,
                               .n_threads = 2};
    must(device_open(backend, &params, (fm_log){0}, &r->dev, &err), &err);
    must(weights_load(c, r->checkpoint->files, r->dev, FM_DTYPE_F32, NULL, &r->weights, &err),
         &err);
    must(cache_new(c, &r->weights, N_PAGES, FM_DTYPE_F32, &r->cache, &err), &err);
    must(activations_new(c, r->dev, MAX_TOKENS, &r->a, &err), &err);
    must(step_new(r->dev, MAX_TOKENS, MAX_SEQUENCES, MAX_CONTEXT, &r->s, &err), &err);
    size_t n = (size_t)MAX_CONTEXT * (size_t)c->rope.dim;
    float *table = malloc(n * sizeof *table);
    must(buf_new(r->dev, n * sizeof *table, &r->rope_buf, &err), &err);
    fm_tensor rope = tensor_3d(r->rope_buf, FM_DTYPE_F32, MAX_CONTEXT, c->rope.dim / 2, 2);
    rope_fill_table(&c->rope, MAX_CONTEXT, table);
    assert_int_equal(device_write(r->dev, rope, table), FM_OK);
    free(table);
    r->f = (forward){c, &r->weights, rope, &r->cache, &r->a, &r->s};
    r->logits = malloc((size_t)c->vocab_size * sizeof *r->logits);
}

static void rig_close(rig *r) {
    free(r->logits);
    step_free(&r->s);
    activations_free(&r->a);
    cache_free(&r->cache, &r->weights);
    weights_free(&r->weights, r->dev);
    buf_free(r->dev, r->rope_buf);
    device_close(r->dev);
    fm_checkpoint_close(r->checkpoint);
}

/** A made-up sequence: token i of sequence q. */
static int32_t token_of(const rig *r, int32_t q, int32_t i) {
    return (i * 37 + q * 101 + 5) % r->f.c->vocab_size;
}

/** Adds tokens [start, start + n) of sequence q, whose pages are given, to the step. */
static void add(rig *r, int32_t q, int32_t start, int32_t n, const int32_t *pages) {
    int32_t tokens[MAX_TOKENS];
    for (int32_t i = 0; i < n; i++) tokens[i] = token_of(r, q, start + i);
    step_add(&r->s, &(step_part){tokens, n, start, pages});
}

static fm_status run(rig *r) {
    FM_TRY(step_upload(&r->s));
    return forward_layers(&r->f);
}

/** Logits of one token of the step, as memory of the rig. */
static const float *logits_of(rig *r, int32_t row) {
    assert_int_equal(forward_logits(&r->f, &row, 1, r->logits), FM_OK);
    return r->logits;
}

/* ---- Many sequences ---------------------------------------------------------------------------- */

static const int32_t alone[] = {0, 1, 2, 3};

/** Logits of token n - 1 of sequence q, run alone in one chunk after another. */
static float *run_alone(rig *r, int32_t q, int32_t n) {
    size_t size = (size_t)r->f.c->vocab_size * sizeof(float);
    int32_t start = 0, chunk = 0;
    for (; start < n; start += chunk) {
        chunk = n - start < MAX_TOKENS ? n - start : MAX_TOKENS;
        step_begin(&r->s);
        add(r, q, start, chunk, alone);
        assert_int_equal(run(r), FM_OK);
    }
    return memcpy(malloc(size), logits_of(r, chunk - 1), size);
}

/** Three sequences of different lengths advance in the same steps, chunks of different sizes beside
 * single tokens, their pages scattered and out of order. */
static void ragged_equals_alone(const char *name) {
    static const int32_t pages[][3] = {{7, 2, 11}, {0, 9, 4}, {5, 1, 8}};
    static const struct {
        int32_t start[3], n[3];
    } steps[] = {{{0, 0, 0}, {40, 7, 1}}, {{40, 7, 1}, {1, 50, 13}}, {{41, 57, 14}, {30, 9, 1}}};
    static const int32_t length[] = {71, 66, 15};
    rig r;
    float *expected[3];
    rig_open(&r, &fm_backend_cpu, name);
    size_t size = (size_t)r.f.c->vocab_size * sizeof(float);
    for (int32_t q = 0; q < 3; q++) expected[q] = run_alone(&r, q, length[q]);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        step_begin(&r.s);
        for (int32_t q = 0; q < 3; q++) add(&r, q, steps[i].start[q], steps[i].n[q], pages[q]);
        assert_int_equal(run(&r), FM_OK);
    }
    for (int32_t q = 0, row = -1; q < 3; q++) {
        row += steps[2].n[q];
        assert_memory_equal(logits_of(&r, row), expected[q], size);
        free(expected[q]);
    }
    rig_close(&r);
}

static void forward_ragged_steps_give_the_bits_of_each_sequence_alone(void **state) {
    (void)state;
    ragged_equals_alone("llama_gqa_tied");
    ragged_equals_alone("v3_groups");
    ragged_equals_alone("v3_yarn");
}

/* ---- Failing operations ------------------------------------------------------------------------ */

/** Every operation of a pass fails once; the status comes back and the next pass is right. */
static void survives_each_failure(const char *name) {
    fm_backend backend = failing_backend();
    rig r;
    rig_open(&r, &backend, name);
    float *expected = run_alone(&r, 0, 5);
    size_t size = (size_t)r.f.c->vocab_size * sizeof *expected;
    n_ops = 0;
    free(run_alone(&r, 0, 5));
    int64_t n = n_ops, n_failed = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t row = 4;
        ops_until_failure = i;
        step_begin(&r.s);
        add(&r, 0, 0, 5, alone);
        fm_status status = run(&r);
        if (status == FM_OK) status = forward_logits(&r.f, &row, 1, r.logits);
        n_failed += status == FM_ERR_MEMORY;
        ops_until_failure = -1;
        float *again = run_alone(&r, 0, 5);
        assert_memory_equal(again, expected, size);
        free(again);
    }
    assert_true(n > 20);
    assert_int_equal(n_failed, n);
    free(expected);
    rig_close(&r);
}

static void forward_survives_the_failure_of_each_operation(void **state) {
    (void)state;
    survives_each_failure("llama_mha");
    survives_each_failure("v3_q_lora");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_ragged_steps_give_the_bits_of_each_sequence_alone),
        cmocka_unit_test(forward_survives_the_failure_of_each_operation),
    };
    return cmocka_run_group_tests_name("test_forward", tests, NULL, NULL);
}
