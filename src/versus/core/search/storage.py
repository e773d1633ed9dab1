"""Optuna studies: workers on one storage, whose trials train on the tuning seeds.

A study is a folder (what it is about, scores, tables, pictures) and a study of the same name in
Optuna's storage. Any number of processes work on it; each takes trials until the wanted number is
finished. A trial of a worker that died is failed and queued again: at once where the dead worker's
lock lies in the same folder, after its heartbeat has stopped for three minutes elsewhere.

What the sampler draws depends on the seed, the trial's position and the trials finished before, so
that one worker finds the same trials however often it is killed.
"""

import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from versus.core.errors import ConfigError, DataError
from versus.core.search.sampling import PositionSampler, suggest
from versus.core.search.space import Direction, Search, Values, values_of
from versus.core.search.study import Pruned

Goals = Mapping[str, Direction]
Objective = Callable[[Trial, Values], float | Sequence[float]]
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
HEARTBEAT, GRACE = 60, 180  # seconds; shorter ones have failed living trials on busy machines
BUSY = 60  # seconds that a worker waits for another one's write to sqlite
POLL = 0.5  # seconds between looks at what other workers are doing


def hidden_password(url: str) -> str:
    """A storage's address as messages may show it."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url


@contextmanager
def _reporting(url: str) -> Iterator[None]:
    """Turn what a storage that cannot be used raises into a ConfigError."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"--storage: the driver of {hidden_password(url)} is not installed ({error}); install "
            "it, for PostgreSQL with `pip install 'versus-lab[postgres]'`"
        ) from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"--storage: {hidden_password(url)} cannot be used ({reason}); write for example "
            "sqlite:////folder/optuna.db or postgresql+psycopg://user@host/database"
        ) from error


@contextmanager
def _storage_failures(url: str) -> Iterator[None]:
    """Turn what a storage raises on the way into a DataError."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{hidden_password(url)}: the study's storage failed ({reason}); mend that, and the "
            "same command continues"
        ) from error


def _storage(url: str) -> optuna.storages.RDBStorage:
    waits = {"connect_args": {"timeout": BUSY}} if url.startswith("sqlite") else None
    with warnings.catch_warnings():
        # Heartbeats are marked experimental since version 2.9.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            url,
            engine_kwargs=waits,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=_retry(),
        )


def _retry() -> optuna.storages.RetryHeartbeatStaleTrialCallback:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RetryHeartbeatStaleTrialCallback()


class StudyStore:
    """A study in Optuna's storage, and this process as one of its workers.

    Args:
        name: name of the study.
        url: an SQLAlchemy address.
        folder: the study's folder; locks of the workers on this machine lie there.
        settings: sampler, pruner and space.
        goals: what a trial is judged by -> ``minimize`` or ``maximize``.
        identity: what the study is about; a study of another identity is refused.

    Raises:
        ConfigError: if the storage cannot be used or holds a study of that name about other things.
    """

    def __init__(
        self,
        name: str,
        url: str,
        folder: Path,
        settings: Search,
        goals: Goals,
        identity: str,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # a trial's own error is told by us
        self.folder, self.space, self.url, self.goals = folder, settings.space, url, goals
        startup = settings.startup
        self.sampler = PositionSampler(settings.seed, startup)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if settings.prune and len(goals) == 1:
            pruner = optuna.pruners.MedianPruner(n_startup_trials=startup)
        (folder / "workers").mkdir(parents=True, exist_ok=True)
        with _reporting(url), self._lock("create"):
            self.study = optuna.create_study(
                storage=_storage(url),
                sampler=self.sampler,
                pruner=pruner,
                study_name=name,
                directions=list(goals.values()),
                load_if_exists=True,
            )
            known = self.study.user_attrs.get("identity")
            if known is None:
                self.study.set_user_attr("identity", identity)
        if known not in (None, identity):
            raise ConfigError(
                f"--study: {name!r} in {hidden_password(url)} was begun with other params, data or "
                "code; give the new one another name"
            )

    def _lock(self, name: str) -> FileLock:
        return FileLock(self.folder / f"{name}.lock")

    def offer(self, settings: Mapping[str, Any]) -> bool:
        """Try these settings first, if nothing has been tried; whether the space offers them."""
        values = values_of(self.space, settings)
        with self._lock("create"):
            if values is not None and not self.study.get_trials(deepcopy=False):
                self.study.enqueue_trial(values, user_attrs={"default": True})
        return values is not None

    def records(self) -> list[dict[str, Any]]:
        """What tables, pictures and tracking need of every trial that has ended, by number."""
        trials = self.study.get_trials(deepcopy=False)
        return [_record(trial, self.goals) for trial in trials if trial.state.is_finished()]

    def work(self, wanted: int, objective: Objective, after: Callable[[], None]) -> None:
        """Take trials until ``wanted`` are finished, and wait for those of other workers.

        Args:
            wanted: number of finished (completed or pruned) trials of the study.
            objective: a value for every goal; may raise :class:`Pruned`.
            after: called after each of our trials.

        Raises:
            DataError: if the storage fails on the way.
        """
        worker = uuid.uuid4().hex
        with _storage_failures(self.url), FileLock(self.folder / "workers" / f"{worker}.lock"):
            while (missing := self._take(wanted, objective, worker)) is not None:
                if missing:
                    time.sleep(POLL)
                else:
                    after()

    def _take(self, wanted: int, objective: Objective, worker: str) -> int | None:
        """Do a trial if there is one left to do.

        Returns:
            0 after a trial, None when all are finished, else how many others have yet to finish.
        """
        with self._lock("claim") as claim:  # held until the trial names its worker

            def named(trial: Trial) -> float | Sequence[float]:
                trial.set_user_attr("worker", worker)
                claim.release()
                try:
                    return objective(trial, suggest(trial, self.space))
                except Pruned as reason:
                    raise optuna.TrialPruned(str(reason)) from reason
                except BaseException:  # an interruption too: the same values come first again
                    _retry()(self.study, self.study.trials[trial.number])
                    raise

            trials = self.study.get_trials(deepcopy=False)
            missing = wanted - sum(one.state in FINISHED for one in trials)
            if missing <= 0:
                return None
            running = [one for one in trials if one.state == TrialState.RUNNING]
            dead = [one for one in running if self._is_dead(one)]
            self._queue_again(dead, trials)
            self.sampler.failed = len(dead) + sum(one.state == TrialState.FAIL for one in trials)
            if missing <= len(running) - len(dead):
                return missing
            self.study.optimize(named, n_trials=1)
            return 0

    def _queue_again(self, dead: Sequence[FrozenTrial], trials: Sequence[FrozenTrial]) -> None:
        """Fail the trials of dead workers, after their settings have been queued once."""
        queued = {one.system_attrs.get("retry_history", [None])[-1] for one in trials}
        for trial in dead:
            if trial.number not in queued:
                _retry()(self.study, trial)
            self.study.tell(trial.number, state=TrialState.FAIL)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        worker = trial.user_attrs.get("worker")
        if worker is None:
            # Claimed and not yet named. On this machine that is over while we hold the lock; a
            # worker elsewhere is left to its heartbeat.
            return self.url.startswith("sqlite")
        lock = self.folder / "workers" / f"{worker}.lock"
        if not lock.is_file():
            return False
        try:
            with FileLock(lock, timeout=0):
                return True
        except Timeout:
            return False

    def importances(self) -> dict[str, dict[str, float]]:
        """Goal -> share of each dimension in the differences between trials, if enough finished."""
        return {goal: self._importances(place) for place, goal in enumerate(self.goals)}

    def _importances(self, place: int) -> dict[str, float]:
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len({trial.values[place] for trial in complete}) < 2:
            return {}
        sign = 1 if self.study.directions[place] == StudyDirection.MINIMIZE else -1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(
                optuna.importance.get_param_importances(
                    self.study, target=lambda trial: sign * trial.values[place]
                )
            )


def _record(trial: FrozenTrial, goals: Goals) -> dict[str, Any]:
    values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(goals)
    about = trial.user_attrs.get("about", {})
    history = trial.system_attrs.get("retry_history", [])
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        **dict(zip(goals, values, strict=True)),
        "values": dict(trial.params),
        "settings": about.get("settings", {}),
        "metrics": about.get("metrics", {}),
        "diverged": bool(about.get("diverged")),
        "cpu_seconds": about.get("cpu_seconds"),
        "reports": {str(step): value for step, value in sorted(trial.intermediate_values.items())},
        "default": bool(trial.user_attrs.get("default")),
        "retry_of": history[-1] if history else None,
        "started": _milliseconds(trial.datetime_start),
        "ended": _milliseconds(trial.datetime_complete),
    }


def _milliseconds(moment: Any) -> int | None:
    return int(moment.timestamp() * 1000) if moment is not None else None
