/* activations.c - plans and allocates the tensors of a step once. */
#include "activations.h"

#include <stdlib.h>

#include "../base/checked.h"

/** Allocates one [rows, cols] tensor. */
static fm_status add(activations *a, fm_tensor *out, fm_dtype dtype, int64_t rows, int64_t cols,
                     fm_error *err) {
    size_t count, size;
    fm_buf *buf;
    if (!checked_mul((size_t)rows, (size_t)cols, &count) ||
        !checked_mul(count, fm_dtype_size(dtype), &size))
        return error_set(err, FM_ERR_LIMIT, "a step of that many tokens does not fit memory");
    FM_TRY(buf_new(a->dev, size, &buf, err));
    a->bufs[a->n_bufs++] = buf;
    *out = tensor_2d(buf, dtype, rows, cols);
    return FM_OK;
}

static fm_status add_mla(const config *c, activations *a, int64_t n_tokens, fm_error *err) {
    int64_t q = (int64_t)c->n_heads * c->head_dim;
    int64_t key = c->kv_lora_rank + c->qk_rope_head_dim;
    int64_t q_in = c->q_lora_rank > 0 ? c->q_lora_rank : q;
    FM_TRY(add(a, &a->in, FM_DTYPE_F32, n_tokens, q_in + key, err));
    if (c->q_lora_rank > 0) FM_TRY(add(a, &a->q, FM_DTYPE_F32, n_tokens, q, err));
    FM_TRY(add(a, &a->q_abs, FM_DTYPE_F32, n_tokens, c->n_heads * key, err));
    FM_TRY(add(a, &a->u, FM_DTYPE_F32, n_tokens, (int64_t)c->n_heads * c->kv_lora_rank, err));
    a->q_abs = tensor_split(a->q_abs, c->n_heads, key);
    a->u = tensor_split(a->u, c->n_heads, c->kv_lora_rank);
    return add(a, &a->o, FM_DTYPE_F32, n_tokens, (int64_t)c->n_heads * c->v_head_dim, err);
}

static fm_status add_gqa(const config *c, activations *a, int64_t n_tokens, fm_error *err) {
    int64_t q = (int64_t)c->n_heads * c->head_dim, kv = (int64_t)c->n_kv_heads * c->head_dim;
    FM_TRY(add(a, &a->in, FM_DTYPE_F32, n_tokens, q + 2 * kv, err));
    return add(a, &a->o, FM_DTYPE_F32, n_tokens, q, err);
}

/** Who routes needs a place of its own for that: the device for the ids of experts, or the host for
 * scores and plan. */
static fm_status add_routing(const config *c, activations *a, int64_t n_tokens, fm_error *err) {
    if (device_offers_route(a->dev))
        return add(a, &a->experts, FM_DTYPE_I32, n_tokens, c->router.top_k, err);
    a->host_logits = calloc((size_t)(n_tokens * c->router.n_experts), sizeof *a->host_logits);
    if (!a->host_logits) return error_set(err, FM_ERR_MEMORY, "out of memory for router logits");
    return router_plan_new(&c->router, (int32_t)n_tokens, &a->plan, err);
}

static fm_status add_moe(const config *c, activations *a, int64_t n_tokens, fm_error *err) {
    int64_t n_experts = c->router.n_experts, k = c->router.top_k, n_rows = n_tokens * k;
    FM_TRY(add(a, &a->router_logits, FM_DTYPE_F32, n_tokens, n_experts, err));
    FM_TRY(add(a, &a->expert_x, FM_DTYPE_F32, n_rows, c->hidden_size, err));
    FM_TRY(add(a, &a->expert_gate_up, FM_DTYPE_F32, n_rows, 2 * (int64_t)c->moe_intermediate_size,
               err));
    FM_TRY(add(a, &a->expert_y, FM_DTYPE_F32, n_rows, c->hidden_size, err));
    FM_TRY(add(a, &a->offsets, FM_DTYPE_I32, 1, n_experts + 1, err));
    FM_TRY(add(a, &a->row_token, FM_DTYPE_I32, n_rows, 1, err));
    FM_TRY(add(a, &a->slot_row, FM_DTYPE_I32, n_tokens, k, err));
    FM_TRY(add(a, &a->slot_weights, FM_DTYPE_F32, n_tokens, k, err));
    a->offsets = tensor_1d(a->offsets.buf, FM_DTYPE_I32, n_experts + 1);
    return add_routing(c, a, n_tokens, err);
}

/** Width of the widest feed-forward that is not routed. */
static int64_t widest_ffn(const config *c) {
    int64_t shared = (int64_t)c->n_shared_experts * c->moe_intermediate_size;
    return shared > c->intermediate_size ? shared : c->intermediate_size;
}

static bool has_moe(const config *c, const placement_run *run) {
    for (int32_t i = run->first_layer; i < run->first_layer + run->n_layers; i++)
        if (config_layer_ffn(c, i) == CONFIG_FFN_MOE) return true;
    return false;
}

/** What turns the last layer's result into logits. */
static fm_status add_head(const config *c, activations *a, fm_error *err) {
    FM_TRY(add(a, &a->out_rows, FM_DTYPE_I32, ACTIVATIONS_LOGIT_ROWS, 1, err));
    FM_TRY(add(a, &a->out_h, FM_DTYPE_F32, ACTIVATIONS_LOGIT_ROWS, c->hidden_size, err));
    return add(a, &a->logits, FM_DTYPE_F32, ACTIVATIONS_LOGIT_ROWS, c->vocab_size, err);
}

static fm_status add_all(const config *c, const placement_run *run, activations *a,
                         int64_t n_tokens, fm_error *err) {
    FM_TRY(add(a, &a->h, FM_DTYPE_F32, n_tokens, c->hidden_size, err));
    FM_TRY(add(a, &a->x, FM_DTYPE_F32, n_tokens, c->hidden_size, err));
    FM_TRY(c->attention == CONFIG_ATTENTION_MLA ? add_mla(c, a, n_tokens, err)
                                                : add_gqa(c, a, n_tokens, err));
    FM_TRY(add(a, &a->gate_up, FM_DTYPE_F32, n_tokens, 2 * widest_ffn(c), err));
    if (has_moe(c, run)) FM_TRY(add_moe(c, a, n_tokens, err));
    return run->first_layer + run->n_layers == c->n_layers ? add_head(c, a, err) : FM_OK;
}

fm_status activations_new(const config *c, const placement_run *run, int32_t max_tokens,
                          activations *out, fm_error *err) {
    *out = (activations){.dev = run->dev};
    fm_status status = add_all(c, run, out, max_tokens, err);
    if (status != FM_OK) activations_free(out);
    return status;
}

void activations_free(activations *a) {
    for (int32_t i = 0; i < a->n_bufs; i++) buf_free(a->dev, a->bufs[i]);
    router_plan_free(&a->plan);
    free(a->host_logits);
    *a = (activations){0};
}
