"""What a comparison of operator policies can be asked for."""

from typing import Any, ClassVar, Self

from pydantic import model_validator

from versus.core.config import Section
from versus.core.runs import BaseComparison
from versus.experiments.reoac.backbones.config import BackboneConfig
from versus.experiments.reoac.data.config import DataConfig
from versus.experiments.reoac.features.config import FeaturesConfig
from versus.experiments.reoac.learning.config import TrainConfig
from versus.experiments.reoac.legacy import ALIASES, Legacy, translated
from versus.experiments.reoac.operators.config import OperatorsConfig
from versus.experiments.reoac.policies.config import ActorConfig, CriticConfig, PolicyConfig
from versus.experiments.reoac.pretraining.config import PretrainingConfig
from versus.experiments.reoac.rollouts.returns import check_cost

__all__ = ["ALIASES", "Comparison"]


class ModelConfig(Section):
    """Who decides what is written, from what, among what."""

    policy: PolicyConfig = PolicyConfig()
    features: FeaturesConfig = FeaturesConfig()
    operators: OperatorsConfig = OperatorsConfig()
    actor: ActorConfig = ActorConfig()
    critic: CriticConfig = CriticConfig()


class Comparison(BaseComparison):
    """A comparison of operator policies."""

    UNHASHED: ClassVar[frozenset[str]] = BaseComparison.UNHASHED | {"legacy"}

    data: DataConfig = DataConfig()
    backbone: BackboneConfig = BackboneConfig()
    pretraining: PretrainingConfig = PretrainingConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    legacy: Legacy = Legacy()

    def foreign_code(self) -> tuple[str, ...]:
        """The commit of the code that comes with a remote backbone."""
        backbone = self.backbone
        if backbone.source != "remote":
            return ()
        return (backbone.code_revision or backbone.revision,)

    @property
    def learns(self) -> bool:
        """Whether the policy is learnt."""
        return self.model.policy.kind == "learned"

    @property
    def trains_backbone(self) -> bool:
        """Whether weights of the backbone change."""
        settings = self.train
        return bool(
            self.learns and settings.finetune_mode != "frozen" and settings.update.backbone_steps
        )

    def prices(self) -> dict[str, tuple[str, float]]:
        """Variant -> what is counted of a pass, and what it costs."""
        settings = {arm.name: self.with_overrides(arm).train.rollout for arm in self.arms()}
        return {name: (rollout.cost, rollout.cost_lambda) for name, rollout in settings.items()}

    @model_validator(mode="before")
    @classmethod
    def _translated(cls, tree: Any) -> Any:
        made: Any = translated(tree, TrainConfig().samples)
        return made

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        check_cost(self.train.rollout, self.model.operators)
        return self

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.learns and self.train.rollout.max_steps < 2:
            raise ValueError(
                "train.rollout.max_steps: the last pass writes all that is left, so that a learnt "
                "policy has nothing to decide with 1; take 2 at least, received 1"
            )
        return self

    @model_validator(mode="after")
    def _prepared(self) -> Self:
        if self.train.task not in self.data.tasks:
            raise ValueError(
                f"train.task: {self.train.task} is not prepared; data.tasks must name it, received "
                f"{list(self.data.tasks)}"
            )
        return self

    @model_validator(mode="after")
    def _unseen(self) -> Self:
        learnt, skipped = self.pretraining.rows, self.train.skip
        known = self.backbone.source == "embedded" and self.train.task in self.pretraining.tasks
        if known and learnt > skipped:
            raise ValueError(
                f"train.skip: the backbone learns the first pretraining.rows = {learnt} training "
                f"problems, and what a policy sees of those tells nothing of new ones; give "
                f"{learnt} or more, received {skipped}"
            )
        return self

    @model_validator(mode="after")
    def _as_pretrained(self) -> Self:
        length, region = self.train.rollout.gen_len, self.pretraining.region
        if self.backbone.source == "embedded" and length != region:
            raise ValueError(
                f"train.rollout.gen_len: the embedded backbone writes pretraining.region = "
                f"{region} tokens, received {length}; make them equal"
            )
        return self
