"""Statistics against scipy, hand computation and simulation; verdicts against the schema."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from versus.core import comparison, paired
from versus.core.comparison import CompareSettings
from versus.core.errors import ConfigError, DataError
from versus.core.verdict import glance, number, to_markdown, write

PLAN = CompareSettings(("loss",), "minimize", {"delta": "delta", "omega": "delta"})


def table(**columns: Iterable[float]) -> pd.DataFrame:
    """One row per variant and seed, metric ``loss``."""
    return pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "loss": float(value)}
            for variant, values in columns.items()
            for seed, value in enumerate(values)
        ]
    )


def verdict_of(
    metrics: pd.DataFrame, plan: CompareSettings = PLAN, cost: pd.DataFrame | None = None
) -> dict[str, Any]:
    return comparison.compare(
        metrics, cost, plan, experiment="memory", profile="smoke", data_digest="abc"
    )


def only(verdict: Mapping[str, Any]) -> dict[str, Any]:
    (entry,) = verdict["comparisons"]
    return dict(entry)


def draws(n: int, *, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    base = 0.06 + 0.01 * generator.normal(size=n)
    return table(delta=base, omega=base + shift + 0.004 * generator.normal(size=n))


def sides(metrics: pd.DataFrame) -> tuple[Any, Any]:
    wide = metrics.pivot(index="seed", columns="variant", values="loss")
    return wide["omega"].to_numpy(), wide["delta"].to_numpy()


@pytest.mark.parametrize("n", [2, 5, 8, 19])
def test_matches_scipy_below_twenty_seeds(n: int) -> None:
    metrics = draws(n, shift=-0.005)
    omega, delta = sides(metrics)
    entry = only(verdict_of(metrics))
    expected = stats.ttest_rel(omega, delta).confidence_interval(0.95)
    assert entry["difference"] == pytest.approx((omega - delta).mean())
    assert entry["ci"] == pytest.approx([expected.low, expected.high], rel=1e-7)
    assert entry["p_value"] == pytest.approx(stats.wilcoxon(omega, delta, method="exact").pvalue)
    d = omega - delta
    assert entry["effect_size"] == pytest.approx(d.mean() / d.std(ddof=1))
    assert entry["pairs"] == n


def test_bootstrap_t_is_near_t_for_normal_differences_and_differs_from_it() -> None:
    metrics = draws(60, seed=3)
    omega, delta = sides(metrics)
    expected = stats.ttest_rel(omega, delta).confidence_interval(0.95)
    width = expected.high - expected.low
    ci = only(verdict_of(metrics))["ci"]
    assert ci == pytest.approx([expected.low, expected.high], abs=0.1 * width)
    assert ci != pytest.approx([expected.low, expected.high], rel=1e-9)


def test_bootstrap_t_follows_skew() -> None:
    sample = np.random.default_rng(1).exponential(size=40)
    interval = paired.mean_interval(sample, "x")
    assert interval is not None
    assert interval[1] - sample.mean() > 1.1 * (sample.mean() - interval[0])


@pytest.mark.parametrize(("n", "skewed"), [(5, False), (8, False), (20, False), (25, True)])
def test_intervals_cover(n: int, skewed: bool) -> None:
    generator = np.random.default_rng(n)
    samples = (
        generator.exponential(size=(600, n)) - 1 if skewed else generator.normal(size=(600, n))
    )
    intervals = [paired.mean_interval(sample, "x", n_bootstrap=500) for sample in samples]
    covered = np.mean([i is not None and i[0] <= 0 <= i[1] for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.03)


def test_interval_of_constant_differences_is_a_point() -> None:
    assert paired.mean_interval(np.full(30, 0.25), "x") == [0.25, 0.25]
    assert paired.mean_interval(np.array([1.0]), "x") is None


def test_interval_where_ties_rule_falls_back_to_t() -> None:
    sample = np.array([0.1] * 18 + [0.4, 0.7])
    t = stats.t.interval(0.95, 19, sample.mean(), stats.sem(sample))
    assert paired.mean_interval(sample, "x") == pytest.approx(list(t))


@pytest.mark.parametrize("n", [1, 3, 5, 6, 8, 12, 20])
def test_smallest_p_is_two_over_two_to_the_seeds(n: int) -> None:
    assert paired.signed_rank_p(-np.arange(1.0, n + 1)) == pytest.approx(2 / 2**n)


@pytest.mark.parametrize("n", [2, 5, 9, 13])
@pytest.mark.parametrize("most", [1, 3])
def test_signed_rank_with_ties_and_zeros_counts_all_signs(n: int, most: int) -> None:
    generator = np.random.default_rng(n)
    differences = generator.integers(-most, most + 1, n) / 8
    nonzero = differences[differences != 0]
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(nonzero))).reshape(len(nonzero), -1)
    ranks = stats.rankdata(np.abs(nonzero))
    exact = (np.abs(ranks @ signs) >= abs(ranks @ np.sign(nonzero))).mean()
    assert paired.signed_rank_p(differences) == pytest.approx(exact)


def test_signed_rank_of_zeros_alone() -> None:
    assert paired.signed_rank_p(np.zeros(9)) == 1.0


@pytest.mark.parametrize("n", [14, 30, 50, 51, 400])
def test_signed_rank_matches_scipy_whatever_the_size(n: int) -> None:
    generator = np.random.default_rng(n)
    alone = generator.normal(0.2, size=n)
    assert paired.signed_rank_p(alone) == pytest.approx(stats.wilcoxon(alone).pvalue, rel=1e-9)
    tied = generator.integers(-9, 12, n) / 8
    normal = stats.wilcoxon(tied[tied != 0], method="asymptotic").pvalue
    assert paired.signed_rank_p(tied) == pytest.approx(normal, abs=0.02)


def test_rounding_noise_is_a_tie() -> None:
    metrics = table(delta=[0.3] * 8, omega=[0.1 + 0.2] * 8)
    entry = only(verdict_of(metrics))
    assert (entry["p_value"], entry["win_rate"], entry["difference"]) == (1.0, 0.5, 0.0)
    assert entry["effect_size"] is None
    assert entry["outcome"] == "undecided"


def test_holm_by_hand() -> None:
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.5, 0.9]) == [1.0, 1.0]
    assert paired.holm([]) == []


def test_holm_spans_all_primary_metrics_and_no_descriptive_one() -> None:
    metrics = draws(8, shift=-0.02)
    metrics["second"], metrics["side"] = metrics["loss"] * 2, metrics["loss"]
    plan = replace(PLAN, metrics=("loss", "second"), descriptive=("side",))
    first, second, side = verdict_of(metrics, plan)["comparisons"]
    assert first["p_adjusted"] == second["p_adjusted"] == pytest.approx(2 * 2 / 2**8)
    assert (side["primary"], side["p_value"], side["p_adjusted"]) == (False, None, None)
    assert (side["outcome"], side["win_rate"]) == (None, None)
    assert side["ci"] == pytest.approx(first["ci"])


@pytest.mark.parametrize(("wins", "n"), [(0, 8), (5, 8), (8, 8), (13, 20)])
def test_wilson_matches_scipy(wins: int, n: int) -> None:
    expected = stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
    assert paired.wilson(wins, n, 0.95) == pytest.approx([expected.low, expected.high])


def test_win_rate_counts_ties_half() -> None:
    entry = only(verdict_of(table(delta=[1, 1, 1, 1], omega=[0, 0, 1, 2])))
    assert entry["win_rate"] == pytest.approx(2.5 / 4)
    assert entry["win_rate_ci"][0] < 2.5 / 4 < entry["win_rate_ci"][1]


def test_sentences_of_a_win_a_loss_and_a_tie() -> None:
    cost = pd.DataFrame(
        {"variant": ["delta", "omega"] * 2, "seed": [0, 0, 1, 1], "seconds": [1, 2, 1, 2.2]}
    )
    win = only(verdict_of(draws(20, shift=-0.04), cost=cost))
    assert win["outcome"] == "better"
    assert win["sentence"].startswith("omega beats delta on loss: 0.0")
    assert win["sentence"].endswith("20 seeds, Holm p < 0.0001, at 2.1 times the cost.")
    assert "(95 % CI -0.0" in win["sentence"]
    loss = only(verdict_of(draws(20, shift=0.04)))
    assert loss["sentence"].startswith("omega loses to delta on loss: ")
    tie = only(verdict_of(draws(20)))
    assert tie["sentence"].startswith("no significant difference between omega and delta on loss: ")
    assert "times the cost" not in tie["sentence"]


def test_maximize_turns_outcome_and_win_rate_only() -> None:
    metrics = draws(12, shift=-0.04)
    low, high = (
        only(verdict_of(metrics)),
        only(verdict_of(metrics, replace(PLAN, direction="maximize"))),
    )
    assert (low["outcome"], high["outcome"]) == ("better", "worse")
    assert low["win_rate"] == 1 - high["win_rate"] == 1.0
    for key in ("difference", "ci", "p_value", "effect_size"):
        assert low[key] == high[key]


def test_under_six_seeds_nothing_wins_and_the_sentence_says_so() -> None:
    verdict = verdict_of(draws(5, shift=-10))
    entry = only(verdict)
    assert entry["outcome"] == "undecided"
    assert entry["p_value"] == pytest.approx(2 / 2**5)
    assert entry["sentence"].endswith("No two-sided p below 0.05 is possible under 6 seeds.")
    assert verdict["caveats"] == [
        "5 seeds are fewer than the 8 asked for",
        "no two-sided p below 0.05 is possible under 6 seeds",
    ]
    assert "possible under" not in only(verdict_of(draws(6, shift=-10)))["sentence"]


def test_caveat_where_holm_leaves_no_room() -> None:
    names = [f"v{i}" for i in range(8)]
    metrics = table(delta=np.arange(8), **{name: np.arange(8) - 5 for name in names})
    plan = replace(PLAN, baseline_of={"delta": "delta"} | dict.fromkeys(names, "delta"))
    verdict = verdict_of(metrics, plan)
    assert min(e["p_adjusted"] for e in verdict["comparisons"]) == pytest.approx(8 * 2 / 2**8)
    assert any("possible under 9 seeds" in caveat for caveat in verdict["caveats"])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_diverged_seeds_are_counted_ranked_worst_and_never_averaged(bad: float) -> None:
    metrics = table(delta=[2.0] * 10, omega=[1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3, bad, bad, bad])
    verdict = verdict_of(metrics)
    entry = only(verdict)
    assert verdict["variants"]["omega"]["diverged"] == 3
    assert verdict["variants"]["omega"]["n"] == entry["pairs"] == 7
    assert entry["difference"] == pytest.approx(-0.4)
    equivalent = np.array([-0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, 9, 9, 9])
    assert entry["p_value"] == pytest.approx(stats.wilcoxon(equivalent).pvalue)
    assert entry["win_rate"] == pytest.approx(0.7)
    assert "diverged 3 against 0 times" in entry["sentence"]
    assert any("omega diverged on loss for 3 of 10 seeds" in c for c in verdict["caveats"])
    json.dumps(verdict, allow_nan=False)


def test_a_variant_that_mostly_diverges_does_not_win_by_its_survivors() -> None:
    entry = only(verdict_of(table(delta=[2.0] * 20, omega=[1.0, 1.1, 1.2] + [math.nan] * 17)))
    assert entry["ci"][1] < 0
    assert entry["p_adjusted"] < 0.05
    assert entry["outcome"] == "undecided"


def test_all_diverged_has_no_difference_but_a_test() -> None:
    verdict = verdict_of(table(delta=[2.0] * 8, omega=[math.nan] * 8))
    entry = only(verdict)
    assert (entry["difference"], entry["ci"], entry["pairs"]) == (None, None, 0)
    assert entry["p_value"] == pytest.approx(2 / 2**8)
    assert "no seed on which both stayed finite" in entry["sentence"]
    assert verdict["variants"]["omega"]["value"] is None
    assert "| omega | - |" in to_markdown(verdict)
    both = only(verdict_of(table(delta=[math.nan] * 8, omega=[math.nan] * 8)))
    assert (both["p_value"], both["win_rate"]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("n", "baseline_of", "reason"),
    [(1, PLAN.baseline_of, "one seed"), (8, {"delta": "delta"}, "no variant has a baseline")],
)
def test_no_comparison(n: int, baseline_of: Mapping[str, str], reason: str) -> None:
    verdict = verdict_of(
        table(delta=[2.0] * n, omega=[1.0] * n), replace(PLAN, baseline_of=baseline_of)
    )
    assert verdict["comparisons"] == []
    assert verdict["caveats"] == [f"no comparison: {reason}"]
    assert verdict["variants"]["delta"]["value"] == 2.0
    assert set(verdict["variants"]) == set(baseline_of)
    assert reason in to_markdown(verdict)


def test_one_metric_is_flat_and_several_are_nested() -> None:
    metrics = draws(8)
    metrics["second"] = metrics["loss"]
    flat = verdict_of(metrics)
    nested = verdict_of(metrics, replace(PLAN, metrics=("loss", "second")))
    assert (flat["metric"], nested["metric"]) == ("loss", ["loss", "second"])
    assert nested["variants"]["omega"]["loss"] == flat["variants"]["omega"]
    assert set(flat["variants"]["omega"]) == {"estimator", "value", "ci", "n", "diverged"}
    page = to_markdown(nested)
    assert [line for line in page.splitlines() if line.startswith("## ")][:2] == [
        "## loss",
        "## second",
    ]


def test_several_baselines() -> None:
    metrics = table(a=range(8), b=range(8), c=range(8), d=range(8))
    plan = replace(PLAN, baseline_of={"a": "a", "b": "a", "c": "c", "d": "c"})
    verdict = verdict_of(metrics, plan)
    assert verdict["baseline"] == ["a", "c"]
    assert [(e["variant"], e["baseline"]) for e in verdict["comparisons"]] == [
        ("b", "a"),
        ("d", "c"),
    ]


def test_cost_ratio_of_means_and_unknown_costs() -> None:
    cost = pd.DataFrame({"variant": ["delta", "omega", "omega"], "seconds": [2.0, 1.0, 2.0]})
    assert only(verdict_of(draws(8), cost=cost))["cost_ratio"] == pytest.approx(0.75)
    assert only(verdict_of(draws(8), cost=cost[cost.variant == "omega"]))["cost_ratio"] is None
    free = cost.assign(seconds=0.0)
    assert only(verdict_of(draws(8), cost=free))["cost_ratio"] is None


def test_written_files_are_the_same_bytes_for_shuffled_rows(tmp_path: Path) -> None:
    metrics = draws(24, shift=-0.001)
    for name, rows in (("a", metrics), ("b", metrics.sample(frac=1, random_state=1))):
        write(verdict_of(rows), tmp_path / name)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["verdict.json", "verdict.md"]
    for name in ("verdict.json", "verdict.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / "verdict.json").read_text())["seeds"] == list(range(24))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda t: t[~((t.variant == "omega") & (t.seed > 5))],
            DataError,
            "'omega' has no run for seed 6, 7",
        ),
        (lambda t: pd.concat([t, t.iloc[:1]]), DataError, "'delta' has several rows for seed 0"),
        (lambda t: t.astype({"loss": str}), DataError, "column 'loss' has type"),
        (lambda t: t.rename(columns={"loss": "mse"}), ConfigError, "no column 'loss'.*mse"),
        (lambda t: t[t.variant == "delta"], ConfigError, "variant 'omega' has no runs"),
    ],
)
def test_errors_name_place_and_remedy(change: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        verdict_of(change(draws(8)))


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"compare\.metrics"):
        verdict_of(draws(8), replace(PLAN, metrics=()))
    with pytest.raises(ConfigError, match="95"):
        verdict_of(draws(8), replace(PLAN, confidence=95))


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [(-0.04021, 0.0455, "-0.0402"), (123.456, 120, "123"), (1e-12, 1e-12, "1e-12"), (None, 1, "-")],
)
def test_number(value: float | None, scale: float, text: str) -> None:
    assert number(value, scale) == text


VALUES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=25).map(
    lambda pairs: [(a / 8, b / 8) for a, b in pairs]
)
FAST = replace(PLAN, n_bootstrap=200)


@settings(max_examples=25, deadline=None)
@given(VALUES)
def test_swapping_variant_and_baseline_turns_every_sign(pairs: list[tuple[float, float]]) -> None:
    x, y = zip(*pairs, strict=True)
    forward = only(verdict_of(table(delta=y, omega=x), FAST))
    plan = replace(FAST, baseline_of={"omega": "omega", "delta": "omega"})
    back = only(verdict_of(table(delta=y, omega=x), plan))
    assert forward["difference"] == pytest.approx(-back["difference"])
    assert forward["ci"] == pytest.approx([-back["ci"][1], -back["ci"][0]])
    assert forward["p_value"] == pytest.approx(back["p_value"])
    assert forward["win_rate"] == pytest.approx(1 - back["win_rate"])
    turned = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert forward["outcome"] == turned[back["outcome"]]


@settings(max_examples=25, deadline=None)
@given(VALUES, st.integers(0, 1000))
def test_row_order_does_not_matter(pairs: list[tuple[float, float]], seed: int) -> None:
    x, y = zip(*pairs, strict=True)
    metrics = table(delta=y, omega=x)
    shuffled = metrics.sample(frac=1, random_state=seed)
    assert verdict_of(shuffled, FAST) == verdict_of(metrics, FAST)


@settings(max_examples=25, deadline=None)
@given(VALUES, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))  # exact, so that ties stay ties
def test_scaling_the_metric_scales_the_interval_only(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    x, y = np.array(pairs).T
    one = only(verdict_of(table(delta=y, omega=x), FAST))
    other = only(verdict_of(table(delta=y * factor, omega=x * factor), FAST))
    assert other["difference"] == pytest.approx(factor * one["difference"])
    assert other["ci"] == pytest.approx([factor * bound for bound in one["ci"]])
    for key in ("p_value", "win_rate", "outcome", "effect_size"):
        assert (
            other[key] == pytest.approx(one[key])
            if isinstance(one[key], float)
            else other[key] == one[key]
        )


def test_imports_neither_torch_nor_mlflow() -> None:
    program = "import sys, versus.core.comparison; print({'torch', 'mlflow'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.stdout.strip() == "set()"


def test_the_overview_marks_only_what_is_significant() -> None:
    verdict: dict[str, object] = {
        "metric": ["a", "b", "c"],
        "variants": {
            name: {
                m: {"value": v, "diverged": 2 * (v is None)}
                for m, v in zip("abc", values, strict=True)
            }
            for name, values in {"base": (1.0, 2.0, 3.0), "new|x": (0.5, 2.5, None)}.items()
        },
        "comparisons": [
            {"metric": "a", "variant": "new|x", "outcome": "better"},
            {"metric": "b", "variant": "new|x", "outcome": "undecided"},
            {"metric": "c", "variant": "new|x", "outcome": "worse"},
        ],
    }
    lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)][1:-1]
             for row in glance(verdict).splitlines()]  # fmt: skip
    assert lines[0] == ["", "base", r"new\|x"]
    assert [row[0] for row in lines[2:]] == ["a", "b", "c"]
    assert lines[2][2].endswith(" better")
    assert not lines[3][2].endswith("undecided")
    assert lines[4][2] == "worse (2 diverged)"
