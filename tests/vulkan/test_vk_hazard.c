/*
 * test_vk_hazard.c - where barriers stand: before a command that reads what an earlier one wrote,
 * or writes what an earlier one touched, and nowhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../backends/vulkan/vk_hazard.h"

static const int bufs[3];

static vk_touch touch(int buf, uint64_t first, uint64_t end, vk_access access) {
    return (vk_touch){&bufs[buf], first, end, access};
}

static bool add(vk_hazards *h, vk_touch t) {
    return vk_hazards_add(h, &t, 1);
}

static void only_a_write_conflicts(void **state) {
    (void)state;
    static const vk_access access[] = {VK_READ, VK_WRITE, VK_READ_WRITE};
    for (int i = 0; i < 9; i++) {
        vk_hazards h = {0};
        vk_access before = access[i / 3], after = access[i % 3];
        bool both_read = before == VK_READ && after == VK_READ;
        assert_false(add(&h, touch(0, 0, 64, before)));
        assert_int_equal(add(&h, touch(0, 32, 96, after)), !both_read);
    }
}

static void ranges_that_touch_do_not_conflict(void **state) {
    (void)state;
    vk_hazards h = {0};
    assert_false(add(&h, touch(0, 64, 128, VK_WRITE)));
    assert_false(add(&h, touch(0, 0, 64, VK_WRITE)));
    assert_false(add(&h, touch(0, 128, 192, VK_WRITE)));
    assert_false(add(&h, touch(1, 64, 128, VK_WRITE)));
    assert_true(add(&h, touch(0, 127, 129, VK_READ)));
}

static void a_barrier_empties_the_list(void **state) {
    (void)state;
    vk_hazards h = {0};
    assert_false(add(&h, touch(0, 0, 8, VK_WRITE)));
    assert_false(add(&h, touch(1, 0, 8, VK_WRITE)));
    assert_true(add(&h, touch(0, 0, 8, VK_READ)));
    assert_false(add(&h, touch(1, 0, 8, VK_READ))); /* waited for as well */
    assert_true(add(&h, touch(0, 0, 8, VK_WRITE))); /* what came behind the barrier counts */
    vk_hazards_clear(&h);
    assert_false(add(&h, touch(0, 0, 8, VK_WRITE)));
}

/* A command's own ranges may overlap: y may be x. */
static void a_command_does_not_wait_for_itself(void **state) {
    (void)state;
    vk_hazards h = {0};
    vk_touch touches[] = {touch(0, 0, 8, VK_READ), touch(0, 0, 8, VK_WRITE)};
    assert_false(vk_hazards_add(&h, touches, 2));
    assert_true(vk_hazards_add(&h, touches, 2));
    assert_int_equal(h.n, 2);
}

static void a_full_list_forces_a_barrier(void **state) {
    (void)state;
    vk_hazards h = {0};
    for (uint64_t i = 0; i < VK_HAZARDS_MAX; i++)
        assert_false(add(&h, touch(0, i, i + 1, VK_READ)));
    assert_true(add(&h, touch(1, 0, 1, VK_READ)));
    assert_int_equal(h.n, 1);
    assert_false(add(&h, touch(0, 0, 8, VK_WRITE)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_write_conflicts),
        cmocka_unit_test(ranges_that_touch_do_not_conflict),
        cmocka_unit_test(a_barrier_empties_the_list),
        cmocka_unit_test(a_command_does_not_wait_for_itself),
        cmocka_unit_test(a_full_list_forces_a_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
