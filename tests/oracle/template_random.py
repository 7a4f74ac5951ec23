"""Random small templates: a seeded grammar of expressions and statements over a fixed input."""
import random

GIVEN = ('{"n":7,"m":-3,"z":0,"f":2.5,"s":"Hello World","e":"","u":"é世👋 <a>\\n b","xs":[3,1,2,1],"ys":[],'
         '"ws":["b","A","c",""],"d":{"b":1,"a":[1,2.0,null,true]},"dd":{},"yes":true,"no":false,"nil":null,'
         '"ms":[{"role":"user","content":"hi","n":1},{"role":"bot","content":"","n":2},{"role":"user"}]}')
NAMES = "n m z f s e u xs ys ws d dd yes no nil ms nope".split()
LITERALS = ["0", "1", "2", "-1", "3", "1.5", "0.0", "2.0", "''", "'a'", "'ab'", "'lo'", "' x '", "'é'", "true",
            "false", "none", "[]", "{}", "()", "[1, 'a']", "(1, 2)", "{'a': 1}", "'user'", "'role'"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping",
         "sequence", "iterable", "true", "false", "odd", "even", "lower", "upper", "divisibleby 2",
         "divisibleby(3)", "equalto 1", "in [1, 'a', none]", "eq 'a'"]
FILTERS = ["trim", "length", "count", "join", "join(',')", "upper", "lower", "capitalize", "title", "default('q')",
           "d('q', true)", "first", "last", "list", "string", "int", "int(5)", "float", "abs", "round", "round(1)",
           "replace('a', 'b')", "replace('l', '', 1)", "reverse", "sort", "sort(reverse=true)", "unique", "items",
           "dictsort", "map('upper')", "map('length')", "map(attribute='role')", "map(attribute='n', default=0)",
           "select", "reject", "select('string')", "reject('odd')", "selectattr('content')",
           "selectattr('role', 'equalto', 'user')", "rejectattr('n', 'defined')", "indent", "indent(2, true)",
           "tojson", "tojson(indent=1)", "tojson(sort_keys=true)", "safe", "e", "batch(2)", "min", "max", "sum",
           "wordcount", "list", "list", "join('-')", "trim('a')"]
METHODS = ["strip()", "lstrip()", "rstrip('d')", "split()", "split('l')", "split('o', 1)", "rsplit('l', 1)",
           "splitlines()", "startswith('H')", "endswith('d')", "upper()", "lower()", "title()", "capitalize()",
           "replace('l', 'L')", "find('o')", "count('l')", "join(['x', 'y'])", "format(1)", "items()", "keys()",
           "values()", "get('a')", "get('zz', 4)", "index(1)", "append(1)", "pop()", "update({})"]
MEMBERS = [".a", ".role", ".b", "['a']", "[0]", "[-1]", "[9]", "[1:]", "[:-1]", "[::-1]", "[::2]", "[1:3]",
           ".content", "['content']", "[nope]", "[none]"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, options):
        return self.random.choice(options)

    def expression(self, depth):
        if depth <= 0:
            return self.one(NAMES) if self.random.random() < 0.6 else self.one(LITERALS)
        inner = self.expression(depth - 1)
        kind = self.random.random()
        if kind < 0.27:
            return f"{inner}|{self.filter()}"
        if kind < 0.38:
            return f"({inner}).{self.one(METHODS)}"
        if kind < 0.48:
            return self.member(inner)
        if kind < 0.70:
            return f"({inner} {self.one(BINARY)} {self.expression(depth - 2)})"
        if kind < 0.80:
            return f"{inner} {self.one(BINARY)} {self.expression(depth - 2)}"
        if kind < 0.88:
            return f"({inner} is {self.one(['', 'not '])}{self.one(TESTS)})"
        if kind < 0.92:
            return f"({inner} if {self.expression(depth - 2)} else {self.expression(depth - 2)})"
        if kind < 0.95:
            return f"{self.one(['not ', '-', '+'])}{inner}"
        if kind < 0.97:
            return f"[{inner}, {self.expression(depth - 2)}]"
        return f"{{{self.one(LITERALS[:15])}: {inner}}}"

    def filter(self):
        """What gives an iterator becomes a list: the reference may see a fault there only when it is
        gone through, Fathom sees it at once."""
        chosen = self.one(FILTERS)
        lazy = chosen.split("(")[0] in ("unique", "items", "map", "select", "reject", "selectattr",
                                        "rejectattr", "batch", "reverse")
        return f"{chosen}|list" if lazy else chosen

    def member(self, inner):
        """Only sequences are cut: of other constants the reference's optimizer makes undefined, while
        the same value in a variable is refused."""
        chosen = self.one(MEMBERS)
        if ":" in chosen:
            inner = f"{inner}|{self.one(['list', 'string'])}"
        return f"({inner}){chosen}"

    def space(self):
        return self.one(["", " ", "\n", "\n  ", "", "x", "\n\n"])

    def tag(self, text):
        return "{%" + self.one(["", "", "-", "+"]) + f" {text} " + self.one(["", "", "-"]) + "%}"

    def output(self, depth):
        left, right = self.one([("{{ ", " }}"), ("{{- ", " }}"), ("{{ ", " -}}")])
        return left + self.expression(depth) + right

    def statement(self, depth):
        if depth <= 0:
            return self.space() + self.output(2) + self.space()
        body = lambda: self.space() + self.statement(depth - 1) + self.space()
        kind = self.random.random()
        if kind < 0.2:
            return (self.tag(f"if {self.expression(2)}") + body() + self.tag("else") + body() +
                    self.tag("endif"))
        if kind < 0.5:
            part = self.one(["", "", f" if {self.expression(2)}"])
            inside = self.one(["{{ x }}", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.previtem }}", "",
                               "{% if loop.index > 1 %}{% break %}{% endif %}", "{% set q = x %}{{ q }}"])
            return (self.tag(f"for x in {self.expression(2)}{part}") + inside + body() + self.tag("else") +
                    body() + self.tag("endfor"))
        if kind < 0.65:
            return self.tag(f"set {self.one(NAMES)} = {self.expression(2)}") + body()
        if kind < 0.72:
            return self.tag("set q") + body() + self.tag("endset") + "{{ [q] }}"
        if kind < 0.82:
            return (self.tag("macro k(x, y=2)") + body() + "{{ x }}{{ y }}" + self.tag("endmacro") +
                    f"{{{{ k({self.expression(1)}) }}}}")
        if kind < 0.88:
            return self.tag(f"filter {self.one(['upper', 'trim', 'indent(2)', 'e'])}") + body() + \
                self.tag("endfilter")
        return body() + body()

    def template(self):
        if self.random.random() < 0.6:
            return "{{ " + self.expression(self.random.randint(1, 4)) + " }}"
        return self.statement(self.random.randint(1, 3))


TEXTS = ["", " ", "Hi", "two words", "  spaced \n", "a\n\nb", "<think>x</think>y", "x</think>\n\nz", "<think>", "né 世 👋",
         "{\"a\": 1}", "<result>r</result>", "\n", "<tool_response>t</tool_response>", "say \"x\" & 'y' <z>", "{{ n }}",
         "/no_think", "a\tb\r\nc", "Q: \\n", "0", "<|im_end|>", "[INST] i [/INST]"]
ROLES = ["user"] * 6 + ["assistant"] * 5 + ["tool"] * 3 + ["system"] * 2 + ["developer", "function", "ipython", "", "x"]


class Talker(Maker):
    """Random conversations, more or less like those that chat templates are given."""

    def value(self, depth=2):
        kind = self.random.random()
        if depth > 0 and kind < 0.2:
            return {self.one(["a", "b", "é", "k y", "type"]): self.value(depth - 1)
                    for _ in range(self.random.randint(0, 3))}
        if depth > 0 and kind < 0.35:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        return self.one([None, True, False, 0, 1, -7, 1.0, 2.5e-7, 12345678901, "x", self.one(TEXTS)])

    def content(self):
        kind = self.random.random()
        if kind < 0.8:
            return self.one(TEXTS)
        if kind < 0.93:
            return [self.one([{"type": "text", "text": self.one(TEXTS)}, {"type": "image"}, "bare",
                              {"type": "image_url", "image_url": {"url": "u"}}, {"text": "t"},
                              {"type": "thinking", "thinking": self.one(TEXTS)}])
                    for _ in range(self.random.randint(0, 3))]
        return self.one([None, None, 3, {"a": 1}, True])

    def call(self, i):
        arguments = {self.one(["city", "n", "q", "é"]): self.value() for _ in range(self.random.randint(0, 3))}
        if self.random.random() < 0.15:
            arguments = self.one(["{\"a\": 1}", "", "not json", "{}"])
        inner = {"name": self.one(["f", "get_weather", "now"]), "arguments": arguments}
        call = {"id": f"call0000{i}", "type": "function", "function": inner}
        kind = self.random.random()
        if kind < 0.07:
            return inner
        if kind < 0.14:
            del call["id"]
        return call

    def message(self, i):
        message = {"role": self.one(ROLES), "content": self.content()}
        if message["role"] == "assistant":
            if self.random.random() < 0.4:
                message["tool_calls"] = [self.call(k) for k in range(self.random.randint(0, 3))]
            if self.random.random() < 0.3:
                message[self.one(["reasoning_content", "reasoning_content", "thinking", "reasoning"])] = \
                    self.one(TEXTS)
        if message["role"] in ("tool", "function"):
            message["tool_call_id"] = f"call0000{i % 3}"
            if self.random.random() < 0.7:
                message["name"] = self.one(["f", "get_weather"])
        if self.random.random() < 0.03:
            del message["content"]
        return message

    def schema(self, depth=2):
        out = {"type": self.one(["string", "integer", "number", "boolean", "null", "any"])}
        if depth > 0 and self.random.random() < 0.4:
            out = self.one([lambda: {"type": "array", "items": self.schema(depth - 1)},
                            lambda: {"anyOf": [self.schema(depth - 1), self.schema(0)]},
                            lambda: {"type": ["string", "null"]}, lambda: {"enum": ["a", 1, None]},
                            lambda: {"type": "object", "additionalProperties": self.schema(0)},
                            lambda: self.properties(depth - 1)])()
        if self.random.random() < 0.6:
            out["description"] = self.one(TEXTS)
        if self.random.random() < 0.2:
            out["default"] = self.value(1)
        if self.random.random() < 0.1:
            out["nullable"] = True
        return out

    def properties(self, depth=2):
        names = self.random.sample(["city", "n", "q", "é", "list"], self.random.randint(0, 3))
        out = {"type": "object", "properties": {name: self.schema(depth) for name in names}}
        if self.random.random() < 0.7:
            out["required"] = names[:1]
        return out

    def tool(self):
        inner = {"name": self.one(["f", "get_weather", "now"]), "description": self.one(TEXTS),
                 "parameters": self.properties()}
        if self.random.random() < 0.2:
            inner["return"] = self.schema(1)
        if self.random.random() < 0.05:
            del inner[self.one(["description", "parameters"])]
        return inner if self.random.random() < 0.06 else {"type": "function", "function": inner}

    def order(self, messages):
        """Half of the conversations alternate as most templates want it."""
        if self.random.random() < 0.5:
            return messages
        out = [message for message in messages if message["role"] == "system"][:1]
        for i, message in enumerate(m for m in messages if m["role"] != "system"):
            message["role"] = ["user", "assistant"][i % 2]
            out.append(message)
        return out

    def conversation(self):
        messages = [self.message(i) for i in range(self.random.randint(0, 6))]
        given = {"messages": self.order(messages), "tools": None, "documents": None,
                 "add_generation_prompt": self.random.random() < 0.7}
        if self.random.random() < 0.5:
            given["tools"] = [self.tool() for _ in range(self.random.randint(0, 3))]
        for flag in ("enable_thinking", "thinking", "keep_past_thinking", "tools_in_user_message",
                     "clear_thinking", "preserve_thinking", "add_vision_id"):
            if self.random.random() < 0.2:
                given[flag] = self.one([True, False])
        if self.random.random() < 0.2:
            given["reasoning_effort"] = self.one(["low", "high", "none", None, "max", 3])
        if self.random.random() < 0.1:
            given["functions"] = given["datetime"] = "text"
        return given
