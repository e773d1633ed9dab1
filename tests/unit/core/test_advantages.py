"""Advantages over the others of a group."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from versus.core.advantages import leave_one_out

values = st.floats(-3, 3, width=32)


@given(
    st.integers(2, 5).flatmap(
        lambda n: st.lists(st.lists(values, min_size=n, max_size=n), min_size=1)
    )
)
def test_each_is_compared_with_the_mean_of_the_others(groups: list[list[float]]) -> None:
    found = leave_one_out(torch.tensor(groups)).tolist()
    for group, row in zip(groups, found, strict=True):
        for i, value in enumerate(group):
            others = group[:i] + group[i + 1 :]
            assert row[i] == pytest.approx(value - sum(others) / len(others), abs=1e-5)
