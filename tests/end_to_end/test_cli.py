"""The command line as a user meets it, without tracking."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.conftest import REPOSITORY, Run, environment
from versus import cli

SINGLE = (
    "train memory --updater Omega --mem_size 20 --dim 10 --window 5 --steps 200 --lr 0.01 "
    "--reg 0.0 --seed 0 --no-tracking"
)
GRID = (
    "--mem_sizes 32 64 --dims 64 --windows 20 50 --steps_list 100 200 --lrs 0.01 0.005 "
    "--regs 0.0 0.001 --updaters Omega Delta --seeds 0 1 2 --no-tracking"
)
QUICK = ["--seeds", "2", "--steps", "40", "--no-tracking"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from versus import cli; cli.main(['--help']); "
        "print(sorted({'torch', 'mlflow', 'pandas', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "train X" in done.stdout


def test_list_names_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    assert "memory     Rules that update a memory" in capsys.readouterr().out


def test_help_of_train_explains_reg_and_the_seeds_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "memory", "--help"]) == 0
    text = capsys.readouterr().out
    assert "`reg` is decay in Delta and Omega" in text
    for flag in ("--mem_sizes", "--steps_list", "--updater", "--lrs", "--out_csv", "--seed"):
        assert flag in text


def test_a_single_run_prints_its_four_metrics(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(SINGLE.split()) == 0
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert list(lines)[:4] == ["mse_mean", "cos_mean", "update_time_s", "mem_norm_change"]
    # Window 5 of 10 dimensions, signal 10: between knowing everything and knowing nothing.
    assert 0 < float(lines["mse_mean"]) < 10


def test_the_seeds_grid_writes_the_seeds_table(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "results" / "exp_results.csv"
    assert cli.main(["train", "memory", "--out_csv", str(path), *GRID.split()]) == 0
    assert "192 runs asked, 144 distinct" in capsys.readouterr().err
    table = pd.read_csv(path)
    columns = "mem_size dim window steps lr reg seed updater mse_mean cos_mean update_time_s"
    assert list(table.columns)[:12] == [*columns.split(), "mem_norm_change"]
    assert len(table) == 192
    settings = ["mem_size", "dim", "window", "steps", "lr", "reg", "seed", "updater"]
    assert not table.duplicated(settings).any()
    # Delta has no window: its results are equal for both.
    delta = table[table["updater"] == "Delta"].sort_values(settings)
    ours = delta.groupby(["mem_size", "steps", "lr", "reg", "seed"])["mse_mean"].nunique()
    assert (ours == 1).all()
    assert cli.main(["plots", "memory", "--csv", str(path)]) == 0
    assert len(list((path.parent / "plots").glob("*.png"))) >= 4


def test_the_same_command_again_trains_nothing(project: Path) -> None:
    assert cli.main(["train", "memory", *QUICK]) == 0
    work = next((project / "runs" / "memory").glob("*/comparison.json")).parent
    before = {p: p.stat().st_mtime_ns for p in (work / "stacks").rglob("*.safetensors")}
    first = (work / "results" / "metrics.csv").read_bytes()
    assert cli.main(["train", "memory", *QUICK]) == 0
    assert {p: p.stat().st_mtime_ns for p in (work / "stacks").rglob("*.safetensors")} == before
    assert (work / "results" / "metrics.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["train", "memory", "--windoow", "3"], "did you mean"),
        (["train", "memory", "--window", "0"], "model.window"),
        (["train", "memory", "--lr", "-1"], "model.lr"),
        (["train", "memory", "--dim", "0"], "data.dim"),
        (["train", "memory", "--updater", "Omga"], "unknown rule 'Omga'"),
        (["train", "memory", "--grid.model.lr", "[]"], "grid is empty"),
        (["train", "memory", "--profile", "nope"], "there are default, full, phase, smoke"),
        (["train", "memory", "--config", "nope.yaml"], "no such file"),
        (["train", "memory", "--device", "cuda:9", "--no-tracking"], "no such CUDA device here"),
        (["train", "memori"], "choose one of dsn, ebt, memory"),
        (["train"], "name an experiment first"),
        (["fly"], "no such verb"),
        (["stage", "memory", "cook"], "no stage 'cook'"),
        (["plots", "memory", "--csv", "nope.csv"], "no such file"),
        (["evaluate", "memory", "--path", "nowhere"], "neither a model"),
    ],
)
def test_mistakes_get_one_clear_message(
    project: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (project / "mlflow.db").exists()


def test_all_diverged_is_a_failure_that_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "memory", "--updater", "Delta", "--lr", "5", "--seeds", "2", "--no-tracking"]
    assert cli.main(words) == 1
    assert "have diverged" in capsys.readouterr().err
    status = json.loads(next((project / "runs").rglob("status.json")).read_text())
    assert status["state"] == "failed"


def test_a_bug_leaves_no_run_that_seems_alive(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("versus.core.pipeline.publish", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["train", "memory", *QUICK])
    status = json.loads(next((project / "runs").rglob("status.json")).read_text())
    assert status == {"state": "failed", "message": "a bug"}


def test_torn_data_are_refused_with_a_remedy(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "memory", *QUICK]) == 0
    torn = next((project / "runs").rglob("seed-*.safetensors"))
    torn.write_bytes(torn.read_bytes()[:-5])
    assert cli.main(["train", "memory", "--lr", "0.02", *QUICK]) == 2
    message = capsys.readouterr().err
    assert "torn or changed" in message
    assert "prepare the data again" in message


def test_an_unusable_output_folder_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "file").write_text("not a folder")
    out = str(project / "file" / "below")
    assert cli.main(["train", "memory", "--out", out, *QUICK]) == 2
    assert "choose another folder with --out" in capsys.readouterr().err


def test_two_at_once_in_one_folder_are_refused_and_in_two_are_fine(project: Path) -> None:
    from versus.core import stages

    out = project / "shared"
    with stages.locked(out):
        assert cli.main(["train", "memory", "--out", str(out), *QUICK]) == 2
    codes: list[int] = []
    commands = [["train", "memory", "--lr", lr, *QUICK] for lr in ("0.01", "0.02")]
    threads = [threading.Thread(target=lambda c=c: codes.append(cli.main(c))) for c in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]


def test_evaluate_reproduces_exactly_in_a_fresh_process_elsewhere(
    project: Path, tmp_path: Path, versus: Run
) -> None:
    assert cli.main(["train", "memory", "--profile", "smoke", "--no-tracking"]) == 0
    results = next((project / "runs" / "memory").glob("*/results"))
    command = [sys.executable, "-m", "versus", "evaluate", "memory", "--path", str(results)]
    done = subprocess.run(
        command, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("metrics reproduced exactly") == 4


def test_what_the_pipeline_built_is_compared_and_drawn_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = project / "results" / "smoke" / "memory"
    overlay = "experiment: memory\nseeds: 2\ndata: {steps: 40}\n"
    (project / "params" / "smoke" / "memory.yaml").write_text(overlay)
    words = ["--profile", "smoke", "--no-tracking"]
    assert cli.main(["train", "memory", *words, "--out", str(built)]) == 0
    (built / "verdict.md").unlink()
    assert cli.main(["compare", "memory", "--profile", "smoke"]) == 0
    assert (built / "verdict.md").is_file()
    assert cli.main(["plots", "memory", "--profile", "smoke"]) == 0
    assert "results/smoke/memory/plots/" in capsys.readouterr().out
    assert cli.main(["compare", "memory", "--profile", "smoke", "--seeds", "3"]) == 2
    assert "train the comparison first" in capsys.readouterr().err


def test_a_changed_weight_is_noticed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from versus.core import models
    from versus.core.experiment import ModelPart

    assert cli.main(["train", "memory", *QUICK]) == 0
    folder = next((project / "runs" / "memory").glob("*/results/models/Omega"))
    part = models.read_model(folder)
    weights = {name: value.clone() for name, value in part.weights.items()}
    next(iter(weights.values()))[0, 0] += 1e-6
    models.write_model(ModelPart(part.name, weights, part.config), folder)
    assert cli.main(["evaluate", "memory", "--path", str(folder)]) == 1
    assert "differs from the registered one" in capsys.readouterr().err


def test_every_seed_command_of_the_docs_runs(project: Path) -> None:
    """The right-hand column of the table in docs/memory.md."""
    text = (REPOSITORY / "docs" / "memory.md").read_text(encoding="utf-8")
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("| `python3 -m") or "analysis.py" in line
    ]
    commands = [row.split("|")[2].strip().strip("`") for row in rows]
    assert len(commands) >= 6
    os.makedirs(project / "results")
    os.chdir(project)
    for command in commands:
        name, *words = command.split()
        assert name == "versus"
        extra = ["--no-tracking"] if words[0] == "train" else []
        assert cli.main([*words, *extra]) == 0, command
