"""Times until an event that the budget may end before."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from versus.core.comparison import CompareSettings, compare
from versus.core.paired import survival_interval, survival_median

some_times = st.lists(st.one_of(st.integers(1, 50).map(float), st.just(math.inf)), min_size=1)


def kaplan_meier_median(values: list[float]) -> float:
    """By the product of survival shares, as the textbooks write it."""
    alive, at_risk = 1.0, len(values)
    for time in sorted({v for v in values if math.isfinite(v)}):
        events = values.count(time)
        alive *= 1 - events / at_risk
        at_risk -= events
        if alive <= 0.5 + 1e-12:
            return time
    return math.inf


@given(some_times)
def test_the_median_is_that_of_kaplan_and_meier(values: list[float]) -> None:
    assert survival_median(np.array(values)) == kaplan_meier_median(values)


@pytest.mark.parametrize("n", [6, 7, 8, 9, 11])
def test_the_interval_covers_the_median_as_often_as_it_says(n: int) -> None:
    """Every pattern of n times before or after a true median is equally likely."""
    covered = 0
    for pattern in itertools.product((-1.0, math.inf), repeat=n):
        low, high = survival_interval(np.array(pattern), 0.95) or pytest.fail("no interval")
        covered += low < 0 < high
    assert covered / 2**n >= 0.95
    inner = np.sort(np.arange(n, dtype=float))
    low, high = survival_interval(inner, 0.95) or pytest.fail("no interval")
    outside = 2 * sum(math.comb(n, k) for k in range(int(low) + 2)) / 2**n
    assert outside > 0.05, "a narrower interval would have done"
    assert high == n - 1 - low


def test_five_times_are_too_few_for_an_interval() -> None:
    assert survival_interval(np.arange(5.0), 0.95) is None


def verdict() -> Any:
    times: dict[str, list[float]] = {
        "fast": [10, 12, 9, 11, 13, 10, 12, 11],
        "slow": [math.inf] * 7 + [90],
    }
    rows = [
        {"variant": variant, "seed": seed, "time": time}
        for variant, values in times.items()
        for seed, time in enumerate(values)
    ]
    settings = CompareSettings(
        ("time",), "minimize", {"slow": "fast", "fast": "fast"}, censored_at={"time": 100.0}
    )
    table = pd.DataFrame(rows)
    return compare(table, None, settings, experiment="x", profile="p", data_digest="d")


def test_a_run_without_the_event_counts_as_the_budget() -> None:
    made = verdict()
    slow = made["variants"]["slow"]
    assert slow["estimator"] == "survival_median"
    assert (slow["value"], slow["censored"], slow["n"], slow["diverged"]) == (None, 7, 8, 0)
    assert slow["ci"] == [90.0, None]
    entry = made["comparisons"][0]
    restricted = np.array([100.0] * 7 + [90.0]) - np.array([10, 12, 9, 11, 13, 10, 12, 11])
    assert entry["difference"] == pytest.approx(restricted.mean())
    assert entry["outcome"] == "worse"
    assert "means within the budget of 100: 98.8 against 11.0" in entry["sentence"]
