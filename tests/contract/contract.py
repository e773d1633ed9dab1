"""What every learner must satisfy, written once. Subclass it and give ``make``."""

import multiprocessing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from versus.core import checkpoint, sinks
from versus.core.errors import TrainingError
from versus.core.hooks.base import Context, Hook
from versus.core.learner import Learner
from versus.core.runs import RunKey
from versus.core.sinks import per_run
from versus.core.trainer import Rhythm, Trainer


class Interruption(Exception):
    """Stands for a kill: nothing after it runs."""


class StopAt(Hook):
    """Interrupts training after a given step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, context: Context) -> None:
        if context.step == self.step:
            raise Interruption


class Drawer(Hook):
    """An observer that draws random numbers and looks at everything."""

    def __init__(self) -> None:
        self.calls = 0

    def on_step_end(self, context: Context) -> None:
        self.calls += 1
        torch.rand(3)
        for module in context.learner.modules().values():
            sum(parameter.sum() for parameter in module.parameters())

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Any) -> None:
        self.calls = state["calls"]


class LearnerContract(ABC):
    """Inherited by every experiment's tests."""

    runs: ClassVar[Sequence[RunKey]]
    """A stack of at least two variants and two seeds."""
    poisoned: ClassVar[str] = ""
    """Name of a variant in ``runs`` that diverges while the others do not."""
    tolerance: ClassVar[float] = 1e-5

    @abstractmethod
    def make(self, runs: Sequence[RunKey], folder: Path) -> Learner:
        """A fresh learner of these runs."""

    @abstractmethod
    def overfit(self, folder: Path) -> float:
        """Final relative error on one small batch that the learner can fit, 1 = learnt nothing."""

    def train(self, runs: Sequence[RunKey], folder: Path, *hooks: Hook, every: int = 2) -> Trainer:
        trainer = Trainer(
            self.make(runs, folder), folder / "run", hooks=hooks, rhythm=Rhythm(every)
        )
        trainer.run()
        return trainer

    def outcome(self, trainer: Trainer) -> tuple[Any, Any]:
        """State and series: everything but times."""
        return trainer.learner.state_dict(), sinks.series(trainer.folder / "metrics.jsonl")

    def assert_same(self, a: Trainer, b: Trainer) -> None:
        (state_a, series_a), (state_b, series_b) = self.outcome(a), self.outcome(b)
        assert same(state_a, state_b)
        assert same(series_a, series_b)
        assert series_a

    def test_same_seed_twice_is_identical(self, tmp_path: Path) -> None:
        self.assert_same(
            self.train(self.runs, tmp_path / "a"), self.train(self.runs, tmp_path / "b")
        )

    def test_resume_equals_uninterrupted(self, tmp_path: Path) -> None:
        whole = self.train(self.runs, tmp_path / "whole", Drawer())
        for step in range(1, whole.position.step + 1):
            folder = tmp_path / str(step)
            with pytest.raises(Interruption):
                self.train(self.runs, folder, Drawer(), StopAt(step))
            torch.rand(step)  # a new process has another global random state
            resumed = Trainer(self.make(self.runs, folder), folder / "run", hooks=[Drawer()])
            resumed.run()
            self.assert_same(whole, resumed)
            assert resumed.hooks.hooks[0].state_dict() == whole.hooks.hooks[0].state_dict()

    def test_finished_training_is_only_restored(self, tmp_path: Path) -> None:
        first = self.train(self.runs, tmp_path)
        drawer = Drawer()
        again = self.train(self.runs, tmp_path, drawer)
        self.assert_same(first, again)
        assert drawer.calls == 0

    def test_stacked_run_equals_its_single_run(self, tmp_path: Path) -> None:
        healthy = [run for run in self.runs if run.variant != self.poisoned]
        stacked = self.finals(healthy, tmp_path / "stack")
        for run in healthy:
            alone = self.finals([run], tmp_path / f"{run.variant}-{run.seed}")[run]
            assert alone == pytest.approx(stacked[run], rel=self.tolerance, nan_ok=True)

    def finals(self, runs: Sequence[RunKey], folder: Path) -> dict[RunKey, dict[str, float]]:
        learner = self.train(runs, folder).learner
        return dict(zip(learner.runs, per_run(learner.evaluate(), learner.runs), strict=True))

    def test_observers_change_nothing(self, tmp_path: Path) -> None:
        self.assert_same(
            self.train(self.runs, tmp_path / "a"), self.train(self.runs, tmp_path / "b", Drawer())
        )

    def test_state_survives_save_and_load(self, tmp_path: Path) -> None:
        trained = self.train(self.runs, tmp_path).learner
        path = checkpoint.save(tmp_path / "copy", 1, {"learner": trained.state_dict()})
        fresh = self.make(self.runs, tmp_path)
        fresh.load_state_dict(checkpoint.load(path)["learner"])
        assert same(fresh.state_dict(), trained.state_dict())
        assert same(dict(fresh.evaluate()), dict(trained.evaluate()))

    def test_small_batch_can_be_overfitted(self, tmp_path: Path) -> None:
        assert self.overfit(tmp_path) < 0.05

    def test_divergence_is_masked_and_counted(self, tmp_path: Path) -> None:
        if not self.poisoned:
            pytest.skip("no variant of this stack diverges")
        healthy = [run for run in self.runs if run.variant != self.poisoned]
        with_poison = self.finals(self.runs, tmp_path / "all")
        without = self.finals(healthy, tmp_path / "healthy")
        for run in healthy:
            assert with_poison[run] == pytest.approx(without[run], rel=self.tolerance)
        sick = [run for run in self.runs if run.variant == self.poisoned]
        assert all(max(with_poison[run].values()) == float("inf") for run in sick)

    def test_training_fails_only_when_all_have_diverged(self, tmp_path: Path) -> None:
        if not self.poisoned:
            pytest.skip("no variant of this stack diverges")
        sick = [run for run in self.runs if run.variant == self.poisoned]
        with pytest.raises(TrainingError, match="diverged"):
            self.train(sick, tmp_path)

    def test_metrics_are_finite_and_grouped(self, tmp_path: Path) -> None:
        healthy = [run for run in self.runs if run.variant != self.poisoned]
        trainer = self.train(healthy, tmp_path)
        series = sinks.series(trainer.folder / "metrics.jsonl")
        assert all(value is not None for *_, value in series)
        assert all(key.count("/") == 1 for _, _, key, _, _ in series)


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal to the bit (NaN equals NaN)."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and _bits(a) == _bits(b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def _bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.detach().reshape(-1).view(torch.uint8).numpy().tobytes())


def in_child(function: Callable[[], None]) -> int:
    """Run ``function`` in a forked child; return its exit code."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join()
    return process.exitcode if process.exitcode is not None else -1
