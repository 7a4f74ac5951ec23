/*
 * events.h - what became of requests and was not told yet. A step is settled at once: tokens, text,
 * places and pages are then as if all had been told. The callbacks come when events_tell is called:
 * on a device that computes by itself that is while it computes the next step, so that it need not
 * wait for them. A request is in the list once, with a token, an end or both, which are told in
 * this order. The stepping thread alone uses it.
 */
#ifndef FATHOM_ENGINE_EVENTS_H
#define FATHOM_ENGINE_EVENTS_H

#include "queue.h"

typedef struct events {
    scheduler *scheduler; /* that ended requests leave */
    queue *queue;         /* that they leave with their last event */
    bool at_once;         /* nothing is gained by waiting: what is added is told by the same call */
    request *first, *last;
} events;

/** The token in r->drawn was appended. `end` is FM_FINISH_NONE, or why it was the last. When told
 * at once the request may be freed by this call. */
void events_add_token(events *ev, request *r, fm_finish end);

/** Ends a request, in whichever list of the scheduler it is. Its pages and its place go first, so
 * that the last event may submit into them. When told at once it is freed by this call. */
void events_add_end(events *ev, request *r, fm_finish end, fm_status status);

/** Calls back, in the order in which requests were added, and frees those that have ended. A
 * callback may cancel its request: `computing` says that it may be in a step under way, and then
 * it ends with that, else at once. */
void events_tell(events *ev, bool computing);

#endif
