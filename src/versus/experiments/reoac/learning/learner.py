"""The learner: roll-outs of the present policy, and updates of actor, critic and backbone."""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Generator, Tensor
from torch.nn import Module
from torch.optim import AdamW, Optimizer

from versus.core import distributed, seeding
from versus.core.learner import Metrics
from versus.core.runs import RunConfig
from versus.core.single import SingleLearner
from versus.core.weights import ModuleWeights
from versus.experiments.reoac.learning import updates
from versus.experiments.reoac.learning.experience import (
    Experience,
    Writings,
    experience,
    joined,
    kept,
)
from versus.experiments.reoac.learning.lessons import Lessons, Rewards
from versus.experiments.reoac.learning.measuring import (
    Measured,
    about_training,
    means,
    measured,
    nothing,
    operator_shares,
    table,
)
from versus.experiments.reoac.learning.parts import Parts, assembled
from versus.experiments.reoac.learning.state import from_state, to_state
from versus.experiments.reoac.learning.team import TeamPlayer, shared_gradient
from versus.experiments.reoac.learning.tokens import Key, TokenLearning
from versus.experiments.reoac.problems import read, trained_on
from versus.experiments.reoac.rollouts.looking import UnsoundError
from versus.experiments.reoac.rollouts.player import Plays, RollOut
from versus.experiments.reoac.rollouts.returns import Returns, returns

logger = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Problems of one iteration.

    Attributes:
        problems: their numbers among the training problems, each as often as it is rolled out.
        iteration: from 0.
    """

    problems: tuple[int, ...]
    iteration: int


class PolicyLearner(SingleLearner):
    """One policy with one seed; rules that are not learnt are measured alone.

    An epoch is one iteration: a roll-out of problems and the updates that follow it. The weights
    with the best return on validation problems count.

    Args:
        run: name and settings.
        data: what the data stages wrote.

    Attributes:
        tokens: losses of the backbone; None where it is not trained.
    """

    best_by, best_is = "val/return", "maximize"

    def __init__(self, run: RunConfig, data: Path) -> None:
        settings = run.config
        self.train = settings.train
        self.parts: Parts = assembled(settings, data, run.key.seed)
        task, region = self.train.task, self.train.rollout.gen_len
        problems = read(data, task, "train", self.parts.denoiser, region)
        self.tests = read(data, task, "test", self.parts.denoiser, region)
        self.validation = problems[-self.train.validation :]
        self.problems = trained_on(problems, self.train) if settings.learns else []
        self.last: Measured | None = None  # what the final evaluation wrote
        self._buffer: list[Experience] = []
        self._lessons = Lessons(run)
        self.tokens: TokenLearning | None = None
        if settings.trains_backbone:
            self.tokens = TokenLearning(self.parts.model, self.problems, self.train)
        modules, optimizers = self._learnt() if settings.learns else ({}, {})
        super().__init__(
            run,
            modules,
            optimizers,
            epochs=self.train.num_iterations if settings.learns else 0,
            evaluate_every=self.train.evaluate_every,
            steps_per_epoch=1,
        )

    def _learnt(self) -> tuple[dict[str, Module], dict[str, Optimizer]]:
        modules, rates = self.parts.learnt(), self.train.optim.model_dump()
        return modules, {
            name: AdamW(module.parameters(), rates[f"{name}_lr"])
            for name, module in modules.items()
        }

    def weights(self) -> ModuleWeights | None:  # type: ignore[override]
        """All weights that are trained; None of a rule, which has none."""
        return super().weights() if self._modules else None

    # --- training ---

    def batches(self, epoch: int) -> Iterator[Batch]:
        """One batch."""
        source = seeding.generator(self.run.key.seed, "problems", epoch)
        count = min(self.train.problems, len(self.problems))
        chosen = torch.randperm(len(self.problems), generator=source)[:count].tolist()
        yield Batch(tuple(i for i in chosen for _ in range(self.train.samples)), epoch)

    def train_step(self, batch: Batch) -> Metrics:
        """Roll out, and update from what the buffer holds."""
        started = time.perf_counter()
        with self._ending_where_unsound():
            found = self._iteration(batch)
        self._charge(started, steps=1)
        return {"train/total_loss": math.inf} if self._diverged else found

    def _iteration(self, batch: Batch) -> Metrics:
        played, worth, timeouts = self._roll_out(batch)
        self._costs["passes"] = self._costs.get("passes", 0.0) + float(played.passes.sum())
        self._buffer = kept([*self._buffer, self._taught(batch, played, worth)], self._most())
        taught = joined(self._buffer)
        found = self._update(taught, batch.iteration)
        total = updates.weighted_total(found, self.train)
        told = {f"train/{name}_loss": value for name, value in found.items()}
        about = about_training(played, worth, timeouts, self.parts.operators.ids)
        episodes = {"train/episodes": float(taught.episodes)}
        return {**told, "train/total_loss": total, **about, **episodes}

    @contextmanager
    def _ending_where_unsound(self) -> Iterator[None]:
        """The run has diverged where what it has learnt gives numbers that are not finite.

        Raises:
            UnsoundError: if it is a backbone that nothing was learnt of.
        """
        try:
            yield
        except UnsoundError as error:
            if error.part == "backbone" and self.tokens is None:
                raise
            logger.warning("%s of seed %d: %s", *self.run.key, error)
            self._diverged = True

    def _most(self) -> int:
        return self.train.buffer_size or 1

    def _roll_out(self, batch: Batch) -> tuple[RollOut, Returns, int]:
        key, repeat = self.run.key.seed, self.train.samples
        names = [
            (key, "train", batch.iteration, problem, i % repeat)
            for i, problem in enumerate(batch.problems)
        ]
        rows = [self.problems[i] for i in batch.problems]
        played = self.player().roll_out([row.prompt for row in rows], names)
        rewards = Rewards(rows, self.train)
        worth = returns(played, self.parts.denoiser, rewards, self.train.rollout)
        return played, worth, rewards.timeouts

    def player(self) -> Plays:
        """Plays the present policy, with the other processes if there are some."""
        player = self.parts.player(self.train.rollout)
        team = distributed.leading()
        return TeamPlayer(player, team, self.run.key, self.parts.learnt()) if team else player

    def _taught(self, batch: Batch, played: RollOut, worth: Returns) -> Experience:
        found = experience(played, worth, torch.tensor(batch.problems), self.train)
        self._lessons.look_at(found, worth, batch.iteration)
        return found

    def _update(self, of: Experience, iteration: int) -> dict[str, float]:
        """All gradient steps; the mean loss of each part."""
        actor, critic, settings = self.parts.actor, self.parts.critic, self.train
        steps = settings.update
        found: dict[str, list[float]] = {"critic": [], "actor": [], "backbone": []}
        for number in range(steps.critic_steps):
            loss = updates.critic_loss(critic, of, self._draws("critic", iteration, number))
            found["critic"].append(self._descend("critic", loss))
        for number in range(steps.actor_steps):
            draws = self._draws("actor", iteration, number)
            loss = updates.actor_loss(actor, critic, of, settings, draws)
            found["actor"].append(self._descend("actor", loss))
        if self.tokens is not None:
            for number in range(steps.backbone_steps):
                key = (self.run.key.seed, "backbone", iteration, number)
                rows = updates.drawn(of, steps.backbone_batch, *key)
                found["backbone"].append(self._descend_backbone(self.tokens, rows, key))
        return {name: sum(v) / len(v) if v else 0.0 for name, v in found.items()}

    def _draws(self, *key: int | str) -> Generator:
        """Decides what dropout leaves out in one gradient step."""
        return seeding.generator(self.run.key.seed, "dropout", *key)

    def _descend(self, name: str, loss: Tensor) -> float:
        if not self._diverged:
            longest = self.train.optim.max_grad_norm
            self._judge(name, updates.step(loss, self._optimizers[name], longest))
        return float(loss.detach())

    def _judge(self, part: str, usable: bool) -> None:
        """The run has diverged where loss or gradient of a part are not finite."""
        self._diverged = not usable
        if self._diverged:
            logger.warning(
                "%s of seed %d: loss or gradient of the %s are not finite; lower train.optim.%s_lr",
                *self.run.key,
                part,
                part,
            )

    def _descend_backbone(self, tokens: TokenLearning, rows: Writings, key: Key) -> float:
        team = distributed.leading()
        if team is None or self._diverged:
            return self._descend("backbone", tokens.loss(rows, (*key, 0)))
        loss = shared_gradient(team, self.run.key, self.parts.learnt(), tokens, rows, key)
        longest = self.train.optim.max_grad_norm
        optimizer = self._optimizers["backbone"]
        finite = bool(loss.isfinite()) and updates.descend(optimizer, longest)
        self._judge("backbone", finite)
        return float(loss)

    def loss_of(self, batch: Batch) -> Tensor:
        """The actor's loss on a roll-out of its own, for hooks."""
        with torch.no_grad():
            played, worth, _ = self._roll_out(batch)
        found = self._taught(batch, played, worth)
        return updates.actor_loss(self.parts.actor, self.parts.critic, found, self.train)

    # --- evaluation ---

    def evaluate(self) -> Metrics:
        """As of any learner; a rule has no best weights to tell of."""
        found = super().evaluate()
        best = () if self._modules else [name for name in found if name.startswith("best/")]
        return {name: value for name, value in found.items() if name not in best}

    def measure(self) -> Mapping[str, float]:
        """Validation; in the final evaluation also the test, both at the best weights."""
        self._diverged |= not self._is_finite()
        found: Mapping[str, float] = {}
        if not self._diverged:
            with self._ending_where_unsound():
                found = self._found() if self.epoch >= self.total_epochs else self._validated()
        return nothing(self.parts.operators.ids) if self._diverged else found

    def _validated(self) -> dict[str, float]:
        return means("val", self._measured(self.validation))

    def _found(self) -> dict[str, float]:
        with self.at_best():
            found, self.last = self._validated(), self.test()
        shares = operator_shares(self.last.played, self.parts.operators.ids)
        told = {f"test/{name}": share for name, share in shares.items()}
        return {**found, **means("test", self.last), **told}

    def test(self) -> Measured:
        """Greedy roll-outs of the test problems at the present weights."""
        return self._measured(self.tests)

    def _measured(self, problems: Sequence[Any]) -> Measured:
        task, parser = self.train.task, self.train.parser
        return measured(self.player(), problems, task, parser, (self.run.key.seed, "greedy"))

    def costs(self) -> Metrics:
        """Also the tokens that the final evaluation wrote, and in how many seconds."""
        return {**super().costs(), **(self.last.speed if self.last else {})}

    def items(self) -> pd.DataFrame:
        """One row per test problem, of the final evaluation."""
        return pd.DataFrame() if self.last is None else table(self.run.key, self.tests, self.last)

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """As of any learner, and the buffer."""
        return {**super().state_dict(), "buffer": [to_state(part) for part in self._buffer]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._buffer = [from_state(part) for part in state["buffer"]]
