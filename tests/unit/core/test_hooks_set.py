"""When hooks are called, that they change nothing, and that a resume does not disturb them."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.contract import Interruption, StopAt, same
from tests.unit.core.hook_samples import (
    RUNS,
    TinyLearner,
    always,
    declared,
    generic_hooks,
    reference,
    taped,
    undeclared,
)
from versus.core import sinks
from versus.core.hooks.base import Context, Hook, HookSettings
from versus.core.hooks.library.gradients import Norms
from versus.core.hooks.library.groups import GENERIC_GROUPS
from versus.core.hooks.library.motion import PathLength
from versus.core.hooks.library.training import TrainingDiagnostics, TrainingMetrics
from versus.core.runs import RunKey
from versus.core.trainer import Rhythm, Trainer

counts = st.integers(1, 12)


def hooks(schedule: str) -> list[Hook]:
    """All generic hooks, by their own schedules, always, or in bursts."""
    if schedule == "own":
        return [hook() for hook in generic_hooks()]
    settings = {"always": {}, "bursts": {"every": 3, "burst": 2, "warmup": 1}}[schedule]
    return [always(hook, **settings) for hook in generic_hooks()]


def train(
    folder: Path, chosen: Sequence[Hook], runs: Sequence[RunKey] = RUNS, every: int = 2
) -> TinyLearner:
    learner = TinyLearner(runs)
    rhythm = Rhythm(every, snapshot_epochs=1)
    Trainer(learner, folder, hooks=chosen, rhythm=rhythm, reference=reference(runs)).run()
    return learner


@pytest.mark.parametrize("schedule", ["own", "always", "bursts"])
@pytest.mark.parametrize("runs", [RUNS, [RUNS[0], RunKey("brief", 1), RunKey("poisoned", 2)]])
def test_hooks_change_nothing(tmp_path: Path, schedule: str, runs: list[RunKey]) -> None:
    plain = train(tmp_path / "plain", [], runs)
    observed = train(tmp_path / "observed", hooks(schedule), runs)
    assert same(plain.state_dict(), observed.state_dict())
    values = dict.fromkeys(sinks.series(tmp_path / "observed" / "metrics.jsonl"))
    assert all(line in values for line in sinks.series(tmp_path / "plain" / "metrics.jsonl"))


@pytest.mark.parametrize("schedule", ["own", "always", "bursts"])
def test_a_resumed_run_gives_the_same_metrics_to_the_bit(tmp_path: Path, schedule: str) -> None:
    train(tmp_path / "whole", hooks(schedule))
    expected = sinks.series(tmp_path / "whole" / "metrics.jsonl")
    for step in (1, 4, 7, 10, 13, 16, 19):
        folder = tmp_path / str(step)
        with pytest.raises(Interruption):
            train(folder, [*hooks(schedule), StopAt(step)])
        torch.rand(step)
        train(folder, hooks(schedule))
        assert same(sinks.series(folder / "metrics.jsonl"), expected)


def test_every_metric_is_declared_and_every_declared_metric_appears(tmp_path: Path) -> None:
    often = {"training_diagnostics": {"update_every": 1}}
    train(tmp_path, [always(hook, **often.get(hook.name, {})) for hook in generic_hooks()])
    names = {name for _, _, name, _, _ in sinks.series(tmp_path / "metrics.jsonl")}
    ours = {name for name in names if not name.startswith(("train/", "test/"))}
    assert undeclared(ours, generic_hooks()) == []
    patterns = [pattern for hook in generic_hooks() for pattern in declared(hook)]
    assert [p for p in patterns if not any(re.fullmatch(p, name) for name in ours)] == []
    assert {name.partition("/")[0] for name in ours} == {hook.name for hook in generic_hooks()}


def test_groups_name_hooks_that_there_are() -> None:
    there = {hook.name: hook for hook in generic_hooks()}
    for names in GENERIC_GROUPS.values():
        assert set(names) <= set(there)
        assert len(set(names)) == len(names)
    assert not any(hook.intervenes for hook in there.values())
    assert "counterfactual_validator" not in GENERIC_GROUPS["full"]


def test_runs_that_have_stopped_have_no_metrics(tmp_path: Path) -> None:
    runs = [RUNS[0], RunKey("brief", 1), RunKey("poisoned", 2)]
    tape = taped(tmp_path, *hooks("always"), learner=TinyLearner(runs))
    for logged in [*tape.steps[5:], *tape.epochs[1:], *tape.snapshots[1:]]:
        assert all(bool(v[0].isfinite()) and bool(v[1:].isnan().all()) for v in logged.values())
    first = tape.epochs[0]
    assert bool(first["norms/total_norm"][1].isfinite())
    assert bool(first["norms/total_norm"][2].isnan())  # it diverged in the third of five steps


def test_a_finished_run_leaves_its_neighbours_metrics_alone(tmp_path: Path) -> None:
    alone = taped(tmp_path / "a", *hooks("always"))
    beside = taped(
        tmp_path / "b",
        *hooks("always"),
        learner=TinyLearner([RUNS[0], RunKey("poisoned", 1), RUNS[2]]),
    )
    for with_all, with_sick in zip(alone.epochs, beside.epochs, strict=True):
        for name, value in with_all.items():
            assert torch.allclose(value[[0, 2]], with_sick[name][[0, 2]], 1e-4, 1e-6, True), name


def test_a_hook_that_is_new_at_a_resume_begins_with_the_next_epoch(tmp_path: Path) -> None:
    train(tmp_path / "whole", hooks("always"))
    expected = sinks.series(tmp_path / "whole" / "metrics.jsonl")
    with pytest.raises(Interruption):
        train(tmp_path / "run", [TrainingMetrics(), StopAt(8)])
    train(tmp_path / "run", hooks("always"))
    found = [line for line in sinks.series(tmp_path / "run" / "metrics.jsonl") if line[3] > 10]
    delta = [line for line in found if line[2] == "parameter_delta/absolute_delta"]
    assert delta == [line for line in expected if line[3] > 10 and line[2] == delta[0][2]]
    assert not any(line[2].startswith("norms/") for line in found if line[3] <= 10)
    assert any(line[2].startswith("counterfactual/") for line in found)


# --- schedules ------------------------------------------------------------------------------------


@given(counts, counts, st.integers(0, 9), st.lists(st.tuples(counts, counts), max_size=2))
def test_schedule(every: int, burst: int, warmup: int, windows: list[tuple[int, int]]) -> None:
    spans = tuple((start, start + length) for start, length in windows)
    settings = HookSettings(every=every, burst=burst, warmup=warmup, windows=spans)
    expected = set()
    for start in range(warmup, 60, every):
        expected |= set(range(start, start + min(burst, every)))
    inside = set(range(60)) if not spans else {i for a, b in spans for i in range(a, b)}
    found = {index for index in range(60) if settings.due(index)}
    assert found == {index for index in expected & inside if index < 60}


class Calls(Hook):
    """Notes its calls."""

    name = "calls"

    def __init__(self, settings: HookSettings) -> None:
        super().__init__(settings)
        self.seen: list[tuple[str, int, int]] = []

    def on_epoch_start(self, context: Context) -> None:
        self.seen.append(("start", context.epoch, context.step))

    def on_step_end(self, context: Context) -> None:
        self.seen.append(("step", context.epoch, context.step))

    def on_epoch_end(self, context: Context) -> None:
        self.seen.append(("end", context.epoch, context.step))


class EpochCalls(Calls):
    """The same, counted in epochs."""

    unit = "epoch"


def test_unit_step_counts_steps_and_unit_epoch_epochs(tmp_path: Path) -> None:
    by_step = Calls(HookSettings(every=7, burst=2, warmup=1))
    by_epoch = EpochCalls(HookSettings(every=2, warmup=1))
    train(tmp_path, [by_step, by_epoch])
    steps = [step for kind, _, step in by_step.seen if kind == "step"]
    assert steps == [2, 3, 9, 10, 16, 17]  # counted when done; indices 1, 2, 8, 9, 15, 16
    assert [epoch for kind, epoch, _ in by_step.seen if kind == "end"] == [0, 1, 2, 3]
    assert {epoch for _, epoch, _ in by_epoch.seen} == {1, 3}
    assert len([1 for kind, _, _ in by_epoch.seen if kind == "step"]) == 10


def test_path_begins_anew_after_a_gap(tmp_path: Path) -> None:
    tape = taped(tmp_path, always(PathLength, windows=((0, 2), (3, 4))))
    assert "path_length/path_length" not in tape.epochs[2]
    steps = [(a - b).norm(dim=1) for a, b in zip(tape.after, tape.before, strict=True)]
    torch.testing.assert_close(tape.epochs[1]["path_length/path_length"], sum(steps[:10]))
    torch.testing.assert_close(tape.epochs[3]["path_length/path_length"], sum(steps[15:]))


def test_a_learner_without_weights_has_loss_metrics(tmp_path: Path) -> None:
    class Weightless(TinyLearner):
        def weights(self) -> None:  # type: ignore[override]
            return None

    chosen = [TrainingMetrics(), TrainingDiagnostics()]
    Trainer(Weightless(), tmp_path, hooks=chosen, rhythm=Rhythm(0)).run()
    names = {name for _, _, name, _, _ in sinks.series(tmp_path / "metrics.jsonl")}
    assert {"training_metrics/loss", "training_diagnostics/loss_std"} <= names
    assert "training_diagnostics/weight_norm" not in names


def test_a_matrix_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    class Forgetful(Norms):
        uses = frozenset()

    with pytest.raises(RuntimeError, match="epoch_gradient"):
        train(tmp_path, [Forgetful()])
