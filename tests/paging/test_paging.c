/* test_paging.c - what sequences share, and what happens when pages run out. */
#include "fixture.h"

/* ---- Prefixes -------------------------------------------------------------------------------- */

static void paging_adopts_whole_spans_and_leaves_a_token(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 3 * ROWS + 10);
    static const int32_t cases[][2] = {
        /* tokens, of which so many are adopted */
        {0, 0},        {1, 0},        {ROWS, 0},         {ROWS + 1, 1},
        {2 * ROWS, 1}, {3 * ROWS, 2}, {3 * ROWS + 1, 3}, {5 * ROWS, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(adopt(&p, &b, &t, cases[i][0]), cases[i][1] * ROWS);
        assert_int_equal(b.n_tokens, cases[i][1] * ROWS);
        assert_memory_equal(b.pages[0], a.pages[0], (size_t)b.n_pages * sizeof *b.pages[0]);
        assert_memory_equal(b.ids, t.ids, (size_t)b.n_tokens * sizeof *b.ids);
        expect_sums(&p, &a, &b);
        paging_release(&p, &b);
    }
    finish(&p, &a, &b);
}

static void paging_adopts_further_from_a_border(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &b, &t, ROWS);
    run_to(&p, &a, &t, 4 * ROWS);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 3 * ROWS);
    assert_int_equal(a.pages[0][0], b.pages[0][0]);
    run_to(&p, &b, &t, 4 * ROWS + 1);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 0); /* no border */
    assert_int_equal(p.counts.n_adopted, 3 * ROWS);
    finish(&p, &a, &b);
}

static void paging_adopts_no_more_than_its_lists_hold(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b;
    assert_int_equal(paged_sequence_new(&p, 1, 3 * ROWS - 1, &b, NULL), FM_OK);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 5 * ROWS);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 2 * ROWS);
    finish(&p, &a, &b);
}

static void paging_text_that_differs_is_not_adopted(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(1, 0), later = text_of(2, 2 * ROWS - 1);
    for (int32_t i = 0; i < 2 * ROWS - 1; i++) later.ids[i] = t.ids[i];
    run_to(&p, &a, &t, 4 * ROWS);
    assert_int_equal(adopt(&p, &b, &later, MAX_TOKENS), ROWS);
    finish(&p, &a, &b);
}

static void paging_tenants_share_nothing(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 2);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 2 * ROWS);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 0);
    run_to(&p, &b, &t, 2 * ROWS);
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(a.pages[0][i], b.pages[0][i]);
        assert_int_not_equal(a.nodes[i], b.nodes[i]);
    }
    finish(&p, &a, &b);
}

static void paging_equal_span_gives_its_own_page_back(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, ROWS - 1);
    run_to(&p, &b, &t, ROWS - 1);
    assert_int_equal(p.classes[0].pool.n_free, 18);
    run_to(&p, &a, &t, ROWS);
    run_to(&p, &b, &t, ROWS);
    assert_int_equal(p.classes[0].pool.n_free, 19);
    assert_int_equal(a.pages[0][0], b.pages[0][0]);
    finish(&p, &a, &b);
}

/** What is read from a file goes into the cache as a sequence that ends at once. */
static void paging_released_prefix_is_adopted_until_dropped(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 4 * ROWS);
    paging_release(&p, &a);
    assert_int_equal(p.classes[0].pool.n_free, 16);
    assert_int_equal(paging_available(&p, 0), 20);
    assert_int_equal(adopt(&p, &a, &t, 2 * ROWS + 1), 2 * ROWS);
    assert_int_equal(paging_available(&p, 0), 18);
    assert_int_equal(paging_drop_cached(&p), 2);
    paging_release(&p, &a);
    assert_int_equal(adopt(&p, &a, &t, MAX_TOKENS), 2 * ROWS);
    paging_release(&p, &a);
    assert_int_equal(paging_drop_cached(&p), 2);
    assert_int_equal(adopt(&p, &a, &t, MAX_TOKENS), 0);
    finish(&p, &a, NULL);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static void paging_least_recently_used_prefix_is_evicted(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {6}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t[3] = {text_of(1, 0), text_of(2, 0), text_of(3, 0)};
    for (int i = 0; i < 2; i++) {
        run_to(&p, &a, &t[i], 3 * ROWS);
        paging_release(&p, &a);
    }
    adopt(&p, &a, &t[0], MAX_TOKENS); /* the first is now the younger one */
    paging_release(&p, &a);
    run_to(&p, &b, &t[2], 2 * ROWS);
    assert_int_equal(p.counts.n_evicted_nodes, 2);
    assert_int_equal(p.counts.n_evicted_pages, 2);
    assert_int_equal(adopt(&p, &a, &t[1], MAX_TOKENS), ROWS); /* its end left first */
    paging_release(&p, &a);
    assert_int_equal(adopt(&p, &a, &t[0], MAX_TOKENS), 3 * ROWS);
    finish(&p, &a, &b);
}

static void paging_reservation_is_all_or_nothing(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_classes = 2, .window = {0, 64}, .n_pages = {9, 4}});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    page_copies copies;
    run_to(&p, &a, &t, 10);
    assert_false(paging_reserve(&p, &a, 4 * ROWS, &copies)); /* the window class has too few */
    assert_int_equal(a.n_pages, 1);
    assert_int_equal(a.n_reserved, 0);
    assert_int_equal(p.classes[0].pool.n_free, 8);
    for (int c = 0; c < 2; c++) {
        page_pool_fail_in(&p.classes[c].pool, 2);
        assert_false(paging_reserve(&p, &a, 3 * ROWS, &copies));
        assert_int_equal(p.classes[0].pool.n_free, 8);
        assert_int_equal(p.classes[1].pool.n_free, 3);
        expect_sums(&p, &a, NULL);
    }
    assert_true(paging_reserve(&p, &a, 3 * ROWS, &copies));
    assert_int_equal(a.n_pages, 4);
    assert_true(paging_reserve(&p, &a, 1, &copies)); /* has room already */
    assert_int_equal(a.n_reserved, 3 * ROWS);
    paging_unreserve(&p, &a);
    assert_int_equal(a.n_reserved, 0);
    assert_int_equal(p.classes[0].pool.n_free, 8);
    finish(&p, &a, NULL);
}

static void paging_commit_of_a_part_keeps_the_rest_reserved(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {9}});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    page_copies copies;
    assert_true(paging_reserve(&p, &a, 2 * ROWS, &copies));
    paging_commit(&p, &a, t.ids, ROWS - 4);
    assert_int_equal(a.n_reserved, ROWS + 4);
    assert_int_equal(a.n_pages, 2);
    assert_int_equal(a.n_nodes, 0);
    paging_commit(&p, &a, t.ids + ROWS - 4, 4);
    assert_int_equal(a.n_nodes, 1);
    paging_unreserve(&p, &a);
    assert_int_equal(a.n_pages, 1);
    finish(&p, &a, NULL);
}

static void paging_without_room_in_the_tree_goes_on(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.window = {1}, .n_pages = {4}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0), other = text_of(1, 0);
    for (int32_t n = ROWS; n <= 8 * ROWS; n += ROWS) run_to(&p, &a, &t, n);
    assert_int_equal(a.n_nodes, 4); /* as many as there are pages */
    run_to(&p, &b, &other, 2 * ROWS);
    assert_int_equal(b.n_nodes, 0);
    paging_release(&p, &a);
    run_to(&p, &a, &other, 4 * ROWS);
    assert_int_equal(adopt(&p, &b, &other, MAX_TOKENS), 0); /* spans without nodes lie between */
    paging_release(&p, &a);
    run_to(&p, &b, &other, 3 * ROWS);
    assert_int_equal(b.n_nodes, 3);
    finish(&p, &a, &b);
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static void paging_parameters_out_of_range_are_refused(void **state) {
    (void)state;
    const struct {
        paging_params params;
        const char *word;
    } cases[] = {
        {{.n_classes = 0}, "classes"},
        {{.n_classes = 5, .n_pages = {1, 1, 1, 1}}, "classes"},
        {{.n_classes = 1, .n_pages = {0}}, "pages"},
        {{.n_classes = 2, .n_pages = {1, -1}}, "pages"},
        {{.n_classes = 1, .n_pages = {1}, .window = {-1}}, "window"},
        {{.n_classes = 1, .n_pages = {1}, .n_rollback = -1}, "negative"},
        {{.n_classes = 1, .n_pages = {1}, .n_snapshots = -1}, "negative"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_error err = {0};
        paging p;
        expect_error(cases[i].word, paging_new(&cases[i].params, &p, &err), &err, FM_ERR_ARG,
                     cases[i].word);
        paging_free(&p);
    }
    paging p = paging_of((paging_params){.n_pages = {1}});
    paged_sequence s;
    fm_error err = {0};
    expect_error("length", paged_sequence_new(&p, 1, 0, &s, &err), &err, FM_ERR_ARG, "at least 1");
    paged_sequence_free(&s);
    paging_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paging_adopts_whole_spans_and_leaves_a_token),
        cmocka_unit_test(paging_adopts_further_from_a_border),
        cmocka_unit_test(paging_adopts_no_more_than_its_lists_hold),
        cmocka_unit_test(paging_text_that_differs_is_not_adopted),
        cmocka_unit_test(paging_tenants_share_nothing),
        cmocka_unit_test(paging_equal_span_gives_its_own_page_back),
        cmocka_unit_test(paging_released_prefix_is_adopted_until_dropped),
        cmocka_unit_test(paging_least_recently_used_prefix_is_evicted),
        cmocka_unit_test(paging_reservation_is_all_or_nothing),
        cmocka_unit_test(paging_commit_of_a_part_keeps_the_rest_reserved),
        cmocka_unit_test(paging_without_room_in_the_tree_goes_on),
        cmocka_unit_test(paging_parameters_out_of_range_are_refused),
    };
    return cmocka_run_group_tests_name("test_paging", tests, NULL, NULL);
}
