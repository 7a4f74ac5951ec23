/*
 * weights.h - a model's weights: which tensors of a checkpoint make which weight, loaded to the
 * devices of their layers. model_weights owns what it loaded; the checkpoint's files stay mapped
 * for as long as it lives, since a device may read them in place.
 */
#ifndef FATHOM_MODEL_WEIGHTS_H
#define FATHOM_MODEL_WEIGHTS_H

#include "../backend.h"
#include "../data/safetensors.h"
#include "config.h"
#include "placement.h"

/** One decoder layer. What its kind of layer lacks is NULL or has buf NULL. Matrices are [out, in];
 *  stacked ones say in which order. C hidden size, H heads, G key-value heads, D head dim, I
 *  intermediate size, E experts. */
typedef struct model_layer {
    fm_device *dev;      /* where the layer's weights lie and its operations run */
    int32_t place;       /* the index of that in the placement */
    fm_tensor attn_norm; /* [C] */
    fm_tensor ffn_norm;  /* [C] */

    fm_weight *qkv; /* GQA: q [H*D], k [G*D], v [G*D] */
    fm_weight
        *q_kv_a; /* MLA: q_a [q_lora_rank], or without it q [H*D]; kv_a [kv_lora_rank + rope] */
    fm_tensor in_bias;   /* of qkv or q_kv_a */
    fm_tensor q_a_norm;  /* MLA: [q_lora_rank] */
    fm_tensor kv_a_norm; /* MLA: [kv_lora_rank] */
    fm_weight *q_b;      /* MLA: [H*D, q_lora_rank] */
    fm_weight *k_b;      /* MLA: per head [kv_lora_rank, nope], kv_b's key half transposed */
    fm_weight *v_b;      /* MLA: per head [v_head_dim, kv_lora_rank] */
    fm_weight *o;        /* [C, H*Dv] */
    fm_tensor o_bias;    /* [C] */

    fm_weight *gate_up;     /* gate [I], up [I]: of a dense layer, or of the shared experts */
    fm_tensor gate_up_bias; /* [2 I] */
    fm_weight *down;        /* [C, I] */
    fm_tensor down_bias;    /* [C] */

    fm_weight *router;          /* MoE: [E, C] */
    const float *router_bias;   /* MoE: [E] on the host; owned by model_weights */
    fm_tensor route_bias;       /* the same on the device, where that routes */
    fm_weight *experts_gate_up; /* MoE: per expert gate, up */
    fm_weight *experts_down;    /* MoE: per expert */
} model_layer;

typedef struct model_weights {
    fm_weight *embed; /* [V, C] where the first layer is */
    fm_weight *head; /* [V, C] where the last one is; when tied the embedding itself, or its twin */
    fm_tensor out_norm; /* [C] there, too */
    model_layer *layers;

    struct weights_owned *owned;
    uint64_t n_params;        /* elements of all tensors that were used */
    uint64_t n_params_active; /* of these, read for one token */
    uint64_t bytes_in_place;  /* used bytes of the files that devices read where they lie */
    uint64_t bytes_copied;    /* device memory beyond that */
} model_weights;

/** Finds and checks every tensor of the model: a missing one or a wrong shape is FM_ERR_FORMAT with
 * its name. With a placement it also loads them, in format `dtype` (FM_DTYPE_COUNT: as the files
 * have them; norms, biases and routers always keep their own). `used` [safetensors_count] is set
 * for each tensor that the model uses; may be NULL. With `places` NULL all weights stay NULL. */
fm_status weights_load(const config *c, const safetensors *files, const placement *places,
                       fm_dtype dtype, bool *used, model_weights *out, fm_error *err);

/** Frees what weights_load made; the devices must still be open. A zeroed struct is allowed. */
void weights_free(model_weights *w);

#endif
