"""State on disk: any tree comes back, and a failed write costs nothing."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.contract import same
from versus.core import checkpoint
from versus.core.errors import CheckpointError

KEYS = st.one_of(st.text(max_size=3), st.integers(0, 9), st.booleans(), st.sampled_from(["a/b"]))
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Any dtype and shape, also empty, without dimensions or not contiguous."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    seed = draw(st.integers(0, 99))
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3
    return drawn.to(draw(st.sampled_from(DTYPES))).permute(tuple(reversed(range(len(shape)))))


TREES = st.recursive(
    st.one_of(PLAIN, tensors()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=12,
)


def kinds(value: Any) -> Any:
    """The tree of types: ``1 == True == 1.0`` and a list equals no tuple."""
    if isinstance(value, dict):
        return [(type(key), key, kinds(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [kinds(inner) for inner in value]
    return type(value)


@given(st.dictionaries(KEYS, TREES, max_size=4))
@settings(deadline=None, max_examples=150)
def test_any_state_comes_back_with_its_types(state: dict[Any, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        restored = checkpoint.load(checkpoint.save(Path(folder), 1, state))
    assert same(restored, state)
    assert kinds(restored) == kinds(state)


def test_keys_of_equal_text_are_told_apart(tmp_path: Path) -> None:
    state: dict[Any, Any] = {
        "a/b": torch.tensor(1),
        "a": {"b": torch.tensor(2)},
        1: torch.tensor(3),
        "1": torch.tensor(4),
    }
    assert same(checkpoint.load(checkpoint.save(tmp_path, 1, state)), state)


def test_a_checkpoint_shares_no_memory_with_the_state(tmp_path: Path) -> None:
    weight = torch.zeros(4, requires_grad=True)
    views = {"whole": weight, "half": weight[:2], "again": weight}
    restored = checkpoint.load(checkpoint.save(tmp_path, 1, views))
    restored["whole"] += 1
    assert restored["half"].tolist() == [0, 0]
    assert restored["again"].tolist() == [0] * 4


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (
            {"hooks": [{"when": Path("x")}]},
            r"state/hooks/0/when: neither tensor nor JSON value.*Path",
        ),
        ({"a": {3: {1, 2}}}, r"state/a/3: .*received set"),
        ({"a": {(1, 2): 3}}, r"state/a: a key is no JSON value, received \(1, 2\)"),
    ],
)
def test_what_json_lacks_is_refused_with_its_path(
    tmp_path: Path, state: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        checkpoint.save(tmp_path, 1, state)
    assert not list(tmp_path.iterdir())


def test_the_newest_two_are_kept_in_the_order_of_steps(tmp_path: Path) -> None:
    for step in (8, 9, 10, 100_000):
        checkpoint.save(tmp_path, step, {"step": step})
    steps = [int(path.stem.removeprefix("step-")) for path in sorted(tmp_path.iterdir())]
    assert steps == [10, 100_000]
    assert checkpoint.load_latest(tmp_path) == {"step": 100_000}


def test_nothing_readable_is_no_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert checkpoint.load_latest(tmp_path / "nowhere") is None
    for step, content in enumerate([b"", b"\xff" * 100]):
        (tmp_path / f"step-{step:010d}.safetensors").write_bytes(content)
    assert checkpoint.load_latest(tmp_path) is None
    assert caplog.text.count("not a readable checkpoint") == 2


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = checkpoint.save(tmp_path, 3, {"weight": torch.ones(2)})
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(CheckpointError, match="No space left on device; free disk space"):
            checkpoint.save(tmp_path, 3, {"weight": torch.zeros(2)})
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
