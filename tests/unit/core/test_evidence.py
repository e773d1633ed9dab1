"""The statistics of a promotion: intervals over clusters, and what speaks against a challenger."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from versus.core.errors import DataError
from versus.core.evidence import Paired, luck, objection, of_items, of_seeds
from versus.core.paired import cluster_interval, mean_interval

FAVOURABLE = Paired("minimize", (1.0, 2.0), -1.0, [-1.5, -0.5], 60, 20, 0, 0)
CONTRARY = Paired("minimize", (2.0, 1.0), 1.0, [0.5, 1.5], 20, 20, 0, 0)
UNDECIDED = Paired("minimize", (1.0, 1.1), -0.1, [-0.5, 0.3], 60, 20, 0, 0)


def clustered(generator: np.random.Generator, count: int) -> tuple[np.ndarray, list[str]]:
    """Items around 0 in clusters of two to eight, with a correlation of one half."""
    sizes = generator.integers(2, 9, size=count)
    shared = np.repeat(generator.standard_normal(count), sizes)
    names = np.repeat([f"c{i}" for i in range(count)], sizes)
    return shared + generator.standard_normal(len(shared)), list(names)


@pytest.mark.parametrize("count", [12, 20])
def test_the_interval_covers_zero_as_often_as_it_says(count: int) -> None:
    generator = np.random.default_rng(count)
    covered = naive = 0
    for repetition in range(1000):
        sample, clusters = clustered(generator, count)
        low, high = cluster_interval(sample, clusters, str(repetition), n_bootstrap=1000) or (1, 1)
        covered += low <= 0 <= high
        low, high = mean_interval(sample, str(repetition), n_bootstrap=100) or (1, 1)
        naive += low <= 0 <= high
    assert covered / 1000 == pytest.approx(0.945, abs=0.02)
    assert naive < 800  # what would happen without clusters


@pytest.mark.parametrize("count", [5, 40])
def test_clusters_of_one_item_give_the_paired_interval(count: int) -> None:
    sample = np.random.default_rng(3).standard_normal(count) + 0.3
    clusters = [str(i) for i in range(count)]
    order = np.argsort(clusters)
    expected = mean_interval(sample[order], "a")
    assert cluster_interval(sample, clusters, "a") == pytest.approx(expected, rel=1e-12)


def test_repeating_the_items_of_a_cluster_adds_no_evidence() -> None:
    sample, clusters = clustered(np.random.default_rng(0), 10)
    once = cluster_interval(sample, clusters, "a")
    assert cluster_interval(np.tile(sample, 3), clusters * 3, "a") == pytest.approx(once)


def test_one_cluster_has_no_interval() -> None:
    assert cluster_interval(np.array([1.0, 2.0]), ["a", "a"]) is None


def table(values: list[float], per_cluster: int = 2) -> pd.DataFrame:
    ids = [f"i{n}" for n in range(len(values))]
    clusters = [n // per_cluster for n in range(len(values))]
    return pd.DataFrame({"item_id": ids, "cluster_id": clusters, "score": values})


def test_exchanging_the_roles_mirrors_the_decision() -> None:
    generator = np.random.default_rng(1)
    ours, theirs = (table(list(generator.standard_normal(60) + shift)) for shift in (0.0, 1.0))
    forth = of_items(ours, theirs, "score", "minimize", ["a", "b"])
    back = of_items(theirs, ours, "score", "minimize", ["b", "a"])
    assert forth.interval is not None
    assert back.interval == pytest.approx([-forth.interval[1], -forth.interval[0]])
    assert (forth.favours, back.favours) == (1, -1)
    assert replace(forth, direction="maximize").favours == -1


def test_items_are_joined_by_name() -> None:
    ours, theirs = table([1.0, 2.0, 3.0, 4.0]), table([1.5, 2.0, 3.5, 5.0])
    expected = of_items(ours, theirs, "score", "minimize", [])
    assert (
        of_items(ours.iloc[::-1], theirs.sample(frac=1, random_state=0), "score", "minimize", [])
        == expected
    )
    assert expected.difference == pytest.approx(-0.5)
    assert (expected.pairs, expected.clusters) == (4, 2)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (table([1.0, 2.0, 3.0]), "1 were measured on one model only, such as i3"),
        (table([1.0, 2.0, 3.0, 4.0], per_cluster=1), "cluster_id differs"),
        (pd.concat([table([1.0, 2.0])] * 2), "i0 was measured twice"),
        (table([1.0]).rename(columns={"score": "mse"}), "no column 'score'; they have item_id, "),
    ],
)
def test_unequal_items_are_refused(other: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        of_items(table([1.0, 2.0, 3.0, 4.0]), other, "score", "minimize", [])


def test_diverged_items_are_counted_on_either_side() -> None:
    ours = table([math.inf, 1.0, 1.0, 2.0, math.inf, 1.0])
    theirs = table([1.0, math.inf, 2.0, 2.0, math.nan, 2.0])
    found = of_items(ours, theirs, "score", "minimize", [])
    assert (found.lost, found.gained, found.pairs) == (1, 1, 3)
    assert found.difference == pytest.approx(-2 / 3)


def test_recipes_are_compared_over_the_seeds_of_both() -> None:
    ours = {str(s): {"a/mse": repr(1.0 + s / 10), "a/x": "9"} for s in range(6)}
    theirs = {str(s): {"a/mse": repr(1.5 + s / 9)} for s in range(1, 9)}
    found = of_seeds(ours, theirs, ["a/mse", "a/x"], "minimize", [])
    assert found is not None
    differences = np.array([s / 10 - s / 9 - 0.5 for s in range(1, 6)])
    assert found.pairs == 5
    assert found.interval == pytest.approx(mean_interval(differences))
    assert of_seeds(ours, theirs, ["b/mse"], "minimize", []) is None
    assert of_seeds(ours, {}, ["a/mse"], "minimize", []) is None


@pytest.mark.parametrize(
    ("items", "seeds", "expected"),
    [
        (FAVOURABLE, None, ""),
        (FAVOURABLE, FAVOURABLE, ""),
        (FAVOURABLE, UNDECIDED, ""),
        (FAVOURABLE, CONTRARY, "the verdict over seeds contradicts"),
        (FAVOURABLE, replace(FAVOURABLE, lost=2), "diverged on 2 seeds"),
        (replace(FAVOURABLE, gained=3), None, ""),
        (replace(FAVOURABLE, lost=3), None, "diverged on 3 items on which the champion did not"),
        (UNDECIDED, FAVOURABLE, "includes zero"),
        (CONTRARY, FAVOURABLE, "the champion is better"),
        (replace(FAVOURABLE, interval=None, clusters=1), None, "needs two clusters, and there are"),
        (replace(FAVOURABLE, interval=[0.0, 0.0]), None, "no item differs"),
    ],
)
def test_what_speaks_against_a_challenger(
    items: Paired, seeds: Paired | None, expected: str
) -> None:
    found = objection(items, seeds)
    assert expected in found
    assert bool(expected) == bool(found)


def test_luck_grows_with_the_attempts() -> None:
    assert "attempt 1 on these items" in luck(1)
    assert "in 1 of 40 " in luck(1)
    # Three independent tries at 2.5 % each: 1 / (1 - 0.975^3) = 13.7.
    assert "in 1 of 14 " in luck(3)


def test_a_difference_reads_as_a_sentence() -> None:
    assert str(FAVOURABLE) == "1.00 against 2.00, difference -1.00 (95 % CI -1.50 to -0.50)"
    assert str(replace(FAVOURABLE, interval=None)).endswith("(no interval)")
    assert "both stayed finite" in str(Paired("minimize", None, None, None, 0, 0, 3, 0))
