"""The published `pre_tokenizer` of each family, as objects of the reference library. The texts are
those of the tokenizer.json of deepseek-ai/deepseek-llm-7b-base, deepseek-ai/deepseek-coder-6.7b-instruct,
deepseek-ai/DeepSeek-V3, meta-llama/Meta-Llama-3-8B, Qwen/Qwen3-8B, openai-community/gpt2 and
HuggingFaceTB/SmolLM2-135M."""
import pathlib
import re

from tokenizers import Regex
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

NEWLINE = "[\r\n]"
LLM_PUNCTUATION = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
HAN_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
V3 = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
      "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
      "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|NUMBERS"
          "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def letter_ranges():
    """First and last code point of deepseek-llm's letters, as core/text/letters.c lists them."""
    source = pathlib.Path(__file__).parents[2] / "core/text/letters.c"
    found = re.findall(r"\{0x([0-9A-F]+), 0x([0-9A-F]+)\}", source.read_text(encoding="utf-8"))
    return [(int(a, 16), int(b, 16)) for a, b in found]


def letters():
    return "".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in letter_ranges())


def split(*patterns):
    return [Split(Regex(p), "isolated") for p in patterns]


def steps(name):
    digits = Digits(individual_digits=True)
    match name:
        case "deepseek_llm":
            return [*split(NEWLINE, f"\\s?[{letters()}]+", LLM_PUNCTUATION, "\\s+$", CJK), digits]
        case "deepseek_coder":
            return [*split(NEWLINE, "\\s?\\p{L}+", "\\s?\\p{P}+", CJK), digits]
        case "deepseek_v3":
            return split("\\p{N}{1,3}", HAN_KANA, V3)
        case "llama3":
            return split(LLAMA3.replace("NUMBERS", "\\p{N}{1,3}"))
        case "qwen2":
            return split(LLAMA3.replace("NUMBERS", "\\p{N}"))
        case "smollm":
            return [digits]
        case "gpt2":
            return []
    raise ValueError(name)


def pre_tokenizer(name):
    by_rule = name in ("smollm", "gpt2")
    last = ByteLevel(add_prefix_space=False, use_regex=by_rule)
    return Sequence([*steps(name), last]) if steps(name) else last
