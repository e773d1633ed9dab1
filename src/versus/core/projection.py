"""MLflow as a projection of what lies on disk.

Training writes its metrics, state and results into a work folder and knows nothing of MLflow.
:func:`versus.core.tracking.project` sends whatever of that folder MLflow does not have yet, as
often as one likes: while training goes, when it ends, or days later (``versus sync``) because the
server was down. The parent run is the comparison, its children are the variants or single runs.

A kill at any point leads to no doubled run and no doubled or missing point:

- The folder's random ``work_id`` is on disk before the first run is made and every run carries it
  as a tag, so that a run whose id was not written down is found again.
- A point is sent with the time, step and value of its record; MLflow keeps equal points once.
- ``tracking.json`` notes what was sent after it was sent, so that nothing is left out.
"""

import getpass
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.tracked import PARENT, Links, links_of, resumed
from versus.core.workfolder import Child, Point, Sent, Values, WorkFolder, fingerprint

if TYPE_CHECKING:
    from mlflow.entities import Run

    from versus.core.tracking import Store

WORK_ID, KEY = "versus.work_id", "versus.key"
ENDED = {
    "running": "KILLED",  # whoever says that it ended knows that its process is gone
    "finished": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}


class Projection:
    """One projection of one work folder."""

    def __init__(self, work: WorkFolder, store: "Store") -> None:
        self.work = work
        self.store = store
        self.experiment = store.experiment(
            work.described["experiment"], work.described.get("note", "")
        )
        self.state = resumed(work.path, store, self.experiment)

    def _save(self) -> None:
        self.state.save(self.work.path)

    def send(self, parent_run: str | None, terminal: bool) -> Links:
        """Send what is new; see :func:`versus.core.tracking.project`."""
        seen = self.work.snapshot()
        self._ensure_parent(parent_run)
        finals = self.work.finals() if self.work.state == "finished" else {}
        points, sent = self.work.points(Sent(self.state.offsets, self.state.upto))
        self._ensure_children(points.keys() | finals.keys())
        self._send_points(points, sent)
        self._send_finals(finals)
        self._send_artifacts()
        self._set_status(ENDED[self.work.state] if terminal else "RUNNING", parent_run)
        self.state.seen = seen
        self._save()
        return links_of(self.work, self.state)

    # --- runs

    def _ensure_parent(self, parent_run: str | None) -> None:
        launcher = self.store.find_run(parent_run) if parent_run else None
        if PARENT not in self.state.runs:
            self._make_parent(launcher)
        if launcher is not None and launcher.info.run_id != self.state.launcher:
            self._link(launcher.info.run_id)

    def _make_parent(self, launcher: "Run | None") -> None:
        adopted = launcher is not None and launcher.info.experiment_id == self.experiment
        known = self._tagged().get(PARENT) or (launcher if adopted else None)
        tags = {**self._tags(PARENT), "kind": "comparison"}
        described = self.work.described
        run_id = self._make(PARENT, known, str(described["name"]), tags, described["params"])
        self.store.log_dataset(run_id, described["data"], "training")
        self.state.runs[PARENT] = run_id
        self._save()

    def _link(self, launcher: str) -> None:
        """Make launcher and parent findable from each other where they are two runs."""
        parent = self.state.runs[PARENT]
        if launcher != parent:
            tag = f"versus.comparison.{self.work.described['experiment']}"
            self.store.log_texts(launcher, tags={tag: parent})
            self.store.log_texts(parent, tags={"versus.launcher": launcher})
        self.state.launcher = launcher
        self._save()

    def _ensure_children(self, children: set[Child]) -> None:
        missing = sorted((c for c in children if _key(c) not in self.state.runs), key=str)
        tagged = self._tagged() if missing else {}
        for child in missing:
            tags = self._child_tags(child)
            params = self.work.described["variants"].get(child.variant, {})
            run_id = self._make(_key(child), tagged.get(_key(child)), str(child), tags, params)
            self.state.runs[_key(child)] = run_id
        if missing:
            self._save()

    def _make(
        self, key: str, known: "Run | None", name: str, tags: Mapping[str, str], params: Any
    ) -> str:
        """Make the run, or complete one that was made before a kill or by ``mlflow run``."""
        if known is None:
            run = self.store.create_run(self.experiment, name, tags)
        else:
            run = known
            self.store.log_texts(run.info.run_id, tags=tags)
        run_id: str = run.info.run_id
        # MLflow refuses another value for a param; ``mlflow run`` has logged its own as text.
        new = {k: v for k, v in params.items() if k not in run.data.params}
        self.store.log_texts(run_id, params=new)
        self.state.status[key] = run.info.status
        return run_id

    def _tagged(self) -> dict[str, "Run"]:
        runs = self.store.tagged_runs(self.experiment, WORK_ID, self.state.work_id)
        return {run.data.tags[KEY]: run for run in runs}

    def _tags(self, key: str) -> dict[str, str]:
        described = self.work.described
        tags = {
            WORK_ID: self.state.work_id,
            KEY: key,
            "profile": described["profile"],
            "config_digest": described["digest"],
            "data_digest": described["data"]["digest"],
            **source_tags(self.store.root),
        }
        return {k: v for k, v in {**tags, **described["tags"]}.items() if v}

    def _child_tags(self, child: Child) -> dict[str, str]:
        own = {"mlflow.parentRunId": self.state.runs[PARENT], "variant": child.variant}
        seed = (
            {"kind": "variant"} if child.seed is None else {"kind": "run", "seed": str(child.seed)}
        )
        return {**self._tags(_key(child)), **own, **seed}

    # --- contents

    def _send_points(self, points: Mapping[Child, list[Point]], sent: Sent) -> None:
        names = set(self.state.series)
        for child, series in points.items():
            self.store.log_points(self.state.runs[_key(child)], series)
            names |= {point.name for point in series}
        self.state.series = sorted(names)
        self.state.offsets, self.state.upto = sent.offsets, sent.upto
        self._save()

    def _send_finals(self, finals: Mapping[Child, Values]) -> None:
        current = fingerprint(p for p in self.work.artifacts() if p.name == "metrics.csv")
        if not finals or self.state.finals == current:
            return
        self.state.finals_time = self.state.finals_time or time.time_ns() // 1_000_000
        self._save()
        for child, values in finals.items():
            self._send_values(_key(child), values)
        self._send_values(PARENT, self._summary())
        self.state.finals, self.state.finals_time = current, 0
        self._save()

    def _send_values(self, key: str, values: Values) -> None:
        # A final value must not become a point of the series of the same name.
        taken = set(self.state.series)
        named = {f"final/{k}" if k in taken else k: v for k, v in values.items()}
        points = [Point(k, v, self.state.finals_time, 0) for k, v in named.items()]
        self.store.log_points(self.state.runs[key], points)

    def _summary(self) -> Values:
        primary = self.work.described.get("primary", ())
        return {
            f"summary/{metric.replace('/', '.')}.{child.variant}": values[metric]
            for child, values in self.work.variant_finals().items()
            for metric in primary
            if metric in values
        }

    def _send_artifacts(self) -> None:
        files = self.work.artifacts()
        current = fingerprint(self.work.all_files())
        if not files or self.state.artifacts == current:
            return
        waiting = False
        for child, own in self.work.run_files().items():
            run_id = self.state.runs.get(_key(child))
            waiting |= run_id is None  # some of its seeds are still in training
            for path, beneath in own if run_id else ():
                self.store.log_artifact(str(run_id), path, beneath or None)
        parent = self.state.runs[PARENT]
        for path in files:
            folder = path.parent.name if path.parent != self.work.results else None
            self.store.log_artifact(parent, path, folder)
        verdict = self.work.results / "verdict.md"
        if verdict.is_file():
            note = verdict.read_text(encoding="utf-8")
            self.store.log_texts(parent, tags={"mlflow.note.content": note})
        self.state.artifacts = "" if waiting else current
        self._save()

    def _set_status(self, status: str, parent_run: str | None) -> None:
        for key, run_id in self.state.runs.items():
            if self.state.status[key] == status:
                continue
            if run_id != parent_run:  # ``mlflow run`` ends the run that it started
                self.store.set_status(run_id, status)
            self.state.status[key] = status


def _key(child: Child) -> str:
    return f"run:{child}"


def source_tags(root: Path) -> dict[str, str]:
    """Who runs what: user, program and commit, as far as they are known."""
    known = {"mlflow.user": _user(), "mlflow.source.git.commit": _commit(root)}
    program = {"mlflow.source.name": "versus", "mlflow.source.type": "LOCAL"}
    return {**program, **{key: value for key, value in known.items() if value}}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: a container that runs under a bare number
        return ""


def _commit(root: Path) -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
