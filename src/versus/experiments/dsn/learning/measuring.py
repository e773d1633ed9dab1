"""What scorers and rules find in videos that nothing was trained on."""

import itertools
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from versus.core.runs import RunKey
from versus.core.seed_models import mean_of_items
from versus.experiments.dsn import baselines
from versus.experiments.dsn.data.cache import Recent
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence
from versus.experiments.dsn.learning.inputs import Ready, on_device
from versus.experiments.dsn.metrics import measured
from versus.experiments.dsn.metrics.composite import by_chance, composite
from versus.experiments.dsn.models import Scorer
from versus.experiments.dsn.rewards import Rewards
from versus.experiments.dsn.selection import select

if TYPE_CHECKING:
    from versus.experiments.dsn.config import Comparison

BLOCK = 16
"""Sequences that a scorer reads at once, beyond training."""
KEPT = 8
"""Blocks that stay in memory from one measurement to the next; larger splits are read again."""
F1, COMPOSITE, REWARD = "F1", "composite", "reward"
LABELS = ("F1", "precision", "recall", "F1_hold", "HoldShare", "Kendall_tau", "Spearman_rho")
"""Metrics that need known key poses."""


class Choice(NamedTuple):
    """What is chosen of one video.

    Attributes:
        scores: of the rows of each scene, ``[T]``.
        rows: of the key frames of each scene, increasing.
    """

    scores: list[FloatArray]
    rows: list[IntArray]


class Measured(NamedTuple):
    """A split of the data, measured.

    Attributes:
        videos: their names.
        items: metric -> one value per video, ``[n]``; NaN where a video has no such metric.
        choices: one per video.
        finite: whether all scores were finite.
    """

    videos: list[str]
    items: dict[str, Tensor]
    choices: list[Choice]
    finite: bool = True


def by_video(sequences: Iterable[Sequence]) -> list[list[Sequence]]:
    """The scenes of each video, in their order."""
    return [list(own) for _, own in itertools.groupby(sequences, key=lambda one: one.video)]


class Gauge:
    """Measures one split.

    Args:
        sequences: all scenes of all videos, those of a video one after the other.
        settings: a comparison of this experiment, with a variant's values set.
        device: where scorers run.
    """

    def __init__(
        self, sequences: Several[Sequence], settings: "Comparison", device: torch.device
    ) -> None:
        self.sequences, self.settings, self.device = sequences, settings, device
        self.videos = by_video(sequences)
        self.known = bool(sequences) and all(one.keys is not None for one in sequences)
        self._rewards = Rewards(settings.reward_settings)
        self._scales: dict[int, Tensor] = {}
        self._kept: Recent[Ready] = Recent(KEPT)

    def _ready(self) -> Iterator[Ready]:
        """Block after block, of which no more than :data:`KEPT` lie in memory."""
        for number, part in enumerate(_blocks(self.sequences)):
            yield self._kept.get(number, partial(self._block, number, part))

    def _block(self, number: int, part: Several[Sequence]) -> Ready:
        batch = on_device(part, self.device)
        if number not in self._scales:
            self._scales[number] = self._rewards.scales(batch)
        return Ready(batch, self._rewards.prepare(batch, self._scales[number]))

    def by_rule(self, rule: str, seed: int) -> Measured:
        """What a rule without learning finds."""
        selection = self.settings.model.selection
        return self._of([Choice(*baselines.apply(rule, v, selection, seed)) for v in self.videos])

    def by_scorer(self, scorer: Scorer) -> Measured:
        """What a network finds; it is in evaluation mode."""
        found = list(self.scores(scorer))
        finite = all(np.isfinite(own).all() for own in found)
        scores, choices = (np.nan_to_num(own) for own in found), []
        for video in self.videos:
            own = list(itertools.islice(scores, len(video)))
            choices.append(Choice(own, select(video, own, self.settings.model.selection)))
        return self._of(choices)._replace(finite=finite)

    @torch.no_grad()
    def scores(self, scorer: Scorer) -> Iterator[FloatArray]:
        """Probabilities of the rows of every sequence, ``[T]`` each."""
        for batch, _ in self._ready():
            logits = scorer(batch.features, batch.motion, batch.mask).double().cpu()
            for row, count in zip(logits.sigmoid(), batch.mask.sum(1).tolist(), strict=True):
                yield row[:count].numpy()

    def _of(self, choices: list[Choice]) -> Measured:
        rows = []
        rewards = iter(self._worth(choices))
        for video, choice in zip(self.videos, choices, strict=True):
            found = measured(video, *choice, self.settings.train.metrics)
            own = list(itertools.islice(rewards, len(video)))
            found[REWARD] = sum(own) / len(own)
            if not self.known:
                counts = [len(chosen) for chosen in choice.rows]
                found[COMPOSITE] = composite(found, by_chance(video, counts))
            rows.append(found)
        table = pd.DataFrame(rows)
        items = {str(name): torch.tensor(table[name].to_numpy(float)) for name in table}
        return Measured([video[0].video for video in self.videos], items, choices)

    def _worth(self, choices: list[Choice]) -> Iterator[float]:
        """The reward of what is chosen of every sequence."""
        chosen = (rows for choice in choices for rows in choice.rows)
        for batch, rewards in self._ready():
            selection = torch.zeros(len(batch.mask), 1, batch.mask.shape[1], dtype=torch.bool)
            for place, rows in zip(
                selection, itertools.islice(chosen, len(selection)), strict=True
            ):
                place[0, torch.from_numpy(rows)] = True
            yield from rewards(selection.to(self.device)).total[:, 0].double().tolist()


def _blocks(sequences: Several[Sequence]) -> Iterator[Several[Sequence]]:
    return (sequences[start : start + BLOCK] for start in range(0, len(sequences), BLOCK))


def score_of(known: bool) -> str:
    """The metric that items are about: F1, or without key poses the composite."""
    return F1 if known else COMPOSITE


def means(group: str, of: Measured, suffix: str = "") -> dict[str, float]:
    """Means over videos, as metrics of a group."""
    found = mean_of_items(group, of.items)
    return {f"{name}{suffix}": value for name, value in found.items()}


def table(run: RunKey, of: Measured) -> pd.DataFrame:
    """One row per video."""
    about = {"variant": run.variant, "seed": run.seed, "item_id": of.videos}
    return pd.DataFrame({**about, **{name: v.numpy() for name, v in of.items.items()}})
