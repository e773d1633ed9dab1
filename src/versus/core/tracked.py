"""``tracking.json`` of a work folder: what MLflow has of it, and the links to look at it."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from versus.core.paths import read_json, write_json
from versus.core.workfolder import WorkFolder

if TYPE_CHECKING:
    from versus.core.tracking import Store

PARENT = "parent"
MODE = "workflowType=machine_learning"
"""The UI opens in a mode that hides training runs."""


def public(text: str) -> str:
    """A message or an address without the users and passwords of the addresses in it."""
    return re.sub(r"://[^/@\s]*:[^/@\s]*@", "://", text)


@dataclass
class State:
    """``tracking.json``: what MLflow has of a work folder.

    Attributes:
        uri: the store that the rest is about.
        work_id: tag of every run of this folder.
        experiment_id: id of the MLflow experiment.
        runs: key (``parent`` or a child's name after ``run:``) -> run id.
        status: key -> status last set.
        launching: key of the last run that was to be made (studies).
        launcher: the run of ``mlflow run`` that the parent is linked with or is.
        offsets: see :class:`Sent`.
        upto: see :class:`Sent`.
        series: names of metrics that are series.
        finals: fingerprint of the final metrics that were sent.
        finals_time: their time in ms; equal when they have to be sent again.
        artifacts: fingerprint of the files that were sent.
        seen: what the folder held at the last complete projection.
    """

    uri: str
    work_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    experiment_id: str = ""
    runs: dict[str, str] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    launching: str = ""
    launcher: str = ""
    offsets: dict[str, int] = field(default_factory=dict)
    upto: dict[str, int] = field(default_factory=dict)
    series: list[str] = field(default_factory=list)
    finals: str = ""
    finals_time: int = 0
    artifacts: str = ""
    seen: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, work: Path) -> "State | None":
        """The state that was noted in a work folder."""
        path = work / "tracking.json"
        return cls(**read_json(path)) if path.is_file() else None

    def save(self, work: Path) -> None:
        """Note it."""
        write_json(work / "tracking.json", asdict(self))


def resumed(folder: Path, store: "Store", experiment: str) -> State:
    """What a store has of a folder; a new state for another store, or one that has lost it."""
    state = State.load(folder)
    if state is not None and state.uri == public(store.uri):
        parent = state.runs.get(PARENT)
        if parent is None or store.find_run(parent) is not None:
            return state
    state = State(public(store.uri), experiment_id=experiment)
    state.save(folder)
    return state


@dataclass(frozen=True)
class Links:
    """Where a comparison is found in MLflow.

    Attributes:
        experiment_id: id of the experiment.
        parent: run id of the comparison.
        children: run name -> run id.
        urls: the comparison, and its children sorted by the objective.
        hint: what to start before the addresses work; empty for a server.
    """

    experiment_id: str
    parent: str
    children: Mapping[str, str]
    urls: tuple[str, str]
    hint: str

    def lines(self) -> list[str]:
        """What to print."""
        comparison, children = self.urls
        lines = [f"comparison: {comparison}", f"its runs:   {children}"]
        return [*lines, self.hint] if self.hint else lines


def links(work: Path) -> Links | None:
    """Links of what was sent before; nothing is asked of the store."""
    state = State.load(work)
    return (
        None
        if state is None or PARENT not in state.runs
        else links_of(WorkFolder.open(work), state)
    )


def metric_name(name: str) -> str:
    """``name`` with what MLflow does not take replaced."""
    return re.sub(r"[^\w\-.:/ ]", "_", name)


def links_of(work: WorkFolder, state: State) -> Links:
    """Links of a folder whose state is at hand."""
    primary = work.described.get("primary") or ()
    urls, hint = addresses(state, primary[0] if primary else "", ascending=_ascending(work))
    names = {k.removeprefix("run:"): v for k, v in state.runs.items() if k != PARENT}
    return Links(state.experiment_id, state.runs[PARENT], names, urls, hint)


def addresses(state: State, metric: str, *, ascending: bool) -> tuple[tuple[str, str], str]:
    """Pages of the parent and of its children sorted by a metric, and what to start for them."""
    runs, parent = _runs(state.uri, state.experiment_id), state.runs[PARENT]
    wanted = quote(f"tags.`mlflow.parentRunId` = '{parent}'", safe="")
    children = f"{runs}?{MODE}&searchFilter={wanted}"
    if metric:
        name = quote(f"metrics.`{metric_name(metric)}`", safe="")
        order = "true" if ascending else "false"
        children += f"&orderByKey={name}&orderByAsc={order}&compareRunsMode=CHART"
    hint = "" if _served(state.uri) else "the addresses work while `versus ui` (make ui) runs"
    return (page(state.uri, state.experiment_id, parent), children), hint


def page(uri: str, experiment_id: str, run: str) -> str:
    """Address of a run in the UI of a store."""
    return f"{_runs(public(uri), experiment_id)}/{run}?{MODE}"


def _runs(uri: str, experiment_id: str) -> str:
    base = uri.rstrip("/") if _served(uri) else "http://127.0.0.1:5000"
    return f"{base}/#/experiments/{experiment_id}/runs"


def _served(uri: str) -> bool:
    return uri.startswith("http")


def _ascending(work: WorkFolder) -> bool:
    verdict = work.results / "verdict.json"
    return not (verdict.is_file() and read_json(verdict).get("direction") == "maximize")
