/*
 * weights.c - walks the tensors that a model of a given description has, in one place for both
 * uses: checking a checkpoint, and loading it.
 */
#include "weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../data/dtype.h"

enum { MAX_PARTS = 3, SUFFIX_SIZE = 128, NAME_SIZE = 160 };

/** A weight or a buffer, and its device. */
typedef struct owned_item {
    fm_device *dev;
    fm_weight *weight;
    fm_buf *buf;
} owned_item;

/** Everything on the devices, for freeing. A layer has at most two dozen. */
struct weights_owned {
    arena *memory; /* layers, router biases, the list */
    owned_item *items;
    size_t n_items;
};

enum { OWNED_PER_LAYER = 24 };

typedef struct loader {
    const config *c;
    const safetensors *files;
    const placement *places; /* NULL: check only */
    fm_device *dev;          /* for what is loaded now; NULL: the same */
    fm_dtype dtype;
    bool *used;
    model_weights *out;
    int32_t layer; /* -1: tensors outside the layers */
    bool is_idle;  /* what is found now does not count as active */
    fm_error *err;
} loader;

/* ---- Finding tensors ------------------------------------------------------------------------- */

static void tensor_name(const loader *l, const char *suffix, char *name) {
    if (l->layer < 0)
        snprintf(name, NAME_SIZE, "%s", suffix);
    else
        snprintf(name, NAME_SIZE, "model.layers.%d.%s", (int)l->layer, suffix);
}

static fm_status refuse_shape(const loader *l, const char *name, int64_t rows, int64_t cols) {
    char expected[48];
    if (cols > 0)
        snprintf(expected, sizeof expected, "%lld, %lld", (long long)rows, (long long)cols);
    else
        snprintf(expected, sizeof expected, "%lld", (long long)rows);
    return error_set(l->err, FM_ERR_FORMAT,
                     "tensor %s has another shape than config.json says: [%s] expected", name,
                     expected);
}

/** The tensor of the current layer with that suffix and exactly that shape (cols 0: a vector). */
static fm_status find(loader *l, const char *suffix, int64_t rows, int64_t cols,
                      const st_tensor **out) {
    char name[NAME_SIZE];
    tensor_name(l, suffix, name);
    const st_tensor *t = *out = safetensors_find(l->files, name);
    if (!t)
        return error_set(l->err, FM_ERR_FORMAT,
                         "tensor %s is missing: the checkpoint is incomplete", name);
    int32_t n_dims = cols > 0 ? 2 : 1;
    if (t->n_dims != n_dims || t->size[0] != rows || (cols > 0 && t->size[1] != cols))
        return refuse_shape(l, name, rows, cols);
    if (!dtype_is_float(t->dtype))
        return error_set(l->err, FM_ERR_UNSUPPORTED,
                         "tensor %s is %s: only F32, BF16 and F16 are supported", name,
                         fm_dtype_name(t->dtype));
    if (l->used) l->used[t->index] = true;
    uint64_t count = (uint64_t)rows * (uint64_t)(cols > 0 ? cols : 1);
    l->out->n_params += count;
    if (!l->is_idle) l->out->n_params_active += count;
    return FM_OK;
}

/* ---- Weights --------------------------------------------------------------------------------- */

/** Loads a source whose parts were found; `keep` leaves it in its own format. */
static fm_status load_source(loader *l, const fm_weight_source *source, bool keep,
                             fm_weight **out) {
    fm_dtype dtype = keep || l->dtype == FM_DTYPE_COUNT ? source->dtype : l->dtype;
    struct weights_owned *owned = l->out->owned;
    if (!l->dev) return FM_OK;
    uint64_t copied = weight_size(l->dev, source, dtype), total = 0;
    for (int32_t i = 0; i < source->n_matrices * source->n_parts; i++)
        total += (uint64_t)source->parts[i].rows * (uint64_t)source->cols * fm_dtype_size(dtype);
    FM_TRY(weight_load(l->dev, source, dtype, out, l->err));
    owned->items[owned->n_items++] = (owned_item){.dev = l->dev, .weight = *out};
    l->out->bytes_copied += copied;
    if (copied < total) l->out->bytes_in_place += total - copied; /* a copy may be padded */
    return FM_OK;
}

/** One named part of a stacked weight. */
typedef struct part_spec {
    const char *suffix;
    int64_t rows;
} part_spec;

static fm_status find_part(loader *l, part_spec spec, int64_t cols, fm_weight_source *source,
                           fm_weight_part *part) {
    const st_tensor *t;
    FM_TRY(find(l, spec.suffix, spec.rows, cols, &t));
    if (source->dtype == FM_DTYPE_COUNT) source->dtype = t->dtype;
    if (source->dtype != t->dtype)
        return error_set(l->err, FM_ERR_UNSUPPORTED,
                         "tensor %s is %s, but those it is stacked with are %s: save all of the "
                         "checkpoint's weights in one format",
                         t->name, fm_dtype_name(t->dtype), fm_dtype_name(source->dtype));
    *part = (fm_weight_part){t->data, spec.rows, cols, 1};
    return FM_OK;
}

/** A matrix [sum of rows, cols] from up to MAX_PARTS tensors. */
static fm_status load_matrix(loader *l, const part_spec *specs, int32_t n_parts, int64_t cols,
                             bool keep, fm_weight **out) {
    fm_weight_part parts[MAX_PARTS];
    fm_weight_source source = {FM_DTYPE_COUNT, 1, n_parts, cols, parts};
    for (int32_t p = 0; p < n_parts; p++) FM_TRY(find_part(l, specs[p], cols, &source, &parts[p]));
    return load_source(l, &source, keep, out);
}

static fm_status load_one(loader *l, const char *suffix, int64_t rows, int64_t cols,
                          fm_weight **out) {
    return load_matrix(l, &(part_spec){suffix, rows}, 1, cols, false, out);
}

/** A stack of all experts' matrices, each from the named tensors ("gate_proj" and so on). One token
 * reads top_k of them; which ones makes no difference to the count, as all are of one size. */
static fm_status load_experts(loader *l, const char *const *names, int32_t n_parts, int64_t rows,
                              int64_t cols, fm_weight **out) {
    int32_t n_experts = l->c->router.n_experts;
    fm_weight_part *parts = calloc((size_t)n_experts * (size_t)n_parts, sizeof *parts);
    if (!parts) return error_set(l->err, FM_ERR_MEMORY, "out of memory for a list of experts");
    fm_weight_source source = {FM_DTYPE_COUNT, n_experts, n_parts, cols, parts};
    fm_status status = FM_OK;
    for (int32_t i = 0; i < n_experts * n_parts && status == FM_OK; i++) {
        char suffix[SUFFIX_SIZE];
        snprintf(suffix, sizeof suffix, "mlp.experts.%d.%s.weight", (int)(i / n_parts),
                 names[i % n_parts]);
        l->is_idle = i / n_parts >= l->c->router.top_k;
        status = find_part(l, (part_spec){suffix, rows}, cols, &source, &parts[i]);
    }
    l->is_idle = false;
    if (status == FM_OK) status = load_source(l, &source, false, out);
    free(parts);
    return status;
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static float vector_get(const st_tensor *t, int64_t i) {
    return dtype_widen((const uint8_t *)t->data + (size_t)i * fm_dtype_size(t->dtype), t->dtype);
}

/** Puts `n` host values on the device as a tensor of its own. */
static fm_status make_vector(loader *l, const float *values, int64_t n, fm_tensor *out) {
    struct weights_owned *owned = l->out->owned;
    fm_buf *buf;
    if (!l->dev) return FM_OK;
    FM_TRY(buf_new(l->dev, (size_t)n * sizeof *values, &buf, l->err));
    owned->items[owned->n_items++] = (owned_item){.dev = l->dev, .buf = buf};
    *out = tensor_1d(buf, FM_DTYPE_F32, n);
    l->out->bytes_copied += (uint64_t)n * sizeof *values;
    fm_status status = device_write(l->dev, *out, values);
    if (status != FM_OK) error_set(l->err, status, "a weight could not be written to the device");
    return status;
}

/** A vector from up to MAX_PARTS tensors; a part without a name is zeros. */
static fm_status load_vector(loader *l, const part_spec *specs, int32_t n_parts, fm_tensor *out) {
    int64_t n = 0;
    for (int32_t p = 0; p < n_parts; p++) n += specs[p].rows;
    float *values = calloc((size_t)n, sizeof *values), *at = values;
    if (!values) return error_set(l->err, FM_ERR_MEMORY, "out of memory for a vector");
    fm_status status = FM_OK;
    for (int32_t p = 0; p < n_parts && status == FM_OK; at += specs[p++].rows) {
        const st_tensor *t;
        if (!specs[p].suffix) continue;
        status = find(l, specs[p].suffix, specs[p].rows, 0, &t);
        for (int64_t i = 0; i < specs[p].rows && status == FM_OK; i++) at[i] = vector_get(t, i);
    }
    if (status == FM_OK) status = make_vector(l, values, n, out);
    free(values);
    return status;
}

static fm_status load_norm(loader *l, const char *suffix, int64_t n, fm_tensor *out) {
    return load_vector(l, &(part_spec){suffix, n}, 1, out);
}

/** The selection bias is where the router runs: on the host, and on a device that routes. */
static fm_status load_router_bias(loader *l, model_layer *layer) {
    const st_tensor *t;
    int32_t n = l->c->router.n_experts;
    FM_TRY(find(l, "mlp.gate.e_score_correction_bias", n, 0, &t));
    float *bias = arena_alloc(l->out->owned->memory, (size_t)n, sizeof *bias);
    if (!bias) return error_set(l->err, FM_ERR_MEMORY, "out of memory for a router's bias");
    for (int32_t i = 0; i < n; i++) bias[i] = vector_get(t, i);
    layer->router_bias = bias;
    if (!l->dev || !device_offers_route(l->dev)) return FM_OK;
    return make_vector(l, bias, n, &layer->route_bias);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static fm_status load_gqa(loader *l, model_layer *layer) {
    const config *c = l->c;
    int64_t q = (int64_t)c->n_heads * c->head_dim, kv = (int64_t)c->n_kv_heads * c->head_dim;
    const part_spec qkv[] = {{"self_attn.q_proj.weight", q},
                             {"self_attn.k_proj.weight", kv},
                             {"self_attn.v_proj.weight", kv}};
    const part_spec biases[] = {
        {"self_attn.q_proj.bias", q}, {"self_attn.k_proj.bias", kv}, {"self_attn.v_proj.bias", kv}};
    FM_TRY(load_matrix(l, qkv, 3, c->hidden_size, false, &layer->qkv));
    if (c->attention_bias) FM_TRY(load_vector(l, biases, 3, &layer->in_bias));
    return load_one(l, "self_attn.o_proj.weight", c->hidden_size, q, &layer->o);
}

/** Splits kv_b, rows per head [nope | v], into its key half, transposed because absorption
 * contracts over nope, and its value half. */
static fm_status load_kv_b(loader *l, model_layer *layer) {
    const config *c = l->c;
    int64_t nope = c->qk_nope_head_dim, v = c->v_head_dim, rank = c->kv_lora_rank;
    const st_tensor *t;
    FM_TRY(find(l, "self_attn.kv_b_proj.weight", c->n_heads * (nope + v), rank, &t));
    fm_weight_part *keys = calloc((size_t)c->n_heads * 2, sizeof *keys);
    if (!keys) return error_set(l->err, FM_ERR_MEMORY, "out of memory for a list of heads");
    fm_weight_part *values = keys + c->n_heads;
    for (int32_t h = 0; h < c->n_heads; h++) {
        const uint8_t *head =
            (const uint8_t *)t->data + (size_t)(h * (nope + v) * rank) * fm_dtype_size(t->dtype);
        keys[h] = (fm_weight_part){head, rank, 1, rank};
        values[h] =
            (fm_weight_part){head + (size_t)(nope * rank) * fm_dtype_size(t->dtype), v, rank, 1};
    }
    fm_weight_source k_b = {t->dtype, c->n_heads, 1, nope, keys};
    fm_weight_source v_b = {t->dtype, c->n_heads, 1, rank, values};
    fm_status status = load_source(l, &k_b, false, &layer->k_b);
    if (status == FM_OK) status = load_source(l, &v_b, false, &layer->v_b);
    free(keys);
    return status;
}

static fm_status load_mla(loader *l, model_layer *layer) {
    const config *c = l->c;
    bool lora = c->q_lora_rank > 0;
    int64_t q = (int64_t)c->n_heads * c->head_dim, q_in = lora ? c->q_lora_rank : q;
    int64_t kv = c->kv_lora_rank + c->qk_rope_head_dim;
    const part_spec q_kv_a[] = {
        {lora ? "self_attn.q_a_proj.weight" : "self_attn.q_proj.weight", q_in},
        {"self_attn.kv_a_proj_with_mqa.weight", kv}};
    const part_spec biases[] = {{lora ? "self_attn.q_a_proj.bias" : NULL, q_in},
                                {"self_attn.kv_a_proj_with_mqa.bias", kv}};
    FM_TRY(load_matrix(l, q_kv_a, 2, c->hidden_size, false, &layer->q_kv_a));
    if (c->attention_bias) FM_TRY(load_vector(l, biases, 2, &layer->in_bias));
    if (lora) {
        FM_TRY(load_norm(l, "self_attn.q_a_layernorm.weight", q_in, &layer->q_a_norm));
        FM_TRY(load_one(l, "self_attn.q_b_proj.weight", q, q_in, &layer->q_b));
    }
    FM_TRY(load_norm(l, "self_attn.kv_a_layernorm.weight", c->kv_lora_rank, &layer->kv_a_norm));
    FM_TRY(load_kv_b(l, layer));
    return load_one(l, "self_attn.o_proj.weight", c->hidden_size,
                    (int64_t)c->n_heads * c->v_head_dim, &layer->o);
}

/** A gated feed-forward under `prefix` ("mlp" or "mlp.shared_experts"). */
static fm_status load_gated(loader *l, const char *prefix, int64_t width, model_layer *layer) {
    char gate[SUFFIX_SIZE], up[SUFFIX_SIZE], down[SUFFIX_SIZE];
    int64_t hidden = l->c->hidden_size;
    snprintf(gate, sizeof gate, "%s.gate_proj.weight", prefix);
    snprintf(up, sizeof up, "%s.up_proj.weight", prefix);
    snprintf(down, sizeof down, "%s.down_proj.weight", prefix);
    FM_TRY(load_matrix(l, (const part_spec[]){{gate, width}, {up, width}}, 2, hidden, false,
                       &layer->gate_up));
    return load_one(l, down, hidden, width, &layer->down);
}

static fm_status load_dense(loader *l, model_layer *layer) {
    int64_t width = l->c->intermediate_size;
    FM_TRY(load_gated(l, "mlp", width, layer));
    if (!l->c->mlp_bias) return FM_OK;
    const part_spec biases[] = {{"mlp.gate_proj.bias", width}, {"mlp.up_proj.bias", width}};
    FM_TRY(load_vector(l, biases, 2, &layer->gate_up_bias));
    return load_norm(l, "mlp.down_proj.bias", l->c->hidden_size, &layer->down_bias);
}

static fm_status load_moe(loader *l, model_layer *layer) {
    const config *c = l->c;
    const char *const gate_up[] = {"gate_proj", "up_proj"}, *const down[] = {"down_proj"};
    int64_t width = c->moe_intermediate_size;
    FM_TRY(load_matrix(l, &(part_spec){"mlp.gate.weight", c->router.n_experts}, 1, c->hidden_size,
                       true, &layer->router));
    if (c->router_has_bias) FM_TRY(load_router_bias(l, layer));
    FM_TRY(load_experts(l, gate_up, 2, width, c->hidden_size, &layer->experts_gate_up));
    FM_TRY(load_experts(l, down, 1, c->hidden_size, width, &layer->experts_down));
    if (c->n_shared_experts == 0) return FM_OK;
    return load_gated(l, "mlp.shared_experts", c->n_shared_experts * width, layer);
}

static void set_place(loader *l, model_layer *layer) {
    if (!l->places) return;
    layer->place = placement_find(l->places, l->layer);
    layer->dev = l->dev = l->places->runs[layer->place].dev;
}

static fm_status load_layer(loader *l, model_layer *layer) {
    const config *c = l->c;
    set_place(l, layer);
    FM_TRY(load_norm(l, "input_layernorm.weight", c->hidden_size, &layer->attn_norm));
    FM_TRY(load_norm(l, "post_attention_layernorm.weight", c->hidden_size, &layer->ffn_norm));
    FM_TRY(c->attention == CONFIG_ATTENTION_MLA ? load_mla(l, layer) : load_gqa(l, layer));
    if (c->attention_out_bias)
        FM_TRY(load_norm(l, "self_attn.o_proj.bias", c->hidden_size, &layer->o_bias));
    return config_layer_ffn(c, l->layer) == CONFIG_FFN_MOE ? load_moe(l, layer)
                                                           : load_dense(l, layer);
}

/** The head of a model that shares it with the embedding: the same weight, or where the last layer
 * is on another device a second one, which is no second parameter. */
static fm_status load_tied_head(loader *l) {
    model_weights *w = l->out;
    uint64_t n_params = w->n_params, n_active = w->n_params_active;
    if (!l->places || l->places->runs[0].dev == l->dev) {
        w->head = w->embed;
        return FM_OK;
    }
    fm_status status =
        load_one(l, "model.embed_tokens.weight", l->c->vocab_size, l->c->hidden_size, &w->head);
    w->n_params = n_params;
    w->n_params_active = n_active;
    return status;
}

/** Embedding, last norm and head. A file without lm_head.weight shares the embedding. */
static fm_status load_ends(loader *l) {
    const config *c = l->c;
    model_weights *w = l->out;
    if (l->places) l->dev = l->places->runs[0].dev;
    FM_TRY(load_one(l, "model.embed_tokens.weight", c->vocab_size, c->hidden_size, &w->embed));
    if (l->places) l->dev = placement_last(l->places);
    FM_TRY(load_norm(l, "model.norm.weight", c->hidden_size, &w->out_norm));
    if (c->tie_word_embeddings || !safetensors_find(l->files, "lm_head.weight"))
        return load_tied_head(l);
    return load_one(l, "lm_head.weight", c->vocab_size, c->hidden_size, &w->head);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static fm_status make_owned(const config *c, model_weights *out, fm_error *err) {
    size_t n = ((size_t)c->n_layers + 1) * OWNED_PER_LAYER;
    arena *memory = arena_new();
    struct weights_owned *owned = memory ? arena_alloc(memory, 1, sizeof *owned) : NULL;
    if (!owned) goto no_memory;
    owned->memory = memory;
    owned->items = arena_alloc(memory, n, sizeof *owned->items);
    out->layers = arena_alloc(memory, (size_t)c->n_layers, sizeof *out->layers);
    if (!owned->items || !out->layers) goto no_memory;
    out->owned = owned;
    return FM_OK;
no_memory:
    arena_free(memory);
    return error_set(err, FM_ERR_MEMORY, "out of memory for the list of weights");
}

fm_status weights_load(const config *c, const safetensors *files, const placement *places,
                       fm_dtype dtype, bool *used, model_weights *out, fm_error *err) {
    loader l = {.c = c,
                .files = files,
                .places = places,
                .dtype = dtype,
                .used = used,
                .out = out,
                .layer = -1,
                .err = err};
    *out = (model_weights){0};
    FM_TRY(make_owned(c, out, err));
    fm_status status = load_ends(&l);
    for (l.layer = 0; l.layer < c->n_layers && status == FM_OK; l.layer++)
        status = load_layer(&l, &out->layers[l.layer]);
    if (status != FM_OK) weights_free(out);
    return status;
}

void weights_free(model_weights *w) {
    struct weights_owned *owned = w->owned;
    if (!owned) return;
    for (size_t i = 0; i < owned->n_items; i++) {
        const owned_item *item = &owned->items[i];
        weight_free(item->dev, item->weight);
        buf_free(item->dev, item->buf);
    }
    arena_free(owned->memory);
    *w = (model_weights){0};
}
