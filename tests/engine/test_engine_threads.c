/*
 * test_engine_threads.c - threads that submit and cancel at random while another one steps: every
 * request that was accepted gets exactly one last event, and the answers of those that nobody
 * cancelled are what they are alone. Under the thread sanitizer this suite is the proof that the
 * queue's rules hold.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "pages.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum {
    N_THREADS = 4,
    N_EACH = 60, /* requests of a thread */
    N_PLACES = 4,
    N_QUEUED = 6,
    MAX_CONTEXT = 128,
};

/** One request, from the thread that submits it to the step that ends it. */
typedef struct errand {
    fm_engine *engine;
    asked asked;
    answer answer;
    uint64_t id;
    struct errand *next; /* submitted in this one's last event, where there is room; NULL: none */
    bool was_submitted;
} errand;

typedef struct submitter {
    errand errands[N_EACH];
    errand followers[N_EACH];
    uint32_t random;
    int32_t n_full, n_cancelled, n_not_found;
    fm_status failed; /* a status that none of the calls may have */
    atomic_int *n_done;
} submitter;

static bool run_errand(void *user, const fm_event *event) {
    errand *r = user;
    answer_keep(&r->answer, event);
    if (event->finish == FM_FINISH_NONE || !r->next) return true;
    fm_request next = asked_request(&r->next->asked, &r->next->answer);
    next.on_event = run_errand;
    next.user = r->next;
    fm_status status = fm_engine_submit(r->engine, &next, &r->next->id, NULL);
    assert_true(status == FM_OK || status == FM_ERR_LIMIT);
    r->next->was_submitted = status == FM_OK;
    return true;
}

static uint32_t random_of(submitter *s, uint32_t n) {
    s->random++;
    return asked_bits(s->random) % n;
}

static void make_errand(errand *r, fm_engine *e, int32_t i, int32_t vocab) {
    uint32_t bits = asked_bits((uint64_t)i + 500);
    *r = (errand){.engine = e, .asked = {.max_new = 1 + (int32_t)(bits % 12)}};
    r->asked.tenant = bits >> 8 & 1;
    asked_fill(&r->asked, 0, 1 + (int32_t)(bits >> 10) % 100, bits >> 20 & 1, vocab);
    if (i % 2) r->asked.sampling = asked_sampled((uint64_t)i);
}

/** Cancels one of the errands submitted so far, which may have ended. */
static void cancel_one(submitter *s, int32_t n_submitted) {
    const errand *r = &s->errands[random_of(s, (uint32_t)n_submitted)];
    fm_status status = fm_engine_cancel(r->engine, r->id, NULL);
    if (status == FM_OK)
        s->n_cancelled++;
    else if (status == FM_ERR_NOT_FOUND)
        s->n_not_found++;
    else
        s->failed = status;
}

/** Asserts nothing, as it is on a thread that the test does not know. */
static void *submit_all(void *user) {
    submitter *s = user;
    for (int32_t i = 0; i < N_EACH;) {
        errand *r = &s->errands[i];
        fm_request request_made = asked_request(&r->asked, &r->answer);
        request_made.on_event = run_errand;
        request_made.user = r;
        fm_status status = fm_engine_submit(r->engine, &request_made, &r->id, NULL);
        if (status == FM_OK) {
            r->was_submitted = true;
            i++;
            if (random_of(s, 4) == 0) cancel_one(s, i);
        } else if (status == FM_ERR_LIMIT) {
            s->n_full++;
            sched_yield();
        } else {
            s->failed = status;
            break;
        }
    }
    atomic_fetch_add(s->n_done, 1);
    return NULL;
}

static fm_model *open_model(void) {
    const fm_model_params params = {.device = "cpu",
                                    .dtype = "f32",
                                    .cache_dtype = "f32",
                                    .n_threads = 2,
                                    .max_context = MAX_CONTEXT,
                                    .max_chunk = 32,
                                    .max_sequences = N_PLACES};
    return asked_open(LLAMA, &params);
}

static void make_submitter(submitter *s, fm_engine *e, int32_t number, int32_t vocab,
                           atomic_int *n_done) {
    s->random = (uint32_t)number << 20;
    s->n_done = n_done;
    for (int32_t i = 0; i < N_EACH; i++) {
        make_errand(&s->errands[i], e, number * N_EACH + i, vocab);
        make_errand(&s->followers[i], e, (N_THREADS + number) * N_EACH + i, vocab);
        if (i % 5 == 0) s->errands[i].next = &s->followers[i];
    }
}

/** Steps until all threads are done and nothing is left to step. */
static void step_all(fm_engine *e, atomic_int *n_done) {
    for (int32_t active = 0;;) {
        bool done = atomic_load(n_done) == N_THREADS;
        if (active == 0 && !fm_engine_wait(e, 0.002) && done) return;
        active = asked_step(e);
        assert_in_range(active, 0, N_PLACES + N_QUEUED);
        pages_expect_tenants_apart(e);
    }
}

static void look_at(fm_model *m, const errand *r, int32_t *n_whole) {
    assert_int_equal(r->answer.n_ends, r->was_submitted ? 1 : 0);
    if (!r->was_submitted) return;
    assert_int_equal(r->answer.end.request, r->id);
    const answer wanted = asked_alone(m, &r->asked);
    if (r->answer.end.finish == FM_FINISH_CANCELLED) {
        assert_true(r->answer.n <= wanted.n);
        assert_memory_equal(r->answer.ids, wanted.ids, (size_t)r->answer.n * sizeof *wanted.ids);
        return;
    }
    answer_expect("errand", &r->answer, &wanted);
    ++*n_whole;
}

static void engine_threads_submit_and_cancel_while_another_steps(void **state) {
    (void)state;
    fm_model *m = open_model();
    fm_engine *e = asked_engine(m, &(fm_engine_params){.max_queued = N_QUEUED});
    atomic_int n_done = 0;
    pthread_t threads[N_THREADS];
    submitter *s = calloc(N_THREADS, sizeof *s);
    assert_non_null(s);
    for (int32_t i = 0; i < N_THREADS; i++)
        make_submitter(&s[i], e, i, fm_model_vocab_size(m), &n_done);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &s[i]), 0);
    step_all(e, &n_done);
    int32_t n_full = 0, n_cancelled = 0, n_whole = 0, n_followers = 0;
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(s[i].failed, FM_OK);
        n_full += s[i].n_full;
        n_cancelled += s[i].n_cancelled;
        for (int k = 0; k < N_EACH; k++) {
            assert_true(s[i].errands[k].was_submitted);
            look_at(m, &s[i].errands[k], &n_whole);
            look_at(m, &s[i].followers[k], &n_whole);
            n_followers += s[i].followers[k].was_submitted;
        }
    }
    print_message("%d whole answers, %d cancelled, %d from callbacks, refused %d times\n", n_whole,
                  n_cancelled, n_followers, n_full);
    assert_true(n_full > 0 && n_cancelled > 0 && n_whole > 0 && n_followers > 0);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
    free(s);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *submit_late(void *user) {
    errand *r = user;
    const fm_request late = asked_request(&r->asked, &r->answer);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return fm_engine_submit(r->engine, &late, NULL, NULL) == FM_OK ? NULL : user;
}

static void engine_wait_ends_with_the_time_or_a_request(void **state) {
    (void)state;
    fm_model *m = open_model();
    fm_engine *e = asked_engine(m, NULL);
    double start = seconds_now();
    assert_false(fm_engine_wait(e, 0.05));
    assert_true(seconds_now() - start >= 0.05);
    assert_false(fm_engine_wait(e, 0.0));
    assert_false(fm_engine_wait(e, -1.0));
    errand r;
    pthread_t thread;
    void *failed = NULL;
    make_errand(&r, e, 1, fm_model_vocab_size(m));
    start = seconds_now();
    assert_int_equal(pthread_create(&thread, NULL, submit_late, &r), 0);
    assert_true(fm_engine_wait(e, 600.0));
    assert_true(seconds_now() - start < 300.0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_true(fm_engine_wait(e, 0.0)); /* until it has ended */
    while (asked_step(e) > 0) {
    }
    assert_false(fm_engine_wait(e, 0.0));
    fm_engine_free(e);
    fm_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_threads_submit_and_cancel_while_another_steps),
        cmocka_unit_test(engine_wait_ends_with_the_time_or_a_request),
    };
    return cmocka_run_group_tests_name("test_engine_threads", tests, NULL, NULL);
}
