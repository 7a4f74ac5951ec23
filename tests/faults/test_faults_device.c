/*
 * test_faults_device.c - the device's memory runs out at every buffer and weight in turn, and so
 * does the host's, while a model's weights, cache and workspace are made; whatever was made before
 * is given back.
 */
#include "each.h"
#include "model/checkpoint.h"
#include "model/forward.h"

typedef struct parts {
    const fm_checkpoint *checkpoint;
    placement places; /* the first layer on one device, the others on another */
} parts;

/** Makes all that a model and an engine keep on a device, and frees it. */
static fm_status make_and_free(void *user, fm_error *err) {
    parts *p = user;
    const config *c = &p->checkpoint->config;
    const placement *places = &p->places;
    const int32_t pages[CACHE_MAX_CLASSES] = {2, 2};
    const step_params largest = {
        .max_tokens = 4, .max_sequences = 1, .max_context = 128, .n_classes = 1};
    model_weights weights = {0};
    kv_cache cache = {0};
    activations a[2] = {{0}};
    step s = {0};
    fm_status status =
        weights_load(c, p->checkpoint->files, places, FM_DTYPE_BF16, NULL, &weights, err);
    if (status == FM_OK) status = cache_new(c, &weights, pages, FM_DTYPE_BF16, &cache, err);
    for (int32_t i = 0; i < places->n && status == FM_OK; i++)
        status = activations_new(c, &places->runs[i], 4, &a[i], err);
    if (status == FM_OK) status = step_new(places, &largest, &s, err);
    step_free(&s);
    for (int32_t i = 0; i < places->n; i++) activations_free(&a[i]);
    cache_free(&cache);
    weights_free(&weights);
    for (int32_t i = 0; i < places->n; i++) assert_int_equal(device_bytes(places->runs[i].dev), 0);
    return status;
}

/** Buffers and weights of one device that fail one after the other; returns how many there are. */
static int32_t each_of_the_device_fails(const char *name, fm_device *dev, parts *p) {
    for (int32_t nth = 1;; nth++) {
        fm_error err = {0};
        device_inject(dev, FM_FAULT_ALLOC, nth, FM_ERR_MEMORY);
        fm_status status = make_and_free(p, &err);
        if (device_inject(dev, FM_FAULT_ALLOC, 0, FM_OK) > 0) {
            assert_int_equal(status, FM_OK);
            return nth - 1;
        }
        expect_error(name, status, &err, FM_ERR_MEMORY, "memory");
    }
}

static fm_status open_and_close(void *user, fm_error *err) {
    fm_device *dev = NULL;
    fm_status status = device_open(&fm_backend_cpu, user, (fm_log){0}, &dev, err);
    assert_true((status == FM_OK) == (dev != NULL));
    device_close(dev);
    return status;
}

static void gives_all_back(const char *name, bool plan_only) {
    char dir[512];
    fm_error err = {0};
    fm_checkpoint *checkpoint = NULL;
    fm_device_params params = {.max_tokens = 4,
                               .max_rows = 32,
                               .max_sequences = 1,
                               .max_context = 128,
                               .n_threads = 1,
                               .plan_only = plan_only};
    parts p = {0};
    snprintf(dir, sizeof dir, TEST_DATA "/oracle/%s", name);
    if (fm_checkpoint_open(dir, &checkpoint, &err) != FM_OK) fail_msg("%s", err.text);
    p.checkpoint = checkpoint;
    assert_in_range(each_allocation_fails("device", open_and_close, &params), 2, 10);
    placement_request request;
    assert_int_equal(placement_parse("cpu*1+cpu", checkpoint->config.n_layers, &request, &err),
                     FM_OK);
    if (placement_open(&request, &params, backend_find, (fm_log){0}, &p.places, &err) != FM_OK)
        fail_msg("%s", err.text);
    for (int32_t i = 0; i < 2; i++)
        assert_true(each_of_the_device_fails(name, p.places.runs[i].dev, &p) > 12);
    assert_true(each_allocation_fails(name, make_and_free, &p) > 20);
    placement_close(&p.places);
    fm_checkpoint_close(checkpoint);
}

static void faults_of_device_memory_give_all_back(void **state) {
    (void)state;
    gives_all_back("llama_gqa_tied", false);
    gives_all_back("v3_groups", false);
}

static void faults_while_planning_give_all_back(void **state) {
    (void)state;
    gives_all_back("llama_gqa_tied", true);
    gives_all_back("v3_groups", true);
}

int main(void) {
    alloc_watch_json();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_device_memory_give_all_back),
        cmocka_unit_test(faults_while_planning_give_all_back),
    };
    return cmocka_run_group_tests_name("test_faults_device", tests, NULL, NULL);
}
