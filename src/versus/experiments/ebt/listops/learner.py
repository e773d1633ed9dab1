"""Trains one model of expressions.

An epoch is ``train.block`` steps. A batch holds expressions of similar lengths, cut to the longest
of them. Validation alone selects; the test parts are measured once, at the best weights, in the
final evaluation.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from versus.core import seed_models, seeding
from versus.core.errors import ConfigError, DataError
from versus.core.examples import Examples, per_example
from versus.core.experiment import ModelPart
from versus.core.module_state import initialised
from versus.core.runs import RunConfig
from versus.core.seed_models import Items, mean_of_items
from versus.core.single import SingleLearner
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.listops.floors import Floors, class_balance
from versus.experiments.ebt.data.listops.splits import TESTS
from versus.experiments.ebt.data.listops.tokens import lengths_of
from versus.experiments.ebt.data.stages import read_task
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.listops.axes import by_axis
from versus.experiments.ebt.listops.model import EnergyModel, lowest, make_model

logger = logging.getLogger(__name__)

POOL = 16
"""Batches whose examples are sorted by length together."""
CHUNK = 256
"""Examples measured at a time."""
LONGEST_GRADIENT = 1.0
ItemsOf = Callable[[str], Items]


class Batch(NamedTuple):
    """Tokens (B, T), values (B,) and the number of the step, which keys its random draws."""

    inputs: Tensor
    labels: Tensor
    step: int


class ListOpsLearner(SingleLearner):
    """One model of expressions, trained with Adam on the cross-entropy of its answer.

    Args:
        run: variant, seed and their settings.
        data: folder of the data stage.

    Raises:
        ConfigError: if the settings ask for what only vector tasks have.
        DataError: if the seed's data are missing or torn.
    """

    best_by, best_is = "val/loss", "minimize"

    def __init__(self, run: RunConfig, data: Path) -> None:
        settings: Comparison = run.config
        _check(settings)
        device = settings.use_torch()
        self.recipe, self.train = settings.recipe, settings.train
        self.parts = _read(data, run.key.seed, device)
        self._lengths = lengths_of(self.parts["train"].inputs).cpu()
        self._pass: tuple[int, list[Tensor]] = -1, []  # the one last planned, and its batches
        self.model = _initial(settings, run.key.seed).to(device)
        adam = torch.optim.Adam(self.model.parameters(), lr=self.recipe.lr)
        schedulers: list[LRScheduler] = []
        if self.recipe.schedule == "cosine":
            schedulers.append(CosineAnnealingLR(adam, self.recipe.steps))
        super().__init__(
            run,
            {"model": self.model},
            {"adam": adam},
            epochs=-(-self.recipe.steps // self.train.block),
            schedulers=schedulers,
            max_grad_norm=LONGEST_GRADIENT,
            steps_per_epoch=min(self.train.block, self.recipe.steps),
        )

    # --- training ---

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The steps of one block; the last block may be shorter."""
        first = epoch * self.train.block
        inputs, labels = self.parts["train"]
        for step in range(first, min(first + self.train.block, self.recipe.steps)):
            rows = self._rows(step)
            longest = int(self._lengths[rows].max())
            rows = rows.to(labels.device)
            yield Batch(inputs[rows, :longest], labels[rows], step)

    def _rows(self, step: int) -> Tensor:
        """Indices of a step's examples: every pass over the data has batches of its own."""
        per_pass = len(self._lengths) // self.recipe.batch_size
        number, place = divmod(step, per_pass)
        if self._pass[0] != number:
            self._pass = number, self._plan(number, per_pass)
        return self._pass[1][place]

    def _plan(self, number: int, per_pass: int) -> list[Tensor]:
        """Batches of one pass, in random order; what is left over comes in another pass."""
        size = self.recipe.batch_size
        source = seeding.generator(self.run.key.seed, "order", number)
        order = torch.randperm(len(self._lengths), generator=source)[: per_pass * size]
        pools = (p[self._lengths[p].argsort(stable=True)] for p in torch.split(order, POOL * size))
        batches = torch.split(torch.cat(list(pools)), size)
        return [batches[i] for i in torch.randperm(per_pass, generator=source).tolist()]

    def loss_of(self, batch: Batch) -> Tensor:
        """Cross-entropy of the answer; an energy model's is that after the last step."""
        if isinstance(self.model, EnergyModel):
            source = seeding.generator(self.run.key.seed, "descent", batch.step)
            logits = self.model.training_logits(batch.inputs, source)
        else:
            logits = self.model(batch.inputs)
        return cross_entropy(logits, batch.labels)

    def loss(self, values: Tensor, batch: Batch) -> Tensor:
        """Loss at weights ``values`` (1, P), (1,), twice differentiable, as hooks need it."""
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            return super().loss(values, batch)

    # --- evaluation ---

    def measure(self) -> Mapping[str, float]:
        """Validation; in the final evaluation also floors and, at the best weights, all tests."""
        final = self.epoch >= self.total_epochs or self._diverged
        try:
            return self._measured(self._nothing if self._diverged else self.items, final)
        except DataError as error:
            logger.warning("%s of seed %d: %s", self.run.key.variant, self.run.key.seed, error)
            self._diverged = True
            return self._measured(self._nothing, final)

    def _measured(self, items: ItemsOf, final: bool) -> dict[str, float]:
        found = mean_of_items("val", items("val"))
        if self.train.log_test:
            seen = mean_of_items("test", items("test_iid"))
            found["test/seen_error"] = seen["test/error"]
        return found | self._finals(items) if final else found

    def _finals(self, items: ItemsOf) -> dict[str, float]:
        floors = Floors(self.parts["train"])
        found = class_balance(self.parts["train"].labels)
        found["data/tokens"] = float((self.parts["train"].inputs.flatten().bincount() > 0).sum())
        all_items: dict[str, Items] = {}
        with self.at_best():
            for part in TESTS:
                known = items(part)
                found |= mean_of_items(part, known)
                right = floors.right(self.parts[part])
                found |= mean_of_items(part, right)
                all_items[part] = {"accuracy": known["accuracy"].cpu(), **right}
        return found | by_axis(self.parts, all_items)

    def items(self, part: str) -> dict[str, Tensor]:
        """Metrics of every example of a part at the present weights, (n,) each.

        Raises:
            DataError: if an inner descent leaves the finite numbers.
        """
        inputs, labels = self.parts[part]
        lengths = lengths_of(inputs)
        order = lengths.argsort(stable=True)
        chunks = [
            self._items_of(inputs[rows, : int(lengths[rows].max())], labels[rows])
            for rows in torch.split(order, CHUNK)
        ]
        back = order.argsort()
        return {name: torch.cat([chunk[name] for chunk in chunks])[back] for name in chunks[0]}

    def _items_of(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        energies = {}
        if isinstance(self.model, EnergyModel):
            found = self.model.descents(inputs)
            logits = lowest(found)
            energies = {
                "energy_start": found.first_energies.mean(1),
                "energy_end": found.energies.mean(1),
            }
        else:
            logits = self.model(inputs)
        known = per_example(logits, labels)
        return {**known, "error": 1 - known["accuracy"], **energies}

    def _nothing(self, part: str) -> dict[str, Tensor]:
        """What :meth:`items` would have said of a run that has diverged."""
        names = ["loss", "accuracy", "error"]
        if isinstance(self.model, EnergyModel):
            names += ["energy_start", "energy_end"]
        return {name: torch.zeros(len(self.parts[part].labels)) for name in names}


def _check(settings: Comparison) -> None:
    descent = settings.model.descent
    if settings.model.kind == "energy" and descent.replay:
        raise ConfigError(
            f"model.descent.replay: ListOps keeps no earlier answers, received {descent.replay:g}; "
            "take 0"
        )
    if settings.train.compile:
        raise ConfigError("train.compile: ListOps has no compiled step, received true; take false")


def _initial(settings: Comparison, seed: int) -> nn.Module:
    return initialised(lambda: make_model(settings.model, settings.recipe, seed), seed)


def _read(folder: Path, seed: int, device: torch.device) -> dict[str, Examples]:
    """Part -> tokens (n, T) and values (n,), int64."""
    parts = read_task(folder, LISTOPS, seed, device)
    return {name: Examples(*(tensor.long() for tensor in part)) for name, part in parts.items()}


def build(stack: Sequence[RunConfig], data: Path) -> ListOpsLearner:
    """The learner of one run."""
    (run,) = stack
    return ListOpsLearner(run, data)


def models(learner: ListOpsLearner) -> dict[str, ModelPart]:
    """Variant -> its best weights as ``ebt-listops-KIND``; none of a run that has diverged."""
    name = f"ebt-listops-{learner.run.config.model.kind}"
    config = {"experiment": learner.run.config.experiment, "task": learner.run.config.task}
    found = seed_models.models(learner)
    return {v: replace(part, name=name, config=config) for v, part in found.items()}
