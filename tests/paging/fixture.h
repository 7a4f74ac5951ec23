/*
 * fixture.h - texts, and sequences that run them: what the cases on paging have in common. Each
 * function fails the test when a count does not add up.
 */
#ifndef FATHOM_TESTS_PAGING_FIXTURE_H
#define FATHOM_TESTS_PAGING_FIXTURE_H

#include "check.h"
#include "support/expect.h"

enum { ROWS = FM_CACHE_PAGE_ROWS, MAX_TOKENS = 640 };

typedef struct text {
    int32_t ids[MAX_TOKENS];
} text;

/** MAX_TOKENS tokens, which differ from those of other `seed`s from token n_same on. */
static inline text text_of(int32_t seed, int32_t n_same) {
    text t;
    for (int32_t i = 0; i < MAX_TOKENS; i++) t.ids[i] = i < n_same ? i : 1000 * seed + i;
    return t;
}

static inline paging paging_of(paging_params params) {
    paging p;
    if (params.n_classes == 0) params.n_classes = 1;
    params.share = true;
    assert_int_equal(paging_new(&params, &p, NULL), FM_OK);
    return p;
}

static inline paged_sequence sequence_of(const paging *p, uint64_t tenant) {
    paged_sequence s;
    assert_int_equal(paged_sequence_new(p, tenant, MAX_TOKENS, &s, NULL), FM_OK);
    return s;
}

/** The sequence runs the tokens of t up to n; returns the slot that its state goes to. */
static inline int32_t run_to(paging *p, paged_sequence *s, const text *t, int32_t n) {
    page_copies copies;
    int32_t n_new = n - s->n_tokens;
    assert_true(paging_reserve(p, s, n_new, &copies));
    return paging_commit(p, s, t->ids + s->n_tokens, n_new);
}

static inline int32_t adopt(paging *p, paged_sequence *s, const text *t, int32_t n) {
    int32_t slot;
    return paging_adopt(p, s, t->ids, n, &slot);
}

static inline void expect_sums(const paging *p, const paged_sequence *a, const paged_sequence *b) {
    const char *wrong = check_paging(p, (const paged_sequence *const[]){a, b}, b ? 2 : 1);
    if (wrong) fail_msg("%s", wrong);
}

static inline void finish(paging *p, paged_sequence *a, paged_sequence *b) {
    expect_sums(p, a, b);
    paging_release(p, a);
    paged_sequence_free(a);
    if (b) paging_release(p, b);
    if (b) paged_sequence_free(b);
    paging_drop_cached(p);
    for (int c = 0; c < p->n_classes; c++)
        assert_int_equal(p->classes[c].pool.n_free, p->classes[c].pool.n);
    paging_free(p);
}

#endif
