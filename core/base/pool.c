/*
 * pool.c - owns the worker threads and the one job that they share.
 *
 * `remaining` is both the job's counter and its announcement: who takes it from n to n - 1 with n >
 * 0 owns task n - 1. A task that is owned but not yet counted in `done` keeps its job alive, so the
 * job's fields are read only after a task was taken, and a thread that wakes late finds either
 * nothing or a task of the job that runs now. Threads with nothing to do need not be waited for.
 */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fp.h"

enum {
    MAX_THREADS = 1024,
    MAX_SPINS = 300, /* pauses before a thread sleeps: 3 to 12 µs, less than sleeping and waking */
};

typedef struct pool_worker {
    pool *owner;
    int index; /* 1 … n_threads - 1; the caller of pool_run is worker 0 */
    pthread_t thread;
} pool_worker;

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake;     /* a job was announced, or the pool stops */
    pthread_cond_t finished; /* the last task was counted */
    atomic_int remaining;    /* tasks not taken; goes below 0 when threads race for the last one */
    atomic_int done;         /* tasks counted as run */
    int n_tasks;             /* the job: written by pool_run before `remaining` */
    pool_fn fn;
    void *user;
    int n_sleeping; /* workers waiting for `wake`; under the mutex */
    bool stop;      /* under the mutex */
    int n_threads;
    int n_started; /* of `workers` */
    pool_worker workers[];
};

static void spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool has_task(pool *p) {
    return atomic_load_explicit(&p->remaining, memory_order_relaxed) > 0;
}

/** Takes tasks until none is left; returns how many this thread ran. */
static int take_tasks(pool *p, int worker) {
    int n_run = 0;
    while (has_task(p)) {
        /* Acquire: pairs with the release in pool_run and makes the job's fields visible. */
        int left = atomic_fetch_sub_explicit(&p->remaining, 1, memory_order_acquire);
        if (left <= 0) break;
        p->fn(p->user, p->n_tasks - left, worker);
        n_run++;
    }
    return n_run;
}

static void work(pool *p, int worker) {
    int n_run = take_tasks(p, worker);
    if (n_run == 0) return;
    int n_tasks = p->n_tasks; /* read before counting: the job may end with the count */
    int before = atomic_fetch_add_explicit(&p->done, n_run, memory_order_acq_rel);
    if (before + n_run != n_tasks || worker == 0) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_signal(&p->finished);
    pthread_mutex_unlock(&p->mutex);
}

/** Waits for a task; false when the pool stops. */
static bool wait_for_task(pool *p) {
    for (int i = 0; i < MAX_SPINS; i++) {
        if (has_task(p)) return true;
        spin_pause();
    }
    pthread_mutex_lock(&p->mutex);
    p->n_sleeping++;
    while (!has_task(p) && !p->stop) pthread_cond_wait(&p->wake, &p->mutex);
    p->n_sleeping--;
    bool goes_on = !p->stop;
    pthread_mutex_unlock(&p->mutex);
    return goes_on;
}

static void *run_worker(void *argument) {
    const pool_worker *worker = argument;
    fp_set_default();
    while (wait_for_task(worker->owner)) work(worker->owner, worker->index);
    return NULL;
}

/** Acquire: what the tasks wrote is visible to the caller of pool_run. */
static bool is_done(pool *p) {
    return atomic_load_explicit(&p->done, memory_order_acquire) == p->n_tasks;
}

static void wait_for_end(pool *p) {
    for (int i = 0; i < MAX_SPINS; i++) {
        if (is_done(p)) return;
        spin_pause();
    }
    pthread_mutex_lock(&p->mutex);
    while (!is_done(p)) pthread_cond_wait(&p->finished, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

void pool_run(pool *p, int n_tasks, pool_fn fn, void *user) {
    if (p->n_threads == 1 || n_tasks <= 1) {
        for (int task = 0; task < n_tasks; task++) fn(user, task, 0);
        return;
    }
    p->n_tasks = n_tasks;
    p->fn = fn;
    p->user = user;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    /* Announced under the mutex: a worker about to sleep has seen it or is counted asleep. */
    pthread_mutex_lock(&p->mutex);
    atomic_store_explicit(&p->remaining, n_tasks, memory_order_release);
    int n_wake = p->n_sleeping < n_tasks - 1 ? p->n_sleeping : n_tasks - 1;
    for (int i = 0; i < n_wake; i++) pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    work(p, 0);
    wait_for_end(p);
}

fm_status pool_new(int n_threads, pool **out, fm_error *err) {
    *out = NULL;
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return error_set(err, FM_ERR_ARG, "%d threads asked for: give a number from 1 to %d",
                         n_threads, MAX_THREADS);
    size_t n_workers = (size_t)n_threads - 1;
    pool *p = calloc(1, sizeof *p + n_workers * sizeof p->workers[0]);
    if (!p)
        return error_set(err, FM_ERR_MEMORY, "out of memory for a pool of %d threads", n_threads);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->n_threads = n_threads;
    for (int i = 0; i < n_threads - 1; i++) {
        pool_worker *worker = &p->workers[i];
        *worker = (pool_worker){.owner = p, .index = i + 1};
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            pool_free(p);
            return error_set(err, FM_ERR_LIMIT,
                             "the system starts no more than %d of %d threads: ask for fewer",
                             i + 1, n_threads);
        }
        p->n_started++;
    }
    *out = p;
    return FM_OK;
}

void pool_free(pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->n_started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}
