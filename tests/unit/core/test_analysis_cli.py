"""Every analysis tool through the command line, on a work folder with known series and weights."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.core.analysis_samples import LAYERS, VARIANTS, WORK, write_work_folder
from versus import cli
from versus.core import experiment as experiments
from versus.core import tracking
from versus.core.analysis import activations, sources, tools, tracked_series
from versus.core.analysis.request import COMMON
from versus.core.errors import ConfigError

Captured = pytest.CaptureFixture[str]
QUICK = ["--dpi", "40", "--quiet"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    write_work_folder(root, epochs=70, seeds=2)
    return root


@pytest.fixture(autouse=True)
def project(sample: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERSUS_ROOT", str(sample))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return sample


def analyze(*words: str) -> int:
    return cli.main(["analyze", "memory", *words, *QUICK])


@pytest.mark.parametrize(
    ("words", "told", "pictures"),
    [
        ("metric_plot --metrics training_metrics/loss training_metrics/val_acc --smooth 0.9",
         "test/accuracy", ["overlay_training_metrics-loss_test-accuracy.png"]),
        ("metric_plot --metrics norms/norm_* --layout grid --group-by strategy --format svg",
         "norms/norm_decoder.weight", None),
        ("convergence --metrics val_acc --threshold 0.9", "not reached",
         ["above-0.9_test-accuracy.png"]),
        ("compare --metrics grok/epoch --style paper", "[-33, -33]", ["final_grok-epoch.png"]),
        ("correlation --metrics train/loss test/loss norms/total_norm --stat spearman",
         "records", ["heatmap-spearman_train-loss_test-loss_norms-total_norm.png"]),
        ("correlation --x train/loss --y val_acc test/loss --trend-line --sample 20",
         "all together", ["scatter-pearson_train-loss_test-accuracy_test-loss.png"]),
        ("layer_dynamics --metric norms/norm --log-norm --sort variance --top 3",
         "variance of", ["layers_norms-norm.png"]),
        ("layer_dynamics --metric weight_tracking/weight_norm --aggregate-layers", "layer 10",
         ["blocks_weight_tracking-weight_norm.png"]),
        ("area_plot --metric fourier/freq_powers --top-n 4 --sort-by acquired --normalize",
         "strongest", ["by-acquired-normalized_fourier-freq_powers.png"]),
        ("weight_compare --top-layers 3", "effective rank",
         ["norms.png", "similarity.png", "svd.png"]),
        ("weight_heatmap --variants stride --style paper", "97×12",
         ["singular-stride-seed0.png", "weights-stride-seed0.png"]),
    ],
)  # fmt: skip
def test_a_tool_prints_its_summary_and_writes_its_pictures(
    words: str, told: str, pictures: list[str] | None, tmp_path: Path, capsys: Captured
) -> None:
    assert analyze(*words.split(), "--output-dir", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert told in out
    written = sorted(path.name for path in tmp_path.iterdir())
    assert pictures is None or written == pictures
    assert all(str(tmp_path / name) in out for name in written)
    assert written


@pytest.mark.parametrize(("form", "ending"), [("markdown", "md"), ("latex", "tex")])
def test_a_table_is_printed_and_written_beside_the_results(
    form: str, ending: str, project: Path, capsys: Captured
) -> None:
    words = ["export_table", "--metrics", "val_acc", "grok/epoch", "--table-format", form]
    assert analyze(*words, "--bold-best", "--best", "min") == 0
    folder = project / WORK / "results" / "analysis" / "export_table"
    text = (folder / f"final_test-accuracy_grok-epoch.{ending}").read_text(encoding="utf-8")
    out = capsys.readouterr().out
    assert text in out
    assert "table: runs/memory/" in out
    assert ("**24.00 ± 2.8**" if form == "markdown" else r"\mathbf{24.00} \pm 2.8") in text


def test_activations_come_from_the_experiment_and_are_refused_where_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert analyze("activation_probe") == 2
    assert "has no `activations`" in capsys.readouterr().err
    asked: list[Any] = []

    def sweep(part: Any, data: Path, b: int, position: str) -> dict[str, Any]:
        asked.append((part.name, data.name, b, position, {n.split("/")[0] for n in part.weights}))
        wave = np.cos(2 * np.pi * 7 * (np.arange(97)[:, None] + b) / 97 + np.arange(5))
        return {"embedding": wave, "logits": np.zeros((97, 97))}

    monkeypatch.setattr(experiments, "find", lambda name: SimpleNamespace(activations=sweep))
    probe = ["activation_probe", "--b", "3", "--position", "0", "--variants", "stride"]
    assert analyze(*probe, "--subsample", "4", "--seeds", "1", "--out", str(tmp_path)) == 0
    assert asked == [("memory-stride", "sample", 3, "0", {"1"})]
    out = capsys.readouterr().out
    assert "logits" in out
    assert (tmp_path / "stride-b3-position-0.png").is_file()
    row = activations.described(
        sweep(SimpleNamespace(name="", weights={}), Path(), 1, "0")["embedding"]
    )
    assert (row["units"], row["silent"], row["frequency"]) == (5, 0, 7)
    assert row["share"] == pytest.approx(1)
    assert analyze(*probe, "--skip-logits", "--out", str(tmp_path)) == 0
    assert "logits" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["metricplot"], "no tool 'metricplot'; the nearest: metric_plot"),
        (["metric_plot", "--metrics", "norms/totl_norm"], "norms/total_norm"),
        (["metric_plot", "--metrics", "grok/epoch"], "measured once, at the end"),
        (["metric_plot", "--variants", "strid"], "no variant 'strid'; the nearest: stride"),
        (["metric_plot", "--style", "drak"], "did you mean dark?"),
        (["metric_plot", "--smooth", "1"], "expected a number in [0, 1), received '1'"),
        (["metric_plot", "--smoth", "0.5"], "unknown option '--smoth'"),
        (["metric_plot", "--range", "5"], "expected two numbers"),
        (["metric_plot", "--run", "0000"], "names none of memory's comparisons"),
        (["metric_plot", "--mlflow"], "does not exist"),
        (["metric_plot", "--mlflow", "--run", "feed"], "give one of them"),
        (["convergence"], "--threshold is required"),
        (["correlation", "--x", "train/loss"], "belong together"),
        (["area_plot", "--metric", "fourier/frq_power"], "nearest: fourier/freq_power"),
        (["layer_dynamics"], "there are fourier/freq_power, norms/norm"),
        (["weight_compare", "--seeds", "9"], "no seed '9'; there are 0, 1"),
    ],
)
def test_mistakes_are_told_with_their_remedy(words: list[str], told: str, capsys: Captured) -> None:
    assert analyze(*words) == 2
    assert told in capsys.readouterr().err


def test_a_damaged_line_stops_a_tool_unless_it_is_to_be_left_out(
    tmp_path: Path, capsys: Captured
) -> None:
    work = write_work_folder(tmp_path, seeds=1, epochs=4, variants=("random",))
    path = work / "stacks" / "0000" / "metrics.jsonl"
    first, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([first, "{torn}\n", *rest]), encoding="utf-8")
    words = [
        "metric_plot",
        "--metrics",
        "train/loss",
        "--run",
        str(work),
        "--out",
        str(tmp_path / "o"),
    ]
    assert analyze(*words) == 2
    assert "metrics.jsonl line 2: not a metric record" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert analyze(*words, "--skip-corrupt") == 0
    assert "warning: " in capsys.readouterr().err


def test_torn_weights_and_missing_models_are_told(tmp_path: Path, capsys: Captured) -> None:
    work = write_work_folder(tmp_path, seeds=1, epochs=2, variants=("random",))
    weights = work / "results" / "models" / "random" / "weights.safetensors"
    os.truncate(weights, 900)
    assert analyze("weight_compare", "--run", str(work)) == 2
    assert "weights.safetensors: not readable" in capsys.readouterr().err
    weights.unlink()
    assert analyze("weight_heatmap", "--run", str(work)) == 2
    assert "holds no models; finish the training" in capsys.readouterr().err


def test_a_running_comparison_is_shown_as_far_as_it_came(tmp_path: Path, capsys: Captured) -> None:
    work = write_work_folder(tmp_path, seeds=1, epochs=2, variants=("random",))
    (work / "status.json").write_text('{"state": "running"}', encoding="utf-8")
    words = ["analyze", "memory", "export_table", "--run", str(work), "--metrics", "loss"]
    assert cli.main(words) == 0
    assert "is running: its series go as far as it came" in capsys.readouterr().err


def test_tools_and_metrics_are_listed(capsys: Captured) -> None:
    assert cli.main(["analyze", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in tools.TOOLS)
    assert cli.main(["analyze", "memory", "--list"]) == 0
    assert "  norms/total_norm\n" in capsys.readouterr().out
    for name, tool in tools.TOOLS.items():
        assert cli.main(["analyze", "memory", name, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(f"--{option.flag}" in text for option in (*tool.load().OPTIONS, *COMMON))
    for words, told in (
        ([], "name an experiment first"),
        (["memory"], "name a tool"),
        (["memry", "compare"], "the nearest: memory"),
    ):
        assert cli.main(["analyze", *words]) == 2
        assert told in capsys.readouterr().err


def test_a_tool_starts_without_torch_mlflow_and_transformers(sample: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from versus import cli; cli.main(sys.argv[1:]); "
        "print(sorted({'torch', 'mlflow', 'transformers', 'optuna'} & set(sys.modules)))"
    )
    words = ["analyze", "memory", "weight_compare", "--out", str(tmp_path), *QUICK]
    source = str(Path(cli.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "VERSUS_ROOT": str(sample)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_mlflow_holds_the_same_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    work = write_work_folder(tmp_path, seeds=2, epochs=3, variants=VARIANTS[:2])
    links = tracking.project(work, root=tmp_path, terminal=True)
    keys = ["variant", "seed", "step"]
    wanted = sources.find("memory", None).table(["train/loss"]).set_index(keys)["value"]
    for run_id in (tracked_series.NEWEST, links.parent):
        source = tracked_series.find("memory", run_id)
        found = source.table(["train/loss"]).set_index(keys)["value"]
        assert found.sort_index().equals(wanted.sort_index())
        assert f"norms/norm_{LAYERS[0]}" in source.names
        assert source.baseline == "random"
    with pytest.raises(ConfigError, match="no run 'nowhere' of memory"):
        tracked_series.find("memory", "nowhere")
    child = next(iter(links.children.values()))
    with pytest.raises(ConfigError, match="has no children"):
        tracked_series.find("memory", child)
