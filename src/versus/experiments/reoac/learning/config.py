"""How policies are learnt."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from versus.core.config import LARGEST_STEP, Section
from versus.experiments.reoac.backbones.config import FinetuneMode, LoraConfig
from versus.experiments.reoac.data.config import Task
from versus.experiments.reoac.rollouts.config import RolloutConfig

SPOKEN: Mapping[str, str] = {"latex": "sympy_latex", "deepseek": "auto"}
"""What the seed document also calls readers of formulas."""


class OptimConfig(Section):
    """Step sizes of AdamW."""

    actor_lr: float = Field(3e-3, gt=0, le=LARGEST_STEP)
    """Of the actor."""
    critic_lr: float = Field(3e-3, gt=0, le=LARGEST_STEP)
    """Of the critic."""
    backbone_lr: float = Field(1e-4, gt=0, le=LARGEST_STEP)
    """Of what is trained of the backbone."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Longest gradient of each of the three."""


class UpdateConfig(Section):
    """Gradient steps after every roll-out, each over the whole buffer."""

    critic_steps: int = Field(2, ge=0)
    """Of the critic."""
    actor_steps: int = Field(1, ge=0)
    """Of the actor."""
    backbone_steps: int = Field(1, ge=0)
    """Of the backbone, unless it is frozen."""
    backbone_batch: int = Field(64, ge=1)
    """Steps of roll-outs that a step of the backbone looks at, drawn from the buffer."""


class LossesConfig(Section):
    """What is minimised."""

    critic_weight: float = Field(1.0, ge=0)
    """Share of the critic's loss in the total that is reported; each part has its own optimiser, so
    that no gradient depends on it."""
    actor_weight: float = Field(1.0, ge=0)
    """The same of the actor's."""
    backbone_weight: float = Field(1.0, ge=0)
    """The same of the backbone's."""
    actor_temperature: float = Field(1.0, gt=0)
    """Algorithm softq: the actor imitates softmax(Q / temperature)."""
    entropy: float = Field(0.01, ge=0)
    """Weight of the policy's entropy; keeps operators in play."""
    clip: float = Field(0.2, gt=0)
    """Most that the probability of a choice may change, up or down, before its advantage counts no
    more (PPO)."""
    advantage_positive: bool = False
    """Only advantages above 0 count: of choices, and as weights of the backbone's tokens."""
    advantage_clip: float = Field(0.0, ge=0)
    """Largest advantage, up or down, of choices and of the backbone's tokens; 0 = any."""
    kl: float = Field(0.05, ge=0)
    """Weight of the divergence of the backbone from what it was before."""


class RewardConfig(Section):
    """What a text is worth while training; evaluation is always strict."""

    mode: Literal["strict", "shaped"] = "strict"
    """strict: 1 if the answer is right; shaped: partial credit as in docs/grading.md."""


class TrainConfig(Section):
    """How actor, critic and backbone learn."""

    task: Task = "gsm8k"
    """Whose problems are rolled out."""
    algorithm: Literal["rloo", "a2c", "softq"] = "rloo"
    """rloo: policy gradient, each roll-out against the others of its problem (leave one out); a2c:
    against the critic's value; softq: the actor imitates the critic (the seed document's)."""
    num_iterations: int = Field(60, ge=1)
    """Roll-outs, each followed by updates; the trainer counts one as an epoch."""
    problems: int = Field(48, ge=1)
    """Problems of an iteration."""
    samples: int = Field(4, ge=1)
    """Roll-outs of each; problems times samples is what the seed document calls
    episodes_per_iter."""
    buffer_size: int = Field(0, ge=0)
    """Roll-outs that updates look at, the newest first; 0 = those of the iteration."""
    skip: int = Field(0, ge=0)
    """First problems of the training split that are not rolled out, such as those that the
    embedded backbone knows by heart (``pretraining.rows``)."""
    validation: int = Field(200, ge=1)
    """Last problems of the training split; they are not trained on, and select weights."""
    evaluate_every: int = Field(10, ge=1)
    """Iterations between validations."""
    finetune_mode: FinetuneMode = "frozen"
    """What of the backbone is trained."""
    target: Literal["auto", "sampled", "reference"] = "auto"
    """What the backbone's update makes likelier: the tokens that were written, weighted by their
    advantage, or the reference solution, weighted by the return (the seed document's). auto:
    sampled where tokens are drawn (rollout.temperature above 0), else reference."""
    parser: Literal["auto", "latex2sympy2", "sympy_latex", "sympy"] = "auto"
    """Who reads formulas in answers (docs/grading.md)."""
    lora: LoraConfig = LoraConfig()
    rollout: RolloutConfig = RolloutConfig()
    reward: RewardConfig = RewardConfig()
    losses: LossesConfig = LossesConfig()
    optim: OptimConfig = OptimConfig()
    update: UpdateConfig = UpdateConfig()

    @field_validator("parser", mode="before")
    @classmethod
    def _spoken(cls, name: Any) -> Any:
        return SPOKEN.get(name, name) if isinstance(name, str) else name

    @property
    def learns_references(self) -> bool:
        """Whether the backbone learns from reference solutions."""
        return self.target == "reference" or (
            self.target == "auto" and not self.rollout.temperature
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.algorithm == "rloo" and self.samples < 2:
            raise ValueError(
                "samples: rloo compares roll-outs of one problem, so that it needs 2 at least; "
                f"received {self.samples}"
            )
        trains = self.finetune_mode != "frozen" and self.update.backbone_steps
        if trains and self.target == "sampled" and not self.rollout.temperature:
            raise ValueError(
                "rollout.temperature: a backbone learns from sampled tokens only if they are "
                "drawn; received 0; take 1, or target reference"
            )
        return self
