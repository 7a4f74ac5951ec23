/*
 * config.c - config.json to the description. Every number is read from the file and checked for
 * range; a key that would change the result and is not understood is an error.
 */
#include "config.h"

#include <math.h>
#include <string.h>

/* ---- Reading keys ---------------------------------------------------------------------------- */

/* A reader stops at the first fault: later reads return their fallback and the status stays. */

typedef struct reader {
    const json *at; /* the object that is read */
    const char *in; /* "config.json" or "config.json: rope_scaling", for error texts */
    fm_status status;
    fm_error *err;
} reader;

static bool is_given(const json *node) {
    return node && !json_is_null(node);
}

static int32_t take_int(reader *r, const json *node, const char *key, int64_t min, int64_t max) {
    int64_t value = min;
    if (r->status == FM_OK && !json_integer(node, min, max, &value))
        r->status =
            error_set(r->err, FM_ERR_FORMAT, "%s: %s must be a whole number from %lld to %lld",
                      r->in, key, (long long)min, (long long)max);
    return (int32_t)value;
}

/** A key that must be there. */
static int32_t read_int(reader *r, const char *key, int64_t min, int64_t max) {
    const json *node = json_find(r->at, key);
    if (!is_given(node) && r->status == FM_OK) {
        r->status = error_set(r->err, FM_ERR_FORMAT, "%s: %s is missing", r->in, key);
        return (int32_t)min;
    }
    return take_int(r, node, key, min, max);
}

static int32_t read_int_or(reader *r, const char *key, int64_t min, int64_t max, int32_t fallback) {
    const json *node = json_find(r->at, key);
    return is_given(node) ? take_int(r, node, key, min, max) : fallback;
}

/** A finite number from min to max; `fallback` when the key is absent or null. */
static double read_number_or(reader *r, const char *key, double min, double max, double fallback) {
    const json *node = json_find(r->at, key);
    if (!is_given(node) || r->status != FM_OK) return fallback;
    double value = json_number(node, NAN);
    if (value >= min && value <= max) return value;
    r->status = error_set(r->err, FM_ERR_FORMAT, "%s: %s must be a number from %g to %g", r->in,
                          key, min, max);
    return fallback;
}

static bool read_bool_or(reader *r, const char *key, bool fallback) {
    const json *node = json_find(r->at, key);
    if (!is_given(node) || r->status != FM_OK) return fallback;
    if (!json_is_bool(node))
        r->status = error_set(r->err, FM_ERR_FORMAT, "%s: %s must be true or false", r->in, key);
    return json_bool(node, fallback);
}

/** Refuses a text key that is given and differs from the one value that is understood. */
static void expect_string(reader *r, const char *key, const char *expected) {
    const json *node = json_find(r->at, key);
    const char *text = json_string(node);
    if (!is_given(node) || r->status != FM_OK || (text && strcmp(text, expected) == 0)) return;
    r->status = error_set(r->err, FM_ERR_UNSUPPORTED, "%s: %s \"%s\" is not supported, only \"%s\"",
                          r->in, key, text ? text : "(not a string)", expected);
}

/** Refuses a number that is given and differs from the one value that is understood. */
static void expect_number(reader *r, const char *key, double expected) {
    const json *node = json_find(r->at, key);
    if (!is_given(node) || r->status != FM_OK || json_number(node, NAN) == expected) return;
    r->status = error_set(r->err, FM_ERR_UNSUPPORTED, "%s: %s is not supported unless it is %g",
                          r->in, key, expected);
}

/** Refuses a combination of keys. */
static void require(reader *r, bool holds, const char *what) {
    if (r->status == FM_OK && !holds)
        r->status = error_set(r->err, FM_ERR_FORMAT, "%s: %s", r->in, what);
}

/* ---- Rotary embedding ------------------------------------------------------------------------ */

/** The scaling object: rope_parameters of newer files, or rope_scaling; NULL when there is none. */
static const json *rope_object(const json *root) {
    const json *node = json_find(root, "rope_parameters");
    if (!is_given(node)) node = json_find(root, "rope_scaling");
    return is_given(node) ? node : NULL;
}

/** Reads the scaling object; keeps the status of `r`. */
static reader rope_reader(const reader *r) {
    return (reader){rope_object(r->at), "config.json: rope scaling", r->status, r->err};
}

static void read_rope_kind(reader *r, rope_params *p) {
    const json *node = json_find(r->at, "rope_type");
    if (!is_given(node)) node = json_find(r->at, "type");
    require(r, is_given(node) || !is_given(json_find(r->at, "factor")),
            "rope_type is missing beside factor");
    const char *name = is_given(node) ? json_string(node) : "default";
    static const struct {
        const char *name;
        rope_scaling scaling;
    } kinds[] = {
        {"default", ROPE_SCALING_NONE},  {"none", ROPE_SCALING_NONE},
        {"linear", ROPE_SCALING_LINEAR}, {"llama3", ROPE_SCALING_LLAMA3},
        {"yarn", ROPE_SCALING_YARN},
    };
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            p->scaling = kinds[i].scaling;
            return;
        }
    if (r->status == FM_OK)
        r->status =
            error_set(r->err, FM_ERR_UNSUPPORTED,
                      "%s: rope type \"%s\" is not supported (default, linear, llama3, yarn are)",
                      r->in, name ? name : "(not a string)");
}

/** The factor, or where YaRN gives none the ratio of the two contexts. */
static void read_rope_factor(reader *r, const config *c, rope_params *p) {
    p->original_context =
        read_number_or(r, "original_max_position_embeddings", 1, 1e9, c->max_position_embeddings);
    bool given = is_given(json_find(r->at, "factor"));
    require(r, given || p->scaling == ROPE_SCALING_YARN, "factor is missing");
    p->factor =
        read_number_or(r, "factor", 1e-3, 1e6, c->max_position_embeddings / p->original_context);
}

static void read_yarn(reader *r, rope_params *p) {
    p->beta_fast = read_number_or(r, "beta_fast", 1e-6, 1e6, 32.0);
    p->beta_slow = read_number_or(r, "beta_slow", 1e-6, 1e6, 1.0);
    p->truncate = read_bool_or(r, "truncate", true);
    double mscale = read_number_or(r, "mscale", 0, 100, 0);
    double mscale_all_dim = read_number_or(r, "mscale_all_dim", 0, 100, 0);
    p->magnitude = mscale > 0 && mscale_all_dim > 0
                       ? rope_yarn_magnitude(p->factor, mscale) /
                             rope_yarn_magnitude(p->factor, mscale_all_dim)
                       : rope_yarn_magnitude(p->factor, 1.0);
    p->magnitude = read_number_or(r, "attention_factor", 1e-6, 1e6, p->magnitude);
}

/** Reads theta and scaling; `r->at` is the root. */
static void read_rope(reader *r, config *c) {
    rope_params *p = &c->rope;
    p->base = read_number_or(r, "rope_theta", 1.0, 1e12, 10000.0);
    p->magnitude = 1.0;
    const json *object = rope_object(r->at);
    require(r, !object || json_is_object(object),
            "rope_scaling and rope_parameters must be objects or null");
    if (!object || r->status != FM_OK) return;
    reader inner = rope_reader(r);
    p->base = read_number_or(&inner, "rope_theta", 1.0, 1e12, p->base);
    read_rope_kind(&inner, p);
    if (p->scaling != ROPE_SCALING_NONE) read_rope_factor(&inner, c, p);
    if (p->scaling == ROPE_SCALING_LLAMA3) {
        p->low_freq_factor = read_number_or(&inner, "low_freq_factor", 1e-6, 1e6, 1.0);
        p->high_freq_factor = read_number_or(&inner, "high_freq_factor", 1e-6, 1e6, 4.0);
        require(&inner, p->high_freq_factor > p->low_freq_factor,
                "high_freq_factor must be above low_freq_factor");
    }
    if (p->scaling == ROPE_SCALING_YARN) {
        require(&inner, p->base > 1.0, "YaRN needs a rope_theta above 1");
        read_yarn(&inner, p);
    }
    r->status = inner.status;
}

/** mscale² of DeepSeek's softmax scale: 1 unless a scaled rope names mscale_all_dim. */
static double read_mla_scale(reader *r, const rope_params *p) {
    reader inner = rope_reader(r);
    double all_dim = read_number_or(&inner, "mscale_all_dim", 0, 100, 0);
    r->status = inner.status;
    if (p->scaling == ROPE_SCALING_NONE || !(all_dim > 0)) return 1.0;
    double magnitude = rope_yarn_magnitude(p->factor, all_dim);
    return magnitude * magnitude;
}

/* ---- What all models have -------------------------------------------------------------------- */

enum { MAX_WIDTH = 1 << 20, MAX_HEADS = 1 << 12, MAX_HEAD_DIM = 1024 };

static int32_t read_max_positions(reader *r, int32_t fallback) {
    return read_int_or(r, "max_position_embeddings", 1, 1 << 28, fallback);
}

/** Biases on q, k, v and o, or MLA's counterparts, all or none. */
static void read_biases(reader *r, config *c) {
    c->attention_bias = c->attention_out_bias = read_bool_or(r, "attention_bias", false);
}

static void read_common(reader *r, config *c) {
    c->n_layers = read_int(r, "num_hidden_layers", 1, CONFIG_MAX_LAYERS);
    c->hidden_size = read_int(r, "hidden_size", 1, MAX_WIDTH);
    c->vocab_size = read_int(r, "vocab_size", 1, 1 << 24);
    c->max_position_embeddings = read_max_positions(r, 2048);
    c->n_heads = read_int(r, "num_attention_heads", 1, MAX_HEADS);
    c->intermediate_size = read_int(r, "intermediate_size", 1, MAX_WIDTH);
    c->norm_eps = (float)read_number_or(r, "rms_norm_eps", 0.0, 1.0, 1e-6);
    c->tie_word_embeddings = read_bool_or(r, "tie_word_embeddings", false);
    expect_string(r, "hidden_act", "silu");
    if (is_given(json_find(r->at, "quantization_config")) && r->status == FM_OK)
        r->status = error_set(r->err, FM_ERR_UNSUPPORTED,
                              "config.json: quantized weights are not supported yet: convert the "
                              "checkpoint to BF16");
}

/** eos_token_id as a number or a list of numbers. */
static void read_end_ids(reader *r, config *c) {
    const json *node = json_find(r->at, "eos_token_id");
    if (!is_given(node) || r->status != FM_OK) return;
    c->n_end_ids = 0;
    if (!json_is_array(node)) {
        c->end_ids[c->n_end_ids++] = take_int(r, node, "eos_token_id", 0, INT32_MAX);
        return;
    }
    json_for_each(id, node) {
        require(r, c->n_end_ids < CONFIG_MAX_END_IDS, "eos_token_id lists too many tokens");
        if (r->status != FM_OK) return;
        c->end_ids[c->n_end_ids++] = take_int(r, id, "eos_token_id", 0, INT32_MAX);
    }
}

/* ---- Sliding windows ------------------------------------------------------------------------- */

enum { DEFAULT_WINDOW = 4096 }; /* of the reference's classes */

/** Layers `first` and above slide; none does without a window. */
static void slide_from(config *c, int32_t first) {
    for (int32_t i = first; i < c->n_layers && c->sliding_window > 0; i++)
        c->layer_slides[i] = true;
}

/** The kind of each layer, by name. */
static void read_layer_types(reader *r, const json *list, config *c) {
    int32_t n = 0;
    require(r, json_is_array(list), "layer_types must be a list or null");
    if (r->status != FM_OK) return;
    json_for_each(node, list) {
        const char *name = json_string(node);
        bool slides = name && strcmp(name, "sliding_attention") == 0;
        require(r, n < c->n_layers, "layer_types lists more layers than num_hidden_layers");
        if (r->status == FM_OK && !slides && !(name && strcmp(name, "full_attention") == 0))
            r->status = error_set(r->err, FM_ERR_UNSUPPORTED,
                                  "%s: layer type \"%s\" is not supported (full_attention and "
                                  "sliding_attention are)",
                                  r->in, name ? name : "(not a string)");
        require(r, !slides || c->sliding_window > 0,
                "layer_types has sliding_attention, but no sliding_window is in use");
        if (r->status != FM_OK) return;
        c->layer_slides[n++] = slides;
    }
    require(r, n == c->n_layers, "layer_types lists fewer layers than num_hidden_layers");
}

/** A window for the layers that layer_types names, or for those from max_window_layers on. */
static void read_windows(reader *r, config *c) {
    bool used = read_bool_or(r, "use_sliding_window", false);
    const json *window = json_find(r->at, "sliding_window");
    const json *types = json_find(r->at, "layer_types");
    if (used && (!window || is_given(window)))
        c->sliding_window = read_int_or(r, "sliding_window", 1, INT32_MAX, DEFAULT_WINDOW);
    if (is_given(types))
        read_layer_types(r, types, c);
    else if (used)
        slide_from(c, read_int_or(r, "max_window_layers", 0, INT32_MAX, 28));
}

/* ---- Architectures --------------------------------------------------------------------------- */

/** The llama block without its biases. A file without num_key_value_heads has kv_default of them,
 * one that gives null as many as query heads. */
static void read_block(reader *r, config *c, int32_t kv_default) {
    bool absent = !json_find(r->at, "num_key_value_heads");
    c->attention = CONFIG_ATTENTION_GQA;
    c->n_kv_heads =
        read_int_or(r, "num_key_value_heads", 1, MAX_HEADS, absent ? kv_default : c->n_heads);
    require(r, c->n_kv_heads > 0 && c->n_heads % c->n_kv_heads == 0,
            "num_attention_heads must be a multiple of num_key_value_heads");
    require(r, is_given(json_find(r->at, "head_dim")) || c->hidden_size % c->n_heads == 0,
            "without head_dim, hidden_size must be a multiple of num_attention_heads");
    c->head_dim = read_int_or(r, "head_dim", 2, MAX_HEAD_DIM, c->hidden_size / c->n_heads);
    require(r, c->head_dim >= 2 && c->head_dim <= MAX_HEAD_DIM && c->head_dim % 2 == 0,
            "head_dim must be even, from 2 to 1024");
    c->softmax_scale = (float)(1.0 / sqrt((double)c->head_dim));
    c->rope.dim = c->head_dim;
    c->rope.pairing = FM_ROPE_PAIRING_HALF;
    read_rope(r, c);
    reader inner = rope_reader(r);
    expect_number(&inner, "partial_rotary_factor", 1.0);
    r->status = inner.status;
    expect_number(r, "partial_rotary_factor", 1.0);
    c->first_k_dense_replace = c->n_layers;
}

static void read_llama(reader *r, config *c) {
    read_biases(r, c);
    c->mlp_bias = read_bool_or(r, "mlp_bias", false);
    read_block(r, c, c->n_heads);
}

/** Biases on q, k and v, whatever the file says, and windows in some layers. */
static void read_qwen2(reader *r, config *c) {
    c->attention_bias = true;
    c->max_position_embeddings = read_max_positions(r, 1 << 15);
    read_block(r, c, 32);
    read_windows(r, c);
}

/** No biases, and one window in all layers unless sliding_window is null. */
static void read_mistral(reader *r, config *c) {
    const json *window = json_find(r->at, "sliding_window");
    c->max_position_embeddings = read_max_positions(r, 1 << 17);
    read_block(r, c, 8);
    if (!window || is_given(window))
        c->sliding_window = read_int_or(r, "sliding_window", 1, INT32_MAX, DEFAULT_WINDOW);
    slide_from(c, 0);
    if (r->status == FM_OK && is_given(json_find(r->at, "layer_types")))
        r->status = error_set(r->err, FM_ERR_UNSUPPORTED,
                              "%s: layer_types is not supported in a mistral", r->in);
}

static void read_mla(reader *r, config *c) {
    c->attention = CONFIG_ATTENTION_MLA;
    c->q_lora_rank = read_int_or(r, "q_lora_rank", 1, MAX_WIDTH, 0);
    c->kv_lora_rank = read_int(r, "kv_lora_rank", 1, FM_VALUE_DIM_MAX);
    c->qk_nope_head_dim = read_int(r, "qk_nope_head_dim", 1, MAX_HEAD_DIM);
    c->qk_rope_head_dim = read_int(r, "qk_rope_head_dim", 2, MAX_HEAD_DIM);
    c->v_head_dim = read_int(r, "v_head_dim", 1, MAX_HEAD_DIM);
    require(r, c->qk_rope_head_dim % 2 == 0, "qk_rope_head_dim must be even");
    c->head_dim = c->qk_nope_head_dim + c->qk_rope_head_dim;
    c->n_kv_heads = 1;
    c->latent_norm_eps = 1e-6f; /* the reference's class default, whatever rms_norm_eps says */
    c->rope.dim = c->qk_rope_head_dim;
    c->rope.pairing = read_bool_or(r, "rope_interleave", true) ? FM_ROPE_PAIRING_INTERLEAVED
                                                               : FM_ROPE_PAIRING_HALF;
    read_rope(r, c);
    c->softmax_scale = (float)(read_mla_scale(r, &c->rope) / sqrt((double)c->head_dim));
}

static void read_experts(reader *r, config *c) {
    router_params *p = &c->router;
    p->n_experts = read_int(r, "n_routed_experts", 1, ROUTER_MAX_EXPERTS);
    p->top_k = read_int(r, "num_experts_per_tok", 1, ROUTER_MAX_EXPERTS);
    p->n_groups = read_int_or(r, "n_group", 1, ROUTER_MAX_EXPERTS, 1);
    p->top_groups = read_int_or(r, "topk_group", 1, ROUTER_MAX_EXPERTS, 1);
    p->normalize = read_bool_or(r, "norm_topk_prob", true);
    p->scale = (float)read_number_or(r, "routed_scaling_factor", 0.0, 1e6, 1.0);
    c->moe_intermediate_size = read_int(r, "moe_intermediate_size", 1, MAX_WIDTH);
    c->n_shared_experts = read_int_or(r, "n_shared_experts", 0, 1 << 10, 0);
    c->first_k_dense_replace = read_int_or(r, "first_k_dense_replace", 0, INT32_MAX, 0);
    c->moe_layer_freq = read_int_or(r, "moe_layer_freq", 1, 1 << 12, 1);
    require(r, p->n_experts % p->n_groups == 0, "n_routed_experts must be a multiple of n_group");
    require(r, p->top_groups <= p->n_groups, "topk_group must not be above n_group");
    require(r, p->top_k <= p->n_experts / p->n_groups * p->top_groups,
            "num_experts_per_tok is above the number of experts that topk_group leaves");
    require(r, (int64_t)c->n_shared_experts * c->moe_intermediate_size <= MAX_WIDTH,
            "the shared experts are too wide");
}

static void read_deepseek_v3(reader *r, config *c) {
    read_biases(r, c);
    read_mla(r, c);
    expect_string(r, "scoring_func", "sigmoid");
    expect_string(r, "topk_method", "noaux_tc");
    c->router_has_bias = true;
    if (is_given(json_find(r->at, "n_routed_experts")))
        read_experts(r, c);
    else
        c->first_k_dense_replace = c->n_layers;
}

static const struct {
    const char *model_type;
    void (*read)(reader *r, config *c);
} architectures[] = {
    {"llama", read_llama},
    {"qwen2", read_qwen2},
    {"mistral", read_mistral},
    {"deepseek_v3", read_deepseek_v3},
};

fm_status config_parse(const json *root, config *out, fm_error *err) {
    reader r = {root, "config.json", FM_OK, err};
    *out = (config){.moe_layer_freq = 1};
    const char *type = json_string(json_find(root, "model_type"));
    if (!type)
        return error_set(err, FM_ERR_FORMAT, "config.json: model_type is missing or not a string");
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
        if (strcmp(type, architectures[i].model_type) != 0) continue;
        strcpy(out->model_type, architectures[i].model_type);
        read_common(&r, out);
        read_end_ids(&r, out);
        if (r.status == FM_OK) architectures[i].read(&r, out);
        return r.status;
    }
    return error_set(err, FM_ERR_UNSUPPORTED,
                     "config.json: model_type \"%s\" is not supported (llama, qwen2, mistral and "
                     "deepseek_v3 are)",
                     type);
}

fm_status config_parse_generation(const json *root, config *c, fm_error *err) {
    reader r = {root, "generation_config.json", FM_OK, err};
    if (!json_is_object(root))
        return error_set(err, FM_ERR_FORMAT,
                         "generation_config.json: is no object: remove it or "
                         "restore it");
    read_end_ids(&r, c);
    return r.status;
}

/* ---- Questions ------------------------------------------------------------------------------- */

config_ffn config_layer_ffn(const config *c, int32_t layer) {
    bool moe = layer >= c->first_k_dense_replace && layer % c->moe_layer_freq == 0;
    return moe ? CONFIG_FFN_MOE : CONFIG_FFN_DENSE;
}

int32_t config_layer_window(const config *c, int32_t layer) {
    return c->layer_slides[layer] ? c->sliding_window : 0;
}
