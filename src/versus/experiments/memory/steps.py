"""How near the step sizes of a stream's rules come to instability."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from versus.experiments.memory.rules import RuleSettings
from versus.experiments.memory.stability import limit, step_times_eigenvalue

MOST_NAMED = 5
Steps = Mapping[RuleSettings, Tensor]
"""Rule -> the largest step size times eigenvalue that it meets on a stream, (S,) float64."""


def largest_steps(rules: Iterable[RuleSettings], keys: Tensor) -> Steps:
    """Of the rules that some step size makes unstable, for the keys (S, T, dim) of a stream."""
    return {rule: step_times_eigenvalue(rule, keys) for rule in rules if limit(rule) < math.inf}


def as_metric(steps: Steps, rules: Sequence[RuleSettings]) -> dict[str, Tensor]:
    """``step_eigenvalue`` as a run vector, NaN for rules without a limit; or nothing."""
    if not steps:
        return {}
    nothing = torch.full_like(next(iter(steps.values())), torch.nan)
    return {"step_eigenvalue": torch.cat([steps.get(rule, nothing) for rule in rules]).cpu()}


def warning(steps: Steps, rules: Mapping[str, RuleSettings]) -> str:
    """Which variants step too far, and what to do; empty if none does."""
    worst = {name: float(steps[rule].max()) for name, rule in rules.items() if rule in steps}
    found = [
        f"{name} ({value:.3g}, stable up to {limit(rules[name]):.3g})"
        for name, value in worst.items()
        if value > limit(rules[name])
    ]
    if not found:
        return ""
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return (
        "step size times largest eigenvalue of the keys is too large for "
        f"{', '.join(found[:MOST_NAMED])}{more}; choose a smaller lr, or model.step_norm: trace"
    )
