/*
 * test_overlap_many.c - a crowd of requests that use all there is to ask, some of them cut short in
 * every way there is, once on a device that computes at once and once on one that computes late:
 * the answers are the same. Where somebody cuts a request short from outside, when that is seen
 * differs by a step; then one answer is the beginning of the other.
 */
#include "late.h"
#include "pages.h"
#include "script.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum {
    N_MEMBERS = 64,
    MAX_CONTEXT = 192,
    N_CUT = 6 /* tokens after which a request is cut short */
};

/** How a request ends. */
typedef enum fate {
    FATE_LENGTH,
    FATE_GREEDY,
    FATE_STOP_STRING,
    FATE_END_ID,
    FATE_SAYS_NO,          /* its callback */
    FATE_MASK_SAYS_NO,     /* and no event comes after */
    FATE_MASK_IS_EMPTY,    /* which is an error */
    FATE_LATE_AT_FIRST,    /* its deadline is over before its first step */
    FATE_CANCELLED,        /* from here on from outside: between two steps */
    FATE_LATE,             /* its deadline */
    FATE_CANCELLED_BESIDE, /* by the callback of the next member */
    FATE_CANCELS,          /* that one, which goes on itself */
    FATE_COUNT
} fate;

typedef struct member {
    struct crowd *crowd;
    fate fate;
    asked asked;
    spoken got;
    uint64_t id;
    bool is_cut;
} member;

typedef struct crowd {
    fm_engine *engine;
    fm_tokenizer *tokenizer;
    member members[N_MEMBERS];
} crowd;

static const char *const stop[] = {"ab", "fad", "hh"};

/** Allows the letters a … h, until it is time for what the fate says. */
static bool allow_letters(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    (void)ids;
    const member *m = user;
    memset(mask, 0, SCRIPT_VOCAB / 32 * sizeof *mask);
    if (m->fate == FATE_MASK_IS_EMPTY && n == N_CUT) return true;
    for (int32_t id = 'a'; id <= 'h'; id++) mask[id / 32] |= 1u << id % 32;
    return m->fate != FATE_MASK_SAYS_NO || n < N_CUT;
}

/** An fm_event_fn; `user` is a member. */
static bool keep(void *user, const fm_event *event) {
    member *m = user;
    spoken_keep(&m->got, event);
    if (m->got.answer.n < N_CUT || event->finish != FM_FINISH_NONE) return true;
    if (m->fate == FATE_CANCELS && !m->is_cut) {
        m->is_cut = true;
        assert_int_equal(fm_engine_cancel(m->crowd->engine, (m - 1)->id, NULL), FM_OK);
    }
    return m->fate != FATE_SAYS_NO;
}

static void make_member(member *m, int32_t i) {
    uint32_t bits = asked_bits((uint64_t)i + 4000);
    m->fate = (fate)(i % FATE_COUNT);
    m->asked = (asked){.max_new = 20 + (int32_t)(bits % 30), .n_logprobs = i % 5 - 1};
    if (m->fate >= FATE_CANCELLED) m->asked.max_new = 90;
    asked_fill(&m->asked, 0, 1 + (int32_t)(bits >> 8) % 90, bits >> 20 & 3, SCRIPT_VOCAB);
    if (m->fate != FATE_GREEDY) m->asked.sampling = asked_sampled((uint64_t)i);
    if (i % 3 == 0) m->asked.sampling.repetition_penalty = 1.1f;
    m->asked.sampling.temperature *= 2.0f;
    if (m->fate == FATE_END_ID) m->asked.n_end_ids = ASKED_TOP;
    for (int32_t k = 0; k < ASKED_TOP; k++) m->asked.end_ids[k] = 'b' + k;
}

static void submit(crowd *c, member *m) {
    fm_request made = asked_request(&m->asked, NULL);
    made.tokenizer = c->tokenizer;
    made.mask = allow_letters;
    made.mask_user = m;
    made.on_event = keep;
    made.user = m;
    if (m->fate == FATE_STOP_STRING) made.stop = stop;
    if (m->fate == FATE_STOP_STRING) made.n_stop = 3;
    if (m->fate == FATE_LATE_AT_FIRST) made.deadline_seconds = 1e-9;
    assert_int_equal(fm_engine_submit(c->engine, &made, &m->id, NULL), FM_OK);
}

/** Cuts those short whose time has come. */
static void cut_some(crowd *c) {
    for (member *m = c->members; m < c->members + N_MEMBERS; m++) {
        if (m->is_cut || m->got.answer.n < N_CUT || m->got.answer.n_ends > 0) continue;
        m->is_cut = m->fate != FATE_CANCELS;
        if (m->fate == FATE_CANCELLED)
            assert_int_equal(fm_engine_cancel(c->engine, m->id, NULL), FM_OK);
        if (m->fate == FATE_LATE) queue_find(&c->engine->queue, m->id)->deadline = 1e-9;
    }
}

/** All of them, in caches for a quarter, and now and then without a page that there is. */
static crowd *run_crowd(fm_model *model, fm_tokenizer *tokenizer, bool async) {
    crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->tokenizer = tokenizer;
    late_enter(model->dev, async);
    c->engine = asked_engine(model, &(fm_engine_params){.cache_tokens = 20 * 64});
    for (int32_t i = 0; i < N_MEMBERS; i++) {
        c->members[i].crowd = c;
        make_member(&c->members[i], i);
        submit(c, &c->members[i]);
    }
    for (int32_t n = 1, active = 1; active > 0; n++) {
        if (n % 3 == 0) page_pool_fail_in(&c->engine->paging.classes[0].pool, 1);
        active = asked_step(c->engine);
        page_pool_fail_in(&c->engine->paging.classes[0].pool, 0);
        assert_int_equal(late_one.computes, false);
        if (!async) assert_null(c->engine->events.first);
        cut_some(c);
        assert_true(n < 5000);
    }
    assert_null(c->engine->events.first);
    assert_true(c->engine->scheduler.n_preempted > 0);
    assert_int_equal(late_one.n, 0);
    pages_expect_all_back(c->engine);
    fm_engine_free(c->engine);
    late_leave();
    return c;
}

static const fm_finish finishes[FATE_COUNT] = {
    [FATE_LENGTH] = FM_FINISH_LENGTH,
    [FATE_GREEDY] = FM_FINISH_LENGTH,
    [FATE_STOP_STRING] = FM_FINISH_STOP, /* most of them */
    [FATE_END_ID] = FM_FINISH_STOP,
    [FATE_SAYS_NO] = FM_FINISH_CANCELLED,
    [FATE_MASK_SAYS_NO] = FM_FINISH_CANCELLED,
    [FATE_MASK_IS_EMPTY] = FM_FINISH_ERROR,
    [FATE_LATE_AT_FIRST] = FM_FINISH_DEADLINE,
    [FATE_CANCELLED] = FM_FINISH_CANCELLED,
    [FATE_LATE] = FM_FINISH_DEADLINE,
    [FATE_CANCELLED_BESIDE] = FM_FINISH_CANCELLED,
    [FATE_CANCELS] = FM_FINISH_LENGTH,
};

/** The first n tokens have the same bits. */
static void expect_alike(const answer *a, const answer *b, int32_t n) {
    assert_memory_equal(a->ids, b->ids, (size_t)n * sizeof *a->ids);
    assert_memory_equal(a->logprobs, b->logprobs, (size_t)n * sizeof *a->logprobs);
    assert_memory_equal(a->top, b->top, (size_t)n * sizeof *a->top);
}

static void expect_same(const member *a, const member *b) {
    const answer *x = &a->got.answer, *y = &b->got.answer;
    bool from_outside = a->fate >= FATE_CANCELLED && a->fate != FATE_CANCELS;
    int32_t n = x->n < y->n ? x->n : y->n;
    size_t length = a->got.length < b->got.length ? a->got.length : b->got.length;
    assert_int_equal(x->n_ends + y->n_ends, 2);
    assert_int_equal(x->end.finish, y->end.finish);
    assert_int_equal(x->end.status, y->end.status);
    assert_int_equal(x->end.n_generated, x->n);
    assert_int_equal(y->end.n_generated, y->n);
    if (a->fate != FATE_STOP_STRING) assert_int_equal(x->end.finish, finishes[a->fate]);
    if (!from_outside) assert_true(x->n == y->n && a->got.length == b->got.length);
    if (a->fate == FATE_SAYS_NO || a->fate == FATE_MASK_SAYS_NO) assert_int_equal(x->n, N_CUT);
    if (a->fate == FATE_CANCELLED || a->fate == FATE_LATE) { /* what was drawn is told */
        assert_int_equal(x->n, N_CUT);
        assert_in_range(y->n, N_CUT, N_CUT + 1);
    }
    expect_alike(x, y, n);
    assert_memory_equal(a->got.text, b->got.text, length);
}

static void overlap_many_get_the_answers_of_a_device_that_runs_at_once(void **state) {
    (void)state;
    const fm_model_params params = {
        .n_threads = 1, .max_context = MAX_CONTEXT, .max_chunk = 100, .max_sequences = 36};
    fm_model *model = asked_open(LLAMA, &params);
    fm_tokenizer *tokenizer = script_tokenizer();
    crowd *sync = run_crowd(model, tokenizer, false), *late = run_crowd(model, tokenizer, true);
    int32_t n_stopped = 0, n_later = 0;
    for (int32_t i = 0; i < N_MEMBERS; i++) {
        expect_same(&sync->members[i], &late->members[i]);
        n_stopped += sync->members[i].fate == FATE_STOP_STRING &&
                     sync->members[i].got.answer.end.finish == FM_FINISH_STOP;
        n_later += sync->members[i].got.answer.n < late->members[i].got.answer.n;
    }
    assert_true(n_stopped > 2);
    assert_true(n_later > 0);
    free(late);
    free(sync);
    fm_tokenizer_close(tokenizer);
    fm_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_many_get_the_answers_of_a_device_that_runs_at_once),
    };
    return cmocka_run_group_tests_name("test_overlap_many", tests, NULL, NULL);
}
