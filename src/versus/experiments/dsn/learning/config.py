"""How scorers learn."""

from typing import Literal, Self

from pydantic import Field, model_validator

from versus.core.config import LARGEST_STEP, Section
from versus.experiments.dsn.metrics import MetricsConfig
from versus.experiments.dsn.policies import PolicyConfig
from versus.experiments.dsn.rewards.config import RewardTerms


class CriticConfig(Section):
    """The network that foretells what a sequence's selections will be worth."""

    hidden: int = Field(64, ge=1, le=65_536)
    """Hidden units."""
    lr: float = Field(1e-3, gt=0, le=LARGEST_STEP)
    """Step size of its Adam."""


class TrainConfig(Section):
    """How scorers learn. Rate, decay, norm, entropy and momentum are the seed's."""

    epochs: int = Field(5, ge=1)
    """Passes over the training videos."""
    videos: int = Field(8, ge=1)
    """Videos of a minibatch, with all their scenes; the seed takes one scene at a time."""
    rewards: RewardTerms = RewardTerms()
    """What selections are rewarded for."""
    metrics: MetricsConfig = MetricsConfig()
    """How they are measured."""
    policy: PolicyConfig = PolicyConfig()
    """How selections are drawn."""
    advantage: Literal["leave_one_out", "moving_average", "critic"] = "leave_one_out"
    """What a selection must be better than: the others of its sequence; the mean of earlier ones of
    its sequence (the seed's baseline, but one per sequence); what a network foretells."""
    scaled: bool = True
    """Advantages are divided by their root mean square over the minibatch."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Advantage moving_average: share that an epoch leaves of the mean so far."""
    critic: CriticConfig = CriticConfig()
    """Advantage critic: the network."""
    entropy: float = Field(0.01, ge=0)
    """Weight of the entropy of scores; it is a mean over frames, the seed's a sum."""
    lr: float = Field(1e-4, gt=0, le=LARGEST_STEP)
    """Step size of Adam."""
    weight_decay: float = Field(0.0, ge=0)
    """Share of the weights that is added to their gradient."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Longest gradient."""
    evaluate_every: int = Field(1, ge=1)
    """Epochs between measurements on validation videos."""
    select_by: Literal["reward", "F1"] = "reward"
    """Which weights count: those whose key frames of validation videos are rewarded best, or, with
    known key poses, those with the best F1."""
    patience: int = Field(0, ge=0)
    """Measurements without a better one after which training ends; 0 = never."""
    use_cache: bool = True
    """Whether what a sequence's rewards are measured by is kept from epoch to epoch. No result
    depends on it."""
    cache_size: int = Field(1000, ge=0)
    """Sequences of which it is kept."""

    @model_validator(mode="after")
    def _others(self) -> Self:
        if self.advantage == "leave_one_out" and self.policy.episodes < 2:
            raise ValueError(
                "policy.episodes: leave_one_out compares selections of one sequence, so that it "
                f"needs 2 at least; received {self.policy.episodes}; take moving_average otherwise"
            )
        return self
