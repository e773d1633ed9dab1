"""The analysis tools on a small trained comparison of orders."""

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from tests.end_to_end.conftest import REPOSITORY
from tests.unit.ordering.test_model import Reference
from versus import cli
from versus.experiments.ordering.config import ModelConfig
from versus.experiments.ordering.model import Transformer

Captured = pytest.CaptureFixture[str]
P, B, SEEDS = 11, 3, (0, 1)
SIZES = ModelConfig(embed_dim=16, heads=2, layers=1)
TRAIN = shlex.split(
    f"train ordering --p {P} --data.train_fraction 0.7 --embed-dim 16 --num-heads 2 --layers 1 "
    "--batch-size 16 --lr 0.01 --epochs 60 --seeds 2 --train.stop never --strategy random stride "
    "--hooks norms weight_tracking fourier --no-tracking --silent"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one finished comparison."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "params", root / "params")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERSUS_ROOT", str(root))
        assert cli.main(TRAIN) == 0
    return root


@pytest.fixture(autouse=True)
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of the comparison."""
    monkeypatch.setenv("VERSUS_ROOT", str(trained))
    (metrics,) = trained.glob("runs/ordering/*/results/metrics.csv")
    return metrics.parent


def analyze(tool: str, *words: str) -> int:
    return cli.main(["analyze", "ordering", tool, *words, "--dpi", "40"])


def rows(text: str) -> list[list[str]]:
    """The cells of a printed table."""
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("metric_plot --metrics val_acc norms/total_norm --layout grid --style paper",
         ["grid-by-metric_test-accuracy_norms-total_norm.png"]),
        ("convergence --metrics train_acc val_acc --threshold 0.9 --log-x",
         ["above-0.9_train-accuracy_test-accuracy.png"]),
        ("compare --metrics best/test_accuracy test/error",
         ["final_best-test_accuracy_test-error.png"]),
        ("correlation --metrics norms/total_norm test/loss",
         ["heatmap-pearson_norms-total_norm_test-loss.png"]),
        ("layer_dynamics --metric weight_tracking/weight_norm --top 5 --sort variance",
         ["layers_weight_tracking-weight_norm.png"]),
        ("area_plot --metric norms/norm --format svg", ["by-power_norms-norm.svg"]),
        ("weight_compare --style paper", ["norms.png", "similarity.png", "svd.png"]),
        ("weight_heatmap --variants stride --seeds 1",
         ["singular-stride-seed1.png", "weights-stride-seed1.png"]),
        ("activation_probe --b 3 --position 0 --skip-logits",
         ["random-b3-position-0.png", "stride-b3-position-0.png"]),
        ("export_table --metrics val_acc epochs/generalised",
         ["final_test-accuracy_epochs-generalised.md"]),
    ],
)  # fmt: skip
def test_every_tool_writes_its_files(words: str, files: list[str], tmp_path: Path) -> None:
    assert analyze(*words.split(), "--out", str(tmp_path)) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert all(path.stat().st_size > 100 for path in tmp_path.iterdir())


@pytest.mark.parametrize("metric", ["test/loss", "test/accuracy", "train/loss"])
def test_finals_are_those_of_the_table_of_metrics(
    metric: str, project: Path, capsys: Captured
) -> None:
    table = pd.read_csv(project / "metrics.csv").groupby("variant")[metric]
    expected = {v: [f"{m:.4g}", f"{s:.4g}"] for v, m, s in _stats(table)}
    assert analyze("metric_plot", "--metrics", metric) == 0
    shown = {row[1]: row[2:4] for row in rows(capsys.readouterr().out) if row[0] == metric}
    assert shown == expected
    assert analyze("export_table", "--metrics", metric, "--precision", "4") == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " ± " in line]
    means = {line[0].strip("| "): float(line[1].split(" ± ")[0]) for line in lines}
    assert means == {v: pytest.approx(m, rel=1e-3) for v, m, _ in _stats(table)}


def _stats(table: Any) -> list[tuple[str, float, float]]:
    return [(str(v), float(column.mean()), float(column.std())) for v, column in table]


def test_convergence_counts_what_the_series_says(project: Path, capsys: Captured) -> None:
    runs = pd.read_csv(project / "runs.csv").dropna(subset="train/accuracy")
    assert analyze("convergence", "--metrics", "train_acc", "--threshold", "0.9") == 0
    shown = {r[1]: r for r in rows(capsys.readouterr().out) if r[0] == "train/accuracy"}
    for variant, own in runs.groupby("variant"):
        firsts = [_first_of_three(seed_runs) for _, seed_runs in own.groupby("seed")]
        reached = [first for first in firsts if np.isfinite(first)]
        assert shown[str(variant)][5:7] == [str(len(reached)), str(len(SEEDS) - len(reached))]
        assert shown[str(variant)][3:5] == [f"{f(reached):.4g}" for f in (min, max)]


def _first_of_three(run: pd.DataFrame) -> float:
    high = (run.set_index("epoch").sort_index()["train/accuracy"] >= 0.9).astype(int)
    ahead = high[::-1].rolling(3, min_periods=1).min()[::-1]
    return float(ahead[ahead > 0].index[0]) if ahead.any() else np.inf


def test_weight_norms_are_those_of_the_models(project: Path, capsys: Captured) -> None:
    assert analyze("weight_compare", "--analyses", "norms") == 0
    table = {row[0]: row[1:] for row in rows(capsys.readouterr().out)}
    for column, variant in enumerate(("random", "stride")):
        weights = load_file(project / "models" / variant / "weights.safetensors")
        for name in ("embedding.weight", "layers.0.qkv.weight"):
            mean = np.mean([float(weights[f"{seed}/{name}"].norm()) for seed in SEEDS])
            assert float(table[name][column]) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_probed_activations_are_those_of_pytorchs_encoder(
    seed: int, project: Path, capsys: Captured
) -> None:
    words = ["--variants", "stride", "--b", str(B), "--position", "1", "--seeds", str(seed)]
    assert analyze("activation_probe", *words) == 0
    shown = {row[1]: row[2:] for row in rows(capsys.readouterr().out) if row[0] == "stride"}
    stored = load_file(project / "models" / "stride" / "weights.safetensors")
    own = {n.removeprefix(f"{seed}/"): t for n, t in stored.items() if n.startswith(f"{seed}/")}
    reference = Reference(Transformer.of(SIZES, P), own).eval()
    pairs = torch.tensor([[a, B] for a in range(P)])
    with torch.no_grad():
        logits = reference(pairs)[0].double().numpy()
    embedded = (own["embedding.weight"][pairs[:, 1]] + own["position.weight"][1]).double().numpy()
    for layer, values in (("logits", logits), ("embedding", embedded)):
        units, silent, mean, std = shown[layer][:4]
        assert (int(units), int(silent)) == (values.shape[1], int((values.std(0) < 1e-6).sum()))
        assert float(mean) == pytest.approx(values.mean(), rel=1e-3, abs=1e-6)
        assert float(std) == pytest.approx(values.std(), rel=1e-3)
    strongest, part = _frequency(logits)
    assert int(shown["logits"][4]) == strongest
    assert float(shown["logits"][5]) == pytest.approx(part, rel=1e-3)


def _frequency(values: NDArray[np.float64]) -> tuple[int, float]:
    """The frequency over a with most of the power, and its part of it: a DFT written out."""
    a = np.arange(P)
    powers = [
        float((np.abs(np.exp(-2j * np.pi * k * a / P) @ values) ** 2).sum())
        for k in range(1, P // 2 + 1)
    ]
    return int(np.argmax(powers)) + 1, max(powers) / sum(powers)
