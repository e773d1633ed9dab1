"""What a rule keeps: memories, snapshots, resets, and what runs and streams never share."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.unit.memory.rule_checks import (
    F32,
    F64,
    RIDGE_ONLY,
    assert_equals_naive,
    deviation,
    white,
    write,
)
from versus.experiments.memory import fast, naive
from versus.experiments.memory.rules import RULES, RuleSettings


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


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "NLMS", "Titans", "Omega"])
@pytest.mark.parametrize("window", [3, 20])
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_a_diverged_run_leaves_the_others_unchanged(updater: str, window: int, clip: float) -> None:
    keys, values = white(2, 200, 8, 3, dtype=F32)
    calm = [RuleSettings(updater, window, lr=lr, reg=0.1, clip=clip) for lr in (0.02, 0.02, 0.01)]
    wild = [calm[0], replace(calm[1], lr=3e38), calm[2]]
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
    regs = (0.0, 0.1) if updater not in RIDGE_ONLY else (0.05, 0.1)
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


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "Titans", "NLMS"])
@pytest.mark.parametrize("read", ["before", "after"])
def test_keys_of_zeros_make_no_step(updater: str, read: Any) -> None:
    keys, values = white(1, 20, 6, 3)
    keys = 3 * keys
    keys[:, ::3] = 0
    one = RuleSettings(updater, lr=0.5, step_norm="trace", read=read)
    assert_equals_naive([one], keys, values, [7], 1e-12)
    rule, _ = write([one], keys[:, :1], values[:, :1])
    assert not rule.state["memory"].any()


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("options", [{}, {"features": "poly2"}, {"clip": 0.2}, {"read": "after"}])
def test_read_and_reset(updater: str, options: dict[str, Any]) -> None:
    keys, values = white(2, 25, 4, 3)
    one = RuleSettings(updater, 5, lr=0.1, reg=0.1, momentum=0.5, **options)
    rule, first = write([one, replace(one, reg=0.2)], keys, values)
    read = rule.read(keys[:, :7])
    assert read.shape == (2, 2, 7, 3)
    memory = rule.state["memory"]
    assert deviation(read[1, 0], naive.read(one, memory[1, 0], keys[1, :7])) < 1e-12
    if one.read == "after":
        assert deviation(first[:, :, -1], rule.read(keys[:, -1:])[:, :, 0]) < 1e-12
    rule.reset()
    assert not rule.read(keys).any()
    assert torch.equal(rule.write(keys, values), first)
