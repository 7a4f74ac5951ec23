"""The reference model: loading it in float32, its logits, how sharp its attention is and how clear
the choices of its routers are."""

import math

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)
torch.set_grad_enabled(False)


def load(folder, n_layers, dtype=torch.float32):
    """Loads a directory; any tensor that is missing, or left over other than those of layers beyond
    the model's own, is an error."""
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", experts_implementation="eager",
        output_loading_info=True)
    skipped = tuple(f"model.layers.{i}." for i in range(n_layers, n_layers + 4))
    left = [name for name in info["unexpected_keys"] if not name.startswith(skipped)]
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    missing = set(info["missing_keys"]) - tied
    if left or missing or info["mismatched_keys"]:
        raise RuntimeError(f"{folder}: missing {missing}, left over {left}, "
                           f"of another shape {info['mismatched_keys']}")
    return model.eval()


def logits(model, ids):
    """[T, V] for a list of ids, [B, T, V] for a batch."""
    ids = torch.as_tensor(ids)
    out = model(ids if ids.dim() == 2 else ids[None], use_cache=False).logits
    return out if ids.dim() == 2 else out[0]


def entropy_share(model, ids):
    """Mean entropy of attention over heads, layers and positions, as a share of the entropy that
    uniform attention has. Position 0 has no choice and does not count."""
    attentions = model(torch.tensor([ids]), use_cache=False, output_attentions=True).attentions
    weights = torch.stack([a[0] for a in attentions])[:, :, 1:]  # [layers, heads, T - 1, T]
    entropy = -torch.xlogy(weights, weights).sum(-1).mean().item()
    uniform = sum(math.log(t + 1) for t in range(1, len(ids))) / (len(ids) - 1)
    return entropy / uniform


# ---- Routing ------------------------------------------------------------------------------------


def routers(model):
    return [layer.mlp.gate for layer in model.model.layers if hasattr(layer.mlp, "gate")]


def kept_scores(gate, router_logits, excluded=float("-inf")):
    """[T, E] biased scores with the experts of excluded groups replaced, and [T, n_group] scores of
    the groups."""
    biased = router_logits.sigmoid() + gate.e_score_correction_bias
    grouped = biased.unflatten(-1, (gate.num_group, -1))
    of_groups = grouped.topk(2).values.sum(-1)
    chosen = torch.zeros_like(of_groups).scatter(-1, of_groups.topk(gate.topk_group).indices, 1.0)
    return torch.where(chosen[..., None] > 0, grouped, excluded).flatten(-2), of_groups


def gap(scores, k):
    """[T] distance between the k-th and the next score; infinite when all are chosen."""
    if k >= scores.shape[-1]:
        return torch.full(scores.shape[:-1], math.inf)
    best = scores.topk(k + 1).values
    return best[..., k - 1] - best[..., k]


def router_gaps(model, ids):
    """(logits [B, T, V], gaps [B, T]): a gap is the smallest distance, over all routers, between a
    chosen and a refused expert or group. Checks on the way that the reference chose the best of
    kept_scores."""
    ids, gaps = torch.as_tensor(ids), []

    def watch(gate, _inputs, output):
        router_logits, _weights, indices = output
        scores, of_groups = kept_scores(gate, router_logits)
        expected = scores.topk(gate.top_k).indices.sort().values
        if not torch.equal(expected, indices.sort().values):
            raise RuntimeError("the reference routes otherwise than this oracle believes")
        gaps.append(torch.minimum(gap(scores, gate.top_k), gap(of_groups, gate.topk_group)))

    hooks = [gate.register_forward_hook(watch) for gate in routers(model)]
    out = logits(model, ids)
    for hook in hooks:
        hook.remove()
    if not gaps:
        return out, torch.full(ids.shape, math.inf)
    return out, torch.stack(gaps).amin(0).view(ids.shape)
