/* model_plan.c - plans a model: chooses the device for "auto", and says what would fit where it
 * does not. */
#include "model_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activations.h"
#include "cache.h"

void model_drop_plan(fm_model *m) {
    model_close_devices(m->planning);
    free(m->planning);
    m->planning = NULL;
}

/** Makes the twin on the devices of that text. */
static fm_status plan_on(const char *device, const fm_model_params *p, fm_model *m, fm_error *err) {
    m->planning = calloc(1, sizeof *m->planning);
    if (!m->planning) return error_set(err, FM_ERR_MEMORY, "out of memory for a model");
    m->planning->checkpoint = m->checkpoint;
    m->planning->find = m->find;
    FM_TRY(placement_parse(device, m->checkpoint->config.n_layers, &m->planning->request, err));
    return model_make_ready(p, true, m->planning, err);
}

/* ---- Room ---------------------------------------------------------------------------------------- */

/** Whether what the devices were planned for is more than some of them have: which, and how much it
 * is. */
static bool is_short(const placement *places, placement_limit *of, uint64_t *need) {
    uint64_t bytes[MODEL_MAX_DEVICES];
    placement_limit limits[PLACEMENT_MAX_LIMITS];
    for (int32_t i = 0; i < places->n; i++) bytes[i] = device_bytes(places->runs[i].dev);
    for (int32_t i = placement_limits(places, limits) - 1; i >= 0; i--) {
        *of = limits[i];
        *need = placement_sum(of, bytes);
        if (*need > of->room) return true;
    }
    return false;
}

typedef struct use {
    activations a[MODEL_MAX_DEVICES];
    kv_cache cache;
} use;

/** What a step needs, and one full context. */
static fm_status take_use(const fm_model *planning, use *out, fm_error *err) {
    const config *c = &planning->checkpoint->config;
    const placement *places = &planning->places;
    int32_t n_pages[CACHE_MAX_CLASSES];
    for (int32_t i = 0; i < CACHE_MAX_CLASSES; i++)
        n_pages[i] = cache_page_count(planning->max_context);
    for (int32_t i = 0; i < places->n; i++)
        FM_TRY(
            activations_new(c, &places->runs[i], model_max_step_tokens(planning), &out->a[i], err));
    return cache_new(c, &planning->weights, n_pages, planning->cache_dtype, &out->cache, err);
}

/** Whether the devices have room for the weights, for what a step needs and for one full context:
 * less would be of no use, and how much more an engine will ask for is not known. */
static fm_status check_use(const fm_model *planning, fm_error *err) {
    use taken = {0};
    placement_limit of;
    uint64_t need;
    fm_status status = take_use(planning, &taken, err);
    if (status == FM_OK && is_short(&planning->places, &of, &need))
        status = error_set(err, FM_ERR_MEMORY, "it needs %.2f GB, and %.2f GB are free",
                           (double)need / 1e9, (double)of.room / 1e9);
    for (int32_t i = 0; i < planning->places.n; i++) activations_free(&taken.a[i]);
    cache_free(&taken.cache);
    return status;
}

/* ---- Where to ------------------------------------------------------------------------------------ */

/** Whether the twin can be made on a device, and is of use there; it is kept then. */
static bool suits(const char *device, const char *name, const fm_model_params *p, fm_model *m) {
    const fm_log log = {p->log, p->log_user};
    fm_error err = {0};
    fm_status status = plan_on(device, p, m, &err);
    if (status == FM_OK) status = check_use(m->planning, &err);
    if (status == FM_OK) return true;
    log_line(&log, FM_LOG_INFO, "auto leaves %s (%s) out: %s", device, name, err.text);
    model_drop_plan(m);
    return false;
}

/** "auto": the first Vulkan device of its own that suits, else the CPU. */
static fm_status plan_auto(const fm_model_params *p, fm_model *m, fm_error *err) {
    enum { LOOKED_AT = 16 };
    fm_device_info infos[LOOKED_AT];
    const fm_backend *vulkan;
    int32_t n = 0;
    if (m->find("vulkan", &vulkan, NULL) != FM_OK ||
        device_list(vulkan, NULL, infos, LOOKED_AT, &n, NULL) != FM_OK)
        n = 0;
    for (int32_t i = 0; i < n && i < LOOKED_AT; i++) {
        char device[32];
        snprintf(device, sizeof device, "vulkan:%d", (int)i);
        if (!infos[i].software && suits(device, infos[i].name, p, m)) return FM_OK;
    }
    return plan_on("cpu", p, m, err);
}

fm_status model_plan(const fm_model_params *p, fm_model *m, fm_error *err) {
    if (!p->device || strcmp(p->device, "auto") == 0) return plan_auto(p, m, err);
    return plan_on(p->device, p, m, err);
}

/* ---- Advice -------------------------------------------------------------------------------------- */

/** A setting that is tried. */
typedef struct setting {
    char device[MODEL_ADVICE_SIZE - 64];
    const char *dtype;
} setting;

static bool would_do(const setting *s, const fm_model_params *p, fm_model *m) {
    fm_model_params changed = *p;
    changed.dtype = s->dtype;
    changed.log = NULL;
    bool ok =
        plan_on(s->device, &changed, m, NULL) == FM_OK && check_use(m->planning, NULL) == FM_OK;
    model_drop_plan(m);
    return ok;
}

/** Writes a device as fm_model_params.device has it; false when it does not fit. */
static bool write_part(const placement_part *part, int32_t n_layers, const char *rest,
                       setting *out) {
    int n = snprintf(out->device, sizeof out->device, "%s:%d%s%s", part->backend, (int)part->index,
                     part->options[0] ? "," : "", part->options);
    if (n < 0 || (size_t)n >= sizeof out->device) return false;
    size_t at = (size_t)n;
    n = snprintf(out->device + at, sizeof out->device - at, "*%d%s", (int)n_layers, rest);
    return n >= 0 && (size_t)n < sizeof out->device - at;
}

/** The first layers on the device, as many as it holds, and the others on the CPU: *out, and true
 * when any number does. */
static bool find_cut(const placement_part *part, const fm_model_params *p, const char *dtype,
                     fm_model *m, setting *out) {
    int32_t fits = 0, beyond = part->n_layers;
    while (beyond - fits > 1) {
        int32_t n_layers = fits + (beyond - fits) / 2;
        setting tried = {.dtype = dtype};
        bool ok = write_part(part, n_layers, "+cpu", &tried) && would_do(&tried, p, m);
        if (ok) *out = tried;
        *(ok ? &fits : &beyond) = n_layers;
    }
    return fits > 0;
}

/** All on the same devices, with weights as they are in the files. */
static bool find_dtype(const placement_request *request, const fm_model_params *p, fm_model *m,
                       setting *out) {
    const placement_part *part = &request->parts[0];
    *out = (setting){.dtype = "auto"};
    if (!p->dtype || strcmp(p->dtype, "auto") == 0) return false;
    if (request->n > 1)
        return (size_t)snprintf(out->device, sizeof out->device, "%s", p->device) <
                   sizeof out->device &&
               would_do(out, p, m);
    return write_part(part, part->n_layers, "", out) && would_do(out, p, m);
}

void model_advise(const fm_model_params *p, fm_model *m, char out[MODEL_ADVICE_SIZE]) {
    const placement_request request = m->planning->request;
    const placement_part *part = &request.parts[0];
    bool may_cut = request.n == 1 && strcmp(part->backend, "cpu") != 0;
    setting found;
    model_drop_plan(m);
    if (find_dtype(&request, p, m, &found))
        snprintf(out, MODEL_ADVICE_SIZE, "it would fit with --dtype auto");
    else if (may_cut && find_cut(part, p, p->dtype, m, &found))
        snprintf(out, MODEL_ADVICE_SIZE, "it would fit with --device %s", found.device);
    else if (may_cut && p->dtype && find_cut(part, p, "auto", m, &found))
        snprintf(out, MODEL_ADVICE_SIZE, "it would fit with --device %s --dtype auto",
                 found.device);
    else if (may_cut && would_do(&(setting){"cpu", "auto"}, p, m))
        snprintf(out, MODEL_ADVICE_SIZE, "it would fit with --device cpu --dtype auto");
    else
        snprintf(
            out, MODEL_ADVICE_SIZE,
            "nor would it with other formats or, beside a device, on the CPU: a smaller --ctx, "
            "--chunk or model is needed");
}

fm_status model_check_room(const fm_model_params *p, fm_model *m, fm_error *err) {
    char advice[MODEL_ADVICE_SIZE], name[sizeof(fm_device_info){0}.name];
    placement_limit of;
    uint64_t need;
    const placement *places = &m->planning->places;
    if (!is_short(places, &of, &need)) return FM_OK;
    snprintf(name, sizeof name, "%s", device_info(places->runs[of.first].dev)->name);
    model_advise(p, m, advice);
    return error_set(
        err, FM_ERR_MEMORY,
        "the weights need %.2f GB of memory beside the files on %s, and %.2f GB are free: %s",
        (double)need / 1e9, name, (double)of.room / 1e9, advice);
}
