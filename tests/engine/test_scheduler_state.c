/*
 * test_scheduler_state.c - state that cannot be cut: where parts end, what is saved there, and what
 * is loaded when a sequence begins, takes over, forks, goes back, or its step fails.
 */
#include "fleet.h"

static const paging_params some_slots = {
    .n_classes = 1, .n_pages = {16}, .n_snapshots = 8, .share = true};
static const paging_params one_slot = {
    .n_classes = 1, .n_pages = {16}, .n_snapshots = 1, .share = true};

static void expect_load(const fleet *f, int32_t i, const ship *v, int32_t n_tokens, int32_t load) {
    expect_part(f, i, v, n_tokens);
    assert_int_equal(f->s.parts[i].load, load);
}

/** The slot of the state behind a ship's n-th page. */
static int32_t slot_of(const fleet *f, const ship *v, int32_t n) {
    assert_true(n <= v->q.pages.n_nodes);
    return f->p.tree.nodes[v->q.pages.nodes[n - 1]].snapshot;
}

/** A step in which v alone runs n_tokens, from the state `load` names. */
static void run_alone(fleet *f, const ship *v, int32_t n_tokens, int32_t load) {
    fleet_plan(f);
    assert_int_equal(f->s.n_parts, 1);
    expect_load(f, 0, v, n_tokens, load);
    fleet_compute(f);
}

/** A budget that is not used up to a border goes to the next prompt; a state is saved at each
 * border and nowhere else. */
static void scheduler_state_is_saved_at_each_border(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 4, 100);
    ship *a = fleet_add(f, 0, 0, 0, 150, 60), *b = fleet_add(f, 0, 0, 0, 50, 90);
    fleet_plan(f);
    assert_int_equal(f->s.n_parts, 2);
    expect_load(f, 0, a, 64, SCHEDULE_LOAD_EMPTY);
    expect_load(f, 1, b, 36, SCHEDULE_LOAD_EMPTY);
    assert_int_not_equal(a->q.place, b->q.place);
    fleet_compute(f);
    assert_int_equal(f->s.n_saves, 1);
    assert_ptr_equal(f->s.saves[0].q, &a->q);
    assert_int_equal(f->s.saves[0].slot, slot_of(f, a, 1));
    fleet_plan(f);
    expect_load(f, 0, a, 64, SCHEDULE_LOAD_NONE);
    expect_load(f, 1, b, 14, SCHEDULE_LOAD_NONE);
    fleet_compute(f);
    assert_int_equal(f->s.n_saves, 1);
    fleet_step(f);
    assert_int_equal(f->s.n_saves, 0); /* a: 150, b: 51 */
    while (b->q.pages.n_tokens < 64) fleet_step(f);
    assert_int_equal(f->s.n_saves, 1); /* a generated token reaches a border, too */
    assert_ptr_equal(f->s.saves[0].q, &b->q);
    fleet_close(f);
    assert_int_equal(f->n_loaded, 0);
}

/** A later prompt begins with the state behind what it shares; where that one is lost, behind less.
 */
static void scheduler_state_comes_with_a_shared_prefix(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 1, 100);
    ship *a = fleet_add(f, 0, 5, 130, 150, 1), *b = fleet_add(f, 0, 5, 130, 140, 1);
    ship *c = fleet_add(f, 0, 5, 130, 141, 1);
    for (int32_t i = 0; i < 3; i++) fleet_plan(f), fleet_compute(f);
    assert_int_equal(a->q.pages.n_tokens, 150);
    fleet_step(f); /* ends a */
    fleet_plan(f);
    expect_load(f, 0, b, 12, slot_of(f, b, 2));
    assert_int_equal(b->q.n_shared, 128);
    fleet_compute(f);
    paging_unsave(&f->p, slot_of(f, b, 2));
    fleet_step(f); /* ends b */
    fleet_plan(f);
    expect_load(f, 0, c, 64, slot_of(f, c, 1));
    assert_int_equal(c->q.n_shared, 64);
    fleet_compute(f);
    fleet_close(f);
}

/** A state that could not be saved is not loaded. */
static void scheduler_state_that_was_not_saved_is_not_shared(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 1, 100);
    fleet_add(f, 0, 5, 130, 100, 1);
    ship *b = fleet_add(f, 0, 5, 130, 140, 1);
    f->n_unsaved = 1;
    while (f->n_done == 0) fleet_step(f);
    assert_int_equal(f->n_unsaved, 0);
    run_alone(f, b, 64, SCHEDULE_LOAD_EMPTY);
    fleet_close(f);
}

/** A fork begins behind the last saved state of what it shares, the parent goes on. */
static void scheduler_state_of_a_fork_is_the_last_saved_one(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 2, 200);
    ship *a = fleet_add(f, 0, 0, 0, 100, 30);
    run_alone(f, a, 64, SCHEDULE_LOAD_EMPTY);
    run_alone(f, a, 36, SCHEDULE_LOAD_NONE);
    ship *b = fleet_fork(f, a, 0);
    fleet_plan(f);
    expect_load(f, 0, a, 1, SCHEDULE_LOAD_NONE);
    expect_load(f, 1, b, 37, slot_of(f, a, 1));
    assert_int_equal(b->q.n_shared, 64);
    assert_int_equal(f->s.n_copies, 0);
    fleet_compute(f);
    fleet_close(f);
}

/** The only slot was given to another: a fork begins again. */
static void scheduler_state_of_a_fork_without_a_saved_one_is_empty(void **state) {
    fleet *f = *state;
    fleet_open(f, &one_slot, 3, 200);
    ship *a = fleet_add(f, 0, 0, 0, 100, 30);
    run_alone(f, a, 64, SCHEDULE_LOAD_EMPTY);
    ship *other = fleet_add(f, 0, 0, 0, 64, 30);
    fleet_step(f); /* a: 100, other: 64 */
    assert_int_equal(slot_of(f, a, 1), -1);
    ship *b = fleet_fork(f, a, 0);
    fleet_plan(f);
    expect_load(f, 0, a, 1, SCHEDULE_LOAD_NONE);
    expect_load(f, 1, other, 1, SCHEDULE_LOAD_NONE);
    expect_load(f, 2, b, 64, SCHEDULE_LOAD_EMPTY);
    fleet_compute(f);
    fleet_close(f);
}

/** Two come to a border in one step, and there is one slot: the later one has it. */
static void scheduler_states_are_saved_in_order(void **state) {
    fleet *f = *state;
    fleet_open(f, &one_slot, 2, 200);
    ship *a = fleet_add(f, 0, 0, 0, 70, 30), *b = fleet_add(f, 0, 0, 0, 70, 30);
    fleet_step(f);
    assert_int_equal(f->s.n_saves, 2);
    assert_int_equal(slot_of(f, a, 1), -1);
    assert_int_equal(slot_of(f, b, 1), 0);
    assert_true(f->slots[0] == hash_of(b, 64));
    fleet_close(f);
}

static void scheduler_state_of_a_failed_step_is_lost(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 2, 200);
    ship *a = fleet_add(f, 0, 0, 0, 100, 60);
    run_alone(f, a, 64, SCHEDULE_LOAD_EMPTY);
    run_alone(f, a, 36, SCHEDULE_LOAD_NONE);
    run_alone(f, a, 1, SCHEDULE_LOAD_NONE);
    fleet_plan(f);
    fleet_fail(f);
    run_alone(f, a, 38, slot_of(f, a, 1));
    run_alone(f, a, 1, SCHEDULE_LOAD_NONE);
    fleet_close(f);
}

/** A sequence that lost its place begins again with what is saved of it. */
static void scheduler_state_comes_back_after_preemption(void **state) {
    fleet *f = *state;
    fleet_open(f, &(paging_params){.n_classes = 1, .n_pages = {6}, .n_snapshots = 8, .share = true},
               2, 200);
    fleet_add(f, 0, 0, 0, 100, 150);
    ship *b = fleet_add(f, 0, 0, 0, 100, 150);
    while (f->s.n_preempted == 0) fleet_step(f);
    assert_true(b->q.waiting);
    assert_int_equal(b->q.place, -1);
    while (b->q.waiting) fleet_step(f);
    assert_true(f->n_loaded + f->n_emptied == 3); /* two began, one came back */
    fleet_close(f);
}

/** A sequence takes over two pages while it has the state of one, and waits for a third. Meanwhile
 * what it would have loaded is lost: it goes on with what it has. */
static void scheduler_state_of_its_own_outlives_lost_ones(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 2, 200);
    ship *a = fleet_add(f, 0, 5, 195, 200, 9), *b = fleet_add(f, 0, 5, 195, 200, 9);
    f->n_unsaved = 1;
    run_alone(f, a, 64, SCHEDULE_LOAD_EMPTY);
    fleet_plan(f);
    expect_load(f, 0, a, 64, SCHEDULE_LOAD_NONE);
    expect_load(f, 1, b, 64, SCHEDULE_LOAD_EMPTY);
    fleet_compute(f);
    f->n_unsaved = 1;
    run_alone(f, a, 64, SCHEDULE_LOAD_NONE);
    assert_int_equal(b->q.pages.n_tokens, 128);
    for (int32_t n = 1; n <= 2; n++) paging_unsave(&f->p, slot_of(f, b, n));
    fleet_plan(f);
    expect_load(f, 0, a, 8, SCHEDULE_LOAD_NONE);
    expect_load(f, 1, b, 64, SCHEDULE_LOAD_NONE);
    assert_int_equal(b->q.pages.n_tokens, 64);
    fleet_compute(f);
    fleet_close(f);
}

/** One that goes back, even to a state that it had, runs from the last saved state before it. */
static void scheduler_state_follows_when_tokens_are_taken_back(void **state) {
    fleet *f = *state;
    fleet_open(f, &some_slots, 2, 200);
    ship *a = fleet_add(f, 0, 0, 0, 130, 60);
    run_alone(f, a, 64, SCHEDULE_LOAD_EMPTY);
    run_alone(f, a, 64, SCHEDULE_LOAD_NONE);
    run_alone(f, a, 2, SCHEDULE_LOAD_NONE);
    run_alone(f, a, 1, SCHEDULE_LOAD_NONE);
    assert_true(fleet_go_back(f, a, 1, 499));
    run_alone(f, a, 3, slot_of(f, a, 2));
    assert_true(fleet_go_back(f, a, 31, 498));
    run_alone(f, a, 37, slot_of(f, a, 1)); /* 100 of the tokens are left */
    assert_int_equal(a->q.n_shared, 0);    /* and its pages were its own all the time */
    fleet_close(f);
}

/** Where nothing is shared there are no slots: parts are not cut, and what has lost its state
 * begins again. Where pages could be shared but no state, none are. */
static void scheduler_state_without_slots_begins_again(void **state) {
    for (int32_t share = 0; share < 2; share++) {
        fleet *f = *state;
        fleet_open(f, &(paging_params){.n_classes = 1, .n_pages = {16}, .share = share != 0}, 3,
                   400);
        assert_false(f->s.has_state);
        f->s.has_state = true;
        ship *a = fleet_add(f, 0, 0, 0, 150, 60);
        run_alone(f, a, 150, SCHEDULE_LOAD_EMPTY);
        ship *b = fleet_fork(f, a, 0);
        fleet_plan(f);
        expect_load(f, 0, a, 1, SCHEDULE_LOAD_NONE);
        expect_load(f, 1, b, 151, SCHEDULE_LOAD_EMPTY);
        assert_int_equal(b->q.n_shared, 0);
        fleet_fail(f);
        fleet_plan(f);
        expect_load(f, 0, a, 151, SCHEDULE_LOAD_EMPTY);
        expect_load(f, 1, b, 151, SCHEDULE_LOAD_EMPTY);
        fleet_compute(f);
        fleet_close(f);
        assert_int_equal(f->n_saved + f->n_loaded, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FLEET(scheduler_state_is_saved_at_each_border),
        WITH_FLEET(scheduler_state_comes_with_a_shared_prefix),
        WITH_FLEET(scheduler_state_that_was_not_saved_is_not_shared),
        WITH_FLEET(scheduler_state_of_a_fork_is_the_last_saved_one),
        WITH_FLEET(scheduler_state_of_a_fork_without_a_saved_one_is_empty),
        WITH_FLEET(scheduler_states_are_saved_in_order),
        WITH_FLEET(scheduler_state_of_a_failed_step_is_lost),
        WITH_FLEET(scheduler_state_comes_back_after_preemption),
        WITH_FLEET(scheduler_state_of_its_own_outlives_lost_ones),
        WITH_FLEET(scheduler_state_follows_when_tokens_are_taken_back),
        WITH_FLEET(scheduler_state_without_slots_begins_again),
    };
    return cmocka_run_group_tests_name("test_scheduler_state", tests, NULL, NULL);
}
