/*
 * engine_step.c - one step: take what was submitted, end what is over, plan, compute, deliver. A
 * request's tokens, counts and text change here only, and only when the whole step was computed.
 */
#include "../base/fp.h"
#include "../base/os.h"
#include "engine.h"

enum { TRIES = 2 }; /* steps in a row that may fail before the requests in them end */

/* ---- Events ------------------------------------------------------------------------------------ */

/** Ends a request. Its pages and its place go first, so that the last event may submit into them. */
static void finish(fm_engine *e, request *r, fm_finish reason, fm_status status) {
    scheduler_remove(&e->scheduler, &r->q);
    queue_end(&e->queue, r);
    answer_text_end(&r->text);
    r->on_event(r->user, &(fm_event){
                             .request = r->id,
                             .id = -1,
                             .finish = reason,
                             .text = r->text.text,
                             .text_length = r->text.length,
                             .status = status,
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

static bool is_cancelled(request *r) {
    return atomic_load_explicit(&r->cancelled, memory_order_relaxed);
}

/** Delivers a drawn token, and ends the request when it is an end token, completes a stop string, or
 * is the last one. */
static void accept(fm_engine *e, request *r, const drawn *d) {
    if (request_is_end(r, d->id)) {
        finish(e, r, FM_FINISH_STOP, FM_OK);
        return;
    }
    r->q.ids[r->q.n_ids++] = d->id;
    bool stopped = answer_text_push(&r->text, d->id);
    bool go_on = r->on_event(r->user, &(fm_event){
                                          .request = r->id,
                                          .id = d->id,
                                          .text = r->text.text,
                                          .text_length = r->text.length,
                                          .logprob = d->logprob,
                                          .top = d->top,
                                          .n_top = d->n_top,
                                      });
    if (!go_on || is_cancelled(r))
        finish(e, r, FM_FINISH_CANCELLED, FM_OK);
    else if (stopped)
        finish(e, r, FM_FINISH_STOP, FM_OK);
    else if (request_n_generated(r) >= r->max_new)
        finish(e, r, FM_FINISH_LENGTH, FM_OK);
}

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
    if (is_cancelled(r))
        finish(e, r, FM_FINISH_CANCELLED, FM_OK);
    else if (r->deadline > 0.0 && now >= r->deadline)
        finish(e, r, FM_FINISH_DEADLINE, FM_OK);
    else if (request_n_generated(r) >= r->max_new)
        finish(e, r, FM_FINISH_LENGTH, FM_OK);
    else
        return false;
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
        e->drawn[i] = (drawn){.wanted = first + n == r->q.n_ids};
        if (e->drawn[i].wanted) draw_add(&e->draw, r, e->s.n_tokens - 1, &e->drawn[i]);
    }
}

static fm_status compute(fm_engine *e) {
    forward f = engine_pass(e);
    FM_TRY(engine_copy_pages(e, e->scheduler.copies, e->scheduler.n_copies));
    FM_TRY(step_upload(&e->s));
    FM_TRY(forward_layers(&f));
    return draw_run(&e->draw, &f);
}

/** compute in the default floating-point environment; the time it took is `seconds`. */
static fm_status compute_timed(fm_engine *e, double *seconds, fm_error *err) {
    fenv_t caller;
    double start = os_seconds();
    write_step(e);
    fp_begin(&caller);
    fm_status status = engine_computed(e, &caller, compute(e), err);
    *seconds = os_seconds() - start;
    return status;
}

/* ---- After a step ------------------------------------------------------------------------------ */

static void count_part(fm_engine *e, const schedule_part *part, double seconds) {
    request *r = request_of(part->q);
    int32_t first = r->q.pages.n_tokens, end = first + part->n_tokens;
    e->n_tokens_run += (uint64_t)part->n_tokens;
    if (!r->has_run) {
        r->has_run = true;
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

/** The tokens of a step are in the cache: delivers what was drawn. */
static void deliver(fm_engine *e, double seconds) {
    scheduler *s = &e->scheduler;
    int32_t n_parts = s->n_parts;
    e->n_steps++;
    for (int32_t i = 0; i < n_parts; i++) count_part(e, &s->parts[i], seconds);
    scheduler_done(s);
    for (int32_t i = 0; i < n_parts; i++) {
        request *r = request_of(s->parts[i].q);
        if (!e->drawn[i].wanted) continue;
        if (is_cancelled(r)) /* while it was computed, or by its mask */
            finish(e, r, FM_FINISH_CANCELLED, FM_OK);
        else if (e->drawn[i].status != FM_OK)
            finish(e, r, FM_FINISH_ERROR, e->drawn[i].status);
        else
            accept(e, r, &e->drawn[i]);
    }
}

/** Ends everything: the device is lost. */
static void end_all(fm_engine *e, fm_status status) {
    scheduler *s = &e->scheduler;
    while (s->n_running > 0) finish(e, request_of(s->running[0]), FM_FINISH_ERROR, status);
    while (s->first) finish(e, request_of(s->first), FM_FINISH_ERROR, status);
}

/** A step that could not be computed: its requests stay for another try, or end. */
static void give_up(fm_engine *e, fm_status status) {
    scheduler *s = &e->scheduler;
    int32_t n_parts = s->n_parts;
    scheduler_failed(s);
    if (status == FM_ERR_DEVICE) {
        end_all(e, status);
        return;
    }
    for (int32_t i = 0; i < n_parts; i++) {
        request *r = request_of(s->parts[i].q);
        if (++r->n_failed >= TRIES) finish(e, r, FM_FINISH_ERROR, status);
    }
}

static fm_status run_step(fm_engine *e, fm_error *err) {
    double seconds = 0.0;
    take_submitted(e);
    end_those_over(e);
    scheduler_plan(&e->scheduler);
    if (e->scheduler.n_parts == 0) return FM_OK;
    fm_status status = compute_timed(e, &seconds, err);
    if (status == FM_OK)
        deliver(e, seconds);
    else
        give_up(e, status);
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
