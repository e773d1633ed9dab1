"""What the examples are: an operation modulo p, and a split of its pairs."""

import difflib
import math
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from versus.core.config import Section

OPERATIONS = ("add", "sub", "mul", "div", "quadratic")


def one_of(names: tuple[str, ...]) -> AfterValidator:
    """Accepts these names, and suggests the nearest for any other."""

    def check(value: str) -> str:
        if value not in names:
            near = difflib.get_close_matches(value, names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"{hint}choose one of {', '.join(names)}; received {value!r}")
        return value

    return AfterValidator(check)


class DataConfig(Section):
    """The operation and how its pairs are split."""

    p: int = Field(59, ge=2, le=2**15)
    """Modulus; a and b run from 0 to p - 1. ``div`` needs a prime."""
    op: Annotated[str, one_of(OPERATIONS)] = "add"
    """What is learnt, modulo p: add, sub, mul, div (a times the inverse of b, b not 0), quadratic
    (a^2 + ab + b^2)."""
    train_size: int | None = Field(None, ge=1)
    """Number of training pairs; empty = ``train_fraction`` of the space."""
    train_fraction: float = Field(0.4, gt=0, lt=1)
    """Share of all pairs that is trained on; not used where ``train_size`` is set."""
    test_size: int | None = Field(None, ge=1)
    """Number of test pairs, drawn from the rest; empty = all of the rest."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.op == "div" and not is_prime(self.p):
            raise ValueError(
                f"p: division needs a prime, received {self.p}; take {next_prime(self.p)}, or "
                "another op"
            )
        rest = self.space - self.n_train
        if self.n_train < 1 or rest < 1:
            raise ValueError(
                f"train_size: {self.n_train} pairs asked for, but the space of {self.op} modulo "
                f"{self.p} has {self.space}, and some must be left for the test; take between 1 "
                f"and {self.space - 1}"
            )
        if self.test_size is not None and self.test_size > rest:
            raise ValueError(
                f"test_size: only {rest} of {self.space} pairs are left beside {self.n_train} for "
                f"training, received {self.test_size}; take at most {rest}, or null for all"
            )
        return self

    @property
    def space(self) -> int:
        """Number of distinct pairs (a, b)."""
        return self.p * (self.p - (self.op == "div"))

    @property
    def n_train(self) -> int:
        """Number of training pairs."""
        return self.train_size or round(self.train_fraction * self.space)

    @property
    def n_test(self) -> int:
        """Number of test pairs."""
        return self.test_size or self.space - self.n_train


def is_prime(number: int) -> bool:
    """Whether ``number`` is prime, by trial division."""
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def next_prime(number: int) -> int:
    """The smallest prime above ``number``."""
    number += 1
    while not is_prime(number):
        number += 1
    return number
