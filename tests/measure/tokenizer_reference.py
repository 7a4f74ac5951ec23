"""The other side of tokenizer.sh: the reference library on one thread, with the same text cut in the
same way. python tokenizer_reference.py DIR TEXT ROUNDS prints one line like tokenizer_time's."""
import os
import resource
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402

PART_SIZE = 8192  # bytes


def parts(data):
    pos = 0
    while pos < len(data):
        end = data.find(b"\n", pos + PART_SIZE)
        end = len(data) if end < 0 or len(data) - pos <= PART_SIZE else end + 1
        yield data[pos:end].decode()
        pos = end


def fastest(rounds, action):
    """Seconds of the processor, and the last result."""
    best = 1e9
    for _ in range(rounds):
        start = time.process_time()
        result = action()
        best = min(best, time.process_time() - start)
    return best, result


def main(folder, path, rounds):
    with open(path, "rb") as file:
        data = file.read()
    texts = list(parts(data))
    load, tokenizer = fastest(rounds, lambda: Tokenizer.from_file(folder + "/tokenizer.json"))
    seconds, ids = fastest(rounds, lambda: [tokenizer.encode(t, add_special_tokens=False).ids
                                            for t in texts])
    value, n_ids = 0xCBF29CE484222325, 0
    for part in ids:
        n_ids += len(part)
        for i in part:
            value = (value ^ i) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"load_ms {1e3 * load:.1f} encode_mb_per_s {1e-6 * len(data) / seconds:.2f} tokens {n_ids} "
          f"peak_mib {peak} hash {value:016x}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
