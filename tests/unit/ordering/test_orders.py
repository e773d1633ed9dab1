"""Orders against naive programs, and what all of them have in common."""

import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from versus.core import seeding
from versus.core.errors import ConfigError
from versus.experiments.ordering.config import GENERATED, DataConfig, TrainConfig
from versus.experiments.ordering.data import Split, draw
from versus.experiments.ordering.orders import Order, make_order
from versus.experiments.ordering.resonance import periods

P, S = 23, 4


def make(order: str, seed: int = 0, p: int = P, **changes: Any) -> tuple[Order, Split]:
    split = draw(DataConfig(p=p, train_fraction=0.45), seed)
    asked = TrainConfig(order=order, **changes)
    return make_order(asked, p, seed, split.train_pairs, split.train_labels), split


def in_order(order: str, epoch: int = 0, **changes: Any) -> list[tuple[int, int, int]]:
    sampler, split = make(order, **changes)
    indices = sampler.order(epoch)
    pairs, labels = split.train_pairs[indices].tolist(), split.train_labels[indices].tolist()
    return [(a, b, c) for (a, b), c in zip(pairs, labels, strict=True)]


def test_stride_and_target_are_stable_sorts() -> None:
    examples = sorted(in_order("random"))
    assert in_order("stride") == sorted(examples, key=lambda example: example[0] % S)
    assert in_order("stride", stride=7) == sorted(examples, key=lambda example: example[0] % 7)
    assert in_order("target") == sorted(examples, key=lambda example: example[2])
    assert in_order("alternating", epoch=4) == in_order("stride")
    assert in_order("alternating", epoch=5) == in_order("target")


def test_random_is_new_every_epoch_and_fixed_random_never() -> None:
    random, fixed = make("random")[0], make("fixed-random")[0]
    assert not torch.equal(random.order(0), random.order(1))
    assert torch.equal(fixed.order(0), fixed.order(1))
    assert not torch.equal(fixed.order(0), make("fixed-random", seed=1)[0].order(0))


def naive_resonant(
    examples: list[tuple[int, int, int]], seed: int, harmonics: int, cycles: int, share: float
) -> list[tuple[int, int, int]]:
    """The definition in the docstring of ``resonance``, one example at a time."""
    source = seeding.generator(seed, "order", "resonant")
    sequence = torch.randperm(P, generator=source).tolist()
    offsets = torch.randint(P, (S, cycles), generator=source).tolist()
    result: dict[int, list[tuple[int, int, int]]] = {c: [] for c in range(cycles)}
    for j in range(S):
        left = [example for example in examples if example[0] % S == j]
        sizes = [len(left) * (c + 1) // cycles - len(left) * c // cycles for c in range(cycles)]
        frequency = round(P / S) * 2 ** (j % harmonics) % P
        step = round(P / max(1, min(frequency, P - frequency))) - S

        def line(e: tuple[int, int, int], offset: int, step: int = step) -> tuple[int, int]:
            k = e[0] // S
            return ((e[1] - k * step - offset) % P, k)

        leading = []
        for c in range(cycles):
            pool = [b for rank, b in enumerate(sequence) if rank * cycles // P == c]
            fit = [e for b in pool for e in sorted(left) if e[1] == b]
            leading.append(fit[: round(share * sizes[c])])
        left = [e for e in left if not any(e in lead for lead in leading)]
        left.sort(key=lambda e: line(e, offsets[j][0]))
        for c in range(cycles):
            rest, left = left[: sizes[c] - len(leading[c])], left[sizes[c] - len(leading[c]) :]
            result[c] += leading[c] + sorted(rest, key=lambda e: line(e, offsets[j][c]))
    return [example for cycle in result.values() for example in cycle]


@pytest.mark.parametrize(("harmonics", "cycles", "share"), [(4, 3, 0.4), (1, 1, 0.0), (2, 5, 1.0)])
def test_resonant_is_what_its_definition_says(harmonics: int, cycles: int, share: float) -> None:
    changes: dict[str, Any] = {"n_harmonics": harmonics, "n_cycles": cycles, "overlap_frac": share}
    found = in_order("resonant", **changes)
    assert found == naive_resonant(sorted(found), 0, harmonics, cycles, share)


def test_along_a_line_the_sum_grows_by_the_period() -> None:
    """The fundamental of the paper's sizes has the stride's own period."""
    assert periods(9973, 99, 4) == [99, 49, 25, 12]
    found = in_order("resonant", overlap_frac=0.0, n_cycles=1)
    period = periods(P, S, 4)
    grown = 0
    for (a, b, c), (a2, b2, c2) in itertools.pairwise(found):
        if a2 == a + S and (b2 - b - (period[a % S] - S)) % P == 0:
            assert (c2 - c - period[a % S]) % P == 0
            grown += 1
    assert grown > 20


@given(
    order=st.sampled_from(GENERATED),
    seed=st.integers(0, 50),
    epochs=st.lists(st.integers(0, 1000), min_size=1, max_size=3),
    p=st.sampled_from([5, 11, 12]),
    stride=st.integers(1, 4),
    cycles=st.integers(1, 6),
    harmonics=st.integers(1, 6),
    overlap=st.floats(0, 1),
)
@settings(deadline=None, max_examples=60)
def test_every_order_is_a_permutation_and_a_pure_function_of_seed_and_epoch(
    order: str,
    seed: int,
    epochs: list[int],
    p: int,
    stride: int,
    cycles: int,
    harmonics: int,
    overlap: float,
) -> None:
    changes: dict[str, Any] = {
        "stride": stride,
        "n_cycles": cycles,
        "n_harmonics": harmonics,
        "overlap_frac": overlap,
    }
    used, split = make(order, seed, p, **changes)
    for epoch in epochs:
        fresh = make(order, seed, p, **changes)[0]
        used.set_epoch(epoch)
        indices = list(used)
        assert sorted(indices) == list(range(len(split.train_pairs))) == list(range(len(used)))
        assert indices == fresh.order(epoch).tolist()
        expected = hashlib.sha256(b"".join(i.to_bytes(4, "little") for i in indices)).hexdigest()
        assert used.digest(epoch) == fresh.digest(epoch) == expected


def from_file(path: Path, content: str) -> list[int]:
    path.write_text(content)
    sampler, _ = make("file", p=5, indices=str(path))
    return list(sampler)


def test_an_order_comes_from_a_file(tmp_path: Path) -> None:
    size = round(0.45 * 25)
    wanted = list(range(size))[::-1]
    assert from_file(tmp_path / "order.txt", "\n".join(map(str, wanted)) + "\n\n") == wanted
    assert from_file(tmp_path / "order.json", json.dumps(wanted, indent=1)) == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n1\n1\n", r"order\.txt, line 3: received 1 a second time; list every index from 0"),
        ("0\n\n11\n", r"line 3: no index of the 11 pairs, received 11"),
        ("0\none\n", r"line 2: no index of the 11 pairs, received 'one'"),
        ("0\n1\n", r"received 2 indices for 11 pairs"),
        ("[0, 1.5]", r"entry 2: no index of the 11 pairs, received 1\.5"),
        ("[0, 1", r"is no JSON list"),
    ],
)
def test_a_file_that_is_no_permutation_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        from_file(tmp_path / "order.txt", content)
    with pytest.raises(ConfigError, match="is not readable"):
        make("file", indices=str(tmp_path / "none.txt"))


def test_default_stride_is_the_root_of_p() -> None:
    assert in_order("stride") == in_order("stride", stride=math.isqrt(P))
