"""The learner: what a step is, what is cached, what is measured."""

import math
from pathlib import Path

import pytest
import torch

from tests.contract.contract import same
from tests.unit.dsn.learners import comparison, learner, prepared
from versus.core.errors import DataError
from versus.core.trainer import Trainer
from versus.experiments.dsn.learning.learner import ScorerLearner
from versus.experiments.dsn.learning.measuring import REWARD, by_video
from versus.experiments.dsn.policies import probabilities

FINALS = ("F1", "precision", "recall", "RecErr", "Diversity", "MS_SWD", "Frechet", REWARD)
TAGS = (
    *("mean_reward", "sel_ratio", "entropy", "mean_prob", "budget_gap"),
    *("reward_std", "reward_min", "reward_max", "prob_std"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("dsn")
    patch.setenv("VERSUS_ROOT", str(folder))
    found = prepared(folder / "data")
    patch.undo()
    return found


def trained(of: ScorerLearner, folder: Path) -> dict[str, float]:
    return {name: float(value) for name, value in Trainer(of, folder).run().items()}


def without_cache(state: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in state.items() if name != "cache"}


def test_batches_are_videos_with_all_their_scenes_in_another_order_every_epoch(data: Path) -> None:
    of = learner(data)
    epochs = [list(of.batches(epoch)) for epoch in range(6)]
    for batches in epochs:
        assert [len(batches), batches] == [2, list(of.batches(batches[0].epoch))]
        places = [place for batch in batches for place in batch.sequences]
        assert sorted(places) == list(range(len(of.sequences)))
        for batch in batches:
            videos = by_video(of.sequences[place] for place in batch.sequences)
            assert len(videos) == 2
    assert len({batches[0].sequences for batches in epochs}) > 1


def test_the_gradient_is_that_of_reinforce(data: Path) -> None:
    of = learner(
        data, {"scaled": False, "entropy": 0.0}, {"dropout": 0.0, "attention_dropout": 0.0}
    )
    (batch, _) = of.batches(0)
    (found,) = torch.autograd.grad(of.loss_of(batch), [of.parts.network.head.weight])
    played, ready = of._played, of.inputs.ready(batch.sequences)
    logits = of.parts.network(ready.batch.features, ready.batch.motion, ready.batch.mask)
    logs = probabilities.of_set(logits, ready.batch.mask, played.draw.selection)
    total, loss = played.reward.total, torch.zeros(())
    episodes = total.shape[1]
    for row in range(len(total)):
        for one in range(episodes):
            others = [float(total[row, k]) for k in range(episodes) if k != one]
            lead = float(total[row, one]) - sum(others) / len(others)
            loss = loss - lead * logs[row, one] / total.numel()
    (expected,) = torch.autograd.grad(loss, [of.parts.network.head.weight])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("size", [0, 2, 1000])
def test_the_cache_changes_no_result(data: Path, tmp_path: Path, size: int) -> None:
    plain, cached = learner(data, {"use_cache": False}), learner(data, {"cache_size": size})
    finals = [trained(of, tmp_path / str(i)) for i, of in enumerate((plain, cached))]
    assert set(finals[1]) - set(finals[0]) == {"cache/hit_rate"}
    assert finals[0] == {name: finals[1][name] for name in finals[0]}
    assert same(without_cache(plain.state_dict()), without_cache(cached.state_dict()))


def test_two_arms_that_differ_in_the_cache_alone_end_alike(data: Path, tmp_path: Path) -> None:
    arms = {"plain": {"train": {"use_cache": False}}, "cached": {"train": {"use_cache": True}}}
    runs = comparison(model={"dropout": 0.3}, variants=arms).expand()
    finals = [trained(ScorerLearner(run, data), tmp_path / run.key.variant) for run in runs]
    assert finals[0] == {name: finals[1][name] for name in finals[0]}


def test_the_cache_is_told_by_the_seed_documents_names(data: Path) -> None:
    of = learner(data)
    told = [dict(of.train_step(batch)) for epoch in range(2) for batch in of.batches(epoch)]
    count = float(len(of.sequences))
    expected = {"hits": count, "misses": count, "size": count, "hit_rate": 0.5}
    assert {name: told[-1][f"cache/{name}"] for name in expected} == expected
    for observed in range(3):  # what looks on does not count
        of.loss_of(next(iter(of.batches(observed))))
    assert of.inputs.use()["cache/hits"] == count


def test_the_encoder_learns_in_every_epoch_in_spite_of_the_cache(data: Path) -> None:
    of = learner(data)
    for epoch in range(3):
        for batch in of.batches(epoch):
            of.train_step(batch)
            encoder = of.parts.network.encoder
            norms = [p.grad.norm() for p in encoder.parameters() if p.grad is not None]
            assert len(norms) == len(list(encoder.parameters()))
            assert sum(map(float, norms)) > 0


def test_what_is_cached_does_not_depend_on_weights_or_mode(data: Path) -> None:
    """After training, in training and in evaluation mode it is what a new learner measures."""
    of, fresh = learner(data, {"epochs": 3}), learner(data, {"use_cache": False})
    before = of.parts.network.head.bias.detach().clone()
    for epoch in range(3):
        for batch in of.batches(epoch):
            of.train_step(batch)
    assert not torch.equal(of.parts.network.head.bias, before)
    places = range(len(of.sequences))
    for training in (True, False):
        of.parts.network.train(training)
        known, new = of.inputs.ready(places, counted=True), fresh.inputs.ready(places)
        assert torch.equal(known.rewards.scales, new.rewards.scales)
        assert torch.equal(known.batch.features, new.batch.features)
    assert of.inputs.use()["cache/misses"] == len(places)


def test_a_moving_average_follows_the_rewards_of_its_sequence(data: Path) -> None:
    of = learner(data, {"advantage": "moving_average", "momentum": 0.5, "policy": {"episodes": 1}})
    expected = torch.zeros(len(of.sequences), dtype=torch.float64)
    for epoch in range(2):
        for batch in of.batches(epoch):
            of.train_step(batch)
            rewards = of._played.reward.total.double()
            for place, reward in zip(batch.sequences, rewards.tolist(), strict=True):
                expected[place] = 0.5 * expected[place] + 0.5 * reward[0]
    torch.testing.assert_close(of._average, expected)


def test_a_step_tells_what_the_seed_document_watches(data: Path) -> None:
    of = learner(data)
    found = of.train_step(next(iter(of.batches(0))))
    assert {f"train/{tag}" for tag in TAGS} <= found.keys()
    assert {"reward/div", "reward/rep", "reward/color_swd"} <= found.keys()
    assert float(found["train/budget_gap"]) == 0  # as many as the budget has, always
    assert all(math.isfinite(float(value)) for value in found.values())


def test_the_final_evaluation_measures_all_splits_at_the_best_weights(
    data: Path, tmp_path: Path
) -> None:
    of = learner(data, {"epochs": 3, "lr": 0.1})
    finals = trained(of, tmp_path)
    for group in ("test", "test_style"):
        assert {f"{group}/{name}" for name in FINALS} <= finals.keys()
    assert {"val/RecErr_mean", "val/Frechet_mean", "val/MS_SWD_mean", "val/Diversity_mean"} < {
        *finals
    }
    assert finals["val/score"] == finals["best/val_score"] == finals["val/reward_mean"]
    table = of.items()
    assert sorted(table["item_id"]) == sorted({one.video for one in of.gauge("test").sequences})
    assert table["F1"].mean() == pytest.approx(finals["test/F1"])


def test_weights_can_be_chosen_by_key_poses(data: Path, tmp_path: Path) -> None:
    finals = trained(learner(data, {"select_by": "F1"}), tmp_path)
    assert finals["val/score"] == finals["val/F1_mean"]


def test_training_ends_when_nothing_gets_better(data: Path, tmp_path: Path) -> None:
    of = learner(data, {"epochs": 40, "patience": 2, "lr": 1e-9})
    trainer = Trainer(of, tmp_path)
    assert "test/F1" in trainer.run()
    assert trainer.position.epoch == of.best_epoch + 2


@pytest.mark.parametrize("rule", ["holds", "uniform", "kmeans", "untrained"])
def test_rules_are_measured_and_not_trained(data: Path, tmp_path: Path, rule: str) -> None:
    of = learner(data, model={"rule": rule})
    finals = trained(of, tmp_path)
    assert of.weights() is None
    assert not [name for name in finals if name.startswith(("best/", "train/"))]
    assert {f"test/{name}" for name in FINALS} <= finals.keys()
    assert len(of.items()) == 3


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train"):
        learner(tmp_path)
