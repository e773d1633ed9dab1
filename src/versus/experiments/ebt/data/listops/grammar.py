"""Expressions, their binary format and their values.

An expression is the list of its tokens without parentheses, such as ``[MAX 2 [MIN 9 4 ] ]``. The
binary format pairs from the left, ``( ( ( [MAX 2 ) ( ( ( [MIN 9 ) 4 ) ] ) ) ] )``: an operator with
k arguments has k + 1 opening parentheses before it, and a closing one after each argument and after
its bracket. Nothing here recurses, so depth is limited by memory alone.
"""

import statistics
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from versus.core.errors import DataError
from versus.experiments.ebt.data.listops.tokens import (
    CLOSE,
    DIGITS,
    LEFT,
    NUMBERS,
    OPERATORS,
    RIGHT,
    ZERO,
    text_of,
)

Expression = Sequence[int]
VALUES: Mapping[int, Callable[[list[int]], int]] = {
    1: min,
    2: max,
    3: lambda args: int(statistics.median(args)),
    4: lambda args: sum(args) % 10,
}
"""Operator -> value of its arguments."""
AROUND = 8
"""Tokens shown on either side of a mistake."""


class Shape(NamedTuple):
    """Most operators nested in each other, and most arguments of one; 0, 0 for a digit."""

    depth: int
    args: int


def binary(expression: Expression) -> list[int]:
    """The tokens of the binary format."""
    counts = iter(_argument_counts(expression))
    tokens: list[int] = []
    depth = 0
    for token in expression:
        if token in OPERATORS:
            tokens += [LEFT] * (next(counts) + 1)
            depth += 1
        tokens.append(token)
        if token == CLOSE:
            tokens.append(RIGHT)
            depth -= 1
        if token not in OPERATORS and depth:
            tokens.append(RIGHT)
    return tokens


def _argument_counts(expression: Expression) -> list[int]:
    """Number of arguments of every operator, in order of appearance."""
    counts: list[int] = []
    nested: list[int] = []
    for token in expression:
        if token == CLOSE:
            nested.pop()
            continue
        if nested:
            counts[nested[-1]] += 1
        if token in OPERATORS:
            nested.append(len(counts))
            counts.append(0)
    return counts


def shape_of(expression: Expression) -> Shape:
    """Depth and width of an expression."""
    depth = deepest = 0
    for token in expression:
        depth += (token in OPERATORS) - (token == CLOSE)
        deepest = max(deepest, depth)
    return Shape(deepest, max(_argument_counts(expression), default=0))


def value_of(expression: Expression) -> int:
    """What an expression evaluates to, 0 to 9."""
    operators: list[int] = []
    values: list[list[int]] = [[]]
    for token in expression:
        if token in OPERATORS:
            operators.append(token)
            values.append([])
        elif token == CLOSE:
            result = VALUES[operators.pop()](values.pop())
            values[-1].append(result)
        else:
            values[-1].append(token - ZERO)
    return values[0][0]


def parse(text: str) -> list[int]:
    """The expression that a text in the binary format says; blanks separate its tokens.

    Raises:
        DataError: if it is not one, with the place of the first wrong token.
    """
    reader = _Reader(text.split())
    expression: list[int] = []
    missing: list[int] = []  # arguments still to come, of every open operator
    while True:
        if arguments := reader.arguments():
            expression.append(reader.take(OPERATORS, f"one of {text_of(OPERATORS)}"))
            missing.append(arguments)
            continue
        expression.append(reader.take(DIGITS, "a digit or ("))
        while missing:
            reader.take((RIGHT,), ")")
            missing[-1] -= 1
            if missing[-1]:
                break
            expression.append(reader.take((CLOSE,), "]"))
            reader.take((RIGHT,), ")")
            missing.pop()
        else:
            reader.end()
            return expression


class _Reader:
    """Goes through the words of a text."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def next(self) -> int | None:
        """The next token; None for one that is unknown or missing."""
        return NUMBERS.get(self.words[self.at]) if self.at < len(self.words) else None

    def take(self, wanted: Container[int], called: str) -> int:
        """Go past the next token, which must be one of ``wanted``."""
        found = self.next()
        if found is None or found not in wanted:
            raise self._wrong(called)
        self.at += 1
        return found

    def arguments(self) -> int:
        """Go past opening parentheses; the number of arguments that they announce."""
        first = self.at
        while self.next() == LEFT:
            self.at += 1
        if self.at - first == 1:
            raise self._wrong("(")
        return max(0, self.at - first - 1)

    def end(self) -> None:
        """Nothing may follow."""
        if self.at < len(self.words):
            raise self._wrong("the end")

    def _wrong(self, expected: str) -> DataError:
        before, after = self.words[: self.at], self.words[self.at + 1 :]
        found = self.words[self.at] if self.at < len(self.words) else "the end"
        shown = [*before[-AROUND:], f">>>{found}<<<", *after[:AROUND]]
        left, right = (["..."] * (len(side) > AROUND) for side in (before, after))
        return DataError(
            f"expression: token {self.at} is {found}, expected {expected}: "
            f"{' '.join([*left, *shown, *right])}"
        )
