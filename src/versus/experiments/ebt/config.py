"""What an ebt comparison can be asked for."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from versus.core.config import LARGEST_STEP, Section
from versus.core.runs import BaseComparison
from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.presets import Preset, Recipe, recipe_of

# Names of the seed document's arguments.
ALIASES: Mapping[str, str] = {
    "task": "data.tasks",
    "vec_size": "data.vec_size",
    "size_train": "data.size_train",
    "size_val": "data.size_val",
    "size_test": "data.size_test",
    "model_type": "grid.model.kind",
    "n_optimization_steps": "model.descent.steps",
    "step_size": "model.descent.step_size",
    "latent_dim": "model.latent_dim",
    "batch_size": "train.batch_size",
    "num_epochs": "train.steps",
    "max_steps": "train.steps",
    "lr": "train.lr",
    "log-test": "train.log_test",
    "seed": "seeds",
}
Kind = Literal["energy", "ffn", "bilinear_ffn", "least_squares", "quadratic", "bag"]
Energy = Literal["scalar", "sum_of_squares", "residual", "bilinear", "coordinate"]
VECTOR_KINDS = ("energy", "ffn", "bilinear_ffn", "least_squares", "quadratic")
LISTOPS_KINDS = ("energy", "ffn", "bag")
SPOKEN = {"ebt": ("energy",), "both": ("energy", "ffn")}
"""What the seed document calls model types."""


class DescentConfig(Section):
    """How an energy model finds its answer: gradient steps on y."""

    steps: int = Field(10, ge=1)
    """Gradient steps on the answer."""
    step_size: float = Field(1.0, gt=0, le=LARGEST_STEP)
    """Size of a step on the answer; where it is learnt, what it starts from."""
    learned: bool = False
    """Learn the step size with the weights."""
    jitter: float = Field(1.0, ge=1)
    """Training: each batch's step size is multiplied by a number between 1/jitter and jitter."""
    extra_steps: int = Field(0, ge=0)
    """Training: each batch takes 0 to so many steps more."""
    gradient: Literal["last", "all"] = "last"
    """Weights are trained through the last step (the seed document's first-order approximation), or
    through all."""
    noise: float = Field(0.0, ge=0)
    """Training: standard deviation of the noise added to the answer after each step but the last
    (Langevin)."""
    start: Literal["normal", "uniform", "zero", "legacy"] = "normal"
    """Where a descent starts: N(0, 1), uniform in [-1, 1], 0, or N(-1, 2^2) as in the seed
    document's code. Training draws anew for every batch, a trained model has starts of its own."""
    replay: float = Field(0.0, ge=0, le=1)
    """Training: share of the examples whose descent starts where their last one ended."""
    samples: int = Field(1, ge=1)
    """Prediction: descents from different starts; that with the lowest energy counts."""
    accept_lower: bool = False
    """Prediction: a step that does not lower an example's energy is not taken."""


class EncoderConfig(Section):
    """ListOps: the transformer that reads the expression."""

    width: int = Field(64, ge=1)
    """Width of the residual stream; a multiple of ``heads``."""
    heads: int = Field(4, ge=1)
    """Attention heads."""
    blocks: int = Field(2, ge=1)
    """Blocks of attention and feed-forward network."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads: must divide width = {self.width}, received {self.heads}")
        return self


class ModelConfig(Section):
    """What predicts."""

    kind: Kind = "energy"
    """energy: descends a learned energy E(x, y) to its answer; ffn: one pass; bilinear_ffn: linear
    in the inputs and in learned products of them; least_squares and quadratic: closed forms on the
    inputs, or on them and all their products. ListOps: energy, ffn (the same encoder with a linear
    head) and bag (counts of tokens)."""
    energy: Energy = "scalar"
    """scalar: an MLP's output; sum_of_squares of its outputs; residual: half of |y - f(x, y)|^2;
    bilinear: half of |Ay + Bx + C(Px * Qx)|^2; coordinate: a sum over coordinates of one small MLP
    of (a_i, b_i, y_i). ListOps: scalar."""
    latent_dim: int = Field(128, ge=1)
    """Width of the three hidden layers."""
    activation: Literal["silu", "relu"] | None = None
    """Nonlinearity; empty = the preset's. An energy needs silu: relu has no second derivative."""
    products: int = Field(40, ge=1)
    """Learned products of bilinear models."""
    descent: DescentConfig = DescentConfig()
    encoder: EncoderConfig = EncoderConfig()


class TrainConfig(Section):
    """How it is learnt."""

    preset: Preset = "fair"
    """fair: all models with silu, one learning rate, schedule and batch size; seed: each as in the
    seed document. What is set below counts before either."""
    steps: int | None = Field(None, ge=1)
    """Gradient steps (the seed document calls them epochs); empty = the preset's."""
    block: int = Field(250, ge=1)
    """Steps between evaluations; the trainer counts such a block as an epoch."""
    batch_size: int | None = Field(None, ge=1)
    """Examples per step; empty = the preset's."""
    lr: float | None = Field(None, gt=0)
    """Step size of Adam; empty = the preset's."""
    schedule: Literal["constant", "cosine"] | None = None
    """cosine: from lr to 0 over all steps; empty = the preset's."""
    log_test: bool = False
    """Also measure the test set at every evaluation, as test/seen_mse (ListOps: test_iid, as
    test/seen_error). It selects nothing."""
    compile: bool = False
    """Compile the training step, where a compiler is found: faster from some thousand steps on."""
    stack: int = Field(8, ge=1)
    """Most runs that train as one program."""


class Comparison(BaseComparison):
    """A comparison of energy-based with feed-forward prediction."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()

    @property
    def axes(self) -> Mapping[str, tuple[Any, ...]]:
        """Every variant is trained for every task."""
        return {**self.grid, "data.tasks": self.data.tasks}

    @property
    def task(self) -> str:
        """The task of a run."""
        (task,) = self.data.tasks
        return task

    @property
    def recipe(self) -> Recipe:
        """How a run is trained: what its settings say, and its preset where they are silent."""
        return recipe_of(self.train, self.model)

    @field_validator("grid", mode="before")
    @classmethod
    def _spoken_kinds(cls, grid: Any) -> Any:
        if not isinstance(grid, Mapping) or "model.kind" not in grid:
            return grid
        given = grid["model.kind"]
        named = [given] if isinstance(given, str) else given
        kinds = [kind for name in named for kind in SPOKEN.get(name, (name,))]
        return {**grid, "model.kind": tuple(dict.fromkeys(kinds))}

    @model_validator(mode="after")
    def _fits_task(self) -> Self:
        for task in () if self.variants or "model.kind" in self.grid else self.data.tasks:
            kinds = LISTOPS_KINDS if task == LISTOPS else VECTOR_KINDS
            if self.model.kind not in kinds:
                raise ValueError(
                    f"model.kind: no {self.model.kind} for task {task}; choose of "
                    f"{', '.join(kinds)}; received {self.model.kind!r}"
                )
            if task == LISTOPS and self.model.energy != "scalar":
                raise ValueError(
                    f"model.energy: ListOps has scalar only, received {self.model.energy!r}"
                )
        return self

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.model.kind == "energy" and self.model.activation == "relu":
            raise ValueError("model.activation: an energy needs silu, received 'relu'")
        size = self.train.batch_size
        if size is not None and size > self.data.size_train:
            raise ValueError(
                f"train.batch_size: larger than the {self.data.size_train} training examples, "
                f"received {size}; take at most {self.data.size_train}"
            )
        return self
