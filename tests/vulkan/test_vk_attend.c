/*
 * test_vk_attend.c - attention against the CPU's, in what the op table does not reach: one split
 * and many, tasks with fewer heads than their neighbours, many heads over one key-value head, steps
 * in more than one batch.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vk_rig.h"
#include "vk_view.h"

enum {
    SEQUENCES = 3,
    LAST_POSITION = 1500,
    USED_PAGES = LAST_POSITION / FM_CACHE_PAGE_ROWS + 1, /* of a sequence */
    LONG_CONTEXT = 1 << 16,
    NOWHERE = INT32_MAX, /* the number of a page that must not be read */
};

typedef struct attend_shape {
    int32_t T, H, G, K, N;
    int32_t n_pages; /* of a sequence in the table: 8 make a split */
    int32_t window;
    bool bf16;
    bool latent; /* v is the first part of k */
} attend_shape;

/** A call on one device. */
typedef struct attend_call {
    fm_device *dev;
    fm_attend args;
    fm_tensor whole; /* [T, H + 1, N]: y, and behind each token's heads a row that is none of it */
    int64_t n_y;
    float *y; /* [n_y]: the whole */
} attend_call;

/* ---- Building a call ------------------------------------------------------------------------- */

static fm_tensor tensor_of(fm_device *dev, fm_tensor t, const void *values) {
    size_t size = (size_t)tensor_count(&t) * (t.dtype == FM_DTYPE_BF16 ? 2 : 4);
    vk_view_demand(dev, buf_new(dev, size, &t.buf, NULL), "buf_new");
    vk_view_demand(dev, device_write(dev, t, values), "write");
    return t;
}

/** Numbers in [-1, 1), as the bits of the format; the same for the same seed. */
static fm_tensor random_of(fm_device *dev, fm_tensor t, uint64_t seed) {
    int64_t n = tensor_count(&t);
    uint32_t *words = calloc((size_t)n, sizeof *words);
    uint16_t *halves = (uint16_t *)words;
    assert_non_null(words);
    for (int64_t i = 0; i < n; i++) {
        float value = (float)(2 * vk_view_uniform(&seed) - 1);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (t.dtype == FM_DTYPE_BF16)
            halves[i] = (uint16_t)(bits >> 16);
        else
            words[i] = bits;
    }
    fm_tensor made = tensor_of(dev, t, words);
    free(words);
    return made;
}

/** The tokens' positions lie around blocks and splits, as far as the table of pages reaches. */
static void place_tokens(attend_call *c, const attend_shape *s) {
    static const int32_t around[] = {LAST_POSITION, 0, 512, 63, 511, 64, 1023, 1024};
    int32_t *positions = calloc((size_t)s->T, sizeof *positions);
    int32_t *sequences = calloc((size_t)s->T, sizeof *sequences);
    assert_true(positions && sequences);
    for (int32_t t = 0; t < s->T; t++) {
        int32_t position = t < 8 ? around[t] : t * 37 % LAST_POSITION;
        positions[t] = position % (s->n_pages * FM_CACHE_PAGE_ROWS);
        sequences[t] = t % SEQUENCES;
    }
    c->args.positions = tensor_of(c->dev, tensor_1d(NULL, FM_DTYPE_I32, s->T), positions);
    c->args.sequences = tensor_of(c->dev, tensor_1d(NULL, FM_DTYPE_I32, s->T), sequences);
    free(positions);
    free(sequences);
}

/** Pages of the sequences by turns, the last first; those that no token reaches are nowhere. */
static void place_pages(attend_call *c, const attend_shape *s) {
    int32_t *pages = calloc((size_t)(SEQUENCES * s->n_pages), sizeof *pages);
    assert_non_null(pages);
    for (int32_t i = 0; i < SEQUENCES * s->n_pages; i++) {
        int32_t sequence = i / s->n_pages, page = i % s->n_pages;
        pages[i] = page < USED_PAGES ? (USED_PAGES - 1 - page) * SEQUENCES + sequence : NOWHERE;
    }
    c->args.pages = tensor_of(c->dev, tensor_2d(NULL, FM_DTYPE_I32, SEQUENCES, s->n_pages), pages);
    free(pages);
}

static attend_call call_new(fm_device *dev, const attend_shape *s) {
    const fm_dtype cache = s->bf16 ? FM_DTYPE_BF16 : FM_DTYPE_F32;
    const int64_t n_rows = SEQUENCES * USED_PAGES * FM_CACHE_PAGE_ROWS;
    attend_call c = {
        .dev = dev,
    };
    fm_attend *a = &c.args;
    a->q = random_of(dev, tensor_3d(NULL, FM_DTYPE_F32, s->T, s->H, s->K), 1);
    a->k = random_of(dev, tensor_3d(NULL, cache, n_rows, s->G, s->K), 2);
    a->v = s->latent ? tensor_slice(a->k, 2, 0, s->N)
                     : random_of(dev, tensor_3d(NULL, cache, n_rows, s->G, s->N), 3);
    a->scale = 4 / sqrtf((float)s->K);
    a->window = s->window;
    c.whole = random_of(dev, tensor_3d(NULL, FM_DTYPE_F32, s->T, s->H + 1, s->N), 4);
    c.n_y = tensor_count(&c.whole);
    a->y = tensor_slice(c.whole, 1, 0, s->H);
    place_tokens(&c, s);
    place_pages(&c, s);
    c.y = calloc((size_t)c.n_y, sizeof *c.y);
    assert_non_null(c.y);
    return c;
}

static void call_run(attend_call *c) {
    uint64_t ticket;
    vk_view_demand(c->dev, op_attend(c->dev, &c->args), "attend");
    vk_view_demand(c->dev, device_submit(c->dev, &ticket), "submit");
    vk_view_demand(c->dev, device_wait(c->dev, ticket), "wait");
    vk_view_demand(c->dev, device_read(c->dev, c->whole, c->y), "read");
}

static void call_free(attend_call *c) {
    fm_attend *a = &c->args;
    fm_buf *v = a->v.buf == a->k.buf ? NULL : a->v.buf;
    fm_buf *bufs[] = {a->q.buf,         a->k.buf,     v,       a->positions.buf,
                      a->sequences.buf, a->pages.buf, a->y.buf};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_free(c->dev, bufs[i]);
    free(c->y);
}

/* ---- Devices --------------------------------------------------------------------------------- */

static fm_device_params limits_of(int32_t max_tokens, int32_t max_context) {
    return (fm_device_params){.max_tokens = max_tokens,
                              .max_rows = max_tokens,
                              .max_sequences = SEQUENCES,
                              .max_context = max_context,
                              .n_threads = 2};
}

static fm_device *cpu_open(fm_device_params limits) {
    fm_device *dev = NULL;
    fm_error err = {0};
    if (device_open(&fm_backend_cpu, &limits, (fm_log){0}, &dev, &err) != FM_OK)
        fail_msg("%s", err.text);
    return dev;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void expect_close(const attend_shape *s, const attend_call *got,
                         const attend_call *expected) {
    double error = 0, sum = 0;
    for (int64_t i = 0; i < got->n_y; i++) {
        double value = (double)expected->y[i], d = (double)got->y[i] - value;
        bool is_head = i / s->N % (s->H + 1) < s->H;
        if (!is_head && d != 0) fail_msg("row %d behind the heads was written", (int)(i / s->N));
        error += d * d;
        sum += is_head ? value * value : 0;
    }
    if (!(error <= 1e-10 * sum))
        fail_msg("T%d H%d G%d K%d N%d pages %d window %d%s%s: nmse %.2e", s->T, s->H, s->G, s->K,
                 s->N, s->n_pages, s->window, s->bf16 ? " BF16" : "", s->latent ? " latent" : "",
                 error / sum);
}

static void attend_agrees_with_the_cpu(void **state) {
    static const attend_shape shapes[] = {
        {17, 4, 4, 64, 64, 24, .bf16 = true},
        {17, 9, 3, 33, 31, 24, .window = 0},
        {17, 16, 2, 24, 40, 24, .bf16 = true},
        {8, 5, 1, 16, 16, 24, .window = 0},
        {8, 14, 2, 15, 17, 24, .bf16 = true},
        {8, 4, 2, 16, 18, 1, .window = 0},
        {8, 10, 2, 16, 18, 8, .bf16 = true},
        {8, 3, 1, 16, 18, 9, .window = 0},
        {8, 6, 2, 16, 18, 8, .window = 70},
        {8, 6, 2, 16, 18, 24, .window = 600, .bf16 = true},
        {2, 128, 1, 576, 512, 24, .bf16 = true, .latent = true},
        {3, 2, 1, 1030, 1024, 24, .bf16 = true, .latent = true},
        {1, 8, 1, 128, 128, 24, .bf16 = true},
        {512, 4, 2, 16, 16, 24, .window = 0},
    };
    vk_rig rig;
    fm_device_params limits = limits_of(512, USED_PAGES * FM_CACHE_PAGE_ROWS);
    (void)state;
    vk_rig_open_with(&rig, "", limits);
    VK_RIG_NEED(&rig);
    fm_device *cpu = cpu_open(limits);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        attend_call got = call_new(rig.dev, &shapes[i]), expected = call_new(cpu, &shapes[i]);
        call_run(&got);
        call_run(&expected);
        expect_close(&shapes[i], &got, &expected);
        call_free(&got);
        call_free(&expected);
    }
    device_close(cpu);
    vk_rig_close(&rig);
}

/* A table of pages with room for more splits takes the way over the workspace. */
static void attend_of_one_split_is_that_of_many(void **state) {
    const attend_shape shape = {.T = 8, .H = 6, .G = 2, .K = 32, .N = 32, .n_pages = 8};
    vk_rig rig;
    (void)state;
    vk_rig_open_with(&rig, "", limits_of(8, USED_PAGES * FM_CACHE_PAGE_ROWS));
    VK_RIG_NEED(&rig);
    attend_call one = call_new(rig.dev, &shape), many = call_new(rig.dev, &shape);
    attend_shape wider = shape;
    wider.n_pages = USED_PAGES;
    buf_free(rig.dev, many.args.pages.buf);
    place_pages(&many, &wider);
    call_run(&one);
    call_run(&many);
    assert_memory_equal(one.y, many.y, (size_t)one.n_y * sizeof *one.y);
    call_free(&one);
    call_free(&many);
    vk_rig_close(&rig);
}

/* A table for 128 splits leaves room for less than 1,000 heads of 64 values in 32 MiB: two batches
 * here, where the shorter table takes one. */
static void attend_in_batches_is_that_of_one(void **state) {
    const attend_shape shape = {.T = 64, .H = 16, .G = 4, .K = 8, .N = 64, .n_pages = USED_PAGES};
    vk_rig rig;
    (void)state;
    vk_rig_open_with(&rig, "", limits_of(64, LONG_CONTEXT));
    VK_RIG_NEED(&rig);
    attend_call one = call_new(rig.dev, &shape), many = call_new(rig.dev, &shape);
    attend_shape wider = shape;
    wider.n_pages = LONG_CONTEXT / FM_CACHE_PAGE_ROWS;
    buf_free(rig.dev, many.args.pages.buf);
    place_pages(&many, &wider);
    call_run(&one);
    call_run(&many);
    assert_memory_equal(one.y, many.y, (size_t)one.n_y * sizeof *one.y);
    call_free(&one);
    call_free(&many);
    vk_rig_close(&rig);
}

static void attend_context_too_long_is_refused(void **state) {
    const fm_backend *backend;
    fm_device_params limits = limits_of(1, 1 << 30);
    limits.options = "cache=off";
    fm_device *dev = NULL;
    fm_error err = {0};
    vk_rig rig;
    (void)state;
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    backend = rig.backend;
    uint64_t head_bytes = (uint64_t)limits.max_context / 512 * (2 + FM_VALUE_DIM_MAX) * 4;
    bool fits = head_bytes <= device_info(rig.dev)->buf_max;
    vk_rig_close(&rig);
    if (fits) skip();
    assert_int_equal(device_open(backend, &limits, (fm_log){0}, &dev, &err), FM_ERR_LIMIT);
    assert_non_null(strstr(err.text, "a context of 1073741824 keys"));
    assert_null(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attend_agrees_with_the_cpu),
        cmocka_unit_test(attend_of_one_split_is_that_of_many),
        cmocka_unit_test(attend_in_batches_is_that_of_one),
        cmocka_unit_test(attend_context_too_long_is_refused),
    };
    return cmocka_run_group_tests_name("test_vk_attend", tests, NULL, NULL);
}
