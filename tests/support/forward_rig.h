/*
 * forward_rig.h - a model below the engine, put together by hand: a checkpoint on one device with
 * its caches, and steps in which each of some sequences advances by one token. A failure ends the
 * call with its status; the reason is in the caller's error.
 */
#ifndef FATHOM_TESTS_FORWARD_RIG_H
#define FATHOM_TESTS_FORWARD_RIG_H

#include <stdlib.h>

#include "model/checkpoint.h"
#include "model/forward.h"

enum {
    RIG_SEQUENCES = 16, /* at most, of one step */
    RIG_PAGES = 4,      /* cache pages of a sequence */
    RIG_CONTEXT = RIG_PAGES * FM_CACHE_PAGE_ROWS,
};

typedef struct forward_rig {
    fm_checkpoint *checkpoint;
    fm_device *dev;
    placement places; /* all layers on it */
    model_weights weights;
    fm_buf *rope_buf;
    fm_tensor rope_table;
    kv_cache cache;
    activations a;
    step s;
    forward f;
    float *logits; /* [RIG_SEQUENCES, V] */
} forward_rig;

static inline void forward_rig_close(forward_rig *r) {
    free(r->logits);
    step_free(&r->s);
    activations_free(&r->a);
    cache_free(&r->cache);
    weights_free(&r->weights);
    buf_free(r->dev, r->rope_buf);
    device_close(r->dev);
    fm_checkpoint_close(r->checkpoint);
    *r = (forward_rig){0};
}

static inline fm_status forward_rig_rope(forward_rig *r, const config *c, fm_error *err) {
    size_t size = (size_t)RIG_CONTEXT * (size_t)c->rope.dim * sizeof(float);
    FM_TRY(buf_new(r->dev, size, &r->rope_buf, err));
    fm_tensor rope = tensor_3d(r->rope_buf, FM_DTYPE_F32, RIG_CONTEXT, c->rope.dim / 2, 2);
    float *table = malloc(size);
    if (!table) return FM_ERR_MEMORY;
    rope_fill_table(&c->rope, RIG_CONTEXT, table);
    fm_status status = device_write(r->dev, rope, table);
    free(table);
    r->rope_table = rope;
    return status;
}

static inline fm_status forward_rig_parts(forward_rig *r, const char *dir,
                                          const fm_backend *backend, int32_t n_threads,
                                          fm_error *err) {
    FM_TRY(fm_checkpoint_open(dir, &r->checkpoint, err));
    const config *c = &r->checkpoint->config;
    fm_device_params params = {.max_tokens = RIG_SEQUENCES,
                               .max_rows = RIG_SEQUENCES * (c->router.top_k + 1),
                               .max_sequences = RIG_SEQUENCES,
                               .max_context = RIG_CONTEXT,
                               .n_threads = n_threads};
    FM_TRY(device_open(backend, &params, (fm_log){0}, &r->dev, err));
    r->places = placement_on(r->dev, c->n_layers);
    FM_TRY(
        weights_load(c, r->checkpoint->files, &r->places, FM_DTYPE_COUNT, NULL, &r->weights, err));
    const int32_t n_pages[CACHE_MAX_CLASSES] = {RIG_SEQUENCES * RIG_PAGES};
    FM_TRY(cache_new(c, &r->weights, n_pages, FM_DTYPE_F32, &r->cache, err));
    FM_TRY(activations_new(c, r->places.runs, RIG_SEQUENCES, &r->a, err));
    const step_params largest = {.max_tokens = RIG_SEQUENCES,
                                 .max_sequences = RIG_SEQUENCES,
                                 .max_context = RIG_CONTEXT,
                                 .n_classes = 1};
    FM_TRY(step_new(&r->places, &largest, &r->s, err));
    r->f = (forward){.c = c,
                     .w = &r->weights,
                     .places = &r->places,
                     .rope_tables = &r->rope_table,
                     .cache = &r->cache,
                     .a = &r->a,
                     .s = &r->s};
    r->logits = malloc((size_t)RIG_SEQUENCES * (size_t)c->vocab_size * sizeof *r->logits);
    if (!r->logits) return FM_ERR_MEMORY;
    return forward_rig_rope(r, c, err);
}

/** Opens the checkpoint in `dir` on a device of n_threads threads, weights as the files have them.
 * The rig is empty again when it fails. */
static inline fm_status forward_rig_open(forward_rig *r, const char *dir, const fm_backend *backend,
                                         int32_t n_threads, fm_error *err) {
    *r = (forward_rig){0};
    fm_status status = forward_rig_parts(r, dir, backend, n_threads, err);
    if (status != FM_OK) forward_rig_close(r);
    return status;
}

/** One step of sequences [first, first + n): each advances by its token of `position`, and the
 * logits of all are computed. n <= RIG_SEQUENCES, position < RIG_CONTEXT. */
static inline fm_status forward_rig_step(forward_rig *r, int32_t first, int32_t n,
                                         int32_t position) {
    int32_t rows[RIG_SEQUENCES], pages[RIG_PAGES];
    step_begin(&r->s);
    for (int32_t q = first; q < first + n; q++) {
        int32_t token = (position * 37 + q * 101 + 5) % r->f.c->vocab_size;
        for (int32_t i = 0; i < RIG_PAGES; i++) pages[i] = q * RIG_PAGES + i;
        step_add(&r->s, &(step_part){&token, 1, position, {pages}});
        rows[q - first] = q - first;
    }
    FM_TRY(step_upload(&r->s));
    FM_TRY(forward_layers(&r->f));
    FM_TRY(forward_head(&r->f, rows, n));
    FM_TRY(forward_finish(&r->f));
    return device_read(r->dev, tensor_slice(r->a.logits, 0, 0, n), r->logits);
}

#endif
