/*
 * fleet.h - sequences on a scheduler without a model. In place of keys and values a row of the
 * cache holds a hash of its token and all tokens before it, so that a step can tell whether it
 * reads what belongs to its sequence. The next token of a sequence is a function of that hash. The
 * state that cannot be cut is that hash too: it goes from token to token, through the places and
 * slots that the scheduler names and by no other way.
 */
#ifndef TESTS_ENGINE_FLEET_H
#define TESTS_ENGINE_FLEET_H

#include "asked.h"
#include "engine/scheduler.h"

enum { FLEET_MAX = 64, FLEET_MAX_TOKENS = 320, FLEET_MAX_PAGES = 64, FLEET_MAX_SLOTS = 32 };
enum { FLEET_GARBAGE = 0xeeeeeeee }; /* what is left where nothing was written */

typedef struct ship {
    sequence q;
    int32_t ids[FLEET_MAX_TOKENS];
    uint64_t hash[FLEET_MAX_TOKENS]; /* of ids[0 … i] and the tenant */
    int32_t n_last;                  /* tokens at which it ends */
    int32_t number;                  /* in the order in which they came */
    int64_t born;                    /* the step before which it came */
    int32_t n_failed;                /* steps in a row */
    bool is_live;
    bool was_running; /* before the step was planned */
} ship;

typedef struct fleet {
    paging p;
    scheduler s;
    ship ships[FLEET_MAX];
    int32_t n_live, n_born, n_done;
    int64_t n_steps, longest; /* steps from birth to end */
    uint64_t rows[PAGING_MAX_CLASSES][FLEET_MAX_PAGES][FM_CACHE_PAGE_ROWS];
    uint64_t states[FLEET_MAX]; /* of each place */
    uint64_t slots[FLEET_MAX_SLOTS];
    int32_t n_unsaved; /* of the next states to be saved, so many cannot be */
    int64_t n_loaded, n_emptied, n_saved;
    int32_t order[FLEET_MAX]; /* numbers of the first that ended, in that order */
} fleet;

static inline void fleet_open(fleet *f, const paging_params *pages, int32_t max_running,
                              int32_t max_chunk) {
    fm_error err = {0};
    memset(f, 0, sizeof *f);
    if (paging_new(pages, &f->p, &err) != FM_OK) fail_msg("%s", err.text);
    if (scheduler_new(&f->p, max_running, max_chunk, &f->s, &err) != FM_OK)
        fail_msg("%s", err.text);
}

static inline ship *ship_of(sequence *q) {
    return (ship *)(void *)q;
}

/** The hash of a ship's first n tokens, given that of the first n - 1. */
static inline uint64_t hash_next(uint64_t before, int32_t id) {
    uint64_t h = (before ^ (uint64_t)id) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 31;
}

/** The hash of a ship's first n tokens. */
static inline uint64_t hash_of(const ship *v, int32_t n) {
    return n > 0 ? v->hash[n - 1] : v->q.pages.tenant * 31 + 7;
}

static inline void ship_add(ship *v, int32_t id) {
    int32_t i = v->q.n_ids++;
    v->ids[i] = id;
    v->hash[i] = hash_next(hash_of(v, i), id);
}

/** A place for a ship, with its lists; NULL when all are at sea. */
static inline ship *ship_new(fleet *f, uint64_t tenant, int32_t n_last) {
    ship *v = f->ships;
    while (v < f->ships + FLEET_MAX && v->is_live) v++;
    if (v == f->ships + FLEET_MAX) return NULL;
    *v = (ship){.n_last = n_last, .number = f->n_born++, .born = f->n_steps, .is_live = true};
    v->q.ids = v->ids;
    assert_int_equal(paged_sequence_new(&f->p, tenant, FLEET_MAX_TOKENS, &v->q.pages, NULL), FM_OK);
    f->n_live++;
    return v;
}

/** A prompt of n_prompt tokens, the first n_shared of which are those of `text`, and as many more.
 */
static inline ship *fleet_add(fleet *f, uint64_t tenant, uint64_t text, int32_t n_shared,
                              int32_t n_prompt, int32_t n_new) {
    ship *v = ship_new(f, tenant, n_prompt + n_new);
    if (!v) return NULL;
    for (int32_t i = 0; i < n_prompt; i++) {
        uint64_t from = i < n_shared ? text : 1000 + (uint64_t)v->number;
        ship_add(v, (int32_t)(asked_bits(from * 512 + (uint64_t)i) % 500));
    }
    scheduler_add(&f->s, &v->q);
    return v;
}

/** A second ship that goes on n_back tokens before where the first one is. */
static inline ship *fleet_fork(fleet *f, ship *parent, int32_t n_back) {
    ship *v = ship_new(f, parent->q.pages.tenant, parent->n_last);
    if (!v) return NULL;
    for (int32_t i = 0; i < parent->q.n_ids - n_back; i++) ship_add(v, parent->ids[i]);
    paging_fork(&f->p, &parent->q.pages, &v->q.pages);
    int32_t n = v->q.pages.n_tokens - (v->q.n_ids - 1);
    if (n > 0 && !paging_rollback(&f->p, &v->q.pages, n)) paging_release(&f->p, &v->q.pages);
    v->q.n_shared = v->q.pages.n_tokens;
    scheduler_add(&f->s, &v->q);
    return v;
}

/** Takes a ship back by k tokens, from where it goes on with other ones; false when a window has
 * lost what that needs. */
static inline bool fleet_go_back(fleet *f, ship *v, int32_t k, int32_t id) {
    if (!paging_rollback(&f->p, &v->q.pages, k)) return false;
    v->q.n_ids = v->q.pages.n_tokens;
    ship_add(v, id);
    return true;
}

static inline void fleet_remove(fleet *f, ship *v) {
    scheduler_remove(&f->s, &v->q);
    paged_sequence_free(&v->q.pages);
    v->is_live = false;
    f->n_live--;
}

static inline void ship_end(fleet *f, ship *v) {
    if (f->n_done < FLEET_MAX) f->order[f->n_done] = v->number;
    f->n_done++;
    if (f->n_steps - v->born > f->longest) f->longest = f->n_steps - v->born;
    fleet_remove(f, v);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static inline uint64_t *row_of(fleet *f, int32_t class_index, const ship *v, int32_t token) {
    int32_t page = v->q.pages.pages[class_index][token / FM_CACHE_PAGE_ROWS];
    return &f->rows[class_index][page][token % FM_CACHE_PAGE_ROWS];
}

/** Copies pages, or where the step is to fail leaves garbage there. */
static inline void fleet_copy(fleet *f, bool fails) {
    for (int32_t i = 0; i < f->s.n_copies; i++) {
        const page_copy *copy = &f->s.copies[i];
        uint64_t *to = f->rows[copy->class_index][copy->to];
        assert_int_not_equal(copy->from, copy->to);
        memcpy(to, f->rows[copy->class_index][copy->from], sizeof f->rows[0][0]);
        if (fails) memset(to, 0xee, sizeof f->rows[0][0]);
    }
}

/** Writes a part's rows, to pages that are its own. */
static inline void fleet_write(fleet *f, const schedule_part *part, bool fails) {
    const ship *v = ship_of(part->q);
    int32_t first = v->q.pages.n_tokens;
    for (int32_t c = 0; c < f->p.n_classes; c++)
        for (int32_t i = first; i < first + part->n_tokens; i++) {
            int32_t page = v->q.pages.pages[c][i / FM_CACHE_PAGE_ROWS];
            assert_in_range(page, 0, f->p.classes[c].pool.n - 1);
            assert_int_equal(page_pool_refs(&f->p.classes[c].pool, page), 1);
            *row_of(f, c, v, i) = fails ? FLEET_GARBAGE : v->hash[i];
        }
}

/** Reads all rows that the part's queries see. */
static inline void fleet_read(fleet *f, const schedule_part *part) {
    const ship *v = ship_of(part->q);
    int32_t first = v->q.pages.n_tokens;
    for (int32_t c = 0; c < f->p.n_classes; c++) {
        int32_t window = f->p.classes[c].window;
        int32_t start = window > 0 && first - window + 1 > 0 ? first - window + 1 : 0;
        for (int32_t i = start; i < first + part->n_tokens; i++)
            if (*row_of(f, c, v, i) != v->hash[i])
                fail_msg("class %d: row %d of sequence %d is not its own", c, i, v->number);
    }
}

/* ---- States ------------------------------------------------------------------------------------ */

/** Loads what the step's parts ask for. */
static inline void fleet_load(fleet *f) {
    for (int32_t i = 0; i < f->s.n_parts; i++) {
        const ship *v = ship_of(f->s.parts[i].q);
        int32_t load = f->s.parts[i].load;
        if (load == SCHEDULE_LOAD_NONE) continue;
        if (load != SCHEDULE_LOAD_EMPTY) assert_in_range(load, 0, f->p.slots.pool.n - 1);
        f->states[v->q.place] = load >= 0 ? f->slots[load] : hash_of(v, 0);
        f->n_loaded += load >= 0;
        f->n_emptied += load < 0;
    }
}

/** Moves a part's state on by its tokens; a step that fails leaves none. */
static inline void fleet_fold(fleet *f, const schedule_part *part, bool fails) {
    const ship *v = ship_of(part->q);
    int32_t first = v->q.pages.n_tokens;
    uint64_t *at = &f->states[v->q.place];
    if (*at != hash_of(v, first))
        fail_msg("the state of sequence %d is not that of its %d tokens", v->number, first);
    for (int32_t i = 0; i < part->n_tokens; i++) *at = hash_next(*at, v->ids[first + i]);
    if (fails) *at = FLEET_GARBAGE;
}

/** Saves what the scheduler asks for, as far as it can be. */
static inline void fleet_save(fleet *f) {
    for (int32_t i = 0; i < f->s.n_saves; i++) {
        const schedule_save *save = &f->s.saves[i];
        assert_in_range(save->slot, 0, f->p.slots.pool.n - 1);
        bool fails = f->n_unsaved > 0;
        f->slots[save->slot] = fails ? FLEET_GARBAGE : f->states[save->q->place];
        if (fails) paging_unsave(&f->p, save->slot);
        f->n_unsaved -= fails;
        f->n_saved += !fails;
    }
}

/** What is saved for a node that a ship is at is the state there. */
static inline void expect_saved(const fleet *f) {
    for (const ship *v = f->ships; v < f->ships + FLEET_MAX; v++) {
        if (!v->is_live) continue;
        for (int32_t n = 1; n <= v->q.pages.n_nodes; n++) {
            int32_t slot = f->p.tree.nodes[v->q.pages.nodes[n - 1]].snapshot;
            if (slot >= 0 && f->slots[slot] != hash_of(v, n * FM_CACHE_PAGE_ROWS))
                fail_msg("slot %d has not the state of sequence %d", slot, v->number);
        }
    }
}

/** Nobody relies on places that are free, or on slots without a node. */
static inline void fleet_spoil(fleet *f) {
    for (int32_t i = f->s.n_running; i < f->s.max_running; i++)
        f->states[f->s.places[i]] = FLEET_GARBAGE;
    for (int32_t i = 0; i < f->p.slots.pool.n; i++)
        if (f->p.slots.node[i] < 0) f->slots[i] = FLEET_GARBAGE;
}

/* ---- What holds -------------------------------------------------------------------------------- */

static inline void expect_places(const fleet *f) {
    bool is_taken[FLEET_MAX] = {false};
    for (int32_t i = 0; i < f->s.n_running; i++) {
        int32_t place = f->s.running[i]->place;
        assert_in_range(place, 0, f->s.max_running - 1);
        assert_false(is_taken[place]);
        is_taken[place] = true;
    }
}

static inline void expect_lists(const fleet *f) {
    int32_t n_waiting = 0;
    for (const sequence *q = f->s.first; q; q = q->next, n_waiting++)
        assert_true(q->waiting && !q->running && q->place == -1 && q->n_state == -1);
    for (int32_t i = 0; i < f->s.n_running; i++)
        assert_true(f->s.running[i]->running && !f->s.running[i]->waiting);
    assert_int_equal(n_waiting, f->s.n_waiting);
    assert_int_equal(n_waiting + f->s.n_running, f->n_live);
    assert_in_range(f->s.n_running, 0, f->s.max_running);
}

/** A part crosses no border where a state could be saved; without states nothing is loaded. */
static inline void expect_part_cut(const fleet *f, const schedule_part *part) {
    int32_t first = part->q->pages.n_tokens, last = first + part->n_tokens - 1;
    if (f->p.slots.pool.n > 0)
        assert_int_equal(first / FM_CACHE_PAGE_ROWS, last / FM_CACHE_PAGE_ROWS);
    if (!f->s.has_state) assert_int_equal(part->load, SCHEDULE_LOAD_NONE);
}

/** What holds of every planned step. */
static inline void expect_plan(fleet *f) {
    int32_t n_prompt = 0, n_copies = 0;
    expect_lists(f);
    expect_places(f);
    assert_in_range(f->s.n_parts, 0, f->s.n_running);
    bool is_in[FLEET_MAX] = {false};
    for (int32_t i = 0; i < f->s.n_parts; i++) {
        const schedule_part *part = &f->s.parts[i];
        const ship *v = ship_of(part->q);
        int32_t pending = v->q.n_ids - v->q.pages.n_tokens;
        assert_true(v->q.running && !is_in[v - f->ships]);
        is_in[v - f->ships] = true;
        assert_in_range(part->n_tokens, 1, pending);
        assert_true(v->q.pages.n_reserved >= part->n_tokens);
        expect_part_cut(f, part);
        if (!v->was_running || pending > 1) n_prompt += part->n_tokens;
        n_copies += part->copies;
    }
    assert_true(n_prompt <= f->s.max_chunk);
    assert_true(f->s.n_copies >= n_copies && (n_copies > 0 || f->s.n_copies == 0));
    for (int32_t i = 0; i < f->s.n_running; i++) { /* whoever generates is in the step */
        const ship *v = ship_of(f->s.running[i]);
        if (v->was_running && v->q.n_ids - v->q.pages.n_tokens == 1)
            assert_true(is_in[v - f->ships]);
    }
}

/** Whoever's newest token ran gets the next one, or ends. */
static inline void fleet_draw(fleet *f, ship *v) {
    if (v->q.pages.n_tokens < v->q.n_ids) return;
    if (v->q.n_ids >= v->n_last)
        ship_end(f, v);
    else
        ship_add(v, (int32_t)(v->hash[v->q.n_ids - 1] % 499));
}

/** Plans a step; f->s.parts says what is in it. */
static inline void fleet_plan(fleet *f) {
    f->n_steps++;
    fleet_spoil(f);
    for (ship *v = f->ships; v < f->ships + FLEET_MAX; v++) v->was_running = v->q.running;
    scheduler_plan(&f->s);
    expect_plan(f);
}

/** Computes the planned step. */
static inline void fleet_compute(fleet *f) {
    int32_t n = f->s.n_parts;
    fleet_copy(f, false);
    for (int32_t i = 0; i < n; i++) fleet_write(f, &f->s.parts[i], false);
    for (int32_t i = 0; i < n; i++) fleet_read(f, &f->s.parts[i]);
    if (f->s.has_state) {
        fleet_load(f);
        for (int32_t i = 0; i < n; i++) fleet_fold(f, &f->s.parts[i], false);
    }
    scheduler_done(&f->s);
    fleet_save(f);
    expect_saved(f);
    for (int32_t i = 0; i < n; i++) {
        ship_of(f->s.parts[i].q)->n_failed = 0;
        fleet_draw(f, ship_of(f->s.parts[i].q));
    }
}

/** Lets the planned step fail; whoever was in two such steps in a row ends. */
static inline void fleet_fail(fleet *f) {
    int32_t n = f->s.n_parts;
    fleet_copy(f, true);
    for (int32_t i = 0; i < n; i++) fleet_write(f, &f->s.parts[i], true);
    if (f->s.has_state) {
        fleet_load(f);
        for (int32_t i = 0; i < n; i++) fleet_fold(f, &f->s.parts[i], true);
    }
    scheduler_failed(&f->s);
    for (int32_t i = 0; i < n; i++) {
        ship *v = ship_of(f->s.parts[i].q);
        if (++v->n_failed == 2) ship_end(f, v);
    }
}

static inline void expect_part(const fleet *f, int32_t i, const ship *v, int32_t n_tokens) {
    assert_true(i < f->s.n_parts);
    assert_ptr_equal(f->s.parts[i].q, &v->q);
    assert_int_equal(f->s.parts[i].n_tokens, n_tokens);
}

static inline void fleet_step(fleet *f) {
    fleet_plan(f);
    fleet_compute(f);
}

/** Steps all to their end; all pages have to be back then. */
static inline void fleet_close(fleet *f) {
    for (int64_t left = 100000; f->n_live > 0; left--) {
        fleet_step(f);
        assert_true(left > 0);
    }
    paging_drop_cached(&f->p);
    for (int32_t c = 0; c < f->p.n_classes; c++)
        assert_int_equal(f->p.classes[c].pool.n_free, f->p.classes[c].pool.n);
    assert_int_equal(f->p.slots.pool.n_free, f->p.slots.pool.n);
    scheduler_free(&f->s);
    paging_free(&f->p);
}

static inline int fleet_setup(void **state) {
    *state = calloc(1, sizeof(fleet));
    return *state ? 0 : -1;
}

static inline int fleet_teardown(void **state) {
    free(*state);
    return 0;
}

#define WITH_FLEET(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

#endif
