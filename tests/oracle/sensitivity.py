"""Shows that every detail of an architecture counts in the recorded logits: each mistake below,
made on purpose in the reference model, must move some logit by far more than the tests allow."""

import contextlib
import functools
import math
import sys
from unittest import mock

import torch

import reference
from checkpoints import attention_biases

TOLERANCE = 1e-4  # of the range: what the tests allow
FACTOR = 100  # a mistake must exceed the tolerance by this much

# ---- Mistakes -----------------------------------------------------------------------------------
# Each takes a freshly loaded model and spoils it, or returns a patch to be active while it runs.


def modeling(model):
    """The reference's module that a model is made by."""
    return sys.modules[type(model).__module__]


def attentions(model):
    return [layer.self_attn for layer in model.model.layers]


def mscale_dropped(model):
    for attention in attentions(model):
        attention.scaling = attention.qk_head_dim**-0.5


def magnitude_dropped(model):
    model.model.rotary_emb.attention_scaling = 1.0


def scaling_ignored(model):
    """Plain rotary frequencies; magnitudes stay."""
    config, rotary = model.config, model.model.rotary_emb
    frequencies, _factor = rotary.compute_default_rope_parameters(config)
    rotary.inv_freq.copy_(frequencies)


def yarn_interpolated(model):
    """All frequencies divided by the factor, without the ramp."""
    scaling_ignored(model)
    model.model.rotary_emb.inv_freq /= model.config.rope_parameters["factor"]


def betas_default(model):
    betas = {"beta_fast": 32, "beta_slow": 1}
    rebuild_rotary(model, model.config.rope_parameters | betas)


def range_rounded(model):
    rebuild_rotary(model, model.config.rope_parameters | {"truncate": True})


def rebuild_rotary(model, parameters):
    config = type(model.config).from_dict(model.config.to_dict())
    config.rope_parameters = parameters
    model.model.rotary_emb = type(model.model.rotary_emb)(config)


def pairing_swapped(model):
    """Half-split pairs where neighbours belong together, and the other way round."""
    if hasattr(model.config, "rope_interleave"):
        model.config.rope_interleave = not model.config.rope_interleave
        return None
    return mock.patch.object(modeling(model), "apply_rotary_pos_emb", rotate_neighbours)


def rotate_neighbours(q, k, cos, sin, unsqueeze_dim=1):
    half = cos.shape[-1] // 2
    cos, sin = cos[..., :half].unsqueeze(unsqueeze_dim), sin[..., :half].unsqueeze(unsqueeze_dim)

    def rotate(x):
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)

    return rotate(q), rotate(k)


def kv_heads_dealt(model):
    """Query head h uses key head h mod K instead of h / (H / K)."""
    def repeat(states, count):
        return states.repeat(1, count, 1, 1)

    return mock.patch.object(modeling(model), "repeat_kv", repeat)


def head_dim_derived(model):
    for attention in attentions(model):
        attention.scaling = (model.config.hidden_size / model.config.num_attention_heads)**-0.5


def eps_default(model):
    """Every norm with 1e-6."""
    for module in model.modules():
        if hasattr(module, "variance_epsilon"):
            module.variance_epsilon = 1e-6


def inner_eps_from_config(model):
    for attention in attentions(model):
        attention.kv_a_layernorm.variance_epsilon = model.config.rms_norm_eps


def window_changed(model, change):
    """Another window where one is in use; None drops it."""
    window = change(model.config.sliding_window)
    model.config.sliding_window = window
    if window is None and hasattr(model.config, "layer_types"):
        layers_changed(model, lambda _i, _slides: False)


def layers_changed(model, slides):
    """Windows in other layers: slides(i, as it was)."""
    kinds = [slides(i, kind == "sliding_attention")
             for i, kind in enumerate(model.config.layer_types)]
    model.config.layer_types = ["sliding_attention" if s else "full_attention" for s in kinds]
    model.model.has_sliding_layers = any(kinds)


def window_used(model, config):
    """The window that use_sliding_window switches off."""
    model.config.sliding_window = config["sliding_window"]
    layers_changed(model, lambda i, _slides: i >= config["max_window_layers"])


def drop(model, ending):
    for name, parameter in model.named_parameters():
        if name.endswith(ending):
            parameter.zero_()


def replace_routing(model, bias=True, **options):
    for gate in reference.routers(model):
        if not bias:
            gate.e_score_correction_bias.zero_()
        gate.forward = functools.partial(route, gate, **options)


def route(gate, hidden, excluded=-math.inf, groups=True, normalise=None, scale=None, biased=False):
    """The router once more, with a switch for each mistake; without any it is the reference's."""
    logits = torch.nn.functional.linear(hidden.flatten(0, -2), gate.weight)
    kept, _of_groups = reference.kept_scores(gate, logits, excluded)
    scores = logits.sigmoid()
    chosen = (kept if groups else scores + gate.e_score_correction_bias).topk(gate.top_k).indices
    weights = (scores + gate.e_score_correction_bias if biased else scores).gather(1, chosen)
    if gate.norm_topk_prob if normalise is None else normalise:
        weights = weights / weights.sum(-1, keepdim=True)
    return logits, weights * (gate.routed_scaling_factor if scale is None else scale), chosen


# ---- Which mistakes a checkpoint can show -------------------------------------------------------


def mistakes(checkpoint):
    """{name: function} for one checkpoint."""
    found = {"rope pairing swapped": pairing_swapped}
    found |= moe_mistakes(checkpoint) if checkpoint.is_moe else llama_mistakes(checkpoint.config)
    found |= window_mistakes(checkpoint.config)
    found |= rope_mistakes(checkpoint.config["rope_scaling"] or {})
    if checkpoint.config["rms_norm_eps"] > 1e-3:
        found["eps of all norms 1e-6"] = eps_default
    has_biases, has_out_bias = attention_biases(checkpoint.config)
    if has_out_bias:
        found["o bias dropped"] = lambda model: drop(model, "o_proj.bias")
    if has_biases:
        for part in ["q_a", "kv_a"] if checkpoint.is_moe else ["q", "k", "v"]:
            ending = {"kv_a": "kv_a_proj_with_mqa.bias"}.get(part, f"{part}_proj.bias")
            found[f"{part} bias dropped"] = functools.partial(drop, ending=ending)
    return found


def llama_mistakes(config):
    found = {}
    if config["num_key_value_heads"] < config["num_attention_heads"]:
        found["key heads dealt out"] = kv_heads_dealt
    if "head_dim" in config:
        found["scale from hidden / heads"] = head_dim_derived
    if config.get("mlp_bias"):
        for part in ["gate", "up", "down"]:
            found[f"{part} bias dropped"] = functools.partial(drop, ending=f"{part}_proj.bias")
    return found


def window_mistakes(config):
    window = config.get("sliding_window")
    if not window:
        return {}
    if not config.get("use_sliding_window", True):
        return {"unused window used": functools.partial(window_used, config=config)}
    found = {
        "window dropped": functools.partial(window_changed, change=lambda _window: None),
        "window one key longer": functools.partial(window_changed, change=lambda n: n + 1),
        "window one key shorter": functools.partial(window_changed, change=lambda n: n - 1),
    }
    if "use_sliding_window" in config:
        found["window in all layers"] = functools.partial(layers_changed, slides=lambda *_: True)
        found["window in the other layers"] = functools.partial(
            layers_changed, slides=lambda _i, slides: not slides)
    return found


def moe_mistakes(checkpoint):
    config = checkpoint.config
    found = {
        "selection bias zeroed": functools.partial(replace_routing, bias=False),
        "biased weights": functools.partial(replace_routing, biased=True),
        "norm_topk_prob flipped": functools.partial(replace_routing,
                                                    normalise=not config["norm_topk_prob"]),
        "routed scale 1": functools.partial(replace_routing, scale=1.0),
        "shared expert dropped": lambda model: drop(model, "shared_experts.down_proj.weight"),
    }
    if config["n_group"] > 1:
        found["groups ignored"] = functools.partial(replace_routing, groups=False)
    if checkpoint.bias_mean < 0:
        found["excluded groups 0"] = functools.partial(replace_routing, excluded=0.0)
    if config["rms_norm_eps"] > 1e-3:
        found["inner eps from config"] = inner_eps_from_config
    return found


def rope_mistakes(scaling):
    if not scaling:
        return {}
    found = {"rope scaling ignored": scaling_ignored}
    if scaling.get("type") == "yarn":
        found["yarn without ramp"] = yarn_interpolated
        if "mscale_all_dim" in scaling:
            found["mscale squared dropped"] = mscale_dropped
        if scaling.get("mscale") != scaling.get("mscale_all_dim") or "mscale" not in scaling:
            found["magnitude of cos, sin dropped"] = magnitude_dropped
        if scaling["beta_fast"] != 32:
            found["betas 32 and 1"] = betas_default
        if not scaling.get("truncate", True):
            found["correction range rounded"] = range_rounded
    return found


# ---- Measuring ----------------------------------------------------------------------------------


def measure(checkpoint, load, ids, rows):
    """{mistake: max |difference| over `rows` of one prompt, as a share of the prompt's range}.
    `load` gives a fresh model."""
    right = reference.logits(load(), ids)
    spread = (right.max() - right.min()).item()

    def moved(spoil):
        model = load()
        patch = spoil(model)
        with patch or contextlib.nullcontext():
            return (reference.logits(model, ids) - right)[rows].abs().max().item() / spread

    if checkpoint.is_moe and moved(replace_routing) > TOLERANCE / 10:
        raise RuntimeError("the second router does not agree with the reference's")
    return {name: moved(spoil) for name, spoil in mistakes(checkpoint).items()}
