/*
 * test_vk_record.c - kept stretches on a Vulkan device: they run in their place, on what buffers
 * hold by then; which are kept, and when they are forgotten; and times by the device's clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk_rig.h"

enum { N = 300 };

/* x and y; a stretch makes y = silu(x) * x, then x = y by a copy. Numbers from 20 on pass silu
 * unchanged, so that it squares them. */
typedef struct world {
    vk_rig rig;
    fm_tensor x, y;
} world;

static int open_world(world *w, const char *options) {
    vk_rig_open(&w->rig, options);
    if (!w->rig.dev) return -1;
    w->x = vk_rig_floats(&w->rig, N);
    w->y = vk_rig_floats(&w->rig, N);
    return 0;
}

static void close_world(world *w) {
    buf_free(w->rig.dev, w->x.buf);
    buf_free(w->rig.dev, w->y.buf);
    vk_rig_close(&w->rig);
}

static void set(world *w, float value) {
    float values[N];
    for (int32_t i = 0; i < N; i++) values[i] = value;
    vk_rig_write(&w->rig, w->x, values);
}

static void encode_stretch(world *w) {
    fm_tensor x = tensor_2d(w->x.buf, FM_DTYPE_F32, 1, N),
              y = tensor_2d(w->y.buf, FM_DTYPE_F32, 1, N);
    fm_gate_mul call = {.gate = x, .up = x, .y = y};
    assert_int_equal(op_gate_mul(w->rig.dev, &call), FM_OK);
    assert_int_equal(device_copy(w->rig.dev, w->x, w->y), FM_OK);
}

/** Runs the stretch of a key; whether it was kept. */
static bool run(world *w, int64_t key) {
    fm_record_key k = {.owner = w, .sizes = {key, 1, 2, 3}};
    bool kept = false;
    assert_int_equal(device_record(w->rig.dev, &k, &kept), FM_OK);
    if (kept) return true;
    encode_stretch(w);
    assert_int_equal(device_record_end(w->rig.dev), FM_OK);
    return false;
}

static void expect(world *w, float value) {
    float got[N];
    vk_rig_read(&w->rig, w->x, got);
    for (int32_t i = 0; i < N; i++)
        if (!(got[i] > value * 0.999f && got[i] < value * 1.001f))
            fail_msg("element %d is %g, not %g", (int)i, (double)got[i], (double)value);
}

static void need(world *w, const char *options) {
    if (open_world(w, options) == 0) return;
    VK_RIG_NEED(&w->rig);
}

static void run_replays(const char *options) {
    world w;
    need(&w, options);
    set(&w, 20.0f);
    assert_false(run(&w, 1));
    expect(&w, 400.0f);
    set(&w, 30.0f);
    assert_true(run(&w, 1));
    expect(&w, 900.0f);
    /* Twice in one step, with other work before, between and behind. */
    set(&w, 20.0f);
    assert_true(run(&w, 1));
    encode_stretch(&w);
    assert_true(run(&w, 1));
    expect(&w, 2.56e10f);
    set(&w, 20.0f);
    assert_true(run(&w, 1));
    set(&w, 25.0f);
    assert_true(run(&w, 1));
    encode_stretch(&w);
    expect(&w, 390625.0f);
    close_world(&w);
}

static void stretch_runs_again_on_what_buffers_hold(void **state) {
    (void)state;
    run_replays("");
    run_replays("staging");
}

/* Steps are submitted without waiting, so that a stretch runs while it is encoded again. */
static void stretch_may_run_while_it_is_encoded(void **state) {
    (void)state;
    enum { STEPS = 300 };
    world w;
    uint64_t tickets[STEPS];
    need(&w, "");
    for (int32_t i = 0; i < STEPS; i++) {
        set(&w, 20.0f + (float)i);
        assert_int_equal(run(&w, 1), i > 0);
        assert_int_equal(device_submit(w.rig.dev, &tickets[i]), FM_OK);
    }
    assert_int_equal(device_wait(w.rig.dev, tickets[0]), FM_OK);
    assert_int_equal(device_wait(w.rig.dev, tickets[STEPS - 2]), FM_OK);
    expect(&w, 319.0f * 319.0f);
    close_world(&w);
}

static void many_pieces_fit_in_a_step(void **state) {
    (void)state;
    world w;
    need(&w, "");
    set(&w, 1.0f);
    for (int32_t i = 0; i < 500; i++) {
        run(&w, i % 3);
        set(&w, (float)(20 + i));
    }
    run(&w, 0);
    expect(&w, 519.0f * 519.0f);
    close_world(&w);
}

static void key_is_compared_whole(void **state) {
    (void)state;
    world w;
    bool kept;
    need(&w, "");
    set(&w, 20.0f);
    assert_false(run(&w, 1));
    fm_record_key others[] = {{&w.x, {1, 1, 2, 3}},
                              {&w, {2, 1, 2, 3}},
                              {&w, {1, 2, 2, 3}},
                              {&w, {1, 1, 3, 3}},
                              {&w, {1, 1, 2, 4}}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(device_record(w.rig.dev, &others[i], &kept), FM_OK);
        assert_false(kept);
        assert_int_equal(device_record_end(w.rig.dev), FM_OK);
    }
    assert_true(run(&w, 1));
    vk_rig_finish(&w.rig);
    close_world(&w);
}

/* 64 are kept: of 65 the one that was not used for the longest time is gone. */
static void oldest_stretch_makes_room(void **state) {
    (void)state;
    world w;
    need(&w, "");
    for (int32_t key = 0; key < 64; key++) {
        set(&w, 20.0f);
        assert_false(run(&w, key));
        expect(&w, 400.0f);
    }
    assert_true(run(&w, 0));
    assert_false(run(&w, 64));
    assert_true(run(&w, 0));
    assert_true(run(&w, 2));
    assert_true(run(&w, 64));
    assert_false(run(&w, 1));
    vk_rig_finish(&w.rig);
    set(&w, 20.0f);
    assert_true(run(&w, 64));
    expect(&w, 400.0f);
    close_world(&w);
}

static void freed_buffer_forgets_all(void **state) {
    (void)state;
    world w;
    need(&w, "");
    set(&w, 20.0f);
    assert_false(run(&w, 1));
    fm_tensor other = vk_rig_floats(&w.rig, 5);
    assert_true(run(&w, 1));
    buf_free(w.rig.dev, other.buf);
    set(&w, 20.0f);
    assert_false(run(&w, 1));
    expect(&w, 400.0f);
    close_world(&w);
}

static void abandoned_stretch_is_not_kept(void **state) {
    (void)state;
    world w;
    bool kept;
    fm_record_key key = {.owner = &w, .sizes = {1, 1, 2, 3}};
    need(&w, "");
    set(&w, 20.0f);
    assert_int_equal(device_record(w.rig.dev, &key, &kept), FM_OK);
    encode_stretch(&w);
    device_abandon(w.rig.dev);
    set(&w, 20.0f);
    assert_false(run(&w, 1));
    expect(&w, 400.0f);
    close_world(&w);
}

static void profile_has_the_devices_times(void **state) {
    (void)state;
    world w;
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    need(&w, "");
    device_profile(w.rig.dev, true);
    for (int32_t i = 0; i < 1500; i++) { /* more than are kept between two readings */
        set(&w, 20.0f);
        encode_stretch(&w);
    }
    expect(&w, 400.0f);
    assert_in_range(device_profile_get(w.rig.dev, rows), 4, FM_PROFILE_ROWS_MAX);
    assert_string_equal(rows[0].name, "gate_mul");
    assert_int_equal(rows[0].calls, 1500);
    assert_true(rows[0].seconds > 0.0 && rows[0].seconds < 60.0);
    double first = rows[0].seconds;
    device_profile(w.rig.dev, false);
    encode_stretch(&w);
    vk_rig_finish(&w.rig);
    device_profile_get(w.rig.dev, rows);
    assert_true(rows[0].seconds == first);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretch_runs_again_on_what_buffers_hold),
        cmocka_unit_test(stretch_may_run_while_it_is_encoded),
        cmocka_unit_test(many_pieces_fit_in_a_step),
        cmocka_unit_test(key_is_compared_whole),
        cmocka_unit_test(oldest_stretch_makes_room),
        cmocka_unit_test(freed_buffer_forgets_all),
        cmocka_unit_test(abandoned_stretch_is_not_kept),
        cmocka_unit_test(profile_has_the_devices_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
