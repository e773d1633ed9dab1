"""The 18 tokens, and rows of their numbers."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

PAD, CLOSE, LEFT, RIGHT, ZERO = 0, 5, 6, 7, 8
OPERATORS = range(1, 5)
DIGITS = range(ZERO, ZERO + 10)
VOCABULARY = ("[PAD]", "[MIN", "[MAX", "[MED", "[SM", "]", "(", ")", *map(str, range(10)))
NUMBERS = {token: number for number, token in enumerate(VOCABULARY)}


def text_of(tokens: Iterable[int]) -> str:
    """Tokens as text, a blank between them."""
    return " ".join(VOCABULARY[token] for token in tokens)


def padded(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    """Rows of tokens as one tensor (n, width), uint8."""
    found = torch.full((len(rows), width), PAD, dtype=torch.uint8)
    for row, tokens in zip(found, rows, strict=True):
        row[: len(tokens)] = torch.tensor(tokens, dtype=torch.uint8)
    return found


def lengths_of(inputs: Tensor) -> Tensor:
    """Tokens of every row of (n, T), (n,)."""
    return (inputs != PAD).sum(1)


def expressions_of(inputs: Tensor) -> list[list[int]]:
    """The rows of (n, T) without padding and parentheses."""
    kept = (inputs != PAD) & (inputs != LEFT) & (inputs != RIGHT)
    pairs = zip(inputs.tolist(), kept.tolist(), strict=True)
    return [[token for token, keep in zip(*pair, strict=True) if keep] for pair in pairs]
