/* model.c - opens a model: resolves what was asked for, opens the devices, loads the weights. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"
#include "../base/fp.h"
#include "../base/os.h"
#include "model_plan.h"

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

/** Fills the model's limits and the devices' parameters. */
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

static fm_status open_devices(const fm_model_params *p, bool plan_only, fm_model *m,
                              fm_error *err) {
    fm_device_params params = {
        .isa = p->isa, .deterministic = p->deterministic, .plan_only = plan_only};
    const fm_log log = {plan_only ? NULL : p->log, p->log_user};
    FM_TRY(choose_limits(p, m, &params, err));
    FM_TRY(placement_open(&m->request, &params, m->find, log, &m->places, err));
    m->dev = placement_last(&m->places);
    return FM_OK;
}

/** One on each device, with the values of `table`; NULL: they are only planned. */
static fm_status write_rope_tables(const float *table, size_t size, fm_model *m, fm_error *err) {
    const rope_params *rope = &m->checkpoint->config.rope;
    for (int32_t i = 0; i < m->places.n; i++) {
        fm_device *dev = m->places.runs[i].dev;
        FM_TRY(buf_new(dev, size, &m->rope_bufs[i], err));
        m->rope_tables[i] =
            tensor_3d(m->rope_bufs[i], FM_DTYPE_F32, m->max_context, rope->dim / 2, 2);
        fm_status status = table ? device_write(dev, m->rope_tables[i], table) : FM_OK;
        if (status != FM_OK) return error_set(err, status, "the rotary table could not be written");
    }
    return FM_OK;
}

static fm_status make_rope_tables(bool plan_only, fm_model *m, fm_error *err) {
    const rope_params *rope = &m->checkpoint->config.rope;
    size_t size;
    if (!checked_mul((size_t)m->max_context, (size_t)rope->dim * sizeof(float), &size))
        return error_set(err, FM_ERR_LIMIT, "a rotary table of that context does not fit memory");
    if (plan_only) return write_rope_tables(NULL, size, m, err);
    float *table = malloc(size);
    if (!table) return error_set(err, FM_ERR_MEMORY, "out of memory for the rotary table");
    rope_fill_table(rope, m->max_context, table);
    fm_status status = write_rope_tables(table, size, m, err);
    free(table);
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

fm_status model_make_ready(const fm_model_params *p, bool plan_only, fm_model *m, fm_error *err) {
    fm_dtype dtype;
    FM_TRY(choose_dtype("weight format", p->dtype, 4, &dtype, err));
    FM_TRY(open_devices(p, plan_only, m, err));
    FM_TRY(weights_load(&m->checkpoint->config, m->checkpoint->files, &m->places, dtype, NULL,
                        &m->weights, err));
    FM_TRY(choose_cache_dtype(p, m, err));
    FM_TRY(make_rope_tables(plan_only, m, err));
    fm_status status = placement_settle(&m->places);
    if (status == FM_OK) return FM_OK;
    return error_set(err, status, "the weights could not be written to the device: %s",
                     fm_status_text(status));
}

void model_close_devices(fm_model *m) {
    if (!m) return;
    weights_free(&m->weights);
    for (int32_t i = 0; i < m->places.n; i++) buf_free(m->places.runs[i].dev, m->rope_bufs[i]);
    placement_close(&m->places);
}

/* ---- Opening and closing ----------------------------------------------------------------------- */

/** "llama on NAME (layers 0-3) and NAME (layers 4-7), weights …" */
static void write_summary(fm_model *m) {
    char on[sizeof m->summary - 160] = "";
    size_t at = 0;
    for (int32_t i = 0; i < m->places.n; i++) {
        const placement_run *run = &m->places.runs[i];
        at += (size_t)snprintf(on + at, sizeof on - at, "%s%s", i > 0 ? " and " : "",
                               device_info(run->dev)->name);
        if (m->places.n > 1)
            at +=
                (size_t)snprintf(on + at, sizeof on - at, " (layers %d-%d)", (int)run->first_layer,
                                 (int)(run->first_layer + run->n_layers - 1));
        if (at >= sizeof on) at = sizeof on - 1;
    }
    snprintf(m->summary, sizeof m->summary,
             "%s on %s, weights %s (%.1f MB in place, %.1f MB copied), cache %s",
             m->checkpoint->config.model_type, on, fm_dtype_name(m->weights.embed->dtype),
             (double)m->weights.bytes_in_place / 1e6, (double)m->weights.bytes_copied / 1e6,
             fm_dtype_name(m->cache_dtype));
}

static fm_status open_all(const char *dir, const fm_model_params *p, fm_model *m, fm_error *err) {
    const fm_log log = {p->log, p->log_user};
    FM_TRY(model_plan(p, m, err));
    FM_TRY(model_check_room(p, m, err));
    m->request = m->planning->request;
    FM_TRY(model_make_ready(p, false, m, err));
    write_summary(m);
    log_line(&log, FM_LOG_INFO, "opened %s: %s", dir, m->summary);
    warn_of_end_ids(&m->checkpoint->config, &log);
    return FM_OK;
}

/** The model of a directory: opened, or with `plan_only` its twin alone. */
static fm_status open_model(const char *dir, const fm_model_params *params, placement_find_fn find,
                            bool plan_only, fm_model **out, fm_error *err) {
    static const fm_model_params defaults = {0};
    const fm_model_params *p = params ? params : &defaults;
    *out = NULL;
    fm_model *m = calloc(1, sizeof *m);
    if (!m) return error_set(err, FM_ERR_MEMORY, "out of memory for a model");
    atomic_flag_clear(&m->busy);
    m->find = find;
    fenv_t caller; /* config numbers, scales and the rotary table are computed while opening */
    fp_begin(&caller);
    fm_status status = fm_checkpoint_open(dir, &m->checkpoint, err);
    if (status == FM_OK) status = plan_only ? model_plan(p, m, err) : open_all(dir, p, m, err);
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
    return model_open_with(dir, params, backend_find, out, err);
}

fm_status model_open_with(const char *dir, const fm_model_params *params, placement_find_fn find,
                          fm_model **out, fm_error *err) {
    return open_model(dir, params, find, false, out, err);
}

fm_status model_open_plan(const char *dir, const fm_model_params *params, fm_model **out,
                          fm_error *err) {
    return open_model(dir, params, backend_find, true, out, err);
}

void fm_model_close(fm_model *m) {
    if (!m) return;
    model_drop_plan(m);
    model_close_devices(m);
    fm_checkpoint_close(m->checkpoint);
    free(m);
}

int32_t fm_model_vocab_size(const fm_model *m) {
    return m->checkpoint->config.vocab_size;
}

void fm_model_profile(fm_model *m, bool on) {
    for (int32_t i = 0; i < m->places.n; i++) device_profile(m->places.runs[i].dev, on);
}

/** Adds a device's row to that of the same name, which is made when there is none. */
static void add_profile_row(fm_profile *out, int32_t *n, const fm_profile_row *row) {
    int32_t i = 0;
    while (i < *n && strcmp(out[i].name, row->name) != 0) i++;
    if (i == *n) out[(*n)++] = (fm_profile){.name = row->name};
    out[i].calls += row->calls;
    out[i].seconds += row->seconds;
    out[i].bytes += row->bytes;
}

int32_t fm_model_get_profile(const fm_model *m, fm_profile out[FM_MAX_PROFILE]) {
    _Static_assert((int)FM_PROFILE_ROWS_MAX <= (int)FM_MAX_PROFILE, "room for every row");
    fm_profile_row rows[FM_PROFILE_ROWS_MAX];
    int32_t n_out = 0;
    for (int32_t i = 0; i < m->places.n; i++) {
        int32_t n = device_profile_get(m->places.runs[i].dev, rows);
        for (int32_t k = 0; k < n; k++) add_profile_row(out, &n_out, &rows[k]);
    }
    return n_out;
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
