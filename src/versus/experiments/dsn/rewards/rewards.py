"""Rewards of selections: terms, normalised per video, weighted and added."""

from typing import NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.experiments.dsn.batches import Batch
from versus.experiments.dsn.rewards import terms
from versus.experiments.dsn.rewards.config import RewardsConfig
from versus.experiments.dsn.rewards.videos import Episodes, Videos

BLOCK = 1 << 20
"""Numbers in the largest step of a block of selections: 4 MB, which caches hold."""
LEAST_SPREAD = 1e-6
"""A term whose random selections differ by less is not scaled: there is nothing to compare with."""


class Reward(NamedTuple):
    """What selections are worth.

    Attributes:
        terms: name -> as its formula says, before normalisation and weight, ``[B, E]``.
        total: weighted sum, ``[B, E]``; of an empty selection the budget's term alone.
    """

    terms: dict[str, Tensor]
    total: Tensor


class Rewards:
    """Terms with a weight, and what they add up to.

    Args:
        config: weights, normalisation and budget.

    Attributes:
        names: of the terms that have a weight, in their order in the config.
    """

    def __init__(self, config: RewardsConfig) -> None:
        self.config = config
        weights = config.weights.model_dump()
        self.names = [name for name, weight in weights.items() if weight]
        self._weights = [weights[name] for name in self.names]

    @torch.no_grad()
    def scales(self, batch: Batch) -> Tensor:
        """Mean and standard deviation of the terms over random selections, ``[B, terms, 2]``.

        They are a function of the video and the config, so that they can be kept for all epochs.
        """
        videos = Videos(batch, self.config)
        plain = torch.tensor([0.0, 1.0]).expand(len(batch.mask), len(self.names), 2)
        found = plain.to(batch.gram).clone()
        if self.config.normalise:
            measured = self.measured(videos, self._random(videos))
            for i, name in enumerate(self.names):
                if name != "budget":
                    found[:, i] = _moments(measured[name])
        return found

    def prepare(self, batch: Batch, scales: Tensor | None = None) -> "Prepared":
        """The rewards of a batch of videos, with what is constant per video computed once.

        Args:
            batch: the videos.
            scales: what :meth:`scales` said of them; computed where it is not given.
        """
        return Prepared(self, batch, self.scales(batch) if scales is None else scales)

    def _random(self, videos: Videos) -> Tensor:
        """Selections of the size of the budget; those of a video depend on its length alone."""
        count = self.config.random_selections
        found = torch.zeros(len(videos.mask), count, videos.mask.shape[1], dtype=torch.bool)
        sizes = zip(videos.counts.tolist(), videos.budgets.tolist(), strict=True)
        for selection, (frames, size) in zip(found, sizes, strict=True):
            source = seeding.generator("random selections", self.config.seed, frames)
            picked = torch.rand(count, frames, generator=source).topk(size).indices
            selection.scatter_(1, picked, True)
        return found.to(videos.mask.device)

    def measured(self, videos: Videos, selection: Tensor) -> dict[str, Tensor]:
        """Values of the terms, some selections at a time."""
        largest = max(int(selection.sum(2).max()), 1) if selection.numel() else 1
        size = max(1, BLOCK // videos.numbers_per_selection(largest))
        blocks = [self._block(Episodes(videos, part)) for part in torch.split(selection, size, 1)]
        return {name: torch.cat([block[name] for block in blocks], 1) for name in self.names}

    def _block(self, episodes: Episodes) -> dict[str, Tensor]:
        found = {}
        for name in self.names:
            if name == "budget":
                found[name] = terms.budget(episodes)
            else:
                value = terms.TERMS[name](episodes)
                found[name] = torch.where(episodes.counts > 0, value, 0.0)
        return found

    def added(self, values: dict[str, Tensor], scales: Tensor) -> Tensor:
        """The weighted sum, ``[B, E]``, before empty selections are set apart."""
        total = torch.zeros(())
        for i, (name, weight) in enumerate(zip(self.names, self._weights, strict=True)):
            if name != "budget":
                mean, spread = scales[:, i, :, None].unbind(1)
                total = total + weight * (values[name] - mean) / spread
        return total


class Prepared:
    """Rewards of the selections of one batch of videos; made by :meth:`Rewards.prepare`."""

    def __init__(self, rewards: Rewards, batch: Batch, scales: Tensor) -> None:
        self.rewards, self.scales = rewards, scales
        self.videos = Videos(batch, rewards.config)

    @property
    def budgets(self) -> Tensor:
        """Frames that may be selected of each video, ``[B]``."""
        return self.videos.budgets

    @torch.no_grad()
    def __call__(self, selection: Tensor) -> Reward:
        """What selections are worth.

        Args:
            selection: ``[B, E, T]`` bool, False at padding.
        """
        values = self.rewards.measured(self.videos, selection)
        empty = ~selection.any(2)
        total = self.rewards.added(values, self.scales).expand(empty.shape)
        total = total.masked_fill(empty, 0.0)
        if "budget" in values:
            total = total + self.rewards.config.weights.budget * values["budget"]
        return Reward(values, total)


def _moments(values: Tensor) -> Tensor:
    """Mean and standard deviation over the last dimension, ``[B, E]`` to ``[B, 2]``."""
    spread = values.std(1, correction=0)
    return torch.stack([values.mean(1), torch.where(spread > LEAST_SPREAD, spread, 1.0)], 1)
