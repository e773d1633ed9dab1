"""All hooks of modular arithmetic on a small stack: alive, declared, neutral, resumable."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contract.contract import Interruption, StopAt, same
from tests.unit.core.hook_samples import declared, undeclared
from versus.core import seeding, sinks
from versus.core.experiment import find
from versus.core.hooks import catalogue
from versus.core.hooks.base import Context, Hook
from versus.core.hooks.library.curvature import gradient_and_product
from versus.core.hooks.library.groups import GENERIC_GROUPS
from versus.core.runs import HookChoice
from versus.core.trainer import Rhythm, Trainer
from versus.experiments import ordering
from versus.experiments.ordering import data
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.hooks import HOOK_GROUPS
from versus.experiments.ordering.hooks.parts import strides
from versus.experiments.ordering.hooks.progress import Progress, all_logits
from versus.experiments.ordering.learner import OrderingLearner

P, EPOCHS = 13, 40
EXPERIMENT = find("ordering")
OFTEN: dict[str, Any] = {"every": 1, "burst": 1, "warmup": 0}
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: OFTEN for name in HOOK_GROUPS["full"]},
    "training_diagnostics": {"update_every": 1, "gradient_every": 1},
    "consecutive": {**OFTEN, "burst": 2},
    "batch_dynamics": {**OFTEN, "lags": (1, 5), "spans": (2, 5)},
    "fourier": {**OFTEN, "significance_multiplier": 2.6},
    "progress": {**OFTEN, "key_frequencies": 2},
}


def comparison(**train: Any) -> Comparison:
    settings = {"epochs": EPOCHS, "lr": 0.02, "schedule": "cosine", "batch_size": 8} | train
    tree = {
        "experiment": "ordering",
        "seeds": (0, 1),
        "data": {"p": P, "train_fraction": 0.25},
        "model": {"embed_dim": 16, "heads": 2, "layers": 1},
        "train": {"stop": "never", **settings},
        "grid": {"train.order": ("random", "stride")},
    }
    return Comparison.model_validate(tree)


def make(folder: Path, **train: Any) -> OrderingLearner:
    settings = comparison(**train)
    if not folder.exists():
        folder.mkdir(parents=True)
        data.write_splits(settings, folder)
    (stack,) = ordering.stacks(settings.expand())
    return ordering.build(stack, folder)


def full(made: OrderingLearner) -> list[Hook]:
    choice = HookChoice(group="full", settings=SETTINGS, reference="given")
    return catalogue.choose(EXPERIMENT, choice, made)


def reference(made: OrderingLearner) -> torch.Tensor:
    shape = made.weights().values().shape
    return torch.randn(shape, generator=seeding.generator("reference"))


def train(folder: Path, *more: Hook, hooks: bool = True, **train: Any) -> OrderingLearner:
    made = make(folder.parent / "data", **train)
    chosen: Sequence[Hook] = [*full(made), *more] if hooks else more
    rhythm = Rhythm(5, snapshot_epochs=1)
    Trainer(made, folder, hooks=chosen, rhythm=rhythm, reference=reference(made)).run()
    return made


def test_no_metric_of_full_is_constant_missing_or_undeclared(tmp_path: Path) -> None:
    train(tmp_path / "run")
    values: dict[str, dict[tuple[str, int], list[float | None]]] = {}
    for variant, seed, name, _, value in sinks.series(tmp_path / "run" / "metrics.jsonl"):
        if not name.startswith(("train/", "test/", "best/", "epochs/", "steps/", "delay/")):
            runs = values.setdefault(name, defaultdict(list))
            runs[variant, seed].append(value)
    hooks = [catalogue.catalogue(EXPERIMENT)[name] for name in HOOK_GROUPS["full"]]
    names = [name for name in values if name.partition("/")[0] in HOOK_GROUPS["full"]]
    assert undeclared(names, hooks) == []
    patterns = [pattern for hook in hooks for pattern in declared(hook)]
    assert [p for p in patterns if not any(re.fullmatch(p, name) for name in names)] == []
    infinite = {n for n in names for series in values[n].values() if None in series}
    assert infinite == set()
    frozen = {n for n in names if all(len(set(series)) == 1 for series in values[n].values())}
    assert frozen == set()


def test_full_changes_nothing(tmp_path: Path) -> None:
    observed = train(tmp_path / "observed")
    plain = train(tmp_path / "plain", hooks=False)
    assert same(observed.state_dict(), plain.state_dict())


def test_a_resumed_run_gives_the_same_metrics_to_the_bit(tmp_path: Path) -> None:
    train(tmp_path / "whole", epochs=4)
    expected = sinks.series(tmp_path / "whole" / "metrics.jsonl")
    for step in (3, 8, 12, 18):
        folder = tmp_path / str(step)
        with pytest.raises(Interruption):
            train(folder, StopAt(step), epochs=4)
        train(folder, epochs=4)
        assert same(sinks.series(folder / "metrics.jsonl"), expected)


def test_groups() -> None:
    there = catalogue.catalogue(EXPERIMENT)
    assert {name for names in HOOK_GROUPS.values() for name in names} <= set(there)
    assert len(there) == 20  # the 19 of the seed document, and progress
    assert len(HOOK_GROUPS["observers"]) == 16
    assert set(HOOK_GROUPS["full"]) == set(there) - {"counterfactual_validator"}
    assert HOOK_GROUPS["interventions"] == GENERIC_GROUPS["interventions"]


def test_each_run_is_measured_at_the_stride_of_its_order(tmp_path: Path) -> None:
    made = make(tmp_path / "data", stride=5)
    assert strides(Context(made)) == [5] * 4
    assert strides(Context(make(tmp_path / "data"))) == [3] * 4


@pytest.mark.parametrize(("op", "there"), [("add", True), ("sub", True), ("mul", False)])
def test_losses_of_waves_exist_where_the_answer_is_a_function_of_a_sum(
    tmp_path: Path, op: str, there: bool
) -> None:
    settings = comparison()
    settings = settings.model_copy(
        update={"data": settings.data.model_copy(update={"op": op})}, deep=True
    )
    data.write_splits(settings, tmp_path)
    made = ordering.build(settings.expand(), tmp_path)
    found = Progress().compute(Context(made))
    assert ("restricted_loss" in found) == there
    assert "gini_embedding" in found


def test_all_logits_are_those_of_single_pairs(tmp_path: Path) -> None:
    made = make(tmp_path / "data")
    weights = made.model_parameters()
    logits = all_logits(made.model, weights, 50)
    for a, b in ((0, 0), (3, 11), (12, 5)):
        pair = torch.tensor([a, b]).expand(4, 1, 2)
        alone = made.model.forward(weights, pair)[:, 0]
        torch.testing.assert_close(logits[:, a * P + b], alone)


def test_hessian_vector_product_against_finite_differences(tmp_path: Path) -> None:
    made = make(tmp_path / "data")
    batch = next(iter(made.batches(0)))
    weights = made.weights().values().double()
    vectors = torch.randn(weights.shape, generator=seeding.generator("vectors")).double()

    def gradient(at: torch.Tensor) -> torch.Tensor:
        at = at.clone().requires_grad_()
        return torch.autograd.grad(made.loss(at, batch).sum(), at)[0]

    found = gradient_and_product(Context(made, batch=batch), weights, vectors)
    torch.testing.assert_close(found[0], gradient(weights))
    step = 1e-8  # so short that no neuron switches on or off
    ahead, behind = gradient(weights + step * vectors), gradient(weights - step * vectors)
    error = ((ahead - behind) / (2 * step) - found[1]).norm(dim=1) / found[1].norm(dim=1)
    assert float(error.max()) < 1e-5
