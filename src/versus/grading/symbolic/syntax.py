r"""Tokens to a tree, without sympy: the grammar of our own reader.

::

    sum      = product (("+" | "-") product)*
    product  = signed (("*" | "/") signed | factor)*          two factors side by side multiply
    signed   = ("-" | "+")* factor
    factor   = primary ("!" | degree | "^" exponent)*
    exponent = ("-" | "+")? primary ("^" exponent)?
    primary  = number | symbol | constant | group | |sum| | \frac | \sqrt | \binom | function
"""

from collections.abc import Sequence

from versus.grading.symbolic.cursor import Cursor
from versus.grading.symbolic.refusals import RefusedError, UnreadableError
from versus.grading.symbolic.tokens import (
    BINOMIALS,
    CONSTANTS,
    FRACTIONS,
    FUNCTIONS,
    TRIGONOMETRIC,
    Token,
)
from versus.grading.symbolic.trees import Node

_PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|", r"\vert": r"\vert", r"\lvert": r"\rvert"} | {
    r"\lfloor": r"\rfloor",
    r"\lceil": r"\rceil",
}
_MEANING = {"|": "abs", r"\vert": "abs", r"\lvert": "abs", r"\lfloor": "floor", r"\lceil": "ceil"}
_SYMMETRIC = frozenset({"|", r"\vert"})
_TIMES = frozenset({"*", r"\cdot", r"\times", r"\ast"})
_OVER = frozenset({"/", r"\div"})
_POWER = frozenset({"^", "**"})
_SPLITS = {r"\choose": "binom", r"\over": "div"}
_ARGUMENTS = {"binom": (2, 2), "gcd": (2, 9), "lcm": (2, 9), "max": (2, 9), "min": (2, 9)}
_OF_ONE_FACTOR = frozenset({"cbrt", "abs", "floor", "ceil", "factorial"})


def parse(tokens: Sequence[Token]) -> Node:
    """The tree of an expression.

    Raises:
        UnreadableError: if it has a notation that this grammar lacks.
        RefusedError: if it can be read in two ways.
    """
    reader = _Reader(tokens)
    tree = reader.sum()
    reader.expect("")
    return tree


class _Reader(Cursor):
    def sum(self) -> Node:
        node = self._product()
        while self.token.text in ("+", "-") and self.token.kind == "sign":
            op = "add" if self.next().text == "+" else "sub"
            node = Node(op, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._signed()
        while True:
            if self.token.text in _TIMES:
                self.next()
                node = Node("mul", (node, self._signed()))
            elif self.token.text in _OVER:
                self.next()
                node = Node("div", (node, self._signed()))
            elif self._opens():
                self._refuse_digits_beside()
                node = Node("mul", (node, self._factor()))
            else:
                return node

    def _signed(self) -> Node:
        if self.token.text not in ("+", "-"):
            return self._factor()
        sign = self.next().text
        with self.deeper():
            node = self._signed()
        return Node("neg", (node,)) if sign == "-" else node

    def _factor(self) -> Node:
        node = self._primary()
        while True:
            if self.token.text == "!":
                self.next()
                if self.token.text == "!":
                    raise RefusedError("a double factorial")
                node = Node("factorial", (node,))
            elif self.degree():
                if node.op == "degree":
                    raise RefusedError("several degree signs")
                node = Node("degree", (node,))
            elif self.token.text in _POWER:
                self.next()
                node = Node("pow", (node, self._exponent()))
                if self.token.text == "!":
                    raise RefusedError("a factorial beside an exponent")
            else:
                return node

    def _exponent(self) -> Node:
        if self.token.text in ("+", "-"):
            sign = self.next().text
            node = self._exponent()
            return Node("neg", (node,)) if sign == "-" else node
        node = self._primary()
        if self.token.text in _POWER and not self.at_degree():
            self.next()
            node = Node("pow", (node, self._exponent()))
        return node

    def _primary(self) -> Node:
        with self.deeper():
            return self._beginning(self.next())

    def _beginning(self, token: Token) -> Node:
        if token.kind == "number":
            return self._number(token)
        if token.kind == "symbol":
            return Node("symbol", text=token.text.lstrip("\\") + self._subscript())
        if token.kind == "constant":
            return Node("constant", text=CONSTANTS[token.text.lstrip("\\")])
        if token.kind == "function":
            return self._function(token)
        if token.text in _PAIRS:
            return self._group(token.text)
        return self._command(token)

    def _number(self, token: Token) -> Node:
        """A number; before a fraction of digits the whole part of a mixed number."""
        whole = Node("number", text=token.text)
        if self.token.text not in FRACTIONS or not token.text.isdigit():
            return whole
        part = self._command(self.next())
        if all(a.op == "number" and a.text.isdigit() for a in part.args):
            return Node("add", (whole, part))
        return Node("mul", (whole, part))

    def _subscript(self) -> str:
        if self.token.text != "_":
            return ""
        self.next()
        if self.token.text != "{":
            return f"_{self.next().text}"
        self.next()
        parts = []
        while self.token.text != "}":
            if self.token.kind not in ("number", "symbol", "constant"):
                raise UnreadableError("a subscript that is no name")
            parts.append(self.next().text)
        self.next()
        return "_" + "".join(parts)

    def _group(self, opening: str) -> Node:
        closing = _PAIRS[opening]
        self.bars.append(closing)
        node = self.sum()
        if self.token.text in _SPLITS and opening == "{":
            node = Node(_SPLITS[self.next().text], (node, self.sum()))
        self.bars.pop()
        self.expect(closing)
        return Node(_MEANING[opening], (node,)) if opening in _MEANING else node

    def _command(self, token: Token) -> Node:
        if token.text in FRACTIONS:
            return Node("div", (self._argument(), self._argument()))
        if token.text in BINOMIALS:
            return Node("binom", (self._argument(), self._argument()))
        if token.text == r"\sqrt":
            return self._root()
        raise UnreadableError(f"did not expect {token.text!r}" if token.text else "unfinished")

    def _argument(self) -> Node:
        r"""What ``\frac`` takes: a group, or one digit or letter."""
        token = self.token
        if token.kind != "number" or len(token.text) == 1:
            return self._primary()
        if not token.text.isdigit():
            raise RefusedError("a decimal number without braces in a fraction")
        self.put_back(Token("number", token.text[1:]))
        return Node("number", text=token.text[0])

    def _root(self) -> Node:
        index = None
        if self.token.text == "[":
            self.next()
            index = self._group("[")
        if self.token.kind == "number" and len(self.token.text) > 1:
            raise RefusedError("a root of digits without braces")
        inside = self._primary()
        return Node("sqrt", (inside,)) if index is None else Node("root", (inside, index))

    def _function(self, token: Token) -> Node:
        name = FUNCTIONS[token.text.lstrip("\\")]
        base = self._base() if name == "log" else None
        power = None
        if self.token.text in _POWER:
            self.next()
            power = self._exponent()
        if name in TRIGONOMETRIC and power == Node("neg", (Node("number", text="1"),)):
            name, power = f"a{name}", None
        args = self._arguments(name)
        node = Node(name, (*args, base) if base else args)
        return Node("pow", (node, power)) if power else node

    def _base(self) -> Node:
        if self.token.text != "_":
            return Node("number", text="10")
        self.next()
        return self._primary()

    def _arguments(self, name: str) -> tuple[Node, ...]:
        least, most = _ARGUMENTS.get(name, (1, 1))
        if self.token.text not in ("(", "["):
            if least > 1:
                raise UnreadableError(f"{name} without brackets")
            return (self._bare_argument(name),)
        opening = self.next().text
        self.bars.append(_PAIRS[opening])
        args = [self.sum()]
        while self.token.text == "," and len(args) < most:
            self.next()
            args.append(self.sum())
        self.bars.pop()
        self.expect(_PAIRS[opening])
        if len(args) < least:
            raise UnreadableError(f"{name} of one argument")
        return tuple(args)

    def _bare_argument(self, name: str) -> Node:
        r"""``\sin 2x``: the factors up to the next sign or function."""
        if name in _OF_ONE_FACTOR:
            return self._primary()
        negative = self.token.text == "-"
        if negative:
            self.next()
        node = self._factor()
        while self._opens() and self.token.kind != "function":
            self._refuse_digits_beside()
            node = Node("mul", (node, self._factor()))
        if self.token.text in _OVER:
            raise RefusedError(f"{name} without brackets before a division")
        return Node("neg", (node,)) if negative else node

    def _opens(self) -> bool:
        """Whether a factor begins here."""
        token = self.token
        if token.text in _SYMMETRIC and self.bars[-1] == token.text:
            return False
        known = token.text in FRACTIONS or token.text in BINOMIALS or token.text == r"\sqrt"
        return token.kind not in ("sign", "command") or token.text in _PAIRS or known

    def _refuse_digits_beside(self) -> None:
        ahead = self.ahead(1) if self.token.text == "{" else self.token
        if ahead.kind == "number":
            raise RefusedError("a number beside a factor")
