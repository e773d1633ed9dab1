"""Pinned trajectories: the numbers that an experiment gave when it was last understood.

A reference in ``evaluation/references`` changes only with a reason in the commit: it is the proof
that a change of speed or structure changed no number. To renew one, run this file as a program
(``python -m tests.unit.test_references memory``) and state in the commit why numbers moved.
"""

import importlib.metadata
import json
import platform
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from versus.core import pipeline, stages
from versus.core.display import Display
from versus.core.experiment import find

FOLDER = Path(__file__).resolve().parents[2] / "evaluation" / "references"
LIBRARIES = ("numpy", "torch")
TOLERANCE = 1e-9


def recompute(params: dict[str, Any], folder: Path) -> dict[str, dict[str, float]]:
    """``variant/seed`` -> final metrics, by the way that every training goes."""
    experiment = find(params["experiment"])
    asked = experiment.Comparison.model_validate(params)
    stages.prepare(experiment, asked, folder / "data")
    display = Display(quiet=True)
    tables = [
        pipeline.train_stack(
            experiment, stack, folder / "data", folder / f"stack-{number}", display, "", []
        ).metrics
        for number, stack in enumerate(experiment.stacks(asked.expand()))
    ]
    rows = pd.concat(tables).to_dict("records")
    return {f"{row['variant']}/{row['seed']}": _metrics(row) for row in rows}


def _metrics(row: Mapping[Any, Any]) -> dict[str, float]:
    return {k: v for k, v in row.items() if k not in ("variant", "seed") and pd.notna(v)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_the_reference_is_reproduced(path: Path, tmp_path: Path) -> None:
    reference = json.loads(path.read_text(encoding="utf-8"))
    computed = recompute(reference["params"], tmp_path)
    assert computed.keys() == reference["final_metrics"].keys()
    for run, metrics in reference["final_metrics"].items():
        assert computed[run] == pytest.approx(metrics, rel=TOLERANCE, abs=0), run


def test_the_memory_reference_pins_every_rule() -> None:
    reference = json.loads((FOLDER / "memory.json").read_text(encoding="utf-8"))
    rules = {v["model"]["updater"] for v in reference["params"]["variants"].values()}
    assert rules == {"Delta", "Omega", "OmegaRidge", "RLS"}
    assert reference["params"]["train"]["dtype"] == "float64"
    assert len(reference["final_metrics"]) == 8
    values = [v for metrics in reference["final_metrics"].values() for v in metrics.values()]
    assert len(values) >= 8 * 2 * 6
    assert all(abs(value) > 1e-6 for value in values)  # a relative tolerance means something


def write(name: str) -> None:
    """Compute the reference of the params that it holds and write it again."""
    path = FOLDER / f"{name}.json"
    params = json.loads(path.read_text(encoding="utf-8"))["params"]
    with tempfile.TemporaryDirectory() as folder:
        finals = recompute(params, Path(folder))
    made_with = {library: importlib.metadata.version(library) for library in LIBRARIES}
    reference = {
        "about": "changes only with a reason in the commit; see tests/unit/test_references.py",
        "made_with": {"python": platform.python_version(), **made_with},
        "params": params,
        "final_metrics": finals,
    }
    path.write_text(json.dumps(reference, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
