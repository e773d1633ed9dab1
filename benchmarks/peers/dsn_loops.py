"""REINFORCE for keyframes as anybody would write it: one video at a time, one selection at a time.

Two styles, both from the formulas of their documents: that of Zhou, Qiao and Xiang (2018), and the
seed's, whose rewards leave torch for NumPy. Neither pays here for reading images, optical flow or
JPEG, which the seed does again in every epoch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn import LSTM, Dropout, Linear, Module
from torch.nn.functional import avg_pool2d
from torch.optim import Adam

Array = npt.NDArray[Any]
SCALES, DIRECTIONS, PER_FRAME, PER_SET = 3, 16, 50_000, 200_000


# --- Zhou et al. ----------------------------------------------------------------------------------


class Recurrent(Module):
    """A bidirectional LSTM over features, and a head."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm = LSTM(features, hidden, bidirectional=True, batch_first=True)
        self.head = Linear(2 * hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities, ``[1, T, D]`` to ``[1, T, 1]``."""
        probabilities: Tensor = self.head(self.lstm(features)[0]).sigmoid()
        return probabilities


def zhou_reward(features: Tensor, actions: Tensor, far: int = 20) -> Tensor:
    """Half the sum of diversity, far pairs counting as different, and representativeness."""
    picked = actions.nonzero()[:, 0]
    if not len(picked):
        return torch.zeros(())
    diversity = torch.zeros(())
    if len(picked) > 1:
        unit = features / features.norm(dim=1, keepdim=True)
        apart = (1 - unit @ unit.T)[picked][:, picked]
        apart[(picked[:, None] - picked).abs() > far] = 1.0
        diversity = apart.sum() / (len(picked) * (len(picked) - 1))
    squares = features.square().sum(1)
    distances = squares[:, None] + squares - 2 * features @ features.T
    return (diversity + (-distances[:, picked].min(1).values.mean()).exp()) / 2


def zhou_epoch(
    network: Module,
    adam: Adam,
    videos: Sequence[Tensor],
    baselines: list[float],
    episodes: int,
    worth: Callable[[Tensor, Tensor], Tensor] = zhou_reward,
) -> None:
    """One step per video, with a moving average of its rewards as baseline."""
    for n, features in enumerate(videos):
        chances = network(features[None])
        cost = 0.01 * (chances.mean() - 0.5).square()
        policy = Bernoulli(chances)
        rewards = []
        for _ in range(episodes):
            actions = policy.sample()
            reward = worth(features, actions[0, :, 0])
            cost = cost - policy.log_prob(actions).mean() * (reward - baselines[n])
            rewards.append(float(reward))
        adam.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        adam.step()
        baselines[n] = 0.9 * baselines[n] + 0.1 * sum(rewards) / episodes


# --- the seed -------------------------------------------------------------------------------------


class SeedBaseline(Module):
    """The seed's baseline."""

    def __init__(self, features: int = 512, hidden: int = 256, half: int = 128) -> None:
        super().__init__()
        self.encoder = Linear(features, hidden)
        self.lstm = LSTM(hidden, half, bidirectional=True, batch_first=True)
        self.dropout = Dropout(0.3)
        self.head = Linear(2 * half, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities, ``[1, T, D]`` to ``[1, T]``."""
        hidden = self.lstm(self.encoder(features).relu())[0]
        return self.head(self.dropout(hidden)).sigmoid()[..., 0]


def seed_frechet(every: Array, some: Array) -> float:
    """With the root of the symmetrised product of covariances, which is the seed's."""
    first, second = np.cov(every, rowvar=False), np.cov(some, rowvar=False)
    eps = 1e-6 * np.eye(len(first))
    product = (first + eps) @ (second + eps)
    values = np.linalg.eigh((product + product.T) / 2)[0]
    gap = ((every.mean(0) - some.mean(0)) ** 2).sum()
    root = np.sqrt(np.maximum(values, 0)).sum()
    return float(gap + np.trace(first) + np.trace(second) - 2 * root)


def seed_colours(pictures: Array, scale: int) -> Array:
    """Pixels of all frames at one scale, at most ``PER_FRAME`` of each."""
    generator = np.random.default_rng(1234 + scale)
    kept = []
    for picture in pictures:
        small = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
        for _ in range(scale):
            small = avg_pool2d(small, 2)
        pixels = small[0].permute(1, 2, 0).reshape(-1, 3).numpy()
        if len(pixels) > PER_FRAME:
            pixels = pixels[generator.choice(len(pixels), PER_FRAME, replace=False)]
        kept.append(pixels)
    return np.concatenate(kept)


def seed_swd(pictures: Array, picked: Array) -> float:
    """Mean over scales and directions of the Wasserstein distance between sampled pixels."""
    ways = np.random.default_rng(42).normal(size=(DIRECTIONS, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    found = []
    for scale in range(SCALES):
        every, some = seed_colours(pictures, scale), seed_colours(pictures[picked], scale)
        size = min(len(every), len(some), PER_SET)
        generator = np.random.default_rng(9876 + scale)
        every = every[generator.choice(len(every), size, replace=False)]
        some = some[generator.choice(len(some), size, replace=False)]
        found += [wasserstein_distance(every @ way, some @ way) for way in ways]
    return float(np.mean(found))


def seed_reward(features: Array, picked: Array, motion: Array, pictures: Array | None) -> float:
    """The weighted terms of one selection; colours where there are pictures."""
    if not len(picked):
        return 0.0
    some, count = features[picked], len(picked)
    apart = 1 - some @ some.T
    pairs = (apart.sum() - np.trace(apart)) / (count * (count - 1)) if count > 1 else 0.0
    rep = -float((1 - features @ some.T).min(1).mean())
    rec = -float((1 - features @ some.T).min(1).mean())
    fd = -seed_frechet(features, some) if count > 1 else 0.0
    total = float(pairs) + rep + 0.5 * rec + 0.2 * fd + 0.2 * float(motion[picked].mean())
    return total if pictures is None else total - 0.2 * seed_swd(pictures, picked)


def seed_epoch(
    network: Module,
    adam: Adam,
    scenes: Sequence[tuple[Array, Array]],
    pictures: Callable[[int], Array] | None = None,
) -> None:
    """One selection and one step per scene, one baseline for all."""
    baseline = 0.0
    for n, (features, motion) in enumerate(scenes):
        chances = network(torch.from_numpy(features)[None]).clamp(1e-6, 1 - 1e-6)
        policy = Bernoulli(chances)
        actions = policy.sample()
        picked = actions[0].nonzero()[:, 0].numpy()
        reward = seed_reward(features, picked, motion, pictures(n) if pictures else None)
        budget = min(max(math.ceil(0.06 * len(features)), 3), 15)
        over = len(picked) - budget
        reward -= 0.05 * (max(0, over) + 0.5 * max(0, -over))
        baseline = 0.9 * baseline + 0.1 * reward
        loss = -(reward - baseline) * policy.log_prob(actions).sum()
        loss = loss - 0.01 * policy.entropy().sum()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
