"""Rules that coincide, and what all of them obey."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.memory.rule_checks import F32, F64, deviation, white, write
from versus.experiments.memory import naive
from versus.experiments.memory.features import dimension, expand, key_dimension
from versus.experiments.memory.rules import RULES, RuleSettings


def test_omega_of_one_pair_is_delta() -> None:
    keys, values = white(2, 50, 8, 3)
    _, omega = write([RuleSettings("Omega", 1, lr=0.4, reg=0.1)], keys, values)
    _, delta = write([RuleSettings("Delta", lr=0.4, reg=0.1)], keys, values)
    assert deviation(omega, delta) < 1e-12


def test_omega_of_many_inner_steps_from_zero_is_least_squares_of_the_window() -> None:
    keys, values = white(1, 4, 8, 3)
    omega, _ = write([RuleSettings("Omega", 4, lr=0.5, inner_steps=400)], keys, values)
    exact, _ = write([RuleSettings("OmegaRidge", 4)], keys, values)
    # Gradient steps approach the least squares solution nearest to where they start, and all
    # starts lie in the span of the keys so far.
    assert deviation(omega.state["memory"], exact.state["memory"]) < 1e-10


@pytest.mark.parametrize("window", [1, 5, 8, 9, 50, 1000])
def test_rls_is_omega_ridge_for_all_windows(window: int) -> None:
    keys, values = white(2, 60, 8, 3)
    _, rls = write([RuleSettings("RLS", window, reg=0.1)], keys, values)
    _, ridge = write([RuleSettings("OmegaRidge", window, reg=0.1)], keys, values)
    assert deviation(rls, ridge) < 1e-10


def test_delta_does_not_depend_on_the_window() -> None:
    keys, values = white(1, 40, 8, 3, dtype=F32)
    _, first = write([RuleSettings("Delta", 1, lr=0.1)], keys, values)
    _, second = write([RuleSettings("Delta", 33, lr=0.1)], keys, values)
    assert torch.equal(first, second)


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("window", [3, 20])
@pytest.mark.parametrize("features", ["linear", "poly2"])
def test_rows_interact_where_the_rule_says_so(updater: str, window: int, features: Any) -> None:
    keys, values = white(2, 60, 8, 5)
    group = [RuleSettings(updater, window, lr=0.05, reg=0.1, momentum=0.5, features=features)]
    _, whole = write(group, keys, values)
    _, some = write(group, keys, values[..., :2])
    apart = deviation(some, whole[..., :2])
    assert apart > 1e-3 if RULES[updater].rows_interact else apart < 1e-12


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("features", ["linear", "poly2"])
def test_rotated_keys_give_the_same_predictions(updater: str, features: Any) -> None:
    keys, values = white(2, 60, 8, 3)
    group = [RuleSettings(updater, 5, lr=0.05, reg=0.1, momentum=0.5, features=features)]
    noise = torch.randn(8, 8, dtype=F64, generator=torch.Generator().manual_seed(3))
    rotation = torch.linalg.qr(noise).Q
    _, plain = write(group, keys, values)
    _, rotated = write(group, keys @ rotation, values)
    assert deviation(rotated, plain) < 1e-10


def scaled(steps: int = 50, dim: int = 8) -> tuple[Tensor, Tensor]:
    """Keys of different lengths."""
    keys, values = white(2, steps, dim, 3)
    lengths = torch.rand(2, steps, 1, dtype=F64, generator=torch.Generator().manual_seed(2))
    return (0.5 + lengths) * keys, values


def assert_same(
    one: RuleSettings, other: RuleSettings, pairs: tuple[Tensor, Tensor], tolerance: float = 1e-12
) -> None:
    """Equal predictions and memories."""
    (rule, received), (reference, expected) = write([one], *pairs), write([other], *pairs)
    assert deviation(received, expected) < tolerance
    assert deviation(rule.state["memory"], reference.state["memory"]) < tolerance


def test_gated_delta_with_other_step_and_values_is_delta_with_decay() -> None:
    keys, values = scaled()
    decay = 1 - 0.4 * 0.5
    gated, received = write(
        [RuleSettings("GatedDelta", lr=0.4 / decay, reg=0.5 * decay)], keys, decay * values
    )
    delta, expected = write([RuleSettings("Delta", lr=0.4, reg=0.5)], keys, values)
    assert deviation(received, expected) < 1e-12
    assert deviation(gated.state["memory"], delta.state["memory"]) < 1e-12


@pytest.mark.parametrize("updater", ["GatedDelta", "Titans"])
@pytest.mark.parametrize("step_norm", ["none", "trace"])
def test_without_decay_and_momentum_it_is_delta(updater: str, step_norm: Any) -> None:
    one = RuleSettings(updater, lr=0.4, step_norm=step_norm)
    assert_same(one, replace(one, updater="Delta"), scaled())


def test_titans_without_momentum_is_delta_with_decay() -> None:
    one = RuleSettings("Titans", lr=0.4, reg=0.5)
    assert_same(one, replace(one, updater="Delta"), scaled())


@pytest.mark.parametrize("lr", [0.1, 1.0, 50.0])
def test_longhorn_of_unit_keys_is_delta_of_a_smaller_step(lr: float) -> None:
    one = RuleSettings("Longhorn", lr=lr)
    assert_same(one, RuleSettings("Delta", lr=lr / (1 + lr)), white(2, 50, 8, 3))


@pytest.mark.parametrize("lr", [1e15, 1e300])
def test_longhorn_of_huge_steps_overwrites_like_normalised_delta(lr: float) -> None:
    overwriting = RuleSettings("Delta", lr=1.0, step_norm="trace")
    assert_same(RuleSettings("Longhorn", lr=lr), overwriting, scaled())
    assert_same(RuleSettings("NLMS", lr=1.0), overwriting, scaled())


def test_longhorn_is_nlms_with_the_reciprocal_as_ridge() -> None:
    assert_same(RuleSettings("Longhorn", lr=4.0), RuleSettings("NLMS", lr=1.0, reg=0.25), scaled())


@pytest.mark.parametrize("lr", [0.1, 1.0, 1e4])
@pytest.mark.parametrize("reg", [0.0, 0.1])
def test_prox_omega_of_one_pair_is_longhorn(lr: float, reg: float) -> None:
    one = RuleSettings("ProxOmega", 1, lr=lr, reg=reg)
    assert_same(one, replace(one, updater="Longhorn"), scaled(), 1e-11)


@pytest.mark.parametrize(("window", "gamma"), [(3, 1.0), (20, 0.9)])
def test_a_small_implicit_step_is_a_gradient_step(window: int, gamma: float) -> None:
    one = RuleSettings("ProxOmega", window, lr=1e-7, gamma=gamma)
    assert_same(one, replace(one, updater="Omega"), scaled(), 1e-4)


@pytest.mark.parametrize("window", [3, 8])
def test_prox_omega_of_huge_steps_from_zero_is_least_squares(window: int) -> None:
    keys, values = white(2, window, 8, 3)
    prox, _ = write([RuleSettings("ProxOmega", window, lr=1e300)], keys, values)
    exact, _ = write([RuleSettings("OmegaRidge", window)], keys, values)
    assert deviation(prox.state["memory"], exact.state["memory"]) < 1e-6


def test_prox_omega_keeps_what_is_older_than_the_window() -> None:
    keys = torch.eye(8, dtype=F64)[None].expand(2, -1, -1)
    values = white(2, 8, 8, 3)[1]
    rule, _ = write([RuleSettings("ProxOmega", 2, lr=1e12)], keys, values)
    assert deviation(rule.read(keys)[:, 0], values) < 1e-10


@pytest.mark.parametrize("lr", [1e3, 1e30])
def test_prox_omega_minimises_its_objective(lr: float) -> None:
    keys, values = scaled(steps=12, dim=5)
    one = RuleSettings("ProxOmega", 4, lr=0.7, reg=0.2, gamma=0.8)
    before = naive.run(one, keys[0, :-1], values[0, :-1]).memory
    after = naive.run(one, keys[0], values[0]).memory.requires_grad_()
    k, v = keys[0, -4:], values[0, -4:]
    weights = 0.8 ** torch.arange(3, -1, -1, dtype=F64)
    loss = (weights * (k @ after.mT - v).square().sum(1)).sum()
    objective = (after - before).square().sum() + 0.7 * (loss + 0.2 * after.square().sum())
    assert torch.autograd.grad(objective, after)[0].abs().max() < 1e-12
    wild, _ = write([replace(one, lr=lr, reg=0.0)], keys, values)
    assert wild.state["memory"].abs().max() < 100


def test_mesa_without_forgetting_is_recursive_least_squares() -> None:
    one = RuleSettings("Mesa", reg=0.1)
    assert_same(one, RuleSettings("RLS", 10**6, reg=0.1), scaled(), 1e-10)


def test_atlas_steps_are_nearly_orthogonal() -> None:
    keys, values = white(1, 1, 6, 4)
    generator = torch.Generator().manual_seed(0)
    for rows, columns in ((6, 6), (3, 8), (8, 3)):
        noise = torch.randn(20, rows, columns, dtype=F64, generator=generator)
        left, _, right = torch.linalg.svd(noise, full_matrices=False)
        spread = torch.linspace(1.0, 0.1, min(rows, columns), dtype=F64)
        scales = torch.linalg.svdvals(naive.newton_schulz(7 * left * spread @ right))
        assert scales.min() > 0.6
        assert scales.max() < 1.3
    assert not naive.newton_schulz(torch.zeros(3, 4)).any()
    rule, _ = write([RuleSettings("Atlas", lr=0.1)], keys, values)
    assert 0.06 < float(torch.linalg.svdvals(rule.state["memory"]).max()) < 0.13


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "Titans", "Omega"])
def test_steps_are_divided_by_the_weight_or_the_trace(updater: str) -> None:
    keys, values = white(2, 40, 8, 3)
    window = 5 if updater == "Omega" else 1
    plain = RuleSettings(updater, 5, lr=0.3, momentum=0.5)
    # Full windows of unit keys: both norms are the number of pairs.
    for step_norm in ("mean", "trace"):
        one = replace(plain, lr=0.3 * window, step_norm=step_norm)
        rule, _ = write([plain], keys[:, :5], values[:, :5])
        other, _ = write([one], keys[:, :5], values[:, :5])
        other.state["memory"] = rule.state["memory"]
        if updater == "Titans":
            other.state["surprise"] = rule.state["surprise"]
        expected = rule.write(keys[:, 5:], values[:, 5:])
        assert deviation(other.write(keys[:, 5:], values[:, 5:]), expected) < 1e-12


def test_the_kernel_of_poly2() -> None:
    keys, queries = white(2, 30, 5, 5)
    product = (keys * queries).sum(2)
    features = expand("poly2", keys)
    received = (features * expand("poly2", queries)).sum(2)
    torch.testing.assert_close(received, (product + product**2) / 2)
    torch.testing.assert_close(features.norm(dim=2), torch.ones(2, 30, dtype=F64))
    assert features.shape[2] == dimension("poly2", 5) == 5 + 5 * 6 // 2
    assert [key_dimension("poly2", dimension("poly2", d)) for d in range(1, 200)] == [
        *range(1, 200)
    ]
    assert expand("linear", keys) is keys
    assert dimension("linear", 5) == key_dimension("linear", 5) == 5


@pytest.mark.parametrize("pairs", [9, 25, 44])
@pytest.mark.parametrize(
    ("updater", "reg", "tolerance"), [("OmegaRidge", 0.0, 1e-8), ("RLS", 1e-8, 1e-3)]
)
def test_poly2_stores_more_pairs_than_keys_have_entries(
    pairs: int, updater: str, reg: float, tolerance: float
) -> None:
    keys, values = white(1, pairs, 8, 3)
    one = RuleSettings(updater, pairs, reg=reg, features="poly2")
    errors = [
        deviation(write([rule], keys, values)[0].read(keys)[:, 0], values)
        for rule in (one, replace(one, features="linear"))
    ]
    assert errors[0] < tolerance
    assert errors[1] > 0.1
