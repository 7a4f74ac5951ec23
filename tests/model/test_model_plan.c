/*
 * test_model_plan.c - which device "auto" takes, what would fit where a model does not, and what of
 * a model's parameters reaches a device. The Vulkan devices here are CPU devices under that name,
 * as large and as soft as a test says.
 */
#include <stdio.h>
#include <stdlib.h>

#include "run.h"
/* behind it: its names are common words */
#include "model/model.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { MAX_DEVICES = 3 };

static struct {
    int32_t n;
    fm_device_info listed[MAX_DEVICES];
    fm_device_params opened[8]; /* in their order, options aside */
    int32_t n_opened;
    char options[64]; /* of the last */
    bool copies;      /* weights are never read where they lie */
    char log[2000];
} world;

static fm_status soft_list(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                           fm_error *err) {
    (void)options, (void)err;
    *n = world.n;
    for (int32_t i = 0; i < world.n && i < max; i++) out[i] = world.listed[i];
    return FM_OK;
}

static fm_status soft_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                           fm_error *err) {
    fm_device_params cpu = *params;
    snprintf(world.options, sizeof world.options, "%s", params->options);
    world.opened[world.n_opened++] = *params;
    cpu.index = 0;
    cpu.options = NULL;
    return fm_backend_cpu.open(&cpu, log, out, err);
}

static void soft_info(const fm_device_state *s, fm_device_info *out) {
    fm_backend_cpu.info(s, out);
    out->memory_free = world.listed[world.opened[world.n_opened - 1].index].memory_free;
    out->unified = false;
}

static uint64_t soft_weight_size(const fm_device_state *s, const fm_weight_source *source,
                                 fm_dtype dtype) {
    uint64_t bytes = 0;
    if (!world.copies) return fm_backend_cpu.weight_size(s, source, dtype);
    for (int32_t i = 0; i < source->n_matrices * source->n_parts; i++)
        bytes += (uint64_t)source->parts[i].rows * (uint64_t)source->cols * fm_dtype_size(dtype);
    return bytes;
}

static fm_status find_soft(const char *name, const fm_backend **out, fm_error *err) {
    static fm_backend soft;
    if (strcmp(name, "vulkan") != 0) return backend_find(name, out, err);
    if (world.n == 0) return error_set(err, FM_ERR_UNSUPPORTED, "there is no loader");
    soft = fm_backend_cpu;
    soft.name = "vulkan";
    soft.list = soft_list;
    soft.open = soft_open;
    soft.info = soft_info;
    soft.weight_size = soft_weight_size;
    *out = &soft;
    return FM_OK;
}

static void keep_line(void *user, fm_log_level level, const char *line) {
    (void)user, (void)level;
    size_t n = strlen(world.log);
    snprintf(world.log + n, sizeof world.log - n, "%s\n", line);
}

/** Opens the model with these Vulkan devices there; `taken` is the index of the one that it is on,
 * or -1 for the CPU. */
static void expect_taken(const fm_device_info *listed, int32_t n, const char *device,
                         int32_t taken) {
    const fm_model_params params = {.device = device, .n_threads = 1, .log = keep_line};
    fm_model *m;
    fm_error err = {0};
    memset(&world, 0, sizeof world);
    world.n = n;
    for (int32_t i = 0; i < n; i++) world.listed[i] = listed[i];
    if (model_open_with(LLAMA, &params, find_soft, &m, &err) != FM_OK) fail_msg("%s", err.text);
    assert_string_equal(m->request.parts[0].backend, taken >= 0 ? "vulkan" : "cpu");
    if (taken >= 0) assert_int_equal(m->request.parts[0].index, taken);
    fm_model_close(m);
}

static const fm_device_info large = {.name = "large", .memory_free = (uint64_t)1 << 33};
static const fm_device_info small = {.name = "small", .memory_free = 1 << 16};
static const fm_device_info soft_one = {
    .name = "soft", .memory_free = (uint64_t)1 << 33, .software = true};

static void auto_takes_the_first_device_with_room(void **state) {
    (void)state;
    const fm_device_info all[] = {soft_one, small, large};
    expect_taken(all, 3, NULL, 2);
    expect_taken(all, 3, "auto", 2);
    assert_non_null(strstr(world.log, "auto leaves vulkan:1 (small) out: it needs "));
    assert_null(strstr(world.log, "vulkan:0"));
    const fm_device_info two[] = {large, large};
    expect_taken(two, 2, NULL, 0);
}

static void auto_takes_the_cpu_where_no_device_is_of_use(void **state) {
    (void)state;
    const fm_device_info useless[] = {soft_one, small};
    expect_taken(NULL, 0, NULL, -1);
    expect_taken(useless, 2, NULL, -1);
    expect_taken(&large, 1, "cpu", -1);
}

static void auto_is_not_asked_where_a_device_is_named(void **state) {
    (void)state;
    const fm_device_info all[] = {soft_one, small, large};
    expect_taken(all, 3, "vulkan", 0);
    expect_taken(all, 3, "vulkan:0,staging*1+cpu", 0);
    assert_string_equal(world.options, "staging");
}

/** Opens the model, with one device there that has so much memory. */
static fm_status open_with_memory(const fm_model_params *params, uint64_t memory, bool copies,
                                  fm_error *err) {
    fm_model *m = NULL;
    memset(&world, 0, sizeof world);
    world.n = 1;
    world.copies = copies;
    world.listed[0] = (fm_device_info){.name = "tiny", .memory_free = memory};
    fm_status status = model_open_with(LLAMA, params, find_soft, &m, err);
    assert_true((m != NULL) == (status == FM_OK));
    if (m && strcmp(m->request.parts[0].backend, "vulkan") == 0)
        assert_true(device_bytes(m->places.runs[0].dev) <= memory);
    fm_model_close(m);
    return status;
}

/** The value of an option in a piece of advice; NULL when it is not there. */
static const char *advised(const char *advice, const char *option, char out[64]) {
    const char *at = strstr(advice, option);
    if (!at) return NULL;
    at += strlen(option);
    snprintf(out, 64, "%.*s", (int)strcspn(at, " "), at);
    return out;
}

/** At every size of memory the model opens, or is refused with a setting that does open. Returns
 * how often a setting of each kind was named. */
typedef struct advice_counts {
    int32_t opened, dtype, cut, cut_and_dtype, cpu, none;
} advice_counts;

static advice_counts follow_advice(const char *device, const char *dtype, bool copies) {
    advice_counts counts = {0};
    for (uint64_t memory = 1000; memory < 2000000; memory += memory / 20) {
        fm_model_params params = {.device = device,
                                  .dtype = dtype,
                                  .n_threads = 1,
                                  .max_context = 64,
                                  .max_chunk = 8,
                                  .max_sequences = 1};
        char other_device[64], other_dtype[64];
        fm_error err = {0};
        fm_status status = open_with_memory(&params, memory, copies, &err);
        if (status == FM_OK) {
            counts.opened++;
            continue;
        }
        assert_int_equal(status, FM_ERR_MEMORY);
        assert_non_null(strstr(err.text, "the weights need"));
        if (!strstr(err.text, "it would fit with")) {
            counts.none++;
            continue;
        }
        const char *place = advised(err.text, "--device ", other_device);
        const char *format = advised(err.text, "--dtype ", other_dtype);
        assert_true(place || format);
        if (place) params.device = place;
        if (format) params.dtype = format;
        counts.dtype += format && !place;
        counts.cut += place && !format;
        counts.cpu += place && strcmp(place, "cpu") == 0;
        counts.cut_and_dtype += place && format && strcmp(place, "cpu") != 0;
        if (open_with_memory(&params, memory, copies, &err) != FM_OK)
            fail_msg("%llu bytes: %s", (unsigned long long)memory, err.text);
    }
    return counts;
}

static void plan_without_room_is_refused_with_what_would_fit(void **state) {
    (void)state;
    advice_counts c = follow_advice("vulkan:0", NULL, true); /* cut, or the CPU */
    assert_true(c.opened > 0 && c.cut > 0 && c.cpu > 0);
    assert_int_equal(c.dtype + c.cut_and_dtype + c.none, 0);
    c = follow_advice("vulkan:0,a=b", "f16", false); /* in their own format they take nothing */
    assert_true(c.opened > 0 && c.dtype > 0 && c.cpu > 0);
    c = follow_advice("vulkan:0", "f32", true);
    assert_true(c.opened > 0 && c.cut > 0 && c.cpu > 0);
    c = follow_advice("vulkan:0*1+cpu", "f16", true); /* whoever cuts is left to it */
    assert_true(c.opened > 0 && c.none > 0);
    assert_int_equal(c.cut + c.cut_and_dtype + c.cpu, 0);
}

/** Opens the model with one device there, and an engine on it. */
static fm_status engine_with_memory(const fm_model_params *params, const fm_engine_params *engine,
                                    uint64_t memory, fm_error *err) {
    fm_model *m = NULL;
    fm_engine *e = NULL;
    memset(&world, 0, sizeof world);
    world.n = 1;
    world.listed[0] = (fm_device_info){.name = "tiny", .memory_free = memory};
    fm_status status = model_open_with(LLAMA, params, find_soft, &m, err);
    if (status == FM_OK) status = fm_engine_new(m, engine, &e, err);
    assert_true((e != NULL) == (status == FM_OK));
    fm_engine_free(e);
    fm_model_close(m);
    return status;
}

/** Less cache than one context is no use: then the context has to be smaller too. */
static void plan_of_an_engine_without_room_is_refused_with_what_would_fit(void **state) {
    (void)state;
    int32_t n_tokens = 0, n_context = 0, n_none = 0;
    for (uint64_t memory = 50000; memory < 4000000; memory += memory / 20) {
        fm_model_params params = {.device = "vulkan", .n_threads = 1, .max_chunk = 8};
        fm_engine_params engine = {.cache_tokens = 4096};
        char context[64], tokens[64];
        fm_error err = {0};
        fm_status status = engine_with_memory(&params, &engine, memory, &err);
        if (status == FM_OK || !strstr(err.text, "an engine needs")) continue;
        assert_int_equal(status, FM_ERR_MEMORY);
        if (!advised(err.text, "--cache-tokens ", tokens)) {
            assert_non_null(strstr(err.text, "it would not without caches either"));
            n_none++;
            continue;
        }
        engine.cache_tokens = (int32_t)strtol(tokens, NULL, 10);
        if (advised(err.text, "--ctx ", context)) {
            params.max_context = (int32_t)strtol(context, NULL, 10);
            n_context++;
        }
        n_tokens++;
        if (engine_with_memory(&params, &engine, memory, &err) != FM_OK)
            fail_msg("%llu bytes: %s", (unsigned long long)memory, err.text);
    }
    assert_true(n_none > 0 && n_context > 0 && n_tokens > n_context);
}

static void auto_parameters_reach_the_device(void **state) {
    (void)state;
    for (int32_t deterministic = 0; deterministic <= 1; deterministic++) {
        const fm_model_params params = {.device = "vulkan:1,a=b,c",
                                        .deterministic = deterministic,
                                        .n_threads = 1,
                                        .max_context = 128,
                                        .max_chunk = 16,
                                        .max_sequences = 3};
        fm_model *m;
        memset(&world, 0, sizeof world);
        world.n = 2;
        world.listed[1] = large;
        assert_int_equal(model_open_with(LLAMA, &params, find_soft, &m, NULL), FM_OK);
        assert_int_equal(world.n_opened, 2); /* to plan, and to run */
        for (int32_t i = 0; i < 2; i++) {
            const fm_device_params *p = &world.opened[i];
            assert_int_equal(p->plan_only, i == 0);
            assert_int_equal(p->index, 1);
            assert_int_equal(p->deterministic, deterministic);
            assert_int_equal(p->max_context, 128);
            assert_int_equal(p->max_tokens, 19);
        }
        assert_string_equal(world.options, "a=b,c");
        fm_model_close(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_takes_the_first_device_with_room),
        cmocka_unit_test(auto_takes_the_cpu_where_no_device_is_of_use),
        cmocka_unit_test(auto_is_not_asked_where_a_device_is_named),
        cmocka_unit_test(plan_without_room_is_refused_with_what_would_fit),
        cmocka_unit_test(plan_of_an_engine_without_room_is_refused_with_what_would_fit),
        cmocka_unit_test(auto_parameters_reach_the_device),
    };
    return cmocka_run_group_tests_name("test_model_plan", tests, NULL, NULL);
}
