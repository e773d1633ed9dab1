"""When runs memorise, generalise and stop; which weights are kept; what is measured when."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from versus.core import config, stages
from versus.core.errors import ConfigError
from versus.core.experiment import ModelPart, find
from versus.core.trainer import Rhythm, Trainer
from versus.core.weights import split
from versus.experiments.ordering.config import ALIASES, GENERATED, Comparison, TrainConfig
from versus.experiments.ordering.grokking import Progress
from versus.experiments.ordering.learner import OrderingLearner, models
from versus.experiments.ordering.probe import activations
from versus.experiments.ordering.stacking import stacks

SETTINGS = TrainConfig(sustained=2, target_accuracy=0.9, memorised_accuracy=0.8)


def follow(train: list[list[float]], test: list[list[float]]) -> dict[str, list[float]]:
    """Metrics after evaluations at epochs 0, 5, 10, ... of runs side by side."""
    progress, live = Progress.none(len(train)), torch.ones(len(train), dtype=torch.bool)
    columns = zip(zip(*train, strict=True), zip(*test, strict=True), strict=True)
    for number, (trained, tested) in enumerate(columns):
        metrics = {
            "train/accuracy": torch.tensor(trained, dtype=torch.float64),
            "test/accuracy": torch.tensor(tested, dtype=torch.float64),
            "test/loss": torch.tensor([1.0] * len(train), dtype=torch.float64) / (number + 1),
        }
        progress = progress.after(5 * number, metrics, live, SETTINGS)
        assert progress.after(5 * number, metrics, live, SETTINGS) is progress
    found = progress.metrics(torch.tensor(True), steps_per_epoch=7)
    return {name: values.tolist() for name, values in found.items()}


def test_an_accuracy_must_hold_and_its_first_evaluation_counts() -> None:
    found = follow(
        train=[[0, 0.8, 0.8, 1.0, 1.0, 1.0], [0.9, 0.1, 0.9, 0.1, 0.9, 0.1]],
        test=[[0, 0.9, 0.2, 0.9, 0.9, 0.95], [0, 0, 0.3, 0.3, 0.1, 0.95]],
    )
    assert found["epochs/memorised"] == [5, math.inf]
    assert found["epochs/generalised"] == [15, math.inf]
    assert found["epochs/first_hit"] == [5, 25]
    assert found["epochs/delay"] == [10, math.inf]
    assert found["steps/generalised"] == [105, math.inf]
    assert found["best/test_accuracy"] == [0.95, 0.95]


def test_ties_go_to_the_lower_loss() -> None:
    found = follow(train=[[0.0] * 4], test=[[0.2, 0.5, 0.5, 0.4]])
    assert found["best/epoch"] == [10]
    assert found["best/test_loss"] == pytest.approx([1 / 3])


def comparison(**changes: Any) -> Comparison:
    settings: dict[str, Any] = {
        "experiment": "ordering",
        "seeds": 2,
        "device": "cpu",
        "data": {"p": 11, "train_fraction": 0.8},
        "model": {"embed_dim": 32},
        "train": {"epochs": 60, "batch_size": 16, "target_accuracy": 0.7, "lr": 0.003},
        "variants": {"random": {}, "target": {"train": {"order": "target"}}},
    }
    return config.validate(Comparison, settings | changes)


def trained(asked: Comparison, folder: Path) -> tuple[OrderingLearner, dict[str, Any]]:
    stages.prepare(find("ordering"), asked, folder / "data")
    learner = OrderingLearner(stacks(asked.expand())[0], folder / "data")
    trainer = Trainer(learner, folder / "run", rhythm=Rhythm(0))
    return learner, dict(trainer.run())


def test_runs_stop_when_they_have_generalised_and_keep_their_best_weights(tmp_path: Path) -> None:
    learner, metrics = trained(comparison(), tmp_path)
    stopped = ~learner.active
    assert bool(stopped.any())
    assert torch.equal(stopped, metrics["epochs/generalised"].isfinite())
    steps = torch.as_tensor(learner.costs()["steps"])
    after = metrics["epochs/generalised"] + learner.train.sustained - 1
    assert torch.equal(steps[stopped], after[stopped].float() * learner.steps_per_epoch)
    # The model that is handed on has the best accuracy seen.
    seed = learner.runs[0].seed
    part = models(learner)["random"]
    held = {
        name.removeprefix(f"{seed}/"): value[None]
        for name, value in part.weights.items()
        if name.startswith(f"{seed}/")
    }
    logits = learner.model.forward(held, learner.test_pairs[:1])
    accuracy = (logits.argmax(-1) == learner.test_labels[:1]).double().mean()
    assert float(accuracy) == pytest.approx(float(metrics["best/test_accuracy"][0]))
    assert part.config["op"] == "add"


def test_a_subset_is_measured_until_the_target_is_near(tmp_path: Path) -> None:
    data = {"p": 11, "train_fraction": 0.5}
    train = {"epochs": 12, "batch_size": 16, "eval_subset": 20, "target_accuracy": 0.3}
    asked = comparison(data=data, train=train | {"stop": "never", "lr": 0.01})
    _, metrics = trained(asked, tmp_path)
    assert metrics["test/subset"].tolist() == [0.0] * 4  # the last evaluation is on all pairs
    start = OrderingLearner(stacks(asked.expand())[0], tmp_path / "data")
    small = start.evaluate()
    assert torch.as_tensor(small["test/subset"]).tolist() == [1.0] * 4
    pairs, labels = start.test_pairs[:, :20], start.test_labels[:, :20]
    logits = start.model.forward(start.model_parameters(), pairs)
    assert torch.equal(
        torch.as_tensor(small["test/accuracy"]), (logits.argmax(-1) == labels).double().mean(1)
    )


def test_digests_of_orders_are_chained_over_the_epochs_trained(tmp_path: Path) -> None:
    train = {"epochs": 2, "batch_size": 16, "stop": "never"}
    learner, _ = trained(comparison(train=train), tmp_path)
    chained = learner.state_dict()["digests"]
    assert len(set(chained)) == 4  # the data of a seed decide the order as well
    again, _ = trained(comparison(train=train), tmp_path / "again")
    assert again.state_dict()["digests"] == chained
    assert learner.order_digests(0)[1] == learner.order_digests(1)[1]


def test_stacks_hold_whole_seeds_and_what_may_differ() -> None:
    orders = {"train.order": ["all"], "train.weight_decay": [0.1, 1.0]}
    runs = comparison(seeds=3, variants={}, grid=orders).expand()
    assert len(runs) == 36
    assert [len(stack) for stack in stacks(runs)] == [8, 8, 8, 8, 4]
    two = stacks(comparison(seeds=5).expand())
    assert [[run.key.seed for run in stack] for stack in two] == [[0, 0, 1, 1, 2, 2, 3, 3], [4, 4]]
    three = comparison(seeds=5, variants={}, grid={"train.order": ["random", "target", "stride"]})
    assert [len(stack) for stack in stacks(three.expand())] == [6, 6, 3]
    apart = comparison(variants={}, grid={"train.batch_size": [8, 16]})
    assert len(stacks(apart.expand())) == 2
    large = {"embed_dim": 256, "layers": 2, "ffn": 2048}
    assert len(stacks(comparison(model=large).expand())) == 4


def test_flags_of_the_seed_document_work() -> None:
    tokens = ["--strategy", "all", "--p", "13", "--epochs", "7", "--batch-size", "9"]
    known = config.parse_overrides(tokens, Comparison, ALIASES)
    tree: dict[str, Any] = {"experiment": "ordering", "seeds": 1}
    for key, value in known:
        tree = config.merge(tree, config.nested(key, value))
    asked = config.validate(Comparison, tree)
    assert [arm.name for arm in asked.arms()] == list(GENERATED)
    assert (asked.data.p, asked.train.epochs, asked.train.batch_size) == (13, 7, 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"order": "strid"}}, r"did you mean stride\?"),
        ({"train": {"optimizer": "lion"}}, r"choose one of adamw, adam, sgd, muon"),
        ({"train": {"batch_size": 500}}, r"larger than the 97 training pairs, received 500"),
        ({"train": {"stride": 11, "batch_size": 9}}, r"below p = 11, received 11; take .* = 3"),
        ({"model": {"embed_dim": 30}}, r"must divide embed_dim = 30, received 4; take 2"),
        ({"train": {"order": "file", "batch_size": 9}}, r"indices: needed by order = file"),
        ({"grid": {"data.p": [11, 13]}}, r"all variants of a comparison share their data"),
        ({"variants": {"a": {"data": {"p": 13}}}}, r"variants\.a\.data: all variants"),
    ],
)
def test_mistakes_are_named_with_a_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        comparison(**changes)


def test_a_model_shows_what_its_layers_do(tmp_path: Path) -> None:
    train = {"epochs": 1, "batch_size": 16}
    learner, _ = trained(comparison(train=train), tmp_path)
    part = models(learner)["target"]
    finals = {"0": {"best/test_accuracy": "0.1"}, "1": {"best/test_accuracy": "0.5"}}
    part = ModelPart(part.name, part.weights, {**part.config, "final_metrics": finals})
    row = [run == ("target", 1) for run in learner.runs].index(True)
    pairs = torch.tensor([[[a, 4] for a in range(11)]]).expand(4, -1, -1)
    best = split(learner.best, learner.model.shapes)
    hidden = {name: value[row] for name, value in learner.model.hidden(best, pairs).items()}
    second, mean = (activations(part, tmp_path, 4, position) for position in ("1", "mean"))
    assert list(second)[-1] == "logits"
    assert torch.from_numpy(second["logits"]).allclose(hidden["logits"], atol=1e-5)
    neurons = hidden["layers.0.neurons"]
    assert torch.from_numpy(second["layers.0.neurons"]).allclose(neurons[:, 1], atol=1e-5)
    assert torch.from_numpy(mean["layers.0.neurons"]).allclose(neurons.mean(1), atol=1e-5)
    with pytest.raises(ConfigError, match="between 0 and 10, received 11"):
        activations(part, tmp_path, 11)
