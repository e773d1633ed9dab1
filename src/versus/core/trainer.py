"""The one training loop: when steps, hooks, evaluation, checkpoints and stopping happen.

What a step *is* belongs to the :class:`~versus.core.learner.Learner`. After ``kill -9`` at any
moment, the same call gives bitwise the state and the (key, step, value) series of a run that was
never disturbed, whatever the caller's global random state: a fresh training seeds it from the
seeds of the stack's runs, and a checkpoint holds the learner, hooks, counters, that state and the
size of the metric series, which is cut back to it. Ctrl+C and SIGTERM save one after the step.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from versus.core import checkpoint, interruption, seeding
from versus.core.errors import CheckpointError, TrainingError
from versus.core.hooks.base import Context, Hook
from versus.core.hooks.hookset import HookSet
from versus.core.learner import Learner, Metrics
from versus.core.paths import shown, write_json
from versus.core.runs import BaseComparison
from versus.core.sinks import JsonLines, Sink, all_covered


@dataclass
class Position:
    """Where training stands.

    Attributes:
        epoch: current epoch.
        step: steps done since training began.
        in_epoch: steps done in the current epoch.
        finished: whether the last epoch is over.
    """

    epoch: int = 0
    step: int = 0
    in_epoch: int = 0
    finished: bool = False


@dataclass(frozen=True)
class Rhythm:
    """How often what happens.

    Attributes:
        checkpoint_steps: steps between checkpoints; 0 = none inside an epoch.
        checkpoint_epochs: epochs between checkpoints; 0 = none for the epochs' sake.
        log_steps: steps between records of the training metrics; 0 = none.
        snapshot_epochs: epochs between snapshots.
    """

    checkpoint_steps: int = 50
    checkpoint_epochs: int = 0
    log_steps: int = 1
    snapshot_epochs: int = 10

    @classmethod
    def of(cls, settings: BaseComparison) -> "Rhythm":
        """What a comparison's settings ask for."""
        return cls(
            settings.checkpoint.every,
            settings.checkpoint.epochs,
            settings.log.every,
            settings.hooks.snapshot_every,
        )


class Trainer:
    """Trains one stack in one folder, resuming what is there.

    Args:
        learner: what trains, in its initial state.
        folder: working state of this stack: ``metrics.jsonl``, ``checkpoints/``.
        hooks: observers and interventions.
        sinks: projections of the metric series.
        rhythm: how often what happens.
        reference: weights of a solution, (S, P), for hooks that use it.
    """

    def __init__(
        self,
        learner: Learner,
        folder: Path,
        *,
        hooks: Sequence[Hook] = (),
        sinks: Sequence[Sink] = (),
        rhythm: Rhythm = Rhythm(),
        reference: Tensor | None = None,
    ) -> None:
        self.learner = learner
        self.folder = folder
        self.hooks = HookSet(hooks, learner, reference)
        self.sinks = sinks
        self.rhythm = rhythm
        self.position = Position()
        self._begun = [True] * len(learner.runs)  # which runs took part in the epoch
        self._past_costs: dict[str, Any] = {}
        self._context = Context(learner)

    def run(self) -> Metrics:
        """Train to the end, or restore a finished training; return the final evaluation.

        Raises:
            TrainingError: if every run of the stack has diverged before the end.
            CheckpointError: if the state cannot be saved, or belongs to other runs.
            KeyboardInterrupt: after saving, if Ctrl+C or SIGTERM asked to stop.
        """
        self._lines = JsonLines(self.folder / "metrics.jsonl")
        try:
            with seeding.preserved(), interruption.deferred() as self._request:
                self._resume()
                if not self.position.finished:
                    self._train()
                for sink in self.sinks:  # also after a kill between the last step and here
                    sink.close()
                return self.learner.evaluate()
        except BaseException:  # an interruption too; it goes on to the caller
            self._fire("on_exception")
            raise
        finally:
            self._lines.close()

    def costs(self) -> dict[str, Tensor | float]:
        """What the stack cost over all attempts, hooks included."""
        total = dict(self._past_costs)
        hooks = {f"hooks/{name}/seconds": seconds for name, seconds in self.hooks.seconds.items()}
        for name, value in {**self.learner.costs(), **hooks}.items():
            total[name] = total.get(name, 0) + value
        return total

    def _train(self) -> None:
        self._fire("on_train_start")
        if self.position.step == 0 and self.learner.total_epochs > 1:
            self._record(0, self._evaluate(0))
        for epoch in range(self.position.epoch, self.learner.total_epochs):
            if not self._goes_on():
                break
            if self.position.in_epoch == 0:
                self._begun = self.learner.active.tolist()
                self._fire("on_epoch_start")
            for batch in self._remaining_batches(epoch):
                self._step(batch)
            self._end_epoch()
        self._fire("on_train_end")
        self.position.finished = True
        self._save()

    def _goes_on(self) -> bool:
        """Whether a run is still in training.

        Raises:
            TrainingError: if all have diverged.
        """
        if bool(self.learner.active.any()):
            return True
        if bool(self.learner.diverged.all()):
            raise TrainingError(
                f"all {len(self.learner.runs)} runs of the stack have diverged by step "
                f"{self.position.step}; choose a smaller step size"
            )
        return False

    def _remaining_batches(self, epoch: int) -> Iterator[Any]:
        return itertools.islice(self.learner.batches(epoch), self.position.in_epoch, None)

    def _step(self, batch: Any) -> None:
        self._context.batch = batch
        self._fire("on_step_start")
        metrics = self.learner.train_step(batch)
        self.position.step += 1
        self.position.in_epoch += 1
        logged = self._fire("on_step_end", metrics)
        self._context.batch = None
        if _falls_on(self.position.step, self.rhythm.log_steps):
            logged = {**metrics, **logged}
        if logged:
            self._record(self.position.epoch, logged)
        self._goes_on()
        if self._request.made:
            self._save()
            raise KeyboardInterrupt
        if _falls_on(self.position.step, self.rhythm.checkpoint_steps):
            self._save()

    def _end_epoch(self) -> None:
        ended = self.position.epoch + 1
        snapshot = ended % self.rhythm.snapshot_epochs == 0
        last = ended == self.learner.total_epochs
        due = snapshot or last or ended % self.learner.evaluate_every == 0
        metrics = self._evaluate(ended) if due else {}
        logged = {**metrics, **self._fire("on_epoch_end", metrics)}
        if snapshot:
            logged |= self._fire("on_snapshot", metrics)
        if logged and self.learner.total_epochs > 1:  # one point is no series: it is final
            self._record(ended, logged)
        self.position.epoch += 1
        self.position.in_epoch = 0
        if _falls_on(ended, self.rhythm.checkpoint_epochs):
            self._save()

    def _evaluate(self, epochs: int) -> dict[str, Any]:
        """Measure, tell learner and hooks; return the metrics and what the hooks logged."""
        metrics = self.learner.evaluate()
        self.learner.evaluated(epochs, metrics)
        return {**metrics, **self._fire("on_evaluate_end", metrics)}

    def _fire(self, point: str, metrics: Metrics | None = None) -> dict[str, Any]:
        context = self._context
        context.epoch, context.step = self.position.epoch, self.position.step
        context.metrics = metrics or {}
        context.logged = {}
        self.hooks.fire(point, context)
        return context.logged

    def _record(self, epochs: int, metrics: Metrics) -> None:
        self._lines.write(self.position.step, epochs, self.learner.runs, metrics, self._begun)

    def _save(self) -> None:
        size = self._lines.commit()
        state = {
            "runs": [list(run) for run in self.learner.runs],
            "position": vars(self.position),
            "bytes": size,
            "begun": self._begun,
            "learner": self.learner.state_dict(),
            "hooks": self.hooks.state_dict(),
            "random": seeding.global_state(),
            "costs": self.costs(),
        }
        checkpoint.save(self.folder / "checkpoints", self.position.step, state)
        cursor = {"bytes": size, "finished": self.position.finished}
        write_json(self.folder / "cursor.json", cursor)
        all_covered(self.sinks)

    def _resume(self) -> None:
        state = checkpoint.load_latest(self.folder / "checkpoints")
        if state is None:
            self._lines.truncate(0)
            # Not by name: variants that are the same in all else draw the same.
            seeding.seed_global("trainer", *(run.seed for run in self.learner.runs))
            return
        members = [list(run) for run in self.learner.runs]
        if state["runs"] != members:
            raise CheckpointError(
                f"{shown(self.folder)}: its checkpoint belongs to {state['runs'][:3]}..., not to "
                f"{members[:3]}...; remove the folder to train anew"
            )
        self.position = Position(**state["position"])
        self._begun = state["begun"]
        try:
            self.learner.load_state_dict(state["learner"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{shown(self.folder)}: its checkpoint does not fit these settings ({error}); "
                "remove the folder to train anew"
            ) from error
        self._lines.truncate(state["bytes"])
        self.hooks.load_state_dict(state["hooks"])
        seeding.restore_global_state(state["random"])
        self._past_costs = state["costs"]


def _falls_on(count: int, interval: int) -> bool:
    return interval > 0 and count % interval == 0
