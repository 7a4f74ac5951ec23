/*
 * engine_step.c - one step: take what was submitted, end what is over, plan, compute, settle. A
 * request's tokens, counts and text change here only, and only when the whole step was computed.
 * events.c tells what was settled: at once, or where the device computes by itself while it
 * computes the next step.
 */
#include "../base/fp.h"
#include "../base/os.h"
#include "engine.h"

enum { TRIES = 2 }; /* steps in a row that may fail before the requests in them end */

/* ---- Before a step ----------------------------------------------------------------------------- */

static void take_submitted(fm_engine *e) {
    for (request *r = queue_take(&e->queue); r;) {
        request *next = r->next_submitted;
        scheduler_add(&e->scheduler, &r->q);
        r = next;
    }
}

/** Ends a request that was cancelled, is late, or has no room for a token (its prompt fills the
 * context); true when it has. */
static bool end_if_over(fm_engine *e, request *r, double now) {
    fm_finish end = FM_FINISH_NONE;
    if (request_is_cancelled(r))
        end = FM_FINISH_CANCELLED;
    else if (r->deadline > 0.0 && now >= r->deadline)
        end = FM_FINISH_DEADLINE;
    else if (request_n_generated(r) >= r->max_new)
        end = FM_FINISH_LENGTH;
    if (end == FM_FINISH_NONE) return false;
    events_add_end(&e->events, r, end, FM_OK);
    return true;
}

static void end_those_over(fm_engine *e) {
    scheduler *s = &e->scheduler;
    double now = os_seconds();
    for (int32_t i = 0; i < s->n_running;)
        if (!end_if_over(e, request_of(s->running[i]), now)) i++;
    for (sequence *q = s->first; q;) {
        sequence *next = q->next;
        end_if_over(e, request_of(q), now);
        q = next;
    }
}

/* ---- Computing --------------------------------------------------------------------------------- */

/** Writes the planned step down. A part that ends with its sequence's newest token draws the next
 * one. */
static void write_step(fm_engine *e) {
    const scheduler *s = &e->scheduler;
    step_begin(&e->s);
    draw_begin(&e->draw);
    for (int32_t i = 0; i < s->n_parts; i++) {
        request *r = request_of(s->parts[i].q);
        int32_t first = r->q.pages.n_tokens, n = s->parts[i].n_tokens;
        engine_add_part(e, &r->q.pages, r->q.ids + first, n);
        if (first + n == r->q.n_ids) draw_add(&e->draw, r, e->s.n_tokens - 1);
    }
}

/** Encodes and submits it. */
static fm_status start(fm_engine *e) {
    forward f = engine_pass(e);
    FM_TRY(engine_copy_pages(e, e->scheduler.copies, e->scheduler.n_copies));
    FM_TRY(step_upload(&e->s));
    FM_TRY(forward_layers(&f));
    return draw_start(&e->draw, &f);
}

/** Waits for it and draws. */
static fm_status finish(fm_engine *e) {
    forward f = engine_pass(e);
    return draw_finish(&e->draw, &f);
}

/** Computes the planned step, in the default floating-point environment. What the step before has
 * left to tell is told between, while the device is busy; when there was nothing to submit, all the
 * same. */
static fm_status compute(fm_engine *e, fm_error *err) {
    fenv_t caller;
    write_step(e);
    fp_begin(&caller);
    fm_status status = engine_computed(e, &caller, start(e), err);
    events_tell(&e->events, EVENTS_BESIDE_STEP);
    if (status != FM_OK) return status;
    fp_begin(&caller);
    return engine_computed(e, &caller, finish(e), err);
}

/* ---- After a step ------------------------------------------------------------------------------ */

static void count_part(fm_engine *e, const schedule_part *part, double seconds) {
    request *r = request_of(part->q);
    int32_t first = r->q.pages.n_tokens, end = first + part->n_tokens;
    e->n_tokens_run += (uint64_t)part->n_tokens;
    if (r->is_queued) { /* its first step */
        r->wait_seconds = os_seconds() - seconds - r->submitted;
        queue_start(&e->queue, r);
    }
    r->n_failed = 0;
    if (first < r->n_prompt) {
        r->n_prefilled += (end < r->n_prompt ? end : r->n_prompt) - first;
        r->prefill_seconds += seconds;
    } else {
        r->decode_seconds += seconds;
    }
}

/** Appends a drawn token. It ends the request when it is an end token, completes a stop string, or
 * is the last one. */
static void settle_token(fm_engine *e, request *r) {
    fm_finish end = FM_FINISH_NONE;
    if (request_is_end(r, r->drawn.id)) {
        events_add_end(&e->events, r, FM_FINISH_STOP, FM_OK);
        return;
    }
    r->q.ids[r->q.n_ids++] = r->drawn.id;
    if (answer_text_push(&r->text, r->drawn.id))
        end = FM_FINISH_STOP;
    else if (request_n_generated(r) >= r->max_new)
        end = FM_FINISH_LENGTH;
    events_add_token(&e->events, r, end);
}

/** What a draw means to its request. */
static void settle_draw(fm_engine *e, request *r) {
    if (request_is_cancelled(r)) /* while it was computed, or by its mask */
        events_add_end(&e->events, r, FM_FINISH_CANCELLED, FM_OK);
    else if (r->drawn.status != FM_OK)
        events_add_end(&e->events, r, FM_FINISH_ERROR, r->drawn.status);
    else
        settle_token(e, r);
}

/** The tokens of a step are in the cache, and the next ones are drawn. */
static void settle(fm_engine *e, double seconds) {
    scheduler *s = &e->scheduler;
    e->n_steps++;
    for (int32_t i = 0; i < s->n_parts; i++) count_part(e, &s->parts[i], seconds);
    scheduler_done(s);
    for (int32_t i = 0; i < e->draw.n_orders; i++) settle_draw(e, e->draw.orders[i].r);
}

/** Ends everything: the device is lost. */
static void end_all(fm_engine *e, fm_status status) {
    scheduler *s = &e->scheduler;
    while (s->n_running > 0)
        events_add_end(&e->events, request_of(s->running[0]), FM_FINISH_ERROR, status);
    while (s->first) events_add_end(&e->events, request_of(s->first), FM_FINISH_ERROR, status);
}

/** A step that could not be computed: its requests stay for another try, or end. */
static void give_up(fm_engine *e, fm_status status) {
    scheduler *s = &e->scheduler;
    scheduler_failed(s);
    if (status == FM_ERR_DEVICE) {
        end_all(e, status);
        return;
    }
    for (int32_t i = 0; i < s->n_parts; i++) {
        request *r = request_of(s->parts[i].q);
        if (++r->n_failed >= TRIES) events_add_end(&e->events, r, FM_FINISH_ERROR, status);
    }
}

static fm_status run_step(fm_engine *e, fm_error *err) {
    fm_status status = FM_OK;
    take_submitted(e);
    end_those_over(e);
    scheduler_plan(&e->scheduler);
    if (e->scheduler.n_parts > 0) {
        double began = os_seconds();
        status = compute(e, err);
        if (status == FM_OK) {
            settle(e, os_seconds() - began);
            return FM_OK;
        }
        give_up(e, status);
    }
    events_tell(&e->events, EVENTS_BETWEEN_STEPS);
    return status;
}

fm_status fm_engine_step(fm_engine *e, int32_t *active, fm_error *err) {
    *active = 0;
    FM_TRY(engine_begin(e, err));
    fm_status status = run_step(e, err);
    *active = queue_count(&e->queue); /* those that a callback has submitted, too */
    engine_end(e);
    return status;
}
