/* engine_logits.c - the logits of every token of a prompt, for a callback or into a file. */
#include "../base/fp.h"
#include "../data/npy.h"
#include "engine.h"

/** Runs the next n tokens of the prompt through all layers. */
static fm_status run_chunk(fm_engine *e, const int32_t *ids, int32_t n) {
    forward f = engine_pass(e);
    page_copies copies; /* none: nobody else holds the pages of this sequence */
    if (!paging_reserve(&e->paging, &e->prompt, n, &copies)) return FM_ERR_MEMORY;
    step_begin(&e->s);
    engine_add_part(e, &e->prompt, ids, n);
    FM_TRY(step_upload(&e->s));
    FM_TRY(forward_layers(&f));
    FM_TRY(forward_finish(&f)); /* others may take the rows over as soon as they are committed */
    paging_commit(&e->paging, &e->prompt, ids, n);
    return FM_OK;
}

/** The logits of rows [first, first + n_rows) of the chunk that just ran. */
static fm_status read_rows(fm_engine *e, int32_t first, int32_t n_rows) {
    forward f = engine_pass(e);
    int32_t rows[ACTIVATIONS_LOGIT_ROWS];
    for (int32_t i = 0; i < n_rows; i++) rows[i] = first + i;
    FM_TRY(forward_head(&f, rows, n_rows));
    FM_TRY(forward_finish(&f));
    return device_read(e->model->dev, forward_logits(&f, n_rows), e->logits);
}

static fm_status deliver_chunk(fm_engine *e, int32_t n, fm_logits_fn sink, void *user,
                               fm_error *err) {
    for (int32_t first = 0; first < n; first += ACTIVATIONS_LOGIT_ROWS) {
        int32_t n_rows = n - first < ACTIVATIONS_LOGIT_ROWS ? n - first : ACTIVATIONS_LOGIT_ROWS;
        fenv_t caller;
        fp_begin(&caller);
        FM_TRY(engine_computed(e, &caller, read_rows(e, first, n_rows), err));
        FM_TRY(sink(user, e->logits, n_rows));
    }
    return FM_OK;
}

static fm_status run_prompt(fm_engine *e, const int32_t *ids, int32_t n_ids, fm_logits_fn sink,
                            void *user, fm_error *err) {
    for (int32_t start = 0; start < n_ids;) {
        int32_t n = n_ids - start < e->model->max_chunk ? n_ids - start : e->model->max_chunk;
        fenv_t caller;
        fp_begin(&caller);
        FM_TRY(engine_computed(e, &caller, run_chunk(e, ids + start, n), err));
        FM_TRY(deliver_chunk(e, n, sink, user, err));
        start += n;
    }
    return FM_OK;
}

/** run_prompt with the caches to itself, which it leaves as it found them. */
static fm_status run_logits(fm_engine *e, const int32_t *ids, size_t n_ids, fm_logits_fn sink,
                            void *user, fm_error *err) {
    if (queue_count(&e->queue) > 0)
        return error_set(err, FM_ERR_STATE, "a request is running: step until it has finished");
    FM_TRY(request_check_ids(&e->rules, ids, n_ids, err));
    e->prompt.tenant = 0;
    fm_status status = run_prompt(e, ids, (int32_t)n_ids, sink, user, err);
    paging_release(&e->paging, &e->prompt);
    return status;
}

fm_status fm_engine_logits(fm_engine *e, const int32_t *ids, size_t n_ids, fm_logits_fn sink,
                           void *user, fm_error *err) {
    FM_TRY(engine_begin(e, err));
    fm_status status = run_logits(e, ids, n_ids, sink, user, err);
    engine_end(e);
    return status;
}

/* ---- Into a file ------------------------------------------------------------------------------- */

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
    FM_TRY(request_check_ids(&e->rules, ids, n_ids, err));
    FM_TRY(npy_create(path, (int64_t)n_ids, fm_model_vocab_size(e->model), &sink->file, err));
    fm_status status = run_logits(e, ids, n_ids, write_rows, sink, err);
    if (status == FM_OK) return npy_close(sink->file, err);
    npy_abandon(sink->file);
    return status;
}

fm_status fm_engine_write_logits(fm_engine *e, const int32_t *ids, size_t n_ids, const char *path,
                                 fm_go_on_fn go_on, void *user, fm_error *err) {
    npy_sink sink = {.go_on = go_on, .user = user, .err = err};
    FM_TRY(engine_begin(e, err));
    fm_status status = write_logits(e, ids, n_ids, path, &sink, err);
    engine_end(e);
    return status;
}
