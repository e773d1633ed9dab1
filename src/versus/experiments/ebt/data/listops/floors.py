"""What answers without understanding would score: fitted on training, counted anywhere."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor

from versus.core.examples import Examples
from versus.experiments.ebt.data.listops.grammar import Expression
from versus.experiments.ebt.data.listops.tokens import CLOSE, DIGITS, OPERATORS, expressions_of


def _own_digits(expression: Expression) -> tuple[int, ...]:
    """The digits that are arguments of the root itself, sorted."""
    depth, found = 0, []
    for token in expression:
        depth += (token in OPERATORS) - (token == CLOSE)
        if depth == 1 and token in DIGITS:
            found.append(token)
    return tuple(sorted(found))


RULES: Mapping[str, Callable[[Expression], Hashable]] = {
    "majority": lambda expression: 0,
    "root": lambda expression: expression[0],
    "digits": lambda expression: (expression[0], _own_digits(expression)),
}
"""Rule -> all that it looks at: nothing, the root's operator, this and the root's own digits."""


class Floors:
    """The most frequent training answer for what a rule sees; for what is new, the rule before's.

    Args:
        train: tokens (n, T) and values (n,).
    """

    def __init__(self, train: Examples) -> None:
        counts: dict[str, defaultdict[Hashable, Counter[int]]]
        counts = {rule: defaultdict(Counter) for rule in RULES}
        for expression, value in _pairs(train):
            for rule, seen in RULES.items():
                counts[rule][seen(expression)][value] += 1
        self._answers = {
            rule: {key: max(sorted(c), key=c.__getitem__) for key, c in table.items()}
            for rule, table in counts.items()
        }

    def right(self, part: Examples) -> dict[str, Tensor]:
        """``floor_RULE`` -> whether the rule is right, for every example, (n,)."""
        hits: dict[str, list[bool]] = {rule: [] for rule in RULES}
        for expression, value in _pairs(part):
            answer = -1
            for rule, seen in RULES.items():
                answer = self._answers[rule].get(seen(expression), answer)
                hits[rule].append(answer == value)
        return {f"floor_{rule}": torch.tensor(found) for rule, found in hits.items()}


def _pairs(examples: Examples) -> "zip[tuple[list[int], int]]":
    return zip(expressions_of(examples.inputs), examples.labels.tolist(), strict=True)


def class_balance(labels: Tensor) -> dict[str, float]:
    """``classes/share_V`` -> share of the answer V among values (n,)."""
    shares = torch.bincount(labels, minlength=10).double() / len(labels)
    return {f"classes/share_{value}": share for value, share in enumerate(shares.tolist())}
