/* test_page_pool.c - numbers with references, and the list of what was used last. */
#include "engine/page_pool.h"
#include "engine/recency.h"
#include "support/expect.h"

static page_pool pool_of(int32_t n) {
    page_pool p;
    assert_int_equal(page_pool_new(n, &p, NULL), FM_OK);
    return p;
}

static void page_pool_gives_each_page_once(void **state) {
    (void)state;
    page_pool p = pool_of(100);
    for (int32_t i = 0; i < 100; i++) assert_int_equal(page_pool_take(&p), i);
    assert_int_equal(p.n_free, 0);
    assert_int_equal(page_pool_take(&p), -1);
    page_pool_drop(&p, 70);
    page_pool_drop(&p, 3);
    assert_int_equal(p.n_free, 2);
    assert_int_equal(page_pool_take(&p), 3);
    assert_int_equal(page_pool_take(&p), 70);
    assert_int_equal(page_pool_take(&p), -1);
    page_pool_free(&p);
}

static void page_pool_page_lives_until_its_last_reference(void **state) {
    (void)state;
    page_pool p = pool_of(1);
    assert_int_equal(page_pool_take(&p), 0);
    page_pool_share(&p, 0);
    page_pool_share(&p, 0);
    for (int32_t left = 2; left >= 0; left--) {
        assert_int_equal(page_pool_take(&p), -1);
        page_pool_drop(&p, 0);
        assert_int_equal(page_pool_refs(&p, 0), left);
    }
    assert_int_equal(page_pool_take(&p), 0);
    assert_int_equal(page_pool_refs(&p, 0), 1);
    page_pool_free(&p);
}

static void page_pool_fault_strikes_once(void **state) {
    (void)state;
    page_pool p = pool_of(4);
    page_pool_fail_in(&p, 2);
    assert_int_equal(page_pool_take(&p), 0);
    assert_int_equal(page_pool_take(&p), -1);
    assert_int_equal(p.n_free, 3);
    assert_int_equal(page_pool_take(&p), 1);
    page_pool_fail_in(&p, 1);
    page_pool_fail_in(&p, 0);
    assert_int_equal(page_pool_take(&p), 2);
    page_pool_free(&p);
}

static void page_pool_of_nothing_gives_nothing(void **state) {
    (void)state;
    page_pool p = pool_of(0);
    assert_int_equal(page_pool_take(&p), -1);
    page_pool_free(&p);
}

/** A row pool: what survives singly pins its row and no neighbour. */
static void page_pool_of_rows_pins_single_rows(void **state) {
    (void)state;
    enum { N_ROWS = 1024 };
    page_pool rows = pool_of(N_ROWS);
    for (int32_t i = 0; i < N_ROWS; i++) assert_int_equal(page_pool_take(&rows), i);
    for (int32_t i = 0; i < N_ROWS; i += 64) page_pool_share(&rows, i); /* a second sequence's */
    for (int32_t i = 0; i < N_ROWS; i++) page_pool_drop(&rows, i);
    assert_int_equal(rows.n_free, N_ROWS - N_ROWS / 64);
    for (int32_t i = 0; i < N_ROWS; i += 64) page_pool_drop(&rows, i);
    assert_int_equal(rows.n_free, N_ROWS);
    page_pool_free(&rows);
}

static void expect_order(recency *r, const int32_t *numbers, int32_t n) {
    assert_int_equal(r->n_listed, n);
    for (int32_t i = 0; i < n; i++) {
        assert_int_equal(recency_oldest(r), numbers[i]);
        assert_true(recency_has(r, numbers[i]));
        recency_remove(r, numbers[i]);
        assert_false(recency_has(r, numbers[i]));
    }
    assert_int_equal(recency_oldest(r), -1);
}

static void recency_oldest_comes_first(void **state) {
    (void)state;
    recency r;
    assert_int_equal(recency_new(6, &r, NULL), FM_OK);
    assert_int_equal(recency_oldest(&r), -1);
    static const int32_t added[] = {4, 0, 5, 2, 0, 1, 4};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) recency_add(&r, added[i]);
    recency_remove(&r, 2);
    recency_remove(&r, 3);
    expect_order(&r, (const int32_t[]){5, 0, 1, 4}, 4);
    recency_add(&r, 3);
    expect_order(&r, (const int32_t[]){3}, 1);
    recency_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_pool_gives_each_page_once),
        cmocka_unit_test(page_pool_page_lives_until_its_last_reference),
        cmocka_unit_test(page_pool_fault_strikes_once),
        cmocka_unit_test(page_pool_of_nothing_gives_nothing),
        cmocka_unit_test(page_pool_of_rows_pins_single_rows),
        cmocka_unit_test(recency_oldest_comes_first),
    };
    return cmocka_run_group_tests_name("test_page_pool", tests, NULL, NULL);
}
