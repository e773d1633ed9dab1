"""What a training prints: the seed document's banners, epoch lines and summary.

An "epoch" there is a gradient step, and losses of several seeds are their mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pandas as pd
import torch

from versus.core.runs import RunConfig
from versus.core.sinks import Record
from versus.core.tables import read_table
from versus.experiments.ebt.arms import SHORT, Arm, arm_of, arms_of
from versus.experiments.ebt.config import Comparison, DescentConfig
from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.vectors.measuring import seen_name

CONSOLE_SECONDS = 0.0
"""Every evaluation is told."""
LOSSES = {
    "train/mse": "Train Loss",
    "val/mse": "Val Loss",
    "test/seen_mse": "Test Loss",
    "val/loss": "Val Loss",
    "val/error": "Val Error",
    "test/seen_error": "Test Error",
}
ENERGIES = ("val/energy_start", "val/energy_end")
LIVE_METRICS = (*LOSSES, *ENERGIES)
TITLES = {
    "energy": "Energy-Based Transformer (EBT)",
    "ffn": "Feedforward Network (FFN)",
    "bilinear_ffn": "Bilinear Feedforward Network",
    "least_squares": "Least-Squares",
    "quadratic": "Quadratic Least-Squares",
    "bag": "Bag-of-Tokens",
}
WIDE, THIN, NARROW = "=" * 80, "-" * 80, "=" * 60
SEED_TEST = 2.0
"""The shift that the seed document tests at."""


@dataclass(frozen=True)
class Outcome:
    """A model's test error on every seed; infinite where it has diverged."""

    label: str
    errors: Sequence[float]

    @property
    def mean(self) -> float:
        """Over seeds; infinite if one has diverged."""
        return fmean(self.errors)

    def __str__(self) -> str:
        count = len(self.errors)
        known = [error for error in self.errors if math.isfinite(error)]
        lost = count - len(known)
        if not lost:
            return digits(self.mean) + (f" (mean of {count} seeds)" if count > 1 else "")
        if not known:
            return "inf (diverged)" if count == 1 else f"inf (all {count} seeds diverged)"
        rest = digits(fmean(known))
        return f"inf ({lost} of {count} seeds diverged; mean of the others: {rest})"


def digits(value: float) -> str:
    """Six decimals, as in the seed document; where they would hide digits, an exponent."""
    return f"{value:.6f}" if not 0 < abs(value) < 1e-4 else f"{value:.2e}"


# --- before the training --------------------------------------------------------------------------


def opening(comparison: Comparison, device: str, gpu: str, parts: int) -> list[str]:
    """Tasks, device and data.

    Args:
        comparison: what is going to be trained.
        device: cpu, or cuda with its index.
        gpu: the name of a CUDA device; empty = there is none.
        parts: of the output, the data first and every stack one more.
    """
    data, seeds = comparison.data, len(comparison.seed_list)
    taken, given = sizes_of(data, data.tasks[0])  # equal for all tasks of a comparison
    tasks = ", ".join(task.upper() for task in data.tasks)
    each = f" for each of {seeds} seeds" if seeds > 1 else ""
    return [
        WIDE,
        f"Running experiments on task{'s' if len(data.tasks) > 1 else ''}: {tasks}",
        f"Device: {device}",
        *([f"GPU: {gpu}"] if gpu else []),
        WIDE,
        "",
        f"[1/{parts}] Generating synthetic datasets...",
        f"✓ Dataset created: train={data.size_train}, val={data.size_val}, "
        f"test={data.size_test}{each}",
        f"✓ Input dim: {taken}, Output dim: {given}",
    ]


def device_of(comparison: Comparison) -> tuple[str, str]:
    """The device that is going to be used, and its name if it is a GPU.

    Raises:
        ConfigError: if there is no such device.
    """
    device = comparison.use_torch()
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return str(device), gpu


def sizes_of(data: DataConfig, task: str) -> tuple[int, int]:
    """Numbers that a model of the task takes and gives."""
    return (50 * data.vec_size, 10) if task == LISTOPS else (2 * data.vec_size, data.vec_size)


# --- while training -------------------------------------------------------------------------------


def heading(stack: Sequence[RunConfig], number: int, count: int) -> str:
    """Which models are trained next, and how energy models learn."""
    kinds = dict.fromkeys(run.config.model.kind for run in stack)
    titles = " and ".join(TITLES[kind] for kind in kinds)
    lines = ["", WIDE, f"[{number + 1}/{count + 1}] Training {titles} Model", WIDE]
    if len(stack) > 1 or count > len(SHORT):
        lines.append(_runs(stack))
    told = method(stack)
    return "\n".join([*lines, told] if told else lines)


def _runs(stack: Sequence[RunConfig]) -> str:
    seeds: dict[str, list[str]] = {}
    for run in stack:
        seeds.setdefault(run.key.variant, []).append(str(run.key.seed))
    several = any(len(own) > 1 for own in seeds.values())
    word = "seeds" if several else "seed"
    told = "; ".join(f"{name} ({word} {', '.join(own)})" for name, own in seeds.items())
    return f"Runs: {told}." + (" Losses are means over seeds." if several else "")


def method(stack: Sequence[RunConfig]) -> str:
    """How the energy models among the runs learn; empty where there are none."""
    descents = [run.config.model.descent for run in stack if run.config.model.kind == "energy"]
    lines = [line for descent in dict.fromkeys(descents) for line in _method(descent)]
    return "\n".join([*lines, ""] if lines else [])


def _method(descent: DescentConfig) -> list[str]:
    steps, last = f"{descent.steps}", descent.gradient == "last"
    if descent.extra_steps:
        steps = f"{descent.steps} to {descent.steps + descent.extra_steps}, drawn for each batch"
    name = "First-Order Approximation" if last else "Full Gradient"
    which = "Only tracking gradients through LAST optimization step"
    tracked = "1 (the last step only)" if last else "all of them"
    return [
        f"Training Energy-Based Model ({name})",
        NARROW,
        which if last else "Tracking gradients through ALL optimization steps",
        f"Total optimization steps: {steps}",
        f"Steps with θ-gradients: {tracked}",
        NARROW,
    ]


def progress_line(stack: Sequence[RunConfig], variant: str, records: Sequence[Record]) -> str:
    """One evaluation of a variant; empty for records of training steps.

    Args:
        stack: the runs that train together.
        variant: the one that is told of.
        records: one per run; a value of None is infinite.
    """
    parts = [f"Epoch {records[0]['step']:4d}"]
    for metric, name in LOSSES.items():
        if (mean := _mean(records, metric)) is not None:
            parts.append(f"{name}: {digits(mean)}")
    if len(parts) == 1:
        return ""
    before, after = (_mean(records, metric) for metric in ENERGIES)
    if before is not None and after is not None:
        parts.append(f"Energy: {before:.4f} → {after:.4f}")
    lost = sum(None in record["metrics"].values() for record in records)
    if 0 < lost < len(records):
        parts.append(f"{lost} of {len(records)} diverged")
    others = {run.key.variant for run in stack} - {variant}
    width = max(map(len, [variant, *others])) + 2
    return (f"{variant}: ".ljust(width) if others else "") + " | ".join(parts)


def _mean(records: Sequence[Record], metric: str) -> float | None:
    """Over the runs that have not diverged; None where no run has the metric."""
    values = [r["metrics"][metric] for r in records if metric in r["metrics"]]
    if not values:
        return None
    known = [value for value in values if value is not None]
    return fmean(known) if known else math.inf


def ending(stack: Sequence[RunConfig], metrics: pd.DataFrame) -> str:
    """The test error of every variant of a trained stack."""
    arms = list({run.key.variant: arm_of(run) for run in stack}.values())
    lines = [line for arm in arms for line in _completed(arm, metrics, alone=len(arms) == 1)]
    return "\n".join(["", *lines]) if lines else ""


def _completed(arm: Arm, metrics: pd.DataFrame, alone: bool) -> list[str]:
    measure, metric, _ = measured(arm.settings, arm.task)
    of = "" if alone else f" ({arm.variant})"
    return [
        f"✓ {arm.label} Model Training Complete{of} | Test {measure}: {outcome}"
        for outcome in _outcomes([arm], metrics, metric)
    ]


# --- the summary ----------------------------------------------------------------------------------


def epilogue(comparison: Comparison, results: Path) -> list[str]:
    """The seed document's summary of every task."""
    metrics, arms = read_table(results / "metrics.csv"), arms_of(comparison)
    lines = ["", WIDE, "EXPERIMENT SUMMARY", WIDE]
    for task in comparison.data.tasks:
        own = [arm for arm in arms if arm.task == task]
        outcomes = _outcomes(own, metrics, measured(comparison, task)[1])
        lines += summary(comparison, task, outcomes)
    return lines


def _outcomes(arms: Sequence[Arm], metrics: pd.DataFrame, metric: str) -> list[Outcome]:
    """Those of the arms that were trained; a run that diverged may lack the metric."""
    known = metrics.reindex(columns=["variant", metric]).fillna(math.inf)
    errors = [list(known.loc[known["variant"] == arm.variant, metric]) for arm in arms]
    return [Outcome(arm.label, own) for arm, own in zip(arms, errors, strict=True) if own]


def summary(comparison: Comparison, task: str, outcomes: Sequence[Outcome]) -> list[str]:
    """The summary of one task, from its models' test errors."""
    data, (measure, _, where) = comparison.data, measured(comparison, task)
    models = [f"{outcome.label} Model Test {measure}: {outcome}" for outcome in outcomes]
    return [
        f"Task: {task.upper()}",
        f"Vector Size: {data.vec_size}",
        f"Training Samples: {data.size_train}",
        f"Validation Samples: {data.size_val}",
        f"Test Samples: {data.size_test} ({where})",
        THIN,
        *models,
        THIN,
        f"Best Model: {_best(outcomes)}",
        WIDE,
    ]


def _best(outcomes: Sequence[Outcome]) -> str:
    ranked = sorted(outcomes, key=lambda outcome: outcome.mean)
    if not ranked or math.isinf(ranked[0].mean):
        return "none (all have diverged)" if ranked else "none (nothing was measured)"
    best, *others = ranked
    if not others:
        return f"{best.label} (the only one)"
    second = others[0]
    difference = second.mean - best.mean
    if math.isinf(difference):
        return f"{best.label} (the others have diverged)"
    if difference == 0:
        level = [outcome.label for outcome in ranked if outcome.mean == best.mean]
        return f"none ({' and '.join(level)} are equal)"
    to = f" to {second.label}" if len(ranked) > 2 else ""
    return f"{best.label} (Difference{to}: {digits(difference)})"


def measured(settings: Comparison, task: str) -> tuple[str, str, str]:
    """What the seed document calls the test: its measure, its metric, and where it lies."""
    if task == LISTOPS:
        return "Error", "test_iid/error", "In-Distribution"
    name = seen_name(settings)
    shift = float(name.removeprefix("shift_"))
    where = "Out-of-Distribution" if shift > 1 else "In-Distribution"
    told = where if shift in (1, SEED_TEST) else f"{where}, inputs times {shift:g}"
    return "MSE", f"{name}/mse", told
