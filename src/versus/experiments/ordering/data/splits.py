"""Pairs (a, b) and their labels a op b modulo p: one safetensors file per seed.

A seed decides which pairs are trained on. Pairs are the first values of a keyed permutation of
the whole space, so they are distinct by construction and the space is never written out: a Feistel
network over Z_p x Z_q whose round functions are tables of random numbers (M. Luby and C. Rackoff,
"How to construct pseudorandom permutations from pseudorandom functions", 1988).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.experiment import Stage
from versus.core.seed_files import read_seed, write_seed
from versus.experiments.ordering.data.config import DataConfig

if TYPE_CHECKING:
    from versus.experiments.ordering.config import Comparison

ROUNDS = 12


class Split(NamedTuple):
    """Examples of S seeds, int64.

    Attributes:
        train_pairs: (S, n_train, 2).
        train_labels: (S, n_train).
        test_pairs: (S, n_test, 2).
        test_labels: (S, n_test).
    """

    train_pairs: Tensor
    train_labels: Tensor
    test_pairs: Tensor
    test_labels: Tensor


def stages() -> Mapping[str, Stage]:
    """One stage writes the split of every seed."""
    return {"data": Stage(("data", "seeds", "tuning_seeds"), write_splits)}


def write_splits(comparison: "Comparison", folder: Path) -> None:
    """Draw and write the pairs of all seeds, as 16-bit integers."""
    for seed in (*comparison.seed_list, *comparison.tuning_seed_list):
        split = draw(comparison.data, seed)
        compact = {name: tensor.short() for name, tensor in split._asdict().items()}
        write_seed(folder, seed, compact)


def read_splits(folder: Path, seeds: Sequence[int]) -> Split:
    """The splits of several seeds.

    Raises:
        DataError: if a file is missing or torn.
    """
    found = [read_seed(folder, seed, Split._fields) for seed in seeds]
    return Split(*(torch.stack([one[name] for one in found]).long() for name in Split._fields))


def draw(data: DataConfig, seed: int) -> Split:
    """The split of one seed: (n, 2) pairs and (n,) labels."""
    pairs = draw_pairs(data, seed, data.n_train + data.n_test)
    labels = label(data.op, data.p, pairs[:, 0], pairs[:, 1])
    sizes = [data.n_train, data.n_test]
    train, test = (tensor.clone() for tensor in torch.split(pairs, sizes))
    train_labels, test_labels = (tensor.clone() for tensor in torch.split(labels, sizes))
    return Split(train, train_labels, test, test_labels)


def draw_pairs(data: DataConfig, seed: int, count: int) -> Tensor:
    """The first ``count`` pairs (count, 2) of the seed's permutation of the space."""
    p, q = data.p, data.space // data.p
    index = torch.arange(count)
    a, b = index // q, index % q
    source = seeding.generator(seed, "pairs", data.op, p)
    for _ in range(ROUNDS):  # each half step is a bijection of Z_p x Z_q
        a = (a + torch.randint(p, (q,), generator=source)[b]) % p
        b = (b + torch.randint(q, (p,), generator=source)[a]) % q
    return torch.stack([a, b + (p - q)], dim=1)


def label(op: str, p: int, a: Tensor, b: Tensor) -> Tensor:
    """``a op b`` modulo p, elementwise."""
    if op == "add":
        return (a + b) % p
    if op == "sub":
        return (a - b) % p
    if op == "mul":
        return a * b % p
    if op == "div":
        inverses = torch.tensor([0, *(pow(value, -1, p) for value in range(1, p))])
        return a * inverses[b] % p
    return (a * a + a * b + b * b) % p
