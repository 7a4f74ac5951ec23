/* test_pool.c - every task of every job runs once, whatever the number of threads. */
#include "base/pool.h"
#include "support/temp_dir.h"

#include <stdatomic.h>

enum { MAX_TASKS = 1000, MAX_WORKERS = 16 };

typedef struct tally {
    atomic_int runs[MAX_TASKS];          /* how often each task ran */
    atomic_int busy[MAX_WORKERS];        /* 1 while a worker is inside a task */
    int64_t per_worker[MAX_WORKERS * 8]; /* not atomic: a worker number is one thread at a time */
    atomic_bool clash;
    int n_workers;
} tally;

static void tally_task(void *user, int task, int worker) {
    tally *t = user;
    if (worker < 0 || worker >= t->n_workers || atomic_exchange(&t->busy[worker], 1) != 0)
        atomic_store(&t->clash, true);
    atomic_fetch_add(&t->runs[task], 1);
    t->per_worker[worker * 8] += task;
    atomic_store(&t->busy[worker], 0);
}

static void pool_tasks_run_exactly_once(void **state) {
    (void)state;
    static const int thread_counts[] = {1, 2, 3, 4, 8, 16};
    static const int task_counts[] = {0, 1, 2, 3, 7, 16, 64, 257, MAX_TASKS};
    for (size_t i = 0; i < sizeof thread_counts / sizeof thread_counts[0]; i++) {
        pool *p;
        assert_int_equal(pool_new(thread_counts[i], &p, NULL), FM_OK);
        for (size_t j = 0; j < sizeof task_counts / sizeof task_counts[0]; j++) {
            tally t = {.n_workers = thread_counts[i]};
            int64_t sum = 0;
            pool_run(p, task_counts[j], tally_task, &t);
            for (int task = 0; task < MAX_TASKS; task++)
                assert_int_equal(t.runs[task], task < task_counts[j] ? 1 : 0);
            for (int worker = 0; worker < MAX_WORKERS; worker++) sum += t.per_worker[worker * 8];
            assert_int_equal(sum, (int64_t)task_counts[j] * (task_counts[j] - 1) / 2);
            assert_false(t.clash);
        }
        pool_free(p);
    }
}

typedef struct series {
    int job;
    int seen[64]; /* the job that wrote each place last; a task owns its place */
} series;

static void series_task(void *user, int task, int worker) {
    series *s = user;
    (void)worker;
    s->seen[task] = s->job;
}

/** A late worker of one job must never touch the next: each job writes its number everywhere. */
static void pool_run_ten_thousand_times_mixes_no_jobs(void **state) {
    (void)state;
    pool *p;
    assert_int_equal(pool_new(4, &p, NULL), FM_OK);
    series s = {0};
    for (s.job = 1; s.job <= 10000; s.job++) {
        int n_tasks = 1 + s.job % 64;
        pool_run(p, n_tasks, series_task, &s);
        for (int task = 0; task < n_tasks; task++)
            if (s.seen[task] != s.job) fail_msg("task %d missed job %d", task, s.job);
    }
    pool_free(p);
}

/** Workers go to sleep between these jobs: the way through the condition variable is taken. */
static void pool_run_wakes_sleeping_workers(void **state) {
    (void)state;
    pool *p;
    assert_int_equal(pool_new(4, &p, NULL), FM_OK);
    for (int i = 0; i < 20; i++) {
        tally t = {.n_workers = 4};
        usleep(2000);
        pool_run(p, 50, tally_task, &t);
        for (int task = 0; task < 50; task++) assert_int_equal(t.runs[task], 1);
    }
    pool_free(p);
}

typedef struct meeting {
    atomic_int n_present;
    int n_wanted;
} meeting;

static void meeting_task(void *user, int task, int worker) {
    meeting *m = user;
    (void)task;
    (void)worker;
    atomic_fetch_add(&m->n_present, 1);
    while (atomic_load(&m->n_present) < m->n_wanted) usleep(100);
}

/** Tasks that wait for each other end only when as many threads take part. */
static void pool_uses_all_its_threads(void **state) {
    (void)state;
    pool *p;
    assert_int_equal(pool_new(4, &p, NULL), FM_OK);
    for (int i = 0; i < 10; i++) {
        meeting m = {.n_wanted = 4};
        pool_run(p, 4, meeting_task, &m);
        assert_int_equal(m.n_present, 4);
    }
    pool_free(p);
}

static void pool_of_one_runs_inline_in_order(void **state) {
    (void)state;
    pool *p;
    assert_int_equal(pool_new(1, &p, NULL), FM_OK);
    series s = {.job = 5};
    pool_run(p, 10, series_task, &s);
    for (int task = 0; task < 10; task++) assert_int_equal(s.seen[task], 5);
    pool_free(p);
    pool_free(NULL);
}

static void pool_new_refuses_senseless_counts(void **state) {
    (void)state;
    static const int counts[] = {0, -1, 1025, 1 << 30};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        pool *p = (pool *)state;
        fm_error err = {0};
        assert_int_equal(pool_new(counts[i], &p, &err), FM_ERR_ARG);
        assert_null(p);
        assert_non_null(strstr(err.text, "from 1 to 1024"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_tasks_run_exactly_once),
        cmocka_unit_test(pool_run_ten_thousand_times_mixes_no_jobs),
        cmocka_unit_test(pool_run_wakes_sleeping_workers),
        cmocka_unit_test(pool_uses_all_its_threads),
        cmocka_unit_test(pool_of_one_runs_inline_in_order),
        cmocka_unit_test(pool_new_refuses_senseless_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
