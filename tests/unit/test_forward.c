/*
 * test_forward.c - the forward pass below the engine: several sequences in one ragged step with
 * scattered cache pages, and every operation failing once.
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
#include "support/replay.h"

enum { MAX_TOKENS = 64, MAX_CONTEXT = 256, N_PAGES = 12, MAX_SEQUENCES = 3 };

/* ---- A model put together by hand ------------------------------------------------------------- */

typedef struct rig {
    fm_checkpoint *checkpoint;
    fm_device *dev;
    placement places; /* all layers on it */
    model_weights weights;
    fm_buf *rope_buf;
    fm_tensor rope_table;
    kv_cache cache;
    activations a;
    step s;
    forward f;
    float *logits; /* [V] */
} rig;

static void must(fm_status status, const fm_error *err) {
    if (status != FM_OK) fail_msg("%s", err->text);
}

static void rig_open_on(rig *r, const fm_backend *backend, const char *name, bool plan_only) {
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
                               .n_threads = 2,
                               .plan_only = plan_only};
    must(device_open(backend, &params, (fm_log){0}, &r->dev, &err), &err);
    r->places = placement_on(r->dev, c->n_layers);
    must(weights_load(c, r->checkpoint->files, &r->places, FM_DTYPE_F32, NULL, &r->weights, &err),
         &err);
    must(cache_new(c, &r->weights, (const int32_t[CACHE_MAX_CLASSES]){N_PAGES, N_PAGES},
                   FM_DTYPE_F32, &r->cache, &err),
         &err);
    must(activations_new(c, r->places.runs, MAX_TOKENS, &r->a, &err), &err);
    must(step_new(&r->places,
                  &(step_params){MAX_TOKENS, MAX_SEQUENCES, MAX_CONTEXT, r->cache.n_classes}, &r->s,
                  &err),
         &err);
    size_t n = (size_t)MAX_CONTEXT * (size_t)c->rope.dim;
    float *table = malloc(n * sizeof *table);
    must(buf_new(r->dev, n * sizeof *table, &r->rope_buf, &err), &err);
    r->rope_table = tensor_3d(r->rope_buf, FM_DTYPE_F32, MAX_CONTEXT, c->rope.dim / 2, 2);
    rope_fill_table(&c->rope, MAX_CONTEXT, table);
    assert_int_equal(device_write(r->dev, r->rope_table, table), FM_OK);
    free(table);
    r->f = (forward){.c = c,
                     .w = &r->weights,
                     .places = &r->places,
                     .rope_tables = &r->rope_table,
                     .cache = &r->cache,
                     .a = &r->a,
                     .s = &r->s};
    r->logits = malloc((size_t)c->vocab_size * sizeof *r->logits);
}

static void rig_open(rig *r, const char *name, bool plan_only) {
    rig_open_on(r, &fm_backend_cpu, name, plan_only);
}

static void rig_close(rig *r) {
    free(r->logits);
    step_free(&r->s);
    activations_free(&r->a);
    cache_free(&r->cache);
    weights_free(&r->weights);
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
    step_add(&r->s, &(step_part){tokens, n, start, {pages, pages}});
}

static fm_status run_layers(rig *r) {
    FM_TRY(step_upload(&r->s));
    return forward_layers(&r->f);
}

/** Logits of one token of the step to r->logits. */
static fm_status run_head(rig *r, int32_t row) {
    FM_TRY(forward_head(&r->f, &row, 1));
    FM_TRY(forward_finish(&r->f));
    return device_read(r->dev, tensor_slice(r->a.logits, 0, 0, 1), r->logits);
}

/** Logits of one token of the step, as memory of the rig. */
static const float *logits_of(rig *r, int32_t row) {
    assert_int_equal(run_head(r, row), FM_OK);
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
        assert_int_equal(run_layers(r), FM_OK);
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
    rig_open(&r, name, false);
    size_t size = (size_t)r.f.c->vocab_size * sizeof(float);
    for (int32_t q = 0; q < 3; q++) expected[q] = run_alone(&r, q, length[q]);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        step_begin(&r.s);
        for (int32_t q = 0; q < 3; q++) add(&r, q, steps[i].start[q], steps[i].n[q], pages[q]);
        assert_int_equal(run_layers(&r), FM_OK);
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
    ragged_equals_alone("qwen2_window");
    ragged_equals_alone("mistral_window");
}

/* ---- Windows --------------------------------------------------------------------------------- */

enum { N_RUNNING = 3, LIST_PAGES = MAX_CONTEXT / FM_CACHE_PAGE_ROWS };

/** Three sequences and their pages in each class. Page 0 belongs to nobody: it is what entries of
 * freed pages name. */
typedef struct crowd {
    int32_t start[N_RUNNING];
    int32_t pages[CACHE_MAX_CLASSES][N_RUNNING][LIST_PAGES];
    int32_t n_freed;
} crowd;

/** Makes every value of a page NaN. */
static void poison(rig *r, int32_t class_id, int32_t page) {
    uint8_t bytes[1 << 14];
    memset(bytes, 0xff, sizeof bytes);
    for (int32_t i = 0; i < r->cache.n_streams; i++) {
        if (r->cache.streams[i].class_id != class_id) continue;
        assert_true(FM_CACHE_PAGE_ROWS * cache_stream_row_bytes(&r->cache, i) <= sizeof bytes);
        assert_int_equal(cache_write_page(&r->cache, i, page, FM_CACHE_PAGE_ROWS, bytes), FM_OK);
    }
}

/** All pages poisoned, and dealt out in another order in each class. */
static void crowd_begin(crowd *c, rig *r) {
    *c = (crowd){0};
    for (int32_t class_id = 0; class_id < r->cache.n_classes; class_id++) {
        int32_t next = class_id;
        for (int32_t page = 0; page < N_PAGES; page++) poison(r, class_id, page);
        for (int32_t i = 0; i < LIST_PAGES; i++)
            for (int32_t q = 0; q < N_RUNNING; q++)
                if (i * FM_CACHE_PAGE_ROWS < 210 - 60 * q) /* no page is dealt out twice */
                    c->pages[class_id][q][i] = 1 + next++ * 7 % (N_PAGES - 1);
    }
}

/** Frees the pages that no token from `start` on has in its window. */
static void crowd_free(crowd *c, rig *r, int32_t q) {
    for (int32_t class_id = 0; class_id < r->cache.n_classes; class_id++) {
        int32_t window = r->cache.classes[class_id].window, *pages = c->pages[class_id][q];
        for (int32_t i = 0; window > 0; i++) {
            if ((i + 1) * FM_CACHE_PAGE_ROWS > c->start[q] - window + 1) break;
            if (pages[i] == 0) continue;
            poison(r, class_id, pages[i]);
            pages[i] = 0;
            c->n_freed++;
        }
    }
}

/** One step, in which sequence q advances by up to n[q] tokens to length[q]. The last token of one
 * that reaches it has the expected logits. */
static void crowd_step(crowd *c, rig *r, const int32_t *n, const int32_t *length,
                       float *const *expected) {
    int32_t last[N_RUNNING], n_rows = 0;
    step_begin(&r->s);
    for (int32_t q = 0; q < N_RUNNING; q++) {
        int32_t tokens[MAX_TOKENS], left = length[q] - c->start[q], count = n[q];
        if (count > left) count = left;
        last[q] = -1;
        if (count == 0) continue;
        crowd_free(c, r, q);
        step_part part = {tokens, count, c->start[q], {c->pages[0][q], c->pages[1][q]}};
        for (int32_t i = 0; i < count; i++) tokens[i] = token_of(r, q, c->start[q] + i);
        step_add(&r->s, &part);
        c->start[q] += count;
        n_rows += count;
        if (c->start[q] == length[q]) last[q] = n_rows - 1;
    }
    assert_int_equal(run_layers(r), FM_OK);
    for (int32_t q = 0; q < N_RUNNING; q++)
        if (last[q] >= 0)
            assert_memory_equal(logits_of(r, last[q]), expected[q],
                                (size_t)r->f.c->vocab_size * sizeof(float));
}

static void windows_need_no_freed_page(const char *name, int32_t n_freed) {
    static const int32_t length[N_RUNNING] = {205, 150, 70};
    static const int32_t chunks[][N_RUNNING] = {{40, 7, 1}, {1, 50, 13}, {13, 11, 30}};
    float *expected[N_RUNNING];
    crowd c;
    rig r;
    rig_open(&r, name, false);
    for (int32_t q = 0; q < N_RUNNING; q++) expected[q] = run_alone(&r, q, length[q]);
    crowd_begin(&c, &r);
    for (int32_t i = 0; c.start[0] < length[0] || c.start[1] < length[1]; i++)
        crowd_step(&c, &r, chunks[i % 3], length, expected);
    for (int32_t q = 0; q < N_RUNNING; q++) {
        assert_int_equal(c.start[q], length[q]);
        free(expected[q]);
    }
    assert_int_equal(c.n_freed, n_freed);
    rig_close(&r);
}

static void forward_windows_need_no_freed_page(void **state) {
    (void)state;
    windows_need_no_freed_page("qwen2_window", 3);
    windows_need_no_freed_page("qwen2_layer_types", 3);
    windows_need_no_freed_page("mistral_window", 1);
}

/* ---- Failing operations ------------------------------------------------------------------------ */

/** The pass of sequence 0's first five tokens, to the logits of the last. */
static fm_status run_five(rig *r) {
    step_begin(&r->s);
    add(r, 0, 0, 5, alone);
    fm_status status = run_layers(r);
    if (status == FM_OK) status = run_head(r, 4);
    if (status != FM_OK) device_abandon(r->dev);
    return status;
}

/** Calls of the device that a pass makes. */
static int64_t count_calls(rig *r) {
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    int64_t n_calls = 0;
    device_profile(r->dev, true);
    assert_int_equal(run_five(r), FM_OK);
    for (int32_t i = device_profile_get(r->dev, rows) - 1; i >= 0; i--) n_calls += rows[i].calls;
    device_profile(r->dev, false);
    return n_calls;
}

/** Every call to the device that a pass makes fails once; the status comes back and the next pass
 * is right. */
static void survives_each_failure(const char *name) {
    rig r;
    rig_open(&r, name, false);
    float *expected = run_alone(&r, 0, 5);
    size_t size = (size_t)r.f.c->vocab_size * sizeof *expected;
    int64_t n = 0;
    for (bool struck = true; struck; n++) {
        device_inject(r.dev, FM_FAULT_OP, n + 1, FM_ERR_MEMORY);
        step_begin(&r.s);
        add(&r, 0, 0, 5, alone);
        fm_status status = run_layers(&r);
        if (status == FM_OK) status = run_head(&r, 4);
        struck = device_inject(r.dev, FM_FAULT_OP, 0, FM_OK) == 0;
        assert_int_equal(status, struck ? FM_ERR_MEMORY : FM_OK);
        if (struck) device_abandon(r.dev);
        float *again = run_alone(&r, 0, 5);
        assert_memory_equal(again, expected, size);
        free(again);
    }
    assert_true(n > 20);
    free(expected);
    rig_close(&r);
}

static void forward_survives_the_failure_of_each_operation(void **state) {
    (void)state;
    survives_each_failure("llama_mha");
    survives_each_failure("v3_q_lora");
}

/** A device lost at any call stays lost, and the pass says so. */
static void forward_of_a_lost_device_fails_for_good(void **state) {
    (void)state;
    rig r;
    rig_open(&r, "v3_q_lora", false);
    int64_t n_calls = count_calls(&r);
    rig_close(&r);
    for (int64_t nth = 1; nth <= n_calls; nth += 5) {
        rig_open(&r, "v3_q_lora", false);
        device_inject(r.dev, FM_FAULT_OP, nth, FM_ERR_DEVICE);
        assert_int_equal(run_five(&r), FM_ERR_DEVICE);
        assert_int_equal(run_five(&r), FM_ERR_DEVICE);
        rig_close(&r);
    }
}

/* ---- Planning ---------------------------------------------------------------------------------- */

/** The same code on a planning device: as many bytes, and the same calls, but for what the host's
 * routing decides. */
static void plans_what_it_takes(const fm_backend *backend, const char *name) {
    rig real, plan;
    rig_open_on(&real, backend, name, false);
    rig_open_on(&plan, backend, name, true);
    assert_true(device_bytes(real.dev) > 100000);
    assert_int_equal(device_bytes(plan.dev), device_bytes(real.dev));
    assert_int_equal(device_bytes_peak(plan.dev), device_bytes_peak(real.dev));
    assert_int_equal(count_calls(&plan), count_calls(&real));
    assert_int_equal(device_bytes(real.dev), device_bytes_peak(real.dev)); /* none while stepping */
    rig_close(&plan);
    rig_close(&real);
}

static void forward_is_planned_as_it_runs(void **state) {
    (void)state;
    plans_what_it_takes(&fm_backend_cpu, "llama_bf16");
    plans_what_it_takes(&fm_backend_cpu, "v3_groups");
    plans_what_it_takes(&replay_backend, "v3_groups");
}

/* ---- Routing on the device ----------------------------------------------------------------------- */

/** A device that chooses experts gives the bits of one that lets the host choose. */
static void routes_on_the_device(const char *name, bool has_bias) {
    rig host, device;
    rig_open(&host, name, false);
    rig_open_on(&device, &replay_backend, name, false);
    assert_false(device_offers_route(host.dev));
    assert_true(device_offers_route(device.dev));
    const model_layer *last = &device.weights.layers[device.f.c->n_layers - 1];
    assert_int_equal(last->route_bias.buf != NULL, has_bias);
    float *expected = run_alone(&host, 1, 50), *got = run_alone(&device, 1, 50);
    assert_memory_equal(got, expected, (size_t)host.f.c->vocab_size * sizeof *got);
    assert_int_equal(replay_of(device.dev)->n_reads, 1); /* the logits: nobody waits for scores */
    free(expected);
    free(got);
    rig_close(&host);
    rig_close(&device);
}

static void forward_routes_where_the_device_can(void **state) {
    (void)state;
    routes_on_the_device("v3_groups", true);
    routes_on_the_device("v3_groups_negative", true);
    routes_on_the_device("v3_experts128", true);
    routes_on_the_device("v3_unnormalised", true);
    routes_on_the_device("v3_odd", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_ragged_steps_give_the_bits_of_each_sequence_alone),
        cmocka_unit_test(forward_windows_need_no_freed_page),
        cmocka_unit_test(forward_survives_the_failure_of_each_operation),
        cmocka_unit_test(forward_of_a_lost_device_fails_for_good),
        cmocka_unit_test(forward_is_planned_as_it_runs),
        cmocka_unit_test(forward_routes_where_the_device_can),
    };
    return cmocka_run_group_tests_name("test_forward", tests, NULL, NULL);
}
