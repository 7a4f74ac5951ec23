/*
 * test_auto.c - which device "auto" takes, and what of a model's parameters reaches a device. The
 * Vulkan devices here are CPU devices under that name, as large and as soft as a test says.
 */
#include <stdio.h>

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

static fm_status find_soft(const char *name, const fm_backend **out, fm_error *err) {
    static fm_backend soft;
    if (strcmp(name, "vulkan") != 0) return backend_find(name, out, err);
    if (world.n == 0) return error_set(err, FM_ERR_UNSUPPORTED, "there is no loader");
    soft = fm_backend_cpu;
    soft.name = "vulkan";
    soft.list = soft_list;
    soft.open = soft_open;
    soft.info = soft_info;
    *out = &soft;
    return FM_OK;
}

static void keep_line(void *user, fm_log_level level, const char *line) {
    (void)user, (void)level;
    size_t n = strlen(world.log);
    snprintf(world.log + n, sizeof world.log - n, "%s\n", line);
}

/** Opens the model with these Vulkan devices there; `taken` is the index of the one that it is on, or
 * -1 for the CPU. */
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

/** Weights that a device must copy do not fit one that is too small for them. */
static void auto_named_device_without_room_is_refused(void **state) {
    (void)state;
    const fm_model_params params = {.device = "vulkan:0*1+cpu", .dtype = "f16", .n_threads = 1};
    fm_model *m = NULL;
    fm_error err = {0};
    memset(&world, 0, sizeof world);
    world.n = 1;
    world.listed[0] = (fm_device_info){.name = "tiny", .memory_free = 1000};
    assert_int_equal(model_open_with(LLAMA, &params, find_soft, &m, &err), FM_ERR_MEMORY);
    assert_null(m);
    assert_non_null(strstr(err.text, "the weights need"));
    assert_int_equal(world.n_opened, 1); /* to plan alone */
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
        cmocka_unit_test(auto_named_device_without_room_is_refused),
        cmocka_unit_test(auto_parameters_reach_the_device),
    };
    return cmocka_run_group_tests_name("test_auto", tests, NULL, NULL);
}
