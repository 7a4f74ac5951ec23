/*
 * test_scheduler.c - scheduler and paging without a model: who comes when, who gives way, and a
 * million random operations after each of which the rules of a step hold.
 */
#include "fleet.h"

static const paging_params shared_pages = {.n_classes = 1, .n_pages = {8}, .share = true};

/* ---- Named cases ------------------------------------------------------------------------------- */

static void scheduler_takes_newest_tokens_first_and_prompts_in_order(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 4, 10);
    ship *a = fleet_add(f, 0, 0, 0, 5, 4), *b = fleet_add(f, 0, 0, 0, 13, 4);
    fleet_plan(f);
    assert_int_equal(f->s.n_parts, 2);
    expect_part(f, 0, a, 5);
    expect_part(f, 1, b, 5);
    fleet_compute(f);
    ship *c = fleet_add(f, 0, 0, 0, 3, 4);
    fleet_plan(f);
    expect_part(f, 0, a, 1); /* on top of the ten */
    expect_part(f, 1, b, 8);
    expect_part(f, 2, c, 2);
    fleet_compute(f);
    fleet_close(f);
}

static void scheduler_ends_in_the_order_of_arrival_with_one_place(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 1, 64);
    for (int32_t i = 0; i < 6; i++) fleet_add(f, 0, 0, 0, 100 - 10 * i, 3);
    fleet_close(f);
    for (int32_t i = 0; i < 6; i++) assert_int_equal(f->order[i], i);
}

/** One tenant's queue of five does not hold up the single request of another. */
static void scheduler_admits_the_tenant_that_runs_least(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 3, 64);
    ship *mine[5];
    for (int32_t i = 0; i < 5; i++) mine[i] = fleet_add(f, 1, 0, 0, 5, 50);
    ship *other = fleet_add(f, 2, 0, 0, 5, 50);
    fleet_plan(f);
    assert_int_equal(f->s.n_running, 3);
    assert_ptr_equal(f->s.running[0], &mine[0]->q);
    assert_ptr_equal(f->s.running[1], &other->q);
    assert_ptr_equal(f->s.running[2], &mine[1]->q);
    fleet_compute(f);
    fleet_close(f);
}

/** Eight pages: three sequences grow until the one that came last has to give way. It waits in
 * front of those that never ran, even of a tenant that runs less. */
static void scheduler_stops_the_one_admitted_last_and_lets_it_in_first(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 3, 300);
    ship *v[3];
    for (int32_t i = 0; i < 3; i++) v[i] = fleet_add(f, i > 0, 0, 0, 60, i > 0 ? 200 : 180);
    while (f->s.n_preempted == 0) fleet_step(f);
    assert_true(v[0]->q.running && v[1]->q.running && v[2]->q.waiting);
    assert_int_equal(v[2]->q.n_preempted, 1);
    ship *late = fleet_add(f, 77, 0, 0, 5, 5);
    for (; v[2]->q.waiting; fleet_step(f)) assert_true(late->q.waiting);
    assert_int_equal(f->n_done, 1); /* the first has made room */
    assert_ptr_equal(f->s.running[0], &v[1]->q);
    assert_ptr_equal(f->s.running[1], &v[2]->q);
    fleet_close(f);
    assert_int_equal(f->order[0], 0);
    assert_int_equal(f->order[1], 1);
}

static void scheduler_never_stops_the_first(void **state) {
    fleet *f = *state;
    fleet_open(f, &(paging_params){.n_classes = 1, .n_pages = {5}, .share = true}, 4, 300);
    ship *first = fleet_add(f, 0, 0, 0, 10, 300);
    for (int32_t i = 0; i < 6; i++) fleet_add(f, 1, 0, 0, 10 + i, 150);
    while (f->n_done == 0) {
        fleet_step(f);
        if (f->n_done == 0) assert_int_equal(first->q.n_preempted, 0);
    }
    assert_int_equal(f->order[0], 0);
    assert_true(f->s.n_preempted > 0);
    fleet_close(f);
}

/** Two prompts that begin with the same two pages: the second follows the first, page by page. */
static void scheduler_lets_an_equal_prompt_wait_and_share(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 4, 80);
    ship *a = fleet_add(f, 0, 5, 130, 140, 20), *b = fleet_add(f, 0, 5, 130, 150, 20);
    fleet_plan(f);
    expect_part(f, 0, a, 80);
    fleet_compute(f);
    fleet_plan(f);
    assert_int_equal(f->s.n_parts, 1);
    expect_part(f, 0, a, 60);
    assert_true(b->q.running);
    assert_int_equal(b->q.n_shared, 64);
    fleet_compute(f);
    fleet_plan(f);
    expect_part(f, 0, a, 1);
    expect_part(f, 1, b, 22);
    assert_int_equal(b->q.n_shared, 128);
    fleet_compute(f);
    fleet_close(f);
}

/** Equal prompts of two tenants, and others that differ in a token, do not wait for each other. */
static void scheduler_computes_prompts_that_may_not_share(void **state) {
    fleet *f = *state;
    fleet_open(f, &(paging_params){.n_classes = 1, .n_pages = {32}, .share = true}, 4, 600);
    ship *a = fleet_add(f, 0, 5, 130, 140, 20), *b = fleet_add(f, 3, 5, 130, 140, 20);
    ship *c = fleet_add(f, 0, 5, 63, 140, 20);
    fleet_plan(f);
    expect_part(f, 0, a, 140);
    expect_part(f, 1, b, 140);
    expect_part(f, 2, c, 140);
    fleet_compute(f);
    assert_int_equal(a->q.n_shared + b->q.n_shared + c->q.n_shared, 0);
    fleet_close(f);
}

/** A prompt is not let in where it would leave no page for one that runs. */
static void scheduler_leaves_a_page_for_each_that_runs(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 8, 300);
    fleet_add(f, 0, 0, 0, 190, 5);           /* three pages */
    fleet_add(f, 0, 0, 0, 190, 5);           /* three: two and a spare are left */
    ship *c = fleet_add(f, 0, 0, 0, 100, 5); /* two, with two that run: four */
    fleet_step(f);
    fleet_step(f);
    assert_int_equal(f->s.n_running, 2);
    assert_true(c->q.waiting);
    assert_int_equal(c->q.pages.n_pages, 0);
    fleet_close(f);
}

static void scheduler_failed_steps_are_planned_again(void **state) {
    fleet *f = *state;
    fleet_open(f, &shared_pages, 4, 70);
    ship *a = fleet_add(f, 0, 0, 0, 100, 5);
    fleet_plan(f);
    fleet_fail(f);
    assert_true(a->q.running);
    assert_int_equal(a->q.pages.n_tokens + a->q.pages.n_pages + a->q.pages.n_reserved, 0);
    fleet_plan(f);
    expect_part(f, 0, a, 70);
    fleet_compute(f);
    fleet_plan(f);
    fleet_fail(f);
    assert_int_equal(a->q.pages.n_tokens, 70);
    fleet_plan(f);
    expect_part(f, 0, a, 30);
    fleet_compute(f);
    /* A fork within a page: whoever was to have the copy begins again. */
    ship *b = fleet_fork(f, a, 0);
    fleet_plan(f);
    assert_int_equal(f->s.n_copies, 1);
    fleet_fail(f);
    assert_int_equal((a->q.pages.n_tokens == 0) + (b->q.pages.n_tokens == 0), 1);
    fleet_close(f);
}

/* ---- Random operations ------------------------------------------------------------------------- */

typedef struct odds {
    fleet *f;
    uint64_t random;
    int32_t n_pages, max_prompt;
    int64_t n_denied; /* pages refused though there were some */
} odds;

static int32_t below(odds *o, int32_t n) {
    return (int32_t)(asked_bits(o->random++) % (uint32_t)n);
}

static ship *any_live(odds *o) {
    if (o->f->n_live == 0) return NULL;
    int32_t i = below(o, FLEET_MAX);
    while (!o->f->ships[i].is_live) i = (i + 1) % FLEET_MAX;
    return &o->f->ships[i];
}

static void arrive(odds *o) {
    int32_t n_prompt = 1 + below(o, o->max_prompt), n_shared = below(o, o->max_prompt + 40);
    int32_t n_new = 1 + below(o, below(o, 4) == 0 ? 300 : 20);
    int32_t room = o->n_pages * FM_CACHE_PAGE_ROWS;
    if (room > FLEET_MAX_TOKENS) room = FLEET_MAX_TOKENS;
    if (n_new > room - n_prompt) n_new = room - n_prompt;
    if (o->f->n_live >= 40) return;
    fleet_add(o->f, (uint64_t)below(o, 3), (uint64_t)below(o, 3), n_shared, n_prompt, n_new);
}

static void fork_any(odds *o) {
    ship *v = any_live(o);
    if (!v || o->f->n_live >= 50) return;
    int32_t n_back = below(o, 3) > 0 ? 0 : below(o, v->q.n_ids);
    fleet_fork(o->f, v, n_back);
}

/** One that runs goes back, with other tokens from there on. */
static void go_back_any(odds *o) {
    ship *v = any_live(o);
    if (!v || !v->q.running || v->q.pages.n_tokens == 0) return;
    int32_t most = below(o, 2) ? 8 : FLEET_MAX_TOKENS;
    int32_t k = 1 + below(o, v->q.pages.n_tokens < most ? v->q.pages.n_tokens : most);
    fleet_go_back(o->f, v, k, below(o, 500));
}

/** A saved state is lost. */
static void lose_any(odds *o) {
    int32_t n = o->f->p.slots.pool.n;
    if (n > 0) paging_unsave(&o->f->p, below(o, n));
}

static void cancel_any(odds *o) {
    ship *v = any_live(o);
    if (v) fleet_remove(o->f, v);
}

/** One in sixteen is denied a page somewhere, one in sixteen fails. */
static void step_any(odds *o) {
    fleet *f = o->f;
    int32_t kind = below(o, 16);
    page_pool *pool = &f->p.classes[below(o, f->p.n_classes)].pool;
    if (kind == 0) page_pool_fail_in(pool, 1 + below(o, 4));
    fleet_plan(f);
    bool was_denied = kind == 0 && pool->fail_in == 0;
    page_pool_fail_in(pool, 0);
    o->n_denied += was_denied;
    f->n_unsaved = kind == 2;
    if (f->n_live > 0 && !was_denied) assert_true(f->s.n_parts > 0);
    if (kind == 1)
        fleet_fail(f);
    else
        fleet_compute(f);
}

static void operate(odds *o) {
    int32_t kind = below(o, 64);
    if (kind < 8)
        arrive(o);
    else if (kind < 10)
        cancel_any(o);
    else if (kind < 12)
        fork_any(o);
    else if (kind == 12 && below(o, 50) == 0)
        paging_drop_cached(&o->f->p);
    else if (kind == 13 && below(o, 2) == 0)
        go_back_any(o);
    else if (kind == 14 && below(o, 2) == 0)
        lose_any(o);
    else
        step_any(o);
}

/** No ship is at sea for longer. With forty others, each of which needs at most 250 steps when
 * nothing is in its way, this is far from what happens, and near enough to notice that one is
 * forgotten. */
enum { LONGEST = 8000 };

static void expect_none_forgotten(const fleet *f) {
    for (const ship *v = f->ships; v < f->ships + FLEET_MAX; v++)
        if (v->is_live) assert_true(f->n_steps - v->born < LONGEST);
}

/** States were saved and loaded, and sequences without one began with none. */
static void expect_states_moved(const fleet *f, bool has_slots) {
    print_message("%lld states saved, %lld loaded, %lld begun\n", (long long)f->n_saved,
                  (long long)f->n_loaded, (long long)f->n_emptied);
    assert_true(f->n_emptied > 0);
    assert_int_equal(f->s.n_copied, 0); /* what is shared ends at a border */
    assert_int_equal(f->n_saved > 0, has_slots);
    assert_int_equal(f->n_loaded > 0, has_slots);
}

static void run_random(fleet *f, const paging_params *pages, bool has_state, int32_t max_running,
                       int32_t max_chunk, int64_t n) {
    fleet_open(f, pages, max_running, max_chunk);
    if (has_state) f->s.has_state = true;
    odds o = {.f = f,
              .random = (uint64_t)max_chunk << 40,
              .n_pages = pages->n_pages[0],
              .max_prompt = pages->n_pages[0] >= 4 ? 220 : 100};
    for (int64_t i = 0; i < n; i++) {
        operate(&o);
        if (i % 1024 == 0) expect_none_forgotten(f);
    }
    print_message("%lld steps, %d ended, %llu preempted, %llu copied, %llu adopted, %lld denied, "
                  "%lld steps at most\n",
                  (long long)f->n_steps, f->n_done, (unsigned long long)f->s.n_preempted,
                  (unsigned long long)f->s.n_copied, (unsigned long long)f->p.counts.n_adopted,
                  (long long)o.n_denied, (long long)f->longest);
    assert_true(f->s.n_preempted > 0 && o.n_denied > 0);
    if (!has_state) assert_true(f->s.n_copied > 0);
    assert_true(f->longest < LONGEST);
    bool has_slots = pages->share && pages->n_snapshots > 0;
    if (pages->share && (!has_state || has_slots)) assert_true(f->p.counts.n_adopted > 0);
    if (f->s.has_state) expect_states_moved(f, has_slots);
    fleet_close(f);
}

#ifdef __SANITIZE_ADDRESS__
enum { N_OPERATIONS = 20000 };
#else
enum { N_OPERATIONS = 200000 };
#endif

typedef struct random_case {
    paging_params pages;
    int32_t max_running, max_chunk;
} random_case;

static void run_cases(fleet *f, const random_case *cases, size_t n, bool has_state) {
    for (const random_case *c = cases; c < cases + n; c++)
        run_random(f, &c->pages, has_state, c->max_running, c->max_chunk, N_OPERATIONS);
}

static void scheduler_rules_hold_after_random_operations(void **state) {
    static const random_case cases[] = {
        {{.n_classes = 1, .n_pages = {5}, .share = true}, 4, 40},
        {{.n_classes = 1, .n_pages = {24}, .share = true}, 8, 100},
        {{.n_classes = 1, .n_pages = {12}}, 8, 7},
        {{.n_classes = 2, .window = {0, 70}, .n_pages = {16, 12}, .share = true}, 6, 60},
        {{.n_classes = 2, .window = {30, 0}, .n_pages = {24, 10}, .n_rollback = 3}, 6, 200},
    };
    run_cases(*state, cases, sizeof cases / sizeof *cases, false);
}

/** Many slots, few, one; none, with pages that are shared or not; windows that going back is
 * bounded by. */
static void scheduler_states_are_those_of_the_tokens_after_random_operations(void **state) {
    static const random_case cases[] = {
        {{.n_classes = 1, .n_pages = {24}, .n_snapshots = 32, .share = true}, 8, 100},
        {{.n_classes = 1, .n_pages = {16}, .n_snapshots = 4, .share = true}, 6, 200},
        {{.n_classes = 1, .n_pages = {5}, .n_snapshots = 1, .share = true}, 4, 40},
        {{.n_classes = 2,
          .window = {0, 70},
          .n_pages = {16, 12},
          .n_rollback = 3,
          .n_snapshots = 8,
          .share = true},
         6,
         70},
        {{.n_classes = 1, .n_pages = {16}, .share = true}, 6, 30},
        {{.n_classes = 2, .window = {30, 0}, .n_pages = {24, 16}}, 6, 90},
    };
    run_cases(*state, cases, sizeof cases / sizeof *cases, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FLEET(scheduler_takes_newest_tokens_first_and_prompts_in_order),
        WITH_FLEET(scheduler_ends_in_the_order_of_arrival_with_one_place),
        WITH_FLEET(scheduler_admits_the_tenant_that_runs_least),
        WITH_FLEET(scheduler_stops_the_one_admitted_last_and_lets_it_in_first),
        WITH_FLEET(scheduler_never_stops_the_first),
        WITH_FLEET(scheduler_lets_an_equal_prompt_wait_and_share),
        WITH_FLEET(scheduler_computes_prompts_that_may_not_share),
        WITH_FLEET(scheduler_leaves_a_page_for_each_that_runs),
        WITH_FLEET(scheduler_failed_steps_are_planned_again),
        WITH_FLEET(scheduler_rules_hold_after_random_operations),
        WITH_FLEET(scheduler_states_are_those_of_the_tokens_after_random_operations),
    };
    return cmocka_run_group_tests_name("test_scheduler", tests, NULL, NULL);
}
