"""What the verdict says in words: learnt scorers against rules, over seeds and videos."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from versus.core import crossed
from versus.core.paired import Values

if TYPE_CHECKING:
    from versus.experiments.dsn.config import Comparison

ALWAYS = ("holds", "uniform", "untrained")
"""Rules that every learnt scorer is held against, besides the best one."""
CALLED = {
    "holds": "the hold detector",
    "uniform": "uniform frames",
    "untrained": "the untrained network",
}


def findings(comparison: "Comparison", metrics: pd.DataFrame, items: pd.DataFrame) -> list[str]:
    """How every learnt scorer compares with the best rule, the hold detector and uniform frames.

    The best is chosen by its score on the very test videos, which favours it.
    """
    metric = _metric(items)
    learnt, rules = kinds(comparison)
    tables = {name: _table(items, name, metric) for name in (*learnt, *rules)}
    whole = {name: table for name, table in tables.items() if table is not None}
    known = {rule: name for name, rule in rules.items() if name in whole}
    if not known:
        return []
    best = max(known, key=lambda rule: float(whole[known[rule]].mean()))
    return [
        _line(name, metric, tables[name], {r: whole[v] for r, v in known.items()}, best)
        for name in learnt
    ]


def _line(
    name: str, metric: str, ours: Values | None, rules: Mapping[str, Values], best: str
) -> str:
    if ours is None:
        return f"{name} diverged, or too little was measured; it is compared with no rule."
    against = dict.fromkeys([best, *(rule for rule in ALWAYS if rule in rules)])
    told = "; ".join(f"{_called(rule, best)} {_told(ours - rules[rule])}" for rule in against)
    low, high = crossed.estimate(ours).interval()
    seeds, videos = ours.shape
    return (
        f"{name}: {metric} {ours.mean():.3f} ({low:.3f} to {high:.3f}); over {told} (95 % "
        f"intervals, {seeds} seeds and {videos} videos)."
    )


def _metric(items: pd.DataFrame) -> str:
    return "F1" if "F1" in items else "composite"


def kinds(comparison: "Comparison") -> tuple[list[str], dict[str, str]]:
    """Variants that learn, and variant -> rule of the others."""
    arms = [(arm.name, comparison.with_overrides(arm)) for arm in comparison.arms()]
    learnt = [name for name, settings in arms if settings.learns]
    return learnt, {name: s.model.rule for name, s in arms if not s.learns}


def _table(items: pd.DataFrame, variant: str, metric: str) -> Values | None:
    """One value per seed and video, ``[seeds, videos]``; None where that is not known."""
    if items.empty or metric not in items:
        return None
    every = items["seed"].nunique()
    found = crossed.sample(items, f"test/{metric}", variant)
    return found if found is not None and len(found) == every else None


def _called(rule: str, best: str) -> str:
    name = CALLED.get(rule, rule)
    return f"{name}, the best rule," if rule == best else name


def _told(difference: Values) -> str:
    low, high = crossed.estimate(difference).interval()
    judged = "better" if low > 0 else "worse" if high < 0 else "not sure"
    return f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f}: {judged})"
