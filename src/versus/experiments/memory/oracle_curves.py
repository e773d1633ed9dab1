"""Closed forms (:mod:`.oracles`) as the curves and levels of figures, only where they are exact.

They hold on white linear streams: one fixed map, independent isotropic keys.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.drawing import Curve
from versus.experiments.memory import oracles
from versus.experiments.memory.config import DataConfig, StreamConfig

LEVEL = "least squares on all pairs"
FLOOR = "least squares after n pairs"


def is_white(stream: StreamConfig) -> bool:
    """Whether the closed forms hold: a parameter can turn the linear kind into any other."""
    shaped = (stream.correlation, stream.power, stream.drift, stream.period)
    return stream.kind == "linear" and not any(shaped)


def only_white_stream(data: DataConfig) -> tuple[float, str] | None:
    """Noise and keys where the data are a single white stream."""
    streams = list(data.all_streams.values())
    if len(streams) > 1 or not is_white(streams[0]):
        return None
    return streams[0].noise, streams[0].keys


def levels(data: DataConfig) -> Mapping[str, float]:
    """NMSE metric -> least squares on all pairs seen, over the steady half of the stream."""
    found = {}
    for task in data.tasks():
        stream, half = data.all_streams[task.stream], task.steps // 2
        if is_white(stream) and is_past_pole(half, task.dim):
            written = range(half, task.steps)
            errors = [least_squares(t, task.dim, stream.noise, stream.keys) for t in written]
            values = _signal(task.dim, stream.keys) + stream.noise**2
            found[f"{task.name}/nmse"] = float(np.mean(errors)) / values
    return found


def is_past_pole(pairs: float, dim: int) -> bool:
    """Whether least squares is so far past its pole at n = d that it can share an axis."""
    return pairs > 1.25 * dim + 2


def is_near(level: float, measured: "pd.Series[float]") -> bool:
    """Whether a closed form lies so near to what was measured that it can share an axis."""
    return drawing.WIDE * level > float(measured.min())


def _signal(dim: int, keys: str) -> int:
    return dim if keys == "gaussian" else 1


def least_squares(pairs: int, dim: int, noise: float, keys: str) -> float:
    """Least-squares error in the table's units: the signal's variance is d with Gaussian keys."""
    signal = _signal(dim, keys)
    return signal * oracles.least_squares(pairs, dim, noise / signal**0.5)


def _stream_mean(error: Callable[[int], float], n: int) -> float:
    """Mean over a stream of n tokens of an error after t written pairs."""
    return float(np.mean([error(t) for t in range(n)]))


def against_n(rows: pd.DataFrame, noise: float, keys: str) -> list[Curve]:
    """Curves over the stream length for the runs of one panel, columns as in ``runs.csv``."""
    if rows["dim"].nunique() > 1:
        return []
    dim = int(rows["dim"].iloc[0])
    lengths = sorted(rows["n"].unique())
    beyond = [float(n) for n in np.geomspace(*span(lengths), 60) if is_past_pole(n, dim)]
    curves = []
    errors = [least_squares(round(n), dim, noise, keys) for n in beyond]
    if len(beyond) > 1 and is_near(errors[-1], rows["mse_mean"]):
        curves.append(Curve(FLOOR, beyond, errors))
    plain = (rows["updater"] == "Delta") & (rows["reg"] == 0) & (rows["lr"] < 2)
    if "clip" in rows:
        plain &= rows["clip"] == 0
    delta = rows[plain].drop_duplicates("n")
    if keys == "unit" and len(delta):
        delta = delta.sort_values("n")
        errors = [_delta(lr, noise, dim, n) for lr, n in zip(delta["lr"], delta["n"], strict=True)]
        curves.append(Curve("Delta", delta["n"].tolist(), errors))
    return curves


def floor(rows: pd.DataFrame, noise: float, keys: str) -> list[Curve]:
    """The level of least squares for runs of one length."""
    dim, n = int(rows["dim"].iloc[0]), int(rows["n"].iloc[0])
    if rows["dim"].nunique() > 1 or not is_past_pole(n, dim):
        return []
    level = least_squares(n, dim, noise, keys)
    return [Curve(FLOOR, [], [level])] if is_near(level, rows["mse_mean"]) else []


def span(values: Sequence[float]) -> tuple[float, float]:
    """Ends of the range to draw, which is never a point."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (0.9 * low, 1.1 * high)


def _delta(lr: float, noise: float, dim: int, n: int) -> float:
    return _stream_mean(lambda t: oracles.delta_error(lr, noise, dim, t), n)


def against(name: str, rows: pd.DataFrame, noise: float, keys: str) -> list[Curve]:
    """Curves over the hyperparameter ``name`` for the runs of one panel, at their longest n."""
    if rows["dim"].nunique() > 1 or name not in ("window", "lr"):
        return []
    dim, n = int(rows["dim"].iloc[0]), int(rows["n"].max())
    if name == "lr":
        return _against_lr(rows, noise, dim, n) if keys == "unit" else []
    return _against_window(rows, noise, dim, n, keys)


def _against_window(rows: pd.DataFrame, noise: float, dim: int, n: int, keys: str) -> list[Curve]:
    if not rows["updater"].isin(["OmegaRidge", "RLS"]).any():
        return []
    low, high = span(rows["window"].tolist())
    top = 2 * float(rows["mse_mean"].where(np.isfinite(rows["mse_mean"])).max())
    windows = np.unique(np.geomspace(low, high, 60).round().astype(int))
    errors = [
        _stream_mean(lambda t, c=c: least_squares(min(t, c), dim, noise, keys), n)  # type: ignore[misc]
        for c in windows.tolist()
    ]
    # Windows that reach the pole at c = d have an infinite mean; near it they leave the panel.
    cut = [error if error < top else float("nan") for error in errors]
    if np.isfinite(cut).sum() < 2:
        return []
    return [Curve(f"least squares on the window, n = {n}", windows.tolist(), cut)]


def _against_lr(rows: pd.DataFrame, noise: float, dim: int, n: int) -> list[Curve]:
    low, high = span(rows["lr"].tolist())
    steps = np.geomspace(max(low, 1e-6), min(high, 1.9), 60).tolist()
    errors = [_delta(step, noise, dim, n) for step in steps]
    return [Curve(f"Delta without decay, n = {n}", steps, errors)]
