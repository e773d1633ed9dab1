"""An epoch of REINFORCE for keyframes, against loops over videos and selections.

Process CPU time of one thread, on the same synthetic features, medians over turns that alternate.
Untrained networks, so that about half of the frames are selected. Ours takes ten videos a step and
puts each batch together anew; the loops take one. What is computed once for all epochs is not in
the ratios and is said beside them. An epoch of ours has a tenth of the optimiser's steps.

- Zhou et al.: 30 videos of 300 frames, 1024 numbers each, their network, 20 episodes on both sides.
- The seed: 30 scenes of 100 frames, 512 numbers each, its baseline; the loop draws one selection
  per scene, ours five. With all rewards, the loop's colour distance is measured on two scenes with
  pictures of 320x180 and multiplied; optical flow is left out on both sides.

    python benchmarks/dsn_epoch.py [--out benchmarks/results.json]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, Row, merge, row, say, side_by_side
from peers import dsn_loops
from torch import Tensor
from torch.nn import Linear, Module
from torch.nn.functional import avg_pool2d, interpolate, normalize
from torch.optim import Adam

from versus.core import seeding
from versus.core.module_state import initialised
from versus.experiments.dsn.batches import batch_of
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.models import ModelConfig, make_scorer
from versus.experiments.dsn.models.layers import BiLSTM
from versus.experiments.dsn.models.layout import Layout
from versus.experiments.dsn.policies import POLICIES, advantages, uniforms
from versus.experiments.dsn.rewards import Rewards, RewardsConfig, Weights, colours

COMMAND = "python benchmarks/dsn_epoch.py"
TURNS, VIDEOS, BATCH, BINS, PICTURED = 5, 30, 10, 128, 2
NOTHING = Weights(**dict.fromkeys(Weights.model_fields, 0.0))
ZHOU = RewardsConfig(
    weights=NOTHING.model_copy(update={"div_local": 0.5, "rep_exp": 0.5}), normalise=False
)
SEED = RewardsConfig()
FEATURES_ONLY = RewardsConfig(weights=Weights(color_swd=0.0))


class OwnNetwork(Module):
    """The network of Zhou et al. over padded videos."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm, self.head = BiLSTM(features, hidden), Linear(2 * hidden, 1)

    def forward(self, features: Tensor, motion: Tensor, mask: Tensor) -> Tensor:
        """Logits, ``[B, T]``."""
        layout = Layout(mask)
        return layout.padded(self.head(self.lstm(layout.rows(features), layout))[:, 0])


class Ours:
    """Epochs of batched learning."""

    def __init__(
        self, scorer: Module, sequences: list[Sequence], config: RewardsConfig, episodes: int
    ) -> None:
        self.scorer, self.sequences, self.episodes = scorer, sequences, episodes
        self.adam = Adam(scorer.parameters(), lr=1e-5)
        self.rewards, self.epochs = Rewards(config), 0
        started = time.process_time()
        found = [self.rewards.scales(batch_of(part)) for part in self._parts()]
        self.once = time.process_time() - started
        self.scales = torch.cat(found)

    def _parts(self) -> list[list[Sequence]]:
        return [self.sequences[i : i + BATCH] for i in range(0, len(self.sequences), BATCH)]

    def epoch(self) -> None:
        """One step per ten videos."""
        for n, part in enumerate(self._parts()):
            batch = batch_of(part)
            prepared = self.rewards.prepare(batch, self.scales[n * BATCH : (n + 1) * BATCH])
            logits = self.scorer(batch.features, batch.motion, batch.mask)
            names = [(one.video, one.scene, self.epochs) for one in part]
            numbers = uniforms(0, names, batch.mask, self.episodes)
            draw = POLICIES["bernoulli"](logits, batch.mask, prepared.budgets, numbers)
            better = advantages(prepared(draw.selection).total)
            frames = batch.mask.sum(1, keepdim=True)
            loss = -(better * draw.log_prob / frames).mean() - 0.01 * draw.entropy.mean()
            self.adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.scorer.parameters(), 5.0)
            self.adam.step()
        self.epochs += 1


def main() -> None:
    """Measure, print, and merge the ratios into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    merge(arguments.out, [*_against_zhou(), *_against_seed()])


def _against_zhou(episodes: int = 20) -> list[Row]:
    videos = [_sequence(n, 300, 1024) for n in range(VIDEOS)]
    plain = initialised(lambda: dsn_loops.Recurrent(1024, 256), "peer")
    ours = Ours(initialised(lambda: OwnNetwork(1024, 256), "ours"), videos, ZHOU, episodes)
    adam, baselines = Adam(plain.parameters(), lr=1e-5), [0.0] * VIDEOS
    features = [one.features for one in videos]
    found = side_by_side(
        {
            "loop": lambda: dsn_loops.zhou_epoch(plain, adam, features, baselines, episodes),
            "ours": ours.epoch,
        },
        TURNS,
        1,
    )
    say(f"Zhou et al., {episodes} episodes: {found['loop']:.2f} s, ours {found['ours']:.2f} s")
    title = f"epoch, {episodes} episodes, against a loop over videos as of Zhou et al."
    return [
        row("dsn", title, found["loop"] / found["ours"], 3.0, COMMAND),
        _rewards_alone(videos, episodes),
    ]


def _rewards_alone(videos: list[Sequence], episodes: int) -> Row:
    """Both sides' rewards of the same selections."""
    batches = [batch_of(videos[i : i + BATCH]) for i in range(0, VIDEOS, BATCH)]
    source = seeding.generator("selections")
    drawn = [torch.rand(BATCH, episodes, 300, generator=source) < 0.5 for _ in batches]
    rewards = Rewards(ZHOU)

    def batched() -> list[Tensor]:
        pairs = zip(batches, drawn, strict=True)
        return [rewards.prepare(batch)(selection).total for batch, selection in pairs]

    def looped() -> list[Tensor]:
        features = (row for batch in batches for row in batch.features)
        selections = (row for selection in drawn for row in selection)
        return [
            torch.stack([dsn_loops.zhou_reward(each, one) for one in several])
            for each, several in zip(features, selections, strict=True)
        ]

    apart = (torch.cat(batched()) - torch.stack(looped())).abs().max()
    found = side_by_side({"loop": looped, "ours": batched}, TURNS, 1)
    say(
        f"rewards of {VIDEOS * episodes} selections: {found['loop']:.3f} s, ours "
        f"{found['ours']:.3f} s, largest difference {float(apart):.1e}"
    )
    title = "rewards of Zhou et al., against a loop over selections"
    return row("dsn", title, found["loop"] / found["ours"], 25.0, COMMAND)


def _against_seed() -> list[Row]:
    pictures = [_pictures(n) for n in range(PICTURED)]
    scenes, per_frame = _scenes(pictures)
    bare = [one._replace(colours=one.colours[:, :0]) for one in scenes]
    arrays = [(one.features.numpy(), one.motion[:, 0].numpy()) for one in scenes]
    plain = initialised(dsn_loops.SeedBaseline, "peer")
    adam = Adam(plain.parameters(), lr=1e-4)
    some = Ours(make_scorer(ModelConfig(), 512, 2, 0), bare, FEATURES_ONLY, 5)
    every = Ours(make_scorer(ModelConfig(), 512, 2, 0), scenes, SEED, 5)
    advanced = make_scorer(ModelConfig(kind="advanced"), 512, 2, 0)
    sides = {
        "loop": lambda: dsn_loops.seed_epoch(plain, adam, arrays),
        "ours": some.epoch,
        "with colours": every.epoch,
        "advanced": Ours(advanced, scenes, SEED, 5).epoch,
    }
    found = side_by_side(sides, TURNS, 1)
    started = time.process_time()
    dsn_loops.seed_epoch(plain, adam, arrays[:PICTURED], pictures.__getitem__)
    whole = (time.process_time() - started) / PICTURED * VIDEOS
    say(
        f"seed: {found['loop']:.2f} s, ours with five times the episodes {found['ours']:.3f} s; "
        f"with colours {whole:.0f} s (from {PICTURED} scenes), ours {found['with colours']:.3f} s, "
        f"with our advanced network {found['advanced']:.2f} s. Once: {per_frame * 1e3:.1f} ms per "
        f"frame for colours, {some.once:.2f} s and {every.once:.2f} s for random selections"
    )
    feature = "epoch with feature rewards, 5 episodes, against the seed's loop with 1"
    all_of_them = "epoch with all rewards, 5 episodes, against the seed's loop with 1"
    return [
        row("dsn", feature, found["loop"] / found["ours"], 8.0, COMMAND),
        row("dsn", all_of_them, whole / found["with colours"], 100.0, COMMAND),
    ]


def _scenes(pictures: list[np.ndarray]) -> tuple[list[Sequence], float]:
    """Scenes with the colours of pictures in turn, and the seconds that a picture's cost."""
    started = time.process_time()
    described = [_described(several) for several in pictures]
    seconds = (time.process_time() - started) / sum(map(len, pictures))
    scenes = [_sequence(n, 100, 512) for n in range(VIDEOS)]
    return [
        one._replace(colours=described[n % len(pictures)]) for n, one in enumerate(scenes)
    ], seconds


def _sequence(key: int, frames: int, width: int) -> Sequence:
    """Features that drift, so that neighbours are alike."""
    source = seeding.generator("benchmark", key, frames)
    steps = torch.randn(frames, width, generator=source)
    features = normalize(steps.cumsum(0) * 0.3 + torch.randn(frames, width, generator=source))
    return Sequence(
        video=f"video {key}",
        scene=0,
        fps=24.0,
        span=(0, frames),
        picks=np.arange(frames),
        times=np.arange(frames) / 24,
        features=features,
        motion=torch.rand(frames, 2, generator=source),
        colours=torch.zeros(frames, 0, 0, 0),
        keys=None,
        holds=(),
    )


def _pictures(key: int) -> np.ndarray:
    """100 smooth pictures of 320x180 that change slowly."""
    source = seeding.generator("pictures", key)
    coarse = torch.rand(5, 3, 6, 10, generator=source)
    ends = interpolate(coarse, size=(180, 320), mode="bilinear")
    shares = torch.linspace(0, 3.99, 100)
    moved = [torch.lerp(ends[int(s)], ends[int(s) + 1], float(s % 1)) for s in shares]
    noise = 0.02 * torch.randn(100, 3, 180, 320, generator=source)
    pixels = ((torch.stack(moved) + noise).clamp(0, 1) * 255).byte()
    return pixels.permute(0, 2, 3, 1).numpy()


def _described(pictures: np.ndarray) -> Tensor:
    """Distribution functions of their colours, ``[T, levels, directions, bins]``."""
    found = []
    for picture in pictures:
        level = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        levels = []
        for _ in range(dsn_loops.SCALES):
            pixels = level[0].flatten(1).T
            levels.append(colours.distribution(pixels, dsn_loops.DIRECTIONS, BINS))
            level = avg_pool2d(level, 2)
        found.append(torch.stack(levels))
    return torch.stack(found)


if __name__ == "__main__":
    main()
