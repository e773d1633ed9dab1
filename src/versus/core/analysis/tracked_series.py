"""Series of a comparison as MLflow holds them: the children of a parent run.

MLflow knows steps and no epochs, and where a child stands for all seeds of a variant it holds
their mean: its seed is given as :data:`ALL_SEEDS`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from versus.core.analysis.series import COLUMNS, Columns, Growing, Key, as_table
from versus.core.errors import ConfigError
from versus.core.paths import project_root
from versus.core.tracked import public

if TYPE_CHECKING:
    from mlflow.entities import Run

    from versus.core.tracking import Store

ALL_SEEDS = -1
NEWEST = "newest"


@dataclass(frozen=True)
class Tracked:
    """A parent run with its children.

    Attributes:
        experiment: name of the experiment.
        store: where the runs are.
        parent: the comparison.
        children: variants, or variants with a seed.
    """

    experiment: str
    store: "Store"
    parent: "Run"
    children: Sequence["Run"]

    @property
    def title(self) -> str:
        """Name of the run and the beginning of its id."""
        return f"{self.parent.info.run_name} (MLflow {self.parent.info.run_id[:8]})"

    @property
    def results(self) -> Path:
        """A folder of its own under ``runs/``: the run may come from another machine."""
        runs = project_root() / "runs"
        return runs / self.experiment / f"mlflow-{self.parent.info.run_id}"

    @property
    def baseline(self) -> str:
        """``compare.baseline`` of the logged params."""
        return str(self.parent.data.params.get("compare.baseline") or "")

    @property
    def holds_means(self) -> bool:
        """Whether a child stands for all seeds of a variant."""
        return any("seed" not in child.data.tags for child in self.children)

    @property
    def variants(self) -> list[str]:
        """All variants, in the order in which their runs began."""
        return list(dict.fromkeys(child.data.tags["variant"] for child in self.children))

    @property
    def names(self) -> list[str]:
        """Metrics of the children."""
        return sorted({name for child in self.children for name in child.data.metrics})

    @property
    def finals(self) -> pd.DataFrame:
        """Nothing: final metrics are series of one point here."""
        return pd.DataFrame(columns=list(COLUMNS))

    def table(self, metrics: Sequence[str]) -> pd.DataFrame:
        """The series of some metrics; only these are asked of the store.

        Raises:
            TrackingError: if the store cannot be used.
        """
        from versus.core.tracking import reporting

        columns: Columns = {}
        with reporting(self.store.uri):
            for child in self.children:
                for metric in metrics:
                    if metric in child.data.metrics:
                        columns[_key(child, metric)] = self._history(child, metric)
        return as_table(columns, metrics)

    def _history(self, child: "Run", metric: str) -> Growing:
        points = self.store.client.get_metric_history(child.info.run_id, metric)
        series = Growing()
        for point in sorted(points, key=lambda p: (p.step, p.timestamp)):
            series.add(point.step, math.nan, point.value)
        return series


def _key(child: "Run", metric: str) -> Key:
    tags = child.data.tags
    return Key(tags["variant"], int(tags.get("seed", ALL_SEEDS)), metric)


def find(experiment: str, run_id: str) -> Tracked:
    """A parent run of an experiment: the newest comparison, or by id.

    Raises:
        ConfigError: if there is no such run, or it has no children.
        TrackingError: if the store cannot be used.
    """
    from versus.core.tracking import Store, reporting, tracking_uri

    uri = tracking_uri(project_root())
    _check_file(uri)
    with reporting(uri):
        store = Store(uri, project_root())
        parent = _newest(store, experiment) if run_id == NEWEST else store.find_run(run_id)
        if parent is None:
            raise ConfigError(
                f"--mlflow: {public(uri)} holds no run {run_id!r} of {experiment}; run versus "
                "sync, or copy the id from versus ui"
            )
        children = store.tagged_runs(
            parent.info.experiment_id, "mlflow.parentRunId", parent.info.run_id
        )
    children = sorted((c for c in children if "variant" in c.data.tags), key=_started)
    if not children:
        raise ConfigError(
            f"--mlflow: run {parent.info.run_id} has no children with a variant; give the id of a "
            "comparison's parent run"
        )
    return Tracked(experiment, store, parent, children)


def _started(run: "Run") -> tuple[int, str]:
    return run.info.start_time, run.info.run_name or ""


def _check_file(uri: str) -> None:
    """Reading must not make an empty store."""
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        raise ConfigError(f"--mlflow: {uri} does not exist; train with tracking, or versus sync")


def _newest(store: "Store", experiment: str) -> "Run | None":
    found = store.client.get_experiment_by_name(experiment)
    if found is None:
        return None
    comparisons = store.client.search_runs(
        [found.experiment_id], "tags.kind = 'comparison'", order_by=["attributes.start_time DESC"]
    )
    return next(iter(comparisons), None)
