"""Claims: bounds against intervals, and the runs that are asked."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from versus.core import tracking
from versus.core.arguments import load
from versus.core.claims import config, judging, page, runs
from versus.core.claims.config import Claim
from versus.core.errors import ConfigError
from versus.core.paths import write_json
from versus.core.tables import write_table


def claim(by: str = "value", baseline: str = "", **bounds: float) -> Claim:
    measure = {"metric": "test/mse", "variant": "Omega", "baseline": baseline, "by": by}
    tree = {"states": "so", "source": "paper", "experiment": "memory", "measure": measure}
    return Claim.model_validate({**tree, **bounds})


def table(**values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "test/mse": value}
            for name, row in values.items()
            for seed, value in enumerate(row)
        ]
    )


# --- judging --------------------------------------------------------------------------------------


def test_the_interval_of_a_difference_is_that_of_a_paired_t_test() -> None:
    ours, theirs = [1.0, 1.5, 0.5, 2.0], [2.0, 2.25, 1.75, 2.5]
    found = judging.judged(
        claim("difference", "Delta", most=0), table(Omega=ours, Delta=theirs), "run"
    )
    expected = stats.ttest_rel(ours, theirs).confidence_interval()
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert (found.outcome, found.seeds, found.run) == (judging.SUPPORTED, 4, "run")


def test_a_ratio_is_taken_seed_by_seed() -> None:
    found = judging.judged(
        claim("ratio", "Delta", least=1), table(Omega=[2.0, 9.0], Delta=[1.0, 3.0])
    )
    assert found.value == 2.5


def test_two_metrics_of_one_variant_can_be_compared() -> None:
    both = table(Omega=[2.0, 9.0]).assign(**{"late/mse": [1.0, 3.0]})
    asked = claim("ratio", "Omega", most=1)
    measure = asked.measure.model_copy(update={"baseline_metric": "late/mse"})
    found = judging.judged(asked.model_copy(update={"measure": measure}), both)
    assert found.value == 2.5


def test_a_share_counts_the_seeds_that_got_there() -> None:
    times = [10.0, math.inf, 30.0, 40.0]
    found = judging.judged(claim("share", least=0.5), table(Omega=times))
    assert (found.value, found.seeds, found.outcome) == (0.75, 4, judging.INCONCLUSIVE)
    interval = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert found.interval == pytest.approx((interval.low, interval.high))


def test_diverged_seeds_enter_no_mean() -> None:
    found = judging.judged(claim(most=9), table(Omega=[1.0, math.inf, 2.0, math.nan]))
    assert (found.value, found.seeds) == (1.5, 2)


@pytest.mark.parametrize("values", [[1.0], [math.inf, 1.0]])
def test_one_seed_decides_nothing(values: list[float]) -> None:
    found = judging.judged(claim(least=0), table(Omega=values))
    assert (found.outcome, found.interval) == (judging.INCONCLUSIVE, None)


@given(
    values=st.lists(st.floats(-9, 9), min_size=2, max_size=6),
    least=st.floats(-12, 12),
    width=st.floats(0, 12),
)
def test_outcomes_exclude_each_other(values: list[float], least: float, width: float) -> None:
    most = least + width
    found = judging.judged(claim(least=least, most=most), table(Omega=values))
    assert found.interval is not None
    inside = np.array([least <= bound <= most for bound in found.interval])
    if inside.all():
        assert found.outcome == judging.SUPPORTED
    elif found.interval[1] < least or found.interval[0] > most:
        assert found.outcome == judging.REFUTED
    else:
        assert found.outcome == judging.INCONCLUSIVE


@pytest.mark.parametrize(
    ("metric", "variant", "expected"),
    [("test/mse", "Omega", True), ("test/mse", "RLS", False), ("val/mse", "Omega", False)],
)
def test_a_table_without_metric_or_variant_tests_nothing(
    metric: str, variant: str, expected: bool
) -> None:
    asked = claim(least=0)
    measure = asked.measure.model_copy(update={"metric": metric, "variant": variant})
    changed = asked.model_copy(update={"measure": measure})
    assert judging.tests(changed, table(Omega=[1.0, 2.0])) is expected


# --- the file -------------------------------------------------------------------------------------


def test_the_projects_claims_name_what_there_is() -> None:
    claims = config.read()
    assert len(claims) >= 12
    for name, one in claims.items():
        _, comparison = load(one.experiment, None, one.profile, [])
        variants = {arm.name for arm in comparison.arms()}
        assert {one.measure.variant, one.measure.baseline} - {""} <= variants, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"most": None}, "least, most: received neither"),
        ({"least": 2.0, "most": 1.0}, "least: 2 is above most, 1"),
        ({"measure": {"metric": "a", "variant": "b", "by": "ratio"}}, "need a baseline"),
        ({"measure": {"metric": "a", "variant": "b", "baseline": "c"}}, "the others have none"),
        ({"stated": "so"}, "claims.one.stated"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good = claim(most=1).model_dump(mode="json", exclude_none=True)
    tree = {k: v for k, v in {**good, **change}.items() if v is not None}
    write_json(tmp_path / "claims.yaml", {"claims": {"one": tree}})
    with pytest.raises(ConfigError, match=message):
        config.read(tmp_path / "claims.yaml")


# --- runs -----------------------------------------------------------------------------------------


def finished(root: Path, digest: str, values: list[float], state: str = "finished") -> str:
    """A comparison in MLflow, as training sends it."""
    work = root / "runs" / "memory" / f"{digest}{values[0]}"
    results = work / "results"
    results.mkdir(parents=True)
    write_table(table(Omega=values), results / "metrics.csv")
    cost = pd.DataFrame({"variant": "Omega", "seed": range(len(values)), "seconds": 3.0})
    write_table(cost, results / "cost.csv")
    about: dict[str, Any] = {"experiment": "memory", "name": "memory", "digest": digest}
    about |= {"profile": "default", "tags": {}, "params": {}, "variants": {}, "children": "variant"}
    about |= {"seeds": [0, 1], "results": "results", "primary": []}
    about |= {"data": {"name": "memory", "digest": "d", "source": "d"}}
    write_json(work / "comparison.json", about)
    write_json(work / "status.json", {"state": state, "message": ""})
    return tracking.project(work, root=root, terminal=True).parent


def test_the_newest_finished_run_with_these_settings_is_asked(root: Path) -> None:
    digest = load("memory", None, "default", [])[1].digest()
    finished(root, digest, [7.0, 7.0])
    newest = finished(root, digest, [1.0, 3.0])
    finished(root, "0" * 32, [5.0, 5.0])
    finished(root, digest, [6.0, 6.0], state="failed")
    asked = {"value": claim(most=99), "other": claim("difference", "Delta", most=0)}
    price = asked["value"].measure.model_copy(update={"metric": "cost/seconds"})
    asked["cost"] = asked["value"].model_copy(update={"measure": price})
    found = runs.evaluate(asked, root)
    assert (found["value"].value, found["value"].run) == (2.0, newest)
    assert newest in found["value"].address
    assert (found["cost"].value, found["cost"].outcome) == (3.0, judging.SUPPORTED)
    assert found["other"].outcome == judging.NO_RUNS
    page.write(asked, found, root)
    text = (root / "claims.md").read_text()
    assert f"[{newest[:8]}]({found['value'].address})" in text
    assert page.counts(found) == "2 supported, 1 no runs"


def test_without_any_run_every_claim_says_so(root: Path) -> None:
    found = runs.evaluate({"one": claim(most=0)}, root)
    assert found == {"one": judging.Finding(judging.NO_RUNS)}
    assert "| -" in page.overview({"one": claim(most=0)}, found)
