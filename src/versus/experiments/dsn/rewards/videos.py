"""What is constant per video, and what is common to all terms of a block of selections.

Shapes: B videos, T frames, E selections of each, K frames of the largest selection.
"""

from functools import cached_property

import torch
from torch import Tensor

from versus.core.errors import DataError
from versus.experiments.dsn.batches import Batch
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.rewards import colours
from versus.experiments.dsn.rewards.config import RewardsConfig

STEADY = COLUMNS.index("steady")
TURNS = (COLUMNS.index("turn_near"), COLUMNS.index("turn_far"))


def budgets(frames: Tensor, config: RewardsConfig) -> Tensor:
    """Frames that may be selected, ``[B]``: ``clip(ceil(ratio T), least, most)``, at most T."""
    wanted = (frames.double() * config.ratio).ceil().long().clamp(config.least, config.most)
    return wanted.minimum(frames)


class Videos:
    """Constants of a batch, each computed when a term first asks for it.

    Args:
        batch: the videos.
        config: of the rewards.
    """

    def __init__(self, batch: Batch, config: RewardsConfig) -> None:
        self.batch, self.config = batch, config
        self.gram, self.mask = batch.gram, batch.mask
        self.counts = batch.mask.sum(1)
        self.budgets = budgets(self.counts, config)

    @cached_property
    def own(self) -> Tensor:
        """Squared norm of the features of each frame, ``[B, T]``."""
        return self.gram.diagonal(dim1=1, dim2=2)

    @cached_property
    def mean_row(self) -> Tensor:
        """Product of each frame's features with the video's mean, ``[B, T]``."""
        return self.gram.sum(1) / self.counts[:, None]

    @cached_property
    def local(self) -> Tensor:
        """Cosines, 0 between frames that are far apart, ``[B, T, T]``."""
        steps = torch.arange(self.gram.shape[1], device=self.gram.device)
        return self.gram * ((steps[:, None] - steps).abs() <= self.config.near)

    @cached_property
    def squared(self) -> Tensor:
        """``G^T H G`` with the Gram matrix G and the centring H of real frames, float64.

        Products in float32 are not quite symmetric. With the transpose, nothing of it is negative.
        """
        gram = self.gram.double()
        total = gram.sum(1) / self.counts[:, None].double().sqrt()
        return torch.baddbmm(gram.mT @ gram, -total[:, :, None], total[:, None])

    @cached_property
    def spread(self) -> Tensor:
        """Trace of the covariance of all frames, ``[B]`` float64; 0 for a single one."""
        mean = self.gram.double().sum((1, 2)) / self.counts
        return (self.own.double().sum(1) - mean) / (self.counts - 1).clamp_min(1)

    @cached_property
    def change(self) -> Tensor:
        """How much each frame differs from its neighbours, ``[B, T]``.

        Raises:
            DataError: if the batch has no motion.
        """
        if not self.batch.motion.shape[2]:
            raise DataError(
                "train.rewards.weights.still, motion: the sequences hold no motion; set both to 0"
            )
        return self.batch.motion[..., 0]

    @cached_property
    def turns(self) -> Tensor:
        """Half of one minus the cosine of way there and way on, near and far, ``[B, T]``.

        Raises:
            DataError: if the batch has no such columns.
        """
        if self.batch.motion.shape[2] <= max(TURNS):
            raise DataError(
                "train.rewards.weights.turn: the motion of the sequences does not tell of turns; "
                "set it to 0"
            )
        return self.batch.motion[..., list(TURNS)].mean(2)

    @cached_property
    def stillness(self) -> Tensor:
        """1 where least changes, 0 where most does, by rank; equal frames share theirs."""
        return self._lowness(self.change)

    @cached_property
    def steadiness(self) -> Tensor:
        """The same of what changes beyond the camera's shift and the light, ``[B, T]``.

        Raises:
            DataError: if the batch has no such column.
        """
        if self.batch.motion.shape[2] <= STEADY:
            raise DataError("reward steady: the motion of the sequences does not tell of shifts")
        return self._lowness(self.batch.motion[..., STEADY])

    def _lowness(self, values: Tensor) -> Tensor:
        """1 for the lowest of a video, 0 for the highest, by rank, ``[B, T]``."""
        known = values.masked_fill(~self.mask, torch.inf)
        ordered = known.sort(1).values
        below = torch.searchsorted(ordered, known)
        above = torch.searchsorted(ordered, known, right=True)
        rank = (below + above - 1) / 2
        return (1 - rank / (self.counts[:, None] - 1).clamp_min(1)) * self.mask

    @cached_property
    def colours(self) -> Tensor:
        """Distribution functions, ``[B, T, J]``.

        Raises:
            DataError: if the batch has none.
        """
        if not self.batch.colours.numel():
            raise DataError(
                "train.rewards.weights.color_swd (--w_ms): the sequences hold no colours, which "
                "need a picture of every row; set it to 0"
            )
        return self.batch.colours.flatten(2)

    @cached_property
    def all_colours(self) -> Tensor:
        """Those of all frames, ``[B, 1, J]``."""
        return self.colours.sum(1, keepdim=True) / self.counts[:, None, None]

    @cached_property
    def colour_widths(self) -> Tensor:
        """What a difference in each bin counts, ``[J]``."""
        levels, count, bins = self.batch.colours.shape[2:]
        each = colours.widths(count, bins) / (levels * count)
        return each[:, None].expand(levels, count, bins).flatten().to(self.gram)

    def numbers_per_selection(self, picked: int) -> int:
        """How many numbers the largest step of one selection of every video holds."""
        frames, size = self.mask.shape[1], self.batch.colours[0, 0].numel()
        return len(self.mask) * max(frames * picked, size)


class Episodes:
    """Selections of every video of a batch.

    Args:
        videos: their constants.
        selection: ``[B, E, T]`` bool, False at padding.
    """

    def __init__(self, videos: Videos, selection: Tensor) -> None:
        self.videos, self.selection = videos, selection
        self.weights = selection.to(videos.gram.dtype)
        self.counts = selection.sum(2)
        self.size = self.counts.clamp_min(1)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of ``[B, T]`` over the selected frames, ``[B, E]``; 0 where there is none."""
        return (self.weights @ values[:, :, None])[..., 0] / self.size

    @cached_property
    def products(self) -> Tensor:
        """Sum of the Gram matrix over pairs of selected frames, ``[B, E]``."""
        return ((self.weights @ self.videos.gram) * self.weights).sum(2)

    @cached_property
    def picked(self) -> Tensor:
        """Selected frames, ``[B, E, K]``; the first one again where there are fewer."""
        videos, episodes, frames = self.selection.nonzero(as_tuple=True)
        place = (self.selection.cumsum(2) - 1)[self.selection]
        first = self.selection.int().argmax(2, keepdim=True)
        found = first.repeat(1, 1, max(int(self.counts.max()), 1))
        found[videos, episodes, place] = frames
        return found

    @cached_property
    def real(self) -> Tensor:
        """Which of ``picked`` are not repeated, ``[B, E, K]``."""
        places = torch.arange(self.picked.shape[2], device=self.counts.device)
        return places < self.counts[..., None]

    @cached_property
    def nearest(self) -> Tensor:
        """Distance of every frame to the nearest selected one, ``[B, E, T]``."""
        videos, frames = self.videos.mask.shape
        start = frames * torch.arange(videos, device=self.counts.device)[:, None, None]
        rows = self.videos.gram.flatten(0, 1).index_select(0, (self.picked + start).flatten())
        return 1 - rows.view(*self.picked.shape, frames).amax(2)

    @cached_property
    def distance(self) -> Tensor:
        """Mean of ``nearest`` over the frames of the video, ``[B, E]``."""
        near = self.nearest * self.videos.mask[:, None]
        return near.sum(2) / self.videos.counts[:, None]
