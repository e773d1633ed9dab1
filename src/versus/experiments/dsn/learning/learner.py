"""The learner: REINFORCE over all selections of a minibatch of videos at once."""

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim import Adam, Optimizer

from versus.core.learner import Metrics
from versus.core.runs import RunConfig
from versus.core.single import SingleLearner, minibatches
from versus.core.weights import ModuleWeights
from versus.experiments.dsn.data import shards
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.learning.inputs import Inputs, Ready
from versus.experiments.dsn.learning.measuring import (
    F1,
    REWARD,
    Gauge,
    Measured,
    by_video,
    means,
    table,
)
from versus.experiments.dsn.learning.parts import Parts, assembled
from versus.experiments.dsn.learning.played import Played, about
from versus.experiments.dsn.learning.reading import read
from versus.experiments.dsn.models import Scorer
from versus.experiments.dsn.policies import POLICIES, Policy, advantages, spaced, uniforms
from versus.experiments.dsn.policies.advantages import to_unit
from versus.experiments.dsn.rewards import Rewards
from versus.experiments.dsn.selection import SelectionConfig

SCORE = "val/score"
"""What says which weights count."""

CACHE = "cache/hit_rate"
"""Also told at the end; all else that a cache changes is seconds."""


class Batch(NamedTuple):
    """A minibatch: numbers of training sequences, and the epoch, which decides what is drawn."""

    sequences: tuple[int, ...]
    epoch: int


class ScorerLearner(SingleLearner):
    """One scorer with one seed; rules that are not learnt are measured alone.

    Args:
        run: name and settings.
        data: what the data stages wrote.

    Attributes:
        parts: scorer and critic.
        last: what the final evaluation found, by split.
    """

    best_by, best_is = SCORE, "maximize"

    def __init__(self, run: RunConfig, data: Path) -> None:
        settings = run.config
        self.settings, self.train, self.data = settings, settings.train, data
        self.device = settings.use_torch()
        self.parts: Parts = assembled(settings, data, run.key.seed)
        self.sequences = read(data, "train")
        lengths = [len(own) for own in by_video(self.sequences)]
        starts = itertools.accumulate(lengths, initial=0)
        self.videos = [tuple(range(s, s + n)) for s, n in zip(starts, lengths, strict=False)]
        limit = self.train.cache_size if self.train.use_cache else 0
        rewards = Rewards(settings.reward_settings)
        self.inputs = Inputs(self.sequences, rewards, self.device, limit)
        self.last: dict[str, Measured] = {}
        self._average = torch.zeros(len(self.sequences), dtype=torch.float64)
        self._taken: tuple[Batch, Ready] | None = None
        modules = self.parts.learnt() if settings.learns else {}
        super().__init__(
            run,
            modules,
            self._optimisers() if settings.learns else {},
            epochs=self.train.epochs if settings.learns else 0,
            evaluate_every=self.train.evaluate_every,
            max_grad_norm=self.train.max_grad_norm,
            steps_per_epoch=-(-len(self.videos) // self.train.videos),
        )

    def _optimisers(self) -> dict[str, Optimizer]:
        rates = {"scorer": self.train.lr, "critic": self.train.critic.lr}
        return {
            name: Adam(module.parameters(), rates[name], weight_decay=self.train.weight_decay)
            for name, module in self.parts.learnt().items()
        }

    def weights(self) -> ModuleWeights | None:  # type: ignore[override]
        """All weights that are trained; None of a rule, which has none."""
        return super().weights() if self._modules else None

    # --- training ---

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Videos in an order that seed and epoch decide, some at a time."""
        key = (self.run.key.seed, "videos", epoch)
        for some in minibatches(len(self.videos), self.train.videos, *key):
            places = [place for video in some.tolist() for place in self.videos[video]]
            yield Batch(tuple(places), epoch)

    def train_step(self, batch: Batch) -> Metrics:
        """Draw selections, and make the better ones likelier."""
        started = time.perf_counter()
        self._taken = batch, self.inputs.ready(batch.sequences, counted=True)
        self._charge(started)
        found = super().train_step(batch)
        self._taken = None
        if self._diverged:
            return found
        self._remember(batch)
        return {**found, **about(self._played), **self.inputs.use()}

    def loss_of(self, batch: Batch) -> Tensor:
        """The loss whose gradient is that of the expected reward, with entropy and critic."""
        taken = self._taken
        same = taken is not None and taken[0] == batch
        ready = taken[1] if taken and same else self.inputs.ready(batch.sequences)
        self._played = played = self._play(batch, ready)
        advantage = self._advantage(batch, played)
        gain = (advantage * played.draw.log_prob).mean()
        loss: Tensor = -gain - self.train.entropy * played.draw.entropy.mean()
        if played.foretold is not None:
            loss = loss + mse_loss(played.foretold, played.reward.total.mean(1))
        return loss

    def _play(self, batch: Batch, ready: Ready) -> Played:
        of, policy = ready.batch, self.train.policy
        logits = self.parts.network(of.features, of.motion, of.mask)
        names = [self._name(place, batch.epoch) for place in batch.sequences]
        numbers = uniforms(self.run.key.seed, names, of.mask, policy.episodes)
        budgets = ready.rewards.budgets
        draw = self._policy(logits, of.mask, budgets, numbers)
        foretold = self.parts.critic(of) if self.parts.critic is not None else None
        return Played(logits[of.mask], budgets, draw, ready.rewards(draw.selection), foretold)

    @cached_property
    def _policy(self) -> Policy:
        """The distance of frames is in rows of the first sequence's rate, as for the selection."""
        kind = self.train.policy.kind
        if kind != "spaced":
            return POLICIES[kind]
        return partial(spaced, gap=rows_apart(self.sequences[0], self.settings.model.selection))

    @torch.no_grad()
    def rehearsed(self, batch: Batch) -> Played:
        """Selections as a step would draw them at the best weights; changes nothing."""
        with self.at_best(), _reading(self.parts.network):
            return self._play(batch, self.inputs.ready(batch.sequences))

    def _name(self, place: int, epoch: int) -> tuple[str, int, int]:
        return self.sequences[place].video, self.sequences[place].scene, epoch

    def _advantage(self, batch: Batch, played: Played) -> Tensor:
        """``[B, E]``, without gradient."""
        total, scaled = played.reward.total, self.train.scaled
        if self.train.advantage == "leave_one_out":
            return advantages(total, scaled=scaled)
        if played.foretold is not None:
            expected = played.foretold.detach()
        else:
            expected = self._average[list(batch.sequences)].to(total)
        found = total - expected[:, None]
        return to_unit(found) if scaled else found

    def _remember(self, batch: Batch) -> None:
        """The mean reward of each sequence so far; at first that of random selections, 0."""
        places, left = list(batch.sequences), self.train.momentum
        now = self._played.reward.total.mean(1).double().cpu()
        self._average[places] = left * self._average[places] + (1 - left) * now

    # --- evaluation ---

    @cached_property
    def validation(self) -> Gauge:
        """Of the videos that weights are chosen by."""
        return self.gauge("validation")

    def gauge(self, split: str) -> Gauge:
        """Measures a split."""
        return Gauge(read(self.data, split), self.settings, self.device)

    def measured(self, gauge: Gauge) -> Measured:
        """What the scorer or the rule finds now."""
        rule = self.settings.model.rule
        if self.parts.scorer is None:
            return gauge.by_rule(rule, self.run.key.seed)
        with _reading(self.parts.scorer):
            found = gauge.by_scorer(self.parts.scorer)
        self._diverged |= not found.finite
        return found

    def evaluate(self) -> Metrics:
        """As of any learner; a rule has no best weights to tell of."""
        found = super().evaluate()
        best = () if self._modules else [name for name in found if name.startswith("best/")]
        return {name: value for name, value in found.items() if name not in best}

    def measure(self) -> Mapping[str, float]:
        """Validation; in the final evaluation also the test splits, all at the best weights."""
        if self.epoch < self.total_epochs and bool(self.active):
            return self._validated()
        with self.at_best():
            self.last = {split: self.measured(self.gauge(split)) for split in self.tests}
            found = self._validated()
        parts = [means(split, of) for split, of in self.last.items()]
        used = self.train.use_cache and self._modules
        parts.append({CACHE: self.inputs.use()[CACHE]} if used else {})
        return dict(itertools.chain(found.items(), *(part.items() for part in parts)))

    @cached_property
    def tests(self) -> list[str]:
        """Test splits that hold something."""
        return [s for s in ("test", "test_style") if shards.about(self.data, s)["sequences"]]

    def _validated(self) -> dict[str, float]:
        found = means("val", self.measured(self.validation), "_mean")
        return {**found, SCORE: found[f"val/{self._judge()}_mean"]}

    def _judge(self) -> str:
        return F1 if self.train.select_by == F1 and self.validation.known else REWARD

    def stop(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Whether the last measurements, ``patience`` of them, were no better than one before."""
        patience: int = self.train.patience
        return patience > 0 and epoch - self.best_epoch >= patience * self.evaluate_every

    def items(self) -> pd.DataFrame:
        """One row per test video, of the final evaluation."""
        found = self.last.get("test")
        return pd.DataFrame() if found is None or self._diverged else table(self.run.key, found)

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """As of any learner, mean rewards so far, and the use of the cache."""
        extra = {"average": self._average.clone(), "cache": self.inputs.state_dict()}
        return {**super().state_dict(), **extra}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._average = state["average"].clone()
        self.inputs.load_state_dict(state["cache"])


@contextmanager
def _reading(scorer: Scorer) -> Iterator[None]:
    """Evaluation mode, also of a scorer that is not trained and so no module of the learner."""
    training = scorer.training
    scorer.eval()
    try:
        yield
    finally:
        scorer.train(training)


def rows_apart(one: Sequence, config: SelectionConfig) -> int:
    """The gap of a selection in rows of a sequence."""
    steps = np.diff(one.picks)
    return math.ceil(config.frames_apart(one.fps) / (float(steps.mean()) if len(steps) else 1.0))
