"""What an ordering comparison can be asked for."""

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from versus.core.config import Section
from versus.core.paths import project_root, staying
from versus.core.runs import BaseComparison
from versus.experiments.ordering.data.config import DataConfig, one_of

__all__ = ["ALIASES", "ORDERS", "Comparison", "DataConfig", "ModelConfig", "TrainConfig"]

GENERATED = ("stride", "random", "fixed-random", "target", "alternating", "resonant")
ORDERS = (*GENERATED, "file")
OPTIMIZERS = ("adamw", "adam", "sgd", "muon")

_SEED_FLAGS = {
    "p": "data.p",
    "train-size": "data.train_size",
    "test-size": "data.test_size",
    "embed-dim": "model.embed_dim",
    "num-heads": "model.heads",
    "layers": "model.layers",
    "strategy": "grid.train.order",
    "stride": "train.stride",
    "n-harmonics": "train.n_harmonics",
    "overlap-frac": "train.overlap_frac",
    "n-cycles": "train.n_cycles",
    "epochs": "train.epochs",
    "batch-size": "train.batch_size",
    "optimizer": "train.optimizer",
    "lr": "train.lr",
    "min-lr": "train.min_lr",
    "weight-decay": "train.weight_decay",
    "max-grad-norm": "train.max_grad_norm",
    "eval-every": "train.eval_every",
    "snapshot-every": "hooks.snapshot_every",
    "seed": "seeds",
}
# The seed document's flags, with hyphens and with underscores.
ALIASES: Mapping[str, str] = {
    spelling: key
    for flag, key in _SEED_FLAGS.items()
    for spelling in dict.fromkeys((flag, flag.replace("-", "_")))
}


class ModelConfig(Section):
    """The transformer: pre-norm, two tokens, mean over them, linear to p logits."""

    embed_dim: int = Field(64, ge=1)
    """Width d of the residual stream; a multiple of ``heads``."""
    heads: int = Field(4, ge=1)
    """Attention heads."""
    layers: int = Field(1, ge=1)
    """Blocks of attention and feed-forward network."""
    ffn: int | None = Field(None, ge=1)
    """Neurons of a feed-forward network; empty = 4 * embed_dim."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of attention outputs and neurons set to zero while training."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.embed_dim % self.heads:
            raise ValueError(
                f"heads: must divide embed_dim = {self.embed_dim}, received {self.heads}; take "
                f"{math.gcd(self.embed_dim, self.heads)}"
            )
        return self


class TrainConfig(Section):
    """In which order the examples are shown, and how they are learnt."""

    order: Annotated[str, one_of(ORDERS)] = "random"
    """stride (by a modulo ``stride``), target (by label), fixed-random (one permutation), random
    (a new one every epoch), alternating (stride, target in turns), resonant (residue classes along
    lines), file (``indices``). As ``grid.train.order``, ``all`` stands for all but file."""
    stride: int | None = Field(None, ge=1)
    """Modulus of the residue classes, below p; empty = floor(sqrt p). stride, alternating,
    resonant."""
    n_harmonics: int = Field(4, ge=1)
    """resonant: step sizes that the residue classes take in turns."""
    overlap_frac: float = Field(0.4, ge=0, le=1)
    """resonant: share of a class's part whose b comes from the pool that all classes share."""
    n_cycles: int = Field(3, ge=1)
    """resonant: passes over the residue classes in one epoch."""
    indices: str = ""
    """file: path of a permutation of 0 .. training pairs - 1, one index per line or a JSON list."""
    indices_sha256: str = ""
    """file: SHA-256 of ``indices``; filled in where it is empty, and checked before training."""
    epochs: int = Field(300, ge=1)
    """Passes over the training pairs, and the length of the cosine."""
    batch_size: int = Field(32, ge=1)
    """Examples per step; the last batch of an epoch may be shorter."""
    optimizer: Annotated[str, one_of(OPTIMIZERS)] = "adamw"
    """adamw, adam (decay added to the gradient), sgd (with momentum, decay added to the gradient),
    muon (orthogonalised momentum for matrices, adamw for embeddings, output layer and vectors)."""
    lr: float = Field(1e-3, gt=0)
    """Step size at its highest."""
    min_lr: float = Field(5e-7, ge=0)
    """Step size that the cosine ends with."""
    schedule: Literal["constant", "cosine"] = "constant"
    """cosine: from lr to min_lr over all epochs, one value per epoch."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the step size rises linearly to what the schedule says."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the old momentum that each step keeps (sgd, muon)."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Shares of the old moments that each step keeps (adamw, adam)."""
    weight_decay: float = Field(1.0, ge=0)
    """Decay of all weights; per step they shrink by lr * weight_decay (adamw, muon)."""
    max_grad_norm: float | None = Field(None, gt=0)
    """Largest norm of a run's gradient, longer ones are shortened to it; empty = no limit."""
    grokfast_alpha: float = Field(0.98, ge=0, lt=1)
    """Share of the old average that each step keeps in Grokfast's filter."""
    grokfast_lambda: float = Field(0.0, ge=0)
    """Weight of the averaged gradient that is added to the gradient (Grokfast-EMA); 0 = off."""
    eval_every: int = Field(1, ge=1)
    """Epochs between evaluations."""
    eval_subset: int | None = Field(None, ge=1)
    """Evaluate on so many test pairs until their accuracy is within 0.05 of ``target_accuracy``;
    empty = always on all. The metric test/subset says which."""
    target_accuracy: float = Field(0.995, gt=0, le=1)
    """Test accuracy from which a run counts as generalised."""
    memorised_accuracy: float = Field(0.99, gt=0, le=1)
    """Training accuracy from which it counts as memorised."""
    sustained: int = Field(3, ge=1)
    """Consecutive evaluations for which an accuracy must hold; the first of them counts."""
    stop: Literal["generalised", "never"] = "generalised"
    """When a run stops before the last epoch."""
    stack: int = Field(8, ge=1)
    """Most runs that train as one program; large models train alone whatever this says."""

    @model_validator(mode="before")
    @classmethod
    def _identify_indices(cls, tree: Any) -> Any:
        """Another file under the same name is another training."""
        if isinstance(tree, dict) and tree.get("indices") and not tree.get("indices_sha256"):
            path = project_root() / staying(str(tree["indices"]))
            if path.is_file():
                return {**tree, "indices_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        return tree

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr: above lr = {self.lr:g}, received {self.min_lr:g}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: must be at least 0 and below 1, received {self.betas}")
        if self.order == "file" and not self.indices:
            raise ValueError("indices: needed by order = file, received none; name the file")
        return self


class Comparison(BaseComparison):
    """A comparison of orders in which the same examples are shown."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()

    @field_validator("grid")
    @classmethod
    def _all_orders(cls, grid: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        orders = grid.get("train.order", ())
        if "all" in orders:
            named = [name for name in orders if name != "all"]
            grid = {**grid, "train.order": tuple(dict.fromkeys((*GENERATED, *named)))}
        return grid

    @model_validator(mode="after")
    def _within_data(self) -> Self:
        n_train, p = self.data.n_train, self.data.p
        if self.train.batch_size > n_train:
            raise ValueError(
                f"train.batch_size: larger than the {n_train} training pairs, received "
                f"{self.train.batch_size}; take at most {n_train}"
            )
        if self.train.stride is not None and self.train.stride >= p:
            raise ValueError(
                f"train.stride: must be below p = {p}, received {self.train.stride}; take "
                f"floor(sqrt p) = {math.isqrt(p)}"
            )
        return self
