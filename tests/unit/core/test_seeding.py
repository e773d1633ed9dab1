"""Seeds from names, and the global random state as a value."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from versus.core import checkpoint, seeding

# ruff: noqa: NPY002 - the legacy generator is what is kept


def draws() -> tuple[float, float, float]:
    """One number of each global generator."""
    return random.random(), float(np.random.standard_normal()), float(torch.rand(()))


def test_a_seed_depends_on_every_part_its_type_and_the_order() -> None:
    different = [
        (1, 2),
        (2, 1),
        (12,),
        ("1", 2),
        (1, "2"),
        (1, 2, 0),
        ("1,2",),
        ("a", "b"),
        ("ab",),
    ]
    assert len({seeding.derive(*parts) for parts in different}) == len(different)
    assert seeding.derive("batch", 3) == seeding.derive("batch", 3)


def test_seeds_are_63_bits_spread_evenly_and_collide_nowhere() -> None:
    names = itertools.product(range(40), ("init", "batch", "noise", "mask"), range(250))
    seeds = np.array([seeding.derive(*parts) for parts in names], dtype=np.int64)
    assert len(np.unique(seeds)) == len(seeds) == 40_000
    # Every bit is set half of the time, within five standard deviations.
    shares = [np.mean((seeds >> bit) & 1) for bit in range(63)]
    assert np.abs(np.array(shares) - 0.5).max() < 5 * 0.5 / np.sqrt(len(seeds))
    assert seeds.min() >= 0


def test_a_seed_is_the_same_in_every_process_and_release() -> None:
    """Results on disk depend on it: the first 63 bits of sha256 of the typed, separated parts."""
    assert seeding.derive("trainer", "Delta", 0) == 1037514421290809812


def test_a_generator_draws_by_name_whatever_was_drawn_before() -> None:
    expected = torch.rand(3, generator=seeding.generator(1, "init"))
    torch.rand(5)
    seeding.generator(2, "init")
    assert torch.equal(torch.rand(3, generator=seeding.generator(1, "init")), expected)


def test_the_global_state_survives_a_checkpoint(tmp_path: Path) -> None:
    seeding.seed_global("any", 1)
    np.random.standard_normal()  # leaves half a pair in NumPy's state
    state = seeding.global_state()
    expected = [draws() for _ in range(3)]
    saved = checkpoint.load(checkpoint.save(tmp_path, 1, {"random": state}))
    seeding.seed_global("other", 2)
    seeding.restore_global_state(saved["random"])
    assert [draws() for _ in range(3)] == expected


def test_global_seeds_are_a_function_of_their_names() -> None:
    seeding.seed_global("a", 1)
    first = draws()
    seeding.seed_global("a", 2)
    second = draws()
    seeding.seed_global("a", 1)
    assert draws() == first
    assert all(x != y for x, y in zip(first, second, strict=True))


def test_a_preserved_block_leaves_no_trace_even_when_it_fails() -> None:
    seeding.seed_global("any", 1)
    expected = draws()
    seeding.seed_global("any", 1)

    @seeding.preserved()
    def fail() -> None:
        draws()
        seeding.seed_global("other")
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert draws() == expected
