"""Reading series, choosing a comparison, and finding metrics by the names that users write."""

import json
import math
import os
from pathlib import Path

import pytest

from tests.unit.core.analysis_samples import WORK, write_work_folder
from versus.core.analysis import names, series, sources
from versus.core.errors import ConfigError, DataError

KNOWN = [
    "train/loss",
    "train/accuracy",
    "test/loss",
    "test/accuracy",
    "norms/total_norm",
    "norms/norm_layers.10.weight",
    "norms/norm_layers.2.weight",
    "weight_tracking/layers.2/weight_norm",
    "weight_tracking/layers.2/top_sv",
    "fourier/freq_power_3",
    "fourier/freq_power_12",
]


def silent(note: str) -> None:
    del note


def stack(tmp_path: Path, *lines: str) -> Path:
    folder = tmp_path / "stacks" / "0000"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def line(step: int, value: float | None, **more: object) -> str:
    record = {"time": 1, "step": step, "variant": "a", "seed": 0, "metrics": {"m": value}, **more}
    return json.dumps(record) + "\n"


def test_a_series_is_read_with_epochs_divergence_and_without_its_torn_end(tmp_path: Path) -> None:
    work = stack(tmp_path, line(1, 0.5), line(2, None, epoch=7), line(3, 0.25)[:-9])
    table = series.as_table(series.read_stacks(work), ["m"])
    assert list(table["step"]) == [1, 2]
    assert list(table["value"]) == [0.5, math.inf]
    assert math.isnan(table["epoch"][0])
    assert table["epoch"][1] == 7


@pytest.mark.parametrize(
    "bad", ['{"step": 2, "variant"\n', "[]\n", '{"step": 2, "metrics": {}}\n', "\x00\x00\n"]
)
def test_a_damaged_line_is_named_and_can_be_left_out(tmp_path: Path, bad: str) -> None:
    work = stack(tmp_path, line(1, 0.5), bad, line(3, 0.25))
    with pytest.raises(DataError, match=r"metrics\.jsonl line 2: .*--skip-corrupt"):
        series.read_stacks(work)
    notes: list[str] = []
    table = series.as_table(series.read_stacks(work, notes.append), ["m"])
    assert list(table["step"]) == [1, 3]
    assert "line 2" in notes[0]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("test/loss", ["test/loss"]),
        ("training_metrics/val_acc", ["test/accuracy"]),
        ("train_acc", ["train/accuracy"]),
        ("training_metrics/loss", ["train/loss"]),
        ("total_norm", ["norms/total_norm"]),
        ("norms/norm_*", ["norms/norm_layers.2.weight", "norms/norm_layers.10.weight"]),
        ("fourier/", ["fourier/freq_power_3", "fourier/freq_power_12"]),
    ],
)
def test_words_find_metrics(word: str, found: list[str]) -> None:
    assert names.resolve([word], KNOWN, silent) == found


def test_names_of_the_hook_win_over_those_of_the_trainer_in_both_directions() -> None:
    hook = "training_metrics/validation_loss"
    assert names.resolve(["training_metrics/val_loss"], [*KNOWN, hook], silent) == [hook]
    assert names.resolve(["test/loss"], [*KNOWN, hook], silent) == ["test/loss"]
    assert names.resolve(["test/loss"], [hook], silent) == [hook]
    notes: list[str] = []
    names.resolve(["val_acc"], KNOWN, notes.append)
    assert notes == ["val_acc: showing test/accuracy"]


def test_an_accuracy_in_percent_never_stands_for_a_fraction() -> None:
    percent = "training_metrics/validation_accuracy"
    assert names.resolve(["val_acc"], [*KNOWN, percent], silent) == ["test/accuracy"]
    assert names.resolve(["validation_accuracy"], [*KNOWN, percent], silent) == [percent]
    with pytest.raises(ConfigError, match=r"nearest: .*test/accuracy"):
        names.resolve([percent], KNOWN, silent)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("norms/totl_norm", "norms/total_norm"),
        ("val_ac", "test/accuracy"),
        ("trian/loss", "train/loss"),
        ("accuracy", "may be train/accuracy, test/accuracy"),
    ],
)
def test_unknown_and_ambiguous_names_are_errors_that_tell_the_nearest(word: str, near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        names.resolve([word], KNOWN, silent)


def test_metrics_with_parts_are_found_in_each_form() -> None:
    assert list(names.family("norms/norm", KNOWN)) == ["layers.2.weight", "layers.10.weight"]
    assert names.family("weight_tracking/weight_norm", KNOWN) == {
        "layers.2": "weight_tracking/layers.2/weight_norm"
    }
    assert list(names.family("fourier/freq_powers", KNOWN)) == ["3", "12"]
    with pytest.raises(ConfigError, match="nearest: norms/norm"):
        names.family("norms/nrm", KNOWN)


def test_the_newest_comparison_is_read_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    with pytest.raises(ConfigError, match="run versus train memory"):
        sources.find("memory", None)
    first = write_work_folder(tmp_path, seeds=1, epochs=2, variants=("random",))
    second = first.with_name("fab" + "0" * 29)
    first.rename(second)
    write_work_folder(tmp_path, seeds=1, epochs=2, variants=("stride",))
    os.utime(second / "status.json", (1, 1))
    assert sources.find("memory", None).work == tmp_path / WORK
    assert sources.find("memory", "fab").work == second
    assert sources.find("memory", str(second)).work == second
    assert sources.find("memory", f"runs/memory/{second.name}").work == second
    for word, problem in (("f", "several"), ("0", "none")):
        with pytest.raises(ConfigError, match=f"names {problem}"):
            sources.find("memory", word)
