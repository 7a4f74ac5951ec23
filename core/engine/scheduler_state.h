/*
 * scheduler_state.h - what the scheduler does about state that cannot be cut at any token;
 * scheduler.h says what that is. A sequence's place has the state of its first n_state tokens,
 * slots have those behind whole pages. Before a step each sequence goes back to tokens whose state
 * one of them has, a part names the slot to load, and behind the step the states at the borders of
 * pages are noted to be saved. Where there is no such state each function says at once that there
 * is nothing to do.
 *
 * For scheduler.c alone; of the scheduler it changes the list of saves, and pages through paging.h.
 */
#ifndef FATHOM_ENGINE_SCHEDULER_STATE_H
#define FATHOM_ENGINE_SCHEDULER_STATE_H

#include "scheduler.h"

/** The sequence's place has no state that anybody knows. */
void scheduler_state_forget(sequence *q);

/** Goes back to the longest prefix whose state the sequence's place has or a slot has: nowhere when
 * that is all. What a window has lost on the way cannot be gone back over; it then holds nothing.
 * No commit may come between this and the step: it could give the slot to another. */
void scheduler_state_go_back(scheduler *s, sequence *q);

/** The same for one that waits: what it gives up was found computed and is not used. */
void scheduler_state_go_back_waiting(scheduler *s, sequence *q);

/** What the place of a sequence, which went back if it had to, needs before its part runs: a slot,
 * or SCHEDULE_LOAD_… */
int32_t scheduler_state_load(const scheduler *s, const sequence *q);

/** The most tokens that a part of the sequence may have: a state is saved at each border of a page
 * that it comes to. */
int32_t scheduler_state_part_limit(const scheduler *s, const sequence *q);

/** Whether a sequence may begin with pages that another one computed: their state has to come
 * along. */
bool scheduler_state_can_adopt(const scheduler *s);

/** The sequence's part was computed and committed: its place has the state of all its tokens, which
 * is to be saved to `slot`, paging_commit's answer, where that is not -1. */
void scheduler_state_done(scheduler *s, sequence *q, int32_t slot);

#endif
