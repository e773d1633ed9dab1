"""Training, validation and test expressions of a seed, no two of them equal.

Expressions are drawn like those of the Long Range Arena (https://github.com/google-research/
long-range-arena): below the greatest depth a node becomes an operator with probability 1/4, else a
digit; operators, digits and numbers of arguments are uniform. The root is an operator, and what is
out of a part's range is drawn anew. Which of the parts in the training range an expression may
belong to is a hash of it, so that they share none whatever their sizes; the other parts share none
with them or each other, because each alone is outside that range on its axis.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.errors import ConfigError, DataError
from versus.core.examples import Examples
from versus.experiments.ebt.data.listops.config import TOKENS_PER_COORDINATE, ListOpsConfig, Range
from versus.experiments.ebt.data.listops.grammar import Expression, binary, shape_of, value_of
from versus.experiments.ebt.data.listops.tokens import (
    CLOSE,
    OPERATORS,
    ZERO,
    padded,
    text_of,
)

if TYPE_CHECKING:
    from versus.experiments.ebt.data.config import DataConfig

OPERATOR = 0.25
"""Probability that a node below the greatest depth is an operator."""
TESTS = ("test_iid", "test_longer", "test_deeper", "test_wider")
HASHED = {"train": (0, 1), "val": (2,), "test_iid": (3,)}
"""Parts in the training range -> remainders of an expression's hash."""
PATIENCE = 20_000
"""Expressions drawn in vain before a part counts as impossible."""
BLOCK = 4096


@dataclass(frozen=True)
class Limits:
    """Fewest and most tokens, nested operators and arguments (of the operator with most)."""

    lengths: Range
    depth: Range
    args: Range

    def reached(self, expression: Expression) -> bool:
        """Whether an expression within the upper limits is not below the lower ones."""
        shape = shape_of(expression)
        high_enough = shape.depth >= self.depth[0] and shape.args >= self.args[0]
        return high_enough and len(binary(expression)) >= self.lengths[0]


def limits_of(settings: ListOpsConfig) -> dict[str, Limits]:
    """Part -> its limits."""
    inside = Limits(settings.lengths, (1, settings.depth), (2, settings.args))
    return {
        **dict.fromkeys(HASHED, inside),
        "test_longer": replace(inside, lengths=settings.longer),
        "test_deeper": replace(inside, depth=settings.deeper),
        "test_wider": replace(inside, args=settings.wider),
    }


def draw(data: "DataConfig", seed: int) -> dict[str, Examples]:
    """All parts of a seed: tokens (n, most tokens of the part), uint8, and values (n,), int64.

    Raises:
        ConfigError: if a range exceeds ``50 * vec_size`` tokens.
        DataError: if too few expressions are in a part's range.
    """
    try:
        data.listops.check(data.vec_size)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    sizes = {"train": data.size_train, "val": data.size_val}
    return {
        part: _examples(_draw_part(part, limits, sizes.get(part, data.size_test), seed), limits)
        for part, limits in limits_of(data.listops).items()
    }


def tensors(data: "DataConfig", seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """train, val and test as the seed document has them; test is in the training range.

    Returns:
        Part -> tokens (n, 50 * vec_size) and values (n,), int64.
    """
    width = TOKENS_PER_COORDINATE * data.vec_size
    names = {"train": "train", "val": "val", "test": "test_iid"}
    drawn = draw(data, seed)
    return {name: _widened(drawn[part], width) for name, part in names.items()}


def _widened(examples: Examples, width: int) -> tuple[Tensor, Tensor]:
    inputs = examples.inputs.new_zeros((len(examples.labels), width), dtype=torch.int64)
    inputs[:, : examples.inputs.shape[1]] = examples.inputs
    return inputs, examples.labels


def _examples(expressions: list[Expression], limits: Limits) -> Examples:
    inputs = padded([binary(e) for e in expressions], limits.lengths[1])
    return Examples(inputs, torch.tensor([value_of(e) for e in expressions]))


def _draw_part(part: str, limits: Limits, size: int, seed: int) -> list[Expression]:
    """Distinct expressions of one part, a function of seed and part; fewer are the first of more.

    Raises:
        DataError: if hardly any expression is accepted.
    """
    numbers = _uniform(seed, part)
    found: dict[tuple[int, ...], None] = {}
    vain = 0
    while len(found) < size:
        drawn = _grow(limits, numbers)
        if drawn and limits.reached(drawn) and drawn not in found and _belongs(drawn, part, seed):
            found[drawn] = None
            vain = 0
            continue
        vain += 1
        if vain == PATIENCE:
            raise DataError(
                f"data.listops: {part} needs {size} different expressions of {limits}, but after "
                f"{len(found)} the next {vain} drawn were all outside these ranges or there "
                "already; widen them, or take fewer examples"
            )
    return list(found)


def _uniform(seed: int, part: str) -> Iterator[float]:
    """Numbers in [0, 1); blocks cost far less than single draws."""
    source = seeding.generator(seed, "listops", part)
    while True:
        yield from torch.rand(BLOCK, generator=source, dtype=torch.float64).tolist()


def _belongs(expression: tuple[int, ...], part: str, seed: int) -> bool:
    if part not in HASHED:
        return True
    classes = sum(map(len, HASHED.values()))
    return seeding.derive(seed, "part", text_of(expression)) % classes in HASHED[part]


def _grow(limits: Limits, numbers: Iterator[float]) -> tuple[int, ...] | None:
    """One expression; None as soon as it is too long."""
    (_, longest), (_, deepest), (_, most) = limits.lengths, limits.depth, limits.args
    expression: list[int] = []
    missing = [1]  # arguments still to come, of every open operator
    length = 0
    while length <= longest:
        if not missing[-1]:
            missing.pop()
            if len(missing) == 1:
                return (*expression, CLOSE)
            expression.append(CLOSE)
            continue
        missing[-1] -= 1
        if not expression or (len(missing) <= deepest and next(numbers) < OPERATOR):
            arguments = 2 + int(next(numbers) * (most - 1))
            expression.append(OPERATORS[int(next(numbers) * len(OPERATORS))])
            missing.append(arguments)
            length += 2 * arguments + 4  # the operator, its bracket and its parentheses
        else:
            expression.append(ZERO + int(next(numbers) * 10))
            length += 1
    return None
