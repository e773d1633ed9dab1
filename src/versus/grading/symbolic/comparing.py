"""The verdict of two answers, remembered, from the worker process."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from versus.grading.symbolic import parsers
from versus.grading.symbolic.client import CLIENT, OverrunError
from versus.grading.symbolic.refusals import RefusedError
from versus.grading.symbolic.tokens import tokenize

Outcome = Literal["equal", "different", "unparsed", "timeout"]

_REMEMBERED = 1 << 14
_overruns: list[str] = []


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known of two answers.

    Attributes:
        outcome: equal, different, unparsed (one of them has no value that a parser can read) or
            timeout (the limits of time or memory ended the comparison).
        reason: in words, for people.
        parser: the parser that decided; the one asked for where none did.
    """

    outcome: Outcome
    reason: str
    parser: str


def compare(gold: str, answer: str, parser: str = "auto") -> Compared:
    """Whether two bare answers have the same value, whichever is the gold one.

    Args:
        gold: LaTeX or ascii.
        answer: LaTeX or ascii; hostile text does no harm.
        parser: one of ``PARSERS``.

    Raises:
        ConfigError: if the parser is unknown or its package is missing.
        VersusError: if the worker process cannot be started.
    """
    parsers.tried(parser)
    try:
        tokenize(answer)
        tokenize(gold)
    except RefusedError as refused:
        return Compared("unparsed", str(refused), parser)
    return _compared(*sorted((gold, answer)), parser)


@lru_cache(maxsize=_REMEMBERED)
def _compared(one: str, other: str, parser: str) -> Compared:
    request = {"one": one, "other": other, "parsers": parsers.tried(parser)}
    try:
        reply = CLIENT.ask(request)
    except OverrunError as overrun:
        _overruns.append(str(overrun))
        return Compared("timeout", str(overrun), parser)
    return Compared(**reply)  # type: ignore[arg-type]


def timeouts() -> int:
    """How many comparisons of this process were ended by the limits."""
    return len(_overruns)
