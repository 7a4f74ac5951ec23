/*
 * queue.h - where the threads meet: requests that any thread submits and cancels, and one thread
 * steps. The queue owns every request that has not ended; only the stepping thread looks at one
 * that it has taken, or ends it. Its lock is held for a few pointers, never while anything is
 * computed or called back.
 */
#ifndef FATHOM_ENGINE_QUEUE_H
#define FATHOM_ENGINE_QUEUE_H

#include <pthread.h>

#include "request.h"

typedef struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t wake;   /* a request was submitted */
    int32_t max_queued;    /* requests that had no step yet, at most */
    int32_t n_queued;      /* this and what follows: under the mutex */
    int32_t n_live;        /* requests that have not ended */
    uint64_t n_submitted;  /* also the id of the newest request */
    request *first, *last; /* submitted and not taken */
    request **live; /* [n_live_lists] all that have not ended: lists by the low bits of the id, of
                              one each where no more are live than the queue was made for */
    uint64_t n_live_lists; /* a power of two */
    bool ready;            /* mutex and condition were made */
} queue;

fm_status queue_new(int32_t max_queued, queue *out, fm_error *err);
/** Frees all requests that have not ended; nobody waits any more. A zeroed struct is allowed. */
void queue_free(queue *q);

/** Hands a request over and gives it its id. FM_ERR_LIMIT, and the request stays the caller's, when
 * too many wait for their first step. Any thread. */
fm_status queue_submit(queue *q, request *r, uint64_t *id, fm_error *err);

/** Marks a request as cancelled; false when it has ended. Any thread. */
bool queue_cancel(queue *q, uint64_t id);

/** All requests submitted since the last call, oldest first, linked by next_submitted. Of a
 * zeroed struct none, without a lock: that of an engine whose making failed has none. */
request *queue_take(queue *q);

/** The request of that id, or NULL when it has ended. The stepping thread. */
request *queue_find(queue *q, uint64_t id);

/** A taken request has its first step: it makes room for another. */
void queue_start(queue *q, request *r);

/** A taken request has ended: it is the caller's now. */
void queue_end(queue *q, request *r);

/** Requests that have not ended. Any thread. */
int32_t queue_count(queue *q);

/** Blocks until some request has not ended, at most `seconds`; whether there is one. */
bool queue_wait(queue *q, double seconds);

#endif
