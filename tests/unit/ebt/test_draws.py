"""Examples of the vector tasks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.draws import draw, draw_inputs

SIZES = {"vec_size": 4, "size_train": 4000, "size_val": 50, "size_test": 3000}


def data(**changes: object) -> DataConfig:
    return DataConfig.model_validate({**SIZES, **changes})


def test_labels_are_the_operation_coordinate_by_coordinate() -> None:
    for task in ("add", "multiply", "subtract"):
        for part in draw(data(), task, 3).values():
            a, b = part.inputs[:, :4], part.inputs[:, 4:]
            expected = {"add": a + b, "multiply": a * b, "subtract": a - b}
            assert torch.equal(part.labels, expected[task])


def test_uniform_inputs_fill_their_range() -> None:
    parts = draw(data(shifts=[1, 2.5]), "add", 0)
    ranges = {"train": 1, "val": 1, "shift_1": 1, "shift_2.5": 2.5}
    assert parts.keys() == ranges.keys()
    for name, bound in ranges.items():
        inputs = parts[name].inputs
        assert float(inputs.abs().max()) <= bound
        if len(inputs) > 1000:
            assert float(inputs.std()) == pytest.approx(bound / 3**0.5, rel=0.03)
            assert float(inputs.mean()) == pytest.approx(0, abs=0.05 * bound)


def test_gaussian_legacy_is_what_the_seed_documents_code_draws() -> None:
    """It trains on ``randn * 2 - 1`` and tests on ``randn * 4 - 2``."""
    parts = draw(data(dist="gaussian_legacy"), "multiply", 0)
    for name, (mean, deviation) in {"train": (-1, 2), "shift_2": (-2, 4)}.items():
        assert float(parts[name].inputs.mean()) == pytest.approx(mean, rel=0.05)
        assert float(parts[name].inputs.std()) == pytest.approx(deviation, rel=0.03)


@given(st.integers(0, 5), st.integers(1, 40), st.integers(1, 40))
def test_splits_do_not_depend_on_each_others_sizes(seed: int, train: int, test: int) -> None:
    small = data(size_train=train, size_test=test)
    one, other = draw(small, "add", seed), draw(data(), "add", seed)
    assert torch.equal(one["val"].inputs, other["val"].inputs)
    assert torch.equal(one["train"].inputs, draw_inputs(small, seed, "train", train))


def test_splits_and_seeds_share_no_row() -> None:
    rows = [
        tuple(row)
        for seed in (0, 1)
        for part in ("train", "val", "shift_1")
        for row in draw(data(), "add", seed)[part].inputs.tolist()
    ]
    assert len(set(rows)) == len(rows)
