/* queue.c - a mutex around a list of those submitted, and lists by id of all. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { LONGEST_WAIT = 86400 }; /* seconds, so that the end of a wait can be computed */

fm_status queue_new(int32_t max_queued, queue *out, fm_error *err) {
    pthread_condattr_t attributes;
    *out = (queue){.max_queued = max_queued, .n_live_lists = 1};
    while (out->n_live_lists < (uint64_t)max_queued) out->n_live_lists *= 2;
    out->live = calloc((size_t)out->n_live_lists, sizeof *out->live);
    if (!out->live) goto no_memory;
    if (pthread_mutex_init(&out->mutex, NULL) != 0) goto no_memory;
    if (pthread_condattr_init(&attributes) != 0) goto no_condition;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&out->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed) goto no_condition;
    out->ready = true;
    return FM_OK;
no_condition:
    pthread_mutex_destroy(&out->mutex);
no_memory:
    free(out->live);
    *out = (queue){0};
    return error_set(err, FM_ERR_MEMORY, "out of memory for a queue");
}

void queue_free(queue *q) {
    if (!q->ready) return;
    for (uint64_t i = 0; i < q->n_live_lists; i++)
        for (request *r = q->live[i], *next; r; r = next) {
            next = r->next_live;
            request_free(r);
        }
    free(q->live);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->mutex);
    *q = (queue){0};
}

/** What points to the request of that id, or where its list ends. Under the mutex. */
static request **find_link(const queue *q, uint64_t id) {
    request **link = &q->live[id & (q->n_live_lists - 1)];
    while (*link && (*link)->id != id) link = &(*link)->next_live;
    return link;
}

static void append(queue *q, request *r) {
    r->id = ++q->n_submitted;
    if (q->last)
        q->last->next_submitted = r;
    else
        q->first = r;
    q->last = r;
    r->next_live = NULL;
    *find_link(q, r->id) = r;
    q->n_live++;
    q->n_queued++;
    r->is_queued = true;
}

fm_status queue_submit(queue *q, request *r, uint64_t *id, fm_error *err) {
    pthread_mutex_lock(&q->mutex);
    bool full = q->n_queued >= q->max_queued;
    if (!full) {
        append(q, r);
        *id = r->id;
        pthread_cond_broadcast(&q->wake);
    }
    pthread_mutex_unlock(&q->mutex);
    if (!full) return FM_OK;
    return error_set(err, FM_ERR_LIMIT,
                     "%d requests wait for their first step, as many as this engine queues: submit "
                     "later",
                     (int)q->max_queued);
}

bool queue_cancel(queue *q, uint64_t id) {
    pthread_mutex_lock(&q->mutex);
    request *r = *find_link(q, id);
    if (r) request_cancel(r);
    pthread_mutex_unlock(&q->mutex);
    return r != NULL;
}

request *queue_take(queue *q) {
    if (!q->ready) return NULL;
    pthread_mutex_lock(&q->mutex);
    request *first = q->first;
    q->first = q->last = NULL;
    pthread_mutex_unlock(&q->mutex);
    return first;
}

request *queue_find(queue *q, uint64_t id) {
    pthread_mutex_lock(&q->mutex);
    request *r = *find_link(q, id);
    pthread_mutex_unlock(&q->mutex);
    return r;
}

/** Under the mutex. */
static void leave_queue(queue *q, request *r) {
    q->n_queued -= r->is_queued;
    r->is_queued = false;
}

void queue_start(queue *q, request *r) {
    pthread_mutex_lock(&q->mutex);
    leave_queue(q, r);
    pthread_mutex_unlock(&q->mutex);
}

void queue_end(queue *q, request *r) {
    pthread_mutex_lock(&q->mutex);
    leave_queue(q, r);
    *find_link(q, r->id) = r->next_live;
    q->n_live--;
    pthread_mutex_unlock(&q->mutex);
}

int32_t queue_count(queue *q) {
    pthread_mutex_lock(&q->mutex);
    int32_t n = q->n_live;
    pthread_mutex_unlock(&q->mutex);
    return n;
}

/** The monotonic clock's time after that many seconds. */
static struct timespec time_after(double seconds) {
    struct timespec time;
    if (!(seconds > 0.0)) seconds = 0.0;
    if (seconds > LONGEST_WAIT) seconds = LONGEST_WAIT;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)seconds;
    time.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (time.tv_nsec >= 1000000000L) {
        time.tv_nsec -= 1000000000L;
        time.tv_sec++;
    }
    return time;
}

bool queue_wait(queue *q, double seconds) {
    struct timespec end = time_after(seconds);
    int error = 0;
    pthread_mutex_lock(&q->mutex);
    while (q->n_live == 0 && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&q->wake, &q->mutex, &end);
    bool found = q->n_live > 0;
    pthread_mutex_unlock(&q->mutex);
    return found;
}
