/*
 * recency.h - numbers 0 … n - 1 in the order in which they were last added, the oldest first. A
 * number is in the list or not; every function takes constant time. Nothing is allocated after
 * recency_new; one thread at a time.
 */
#ifndef FATHOM_ENGINE_RECENCY_H
#define FATHOM_ENGINE_RECENCY_H

#include <stdbool.h>

#include "../base/error.h"

typedef struct recency_link {
    int32_t older, newer; /* neighbours; link n is the head of the ring. -1: not in the list */
} recency_link;

typedef struct recency {
    int32_t n;           /* numbers that exist */
    int32_t n_listed;    /* numbers in the list */
    recency_link *links; /* [n + 1] */
} recency;

/** An empty list for n >= 0 numbers. FM_ERR_MEMORY; *out is then empty. */
fm_status recency_new(int32_t n, recency *out, fm_error *err);
void recency_free(recency *r);

bool recency_has(const recency *r, int32_t number);
/** Makes the number the newest, whether it was in the list or not. */
void recency_add(recency *r, int32_t number);
/** Does nothing when the number is not in the list. */
void recency_remove(recency *r, int32_t number);
/** The oldest number; -1 when the list is empty. */
int32_t recency_oldest(const recency *r);

#endif
