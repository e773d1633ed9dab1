"""Scorer and critic of a run, and what they are told of the data."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.nn import Module

from versus.core.errors import DataError
from versus.core.paths import shown
from versus.experiments.dsn.data import shards
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.learning.critic import Critic, make_critic
from versus.experiments.dsn.learning.reading import read
from versus.experiments.dsn.models import Scorer, make_scorer

if TYPE_CHECKING:
    from versus.experiments.dsn.config import Comparison


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        scorer: scores frames; None of a rule that needs no network.
        critic: foretells rewards; None where advantages need none.
        sizes: numbers per frame: features and motion.
        extractor: who made the features.
    """

    scorer: Scorer | None
    critic: Critic | None
    sizes: tuple[int, int]
    extractor: dict[str, Any]

    @property
    def network(self) -> Scorer:
        """The scorer.

        Raises:
            TypeError: of a rule that has none.
        """
        if self.scorer is None:
            raise TypeError("a rule without a network")
        return self.scorer

    def learnt(self) -> dict[str, Module]:
        """Modules by name."""
        found: dict[str, Module | None] = {"scorer": self.scorer, "critic": self.critic}
        return {name: module for name, module in found.items() if module is not None}


def assembled(settings: "Comparison", data: Path, seed: int) -> Parts:
    """The parts of a run, on its device.

    Args:
        settings: a comparison of this experiment, with a variant's values set.
        data: what the data stages wrote.
        seed: decides first weights.

    Raises:
        DataError: if there is nothing to learn from.
    """
    about = shards.about(data, "train")
    sizes, device = (_width(data), len(COLUMNS)), settings.use_torch()
    scorer = critic = None
    if settings.model.rule in ("", "untrained"):
        scorer = make_scorer(settings.model, *sizes, seed).to(device)
    if settings.learns and settings.train.advantage == "critic":
        critic = make_critic(sum(sizes), settings.train.critic.hidden, seed).to(device)
    return Parts(scorer, critic, sizes, about["extractor"])


def _width(data: Path) -> int:
    sequences = read(data, "train")
    if not sequences:
        raise DataError(f"{shown(data)}: no training sequence; give more or longer videos")
    return int(sequences[0].features.shape[1])
