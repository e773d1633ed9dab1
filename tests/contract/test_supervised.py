"""The trainer's contract on a small supervised stack, and its death at every moment."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.contract.contract import LearnerContract, in_child, same
from tests.contract.faults import die_at, install
from tests.contract.supervised import LinearLearner
from versus.core import checkpoint, interruption, sinks
from versus.core.errors import CheckpointError
from versus.core.hooks.base import Context, Hook
from versus.core.runs import RunKey
from versus.core.trainer import Rhythm, Trainer

RUNS = [RunKey(v, s) for v in ("lr=0.1", "lr=0.5", "poisoned") for s in (0, 1)]


class TestLinearLearner(LearnerContract):
    """Two step sizes that work and a target that does not."""

    runs = RUNS
    poisoned = "poisoned"

    def make(self, runs: Sequence[RunKey], folder: Path) -> LinearLearner:
        # A stack draws dropout once per run; a single run draws from the same place in the series
        # only without it.
        stacked = list(runs) == RUNS
        return LinearLearner(runs, dropout=0.3 if stacked else 0.0)

    def test_divergence_is_masked_and_counted(self, tmp_path: Path) -> None:
        learner = LinearLearner(RUNS, dropout=0.0)
        Trainer(learner, tmp_path / "all").run()
        healthy = LinearLearner(RUNS[:4], dropout=0.0)
        Trainer(healthy, tmp_path / "healthy").run()
        assert torch.equal(learner.model["weight"][:4], healthy.model["weight"])
        assert learner.active.tolist() == [True] * 4 + [False] * 2

    def overfit(self, folder: Path) -> float:
        learner = LinearLearner([RunKey("lr=3", 0)], epochs=60, dropout=0.0)
        start = float(learner.evaluate()["val/distance"])
        batch = next(iter(learner.batches(0)))
        for _ in range(400):
            learner.train_step(batch)
        return float(learner.evaluate()["val/distance"]) / start


def _train_and_die(folder: Path, moment: int) -> None:
    install(die_at(moment), databases=False)
    Trainer(LinearLearner(RUNS), folder, rhythm=Rhythm(4)).run()
    os._exit(0)


def test_killed_at_any_disk_access_it_resumes_bitwise(tmp_path: Path) -> None:
    whole = LinearLearner(RUNS)
    Trainer(whole, tmp_path / "whole", rhythm=Rhythm(4)).run()
    expected = sinks.series(tmp_path / "whole" / "metrics.jsonl")
    killed = 0
    for moment in range(1, 60):
        folder = tmp_path / str(moment)
        code = in_child(lambda folder=folder, moment=moment: _train_and_die(folder, moment))  # type: ignore[misc]
        if code == 0:
            break
        killed += 1
        learner = LinearLearner(RUNS)
        Trainer(learner, folder, rhythm=Rhythm(4)).run()
        assert same(learner.state_dict(), whole.state_dict())
        assert sinks.series(folder / "metrics.jsonl") == expected
    assert killed >= 20


def test_torn_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = LinearLearner(RUNS)
    Trainer(whole, tmp_path, rhythm=Rhythm(4)).run()
    newest = sorted((tmp_path / "checkpoints").glob("*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    learner = LinearLearner(RUNS)
    Trainer(learner, tmp_path, rhythm=Rhythm(4)).run()
    assert same(learner.state_dict(), whole.state_dict())


def test_checkpoint_of_other_runs_is_refused(tmp_path: Path) -> None:
    Trainer(LinearLearner(RUNS[:2]), tmp_path).run()
    with pytest.raises(CheckpointError, match="belongs to"):
        Trainer(LinearLearner(RUNS[2:4]), tmp_path).run()


def test_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def full(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        save_file(*args, **kwargs)

    monkeypatch.setattr("versus.core.checkpoint.save_file", full)
    with pytest.raises(CheckpointError, match="No space left"):
        Trainer(LinearLearner(RUNS), tmp_path / "a", rhythm=Rhythm(4)).run()
    assert len(list((tmp_path / "a").rglob("*.safetensors"))) == 2
    resumed = LinearLearner(RUNS)
    Trainer(resumed, tmp_path / "a", rhythm=Rhythm(4)).run()
    monkeypatch.undo()
    whole = LinearLearner(RUNS)
    Trainer(whole, tmp_path / "b", rhythm=Rhythm(4)).run()
    assert same(resumed.state_dict(), whole.state_dict())


class Recorder(Hook):
    """Notes the order of the points."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_train_start(self, context: Context) -> None:
        self.calls.append("train_start")

    def on_epoch_start(self, context: Context) -> None:
        self.calls.append("epoch_start")

    def on_step_end(self, context: Context) -> None:
        gradient = next(iter(context.learner.modules()["model"].parameters())).grad
        assert gradient is not None
        assert gradient.abs().sum() > 0
        context.log({"hook/gradient_norm": gradient.norm()})
        self.calls.append("step_end")

    def on_evaluate_end(self, context: Context) -> None:
        self.calls.append("evaluate_end")
        assert "val/distance" in context.metrics

    def on_epoch_end(self, context: Context) -> None:
        assert "val/distance" in context.metrics
        self.calls.append("epoch_end")

    def on_snapshot(self, context: Context) -> None:
        self.calls.append("snapshot")

    def on_train_end(self, context: Context) -> None:
        self.calls.append("train_end")


def test_hooks_fire_in_order_and_see_gradients(tmp_path: Path) -> None:
    recorder = Recorder()
    learner = LinearLearner(RUNS[:2], epochs=2)
    Trainer(learner, tmp_path, hooks=[recorder], rhythm=Rhythm(snapshot_epochs=2)).run()
    epoch = ["epoch_start", *["step_end"] * 6, "evaluate_end", "epoch_end"]
    calls = ["train_start", "evaluate_end", *epoch, *epoch, "snapshot", "train_end"]
    assert recorder.calls == calls
    keys = {key for _, _, key, _, _ in sinks.series(tmp_path / "metrics.jsonl")}
    assert keys == {"train/loss", "hook/gradient_norm", "val/distance"}


class Booster(Hook):
    """Intervenes: draws from the global generator and keeps the change."""

    intervenes = True

    def on_step_start(self, context: Context) -> None:
        torch.rand(1)


def test_an_intervention_is_not_undone(tmp_path: Path) -> None:
    plain = LinearLearner(RUNS)
    Trainer(plain, tmp_path / "a").run()
    changed = LinearLearner(RUNS)
    Trainer(changed, tmp_path / "b", hooks=[Booster()]).run()
    assert not torch.equal(plain.model["weight"], changed.model["weight"])


def test_a_kill_before_the_sinks_are_closed_loses_no_table(tmp_path: Path) -> None:
    sink = sinks.CsvSink(tmp_path / "metrics.jsonl")
    Trainer(LinearLearner(RUNS), tmp_path, sinks=[sink]).run()
    table = tmp_path / "metrics_by_step.csv"
    written = table.read_bytes()
    table.unlink()
    Trainer(LinearLearner(RUNS), tmp_path, sinks=[sink]).run()
    assert table.read_bytes() == written


class Signaller(Hook):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def on_step_start(self, context: Context) -> None:
        if context.step == self.step - 1:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 6, 8, 18])
def test_a_signal_saves_the_step_that_is_under_way(tmp_path: Path, number: int, step: int) -> None:
    whole = LinearLearner(RUNS)
    Trainer(whole, tmp_path / "whole", rhythm=Rhythm(0)).run()
    hooks = [Signaller(number, step)]
    stopped = Trainer(LinearLearner(RUNS), tmp_path / "a", hooks=hooks, rhythm=Rhythm(0))
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    state = checkpoint.load_latest(tmp_path / "a" / "checkpoints")
    assert state is not None
    assert state["position"]["step"] == step
    resumed = LinearLearner(RUNS)
    Trainer(resumed, tmp_path / "a", rhythm=Rhythm(0)).run()
    assert same(resumed.state_dict(), whole.state_dict())
    lines = (sinks.series(tmp_path / name / "metrics.jsonl") for name in ("a", "whole"))
    assert same(*lines)
    assert not isinstance(signal.getsignal(number), interruption.Request)
