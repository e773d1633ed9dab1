"""Names, hyperparameters and which of them matter where."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.unit.memory.rule_checks import (
    RIDGE_ONLY,
    deviation,
    white,
    write,
)
from versus.core.errors import ConfigError
from versus.experiments.memory import fast, naive
from versus.experiments.memory.rules import RULES, RuleSettings, canonical, find_rule


@pytest.mark.parametrize(("rule", "distinct"), [("Omega", 144), ("OmegaRidge", 96)])
def test_duplicates_of_the_seed_grid_are_recognised(rule: str, distinct: int) -> None:
    axes = itertools.product(
        (32, 64), (20, 50), (100, 200), (0.01, 0.005), (0, 0.001), (rule, "Delta"), range(3)
    )
    runs = {
        (canonical(RuleSettings(u, w, lr=lr, reg=reg)), rows, steps, seed)
        for rows, w, steps, lr, reg, u, seed in axes
    }
    assert len(runs) == distinct


def test_names_are_found_in_any_spelling() -> None:
    assert [find_rule(n).name for n in ("delta", "OMEGA", "rls")] == ["Delta", "Omega", "RLS"]
    assert {find_rule(n).name for n in ("omega-ridge", "omega_ridge")} == {"OmegaRidge"}
    assert RuleSettings("omega-ridge").updater == "OmegaRidge"
    with pytest.raises(ConfigError, match=r"unknown rule 'hebbian'; use one of Delta, GatedDelta"):
        find_rule("hebbian")


def test_all_mistakes_are_listed_at_once() -> None:
    wrong: dict[str, Any] = {
        "window": 0,
        "lr": -1.0,
        "reg": math.nan,
        "gamma": 0.0,
        "inner_steps": 0,
        "clip": -1,
        "momentum": 1.0,
        "features": "poly3",
        "read": "never",
        "step_norm": "spectral",
    }
    with pytest.raises(ConfigError) as error:
        RuleSettings("omega", **wrong)
    for key, value in wrong.items():
        assert f"{key} must be" in str(error.value)
        assert f"got {value!r}" in str(error.value)
    assert "step_norm must be one of none, mean, trace" in str(error.value)
    for updater in RIDGE_ONLY:
        with pytest.raises(ConfigError, match=rf"{updater}: reg must be finite and > 0"):
            RuleSettings(updater)
    with pytest.raises(ConfigError, match=r"Delta: lr must be finite and > 0, got 0\.0"):
        RuleSettings("delta")


@pytest.mark.parametrize("updater", RULES)
def test_ignored_settings_have_no_influence_and_others_have(updater: str) -> None:
    keys, values = white(1, 30, 6, 3)
    one = RuleSettings(updater, 4, lr=0.1, reg=0.1, gamma=0.8, inner_steps=2, momentum=0.3)
    _, expected = write([one], keys, values)
    others: dict[str, Any] = {
        "window": 7,
        "lr": 0.05,
        "reg": 0.2,
        "gamma": 0.7,
        "inner_steps": 3,
        "momentum": 0.4,
        "step_norm": "trace",
    }
    if updater in ("Delta", "GatedDelta", "Titans"):
        del others["step_norm"]  # Keys of length 1 change nothing.
    for key, value in others.items():
        other = replace(one, **{key: value})
        _, received = write([other], keys, values)
        loop = naive.run(other, keys[0], values[0]).predictions
        assert deviation(received[0, 0], loop) < 1e-12
        if key in RULES[updater].ignores:
            assert torch.equal(received, expected)
            assert canonical(other) == canonical(one)
        else:
            assert deviation(received, expected) > 1e-3


def test_a_group_holds_one_kind_of_run() -> None:
    one = RuleSettings("Omega", 5, lr=0.1)
    assert fast.group_key(one) == fast.group_key(replace(one, lr=0.2, reg=1.0))
    others: list[dict[str, Any]] = [
        {"window": 6},
        {"gamma": 0.9},
        {"inner_steps": 2},
        {"clip": 1.0},
        {"features": "poly2"},
        {"read": "after"},
        {"step_norm": "mean"},
    ]
    for other in others:
        assert fast.group_key(one) != fast.group_key(replace(one, **other))
    with pytest.raises(ValueError, match="one group"):
        fast.make([one, replace(one, window=6)], 1, 2, 3)
