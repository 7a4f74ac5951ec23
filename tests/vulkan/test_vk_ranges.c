/*
 * test_vk_ranges.c - the free parts of a block of memory, against a map of its bytes: nothing is
 * given twice, alignment holds, the smallest part that fits is taken, and neighbours are joined.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../backends/vulkan/vk_ranges.h"

enum { SIZE = 4096, TAKEN_MAX = 400 };

typedef struct world {
    vk_ranges ranges;
    uint8_t map[SIZE]; /* 1: taken */
    vk_span taken[TAKEN_MAX];
    int32_t n_taken;
    uint32_t random;
} world;

static uint32_t draw(world *w, uint32_t below) {
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % below;
}

/** The free parts are those of the map: whole, ascending and apart. */
static void check(const world *w) {
    int32_t n = 0;
    for (uint64_t i = 0; i < SIZE; n++) {
        while (i < SIZE && w->map[i]) i++;
        uint64_t begin = i;
        while (i < SIZE && !w->map[i]) i++;
        if (begin == i) break;
        assert_true(n < w->ranges.n_free);
        assert_int_equal(w->ranges.free[n].offset, begin);
        assert_int_equal(w->ranges.free[n].size, i - begin);
    }
    assert_int_equal(w->ranges.n_free, n);
    assert_int_equal(w->ranges.n_taken, w->n_taken);
}

/** Size of the smallest free part that has room; 0: none. */
static uint64_t smallest_fit(const world *w, uint64_t size, uint64_t alignment) {
    uint64_t best = 0;
    for (int32_t i = 0; i < w->ranges.n_free; i++) {
        const vk_span *span = &w->ranges.free[i];
        uint64_t begin = (span->offset + alignment - 1) / alignment * alignment;
        bool fits = begin + size <= span->offset + span->size;
        if (fits && (best == 0 || span->size < best)) best = span->size;
    }
    return best;
}

static uint64_t free_part_size(const world *w, uint64_t at) {
    uint64_t begin = at, end = at;
    while (begin > 0 && !w->map[begin - 1]) begin--;
    while (end < SIZE && !w->map[end]) end++;
    return end - begin;
}

static void take_one(world *w) {
    uint64_t size = 1 + draw(w, draw(w, 8) == 0 ? 600 : 40), alignment = 1u << draw(w, 9);
    uint64_t offset = SIZE, expected = smallest_fit(w, size, alignment);
    if (w->n_taken == TAKEN_MAX) return;
    fm_status status = vk_ranges_take(&w->ranges, size, alignment, &offset);
    assert_int_equal(status, expected > 0 ? FM_OK : FM_ERR_LIMIT);
    if (status != FM_OK) return;
    assert_true(offset % alignment == 0 && offset + size <= SIZE);
    assert_int_equal(free_part_size(w, offset), expected);
    for (uint64_t i = offset; i < offset + size; i++) assert_int_equal(w->map[i], 0);
    memset(w->map + offset, 1, size);
    w->taken[w->n_taken++] = (vk_span){offset, size};
}

static void give_one(world *w) {
    if (w->n_taken == 0) return;
    int32_t i = (int32_t)draw(w, (uint32_t)w->n_taken);
    vk_span span = w->taken[i];
    w->taken[i] = w->taken[--w->n_taken];
    memset(w->map + span.offset, 0, span.size);
    vk_ranges_give(&w->ranges, span.offset, span.size);
}

/* Fills up and empties by turns, so that both ends are reached. */
static void random_operations_match_a_map(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        world *w = test_calloc(1, sizeof *w);
        w->random = seed;
        assert_int_equal(vk_ranges_init(&w->ranges, SIZE), FM_OK);
        for (int32_t step = 0; step < 1500; step++) {
            bool fills = step / 300 % 2 == 0;
            if ((draw(w, 10) < 7) == fills)
                take_one(w);
            else
                give_one(w);
            check(w);
        }
        while (w->n_taken > 0) give_one(w);
        check(w);
        vk_ranges_release(&w->ranges);
        test_free(w);
    }
}

static void all_of_a_block_can_be_taken_at_once(void **state) {
    (void)state;
    vk_ranges r;
    uint64_t offset = 1;
    assert_int_equal(vk_ranges_init(&r, SIZE), FM_OK);
    assert_int_equal(vk_ranges_take(&r, SIZE + 1, 1, &offset), FM_ERR_LIMIT);
    assert_int_equal(vk_ranges_take(&r, SIZE, 256, &offset), FM_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(r.n_free, 0);
    assert_int_equal(vk_ranges_take(&r, 1, 1, &offset), FM_ERR_LIMIT);
    vk_ranges_give(&r, 0, SIZE);
    assert_int_equal(r.free[0].size, SIZE);
    vk_ranges_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_a_map),
        cmocka_unit_test(all_of_a_block_can_be_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
