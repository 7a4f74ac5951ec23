/* test_prefix_tree.c - spans are found by parent, tenant and all of their tokens. */
#include "engine/prefix_tree.h"
#include "support/expect.h"

typedef struct span {
    int32_t ids[FM_CACHE_PAGE_ROWS];
} span;

static span span_of(int32_t first) {
    span s;
    for (int32_t i = 0; i < FM_CACHE_PAGE_ROWS; i++) s.ids[i] = first + i;
    return s;
}

static prefix_tree tree_of(int32_t n_nodes) {
    prefix_tree t;
    assert_int_equal(prefix_tree_new(n_nodes, &t, NULL), FM_OK);
    return t;
}

static void prefix_tree_each_token_counts(void **state) {
    (void)state;
    prefix_tree t = tree_of(8);
    span s = span_of(7);
    int32_t node = prefix_tree_add(&t, -1, 1, s.ids);
    assert_int_equal(prefix_tree_find(&t, -1, 1, s.ids), node);
    for (int32_t i = 0; i < FM_CACHE_PAGE_ROWS; i++) {
        s.ids[i] ^= 1 << i % 31;
        assert_int_equal(prefix_tree_find(&t, -1, 1, s.ids), -1);
        s.ids[i] ^= 1 << i % 31;
    }
    prefix_tree_free(&t);
}

/** A tree of one node has one place, so everything collides there. */
static void prefix_tree_collision_finds_nothing(void **state) {
    (void)state;
    prefix_tree t = tree_of(1);
    span s = span_of(0), other = span_of(1);
    assert_int_equal(t.mask, 0);
    assert_int_equal(prefix_tree_add(&t, -1, 5, s.ids), 0);
    assert_int_equal(prefix_tree_find(&t, -1, 5, s.ids), 0);
    assert_int_equal(prefix_tree_find(&t, -1, 5, other.ids), -1);
    assert_int_equal(prefix_tree_find(&t, -1, 6, s.ids), -1);
    assert_int_equal(prefix_tree_find(&t, 0, 5, s.ids), -1);
    prefix_tree_free(&t);
}

static void prefix_tree_tenants_and_parents_are_apart(void **state) {
    (void)state;
    prefix_tree t = tree_of(8);
    span s = span_of(0);
    int32_t mine = prefix_tree_add(&t, -1, 1, s.ids), yours = prefix_tree_add(&t, -1, 2, s.ids);
    int32_t below = prefix_tree_add(&t, mine, 1, s.ids);
    assert_int_equal(prefix_tree_find(&t, -1, 1, s.ids), mine);
    assert_int_equal(prefix_tree_find(&t, -1, 2, s.ids), yours);
    assert_int_equal(prefix_tree_find(&t, mine, 1, s.ids), below);
    assert_int_equal(prefix_tree_find(&t, yours, 2, s.ids), -1);
    assert_int_equal(prefix_tree_find(&t, below, 1, s.ids), -1);
    prefix_tree_free(&t);
}

static void prefix_tree_children_leave_before_their_parents(void **state) {
    (void)state;
    prefix_tree t = tree_of(4);
    span a = span_of(0), b = span_of(100), c = span_of(200), d = span_of(300);
    int32_t root = prefix_tree_add(&t, -1, 1, a.ids), left = prefix_tree_add(&t, root, 1, b.ids);
    prefix_tree_use(&t, root); /* a second sequence, which goes another way */
    int32_t right = prefix_tree_add(&t, root, 1, c.ids);
    assert_int_equal(prefix_tree_oldest(&t), -1);
    prefix_tree_leave(&t, right);
    prefix_tree_leave(&t, root);
    assert_int_equal(t.nodes[root].n_users, 1);
    prefix_tree_leave(&t, left);
    prefix_tree_leave(&t, root);
    const int32_t order[] = {right, left, root};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t.nodes[root].n_children, 2 - i);
        assert_int_equal(prefix_tree_oldest(&t), order[i]);
        prefix_tree_remove(&t, order[i]);
    }
    assert_int_equal(prefix_tree_find(&t, -1, 1, a.ids), -1);
    assert_int_equal(t.numbers.n_free, 4);
    assert_true(prefix_tree_add(&t, -1, 1, d.ids) >= 0);
    prefix_tree_free(&t);
}

static void prefix_tree_node_in_use_is_not_old(void **state) {
    (void)state;
    prefix_tree t = tree_of(2);
    span a = span_of(0), b = span_of(1), c = span_of(2);
    int32_t first = prefix_tree_add(&t, -1, 1, a.ids), second = prefix_tree_add(&t, -1, 1, b.ids);
    prefix_tree_leave(&t, first);
    prefix_tree_leave(&t, second);
    prefix_tree_use(&t, first);
    assert_int_equal(prefix_tree_oldest(&t), second);
    prefix_tree_leave(&t, first);
    assert_int_equal(prefix_tree_oldest(&t), second);
    assert_int_equal(prefix_tree_add(&t, -1, 1, c.ids), -1); /* full */
    prefix_tree_remove(&t, second);
    assert_int_equal(prefix_tree_find(&t, -1, 1, b.ids), -1);
    assert_int_equal(prefix_tree_add(&t, -1, 1, c.ids), second);
    assert_int_equal(prefix_tree_find(&t, -1, 1, a.ids), first);
    prefix_tree_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_tree_each_token_counts),
        cmocka_unit_test(prefix_tree_collision_finds_nothing),
        cmocka_unit_test(prefix_tree_tenants_and_parents_are_apart),
        cmocka_unit_test(prefix_tree_children_leave_before_their_parents),
        cmocka_unit_test(prefix_tree_node_in_use_is_not_old),
    };
    return cmocka_run_group_tests_name("test_prefix_tree", tests, NULL, NULL);
}
