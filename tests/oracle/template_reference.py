"""The reference of chat templates: jinja2's immutable sandbox, set up as transformers sets it up.

The environment is written here once more, so that the time can be fixed and jinja2 alone is enough;
`agrees_with_transformers` compares it with the library's own.
"""
import datetime
import functools
import json

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1753963810  # seconds since 1970: 2025-07-31 12:10:10 UTC, what strftime_now tells
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: the body is rendered, in a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("render_body")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def render_body(self, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    """A namespace without names that begin with an underscore."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        values = dict(*args, **kwargs)
        for name in values:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace takes no name {name!r}")


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(form):
    return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(form)


def make_dict(*args, **kwargs):
    return dict(*args, **kwargs)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=strftime_now,
                       namespace=Namespace, dict=make_dict)
    return env


ENVIRONMENT = environment()


@functools.lru_cache(maxsize=16)
def parse(template):
    return ENVIRONMENT.from_string(template)


def render(template, variables):
    """The text, or None and the reason where the reference refuses."""
    try:
        text = parse(template).render(**variables)
        text.encode("utf-8")  # a lone surrogate is no text
        return text, None
    except Exception as fault:  # whatever the reference raises is a refusal
        return None, f"{type(fault).__name__}: {fault}"


def library_render(template, variables):
    """The same by transformers' own function, which the time is told to."""
    from transformers.utils import chat_template_utils as library

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)

    library.datetime = Clock
    others = dict(variables)
    messages = others.pop("messages")
    try:
        texts, _ = library.render_jinja_template([messages], chat_template=template, **others)
        texts[0].encode("utf-8")
        return texts[0]
    except Exception:
        return None


def with_aliases(messages):
    """Messages with both names of the reasoning, as the library's newer versions complete them."""
    out = []
    for message in messages:
        keys = ("reasoning_content", "thinking", "reasoning")
        text = next((message[k] for k in keys if message.get(k) is not None), None)
        if text is not None:
            message = {"thinking": text, **message, "reasoning_content": text}
        out.append(message)
    return out


def agrees_with_transformers(template, variables):
    """`variables` as the library passes them: messages, tools, documents, add_generation_prompt."""
    variables = {**variables, "messages": with_aliases(variables["messages"])}
    return render(template, variables)[0] == library_render(template, variables)
