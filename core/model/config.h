/*
 * config.h - a model described by data. config_parse turns a checkpoint's config.json into one
 * description; forward.c branches on what a layer is, never on a model's name. Plain data, owns
 * nothing. Source of the maths: huggingface/transformers models/llama, models/qwen2,
 * models/mistral and models/deepseek_v3, deepseek-ai/DeepSeek-V3 inference/model.py.
 */
#ifndef FATHOM_MODEL_CONFIG_H
#define FATHOM_MODEL_CONFIG_H

#include "../base/json.h"
#include "rope.h"
#include "router.h"

enum { CONFIG_MAX_END_IDS = 8, CONFIG_MAX_LAYERS = 1 << 12 };

typedef enum config_attention {
    CONFIG_ATTENTION_GQA, /* keys and values per key-value head */
    CONFIG_ATTENTION_MLA, /* one latent per token, absorbed weights */
} config_attention;

typedef enum config_ffn {
    CONFIG_FFN_DENSE, /* one gated feed-forward */
    CONFIG_FFN_MOE,   /* routed experts and a shared one */
} config_ffn;

/** Field names are the reference implementation's. Sizes that a kind of layer lacks are 0. */
typedef struct config {
    char model_type[32];
    int32_t n_layers;
    int32_t hidden_size;
    int32_t vocab_size;
    int32_t max_position_embeddings;
    float norm_eps;
    bool tie_word_embeddings;

    config_attention attention;
    int32_t n_heads;
    int32_t n_kv_heads;      /* GQA */
    int32_t head_dim;        /* GQA: of q, k and v; MLA: of q and k, qk_nope + qk_rope */
    bool attention_bias;     /* of what makes q, k and v */
    bool attention_out_bias; /* of o */
    int32_t sliding_window;  /* keys that a token of a sliding layer attends to at most, its own
                                included; 0: no layer slides */
    bool layer_slides[CONFIG_MAX_LAYERS]; /* [n_layers] */
    float softmax_scale;
    int32_t q_lora_rank; /* MLA; 0: q comes from one matrix */
    int32_t kv_lora_rank;
    int32_t qk_nope_head_dim;
    int32_t qk_rope_head_dim;
    int32_t v_head_dim;
    float latent_norm_eps; /* of q_a_layernorm and kv_a_layernorm */
    rope_params rope;

    int32_t intermediate_size; /* dense layers */
    bool mlp_bias;
    int32_t first_k_dense_replace; /* layers below are dense; n_layers when the model is dense */
    int32_t moe_layer_freq;
    int32_t moe_intermediate_size;
    int32_t n_shared_experts;
    bool router_has_bias;
    router_params router; /* its bias is the layer's */

    int32_t end_ids[CONFIG_MAX_END_IDS];
    int32_t n_end_ids;
} config;

/** Reads a config.json. FM_ERR_UNSUPPORTED names a model_type or feature that is not there;
 *  FM_ERR_FORMAT a key that is missing, of the wrong kind, out of range or in contradiction. */
fm_status config_parse(const json *root, config *out, fm_error *err);

/** Reads end tokens from a generation_config.json, which replace those of config.json; a file
 * without the key changes nothing. */
fm_status config_parse_generation(const json *root, config *c, fm_error *err);

/** The kind of feed-forward that layer `layer` has. */
config_ffn config_layer_ffn(const config *c, int32_t layer);

/** Keys that a token of layer `layer` attends to at most, its own included; 0: all up to it. */
int32_t config_layer_window(const config *c, int32_t layer);

#endif
