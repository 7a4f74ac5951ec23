/*
 * test_config_errors.c - broken and unsupported descriptions: each is one edit of a published one,
 * with the status and the words that have to come out.
 */
#include "support/config_text.h"
#include "support/expect.h"

enum { FORMAT = FM_ERR_FORMAT, UNSUPPORTED = FM_ERR_UNSUPPORTED, LIMIT = FM_ERR_LIMIT };

typedef struct broken {
    const char *edits;
    int status;
    const char *word;
} broken;

/* ---- Edits of a llama ------------------------------------------------------------------------ */

static const broken llama[] = {
    /* kind of model */
    {"model_type", FORMAT, "model_type is missing"},
    {"model_type=null", FORMAT, "model_type"},
    {"model_type=7", FORMAT, "model_type"},
    {"model_type=\"\"", UNSUPPORTED, "model_type \"\""},
    {"model_type=\"Llama\"", UNSUPPORTED, "model_type \"Llama\""},
    {"model_type=\"mixtral\"", UNSUPPORTED, "llama, qwen2, mistral and deepseek_v3 are"},
    {"model_type=\"two\\nlines\"", UNSUPPORTED, "two?lines"},
    /* missing */
    {"num_hidden_layers", FORMAT, "num_hidden_layers is missing"},
    {"hidden_size", FORMAT, "hidden_size is missing"},
    {"vocab_size", FORMAT, "vocab_size is missing"},
    {"num_attention_heads", FORMAT, "num_attention_heads is missing"},
    {"intermediate_size", FORMAT, "intermediate_size is missing"},
    {"hidden_size=null", FORMAT, "hidden_size is missing"},
    /* wrong kind */
    {"hidden_size=\"4096\"", FORMAT, "hidden_size must be a whole number"},
    {"hidden_size=[4096]", FORMAT, "hidden_size must be a whole number"},
    {"hidden_size=true", FORMAT, "hidden_size must be a whole number"},
    {"num_hidden_layers={}", FORMAT, "num_hidden_layers must be a whole number"},
    {"rms_norm_eps=\"1e-6\"", FORMAT, "rms_norm_eps must be a number"},
    {"rope_theta=[1e4]", FORMAT, "rope_theta must be a number"},
    {"tie_word_embeddings=1", FORMAT, "tie_word_embeddings must be true or false"},
    {"attention_bias=\"false\"", FORMAT, "attention_bias must be true or false"},
    {"mlp_bias=0", FORMAT, "mlp_bias must be true or false"},
    {"eos_token_id=\"</s>\"", FORMAT, "eos_token_id must be a whole number"},
    {"eos_token_id=[1,null]", FORMAT, "eos_token_id must be a whole number"},
    {"eos_token_id=[1,2,3,4,5,6,7,8,9]", FORMAT, "eos_token_id lists too many"},
    {"hidden_act=7", UNSUPPORTED, "hidden_act"},
    /* out of range */
    {"num_hidden_layers=0", FORMAT, "from 1 to 4096"},
    {"num_hidden_layers=4097", FORMAT, "from 1 to 4096"},
    {"hidden_size=-4096", FORMAT, "hidden_size"},
    {"hidden_size=4096.5", FORMAT, "hidden_size must be a whole number"},
    {"hidden_size=1e300", FORMAT, "hidden_size"},
    {"hidden_size=1e400", LIMIT, "1e400 is too large for a double"},
    {"hidden_size=9007199254740993", FORMAT, "hidden_size"},
    {"vocab_size=0", FORMAT, "vocab_size"},
    {"vocab_size=4294967297", FORMAT, "vocab_size"},
    {"max_position_embeddings=0", FORMAT, "max_position_embeddings"},
    {"max_position_embeddings=268435457", FORMAT, "max_position_embeddings"},
    {"num_attention_heads=0", FORMAT, "num_attention_heads"},
    {"num_attention_heads=-1", FORMAT, "num_attention_heads"},
    {"num_key_value_heads=0", FORMAT, "num_key_value_heads"},
    {"intermediate_size=1048577", FORMAT, "from 1 to 1048576"},
    {"rms_norm_eps=-1e-6", FORMAT, "rms_norm_eps must be a number from 0 to 1"},
    {"rms_norm_eps=1e400", LIMIT, "too large"},
    {"rms_norm_eps=NaN", FORMAT, "config.json: line 1"},
    {"rope_theta=0", FORMAT, "rope_theta"},
    {"rope_theta=-10000", FORMAT, "rope_theta"},
    {"rope_theta=1e13", FORMAT, "rope_theta"},
    {"head_dim=0", FORMAT, "head_dim"},
    {"head_dim=2048", FORMAT, "head_dim"},
    {"eos_token_id=-1", FORMAT, "eos_token_id"},
    {"eos_token_id=4294967296", FORMAT, "eos_token_id"},
    /* in contradiction */
    {"num_key_value_heads=5", FORMAT, "multiple of num_key_value_heads"},
    {"num_key_value_heads=64", FORMAT, "multiple of num_key_value_heads"},
    {"head_dim=63", FORMAT, "head_dim must be even"},
    {"hidden_size=4064;num_key_value_heads=4", FORMAT, "head_dim must be even"},
    {"hidden_size=32", FORMAT, "head_dim must be even, from 2"},
    {"hidden_size=65536", FORMAT, "head_dim must be even, from 2 to 1024"},
    {"hidden_size=4104;num_attention_heads=32", FORMAT, "multiple of num_attention_heads"},
    /* not there yet */
    {"hidden_act=\"gelu\"", UNSUPPORTED, "hidden_act \"gelu\""},
    {"quantization_config={\"quant_method\":\"gptq\"}", UNSUPPORTED, "quantized"},
    {"rope_scaling={\"type\":\"dynamic\",\"factor\":2}", UNSUPPORTED, "\"dynamic\""},
    {"rope_scaling={\"rope_type\":\"longrope\"}", UNSUPPORTED, "\"longrope\""},
    {"rope_scaling={\"rope_type\":7}", UNSUPPORTED, "rope type"},
    {"partial_rotary_factor=0.5", UNSUPPORTED, "partial_rotary_factor"},
    {"rope_parameters={\"partial_rotary_factor\":0.5}", UNSUPPORTED, "partial_rotary_factor"},
    /* rotary scaling */
    {"rope_scaling=\"linear\"", FORMAT, "must be objects"},
    {"rope_scaling=[4]", FORMAT, "must be objects"},
    {"rope_parameters=false", FORMAT, "must be objects"},
    {"rope_scaling={\"factor\":4}", FORMAT, "rope_type is missing"},
    {"rope_scaling={\"type\":\"linear\"}", FORMAT, "factor is missing"},
    {"rope_scaling={\"type\":\"linear\",\"factor\":null}", FORMAT, "factor is missing"},
    {"rope_scaling={\"type\":\"linear\",\"factor\":0}", FORMAT, "factor must be"},
    {"rope_scaling={\"type\":\"linear\",\"factor\":-4}", FORMAT, "factor must be"},
    {"rope_scaling={\"type\":\"linear\",\"factor\":\"4\"}", FORMAT, "factor must be"},
    {"rope_scaling={\"type\":\"llama3\"}", FORMAT, "factor is missing"},
    {"rope_scaling={\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4}", FORMAT, "above"},
    {"rope_scaling={\"type\":\"llama3\",\"factor\":8,\"high_freq_factor\":0.5}", FORMAT, "above"},
    {"rope_scaling={\"type\":\"yarn\",\"factor\":4};rope_theta=1", FORMAT, "rope_theta above 1"},
};

/* ---- Edits of a qwen2 with a window in use, of 28 layers ------------------------------------ */

#define USED       "use_sliding_window=true;"
#define TWO_LAYERS USED "num_hidden_layers=2;"

static const broken qwen2[] = {
    {"use_sliding_window=1", FORMAT, "use_sliding_window must be true or false"},
    {USED "sliding_window=0", FORMAT, "sliding_window must be a whole number from 1"},
    {USED "sliding_window=-4096", FORMAT, "sliding_window must be a whole number"},
    {USED "sliding_window=40.5", FORMAT, "sliding_window must be a whole number"},
    {USED "sliding_window=4294967296", FORMAT, "sliding_window must be a whole number"},
    {USED "max_window_layers=-1", FORMAT, "max_window_layers"},
    {USED "max_window_layers=\"28\"", FORMAT, "max_window_layers"},
    {USED "layer_types=\"full_attention\"", FORMAT, "layer_types must be a list"},
    {USED "layer_types={}", FORMAT, "layer_types must be a list"},
    {USED "layer_types=[]", FORMAT, "fewer layers than num_hidden_layers"},
    {TWO_LAYERS "layer_types=[\"full_attention\"]", FORMAT, "fewer layers"},
    {TWO_LAYERS "layer_types=[\"full_attention\",\"full_attention\",\"sliding_attention\"]", FORMAT,
     "more layers than num_hidden_layers"},
    {TWO_LAYERS "layer_types=[\"full_attention\",\"chunked_attention\"]", UNSUPPORTED,
     "layer type \"chunked_attention\""},
    {TWO_LAYERS "layer_types=[7,8]", UNSUPPORTED, "layer type \"(not a string)\""},
    {"num_hidden_layers=1;layer_types=[\"sliding_attention\"]", FORMAT,
     "no sliding_window is in use"},
    {USED "num_hidden_layers=1;sliding_window=null;layer_types=[\"sliding_attention\"]", FORMAT,
     "no sliding_window is in use"},
    {"model_type=\"mistral\";sliding_window=0", FORMAT, "sliding_window"},
    {"model_type=\"mistral\";layer_types=[\"full_attention\"]", UNSUPPORTED,
     "layer_types is not supported in a mistral"},
    {"num_key_value_heads=5", FORMAT, "multiple of num_key_value_heads"},
    {"rope_scaling={\"type\":\"dynamic\",\"factor\":2}", UNSUPPORTED, "\"dynamic\""},
    {"hidden_act=\"gelu\"", UNSUPPORTED, "hidden_act \"gelu\""},
};

/* ---- Edits of a DeepSeek-V3 ------------------------------------------------------------------ */

static const broken v3[] = {
    {"", UNSUPPORTED, "quantized weights are not supported yet: convert the checkpoint to BF16"},
    {"quantization_config={}", UNSUPPORTED, "quantized"},
    {"quantization_config;scoring_func=\"softmax\"", UNSUPPORTED, "scoring_func \"softmax\""},
    {"quantization_config;topk_method=\"greedy\"", UNSUPPORTED, "topk_method \"greedy\""},
    {"quantization_config;model_type=\"deepseek_v2\"", UNSUPPORTED, "deepseek_v2"},
    {"quantization_config;kv_lora_rank", FORMAT, "kv_lora_rank is missing"},
    {"quantization_config;kv_lora_rank=0", FORMAT, "kv_lora_rank"},
    {"quantization_config;kv_lora_rank=1025", FORMAT, "from 1 to 1024"},
    {"quantization_config;q_lora_rank=0", FORMAT, "q_lora_rank"},
    {"quantization_config;qk_nope_head_dim", FORMAT, "qk_nope_head_dim is missing"},
    {"quantization_config;qk_rope_head_dim", FORMAT, "qk_rope_head_dim is missing"},
    {"quantization_config;qk_rope_head_dim=63", FORMAT, "qk_rope_head_dim must be even"},
    {"quantization_config;v_head_dim", FORMAT, "v_head_dim is missing"},
    {"quantization_config;v_head_dim=128.25", FORMAT, "v_head_dim"},
    {"quantization_config;rope_interleave=\"no\"", FORMAT, "rope_interleave"},
    {"quantization_config;n_routed_experts=0", FORMAT, "n_routed_experts"},
    {"quantization_config;n_routed_experts=4097", FORMAT, "n_routed_experts"},
    {"quantization_config;num_experts_per_tok", FORMAT, "num_experts_per_tok is missing"},
    {"quantization_config;num_experts_per_tok=0", FORMAT, "num_experts_per_tok"},
    {"quantization_config;num_experts_per_tok=129", FORMAT, "num_experts_per_tok is above"},
    {"quantization_config;moe_intermediate_size", FORMAT, "moe_intermediate_size is missing"},
    {"quantization_config;n_group=7", FORMAT, "multiple of n_group"},
    {"quantization_config;n_group=0", FORMAT, "n_group"},
    {"quantization_config;topk_group=9", FORMAT, "topk_group must not be above n_group"},
    {"quantization_config;n_group=2", FORMAT, "topk_group must not be above n_group"},
    {"quantization_config;norm_topk_prob=\"true\"", FORMAT, "norm_topk_prob"},
    {"quantization_config;routed_scaling_factor=-1", FORMAT, "routed_scaling_factor"},
    {"quantization_config;n_shared_experts=-1", FORMAT, "n_shared_experts"},
    {"quantization_config;n_shared_experts=1024", FORMAT, "shared experts are too wide"},
    {"quantization_config;first_k_dense_replace=-1", FORMAT, "first_k_dense_replace"},
    {"quantization_config;moe_layer_freq=0", FORMAT, "moe_layer_freq"},
    {"quantization_config;moe_layer_freq=[0,1]", FORMAT, "moe_layer_freq"},
    {"quantization_config;rope_scaling/beta_fast=0", FORMAT, "rope scaling: beta_fast"},
    {"quantization_config;rope_scaling/beta_slow=\"1\"", FORMAT, "rope scaling: beta_slow"},
    {"quantization_config;rope_scaling/truncate=1", FORMAT, "truncate must be true or false"},
    {"quantization_config;rope_scaling/mscale=-1", FORMAT, "mscale"},
    {"quantization_config;rope_scaling/mscale_all_dim=1e300", FORMAT, "mscale_all_dim"},
    {"quantization_config;rope_scaling/type=\"linear\";rope_scaling/mscale_all_dim=1e300", FORMAT,
     "mscale_all_dim"},
    {"quantization_config;rope_scaling/type=\"linear\";rope_scaling/mscale_all_dim=\"1\"", FORMAT,
     "mscale_all_dim"},
    {"quantization_config;rope_scaling/attention_factor=0", FORMAT, "attention_factor"},
    {"quantization_config;rope_scaling/original_max_position_embeddings=0", FORMAT, "original_max"},
};

static void expect_all_refused(const char *base, const broken *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        config c;
        fm_error err = {0};
        fm_status status = config_text_edited(base, list[i].edits, &c, &err);
        expect_error(list[i].edits, status, &err, (fm_status)list[i].status, list[i].word);
    }
}

static void config_broken_llamas_are_refused(void **state) {
    (void)state;
    expect_all_refused("deepseek_llm_7b", llama, sizeof llama / sizeof *llama);
}

static void config_broken_qwens_are_refused(void **state) {
    (void)state;
    expect_all_refused("r1_distill_qwen_7b", qwen2, sizeof qwen2 / sizeof *qwen2);
}

static void config_broken_deepseeks_are_refused(void **state) {
    (void)state;
    expect_all_refused("deepseek_v3", v3, sizeof v3 / sizeof *v3);
}

static void config_texts_that_are_no_objects_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"[]", "7", "\"llama\"", "null", "{}", "[{\"a\": 1}]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        config c;
        fm_error err = {0};
        expect_error(texts[i], config_text_parse(texts[i], &c, &err), &err, FM_ERR_FORMAT,
                     "model_type is missing");
    }
}

static void config_errors_need_no_error_struct(void **state) {
    (void)state;
    config c;
    for (size_t i = 0; i < sizeof v3 / sizeof *v3; i++)
        assert_int_equal(config_text_edited("deepseek_v3", v3[i].edits, &c, NULL), v3[i].status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_broken_llamas_are_refused),
        cmocka_unit_test(config_broken_qwens_are_refused),
        cmocka_unit_test(config_broken_deepseeks_are_refused),
        cmocka_unit_test(config_texts_that_are_no_objects_are_refused),
        cmocka_unit_test(config_errors_need_no_error_struct),
    };
    return cmocka_run_group_tests_name("test_config_errors", tests, NULL, NULL);
}
