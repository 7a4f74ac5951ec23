/* engine_save.c - sequences and prefixes to files and back. */
#include "saved.h"

#include <stdlib.h>
#include <string.h>

/** Rows are read by the host: what was encoded before has to be done. */
static fm_status finish_encoded(fm_engine *e, fm_error *err) {
    forward f = engine_pass(e);
    fm_status status = forward_finish(&f);
    if (status == FM_OK) return status;
    return error_set(err, status, "the device failed: %s", fm_status_text(status));
}

/** The same after rows were read into a sequence's pages. Where that fails nobody may take them
 * over: the cache forgets them, with all that nobody uses. */
static fm_status finish_rows(fm_engine *e, paged_sequence *pages, fm_error *err) {
    fm_status status = finish_encoded(e, err);
    if (status == FM_OK) return status;
    placement_abandon(&e->model->places);
    paging_release(&e->paging, pages);
    paging_drop_cached(&e->paging);
    return status;
}

/* ---- Requests ---------------------------------------------------------------------------------- */

static fm_status save_request(fm_engine *e, uint64_t id, const char *path, fm_error *err) {
    const request *r = queue_find(&e->queue, id);
    if (!r) return engine_not_found(id, err);
    int32_t n_answer = request_n_told(r); /* what is restored gives events for the tokens behind */
    if (n_answer >= r->max_new)
        return error_set(err, FM_ERR_STATE,
                         "request %llu has no token left to give: it ends with the next step",
                         (unsigned long long)id);
    FM_TRY(finish_encoded(e, err));
    return saved_write(e, path, r, &r->q.pages, r->q.ids, r->n_prompt + n_answer, err);
}

fm_status fm_engine_save(fm_engine *e, uint64_t id, const char *path, fm_error *err) {
    FM_TRY(engine_begin(e, err));
    fm_status status = save_request(e, id, path, err);
    engine_end(e);
    return status;
}

/** The request of an opened file, with the pages that its rows fill. */
static fm_status make_request(fm_engine *e, const saved *s, const fm_restore *how, arena *memory,
                              request **out, fm_error *err) {
    fm_request asked;
    FM_TRY(saved_read_request(s, memory, &asked, err));
    asked.tokenizer = how->tokenizer;
    asked.tenant = how->tenant;
    asked.deadline_seconds = how->deadline_seconds;
    asked.mask = how->mask;
    asked.mask_user = how->mask_user;
    asked.on_event = how->on_event;
    asked.user = how->user;
    FM_TRY(request_new(&e->rules, &asked, s->n_ids - s->n_prompt, out, err));
    sequence *q = &(*out)->q;
    int32_t n_rows =
        s->n_rows < q->n_ids - 1 ? s->n_rows : q->n_ids - 1; /* the last token is run */
    if (n_rows > 0 && saved_read_rows(e, s, n_rows, &q->pages, NULL) == FM_OK)
        q->n_shared = n_rows; /* else all tokens are run */
    return FM_OK;
}

static fm_status restore_request(fm_engine *e, const saved *s, const fm_restore *how, uint64_t *id,
                                 fm_error *err) {
    request *r = NULL;
    arena *memory = arena_new();
    if (!memory) return error_set(err, FM_ERR_MEMORY, "out of memory for restoring a request");
    fm_status status = make_request(e, s, how, memory, &r, err);
    arena_free(memory);
    if (status != FM_OK) return status;
    status = finish_rows(e, &r->q.pages, err);
    if (status == FM_OK) return engine_enqueue(e, r, id, err);
    request_free(r);
    return status;
}

fm_status fm_engine_restore(fm_engine *e, const char *path, const fm_restore *how, uint64_t *id,
                            fm_error *err) {
    saved s;
    if (id) *id = 0;
    FM_TRY(engine_begin(e, err));
    fm_status status = saved_open(e, path, &s, err);
    if (status == FM_OK) {
        status = restore_request(e, &s, how, id, err);
        saved_close(&s);
    }
    engine_end(e);
    return status;
}

/* ---- Prefixes ---------------------------------------------------------------------------------- */

/** The engine's own sequence takes over what is cached of a prompt; FM_ERR_NOT_FOUND when not even
 * a page is. */
static fm_status adopt_prefix(fm_engine *e, uint64_t tenant, const int32_t *ids, size_t n_ids,
                              fm_error *err) {
    int32_t snapshot;
    FM_TRY(request_check_ids(&e->rules, ids, n_ids, err));
    /* paging_adopt leaves out the last token, which a prefix does not. */
    int32_t *longer = calloc(n_ids + 1, sizeof *longer);
    if (!longer) return error_set(err, FM_ERR_MEMORY, "out of memory for a prefix");
    memcpy(longer, ids, n_ids * sizeof *ids);
    e->prompt.tenant = tenant;
    paging_adopt(&e->paging, &e->prompt, longer, (int32_t)n_ids + 1, &snapshot);
    free(longer);
    if (e->prompt.n_tokens > 0) return FM_OK;
    return error_set(err, FM_ERR_NOT_FOUND,
                     "no whole page of this prefix is cached: run a prompt that begins with it");
}

static fm_status save_prefix(fm_engine *e, uint64_t tenant, const int32_t *ids, size_t n_ids,
                             const char *path, int32_t *n_saved, fm_error *err) {
    FM_TRY(finish_encoded(e, err));
    FM_TRY(adopt_prefix(e, tenant, ids, n_ids, err));
    int32_t n = e->prompt.n_tokens;
    fm_status status;
    if (saved_row_count(e, &e->prompt) == n)
        status = saved_write(e, path, NULL, &e->prompt, ids, n, err);
    else
        status = error_set(err, FM_ERR_UNSUPPORTED,
                           "the prefix's %d tokens are more than a window of this model keeps: it "
                           "can not be saved",
                           (int)n);
    paging_release(&e->paging, &e->prompt);
    if (status == FM_OK && n_saved) *n_saved = n;
    return status;
}

fm_status fm_engine_save_prefix(fm_engine *e, uint64_t tenant, const int32_t *ids, size_t n_ids,
                                const char *path, int32_t *n_saved, fm_error *err) {
    if (n_saved) *n_saved = 0;
    FM_TRY(engine_begin(e, err));
    fm_status status = save_prefix(e, tenant, ids, n_ids, path, n_saved, err);
    engine_end(e);
    return status;
}

/** Whole pages stay in the cache when the sequence gives them back. */
static fm_status restore_prefix(fm_engine *e, uint64_t tenant, const saved *s, int32_t *n_tokens,
                                fm_error *err) {
    int32_t n = s->n_rows - s->n_rows % FM_CACHE_PAGE_ROWS;
    if (e->params.no_prefix_sharing)
        return error_set(err, FM_ERR_STATE, "this engine was made with no_prefix_sharing");
    if (n == 0) return error_set(err, FM_ERR_ARG, "it holds no whole page of rows");
    e->prompt.tenant = tenant;
    FM_TRY(saved_read_rows(e, s, n, &e->prompt, err));
    FM_TRY(finish_rows(e, &e->prompt, err));
    paging_release(&e->paging, &e->prompt);
    *n_tokens = n;
    return FM_OK;
}

fm_status fm_engine_restore_prefix(fm_engine *e, uint64_t tenant, const char *path,
                                   int32_t *n_tokens, fm_error *err) {
    saved s;
    *n_tokens = 0;
    FM_TRY(engine_begin(e, err));
    fm_status status = saved_open(e, path, &s, err);
    if (status == FM_OK) {
        status = restore_prefix(e, tenant, &s, n_tokens, err);
        saved_close(&s);
    }
    engine_end(e);
    return status;
}
