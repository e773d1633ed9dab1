"""Spaces become overrides and back; studies survive dead workers and repeat themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import Trial, TrialState
from pydantic import ValidationError

from versus.core.errors import ConfigError
from versus.core.search import pictures, results
from versus.core.search.sampling import PositionSampler
from versus.core.search.space import (
    Direction,
    Search,
    Values,
    settings_of,
    tree_of,
    values_of,
)
from versus.core.search.storage import StudyStore
from versus.core.search.study import Pruned, Reporter, mean_of

SPACE: dict[str, Any] = {
    "rule": {"key": "model.updater", "choices": ["Delta", "Omega", "RLS"]},
    "c": {
        "key": "model.window",
        "low": 2,
        "high": 64,
        "integer": True,
        "log": True,
        "when": {"rule": ["Omega", "RLS"]},
    },
    "step": {
        "key": "model.lr",
        "low": 0.01,
        "high": 1.0,
        "log": True,
        "divided_by": "c",
        "when": {"rule": ["Delta", "Omega"]},
    },
    "decay": {
        "key": "model.reg",
        "choices": [0.0, 0.01],
        "divided_by": "step",
        "when": {"rule": ["Delta", "Omega"]},
    },
    "ridge": {"key": "model.reg", "low": 0.001, "high": 10.0, "when": {"rule": ["RLS"]}},
}
ONE: dict[str, Direction] = {"score": "minimize"}


pytestmark = pytest.mark.usefixtures("optuna_warnings_tolerated")


def searched(**changes: Any) -> Search:
    return Search.model_validate({"space": SPACE, "startup": 3, **changes})


def score(trial: Trial, values: Values) -> float:
    """Smallest for Omega with a step near 0.3."""
    offset = {"Omega": 0.0, "RLS": 0.5, "Delta": 1.0}[values["rule"]]
    return offset + abs(float(values.get("step", 0.5)) - 0.3)


def store_in(folder: Path, **changes: Any) -> StudyStore:
    url = f"sqlite:///{folder}/optuna.db"
    return StudyStore("a", url, folder, searched(**changes), ONE, "identity")


def nothing() -> None:
    """Done after a trial."""


def outcome(store: StudyStore) -> list[tuple[Any, ...]]:
    counted = [record for record in store.records() if record["state"] != "fail"]
    return [(record["state"], record["values"], record["score"]) for record in counted]


# --- spaces


def test_settings_are_divided_by_what_was_set_before() -> None:
    space = searched().space
    values = {"rule": "Omega", "c": 8, "step": 0.4, "decay": 0.01}
    settings = settings_of(space, values)
    assert settings == {
        "model.updater": "Omega",
        "model.window": 8,
        "model.lr": 0.05,
        "model.reg": pytest.approx(0.2),
    }
    assert tree_of(settings)["model"]["lr"] == 0.05
    assert settings_of(space, {"rule": "Delta", "step": 0.4})["model.lr"] == 0.4


@given(
    rule=st.sampled_from(["Delta", "Omega", "RLS"]),
    c=st.integers(2, 64),
    step=st.floats(0.02, 0.9),
    decay=st.sampled_from([0.0, 0.01]),
    ridge=st.floats(0.002, 9.0),
)
def test_values_come_back_from_the_settings(
    rule: str, c: int, step: float, decay: float, ridge: float
) -> None:
    space = searched().space
    every: Values = {"rule": rule, "c": c, "step": step, "decay": decay, "ridge": ridge}
    used = {"Delta": ("rule", "step", "decay"), "RLS": ("rule", "c", "ridge")}
    values = {name: every[name] for name in used.get(rule, ("rule", "c", "step", "decay"))}
    defaults = {"model.window": 20, "model.lr": 0.01, "model.reg": 0.0}
    back = values_of(space, {**defaults, **settings_of(space, values)})
    assert {k: pytest.approx(v) if isinstance(v, float) else v for k, v in values.items()} == back


def test_settings_outside_of_the_space_have_no_values() -> None:
    space = searched().space
    settings = {"model.updater": "Delta", "model.lr": 0.001, "model.reg": 0.0, "model.window": 3}
    assert values_of(space, settings) is None
    assert values_of(space, {**settings, "model.updater": "Titans"}) is None


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        ({"key": "model.lr"}, "needs choices, or low and high"),
        ({"key": "model.lr", "low": 1.0, "high": 0.1}, "low < high"),
        ({"key": "model.lr", "low": 0.0, "high": 0.1, "log": True}, "above 0"),
        ({"key": "model.lr", "low": 0.0, "high": 0.1, "choices": [1]}, "not both"),
        ({"key": "model.lr", "choices": [1], "divided_by": "c"}, "no dimension before it"),
        ({"key": "model.lr", "choices": [1], "when": {"rule": ["Titans"]}}, "never takes"),
    ],
)
def test_impossible_dimensions_are_refused(dimension: Any, message: str) -> None:
    space = {"rule": SPACE["rule"], "x": dimension}
    with pytest.raises(ValidationError, match=message):
        Search.model_validate({"space": space})


# --- studies


def test_one_worker_repeats_itself_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = store_in(tmp_path / "a")
    whole.work(14, score, nothing)
    for wanted in (5, 9, 14):
        parts = store_in(tmp_path / "b")
        parts.work(wanted, score, nothing)
    assert outcome(parts) == outcome(whole)
    assert len(outcome(whole)) == 14
    assert min(s for _, _, s in outcome(whole)) < 0.1
    assert len({repr(v) for _, v, _ in outcome(whole)}) > 10


def test_a_trial_of_a_dead_worker_is_tried_again_at_once(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = store_in(tmp_path / "whole")
    whole.work(8, score, nothing)
    first = store_in(tmp_path)
    first.work(5, score, nothing)
    lost = first.study.ask()  # a worker that dies after its first draw
    lost.suggest_categorical("rule", SPACE["rule"]["choices"])
    lost.set_user_attr("worker", "gone")
    (tmp_path / "workers" / "gone.lock").touch()
    second = store_in(tmp_path)
    second.work(8, score, nothing)
    assert outcome(second) == outcome(whole)
    assert [t.state for t in second.study.trials].count(TrialState.FAIL) == 1
    assert second.records()[6]["retry_of"] == 5


def test_a_living_worker_keeps_its_trial(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    trial = store.study.ask()
    trial.set_user_attr("worker", "busy")
    with FileLock(tmp_path / "workers" / "busy.lock"):
        other = store_in(tmp_path)
        assert other._take(1, score, "me") == 1
        assert [t.state for t in other.study.trials] == [TrialState.RUNNING]


def test_an_error_fails_the_trial_and_the_next_one_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = store_in(tmp_path / "whole")
    whole.work(6, score, nothing)
    store = store_in(tmp_path)

    def breaking(trial: Trial, values: Values) -> float:
        if trial.number == 3:
            raise KeyboardInterrupt
        return score(trial, values)

    with pytest.raises(KeyboardInterrupt):
        store.work(6, breaking, nothing)
    store.work(6, score, nothing)
    assert outcome(store) == outcome(whole)


def test_a_study_about_other_things_is_refused(tmp_path: Path) -> None:
    store_in(tmp_path)
    url = f"sqlite:///{tmp_path}/optuna.db"
    with pytest.raises(ConfigError, match=r"--study: 'a' in sqlite.*another name"):
        StudyStore("a", url, tmp_path, searched(), ONE, "other")


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://me:secret@127.0.0.1:9/none", "sqlite:////no/such/place/o.db"]
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(ConfigError, match="--storage: ") as caught:
        StudyStore("a", url, tmp_path, searched(), ONE, "identity")
    assert "secret" not in str(caught.value)


def test_the_default_is_tried_first_and_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    default = {"model.updater": "Delta", "model.lr": 0.25, "model.reg": 0.04, "model.window": 20}
    assert store.offer(default)
    assert store.offer(default)
    store.work(3, score, nothing)
    records = store.records()
    assert [record["default"] for record in records] == [True, False, False]
    assert records[0]["values"] == {"rule": "Delta", "step": 0.25, "decay": 0.01}
    assert not store.offer({**default, "model.lr": 7.0})


def test_pruned_trials_count_and_have_no_score(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    def pruning(trial: Trial, values: Values) -> float:
        if trial.number % 2:
            raise Pruned("behind")
        return score(trial, values)

    store.work(6, pruning, nothing)
    records = store.records()
    assert results.finished(records) == 6
    assert [record["score"] is None for record in records] == [False, True] * 3
    (best,) = results.best_of(records, ONE)
    assert best["score"] == min(record["score"] for record in records[::2])


def test_the_sampler_leaves_no_two_dimensions_with_one_stream_of_numbers() -> None:
    study = optuna.create_study(sampler=PositionSampler(0, 5))
    trial = study.ask()
    drawn = [trial.suggest_float(name, 0.0, 1.0) for name in "abcd"]
    assert len(set(drawn)) == 4


# --- reports


class Told:
    """A trial that writes down what it is told, and is pruned at a given report."""

    def __init__(self, stop: int = -1) -> None:
        self.reports: list[tuple[float, int]] = []
        self.stop = stop

    def report(self, value: float, step: int) -> None:
        self.reports.append((value, step))

    def should_prune(self) -> bool:
        return len(self.reports) == self.stop


class Once:
    """Enough of a learner with one epoch of 40 steps."""

    total_epochs, total_steps = 1, 40


def test_the_running_mean_is_reported_at_most_twenty_times() -> None:
    from versus.core.hooks.base import Context

    told = Told()
    reporter = Reporter(told, ("loss",), "minimize")  # type: ignore[arg-type]
    for step in range(1, 41):
        reporter.on_step_end(Context(Once(), step=step, metrics={"loss": float(step)}))  # type: ignore[arg-type]
    assert told.reports == [(sum(range(1, s + 1)) / s, i) for i, s in enumerate(range(2, 41, 2))]
    again = Told()
    resumed = Reporter(again, ("loss",), "minimize")  # type: ignore[arg-type]
    resumed.load_state_dict(reporter.state_dict())
    assert again.reports == told.reports


def test_a_trial_behind_the_others_stops() -> None:
    from versus.core.hooks.base import Context

    reporter = Reporter(Told(stop=2), ("loss",), "minimize")  # type: ignore[arg-type]
    contexts = [Context(Once(), step=step, metrics={"loss": 1.0}) for step in range(1, 5)]  # type: ignore[arg-type]
    for context in contexts[:3]:
        reporter.on_step_end(context)
    with pytest.raises(Pruned, match="report 2"):
        reporter.on_step_end(contexts[3])


def test_an_unknown_objective_lists_the_known_metrics() -> None:
    with pytest.raises(ConfigError, match=r"no metric is called 'nmes'; there are nmse, recall"):
        mean_of("nmes", [{"nmse": 1.0, "recall": 2.0}])


# --- pictures


def test_pictures_show_trials_that_use_different_dimensions(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.work(12, score, nothing)
    records = store.records()
    table, space = results.table_of(records, ONE), searched().space
    best = results.best_of(records, ONE)
    assert len(best) == 1
    sliced = pictures.slices(table, space, best, "score")
    assert [ax.get_xlabel() for ax in sliced.axes[:2]] == ["rule", "c"]
    lines = pictures.parallel(table, space, ONE).axes[0].get_lines()
    assert len(lines) == 12
    heights = [float(np.asarray(line.get_ydata())[1]) for line in lines]
    unused = sum(record["values"]["rule"] == "Delta" for record in records)
    assert heights.count(pictures.NOT_IN_USE) == unused
    bars = pictures.importance(store.importances()).axes[0].patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(1.0)  # type: ignore[attr-defined]
