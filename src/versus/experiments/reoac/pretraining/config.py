"""How the embedded language model is pre-trained."""

from typing import Literal

from pydantic import Field

from versus.core.config import LARGEST_STEP, Section
from versus.experiments.reoac.data.config import Task


class PretrainingConfig(Section):
    """Pre-training of the embedded model on generated problems of ``data.generated``."""

    seed: int = Field(0, ge=0)
    """First weights, order of the problems, masks."""
    tasks: tuple[Task, ...] = Field(("gsm8k",), min_length=1)
    """Data sets whose problems are learnt."""
    problems: int = Field(40_000, ge=1)
    """Training problems of each data set; none of them is in the training or test rows."""
    rows: int = Field(0, ge=0)
    """First training rows of each data set, as ``data.source`` has them, that are learnt besides;
    0 = none. Needs ``train.skip``, so that policies meet problems that are new to the backbone."""
    rows_share: float = Field(0.5, gt=0, le=1)
    """Share of a batch that is drawn from these rows."""
    least_seen: int = Field(2, ge=1)
    """Words that are in these rows less often are unknown to the model."""
    region: int = Field(26, ge=2)
    """Tokens that are written; problems whose working is longer are left out."""
    steps: int = Field(4000, ge=1)
    """Gradient steps."""
    block: int = Field(800, ge=1)
    """Steps between evaluations; the trainer counts such a block as an epoch."""
    batch_size: int = Field(32, ge=1)
    """Problems per step."""
    lr: float = Field(3e-3, gt=0, le=LARGEST_STEP)
    """Step size of AdamW; falls to 0 as a cosine."""
    warmup: int = Field(0, ge=0)
    """Steps in which the step size rises to ``lr`` before it falls; large models need some."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward passes are computed in it where it is safe, which GPUs do several times as
    fast; weights and optimiser stay float32."""
    weight_decay: float = Field(0.01, ge=0)
    """Of AdamW."""
    least_masked: float = Field(0.02, ge=0, lt=1)
    """A problem's share of masked tokens is drawn between this and 1."""
    probe: int = Field(100, ge=1)
    """Test problems that are solved at every evaluation."""
    held_out: int = Field(1000, ge=1)
    """Test problems that are solved at the end."""
    threshold: float = Field(0.9, gt=0, le=1)
    """Solving: all tokens above this probability are written in one pass, at least the likeliest;
    1 = one token a pass."""
