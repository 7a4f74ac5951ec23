#!/usr/bin/env python3
r"""Tokenizer vectors from the reference library (Python package `tokenizers`).

    tokenizer_vectors.py small OUT           trains one small vocabulary for each family of split
                                             rules, writes all with one set of texts and their ids
    tokenizer_vectors.py published DIR OUT   texts and ids for the tokenizer.json of DIR, which is
                                             copied to OUT
    tokenizer_vectors.py show DIR N          text N (from 1) of texts.txt and its ids, to compare

texts.txt has one text a line, with \n, \r, \\ and \xHH for what a line of UTF-8 cannot hold. ids.txt has
one line for each: a hash of the ids with added tokens recognised, a blank and the hash of the ids as
plain text where those differ. In place of it "-" for bytes that are no UTF-8, which the reference does
not take, and "!" where a byte of the text has no token in the vocabulary (the reference drops it,
Fathom refuses the text).
"""
import json
import pathlib
import shutil
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, trainers
from tokenizers import decoders, normalizers, pre_tokenizers

import tokenizer_rules
import tokenizer_texts
import unicode_table

OLDER = ("deepseek_v3", "smollm")  # with more tokens: other tests read them, too
N_TOKENS = 900


def mark(text, special=False, **flags):
    return AddedToken(text, special=special, normalized=flags.pop("normalized", not special),
                      **flags)


LETTERS = "øöúÿõ÷ûýÀùÁþü"  # symbols of the bytes that UTF-8 never has
DEEPSEEK = [mark("<｜begin▁of▁sentence｜>", True), mark("<｜end▁of▁sentence｜>", True)]
BOS = {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"}

# What is peculiar to a family's file. Texts of added tokens overlap or start with each other, and
# are matched in two passes (normalized or not).
SMALL = {
    "deepseek_llm": {
        "marks": [*DEEPSEEK, *(mark(c) for c in LETTERS)], "without": LETTERS,
        "config": {**BOS, "add_bos_token": True},
    },
    "deepseek_coder": {
        "marks": [*(mark(c) for c in LETTERS), *DEEPSEEK, mark("<｜fim▁hole｜>"), mark("<pad>", True),
                  mark("<|EOT|>", True)],
        "without": LETTERS, "strings": True, "config": {**BOS, "add_bos_token": True},
    },
    "deepseek_v3": {
        "marks": [*DEEPSEEK, mark("<｜▁pad▁｜>", True), mark("<｜User｜>"), mark("<｜Assistant｜>"),
                  mark("<think>"), mark("</think>"), mark("<thinking>"), mark("<think"),
                  mark("｜DSML｜"), mark("k>＜x", True), mark("ű", normalized=False)],
        "config": {**BOS, "bos_token": {"__type": "AddedToken",
                                        "content": "<｜begin▁of▁sentence｜>"},
                   "add_bos_token": True},
    },
    "llama3": {
        "marks": [mark("<|begin_of_text|>", True), mark("<|end_of_text|>", True),
                  mark("<|eot_id|>", True)],
        "ignore_merges": True, "strings": True,
        "config": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
    },
    "qwen2": {
        "marks": [mark("<|endoftext|>", True), mark("<|im_start|>", True), mark("<|im_end|>", True),
                  mark("<tool_call>"), mark("e\u0301!"), mark("\u1100\u1161", normalized=False)],
        "normalizer": normalizers.NFC(), "config": {"eos_token": "<|im_end|>"},
    },
    "gpt2": {
        "marks": [mark("<|endoftext|>", True), mark("whole", single_word=True),
                  mark("whole word", single_word=True, lstrip=True), mark("\u0301-")],
        "strings": True, "config": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    },
    "smollm": {
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


# ---- Texts and ids -------------------------------------------------------------------------------

def class_edges():
    table = unicode_table.classes()
    edges = {c for i in range(1, len(table)) if table[i] != table[i - 1] for c in (i - 1, i)}
    edges |= {c for pair in tokenizer_rules.letter_ranges() for e in pair for c in (e - 1, e, e + 1)}
    return sorted(c for c in edges if not 0xD800 <= c < 0xE000)


def composing():
    nfd = normalizers.NFD()
    return [c for c in unicode_table.CODES
            if not 0xAC00 <= c <= 0xD7A3 and nfd.normalize_str(chr(c)) != chr(c)]


def escape(data):
    text = data.decode(errors="surrogateescape")
    named = {"\n": "\\n", "\r": "\\r", "\\": "\\\\"}
    return "".join(named.get(c) or (f"\\x{ord(c) & 255:02X}" if c < " " or "\udc80" <= c <= "\udcff"
                                    else c) for c in text)


def unescape(line):
    parts = line.split("\\\\")
    for i, part in enumerate(parts):
        head, *rest = part.replace("\\n", "\n").replace("\\r", "\r").split("\\x")
        parts[i] = head.encode() + b"".join(bytes([int(r[:2], 16)]) + r[2:].encode() for r in rest)
    return b"\\".join(parts)


def hash_ids(ids):
    """FNV-1a of 64 bits over the ids as four bytes each, folded into 32."""
    value = 0xCBF29CE484222325
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value >> 32 ^ value & 0xFFFFFFFF:08x}"


class Reference:
    def __init__(self, value):
        self.added = Tokenizer.from_str(json.dumps(value))
        self.plain = Tokenizer.from_str(json.dumps({**value, "added_tokens": []}))
        have = set(value["model"]["vocab"])
        self.missing = {b for b, symbol in enumerate(self.symbols()) if symbol not in have}

    @staticmethod
    def symbols():
        kept = [b for b in range(256) if 32 < b < 127 or 160 < b < 256 and b != 173]
        others = (chr(256 + i) for i in range(256))
        return [chr(b) if b in kept else next(others) for b in range(256)]

    def ids(self, data):
        text = data.decode()
        return [t.encode(text, add_special_tokens=False).ids for t in (self.added, self.plain)]

    def line(self, data):
        if self.missing & set(data):
            return "!"
        if not tokenizer_texts.is_valid(data):
            return "-"
        added, plain = map(hash_ids, self.ids(data))
        return added + (" " + plain if added != plain else "")


def write_texts(texts, out):
    (out / "texts.txt").write_text("".join(escape(t) + "\n" for t in texts), encoding="utf-8",
                                   newline="\n")


def write_ids(value, texts, out):
    reference = Reference(value)
    (out / "ids.txt").write_text("".join(reference.line(t) + "\n" for t in texts))
    print(f"{out}: {len(texts)} texts with tokenizers {tokenizers.__version__}")


# ---- Commands ------------------------------------------------------------------------------------

def with_words(t):
    """The same tokenizer with whole words that no merges lead to, as Llama 3 has them."""
    value = json.loads(t.to_str())
    value["model"]["ignore_merges"] = True
    vocab = value["model"]["vocab"]
    words = ["Ġ" + w for w in tokenizer_texts.COMMON] + tokenizer_texts.COMMON
    for word in [w for w in words if w not in vocab][:60]:
        vocab[word] = len(vocab)
    return Tokenizer.from_str(json.dumps(value))


def train(name, spec):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = tokenizer_rules.pre_tokenizer(name)
    t.decoder = decoders.ByteLevel()
    alphabet = set(pre_tokenizers.ByteLevel.alphabet()) - set(spec.get("without", ""))
    trainer = trainers.BpeTrainer(vocab_size=2000 if name in OLDER else N_TOKENS,
                                  show_progress=False, initial_alphabet=sorted(alphabet))
    t.train_from_iterator(tokenizer_texts.training_text(1, 6000), trainer)
    if spec.get("ignore_merges"):
        t = with_words(t)
    t.add_tokens(spec["marks"])
    if "normalizer" in spec:
        t.normalizer = spec["normalizer"]
    value = json.loads(t.to_str())
    model = value["model"]
    # smollm's real file has its added tokens in the vocabulary, too; deepseek's has not.
    if name == "smollm":
        model["vocab"].update({a["content"]: a["id"] for a in value["added_tokens"]})
    if spec.get("strings"):
        model["merges"] = [" ".join(pair) for pair in model["merges"]]
    return value


def write_small(out):
    marks = list(dict.fromkeys(m.content for spec in SMALL.values() for m in spec["marks"]))
    texts = tokenizer_texts.test_texts(2, marks, class_edges(), composing())
    write_texts(texts, out)
    for name, spec in SMALL.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        value = train(name, spec)
        dump(value, folder / "tokenizer.json")
        dump(spec["config"], folder / "tokenizer_config.json")
        write_ids(value, texts, folder)


def write_published(source, out):
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (source / name).exists() and (source / name).resolve() != (out / name).resolve():
            shutil.copy(source / name, out / name)
    value = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    marks = [a["content"] for a in value["added_tokens"]]
    texts = tokenizer_texts.test_texts(3, marks[:60] + marks[-60:], class_edges(), composing())
    write_texts(texts, out)
    write_ids(value, texts, out)


def show(folder, number):
    texts = folder / "texts.txt"
    if not texts.exists():
        texts = folder.parent / "texts.txt"
    value = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    data = unescape(texts.read_text(encoding="utf-8").split("\n")[number - 1])
    for name, ids in zip(("added", "plain"), Reference(value).ids(data)):
        print(name, hash_ids(ids), *ids)


def main(arguments):
    match arguments:
        case ["small", out]:
            write_small(pathlib.Path(out))
        case ["published", source, out]:
            write_published(pathlib.Path(source), pathlib.Path(out))
        case ["show", folder, number]:
            show(pathlib.Path(folder), int(number))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
