/*
 * forward.c - the model's forward pass, once for all devices and all uses. It reads like the
 * architecture's description: shapes are at the declarations, what a layer is decides the branch.
 * T tokens, C hidden size, H heads, G key-value heads, D head dim, I intermediate size.
 */
#include "forward.h"

/** The first n columns of a matrix from column `start`. */
static fm_tensor columns(fm_tensor t, int64_t start, int64_t n) {
    return tensor_slice(t, 1, start, n);
}

/** The current step's part of an activation that is sized for the largest one. */
static fm_tensor now(const forward *f, fm_tensor t) {
    return tensor_slice(t, 0, 0, f->s->n_tokens);
}

static fm_status norm(fm_device *dev, fm_tensor x, fm_tensor weight, float eps, fm_tensor y) {
    return op_norm(dev, &(fm_norm){.x = x, .weight = weight, .eps = eps, .y = y});
}

/** What flows through a layer, on the layer's device. */
static activations *flow(const forward *f, const model_layer *l) {
    return &f->a[l->place];
}

static fm_status rope(const forward *f, const model_layer *l, fm_tensor x, fm_tensor y) {
    return op_rope(l->dev, &(fm_rope){.x = x,
                                      .positions = step_positions(f->s, l->place),
                                      .table = f->rope_tables[l->place],
                                      .pairing = f->c->rope.pairing,
                                      .y = y});
}

/** x [T, G, D] to the rows of `stream`, which is one of the layer's. */
static fm_status cache_write(const forward *f, const model_layer *l, fm_tensor x,
                             const cache_layer *cache, fm_tensor stream) {
    return op_cache_write(
        l->dev, &(fm_cache_write){.x = x,
                                  .rows = step_cache_rows(f->s, l->place, cache->class_id),
                                  .cache = stream});
}

static fm_status attend(const forward *f, const model_layer *l, fm_tensor q,
                        const cache_layer *cache, fm_tensor y) {
    return op_attend(l->dev, &(fm_attend){.q = q,
                                          .k = cache->k,
                                          .v = cache->v,
                                          .positions = step_positions(f->s, l->place),
                                          .sequences = step_sequences(f->s, l->place),
                                          .pages = step_pages(f->s, l->place, cache->class_id),
                                          .scale = f->c->softmax_scale,
                                          .window = f->cache->classes[cache->class_id].window,
                                          .y = y});
}

/* ---- Attention ------------------------------------------------------------------------------- */

/** Grouped-query attention: x [T, C] to o [T, H*D]. */
static fm_status attention_gqa(const forward *f, const model_layer *l, const cache_layer *cache,
                               fm_tensor x, fm_tensor o) {
    const config *c = f->c;
    int64_t n_q = (int64_t)c->n_heads * c->head_dim, n_kv = (int64_t)c->n_kv_heads * c->head_dim;
    fm_tensor qkv = now(f, flow(f, l)->in);
    fm_tensor q = tensor_split(columns(qkv, 0, n_q), c->n_heads, c->head_dim);
    fm_tensor k = tensor_split(columns(qkv, n_q, n_kv), c->n_kv_heads, c->head_dim);
    fm_tensor v = tensor_split(columns(qkv, n_q + n_kv, n_kv), c->n_kv_heads, c->head_dim);

    FM_TRY(op_matmul(l->dev, &(fm_matmul){.x = x, .w = l->qkv, .bias = l->in_bias, .y = qkv}));
    FM_TRY(rope(f, l, q, q));
    FM_TRY(rope(f, l, k, k));
    FM_TRY(cache_write(f, l, k, cache, cache->k));
    FM_TRY(cache_write(f, l, v, cache, cache->v));
    return attend(f, l, q, cache, tensor_split(o, c->n_heads, c->head_dim));
}

/** Multi-head latent attention with kv_b absorbed: queries are taken into the latent's space, so
 * that one row [c | k_pe] per token serves all heads as key, and its first part as value. x [T, C]
 * to o [T, H*v_head_dim]. */
static fm_status attention_mla(const forward *f, const model_layer *l, const cache_layer *cache,
                               fm_tensor x, fm_tensor o) {
    const config *c = f->c;
    int64_t n_rank = c->kv_lora_rank, n_rope = c->qk_rope_head_dim, n_nope = c->qk_nope_head_dim;
    bool lora = c->q_lora_rank > 0;
    int64_t n_q = lora ? c->q_lora_rank : (int64_t)c->n_heads * c->head_dim;
    fm_tensor in = now(f, flow(f, l)->in);
    fm_tensor q_in = columns(in, 0, n_q);             /* q_a, or q itself */
    fm_tensor kv = columns(in, n_q, n_rank + n_rope); /* [c | k_pe] */
    fm_tensor k_c = columns(kv, 0, n_rank);           /* [T, kv_lora_rank] */
    fm_tensor kv_row = tensor_split(kv, 1, n_rank + n_rope);
    fm_tensor k_pe = tensor_slice(kv_row, 2, n_rank, n_rope); /* [T, 1, rope] */

    FM_TRY(op_matmul(l->dev, &(fm_matmul){.x = x, .w = l->q_kv_a, .bias = l->in_bias, .y = in}));
    fm_tensor q = q_in;
    if (lora) {
        q = now(f, flow(f, l)->q);
        FM_TRY(norm(l->dev, q_in, l->q_a_norm, c->latent_norm_eps, q_in));
        FM_TRY(op_matmul(l->dev, &(fm_matmul){.x = q_in, .w = l->q_b, .y = q}));
    }
    q = tensor_split(q, c->n_heads, c->head_dim); /* per head [nope | rope] */
    fm_tensor q_nope = tensor_slice(q, 2, 0, n_nope), q_pe = tensor_slice(q, 2, n_nope, n_rope);
    fm_tensor q_abs = now(f, flow(f, l)->q_abs), u = now(f, flow(f, l)->u);

    FM_TRY(norm(l->dev, k_c, l->kv_a_norm, c->latent_norm_eps, k_c));
    FM_TRY(rope(f, l, k_pe, k_pe));
    FM_TRY(cache_write(f, l, kv_row, cache, cache->k));
    FM_TRY(op_matmul_heads(
        l->dev,
        &(fm_matmul_heads){.x = q_nope, .w = l->k_b, .y = tensor_slice(q_abs, 2, 0, n_rank)}));
    FM_TRY(rope(f, l, q_pe, tensor_slice(q_abs, 2, n_rank, n_rope)));
    FM_TRY(attend(f, l, q_abs, cache, u));
    return op_matmul_heads(
        l->dev,
        &(fm_matmul_heads){.x = u, .w = l->v_b, .y = tensor_split(o, c->n_heads, c->v_head_dim)});
}

/* ---- Feed-forward ---------------------------------------------------------------------------- */

/** h += down(silu(gate x) * up x): a dense layer, or the shared experts. */
static fm_status ffn_gated(const forward *f, const model_layer *l, fm_tensor x, fm_tensor h) {
    int64_t width = l->gate_up->rows / 2;
    fm_tensor gate_up = columns(now(f, flow(f, l)->gate_up), 0, 2 * width);
    fm_tensor gate = columns(gate_up, 0, width), up = columns(gate_up, width, width);
    FM_TRY(op_matmul(l->dev,
                     &(fm_matmul){.x = x, .w = l->gate_up, .bias = l->gate_up_bias, .y = gate_up}));
    FM_TRY(op_gate_mul(l->dev, &(fm_gate_mul){.gate = gate, .up = up, .y = gate}));
    return op_matmul(
        l->dev,
        &(fm_matmul){.x = gate, .w = l->down, .bias = l->down_bias, .y = h, .accumulate = true});
}

/** Chooses experts on the device. */
static fm_status route_on_device(const forward *f, const model_layer *l) {
    activations *a = flow(f, l);
    const router_params *p = &f->c->router;
    int64_t n_slots = (int64_t)f->s->n_tokens * p->top_k;
    return op_route(l->dev, &(fm_route){.logits = now(f, a->router_logits),
                                        .bias = l->route_bias,
                                        .n_groups = p->n_groups,
                                        .top_groups = p->top_groups,
                                        .normalize = p->normalize,
                                        .scale = p->scale,
                                        .experts = now(f, a->experts),
                                        .weights = now(f, a->slot_weights),
                                        .offsets = a->offsets,
                                        .row_token = tensor_slice(a->row_token, 0, 0, n_slots),
                                        .slot_row = now(f, a->slot_row)});
}

/** Chooses experts on the host: reads the router's logits, routes, and writes the plan. */
static fm_status route_on_host(const forward *f, const model_layer *l) {
    activations *a = flow(f, l);
    router_params params = f->c->router;
    int32_t n_tokens = f->s->n_tokens, n_slots = n_tokens * params.top_k;
    uint64_t ticket;
    params.bias = l->router_bias;
    FM_TRY(device_submit(l->dev, &ticket));
    FM_TRY(device_wait(l->dev, ticket));
    FM_TRY(device_read(l->dev, now(f, a->router_logits), a->host_logits));
    router_route(&params, a->host_logits, n_tokens, &a->plan);
    FM_TRY(device_write(l->dev, a->offsets, a->plan.offsets));
    FM_TRY(device_write(l->dev, tensor_slice(a->row_token, 0, 0, n_slots), a->plan.row_token));
    FM_TRY(device_write(l->dev, now(f, a->slot_row), a->plan.slot_row));
    return device_write(l->dev, now(f, a->slot_weights), a->plan.weights);
}

/** h += sum over a token's slots of weight * expert(x): rows are gathered by expert, run through
 * the experts' feed-forward, and summed back in slot order. */
static fm_status ffn_experts(const forward *f, const model_layer *l, fm_tensor x, fm_tensor h) {
    activations *a = flow(f, l);
    int64_t width = f->c->moe_intermediate_size;
    int64_t n_rows = (int64_t)f->s->n_tokens * f->c->router.top_k;
    fm_tensor rows = tensor_slice(a->expert_x, 0, 0, n_rows);
    fm_tensor gate_up = tensor_slice(a->expert_gate_up, 0, 0, n_rows);
    fm_tensor gate = columns(gate_up, 0, width), up = columns(gate_up, width, width);
    fm_tensor y = tensor_slice(a->expert_y, 0, 0, n_rows);

    FM_TRY(op_matmul(l->dev, &(fm_matmul){.x = x, .w = l->router, .y = now(f, a->router_logits)}));
    FM_TRY(device_offers_route(l->dev) ? route_on_device(f, l) : route_on_host(f, l));
    FM_TRY(op_gather_rows(
        l->dev,
        &(fm_gather_rows){.x = x, .rows = tensor_slice(a->row_token, 0, 0, n_rows), .y = rows}));
    FM_TRY(op_matmul_experts(
        l->dev, &(fm_matmul_experts){
                    .x = rows, .w = l->experts_gate_up, .offsets = a->offsets, .y = gate_up}));
    FM_TRY(op_gate_mul(l->dev, &(fm_gate_mul){.gate = gate, .up = up, .y = gate}));
    FM_TRY(op_matmul_experts(
        l->dev,
        &(fm_matmul_experts){.x = gate, .w = l->experts_down, .offsets = a->offsets, .y = y}));
    return op_gather_rows(l->dev, &(fm_gather_rows){.x = y,
                                                    .rows = now(f, a->slot_row),
                                                    .weights = now(f, a->slot_weights),
                                                    .y = h,
                                                    .accumulate = true});
}

/* ---- The pass -------------------------------------------------------------------------------- */

/** h += attention(norm(h)); h += ffn(norm(h)). */
static fm_status layer(const forward *f, int32_t i) {
    const config *c = f->c;
    const model_layer *l = &f->w->layers[i];
    const cache_layer *cache = &f->cache->layers[i];
    fm_tensor h = now(f, flow(f, l)->h), x = now(f, flow(f, l)->x), o = now(f, flow(f, l)->o);

    FM_TRY(norm(l->dev, h, l->attn_norm, c->norm_eps, x));
    FM_TRY(c->attention == CONFIG_ATTENTION_MLA ? attention_mla(f, l, cache, x, o)
                                                : attention_gqa(f, l, cache, x, o));
    FM_TRY(op_matmul(
        l->dev, &(fm_matmul){.x = o, .w = l->o, .bias = l->o_bias, .y = h, .accumulate = true}));
    FM_TRY(norm(l->dev, h, l->ffn_norm, c->norm_eps, x));
    if (l->router) FM_TRY(ffn_experts(f, l, x, h));
    return l->gate_up ? ffn_gated(f, l, x, h) : FM_OK;
}

/** Brings h from the device before to that of run i. */
static fm_status move(const forward *f, int32_t i) {
    const activations *from = &f->a[i - 1], *to = &f->a[i];
    return device_move(to->dev, now(f, to->h), from->dev, now(f, from->h), f->through);
}

static fm_status embed(const forward *f) {
    return op_embed(
        f->a->dev,
        &(fm_embed){.tokens = step_tokens(f->s, 0), .table = f->w->embed, .y = now(f, f->a->h)});
}

static fm_status encode_layers(const forward *f, const placement_run *run) {
    if (run->first_layer == 0) FM_TRY(embed(f));
    for (int32_t n = 0; n < run->n_layers; n++) FM_TRY(layer(f, run->first_layer + n));
    return FM_OK;
}

/** Whether the host has no part in a run of layers, so that it can be kept: no router waits there.
 */
static bool runs_by_itself(const forward *f, const placement_run *run) {
    if (device_offers_route(run->dev)) return true;
    for (int32_t n = 0; n < run->n_layers; n++)
        if (f->w->layers[run->first_layer + n].router) return false;
    return true;
}

/** The layers of one device, a stretch that the number of tokens decides. What else changes from
 * step to step lies in the step's buffers. */
static fm_status run_layers(const forward *f, int32_t i) {
    const placement_run *run = &f->places->runs[i];
    const fm_record_key key = {.owner = &f->a[i], .sizes = {f->s->n_tokens}};
    bool kept;
    if (!runs_by_itself(f, run)) return encode_layers(f, run);
    FM_TRY(device_record(run->dev, &key, &kept));
    if (kept) return FM_OK;
    FM_TRY(encode_layers(f, run));
    return device_record_end(run->dev);
}

fm_status forward_layers(const forward *f) {
    for (int32_t i = 0; i < f->places->n; i++) {
        if (i > 0) FM_TRY(move(f, i));
        FM_TRY(run_layers(f, i));
    }
    return FM_OK;
}

/** What flows behind the last layer. */
static activations *outflow(const forward *f) {
    return &f->a[f->places->n - 1];
}

fm_tensor forward_logits(const forward *f, int32_t n_rows) {
    return tensor_slice(outflow(f)->logits, 0, 0, n_rows);
}

static fm_status encode_head(const forward *f, int32_t n_rows) {
    activations *a = outflow(f);
    fm_tensor out_rows = tensor_slice(a->out_rows, 0, 0, n_rows);
    fm_tensor out_h = tensor_slice(a->out_h, 0, 0, n_rows);
    FM_TRY(op_gather_rows(a->dev, &(fm_gather_rows){.x = a->h, .rows = out_rows, .y = out_h}));
    FM_TRY(norm(a->dev, out_h, f->w->out_norm, f->c->norm_eps, out_h));
    return op_matmul(a->dev,
                     &(fm_matmul){.x = out_h, .w = f->w->head, .y = forward_logits(f, n_rows)});
}

fm_status forward_head(const forward *f, const int32_t *rows, int32_t n_rows) {
    activations *a = outflow(f);
    const fm_record_key key = {.owner = a, .sizes = {0, n_rows}}; /* 0: no layers of that owner */
    bool kept;
    FM_TRY(device_write(a->dev, tensor_slice(a->out_rows, 0, 0, n_rows), rows));
    FM_TRY(device_record(a->dev, &key, &kept));
    if (kept) return FM_OK;
    FM_TRY(encode_head(f, n_rows));
    return device_record_end(a->dev);
}

fm_status forward_finish(const forward *f) {
    return placement_settle(f->places);
}
