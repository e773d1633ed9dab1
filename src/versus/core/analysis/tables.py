"""One number per run and metric, its mean and spread over seeds, and differences by seed."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from versus.core.analysis import shaping

HIGHER = ("accuracy", "acc", "recall", "precision", "cos", "f1", "auc", "r2", "reward", "return")
LOWER = ("loss", "error", "nmse", "mse", "mae", "rmse", "perplexity", "regret")


def per_seed(table: pd.DataFrame, stat: str) -> pd.DataFrame:
    """Columns metric, variant, seed, value: one statistic (final, min, max, mean) per series."""
    runs = shaping.per_run(table)
    return runs.rename(columns={stat: "value"})[["metric", "variant", "seed", "value"]]


def mean_and_spread(values: pd.DataFrame) -> pd.DataFrame:
    """Mean, sd (nan for one seed) and n over the finite seeds, indexed by (metric, variant)."""
    groups = values.groupby(["metric", "variant"], sort=False)["value"]
    return pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), "n": groups.count()})


def differences(values: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Variant minus baseline, paired by seed.

    Returns:
        Columns delta (mean), low and high (95 % t-interval; nan under two pairs) and pairs, indexed
        by (metric, variant), without the baseline.
    """
    wide = values.pivot_table(index=["metric", "seed"], columns="variant", values="value")
    if baseline not in wide:
        return pd.DataFrame(columns=["delta", "low", "high", "pairs"])
    gaps = wide.drop(columns=baseline).sub(wide[baseline], axis=0)
    long = gaps.melt(ignore_index=False, var_name="variant").reset_index()
    groups = long.groupby(["metric", "variant"])["value"]
    delta, n = groups.mean(), groups.count()
    half = shaping.half_width(groups.std(), n).where(n > 1)
    return pd.DataFrame({"delta": delta, "low": delta - half, "high": delta + half, "pairs": n})


def better(metric: str) -> str | None:
    """``max`` or ``min`` where the metric's name tells which is better, else None."""
    words = set(metric.replace("/", "_").replace("-", "_").split("_"))
    if words & set(HIGHER):
        return "max"
    return "min" if words & set(LOWER) else None


def best_variants(
    means: pd.DataFrame, metrics: Sequence[str], way: str | None = None
) -> dict[str, set[str]]:
    """Metric -> its best variants; ``way`` is ``max`` or ``min``, None lets the name decide."""
    best = {}
    for metric in metrics:
        column = means["mean"].xs(metric).replace([np.inf, -np.inf], math.nan).dropna()
        wanted = way or better(metric)
        if wanted is not None and len(column):
            value = column.max() if wanted == "max" else column.min()
            best[metric] = set(map(str, column.index[column == value]))
    return best
