"""Finds prompts whose greedy continuation is clear of ties, so that a flipped token is a fault and
not a matter of rounding: at every step the best logit leads by GREEDY_MARGIN of the range, and no
router chooses an expert or a group by less than ROUTER_MARGIN, on the prompt as well.

A token changes nothing before it, so a prompt is repaired from left to right."""

from dataclasses import dataclass

import numpy as np
import torch

import reference

GREEDY_MARGIN = 1e-3
ROUTER_MARGIN = 1e-4
N_GREEDY = 64
N_TRIES = 40
BATCH = 32


@dataclass
class Prompt:
    ids: list
    greedy: list  # empty when no clear continuation was found
    margin: float


def allowed_ids(config):
    """Ids that prompts are made of: not the end token, which would also end a continuation."""
    return np.array([i for i in range(config["vocab_size"]) if i != config["eos_token_id"]])


def clear_prompt(model, random, allowed, length):
    """Random ids; a position at which a router is undecided gets another token."""
    ids = random.choice(allowed, length)
    for _ in range(20 * length):
        _logits, gaps = reference.router_gaps(model, ids[None])
        unclear = (gaps[0] < ROUTER_MARGIN).nonzero()
        if len(unclear) == 0:
            break
        ids[unclear[0, 0]] = random.choice(allowed)
    return ids


def extend(model, prompts):
    """[B, T] to [B, T + N_GREEDY] by greedy decoding with a cache."""
    ids, step, cache = prompts, prompts, None
    for _ in range(N_GREEDY):
        out = model(step, past_key_values=cache, use_cache=True)
        cache, step = out.past_key_values, out.logits[:, -1:].argmax(-1)
        ids = torch.cat([ids, step], dim=1)
    return ids


def judge(model, ids, n_prompt, end_id):
    """For each sequence of a batch the smallest lead of a greedy step as a share of the range, or
    -1 when it is not clear. The whole sequence runs at once, without a cache."""
    logits, gaps = reference.router_gaps(model, ids)
    steps = logits[:, n_prompt - 1:-1]
    best = steps.topk(2, dim=-1)
    spread = logits[:, :-1].amax((1, 2)) - logits[:, :-1].amin((1, 2))
    margin = (best.values[..., 0] - best.values[..., 1]).amin(1) / spread
    clear = (margin >= GREEDY_MARGIN) & (gaps >= ROUTER_MARGIN).all(1)
    clear &= (best.indices[..., 0] == ids[:, n_prompt:]).all(1)
    clear &= (ids[:, n_prompt:] != end_id).all(1)
    return torch.where(clear, margin, -1.0)


def candidates(random, allowed, base, n_changed):
    """[B, T] copies of a prompt with other tokens at its end; of a one-token prompt, all tokens."""
    if len(base) == 1:
        return torch.from_numpy(allowed[:, None])
    batch = np.tile(base, (BATCH, 1))
    batch[:, -n_changed:] = random.choice(allowed, (BATCH, n_changed))
    return torch.from_numpy(batch)


def worth(prompt):
    """Variety first, up to a point: a continuation that repeats one token tests little."""
    return min(len(set(prompt.greedy)), 16), prompt.margin


def find(model, config, length, seed):
    """A prompt of `length` ids with a clear greedy continuation, if the tries suffice."""
    random, allowed = np.random.default_rng([seed, length]), allowed_ids(config)
    base = clear_prompt(model, random, allowed, length)
    for attempt in range(N_TRIES if length > 1 else 1):
        batch = candidates(random, allowed, base, min(length, 2 + attempt // 4))
        ids = extend(model, batch)
        margins = judge(model, ids, length, config["eos_token_id"]).tolist()
        found = [Prompt(row[:length], row[length:], margin)
                 for row, margin in zip(ids.tolist(), margins) if margin > 0]
        if found:
            return max(found, key=worth)
    return Prompt(base.tolist(), [], 0.0)
