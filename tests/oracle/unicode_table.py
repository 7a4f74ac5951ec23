#!/usr/bin/env python3
"""Writes core/text/unicode_table.h.

The tables are not taken from a Unicode database but from what the reference library does: every
code point is given to its splitters (\\p{L}, \\p{M}, ... through its regular expressions, Digits
through its own code), to the search for whole words, and to its normalizers, so they agree with the
reference by construction. Only the number of a combining class comes from Python's database: no
version of Unicode changes it.

    python tests/oracle/unicode_table.py core/text/unicode_table.h
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

BLOCK = 256
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# The numbers are those of enum unicode_class.
PATTERNS = [(1, r"\p{L}"), (2, r"\p{M}"), (3, r"\p{N}"), (4, r"\p{P}"), (5, r"\p{S}"), (6, r"\s")]
LATER_NUMBER = 7
WORD, UNSTABLE = 8, 16  # flags above the class
# A code point that was unassigned before the version: (version, code, class number since then).
PROBES = [("17.0", 0x11DE0, 3), ("16.0", 0x10D40, 3), ("15.1", 0x2EBF0, 1), ("15.0", 0x11F50, 3),
          ("14.0", 0x10F70, 1)]


def chunks(size=4096):
    for i in range(0, len(CODES), size):
        yield CODES[i:i + size]


def matched_by_pattern(pattern):
    """The code points that a regular expression of one class matches."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed")
    left = set()
    for codes in chunks():
        for piece, _ in splitter.pre_tokenize_str("".join(map(chr, codes))):
            left.update(map(ord, piece))
    return set(CODES) - left


def matched_by_digits():
    """The code points that the Digits splitter takes out from between two letters."""
    splitter = pre_tokenizers.Digits(individual_digits=True)
    found = set()
    for codes in chunks():
        text = "a" + "a".join(map(chr, codes)) + "a"
        pieces = [piece for piece, _ in splitter.pre_tokenize_str(text)]
        found.update(ord(p) for p in pieces if len(p) == 1 and p != "a")
    return found


def classes():
    table = [0] * 0x110000
    for number, pattern in PATTERNS:
        for code in matched_by_pattern(pattern):
            if table[code]:
                sys.exit(f"U+{code:04X} is in two classes")
            table[code] = number
    digits = matched_by_digits()
    for code, number in enumerate(table):
        if number == 3 and code not in digits:
            sys.exit(f"U+{code:04X} is a number that Digits does not know")
        if number != 3 and code in digits:
            if number:
                sys.exit(f"U+{code:04X} is a digit and in class {number}")
            table[code] = LATER_NUMBER
    return table


def matched_by_word():
    """The code points that a token with the flag single_word cannot stand behind."""
    t = Tokenizer(models.BPE())
    t.add_tokens([AddedToken("<x>", single_word=True)])
    words = set(CODES)
    for codes in chunks():
        starts = {5 * i + 1: c for i, c in enumerate(codes)}
        found = t.encode("".join(chr(c) + "<x> " for c in codes))
        words -= {starts[start] for start, _ in found.offsets}
    return words


class Normalization:
    """What the reference's NFC and NFD do, as tables. Hangul syllables follow from arithmetic."""

    def __init__(self):
        self.nfc, self.nfd = (f().normalize_str for f in (normalizers.NFC, normalizers.NFD))
        self.decomposed = {c: self.nfd(chr(c)) for c in CODES if not 0xAC00 <= c <= 0xD7A3}
        self.decomposed = {c: s for c, s in self.decomposed.items() if s != chr(c)}
        self.classes = {c: self.combining_class(c) for c in CODES}
        self.composed = {}
        for code, text in self.decomposed.items():
            first = self.nfc(text[:-1])
            if len(first) == 1 and self.nfc(first + text[-1]) == chr(code):
                self.composed[ord(first), ord(text[-1])] = code

    def combining_class(self, code):
        number = unicodedata.combining(chr(code))
        low, high = chr(0x334), chr(0x345)  # of the lowest class and of the highest
        moves = self.nfd(chr(code) + low)[0] == low or self.nfd(high + chr(code))[0] != high
        return number if number and (moves or code == 0x345) else 0

    def unstable(self):
        """Code points that NFC may change, or put together with what stands before them."""
        changed = {c for c, s in self.decomposed.items() if self.nfc(s) != chr(c)}
        marks = {c for c, number in self.classes.items() if number}
        jamo = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
        return changed | marks | jamo | {second for _, second in self.composed}


def version(table, later):
    for name, code, number in PROBES:
        if table[code] == number or (later and table[code] == LATER_NUMBER):
            return name
    return "before 14.0"


def write_rows(out, items, per_line):
    for i in range(0, len(items), per_line):
        out.write("    " + ",".join(items[i:i + per_line]) + ",\n")
    out.write("};\n\n")


def write_normalization(n, out):
    out.write("/* Runs of one canonical combining class other than 0. */\n"
              "static const unicode_mark_range unicode_marks[] = {\n")
    runs = []
    for code, number in n.classes.items():
        if number and runs and runs[-1][1:] == [code - 1, number]:
            runs[-1][1] = code
        elif number:
            runs.append([code, code, number])
    write_rows(out, ["{%d,%d,%d}" % tuple(run) for run in runs], 5)
    out.write("/* Full canonical decompositions: each a place in unicode_parts. */\n"
              "static const unicode_decomposition unicode_decompositions[] = {\n")
    rows, parts = [], []
    for code, text in sorted(n.decomposed.items()):
        rows.append(f"{{{code},{len(parts)},{len(text)}}}")
        parts += [str(ord(c)) for c in text]
    write_rows(out, rows, 6)
    out.write("static const uint32_t unicode_parts[] = {\n")
    write_rows(out, parts, 14)
    out.write("/* What two code points compose to. */\n"
              "static const unicode_composition unicode_compositions[] = {\n")
    write_rows(out, ["{%d,%d,%d}" % (*pair, code) for pair, code in sorted(n.composed.items())], 5)


def write(table, normalization, path):
    words, unstable = matched_by_word(), normalization.unstable()
    flags = [WORD * (c in words) + UNSTABLE * (c in unstable) for c in range(0x110000)]
    both = [number + flag for number, flag in zip(table, flags)]
    blocks, index = {}, []
    for i in range(0, len(table), BLOCK):
        index.append(blocks.setdefault(tuple(both[i:i + BLOCK]), len(blocks)))
    if len(blocks) > 256:
        sys.exit("more blocks than an 8-bit index can name")
    with open(path, "w", encoding="ascii", newline="\n") as out:
        out.write(f"""/*
 * unicode_table.h - properties of code points. Generated by tests/oracle/unicode_table.py: do not
 * edit. They are as the Python package tokenizers {tokenizers.__version__} has them: \\p{{...}} and
 * \\s of its regular expressions (Unicode {version(table, False)}), UNICODE_CLASS_LATER_NUMBER of
 * Digits (Unicode {version(table, True)}), words of single_word, and normal forms of its NFC, which
 * is older. Included by unicode.c alone.
 */
#ifndef FATHOM_TEXT_UNICODE_TABLE_H
#define FATHOM_TEXT_UNICODE_TABLE_H

#include "unicode.h"

typedef struct unicode_mark_range {{
    uint32_t first, last;
    uint8_t combining_class;
}} unicode_mark_range;

typedef struct unicode_decomposition {{
    uint32_t code;
    uint16_t start; /* in unicode_parts */
    uint8_t length;
}} unicode_decomposition;

typedef struct unicode_composition {{
    uint32_t first, second, code;
}} unicode_composition;

/* [code >> 8] -> row of unicode_blocks */
const uint8_t unicode_block_of[{len(index)}] = {{
""")
        for i in range(0, len(index), 24):
            out.write("    " + ",".join(map(str, index[i:i + 24])) + ",\n")
        out.write(f"}};\n\n/* [row][code & 255] -> enum unicode_class + flags */\n"
                  f"const uint8_t unicode_blocks[{len(blocks)}][{BLOCK}] = {{\n")
        for block in blocks:
            out.write("    {\n")
            for i in range(0, BLOCK, 16):
                out.write("        " + ",".join(map(str, block[i:i + 16])) + ",\n")
            out.write("    },\n")
        out.write("};\n\n")
        write_normalization(normalization, out)
        out.write("#endif\n")
    versions = f"{version(table, False)} and {version(table, True)}"
    print(f"{path}: {len(blocks)} blocks, Unicode {versions}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: unicode_table.py OUT.h")
    write(classes(), Normalization(), sys.argv[1])
