#!/usr/bin/env python3
"""Chat templates as the reference renders them (Python package `jinja2`).

    templates.py conformance DIR      writes DIR/conformance.jsonl: small templates and their outputs
    templates.py own DIR              writes DIR/expected.jsonl: DIR/*.jinja for DIR/conversations.jsonl
    templates.py library DIR [MORE]   compares our set-up of jinja2 with transformers' own, for the small
                                      templates and those of DIR, and of the directory MORE
    templates.py unpack SDIST OUT     takes the published templates out of llama-cpp-python's source
                                      distribution
    templates.py published DIR MORE PROGRAM [LIST]
                                      renders the templates of the directory MORE for
                                      DIR/conversations.jsonl by the reference and by PROGRAM
                                      (tests/measure/render_templates.c), and writes differences to LIST
    templates.py random N SEED PROGRAM [LIST]
                                      the same for N random small templates
    templates.py talks MORE N SEED PROGRAM [LIST]
                                      the same for N random conversations with each template of MORE
    templates.py characters PROGRAM [LIST]
                                      the same for what is asked about single characters, all that have
                                      a name or a use

A line of conformance.jsonl has "template", then "output", or "error" and the reference's reason, then
"input" as the last member, so that a reader can take its text as it stands: numbers keep their form.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tarfile
import unicodedata
import warnings

import template_calls
import template_cases
import template_random
import template_reference as reference


SECTIONS = template_cases.SECTIONS + template_calls.SECTIONS


def text_of(value):
    return json.dumps(value, ensure_ascii=False)


# ---- The conformance table -----------------------------------------------------------------------

def conformance(out):
    lines, seen = [], set()
    for about, given, templates in SECTIONS:
        for template in templates:
            if (template, given) in seen:
                continue
            seen.add((template, given))
            output, reason = reference.render(template, json.loads(given))
            if output is None:
                answer = f'"error":{text_of(reason.splitlines()[0])}'
            else:
                assert " at 0x" not in output and "\0" not in output, template
                answer = f'"output":{text_of(output)}'
            beyond = ',"beyond":true' if template in template_calls.BEYOND else ""
            lines.append(f'{{"about":"{about}","template":{text_of(template)}{beyond},{answer},'
                         f'"input":{given}}}\n')
    (out / "conformance.jsonl").write_text("".join(lines), encoding="utf-8")
    refused = sum('"error":' in line for line in lines)
    print(f"{len(lines)} cases, of which the reference refuses {refused}")


# ---- Whole templates -----------------------------------------------------------------------------

def conversations(directory):
    """Name and JSON text of the input of each."""
    lines = (directory / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
    out = []
    for line in lines:
        value = json.loads(line)
        given = line.split(',"input":', 1)[1][:-1]
        assert list(value) == ["name", "input"] and json.loads(given) == value["input"], line
        out.append((value["name"], given))
    return out


def templates(directory):
    found = sorted(directory.glob("*.jinja"))
    if not found:
        sys.exit(f"templates.py: no *.jinja in {directory}")
    return [(path.name, path.read_text(encoding="utf-8")) for path in found]


def render(template, given):
    return reference.render(template, {**json.loads(given), **reference.NAMES})


def own(directory):
    lines = []
    for name, template in templates(directory):
        for conversation, given in conversations(directory):
            output, reason = render(template, given)
            answer = f'"error":{text_of(reason)}' if output is None else f'"output":{text_of(output)}'
            lines.append(f'{{"template":{text_of(name)},"conversation":{text_of(conversation)},'
                         f'{answer}}}\n')
    (directory / "expected.jsonl").write_text("".join(lines), encoding="utf-8")
    refused = sum('"error":' in line for line in lines)
    print(f"{len(lines)} renderings, of which the reference refuses {refused}")


def library(directories):
    n = 0
    for _, given, small in SECTIONS:
        for template in small:
            variables = {"messages": [], **json.loads(given)}
            if not reference.agrees_with_transformers(template, variables):
                sys.exit(f"templates.py: {template!r}: transformers gives another text")
            n += 1
    for name, template in [entry for d in directories for entry in templates(d)]:
        for conversation, given in conversations(directories[0]):
            variables = {**json.loads(given), **reference.NAMES}
            # The library has a meaning of its own for this one.
            variables.pop("continue_final_message", None)
            if not reference.agrees_with_transformers(template, variables):
                sys.exit(f"templates.py: {name}, {conversation}: transformers gives another text")
            n += 1
    print(f"{n} renderings are those of transformers")


# ---- Published templates -------------------------------------------------------------------------

def unpack(archive, out):
    out.mkdir(parents=True, exist_ok=True)
    n = 0
    with tarfile.open(archive) as members:
        for member in members:
            path = pathlib.PurePosixPath(member.name)
            if member.isfile() and path.match("vendor/llama.cpp/models/templates/*.jinja"):
                (out / path.name).write_bytes(members.extractfile(member).read())
                n += 1
    print(f"{n} templates in {out}")


# ---- Published templates by Fathom ---------------------------------------------------------------

class Renderer:
    """The program that renders many jobs, each a template and an input."""

    def __init__(self, program):
        names = [f"{name}={text}" for name, text in reference.NAMES.items()]
        self.process = subprocess.Popen([program, str(reference.NOW), *names],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template, given):
        """Like reference.render."""
        parts = [template.encode(), given.encode()]
        self.process.stdin.write(b"%d %d\n" % (len(parts[0]), len(parts[1])) + b"".join(parts))
        self.process.stdin.flush()
        head = self.process.stdout.readline().split()
        if len(head) != 2:
            sys.exit("templates.py: the program ended early")
        text = self.process.stdout.read(int(head[1])).decode()
        return (text, None) if head[0] == b"ok" else (None, text)


def first_difference(a, b):
    i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at character {i}: reference {a[max(0, i - 30):i + 50]!r}, " \
           f"Fathom {b[max(0, i - 30):i + 50]!r}"


def compare(expected, got):
    """"equal", "both refuse", "without text", or what differs."""
    if expected[0] is None and got[0] is None:
        kind, _, said = expected[1].partition(": ")
        if kind == "TemplateError" and said[:100] not in got[1]:  # raise_exception's text
            return f"other words: reference {said!r}, Fathom {got[1]!r}"
        return "both refuse"
    if expected[0] and " at 0x" in expected[0]:
        return "without text"  # the reference gives the address of an object
    if expected[0] is None:
        return f"only the reference refuses: {expected[1]}"
    if got[0] is None:
        return f"only Fathom refuses: {got[1]}"
    return "equal" if expected[0] == got[0] else first_difference(expected[0], got[0])


def compare_all(jobs, program, listing):
    """`jobs`: name, template, input. Prints the totals and lists what differs, most frequent first."""
    renderer = Renderer(program)
    counts, differences = collections.Counter(), collections.defaultdict(list)
    for name, template, given in jobs:
        verdict = compare(render(template, given), renderer.render(template, given))
        same = verdict in ("equal", "both refuse", "without text")
        counts[verdict if same else "different"] += 1
        if not same:
            differences[verdict].append(name)
    print(", ".join(f"{counts[k]} {k}" for k in ("equal", "both refuse", "different")))
    with open(listing, "w", encoding="utf-8") as out:
        for verdict, where in sorted(differences.items(), key=lambda d: -len(d[1])):
            print(f"{len(where)} × {verdict}", *where[:4], sep="\n      ", file=out)
    return 1 if counts["different"] else 0


def published(directory, more, program, listing):
    talks = conversations(directory)
    return compare_all(((f"{name} · {talk}", template, given) for name, template in templates(more)
                        for talk, given in talks), program, listing)


def at_random(n, seed, program, listing):
    maker = template_random.Maker(seed)
    small = (maker.template() for _ in range(n))
    return compare_all(((repr(t), t, template_random.GIVEN) for t in small), program, listing)


def random_talks(more, n, seed, program, listing):
    talker = template_random.Talker(seed)
    talks = [text_of(talker.conversation()) for _ in range(n)]
    return compare_all(((f"{name} · {talk}", template, talk) for name, template in templates(more)
                        for talk in talks), program, listing)


QUESTIONS = [
    "c|upper", "c|lower", "c|title", "c|capitalize", "('a' ~ c ~ 'b').title()", "('A' ~ c ~ 'Σ').lower()",
    "('AΣ' ~ c ~ 'A').lower()", "c is lower", "c is upper", "[c]", "('x' ~ c ~ 'y').split()|length",
    "('x' ~ c ~ 'y').splitlines()|length", "('x' ~ c)|trim|length", "('x' ~ c ~ 'y')|wordcount", "c|tojson",
    "c|tojson(ensure_ascii=true)", "('x ' ~ c ~ 'y')|title", "c.isspace()", "c|e",
]


def characters(program, listing):
    # Fathom's classes follow a later version of Unicode than Python's: what the latter has not, is out.
    codes = [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    jobs = []
    for question in QUESTIONS:
        template = "{% for c in all %}{{ " + question + " }};{% endfor %}"
        for start in range(0, len(codes), 4096):
            some = codes[start:start + 4096]
            name = f"{question} for U+{some[0]:04X} to U+{some[-1]:04X}"
            jobs.append((name, template, text_of({"all": [chr(c) for c in some]})))
    return compare_all(jobs, program, listing)


def main(arguments):
    warnings.simplefilter("ignore")  # of string literals with unknown escapes
    command, *paths = arguments or [""]
    paths = [pathlib.Path(path) for path in paths]
    if command == "conformance" and len(paths) == 1:
        return conformance(paths[0])
    if command == "own" and len(paths) == 1:
        return own(paths[0])
    if command == "library" and paths:
        return library(paths)
    if command == "unpack" and len(paths) == 2:
        return unpack(*paths)
    if command == "published" and len(paths) in (3, 4):
        return published(*paths[:3], paths[3] if len(paths) == 4 else "/dev/stdout")
    if command == "random" and len(paths) in (3, 4):
        return at_random(int(arguments[1]), int(arguments[2]), paths[2],
                         paths[3] if len(paths) == 4 else "/dev/stdout")
    if command == "characters" and len(paths) in (1, 2):
        return characters(paths[0], paths[1] if len(paths) == 2 else "/dev/stdout")
    if command == "talks" and len(paths) in (4, 5):
        return random_talks(paths[0], int(arguments[2]), int(arguments[3]), paths[3],
                            paths[4] if len(paths) == 5 else "/dev/stdout")
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
