/*
 * fuzz_config.c - any bytes as config.json and generation_config.json. A description that is taken
 * must hold what the rest of the model relies on; what is refused must leave one clean line.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_error(fm_status status, const fm_error *err) {
    require(err->status == status);
    require(err->text[0] != '\0' && !strpbrk(err->text, "\r\n"));
}

static void check_rope(const rope_params *p) {
    float frequencies[ROPE_MAX_DIM / 2], table[2 * ROPE_MAX_DIM];
    require(p->dim >= 2 && p->dim <= ROPE_MAX_DIM && p->dim % 2 == 0);
    require(isfinite(p->magnitude) && p->magnitude > 0);
    rope_frequencies(p, frequencies);
    for (int32_t i = 0; i < p->dim / 2; i++)
        require(isfinite(frequencies[i]) && frequencies[i] >= 0);
    rope_fill_table(p, 2, table);
    for (int32_t i = 0; i < 2 * p->dim; i++) require(isfinite(table[i]));
}

static void check_attention(const config *c) {
    require(c->n_heads >= 1 && c->head_dim >= 2);
    require(isfinite(c->softmax_scale) && c->softmax_scale > 0);
    require(c->norm_eps >= 0 && c->norm_eps <= 1);
    if (c->attention == CONFIG_ATTENTION_GQA) {
        require(c->n_kv_heads >= 1 && c->n_heads % c->n_kv_heads == 0);
        require(c->rope.dim == c->head_dim);
    } else {
        require(c->kv_lora_rank >= 1 && c->kv_lora_rank <= FM_VALUE_DIM_MAX);
        require(c->v_head_dim >= 1 && c->q_lora_rank >= 0);
        require(c->head_dim == c->qk_nope_head_dim + c->qk_rope_head_dim);
        require(c->rope.dim == c->qk_rope_head_dim);
    }
    check_rope(&c->rope);
}

static void check_router(const router_params *p) {
    require(p->n_experts >= 1 && p->n_experts <= ROUTER_MAX_EXPERTS);
    require(p->n_groups >= 1 && p->n_experts % p->n_groups == 0);
    require(p->top_groups >= 1 && p->top_groups <= p->n_groups);
    require(p->top_k >= 1 && p->top_k <= p->n_experts / p->n_groups * p->top_groups);
    require(isfinite(p->scale) && p->scale >= 0);
}

static void check_config(const config *c) {
    require(c->n_layers >= 1 && c->hidden_size >= 1 && c->vocab_size >= 1);
    require(c->max_position_embeddings >= 1 && c->intermediate_size >= 1);
    require(c->n_end_ids >= 0 && c->n_end_ids <= CONFIG_MAX_END_IDS);
    for (int32_t i = 0; i < c->n_end_ids; i++) require(c->end_ids[i] >= 0);
    check_attention(c);
    for (int32_t i = 0; i < c->n_layers; i++)
        if (config_layer_ffn(c, i) == CONFIG_FFN_MOE) {
            check_router(&c->router);
            require(c->moe_intermediate_size >= 1);
            return;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const json_limits limits = {.max_bytes = 1 << 16, .max_depth = 32};
    json_doc *doc;
    config c;
    fm_error err = {0};
    if (json_parse("config.json", (const char *)data, size, limits, &doc, NULL) != FM_OK) return 0;
    fm_status status = config_parse(json_root(doc), &c, &err);
    if (status == FM_OK) {
        check_config(&c);
        status = config_parse_generation(json_root(doc), &c, &err);
        require(status == FM_OK); /* the same key was taken before */
        check_config(&c);
    } else {
        check_error(status, &err);
    }
    json_free(doc);
    return 0;
}
