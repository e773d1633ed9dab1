"""Two ways to train: as the seed document does, and alike for all models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from versus.experiments.ebt.config import ModelConfig, TrainConfig

Preset = Literal["fair", "seed"]


@dataclass(frozen=True)
class Recipe:
    """What a training is made of where nothing else is said.

    Attributes:
        activation: of the hidden layers.
        steps: gradient steps.
        batch_size: examples per step.
        lr: step size of Adam.
        schedule: of the step size.
    """

    activation: Literal["silu", "relu"]
    steps: int
    batch_size: int
    lr: float
    schedule: Literal["constant", "cosine"]


FAIR = Recipe("silu", 3000, 64, 1e-3, "constant")
SEED_ENERGY = Recipe("silu", 10_000, 64, 1e-3, "constant")
SEED_FFN = Recipe("relu", 50_000, 128, 1e-4, "constant")


def recipe_of(train: "TrainConfig", model: "ModelConfig") -> Recipe:
    """The preset's recipe for this kind of model, with what the settings say instead."""
    preset = FAIR
    if train.preset == "seed":
        preset = SEED_ENERGY if model.kind == "energy" else SEED_FFN
    said: Mapping[str, object] = {
        "activation": model.activation,
        "steps": train.steps,
        "batch_size": train.batch_size,
        "lr": train.lr,
        "schedule": train.schedule,
    }
    return replace(preset, **{key: value for key, value in said.items() if value is not None})  # type: ignore[arg-type]
