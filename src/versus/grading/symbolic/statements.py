r"""Tokens to statements: plus-minus and relations are split off before a reader sees the sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from versus.grading.symbolic.refusals import RefusedError, UnreadableError
from versus.grading.symbolic.tokens import Token

Reader = Callable[[Sequence[Token]], Any]

_RELATIONS = {
    "=": "=",
    **dict.fromkeys(("<", r"\lt"), "<"),
    **dict.fromkeys((">", r"\gt"), ">"),
    **dict.fromkeys(("<=", r"\le", r"\leq", r"\leqslant"), "<="),
    **dict.fromkeys((">=", r"\ge", r"\geq", r"\geqslant"), ">="),
    **dict.fromkeys(("!=", r"\ne", r"\neq"), "!="),
}
_TURNED = {">": "<", ">=": "<="}
_SIGNS = {r"\pm": ("+", "-"), r"\mp": ("-", "+")}
_OPENING, _CLOSING = "([{", ")]}"
_MOST_RELATIONS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """``left relation right``, or the value ``left`` where there is no relation.

    Attributes:
        relation: one of ``=``, ``<``, ``<=``, ``!=``, or empty.
        left: sympy expression.
        right: sympy expression; ``None`` for a value.
    """

    relation: str
    left: Any
    right: Any = None


Branch = tuple[Claim, ...]
"""Claims that hold together, as in ``1 < x < 5``."""


def read(tokens: Sequence[Token], reader: Reader) -> list[Branch]:
    r"""The branches of a text: one, or with ``\pm`` two.

    Raises:
        UnreadableError: if the reader cannot read a side.
        RefusedError: if a side is refused.
    """
    if any(token.text in _SIGNS for token in tokens):
        return [_branch(_signed(tokens, sign), reader) for sign in (0, 1)]
    return [_branch(tokens, reader)]


def _signed(tokens: Sequence[Token], sign: int) -> list[Token]:
    return [
        Token("sign", _SIGNS[token.text][sign]) if token.text in _SIGNS else token
        for token in tokens
    ]


def _branch(tokens: Sequence[Token], reader: Reader) -> Branch:
    sides, relations = _split(tokens)
    if not relations:
        return (Claim("", reader(sides[0])),)
    if len(relations) > 1 and ("=" in relations or "!=" in relations):
        raise RefusedError("several equations in a row")
    values = [reader(side) for side in sides]
    return tuple(map(_claim, relations, values, values[1:]))


def _claim(relation: str, left: Any, right: Any) -> Claim:
    if relation in _TURNED:
        return Claim(_TURNED[relation], right, left)
    return Claim(relation, left, right)


def _split(tokens: Sequence[Token]) -> tuple[list[list[Token]], list[str]]:
    sides: list[list[Token]] = [[]]
    relations, depth = [], 0
    for token in tokens:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if token.text in _RELATIONS and depth == 0:
            relations.append(_RELATIONS[token.text])
            sides.append([])
        else:
            sides[-1].append(token)
    if not all(sides):
        raise UnreadableError("a side is missing")
    if len(relations) > _MOST_RELATIONS:
        raise RefusedError("too many relations")
    return sides, relations
