/* test_bpe.c - byte pair encoding against the plainest way of doing it. */
#include "text/fixture.h"

/** A table whose bytes have their own values as ids. */
static bpe make_table(arena *memory, const bpe_merge *merges, size_t n) {
    bpe b;
    assert_int_equal(bpe_new(&b, memory, n, NULL), FM_OK);
    for (int i = 0; i < 256; i++) b.byte_ids[i] = i;
    for (size_t i = 0; i < n; i++) assert_int_equal(bpe_add(&b, merges[i], NULL), FM_OK);
    bpe_finish(&b);
    return b;
}

static void expect_merged(const bpe *b, const char *piece, bool plain, const int32_t *ids,
                          size_t n) {
    bpe_scratch scratch = {0};
    fm_tokens out = {0};
    const uint8_t *bytes = (const uint8_t *)piece;
    assert_int_equal(bpe_encode(b, bytes, strlen(piece), plain, &scratch, &out, NULL), FM_OK);
    fixture_expect_ids(&out, ids, n);
    fm_tokens_free(&out);
    bpe_scratch_free(&scratch);
}

#define EXPECT(b, piece, ...)                                                                      \
    expect_merged(b, piece, false, (const int32_t[]){__VA_ARGS__},                                 \
                  sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* 300 = aa, 301 = ab, 302 = bc, 303 = abc, 304 = aab */
static const bpe_merge merges[] = {
    {'b', 'c', 0, 302, 0}, {'a', 'a', 1, 300, 0},    {'a', 'b', 2, 301, 0},
    {'a', 302, 3, 303, 0}, {300, 'b', 4, 304, true},
};

static void bpe_lower_rank_comes_first(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe b = make_table(memory, merges, sizeof merges / sizeof merges[0]);
    EXPECT(&b, "abc", 303);
    EXPECT(&b, "abx", 301, 'x');
    EXPECT(&b, "aab", 304);
    EXPECT(&b, "cba", 'c', 'b', 'a');
    EXPECT(&b, "a", 'a');
    expect_merged(&b, "", false, NULL, 0);
    arena_free(memory);
}

static void bpe_tie_takes_leftmost(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe b = make_table(memory, merges, sizeof merges / sizeof merges[0]);
    EXPECT(&b, "aaa", 300, 'a');
    EXPECT(&b, "aaaaa", 300, 300, 'a');
    EXPECT(&b, "aaab", 300, 301);
    arena_free(memory);
}

static void bpe_plain_makes_no_added_token(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe b = make_table(memory, merges, sizeof merges / sizeof merges[0]);
    const int32_t ids[] = {300, 'b'};
    expect_merged(&b, "aab", true, ids, 2);
    arena_free(memory);
}

static void bpe_second_merge_of_a_pair_replaces_the_first(void **state) {
    (void)state;
    arena *memory = arena_new();
    const bpe_merge twice[] = {{'a', 'b', 0, 300, 0}, {'b', 'c', 1, 301, 0}, {'a', 'b', 2, 302, 0}};
    bpe b = make_table(memory, twice, 3);
    EXPECT(&b, "abc", 'a', 301);
    EXPECT(&b, "ab", 302);
    arena_free(memory);
}

static void bpe_byte_without_token_is_an_error(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe b = make_table(memory, merges, sizeof merges / sizeof merges[0]);
    bpe_scratch scratch = {0};
    fm_tokens out = {0};
    fm_error err = {0};
    b.byte_ids[7] = -1;
    assert_int_equal(bpe_encode(&b, (const uint8_t *)"a\a", 2, false, &scratch, &out, &err),
                     FM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "0x07"));
    fm_tokens_free(&out);
    arena_free(memory);
}

static void bpe_piece_above_the_limit_is_refused(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe b = make_table(memory, merges, sizeof merges / sizeof merges[0]);
    bpe_scratch scratch = {0};
    fm_tokens out = {0};
    fm_error err = {0};
    uint8_t *piece = calloc(BPE_MAX_PIECE + 1, 1);
    assert_non_null(piece);
    assert_int_equal(bpe_encode(&b, piece, BPE_MAX_PIECE + 1, false, &scratch, &out, &err),
                     FM_ERR_LIMIT);
    assert_null(scratch.memory);
    assert_int_equal(out.count, 0);
    free(piece);
    arena_free(memory);
}

/* ---- Against the definition ------------------------------------------------------------------ */

/** The definition: search all pairs for the lowest rank, merge, start again. */
static size_t merge_by_definition(const bpe_merge *table, size_t n_merges, uint32_t *ids,
                                  size_t n) {
    for (;;) {
        const bpe_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            for (size_t k = 0; k < n_merges; k++) {
                bool fits = table[k].left == ids[i] && table[k].right == ids[i + 1];
                if (fits && (!best || table[k].rank < best->rank)) {
                    best = &table[k];
                    at = i;
                }
            }
        }
        if (!best) return n;
        ids[at] = best->result;
        n--;
        memmove(&ids[at + 1], &ids[at + 2], (n - at - 1) * sizeof *ids);
    }
}

/** A random set of merges over two or three letters, every result a new token: ids 256, 257, …
 * Ranks are in random order, so a merge may be ranked before those that make its sides. */
static size_t random_merges(uint64_t *random, bpe_merge *out, size_t max) {
    size_t n = 0;
    uint32_t n_letters = 2 + fixture_random(random) % 2;
    for (size_t tries = 0; tries < 4 * max && n < max; tries++) {
        uint32_t n_ids = n_letters + (uint32_t)n;
        uint32_t side[2];
        for (int i = 0; i < 2; i++) {
            uint32_t r = fixture_random(random) % n_ids;
            side[i] = r < n_letters ? 'a' + r : 256 + r - n_letters;
        }
        bool seen = false;
        for (size_t k = 0; k < n; k++) seen |= out[k].left == side[0] && out[k].right == side[1];
        if (seen) continue;
        out[n] = (bpe_merge){side[0], side[1], (uint32_t)n, 256 + (uint32_t)n, false};
        n++;
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = fixture_random(random) % i;
        uint32_t rank = out[k].rank;
        out[k].rank = out[i - 1].rank;
        out[i - 1].rank = rank;
    }
    return n;
}

/** Lengths up to 500 use the search through all pairs and the heap. */
static void bpe_agrees_with_the_definition(void **state) {
    (void)state;
    uint64_t random = 11;
    bpe_scratch scratch = {0};
    for (int round = 0; round < 2000; round++) {
        arena *memory = arena_new();
        bpe_merge table[24];
        size_t n_merges = random_merges(&random, table, 1 + fixture_random(&random) % 24);
        bpe b = make_table(memory, table, n_merges);
        uint8_t piece[500];
        uint32_t ids[500];
        size_t most = round % 40 == 0 ? sizeof piece : round % 4 == 0 ? 200 : 48;
        size_t length = 1 + fixture_random(&random) % most;
        for (size_t i = 0; i < length; i++) {
            piece[i] = (uint8_t)('a' + fixture_random(&random) % (1 + (uint32_t)round % 3));
            ids[i] = piece[i];
        }
        size_t n = merge_by_definition(table, n_merges, ids, length);
        fm_tokens out = {0};
        assert_int_equal(bpe_encode(&b, piece, length, false, &scratch, &out, NULL), FM_OK);
        fixture_expect_ids(&out, (const int32_t *)ids, n);
        fm_tokens_free(&out);
        arena_free(memory);
    }
    bpe_scratch_free(&scratch);
}

/** Two million of one letter: doubling merges leave the binary digits of the length. */
static void bpe_long_run_is_merged_whole(void **state) {
    (void)state;
    arena *memory = arena_new();
    bpe_merge doubling[16];
    for (uint32_t i = 0; i < sizeof doubling / sizeof doubling[0]; i++) {
        uint32_t side = i == 0 ? 'a' : 255 + i;
        doubling[i] = (bpe_merge){side, side, i, 256 + i, false};
    }
    bpe b = make_table(memory, doubling, sizeof doubling / sizeof doubling[0]);
    size_t length = ((size_t)32 << 16) + 5;
    uint8_t *piece = malloc(length);
    assert_non_null(piece);
    memset(piece, 'a', length);
    bpe_scratch scratch = {0};
    fm_tokens out = {0};
    assert_int_equal(bpe_encode(&b, piece, length, false, &scratch, &out, NULL), FM_OK);
    assert_int_equal(out.count, 34);
    for (size_t i = 0; i < 32; i++) assert_int_equal(out.ids[i], 271);
    assert_int_equal(out.ids[32], 257);
    assert_int_equal(out.ids[33], 'a');
    fm_tokens_free(&out);
    bpe_scratch_free(&scratch);
    free(piece);
    arena_free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bpe_lower_rank_comes_first),
        cmocka_unit_test(bpe_tie_takes_leftmost),
        cmocka_unit_test(bpe_plain_makes_no_added_token),
        cmocka_unit_test(bpe_second_merge_of_a_pair_replaces_the_first),
        cmocka_unit_test(bpe_byte_without_token_is_an_error),
        cmocka_unit_test(bpe_piece_above_the_limit_is_refused),
        cmocka_unit_test(bpe_agrees_with_the_definition),
        cmocka_unit_test(bpe_long_run_is_merged_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
