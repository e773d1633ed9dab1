"""The fast rules equal the reference loops; the rules obey their identities."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from versus.core.errors import ConfigError
from versus.experiments.memory import fast, naive
from versus.experiments.memory.rules import RULES, RuleSettings, canonical, find_rule

F32, F64 = torch.float32, torch.float64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def white(
    streams: int, steps: int, dim: int, rows: int, seed: int = 0, dtype: torch.dtype = F64
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randn(streams, steps, dim, generator=generator, dtype=F64)
    values = torch.randn(streams, steps, rows, generator=generator, dtype=F64)
    return (keys / keys.norm(dim=2, keepdim=True)).to(dtype), values.to(dtype)


def write(
    group: list[RuleSettings], keys: Tensor, values: Tensor, chunks: Sequence[int] = ()
) -> tuple[fast.FastRule, Tensor]:
    """Write a stream in chunks of these sizes, the rest in one, and give rule and predictions."""
    rule = fast.make(group, len(keys), values.shape[2], keys.shape[2], keys.dtype)
    cuts = [c for c in itertools.accumulate(chunks) if c < keys.shape[1]]
    parts = zip(keys.tensor_split(cuts, 1), values.tensor_split(cuts, 1), strict=True)
    predictions = torch.cat([rule.write(k, v) for k, v in parts], 2)
    return rule, predictions


def deviation(received: Tensor, expected: Tensor, scale: float = 1e-30) -> float:
    return float((received - expected).abs().max() / expected.abs().max().clamp(min=scale))


def assert_equals_naive(
    group: list[RuleSettings], keys: Tensor, values: Tensor, chunks: list[int], tolerance: float
) -> None:
    """Deviations count relative to the largest number, predicted or to be predicted.

    Delta's block form finds v - M k, whose rounding is relative to v. A small memory, of one number
    say, may end near zero: it counts relative to what was read from it before.
    """
    scale = float(values.abs().max())
    rule, predictions = write(group, keys, values, chunks)
    for s, r in itertools.product(range(len(keys)), range(len(group))):
        expected = naive.run(group[r], keys[s], values[s])
        assert deviation(predictions[s, r], expected.predictions, scale) < tolerance
        read = float(expected.predictions.abs().max())
        assert deviation(rule.state["memory"][s, r], expected.memory, read) < tolerance
        assert rule.state["clipped"][s, r] == expected.clipped


SIZES = {
    "window": st.integers(1, 40),
    "steps": st.integers(1, 130),
    "dim": st.integers(1, 20),
    "rows": st.integers(1, 4),
    "streams": st.integers(1, 2),
    "seed": st.integers(0, 1000),
    "chunks": st.lists(st.integers(1, 50), max_size=4),
    "dtype": st.sampled_from([F32, F64]),
}


@settings(max_examples=60, deadline=None)
@given(
    updater=st.sampled_from(["Delta", "Omega"]),
    speed=st.floats(0.01, 1.0),
    decay=st.sampled_from([1.0, 0.99, 0.5, 0.0]),
    gamma=st.sampled_from([1.0, 0.9, 0.3]),
    inner=st.integers(1, 3),
    clip=st.sampled_from([0.0, 0.3]),
    **SIZES,
)
def test_gradient_rules_equal_the_loop(
    updater: str,
    speed: float,
    decay: float,
    gamma: float,
    inner: int,
    clip: float,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
) -> None:
    # Stable steps only, decay - lr lambda_max(G) > -1: an unstable rule amplifies the rounding
    # errors of the loop itself without bound.
    lr = speed * (0.9 + decay) / (1 if updater == "Delta" else min(window, steps))
    one = RuleSettings(updater, window, lr, (1 - decay) / lr, gamma, inner, clip)
    keys, values = white(streams, steps, dim, rows, seed, dtype)
    group = [one, replace(one, lr=lr / 3), replace(one, reg=0.0)]
    assert_equals_naive(group, keys, values, chunks, 1e-5 if dtype == F32 else 1e-12)


@settings(max_examples=60, deadline=None)
@given(
    updater=st.sampled_from(["OmegaRidge", "RLS"]),
    reg=st.sampled_from([1e-3, 0.1, 3.0]),
    clip=st.sampled_from([0.0, 0.3]),
    **SIZES,
)
def test_window_optimum_equals_the_loop(
    updater: str,
    reg: float,
    clip: float,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
) -> None:
    one = RuleSettings(updater, window, reg=reg, clip=clip)
    keys, values = white(streams, steps, dim, rows, seed, dtype)
    group = [one, replace(one, reg=2 * reg)]
    # Both sides solve in float64 with an error of about eps times the condition of G + reg I, at
    # most 1 + c / reg. Removing a pair from the loop's inverse multiplies what error there is by
    # up to 1 + 1 / reg.
    condition = 1 + min(window, steps) / reg
    removals = (1 + 1 / reg) * steps if updater == "RLS" else 1
    exact = 1e-14 * condition * removals
    assert_equals_naive(group, keys, values, chunks, exact + (1e-5 if dtype == F32 else 1e-12))


@settings(max_examples=40, deadline=None)
@given(**SIZES)
def test_minimum_norm_solution_equals_the_loop(
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
) -> None:
    keys, values = white(streams, steps, dim, rows, seed, dtype)
    group = [RuleSettings("OmegaRidge", window)]
    # Near c = d the condition of the normal equations is the squared one of the keys; below
    # PIVOT_TOLERANCE the singular values take over. In one dimension all keys are +-1.
    condition = max(
        _condition(k[max(0, t - window) : t]) for k in keys for t in range(1, steps + 1)
    )
    tolerance = 1e-13 * condition**2 + (1e-5 if dtype == F32 else 1e-12)
    assert_equals_naive(group, keys, values, chunks, tolerance)


def _condition(keys: Tensor) -> float:
    scale = torch.linalg.svdvals(keys.double())
    scale = scale[scale > naive.RANK_TOLERANCE * scale[0]]
    return float(scale[0] / scale[-1])


@pytest.mark.parametrize("window", [6, 8, 12])
def test_minimum_norm_solution_of_repeated_keys(window: int) -> None:
    keys, values = white(1, 30, 8, 3)
    keys[:, 5:9] = keys[:, 4:5]
    keys[:, 20:] = keys[:, 10:20]
    keys[:, 15] = 0
    assert_equals_naive([RuleSettings("OmegaRidge", window)], keys, values, [11], 1e-10)


@pytest.mark.parametrize("reg", [1e-12, 1e-9])
def test_tiny_ridge_of_repeated_keys_is_close_to_the_minimum_norm(reg: float) -> None:
    keys, values = white(1, 30, 8, 3)
    keys[:, 1::2] = keys[:, ::2]
    group = [RuleSettings("OmegaRidge", 6, reg=r) for r in (0.0, reg)]
    _, predictions = write(group, keys, values)
    assert deviation(predictions[:, 1], predictions[:, 0]) < 1e-6


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("clip", [0.0, 0.2])
def test_initial_memory_is_read_first(updater: str, clip: float) -> None:
    keys, values = white(1, 20, 6, 3)
    one = RuleSettings(updater, 4, lr=0.1, reg=0.1, clip=clip)
    start = torch.randn(3, 6, dtype=F64, generator=torch.Generator().manual_seed(1))
    rule = fast.make([one], 1, 3, 6, F64)
    rule.state["memory"] = start[None, None]
    expected = naive.run(one, keys[0], values[0], start)
    predictions = rule.write(keys, values)
    torch.testing.assert_close(predictions[0, 0], expected.predictions)
    torch.testing.assert_close(rule.state["memory"][0, 0], expected.memory)
    torch.testing.assert_close(predictions[0, 0, 0], start @ keys[0, 0])


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("window", [5, 30])
@pytest.mark.parametrize("clip", [0.0, 0.2])
def test_a_snapshot_of_the_state_continues_bitwise(updater: str, window: int, clip: float) -> None:
    keys, values = white(2, 150, 8, 3, dtype=F32)
    group = [RuleSettings(updater, window, lr=lr, reg=0.1, clip=clip) for lr in (0.01, 0.02)]
    rule = fast.make(group, 2, 3, 8)
    rule.write(keys[:, :90], values[:, :90])
    snapshot = dict(rule.state)
    copies = {name: tensor.clone() for name, tensor in snapshot.items()}
    expected = rule.write(keys[:, 90:], values[:, 90:])
    assert all(torch.equal(snapshot[name], copies[name]) for name in snapshot)
    restored = fast.make(group, 2, 3, 8)
    restored.state = copies
    assert torch.equal(restored.write(keys[:, 90:], values[:, 90:]), expected)
    assert all(torch.equal(restored.state[name], rule.state[name]) for name in copies)


@pytest.mark.parametrize("updater", ["Delta", "Omega"])
@pytest.mark.parametrize("window", [3, 20])
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_a_diverged_run_leaves_the_others_unchanged(updater: str, window: int, clip: float) -> None:
    keys, values = white(2, 200, 8, 3, dtype=F32)
    calm = [RuleSettings(updater, window, lr=lr, reg=0.1, clip=clip) for lr in (0.02, 0.02, 0.01)]
    wild = [calm[0], replace(calm[1], lr=1e38), calm[2]]
    rule, expected = write(calm, keys, values, [70])
    other, received = write(wild, keys, values, [70])
    assert not received[:, 1].isfinite().all()
    assert torch.equal(received[:, ::2], expected[:, ::2])
    assert torch.equal(other.state["memory"][:, ::2], rule.state["memory"][:, ::2])
    assert torch.equal(other.state["clipped"][:, ::2], rule.state["clipped"][:, ::2])


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("window", [3, 20])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_bad_stream_leaves_the_others_unchanged(updater: str, window: int, bad: float) -> None:
    keys, values = white(3, 120, 8, 3, dtype=F32)
    regs = (0.0, 0.1) if updater != "RLS" else (0.05, 0.1)
    group = [RuleSettings(updater, window, lr=0.02, reg=reg) for reg in regs]
    rule, expected = write(group, keys, values, [70])
    keys[1, 40:45] = bad
    other, received = write(group, keys, values, [70])
    assert torch.equal(received[::2], expected[::2])
    assert torch.equal(other.state["memory"][::2], rule.state["memory"][::2])


def test_a_large_update_is_cut_to_the_limit() -> None:
    keys, values = white(1, 1, 8, 3, dtype=F32)
    one = RuleSettings("Delta", lr=1e30, clip=0.5)
    assert_equals_naive([one], keys, values, [], 1e-6)
    rule, _ = write([one], keys, values)
    assert float(rule.state["memory"].norm()) == pytest.approx(0.5)


def test_rls_stays_at_the_optimum_for_long() -> None:
    keys, values = white(1, 3000, 16, 2)
    rule, _ = write([RuleSettings("RLS", 20, reg=1e-3)], keys, values)
    exact, _ = write([RuleSettings("OmegaRidge", 20, reg=1e-3)], keys, values)
    assert deviation(rule.state["memory"], exact.state["memory"]) < 1e-8


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
def test_rows_do_not_interact(updater: str, window: int) -> None:
    keys, values = white(2, 60, 8, 5)
    group = [RuleSettings(updater, window, lr=0.05, reg=0.1)]
    _, whole = write(group, keys, values)
    _, some = write(group, keys, values[..., :2])
    assert deviation(some, whole[..., :2]) < 1e-12


@pytest.mark.parametrize("updater", RULES)
def test_rotated_keys_give_the_same_predictions(updater: str) -> None:
    keys, values = white(2, 60, 8, 3)
    group = [RuleSettings(updater, 5, lr=0.05, reg=0.1)]
    noise = torch.randn(8, 8, dtype=F64, generator=torch.Generator().manual_seed(3))
    rotation = torch.linalg.qr(noise).Q
    _, plain = write(group, keys, values)
    _, rotated = write(group, keys @ rotation, values)
    assert deviation(rotated, plain) < 1e-10


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
    with pytest.raises(ConfigError, match=r"unknown rule 'titans'; use one of Delta, Omega"):
        find_rule("titans")


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        RuleSettings(
            "omega", window=0, lr=-1.0, reg=float("nan"), gamma=0.0, inner_steps=0, clip=-1
        )
    for key in ("window", "lr", "reg", "gamma", "inner_steps", "clip"):
        assert f"{key} must be" in str(error.value)
    with pytest.raises(ConfigError, match=r"RLS: reg must be finite and > 0"):
        RuleSettings("rls")
    with pytest.raises(ConfigError, match=r"Delta: lr must be finite and > 0, got 0\.0"):
        RuleSettings("delta")


def test_a_group_holds_one_kind_of_run() -> None:
    one = RuleSettings("Omega", 5, lr=0.1)
    assert fast.group_key(one) == fast.group_key(replace(one, lr=0.2, reg=1.0))
    for other in ({"window": 6}, {"gamma": 0.9}, {"inner_steps": 2}, {"clip": 1.0}):
        assert fast.group_key(one) != fast.group_key(replace(one, **other))
    with pytest.raises(ValueError, match="one group"):
        fast.make([one, replace(one, window=6)], 1, 2, 3)
