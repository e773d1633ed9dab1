"""The step limits against the spectral radius of the updates themselves."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from versus.experiments.memory import fast, naive, stability
from versus.experiments.memory.features import expand
from versus.experiments.memory.rules import RULES, RuleSettings

F64 = torch.float64
GRADIENT_RULES = ("Delta", "GatedDelta", "NLMS", "Titans", "Omega")


def spectral_radius(one: RuleSettings, keys: Tensor) -> float:
    """Of the linear map that one token makes of memory and momentum, with values of zero.

    The window is ``keys`` (c, dim), at every token: one token more is written after as many again.
    """
    dim = keys.shape[1]
    names = ("memory", "surprise") if one.updater == "Titans" else ("memory",)
    columns = []
    for name in names:
        for unit in torch.eye(dim, dtype=F64):
            rule = fast.make([one], 1, 1, dim, F64)
            if len(keys) > 1:
                rule.write(keys[None, :-1], torch.zeros(1, len(keys) - 1, 1, dtype=F64))
            rule.state |= {n: torch.zeros(1, 1, 1, dim, dtype=F64) for n in names}
            rule.state[name] = unit[None, None, None]
            rule.write(keys[None, -1:], torch.zeros(1, 1, 1, dtype=F64))
            columns.append(torch.cat([rule.state[n].flatten() for n in names]))
    return float(torch.linalg.eigvals(torch.stack(columns, 1)).abs().max())


def window_of(one: RuleSettings, dim: int = 3) -> Tensor:
    pairs = one.window if one.updater == "Omega" else 1
    return torch.randn(pairs, dim, dtype=F64, generator=torch.Generator().manual_seed(pairs))


def at_limit(one: RuleSettings, share: float) -> tuple[RuleSettings, Tensor]:
    """The same decay with keys scaled until x is this share of the limit."""
    keys = window_of(one)
    if one.updater == "NLMS":
        x = stability.limit(one) * share
        return replace(one, lr=x * (1 + one.reg / float(keys.square().sum()))), keys
    x = one.lr * float(stability.largest_eigenvalue(one, keys[None])[0, -1])
    return one, keys * (stability.limit(one) * share / x) ** 0.5


@pytest.mark.parametrize("decay", [1.0, 0.9, 0.3, -0.4, -0.95])
@pytest.mark.parametrize(
    "one",
    [
        *(RuleSettings(updater, lr=0.5) for updater in ("Delta", "GatedDelta", "NLMS")),
        *(RuleSettings("Titans", lr=0.5, momentum=momentum) for momentum in (0.0, 0.5, 0.95)),
        *(RuleSettings("Omega", window, lr=0.5, gamma=0.8) for window in (1, 2, 4)),
        *(RuleSettings("Omega", 4, lr=0.5, inner_steps=inner) for inner in (1, 2, 3)),
    ],
)
def test_a_rule_is_stable_up_to_its_limit_and_no_further(one: RuleSettings, decay: float) -> None:
    one = replace(one, reg=(1 - decay) / one.lr)
    assert spectral_radius(*at_limit(one, 0.999)) <= 1 + 1e-12
    assert spectral_radius(*at_limit(one, 1.001)) > 1


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "Omega", "Titans"])
@pytest.mark.parametrize("inner", [1, 2])
def test_decay_below_minus_one_has_no_stable_step(updater: str, inner: int) -> None:
    one = RuleSettings(updater, 2, lr=1.0, reg=2.1, inner_steps=inner)
    assert stability.limit(one) <= 0
    assert spectral_radius(one, window_of(one)) > 1


@pytest.mark.parametrize("updater", sorted(set(RULES) - set(GRADIENT_RULES)))
def test_other_rules_have_no_limit(updater: str) -> None:
    one = RuleSettings(updater, 3, lr=1e30, reg=0.1)
    keys = 100 * window_of(replace(one, updater="Omega"))
    assert stability.limit(one) == math.inf
    assert stability.step_times_eigenvalue(one, keys[None]).tolist() == [0]
    if not RULES[updater].rows_interact:
        memory = naive.run(one, keys.repeat(20, 1), torch.randn(60, 2, dtype=F64)).memory
        assert memory.isfinite().all()


def test_a_gate_of_zero_stops_any_blow_up() -> None:
    assert stability.limit(RuleSettings("GatedDelta", lr=0.5, reg=2.0)) == math.inf


@pytest.mark.parametrize(("window", "gamma"), [(2, 1.0), (7, 0.9), (40, 1.0)])
@pytest.mark.parametrize("features", ["linear", "poly2"])
def test_eigenvalues_are_those_of_windows(window: int, gamma: float, features: str) -> None:
    keys = torch.randn(2, 33, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    one = RuleSettings("Omega", window, lr=1, gamma=gamma, features=features)  # type: ignore[arg-type]
    received = stability.largest_eigenvalue(one, keys)
    phi = expand(one.features, keys)
    assert received.shape == (2, 9)
    for sample in range(9):
        end = (sample + 1) * 33 // 9
        k = phi[:, max(0, end - window) : end]
        weights = gamma ** torch.arange(k.shape[1] - 1, -1, -1, dtype=F64)[:, None]
        expected = torch.linalg.eigvalsh(k.mT @ (weights * k))[:, -1]
        torch.testing.assert_close(received[:, sample], expected)


def test_one_pair_counts_all_tokens() -> None:
    keys = torch.randn(2, 100, 4, generator=torch.Generator().manual_seed(0))
    one = RuleSettings("Delta", 50, lr=0.5)
    expected = 0.5 * keys.double().square().sum(2).amax(1)
    torch.testing.assert_close(stability.step_times_eigenvalue(one, keys), expected)


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "Titans", "Omega"])
@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_steps_are_normalised(updater: str, gamma: float) -> None:
    keys = 30 * torch.randn(2, 50, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    keys[:, 3] = 0
    one = RuleSettings(updater, 6, lr=1.5, gamma=gamma, step_norm="trace")
    assert (stability.step_times_eigenvalue(one, keys) <= 1.5 + 1e-12).all()
    plain = stability.step_times_eigenvalue(replace(one, step_norm="none"), keys)
    mean = stability.step_times_eigenvalue(replace(one, step_norm="mean"), keys)
    weight = sum(gamma**i for i in range(6)) if updater == "Omega" else 1
    torch.testing.assert_close(mean, plain / weight)


def test_keys_that_are_not_finite_are_unstable() -> None:
    keys = torch.ones(3, 5, 2)
    keys[1, 2, 0] = torch.nan
    keys[2, 2, 0] = torch.inf
    for updater in ("Delta", "NLMS", "Omega"):
        x = stability.step_times_eigenvalue(RuleSettings(updater, 4, lr=1e-3), keys)
        assert x.isfinite().tolist() == [True, False, False]
