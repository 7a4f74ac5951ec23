/*
 * test_penalties.c - the list of edits against a plain reading of the definition, for whatever
 * history; and that no call leaves anything behind for the next.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/penalties.h"
#include "support/expect.h"
#include "support/stream.h"

enum { V = 70, MAX_HISTORY = 300 };

/** Room for one list, with a guard behind it. */
typedef struct list {
    int32_t ids[V + 1];
    float scales[V + 1], adds[V + 1];
    penalty_edits edits;
} list;

static void collect(penalties *s, const fm_sampling *p, const penalty_history *h, list *out) {
    int32_t bound = penalties_bound(V, p, h);
    assert_in_range(bound, 0, V);
    out->ids[bound] = -77;
    out->edits = (penalty_edits){-1, out->ids, out->scales, out->adds};
    penalties_collect(s, p, h, &out->edits);
    assert_in_range(out->edits.n, 0, bound);
    assert_int_equal(out->ids[bound], -77);
}

static int32_t count_of(const int32_t *ids, int32_t n, int32_t id) {
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) count += ids[i] == id;
    return count;
}

/** The logit of an id as the definition makes it, in float64. */
static double plain(const fm_sampling *p, const penalty_history *h, int32_t id, double x) {
    int32_t count = count_of(h->answer, h->n_answer, id);
    double r = p->repetition_penalty == 0.0f ? 1.0 : (double)p->repetition_penalty;
    if (count + count_of(h->prompt, h->n_prompt, id) > 0) x = x > 0 ? x / r : x * r;
    for (size_t i = 0; i < p->n_bias; i++)
        if (p->bias[i].id == id) x += (double)p->bias[i].bias;
    return x - count * (double)p->frequency_penalty - (count > 0) * (double)p->presence_penalty;
}

static void check_list(const fm_sampling *p, const penalty_history *h, const list *l) {
    int32_t at = 0;
    for (int32_t id = 0; id < V; id++)
        for (int sign = -1; sign <= 1; sign++) {
            float x = 3.0f * (float)sign, got = x;
            if (at < l->edits.n && l->ids[at] == id)
                got = penalty_apply(x, l->scales[at], l->adds[at]);
            double expected = plain(p, h, id, (double)x);
            if (!(fabs((double)got - expected) < 1e-6 * (100 + fabs(expected))))
                fail_msg("id %d: %g becomes %g, not %g", id, (double)x, (double)got, expected);
            if (sign == 1 && at < l->edits.n && l->ids[at] == id) at++;
        }
    assert_int_equal(at, l->edits.n); /* ascending, each once, inside the vocabulary */
}

/* ---- Histories ------------------------------------------------------------------------------- */

static void penalties_edit_as_defined(void **state) {
    (void)state;
    static const float repetitions[] = {0, 1, 1.3f, 0.5f, 100}, others[] = {0, 0.7f, -2};
    static const int32_t lengths[] = {0, 1, 40, MAX_HISTORY};
    penalties s;
    stream r = {11};
    assert_int_equal(penalties_new(V, &s, NULL), FM_OK);
    for (int32_t i = 0; i < 2000; i++) {
        int32_t prompt[MAX_HISTORY], answer[MAX_HISTORY];
        fm_logit_bias bias[3] = {
            {stream_between(&r, 0, 19), 4}, {20 + stream_between(&r, 0, 48), -100}, {69, 0}};
        for (int32_t k = 0; k < MAX_HISTORY; k++) {
            prompt[k] = stream_between(&r, 0, V - 1);
            answer[k] = stream_between(&r, 0, stream_between(&r, 0, V - 1));
        }
        penalty_history h = {prompt, lengths[stream_between(&r, 0, 3)], answer,
                             lengths[stream_between(&r, 0, 3)]};
        fm_sampling p = {.repetition_penalty = repetitions[stream_between(&r, 0, 4)],
                         .frequency_penalty = others[stream_between(&r, 0, 2)],
                         .presence_penalty = others[stream_between(&r, 0, 2)],
                         .bias = bias,
                         .n_bias = (size_t)stream_between(&r, 0, 3)};
        list l;
        collect(&s, &p, &h, &l);
        check_list(&p, &h, &l);
    }
    penalties_free(&s);
}

/** The reference's numbers: transformers' RepetitionPenaltyLogitsProcessor on scores 3 and -3 with
 * 1.5 gives 2 and -4.5; OpenAI's formula takes c * frequency + presence off. */
static void penalties_known_cases_have_their_numbers(void **state) {
    (void)state;
    const int32_t prompt[] = {5, 6}, answer[] = {6, 7, 7, 7};
    const fm_logit_bias bias[] = {{9, 2.5f}, {7, 1}};
    const penalty_history h = {prompt, 2, answer, 4};
    const fm_sampling p = {.repetition_penalty = 1.5f,
                           .frequency_penalty = 0.25f,
                           .presence_penalty = 0.5f,
                           .bias = bias,
                           .n_bias = 2};
    static const int32_t ids[] = {5, 6, 7, 9};
    static const float scales[] = {1.5f, 1.5f, 1.5f, 1}, adds[] = {0, -0.75f, -0.25f, 2.5f};
    penalties s;
    list l;
    assert_int_equal(penalties_new(V, &s, NULL), FM_OK);
    collect(&s, &p, &h, &l);
    assert_int_equal(l.edits.n, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(l.ids[i], ids[i]);
        assert_true(l.scales[i] == scales[i] && l.adds[i] == adds[i]);
    }
    assert_true(penalty_apply(3, 1.5f, 0) == 2.0f && penalty_apply(-3, 1.5f, 0) == -4.5f);
    assert_true(penalty_apply(3, 1.5f, 1) == 3.0f); /* scaled first, then added to */
    penalties_free(&s);
}

static void penalties_off_edit_nothing(void **state) {
    (void)state;
    const int32_t ids[] = {1, 2, 3};
    const penalty_history h = {ids, 3, ids, 3};
    const fm_sampling off[] = {{0}, {.repetition_penalty = 1, .temperature = 2}};
    penalties s;
    list l;
    assert_int_equal(penalties_new(V, &s, NULL), FM_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(penalties_bound(V, &off[i], &h), 0);
        collect(&s, &off[i], &h, &l);
        assert_int_equal(l.edits.n, 0);
    }
    penalties_free(&s);
}

/** Whatever is asked of a history that fills the context, its edits fit, and the limit is no larger
 * than that needs. */
static void penalties_limit_is_the_largest_bound(void **state) {
    (void)state;
    static const int32_t ids[MAX_HISTORY];
    static const fm_logit_bias bias[FM_LOGIT_BIAS_MAX];
    const int32_t vocabs[] = {1, V, FM_LOGIT_BIAS_MAX, FM_LOGIT_BIAS_MAX + MAX_HISTORY, 200000};
    const fm_sampling p = {.repetition_penalty = 2.0f, .bias = bias, .n_bias = FM_LOGIT_BIAS_MAX};
    for (size_t i = 0; i < sizeof vocabs / sizeof *vocabs; i++)
        for (int32_t n_prompt = 1; n_prompt <= MAX_HISTORY; n_prompt += 13) {
            const penalty_history full = {ids, n_prompt, ids, MAX_HISTORY - n_prompt};
            int32_t limit = penalties_limit(vocabs[i], MAX_HISTORY);
            assert_int_equal(penalties_bound(vocabs[i], &p, &full), limit);
        }
    assert_int_equal(penalties_limit(INT32_MAX, INT32_MAX), INT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(penalties_edit_as_defined),
        cmocka_unit_test(penalties_known_cases_have_their_numbers),
        cmocka_unit_test(penalties_off_edit_nothing),
        cmocka_unit_test(penalties_limit_is_the_largest_bound),
    };
    return cmocka_run_group_tests_name("test_penalties", tests, NULL, NULL);
}
