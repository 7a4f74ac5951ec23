/*
 * events.h - what became of requests and was not told yet. A step is settled at once: tokens, text,
 * places and pages are then as if all had been told. The callbacks come when events_tell is called:
 * on a device that computes by itself that is while it computes the next step, so that it need not
 * wait for them. The stepping thread alone uses it.
 *
 * What a request has to tell are two of its fields, and each pair of them is a state:
 *
 *     has_untold_token  end   the request                          events_tell
 *  1  no                NONE  waits or runs, is not in the list    -
 *  2  yes               NONE  waits or runs, is in the list        tells the token
 *  3  no                set   left the scheduler, is in the list   tells the end, frees it
 *  4  yes               set   left the scheduler, is in the list   tells both in turn, frees it
 *
 * events_add_token takes a request from 1 to 2, or to 4 when the token is the last; events_add_end
 * from 1 to 3 and from 2 to 4. events_tell takes it from 2 to 1, or through 3 to its end when it is
 * cancelled by then and no step may have it; 3 and 4 end there. A request ends once, and has one
 * untold token at most: no step draws the next before the event of this one.
 *
 * Nothing but these functions sets the two. `cancelled` is a wish that any thread may have at any
 * time, and no state: it becomes an end before a step, after a draw, or in events_tell. The last
 * event takes it for whatever else had ended the request, unless that is an error.
 */
#ifndef FATHOM_ENGINE_EVENTS_H
#define FATHOM_ENGINE_EVENTS_H

#include "queue.h"

typedef struct events {
    scheduler *scheduler;  /* that ended requests leave */
    queue *queue;          /* that they leave with their last event */
    bool at_once;          /* nothing is gained by waiting: what is added is told by the same call,
                             and between two calls the list is empty */
    request *first, *last; /* in states 2 to 4, in the order in which they left state 1 */
} events;

/** When it is told. */
typedef enum events_when {
    EVENTS_BETWEEN_STEPS, /* no step is under way: a request that its callback cancels ends at once
                           */
    EVENTS_BESIDE_STEP, /* the device computes one, and may compute that request: it ends behind it
                         */
} events_when;

/** The token in r->drawn was appended. `end` is FM_FINISH_NONE, or why it was the last. When told
 * at once the request may be freed by this call. */
void events_add_token(events *ev, request *r, fm_finish end);

/** Ends a request, in whichever list of the scheduler it is; `status` is FM_OK unless `end` is
 * FM_FINISH_ERROR. Its pages and its place go first, so that the last event may submit into them.
 * When told at once it is freed by this call. */
void events_add_end(events *ev, request *r, fm_finish end, fm_status status);

/** Calls back, in the order in which requests were added, and frees those that have ended. */
void events_tell(events *ev, events_when when);

#endif
