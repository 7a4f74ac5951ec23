"""Makes what the tests compare with: python tests/oracle/make.py --data tests/data --cache DIR

Writes DATA/oracle/NAME for every tiny checkpoint, DATA/oracle/report.json with what was measured on
the way, and CACHE/oracle/smollm2 when the real model lies in CACHE/models/smollm2. Any promise of
README.md that does not hold is an error."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch

import cases
import prompts
import reference
import sensitivity
import smollm2
from checkpoints import CHECKPOINTS, write_checkpoint

SEED = 1
MAX_BYTES = 400_000  # of one checkpoint with its logits
MAX_ENTROPY = 0.5  # of uniform attention
MAX_NOISE = 2e-5  # of the range: float32 against float64
ROWS = {1: [0], 7: [0, 1, 2, 3, 4, 5, 6], 64: [0, 17, 40, *range(56, 64)],
        300: [0, 65, 128, 255, *range(292, 300)]}


def record(model, config, length):
    """One case: a prompt of `length` ids, its logits, its continuation."""
    prompt = prompts.find(model, config, length, SEED)
    logits = reference.logits(model, prompt.ids)
    return cases.Case(f"prompt{length}", prompt.ids, ROWS[length], logits[ROWS[length]].numpy(),
                      (logits.max() - logits.min()).item(), prompt.greedy, prompt.margin)


def noise(model, exact_model, ids):
    """How far float32 is from float64 on one prompt, as a share of the range."""
    logits, exact = reference.logits(model, ids), reference.logits(exact_model, ids)
    return ((logits - exact).abs().max() / (exact.max() - exact.min())).item()


def make(checkpoint, folder):
    """Fills an empty directory and returns its entry of the report."""
    def load(dtype=torch.float32):
        return reference.load(folder, checkpoint.config["num_hidden_layers"], dtype)

    write_checkpoint(checkpoint, folder)
    model = load()
    recorded = [record(model, checkpoint.config, length) for length in ROWS]
    cases.write_cases(recorded, folder)
    longest = recorded[-1]
    moved = sensitivity.measure(checkpoint, load, longest.ids, longest.rows)
    return {
        "about": checkpoint.notes,
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "entropy": round(reference.entropy_share(model, longest.ids), 3),
        "noise": float(f"{noise(model, load(torch.float64), longest.ids):.1e}"),
        "margins": {case.name: float(f"{case.margin:.1e}") for case in recorded},
        "mistakes": {name: float(f"{value:.2g}") for name, value in moved.items()},
    }


def find_faults(entry):
    """Promises that an entry of the report breaks."""
    least = sensitivity.FACTOR * sensitivity.TOLERANCE
    faults = [f"`{name}` moves logits by {value} of the range only"
              for name, value in entry["mistakes"].items() if value < least]
    limits = {"bytes": MAX_BYTES, "entropy": MAX_ENTROPY, "noise": MAX_NOISE}
    faults += [f"{key} is {entry[key]}, allowed is {limit}"
               for key, limit in limits.items() if entry[key] > limit]
    faults += [f"{name} has no clear continuation"
               for name, margin in entry["margins"].items() if margin < prompts.GREEDY_MARGIN]
    return faults


def make_checkpoint(checkpoint, data):
    """Makes one directory beside its place, moves it there, and notes it in the report."""
    target, partial = data / checkpoint.name, data / f"{checkpoint.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    entry = make(checkpoint, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    path = data / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    report[checkpoint.name] = entry
    path.write_text(json.dumps(dict(sorted(report.items())), indent=1) + "\n")
    print(f"{checkpoint.name:20} {entry['bytes'] // 1000:4} KB  entropy {entry['entropy']:.3f}  "
          f"noise {entry['noise']:.1e}  least mistake {min(entry['mistakes'].values()):.3f}  "
          f"least margin {min(entry['margins'].values()):.1e}", flush=True)
    return [f"{checkpoint.name}: {fault}" for fault in find_faults(entry)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="tests/data")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps the real model's files")
    parser.add_argument("--only", metavar="NAME", help="one checkpoint, or smollm2")
    args = parser.parse_args()
    names = [checkpoint.name for checkpoint in CHECKPOINTS] + ["smollm2"]
    if args.only and args.only not in names:
        parser.error(f"no checkpoint is named {args.only}; there are {' '.join(names)}")
    faults = []
    for checkpoint in CHECKPOINTS:
        if args.only in (None, checkpoint.name):
            faults += make_checkpoint(checkpoint, args.data / "oracle")
    if args.only in (None, "smollm2"):
        smollm2.make(args.cache)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
