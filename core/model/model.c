/* model.c - opens a model: resolves what was asked for, opens the device, loads the weights. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"
#include "../base/fp.h"
#include "../base/os.h"

enum {
    DEFAULT_CONTEXT = 4096,
    DEFAULT_CHUNK = 256,
    MAX_CHUNK = 8192,
    DEFAULT_SEQUENCES = 16,
    MAX_SEQUENCES = 1024,
    MAX_THREADS = 256,
};

/* ---- What was asked for ---------------------------------------------------------------------- */

typedef struct dtype_choice {
    const char *name;
    fm_dtype dtype;
} dtype_choice;

/** FM_DTYPE_COUNT stands for "auto", which is also what NULL means. */
static const dtype_choice dtype_choices[] = {{"auto", FM_DTYPE_COUNT},
                                             {"f32", FM_DTYPE_F32},
                                             {"bf16", FM_DTYPE_BF16},
                                             {"f16", FM_DTYPE_F16}};

/** Looks a format up among the first n choices. */
static fm_status choose_dtype(const char *what, const char *name, size_t n, fm_dtype *out,
                              fm_error *err) {
    *out = FM_DTYPE_COUNT;
    for (size_t i = 0; i < n; i++)
        if (!name || strcmp(name, dtype_choices[i].name) == 0) {
            *out = dtype_choices[i].dtype;
            return FM_OK;
        }
    return error_set(err, FM_ERR_ARG, "%s \"%s\" is unknown: use auto, f32, bf16%s", what, name,
                     n > 3 ? " or f16" : "");
}

/** A limit: the default for 0, an error outside 1 … max. */
static fm_status choose_limit(const char *what, int32_t asked, int32_t fallback, int32_t max,
                              int32_t *out, fm_error *err) {
    *out = asked == 0 ? fallback : asked;
    if (*out >= 1 && *out <= max) return FM_OK;
    return error_set(err, FM_ERR_ARG, "%s %d is out of range: 1 to %d", what, (int)asked, (int)max);
}

static int32_t smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/** Fills the model's limits and the device's parameters. */
static fm_status choose_limits(const fm_model_params *p, fm_model *m, fm_device_params *dev,
                               fm_error *err) {
    const router_params *router = &m->checkpoint->config.router;
    int32_t longest = m->checkpoint->config.max_position_embeddings;
    FM_TRY(choose_limit("a context of", p->max_context, smaller(longest, DEFAULT_CONTEXT), longest,
                        &m->max_context, err));
    FM_TRY(choose_limit("a chunk of", p->max_chunk, DEFAULT_CHUNK, MAX_CHUNK, &m->max_chunk, err));
    FM_TRY(choose_limit("a number of sequences of", p->max_sequences, DEFAULT_SEQUENCES,
                        MAX_SEQUENCES, &m->max_sequences, err));
    FM_TRY(choose_limit("a number of threads of", p->n_threads,
                        smaller(os_core_count(), MAX_THREADS), MAX_THREADS, &dev->n_threads, err));
    m->max_chunk = smaller(m->max_chunk, m->max_context);
    dev->max_tokens = model_max_step_tokens(m);
    dev->max_rows = dev->max_tokens * (router->top_k > 0 ? router->top_k : 1);
    dev->max_sequences = m->max_sequences;
    dev->max_context = m->max_context;
    return FM_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static fm_status open_device(const fm_model_params *p, bool plan_only, fm_model *m, fm_error *err) {
    fm_device_params params = {.plan_only = plan_only};
    const fm_log log = {plan_only ? NULL : p->log, p->log_user};
    if (p->device && strcmp(p->device, "auto") != 0 && strcmp(p->device, "cpu") != 0)
        return error_set(err, FM_ERR_UNSUPPORTED, "device \"%s\" is not available: use auto or cpu",
                         p->device);
    FM_TRY(choose_limits(p, m, &params, err));
    params.isa = p->isa;
    return device_open(&fm_backend_cpu, &params, log, &m->dev, err);
}

static fm_status make_rope_table(bool plan_only, fm_model *m, fm_error *err) {
    const rope_params *rope = &m->checkpoint->config.rope;
    size_t size;
    if (!checked_mul((size_t)m->max_context, (size_t)rope->dim * sizeof(float), &size))
        return error_set(err, FM_ERR_LIMIT, "a rotary table of that context does not fit memory");
    FM_TRY(buf_new(m->dev, size, &m->rope_buf, err));
    m->rope_table = tensor_3d(m->rope_buf, FM_DTYPE_F32, m->max_context, rope->dim / 2, 2);
    if (plan_only) return FM_OK;
    float *table = malloc(size);
    if (!table) return error_set(err, FM_ERR_MEMORY, "out of memory for the rotary table");
    rope_fill_table(rope, m->max_context, table);
    fm_status status = device_write(m->dev, m->rope_table, table);
    free(table);
    if (status != FM_OK) error_set(err, status, "the rotary table could not be written");
    return status;
}

/** Cache format: as asked, or f32 with f32 weights, else bf16. */
static fm_status choose_cache_dtype(const fm_model_params *p, fm_model *m, fm_error *err) {
    FM_TRY(choose_dtype("cache format", p->cache_dtype, 3, &m->cache_dtype, err));
    if (m->cache_dtype == FM_DTYPE_COUNT)
        m->cache_dtype = m->weights.embed->dtype == FM_DTYPE_F32 ? FM_DTYPE_F32 : FM_DTYPE_BF16;
    return FM_OK;
}

/** An end token that no draw can give is no failure, but its answers run until they are cut. */
static void warn_of_end_ids(const config *c, const fm_log *log) {
    for (int32_t i = 0; i < c->n_end_ids; i++)
        if (c->end_ids[i] >= c->vocab_size)
            log_line(log, FM_LOG_WARN,
                     "end token %d (eos_token_id) is outside the vocabulary of %d: no answer will "
                     "end with it",
                     (int)c->end_ids[i], (int)c->vocab_size);
}

/** What a model has on its device, which may be one that only plans. */
static fm_status make_ready(const fm_model_params *p, bool plan_only, fm_model *m, fm_error *err) {
    fm_dtype dtype;
    FM_TRY(choose_dtype("weight format", p->dtype, 4, &dtype, err));
    FM_TRY(open_device(p, plan_only, m, err));
    FM_TRY(weights_load(&m->checkpoint->config, m->checkpoint->files, m->dev, dtype, NULL,
                        &m->weights, err));
    FM_TRY(choose_cache_dtype(p, m, err));
    return make_rope_table(plan_only, m, err);
}

/** Closes all but the checkpoint. */
static void close_device(fm_model *m) {
    if (!m || !m->dev) return;
    weights_free(&m->weights, m->dev);
    buf_free(m->dev, m->rope_buf);
    device_close(m->dev);
}

/** Makes the model's twin that only plans. */
static fm_status make_planning(const fm_model_params *p, fm_model *m, fm_error *err) {
    m->planning = calloc(1, sizeof *m->planning);
    if (!m->planning) return error_set(err, FM_ERR_MEMORY, "out of memory for a model");
    m->planning->checkpoint = m->checkpoint;
    return make_ready(p, true, m->planning, err);
}

static fm_status check_room(const fm_model *planning, fm_error *err) {
    uint64_t need = device_bytes(planning->dev), room = device_memory_free(planning->dev);
    if (need <= room) return FM_OK;
    return error_set(err, FM_ERR_MEMORY,
                     "the weights need %.2f GB of memory beside the files, and %.2f GB are free: "
                     "--dtype auto reads them in place, fathom plan says what fits",
                     (double)need / 1e9, (double)room / 1e9);
}

static fm_status open_all(const char *dir, const fm_model_params *p, fm_model *m, fm_error *err) {
    const fm_log log = {p->log, p->log_user};
    FM_TRY(make_planning(p, m, err));
    FM_TRY(check_room(m->planning, err));
    FM_TRY(make_ready(p, false, m, err));
    snprintf(m->summary, sizeof m->summary,
             "%s on %s, weights %s (%.1f MB in place, %.1f MB copied), cache %s",
             m->checkpoint->config.model_type, device_info(m->dev)->name,
             fm_dtype_name(m->weights.embed->dtype), (double)m->weights.bytes_in_place / 1e6,
             (double)m->weights.bytes_copied / 1e6, fm_dtype_name(m->cache_dtype));
    log_line(&log, FM_LOG_INFO, "opened %s: %s", dir, m->summary);
    warn_of_end_ids(&m->checkpoint->config, &log);
    return FM_OK;
}

/** The model of a directory: opened, or with `plan_only` its twin alone. */
static fm_status open_model(const char *dir, const fm_model_params *params, bool plan_only,
                            fm_model **out, fm_error *err) {
    static const fm_model_params defaults = {0};
    const fm_model_params *p = params ? params : &defaults;
    *out = NULL;
    fm_model *m = calloc(1, sizeof *m);
    if (!m) return error_set(err, FM_ERR_MEMORY, "out of memory for a model");
    atomic_flag_clear(&m->busy);
    fenv_t caller; /* config numbers, scales and the rotary table are computed while opening */
    fp_begin(&caller);
    fm_status status = fm_checkpoint_open(dir, &m->checkpoint, err);
    if (status == FM_OK) status = plan_only ? make_planning(p, m, err) : open_all(dir, p, m, err);
    fp_end(&caller);
    if (status != FM_OK) {
        fm_model_close(m);
        return status;
    }
    *out = m;
    return FM_OK;
}

fm_status fm_model_open(const char *dir, const fm_model_params *params, fm_model **out,
                        fm_error *err) {
    return open_model(dir, params, false, out, err);
}

fm_status model_open_plan(const char *dir, const fm_model_params *params, fm_model **out,
                          fm_error *err) {
    return open_model(dir, params, true, out, err);
}

void fm_model_close(fm_model *m) {
    if (!m) return;
    close_device(m->planning);
    free(m->planning);
    close_device(m);
    fm_checkpoint_close(m->checkpoint);
    free(m);
}

int32_t fm_model_vocab_size(const fm_model *m) {
    return m->checkpoint->config.vocab_size;
}

void fm_model_profile(fm_model *m, bool on) {
    device_profile(m->dev, on);
}

int32_t fm_model_get_profile(const fm_model *m, fm_profile out[FM_MAX_PROFILE]) {
    _Static_assert((int)FM_PROFILE_ROWS_MAX <= (int)FM_MAX_PROFILE, "room for every row");
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    int32_t n = device_profile_get(m->dev, rows);
    for (int32_t i = 0; i < n; i++)
        out[i] = (fm_profile){rows[i].name, rows[i].calls, rows[i].seconds, rows[i].bytes};
    return n;
}

int32_t model_max_step_tokens(const fm_model *m) {
    return m->max_chunk + m->max_sequences;
}

int32_t fm_model_max_context(const fm_model *m) {
    return m->max_context;
}

const char *fm_model_summary(const fm_model *m) {
    return m->summary;
}
