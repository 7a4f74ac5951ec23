/* fingerprint.c - hashes the description and a sample of the weights. */
#include "fingerprint.h"

#include <string.h>
#include <xxhash.h>

enum { SAMPLE = 256 }; /* bytes from the middle of each tensor: few pages of the file are touched */

static void add_counts(XXH3_state_t *h, const config *c) {
    const router_params *r = &c->router;
    const int32_t counts[] = {
        c->n_layers,
        c->hidden_size,
        c->vocab_size,
        (int32_t)c->attention,
        c->n_heads,
        c->n_kv_heads,
        c->head_dim,
        c->attention_bias,
        c->attention_out_bias,
        c->q_lora_rank,
        c->kv_lora_rank,
        c->qk_nope_head_dim,
        c->qk_rope_head_dim,
        c->v_head_dim,
        c->intermediate_size,
        c->mlp_bias,
        c->first_k_dense_replace,
        c->moe_layer_freq,
        c->moe_intermediate_size,
        c->n_shared_experts,
        r->n_experts,
        r->top_k,
        r->n_groups,
        r->top_groups,
        r->normalize,
        c->tie_word_embeddings,
    };
    XXH3_128bits_update(h, counts, sizeof counts);
    for (int32_t i = 0; i < c->n_layers; i++) {
        int32_t window = config_layer_window(c, i);
        XXH3_128bits_update(h, &window, sizeof window);
    }
}

static void add_reals(XXH3_state_t *h, const config *c) {
    float frequencies[ROPE_MAX_DIM / 2];
    const float reals[] = {c->norm_eps, c->softmax_scale, c->latent_norm_eps, c->router.scale,
                           (float)c->rope.magnitude};
    const int32_t pairing = (int32_t)c->rope.pairing;
    rope_frequencies(&c->rope, frequencies);
    XXH3_128bits_update(h, reals, sizeof reals);
    XXH3_128bits_update(h, &pairing, sizeof pairing);
    XXH3_128bits_update(h, frequencies, (size_t)c->rope.dim / 2 * sizeof *frequencies);
}

static void add_tensor(XXH3_state_t *h, const st_tensor *t) {
    size_t n = t->n_bytes < SAMPLE ? t->n_bytes : SAMPLE;
    const uint8_t *middle = (const uint8_t *)t->data + (t->n_bytes - n) / 2;
    const int64_t shape[] = {t->dtype, t->n_dims, (int64_t)t->n_bytes};
    XXH3_128bits_update(h, t->name, strlen(t->name) + 1);
    XXH3_128bits_update(h, shape, sizeof shape);
    XXH3_128bits_update(h, t->size, (size_t)t->n_dims * sizeof *t->size);
    if (n > 0) XXH3_128bits_update(h, middle, n);
}

fm_status model_fingerprint(const fm_model *m, uint8_t out[FINGERPRINT_SIZE], fm_error *err) {
    const fm_checkpoint *c = m->checkpoint;
    const int32_t formats[] = {(int32_t)m->weights.embed->dtype, (int32_t)m->cache_dtype};
    XXH128_canonical_t canonical;
    XXH3_state_t *h = XXH3_createState();
    if (!h) return error_set(err, FM_ERR_MEMORY, "out of memory for a fingerprint");
    XXH3_128bits_reset(h);
    XXH3_128bits_update(h, formats, sizeof formats);
    add_counts(h, &c->config);
    add_reals(h, &c->config);
    for (size_t i = 0; i < safetensors_count(c->files); i++)
        if (c->used[i]) add_tensor(h, safetensors_at(c->files, i));
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h));
    memcpy(out, canonical.digest, FINGERPRINT_SIZE);
    XXH3_freeState(h);
    return FM_OK;
}
