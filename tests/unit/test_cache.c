/*
 * test_cache.c - cache streams: which classes a description has, what their pages hold, and that a
 * page's rows go where they should and nowhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/cache.h"

/* ---- Classes --------------------------------------------------------------------------------- */

enum { G = 2, D = 10, WINDOW = 40 };

/** A description as far as caches read it: layers whose letter is s slide. */
static config described(const char *layers) {
    config c = {.n_layers = (int32_t)strlen(layers),
                .attention = CONFIG_ATTENTION_GQA,
                .n_kv_heads = G,
                .head_dim = D,
                .sliding_window = WINDOW};
    for (int32_t i = 0; i < c.n_layers; i++) c.layer_slides[i] = layers[i] == 's';
    return c;
}

static void expect_class(const cache_class *c, int32_t window, uint64_t row_bytes) {
    assert_int_equal(c->window, window);
    assert_int_equal(c->n_pages, 0);
    assert_int_equal(c->row_bytes, row_bytes);
}

static void cache_classes_are_the_windows_in_the_order_of_the_layers(void **state) {
    (void)state;
    cache_class classes[CACHE_MAX_CLASSES];
    memset(classes, 0xff, sizeof classes);
    config c = described("ffff");
    assert_int_equal(cache_classes(&c, FM_DTYPE_F32, classes), 1);
    expect_class(&classes[0], 0, 4 * 2 * G * D * 4);
    c = described("ssf");
    assert_int_equal(cache_classes(&c, FM_DTYPE_BF16, classes), 2);
    expect_class(&classes[0], WINDOW, 2 * 2 * G * D * 2);
    expect_class(&classes[1], 0, 2 * G * D * 2);
    c = described("fsfsf");
    assert_int_equal(cache_classes(&c, FM_DTYPE_F32, classes), 2);
    expect_class(&classes[0], 0, 3 * 2 * G * D * 4);
    expect_class(&classes[1], WINDOW, 2 * 2 * G * D * 4);
    c = described("ss");
    assert_int_equal(cache_classes(&c, FM_DTYPE_F32, classes), 1);
    expect_class(&classes[0], WINDOW, 2 * 2 * G * D * 4);
}

static void cache_of_latents_has_one_stream_a_layer(void **state) {
    (void)state;
    cache_class classes[CACHE_MAX_CLASSES];
    const config c = {.n_layers = 3,
                      .attention = CONFIG_ATTENTION_MLA,
                      .n_kv_heads = 1,
                      .head_dim = 20,
                      .kv_lora_rank = 24,
                      .qk_rope_head_dim = 8};
    assert_int_equal(cache_classes(&c, FM_DTYPE_F32, classes), 1);
    expect_class(&classes[0], 0, 3 * 32 * 4);
}

/* ---- A cache on a device --------------------------------------------------------------------- */

typedef struct rig {
    config c;
    fm_device *dev;
    model_layer layers[8];
    model_weights w;
    kv_cache cache;
} rig;

static const int32_t n_pages[CACHE_MAX_CLASSES] = {5, 3, 1, 1};

static void rig_device(rig *r, const char *layers) {
    const fm_device_params params = {
        .max_tokens = 4, .max_rows = 4, .max_sequences = 1, .max_context = 512, .n_threads = 1};
    *r = (rig){.c = described(layers)};
    assert_int_equal(device_open(&fm_backend_cpu, &params, (fm_log){0}, &r->dev, NULL), FM_OK);
    for (int32_t i = 0; i < r->c.n_layers; i++) r->layers[i].dev = r->dev;
    r->w.layers = r->layers;
}

static void rig_open(rig *r, const char *layers) {
    fm_error err = {0};
    rig_device(r, layers);
    if (cache_new(&r->c, &r->w, n_pages, FM_DTYPE_F32, &r->cache, &err) != FM_OK)
        fail_msg("%s", err.text);
}

static void rig_close(rig *r) {
    cache_free(&r->cache);
    device_close(r->dev);
}

static void cache_layers_and_streams_belong_to_their_classes(void **state) {
    (void)state;
    static const int32_t class_ids[] = {0, 1, 0, 1, 1};
    rig r;
    rig_open(&r, "fsfss");
    assert_int_equal(r.cache.n_classes, 2);
    assert_int_equal(r.cache.n_streams, 10);
    for (int32_t i = 0; i < 5; i++) {
        const cache_layer *layer = &r.cache.layers[i];
        const cache_stream *k = &r.cache.streams[2 * i], *v = k + 1;
        assert_int_equal(layer->class_id, class_ids[i]);
        assert_int_equal(k->class_id, class_ids[i]);
        assert_int_equal(v->class_id, class_ids[i]);
        assert_ptr_equal(layer->k.buf, k->rows.buf);
        assert_ptr_equal(layer->v.buf, v->rows.buf);
        assert_int_equal(layer->k.size[0], n_pages[class_ids[i]] * FM_CACHE_PAGE_ROWS);
        assert_int_equal(layer->v.size[0], n_pages[class_ids[i]] * FM_CACHE_PAGE_ROWS);
        assert_int_equal(cache_stream_row_bytes(&r.cache, 2 * i), G * D * sizeof(float));
    }
    for (int32_t i = 0; i < 2; i++) assert_int_equal(r.cache.classes[i].n_pages, n_pages[i]);
    rig_close(&r);
}

static void cache_that_no_memory_holds_is_refused_before_it_is_made(void **state) {
    (void)state;
    static const int32_t too_many[][2] = {{INT32_MAX, 1}, {1, INT32_MAX}, {INT32_MAX / 63, 1}};
    rig r;
    rig_device(&r, "fsfs");
    r.c.n_kv_heads = 1 << 12;
    r.c.head_dim = 1024;
    for (size_t i = 0; i < sizeof too_many / sizeof *too_many; i++) {
        fm_error err = {0};
        assert_int_equal(cache_new(&r.c, &r.w, too_many[i], FM_DTYPE_F32, &r.cache, &err),
                         FM_ERR_LIMIT);
        assert_non_null(strstr(err.text, "do not fit any memory"));
    }
    rig_close(&r);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

enum { ROW = G * D, PAGE = ROW * FM_CACHE_PAGE_ROWS };

/** What a test writes to a value of a page. */
static float mark(int32_t stream, int32_t page, int32_t i) {
    return (float)(stream * 100000 + page * 10000 + i);
}

static void mark_all(rig *r) {
    static float values[PAGE];
    for (int32_t s = 0; s < r->cache.n_streams; s++)
        for (int32_t p = 0; p < n_pages[r->cache.streams[s].class_id]; p++) {
            for (int32_t i = 0; i < PAGE; i++) values[i] = mark(s, p, i);
            assert_int_equal(cache_write_page(&r->cache, s, p, FM_CACHE_PAGE_ROWS, values), FM_OK);
        }
}

static void settle(rig *r) {
    uint64_t ticket;
    assert_int_equal(device_submit(r->dev, &ticket), FM_OK);
    assert_int_equal(device_wait(r->dev, ticket), FM_OK);
}

/** Page `page` of a stream holds the marks of `origin`, from row 0 to the end. */
static void expect_page(rig *r, int32_t stream, int32_t page, int32_t origin) {
    static float values[PAGE];
    memset(values, 0, sizeof values);
    assert_int_equal(cache_read_page(&r->cache, stream, page, FM_CACHE_PAGE_ROWS, values), FM_OK);
    for (int32_t i = 0; i < PAGE; i++)
        if (values[i] != mark(stream, origin, i))
            fail_msg("stream %d, page %d: value %d is %g", stream, page, i, (double)values[i]);
}

static void cache_copies_a_page_in_all_streams_of_its_class_alone(void **state) {
    (void)state;
    rig r;
    rig_open(&r, "fsfs");
    mark_all(&r);
    assert_int_equal(cache_copy_page(&r.cache, 1, 2, 0), FM_OK);
    assert_int_equal(cache_copy_page(&r.cache, 0, 1, 4), FM_OK);
    settle(&r);
    for (int32_t s = 0; s < r.cache.n_streams; s++) {
        int32_t class_id = r.cache.streams[s].class_id;
        for (int32_t p = 0; p < n_pages[class_id]; p++) {
            int32_t origin = p;
            if (class_id == 1 && p == 0) origin = 2;
            if (class_id == 0 && p == 4) origin = 1;
            expect_page(&r, s, p, origin);
        }
    }
    rig_close(&r);
}

static void cache_copy_to_itself_is_refused(void **state) {
    (void)state;
    rig r;
    rig_open(&r, "fs");
    assert_int_equal(cache_copy_page(&r.cache, 0, 2, 2), FM_ERR_ARG);
    assert_non_null(strstr(device_fault(r.dev), "overlap"));
    rig_close(&r);
}

static void cache_moves_the_first_rows_of_a_page(void **state) {
    (void)state;
    static float values[PAGE];
    enum { N = 17 };
    rig r;
    rig_open(&r, "fs");
    mark_all(&r);
    for (int32_t i = 0; i < PAGE; i++) values[i] = (float)-i;
    assert_int_equal(cache_write_page(&r.cache, 3, 1, N, values), FM_OK);
    assert_int_equal(cache_read_page(&r.cache, 3, 1, N, values), FM_ERR_STATE);
    settle(&r);
    memset(values, 0, sizeof values);
    assert_int_equal(cache_read_page(&r.cache, 3, 1, FM_CACHE_PAGE_ROWS, values), FM_OK);
    for (int32_t i = 0; i < PAGE; i++)
        assert_true(values[i] == (i < N * ROW ? (float)-i : mark(3, 1, i)));
    memset(values, 0, sizeof values);
    assert_int_equal(cache_read_page(&r.cache, 2, 2, N, values), FM_OK);
    for (int32_t i = 0; i < PAGE; i++)
        assert_true(values[i] == (i < N * ROW ? mark(2, 2, i) : 0.0f));
    expect_page(&r, 3, 0, 0);
    expect_page(&r, 3, 2, 2);
    expect_page(&r, 2, 1, 1);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_classes_are_the_windows_in_the_order_of_the_layers),
        cmocka_unit_test(cache_of_latents_has_one_stream_a_layer),
        cmocka_unit_test(cache_layers_and_streams_belong_to_their_classes),
        cmocka_unit_test(cache_that_no_memory_holds_is_refused_before_it_is_made),
        cmocka_unit_test(cache_copies_a_page_in_all_streams_of_its_class_alone),
        cmocka_unit_test(cache_copy_to_itself_is_refused),
        cmocka_unit_test(cache_moves_the_first_rows_of_a_page),
    };
    return cmocka_run_group_tests_name("test_cache", tests, NULL, NULL);
}
