/*
 * engine_plan.c - what an engine takes, and whether there is room for it. Nothing is computed twice
 * by formulas of its own: the engine is made on devices that only plan, and the bytes are read
 * there.
 */
#include "engine.h"

#include <stdio.h>
#include <string.h>

#include "../model/model_plan.h"

/** Bytes of the streams of one device, and of one token more in them. */
static uint64_t cache_bytes(const kv_cache *c, const fm_device *dev, uint64_t *per_token) {
    uint64_t bytes = 0;
    *per_token = 0;
    for (int32_t i = 0; i < c->n_streams; i++) {
        const cache_class *k = &c->classes[c->streams[i].class_id];
        uint64_t row_bytes = cache_stream_row_bytes(c, i);
        if (c->streams[i].dev != dev) continue;
        bytes += row_bytes * (uint64_t)k->n_pages * FM_CACHE_PAGE_ROWS;
        if (k->window == 0) *per_token += row_bytes;
    }
    return bytes;
}

/** Tokens, in whole pages, whose caches fit what everything else leaves of a memory that is short.
 */
static int64_t tokens_that_fit(int32_t cache_tokens, uint64_t need, uint64_t per_token,
                               uint64_t room) {
    uint64_t pages = (uint64_t)cache_page_count(cache_tokens);
    uint64_t fixed = need - per_token * pages * FM_CACHE_PAGE_ROWS;
    if (room <= fixed || per_token == 0) return 0;
    uint64_t tokens = (room - fixed) / per_token;
    return (int64_t)(tokens - tokens % FM_CACHE_PAGE_ROWS);
}

/** Whether it fits each memory, and how many cached tokens would. */
static void judge(fm_plan *p, const placement *places, const uint64_t *per_token) {
    uint64_t bytes[FM_MAX_DEVICES];
    placement_limit limits[PLACEMENT_MAX_LIMITS];
    for (int32_t i = 0; i < p->n_devices; i++)
        bytes[i] = p->devices[i].weights_copied + p->devices[i].cache + p->devices[i].workspace;
    p->fits = true;
    p->cache_tokens_that_fit = p->cache_tokens;
    for (int32_t i = placement_limits(places, limits) - 1; i >= 0; i--) {
        uint64_t need = placement_sum(&limits[i], bytes);
        if (need <= limits[i].room) continue;
        int64_t fitting = tokens_that_fit(p->cache_tokens, need,
                                          placement_sum(&limits[i], per_token), limits[i].room);
        if (fitting < p->cache_tokens_that_fit) p->cache_tokens_that_fit = fitting;
        p->fits = false;
    }
}

/** Sums over all devices. Of those that share a memory the most that is free counts. */
static void add_up(fm_plan *p, const uint64_t *per_token) {
    uint64_t room[FM_MAX_DEVICES] = {0};
    for (int32_t i = 0; i < p->n_devices; i++) {
        const fm_plan_device *d = &p->devices[i];
        p->weights_copied += d->weights_copied;
        p->cache += d->cache;
        p->cache_per_token += per_token[i];
        p->workspace += d->workspace;
        if (d->memory_free > room[d->memory]) room[d->memory] = d->memory_free;
    }
    for (int32_t i = 0; i < p->n_devices; i++) p->memory_free += room[i];
}

/** What an engine on the model's twin takes on one of its devices, where the model alone took
 * model_bytes. */
static fm_plan_device measure_device(const fm_engine *e, int32_t i, uint64_t model_bytes,
                                     uint64_t *per_token) {
    const placement *places = &e->model->places;
    const placement_run *run = &places->runs[i];
    fm_plan_device d = {.first_layer = run->first_layer,
                        .n_layers = run->n_layers,
                        .weights_copied = model_bytes,
                        .memory_free = device_memory_free(run->dev),
                        .memory = placement_memory(places, i)};
    _Static_assert(sizeof d.name == sizeof device_info(run->dev)->name, "names of the same room");
    memcpy(d.name, device_info(run->dev)->name, sizeof d.name);
    d.cache = cache_bytes(&e->cache, run->dev, per_token);
    d.workspace = device_bytes(run->dev) - model_bytes - d.cache;
    return d;
}

/** Measures an engine on the model's twin. `loaded`: the model's own memory is taken already. */
static fm_status measure(const fm_model *m, const fm_engine_params *params, bool loaded,
                         fm_plan *out, fm_error *err) {
    fm_model *planning = m->planning;
    uint64_t model_bytes[MODEL_MAX_DEVICES], per_token[MODEL_MAX_DEVICES];
    fm_engine *e;
    for (int32_t i = 0; i < planning->places.n; i++)
        model_bytes[i] = device_bytes(planning->places.runs[i].dev);
    FM_TRY(engine_make(planning, params, &e, err));
    *out = (fm_plan){.weights_in_place = planning->weights.bytes_in_place,
                     .max_context = planning->max_context,
                     .max_chunk = planning->max_chunk,
                     .max_sequences = planning->max_sequences,
                     .cache_tokens = e->params.cache_tokens,
                     .n_devices = planning->places.n};
    for (int32_t i = 0; i < out->n_devices; i++) {
        out->devices[i] = measure_device(e, i, model_bytes[i], &per_token[i]);
        if (loaded) out->devices[i].weights_copied = 0;
    }
    add_up(out, per_token);
    judge(out, &planning->places, per_token);
    fm_engine_free(e);
    return FM_OK;
}

/** What to ask an engine for, the gentlest change first; false when no cache would fit. */
static bool advise_cache(fm_plan *p) {
    int64_t tokens = p->cache_tokens_that_fit;
    if (tokens >= p->max_context)
        snprintf(p->advice, sizeof p->advice, "it would fit with --cache-tokens %lld",
                 (long long)tokens);
    else if (tokens > 0)
        snprintf(p->advice, sizeof p->advice, "it would fit with --ctx %lld --cache-tokens %lld",
                 (long long)tokens, (long long)tokens);
    return tokens > 0;
}

fm_status fm_engine_new(fm_model *m, const fm_engine_params *params, fm_engine **out,
                        fm_error *err) {
    fm_plan plan;
    *out = NULL;
    FM_TRY(measure(m, params, true, &plan, err));
    if (plan.fits) return engine_make(m, params, out, err);
    if (!advise_cache(&plan))
        snprintf(
            plan.advice, sizeof plan.advice,
            "it would not without caches either: open the model with a smaller --ctx or --chunk, "
            "or for fewer sequences");
    return error_set(
        err, FM_ERR_MEMORY,
        "an engine needs %.2f GB for %d cached tokens and %.2f GB besides, and %.2f GB "
        "are free: %s",
        (double)plan.cache / 1e9, (int)plan.cache_tokens, (double)plan.workspace / 1e9,
        (double)plan.memory_free / 1e9, plan.advice);
}

fm_status fm_plan_make(const char *dir, const fm_model_params *model,
                       const fm_engine_params *engine, fm_plan *out, fm_error *err) {
    fm_model *m;
    FM_TRY(model_open_plan(dir, model, &m, err));
    fm_status status = measure(m, engine, false, out, err);
    if (status == FM_OK && !out->fits && !advise_cache(out)) {
        static const fm_model_params defaults = {0};
        _Static_assert(sizeof out->advice == MODEL_ADVICE_SIZE, "advice of the same room");
        model_advise(model ? model : &defaults, m, out->advice);
    }
    fm_model_close(m);
    return status;
}
