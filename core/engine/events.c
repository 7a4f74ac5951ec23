/* events.c - the list of what is to be told, and the telling. */
#include "events.h"

#include <assert.h>

/* ---- What became of requests ------------------------------------------------------------------- */

static bool is_listed(const request *r) {
    return r->has_untold_token || r->end != FM_FINISH_NONE;
}

static void append(events *ev, request *r) {
    r->next_event = NULL;
    if (ev->last)
        ev->last->next_event = r;
    else
        ev->first = r;
    ev->last = r;
}

static request *take(events *ev) {
    request *r = ev->first;
    ev->first = r->next_event;
    if (!ev->first) ev->last = NULL;
    assert(is_listed(r));
    return r;
}

static void end_request(events *ev, request *r, fm_finish end, fm_status status) {
    assert(r->end == FM_FINISH_NONE && end != FM_FINISH_NONE);
    assert((end == FM_FINISH_ERROR) == (status != FM_OK));
    scheduler_remove(ev->scheduler, &r->q);
    r->end = end;
    r->end_status = status;
}

void events_add_token(events *ev, request *r, fm_finish end) {
    assert(!is_listed(r));
    append(ev, r);
    r->has_untold_token = true;
    if (end != FM_FINISH_NONE) end_request(ev, r, end, FM_OK);
    if (ev->at_once) events_tell(ev, EVENTS_BETWEEN_STEPS);
}

void events_add_end(events *ev, request *r, fm_finish end, fm_status status) {
    if (!is_listed(r)) append(ev, r); /* else its token is to be told first */
    end_request(ev, r, end, status);
    if (ev->at_once) events_tell(ev, EVENTS_BETWEEN_STEPS);
}

/* ---- Telling ----------------------------------------------------------------------------------- */

/** Delivers the newest token. Its callback, or whoever cancelled in the meantime, may end the
 * request. */
static void tell_token(events *ev, request *r, events_when when) {
    const drawn *d = &r->drawn;
    r->has_untold_token = false;
    bool go_on = r->on_event(r->user, &(fm_event){
                                          .request = r->id,
                                          .id = d->id,
                                          .text = r->text.text,
                                          .text_length = r->text.length,
                                          .logprob = d->logprob,
                                          .top = d->top,
                                          .n_top = d->n_top,
                                      });
    if (!go_on) request_cancel(r);
    if (request_is_cancelled(r) && r->end == FM_FINISH_NONE && when == EVENTS_BETWEEN_STEPS)
        end_request(ev, r, FM_FINISH_CANCELLED, FM_OK);
}

/** The last event. Behind queue_end nobody can cancel the request any more, so that one who could
 * is told that he did, whatever else had ended it: only an error is not covered up. */
static void tell_end(events *ev, request *r) {
    queue_end(ev->queue, r);
    if (request_is_cancelled(r) && r->end != FM_FINISH_ERROR) r->end = FM_FINISH_CANCELLED;
    answer_text_end(&r->text);
    r->on_event(r->user, &(fm_event){
                             .request = r->id,
                             .id = -1,
                             .finish = r->end,
                             .text = r->text.text,
                             .text_length = r->text.length,
                             .status = r->end_status,
                             .n_prompt = r->n_prompt,
                             .n_prefilled = r->n_prefilled,
                             .n_shared = r->q.n_shared,
                             .n_generated = request_n_generated(r),
                             .n_preempted = r->q.n_preempted,
                             .wait_seconds = r->wait_seconds,
                             .prefill_seconds = r->prefill_seconds,
                             .decode_seconds = r->decode_seconds,
                         });
    request_free(r);
}

void events_tell(events *ev, events_when when) {
    while (ev->first) {
        request *r = take(ev);
        if (r->has_untold_token) tell_token(ev, r, when);
        if (r->end != FM_FINISH_NONE) tell_end(ev, r);
    }
}
