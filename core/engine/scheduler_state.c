/* scheduler_state.c - goes back to states that are known, and notes which to load and to save. */
#include "scheduler_state.h"

#include <assert.h>

#include "../backend.h"

enum { STATE_UNKNOWN = -1 };

/** Whether states can be saved. Without slots a sequence that has lost its own begins again. */
static bool has_slots(const scheduler *s) {
    return s->p->slots.pool.n > 0;
}

/* ---- Before a step ----------------------------------------------------------------------------- */

void scheduler_state_forget(sequence *q) {
    q->n_state = STATE_UNKNOWN;
}

/** Returns the number of tokens given up. */
static int32_t go_back(scheduler *s, sequence *q) {
    int32_t n = q->pages.n_tokens, slot;
    if (!s->has_state || q->n_state == n) return 0;
    if (q->n_state > n) q->n_state = STATE_UNKNOWN; /* tokens that were taken back */
    int32_t to = paging_saved(s->p, &q->pages, n, &slot);
    if (to < q->n_state) to = q->n_state;
    if (!paging_rollback(s->p, &q->pages, n - to)) paging_release(s->p, &q->pages);
    return n - q->pages.n_tokens;
}

void scheduler_state_go_back(scheduler *s, sequence *q) {
    go_back(s, q);
}

void scheduler_state_go_back_waiting(scheduler *s, sequence *q) {
    int32_t n_lost = go_back(s, q);
    q->n_shared = q->n_shared > n_lost ? q->n_shared - n_lost : 0;
}

int32_t scheduler_state_load(const scheduler *s, const sequence *q) {
    int32_t n = q->pages.n_tokens, slot;
    if (!s->has_state || q->n_state == n) return SCHEDULE_LOAD_NONE;
    if (n == 0) return SCHEDULE_LOAD_EMPTY;
    int32_t n_saved = paging_saved(s->p, &q->pages, n, &slot);
    assert(n_saved == n);
    (void)n_saved;
    return slot;
}

int32_t scheduler_state_part_limit(const scheduler *s, const sequence *q) {
    if (!has_slots(s)) return INT32_MAX;
    return FM_CACHE_PAGE_ROWS - q->pages.n_tokens % FM_CACHE_PAGE_ROWS;
}

bool scheduler_state_can_adopt(const scheduler *s) {
    return s->p->share && (!s->has_state || has_slots(s));
}

/* ---- After a step ------------------------------------------------------------------------------ */

void scheduler_state_done(scheduler *s, sequence *q, int32_t slot) {
    if (slot >= 0) s->saves[s->n_saves++] = (schedule_save){q, slot};
    q->n_state = q->pages.n_tokens;
}
