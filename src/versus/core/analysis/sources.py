"""Where series come from: a work folder under ``runs/``. MLflow is in :mod:`.tracked_series`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from versus.core.analysis.series import COLUMNS, Columns, Damage, as_table, read_stacks, refuse
from versus.core.errors import ConfigError, DataError
from versus.core.paths import project_root, read_json, shown
from versus.core.tables import read_table


class Source(Protocol):
    """One comparison's metrics."""

    @property
    def title(self) -> str:
        """What the pictures are headed with."""

    @property
    def results(self) -> Path:
        """The folder that holds (or would hold) tables and models."""

    @property
    def baseline(self) -> str:
        """The variant that others are compared with, where one is named."""

    @property
    def variants(self) -> list[str]:
        """All variants in the order that fixes their colours."""

    @property
    def names(self) -> list[str]:
        """Metrics that have a series."""

    @property
    def finals(self) -> pd.DataFrame:
        """Final metrics as rows of :data:`COLUMNS`, without step and epoch."""

    def table(self, metrics: Sequence[str]) -> pd.DataFrame:
        """The series of some metrics, with :data:`COLUMNS`."""


@dataclass(frozen=True)
class Recorded:
    """A comparison on disk.

    Attributes:
        work: its work folder.
        described: its ``comparison.json``.
        damaged: what to do about damaged lines.
    """

    work: Path
    described: Mapping[str, Any]
    damaged: Damage = refuse

    @property
    def title(self) -> str:
        """Name and digest."""
        return f"{self.described['name']} ({str(self.described['digest'])[:8]})"

    @property
    def results(self) -> Path:
        """The results folder that the comparison names."""
        return (self.work / str(self.described["results"])).resolve()

    @property
    def baseline(self) -> str:
        """``compare.baseline`` of its params."""
        return str(self.described.get("params", {}).get("compare.baseline") or "")

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``failed`` or ``interrupted``."""
        return str(read_json(self.work / "status.json")["state"])

    @property
    def variants(self) -> list[str]:
        """All variants, as the results list them or training took them up."""
        finished = list(dict.fromkeys(map(str, self.finals["variant"])))
        return finished or list(dict.fromkeys(key.variant for key in self.columns))

    @cached_property
    def columns(self) -> Columns:
        """All series."""
        return read_stacks(self.work, self.damaged)

    @property
    def names(self) -> list[str]:
        """Metrics that have a series, in recorded order."""
        return list(dict.fromkeys(key.metric for key in self.columns))

    @cached_property
    def finals(self) -> pd.DataFrame:
        """``metrics.csv``; empty before the comparison has ended."""
        path = self.results / "metrics.csv"
        if not path.is_file():
            return pd.DataFrame(columns=list(COLUMNS))
        rows = read_table(path).melt(["variant", "seed"], var_name="metric").dropna(subset="value")
        return rows.assign(step=float("nan"), epoch=float("nan"))[list(COLUMNS)]

    def table(self, metrics: Sequence[str]) -> pd.DataFrame:
        """The series of some metrics."""
        return as_table(self.columns, metrics)


def find(experiment: str, run: str | None, damaged: Damage = refuse) -> Recorded:
    """The newest comparison of an experiment, or the one that ``run`` names.

    Args:
        experiment: name of the experiment.
        run: a work folder, or the beginning of its name (a config digest).
        damaged: what to do about damaged lines.

    Raises:
        ConfigError: if there is none, or ``run`` names none or several.
        DataError: if its description is torn.
    """
    work = _newest(experiment) if run is None else _named(experiment, run)
    described = read_json(work / "comparison.json")
    if missing := {"name", "digest", "results"} - set(described):
        raise DataError(
            f"{shown(work / 'comparison.json')}: lacks {', '.join(sorted(missing))}; remove the "
            "folder and train again"
        )
    return Recorded(work, described, damaged)


def comparisons(experiment: str) -> list[Path]:
    """Work folders of an experiment, the newest first."""
    found = (project_root() / "runs" / experiment).glob("*/status.json")
    ordered = sorted(found, key=lambda path: (path.stat().st_mtime, path.parent.name), reverse=True)
    return [path.parent for path in ordered if (path.parent / "comparison.json").is_file()]


def _newest(experiment: str) -> Path:
    found = comparisons(experiment)
    if not found:
        raise ConfigError(
            f"versus analyze {experiment}: {shown(project_root() / 'runs' / experiment)} holds no "
            f"comparison; run versus train {experiment}, or name a folder with --run or an MLflow "
            "run with --mlflow"
        )
    return found[0]


def _named(experiment: str, run: str) -> Path:
    for folder in (Path(run), project_root() / run):
        if (folder / "comparison.json").is_file():
            return folder
    found = comparisons(experiment)
    matching = [work for work in found if run and work.name.startswith(run)]
    if len(matching) != 1:
        problem = "names several" if matching else "names none"
        there = ", ".join(work.name[:12] for work in (matching or found)[:8]) or "none"
        raise ConfigError(
            f"--run: received {run!r}, which {problem} of {experiment}'s comparisons; give a work "
            f"folder or more digits of one of: {there}"
        )
    return matching[0]
