"""Networks: sizes, blindness to padding and to company, any length, and the seed's formulas."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from versus.core import seeding
from versus.core.config import validate
from versus.core.errors import ConfigError
from versus.experiments.dsn.models import ModelConfig, Scorer, make_scorer
from versus.experiments.dsn.models.layers import FrameNorm, Learned
from versus.experiments.dsn.models.layout import Layout
from versus.experiments.dsn.models.scales import pooled

WIDTH, MOTION = 6, 3
SMALL = {"hidden": 8, "lstm_hidden": 4, "heads": 2, "table": 9}
KINDS = [
    ModelConfig(**SMALL),
    ModelConfig(**SMALL, motion="simple"),
    ModelConfig(**SMALL, kind="advanced", motion="cross_attention"),
    ModelConfig(**SMALL, kind="advanced", positions="learned", fusion="softmax", lstm=False),
    ModelConfig(**SMALL, kind="advanced", fusion="sum", layers=0, motion="simple", scales=4),
]
kinds = pytest.mark.parametrize("config", KINDS, ids=lambda c: f"{c.kind}-{c.motion}-{c.fusion}")


def made(config: ModelConfig) -> Scorer:
    return make_scorer(config, WIDTH, MOTION, 5)


def sequences(lengths: list[int], key: str = "frames") -> list[tuple[Tensor, Tensor]]:
    source = seeding.generator(key)
    return [
        (torch.randn(n, WIDTH, generator=source), torch.randn(n, MOTION, generator=source))
        for n in lengths
    ]


def padded(several: list[tuple[Tensor, Tensor]], spare: int, junk: float) -> tuple[Tensor, ...]:
    """Side by side, with more padding than is needed, and something in it."""
    most = max(len(features) for features, _ in several) + spare
    features = torch.full((len(several), most, WIDTH), junk)
    motion = torch.full((len(several), most, MOTION), junk)
    mask = torch.zeros(len(several), most, dtype=torch.bool)
    for b, (one, moved) in enumerate(several):
        features[b, : len(one)], motion[b, : len(one)], mask[b, : len(one)] = one, moved, True
    return features, motion, mask


def learnt(scorer: Scorer, inputs: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
    """Scores of the real frames, and gradients of something that depends on all of them."""
    scorer.zero_grad()
    with seeding.preserved():
        torch.manual_seed(3)
        scores = scorer(*inputs)
    mask = inputs[2]
    assert bool((scores[~mask] == 0).all())
    real = [row[shown] for row, shown in zip(scores, mask, strict=True)]
    torch.cat(real).square().mean().backward()  # type: ignore[no-untyped-call]
    return real, [p.grad.clone() for p in scorer.parameters() if p.grad is not None]


def close(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-5)


@kinds
@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 13), min_size=1, max_size=4),
    spare=st.integers(0, 9),
    junk=st.sampled_from([0.0, 1e3, float("nan")]),
)
def test_padding_changes_neither_scores_nor_gradients_nor_dropout(
    config: ModelConfig, training: bool, lengths: list[int], spare: int, junk: float
) -> None:
    several = sequences(lengths)
    plain, strange = made(config).train(training), made(config).train(training)
    scores, gradients = learnt(plain, padded(several, 0, 0.0))
    found, changed = learnt(strange, padded(several, spare, junk))
    close(found, scores)
    close(changed, gradients)
    close(list(strange.buffers()), list(plain.buffers()))


@kinds
def test_dropout_draws_in_training(config: ModelConfig) -> None:
    inputs = padded(sequences([9, 4]), 0, 0.0)
    scorer = made(config)
    torch.manual_seed(1)
    assert not torch.equal(scorer(*inputs), scorer(*inputs))
    scorer.eval()
    assert torch.equal(scorer(*inputs), scorer(*inputs))


@kinds
@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 13), min_size=2, max_size=4))
def test_company_changes_nothing_in_evaluation(config: ModelConfig, lengths: list[int]) -> None:
    scorer = made(config)
    several = sequences(lengths)
    learnt(scorer, padded(several, 0, 0.0))  # running statistics that are not those of the start
    scorer.eval()
    together = learnt(scorer, padded(several, 0, 0.0))[0]
    alone = [learnt(scorer, padded([one], 0, 0.0))[0][0] for one in several]
    close(together, alone)


@kinds
def test_every_frame_counts_to_the_last(config: ModelConfig) -> None:
    """No window drops the tail: each frame's features reach its own score."""
    scorer = made(config).eval()
    several = sequences([11])
    features, motion, mask = padded(several, 0, 0.0)
    features.requires_grad_()
    for place in range(11):
        (gradient,) = torch.autograd.grad(scorer(features, motion, mask)[0, place], features)
        assert bool((gradient[0, place] != 0).any()), place


def test_the_last_window_pools_what_is_there() -> None:
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    frames = torch.tensor([[1.0, 5, 2, 4, -3, -1], [-2, -4, -9, 0, 0, 0]])[:, None]
    found = pooled(frames, 4, Layout(mask))
    assert found.tolist() == [[[(5 + 3) / 2, (-1 - 2) / 2]], [[(-2 - 5) / 2, 0.0]]]


def test_any_length_is_read() -> None:
    for config in KINDS:
        scorer = made(config).eval()
        scores = scorer(*padded(sequences([1500, 1]), 0, 0.0))
        assert bool(scores.isfinite().all())


def test_learned_positions_stretch_over_longer_sequences() -> None:
    learned = Learned(8, 9, 0.0)
    table = learned.table.detach()

    def places(length: int) -> Tensor:
        layout = Layout(torch.ones(1, length, dtype=torch.bool))
        found: Tensor = learned(torch.zeros(length, 8), layout)
        return found.detach()

    torch.testing.assert_close(places(4), table[:4])
    torch.testing.assert_close(places(9), table)
    torch.testing.assert_close(places(1), table[:1])
    torch.testing.assert_close(places(17)[::2], table)
    torch.testing.assert_close(places(17)[1::2], (table[1:] + table[:-1]) / 2)


def test_statistics_are_those_of_real_frames() -> None:
    rows = torch.randn(40, 3, generator=seeding.generator("rows"))
    ours, plain = FrameNorm(3), torch.nn.BatchNorm1d(3)
    torch.testing.assert_close(ours(rows), plain(rows))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    lone = ours(rows[:1])
    assert ours.training
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())
    spread = (before["running_var"] + 1e-5).sqrt()
    torch.testing.assert_close(lone, (rows[:1] - before["running_mean"]) / spread)


def test_weights_depend_on_their_key_alone() -> None:
    torch.manual_seed(0)
    first = made(KINDS[2]).state_dict()
    torch.manual_seed(1)
    second, other = made(KINDS[2]).state_dict(), make_scorer(KINDS[2], WIDTH, MOTION, 6)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other.state_dict()["head.weight"])


@pytest.mark.parametrize(
    ("settings_", "word"),
    [
        ({"kind": "advanced", "hidden": 10, "heads": 4}, "heads must divide hidden"),
        ({"motion": "cross_attention", "hidden": 9}, "heads must divide hidden"),
        ({"scales": 0}, "scales"),
        ({"fusion": "mean"}, "fusion"),
        ({"hiden": 3}, "hiden"),
    ],
)
def test_settings_are_refused(settings_: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        validate(ModelConfig, settings_)
