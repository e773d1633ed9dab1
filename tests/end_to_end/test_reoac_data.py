"""The data stages of reoac by the command line, and what the demo shows."""

import gzip
import itertools
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.conftest import commands_of
from tests.unit.reoac.test_data import PUBLIC
from versus import cli
from versus.core.paths import read_json

STAGE = ["stage", "reoac", "data-gsm8k", "--profile", "smoke"]


@pytest.mark.parametrize("task", ["gsm8k", "math"])
def test_a_stage_writes_rows_beside_their_sources(
    task: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage", "reoac", f"data-{task}", "--data.source", "generated", "--profile", "smoke"]
    assert cli.main(words) == 0
    told = capsys.readouterr().err
    data = project / "results" / "smoke" / "reoac" / "data"
    assert "in results/smoke/reoac/data" in told
    assert "rows.train 400" in told
    assert "in_both.rows 0" in told
    files = read_json(data / f"data-{task}.manifest.json")["files"]
    assert list(files) == [
        f"processed/{task}_test.jsonl",
        f"processed/{task}_train.jsonl",
        f"raw/{task}/test.jsonl",
        f"raw/{task}/train.jsonl",
    ]
    rows = (data / "processed" / f"{task}_test.jsonl").read_text().splitlines()
    assert len(rows) == 100
    assert all(json.loads(row)["target_answer"] for row in rows)
    # The same command again finds everything there.
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    assert cli.main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_other_settings_are_refused_until_the_manifest_is_removed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(STAGE) == 0
    assert cli.main([*STAGE, "--data.generated.seed", "7"]) == 2
    told = capsys.readouterr().err
    manifest = "results/smoke/reoac/data/data-gsm8k.manifest.json"
    assert f"made from other params (data.generated); remove {manifest} and prepare" in told
    (project / manifest).unlink()
    assert cli.main([*STAGE, "--data.generated.seed", "7"]) == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([*STAGE, "--data.source", "file"], "data.source"),
        ([*STAGE, "--data.source", "files"], "give --data.gsm8k.train FILE"),
        ([*STAGE, "--data.source", "files", "--data.gsm8k.train", "no.jsonl"], "no such file"),
        ([*STAGE, "--data.gsm8k.hub.revision", "main"], "data.gsm8k.hub.revision"),
        (
            ["stage", "reoac", "cook"],
            "no stage 'cook'; choose data-gsm8k, data-math, pretrain, data",
        ),
        ([*STAGE, "--dataset.train_path", "no.jsonl"], "data.gsm8k.train: no such file"),
    ],
)
def test_mistakes_get_one_clear_message(
    project: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert "Traceback" not in told
    assert not (project / "results" / "smoke" / "reoac" / "data").exists()


def test_the_demo_shows_the_experiments_of_the_pipeline(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr(
        "versus.verbs.comparisons.run_comparison",
        lambda experiment, comparison, *_, **__: shown.append(comparison.experiment),
    )
    monkeypatch.setattr("versus.core.evaluation.evaluate_results", lambda *_: None)
    monkeypatch.setattr("versus.verbs.project._titles", lambda *_: None)
    monkeypatch.setattr("versus.core.report.page.write", lambda *_: [])
    assert cli.main(["demo", "--quiet"]) == 0
    assert shown == ["memory", "ordering", "ebt", "reoac", "dsn"]


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public data are not on this machine")
def test_the_full_profile_goes_all_the_way_with_little_of_everything(project: Path) -> None:
    """From rows of GSM8K over backbone and policies to accuracy and front; no model is fetched."""
    for split, count in (("train", 60), ("test", 12)):
        with gzip.open(PUBLIC / "gsm8k" / f"{split}.jsonl.gz", "rt") as file:
            lines = list(itertools.islice(file, count))
        (project / f"{split}.jsonl").write_text("".join(lines))
    words = shlex.split(
        "train reoac --profile full --device cpu --seeds 2 --no-tracking --quiet --out out "
        "--data.source files --data.gsm8k.train train.jsonl --data.gsm8k.test test.jsonl "
        "--data.generated.train 60 --data.generated.test 10 --pretraining.rows 40 "
        "--pretraining.problems 60 --pretraining.held_out 8 --pretraining.probe 4 "
        "--pretraining.steps 8 --pretraining.block 4 --pretraining.batch_size 8 "
        "--pretraining.warmup 2 --train.skip 40 --train.validation 10 --train.problems 4 "
        "--num_iterations 2 --train.evaluate_every 1"
    )
    small = "{width: 16, layers: 1, heads: 2, inner: 16, max_length: 320}"
    assert cli.main([*words, "--backbone.embedded", small]) == 0
    metrics = pd.read_csv("out/metrics.csv")
    assert len(metrics) == 12
    assert metrics["test/accuracy"].between(0, 1).all()
    assert (metrics["test/passes"] <= 24).all()
    assert Path("out/plots/pareto.png").stat().st_size > 10_000
    (manifest,) = project.glob("runs/reoac/data/*-pretrain/manifest.json")
    assert 30 < read_json(manifest)["facts"]["pretrain"]["rows"] <= 40  # some show no sums


def test_the_commands_of_the_page_are_read(project: Path) -> None:
    """Those that need no network are run; of the others, the options are known."""
    for words in commands_of("data_math.md"):
        if "generated" in words:
            assert cli.main([*words, "--profile", "smoke"]) == 0
