/*
 * test_vk_memory.c - buffers of a Vulkan device beside each other: their bytes stay apart whatever
 * is made and freed around them, new ones are zeroed, and what does not fit is refused in numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk_rig.h"

enum { BUFS = 40, LARGE = 9 << 20 }; /* LARGE: floats, more than half a block of memory */

typedef struct world {
    vk_rig rig;
    fm_tensor at[BUFS]; /* buf NULL: none */
    float marks[BUFS];
    float *host; /* [LARGE] */
    uint32_t random;
} world;

static uint32_t draw(world *w, uint32_t below) {
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % below;
}

static int64_t draw_size(world *w) {
    switch (draw(w, 12)) {
    case 0:
        return LARGE;
    case 1:
    case 2:
        return 1 + draw(w, 1 << 20);
    default:
        return 1 + draw(w, 1000);
    }
}

static void expect_all(world *w, int32_t i, float value) {
    int64_t n = w->at[i].size[0];
    vk_rig_read(&w->rig, w->at[i], w->host);
    for (int64_t k = 0; k < n; k++)
        if (w->host[k] != value)
            fail_msg("element %lld of %lld is %g, not %g", (long long)k, (long long)n,
                     (double)w->host[k], (double)value);
}

static void make(world *w, int32_t i) {
    w->at[i] = vk_rig_floats(&w->rig, draw_size(w));
    expect_all(w, i, 0.0f);
    w->marks[i] = (float)(1 + draw(w, 1000000));
    for (int64_t k = 0; k < w->at[i].size[0]; k++) w->host[k] = w->marks[i];
    vk_rig_write(&w->rig, w->at[i], w->host);
}

static void drop(world *w, int32_t i) {
    buf_free(w->rig.dev, w->at[i].buf);
    w->at[i].buf = NULL;
}

static void run_random(const char *options) {
    world *w = test_calloc(1, sizeof *w);
    vk_rig_open(&w->rig, options);
    if (!w->rig.dev) {
        printf("skip: %s\n", w->rig.err.text);
        test_free(w);
        skip();
    }
    w->host = test_malloc(LARGE * sizeof *w->host);
    for (int32_t step = 0; step < 150; step++) {
        int32_t i = (int32_t)draw(w, BUFS);
        if (!w->at[i].buf) {
            make(w, i);
        } else {
            expect_all(w, i, w->marks[i]);
            drop(w, i);
        }
    }
    for (int32_t i = 0; i < BUFS; i++) {
        if (w->at[i].buf) expect_all(w, i, w->marks[i]);
        drop(w, i);
    }
    test_free(w->host);
    vk_rig_close(&w->rig);
    test_free(w);
}

static void buffers_stay_apart(void **state) {
    (void)state;
    run_random("");
}

static void buffers_stay_apart_when_staged(void **state) {
    (void)state;
    run_random("staging");
}

static void memory_comes_back(void **state) {
    (void)state;
    vk_rig rig;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    const fm_device_info *info = device_info(rig.dev);
    /* More than there is in all, if each were not freed. */
    uint64_t rounds = info->software ? info->memory_total / ((uint64_t)LARGE * 4) + 2 : 4;
    for (uint64_t i = 0; i < rounds; i++) {
        fm_tensor t = vk_rig_floats(&rig, LARGE);
        buf_free(rig.dev, t.buf);
    }
    vk_rig_close(&rig);
}

static void buffer_that_no_binding_reaches_is_refused(void **state) {
    (void)state;
    vk_rig rig;
    fm_buf *buf;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    size_t most = (size_t)device_info(rig.dev)->buf_max;
    assert_int_equal(buf_new(rig.dev, most + 1, &buf, &rig.err), FM_ERR_LIMIT);
    if (!strstr(rig.err.text, "is the most")) fail_msg("%s", rig.err.text);
    assert_null(buf);
    vk_rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_stay_apart),
        cmocka_unit_test(buffers_stay_apart_when_staged),
        cmocka_unit_test(memory_comes_back),
        cmocka_unit_test(buffer_that_no_binding_reaches_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
