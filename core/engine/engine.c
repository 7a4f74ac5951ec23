/*
 * engine.c - runs requests on a model, one step at a time: a chunk of the prompt, or one new token.
 * The engine owns cache, workspace and sampler; the request's arguments are copied when it is
 * submitted.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/fp.h"
#include "../base/os.h"
#include "../data/npy.h"
#include "../model/forward.h"
#include "../model/model.h"
#include "sampler.h"

/** The request that runs. */
typedef struct running {
    bool active;
    bool cancelled; /* to be ended where no callback is under way */
    uint64_t id;
    int32_t *ids; /* [max_context]: the prompt, then what was generated */
    int32_t n_prompt;
    int32_t n_ids;    /* prompt and generated */
    int32_t n_cached; /* tokens whose keys and values are in the cache */
    int32_t max_new;  /* already cut to what the context leaves */
    fm_sampling sampling;
    int32_t *end_ids;
    size_t n_end_ids;
    fm_event_fn on_event;
    void *user;
    double prefill_seconds, decode_seconds;
} running;

struct fm_engine {
    fm_model *model;
    kv_cache cache;
    activations a;
    step s;
    sampler sampler;
    int32_t *pages; /* of the one sequence: all pages of the cache */
    float *logits;  /* [ACTIVATIONS_LOGIT_ROWS, V] */
    running r;
    uint64_t n_submitted; /* also the id of the newest request */
    bool in_callback;     /* cache and workspace belong to a call further up the stack */
};

/* ---- Making and freeing ---------------------------------------------------------------------- */

static fm_status make(fm_engine *e, fm_error *err) {
    fm_model *m = e->model;
    const config *c = &m->checkpoint->config;
    int32_t n_pages = (m->max_context + FM_CACHE_PAGE_ROWS - 1) / FM_CACHE_PAGE_ROWS;
    FM_TRY(cache_new(c, &m->weights, n_pages, m->cache_dtype, &e->cache, err));
    FM_TRY(activations_new(c, m->dev, m->max_step_tokens, &e->a, err));
    FM_TRY(step_new(m->dev, m->max_step_tokens, 1, m->max_context, &e->s, err));
    FM_TRY(sampler_new(c->vocab_size, &e->sampler, err));
    e->pages = calloc((size_t)n_pages, sizeof *e->pages);
    e->logits = calloc((size_t)ACTIVATIONS_LOGIT_ROWS * (size_t)c->vocab_size, sizeof *e->logits);
    e->r.ids = calloc((size_t)m->max_context, sizeof *e->r.ids);
    if (!e->pages || !e->logits || !e->r.ids)
        return error_set(err, FM_ERR_MEMORY, "out of memory for an engine");
    for (int32_t i = 0; i < n_pages; i++) e->pages[i] = i;
    return FM_OK;
}

fm_status fm_engine_new(fm_model *m, fm_engine **out, fm_error *err) {
    *out = NULL;
    fm_engine *e = calloc(1, sizeof *e);
    if (!e) return error_set(err, FM_ERR_MEMORY, "out of memory for an engine");
    e->model = m;
    fm_status status = make(e, err);
    if (status != FM_OK) {
        fm_engine_free(e);
        return status;
    }
    *out = e;
    return FM_OK;
}

void fm_engine_free(fm_engine *e) {
    if (!e) return;
    free(e->r.end_ids);
    free(e->r.ids);
    free(e->logits);
    free(e->pages);
    sampler_free(&e->sampler);
    step_free(&e->s);
    activations_free(&e->a);
    cache_free(&e->cache, &e->model->weights);
    free(e);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/** A failed pass in words. */
static fm_status explain(const fm_engine *e, fm_status status, fm_error *err) {
    if (status == FM_OK) return status;
    const char *fault = device_fault(e->model->dev);
    return error_set(err, status, "the model could not be run: %s%s%s", fm_status_text(status),
                     status == FM_ERR_ARG ? ": " : "", status == FM_ERR_ARG ? fault : "");
}

static forward pass_of(fm_engine *e) {
    fm_model *m = e->model;
    return (forward){&m->checkpoint->config, &m->weights, m->rope_table, &e->cache, &e->a, &e->s};
}

/** Calls that compute begin here. They are refused to a callback, whose results they would
 * overwrite, and to a second thread, as all engines of a model work on one device. The flag is only
 * tried, never waited for: a callback that waited would wait for itself. */
static fm_status begin_call(fm_engine *e, fm_error *err) {
    if (!atomic_flag_test_and_set(&e->model->busy)) return FM_OK;
    return error_set(
        err, FM_ERR_STATE,
        "called from a callback, or while another thread runs an engine of this model: "
        "let that call return first");
}

static void end_call(fm_engine *e) {
    atomic_flag_clear(&e->model->busy);
}

/** Runs `n` tokens at positions `start` … through all layers. */
static fm_status run_tokens(fm_engine *e, const int32_t *ids, int32_t n, int32_t start) {
    forward f = pass_of(e);
    step_begin(&e->s);
    step_add(&e->s, &(step_part){ids, n, start, e->pages});
    FM_TRY(step_upload(&e->s));
    return forward_layers(&f);
}

static fm_status check_ids(const fm_engine *e, const int32_t *ids, size_t n_ids, fm_error *err) {
    int32_t vocab_size = e->model->checkpoint->config.vocab_size;
    if (n_ids == 0)
        return error_set(err, FM_ERR_ARG, "the prompt is empty: give at least one token");
    if (n_ids > (size_t)e->model->max_context)
        return error_set(err, FM_ERR_LIMIT,
                         "the prompt has %zu tokens, the context %d: raise --ctx or shorten it",
                         n_ids, (int)e->model->max_context);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || ids[i] >= vocab_size)
            return error_set(err, FM_ERR_ARG, "token id %d is outside the vocabulary of %d",
                             (int)ids[i], (int)vocab_size);
    return FM_OK;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static fm_status copy_end_ids(fm_engine *e, const fm_request *request, fm_error *err) {
    const config *c = &e->model->checkpoint->config;
    const int32_t *ids = request->end_ids ? request->end_ids : c->end_ids;
    size_t n = request->end_ids ? request->n_end_ids : (size_t)c->n_end_ids;
    free(e->r.end_ids);
    e->r.end_ids = calloc(n + 1, sizeof *ids);
    if (!e->r.end_ids) return error_set(err, FM_ERR_MEMORY, "out of memory for end tokens");
    if (n > 0) memcpy(e->r.end_ids, ids, n * sizeof *ids);
    e->r.n_end_ids = n;
    return FM_OK;
}

/** What a request may be, before anything is copied. */
static fm_status check_request(const fm_engine *e, const fm_request *request, fm_error *err) {
    if (e->r.active)
        return error_set(err, FM_ERR_STATE, "a request is running: step until it has finished");
    if (!request->on_event) return error_set(err, FM_ERR_ARG, "a request needs a callback");
    if (request->max_new < 0) return error_set(err, FM_ERR_ARG, "max_new must not be negative");
    FM_TRY(sampler_check(&request->sampling, err));
    return check_ids(e, request->ids, request->n_ids, err);
}

fm_status fm_engine_submit(fm_engine *e, const fm_request *request, uint64_t *id, fm_error *err) {
    running *r = &e->r;
    if (id) *id = 0;
    FM_TRY(check_request(e, request, err));
    FM_TRY(copy_end_ids(e, request, err));
    int32_t n_prompt = (int32_t)request->n_ids, room = e->model->max_context - n_prompt;
    memcpy(r->ids, request->ids, request->n_ids * sizeof *r->ids);
    r->id = ++e->n_submitted;
    r->n_prompt = r->n_ids = n_prompt;
    r->n_cached = 0;
    r->max_new = request->max_new > 0 && request->max_new < room ? request->max_new : room;
    r->sampling = request->sampling;
    r->on_event = request->on_event;
    r->user = request->user;
    r->prefill_seconds = r->decode_seconds = 0.0;
    r->cancelled = false;
    r->active = true;
    if (id) *id = r->id;
    return FM_OK;
}

static bool deliver(fm_engine *e, const fm_event *event) {
    e->in_callback = true;
    bool go_on = e->r.on_event(e->r.user, event);
    e->in_callback = false;
    return go_on;
}

/** Ends the request. Nothing of it is read afterwards: its last event may submit the next one. */
static void finish(fm_engine *e, fm_finish reason, fm_status status) {
    running *r = &e->r;
    r->active = false;
    deliver(e, &(fm_event){
                   .request = r->id,
                   .id = -1,
                   .finish = reason,
                   .status = status,
                   .n_prompt = r->n_prompt,
                   .n_prefilled = r->n_cached < r->n_prompt ? r->n_cached : r->n_prompt,
                   .n_generated = r->n_ids - r->n_prompt,
                   .prefill_seconds = r->prefill_seconds,
                   .decode_seconds = r->decode_seconds,
               });
}

fm_status fm_engine_cancel(fm_engine *e, uint64_t id, fm_error *err) {
    if (!e->r.active || e->r.id != id)
        return error_set(err, FM_ERR_NOT_FOUND, "no request %llu is running",
                         (unsigned long long)id);
    if (e->in_callback) {
        e->r.cancelled = true;
        return FM_OK;
    }
    /* Computes nothing, so it may come from a callback of another engine, too; but what its own
     * callback may not do is the same as in any other. */
    bool was_free = !atomic_flag_test_and_set(&e->model->busy);
    finish(e, FM_FINISH_CANCELLED, FM_OK);
    if (was_free) end_call(e);
    return FM_OK;
}

static bool is_end(const running *r, int32_t id) {
    for (size_t i = 0; i < r->n_end_ids; i++)
        if (r->end_ids[i] == id) return true;
    return false;
}

/** Delivers a drawn token, and ends the request when it is an end token or the last one. */
static void accept(fm_engine *e, int32_t id) {
    running *r = &e->r;
    if (is_end(r, id)) {
        finish(e, FM_FINISH_STOP, FM_OK);
        return;
    }
    r->ids[r->n_ids++] = id;
    bool go_on = deliver(e, &(fm_event){.request = r->id, .id = id});
    if (!go_on || r->cancelled)
        finish(e, FM_FINISH_CANCELLED, FM_OK);
    else if (r->n_ids - r->n_prompt >= r->max_new)
        finish(e, FM_FINISH_LENGTH, FM_OK);
}

/** Runs the next tokens of the request; draws a new one when all of them are in the cache. */
static fm_status advance(fm_engine *e, bool *drawn, int32_t *id) {
    running *r = &e->r;
    int32_t n = r->n_ids - r->n_cached;
    if (n > e->model->max_step_tokens) n = e->model->max_step_tokens;
    FM_TRY(run_tokens(e, r->ids + r->n_cached, n, r->n_cached));
    r->n_cached += n;
    *drawn = r->n_cached == r->n_ids;
    if (!*drawn) return FM_OK;
    forward f = pass_of(e);
    int32_t last = n - 1;
    FM_TRY(forward_logits(&f, &last, 1, e->logits));
    return sampler_draw(&e->sampler, &r->sampling, e->logits, (uint64_t)(r->n_ids - r->n_prompt),
                        id);
}

/** advance in the default floating-point environment, its time added to the request's. */
static fm_status advance_timed(fm_engine *e, bool *drawn, int32_t *id, fm_error *err) {
    running *r = &e->r;
    fenv_t caller;
    fp_begin(&caller);
    double start = os_seconds();
    double *spent = r->n_cached < r->n_prompt ? &r->prefill_seconds : &r->decode_seconds;
    fm_status status = explain(e, advance(e, drawn, id), err);
    *spent += os_seconds() - start;
    fp_end(&caller);
    return status;
}

static fm_status run_step(fm_engine *e, fm_error *err) {
    const running *r = &e->r;
    fm_status status = FM_OK;
    bool drawn = false;
    int32_t id = 0;
    if (!r->active) return FM_OK;
    if (r->cancelled)
        finish(e, FM_FINISH_CANCELLED, FM_OK);
    else if (r->max_new == 0)
        finish(e, FM_FINISH_LENGTH, FM_OK);
    else if ((status = advance_timed(e, &drawn, &id, err)) != FM_OK)
        finish(e, FM_FINISH_ERROR, status);
    else if (drawn)
        accept(e, id);
    return status;
}

fm_status fm_engine_step(fm_engine *e, int32_t *active, fm_error *err) {
    *active = 0;
    FM_TRY(begin_call(e, err));
    fm_status status = run_step(e, err);
    *active = e->r.active ? 1 : 0; /* also when the last event has submitted the next request */
    end_call(e);
    return status;
}

/* ---- Logits ---------------------------------------------------------------------------------- */

/** Delivers the logits of all `n` tokens of the step that just ran. */
static fm_status deliver_logits(fm_engine *e, int32_t n, fm_logits_fn sink, void *user,
                                fm_error *err) {
    forward f = pass_of(e);
    for (int32_t first = 0; first < n; first += ACTIVATIONS_LOGIT_ROWS) {
        int32_t rows[ACTIVATIONS_LOGIT_ROWS];
        int32_t n_rows = n - first < ACTIVATIONS_LOGIT_ROWS ? n - first : ACTIVATIONS_LOGIT_ROWS;
        fenv_t caller;
        for (int32_t i = 0; i < n_rows; i++) rows[i] = first + i;
        fp_begin(&caller);
        fm_status status = forward_logits(&f, rows, n_rows, e->logits);
        fp_end(&caller);
        FM_TRY(explain(e, status, err));
        e->in_callback = true;
        status = sink(user, e->logits, n_rows);
        e->in_callback = false;
        FM_TRY(status);
    }
    return FM_OK;
}

static fm_status run_logits(fm_engine *e, const int32_t *ids, size_t n_ids, fm_logits_fn sink,
                            void *user, fm_error *err) {
    if (e->r.active)
        return error_set(err, FM_ERR_STATE, "a request is running: step until it has finished");
    FM_TRY(check_ids(e, ids, n_ids, err));
    for (int32_t start = 0; start < (int32_t)n_ids;) {
        int32_t n = (int32_t)n_ids - start;
        fenv_t caller;
        if (n > e->model->max_step_tokens) n = e->model->max_step_tokens;
        fp_begin(&caller);
        fm_status status = run_tokens(e, ids + start, n, start);
        fp_end(&caller);
        FM_TRY(explain(e, status, err));
        FM_TRY(deliver_logits(e, n, sink, user, err));
        start += n;
    }
    return FM_OK;
}

fm_status fm_engine_logits(fm_engine *e, const int32_t *ids, size_t n_ids, fm_logits_fn sink,
                           void *user, fm_error *err) {
    FM_TRY(begin_call(e, err));
    fm_status status = run_logits(e, ids, n_ids, sink, user, err);
    end_call(e);
    return status;
}

typedef struct npy_sink {
    npy *file;
    fm_go_on_fn go_on; /* NULL: always true */
    void *user;
    fm_error *err;
} npy_sink;

static fm_status write_rows(void *user, const float *logits, int32_t n_rows) {
    npy_sink *sink = user;
    if (sink->go_on && !sink->go_on(sink->user))
        return error_set(sink->err, FM_ERR_IO, "the caller stopped the writing of logits");
    return npy_write(sink->file, logits, n_rows, sink->err);
}

static fm_status write_logits(fm_engine *e, const int32_t *ids, size_t n_ids, const char *path,
                              npy_sink *sink, fm_error *err) {
    FM_TRY(check_ids(e, ids, n_ids, err));
    FM_TRY(npy_create(path, (int64_t)n_ids, fm_model_vocab_size(e->model), &sink->file, err));
    fm_status status = run_logits(e, ids, n_ids, write_rows, sink, err);
    if (status == FM_OK) return npy_close(sink->file, err);
    npy_abandon(sink->file);
    return status;
}

fm_status fm_engine_write_logits(fm_engine *e, const int32_t *ids, size_t n_ids, const char *path,
                                 fm_go_on_fn go_on, void *user, fm_error *err) {
    npy_sink sink = {NULL, go_on, user, err};
    FM_TRY(begin_call(e, err));
    fm_status status = write_logits(e, ids, n_ids, path, &sink, err);
    end_call(e);
    return status;
}
