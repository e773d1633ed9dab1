"""Whether a claim holds: the interval of its quantity against its bounds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from versus.core.claims.config import Claim, Measure
from versus.core.paired import Values, differences_of, mean_interval, wilson

CONFIDENCE = 0.95
SUPPORTED, REFUTED, INCONCLUSIVE, NO_RUNS = OUTCOMES = (
    "supported",
    "refuted",
    "inconclusive",
    "no runs",
)


class Finding(NamedTuple):
    """What runs say of a claim.

    Attributes:
        outcome: one of :data:`OUTCOMES`.
        value: of the quantity: mean over seeds, or share of seeds.
        interval: its 95 % interval; None under two seeds.
        seeds: that entered; a diverged one does not.
        run: MLflow id of the comparison; empty without runs.
        address: its page.
    """

    outcome: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    seeds: int = 0
    run: str = ""
    address: str = ""


def judged(claim: Claim, table: pd.DataFrame, run: str = "", address: str = "") -> Finding:
    """Hold the quantity's 95 % interval against the bounds.

    Supported: the interval lies within them. Refuted: it lies outside. Inconclusive: it crosses
    one, or there is none because of fewer than two seeds.

    Args:
        claim: of which :func:`tests` says that the table has what it needs.
        table: ``variant``, ``seed`` and metrics of every run.
        run: id of the comparison.
        address: its page.
    """
    sample = _sample(claim.measure, table)
    if claim.measure.by == "share":
        share = float(np.isfinite(sample).mean())
        low, high = wilson(float(np.isfinite(sample).sum()), len(sample), CONFIDENCE)
        return Finding(_held(claim, (low, high)), share, (low, high), len(sample), run, address)
    finite = sample[np.isfinite(sample)]
    names = (claim.measure.metric, claim.measure.variant, claim.measure.baseline)
    bounds = mean_interval(finite, *names, confidence=CONFIDENCE)
    interval = (bounds[0], bounds[1]) if bounds else None
    value = float(finite.mean()) if len(finite) else None
    return Finding(_held(claim, interval), value, interval, len(finite), run, address)


def tests(claim: Claim, table: pd.DataFrame) -> bool:
    """Whether a table has the metric of the variants that the claim is about."""
    return all(
        metric in table and bool(_of(table, variant, metric).notna().any())
        for variant, metric in _columns(claim.measure)
    )


def _columns(measure: Measure) -> list[tuple[str, str]]:
    """Variant and metric, of the baseline as well where there is one."""
    ours = measure.variant, measure.metric
    theirs = measure.baseline, measure.baseline_metric or measure.metric
    return [ours, theirs] if measure.baseline else [ours]


def _sample(measure: Measure, table: pd.DataFrame) -> Values:
    """One value per seed; not finite where the run diverged."""
    columns = [_of(table, variant, metric) for variant, metric in _columns(measure)]
    both = pd.concat(columns, axis=1).to_numpy(float)
    if not measure.baseline:
        return both[:, 0]
    if measure.by == "difference":
        return differences_of(both[:, 0], both[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Values = both[:, 0] / both[:, 1]
    return found


def _of(table: pd.DataFrame, variant: str, metric: str) -> "pd.Series[float]":
    return table[table["variant"] == variant].set_index("seed")[metric].sort_index()


def _held(claim: Claim, interval: Sequence[float] | None) -> str:
    if interval is None:
        return INCONCLUSIVE
    least = -np.inf if claim.least is None else claim.least
    most = np.inf if claim.most is None else claim.most
    if least <= interval[0] and interval[1] <= most:
        return SUPPORTED
    return REFUTED if interval[1] < least or interval[0] > most else INCONCLUSIVE
