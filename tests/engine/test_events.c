/*
 * test_events.c - the states of a request that has something to tell, as the table in events.h has
 * them: which call takes it from where to where, and what its callback hears on the way. No step is
 * run: a request gets tokens and ends by hand.
 */
#include "pages.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

enum { N_PROMPT = 5, MAX_NEW = 8, SAID_SIZE = 8 };

/** The rows of the table. */
typedef enum telling { NOTHING = 1, TOKEN, END, BOTH } telling;

/** One request of an engine that tells nothing by itself. */
typedef struct fixture {
    fm_model *model;
    fm_engine *engine;
    request *r;           /* not to be looked at when it was freed */
    char said[SAID_SIZE]; /* by its events: t, or the letter of an end */
    bool goes_on;         /* what the callback returns */
} fixture;

static bool hear(void *user, const fm_event *event) {
    static const char letters[] = {
        [FM_FINISH_NONE] = 't',      [FM_FINISH_STOP] = 'S',     [FM_FINISH_LENGTH] = 'L',
        [FM_FINISH_CANCELLED] = 'C', [FM_FINISH_DEADLINE] = 'D', [FM_FINISH_ERROR] = 'E'};
    fixture *f = user;
    size_t n = strlen(f->said);
    assert_true(n + 1 < SAID_SIZE);
    f->said[n] = letters[event->finish];
    assert_int_equal(event->status != FM_OK, event->finish == FM_FINISH_ERROR);
    return f->goes_on;
}

/** A request in row 1, which waits. */
static void fixture_open(fixture *f, bool at_once) {
    static const int32_t ids[N_PROMPT] = {1, 2, 3, 4, 5};
    *f = (fixture){.goes_on = true};
    f->model = asked_open(LLAMA, &(fm_model_params){.n_threads = 1, .max_context = 64});
    f->engine = asked_engine(f->model, NULL);
    f->engine->events.at_once = at_once;
    const fm_request made = {
        .ids = ids, .n_ids = N_PROMPT, .max_new = MAX_NEW, .on_event = hear, .user = f};
    assert_int_equal(fm_engine_submit(f->engine, &made, NULL, NULL), FM_OK);
    f->r = queue_take(&f->engine->queue);
    scheduler_add(&f->engine->scheduler, &f->r->q);
}

/** All was told, and no page is held. */
static void fixture_close(fixture *f, const char *said) {
    assert_string_equal(f->said, said);
    assert_int_equal(queue_count(&f->engine->queue), 0);
    assert_null(f->engine->events.first);
    pages_expect_all_back(f->engine);
    fm_engine_free(f->engine);
    fm_model_close(f->model);
}

static void add_token(fixture *f, fm_finish end) {
    f->r->drawn = (drawn){.id = 7};
    f->r->q.ids[f->r->q.n_ids++] = 7;
    events_add_token(&f->engine->events, f->r, end);
}

static void add_end(fixture *f, fm_finish end) {
    fm_status status = end == FM_FINISH_ERROR ? FM_ERR_IO : FM_OK;
    events_add_end(&f->engine->events, f->r, end, status);
}

static void tell(fixture *f, events_when when) {
    events_tell(&f->engine->events, when);
}

/** The two fields, the list, the scheduler and what the owner knows of the answer are those of the
 * row. */
static void expect_row(const fixture *f, telling row) {
    const events *ev = &f->engine->events;
    bool has_token = row == TOKEN || row == BOTH, has_end = row == END || row == BOTH;
    assert_int_equal(f->r->has_untold_token, has_token);
    assert_int_equal(f->r->end != FM_FINISH_NONE, has_end);
    assert_int_equal(request_n_told(f->r), request_n_generated(f->r) - has_token);
    assert_ptr_equal(ev->first, row == NOTHING ? NULL : f->r);
    assert_ptr_equal(ev->last, ev->first);
    assert_int_equal(f->engine->scheduler.n_waiting, !has_end);
    assert_int_equal(queue_count(&f->engine->queue), 1);
}

/* ---- Row by row -------------------------------------------------------------------------------- */

static void events_token_then_end(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, false);
    expect_row(&f, NOTHING);
    add_token(&f, FM_FINISH_NONE);
    expect_row(&f, TOKEN);
    tell(&f, EVENTS_BETWEEN_STEPS);
    expect_row(&f, NOTHING);
    add_token(&f, FM_FINISH_NONE);
    tell(&f, EVENTS_BESIDE_STEP);
    expect_row(&f, NOTHING);
    add_end(&f, FM_FINISH_DEADLINE);
    expect_row(&f, END);
    assert_string_equal(f.said, "tt");
    tell(&f, EVENTS_BESIDE_STEP);
    fixture_close(&f, "ttD");
}

/** One that has a token to tell stays in its place of the list and tells both. */
static void events_end_behind_an_untold_token(void **state) {
    (void)state;
    for (int32_t is_last = 0; is_last < 2; is_last++) {
        fixture f;
        fixture_open(&f, false);
        add_token(&f, is_last ? FM_FINISH_LENGTH : FM_FINISH_NONE);
        if (!is_last) add_end(&f, FM_FINISH_ERROR);
        expect_row(&f, BOTH);
        tell(&f, EVENTS_BETWEEN_STEPS);
        fixture_close(&f, is_last ? "tL" : "tE");
    }
}

/** Where a step may have the request, a callback's no is only a wish. */
static void events_callback_that_says_no(void **state) {
    (void)state;
    for (int32_t beside = 0; beside < 2; beside++) {
        fixture f;
        fixture_open(&f, false);
        f.goes_on = false;
        add_token(&f, FM_FINISH_NONE);
        tell(&f, beside ? EVENTS_BESIDE_STEP : EVENTS_BETWEEN_STEPS);
        if (beside) {
            expect_row(&f, NOTHING);
            assert_true(request_is_cancelled(f.r));
            add_end(&f, FM_FINISH_CANCELLED);
            tell(&f, EVENTS_BETWEEN_STEPS);
        }
        fixture_close(&f, "tC");
    }
}

/** Whoever cancels before the last event is told that he did; an error stays one. */
static void events_cancelled_before_the_last(void **state) {
    (void)state;
    static const struct {
        fm_finish end;
        const char *said;
    } cases[] = {{FM_FINISH_STOP, "C"}, {FM_FINISH_DEADLINE, "C"}, {FM_FINISH_ERROR, "E"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        fixture_open(&f, false);
        add_end(&f, cases[i].end);
        request_cancel(f.r);
        expect_row(&f, END);
        tell(&f, EVENTS_BETWEEN_STEPS);
        fixture_close(&f, cases[i].said);
    }
}

/** Told at once, the list is empty behind each call. */
static void events_at_once(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, true);
    add_token(&f, FM_FINISH_NONE);
    expect_row(&f, NOTHING);
    assert_string_equal(f.said, "t");
    add_token(&f, FM_FINISH_STOP);
    fixture_close(&f, "ttS");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_token_then_end),
        cmocka_unit_test(events_end_behind_an_untold_token),
        cmocka_unit_test(events_callback_that_says_no),
        cmocka_unit_test(events_cancelled_before_the_last),
        cmocka_unit_test(events_at_once),
    };
    return cmocka_run_group_tests_name("test_events", tests, NULL, NULL);
}
