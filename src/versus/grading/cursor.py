"""A place in a list of tokens."""

from collections.abc import Sequence

from versus.grading.algebra import TooHard
from versus.grading.tokens import Token

_END = Token("end of tokens", "")


class Cursor:
    """Takes tokens one after the other."""

    def __init__(self, source: Sequence[Token]) -> None:
        self._tokens = list(source)
        self._at = 0

    def finish(self) -> None:
        """Check that nothing is left."""
        if self._at < len(self._tokens):
            raise TooHard(f"unexpected {self._next.text}")

    @property
    def _next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _skip(self, text: str) -> bool:
        found = self._next.text == text
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise TooHard(f"{text} expected, received {self._next.text or 'the end'}")
