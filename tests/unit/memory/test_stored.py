"""Overwritten values and associative recall: what the streams are, and closed forms on them."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.memory.learning import learn
from versus.core import stages
from versus.core.experiment import find
from versus.experiments.memory import reads
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.data.scenarios import KINDS, generate
from versus.experiments.memory.data.stages import Pairs, read_stream

SIZES: dict[str, Any] = {"steps": 300, "dim": 16, "rows": 4, "seed": 7}
POOL, PASSES = 6, 3
EPOCH = POOL * PASSES


def overwriting(steps: int = 300, seed: int = 7, share: float = 0.5) -> Any:
    return generate(
        "overwrite",
        pool=POOL,
        passes=PASSES,
        share=share,
        **{**SIZES, "steps": steps, "seed": seed},
    )


@given(st.integers(36, 200), st.integers(0, 99), st.sampled_from([0.2, 0.5, 0.8]))
def test_every_pass_visits_every_key_and_every_epoch_changes_a_share(
    steps: int, seed: int, share: float
) -> None:
    stream = overwriting(steps, seed, share)
    keys, visits = stream.marks["key_ids"], stream.marks["visits"]
    for start in range(0, steps - POOL + 1, POOL):
        assert sorted(keys[start : start + POOL]) == list(range(POOL))
    assert np.all(visits[:EPOCH] == 0)
    for start in range(EPOCH, steps - EPOCH + 1, EPOCH):
        epoch = slice(start, start + EPOCH)
        assert np.sum(visits[epoch] == 1) == round(share * POOL)
        places = np.abs(visits[epoch])
        assert places.tolist() == [r for r in range(1, PASSES + 1) for _ in range(POOL)]


def test_a_value_changes_when_the_mark_says_so_and_only_then() -> None:
    stream = overwriting()
    keys, visits = stream.marks["key_ids"], stream.marks["visits"]
    last: dict[int, Any] = {}
    for key, visit, value, vector in zip(keys, visits, stream.values, stream.keys, strict=True):
        if key in last:
            assert np.array_equal(last[key][0], vector)
            assert np.array_equal(last[key][1], value) == (visit != 1)
        last[key] = vector, value


@given(st.integers(1, 200), st.floats(0, 1), st.integers(2, 9), st.integers(0, 99))
def test_a_key_is_overwritten_once_at_most_and_never_by_its_own_value(
    steps: int, share: float, vocabulary: int, seed: int
) -> None:
    options: dict[str, Any] = {"share": share, "vocabulary": vocabulary}
    stream = generate("forgetting-mqar", **options, **{**SIZES, "steps": steps, "seed": seed})
    keys, values = stream.marks["key_ids"], stream.marks["value_ids"]
    assert list(dict.fromkeys(keys)) == list(range(keys.max() + 1))
    assert 0 <= values.min() <= values.max() < vocabulary
    for key in range(keys.max() + 1):
        written = values[keys == key]
        assert len(written) <= 2
        assert len(written) == 1 or written[0] != written[1]
    np.testing.assert_allclose(stream.values, stream.marks["codebook"][values], rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_is_that_of_the_keys(share: float) -> None:
    stream = generate("forgetting-mqar", share=share, **{**SIZES, "steps": 4000})
    keys = stream.marks["key_ids"].max() + 1
    assert 4000 / keys - 1 == pytest.approx(share, abs=0.06)


def test_mqar_repeats_no_key() -> None:
    stream = generate("mqar", **SIZES)
    assert len(np.unique(stream.keys, axis=0)) == 300
    assert np.array_equal(stream.marks["key_ids"], np.arange(300))


@pytest.mark.parametrize("kind", KINDS)
def test_files_hold_what_was_drawn(kind: str, tmp_path: Path) -> None:
    asked = comparison({"it": {"kind": kind, "noise": 0.2}}, {}, dim=16, mem_size=4, steps=300)
    stages.prepare(find("memory"), asked, tmp_path)
    read = read_stream(tmp_path, "it", 16, [1], torch.float32, torch.device("cpu"))
    drawn = generate(kind, noise=0.2, **{**SIZES, "seed": 1})
    np.testing.assert_array_equal(read.keys[0], drawn.keys)
    np.testing.assert_array_equal(read.values[0], drawn.values)
    assert read.marks.keys() == drawn.marks.keys()
    for name, mark in drawn.marks.items():
        np.testing.assert_array_equal(read.marks[name][0], mark)


def comparison(streams: Any, variants: Any, **shape: Any) -> Comparison:
    return Comparison.model_validate(
        {
            "experiment": "memory",
            "seeds": 2,
            "device": "cpu",
            "data": {"streams": streams, **shape},
            "train": {"chunk": 17, "dtype": "float64"},
            "variants": variants,
        }
    )


EXACT = {"rls": {"model": {"updater": "RLS", "window": 999, "reg": 1e-9}}}


def test_an_exact_memory_recalls_as_many_pairs_as_dimensions(tmp_path: Path) -> None:
    streams = {
        "mqar": {"kind": "mqar", "vocabulary": 50},
        "unrelated": {"kind": "unrelated", "noise": 0.0},
    }
    asked = comparison(streams, EXACT, dim=16, mem_size=[2, 6], steps=[8, 16])
    for metrics in learn(asked, tmp_path).values():
        for task in asked.data.tasks():
            assert metrics[f"{task.name}/recall"] < 1e-9
            ages = [metrics[f"{task.name}/age{age}"] for age in range(1, 9)]
            assert max(ages) < 1e-9
            if task.stream == "mqar":
                assert metrics[f"{task.name}/top1_error"] == 0
                assert f"{task.name}/stale" not in metrics


def test_a_memory_that_keeps_the_first_value_is_stale(tmp_path: Path) -> None:
    """Least squares takes the mean of both values, to which either may be nearer."""
    streams = {"it": {"kind": "forgetting-mqar", "vocabulary": 9, "share": 1.0}}
    asked = comparison(streams, EXACT, dim=200, mem_size=4, steps=40)
    for metrics in learn(asked, tmp_path).values():
        assert 0 < metrics["it/stale"] < 1
        assert metrics["it/top1_error"] >= 0.1


def naive_overwriting(errors: Tensor, values: Tensor, visits: Tensor) -> dict[str, float]:
    """NMSE by class of token, from the errors and values (T, rows) of a stream."""
    found: dict[int, list[int]] = {}
    for token, visit in enumerate(visits.tolist()):
        found.setdefault(visit, []).append(token)

    def nmse(tokens: list[int]) -> float:
        return float((errors[tokens] ** 2).sum() / (values[tokens] ** 2).sum())

    by_visit = {v: nmse(tokens) for v, tokens in found.items() if v}
    known = [t for v, tokens in found.items() if v not in (0, 1) for t in tokens]
    named = {f"{'new' if v > 0 else 'kept'}{abs(v)}": x for v, x in by_visit.items()}
    return {**named, "nmse_known": nmse(known)}


def test_errors_by_visit_equal_a_loop(tmp_path: Path) -> None:
    streams = {"it": {"kind": "overwrite", "pool": POOL, "passes": PASSES, "noise": 0.1}}
    variants = {"delta": {"model": {"updater": "Delta", "lr": 0.7, "reg": 0.01}}}
    asked = comparison(streams, variants, dim=8, mem_size=[2, 3], steps=[40, 100])
    results = learn(asked, tmp_path)
    for run, task in itertools.product(results, asked.data.tasks()):
        pairs = read_stream(tmp_path, "it", 8, [run.seed], torch.float64, torch.device("cpu"))
        keys, values, marks = pairs.first(task.steps, task.mem_size)
        memory, errors = torch.zeros(task.mem_size, 8, dtype=torch.float64), []
        for key, value in zip(keys[0], values[0], strict=True):
            errors.append(memory @ key - value)
            memory = (1 - 0.7 * 0.01) * memory - 0.7 * torch.outer(errors[-1], key)
        expected = naive_overwriting(torch.stack(errors), values[0], marks["visits"][0])
        got = {name: results[run][f"{task.name}/{name}"] for name in expected}
        assert got == pytest.approx(expected, rel=1e-9)
        assert len(expected) == 2 * PASSES + 1


def test_full_steps_on_orthonormal_keys_overwrite_exactly(tmp_path: Path) -> None:
    """In very many dimensions random keys are nearly orthonormal: only first visits err."""
    streams = {"it": {"kind": "overwrite", "pool": 4, "passes": 3, "share": 0.5}}
    variants = {"delta": {"model": {"updater": "Delta", "lr": 1.0, "reg": 0.0}}}
    asked = comparison(streams, variants, dim=20_000, mem_size=3, steps=96)
    for metrics in learn(asked, tmp_path).values():
        for name in ("nmse_known", "new2", "new3", "kept1", "kept2", "kept3"):
            assert metrics[f"it/{name}"] < 1e-3, name
        # The old answer to a new, independent value: |old|^2 + |new|^2 over |new|^2.
        assert 1 < metrics["it/new1"] < 4


def test_recall_by_age_equals_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    n, vocabulary = 29, 5
    key_ids = torch.arange(n)
    key_ids[[11, 20, 28]] = torch.tensor([2, 0, 27])  # written again
    value_ids = torch.randint(vocabulary, (1, n), generator=generator)
    codebook = torch.randn(1, vocabulary, 3, generator=generator)
    values = codebook[0, value_ids]
    read = values[:, None] + torch.randn(1, 2, n, 3, generator=generator)
    marks = {"key_ids": key_ids[None], "value_ids": value_ids, "codebook": codebook}
    metrics = reads.measure(read, Pairs(torch.zeros(1, n, 4), values, marks), by_age=True)
    kept = [t for t in range(n) if key_ids[t] not in key_ids[t + 1 :]]
    for run, age in itertools.product(range(2), range(1, 9)):
        first, last = n * (8 - age) // 8, n * (9 - age) // 8
        tokens = [t for t in kept if first <= t < last]
        error = sum(float(((read[0, run, t] - values[0, t]) ** 2).sum()) for t in tokens)
        power = sum(float((values[0, t] ** 2).sum()) for t in tokens)
        assert metrics[f"age{age}"][0, run] == pytest.approx(error / power, rel=1e-6)
        wrong = [t for t in tokens if nearest(codebook[0], read[0, run, t]) != value_ids[0, t]]
        assert metrics[f"top1_age{age}"][0, run] == pytest.approx(len(wrong) / len(tokens))


def nearest(codebook: Tensor, answer: Tensor) -> int:
    return max(range(len(codebook)), key=lambda i: float(answer @ codebook[i] / codebook[i].norm()))


def test_short_streams_have_no_ages() -> None:
    pairs = Pairs(torch.zeros(1, 7, 4), torch.ones(1, 7, 2), {})
    assert set(reads.measure(torch.zeros(1, 1, 7, 2), pairs, by_age=True)) == {
        "recall",
        "recall_old",
    }
