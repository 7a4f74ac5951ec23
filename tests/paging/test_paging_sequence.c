/* test_paging_sequence.c - windows, forks, going back and saved states. */
#include "fixture.h"

/* ---- Windows --------------------------------------------------------------------------------- */

static void paging_window_pages_leave_when_no_token_needs_them(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_classes = 2, .window = {0, 100}, .n_pages = {20, 20}});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    for (int32_t n = 1; n <= 5 * ROWS; n++) {
        run_to(&p, &a, &t, n);
        int32_t first_key = n - 100 + 1 > 0 ? n - 100 + 1 : 0; /* of the next token, at n */
        assert_int_equal(a.first[1], first_key / ROWS);
        assert_int_equal(a.first[0], 0);
        for (int32_t i = 0; i < a.first[1]; i++) assert_int_equal(a.pages[1][i], 0);
    }
    assert_int_equal(a.n_pages - a.first[1], 2);
    assert_int_equal(paging_available(&p, 0), 15);
    assert_int_equal(paging_available(&p, 1), 18); /* those that left are cached, or free */
    finish(&p, &a, NULL);
}

static void paging_window_of_one_needs_no_page_at_a_border(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.window = {1}, .n_pages = {8}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 2 * ROWS);
    assert_int_equal(a.first[0], 2);
    paging_drop_cached(&p);
    assert_int_equal(p.classes[0].pool.n_free, 8);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 2 * ROWS);
    finish(&p, &a, &b);
}

static void paging_prefix_ends_where_its_window_is_whole(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_classes = 2, .window = {0, 128}, .n_pages = {20, 8}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0), other = text_of(9, 0);
    for (int32_t n = ROWS; n <= 6 * ROWS; n += ROWS) run_to(&p, &a, &t, n);
    paging_release(&p, &a);
    assert_int_equal(p.classes[1].pool.n_free, 2);
    run_to(&p, &b, &other, 3 * ROWS); /* takes the cached page that was unused for longest */
    assert_int_equal(p.counts.n_evicted_nodes, 0);
    assert_int_equal(p.counts.n_evicted_pages, 1);
    paging_release(&p, &b);
    assert_int_equal(adopt(&p, &a, &t, 2 * ROWS + 1), 0); /* page 0 is gone, which 127 … need */
    assert_int_equal(adopt(&p, &a, &t, 3 * ROWS + 1), 3 * ROWS);
    assert_int_equal(a.first[1], 1);
    paging_release(&p, &a);
    assert_int_equal(adopt(&p, &a, &t, 6 * ROWS + 1), 6 * ROWS);
    assert_int_equal(a.first[1], 4); /* keys 6 · 64 - 127 … */
    finish(&p, &a, &b);
}

static void paging_adopted_prefix_can_go_back_too(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.window = {65}, .n_pages = {20}, .n_rollback = 64});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    run_to(&p, &a, &t, 5 * ROWS);
    assert_int_equal(adopt(&p, &b, &t, 4 * ROWS + 1), 4 * ROWS);
    assert_int_equal(b.first[0], 2); /* 3 is the first that the next token needs */
    assert_int_equal(paging_rollback_limit(&p, &b), 64);
    finish(&p, &a, &b);
}

static void paging_pages_needed_are_pages_held(void **state) {
    (void)state;
    paging p = paging_of(
        (paging_params){.n_classes = 2, .window = {0, 100}, .n_pages = {20, 20}, .n_rollback = 5});
    text t = text_of(0, 0);
    for (int32_t n_step = 1; n_step <= 3 * ROWS; n_step++) {
        paged_sequence a = sequence_of(&p, 1);
        page_copies copies;
        int32_t most = 0, n = 9 * ROWS;
        while (a.n_tokens < n) {
            int32_t n_new = n_step < n - a.n_tokens ? n_step : n - a.n_tokens;
            assert_true(paging_reserve(&p, &a, n_new, &copies));
            if (a.n_pages - a.first[1] > most) most = a.n_pages - a.first[1];
            paging_commit(&p, &a, t.ids + a.n_tokens, n_new);
        }
        assert_true(most <= paging_need(&p, 1, n, n_step));
        if (n_step == 1) assert_int_equal(most, paging_need(&p, 1, n, n_step));
        assert_int_equal(paging_need(&p, 0, n, n_step), 9);
        assert_int_equal(paging_need(&p, 1, ROWS + 1, n_step), 2);
        paging_release(&p, &a);
        paged_sequence_free(&a);
    }
    paging_free(&p);
}

/* ---- Going back and forking ------------------------------------------------------------------ */

static void paging_forks_write_to_pages_of_their_own(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_classes = 2, .window = {0, 64}, .n_pages = {9, 9}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 0);
    text t = text_of(0, 0);
    page_copies copies;
    run_to(&p, &a, &t, ROWS + 10);
    assert_true(paging_reserve(&p, &a, 2 * ROWS, &copies));
    paging_fork(&p, &a, &b);
    assert_int_equal(a.n_reserved, 0);
    assert_int_equal(b.tenant, 1);
    assert_int_equal(b.n_tokens, ROWS + 10);
    int32_t shared[2] = {a.pages[0][1], a.pages[1][1]};
    expect_sums(&p, &a, &b);
    assert_true(paging_reserve(&p, &b, 1, &copies));
    assert_int_equal(copies.n, 2);
    for (int c = 0; c < 2; c++) {
        assert_int_equal(copies.items[c].class_index, c);
        assert_int_equal(copies.items[c].from, shared[c]);
        assert_int_equal(copies.items[c].to, b.pages[c][1]);
        assert_int_not_equal(b.pages[c][1], shared[c]);
        assert_int_equal(a.pages[c][1], shared[c]);
    }
    assert_int_equal(a.pages[0][0], b.pages[0][0]);
    assert_true(paging_reserve(&p, &a, 1, &copies));
    assert_int_equal(copies.n, 0); /* nobody else holds it any more */
    finish(&p, &a, &b);
}

static void paging_refused_copy_changes_nothing(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_classes = 2, .window = {0, 64}, .n_pages = {9, 9}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    page_copies copies;
    run_to(&p, &a, &t, 10);
    paging_fork(&p, &a, &b);
    for (int c = 0; c < 2; c++) {
        for (int32_t n = 1; n <= 2; n++) {
            page_pool_fail_in(&p.classes[c].pool, n);
            assert_false(paging_reserve(&p, &b, ROWS, &copies));
            assert_int_equal(copies.n, 0);
            assert_int_equal(b.n_pages, 1);
            assert_int_equal(p.classes[0].pool.n_free, 8);
            assert_int_equal(p.classes[1].pool.n_free, 8);
            expect_sums(&p, &a, &b);
        }
    }
    finish(&p, &a, &b);
}

static void paging_rollback_copies_before_it_writes_to_a_node(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {9}});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0), other = text_of(1, 2 * ROWS - 3);
    page_copies copies;
    run_to(&p, &a, &other, 2 * ROWS - 3);
    paging_release(&p, &a);
    run_to(&p, &a, &t, 3 * ROWS + 5);
    assert_int_equal(a.n_nodes, 3);
    int32_t page = a.pages[0][1];
    assert_true(paging_rollback(&p, &a, ROWS + 8));
    assert_int_equal(a.n_tokens, 2 * ROWS - 3);
    assert_int_equal(a.n_pages, 2);
    assert_int_equal(a.n_nodes, 1);
    expect_sums(&p, &a, NULL);
    assert_true(paging_reserve(&p, &a, 3, &copies));
    assert_int_equal(copies.n, 1);
    assert_int_equal(copies.items[0].from, page);
    paging_commit(&p, &a, other.ids + a.n_tokens, 3);
    assert_int_equal(adopt(&p, &b, &t, MAX_TOKENS), 3 * ROWS); /* the node is as it was */
    assert_int_equal(b.pages[0][1], page);
    finish(&p, &a, &b);
}

static void paging_rollback_to_a_border_keeps_its_node(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {9}});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    page_copies copies;
    run_to(&p, &a, &t, 2 * ROWS + 1);
    assert_true(paging_rollback(&p, &a, 1));
    assert_int_equal(a.n_nodes, 2);
    assert_int_equal(a.n_pages, 2);
    assert_true(paging_reserve(&p, &a, 1, &copies));
    assert_int_equal(copies.n, 0);
    assert_true(paging_rollback(&p, &a, 2 * ROWS)); /* to the start */
    assert_int_equal(a.n_pages, 0);
    assert_int_equal(paging_available(&p, 0), 9);
    finish(&p, &a, NULL);
}

static void paging_rollback_ends_where_window_pages_are_gone(void **state) {
    (void)state;
    enum { BACK = 7, WINDOW = 70 };
    paging p = paging_of((paging_params){
        .n_classes = 2, .window = {0, WINDOW}, .n_pages = {20, 20}, .n_rollback = BACK});
    paged_sequence a = sequence_of(&p, 1);
    text t = text_of(0, 0);
    for (int32_t n = 1; n < 5 * ROWS; n++) {
        run_to(&p, &a, &t, n);
        int32_t limit = paging_rollback_limit(&p, &a);
        assert_true(limit >= (BACK < n ? BACK : n));
        int32_t first_key = n - limit - WINDOW + 1; /* of the token that would be next */
        if (limit < n) assert_int_equal(first_key, a.first[1] * ROWS);
        assert_false(paging_rollback(&p, &a, limit + 1));
        assert_false(paging_rollback(&p, &a, -1));
        assert_int_equal(a.n_tokens, n);
    }
    assert_true(paging_rollback(&p, &a, BACK));
    assert_true(paging_rollback_limit(&p, &a) >= 0);
    finish(&p, &a, NULL);
}

/* ---- Saved states ---------------------------------------------------------------------------- */

static void paging_state_is_saved_at_borders_alone(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}, .n_snapshots = 5});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    assert_int_equal(run_to(&p, &a, &t, ROWS - 1), -1);
    int32_t first = run_to(&p, &a, &t, ROWS);
    assert_int_equal(run_to(&p, &a, &t, 2 * ROWS + 1), -1); /* stood at no border */
    int32_t third = run_to(&p, &a, &t, 3 * ROWS);
    assert_true(first >= 0 && third >= 0 && first != third);
    assert_int_equal(run_to(&p, &b, &t, 3 * ROWS), -1); /* is saved */
    int32_t slot;
    static const int32_t cases[][2] = {{0, 0},        {ROWS - 1, 0},  {ROWS, 1}, {3 * ROWS - 1, 1},
                                       {3 * ROWS, 3}, {MAX_TOKENS, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(paging_saved(&p, &a, cases[i][0], &slot), cases[i][1] * ROWS);
        assert_int_equal(slot, cases[i][1] == 0 ? -1 : cases[i][1] == 1 ? first : third);
    }
    finish(&p, &a, &b);
}

static void paging_prefix_ends_at_a_saved_state(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}, .n_snapshots = 5});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    int32_t slot, saved = run_to(&p, &a, &t, 2 * ROWS);
    run_to(&p, &a, &t, 4 * ROWS + 1);
    assert_int_equal(paging_adopt(&p, &b, t.ids, 2 * ROWS, &slot), 0);
    assert_int_equal(slot, -1);
    assert_int_equal(paging_adopt(&p, &b, t.ids, MAX_TOKENS, &slot), 2 * ROWS);
    assert_int_equal(slot, saved);
    assert_int_equal(paging_adopt(&p, &b, t.ids, MAX_TOKENS, &slot), 0);
    assert_int_equal(slot, -1);
    finish(&p, &a, &b);
}

static void paging_least_recently_used_state_gives_its_slot(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}, .n_snapshots = 2});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    int32_t slot, first = run_to(&p, &a, &t, ROWS), second = run_to(&p, &a, &t, 2 * ROWS);
    assert_int_equal(paging_adopt(&p, &b, t.ids, ROWS + 1, &slot), ROWS);
    assert_int_equal(slot, first);                          /* used last */
    assert_int_equal(run_to(&p, &a, &t, 3 * ROWS), second); /* so this one goes */
    assert_int_equal(paging_saved(&p, &a, 3 * ROWS - 1, &slot), ROWS);
    expect_sums(&p, &a, &b);
    paging_release(&p, &b);
    run_to(&p, &b, &t, ROWS); /* comes to the border of the first, which is saved */
    assert_int_equal(run_to(&p, &a, &t, 4 * ROWS), second);
    assert_int_equal(paging_saved(&p, &a, 4 * ROWS - 1, &slot), ROWS);
    paging_release(&p, &a);
    paging_drop_cached(&p); /* the states of nodes that leave are free */
    assert_int_equal(p.slots.pool.n_free, 1);
    finish(&p, &a, &b);
}

static void paging_state_that_could_not_be_saved_is_forgotten(void **state) {
    (void)state;
    paging p = paging_of((paging_params){.n_pages = {20}, .n_snapshots = 2});
    paged_sequence a = sequence_of(&p, 1), b = sequence_of(&p, 1);
    text t = text_of(0, 0);
    int32_t slot, first = run_to(&p, &a, &t, ROWS), second = run_to(&p, &a, &t, 2 * ROWS);
    paging_unsave(&p, second);
    assert_int_equal(p.slots.pool.n_free, 1);
    assert_int_equal(paging_saved(&p, &a, 2 * ROWS, &slot), ROWS);
    assert_int_equal(slot, first);
    paging_unsave(&p, second); /* is free already */
    assert_int_equal(p.slots.pool.n_free, 1);
    assert_int_equal(paging_adopt(&p, &b, t.ids, MAX_TOKENS, &slot), ROWS);
    assert_int_equal(run_to(&p, &b, &t, 2 * ROWS), second); /* asks again */
    finish(&p, &a, &b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paging_window_pages_leave_when_no_token_needs_them),
        cmocka_unit_test(paging_window_of_one_needs_no_page_at_a_border),
        cmocka_unit_test(paging_prefix_ends_where_its_window_is_whole),
        cmocka_unit_test(paging_adopted_prefix_can_go_back_too),
        cmocka_unit_test(paging_pages_needed_are_pages_held),
        cmocka_unit_test(paging_forks_write_to_pages_of_their_own),
        cmocka_unit_test(paging_refused_copy_changes_nothing),
        cmocka_unit_test(paging_rollback_copies_before_it_writes_to_a_node),
        cmocka_unit_test(paging_rollback_to_a_border_keeps_its_node),
        cmocka_unit_test(paging_rollback_ends_where_window_pages_are_gone),
        cmocka_unit_test(paging_state_is_saved_at_borders_alone),
        cmocka_unit_test(paging_prefix_ends_at_a_saved_state),
        cmocka_unit_test(paging_least_recently_used_state_gives_its_slot),
        cmocka_unit_test(paging_state_that_could_not_be_saved_is_forgotten),
    };
    return cmocka_run_group_tests_name("test_paging_sequence", tests, NULL, NULL);
}
