"""What our own reader makes of tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """One operation, number, symbol or constant.

    Attributes:
        op: what is done with the arguments, or ``number``, ``symbol``, ``constant``.
        args: what it is done with.
        text: a number's digits, a symbol's or constant's name.
    """

    op: str
    args: tuple["Node", ...] = ()
    text: str = ""
