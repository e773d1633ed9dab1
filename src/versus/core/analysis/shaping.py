"""Series -> what is drawn: an axis to draw over, smoothing, means over seeds, summaries.

Tables have the columns of :data:`versus.core.analysis.series.COLUMNS`. An infinite value is a
diverged run: it enters no mean and is counted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from versus.core.errors import ConfigError

RUN = ["variant", "seed", "metric"]


def over(table: pd.DataFrame, axis: str | None, limits: Sequence[float] | None) -> pd.DataFrame:
    """The table with the column ``x``: ``axis``, or what :func:`axis_of` chooses.

    Several records of one epoch become their mean. ``limits`` (low, high) keep a part of the axis.

    Raises:
        ConfigError: if epochs are asked for and not recorded, or nothing lies within the limits.
    """
    name = axis or axis_of(table)
    if name == "epoch" and table["epoch"].isna().any():
        raise ConfigError("--over epoch: these series were recorded without epochs; use step")
    placed = table.assign(x=table[name])
    if limits is not None:
        placed = placed[placed["x"].between(limits[0], limits[1])]
        if placed.empty:
            there = f"{table[name].min():g} to {table[name].max():g}"
            given = f"{limits[0]:g} {limits[1]:g}"
            raise ConfigError(f"--range: no record between; received {given}, {name}s run {there}")
    return placed if name == "step" else _per_epoch(placed)


def axis_of(table: pd.DataFrame) -> str:
    """``epoch`` where every row has one and they span more than one epoch, else ``step``."""
    spans = table["epoch"].notna().all() and table["epoch"].nunique() > 1
    return "epoch" if spans else "step"


def _per_epoch(table: pd.DataFrame) -> pd.DataFrame:
    if not table.duplicated([*RUN, "x"]).any():
        return table
    groups = table.groupby([*RUN, "x"], sort=False)
    return groups.agg({"step": "last", "epoch": "last", "value": "mean"}).reset_index()


def smoothed(table: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Every series as its exponential moving average with ``weight`` in [0, 1) on the past.

    The average is divided by the sum of its weights, so that it starts at the first value and not
    below it: ``y_t = sum_i w^(t-i) x_i / sum_i w^(t-i)``. Infinite values stay and count for none.
    """
    if weight == 0 or table.empty:
        return table
    finite = table["value"].where(np.isfinite(table["value"]))
    keys = [table[column] for column in RUN]
    averaged = finite.groupby(keys, sort=False).transform(
        lambda values: values.ewm(alpha=1 - weight, adjust=True, ignore_na=True).mean()
    )
    return table.assign(value=averaged.where(finite.notna(), table["value"]))


def over_seeds(table: pd.DataFrame, band: str = "range") -> pd.DataFrame:
    """Mean over seeds of every variant, metric and ``x``.

    Returns:
        Columns variant, metric, x, mean, low, high, n (finite seeds) and complete (false from
        where the first seed of the variant has ended or diverged). ``low`` and ``high`` are
        minimum and maximum (``band="range"``) or the 95 % t-interval (``"ci"``).
    """
    finite = table.assign(value=table["value"].where(np.isfinite(table["value"]))).dropna(
        subset="value"
    )
    groups = finite.groupby(["variant", "metric", "x"], sort=False)["value"]
    means = pd.DataFrame({"mean": groups.mean(), "n": groups.count()})
    if band == "ci":
        half = half_width(groups.std(), means["n"])
        means["low"], means["high"] = means["mean"] - half, means["mean"] + half
    else:
        means["low"], means["high"] = groups.min(), groups.max()
    means = means.reset_index().merge(_shared_ends(table, finite), on=["variant", "metric"])
    means["complete"] = means["x"] <= means.pop("end")
    return means.sort_values(["variant", "metric", "x"], kind="stable", ignore_index=True)


def half_width(spread: "pd.Series[float]", n: "pd.Series[int]") -> "pd.Series[float]":
    """Half of the 95 % t-interval of means over ``n`` values with a standard deviation."""
    from scipy.special import stdtrit

    quantile = stdtrit(n.clip(lower=2).to_numpy() - 1, 0.975)
    half: pd.Series[float] = spread.fillna(0.0) * quantile / np.sqrt(n)
    return half


def _shared_ends(table: pd.DataFrame, finite: pd.DataFrame) -> pd.DataFrame:
    """Last ``x`` that every seed of a variant has reached with a finite value."""
    runs = table[RUN].drop_duplicates()
    last = finite.groupby(RUN, sort=False)["x"].max().rename("end").reset_index()
    ends = runs.merge(last, on=RUN, how="left").fillna({"end": -np.inf})
    return ends.groupby(["variant", "metric"], sort=False)["end"].min().reset_index()


def per_run(table: pd.DataFrame) -> pd.DataFrame:
    """Final, minimum, maximum and mean of every series over its finite values.

    Returns:
        Columns variant, seed, metric, final, min, max, mean, diverged; nan without finite values.
    """
    infinite = ~np.isfinite(table["value"])
    finite = table.assign(value=table["value"].where(~infinite))
    groups = finite.groupby(RUN, sort=False)["value"]
    summary = groups.agg(["last", "min", "max", "mean"]).rename(columns={"last": "final"})
    summary["diverged"] = infinite.groupby([table[c] for c in RUN], sort=False).any()
    # The last finite value before a divergence is no final value.
    summary.loc[summary["diverged"], "final"] = np.nan
    return summary.reset_index()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What a tool prints: final (mean over seeds, their spread), min and max over all records.

    Returns:
        Columns metric, variant, final, sd, min, max, seeds, diverged, in the order of the table.
    """
    groups = per_run(table).groupby(["metric", "variant"], sort=False)
    columns = {
        "final": groups["final"].mean(),
        "sd": groups["final"].std(),
        "min": groups["min"].min(),
        "max": groups["max"].max(),
        "seeds": groups["seed"].count(),
        "diverged": groups["diverged"].sum(),
    }
    return pd.DataFrame(columns).reset_index()


def wide_means(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Means over seeds of one variant: one row per ``x``, one column per metric."""
    rows = table[(table["variant"] == variant) & np.isfinite(table["value"])]
    means: pd.DataFrame = rows.pivot_table(index="x", columns="metric", values="value", sort=True)
    return means
