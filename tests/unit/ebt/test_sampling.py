"""What a step sees and draws."""

import torch

from versus.experiments.ebt.config import DescentConfig
from versus.experiments.ebt.vectors.sampling import Sampler

HOW = DescentConfig(replay=0.5, jitter=3.0, extra_steps=4)


def sampler(*seeds: int) -> Sampler:
    return Sampler(seeds, 23, 5, 2, HOW)


def test_a_pass_shows_every_example_at_most_once_and_leaves_out_what_fills_no_batch() -> None:
    batches = [*sampler(0).batches(0, 0, 3), *sampler(0).batches(1, 3, 5)]
    for turn in range(2):
        shown = torch.cat([batch.rows[0] for batch in batches[4 * turn : 4 * turn + 4]])
        assert len(set(shown.tolist())) == len(shown) == 20
    assert [batch.number for batch in batches] == list(range(8))


def test_draws_depend_on_seed_and_place_alone() -> None:
    together = list(sampler(3, 5).batches(2, 8, 4))
    alone = list(sampler(5).batches(2, 8, 4))
    for one, other in zip(together, alone, strict=True):
        for name in ("rows", "start", "replayed", "factor"):
            assert torch.equal(getattr(one, name)[1:], getattr(other, name))
        assert one.extra == other.extra
        assert not torch.equal(one.rows[0], one.rows[1])


def test_factors_replays_and_extra_steps_have_their_ranges() -> None:
    batches = list(Sampler([1], 100, 10, 2, HOW).batches(0, 0, 2000))
    factors = torch.cat([batch.factor for batch in batches])
    assert float(factors.min()) >= 1 / 3
    assert float(factors.max()) <= 3
    assert abs(float(factors.log().mean())) < 0.05  # as often halved as doubled
    assert {batch.extra for batch in batches} == set(range(5))
    share = torch.stack([batch.replayed for batch in batches]).double().mean()
    assert abs(float(share) - 0.5) < 0.02
