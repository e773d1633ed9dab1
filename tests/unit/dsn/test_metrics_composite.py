"""A number without labels."""

import math

import numpy as np
import pytest

from tests.unit.dsn.selection_samples import scene
from versus.experiments.dsn.data.sequences import IntArray
from versus.experiments.dsn.metrics import measured
from versus.experiments.dsn.metrics.composite import TERMS, Chance, by_chance, composite

SCENES = [scene(40, colours=True), scene(30, number=1, start=40, colours=True)]


def values(rows: list[IntArray]) -> dict[str, float]:
    return measured(SCENES, [np.zeros(40), np.zeros(30)], rows)


def drawn(source: np.random.Generator) -> list[IntArray]:
    return [
        np.sort(source.choice(len(one.picks), count, replace=False))
        for one, count in zip(SCENES, (3, 2), strict=True)
    ]


def test_the_reference_holds_the_moments_of_random_selections() -> None:
    chance = by_chance(SCENES, (3, 2), draws=1000)
    assert set(chance) == set(TERMS)
    source = np.random.default_rng(5)
    sample = [values(drawn(source)) for _ in range(1000)]
    for name, (mean, spread) in chance.items():
        own = np.array([one[name] for one in sample])
        assert own.mean() == pytest.approx(mean, abs=5 * spread / math.sqrt(500))
        assert own.std(ddof=1) == pytest.approx(spread, rel=0.15)
    assert by_chance(SCENES, (3, 2)) == by_chance(SCENES, (3, 2))
    assert "MS_SWD" not in by_chance([scene(40)], [3])


def test_random_selections_stand_at_one_half() -> None:
    chance, source = by_chance(SCENES, (3, 2), draws=500), np.random.default_rng(6)
    found = [composite(values(drawn(source)), chance) for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert 0 <= min(found) <= max(found) <= 1


def test_the_composite_is_the_mean_of_normal_shares() -> None:
    chance = {"RecErr": Chance(0.5, 0.1), "Diversity": Chance(0.8, 0.2), "MS_SWD": Chance(0.3, 0.0)}
    # One standard deviation less of RecErr is better by 1, two less of Diversity worse by 2.
    found = composite({"RecErr": 0.4, "Diversity": 0.4, "MS_SWD": 9.0, "F1": 1.0}, chance)
    assert found == pytest.approx((0.8413447460685429 + 0.022750131948179195) / 2)
    assert composite({}, chance) == 0.5


def test_still_frames_are_ahead_and_moving_ones_behind() -> None:
    order = [np.argsort(one.motion[:, 0].numpy()) for one in SCENES]
    still = [np.sort(order[0][:3]), np.sort(order[1][:2])]
    moving = [np.sort(order[0][-3:]), np.sort(order[1][-2:])]
    only = {"Stillness": by_chance(SCENES, (3, 2))["Stillness"]}
    assert composite(values(still), only) > 0.95
    assert composite(values(moving), only) < 0.05
