"""One study from data to its best configuration: this process as a worker, and others beside it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from versus.core import config as configs
from versus.core import stages
from versus.core.display import Display
from versus.core.errors import ConfigError, TrackingError
from versus.core.experiment import Experiment
from versus.core.launching import elsewhere
from versus.core.paths import project_root, read_json, shown, sweep
from versus.core.runs import BaseComparison
from versus.core.search import results
from versus.core.search.sending import StudySender, is_unsent
from versus.core.search.storage import StudyStore, hidden_password
from versus.core.search.study import Study, identity


def folder_of(experiment: str, name: str) -> Path:
    """Where a study lies."""
    return project_root() / "runs" / experiment / "studies" / name


def default_storage() -> str:
    """The project's own sqlite file."""
    return f"sqlite:///{project_root()}/optuna.db"


def open_study(
    experiment: Experiment, comparison: BaseComparison, name: str, display: Display
) -> Study:
    """Prepare the data and describe the study; without a name, by its identity.

    Raises:
        ConfigError: if there is nothing to search, or the space is not one of the model.
        DataError: if the data cannot be prepared.
    """
    _check(experiment, comparison)
    places = stages.adhoc_places(experiment, comparison, "study")
    digest = stages.prepare(experiment, comparison, places.data)
    name = name or f"study-{identity(comparison, digest)[:8]}"
    folder = folder_of(comparison.experiment, name)
    return Study(experiment, comparison, places.data, digest, name, folder, display)


def _check(experiment: Experiment, comparison: BaseComparison) -> None:
    space, where = comparison.search.space, f"params/{comparison.experiment}.yaml"
    if not space:
        raise ConfigError(f"search.space ({where}): is empty; declare what may be searched")
    if not comparison.tuning_seed_list:
        raise ConfigError(
            f"tuning_seeds ({where}): needed to search, received none; give a count, for example "
            "--tuning_seeds 6"
        )
    known = {key for key, *_ in configs.describe(type(comparison))}
    fixed = {section for stage in experiment.stages().values() for section in stage.sections}
    for name, dimension in space.items():
        if dimension.key not in known:
            raise ConfigError(f"search.space.{name}.key: no such key, received {dimension.key!r}")
        if dimension.key.partition(".")[0] in fixed | set(comparison.UNHASHED):
            raise ConfigError(
                f"search.space.{name}.key: trials must share data and seeds, received "
                f"{dimension.key!r}; search keys of the model or its training"
            )


def run(
    study: Study, *, trials: int, storage: str, helpers: Sequence[Sequence[str]], tracked: bool
) -> None:
    """Work on the study until ``trials`` are finished, then write what it found.

    Args:
        study: the study.
        trials: number of finished trials of the whole study.
        storage: address of Optuna's storage.
        helpers: words of the command line of every further worker, without ``versus``; where
            launcher.kind is ray these are all workers, and this process waits.
        tracked: send the study to MLflow.

    Raises:
        ConfigError: if the storage cannot be used, or a trial's values are not acceptable.
    """
    search, goals = study.comparison.search, study.goals
    store = StudyStore(study.name, storage, study.folder, search, goals, study.identity)
    if not is_worked_on(study.folder):
        sweep(study.folder)
    study.describe(trials, hidden_password(storage))
    if not store.offer(study.defaults()):
        study.display.note("the params' own settings lie outside of search.space: not tried")
    sender = _Sender(study, tracked)

    def after() -> None:
        records = store.records()
        results.write_records(study, records)
        study.display.note(results.describe_last(records, goals))
        sender.send("RUNNING", wait=False)

    with _processes(helpers, study) as all_elsewhere:
        try:
            if all_elsewhere:
                _wait_for(trials, helpers, study, store)
            else:
                store.work(trials, study.objective, after)
        except BaseException:  # an interruption too; it goes on to the caller
            results.write_records(study, store.records())
            sender.send(status_of(study.folder), wait=True)
            raise
    records = store.records()
    with FileLock(study.folder / "outputs.lock"):  # the last workers end together
        results.write_records(study, records)
        best = results.write_outputs(study, records, store.importances())
    sender.send(status_of(study.folder), wait=True)
    study.display.line(results.summary(study, records, best))
    for line in sender.links:
        study.display.note(line)


class _Sender:
    """Sends the study to MLflow; where that fails once it warns and stops."""

    def __init__(self, study: Study, tracked: bool) -> None:
        self.display = study.display
        parent = os.environ.get("MLFLOW_RUN_ID")
        self.sender = StudySender(study.folder, parent) if tracked else None
        self.links: list[str] = []

    def send(self, status: str, *, wait: bool) -> None:
        if self.sender is None:
            return
        try:
            self.links = self.sender.send(status, wait=wait) or self.links
        except TrackingError as error:
            self.display.warn(f"{error}\nthe study is on disk; `versus sync` sends it later")
            self.sender = None


@contextmanager
def _processes(helpers: Sequence[Sequence[str]], study: Study) -> Iterator[bool]:
    """Further workers on this machine, which stop with this one; yields whether all are others."""
    if study.comparison.launcher.kind != "local":
        yield True
        return
    commands = [[sys.executable, "-m", "versus", *words] for words in helpers]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    try:
        yield False
        for process in running:
            if process.wait() != 0:
                study.display.warn(f"a worker ended with exit code {process.returncode}")
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _wait_for(
    trials: int, helpers: Sequence[Sequence[str]], study: Study, store: StudyStore
) -> None:
    """Let workers on a cluster do the trials that are missing, and tell of them."""
    if results.finished(store.records()) >= trials:
        return
    told = 0

    def tick(_: object) -> None:
        nonlocal told
        records = store.records()
        if len(records) > told:
            told = len(records)
            study.display.note(results.describe_last(records, study.goals))

    elsewhere.work(helpers, study.comparison, study.folder, study.display, tick)


def status_of(folder: Path) -> str:
    """Status of a study's run in MLflow: running while somebody works on it."""
    described, path = read_json(folder / "study.json"), folder / "trials.json"
    records = read_json(path) if path.is_file() else []
    if results.finished(records) >= described["trials"]:
        return "FINISHED"
    return "RUNNING" if is_worked_on(folder) else "KILLED"


def is_worked_on(folder: Path) -> bool:
    """Whether a process of this machine works on a study."""
    return any(map(_is_held, (folder / "workers").glob("*.lock")))


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def sync(display: Display) -> int:
    """Send every study that nobody works on; return how many there were to send."""
    sent = 0
    for path in sorted((project_root() / "runs").glob("*/studies/*/study.json")):
        status = status_of(path.parent)
        if status != "RUNNING" and is_unsent(path.parent, status):
            StudySender(path.parent).send(status)
            display.line(f"sent {shown(path.parent)}")
            sent += 1
    return sent


def helper_words(words: Sequence[str], workers: int, name: str) -> list[list[str]]:
    """The same command for every other worker, on the same study and in one process."""
    own = ["--workers", "1", "--quiet", "--study", name, "--launcher.kind", "local"]
    return [["search", *words, *own]] * workers
