"""TensorBoard and Weights & Biases get the series once, whole, also across a restart."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from versus.core import sinks
from versus.core.errors import ConfigError
from versus.core.runs import RunKey
from versus.core.services import TensorBoardSink, WandbSink

RUNS = [RunKey("stride", 0), RunKey("random", 1)]


@pytest.fixture
def lines(tmp_path: Path) -> sinks.JsonLines:
    lines = sinks.JsonLines(tmp_path / "metrics.jsonl")
    for step in (0, 5, 10):
        lines.write(step, step // 5, RUNS, {"test/loss": step + 0.5, "norms/total": math.inf})
    lines.commit()
    return lines


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_what_the_lines_say(tmp_path: Path, lines: sinks.JsonLines) -> None:
    pytest.importorskip("tensorboard")
    killed = TensorBoardSink(lines.path, tmp_path / "events")
    killed.covered()
    lines.write(15, 3, RUNS, {"test/loss": 9.0})
    lines.commit()
    resumed = TensorBoardSink(lines.path, tmp_path / "events")
    resumed.covered()
    resumed.close()
    lines.close()
    for folder in ("stride/seed-0", "random/seed-1"):
        expected = [(0, 0.5), (5, 5.5), (10, 10.5), (15, 9.0)]
        assert scalars(tmp_path / "events" / folder) == {"test/loss": expected}


def history(path: Path) -> list[dict[str, Any]]:
    """Records of an offline run's file, read with the package's own reader."""
    import json

    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    store = DataStore()
    store.open_for_scan(str(path))  # type: ignore[no-untyped-call]
    found = []
    while (data := store.scan_data()) is not None:  # type: ignore[no-untyped-call]
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(data)
        if record.HasField("history"):
            items = record.history.item
            found.append({"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items})
    store.close()
    return found


def test_wandb_gets_every_record_offline(
    tmp_path: Path, lines: sinks.JsonLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    sink = WandbSink(lines.path, "versus-test", "ordering-0123", tmp_path / "wandb")
    sink.covered()
    sink.close()
    lines.close()
    files = sorted((tmp_path / "wandb").glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == len(RUNS)
    for file in files:
        until = time.monotonic() + 20  # the package's own process may write a moment later
        while len(rows := history(file)) < 3 and time.monotonic() < until:
            time.sleep(0.2)
        told = [{k: row[k] for k in ("_step", "epoch", "test/loss")} for row in rows]
        assert told == [
            {"_step": step, "epoch": step // 5, "test/loss": step + 0.5} for step in (0, 5, 10)
        ]


def test_wandb_without_a_login_is_an_error_with_a_remedy(
    tmp_path: Path, lines: sinks.JsonLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")

    def refuse(**_: object) -> None:
        raise wandb.errors.UsageError("No API key configured")

    monkeypatch.setattr(wandb, "init", refuse)
    sink = WandbSink(lines.path, "versus-test", "ordering-0123", tmp_path / "wandb")
    message = r"--hook-wandb versus-test: refused \(No API key.*WANDB_MODE=offline"
    with pytest.raises(ConfigError, match=message):
        sink.covered()
    lines.close()


@pytest.mark.parametrize(
    ("package", "flag"), [("tensorboard", "--tensorboard"), ("wandb", "--hook-wandb")]
)
def test_a_missing_package_is_named_with_its_remedy(
    package: str, flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in [n for n in sys.modules if n.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    makers: dict[str, Callable[[], object]] = {
        "wandb": lambda: WandbSink(tmp_path / "metrics.jsonl", "p", "g", tmp_path),
        "tensorboard": lambda: TensorBoardSink(tmp_path / "metrics.jsonl", tmp_path),
    }
    with pytest.raises(ConfigError, match=rf"{flag}.*pip install 'versus-lab\[{package}\]'"):
        makers[package]()
