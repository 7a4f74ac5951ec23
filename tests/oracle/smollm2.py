"""What the reference computes from the real model SmolLM2-135M-Instruct. It stays in the cache: its
rows of 49,152 logits are too large for the repository."""

import shutil

import torch
from tokenizers import Tokenizer

import cases
import reference
from prompts import GREEDY_MARGIN

N_GREEDY = 16
N_LONG = 300  # tokens of the longest text

TEXTS = {
    "france": "The capital of France is",
    "english": "Rivers do not flow in straight lines. Where the ground is soft, the water takes a "
               "little more from the outer bank than from the inner one, and every bend grows "
               "until the river cuts through its own neck and leaves a lake behind.",
    "mixed": """深度学习模型由许多层组成。

```c
int main(void)
{
    for (int i = 0; i < 10; i++) {
        printf("%d\\n", i * 37);
    }
    return 0;
}
```

它打印十个数字 0, 37, 74, …, 333。
""",
    "long": """# How a lighthouse works

A lighthouse has one task: to be seen, and to be known for what it is. A ship that comes in at night
sees a spark at the edge of the sea and has to decide which of 20 or 30 lights along the coast it
may be. Therefore no two lights near each other behave alike. One is steady, another turns and shows
a flash every 5 seconds, a third shows two flashes, rests, and begins again after 12 seconds.

The lamp itself is small. Around it stands a lens made of many rings of glass, each of them cut so
that light which would have gone up to the clouds or down to the rocks leaves as part of one flat
beam. In 1823 the first lens of this kind was lit at Cordouan, at the mouth of the Gironde. Such a
lens weighs several tonnes; in old towers it floats in a basin of mercury, and a child can turn it
with one hand.

The height of the tower matters as well, because the sea is curved. The distance to the horizon in
kilometres is about 3.57 times the square root of the height in metres:

| height | distance |
|--------|----------|
| 10 m   | 11.3 km  |
| 40 m   | 22.6 km  |
| 90 m   | 33.9 km  |

Somebody who stands on the bridge of a ship adds the distance to his own horizon. Fog takes most of
this away, which is why many towers also have a horn.
""",
}


def greedy(model, ids):
    """(up to N_GREEDY ids, the smallest lead of a step as a share of the range). The continuation
    ends before the first step whose lead is not clear."""
    new, margins = [], []
    for _ in range(N_GREEDY):
        logits = reference.logits(model, ids + new)
        best = logits[-1].topk(2)
        margin = ((best.values[0] - best.values[1]) / (logits.max() - logits.min())).item()
        if margin < GREEDY_MARGIN:
            break
        new.append(best.indices[0].item())
        margins.append(margin)
    return new, min(margins, default=0.0)


def encode(tokenizer, name):
    """(ids, the text that they stand for); the long text is cut to N_LONG tokens."""
    ids = tokenizer.encode(TEXTS[name]).ids[:N_LONG]
    text = tokenizer.decode(ids, skip_special_tokens=False)
    if tokenizer.encode(text).ids != ids:
        raise RuntimeError(f"the text {name} does not survive decoding and encoding")
    return ids, text


def make(cache):
    """Writes CACHE/oracle/smollm2, or says why not."""
    source = cache / "models" / "smollm2" if cache else None
    if source is None or not source.is_dir():
        return print(f"skip: no smollm2 in the cache ({source}); ./dev model smollm2 fetches it")
    target = cache / "oracle" / "smollm2"
    partial = target.with_name("smollm2.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model = reference.load(source, n_layers=30)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    recorded = []
    for name in TEXTS:
        ids, text = encode(tokenizer, name)
        (partial / f"{name}.txt").write_text(text, encoding="utf-8")
        logits = reference.logits(model, ids)
        new, margin = greedy(model, ids)
        recorded.append(cases.Case(name, ids, list(range(len(ids))), logits.numpy(),
                                   (logits.max() - logits.min()).item(), new, margin))
        print(f"smollm2 {name:8} {len(ids):3} tokens, range {recorded[-1].range:.2f}, then "
              f"{tokenizer.decode(new)!r} with margin {margin:.1e}", flush=True)
    cases.write_cases(recorded, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
