"""The fault storm: every verb is disturbed at many moments, given again, and must end the same.

An experiment subclasses :class:`FaultStorm` and says how it is made small. All commands run in
forked children of a process that has imported everything, or as real processes where it says so.
"""

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.contract import faults
from tests.contract.contract import in_child
from tests.contract.server import Server
from tests.end_to_end.conftest import REPOSITORY, environment
from versus.core import tracking
from versus.core.paths import PARTIAL

Words = Sequence[str]


@dataclass(frozen=True)
class Verb:
    """A command under test, and the commands that must have been given before."""

    words: Words
    before: tuple[Words, ...] = ()


class FaultStorm:
    """Inherited by every experiment's tests; all of them are slow."""

    experiment: ClassVar[str]
    overlay: ClassVar[str]
    """The smallest comparison, as the text of ``params/smoke/<experiment>.yaml``."""
    suite: ClassVar[str]
    """What it is evaluated with, as the text of ``evaluation/<experiment>.yaml``."""
    stormed: ClassVar[Sequence[str]] = ()
    """Verbs that are disturbed; empty = all. Of the others, another experiment's storm tells."""
    kills: ClassVar[int] = 17
    """Kills of a verb in forks; with those of real processes 20."""
    real_kills: ClassVar[int] = 3
    """Kills of a verb in real processes."""

    @pytest.fixture(autouse=True)
    def _project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = tmp_path / "project"
        self.kept = tmp_path / "kept"
        self.log = tmp_path / "log"
        for name in ("params", "evaluation"):
            shutil.copytree(REPOSITORY / name, self.root / name)
        (self.root / "params" / "smoke" / f"{self.experiment}.yaml").write_text(self.overlay)
        (self.root / "evaluation" / f"{self.experiment}.yaml").write_text(self.suite)
        monkeypatch.setenv("VERSUS_ROOT", str(self.root))
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
        monkeypatch.chdir(tmp_path)
        import_everything()

    @property
    def verbs(self) -> dict[str, Verb]:
        """Every verb that writes."""
        x, smoke = self.experiment, ("--profile", "smoke", "--quiet")
        train = ("train", x, *smoke)
        untracked = (*train, "--no-tracking")
        staged = tuple(("stage", x, name, *smoke) for name in ("data", "train", "compare"))
        return {
            "train": Verb(train),
            "compare": Verb(("compare", x, *smoke), (untracked,)),
            "plots": Verb(("plots", x, *smoke), (untracked,)),
            "evaluate": Verb(("evaluate", x, "--quiet"), (train,)),
            "search": Verb(("search", x, *smoke, "--trials", "4", "--search.startup", "2")),
            "promote": Verb(("promote", x, "--quiet"), (train,)),
            "stage data": Verb(staged[0]),
            "stage train": Verb(staged[1], staged[:1]),
            "stage compare": Verb(staged[2], staged[:2]),
            "stage evaluate": Verb(("stage", x, "evaluate", *smoke), staged),
            "sync": Verb(("sync", "--quiet"), (untracked,)),
            "report": Verb(("report", "--profile", "smoke", "--quiet"), staged),
        }

    def in_order(self, *names: str) -> dict[str, Verb]:
        """Stages of the pipeline, of which each needs those before it."""
        words = [("stage", self.experiment, n, "--profile", "smoke", "--quiet") for n in names]
        return {
            f"stage {name.partition('-')[0]}": Verb(words[number], tuple(words[:number]))
            for number, name in enumerate(names)
        }

    def verb(self, name: str) -> Verb:
        """The verb under test."""
        if name not in (self.stormed or self.verbs):
            pytest.skip("the same code as in another experiment's storm")
        return self.verbs[name]

    # --- one command

    def run(self, words: Words, fault: faults.Fault | None = None, **kinds: bool) -> int:
        """Give a command in a forked child, with a fault; its exit code."""

        def child() -> None:
            sys.stdout = sys.stderr = self.log.open("w", buffering=1)
            count = faults.install(fault, **kinds) if fault else lambda: 0
            from versus import cli

            code = cli.main(list(words))
            sys.stdout.flush()
            (self.log.parent / "moments").write_text(str(count()))
            os._exit(code)

        return in_child(child)

    def must(self, words: Words, fault: faults.Fault | None = None, **kinds: bool) -> int:
        """Give a command that must succeed; how many moments it had."""
        code = self.run(words, fault, **kinds)
        assert code == 0, f"{' '.join(words)}: {self.log.read_text()}"
        return int((self.log.parent / "moments").read_text())

    def prepare(self, verb: Verb) -> None:
        """Bring the project to where the verb is given, and keep a copy of that."""
        for words in verb.before:
            self.must(words)
        shutil.copytree(self.root, self.kept)

    def restore(self) -> None:
        """The project as it was before the verb; at the same place, since MLflow keeps paths."""
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root)

    # --- the storm

    def completes(self, verb: Verb, expected: Any, what: str, database: Path | None = None) -> None:
        """The same command must end as if nothing had happened."""
        self.must(verb.words)
        found = outcome(self.root, database)
        differing = {part: _difference(found[part], expected[part]) for part in expected}
        assert not any(differing.values()), f"{' '.join(verb.words)}, {what}: {differing}"

    def kill_real(self, verb: Verb, seconds: float) -> None:
        """Give the command as a process, and kill it so long after it began to work."""
        command = [sys.executable, "-m", "versus", *verb.words]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        before = _files(self.root)
        with subprocess.Popen(command, env=environment(), **silent) as process:  # type: ignore[call-overload]
            while process.poll() is None and _files(self.root) == before:
                time.sleep(0.02)
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "name",
        [
            "train",
            "compare",
            "plots",
            "evaluate",
            "search",
            "promote",
            "stage data",
            "stage generate",
            "stage ingest",
            "stage scenes",
            "stage features",
            "stage split",
            "stage pretrain",
            "stage train",
            "stage compare",
            "stage evaluate",
            "sync",
            "report",
        ],
    )
    def test_killed_at_many_moments(self, name: str) -> None:
        """Each time the same command must complete alike."""
        verb = self.verb(name)
        self.prepare(verb)
        started = time.monotonic()
        moments = self.must(verb.words, lambda _: None)
        seconds = time.monotonic() - started
        expected = outcome(self.root)
        assert moments > 0
        last = self.kills - 1
        for moment in sorted({1 + n * (moments - 1) // last for n in range(self.kills)}):
            self.restore()
            assert self.run(verb.words, faults.die_at(moment)) == 137
            self.completes(verb, expected, f"killed at moment {moment} of {moments}")
        for number in range(1, 1 + self.real_kills):
            self.restore()
            self.kill_real(verb, seconds * number / (1 + self.real_kills))
            self.completes(verb, expected, f"real process {number} killed")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["train", "search", "promote", "sync"])
    def test_a_full_disk(self, name: str) -> None:
        """One clear message, nothing half-written, and the same command goes on with space."""
        verb = self.verb(name)
        self.prepare(verb)
        moments = self.must(verb.words, lambda _: None, databases=False)
        expected = outcome(self.root)
        for moment in range(1, moments, max(1, moments // 6)):
            self.restore()
            code = self.run(verb.words, faults.disk_full_from(moment), databases=False)
            text = self.log.read_text()
            assert "Traceback" not in text, text
            assert code in (0, 1, 2), text
            assert "No space left" in text or "not writable" in text, text
            self.completes(verb, expected, f"disk full from moment {moment}")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["train", "search", "sync"])
    def test_a_locked_database(self, name: str) -> None:
        """Results do not wait for MLflow's database; it has everything once it is free."""
        verb = self.verb(name)
        self.prepare(verb)
        self.must(verb.words)
        expected = outcome(self.root)
        self.restore()
        uri = tracking.tracking_uri(self.root)
        assert in_child(lambda: tracking.initialise(uri)) == 0
        with locked(self.root / "mlflow.db"):
            code = self.run(verb.words)
            text = self.log.read_text()
        assert "Traceback" not in text, text
        assert code == (1 if name == "sync" else 0), text
        self.completes(verb, expected, "database locked")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["train", "search"])
    def test_a_server_that_goes_away(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the start, in the middle, at the end: results are there, and MLflow has all later."""
        verb, server = self.verb(name), Server(self.root.parent / "server")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        self.prepare(verb)
        with server.running():
            moments = self.must(verb.words, lambda _: None, databases=False)
        expected = outcome(self.root, server.database)
        for moment in (1, moments // 2, moments - moments // 10):
            self.restore()
            server.forget()
            with server.running():
                self.must(verb.words, server.dies_at(moment), databases=False)
            assert "versus sync" in self.log.read_text() or moment > moments // 2
            with server.running():
                self.completes(verb, expected, f"server gone at moment {moment}", server.database)


class locked:
    """Hold a SQLite file so that nobody else can write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.execute("begin exclusive")

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def import_everything() -> None:
    """What takes seconds to import, before forking."""
    import matplotlib.figure
    import mlflow
    import mlflow.pyfunc
    import mlflow.store.tracking.sqlalchemy_store
    import optuna
    import torch

    from versus.core import delivery, evaluation, pipeline
    from versus.core.search import runner

    torch.set_num_threads(1)
    assert all((matplotlib, mlflow, optuna, delivery, evaluation, pipeline, runner))


# --- what must be equal ---------------------------------------------------------------------------


def outcome(root: Path, database: Path | None = None) -> dict[str, Any]:
    """Everything that a user sees, without times and random ids."""
    return {
        "files": dict(_reproducible(root)),
        "studies": dict(_studies(root)),
        "half-written": [str(path) for path in root.rglob(f".*{PARTIAL}*")],
        **_mlflow(database or root / "mlflow.db"),
    }


def _reproducible(root: Path) -> Iterator[tuple[str, Any]]:
    for folder in ("results", "runs"):
        for path in sorted((root / folder).rglob("*")):
            inside = "results" in path.relative_to(root).parts or "data" in path.parts
            if path.is_file() and inside and not _ignored(path):
                yield str(path.relative_to(root)), _content(path)


def _ignored(path: Path) -> bool:
    return path.suffix == ".lock" or path.name in ("lock", "cost.csv", "run.json")


def _content(path: Path) -> Any:
    if path.name == "verdict.json":
        return _without(json.loads(path.read_text()), "cost")
    if path.name == "summary.json":
        return _without(json.loads(path.read_text()), "second")
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [{k: v for k, v in row.items() if "time" not in k} for row in rows]
    if path.suffix in (".md", ".png"):  # they show costs
        return path.name
    return path.read_bytes()


def _without(tree: Any, word: str) -> Any:
    if isinstance(tree, dict):
        return {k: _without(v, word) for k, v in tree.items() if word not in k and k != "sentence"}
    return [_without(one, word) for one in tree] if isinstance(tree, list) else tree


def _studies(root: Path) -> Iterator[tuple[str, Any]]:
    for path in root.glob("runs/*/studies/*/trials.json"):
        counted = [one for one in json.loads(path.read_text()) if one["state"] != "fail"]
        keys = ("state", "values", "score", "metrics", "reports")
        yield path.parent.name, [[one[key] for key in keys] for one in counted]
        best = (path.parent / "best.yaml").read_text()
        yield f"best of {path.parent.name}", best.split("\n", 1)[1]


def _mlflow(database: Path) -> dict[str, Any]:
    """Runs, points, models and aliases, as often as they are there."""
    if not database.is_file():
        return {}
    named = "case when name like 'evaluate %' then 'evaluate' else name end"
    queries = {
        "runs": (
            "select name, status from runs where lifecycle_stage = 'active' and name not like "
            "'evaluate %' and name not like 'trial %'"
        ),
        "points": (
            f"select distinct {named}, key, step, value from metrics join runs using (run_uuid) "
            "where name not like 'trial %'"
        ),
        "versions": "select name, version from model_versions",
        "aliases": "select name, alias, version from registered_model_aliases",
    }
    with closing(sqlite3.connect(database)) as connection:
        found = {name: Counter(connection.execute(query)) for name, query in queries.items()}
        running = connection.execute("select name from runs where status = 'RUNNING'").fetchall()
    timed = ("second", "token", "model/")
    kept = {row: n for row, n in found["points"].items() if not any(t in row[1] for t in timed)}
    return {**found, "points": kept, "running": running}


def _difference(found: Any, wanted: Any) -> Any:
    """What is not equal: (found, wanted) by key."""
    if found == wanted:
        return {}
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return {"": (found, wanted)}
    keys = [k for k in {**found, **wanted} if found.get(k) != wanted.get(k)]
    return {k: (str(found.get(k))[:300], str(wanted.get(k))[:300]) for k in keys}


def _files(root: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(root))  # folders may vanish meanwhile
