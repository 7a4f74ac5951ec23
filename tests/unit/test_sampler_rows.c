/*
 * test_sampler_rows.c - a draw from few candidates is either the draw from all tokens or says that
 * it needs them; and that draw is what a plain reading of the rules gives in float64.
 */
#include "support/logit_row.h"
#include "support/stream.h"

enum { MAX_V = 5000 };

/* ---- Random rows ----------------------------------------------------------------------------- */

/** A row, and what its edits and its mask lie in. */
typedef struct random_row {
    float logits[MAX_V];
    int32_t edit_ids[MAX_V];
    float scales[MAX_V], adds[MAX_V];
    penalty_edits edits;
    uint32_t mask[(MAX_V + 31) / 32];
    fm_sampling p;
    logit_row row;
} random_row;

static bool one_in(stream *r, int32_t n) {
    return stream_between(r, 0, n - 1) == 0;
}

static fm_sampling random_sampling(stream *r, int32_t n_ids) {
    static const float temperatures[] = {0, 1, 0.3f, 2, 20}, top_ps[] = {0, 0.1f, 0.5f, 0.95f, 1};
    static const float min_ps[] = {0, 0, 0.01f, 0.3f, 1};
    const int32_t top_ks[] = {0, 0, 1, 8, 9, 40, n_ids, INT32_MAX};
    return (fm_sampling){.temperature = temperatures[stream_between(r, 0, 4)],
                         .top_k = top_ks[stream_between(r, 0, 7)],
                         .top_p = top_ps[stream_between(r, 0, 4)],
                         .min_p = min_ps[stream_between(r, 0, 4)],
                         .seed = stream_next(r)};
}

static void random_fill(random_row *t, stream *r, int32_t n_ids) {
    bool tied = one_in(r, 4), edited = one_in(r, 2), masked = one_in(r, 2);
    double width = one_in(r, 2) ? 2.0 : 14.0;
    t->edits = (penalty_edits){0, t->edit_ids, t->scales, t->adds};
    memset(t->mask, masked ? 0 : 0xff, sizeof t->mask);
    for (int32_t i = 0; i < n_ids; i++) {
        t->logits[i] = tied ? (float)stream_between(r, 0, 3) : (float)stream_value(r, width);
        if (edited && one_in(r, 3)) {
            t->edit_ids[t->edits.n] = i;
            t->scales[t->edits.n] = one_in(r, 2) ? 1.0f : 1.25f;
            t->adds[t->edits.n++] = tied ? 0.5f : (float)stream_value(r, 2);
        }
        if (masked && (one_in(r, 2) || i == n_ids - 1)) t->mask[i / 32] |= 1u << i % 32;
    }
    t->p = random_sampling(r, n_ids);
    logit_row_make(&t->row, n_ids, &(sampler_logits){t->logits, &t->edits, masked ? t->mask : NULL},
                   &t->p);
}

/* ---- The rules, read plainly ----------------------------------------------------------------- */

/** Which token the rules give for `u`; false when u or a restriction lies so close to a border that
 * float32 may decide otherwise. */
static bool plain_draw(const logit_row *row, const fm_sampling *p, double u, int32_t *id) {
    static double share[MAX_V];
    const double near = 1e-5;
    double total = 0, sum = 0, nucleus = 0;
    int32_t n = row->n_allowed, kept = 0;
    *id = row->ids[0];
    if (p->temperature == 0.0f) return true;
    if (p->top_k > 0 && p->top_k < n) n = p->top_k;
    for (int32_t i = 0; i < n; i++) {
        share[i] = exp(((double)row->values[i] - (double)row->values[0]) / (double)p->temperature);
        total += share[i];
    }
    if (p->top_p > 0.0f && p->top_p < 1.0f) {
        for (nucleus = 0; kept < n && nucleus < (double)p->top_p * total; kept++) {
            nucleus += share[kept];
            if (fabs(nucleus - (double)p->top_p * total) < near * total) return false;
        }
        n = kept;
    }
    for (kept = 0; kept < n && share[kept] >= (double)p->min_p; kept++)
        if (p->min_p < 1.0f && fabs(share[kept] - (double)p->min_p) < near) return false;
    if (kept < n && fabs(share[kept] - (double)p->min_p) < near) return false;
    total = 0;
    for (int32_t i = 0; i < kept; i++) total += share[i];
    for (int32_t i = 0; i < kept; i++) {
        sum += share[i];
        if (fabs(sum - u * total) < near * total) return false;
        if (sum < u * total) continue;
        *id = row->ids[i];
        return true;
    }
    return false;
}

/* ---- The property ---------------------------------------------------------------------------- */

typedef struct tally {
    int32_t n_said, n_asked; /* draws from few candidates that gave a token, and that did not */
    int32_t n_plain;         /* draws compared with the plain reading */
} tally;

static void check_draw(sampler *s, random_row *t, uint64_t counter, tally *count) {
    const int32_t n_ids = t->row.vocab_size, sizes[] = {1, 8, 128, n_ids, n_ids + 1};
    sampler_row none = logit_row_with(&t->row, 0);
    fm_logprob all, some;
    int32_t plain;
    assert_int_equal(sampler_draw_all(s, &t->p, &none, &t->row.all, counter, &all), FM_OK);
    assert_in_range(all.id, 0, n_ids - 1);
    for (int i = 0; i < 5; i++) {
        sampler_row row = logit_row_with(&t->row, sizes[i] <= n_ids ? sizes[i] : n_ids + 1);
        assert_int_equal(sampler_draw(&t->p, &row, counter, &some), FM_OK);
        count->n_said += some.id >= 0;
        count->n_asked += some.id < 0;
        if (some.id < 0 && row.n <= n_ids) continue;
        if (some.id != all.id || some.logprob != all.logprob)
            fail_msg("V %d, %d candidates: token %d, from all logits %d", n_ids, row.n, some.id,
                     all.id);
    }
    if (!plain_draw(&t->row, &t->p, (double)sampler_uniform(t->p.seed, counter), &plain)) return;
    count->n_plain++;
    if (plain != all.id) fail_msg("V %d: token %d, by the rules %d", n_ids, all.id, plain);
}

static void rows_few_candidates_draw_what_all_tokens_would(void **state) {
    (void)state;
    static const int32_t vocab_sizes[] = {1, 2, 17, 512, 1025, MAX_V};
    static random_row t;
    stream r = {7};
    tally count = {0};
    for (int v = 0; v < 6; v++) {
        sampler s;
        assert_int_equal(sampler_new(vocab_sizes[v], &s, NULL), FM_OK);
        for (int i = 0; i < 150; i++) {
            random_fill(&t, &r, vocab_sizes[v]);
            for (uint64_t counter = 0; counter < 20; counter++) check_draw(&s, &t, counter, &count);
            logit_row_free(&t.row);
        }
        sampler_free(&s);
    }
    assert_true(count.n_said > 10000);
    assert_true(count.n_asked > 3000);
    assert_true(count.n_plain > 15000); /* of 18,000 */
}

/** What is certain within the candidates is not asked for. */
static void rows_candidates_that_suffice_are_enough(void **state) {
    (void)state;
    static float logits[1000];
    const fm_sampling ways[] = {{0},
                                {.temperature = 1, .top_k = 8},
                                {.temperature = 1, .top_k = 8, .top_p = 0.9f},
                                {.temperature = 1, .top_p = 0.9f},
                                {.temperature = 1, .min_p = 0.05f},
                                {.temperature = 1, .top_k = 500, .min_p = 0.05f},
                                {.temperature = 1, .top_p = 0.999999f, .min_p = 0.05f}};
    for (int v = 0; v < 1000; v++) logits[v] = v < 7 ? 10.0f - (float)v : -5.0f;
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        logit_row row;
        fm_logprob token;
        logit_row_make(&row, 1000, &(sampler_logits){.logits = logits}, &ways[way]);
        sampler_row few = logit_row_with(&row, 8);
        for (uint64_t counter = 0; counter < 300; counter++) {
            assert_int_equal(sampler_draw(&ways[way], &few, counter, &token), FM_OK);
            if (token.id < 0) fail_msg("way %zu asks for all logits", way);
        }
        logit_row_free(&row);
    }
}

/** Sums of float32 may lie above what the shares add up to: the rest belongs to the last token that
 * has a share, not to one that has none. */
static void rows_tokens_without_a_share_are_never_drawn(void **state) {
    (void)state;
    static const float logits[4] = {5, 4, -200, -300};
    const fm_sampling p = {.temperature = 1};
    logit_row row;
    fm_logprob token;
    sampler s;
    assert_int_equal(sampler_new(4, &s, NULL), FM_OK);
    logit_row_make(&row, 4, &(sampler_logits){.logits = logits}, &p);
    row.sums[3] *= 1.5f;
    for (uint64_t counter = 0; counter < 200; counter++)
        for (int32_t n = 3; n <= 5; n++) {
            sampler_row few = logit_row_with(&row, n);
            assert_int_equal(sampler_draw(&p, &few, counter, &token), FM_OK);
            assert_in_range(token.id, 0, 1);
            assert_int_equal(sampler_draw_all(&s, &p, &few, &row.all, counter, &token), FM_OK);
            assert_in_range(token.id, 0, 1);
        }
    logit_row_free(&row);
    sampler_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_few_candidates_draw_what_all_tokens_would),
        cmocka_unit_test(rows_candidates_that_suffice_are_enough),
        cmocka_unit_test(rows_tokens_without_a_share_are_never_drawn),
    };
    return cmocka_run_group_tests_name("test_sampler_rows", tests, NULL, NULL);
}
