"""What the verdict says in words: learnt policies against rules, over seeds and problems."""

from typing import TYPE_CHECKING

import pandas as pd

from versus.core import crossed

if TYPE_CHECKING:
    from versus.experiments.reoac.config import Comparison

PAIRED = ("seed", "item_id")
"""What two variants have in common."""


def findings(comparison: "Comparison", metrics: pd.DataFrame, items: pd.DataFrame) -> list[str]:
    """How every learnt policy compares with the best rule that writes by position, if any.

    The best is chosen by its return on the very test problems, which favours it.
    """
    learnt, rules = _kinds(comparison)
    seeds = comparison.seed_list
    if items.empty or not learnt or not rules or len(seeds) < 2:
        return []
    missing = {name: len(set(seeds) - _seeds(items, name)) for name in learnt}
    returns = items.groupby("variant")["return"].mean()
    best = max(rules, key=lambda name: float(returns[name]))
    return [
        f"{name} diverged with {missing[name]} of {len(seeds)} seeds; it is compared with no "
        "rule, since what is left would favour it."
        if missing[name]
        else _against(name, best, items)
        for name in learnt
    ]


def _seeds(items: pd.DataFrame, variant: str) -> set[int]:
    """Seeds with test problems; those that diverged have none."""
    return set(items.loc[items["variant"] == variant, "seed"])


def _kinds(comparison: "Comparison") -> tuple[list[str], list[str]]:
    """Variants that learn, and rules by position that pay the same for a pass."""
    arms = [(arm.name, comparison.with_overrides(arm)) for arm in comparison.arms()]
    learnt = [name for name, settings in arms if settings.learns]
    price = comparison.prices()
    prices = {price[name] for name in learnt}
    rules = [
        name
        for name, settings in arms
        if settings.model.policy.kind not in ("learned", "fixed", "random")
        and {price[name]} == prices
    ]
    return learnt, rules


def _against(name: str, rule: str, items: pd.DataFrame) -> str:
    differences = [
        crossed.sample(items, f"{crossed.GROUP}{metric}", name, rule)
        for metric in ("return", "accuracy", "passes")
    ]
    gain, accuracy, passes = (crossed.estimate(d) for d in differences if d is not None)
    means = items.groupby("variant")["passes"].mean()
    share = float(means[name] / means[rule]) - 1
    change = f"{abs(share):.0%} {'more' if share > 0 else 'fewer'}"
    seeds, problems = (items.loc[items["variant"] == name, by].nunique() for by in PAIRED)
    return (
        f"{name} against {rule}, the best rule by position: return {_told(gain)}, accuracy "
        f"{_told(accuracy)}, passes {_told(passes)}, {change} ({_judged(gain)}; over "
        f"{seeds} seeds and {problems} problems; all seeds share one backbone)."
    )


def _told(found: crossed.Estimate) -> str:
    low, high = found.interval()
    return f"{found.mean:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"


def _judged(found: crossed.Estimate) -> str:
    low, high = found.interval()
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference is sure"
