"""Terms of the reward against formulas written one selection at a time, and how they add up."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.dsn import naive
from versus.core import seeding
from versus.core.config import validate
from versus.core.errors import ConfigError, DataError
from versus.experiments.dsn.batches import Batch, batch_of
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.rewards import Rewards, RewardsConfig, Weights, budgets, colours
from versus.experiments.dsn.rewards import rewards as adding
from versus.experiments.dsn.rewards.terms import TERMS
from versus.experiments.dsn.rewards.videos import Episodes

LEVELS, DIRECTIONS, BINS = 2, 3, 8
NAMES = list(Weights.model_fields)
NEAR, WITHIN = 3, 0.4
MOVES = ("still", "steady", "turn", "motion")


def all_terms(**settings: object) -> RewardsConfig:
    weights = {name: 1.0 + i / 8 for i, name in enumerate(NAMES)}
    return RewardsConfig.model_validate(
        {"weights": weights, "near": NEAR, "within": WITHIN, **settings}
    )


def video(frames: int, key: int = 0, width: int = 5) -> Sequence:
    source = seeding.generator("video", frames, key)
    features = torch.randn(frames, width, generator=source)
    features[1::3] = features[::3][: len(features[1::3])]  # held frames
    motion = torch.rand(frames, len(COLUMNS), generator=source).mul(5).round().div(5)
    shape = frames, LEVELS, DIRECTIONS, BINS
    shares = torch.rand(*shape, generator=source, dtype=torch.float64).softmax(-1)
    return Sequence(
        video=f"video {frames}",
        scene=key,
        fps=24.0,
        span=(0, frames),
        picks=np.arange(frames),
        times=np.arange(frames) / 24,
        features=torch.nn.functional.normalize(features),
        motion=motion,
        colours=shares.cumsum(-1).float(),
        keys=None,
        holds=(),
    )


def expected(one: Sequence, picked: list[int], config: RewardsConfig) -> dict[str, float]:
    """All terms of one selection of one video."""
    features = one.features.double().numpy()
    change = one.motion[:, 0].double().numpy()
    ends = colours.lowest(DIRECTIONS), colours.widths(DIRECTIONS, BINS)
    values = (ends[0][:, None] + ends[1][:, None] * (torch.arange(BINS) + 0.5)).double().numpy()
    turns = one.motion[:, 6:8].double().numpy()
    rep = naive.representativeness(features, picked)
    return {
        "div": naive.diversity(features, picked),
        "div_local": naive.diversity(features, picked, near=config.near),
        "rep": rep,
        "rep_exp": naive.representativeness_exp(features, picked),
        "rec": rep,
        "frechet": naive.frechet(features, picked),
        "color_swd": naive.color_swd(one.colours.double().numpy(), picked, values),
        "still": naive.stillness(change, picked),
        "steady": naive.stillness(one.motion[:, 2].double().numpy(), picked),
        "turn": float(np.mean(turns[picked])) if picked else 0.0,
        "motion": float(np.mean(change[picked])) if picked else 0.0,
        "coverage": naive.coverage(features, picked, config.within),
        "budget": naive.budget(len(features), picked, config.ratio, config.least, config.most),
    }


class Drawn(NamedTuple):
    """Videos and selections of them; the first selection of each is empty, the last is all."""

    videos: list[Sequence]
    selection: Tensor


def drawn(lengths: list[int], episodes: int, chance: float) -> Drawn:
    videos = [video(frames, key) for key, frames in enumerate(lengths)]
    mask = batch_of(videos).mask
    source = seeding.generator("selection", episodes)
    uniform = torch.rand(len(lengths), episodes, mask.shape[1], generator=source)
    selection = uniform < chance
    selection[:, 0], selection[:, -1] = False, True
    return Drawn(videos, selection & mask[:, None])


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=4),
    episodes=st.integers(2, 5),
    chance=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_terms_are_those_of_plain_loops(lengths: list[int], episodes: int, chance: float) -> None:
    videos, selection = drawn(lengths, episodes, chance)
    config = all_terms(normalise=False)
    found = Rewards(config).prepare(batch_of(videos))(selection)
    assert list(found.terms) == NAMES
    for b, one in enumerate(videos):
        for e in range(episodes):
            picked = selection[b, e].nonzero()[:, 0].tolist()
            plain = expected(one, picked, config)
            for name, value in plain.items():
                assert float(found.terms[name][b, e]) == pytest.approx(value, abs=1e-5), name
            weights = config.weights.model_dump()
            names = NAMES if picked else ["budget"]
            total = sum(weights[name] * float(found.terms[name][b, e]) for name in names)
            assert float(found.total[b, e]) == pytest.approx(total, abs=1e-4)


def test_every_term_of_the_config_is_there() -> None:
    assert set(NAMES) == {*TERMS, "budget"}
    assert TERMS["rec"] is TERMS["rep"]


def test_the_frechet_distance_of_full_covariances_is_scipys() -> None:
    """More frames than features: the root is well conditioned, and so is the comparison."""
    videos, selection = drawn([40, 31], 6, 0.5)
    config = RewardsConfig(weights=Weights(frechet=1.0), normalise=False)
    found = Rewards(config).prepare(batch_of(videos))(selection).terms["frechet"]
    for b, one in enumerate(videos):
        for e in range(1, 6):
            picked = selection[b, e].nonzero()[:, 0].tolist()
            value = naive.frechet(one.features.double().numpy(), picked, by_scipy=True)
            assert float(found[b, e]) == pytest.approx(value, abs=1e-5)


def test_the_frechet_distance_where_covariances_do_not_commute() -> None:
    """In two dimensions tr(root) = sqrt(tr(S R) + 2 sqrt(det S det R)), a closed form."""
    turned = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-0.6, 0.8], [0.8, -0.6]])
    one = video(5)._replace(features=turned)
    picked = [0, 1, 4]
    selection = torch.zeros(1, 1, 5, dtype=torch.bool)
    selection[0, 0, picked] = True
    config = RewardsConfig(weights=Weights(frechet=1.0), normalise=False)
    found = Rewards(config).prepare(batch_of([one]))(selection).terms["frechet"]
    every, some = turned.double().numpy(), turned[picked].double().numpy()
    first, second = np.cov(every.T), np.cov(some.T)
    root = math.sqrt(
        np.trace(first @ second) + 2 * math.sqrt(np.linalg.det(first) * np.linalg.det(second))
    )
    gap = ((every.mean(0) - some.mean(0)) ** 2).sum()
    exact = gap + np.trace(first) + np.trace(second) - 2 * root
    assert float(found) == pytest.approx(-exact, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4), normalise=st.booleans())
def test_neither_padding_nor_company_nor_blocks_matter(lengths: list[int], normalise: bool) -> None:
    videos, selection = drawn(lengths, 4, 0.4)
    rewards = Rewards(all_terms(normalise=normalise))
    together = rewards.prepare(batch_of(videos))(selection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adding, "BLOCK", 1)
        blocked = rewards.prepare(batch_of(videos))(selection)
    # Where random selections hardly differ, rounding of the term is scaled up.
    torch.testing.assert_close(blocked.total, together.total, rtol=1e-3, atol=1e-3)
    for b, one in enumerate(videos):
        alone = rewards.prepare(batch_of([one]))(selection[b : b + 1, :, : len(one.picks)])
        for name in NAMES:
            torch.testing.assert_close(
                alone.terms[name][0], together.terms[name][b], rtol=0, atol=1e-5
            )
        torch.testing.assert_close(alone.total[0], together.total[b], rtol=1e-3, atol=1e-3)


def test_memory_is_bounded_by_blocks_of_selections(monkeypatch: pytest.MonkeyPatch) -> None:
    videos, selection = drawn([40, 30], 50, 0.5)
    largest = int(selection.sum(2).max())
    sizes = []

    def nearest(episodes: Episodes) -> Tensor:
        sizes.append(episodes.counts.shape[1])
        return -episodes.distance

    monkeypatch.setitem(TERMS, "rep", nearest)
    monkeypatch.setattr(adding, "BLOCK", 5 * 2 * 40 * largest)
    Rewards(all_terms(normalise=False)).prepare(batch_of(videos))(selection)
    assert sizes == [5] * 10


def test_terms_are_measured_against_random_selections_of_the_budgets_size() -> None:
    videos = [video(30, 1), video(50, 2)]
    batch = batch_of(videos)
    config = all_terms(random_selections=4000, ratio=0.1)
    scales = Rewards(config).scales(batch)
    selection = torch.zeros(2, 3000, 50, dtype=torch.bool)
    source = seeding.generator("others")
    for b, (frames, size) in enumerate(((30, 3), (50, 5))):
        order = torch.rand(3000, frames, generator=source).argsort(1)[:, :size]
        selection[b].scatter_(1, order, True)
    plain = Rewards(config.model_copy(update={"normalise": False})).prepare(batch)(selection)
    for i, name in enumerate(NAMES):
        values = plain.terms[name]
        if name == "budget":
            assert scales[:, i].tolist() == [[0.0, 1.0], [0.0, 1.0]]
        elif name in ("rep", "div"):
            error = values.std(1) / math.sqrt(1700)
            assert bool(((scales[:, i, 0] - values.mean(1)).abs() < 4 * error).all())
            torch.testing.assert_close(scales[:, i, 1], values.std(1), rtol=0.1, atol=0)


def test_the_total_is_the_weighted_sum_in_standard_deviations() -> None:
    videos, selection = drawn([20, 12], 5, 0.3)
    config = RewardsConfig(weights=Weights(div=2.0, rep=-1.0, rec=0, frechet=0, color_swd=0))
    rewards, batch = Rewards(config), batch_of(videos)
    assert rewards.names == ["div", "rep", "motion", "budget"]
    scales = rewards.scales(batch)
    found = rewards.prepare(batch, scales)(selection)
    total = torch.zeros(2, 5)
    for i, (name, weight) in enumerate((("div", 2.0), ("rep", -1.0), ("motion", 0.2))):
        total += weight * (found.terms[name] - scales[:, i, :1]) / scales[:, i, 1:]
    total[:, 0] = 0.0  # nothing selected
    total += 0.05 * found.terms["budget"]
    torch.testing.assert_close(found.total, total)
    torch.testing.assert_close(rewards.prepare(batch)(selection).total, found.total)


def test_where_all_random_selections_are_alike_nothing_is_scaled() -> None:
    still = video(3)._replace(features=torch.eye(5)[:1].expand(3, 5).clone())
    found = Rewards(all_terms()).prepare(batch_of([still]))
    assert found.budgets.tolist() == [3]
    assert bool(found(torch.ones(1, 2, 3, dtype=torch.bool)).total.isfinite().all())


@given(st.integers(1, 3000), st.floats(0.01, 1), st.integers(1, 9), st.integers(9, 40))
def test_budgets(frames: int, ratio: float, least: int, most: int) -> None:
    config = RewardsConfig(ratio=ratio, least=least, most=most)
    found = budgets(torch.tensor([frames]), config).tolist()
    assert found == [min(max(least, min(most, math.ceil(ratio * frames))), frames)]


def test_colours_are_described_without_sampling() -> None:
    """Distance of two pictures by their distribution functions, against scipy on their pixels."""
    from scipy.stats import wasserstein_distance

    source = seeding.generator("pixels")
    dark, light = (torch.rand(600, 3, generator=source) ** power for power in (2.0, 0.5))
    bins = 512
    described = [colours.distribution(pixels, DIRECTIONS, bins) for pixels in (dark, light)]
    assert torch.allclose(described[0][:, -1], torch.ones(DIRECTIONS))
    area = ((described[0] - described[1]).abs().sum(1) * colours.widths(DIRECTIONS, bins)).tolist()
    for k, way in enumerate(colours.directions(DIRECTIONS)):
        exact = wasserstein_distance((dark @ way).numpy(), (light @ way).numpy())
        assert area[k] == pytest.approx(exact, abs=float(colours.widths(DIRECTIONS, bins)[k]))


def test_directions_are_the_seeds() -> None:
    seeds = np.random.default_rng(42).normal(size=(16, 3))
    found = colours.directions(16).numpy()
    np.testing.assert_allclose(found, seeds / np.linalg.norm(seeds, axis=1)[:, None], atol=1e-6)


def without(batch: Batch, name: str) -> Batch:
    return batch._replace(**{name: getattr(batch, name)[:, :, :0]})


MISSING = [("colours", "color_swd"), *(("motion", term) for term in MOVES)]


@pytest.mark.parametrize(("name", "term"), MISSING)
def test_a_term_whose_data_are_missing_is_refused(name: str, term: str) -> None:
    batch = without(batch_of([video(9)]), name)
    weights = dict.fromkeys(NAMES, 0.0)
    selection = torch.ones(1, 1, 9, dtype=torch.bool)
    Rewards(validate(RewardsConfig, {"weights": {**weights, "div": 1}})).prepare(batch)(selection)
    with pytest.raises(DataError, match=term):
        Rewards(validate(RewardsConfig, {"weights": {**weights, term: 1}})).prepare(batch)


def test_a_budget_of_no_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="least must not exceed most"):
        validate(RewardsConfig, {"least": 4, "most": 3})
    with pytest.raises(ConfigError, match="did you mean"):
        validate(RewardsConfig, {"weights": {"frechett": 3}})
