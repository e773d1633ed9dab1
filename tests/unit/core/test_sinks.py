"""The metric series on disk and its projections."""

import csv
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from versus.core import defaults, sinks
from versus.core.display import Display
from versus.core.errors import DataError
from versus.core.runs import RunKey

TELL = partial(defaults.progress_line, [])
RUNS = [RunKey("a", 0), RunKey("a", 1), RunKey("b", 0)]


class Clock:
    """Stands for the ``time`` module of the sinks; moves by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("versus.core.sinks.time.monotonic", lambda: self.now)


def written(path: Path, steps: int) -> sinks.JsonLines:
    lines = sinks.JsonLines(path)
    for step in range(1, steps + 1):
        lines.write(step, 0, RUNS, {"loss": torch.tensor([step, 2.0, 3.0])})
    return lines


def test_metrics_of_a_stack_are_split_by_run() -> None:
    split = sinks.per_run(
        {
            "scalar": 0.5,
            "zero-dim": torch.tensor(2.0),
            "vector": torch.tensor([1.0, math.nan, math.inf]),
            "column": torch.tensor([[4.0], [5.0], [6.0]], requires_grad=True),
        },
        RUNS,
    )
    common = {"scalar": 0.5, "zero-dim": 2.0}
    assert split == [
        {**common, "vector": 1.0, "column": 4.0},
        {**common, "column": 5.0},  # NaN means: this run has no such metric
        {**common, "vector": math.inf, "column": 6.0},
    ]


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="metric loss: 2 entries for 3 runs"):
        sinks.per_run({"loss": torch.zeros(2)}, RUNS)


def test_lines_are_json_as_others_read_it(tmp_path: Path) -> None:
    lines = sinks.JsonLines(tmp_path / "below" / "metrics.jsonl")
    lines.write(7, 0, RUNS[1:], {"loss": torch.tensor([math.inf, 0.1], dtype=torch.float64)})
    size = lines.commit()
    text = lines.path.read_text(encoding="utf-8")
    assert size == len(text.encode())
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in text.splitlines())
    assert {k: v for k, v in first.items() if k != "time"} == {
        "step": 7,
        "epoch": 0,
        "variant": "a",
        "seed": 1,
        "metrics": {"loss": None},
    }
    assert second["metrics"] == {"loss": 0.1}  # every bit
    lines.close()


def test_a_resume_cuts_back_to_the_checkpoint_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = written(tmp_path / "whole.jsonl", 3)
    lines = written(path, 1)
    covered = lines.commit()
    lines.write(2, 0, RUNS, {"loss": torch.tensor([9.0, 9.0, 9.0])})  # no checkpoint will cover it
    lines.close()
    resumed = sinks.JsonLines(path)
    resumed.truncate(covered)
    for step in (2, 3):
        resumed.write(step, 0, RUNS, {"loss": torch.tensor([step, 2.0, 3.0])})
    for file in (resumed, whole):
        file.commit()
        file.close()
    assert sinks.series(path) == sinks.series(whole.path)
    assert len(sinks.series(path)) == 9


def test_a_file_shorter_than_its_checkpoint_is_refused(tmp_path: Path) -> None:
    lines = written(tmp_path / "metrics.jsonl", 1)
    size = lines.commit()
    with pytest.raises(DataError, match=f"holds {size} bytes where the checkpoint covers 9999"):
        lines.truncate(9999)
    lines.close()
    assert lines.path.stat().st_size == size


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    lines = written(tmp_path / "metrics.jsonl", 2)
    lines.close()
    before = sinks.series(lines.path)
    lines.path.write_bytes(lines.path.read_bytes()[:-9])
    assert sinks.series(lines.path) == before[:-1]


def test_the_csv_table_equals_the_series(tmp_path: Path) -> None:
    lines = written(tmp_path / "metrics.jsonl", 2)
    lines.write(3, 0, RUNS, {"loss": torch.tensor([math.inf, 1 / 3, 0.1], dtype=torch.float64)})
    lines.close()
    sink = sinks.CsvSink(lines.path)
    sink.covered()
    assert list(tmp_path.iterdir()) == [lines.path]
    sink.close()
    with (tmp_path / "metrics_by_step.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["variant", "seed", "metric", "step", "value"]
    read = [
        (variant, int(seed), key, int(step), float(value) if value else None)
        for variant, seed, key, step, value in rows
    ]
    assert read == sinks.series(lines.path)


def test_the_console_prints_the_newest_at_most_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    lines = written(tmp_path / "metrics.jsonl", 4)
    lines.commit()
    sink = sinks.ConsoleSink(lines.path, Display(), TELL, seconds=5)
    for step, seconds in enumerate((4.9, 0.2, 4.7, 0.4), start=5):  # prints at 5.1 and 10.2
        clock.now += seconds
        lines.write(step, step, RUNS, {"loss": torch.tensor([step, 2.0, math.inf])})
        lines.commit()
        sink.covered()
    sink.close()
    lines.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "  a: epoch 6 step 6, loss 4",  # the mean of 6 and 2
        "  b: epoch 6 step 6, diverged",
        "  a: epoch 8 step 8, loss 5",
        "  b: epoch 8 step 8, diverged",
    ]


def test_the_console_has_nothing_to_say_when_quiet_or_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    lines = written(tmp_path / "metrics.jsonl", 1)
    lines.close()
    (tmp_path / "empty.jsonl").touch()
    quiet = sinks.ConsoleSink(lines.path, Display(quiet=True), TELL)
    empty = sinks.ConsoleSink(tmp_path / "empty.jsonl", Display(), TELL)
    clock.now += 60
    sinks.all_covered([quiet, empty])
    assert capsys.readouterr() == ("", "")


def test_without_a_pause_the_console_tells_every_record_once_and_nothing_where_told_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(variant: str, records: Sequence[sinks.Record]) -> str:
        told = [(record["seed"], *record["metrics"].items()) for record in records]
        return "" if variant == "b" else f"{variant} {records[0]['step']} {told}"

    lines = written(tmp_path / "metrics.jsonl", 2)
    sink = sinks.ConsoleSink(lines.path, Display(), tell, ("b", "loss"), seconds=0)
    for step in (3, 4):
        lines.write(step, 1, RUNS, {"other": 9.0, "loss": torch.tensor([step, 2.0, 3.0]), "b": 0.5})
        lines.commit()
        sink.covered()
        sink.covered()  # with nothing new
    lines.close()
    assert capsys.readouterr().err.splitlines() == [
        "a 1 [(0, ('loss', 1.0)), (1, ('loss', 2.0))]",
        "a 2 [(0, ('loss', 2.0)), (1, ('loss', 2.0))]",
        # What LIVE_METRICS names, in its order.
        "a 3 [(0, ('b', 0.5), ('loss', 3.0)), (1, ('b', 0.5), ('loss', 2.0))]",
        "a 4 [(0, ('b', 0.5), ('loss', 4.0)), (1, ('b', 0.5), ('loss', 2.0))]",
    ]


def test_the_callback_waits_from_the_end_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    calls: list[float] = []

    def send() -> None:
        calls.append(clock.now)
        clock.now += 30  # a slow server must not take all the time

    sink = sinks.CallbackSink(send, seconds=10)
    for _ in range(25):
        clock.now += 1
        sink.covered()
    sink.close()
    assert calls == [1010, 1050]
