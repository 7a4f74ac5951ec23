/*
 * test_paging_random.c - a million random operations on sequences of several tenants. The device is
 * simulated: a row holds the hash of the tenant and of all tokens up to its own, so that a sequence
 * that reads a row through its lists knows whose it is. After each operation everything is
 * recounted, and at the end all pages are free.
 */
#include "check.h"
#include "support/expect.h"

#include <stdlib.h>
#include <string.h>

enum {
    N_OPERATIONS = 1000000, /* of all cases */
    N_ACTORS = 10,
    N_TENANTS = 3,
    N_SCRIPTS = 3, /* texts that prompts begin with */
    MAX_TOKENS = 700,
    MAX_STEP = 150,
    MAX_PAGES = 128,
    MAX_SLOTS = 8,
    GARBAGE = 0xbad,
};

typedef struct actor {
    paged_sequence s;
    bool live;
    int32_t n;                 /* what s.n_tokens must be */
    int32_t n_prompt;          /* entries of `text` that are fixed; tokens after are drawn */
    int32_t text[MAX_TOKENS];  /* the tokens, those to come too */
    uint64_t hash[MAX_TOKENS]; /* of the tenant and the tokens up to each */
} actor;

typedef struct world {
    paging p;
    uint64_t random;
    actor actors[N_ACTORS];
    int32_t scripts[N_SCRIPTS][MAX_TOKENS];
    uint64_t rows[PAGING_MAX_CLASSES][MAX_PAGES][FM_CACHE_PAGE_ROWS];
    uint64_t states[MAX_SLOTS]; /* a saved state is the hash of the tokens before it */
    uint64_t n_refused;         /* reservations without room */
    uint64_t n_copies;
    uint64_t n_loaded; /* adopted prefixes with a saved state */
} world;

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 29) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 32;
}

static int32_t draw(world *w, int32_t n) {
    w->random += 0x9e3779b97f4a7c15u;
    return (int32_t)(mix(w->random) % (uint64_t)n);
}

/* ---- The device ------------------------------------------------------------------------------ */

/** Tokens from … to - 1 of the sequence are written, if they are to be kept: else garbage is. */
static void write_rows(world *w, const actor *a, int32_t from, int32_t to, bool keep) {
    for (int c = 0; c < w->p.n_classes; c++) {
        const page_class *class = &w->p.classes[c];
        for (int32_t t = from; t < to; t++) {
            int32_t page = a->s.pages[c][t / FM_CACHE_PAGE_ROWS];
            assert_int_equal(page_pool_refs(&class->pool, page), 1);
            assert_true(class->node[page] < 0);
            w->rows[c][page][t % FM_CACHE_PAGE_ROWS] = keep ? a->hash[t] : GARBAGE;
        }
    }
}

static void copy_pages(world *w, const page_copies *copies) {
    for (int32_t i = 0; i < copies->n; i++) {
        const page_copy *copy = &copies->items[i];
        memcpy(w->rows[copy->class_index][copy->to], w->rows[copy->class_index][copy->from],
               sizeof w->rows[0][0]);
        w->n_copies++;
    }
}

/** The sequence finds its own rows in all pages that it holds, and holds those that it needs. */
static void read_rows(const world *w, const actor *a) {
    const paged_sequence *s = &a->s;
    assert_int_equal(s->n_tokens, a->n);
    assert_memory_equal(s->ids, a->text, (size_t)a->n * sizeof *s->ids);
    for (int c = 0; c < w->p.n_classes; c++) {
        int32_t window = w->p.classes[c].window, n_wrong = 0;
        int32_t needed = window > 0 && a->n - window + 1 > 0 ? a->n - window + 1 : 0;
        int32_t held = s->first[c] * FM_CACHE_PAGE_ROWS;
        assert_true(held <= needed);
        for (int32_t t = held; t < a->n; t++) {
            int32_t page = s->pages[c][t / FM_CACHE_PAGE_ROWS];
            n_wrong += w->rows[c][page][t % FM_CACHE_PAGE_ROWS] != a->hash[t];
        }
        assert_int_equal(n_wrong, 0);
        assert_true(s->n_pages - s->first[c] <= paging_need(&w->p, c, MAX_TOKENS, MAX_STEP));
    }
}

static void check_all(const world *w) {
    const paged_sequence *live[N_ACTORS];
    int n = 0;
    for (int i = 0; i < N_ACTORS; i++)
        if (w->actors[i].live) live[n++] = &w->actors[i].s;
    const char *wrong = check_paging(&w->p, live, n);
    if (wrong) fail_msg("%s", wrong);
}

/* ---- What actors do -------------------------------------------------------------------------- */

static void hash_from(actor *a, int32_t from, int32_t to) {
    for (int32_t t = from; t < to; t++) {
        uint64_t before = t > 0 ? a->hash[t - 1] : mix(a->s.tenant + 1);
        a->hash[t] = mix(before * 31 + (uint64_t)a->text[t] + 1);
    }
}

/** The prefix that paging_adopt should find, the slow way: the deepest depth at which all pages and
 * the state are there. */
static int32_t best_prefix(const world *w, const actor *a, int32_t n_ids) {
    const paging *p = &w->p;
    int32_t best = a->n / FM_CACHE_PAGE_ROWS, parent = -1;
    int32_t n_pages[PAGING_MAX_CLASSES] = {0}; /* in a row before the depth */
    for (int32_t depth = 0; (depth + 1) * FM_CACHE_PAGE_ROWS < n_ids; depth++) {
        parent = prefix_tree_find(&p->tree, parent, a->s.tenant,
                                  a->text + (ptrdiff_t)depth * FM_CACHE_PAGE_ROWS);
        if (parent < 0) break;
        bool enough = p->slots.pool.n == 0 || p->tree.nodes[parent].snapshot >= 0;
        for (int c = 0; c < p->n_classes; c++) {
            bool own = depth < a->n / FM_CACHE_PAGE_ROWS;
            bool here = own ? depth >= a->s.first[c] : p->tree.nodes[parent].pages[c] >= 0;
            n_pages[c] = here ? n_pages[c] + 1 : 0;
            int32_t window = p->classes[c].window;
            int32_t first_key = (depth + 1) * FM_CACHE_PAGE_ROWS - window + 1;
            if (window == 0 || first_key < 0) first_key = 0;
            if (depth + 1 - n_pages[c] > first_key / FM_CACHE_PAGE_ROWS) enough = false;
        }
        if (enough && depth + 1 > best) best = depth + 1;
    }
    return best * FM_CACHE_PAGE_ROWS;
}

static void adopt(world *w, actor *a) {
    int32_t slot, expected = best_prefix(w, a, a->n_prompt);
    if (!w->p.share || a->n % FM_CACHE_PAGE_ROWS != 0 ||
        a->s.n_nodes != a->n / FM_CACHE_PAGE_ROWS || expected < a->n)
        expected = a->n;
    int32_t n_adopted = paging_adopt(&w->p, &a->s, a->text, a->n_prompt, &slot);
    a->n += n_adopted;
    assert_int_equal(a->n, expected);
    assert_int_equal(slot >= 0, n_adopted > 0 && w->p.slots.pool.n > 0);
    if (slot < 0) return;
    w->n_loaded++;
    assert_true(w->states[slot] == a->hash[a->n - 1]);
}

static void arrive(world *w, actor *a) {
    a->live = true;
    a->n = 0;
    a->s.tenant = (uint64_t)draw(w, N_TENANTS);
    a->n_prompt = 1 + draw(w, MAX_TOKENS);
    int32_t script = draw(w, N_SCRIPTS), n_same = draw(w, 2 * a->n_prompt);
    for (int32_t t = 0; t < a->n_prompt; t++)
        a->text[t] = t < n_same ? w->scripts[script][t] : draw(w, 2);
    hash_from(a, 0, a->n_prompt);
    adopt(w, a);
}

static void leave(world *w, actor *a) {
    paging_release(&w->p, &a->s);
    a->live = false;
    assert_int_equal(a->s.n_pages, 0);
}

static void check_saved(const world *w, const actor *a, int32_t n_tokens) {
    int32_t slot, n = paging_saved(&w->p, &a->s, n_tokens, &slot);
    assert_true(n <= n_tokens && n % FM_CACHE_PAGE_ROWS == 0);
    assert_int_equal(slot >= 0, n > 0);
    if (slot >= 0) assert_true(w->states[slot] == a->hash[n - 1]);
}

static void commit(world *w, actor *a, int32_t n) {
    write_rows(w, a, a->n, a->n + n, true);
    int32_t slot = paging_commit(&w->p, &a->s, a->text + a->n, n);
    a->n += n;
    if (slot < 0) return;
    assert_int_equal(a->n % FM_CACHE_PAGE_ROWS, 0);
    w->states[slot] = a->hash[a->n - 1];
}

/** Whether free and cached pages would do for n further tokens. */
static bool has_room(const world *w, const actor *a, int32_t n) {
    int32_t n_new = cache_page_count(a->n + n) - a->s.n_pages;
    if (n_new < 0) n_new = 0;
    for (int c = 0; c < w->p.n_classes; c++) {
        int32_t n_copied = 0, last = a->n / FM_CACHE_PAGE_ROWS;
        if (a->n % FM_CACHE_PAGE_ROWS != 0)
            n_copied = page_pool_refs(&w->p.classes[c].pool, a->s.pages[c][last]) > 1;
        if (n_new + n_copied > paging_available(&w->p, c)) return false;
    }
    return true;
}

/** A step of n tokens: refused without room; else it fails, keeps some tokens, or keeps all. */
static void step(world *w, actor *a, bool fault) {
    int32_t n = 1 + (draw(w, 3) > 0 ? draw(w, 3) : draw(w, MAX_STEP));
    if (n > MAX_TOKENS - a->n) n = MAX_TOKENS - a->n;
    if (n == 0) return leave(w, a);
    for (int32_t t = a->n_prompt; t < a->n + n; t++) a->text[t] = draw(w, 2);
    if (a->n + n > a->n_prompt) a->n_prompt = a->n + n;
    hash_from(a, a->n, a->n_prompt);
    page_copies copies;
    page_pool *failing = &w->p.classes[draw(w, w->p.n_classes)].pool;
    if (fault) page_pool_fail_in(failing, 1 + draw(w, 3));
    bool room = has_room(w, a, n);
    int32_t n_pages = a->s.n_pages;
    uint64_t n_evicted = w->p.counts.n_evicted_pages;
    bool reserved = paging_reserve(&w->p, &a->s, n, &copies);
    page_pool_fail_in(failing, 0);
    assert_true(fault ? room || !reserved : room == reserved);
    if (!reserved) {
        w->n_refused += !fault;
        assert_int_equal(a->s.n_pages, n_pages);
        assert_int_equal(copies.n, 0);
        if (!fault) assert_int_equal(w->p.counts.n_evicted_pages, n_evicted);
        actor *victim = &w->actors[draw(w, N_ACTORS)];
        if (!fault) leave(w, victim->live ? victim : a);
        return;
    }
    copy_pages(w, &copies);
    int32_t n_kept = draw(w, 8) > 0 ? n : draw(w, n + 1);
    write_rows(w, a, a->n, a->n + n, false);
    commit(w, a, n_kept);
    if (draw(w, 2) > 0) paging_unreserve(&w->p, &a->s);
}

static void go_back(world *w, actor *a) {
    int32_t limit = paging_rollback_limit(&w->p, &a->s);
    assert_true(limit >= 0 && limit <= a->n);
    assert_false(paging_rollback(&w->p, &a->s, limit + 1));
    assert_false(paging_rollback(&w->p, &a->s, -1));
    int32_t k = draw(w, limit + 1);
    if (draw(w, 2) > 0 && k > 3) k = 3;
    check_saved(w, a, a->n - k);
    assert_true(paging_rollback(&w->p, &a->s, k));
    a->n -= k;
    if (draw(w, 2) > 0) a->n_prompt = a->n; /* it goes on with other tokens */
}

static void fork_to(world *w, actor *a, actor *child) {
    if (child->live) return;
    paging_fork(&w->p, &a->s, &child->s);
    child->live = true;
    child->n = a->n;
    child->n_prompt = a->n_prompt;
    memcpy(child->text, a->text, sizeof a->text);
    memcpy(child->hash, a->hash, sizeof a->hash);
    if (draw(w, 2) > 0) child->n_prompt = child->n; /* it goes on with other tokens */
    read_rows(w, child);
}

static void act(world *w, actor *a) {
    int32_t what = draw(w, 100);
    if (!a->live)
        arrive(w, a);
    else if (what < 70)
        step(w, a, false);
    else if (what < 75)
        step(w, a, true);
    else if (what < 84)
        go_back(w, a);
    else if (what < 90)
        fork_to(w, a, &w->actors[draw(w, N_ACTORS)]);
    else if (what < 95)
        adopt(w, a);
    else if (what < 99 || draw(w, 20) > 0)
        leave(w, a);
    else
        paging_drop_cached(&w->p);
    if (a->live) read_rows(w, a);
}

/* ---- Worlds ---------------------------------------------------------------------------------- */

static world *world_new(const paging_params *params) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(paging_new(params, &w->p, NULL), FM_OK);
    for (int i = 0; i < N_ACTORS; i++)
        assert_int_equal(paged_sequence_new(&w->p, 0, MAX_TOKENS, &w->actors[i].s, NULL), FM_OK);
    for (int i = 0; i < N_SCRIPTS; i++)
        for (int t = 0; t < MAX_TOKENS; t++) w->scripts[i][t] = draw(w, 2);
    return w;
}

/** All sequences end, the tree is emptied, and everything is free. */
static void world_free(world *w) {
    for (int i = 0; i < N_ACTORS; i++)
        if (w->actors[i].live) leave(w, &w->actors[i]);
    check_all(w);
    for (int c = 0; c < w->p.n_classes; c++)
        assert_int_equal(paging_available(&w->p, c), w->p.classes[c].pool.n);
    paging_drop_cached(&w->p);
    check_all(w);
    for (int c = 0; c < w->p.n_classes; c++)
        assert_int_equal(w->p.classes[c].pool.n_free, w->p.classes[c].pool.n);
    assert_int_equal(w->p.tree.numbers.n_free, w->p.tree.numbers.n);
    assert_int_equal(w->p.slots.pool.n_free, w->p.slots.pool.n);
    for (int i = 0; i < N_ACTORS; i++) paged_sequence_free(&w->actors[i].s);
    paging_free(&w->p);
    free(w);
}

static world *run_world(const paging_params *params, int n_operations) {
    world *w = world_new(params);
    for (int i = 0; i < n_operations; i++) {
        act(w, &w->actors[draw(w, N_ACTORS)]);
        check_all(w);
        if (i % 64 != 0) continue;
        for (int j = 0; j < N_ACTORS; j++)
            if (w->actors[j].live) read_rows(w, &w->actors[j]);
    }
    return w;
}

static void paging_random_full_and_window_add_up(void **state) {
    (void)state;
    paging_params params = {
        .n_classes = 2, .window = {0, 128}, .n_pages = {48, 30}, .n_rollback = 8, .share = true};
    world *w = run_world(&params, N_OPERATIONS * 2 / 5);
    assert_true(w->p.counts.n_adopted > 0 && w->p.counts.n_adopted < w->p.counts.n_asked);
    assert_true(w->p.counts.n_evicted_nodes > 0 && w->n_refused > 0 && w->n_copies > 0);
    assert_true(w->p.counts.n_evicted_pages > w->p.counts.n_evicted_nodes);
    world_free(w);
}

static void paging_random_states_end_prefixes(void **state) {
    (void)state;
    paging_params params = {.n_classes = 3,
                            .window = {0, 1, 65},
                            .n_pages = {60, 25, 28},
                            .n_snapshots = MAX_SLOTS,
                            .share = true};
    world *w = run_world(&params, N_OPERATIONS / 5);
    assert_true(w->n_loaded > 0);
    world_free(w);
}

static void paging_random_windows_alone_run_out_of_nodes(void **state) {
    (void)state;
    paging_params params = {.n_classes = 4,
                            .window = {64, 100, 129, 200},
                            .n_pages = {24, 26, 31, 33},
                            .n_rollback = 70,
                            .n_snapshots = 2,
                            .share = true};
    world_free(run_world(&params, N_OPERATIONS / 5));
}

static void paging_random_with_room_for_all_refuses_nothing(void **state) {
    (void)state;
    paging_params params = {.n_classes = 1, .n_pages = {MAX_PAGES}, .share = true};
    world *w = run_world(&params, N_OPERATIONS / 10);
    assert_true(w->p.counts.n_adopted > 0);
    assert_int_equal(w->n_refused, 0);
    world_free(w);
}

static void paging_random_without_sharing_keeps_nothing(void **state) {
    (void)state;
    paging_params params = {
        .n_classes = 2, .window = {0, 64}, .n_pages = {40, 24}, .n_snapshots = 4};
    world *w = run_world(&params, N_OPERATIONS / 10);
    assert_int_equal(w->p.counts.n_adopted, 0);
    assert_int_equal(w->p.tree.numbers.n, 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paging_random_full_and_window_add_up),
        cmocka_unit_test(paging_random_states_end_prefixes),
        cmocka_unit_test(paging_random_windows_alone_run_out_of_nodes),
        cmocka_unit_test(paging_random_with_room_for_all_refuses_nothing),
        cmocka_unit_test(paging_random_without_sharing_keeps_nothing),
    };
    return cmocka_run_group_tests_name("test_paging_random", tests, NULL, NULL);
}
