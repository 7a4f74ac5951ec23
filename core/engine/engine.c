/* engine.c - makes and frees an engine, and takes requests from any thread. */
#include "engine.h"

#include <assert.h>
#include <stdlib.h>

enum {
    DEFAULT_QUEUED = 1024,
    MAX_QUEUED = 8192 /* a step looks at all: at which are over, and at whose turn it is */
};

/* ---- Making and freeing ---------------------------------------------------------------------- */

/** Defaults and ranges of what was asked for. */
static fm_status choose_params(const fm_model *m, const fm_engine_params *asked, fm_engine *e,
                               fm_error *err) {
    int64_t tokens = asked->cache_tokens;
    e->params = *asked;
    if (asked->max_queued == 0) e->params.max_queued = DEFAULT_QUEUED;
    if (e->params.max_queued < 1 || e->params.max_queued > MAX_QUEUED)
        return error_set(err, FM_ERR_ARG, "max_queued %d is out of range: 1 to %d",
                         (int)asked->max_queued, (int)MAX_QUEUED);
    if (tokens == 0) tokens = (int64_t)(m->max_sequences + 3) / 4 * m->max_context;
    if (tokens < m->max_context || tokens > INT32_MAX - FM_CACHE_PAGE_ROWS)
        return error_set(
            err, FM_ERR_ARG, "caches of %lld tokens are out of range: one context of %d to %d",
            (long long)tokens, (int)m->max_context, (int)(INT32_MAX - FM_CACHE_PAGE_ROWS));
    e->params.cache_tokens = (int32_t)tokens;
    return FM_OK;
}

/** Pages of each class. A window class needs no more than all sequences hold of it at a time. */
static paging_params choose_pages(const fm_engine *e) {
    const fm_model *m = e->model;
    cache_class classes[CACHE_MAX_CLASSES];
    paging_params out = {
        .n_classes = cache_classes(&m->checkpoint->config, m->cache_dtype, classes),
        .share = !e->params.no_prefix_sharing,
    };
    for (int32_t c = 0; c < out.n_classes; c++) {
        int32_t all = cache_page_count(e->params.cache_tokens);
        int64_t window = (int64_t)m->max_sequences *
                         (cache_page_count(classes[c].window) + cache_page_count(m->max_chunk) + 2);
        out.window[c] = classes[c].window;
        out.n_pages[c] = classes[c].window > 0 && window < all ? (int32_t)window : all;
    }
    return out;
}

static fm_status make_caches(fm_engine *e, fm_error *err) {
    const fm_model *m = e->model;
    const config *c = &m->checkpoint->config;
    paging_params pages = choose_pages(e);
    FM_TRY(paging_new(&pages, &e->paging, err));
    assert(e->paging.slots.pool.n == 0); /* no state: nobody loads or saves what a step asks for */
    FM_TRY(cache_new(c, &m->weights, pages.n_pages, m->cache_dtype, &e->cache, err));
    FM_TRY(paged_sequence_new(&e->paging, 0, m->max_context, &e->prompt, err));
    return scheduler_new(&e->paging, m->max_sequences, m->max_chunk, &e->scheduler, err);
}

static fm_status make_activations(fm_engine *e, int32_t max_tokens, fm_error *err) {
    const placement *places = &e->model->places;
    const config *c = &e->model->checkpoint->config;
    for (int32_t i = 0; i < places->n; i++)
        FM_TRY(activations_new(c, &places->runs[i], max_tokens, &e->a[i], err));
    if (places->n == 1) return FM_OK;
    e->through = calloc((size_t)max_tokens * (size_t)c->hidden_size, sizeof *e->through);
    if (e->through) return FM_OK;
    return error_set(err, FM_ERR_MEMORY, "out of memory for what goes between devices");
}

static fm_status make_workspace(fm_engine *e, fm_error *err) {
    const fm_model *m = e->model;
    const config *c = &m->checkpoint->config;
    int32_t max_tokens = model_max_step_tokens(m);
    step_params params = {.max_tokens = max_tokens,
                          .max_sequences = m->max_sequences,
                          .max_context = m->max_context,
                          .n_classes = e->cache.n_classes};
    FM_TRY(make_activations(e, max_tokens, err));
    FM_TRY(step_new(&m->places, &params, &e->s, err));
    FM_TRY(draw_new(m->dev, c->vocab_size, m->max_sequences, m->max_context, &e->draw, err));
    e->logits = calloc((size_t)ACTIVATIONS_LOGIT_ROWS * (size_t)c->vocab_size, sizeof *e->logits);
    if (e->logits) return FM_OK;
    return error_set(err, FM_ERR_MEMORY, "out of memory for an engine");
}

static fm_status make(fm_engine *e, const fm_engine_params *params, fm_error *err) {
    const config *c = &e->model->checkpoint->config;
    FM_TRY(choose_params(e->model, params, e, err));
    FM_TRY(make_caches(e, err));
    FM_TRY(make_workspace(e, err));
    fm_status status = placement_settle(&e->model->places);
    if (status != FM_OK) return error_set(err, status, "the caches could not be made ready");
    e->rules = (request_rules){.p = &e->paging,
                               .vocab_size = c->vocab_size,
                               .max_context = e->model->max_context,
                               .end_ids = c->end_ids,
                               .n_end_ids = (size_t)c->n_end_ids};
    e->events = (events){.scheduler = &e->scheduler,
                         .queue = &e->queue,
                         .at_once = !device_info(e->model->dev)->async};
    return queue_new(e->params.max_queued, &e->queue, err);
}

fm_status engine_make(fm_model *m, const fm_engine_params *params, fm_engine **out, fm_error *err) {
    static const fm_engine_params defaults = {0};
    *out = NULL;
    fm_engine *e = calloc(1, sizeof *e);
    if (!e) return error_set(err, FM_ERR_MEMORY, "out of memory for an engine");
    e->model = m;
    fm_status status = make(e, params ? params : &defaults, err);
    if (status != FM_OK) {
        fm_engine_free(e);
        return status;
    }
    *out = e;
    return FM_OK;
}

/** Takes every request's pages away, so that it can be freed. */
static void release_all(fm_engine *e) {
    scheduler *s = &e->scheduler;
    while (s->n_running > 0) scheduler_remove(s, s->running[0]);
    while (s->first) scheduler_remove(s, s->first);
    for (request *r = queue_take(&e->queue); r; r = r->next_submitted)
        paging_release(&e->paging, &r->q.pages);
}

void fm_engine_free(fm_engine *e) {
    if (!e) return;
    release_all(e);
    queue_free(&e->queue);
    free(e->logits);
    draw_free(&e->draw);
    step_free(&e->s);
    free(e->through);
    for (int32_t i = 0; i < MODEL_MAX_DEVICES; i++) activations_free(&e->a[i]);
    scheduler_free(&e->scheduler);
    paged_sequence_free(&e->prompt);
    cache_free(&e->cache);
    paging_free(&e->paging);
    free(e);
}

/* ---- What the engine's calls share ----------------------------------------------------------- */

fm_status engine_computed(fm_engine *e, const fenv_t *caller, fm_status status, fm_error *err) {
    fp_end(caller);
    if (status == FM_OK) return status;
    const char *fault = placement_fault(&e->model->places);
    placement_abandon(&e->model->places);
    return error_set(err, status, "the model could not be run: %s%s%s", fm_status_text(status),
                     status == FM_ERR_ARG ? ": " : "", status == FM_ERR_ARG ? fault : "");
}

forward engine_pass(fm_engine *e) {
    fm_model *m = e->model;
    return (forward){.c = &m->checkpoint->config,
                     .w = &m->weights,
                     .places = &m->places,
                     .rope_tables = m->rope_tables,
                     .cache = &e->cache,
                     .a = e->a,
                     .s = &e->s,
                     .through = e->through};
}

fm_status engine_begin(fm_engine *e, fm_error *err) {
    if (!atomic_flag_test_and_set(&e->model->busy)) return FM_OK;
    return error_set(
        err, FM_ERR_STATE,
        "called from a callback, or while another thread runs an engine of this model: "
        "let that call return first");
}

void engine_end(fm_engine *e) {
    atomic_flag_clear(&e->model->busy);
}

void engine_add_part(fm_engine *e, const paged_sequence *pages, const int32_t *ids, int32_t n) {
    step_part part = {.tokens = ids, .n_tokens = n, .start = pages->n_tokens};
    for (int32_t c = 0; c < e->cache.n_classes; c++) part.pages[c] = pages->pages[c];
    step_add(&e->s, &part);
}

fm_status engine_copy_pages(fm_engine *e, const page_copy *copies, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        FM_TRY(cache_copy_page(&e->cache, copies[i].class_index, copies[i].from, copies[i].to));
    return FM_OK;
}

/* ---- Submitting and cancelling ----------------------------------------------------------------- */

fm_status engine_enqueue(fm_engine *e, request *r, uint64_t *id, fm_error *err) {
    uint64_t number;
    fm_status status = queue_submit(&e->queue, r, &number, err);
    if (status == FM_OK && id) *id = number;
    if (status == FM_OK) return status;
    if (r->q.pages.n_pages > 0) paging_release(&e->paging, &r->q.pages);
    request_free(r);
    return status;
}

fm_status fm_engine_submit(fm_engine *e, const fm_request *asked, uint64_t *id, fm_error *err) {
    request *r;
    if (id) *id = 0;
    FM_TRY(request_new(&e->rules, asked, 0, &r, err));
    return engine_enqueue(e, r, id, err);
}

fm_status engine_not_found(uint64_t id, fm_error *err) {
    return error_set(err, FM_ERR_NOT_FOUND, "request %llu has ended, or never was",
                     (unsigned long long)id);
}

fm_status fm_engine_cancel(fm_engine *e, uint64_t id, fm_error *err) {
    return queue_cancel(&e->queue, id) ? FM_OK : engine_not_found(id, err);
}

bool fm_engine_wait(fm_engine *e, double seconds) {
    return queue_wait(&e->queue, seconds);
}

/** The class whose pages sequences need for all their tokens; with windows alone, any. */
static int32_t full_class(const paging *p) {
    int32_t c = 0;
    while (c < p->n_classes && p->classes[c].window > 0) c++;
    return c < p->n_classes ? c : 0;
}

void fm_engine_get_stats(const fm_engine *e, fm_engine_stats *out) {
    int32_t c = full_class(&e->paging);
    const page_pool *pool = &e->paging.classes[c].pool;
    *out = (fm_engine_stats){
        .n_steps = e->n_steps,
        .n_tokens_run = e->n_tokens_run,
        .n_tokens_shared = e->paging.counts.n_adopted,
        .n_preempted = e->scheduler.n_preempted,
        .n_pages_evicted = e->paging.counts.n_evicted_pages,
        .n_pages_copied = e->scheduler.n_copied,
        .n_running = e->scheduler.n_running,
        .n_waiting = e->scheduler.n_waiting,
        .n_pages = pool->n,
        .n_pages_free = pool->n_free,
        .n_pages_cached = paging_available(&e->paging, c) - pool->n_free,
    };
}
