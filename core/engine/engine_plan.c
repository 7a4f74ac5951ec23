/*
 * engine_plan.c - what an engine takes, and whether there is room for it. Nothing is computed twice by
 * formulas of its own: the engine is made on a device that only plans, and the bytes are read there.
 */
#include "engine.h"

static uint64_t cache_bytes(const kv_cache *c, uint64_t *per_token) {
    uint64_t bytes = 0;
    *per_token = 0;
    for (int32_t i = 0; i < c->n_classes; i++) {
        const cache_class *k = &c->classes[i];
        bytes += k->row_bytes * (uint64_t)k->n_pages * FM_CACHE_PAGE_ROWS;
        if (k->window == 0) *per_token += k->row_bytes;
    }
    return bytes;
}

/** Tokens, in whole pages, whose caches fit what everything else leaves. */
static int64_t tokens_that_fit(const fm_plan *p) {
    uint64_t fixed =
        p->weights_copied + p->workspace + p->cache -
        p->cache_per_token * (uint64_t)cache_page_count(p->cache_tokens) * FM_CACHE_PAGE_ROWS;
    if (p->fits) return p->cache_tokens;
    if (p->memory_free <= fixed || p->cache_per_token == 0) return 0;
    uint64_t n = (p->memory_free - fixed) / p->cache_per_token;
    return (int64_t)(n - n % FM_CACHE_PAGE_ROWS);
}

/** Measures an engine on the model's twin. `loaded`: the model's own memory is taken already. */
static fm_status measure(const fm_model *m, const fm_engine_params *params, bool loaded,
                         fm_plan *out, fm_error *err) {
    fm_model *planning = m->planning;
    fm_engine *e;
    uint64_t model_bytes = device_bytes(planning->dev);
    FM_TRY(engine_make(planning, params, &e, err));
    *out = (fm_plan){.weights_in_place = planning->weights.bytes_in_place,
                     .weights_copied = loaded ? 0 : model_bytes,
                     .memory_free = device_memory_free(planning->dev),
                     .max_context = planning->max_context,
                     .max_chunk = planning->max_chunk,
                     .max_sequences = planning->max_sequences,
                     .cache_tokens = e->params.cache_tokens};
    out->cache = cache_bytes(&e->cache, &out->cache_per_token);
    out->workspace = device_bytes(planning->dev) - model_bytes - out->cache;
    out->fits = out->weights_copied + out->cache + out->workspace <= out->memory_free;
    out->cache_tokens_that_fit = tokens_that_fit(out);
    fm_engine_free(e);
    return FM_OK;
}

fm_status fm_engine_new(fm_model *m, const fm_engine_params *params, fm_engine **out,
                        fm_error *err) {
    fm_plan plan;
    *out = NULL;
    FM_TRY(measure(m, params, true, &plan, err));
    if (plan.fits) return engine_make(m, params, out, err);
    return error_set(
        err, FM_ERR_MEMORY,
        "an engine needs %.2f GB for %d cached tokens and %.2f GB besides, and %.2f GB "
        "are free: caches of %lld tokens would fit (lower --ctx or the number of "
        "sequences)",
        (double)plan.cache / 1e9, (int)plan.cache_tokens, (double)plan.workspace / 1e9,
        (double)plan.memory_free / 1e9, (long long)plan.cache_tokens_that_fit);
}

fm_status fm_plan_make(const char *dir, const fm_model_params *model,
                       const fm_engine_params *engine, fm_plan *out, fm_error *err) {
    fm_model *m;
    FM_TRY(model_open_plan(dir, model, &m, err));
    fm_status status = measure(m, engine, false, out, err);
    fm_model_close(m);
    return status;
}
