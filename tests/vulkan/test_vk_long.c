/*
 * test_vk_long.c - operations that go through very much in one invocation, against the CPU's:
 * drivers may end loops that take too long (an emulated device of Mesa those of an invocation after
 * 65,535 turns in all), and then results are wrong without a word.
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
    WIDTH_MOST = 1 << 20, /* of a model's rows */
    LONG_CONTEXT = 1 << 20,
    CACHE_PAGES = 24, /* that all pages of a long context share */
};

/** The same call on both devices: each has its own tensors, of the same values. */
typedef struct side {
    fm_device *dev;
    fm_buf *bufs[12];
    int32_t n_bufs;
} side;

typedef struct pair {
    vk_rig rig;
    side at[2]; /* the CPU's, the Vulkan device's */
} pair;

/* ---- Devices and tensors ------------------------------------------------------------------------- */

static void pair_open(pair *p) {
    const fm_device_params params = {.max_tokens = 64,
                                     .max_rows = 64,
                                     .max_sequences = 1,
                                     .max_context = LONG_CONTEXT,
                                     .n_threads = 2};
    *p = (pair){0};
    vk_rig_open_with(&p->rig, "", params);
    VK_RIG_NEED(&p->rig);
    p->at[1].dev = p->rig.dev;
    if (device_open(&fm_backend_cpu, &params, (fm_log){0}, &p->at[0].dev, &p->rig.err) != FM_OK)
        fail_msg("%s", p->rig.err.text);
}

static void pair_forget(pair *p) {
    for (int i = 0; i < 2; i++)
        for (side *s = &p->at[i]; s->n_bufs > 0; s->n_bufs--)
            buf_free(s->dev, s->bufs[s->n_bufs - 1]);
}

static void pair_close(pair *p) {
    pair_forget(p);
    device_close(p->at[0].dev);
    vk_rig_close(&p->rig);
}

static fm_tensor tensor_of(side *s, fm_tensor t, const void *values) {
    vk_view_demand(s->dev, buf_new(s->dev, (size_t)tensor_count(&t) * 4, &t.buf, NULL), "buf_new");
    s->bufs[s->n_bufs++] = t.buf;
    if (values) vk_view_demand(s->dev, device_write(s->dev, t, values), "write");
    return t;
}

/** Numbers in [-1, 1), the same for the same seed. The caller frees them. */
static float *random_numbers(int64_t n, uint64_t seed) {
    float *numbers = malloc((size_t)n * sizeof *numbers);
    assert_non_null(numbers);
    for (int64_t i = 0; i < n; i++) numbers[i] = (float)(2 * vk_view_uniform(&seed) - 1);
    return numbers;
}

static fm_tensor random_of(side *s, fm_tensor t, uint64_t seed) {
    float *numbers = random_numbers(tensor_count(&t), seed);
    fm_tensor made = tensor_of(s, t, numbers);
    free(numbers);
    return made;
}

static fm_tensor indices_of(side *s, int64_t n0, int64_t n1, int32_t below) {
    int32_t *indices = malloc((size_t)(n0 * n1) * sizeof *indices);
    assert_non_null(indices);
    for (int64_t i = 0; i < n0 * n1; i++) indices[i] = (int32_t)(i * 7 % below);
    fm_tensor made = tensor_of(s, tensor_2d(NULL, FM_DTYPE_I32, n0, n1), indices);
    free(indices);
    return made;
}

static float *read_all(side *s, fm_tensor t) {
    uint64_t ticket;
    float *values = malloc((size_t)tensor_count(&t) * sizeof *values);
    assert_non_null(values);
    vk_view_demand(s->dev, device_submit(s->dev, &ticket), "submit");
    vk_view_demand(s->dev, device_wait(s->dev, ticket), "wait");
    vk_view_demand(s->dev, device_read(s->dev, t, values), "read");
    return values;
}

static void expect_close(pair *p, const char *what, const fm_tensor y[2]) {
    float *expected = read_all(&p->at[0], y[0]), *got = read_all(&p->at[1], y[1]);
    double error = 0, sum = 0;
    for (int64_t i = 0; i < tensor_count(&y[0]); i++) {
        double d = (double)got[i] - (double)expected[i];
        error += d * d;
        sum += (double)expected[i] * (double)expected[i];
    }
    free(expected);
    free(got);
    pair_forget(p);
    print_message("%s: nmse %.2e\n", what, error / sum);
    if (!(error <= 1e-9 * sum)) fail_msg("%s: nmse %.2e", what, error / sum);
}

/* ---- Rows ---------------------------------------------------------------------------------------- */

static void vk_long_rows_are_normed(void **state) {
    pair p;
    fm_tensor y[2];
    (void)state;
    pair_open(&p);
    for (int i = 0; i < 2; i++) {
        side *s = &p.at[i];
        fm_norm a = {.x = random_of(s, tensor_2d(NULL, FM_DTYPE_F32, 2, WIDTH_MOST), 1),
                     .weight = random_of(s, tensor_1d(NULL, FM_DTYPE_F32, WIDTH_MOST), 2),
                     .eps = 1e-6f};
        a.y = y[i] = tensor_of(s, a.x, NULL);
        vk_view_demand(s->dev, op_norm(s->dev, &a), "norm");
    }
    expect_close(&p, "norm", y);
    pair_close(&p);
}

static void gather(side *s, int32_t length, fm_status wanted, fm_tensor *y) {
    fm_gather_rows a = {.x = random_of(s, tensor_2d(NULL, FM_DTYPE_F32, 50, 1030), 1),
                        .rows = indices_of(s, 2, length, 50)};
    a.y = *y = tensor_of(s, tensor_2d(NULL, FM_DTYPE_F32, 2, 1030), NULL);
    assert_int_equal(op_gather_rows(s->dev, &a), wanted);
}

/* About as many as a workgroup of one subgroup takes, and the largest one; and more than a device
 * of software makes. */
static void vk_long_lists_of_rows_are_gathered(void **state) {
    static const int32_t lengths[] = {460, 700, 7490};
    pair p;
    fm_tensor y[2];
    (void)state;
    pair_open(&p);
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        for (int i = 0; i < 2; i++) gather(&p.at[i], lengths[n], FM_OK, &y[i]);
        expect_close(&p, "gather_rows", y);
    }
    if (device_info(p.rig.dev)->software) {
        gather(&p.at[1], 70000, FM_ERR_UNSUPPORTED, &y[1]);
        assert_non_null(strstr(p.rig.last_warning, "cannot do this gather_rows"));
    }
    pair_close(&p);
}

/* ---- Products ------------------------------------------------------------------------------------ */

static void check_product(pair *p, int32_t n_tokens, int64_t n_k, fm_dtype dtype) {
    enum { N_ROWS = 6 };
    fm_tensor y[2];
    fm_weight *w[2];
    char what[80];
    float *numbers = random_numbers(N_ROWS * n_k, 5);
    fm_weight_part part = {numbers, N_ROWS, n_k, 1};
    const fm_weight_source source = {FM_DTYPE_F32, 1, 1, n_k, &part};
    snprintf(what, sizeof what, "matmul of %d tokens, K %lld, format %d", (int)n_tokens,
             (long long)n_k, (int)dtype);
    for (int i = 0; i < 2; i++) {
        side *s = &p->at[i];
        vk_view_demand(s->dev, weight_load(s->dev, &source, dtype, &w[i], NULL), "weight_load");
        fm_matmul a = {.x = random_of(s, tensor_2d(NULL, FM_DTYPE_F32, n_tokens, n_k), 6),
                       .w = w[i]};
        a.y = y[i] = tensor_of(s, tensor_2d(NULL, FM_DTYPE_F32, n_tokens, N_ROWS), NULL);
        vk_view_demand(s->dev, op_matmul(s->dev, &a), what);
    }
    expect_close(p, what, y);
    for (int i = 0; i < 2; i++) weight_free(p->at[i].dev, w[i]);
    free(numbers);
}

static void vk_long_products_are_whole(void **state) {
    pair p;
    (void)state;
    pair_open(&p);
    check_product(&p, 1, WIDTH_MOST, FM_DTYPE_F32);
    check_product(&p, 3, WIDTH_MOST, FM_DTYPE_BF16);
    check_product(&p, 1, 4 * WIDTH_MOST, FM_DTYPE_F32);
    check_product(&p, 40, 21800, FM_DTYPE_F32);
    check_product(&p, 32, WIDTH_MOST / 4, FM_DTYPE_BF16);
    pair_close(&p);
}

/* ---- Attention ----------------------------------------------------------------------------------- */

/** One token that attends to n_keys, whose pages are few and come again and again. */
static void check_attend(pair *p, int32_t n_keys, int64_t key_dim, int64_t value_dim) {
    const int64_t n_rows = (int64_t)CACHE_PAGES * FM_CACHE_PAGE_ROWS;
    fm_tensor y[2];
    char what[80];
    const int32_t position = n_keys - 1, sequence = 0;
    snprintf(what, sizeof what, "attend to %d keys of %d, values of %d", (int)n_keys, (int)key_dim,
             (int)value_dim);
    for (int i = 0; i < 2; i++) {
        side *s = &p->at[i];
        fm_attend a = {
            .q = random_of(s, tensor_3d(NULL, FM_DTYPE_F32, 1, 5, key_dim), 1),
            .k = random_of(s, tensor_3d(NULL, FM_DTYPE_F32, n_rows, 1, key_dim), 2),
            .v = random_of(s, tensor_3d(NULL, FM_DTYPE_F32, n_rows, 1, value_dim), 3),
            .positions = tensor_of(s, tensor_1d(NULL, FM_DTYPE_I32, 1), &position),
            .sequences = tensor_of(s, tensor_1d(NULL, FM_DTYPE_I32, 1), &sequence),
            .pages = indices_of(s, 1, cache_page_count(n_keys), CACHE_PAGES),
            .scale = 4 / sqrtf((float)key_dim),
        };
        a.y = y[i] = tensor_of(s, tensor_3d(NULL, FM_DTYPE_F32, 1, 5, value_dim), NULL);
        vk_view_demand(s->dev, op_attend(s->dev, &a), what);
    }
    expect_close(p, what, y);
}

static void vk_long_contexts_are_attended_to(void **state) {
    pair p;
    (void)state;
    pair_open(&p);
    check_attend(&p, 70000, 64, 64);
    check_attend(&p, 70000, 16, 1024);
    check_attend(&p, 470000, 16, 256);
    check_attend(&p, LONG_CONTEXT, 16, 256);
    check_attend(&p, 600, 1170, 1024);
    check_attend(&p, 600, 2048, 1024);
    check_attend(&p, 512, 12000, 16);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vk_long_rows_are_normed),
        cmocka_unit_test(vk_long_lists_of_rows_are_gathered),
        cmocka_unit_test(vk_long_products_are_whole),
        cmocka_unit_test(vk_long_contexts_are_attended_to),
    };
    return cmocka_run_group_tests_name("test_vk_long", tests, NULL, NULL);
}
