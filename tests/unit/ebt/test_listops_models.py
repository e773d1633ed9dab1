"""Models of ListOps: energies, descents, padding, batches, evaluation and prediction."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from versus.core import seeding
from versus.core.errors import ConfigError, DataError
from versus.core.evaluation import NOT_RECORDED
from versus.core.experiment import ModelPart
from versus.core.module_state import load_tensors, tensors_of
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.ebt import listops
from versus.experiments.ebt.config import Comparison, DescentConfig, ModelConfig
from versus.experiments.ebt.data.listops.config import ListOpsConfig
from versus.experiments.ebt.data.listops.grammar import binary, parse
from versus.experiments.ebt.data.listops.splits import TESTS
from versus.experiments.ebt.data.listops.tokens import text_of
from versus.experiments.ebt.data.stages import stages
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.listops.descent import descend, slope
from versus.experiments.ebt.listops.learner import ListOpsLearner
from versus.experiments.ebt.listops.model import EnergyModel, make_model
from versus.experiments.ebt.vectors.descent import draw_start

KINDS = ("energy", "ffn", "bag")
SIZES = {"latent_dim": 16, "encoder": {"width": 16, "heads": 2, "blocks": 1}}


def comparison(kind: str = "energy", **changes: Any) -> Comparison:
    model = {"kind": kind, **SIZES, "descent": {"steps": 3, **changes.pop("descent", {})}}
    tree = {
        "experiment": "ebt",
        "seeds": [0],
        "device": "cpu",
        "data": {"tasks": LISTOPS, "size_train": 200, "size_val": 40, "size_test": 40},
        "model": model,
        "train": {"steps": 5, "block": 2, "batch_size": 16, **changes},
    }
    return Comparison.model_validate(tree)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    stages()["data"].run(comparison(), folder)
    return folder


def learner_of(data: Path, kind: str = "energy", **changes: Any) -> ListOpsLearner:
    return listops.build(comparison(kind, **changes).expand(), data)


def energy_model(**descent: Any) -> EnergyModel:
    config = ModelConfig.model_validate({**SIZES, "descent": descent})
    torch.manual_seed(0)
    return EnergyModel(config, "silu", 0)


def tokens(count: int, length: int) -> Tensor:
    return torch.randint(1, 18, (count, length), generator=seeding.generator("tokens"))


def test_the_slope_of_an_energy_is_its_gradient() -> None:
    model = energy_model().double()
    context = model.read(tokens(4, 9))
    answers = torch.randn(4, 3, 10, dtype=torch.float64, generator=seeding.generator("y"))
    energies, gradient = slope(lambda y: model.head(y, context), answers)
    assert (energies.shape, gradient.shape) == ((4, 3), (4, 3, 10))
    for k in range(10):
        step = 1e-6 * torch.eye(10, dtype=torch.float64)[k]
        ahead, behind = (model.head(answers + sign * step, context) for sign in (1, -1))
        assert torch.allclose(gradient[..., k], (ahead - behind) / 2e-6, atol=1e-8)


@pytest.mark.parametrize("gradient", ["last", "all"])
def test_training_is_a_descent_that_reads_once_but_might_read_at_every_step(gradient: str) -> None:
    model = energy_model(steps=4, step_size=2.0, gradient=gradient, learned=True).double()
    inputs, labels = tokens(3, 11), torch.tensor([1, 5, 9])
    found = model.training_logits(inputs, seeding.generator("start"))
    torch.nn.functional.cross_entropy(found, labels).backward()  # type: ignore[no-untyped-call]
    fast = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    answer = draw_start("normal", (3, 1, 10), seeding.generator("start")).double()
    for step in range(4):
        answer = answer if gradient == "all" else answer.detach()
        answer = answer if answer.requires_grad else answer.requires_grad_()
        energy = model.head(answer, model.read(inputs)).sum()
        (g,) = torch.autograd.grad(energy, answer, create_graph=gradient == "all" or step == 3)
        answer = answer - model.log_step_size.exp() * g  # type: ignore[union-attr]
    assert torch.allclose(found, answer[:, 0])
    torch.nn.functional.cross_entropy(answer[:, 0], labels).backward()  # type: ignore[no-untyped-call]
    slow = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert fast.keys() == slow.keys()
    assert all(torch.allclose(fast[n], slow[n], atol=1e-10) for n in slow)
    # Attention, tokens and step size are all learnt; a constant in the energy cannot be.
    silent = {n for n, _ in model.named_parameters()} - slow.keys()
    assert silent <= {"head.network.3.bias"}


def test_noise_jitter_and_extra_steps_are_drawn_for_training_alone() -> None:
    plain, varied = energy_model(steps=3), energy_model(steps=3, noise=0.1, jitter=2, extra_steps=4)
    inputs = tokens(3, 11)
    assert torch.equal(plain(inputs), varied(inputs))
    draws = [varied.training_logits(inputs, seeding.generator("step", k)) for k in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.allclose(draws[0], draws[2])
    assert not torch.allclose(draws[0], plain.training_logits(inputs, seeding.generator("step", 0)))


def test_of_several_descents_the_lowest_energy_answers() -> None:
    model = energy_model(steps=2, samples=5, step_size=3.0)
    inputs = tokens(6, 11)
    found = model.descents(inputs)
    assert found.answers.shape == (6, 5, 10)
    context = model.read(inputs)
    for n in range(5):
        alone = descend(
            model.descent, lambda y: model.head(y, context), model.start[n].expand(6, 1, -1), 3.0
        )
        assert torch.allclose(alone.answers[:, 0], found.answers[:, n], atol=1e-6)
        assert torch.allclose(alone.energies[:, 0], found.energies[:, n], atol=1e-6)
    best = found.energies.argmin(1)
    assert torch.equal(model(inputs), found.answers[torch.arange(6), best])


def test_a_step_that_does_not_lower_the_energy_is_not_taken() -> None:
    start = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]])
    for accept, factor in ((False, (-2.0) ** 3), (True, 1.0)):
        how = DescentConfig(steps=3, accept_lower=accept)
        found = descend(how, lambda y: y.square().sum(-1), start, 1.5)
        assert torch.equal(found.answers, factor * start)
        assert found.energies.flatten().tolist() == [5 * factor**2, 0]
        assert found.first_energies.flatten().tolist() == [5, 0]


def test_a_descent_that_leaves_the_finite_numbers_is_named() -> None:
    model = energy_model(steps=4, step_size=1e30)
    with torch.no_grad():
        model.head.network[3].weight.mul_(1e10)  # type: ignore[operator]
    with pytest.raises(DataError, match=r"inner step 1 of 4 with step size 1e\+30"):
        model(tokens(2, 11))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_and_longer_inputs_work(kind: str) -> None:
    torch.manual_seed(0)
    model = make_model(comparison(kind).model, comparison(kind).recipe, 0).eval()
    inputs = tokens(3, 20)
    padded = torch.nn.functional.pad(inputs, (0, 300))
    assert torch.allclose(model(inputs), model(padded), atol=1e-5)
    longer = model(tokens(2, 500))
    assert longer.shape == (2, 10)
    assert bool(longer.isfinite().all())


def test_starts_of_prediction_are_seeded_and_saved_with_the_weights() -> None:
    config = comparison().model
    first, second = (EnergyModel(config, "silu", seed) for seed in (0, 1))
    assert not torch.equal(first.start, second.start)
    assert torch.equal(first.start, EnergyModel(config, "silu", 0).start)
    assert "model.start" in tensors_of({"model": first})


def test_a_pass_shows_every_example_once_in_batches_of_similar_length(data: Path) -> None:
    learner = learner_of(data, steps=25, block=4)
    batches = [batch for epoch in range(learner.total_epochs) for batch in learner.batches(epoch)]
    assert [batch.step for batch in batches] == list(range(25))
    assert all(bool((batch.inputs[:, -1] != 0).any()) for batch in batches)
    rows = [tuple(row) for batch in batches[:12] for row in _stripped(batch.inputs)]
    assert len(set(rows)) == len(rows) == 12 * 16
    tokens_shown = sum(batch.inputs.numel() for batch in batches)
    assert sum(int((batch.inputs != 0).sum()) for batch in batches) > 0.9 * tokens_shown
    again = next(iter(learner_of(data, steps=25, block=4).batches(3)))
    assert torch.equal(again.inputs, batches[12].inputs)


def _stripped(inputs: Tensor) -> list[list[int]]:
    return [[token for token in row if token] for row in inputs.tolist()]


def test_items_do_not_depend_on_how_examples_are_grouped(data: Path) -> None:
    learner = learner_of(data)
    inputs, labels = learner.parts["val"]
    items = learner.items("val")
    losses = torch.nn.functional.cross_entropy(learner.model(inputs), labels, reduction="none")
    assert torch.allclose(items["loss"], losses, atol=1e-5)
    assert torch.equal(items["error"], 1 - items["accuracy"])


def trained(data: Path, folder: Path, kind: str = "energy", **changes: Any) -> ModelPart:
    learner = learner_of(data, kind, **changes)
    finals = Trainer(learner, folder, rhythm=Rhythm(0, 0, 0)).run()
    ((variant, part),) = listops.models(learner).items()
    about = {
        "variant": variant,
        "comparison": comparison(kind, **changes).model_dump(mode="json"),
        "final_metrics": {"0": {name: repr(float(value)) for name, value in finals.items()}},
    }
    return ModelPart(part.name, part.weights, {**part.config, **about})


@pytest.mark.parametrize("kind", KINDS)
def test_items_reproduce_the_final_metrics_to_the_bit(
    data: Path, tmp_path: Path, kind: str
) -> None:
    part = trained(data, tmp_path, kind)
    assert part.name == f"ebt-listops-{kind}"
    assert (part.config["experiment"], part.config["task"]) == ("ebt", "listops")
    items = listops.evaluate(part, data)
    recorded = part.config["final_metrics"]["0"]
    names = [c for c in map(str, items) if c not in NOT_RECORDED]
    means = items.groupby("group")[names].mean()
    assert list(means.index) == sorted(TESTS)
    for group in TESTS:
        found = {name: repr(float(means.loc[group].to_dict()[name])) for name in names}
        assert found == {name: recorded[f"{group}/{name}"] for name in names}
    assert items["item_id"].is_unique
    assert len(items) == 4 * 40
    assert set(listops.primary_metrics) <= recorded.keys()
    floors = [float(recorded[f"test_iid/floor_{rule}"]) for rule in ("majority", "root", "digits")]
    assert all(0 < floor < 1 for floor in floors)


def test_tests_are_measured_once_and_at_the_best_weights(data: Path, tmp_path: Path) -> None:
    learner = learner_of(data, "ffn", lr=0.3, steps=12, block=2, log_test=True)
    asked: list[tuple[str, int]] = []
    items_of = learner.items

    def items(part: str) -> dict[str, Tensor]:
        asked.append((part, learner.epoch))
        return items_of(part)

    learner.items = items  # type: ignore[method-assign]
    finals = Trainer(learner, tmp_path, rhythm=Rhythm(0, 0, 0)).run()
    assert [entry for entry in asked if entry[0] == "test_wider"] == [("test_wider", 6)]
    assert learner.best_epoch < 6
    assert float(finals["test/seen_error"]) == float(items_of("test_iid")["error"].mean())
    with torch.no_grad():
        last = items_of("test_iid")["loss"]
        load_tensors(learner.modules(), learner.best_weights())
        best = items_of("test_iid")["loss"]
    assert not torch.equal(best, last)
    assert float(finals["test_iid/loss"]) == pytest.approx(float(best.double().mean()))


def test_a_descent_that_diverges_in_validation_ends_the_run(data: Path) -> None:
    learner = learner_of(data)
    with torch.no_grad():
        learner.model.head.network[3].weight.fill_(1e38)  # type: ignore[union-attr, index]
    assert set(learner.evaluate().values()) == {math.inf}
    assert learner.diverged.tolist() == [True]
    assert math.isinf(float(learner.evaluate()["test_wider/error"]))


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"descent": {"replay": 0.5}}, "model.descent.replay"), ({"compile": True}, "train.compile")],
)
def test_what_listops_has_not_is_refused(data: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        learner_of(data, **changes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_registered_model_answers_text(data: Path, tmp_path: Path, kind: str) -> None:
    part = trained(data, tmp_path, kind)
    predict = listops.predictor(part)
    given = listops.example(part)
    answer = predict(given)
    learner = learner_of(data, kind)
    learner.load_state_dict({**learner.state_dict(), "weights": _weights(part)})
    for place, text in enumerate(given["expression"].tolist()):
        inputs = torch.tensor([binary(parse(text))])
        with torch.no_grad():
            sure, value = learner.model.eval()(inputs).softmax(-1).max(-1)
        assert answer["value"][place] == int(value)
        assert answer["probability"][place] == pytest.approx(float(sure), abs=1e-5)
    with pytest.raises(DataError, match="token 3 is 9"):
        predict({"expression": np.array(["( ( [MAX 9 ) ] )", "( ( ( 9"])})
    with pytest.raises(DataError, match=r"expression: .* needs at least one, received"):
        predict({"text": np.array(["5"])})
    nested = text_of(binary([1, 9] * 60 + [8] + [5] * 60))
    with pytest.raises(DataError, match="at most 500 tokens, received 541"):
        predict({"expression": np.array([nested])})


def _weights(part: ModelPart) -> dict[str, Tensor]:
    return {name.removeprefix("0/"): tensor for name, tensor in part.weights.items()}


def test_pictures_show_every_axis_and_leave_out_other_tasks(data: Path, tmp_path: Path) -> None:
    learner = learner_of(data, "bag")
    finals = Trainer(learner, tmp_path / "run", rhythm=Rhythm(0, 0, 0)).run()
    rows = [
        {"variant": "bag", "seed": 0, **{n: float(v) for n, v in finals.items()}},
        {"variant": "lost", "seed": 0, **dict.fromkeys(finals, math.inf)},
        {"variant": "add", "seed": 0, "shift_2/mse": 0.1},
    ]
    settings = ListOpsConfig()
    written = listops.plots(pd.DataFrame(rows), tmp_path, settings)
    assert [path.name for path in written] == [
        f"listops-{axis}.png" for axis in ("length", "depth", "args")
    ]
    assert listops.plots(pd.DataFrame(rows[2:]), tmp_path / "none", settings) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_at_other_weights_is_that_of_a_learner_that_has_them_twice_differentiable(
    data: Path, kind: str
) -> None:
    learner, other = (learner_of(data, kind) for _ in range(2))
    batch = next(iter(learner.batches(0)))
    other.train_step(batch)
    values = other.weights().values().requires_grad_()
    loss = learner.loss(values, batch)
    assert float(loss.detach()) == pytest.approx(float(other.loss_of(batch).detach()))
    (gradient,) = torch.autograd.grad(loss.sum(), values, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), values)
    assert bool(second.isfinite().all())
    assert bool(second.any())
