/*
 * synthetic_model.c - writes a llama checkpoint of random bf16 weights, larger than any cache of
 * the machine: what a step's time depends on is sizes and bytes, not what the weights know.
 *
 *   synthetic_model DIR    writes config.json and model.safetensors there, 709 MB
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/half.h"

enum {
    HIDDEN = 2048,
    INTERMEDIATE = 5632,
    LAYERS = 5,
    HEADS = 32,
    KV_HEADS = 4,
    HEAD_DIM = HIDDEN / HEADS,
    VOCAB = 32768,
    MAX_TENSORS = 9 * LAYERS + 3,
    ROW_MAX = INTERMEDIATE, /* columns of the widest matrix */
};

typedef struct tensor {
    char name[80];
    int64_t rows, cols; /* cols 0: a vector of ones */
} tensor;

typedef struct model {
    tensor tensors[MAX_TENSORS];
    int n;
} model;

static void add(model *m, const char *name, int64_t rows, int64_t cols) {
    tensor *t = &m->tensors[m->n++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows;
    t->cols = cols;
}

static void add_layer(model *m, int i) {
    static const struct {
        const char *name;
        int64_t rows, cols;
    } parts[] = {{"input_layernorm", HIDDEN, 0},
                 {"self_attn.q_proj", HEADS * HEAD_DIM, HIDDEN},
                 {"self_attn.k_proj", KV_HEADS * HEAD_DIM, HIDDEN},
                 {"self_attn.v_proj", KV_HEADS * HEAD_DIM, HIDDEN},
                 {"self_attn.o_proj", HIDDEN, HEADS * HEAD_DIM},
                 {"post_attention_layernorm", HIDDEN, 0},
                 {"mlp.gate_proj", INTERMEDIATE, HIDDEN},
                 {"mlp.up_proj", INTERMEDIATE, HIDDEN},
                 {"mlp.down_proj", HIDDEN, INTERMEDIATE}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char name[80];
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, parts[p].name);
        add(m, name, parts[p].rows, parts[p].cols);
    }
}

static uint64_t tensor_bytes(const tensor *t) {
    return 2 * (uint64_t)t->rows * (uint64_t)(t->cols ? t->cols : 1);
}

/** The header, padded with spaces so that the data behind it begin at a multiple of 64. */
static bool write_header(FILE *f, const model *m) {
    static char text[MAX_TENSORS * 200];
    size_t n = 8;
    uint64_t at = 0;
    for (int i = 0; i < m->n; i++) {
        const tensor *t = &m->tensors[i];
        uint64_t end = at + tensor_bytes(t);
        char shape[48];
        snprintf(shape, sizeof shape, t->cols ? "%" PRId64 ",%" PRId64 : "%" PRId64, t->rows,
                 t->cols);
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%c\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],"
                              "\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
                              i == 0 ? '{' : ',', t->name, shape, at, end);
        at = end;
    }
    text[n++] = '}';
    while (n % 64 != 0) text[n++] = ' ';
    for (size_t i = 0; i < 8; i++) text[i] = (char)((n - 8) >> (8 * i));
    return fwrite(text, 1, n, f) == n;
}

/** Evenly spread in ±0.05: about what trained matrices of this width have. */
static float draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((float)(*state >> 40) / (float)(1 << 23) - 1.0f) * 0.05f;
}

static bool write_tensor(FILE *f, const tensor *t, uint64_t *random) {
    uint16_t row[ROW_MAX];
    size_t n = (size_t)(t->cols ? t->cols : t->rows);
    for (int64_t r = 0; r < (t->cols ? t->rows : 1); r++) {
        for (size_t i = 0; i < n; i++) row[i] = half_bf16_round(t->cols ? draw(random) : 1.0f);
        if (fwrite(row, sizeof *row, n, f) != n) return false;
    }
    return true;
}

static bool write_weights(FILE *f) {
    model m = {.n = 0};
    uint64_t random = 1;
    add(&m, "model.embed_tokens.weight", VOCAB, HIDDEN);
    for (int i = 0; i < LAYERS; i++) add_layer(&m, i);
    add(&m, "model.norm.weight", HIDDEN, 0);
    add(&m, "lm_head.weight", VOCAB, HIDDEN);
    bool ok = write_header(f, &m);
    for (int i = 0; ok && i < m.n; i++) ok = write_tensor(f, &m.tensors[i], &random);
    return ok;
}

static bool write_config(FILE *f) {
    return fprintf(
               f,
               "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\",\n"
               " \"hidden_size\": %d, \"intermediate_size\": %d, \"num_hidden_layers\": %d,\n"
               " \"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"vocab_size\": %d,\n"
               " \"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0,\n"
               " \"max_position_embeddings\": 4096, \"tie_word_embeddings\": false,\n"
               " \"bos_token_id\": 1, \"eos_token_id\": 2, \"torch_dtype\": \"bfloat16\"}\n",
               HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, VOCAB) > 0;
}

static bool write_file(const char *dir, const char *name, bool (*write)(FILE *f)) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = n > 0 && n < (int)sizeof path ? fopen(path, "wb") : NULL;
    bool ok = f && write(f);
    if (f && fclose(f) != 0) ok = false;
    if (!ok) fprintf(stderr, "synthetic_model: %s/%s cannot be written\n", dir, name);
    return ok;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: synthetic_model DIR\n");
        return 2;
    }
    return write_file(argv[1], "config.json", write_config) &&
                   write_file(argv[1], "model.safetensors", write_weights)
               ? 0
               : 1;
}
