"""Pairs: distinct, apart, labelled rightly, and drawn without writing the space out."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from versus.core.config import validate
from versus.core.errors import ConfigError, DataError
from versus.experiments.ordering.config import Comparison, DataConfig
from versus.experiments.ordering.data import draw, draw_pairs, read_splits, write_splits

BY_HAND: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, p: (a + b) % p,
    "sub": lambda a, b, p: (a - b) % p,
    "mul": lambda a, b, p: (a * b) % p,
    "div": lambda a, b, p: next(c for c in range(p) if c * b % p == a),
    "quadratic": lambda a, b, p: (a**2 + a * b + b**2) % p,
}


@pytest.mark.parametrize("op", BY_HAND)
def test_a_split_covers_the_space_once_and_labels_are_right(op: str) -> None:
    data = DataConfig(p=13, op=op)
    split = draw(data, seed=3)
    pairs = torch.cat([split.train_pairs, split.test_pairs]).tolist()
    space = itertools.product(range(13), range(1, 13) if op == "div" else range(13))
    assert sorted(map(tuple, pairs)) == sorted(space)
    labels = torch.cat([split.train_labels, split.test_labels]).tolist()
    assert labels == [BY_HAND[op](a, b, 13) for a, b in pairs]


def test_a_seed_decides_the_split_and_pairs_look_random() -> None:
    data = DataConfig(p=59)
    one, again, other = draw(data, 0), draw(data, 0), draw(data, 1)
    assert torch.equal(one.train_pairs, again.train_pairs)
    assert not torch.equal(one.train_pairs, other.train_pairs)
    shared = {tuple(pair) for pair in one.train_pairs.tolist()}
    shared &= {tuple(pair) for pair in other.train_pairs.tolist()}
    assert abs(len(shared) / len(one.train_pairs) - 0.4) < 0.05
    for column in (0, 1):  # every number is drawn about as often as every other
        counts = one.train_pairs[:, column].bincount(minlength=59).float()
        assert 2 < counts.std() < 6  # hypergeometric: 3.7
    sums = one.train_labels.bincount(minlength=59).float()
    assert 2 < sums.std() < 6


def test_a_large_space_is_not_written_out() -> None:
    data = DataConfig(p=9973, train_size=300_000, test_size=1_000_000)
    pairs = draw_pairs(data, 0, data.n_train + data.n_test)
    assert len(torch.unique(pairs[:, 0] * 9973 + pairs[:, 1])) == 1_300_000
    assert int(pairs.min()) >= 0
    assert int(pairs.max()) < 9973


def test_splits_survive_the_disk_and_a_torn_file_is_named(tmp_path: Path) -> None:
    comparison = Comparison(experiment="ordering", seeds=2, data=DataConfig(p=11))
    write_splits(comparison, tmp_path)
    read = read_splits(tmp_path, [1, 0])
    for name, tensor in draw(comparison.data, 0)._asdict().items():
        assert torch.equal(getattr(read, name)[1], tensor)
    (tmp_path / "seed-0000001.safetensors").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"seed-0000001\.safetensors: .*prepare the data again"):
        read_splits(tmp_path, [1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"p": 12, "op": "div"}, r"division needs a prime, received 12; take 13"),
        ({"p": 7, "train_size": 50}, r"50 pairs asked for, but the space .* has 49"),
        ({"p": 7, "op": "div", "train_size": 42}, r"the space of div modulo 7 has 42"),
        ({"p": 7, "train_size": 40, "test_size": 10}, r"only 9 of 49 pairs are left beside 40"),
        ({"op": "quadratc"}, r"did you mean quadratic\?"),
    ],
)
def test_impossible_data_are_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(Comparison, {"experiment": "ordering", "data": data})
