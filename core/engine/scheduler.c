/*
 * scheduler.c - plans steps: generating sequences, then prompts, then those that wait. What a
 * model's state that cannot be cut asks of a plan is in scheduler_state.c.
 */
#include "scheduler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../backend.h"
#include "scheduler_state.h"

fm_status scheduler_new(paging *p, int32_t max_running, int32_t max_chunk, scheduler *out,
                        fm_error *err) {
    *out = (scheduler){.p = p, .max_running = max_running, .max_chunk = max_chunk};
    out->has_state = p->slots.pool.n > 0;
    size_t n = (size_t)max_running;
    out->running = calloc(n, sizeof(sequence *));
    out->parts = calloc(n, sizeof *out->parts);
    out->copies = calloc(n * PAGING_MAX_CLASSES, sizeof *out->copies);
    out->places = calloc(n, sizeof *out->places);
    out->saves = calloc(n, sizeof *out->saves);
    for (out->n_tenants = 2; out->n_tenants < 2 * n;) out->n_tenants *= 2;
    out->tenants = calloc((size_t)out->n_tenants, sizeof *out->tenants);
    if (!out->tenants || !out->running || !out->parts || !out->copies || !out->places ||
        !out->saves) {
        scheduler_free(out);
        return error_set(err, FM_ERR_MEMORY, "out of memory for a scheduler");
    }
    for (int32_t i = 0; i < max_running; i++) out->places[i] = i;
    return FM_OK;
}

void scheduler_free(scheduler *s) {
    free(s->tenants);
    free(s->saves);
    free(s->places);
    free(s->copies);
    free(s->parts);
    free(s->running);
    *s = (scheduler){0};
}

/* ---- Lists ----------------------------------------------------------------------------------- */

void scheduler_add(scheduler *s, sequence *q) {
    assert(!q->running && !q->waiting);
    q->previous = s->last;
    q->next = NULL;
    if (s->last)
        s->last->next = q;
    else
        s->first = q;
    s->last = q;
    q->waiting = true;
    q->place = -1;
    scheduler_state_forget(q);
    scheduler_state_go_back_waiting(s, q); /* at once, so that nobody copies pages for its sake */
    s->n_waiting++;
}

static void add_in_front(scheduler *s, sequence *q) {
    q->previous = NULL;
    q->next = s->first;
    if (s->first)
        s->first->previous = q;
    else
        s->last = q;
    s->first = q;
    q->waiting = true;
    s->n_waiting++;
}

static void remove_waiting(scheduler *s, sequence *q) {
    if (q->previous)
        q->previous->next = q->next;
    else
        s->first = q->next;
    if (q->next)
        q->next->previous = q->previous;
    else
        s->last = q->previous;
    q->previous = q->next = NULL;
    q->waiting = false;
    s->n_waiting--;
}

static void remove_running(scheduler *s, sequence *q) {
    int32_t i = 0;
    while (s->running[i] != q) i++;
    memmove(s->running + i, s->running + i + 1,
            (size_t)(s->n_running - i - 1) * sizeof(sequence *));
    s->places[--s->n_running] = q->place;
    q->running = false;
    q->place = -1;
    scheduler_state_forget(q);
}

void scheduler_remove(scheduler *s, sequence *q) {
    if (q->waiting) remove_waiting(s, q);
    if (q->running) remove_running(s, q);
    paging_release(s->p, &q->pages);
}

/* ---- Room ------------------------------------------------------------------------------------ */

/** Tokens of a sequence that are not in the cache. */
static int32_t pending(const sequence *q) {
    return q->n_ids - q->pages.n_tokens;
}

/** The sequence that was admitted last gives its pages back and waits in front. */
static void preempt_last(scheduler *s) {
    sequence *q = s->running[s->n_running - 1];
    remove_running(s, q);
    paging_release(s->p, &q->pages);
    add_in_front(s, q);
    q->n_preempted++;
    s->n_preempted++;
}

/** Takes the pages of the last that waits and holds some; false when none does. */
static bool strip_waiting(scheduler *s) {
    sequence *last = NULL;
    for (sequence *q = s->first; q; q = q->next)
        if (q->pages.n_pages > 0) last = q;
    if (!last) return false;
    paging_release(s->p, &last->pages);
    last->n_shared = 0;
    return true;
}

/* ---- Placing ----------------------------------------------------------------------------------- */

/** Puts n tokens of a running sequence into the step; false when there are no pages for them. */
static bool place(scheduler *s, sequence *q, int32_t n) {
    page_copies copies;
    if (!paging_reserve(s->p, &q->pages, n, &copies)) return false;
    for (int32_t i = 0; i < copies.n; i++) s->copies[s->n_copies++] = copies.items[i];
    s->parts[s->n_parts++] = (schedule_part){
        .q = q, .n_tokens = n, .load = scheduler_state_load(s, q), .copies = copies.n > 0};
    return true;
}

/* ---- Generating ------------------------------------------------------------------------------ */

/** Places the newest token of running sequence i, at whoever's cost among those admitted later.
 * They are not in the step yet, as the order is that of admission. False when it was itself
 * stopped. */
static bool place_newest(scheduler *s, int32_t i) {
    sequence *q = s->running[i];
    while (!place(s, q, 1)) {
        if (strip_waiting(s)) continue;
        preempt_last(s);
        if (!q->running) return false;
    }
    return true;
}

static void plan_newest(scheduler *s) {
    for (int32_t i = 0; i < s->n_running; i++)
        if (pending(s->running[i]) == 1 && !place_newest(s, i)) return;
}

/* ---- Prompts --------------------------------------------------------------------------------- */

/** Whether `r` is on its way through the very span that `q` needs next. */
static bool computes_span_of(const sequence *r, const sequence *q) {
    const paged_sequence *a = &r->pages, *b = &q->pages;
    int32_t start = b->n_tokens, end = start + FM_CACHE_PAGE_ROWS;
    if (a->tenant != b->tenant || a->n_tokens < start || a->n_tokens >= end || r->n_ids < end)
        return false;
    int32_t span = start / FM_CACHE_PAGE_ROWS;
    if (a->n_nodes < span || (span > 0 && a->nodes[span - 1] != b->nodes[span - 1])) return false;
    return memcmp(r->ids + start, q->ids + start, FM_CACHE_PAGE_ROWS * sizeof *q->ids) == 0;
}

/** Whether a sequence admitted earlier will have computed the next whole span of running sequence
 * i: then it waits and takes that over. */
static bool is_being_computed(const scheduler *s, int32_t i) {
    const sequence *q = s->running[i];
    int32_t start = q->pages.n_tokens;
    if (!scheduler_state_can_adopt(s) || start % FM_CACHE_PAGE_ROWS != 0) return false;
    if (q->pages.n_nodes != start / FM_CACHE_PAGE_ROWS) return false;
    if (start + FM_CACHE_PAGE_ROWS >= q->n_ids) return false;
    for (int32_t r = 0; r < i; r++)
        if (computes_span_of(s->running[r], q)) return true;
    return false;
}

static void adopt(scheduler *s, sequence *q) {
    int32_t snapshot; /* scheduler_state_load finds it again for the step that needs it */
    if (!scheduler_state_can_adopt(s)) return;
    q->n_shared += paging_adopt(s->p, &q->pages, q->ids, q->n_ids, &snapshot);
}

/** Places a chunk of running sequence i's prompt, as much of it as there is budget and pages for.
 * What those that run hold is not taken for it: where pages run out it gets a half, a quarter, and
 * so on. */
static void place_chunk(scheduler *s, int32_t i, int32_t *budget) {
    sequence *q = s->running[i];
    adopt(s, q);
    if (is_being_computed(s, i)) return;
    int32_t n = pending(q) < *budget ? pending(q) : *budget,
            limit = scheduler_state_part_limit(s, q);
    if (n > limit) n = limit;
    while (n > 0 && !place(s, q, n))
        if (!strip_waiting(s)) n /= 2;
    *budget -= n;
}

static bool is_placed(const scheduler *s, const sequence *q) {
    for (int32_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].q == q) return true;
    return false;
}

static void plan_prompts(scheduler *s, int32_t *budget) {
    for (int32_t i = 0; i < s->n_running; i++)
        if (*budget > 0 && !is_placed(s, s->running[i])) place_chunk(s, i, budget);
}

/** Nothing could be placed because prompts hold each other's pages: those admitted last give way
 * until the first one can go on. */
static void unblock(scheduler *s, int32_t *budget) {
    while (s->n_parts == 0 && s->n_running > 0) {
        if (!strip_waiting(s)) {
            if (s->n_running == 1) return;
            preempt_last(s);
        }
        place_chunk(s, 0, budget);
    }
}

/* ---- Admission ------------------------------------------------------------------------------- */

/** The entry of a tenant, or the free one that it would get. */
static schedule_tenant *find_tenant(const scheduler *s, uint64_t tenant) {
    uint64_t last = s->n_tenants - 1, i = (tenant * 0x9e3779b97f4a7c15u >> 32) & last;
    while (s->tenants[i].n > 0 && s->tenants[i].tenant != tenant) i = (i + 1) & last;
    return &s->tenants[i];
}

static void count_tenants(scheduler *s) {
    memset(s->tenants, 0, (size_t)s->n_tenants * sizeof *s->tenants);
    for (int32_t i = 0; i < s->n_running; i++) {
        schedule_tenant *t = find_tenant(s, s->running[i]->pages.tenant);
        t->tenant = s->running[i]->pages.tenant;
        t->n++;
    }
}

/** Who is next: one that was preempted; else the first of the tenant that runs least. */
static sequence *next_waiting(scheduler *s) {
    sequence *best = NULL;
    int32_t fewest = 0;
    count_tenants(s);
    for (sequence *q = s->first; q; q = q->next) {
        if (q->n_preempted > 0) return q;
        int32_t n = find_tenant(s, q->pages.tenant)->n;
        if (best && n >= fewest) continue;
        best = q;
        fewest = n;
        if (n == 0) break;
    }
    return best;
}

/** Whether the rest of the prompt finds pages, with one left over for each sequence that runs. */
static bool has_room(const scheduler *s, const sequence *q) {
    if (s->n_running == 0) return true;
    for (int32_t c = 0; c < s->p->n_classes; c++) {
        int32_t held = q->pages.n_pages - q->pages.first[c];
        int32_t need = paging_need(s->p, c, q->n_ids, s->max_chunk) - held;
        if (need + s->n_running > paging_available(s->p, c)) return false;
    }
    return true;
}

static void admit(scheduler *s, sequence *q) {
    remove_waiting(s, q);
    q->running = true;
    q->place = s->places[s->n_running];
    s->running[s->n_running++] = q;
}

/** One that finds no room keeps what it has taken over, until others need it. */
static void plan_admissions(scheduler *s, int32_t *budget) {
    while (*budget > 0 && s->n_running < s->max_running && s->first) {
        sequence *q = next_waiting(s);
        scheduler_state_go_back_waiting(s, q); /* its slot may be another's by now */
        adopt(s, q);
        if (!has_room(s, q)) return;
        admit(s, q);
        place_chunk(s, s->n_running - 1, budget);
    }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void scheduler_plan(scheduler *s) {
    int32_t budget = s->max_chunk;
    s->n_parts = s->n_copies = s->n_saves = 0;
    for (int32_t i = 0; i < s->n_running; i++) scheduler_state_go_back(s, s->running[i]);
    plan_newest(s);
    plan_prompts(s, &budget);
    plan_admissions(s, &budget);
    unblock(s, &budget);
    s->n_copied += (uint64_t)s->n_copies;
}

void scheduler_done(scheduler *s) {
    for (int32_t i = 0; i < s->n_parts; i++) {
        sequence *q = s->parts[i].q;
        int32_t slot =
            paging_commit(s->p, &q->pages, q->ids + q->pages.n_tokens, s->parts[i].n_tokens);
        scheduler_state_done(s, q, slot);
    }
}

void scheduler_failed(scheduler *s) {
    for (int32_t i = 0; i < s->n_parts; i++) {
        paged_sequence *pages = &s->parts[i].q->pages;
        scheduler_state_forget(s->parts[i].q);
        if (s->parts[i].copies)
            paging_release(s->p, pages);
        else
            paging_unreserve(s->p, pages);
    }
}
