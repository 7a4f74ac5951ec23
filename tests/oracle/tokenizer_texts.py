"""Texts for the tokenizer vectors, made from a seed: nothing is read from outside this file."""
import random

# First and last code point of letters to build words from.
SCRIPTS = {
    "latin": [(0x61, 0x7A)], "latin_accents": [(0xE0, 0xF6), (0x101, 0x17F), (0x61, 0x7A)],
    "greek": [(0x3B1, 0x3C9)], "cyrillic": [(0x430, 0x44F)], "hebrew": [(0x5D0, 0x5EA)],
    "arabic": [(0x627, 0x64A), (0x64B, 0x652)], "devanagari": [(0x905, 0x939), (0x93E, 0x94D)],
    "bengali": [(0x985, 0x9B9), (0x9BE, 0x9CD)], "tamil": [(0xB85, 0xBB9), (0xBBE, 0xBCD)],
    "thai": [(0xE01, 0xE3A), (0xE40, 0xE4E)], "georgian": [(0x10D0, 0x10FA)],
    "ethiopic": [(0x1200, 0x1248)], "hangul": [(0xAC00, 0xD7A3)],
    "jamo": [(0x1100, 0x1112), (0x1161, 0x1175)],
    "hiragana": [(0x3041, 0x3096)], "katakana": [(0x30A1, 0x30FA)], "han": [(0x4E00, 0x9FA5)],
    "han_outside": [(0x9FA6, 0x9FFF), (0x3400, 0x34FF), (0x20000, 0x200FF)],
    "gothic": [(0x10330, 0x1034A)], "mathematical": [(0x1D400, 0x1D454)],
}
SPACES = [0x20] * 12 + [0x0A] * 4 + [0x09] * 2 + [0x0D] * 2 + [
    0x0B, 0x0C, 0x85, 0xA0, 0x1680, 0x2000, 0x2003, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F,
    0x205F, 0x3000]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + list("。、！？「」…—–«»¿¡·€£©®°±×÷→≠∑★♪")
DIGITS = [(0x30, 0x39)] * 6 + [(0x660, 0x669), (0x966, 0x96F), (0xFF10, 0xFF19), (0x2160, 0x216F),
                               (0xB2, 0xB3), (0xBC, 0xBE), (0x1D7CE, 0x1D7FF), (0x11DE0, 0x11DE9)]
UNCLASSED = [(0, 8), (0xE, 0x1F), (0x7F, 0x84), (0xAD, 0xAD), (0x378, 0x379), (0x200B, 0x200F),
             (0x2060, 0x206F), (0xE000, 0xE00F), (0xFEFF, 0xFEFF), (0xE0001, 0xE007F)]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "🇨🇳🇫🇷", "❤️", "1️⃣", "🏳️‍🌈", "🫠", "☺", "🧑🏿‍🚀"]
COMMON = ("the of and to in is that it was for on as with his they at be this from have or by "
          "one had not but what all were when we there can an your which their said if do will "
          "each about how up out them then she many some so these would other into has more her "
          "two like him see time could no make than first been its who now people my made over "
          "did down only way find use may water long little very after words called just where "
          "most know").split()
CODE = ["for (int i = 0; i < n; i++) {", "    return x->y[3] + 0x1F;",
        "def f(self, *args, **kw):", "if (!p) { *out = NULL; }",
        "SELECT id, name FROM t WHERE a >= 10;", "#include <stdio.h>",
        "\tfoo_bar = baz.qux(\"a\\n\", 'b')", "<div class=\"x\">&amp;</div>",
        "https://example.org/a?b=c&d=1", "user.name+tag@mail.example", "C:\\dir\\file.txt",
        "$x = @{$y}{'z'};", "a&&b||!c", "x**2//3%4", "{\"key\": [1, 2.5e-10, null]}",
        "std::vector<int>::iterator", "λx. x x", "// ----", "/* *** */",
        "let v: Vec<&'static str> = vec![];", "printf(\"%5.2f\\n\", 3.14159);", "```json",
        "$$\\frac{1}{2}$$"]
FIXED = ["", "a", " ", "\n", "\r\n", "\t", "  ", "   ", " a", "a ", "a  b", "a   b", "a\nb",
         "a \n b", "a\n\n\nb", " \n \n x", "\n\n  x", "x  \n", "x \r\n\r\n y", "\u3000\u3000x",
         "\u00a0x", "a\u00a0 b", "\u0085x", "I'm", "I'M", "you're we've they'll he'd it's don't",
         "YOU'RE", "'s", "'sx", " 's", "''s", "'", "'l", "'re", "l'été", "'ſ", "o’clock", "123",
         "1234567890", "12 34", " 1", "a1b2", "1,234.56", "-5", "٣٤٥", "Ⅻ", "x²", "½", "3.14",
         "1a", "12ab", "!", "!a", "!ab c", "!1", "!é", "@user", "#tag", "_a", "a_b", "__init__",
         "$5", "€5", "a.b", "a...b", "...\n", "...\n\nx", "?!\r\n", " !", "  !", " !a", "!\n a",
         "é", "e\u0301", "\u0301", " \u0301", "!\u0301", "\n\u0301", "\u200b", "\u200ba",
         "a\u200b", "\u200b\u200ba", "\u200b \u200b", "\ufeff", "\ufeffa", "\u00ada", "\u0000",
         "\u0000a", "a\u0000", "\u0000 a", "\u0001\u0002\u0003", "\u007f", "\ue000", "\ue000a",
         "\U0010ffff", "\u0378", "\u0378a", "中文", "中 文", "中文abc", "abc中文", "中1文2", "日本語",
         "ひらがなカタカナ", "ア・イ", "ア゛イ", "か\u3099", "\u3099か", "\u3040あ", "一゠二", "龥龦", "、中", "中、",
         "中!", "!中", "가나다", "가1나", "한국어 中文", "ไทย", "नमस्ते", "שלום", "مرحبا", "😀", "a😀b", "😀 a",
         "👩‍👩‍👧", "🇩🇪🇫🇷", "1️⃣", "\U00011de0", "a\U00011de0b", "1\U00011de01", " \U00011de0",
         "\U00016ff4\U00016ff5", "Ġ", "Ċ", "Ġa", "ö", "űű", "ñandú", "naïve café", "ﬁ", "ſ", "İ", "ß",
         "ǅ", "ª", "º", "Hello, world!", "hello  world", "The capital of France is",
         "line one\nline two\r\nline three", "trailing  ", "trailing\n", "\ttabbed"]


def letters(rng, ranges, n):
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(n))


class Writer:
    """Words, lines and odd texts from one random stream."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lexicon = {name: [letters(self.rng, ranges,
                                       self.rng.randint(1, 6)) for _ in range(120)]
                        for name, ranges in SCRIPTS.items()}
        self.lexicon["english"] = COMMON

    def word(self, script):
        words = self.lexicon[script]
        return words[min(int(self.rng.expovariate(1 / 25)), len(words) - 1)]

    def space(self):
        return "".join(chr(self.rng.choice(SPACES)) for _ in range(self.rng.randint(1, 4)))

    def number(self):
        return letters(self.rng, [self.rng.choice(DIGITS)], self.rng.randint(1, 8))

    def punctuation(self):
        return "".join(self.rng.choice(PUNCTUATION) for _ in range(self.rng.randint(1, 3)))

    def odd(self):
        kind = self.rng.randint(0, 5)
        if kind == 0:
            return self.rng.choice(EMOJI)
        if kind == 1:
            return letters(self.rng, UNCLASSED, 1)
        if kind == 2:
            return letters(self.rng, [(0x300, 0x36F), (0x483, 0x489), (0x20D0, 0x20F0)], 2)
        if kind == 3:
            return self.rng.choice(["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE",
                                    "'x"])
        if kind == 4:
            return letters(self.rng, [(0, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)], 1)
        return self.rng.choice(CODE)[:12]

    def sentence(self, n_words):
        often = ["english"] * 12 + ["latin"] * 3 + ["han"] * 3
        script = self.rng.choice(list(self.lexicon) + often)
        glue = "" if script in ("han", "hiragana", "katakana", "thai", "han_outside") else " "
        words = [self.word(script) for _ in range(n_words)]
        if self.rng.random() < 0.4:
            words[0] = words[0].capitalize()
        if self.rng.random() < 0.2:
            words.insert(self.rng.randrange(len(words)), self.number())
        return glue.join(words) + self.rng.choice([".", "!", "?", ",", "。", "", "\n", ":"])

    def soup(self, n_parts):
        makers = [lambda: self.word(self.rng.choice(list(self.lexicon))), self.space, self.space,
                  self.number, self.punctuation, self.odd]
        return "".join(self.rng.choice(makers)() for _ in range(n_parts))

    def run(self):
        unit = self.rng.choice(["a", " ", "\n", "ab", "=", "-", "0", "the", "é", "中", "\u200b",
                                "aaab", "\t "])
        return unit * self.rng.randint(20, 90) + self.rng.choice(["", "x", " x", "\n"])

    def marked(self, marks):
        parts = []
        for _ in range(self.rng.randint(1, 3)):
            mark = self.rng.choice(marks)
            cut = self.rng.random()
            if cut < 0.15:
                mark = mark[:self.rng.randrange(1, len(mark) + 1)]
            elif cut < 0.25:
                mark = mark[self.rng.randrange(len(mark)):]
            parts += [self.rng.choice(["", "", " ", "  ", "\n", self.word("english"),
                                       self.soup(1)]), mark]
        return "".join(parts) + self.rng.choice(["", " ", "  \n", self.word("english")])

    def edges(self, codes):
        """Code points where a class begins or ends, between what shows the class."""
        return "".join(self.rng.choice(["a", " ", "1", "!", ""]) + chr(c) for c in codes)

    def unnormalized(self, composing):
        """Letters, marks in any order, jamo and singletons: what normal form C puts together."""
        marks = [(0x300, 0x314), (0x323, 0x331), (0x334, 0x338), (0x345, 0x345), (0x5B0, 0x5BC),
                 (0x64B, 0x655), (0x93C, 0x93C), (0x94D, 0x94D), (0x3099, 0x309A)]
        bases = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xFF), (0x391, 0x3C9), (0x1EA0, 0x1EF9),
                 (0x5D0, 0x5EA), (0x622, 0x64A), (0x928, 0x934), (0x304B, 0x307D)]
        jamo = [(0x1100, 0x1112), (0x1161, 0x1175), (0x11A7, 0x11C2), (0xAC00, 0xAC38)]
        parts = []
        for _ in range(self.rng.randint(1, 5)):
            kind = self.rng.randint(0, 7)
            if kind < 4:
                parts.append(letters(self.rng, bases, 1) +
                             letters(self.rng, marks, self.rng.choice([1, 1, 1, 2, 2, 3, 5, 30])))
            elif kind < 6:
                parts.append(letters(self.rng, jamo, self.rng.randint(1, 4)))
            elif kind == 6:
                parts.append(chr(self.rng.choice(composing)) + letters(self.rng, marks, 1))
            else:
                parts.append(self.soup(1))
        return "".join(parts)

    def broken(self):
        data = bytearray((self.sentence(2) + self.soup(2)).encode())
        for _ in range(self.rng.randint(1, 3)):
            i = self.rng.randrange(len(data) + 1)
            data[i:i + self.rng.randint(0, 2)] = self.rng.choice(
                [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8",
                 b"\xf0\x9f\x98", b"\x80",
                 b"\xf8\x88", bytes(self.rng.randrange(256) for _ in range(3))])
        return bytes(data[:60])


def training_text(seed, n_lines):
    w = Writer(seed)
    for _ in range(n_lines):
        yield w.rng.choice(CODE) if w.rng.random() < 0.1 else w.sentence(w.rng.randint(2, 10))


def is_valid(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def test_texts(seed, marks, class_edges, composing):
    """More than 10,000 different byte strings, most of them UTF-8. `marks`: the texts of the added
    tokens; `composing`: code points that have a decomposition."""
    w = Writer(seed)
    texts = [t.encode() for t in FIXED + CODE + marks]
    edges = list(class_edges)
    w.rng.shuffle(edges)
    texts += [w.edges(edges[i:i + 6]).encode() for i in range(0, len(edges), 6)]
    texts += [w.edges(composing[i:i + 9]).encode() for i in range(0, len(composing), 9)]
    for count, make in [(2400, lambda: w.sentence(w.rng.randint(1, 4))),
                        (3600, lambda: w.soup(w.rng.randint(1, 5))), (120, w.run),
                        (1600, lambda: w.marked(marks)), (1200, lambda: w.unnormalized(composing))]:
        texts += [make().encode() for _ in range(count)]
    broken = [w.broken() for _ in range(900)]
    texts += [b for b in broken if not is_valid(b)]
    return list(dict.fromkeys(texts))
