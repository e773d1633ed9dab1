"""Two texts to a verdict: what the worker process computes."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from versus.grading.symbolic import bounds, building, equality, foreign, statements, syntax
from versus.grading.symbolic.refusals import RefusedError, UnreadableError
from versus.grading.symbolic.statements import Branch, Reader
from versus.grading.symbolic.tokens import Token, tokenize

_OWN = "sympy"
_REASONS = {"equal": "same value", "different": "different values"}


def answer(one: str, other: str, parsers: Sequence[str]) -> dict[str, str]:
    """The fields of a ``Compared``.

    Our own parser reads what it can. What it cannot read goes to each of the others; where they
    contradict each other, the answers are different.

    Args:
        one: a bare answer.
        other: a bare answer.
        parsers: names in the order in which they are tried.
    """
    outcome, reason, decided = "unparsed", "", parsers[0]
    try:
        sides = [_Side(text, parsers) for text in (one, other)]
        for name in parsers:
            try:
                equal = equality.same(*(side.reading(name) for side in sides))
            except UnreadableError as error:
                reason = reason or str(error)
                continue
            if outcome == "unparsed" or not equal:
                outcome, decided = ("equal" if equal else "different"), name
            if not equal or name == _OWN:
                break
    except (RefusedError, RecursionError) as error:
        outcome, reason = "unparsed", str(error) or "nested too deep"
    return {"outcome": outcome, "reason": _REASONS.get(outcome, reason), "parser": decided}


class _Side:
    """One of the two texts."""

    def __init__(self, text: str, parsers: Sequence[str]) -> None:
        self._tokens = tokenize(text)
        self._own: list[Branch] | None = None
        if _OWN in parsers:
            with suppress(UnreadableError):
                self._own = statements.read(self._tokens, own)

    def reading(self, name: str) -> list[Branch]:
        """By our own parser where it can, else by the named one."""
        if self._own is not None:
            return self._own
        return statements.read(self._tokens, _reader(name))


def own(tokens: Sequence[Token]) -> Any:
    """Our own reader: tokens of one side to an expression."""
    tree = syntax.parse(tokens)
    bounds.check(tree)
    return building.build(tree)


def _reader(name: str) -> Reader:
    if name == _OWN:
        return own
    read = foreign.reader(name)

    def bounded(tokens: Sequence[Token]) -> Any:
        with suppress(UnreadableError):  # its own notation has its own bounds
            bounds.check(syntax.parse(tokens))
        return read(tokens)

    return bounded
