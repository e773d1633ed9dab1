"""What a selection of frames is worth."""

from versus.experiments.dsn.rewards.config import RewardsConfig, Weights
from versus.experiments.dsn.rewards.rewards import Prepared, Reward, Rewards
from versus.experiments.dsn.rewards.videos import budgets

__all__ = ["Prepared", "Reward", "Rewards", "RewardsConfig", "Weights", "budgets"]
