/*
 * pool.h - a fork-join thread pool. The pool owns its threads; the thread that runs a job takes
 * part in it. One job at a time: pool_run is called by one thread at a time.
 */
#ifndef FATHOM_BASE_POOL_H
#define FATHOM_BASE_POOL_H

#include "error.h"

typedef struct pool pool;

/** Runs one share of a job: `task` counts from 0 to n_tasks - 1; `worker` from 0 to n_threads - 1
 * names the thread, for scratch memory. */
typedef void (*pool_fn)(void *user, int task, int worker);

/** A pool of `n_threads` threads in all, the caller's included (1 starts none). Those it starts run
 * in the default floating-point environment; the caller's stays as it is. */
fm_status pool_new(int n_threads, pool **out, fm_error *err);
void pool_free(pool *p);

/** Runs tasks 0 … n_tasks - 1, each exactly once, on any thread, and returns when all are done.
 * Which thread runs which task is not fixed; results must not depend on it. */
void pool_run(pool *p, int n_tasks, pool_fn fn, void *user);

#endif
