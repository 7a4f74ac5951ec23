"""Writes recorded cases in the format that README.md describes."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Case:
    name: str
    ids: list
    rows: list  # positions whose logits are kept
    logits: np.ndarray  # float32, of those rows: [len(rows), V]
    range: float
    greedy: list
    margin: float


def numbers(word, values):
    return " ".join([word, str(len(values)), *map(str, values)])


def write_cases(cases, folder):
    """Writes cases.txt and logits.f32 into `folder`."""
    lines, offset = [f"vocab {cases[0].logits.shape[1]}"], 0
    with open(folder / "logits.f32", "wb") as out:
        for case in cases:
            out.write(case.logits.astype("<f4").tobytes())
            lines += [f"case {case.name}", numbers("ids", case.ids), numbers("rows", case.rows),
                      f"logits logits.f32 {offset}", f"range {case.range:.6g}",
                      numbers("greedy", case.greedy), f"margin {case.margin:.4g}"]
            offset += case.logits.nbytes
    (folder / "cases.txt").write_text("\n".join(lines) + "\n")
