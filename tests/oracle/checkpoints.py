"""The tiny checkpoints: their configurations, and random weights under the published tensor names.

Every tensor has a random stream of its own, seeded by checkpoint and tensor name, so adding one
checkpoint or tensor changes no other. Weights are scaled so that each layer adds about as much as
it receives and attention is sharp: flat attention would hide a wrong position or scale.
"""

import json
import math
import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import save_file

SHARPNESS = 4.0  # standard deviation of attention scores before the softmax
DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
DTYPE_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass
class Checkpoint:
    name: str
    config: dict  # config.json
    dtype: str = "F32"  # of the stored weights
    n_shards: int = 1
    n_mtp: int = 0  # prediction layers stored after the model's own, which a reader skips
    bias_mean: float = 0.0  # of the routers' selection biases
    notes: str = field(default="", compare=False)

    @property
    def is_moe(self):
        return "n_routed_experts" in self.config


# ---- Configurations -----------------------------------------------------------------------------


def llama(name, dtype="F32", n_shards=1, notes="", **changes):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 48,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": DTYPE_NAMES[dtype],
        "vocab_size": 224,
    }
    return Checkpoint(name, config | changes, dtype, n_shards, notes=notes)


def windowed(model_type, name, dtype="F32", notes="", **changes):
    """A qwen2 or a mistral: the llama block, in a file that does not speak of biases."""
    base = llama(name, dtype)
    config = {key: value for key, value in base.config.items() if key != "attention_bias"}
    architecture = {"qwen2": "Qwen2ForCausalLM", "mistral": "MistralForCausalLM"}[model_type]
    config |= {"architectures": [architecture], "model_type": model_type,
               "num_key_value_heads": 2, "intermediate_size": 64}
    return Checkpoint(name, config | changes, dtype, notes=notes)


def deepseek_v3(name, dtype="F32", n_mtp=0, bias_mean=0.0, notes="", **changes):
    config = {
        "architectures": ["DeepseekV3ForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "first_k_dense_replace": 1,
        "hidden_act": "silu",
        "hidden_size": 40,
        "intermediate_size": 64,
        "kv_lora_rank": 24,
        "max_position_embeddings": 512,
        "model_type": "deepseek_v3",
        "moe_intermediate_size": 10,
        "moe_layer_freq": 1,
        "n_group": 1,
        "n_routed_experts": 8,
        "n_shared_experts": 1,
        "norm_topk_prob": True,
        "num_attention_heads": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 3,
        "num_key_value_heads": 4,
        "num_nextn_predict_layers": n_mtp,
        "q_lora_rank": 20,
        "qk_nope_head_dim": 12,
        "qk_rope_head_dim": 8,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 10000,
        "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid",
        "tie_word_embeddings": False,
        "topk_group": 1,
        "topk_method": "noaux_tc",
        "torch_dtype": DTYPE_NAMES[dtype],
        "v_head_dim": 12,
        "vocab_size": 200,
    }
    return Checkpoint(name, config | changes, dtype, n_mtp=n_mtp, bias_mean=bias_mean, notes=notes)


def yarn(factor, original, **more):
    return {"type": "yarn", "factor": factor, "original_max_position_embeddings": original,
            "beta_fast": 32, "beta_slow": 1} | more


CHECKPOINTS = [
    llama("llama_mha", notes="as many key as query heads"),
    llama("llama_gqa_tied", hidden_size=64, num_attention_heads=8, num_key_value_heads=2,
          tie_word_embeddings=True, rms_norm_eps=1e-2, intermediate_size=80,
          notes="grouped queries, no lm_head, an eps that counts"),
    llama("llama_odd", hidden_size=60, num_attention_heads=6, num_key_value_heads=3,
          intermediate_size=67, vocab_size=211, notes="sizes that divide by no vector width"),
    llama("llama_head_dim", num_key_value_heads=2, head_dim=20, num_hidden_layers=3,
          intermediate_size=64, notes="head_dim is not hidden_size / heads"),
    llama("llama_linear", rope_theta=100000.0, max_position_embeddings=1024,
          rope_scaling={"type": "linear", "factor": 4.0}, notes="positions divided by 4"),
    llama("llama_llama3", hidden_size=64, rope_theta=500000.0, num_key_value_heads=2,
          intermediate_size=80,
          rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                        "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
          notes="frequencies kept, divided by 8 and between"),
    llama("llama_bias", attention_bias=True, mlp_bias=True, num_key_value_heads=2,
          notes="biases on q, k, v, o, gate, up, down"),
    llama("llama_sharded", n_shards=3, num_key_value_heads=2, num_hidden_layers=3,
          intermediate_size=64, notes="three shards and an index"),
    llama("llama_bf16", dtype="BF16", hidden_size=64, num_key_value_heads=2, num_hidden_layers=4,
          notes="stored as BF16"),
    llama("llama_f16", dtype="F16", hidden_size=64, num_key_value_heads=2, num_hidden_layers=4,
          notes="stored as F16"),
    windowed("qwen2", "qwen2_full", use_sliding_window=False, sliding_window=40,
             max_window_layers=1, tie_word_embeddings=True, hidden_size=64,
             notes="biases on q, k, v; a window that is not in use"),
    windowed("qwen2", "qwen2_window", use_sliding_window=True, sliding_window=40,
             max_window_layers=1, num_hidden_layers=3, hidden_size=40,
             notes="a window in the upper two of three layers"),
    windowed("qwen2", "qwen2_layer_types", dtype="BF16", use_sliding_window=True, sliding_window=64,
             max_window_layers=0, num_hidden_layers=4, num_attention_heads=6,
             layer_types=["sliding_attention", "full_attention"] * 2,
             notes="a window of a whole page in every other layer, by name; stored as BF16"),
    windowed("mistral", "mistral_window", sliding_window=100, head_dim=20,
             notes="a window in all layers, no multiple of a page"),
    deepseek_v3("v3_q_lora", notes="query through a latent"),
    deepseek_v3("v3_plain_q", q_lora_rank=None, n_shared_experts=2, rms_norm_eps=1e-2,
                notes="no query latent, two shared experts, inner norms keep 1e-6"),
    deepseek_v3("v3_groups", n_group=4, topk_group=2, n_routed_experts=16, num_experts_per_tok=4,
                moe_intermediate_size=8, notes="two of four groups of experts"),
    deepseek_v3("v3_groups_negative", n_group=4, topk_group=2, n_routed_experts=16,
                num_experts_per_tok=4, moe_intermediate_size=8, bias_mean=-1.5,
                notes="all biased scores below zero: excluded groups are -inf, not 0"),
    deepseek_v3("v3_experts128", dtype="BF16", hidden_size=28, n_routed_experts=128,
                num_experts_per_tok=16, moe_intermediate_size=4, notes="16 of 128 experts, BF16"),
    deepseek_v3("v3_mtp", n_mtp=1, first_k_dense_replace=2, hidden_size=32, kv_lora_rank=20,
                moe_intermediate_size=10, notes="two dense layers; a prediction layer to skip"),
    deepseek_v3("v3_yarn", max_position_embeddings=2560,
                rope_scaling=yarn(40, 64, mscale=1.0, mscale_all_dim=1.0),
                notes="YaRN, both magnitudes 1.0"),
    deepseek_v3("v3_yarn_707", max_position_embeddings=2560,
                rope_scaling=yarn(40, 64, mscale=0.707, mscale_all_dim=0.707),
                notes="YaRN, both magnitudes 0.707"),
    deepseek_v3("v3_yarn_absent", rope_scaling=yarn(8, 64, beta_fast=1, beta_slow=0.1),
                notes="YaRN without magnitudes: they go to cos and sin; other betas"),
    deepseek_v3("v3_yarn_mixed", rope_scaling=yarn(8, 64, mscale=1.0, mscale_all_dim=0.5,
                                                   truncate=False),
                notes="YaRN with two magnitudes, correction range not rounded"),
    deepseek_v3("v3_unnormalised", norm_topk_prob=False, num_experts_per_tok=3,
                notes="weights of the chosen experts not normalised"),
    deepseek_v3("v3_odd", hidden_size=52, num_attention_heads=3, num_key_value_heads=3,
                q_lora_rank=22, kv_lora_rank=40, qk_rope_head_dim=6, qk_nope_head_dim=10,
                v_head_dim=14, intermediate_size=61, moe_intermediate_size=11, n_routed_experts=6,
                num_experts_per_tok=3, vocab_size=211, num_hidden_layers=2,
                notes="sizes that divide by no vector width"),
    deepseek_v3("v3_bias", dtype="BF16", attention_bias=True,
                notes="biases on q_a, kv_a, o; stored as BF16"),
    deepseek_v3("v3_half_rope", dtype="BF16", rope_interleave=False,
                notes="rotary pairs half a head apart; stored as BF16"),
]


# ---- Weights ------------------------------------------------------------------------------------


class Weights:
    """Collects random tensors of one checkpoint under their names."""

    def __init__(self, checkpoint):
        self.seed = checkpoint.name
        self.dtype = DTYPES[checkpoint.dtype]
        self.tensors = {}

    def normal(self, name, shape, std, mean=0.0, dtype=None):
        random = np.random.default_rng(zlib.crc32(f"{self.seed}/{name}".encode()))
        values = random.standard_normal(shape, np.float32) * np.float32(std) + np.float32(mean)
        self.tensors[name] = torch.from_numpy(values).to(dtype or self.dtype)

    def norm(self, name, size):
        self.normal(name, [size], 0.25, mean=1.0)

    def linear(self, name, n_out, n_in, gain, bias=False):
        """A matrix whose outputs have about `gain` times the size of its inputs."""
        self.normal(f"{name}.weight", [n_out, n_in], gain / math.sqrt(n_in))
        if bias:
            self.normal(f"{name}.bias", [n_out], 0.4 * gain)

    def gated(self, name, hidden, inner, bias=False):
        self.linear(f"{name}.gate_proj", inner, hidden, 1.5, bias)
        self.linear(f"{name}.up_proj", inner, hidden, 1.0, bias)
        self.linear(f"{name}.down_proj", hidden, inner, 0.9, bias)


def attention_biases(config):
    """Whether what makes q, k and v has biases, and whether o has one."""
    if config["model_type"] == "qwen2":
        return True, False
    return (config.get("attention_bias", False),) * 2


def llama_attention(w, config, prefix):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    dim = config.get("head_dim", hidden // heads)
    bias, out_bias = attention_biases(config)
    kv_rows = config["num_key_value_heads"] * dim
    w.linear(f"{prefix}.q_proj", heads * dim, hidden, math.sqrt(SHARPNESS), bias)
    w.linear(f"{prefix}.k_proj", kv_rows, hidden, math.sqrt(SHARPNESS), bias)
    w.linear(f"{prefix}.v_proj", kv_rows, hidden, 1.0, bias)
    w.linear(f"{prefix}.o_proj", hidden, heads * dim, 0.8, out_bias)


def deepseek_attention(w, config, prefix):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    nope, rope, v_dim = (config[f"{k}_head_dim"] for k in ["qk_nope", "qk_rope", "v"])
    kv_rank, q_rank = config["kv_lora_rank"], config["q_lora_rank"]
    bias, sharp = config["attention_bias"], math.sqrt(SHARPNESS)
    if q_rank is None:
        w.linear(f"{prefix}.q_proj", heads * (nope + rope), hidden, sharp)
    else:
        w.linear(f"{prefix}.q_a_proj", q_rank, hidden, 1.0, bias)
        w.norm(f"{prefix}.q_a_layernorm.weight", q_rank)
        w.linear(f"{prefix}.q_b_proj", heads * (nope + rope), q_rank, sharp)
    # The latent is normalised after this product, the rotary key is not: it needs its size here.
    w.linear(f"{prefix}.kv_a_proj_with_mqa", kv_rank + rope, hidden, sharp, bias)
    w.norm(f"{prefix}.kv_a_layernorm.weight", kv_rank)
    w.linear(f"{prefix}.kv_b_proj", heads * (nope + v_dim), kv_rank, sharp)
    w.linear(f"{prefix}.o_proj", hidden, heads * v_dim, 0.8 / sharp, bias)


def deepseek_moe(w, config, prefix, bias_mean):
    hidden, experts = config["hidden_size"], config["n_routed_experts"]
    inner = config["moe_intermediate_size"]
    w.linear(f"{prefix}.gate", experts, hidden, 1.5)
    # Published files keep the bias in float32 whatever the other weights are.
    w.normal(f"{prefix}.gate.e_score_correction_bias", [experts], 0.25, bias_mean, torch.float32)
    for e in range(experts):
        w.gated(f"{prefix}.experts.{e}", hidden, inner)
    w.gated(f"{prefix}.shared_experts", hidden, inner * config["n_shared_experts"])


def layer(w, checkpoint, i):
    config, prefix = checkpoint.config, f"model.layers.{i}"
    hidden = config["hidden_size"]
    w.norm(f"{prefix}.input_layernorm.weight", hidden)
    w.norm(f"{prefix}.post_attention_layernorm.weight", hidden)
    attention = deepseek_attention if checkpoint.is_moe else llama_attention
    attention(w, config, f"{prefix}.self_attn")
    if checkpoint.is_moe and i >= config["first_k_dense_replace"]:
        deepseek_moe(w, config, f"{prefix}.mlp", checkpoint.bias_mean)
    else:
        w.gated(f"{prefix}.mlp", hidden, config["intermediate_size"], config.get("mlp_bias", False))


def mtp_layer(w, checkpoint, i):
    """A prediction layer as published: a layer of the usual kind, and copies of the two tables."""
    prefix, hidden = f"model.layers.{i}", checkpoint.config["hidden_size"]
    layer(w, checkpoint, i)
    w.norm(f"{prefix}.enorm.weight", hidden)
    w.norm(f"{prefix}.hnorm.weight", hidden)
    w.linear(f"{prefix}.eh_proj", hidden, 2 * hidden, 1.0)
    w.norm(f"{prefix}.shared_head.norm.weight", hidden)
    w.tensors[f"{prefix}.embed_tokens.weight"] = w.tensors["model.embed_tokens.weight"].clone()
    w.tensors[f"{prefix}.shared_head.head.weight"] = w.tensors["lm_head.weight"].clone()


def make_tensors(checkpoint):
    w, config = Weights(checkpoint), checkpoint.config
    hidden, vocab = config["hidden_size"], config["vocab_size"]
    n_layers = config["num_hidden_layers"]
    # Small embeddings: a model whose residual is its last token would only ever repeat it. With a
    # large eps they are smaller still, so that eps counts in the first norm.
    std = 0.15 if config["rms_norm_eps"] > 1e-3 else 0.5
    w.normal("model.embed_tokens.weight", [vocab, hidden], std)
    for i in range(n_layers):
        layer(w, checkpoint, i)
    w.norm("model.norm.weight", hidden)
    if not config["tie_word_embeddings"]:
        w.linear("lm_head", vocab, hidden, 2.0)
    for i in range(checkpoint.n_mtp):
        mtp_layer(w, checkpoint, n_layers + i)
    return w.tensors


# ---- Files --------------------------------------------------------------------------------------


def write_shards(tensors, folder, n_shards):
    """Deals the tensors, in the order of their making, to files of about equal size."""
    total = sum(t.nbytes for t in tensors.values())
    shards, done = [{} for _ in range(n_shards)], 0
    for name, tensor in tensors.items():
        shards[min(done * n_shards // total, n_shards - 1)][name] = tensor
        done += tensor.nbytes
    weight_map = {}
    for i, shard in enumerate(shards, 1):
        file = f"model-{i:05}-of-{n_shards:05}.safetensors"
        save_file(shard, folder / file, {"format": "pt"})
        weight_map |= {name: file for name in shard}
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def write_checkpoint(checkpoint, folder):
    """Writes config.json and the weights of one checkpoint into an empty directory."""
    tensors = make_tensors(checkpoint)
    (folder / "config.json").write_text(json.dumps(checkpoint.config, indent=1) + "\n")
    if checkpoint.n_shards > 1:
        write_shards(tensors, folder, checkpoint.n_shards)
    else:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
