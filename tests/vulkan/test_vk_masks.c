/*
 * test_vk_masks.c - devices that lack something: what the backend can do without it does without,
 * for the rest it says in words why it does not open. And the checks of the validation layer
 * themselves: without barriers they have to object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk_work.h"

/* ---- What a device may lack --------------------------------------------------------------------- */

static void vk_masks_optional_abilities_are_not_needed(void **state) {
    static const shim_mask masks[] = {
        {.subgroup_arithmetic = true},
        {.numbers_16_bit = true},
        {.mapped_local = true},
        {.binding_max = 4 << 20},
        {.shared_max = 16 << 10},
        {.subgroup_size =
             32}, /* the emulated device has less: so workgroups of a graphics card run */
        {.subgroup_size = 128},
        {.subgroup_size = 24}, /* no power of two */
        {.subgroup_arithmetic = true, .numbers_16_bit = true, .mapped_local = true},
    };
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        vk_work work = {.backend = "vulkan", .options = options, .mask = &masks[i]};
        fm_error err = {0};
        char what[32];
        snprintf(what, sizeof what, "mask %d", (int)i);
        if (vk_work_run(&work, &err) != FM_OK) fail_msg("%s: %s", what, err.text);
        vk_work_check(&work);
        vk_work_check_clean(what, shim, &work);
    }
}

static void vk_masks_what_is_needed_is_named(void **state) {
    static const struct {
        shim_mask mask;
        const char *name;
    } needs[] = {
        {{.timeline_semaphore = true}, "imeline"},
        {{.synchronization2 = true}, "ynchronization"},
        {{.push_descriptor = true}, "push"},
    };
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    (void)state;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        vk_work work = {.backend = "vulkan", .options = options, .mask = &needs[i].mask};
        fm_error err = {0};
        assert_int_equal(vk_work_run(&work, &err), FM_ERR_UNSUPPORTED);
        if (!strstr(err.text, needs[i].name))
            fail_msg("\"%s\" does not name %s", err.text, needs[i].name);
        vk_work_check_clean(needs[i].name, shim, &work);
    }
}

/* The mask itself: a shim that hides nothing would let the tests above pass. */
static void vk_masks_are_seen(void **state) {
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    const fm_backend *backend;
    fm_device_info open, masked;
    int32_t n;
    (void)state;
    assert_int_equal(backend_find("vulkan", &backend, NULL), FM_OK);
    shim->mask = (shim_mask){0};
    assert_int_equal(device_list(backend, SHIM_OPTION, &open, 1, &n, NULL), FM_OK);
    shim->mask = (shim_mask){.binding_max = 1 << 20, .memory_max = 64 << 20};
    assert_int_equal(device_list(backend, SHIM_OPTION, &masked, 1, &n, NULL), FM_OK);
    assert_true(masked.buf_max <= 1 << 20 && masked.buf_max < open.buf_max);
    assert_true(masked.memory_total <= 64 << 20 && masked.memory_total < open.memory_total);
    shim->mask = (shim_mask){.subgroup_size = 128};
    assert_int_equal(device_list(backend, SHIM_OPTION, &masked, 1, &n, NULL), FM_OK);
    assert_non_null(strstr(masked.abilities, "subgroups of 128, arithmetic"));
    /* Sums over subgroups of any other size are not made: workgroups would not be whole ones. */
    shim->mask = (shim_mask){.subgroup_size = 24};
    assert_int_equal(device_list(backend, SHIM_OPTION, &masked, 1, &n, NULL), FM_OK);
    assert_non_null(strstr(masked.abilities, "no arithmetic"));
    assert_int_equal(shim_live_count(shim), 0);
}

/* ---- Counts ------------------------------------------------------------------------------------- */

static void vk_masks_shim_counts_what_a_device_does(void **state) {
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    vk_work work = {.backend = "vulkan", .options = options};
    fm_error err = {0};
    (void)state;
    memset(&shim->counts, 0, sizeof shim->counts);
    if (vk_work_run(&work, &err) != FM_OK) fail_msg("%s", err.text);
    vk_work_check_clean("a run", shim, &work);
    assert_true(shim->counts.allocations > 0);
    assert_true(shim->counts.creations > shim->counts.allocations + shim->counts.pipelines);
    assert_true(shim->counts.pipelines >= 3);
    assert_true(shim->counts.dispatches >= 3);
    assert_true(shim->counts.barriers >= 2);
    assert_true(shim->counts.submissions >= WORK_STEPS);
    assert_true(shim->counts.waits > 0);
    /* The operations are recorded once, however often they run. */
    assert_true(shim->counts.dispatches < 3 * WORK_STEPS);
}

/* ---- The checks --------------------------------------------------------------------------------- */

/** The negative control: a read that no barrier orders behind its write is reported. */
static void vk_masks_dropped_barriers_are_reported(void **state) {
    const char *options;
    shim_control *shim = vk_work_shim(&options);
    vk_work work = {.backend = "vulkan", .options = options};
    fm_error err = {0};
    (void)state;
    if (!strstr(options, "validate")) {
        print_message("skip: the validation layer is not installed\n");
        skip();
    }
    shim->drop_barriers = true;
    fm_status status = vk_work_run(&work, &err);
    shim->drop_barriers = false;
    assert_int_equal(status, FM_OK);
    print_message("%d messages without barriers\n", (int)work.n_errors);
    assert_true(work.n_errors > 0);
    if (vk_work_run(&work, &err) != FM_OK) fail_msg("%s", err.text);
    vk_work_check_clean("with barriers", shim, &work);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vk_masks_optional_abilities_are_not_needed),
        cmocka_unit_test(vk_masks_what_is_needed_is_named),
        cmocka_unit_test(vk_masks_are_seen),
        cmocka_unit_test(vk_masks_shim_counts_what_a_device_does),
        cmocka_unit_test(vk_masks_dropped_barriers_are_reported),
    };
    return cmocka_run_group_tests_name("test_vk_masks", tests, NULL, NULL);
}
