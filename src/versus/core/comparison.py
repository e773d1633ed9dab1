"""Paired statistics over seeds, and the verdict made of them.

A verdict (``verdict.json``) is a plain dictionary::

    experiment, profile, data_digest, direction
    metric        the primary metric; a list where there are several
    baseline      the baseline; a list where variants have different ones
    seeds         the seeds that every variant was run with
    variants      {name: summary}, where there is one primary metric;
                  {name: {metric: summary}}, exactly where ``metric`` is a list
                  summary = {estimator, value, ci, n, diverged}; that of a time until an event
                  also has {censored, budget}
    comparisons   [{variant, baseline, metric, primary, difference, ci, pairs, items, p_value,
                  p_adjusted, effect_size, win_rate, win_rate_ci, cost_ratio, outcome, sentence}]
    findings      sentences of the experiment's own
    caveats       sentences that limit what the comparisons show

``difference`` is variant minus baseline and ``effect_size`` the paired d_z, so their sign does not
depend on ``direction``; ``win_rate`` and ``outcome`` (better, worse, undecided) do. What cannot be
computed is null: a difference without a finite pair, an interval of one pair, and every test and
win rate of a descriptive metric.

A metric value that is not finite means that the run diverged. It is counted and takes the worst
rank in the test, and it never enters a mean: ``n`` and ``pairs`` count what is averaged.

A metric may be a time until an event that the budget can end before (``censored_at``). Infinity
then says that the event did not come. Its summary is the median, as survival analysis has it, which
is null where it lies beyond the budget, as may be the upper end of its interval. Differences and
tests are of times restricted to the budget, so that a run without the event counts as the budget.

Where every seed was measured on the same items, and what was found of each is known, interval and
test are over both (:mod:`versus.core.crossed`), and ``items`` is their number; null otherwise.

Tests are adjusted over all comparisons of primary metrics. :mod:`versus.core.paired` computes the
statistics and :mod:`versus.core.verdict` puts them into words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from versus.core import crossed
from versus.core.errors import ConfigError, DataError
from versus.core.paired import (
    Values,
    differences_of,
    holm,
    mean_interval,
    ranked,
    signed_rank_p,
    spread,
    survival_interval,
    survival_median,
    wilson,
)
from versus.core.verdict import caveats, sentence


@dataclass(frozen=True)
class CompareSettings:
    """What is compared with what.

    Attributes:
        metrics: primary metrics, on which the verdict rests.
        direction: whether smaller or larger values of the primary metrics are better.
        baseline_of: variant -> its baseline; a variant mapped to itself is a baseline.
        descriptive: further metrics, reported with intervals and without tests.
        censored_at: metric that is a time until an event -> time at which the budget ended.
        confidence: level of every interval; tests are held against ``1 - confidence``.
        n_bootstrap: resamples of the studentised bootstrap.
        minimum_seeds: below this many seeds the verdict carries a caveat.
    """

    metrics: tuple[str, ...]
    direction: Literal["minimize", "maximize"]
    baseline_of: Mapping[str, str]
    descriptive: tuple[str, ...] = ()
    censored_at: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95
    n_bootstrap: int = 10_000
    minimum_seeds: int = 8

    @property
    def alpha(self) -> float:
        """Largest adjusted p-value that counts as significant."""
        return round(1 - self.confidence, 12)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(variant, baseline) of every comparison."""
        return [(name, base) for name, base in self.baseline_of.items() if name != base]

    def interval(self, sample: Values, *names: str) -> list[float] | None:
        """Interval of the mean of ``sample``, at the settings' confidence."""
        return mean_interval(
            sample, *names, confidence=self.confidence, n_bootstrap=self.n_bootstrap
        )


def compare(
    metrics: pd.DataFrame,
    cost: pd.DataFrame | None,
    settings: CompareSettings,
    *,
    experiment: str,
    profile: str,
    data_digest: str,
    items: pd.DataFrame | None = None,
    findings: Sequence[str] = (),
) -> dict[str, Any]:
    """Compare every variant with its baseline, paired by seed.

    Args:
        metrics: one row per run: ``variant``, ``seed`` and one column per metric.
        cost: one row per run: ``variant``, ``seed``, ``seconds``; None leaves cost ratios null.
        settings: metrics, direction and baselines.
        experiment: name of the experiment.
        profile: name of the profile that set the budget.
        data_digest: digest of the data that all runs saw.
        items: what was found of every test item, as in :func:`.crossed.sample`; None = unknown.
        findings: sentences of the experiment's own.

    Returns:
        The verdict, in the form that the module's docstring gives.

    Raises:
        ConfigError: if a metric or variant of the settings is not in the table.
        DataError: if runs are missing, doubled or not numeric.
    """
    _check_settings(metrics, settings)
    _check_runs(metrics, settings)
    items = pd.DataFrame() if items is None else items
    wide = {
        name: metrics.pivot(index="seed", columns="variant", values=name).sort_index()
        for name in (*settings.metrics, *settings.descriptive)
    }
    seeds = sorted(metrics["seed"].unique().tolist())
    restricted = {name: _restricted(table, name, settings) for name, table in wide.items()}
    comparisons = _comparisons(restricted, cost, items, settings) if len(seeds) > 1 else []
    several = len(settings.metrics) > 1
    summaries = {
        variant: {
            m: _summary(wide[m][variant], items, settings, m, variant) for m in settings.metrics
        }
        for variant in settings.baseline_of
    }
    baselines = sorted({base for _, base in settings.pairs} or set(settings.baseline_of.values()))
    return {
        "experiment": experiment,
        "profile": profile,
        "data_digest": data_digest,
        "metric": list(settings.metrics) if several else settings.metrics[0],
        "direction": settings.direction,
        "baseline": baselines[0] if len(baselines) == 1 else baselines,
        "seeds": seeds,
        "variants": {v: s if several else s[settings.metrics[0]] for v, s in summaries.items()},
        "comparisons": comparisons,
        "findings": list(findings),
        "caveats": caveats(seeds, summaries, comparisons, settings),
    }


def _check_settings(metrics: pd.DataFrame, settings: CompareSettings) -> None:
    if not settings.metrics:
        raise ConfigError("compare.metrics: received none; name at least one primary metric")
    if not 0 < settings.confidence < 1:
        raise ConfigError(
            f"compare.confidence: received {settings.confidence}; give a level between 0 and 1"
        )
    for column in ("variant", "seed", *settings.metrics, *settings.descriptive):
        if column not in metrics.columns:
            raise ConfigError(
                f"compare: the metrics table has no column '{column}'; "
                f"it has {', '.join(map(str, metrics.columns))}; name one of these"
            )
    known = metrics["variant"].unique().tolist()
    for name in (*settings.baseline_of, *settings.baseline_of.values()):
        if name not in known:
            raise ConfigError(
                f"compare: variant '{name}' has no runs; the metrics table has "
                f"{', '.join(map(str, known))}; train it or correct variants and baselines"
            )


def _check_runs(metrics: pd.DataFrame, settings: CompareSettings) -> None:
    doubled = metrics[metrics.duplicated(["variant", "seed"])]
    if len(doubled):
        variant, seed = doubled.iloc[0]["variant"], doubled.iloc[0]["seed"]
        raise DataError(
            f"metrics table: variant '{variant}' has several rows for seed {seed}; keep one per run"
        )
    seeds = set(metrics["seed"])
    for variant in settings.baseline_of:
        missing = sorted(seeds - set(metrics.loc[metrics["variant"] == variant, "seed"]))
        if missing:
            raise DataError(
                f"metrics table: variant '{variant}' has no run for seed "
                f"{', '.join(map(str, missing))}, which others have; "
                "train the missing runs: comparisons are paired by seed"
            )
    for name in (*settings.metrics, *settings.descriptive):
        if not pd.api.types.is_numeric_dtype(metrics[name]):
            raise DataError(
                f"metrics table: column '{name}' has type {metrics[name].dtype}; "
                "give numbers, and nan for a diverged run"
            )


def _restricted(table: pd.DataFrame, metric: str, settings: CompareSettings) -> pd.DataFrame:
    """Times until an event, no longer than the budget; other metrics as they are."""
    budget = settings.censored_at.get(metric)
    return table if budget is None else table.clip(upper=budget)


def _summary(
    column: "pd.Series[float]",
    items: pd.DataFrame,
    settings: CompareSettings,
    metric: str,
    variant: str,
) -> dict[str, object]:
    values = column.to_numpy(dtype=float)
    if metric in settings.censored_at:
        return _survival(values[~np.isnan(values)], settings, settings.censored_at[metric])
    finite, sample = values[np.isfinite(values)], crossed.sample(items, metric, variant)
    if sample is None:
        interval = settings.interval(finite, metric, variant)
    else:
        interval = crossed.estimate(sample).interval(settings.confidence)
    return {
        "estimator": "mean",
        "value": float(finite.mean()) if len(finite) else None,
        "ci": interval,
        "n": len(finite),
        "diverged": len(values) - len(finite),
    }


def _survival(times: Values, settings: CompareSettings, budget: float) -> dict[str, object]:
    interval = survival_interval(times, settings.confidence)
    return {
        "estimator": "survival_median",
        "value": _number(survival_median(times)) if len(times) else None,
        "ci": interval and [_number(bound) for bound in interval],
        "n": len(times),
        "diverged": 0,
        "censored": int(np.isinf(times).sum()),
        "budget": budget,
    }


def _number(time: float) -> float | None:
    return time if math.isfinite(time) else None


def _comparisons(
    wide: Mapping[str, pd.DataFrame],
    cost: pd.DataFrame | None,
    items: pd.DataFrame,
    settings: CompareSettings,
) -> list[dict[str, Any]]:
    entries = [
        _paired(wide[metric], crossed.sample(items, metric, *names), names, metric, settings)
        | {"cost_ratio": _cost_ratio(cost, *names)}
        for metric in wide
        for names in settings.pairs
    ]
    primary = [entry for entry in entries if entry["primary"]]
    for entry, adjusted in zip(primary, holm([e["p_value"] for e in primary]), strict=True):
        entry["p_adjusted"] = adjusted
    for entry in entries:
        table = wide[entry["metric"]]
        x, y = (table[entry[role]].to_numpy(dtype=float) for role in ("variant", "baseline"))
        entry["outcome"] = _outcome(entry, x, y, settings) if entry["primary"] else None
        entry["sentence"] = sentence(entry, x, y, settings)
    return entries


def _paired(
    table: pd.DataFrame,
    sample: Values | None,
    names: tuple[str, str],
    metric: str,
    settings: CompareSettings,
) -> dict[str, Any]:
    """What pairs of variant and baseline show.

    Args:
        table: seeds in rows, variants in columns.
        sample: their differences, ``[seeds, items]``; None = unknown.
        names: variant and baseline.
        metric: what the table holds.
        settings: direction, confidence.
    """
    x, y = (table[name].to_numpy(dtype=float) for name in names)
    differences, order = differences_of(x, y), ranked(x, y, settings.direction)
    deviation = spread(differences) if len(differences) > 1 else 0.0
    better = order > 0 if settings.direction == "maximize" else order < 0
    wins = float(better.sum() + 0.5 * (order == 0).sum())
    primary = metric in settings.metrics
    over_both = None if sample is None else crossed.estimate(sample)
    if over_both is None:
        # Sorted names: swapping variant and baseline resamples the same seeds.
        interval = settings.interval(differences, metric, *sorted(names))
    else:
        interval = over_both.interval(settings.confidence)
    return {
        "variant": names[0],
        "baseline": names[1],
        "metric": metric,
        "primary": primary,
        "difference": float(differences.mean()) if len(differences) else None,
        "ci": interval,
        "pairs": len(differences),
        "items": None if sample is None else sample.shape[1],
        "p_value": _p_value(over_both, order) if primary else None,
        "p_adjusted": None,
        "effect_size": float(differences.mean()) / deviation if deviation else None,
        "win_rate": wins / len(order) if primary else None,
        "win_rate_ci": wilson(wins, len(order), settings.confidence) if primary else None,
    }


def _p_value(over_both: crossed.Estimate | None, order: Values) -> float:
    return signed_rank_p(order) if over_both is None else over_both.p_value


def _cost_ratio(cost: pd.DataFrame | None, variant: str, baseline: str) -> float | None:
    if cost is None:
        return None
    seconds = cost.groupby("variant")["seconds"].mean().reindex([variant, baseline])
    known = bool(np.isfinite(seconds).all()) and seconds.iloc[1] > 0
    return float(seconds.iloc[0] / seconds.iloc[1]) if known else None


def _outcome(entry: Mapping[str, Any], x: Values, y: Values, settings: CompareSettings) -> str:
    """Decided only if interval and test agree: excludes zero, significant, same direction."""
    if entry["ci"] is None or entry["p_adjusted"] >= settings.alpha:
        return "undecided"
    low, high = entry["ci"]
    tendency = entry["difference"]
    if entry["items"] is None:
        order = ranked(x, y, settings.direction)
        tendency = float(np.sign(order) @ stats.rankdata(np.abs(order)))
    if not (low > 0 and tendency > 0) and not (high < 0 and tendency < 0):
        return "undecided"
    return "better" if (tendency > 0) == (settings.direction == "maximize") else "worse"
