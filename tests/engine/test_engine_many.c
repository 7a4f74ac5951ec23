/*
 * test_engine_many.c - a thousand requests of four tenants through 64 places and a small cache:
 * every answer is the one that the request gets alone, tenants share nothing, nobody waits for a
 * queue that is not his own, and all pages come back.
 */
#include "pages.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { N_TENANTS = 4, N_REQUESTS = 1000, MAX_CONTEXT = 192, CACHE_TOKENS = 96 * 64, N_TEXTS = 12 };

/** In the order of submission: the largest tenant's queue is in front of everybody. */
static const struct tenant {
    uint64_t name;
    int32_t n;
} tenants[N_TENANTS] = {{0, 640}, {UINT64_MAX, 250}, {7, 80}, {1ull << 40, 30}};

typedef struct crowd {
    asked asked[N_REQUESTS];
    answer wanted[N_REQUESTS], got[N_REQUESTS];
    int32_t tenant[N_REQUESTS];
    int32_t first_step[N_REQUESTS]; /* in which it held a place; 0: none yet */
    int64_t n_places[N_TENANTS];    /* held, summed over the steps in which all tenants wait */
} crowd;

/** Prompts begin with one of a few texts, which all tenants use. */
static void make_request(asked *a, int32_t i, uint64_t tenant, int32_t vocab) {
    uint32_t bits = asked_bits((uint64_t)i + 77777);
    int32_t n_ids = 1 + (int32_t)(bits % 100), n_shared = (int32_t)(bits >> 8) % 160;
    if (i % 4 == 0) n_ids = 150;
    if (i % 16 == 1) n_ids = 1 + (int32_t)(bits % 60);
    if (n_shared > n_ids) n_shared = n_ids;
    *a = (asked){.max_new = 1 + (int32_t)(bits >> 16) % 16, .n_logprobs = i % 3, .tenant = tenant};
    if (i % 16 == 1) a->max_new = ASKED_MAX_NEW; /* over two borders of pages */
    asked_fill(a, 0, n_shared, (bits >> 4) % N_TEXTS, vocab);
    asked_fill(a, n_shared, n_ids, (uint64_t)i + N_TEXTS, vocab);
    if (i % 2) a->sampling = asked_sampled((uint64_t)i);
}

static void make_crowd(crowd *all, int32_t vocab) {
    int32_t i = 0;
    for (int32_t t = 0; t < N_TENANTS; t++)
        for (int32_t k = 0; k < tenants[t].n; k++, i++) {
            make_request(&all->asked[i], i, tenants[t].name, vocab);
            all->tenant[i] = t;
        }
    assert_int_equal(i, N_REQUESTS);
}

/** One after the other, nothing shared. */
static void run_alone(crowd *all, fm_model *m) {
    fm_engine *e = asked_engine(m, &(fm_engine_params){.no_prefix_sharing = true});
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        asked_submit(e, &all->asked[i], &all->wanted[i]);
        while (asked_step(e) > 0) {
        }
    }
    fm_engine_free(e);
}

/** Requests are named 1, 2, … in the order of submission. */
static int32_t index_of(sequence *q) {
    return (int32_t)request_of(q)->id - 1;
}

static void look_at_places(crowd *all, const fm_engine *e, int32_t step_number) {
    int32_t n_waiting[N_TENANTS] = {0};
    bool all_wait = true;
    for (sequence *q = e->scheduler.first; q; q = q->next) n_waiting[all->tenant[index_of(q)]]++;
    for (int32_t t = 0; t < N_TENANTS; t++) all_wait = all_wait && n_waiting[t] > 0;
    assert_in_range(e->scheduler.n_running, 0, 64);
    for (int32_t i = 0; i < e->scheduler.n_running; i++) {
        int32_t number = index_of(e->scheduler.running[i]);
        if (all->first_step[number] == 0) all->first_step[number] = step_number;
        if (all_wait) all->n_places[all->tenant[number]]++;
    }
}

/** A request that ended in its first step is not seen to hold a place after it. */
static void note_ended(crowd *all, int32_t step_number) {
    for (int32_t i = 0; i < N_REQUESTS; i++)
        if (all->got[i].n_ends > 0 && all->first_step[i] == 0) all->first_step[i] = step_number;
}

/** Now and then the pool says that it has no page, which costs some sequence its place. */
static void run_together(crowd *all, fm_engine *e) {
    int32_t active = N_REQUESTS;
    for (int32_t i = 0; i < N_REQUESTS; i++)
        assert_int_equal(asked_submit(e, &all->asked[i], &all->got[i]), i + 1);
    for (int32_t step_number = 1; active > 0; step_number++) {
        if (step_number % 8 == 0)
            page_pool_fail_in(&e->paging.classes[0].pool, 1 + step_number / 8 % 3);
        active = asked_step(e);
        page_pool_fail_in(&e->paging.classes[0].pool, 0);
        pages_expect_tenants_apart(e);
        look_at_places(all, e, step_number);
        note_ended(all, step_number);
        assert_true(step_number < 100 * N_REQUESTS);
    }
}

/** Prints how long each tenant waited; its last request's first step. */
static int32_t tell_wait(const crowd *all, int32_t t) {
    int64_t sum = 0;
    int32_t longest = 0;
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        if (all->tenant[i] != t) continue;
        sum += all->first_step[i];
        if (all->first_step[i] > longest) longest = all->first_step[i];
    }
    print_message("tenant %d, %3d requests: waited %.1f steps in the mean, %d at most\n", t,
                  tenants[t].n, (double)sum / tenants[t].n, longest);
    return longest;
}

/** Jain's index of the places that tenants held while all of them waited: 1 is equal. */
static double jain_index(const crowd *all) {
    double sum = 0.0, squares = 0.0;
    for (int32_t t = 0; t < N_TENANTS; t++) {
        sum += (double)all->n_places[t];
        squares += (double)all->n_places[t] * (double)all->n_places[t];
    }
    return sum * sum / (N_TENANTS * squares);
}

static int compare_steps(const void *a, const void *b) {
    return *(const int32_t *)a - *(const int32_t *)b;
}

/** The step in which half of the largest tenant's requests had been admitted. */
static int32_t half_of_largest(const crowd *all) {
    int32_t steps[N_REQUESTS];
    memcpy(steps, all->first_step, (size_t)tenants[0].n * sizeof *steps);
    qsort(steps, (size_t)tenants[0].n, sizeof *steps, compare_steps);
    return steps[tenants[0].n / 2];
}

static void expect_fair(const crowd *all) {
    int32_t last[N_TENANTS];
    for (int32_t t = 0; t < N_TENANTS; t++) last[t] = tell_wait(all, t);
    print_message("places while all tenants wait: Jain's index %.3f\n", jain_index(all));
    assert_true(last[2] < half_of_largest(all));
    assert_true(last[3] < half_of_largest(all));
    assert_true(last[3] < last[2] && last[2] < last[1]);
}

static void many_requests_of_four_tenants_get_their_own_answers(void **state) {
    (void)state;
    const fm_model_params params = {.dtype = "f32",
                                    .cache_dtype = "f32",
                                    .n_threads = 1,
                                    .max_context = MAX_CONTEXT,
                                    .max_chunk = 1024,
                                    .max_sequences = 64};
    fm_model *m = asked_open(LLAMA, &params);
    crowd *all = calloc(1, sizeof *all);
    assert_non_null(all);
    make_crowd(all, fm_model_vocab_size(m));
    run_alone(all, m);
    fm_engine *e = asked_engine(m, &(fm_engine_params){.cache_tokens = CACHE_TOKENS});
    run_together(all, e);
    for (int32_t i = 0; i < N_REQUESTS; i++)
        answer_expect("one of many", &all->got[i], &all->wanted[i]);
    fm_engine_stats stats;
    fm_engine_get_stats(e, &stats);
    print_message(
        "%llu steps, %llu tokens run, %llu shared, %llu preemptions, %llu pages evicted\n",
        (unsigned long long)stats.n_steps, (unsigned long long)stats.n_tokens_run,
        (unsigned long long)stats.n_tokens_shared, (unsigned long long)stats.n_preempted,
        (unsigned long long)stats.n_pages_evicted);
    assert_true(stats.n_tokens_shared > 0 && stats.n_pages_evicted > 0 && stats.n_preempted > 0);
    expect_fair(all);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
    free(all);
}

static fm_status no_rows(void *user, const float *logits, int32_t n_rows) {
    (void)user, (void)logits, (void)n_rows;
    return FM_OK;
}

/** What a call for logits computes is never a tenant's, whoever's prefix was saved before. */
static void many_tenants_find_nothing_of_what_logits_computed(void **state) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(*state, "prefix", path);
    fm_model *m = asked_open(LLAMA, &(fm_model_params){.n_threads = 1, .max_context = MAX_CONTEXT});
    fm_engine *e = asked_engine(m, NULL);
    asked first = {.max_new = 2, .tenant = 7}, second = first;
    answer got[2] = {{0}};
    asked_fill(&first, 0, 130, 1, fm_model_vocab_size(m));
    asked_fill(&second, 0, 130, 2, fm_model_vocab_size(m));
    asked_submit(e, &first, &got[0]);
    while (asked_step(e) > 0) {
    }
    assert_int_equal(fm_engine_save_prefix(e, 7, first.ids, 130, path, NULL, NULL), FM_OK);
    assert_int_equal(fm_engine_logits(e, second.ids, 130, no_rows, NULL, NULL), FM_OK);
    asked_submit(e, &second, &got[1]);
    while (asked_step(e) > 0) {
    }
    assert_int_equal(got[1].n_ends, 1);
    assert_int_equal(got[1].end.n_shared, 0);
    pages_expect_all_back(e);
    fm_engine_free(e);
    fm_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests_of_four_tenants_get_their_own_answers),
        cmocka_unit_test_setup_teardown(many_tenants_find_nothing_of_what_logits_computed,
                                        temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests_name("test_engine_many", tests, NULL, NULL);
}
