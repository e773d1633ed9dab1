"""Studies with two goals: the front, the same trials after kills, variants, and what is drawn."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import Trial, TrialState
from pydantic import ValidationError

from versus.core import pareto
from versus.core.hooks.base import Context
from versus.core.paths import write_json
from versus.core.search import front, pictures, results
from versus.core.search.sending import StudySender
from versus.core.search.space import Direction, Search, Values
from versus.core.search.storage import StudyStore
from versus.core.search.study import Pruned, Reporter

OBJECTIVES: dict[str, Direction] = {"val/accuracy": "maximize", "val/passes": "minimize"}
SPACE: dict[str, Any] = {
    "policy": {"key": "model.kind", "choices": ["learned", "rule"]},
    "price": {"key": "train.price", "low": 0.01, "high": 1.0, "when": {"policy": ["learned"]}},
    "count": {
        "key": "model.count",
        "low": 1,
        "high": 9,
        "integer": True,
        "when": {"policy": ["rule"]},
    },
}
SEARCH = Search.model_validate({"space": SPACE, "startup": 4, "objectives": OBJECTIVES})


pytestmark = pytest.mark.usefixtures("optuna_warnings_tolerated")


def measured(trial: Trial, values: Values) -> list[float]:
    """Few passes cost accuracy; the learned policy is a little better."""
    learned = values["policy"] == "learned"
    passes = 1 / math.sqrt(values["price"]) if learned else 10 - float(values["count"])
    return [1 - 1 / (1 + passes) + 0.05 * learned, passes]


def store_in(folder: Path) -> StudyStore:
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder}/optuna.db"
    return StudyStore("a", url, folder, SEARCH, OBJECTIVES, "identity")


def nothing() -> None:
    """Done after a trial."""


def outcome(store: StudyStore) -> list[tuple[Any, ...]]:
    counted = [record for record in store.records() if record["state"] != "fail"]
    return [(r["state"], r["values"], *(r[goal] for goal in OBJECTIVES)) for r in counted]


def record(number: int, y: float, x: float, **changes: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": "complete",
        "val/accuracy": y,
        "val/passes": x,
        "values": {"policy": "rule", "count": number},
        "settings": {"model.kind": "rule"},
        "default": False,
        **changes,
    }


# --- fronts

POINTS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), max_size=14)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


@given(POINTS)
def test_a_front_is_what_comparing_all_pairs_leaves(points: list[tuple[float, float]]) -> None:
    unbeaten = {one for one in points if not any(beats(other, one) for other in points)}
    found = pareto.front(points)
    assert found == [points.index(one) for one in sorted(unbeaten)]


@given(POINTS, st.sampled_from(list(itertools.product(["minimize", "maximize"], repeat=2))))
def test_directions_turn_the_front(
    points: list[tuple[float, float]], directions: tuple[Direction, Direction]
) -> None:
    goals = dict(zip(OBJECTIVES, directions, strict=True))
    records = [record(number, *point) for number, point in enumerate(points)]
    signs = [1 if direction == "minimize" else -1 for direction in directions]
    turned = [(y * signs[0], x * signs[1]) for y, x in points]
    unbeaten = {one for one in turned if not any(beats(other, one) for other in turned)}
    best = results.best_of(records, goals)
    assert {one["number"] for one in best} == {turned.index(one) for one in unbeaten}
    passes = [signs[1] * one["val/passes"] for one in best]
    assert passes == sorted(passes)


def test_a_front_is_that_of_optuna(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.work(12, measured, nothing)
    ours = {one["number"] for one in results.best_of(store.records(), OBJECTIVES)}
    values = {tuple(trial.values): trial.number for trial in reversed(store.study.best_trials)}
    assert ours == set(values.values())


def test_a_long_front_offers_eight_evenly_spread_and_both_ends() -> None:
    best = [record(n, 0.1 * n, n, default=n == 7) for n in range(1, 16)]
    variants = results.named(best, OBJECTIVES)
    names = [*(f"front-{n}" for n in (1, 2, 3)), "default", *(f"front-{n}" for n in (5, 6, 7, 8))]
    assert list(variants) == names
    numbers = [one["number"] for one in variants.values()]
    assert numbers == [1, 3, 5, 7, 9, 11, 13, 15]
    assert len(results.named(best[:3], OBJECTIVES)) == 3


# --- studies


def test_a_study_goes_on_where_it_stopped_and_after_a_dead_worker(tmp_path: Path) -> None:
    whole, parts = store_in(tmp_path / "whole"), store_in(tmp_path / "parts")
    whole.work(12, measured, nothing)
    parts.work(6, measured, nothing)
    lost = parts.study.ask()
    lost.suggest_categorical("policy", SPACE["policy"]["choices"])
    lost.set_user_attr("worker", "gone")
    (tmp_path / "parts" / "workers" / "gone.lock").touch()
    again = store_in(tmp_path / "parts")
    again.work(12, measured, nothing)
    assert outcome(again) == outcome(whole)
    assert [trial.state for trial in again.study.trials].count(TrialState.FAIL) == 1


def test_a_diverged_trial_counts_and_is_on_no_front(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    def breaking(trial: Trial, values: Values) -> list[float]:
        if trial.number == 2:
            raise Pruned("diverged on a tuning seed")
        return measured(trial, values)

    store.work(6, breaking, nothing)
    records = store.records()
    assert [one["state"] for one in records].count("pruned") == 1
    assert records[2]["val/passes"] is None
    assert 2 not in {one["number"] for one in results.best_of(records, OBJECTIVES)}
    assert isinstance(store.study.pruner, optuna.pruners.NopPruner)


def test_two_objectives_are_not_reported_as_they_go() -> None:
    class Loud:
        """A learner of several epochs, or of one."""

        total_steps = 4

        def __init__(self, epochs: int) -> None:
            self.total_epochs = epochs

    reporter = Reporter(object(), tuple(OBJECTIVES), None)  # type: ignore[arg-type]
    metrics = dict.fromkeys(OBJECTIVES, 1.0)
    reporter.on_step_end(Context(Loud(1), step=1, metrics=metrics))  # type: ignore[arg-type]
    reporter.on_evaluate_end(Context(Loud(2), step=1, metrics=metrics))  # type: ignore[arg-type]
    assert reporter.told == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": {"loss": "minimize"}}, "two or none .*received 1: loss"),
        ({"objectives": {**OBJECTIVES, "loss": "minimize"}}, "received 3"),
        ({"metrics": ["loss"]}, "give one of them, received loss and val/accuracy, val/passes"),
        ({"objectives": {"loss": "down", "passes": "minimize"}}, "'minimize' or 'maximize'"),
    ],
)
def test_impossible_objectives_are_refused(changes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Search.model_validate({"objectives": OBJECTIVES, **changes})


# --- pictures, lines and MLflow


def test_the_picture_shows_every_trial_the_front_and_the_default() -> None:
    records = [
        record(0, 0.5, 3.0, default=True),
        record(1, 0.6, 4.0),
        record(2, 0.4, 1.0, values={"policy": "learned", "price": 0.1}),
        record(3, 0.3, 5.0),
        {**record(4, 0.0, 0.0), "state": "pruned", "val/accuracy": None, "val/passes": None},
    ]
    best = results.best_of(records, OBJECTIVES)
    variants = results.named(best, OBJECTIVES)
    (ax,) = front.draw(records, best, variants, SEARCH.space, OBJECTIVES).axes
    lines = {str(line.get_label()): line for line in ax.get_lines()}
    assert set(lines) == {"policy learned", "policy rule", "front", "the default"}
    assert len(lines["policy rule"].get_xydata()) == 3  # type: ignore[arg-type]
    assert lines["front"].get_xydata().tolist() == [[1.0, 0.4], [3.0, 0.5], [4.0, 0.6]]  # type: ignore[union-attr]
    assert [text.get_text() for text in ax.texts] == ["front-1", "default", "front-3"]
    assert ax.get_xlabel() == "val/passes (lower is better)"
    assert ax.get_ylabel() == "val/accuracy (higher is better)"


def test_pictures_have_a_panel_or_an_axis_for_every_goal(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.work(10, measured, nothing)
    records = store.records()
    table, best = results.table_of(records, OBJECTIVES), results.best_of(records, OBJECTIVES)
    (ax,) = pictures.parallel(table, SEARCH.space, OBJECTIVES).axes
    assert [text.get_text() for text in ax.get_xticklabels()] == [*SPACE, *OBJECTIVES]
    titles = [ax.get_title() for ax in pictures.importance(store.importances()).axes]
    assert titles == list(OBJECTIVES)
    sliced = pictures.slices(table, SEARCH.space, best, "val/passes")
    assert sliced.axes[0].get_ylabel() == "val/passes on the tuning seeds"


def test_a_line_tells_both_goals_and_the_front() -> None:
    records = [record(n, 0.5 + 0.1 * n, 1 + n, ended=n, diverged=False) for n in range(2)]
    told = results.describe_last(records, OBJECTIVES)
    assert told.startswith("trial 1: val/accuracy 0.6, val/passes 2 (Pareto front: trial 0, 1)")


def test_mlflow_is_told_both_goals_and_every_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    goals = list(OBJECTIVES.items())
    write_json(tmp_path / "study.json", {"experiment": "reoac", "goals": goals})
    sender = StudySender(tmp_path)
    about = {"ended": 5, "cpu_seconds": 2.0, "reports": {}}
    reached: dict[str, Any] = {"val/accuracy": 0.5, "val/passes": 3.0}
    whole = record(1, 0.5, 3.0, metrics=reached, **about)
    points = {point.name: point.value for point in sender._points(whole)}
    assert points == {**reached, "cpu_seconds": 2.0}
    nothing_reached: dict[str, Any] = dict.fromkeys(OBJECTIVES)
    failed = {**whole, **nothing_reached, "state": "fail", "metrics": {}}
    assert [point.name for point in sender._points(failed)] == ["cpu_seconds"]
    told = sender._description([whole, record(2, 0.6, 4.0)])
    assert told.startswith("Pareto front of 2 trials on the tuning seeds\n\nfront-1: **val/acc")
    assert "front-2: **val/accuracy 0.6, val/passes 4**, trial 2" in told
