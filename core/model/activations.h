/*
 * activations.h - the tensors that flow through a layer, sized for the largest step. Inference uses
 * one set for all layers that a device has. Owns its buffers. Widths: C hidden size, H heads, D
 * head dim, I intermediate size, E experts, K experts per token, V vocabulary, L rows of logits at
 * a time.
 */
#ifndef FATHOM_MODEL_ACTIVATIONS_H
#define FATHOM_MODEL_ACTIVATIONS_H

#include "../backend.h"
#include "config.h"
#include "placement.h"

enum {
    ACTIVATIONS_LOGIT_ROWS = 32, /* L */
    ACTIVATIONS_MAX_BUFS = 24,
};

typedef struct activations {
    fm_device *dev;
    fm_tensor h; /* [T, C] the residual stream */
    fm_tensor x; /* [T, C] its norm */

    fm_tensor in;    /* GQA: [T, q | k | v]; MLA: [T, q_a or q | c | k_pe] */
    fm_tensor q;     /* MLA with q_lora: [T, H*D] */
    fm_tensor q_abs; /* MLA: [T, H, kv_lora_rank + rope], queries in the latent's space */
    fm_tensor u;     /* MLA: [T, H, kv_lora_rank], attended latents */
    fm_tensor o;     /* [T, H*Dv] attention's output by head */

    fm_tensor gate_up; /* [T, 2 I], the widest dense or shared feed-forward */

    fm_tensor router_logits;  /* MoE: [T, E] */
    fm_tensor expert_x;       /* MoE: [T*K, C] rows sorted by expert */
    fm_tensor expert_gate_up; /* MoE: [T*K, 2 I] */
    fm_tensor expert_y;       /* MoE: [T*K, C] */
    fm_tensor offsets;        /* MoE: i32 [E + 1]; these four are the router's plan on the device */
    fm_tensor row_token;      /* MoE: i32 [T*K, 1] */
    fm_tensor slot_row;       /* MoE: i32 [T, K] */
    fm_tensor slot_weights;   /* MoE: [T, K] */
    fm_tensor experts;        /* MoE: i32 [T, K], where the device routes */
    router_plan plan;         /* MoE: the plan on the host, where the host does */
    float *host_logits;       /* MoE: [T, E], the same */

    /* where the last layer is */
    fm_tensor out_rows; /* i32 [L, 1] tokens whose logits are asked for */
    fm_tensor out_h;    /* [L, C] */
    fm_tensor logits;   /* [L, V] */

    fm_buf *bufs[ACTIVATIONS_MAX_BUFS];
    int32_t n_bufs;
} activations;

/** What a run of the model's layers needs on its device. */
fm_status activations_new(const config *c, const placement_run *run, int32_t max_tokens,
                          activations *out, fm_error *err);
void activations_free(activations *a);

#endif
