/*
 * scheduler.h - which sequences run in the next step, and with how many tokens. Numbers only: no
 * device, no model, no request. A `sequence` is what the scheduler knows of a request: its tokens
 * and its pages; the request owns it. The scheduler owns the lists of those that wait and those
 * that run, and writes each step down as a list of parts.
 *
 * A step has the newest token of every running sequence that generates, then chunks of prompts, in
 * the order of admission. Waiting sequences are admitted while there are places and pages; the
 * tenant with the fewest running sequences comes first, so that a long queue of one does not hold
 * up the others. When a generating sequence finds no page, the one admitted last gives all of its
 * own back and waits to be computed again. The first admitted is never stopped by others, so that
 * something always goes on.
 *
 * A model may have state that cannot be cut at any token. Each running sequence then has its own,
 * in memory of the owner's that `place` names; it stands for the first n_state tokens. A part of a
 * step ends at the border of a page at the latest, and the state there is saved to a slot. A
 * sequence whose state is not that of its tokens (it was admitted, forked, went back, took over
 * pages, or its step failed) goes back to the longest prefix whose state is saved, or begins again,
 * and runs the rest once more. The scheduler says what to load and to save; the owner moves the
 * bytes.
 *
 * Whoever owns a scheduler uses it from one thread at a time. Nothing is allocated after
 * scheduler_new.
 */
#ifndef FATHOM_ENGINE_SCHEDULER_H
#define FATHOM_ENGINE_SCHEDULER_H

#include "paging.h"

typedef struct sequence {
    int32_t *ids;         /* [n_ids] prompt, then what was generated; the owner's */
    int32_t n_ids;        /* grows by one when a token was drawn */
    paged_sequence pages; /* pages.n_tokens of the ids are in the cache */

    /* the scheduler's */
    struct sequence *previous, *next; /* in the list of those that wait */
    bool running, waiting;            /* which list it is in: one of them, or neither */
    int32_t place;       /* 0 … max_running - 1 while it runs, no other's; -1 while it waits */
    int32_t n_state;     /* tokens whose state its place has; -1: unknown */
    int32_t n_shared;    /* tokens that were found computed */
    int32_t n_preempted; /* times that it lost its pages while it ran */
} sequence;

enum {
    SCHEDULE_LOAD_NONE = -1,  /* the place has the state already, or there is none */
    SCHEDULE_LOAD_EMPTY = -2, /* the state before the first token */
};

typedef struct schedule_part {
    sequence *q;
    int32_t n_tokens; /* of q->ids, from pages.n_tokens on */
    int32_t load;     /* slot to load into q->place before any part runs, or SCHEDULE_LOAD_… */
    bool copies;      /* the step copies a page for it */
} schedule_part;

/** The state in q->place is to be saved to `slot`. */
typedef struct schedule_save {
    const sequence *q;
    int32_t slot;
} schedule_save;

/** Running sequences of a tenant; n == 0: a free entry. */
typedef struct schedule_tenant {
    uint64_t tenant;
    int32_t n;
} schedule_tenant;

typedef struct scheduler {
    paging *p;
    int32_t max_running; /* sequences that hold a place */
    int32_t max_chunk;   /* prompt tokens of a step */

    /* sequences */
    sequence **running; /* [n_running] in the order of admission */
    int32_t *places;    /* [max_running] from n_running on: those that are free */
    int32_t n_running;
    sequence *first, *last; /* that wait; those that ran before stand in front */
    int32_t n_waiting;
    schedule_tenant *tenants; /* [n_tenants] of those that run, by hash: made anew for each look
                                 through those that wait */
    uint64_t n_tenants;       /* a power of two, twice max_running at least */

    /* the step, to be read until the next is planned, save for sequences that were removed */
    schedule_part *parts; /* [n_parts] */
    int32_t n_parts;
    page_copy *copies; /* [n_copies] to be made before the step's rows are written */
    int32_t n_copies;

    /* state that cannot be cut */
    bool has_state;       /* there is some: scheduler_new sets it when the paging has slots; the
                             owner does, before the first sequence, when nothing is shared */
    schedule_save *saves; /* [n_saves] to be made in this order after the step, before the next plan
                             and before a sequence is removed: one may take another's slot over */
    int32_t n_saves;

    uint64_t n_preempted, n_copied;
} scheduler;

/** For up to max_running sequences at a time, on a paging that can hold the longest one alone.
 * FM_ERR_MEMORY; *out is then empty. */
fm_status scheduler_new(paging *p, int32_t max_running, int32_t max_chunk, scheduler *out,
                        fm_error *err);
void scheduler_free(scheduler *s);

/** Takes a sequence that has tokens, and may hold pages already (a fork, a restored one), to the
 * end of the queue. Of those pages it keeps what lies before the last saved state, when there is
 * state. */
void scheduler_add(scheduler *s, sequence *q);

/** Takes a sequence out, whether it waits or runs, and releases its pages. Not between
 * scheduler_plan and what ends the step. */
void scheduler_remove(scheduler *s, sequence *q);

/** Writes the next step down in `parts` and `copies`. No parts: nothing waits or runs. A running
 * sequence may have gone back by paging_rollback since the last step, and may have other ids from
 * there on. */
void scheduler_plan(scheduler *s);

/** The step was computed: its tokens are in the cache. Writes down in `saves` which states are to
 * be saved now; one that cannot be is given up with paging_unsave. */
void scheduler_done(scheduler *s);

/** The step was not computed: its reservations are taken back, all sequences stay where they are.
 * One whose page was to be copied may not have it, and gives up what it has: it is computed again.
 * The states of its parts may have been written, and count as lost. */
void scheduler_failed(scheduler *s);

#endif
