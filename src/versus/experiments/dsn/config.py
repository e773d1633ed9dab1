"""What a comparison of keyframe scorers can be asked for."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from versus.core.runs import BaseComparison
from versus.experiments.dsn.data.config import DataConfig
from versus.experiments.dsn.learning.config import TrainConfig
from versus.experiments.dsn.legacy import ALIASES, Legacy, translated
from versus.experiments.dsn.models import ModelConfig
from versus.experiments.dsn.rewards import RewardsConfig
from versus.experiments.dsn.selection import SelectionConfig

__all__ = ["ALIASES", "Comparison", "ScorerConfig"]


class ScorerConfig(ModelConfig):
    """What scores frames: a network, or a rule without learning."""

    rule: Literal[
        "",
        "random",
        "constant",
        "holds",
        "steady_holds",
        "steady_turns",
        "motion_peaks",
        "uniform",
        "middle",
        "kmeans",
        "untrained",
    ] = ""
    """Instead of a network that learns. holds: the stillest frames; steady_holds: the same beyond
    the camera's shift and the light; steady_turns: these, where the movement also turns;
    motion_peaks: the liveliest; uniform: the middles of equal
    parts; middle: of the scene, and others evenly (the seed's); kmeans: medoids of clusters of the
    features; untrained: the network with its first weights."""
    selection: SelectionConfig = SelectionConfig()
    """How key frames follow from scores; its budget is also that of the policy and the rewards."""


LABELLED, UNLABELLED = "val/F1_mean", "val/composite_mean"


def without_labels(tree: Any) -> Any:
    """A comparison's tree whose search goes by the composite where no key pose is known."""
    data, search = (tree.get(name) for name in ("data", "search"))
    if not (isinstance(data, Mapping) and isinstance(search, Mapping)):
        return tree
    if data.get("source", "generated") == "generated" or search.get("metrics") is None:
        return tree
    given = search["metrics"]
    names = [given] if isinstance(given, str) else list(given)
    metrics = [UNLABELLED if name == LABELLED else name for name in names]
    return {**tree, "search": {**search, "metrics": metrics}}


class Comparison(BaseComparison):
    """A comparison of keyframe scorers."""

    UNHASHED: ClassVar[frozenset[str]] = BaseComparison.UNHASHED | {"legacy"}

    data: DataConfig = DataConfig()
    model: ScorerConfig = ScorerConfig()
    train: TrainConfig = TrainConfig()
    legacy: Legacy = Legacy()

    @property
    def learns(self) -> bool:
        """Whether the scorer is learnt."""
        return not self.model.rule

    @property
    def reward_settings(self) -> RewardsConfig:
        """What selections are rewarded for, with the one budget that there is."""
        budget = self.model.selection.model_dump(include={"ratio", "least", "most"})
        return RewardsConfig.model_validate({**self.train.rewards.model_dump(), **budget})

    @model_validator(mode="before")
    @classmethod
    def _translated(cls, tree: Any) -> Any:
        return without_labels(translated(tree))

    @model_validator(mode="after")
    def _budgeted(self) -> Self:
        if not self.model.selection.ratio:
            raise ValueError(
                "model.selection.ratio: the budget of rewards and policy is a share above 0; "
                "received 0"
            )
        return self

    @model_validator(mode="after")
    def _coloured(self) -> Self:
        weight = self.train.rewards.weights.color_swd
        if weight and not self.data.features.colours.enabled:
            raise ValueError(
                "train.rewards.weights.color_swd: needs colours; set data.features.colours.enabled "
                f"true, or the weight to 0; received {weight}"
            )
        return self
