/*
 * test_config.c - descriptions of published models, all fields, and their variants.
 */
#include <math.h>

#include "support/config_text.h"
#include "support/expect.h"

/* ---- Published files, all fields ------------------------------------------------------------- */

/* X(field): every whole number and flag of a description. */
#define WHOLE_FIELDS(X)                                                                            \
    X(n_layers)                                                                                    \
    X(hidden_size)                                                                                 \
    X(vocab_size)                                                                                  \
    X(max_position_embeddings)                                                                     \
    X(tie_word_embeddings)                                                                         \
    X(attention)                                                                                   \
    X(n_heads)                                                                                     \
    X(n_kv_heads)                                                                                  \
    X(head_dim)                                                                                    \
    X(attention_bias)                                                                              \
    X(attention_out_bias)                                                                          \
    X(sliding_window)                                                                              \
    X(q_lora_rank)                                                                                 \
    X(kv_lora_rank)                                                                                \
    X(qk_nope_head_dim)                                                                            \
    X(qk_rope_head_dim)                                                                            \
    X(v_head_dim)                                                                                  \
    X(rope.dim)                                                                                    \
    X(rope.pairing)                                                                                \
    X(rope.scaling)                                                                                \
    X(rope.truncate)                                                                               \
    X(intermediate_size)                                                                           \
    X(mlp_bias)                                                                                    \
    X(first_k_dense_replace)                                                                       \
    X(moe_layer_freq)                                                                              \
    X(moe_intermediate_size)                                                                       \
    X(n_shared_experts)                                                                            \
    X(router_has_bias)                                                                             \
    X(router.n_experts)                                                                            \
    X(router.top_k)                                                                                \
    X(router.n_groups)                                                                             \
    X(router.top_groups)                                                                           \
    X(router.normalize)                                                                            \
    X(n_end_ids)

#define REAL_FIELDS(X)                                                                             \
    X(norm_eps)                                                                                    \
    X(softmax_scale)                                                                               \
    X(latent_norm_eps)                                                                             \
    X(rope.base)                                                                                   \
    X(rope.factor)                                                                                 \
    X(rope.original_context)                                                                       \
    X(rope.low_freq_factor)                                                                        \
    X(rope.high_freq_factor)                                                                       \
    X(rope.beta_fast)                                                                              \
    X(rope.beta_slow)                                                                              \
    X(rope.magnitude)                                                                              \
    X(router.scale)

static void expect_config(const char *name, const config *got, const config *want) {
#define EXPECT_WHOLE(field)                                                                        \
    if ((int64_t)got->field != (int64_t)want->field)                                               \
        fail_msg("%s: " #field " is %lld, not %lld", name, (long long)got->field,                  \
                 (long long)want->field);
#define EXPECT_REAL(field)                                                                         \
    if (!(fabs((double)got->field - (double)want->field) <= 1e-6 * fabs((double)want->field)))     \
        fail_msg("%s: " #field " is %g, not %g", name, (double)got->field, (double)want->field);
    assert_string_equal(got->model_type, want->model_type);
    WHOLE_FIELDS(EXPECT_WHOLE)
    REAL_FIELDS(EXPECT_REAL)
    for (int32_t i = 0; i < want->n_end_ids; i++)
        assert_int_equal(got->end_ids[i], want->end_ids[i]);
}

/** What the published llama descriptions have in common. */
#define LLAMA                                                                                      \
    .model_type = "llama", .hidden_size = 4096, .norm_eps = 1e-6f,                                 \
    .attention = CONFIG_ATTENTION_GQA, .n_heads = 32, .n_kv_heads = 32, .head_dim = 128,           \
    .softmax_scale = 0.08838835f, .intermediate_size = 11008, .moe_layer_freq = 1, .n_end_ids = 1

static const struct published {
    const char *name, *edits;
    config want;
} published[] = {
    {"deepseek_llm_7b",
     "",
     {LLAMA, .n_layers = 30, .vocab_size = 102400, .max_position_embeddings = 4096,
      .rope = {.dim = 128, .base = 1e4, .magnitude = 1}, .first_k_dense_replace = 30,
      .end_ids = {100001}}},
    {"deepseek_coder_6.7b",
     "",
     {LLAMA, .n_layers = 32, .vocab_size = 32256, .max_position_embeddings = 16384,
      .rope = {.dim = 128,
               .base = 1e5,
               .scaling = ROPE_SCALING_LINEAR,
               .factor = 4,
               .original_context = 16384,
               .magnitude = 1},
      .first_k_dense_replace = 32, .end_ids = {32014}}},
    {"r1_distill_llama_8b",
     "",
     {.model_type = "llama",
      .n_layers = 32,
      .hidden_size = 4096,
      .vocab_size = 128256,
      .max_position_embeddings = 131072,
      .norm_eps = 1e-5f,
      .attention = CONFIG_ATTENTION_GQA,
      .n_heads = 32,
      .n_kv_heads = 8,
      .head_dim = 128,
      .softmax_scale = 0.08838835f,
      .rope = {.dim = 128,
               .base = 5e5,
               .scaling = ROPE_SCALING_LLAMA3,
               .factor = 8,
               .original_context = 8192,
               .low_freq_factor = 1,
               .high_freq_factor = 4,
               .magnitude = 1},
      .intermediate_size = 14336,
      .first_k_dense_replace = 32,
      .moe_layer_freq = 1,
      .end_ids = {128001},
      .n_end_ids = 1}},
    {"r1_distill_qwen_7b",
     "",
     {.model_type = "qwen2",
      .n_layers = 28,
      .hidden_size = 3584,
      .vocab_size = 152064,
      .max_position_embeddings = 131072,
      .norm_eps = 1e-6f,
      .attention = CONFIG_ATTENTION_GQA,
      .n_heads = 28,
      .n_kv_heads = 4,
      .head_dim = 128,
      .attention_bias = true,
      .softmax_scale = 0.08838835f,
      .rope = {.dim = 128, .base = 1e4, .magnitude = 1},
      .intermediate_size = 18944,
      .first_k_dense_replace = 28,
      .moe_layer_freq = 1,
      .end_ids = {151643},
      .n_end_ids = 1}},
    {"deepseek_v3",
     "quantization_config",
     {.model_type = "deepseek_v3",
      .n_layers = 61,
      .hidden_size = 7168,
      .vocab_size = 129280,
      .max_position_embeddings = 163840,
      .norm_eps = 1e-6f,
      .attention = CONFIG_ATTENTION_MLA,
      .n_heads = 128,
      .n_kv_heads = 1,
      .head_dim = 192,
      .softmax_scale = 0.1352338f,
      .q_lora_rank = 1536,
      .kv_lora_rank = 512,
      .qk_nope_head_dim = 128,
      .qk_rope_head_dim = 64,
      .v_head_dim = 128,
      .latent_norm_eps = 1e-6f,
      .rope = {.dim = 64,
               .base = 1e4,
               .pairing = FM_ROPE_PAIRING_INTERLEAVED,
               .scaling = ROPE_SCALING_YARN,
               .factor = 40,
               .original_context = 4096,
               .beta_fast = 32,
               .beta_slow = 1,
               .truncate = true,
               .magnitude = 1},
      .intermediate_size = 18432,
      .first_k_dense_replace = 3,
      .moe_layer_freq = 1,
      .moe_intermediate_size = 2048,
      .n_shared_experts = 1,
      .router_has_bias = true,
      .router = {.n_experts = 256,
                 .top_k = 8,
                 .n_groups = 8,
                 .top_groups = 4,
                 .normalize = true,
                 .scale = 2.5f},
      .end_ids = {1},
      .n_end_ids = 1}},
};

static void config_published_files_are_read_in_all_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const config c = config_text_get(published[i].name, published[i].edits);
        expect_config(published[i].name, &c, &published[i].want);
    }
}

/** The newer layout of the same descriptions: theta and scaling in rope_parameters, "dtype". */
static void config_rope_parameters_of_newer_files_mean_the_same(void **state) {
    (void)state;
    static const char *const newer[] = {
        "rope_theta;rope_scaling;dtype=\"bfloat16\";"
        "rope_parameters={\"rope_theta\":10000.0,\"rope_type\":\"default\"}",
        "rope_theta;rope_scaling;"
        "rope_parameters={\"rope_theta\":100000,\"rope_type\":\"linear\",\"factor\":4.0}",
        "rope_theta;rope_scaling=null;rope_parameters={\"rope_theta\":500000.0,\"factor\":8.0,"
        "\"rope_type\":\"llama3\",\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
        "\"original_max_position_embeddings\":8192}",
        "rope_theta;rope_parameters={\"rope_theta\":10000,\"rope_type\":\"default\"}",
        "quantization_config;rope_theta;rope_scaling;rope_interleave=true;rope_parameters={"
        "\"rope_theta\":10000,\"factor\":40,\"rope_type\":\"yarn\",\"beta_fast\":32,"
        "\"beta_slow\":1,\"mscale\":1.0,\"mscale_all_dim\":1.0,"
        "\"original_max_position_embeddings\":4096}",
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const config c = config_text_get(published[i].name, newer[i]);
        expect_config(published[i].name, &c, &published[i].want);
    }
}

/* ---- Absent keys and variants ---------------------------------------------------------------- */

static void config_absent_keys_take_the_references_defaults(void **state) {
    (void)state;
    config c = config_text_get("deepseek_llm_7b",
                               "rms_norm_eps;rope_theta;rope_scaling;max_position_embeddings;"
                               "num_key_value_heads;tie_word_embeddings;hidden_act;eos_token_id");
    assert_true(c.norm_eps == 1e-6f && c.rope.base == 10000.0 && !c.tie_word_embeddings);
    assert_int_equal(c.max_position_embeddings, 2048);
    assert_int_equal(c.n_kv_heads, 32);
    assert_int_equal(c.n_end_ids, 0);
    c = config_text_get("deepseek_v3",
                        "quantization_config;n_group;topk_group;norm_topk_prob;moe_layer_freq;"
                        "routed_scaling_factor;n_shared_experts;first_k_dense_replace;q_lora_rank;"
                        "scoring_func;topk_method;rope_scaling/beta_fast;rope_scaling/beta_slow");
    assert_int_equal(c.router.n_groups, 1);
    assert_int_equal(c.router.top_groups, 1);
    assert_true(c.router.normalize && c.router.scale == 1.0f);
    assert_int_equal(c.n_shared_experts, 0);
    assert_int_equal(c.first_k_dense_replace, 0);
    assert_int_equal(c.moe_layer_freq, 1);
    assert_int_equal(c.q_lora_rank, 0);
    assert_true(c.rope.beta_fast == 32.0 && c.rope.beta_slow == 1.0);
}

static void config_optional_parts_are_read(void **state) {
    (void)state;
    config c = config_text_get("deepseek_llm_7b", "head_dim=64;attention_bias=true;mlp_bias=true;"
                                                  "tie_word_embeddings=true;num_key_value_heads=4");
    assert_int_equal(c.head_dim, 64);
    assert_int_equal(c.rope.dim, 64);
    assert_int_equal(c.n_kv_heads, 4);
    assert_true(c.softmax_scale == 0.125f);
    assert_true(c.attention_bias && c.attention_out_bias && c.mlp_bias && c.tie_word_embeddings);
    c = config_text_get("deepseek_v3", "quantization_config;rope_interleave=false");
    assert_int_equal(c.rope.pairing, FM_ROPE_PAIRING_HALF);
    c = config_text_get("deepseek_v3", "quantization_config=null;n_routed_experts");
    for (int32_t i = 0; i < c.n_layers; i++)
        assert_int_equal(config_layer_ffn(&c, i), CONFIG_FFN_DENSE);
}

static void config_layers_are_moe_from_the_first_and_at_the_frequency(void **state) {
    (void)state;
    static const struct {
        const char *edits;
        const char *layers; /* of the first ten: d dense, m MoE */
    } cases[] = {
        {"", "dddmmmmmmm"},
        {"first_k_dense_replace=0", "mmmmmmmmmm"},
        {"first_k_dense_replace=1;moe_layer_freq=2", "ddmdmdmdmd"},
        {"first_k_dense_replace=4;moe_layer_freq=3", "ddddddmddm"},
        {"first_k_dense_replace=2000000000", "dddddddddd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char edits[128], layers[11] = {0};
        snprintf(edits, sizeof edits, "quantization_config;%s", cases[i].edits);
        const config c = config_text_get("deepseek_v3", edits);
        for (int32_t l = 0; l < 10; l++)
            layers[l] = config_layer_ffn(&c, l) == CONFIG_FFN_MOE ? 'm' : 'd';
        assert_string_equal(layers, cases[i].layers);
    }
}

/* ---- Windows and the block of qwen2 and mistral --------------------------------------------- */

#define TYPES(...) "layer_types=[" #__VA_ARGS__ "]"

static void config_windows_are_in_the_layers_that_the_file_says(void **state) {
    (void)state;
    static const struct {
        const char *edits; /* of a qwen2 of four layers */
        int32_t window;
        const char *layers; /* f full, s sliding */
    } cases[] = {
        {"use_sliding_window=false;max_window_layers=0", 4096, "ffff"},
        {"use_sliding_window;max_window_layers=0", 4096, "ffff"},
        {"use_sliding_window=false;sliding_window=-7;max_window_layers=\"x\"", 1, "ffff"},
        {"use_sliding_window=true;max_window_layers=0", 4096, "ssss"},
        {"use_sliding_window=true;max_window_layers=3;sliding_window=17", 17, "fffs"},
        {"use_sliding_window=true;max_window_layers=4", 4096, "ffff"},
        {"use_sliding_window=true;max_window_layers=2000000000", 4096, "ffff"},
        {"use_sliding_window=true;max_window_layers", 4096, "ffff"},
        {"use_sliding_window=true;max_window_layers=1;sliding_window", 4096, "fsss"},
        {"use_sliding_window=true;max_window_layers=1;sliding_window=null", 1, "ffff"},
        {"use_sliding_window=true;max_window_layers=1;layer_types=null", 4096, "fsss"},
        {"use_sliding_window=true;max_window_layers=0;" TYPES(
             "full_attention", "full_attention", "sliding_attention", "full_attention"),
         4096, "ffsf"},
        {"use_sliding_window=false;" TYPES("full_attention", "full_attention", "full_attention",
                                           "full_attention"),
         4096, "ffff"},
        {"model_type=\"mistral\";sliding_window=100", 100, "ssss"},
        {"model_type=\"mistral\";sliding_window", 4096, "ssss"},
        {"model_type=\"mistral\";sliding_window=null", 1, "ffff"},
        {"model_type=\"llama\";use_sliding_window=true;max_window_layers=0", 1, "ffff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char edits[256], layers[5] = {0};
        snprintf(edits, sizeof edits, "num_hidden_layers=4;%s", cases[i].edits);
        const config c = config_text_get("r1_distill_qwen_7b", edits);
        for (int32_t l = 0; l < 4; l++) {
            int32_t window = config_layer_window(&c, l);
            layers[l] = window == 0 ? 'f' : window == cases[i].window ? 's' : '?';
        }
        if (strcmp(layers, cases[i].layers) != 0)
            fail_msg("%s: layers are %s, not %s", edits, layers, cases[i].layers);
    }
}

static void config_qwen2_and_mistral_have_their_own_biases_and_defaults(void **state) {
    (void)state;
    config c = config_text_get("r1_distill_qwen_7b", "attention_bias=false;mlp_bias=true");
    assert_true(c.attention_bias && !c.attention_out_bias && !c.mlp_bias);
    c = config_text_get("r1_distill_qwen_7b", "max_position_embeddings;num_attention_heads=64;"
                                              "num_key_value_heads");
    assert_int_equal(c.max_position_embeddings, 32768);
    assert_int_equal(c.n_kv_heads, 32);
    c = config_text_get("r1_distill_qwen_7b", "num_key_value_heads=null");
    assert_int_equal(c.n_kv_heads, 28);
    c = config_text_get("deepseek_llm_7b", "model_type=\"mistral\";attention_bias=true;"
                                           "mlp_bias=true;max_position_embeddings;"
                                           "num_key_value_heads");
    assert_true(!c.attention_bias && !c.attention_out_bias && !c.mlp_bias);
    assert_int_equal(c.max_position_embeddings, 131072);
    assert_int_equal(c.n_kv_heads, 8);
}

/* ---- End tokens ------------------------------------------------------------------------------ */

static void expect_end_ids(const config *c, int32_t n, const int32_t *ids) {
    assert_int_equal(c->n_end_ids, n);
    for (int32_t i = 0; i < n; i++) assert_int_equal(c->end_ids[i], ids[i]);
}

static fm_status parse_generation(const char *text, config *c, fm_error *err) {
    json_doc *doc;
    const json_limits limits = {.max_bytes = 1 << 16, .max_depth = 8};
    assert_int_equal(json_parse("generation", text, strlen(text), limits, &doc, NULL), FM_OK);
    fm_status status = config_parse_generation(json_root(doc), c, err);
    json_free(doc);
    return status;
}

/** What the two files name, and which end tokens hold. */
static const struct end_case {
    const char *edits, *generation;
    int32_t n, ids[8];
} end_cases[] = {
    {"eos_token_id=7", "{}", 1, {7}},
    {"eos_token_id=[7,8,9]", "{}", 3, {7, 8, 9}},
    {"eos_token_id=[]", "{}", 0, {0}},
    {"eos_token_id=[1,2,3,4,5,6,7,8]", "{}", 8, {1, 2, 3, 4, 5, 6, 7, 8}},
    {"eos_token_id=null", "{}", 0, {0}},
    {"eos_token_id", "{}", 0, {0}},
    {"eos_token_id=7", "{\"eos_token_id\": 5}", 1, {5}},
    {"eos_token_id=[7,8,9]", "{\"eos_token_id\": [5, 6]}", 2, {5, 6}},
    {"eos_token_id", "{\"eos_token_id\": [5, 6]}", 2, {5, 6}},
    {"eos_token_id=7", "{\"eos_token_id\": null, \"temperature\": 0.6}", 1, {7}},
};

static void config_end_tokens_come_from_both_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof end_cases / sizeof *end_cases; i++) {
        config c = config_text_get("deepseek_llm_7b", end_cases[i].edits);
        assert_int_equal(parse_generation(end_cases[i].generation, &c, NULL), FM_OK);
        expect_end_ids(&c, end_cases[i].n, end_cases[i].ids);
    }
}

static void config_broken_end_tokens_of_generation_are_refused(void **state) {
    (void)state;
    static const char *const broken[] = {
        "{\"eos_token_id\": -1}",      "{\"eos_token_id\": \"</s>\"}",
        "{\"eos_token_id\": [1, -1]}", "{\"eos_token_id\": [1.5]}",
        "{\"eos_token_id\": [[1]]}",   "{\"eos_token_id\": [1,2,3,4,5,6,7,8,9]}",
        "{\"eos_token_id\": true}",    "{\"eos_token_id\": {}}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        fm_error err = {0};
        config c = config_text_get("deepseek_llm_7b", "");
        expect_error(broken[i], parse_generation(broken[i], &c, &err), &err, FM_ERR_FORMAT,
                     "generation_config.json: eos_token_id");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_published_files_are_read_in_all_fields),
        cmocka_unit_test(config_rope_parameters_of_newer_files_mean_the_same),
        cmocka_unit_test(config_absent_keys_take_the_references_defaults),
        cmocka_unit_test(config_optional_parts_are_read),
        cmocka_unit_test(config_layers_are_moe_from_the_first_and_at_the_frequency),
        cmocka_unit_test(config_windows_are_in_the_layers_that_the_file_says),
        cmocka_unit_test(config_qwen2_and_mistral_have_their_own_biases_and_defaults),
        cmocka_unit_test(config_end_tokens_come_from_both_files),
        cmocka_unit_test(config_broken_end_tokens_of_generation_are_refused),
    };
    return cmocka_run_group_tests_name("test_config", tests, NULL, NULL);
}
