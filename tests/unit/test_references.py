"""Pinned trajectories: the numbers that an experiment gave when it was last understood.

A reference in ``evaluation/references`` changes only with a reason in the commit: it is the proof
that a change of speed or structure changed no number. To renew one, run this file as a program
(``python -m tests.unit.test_references memory``) and state in the commit why numbers moved.
"""

import importlib.metadata
import json
import math
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from versus.core import stages
from versus.core.experiment import find
from versus.core.sinks import per_run
from versus.core.stacks import trainer_of

FOLDER = Path(__file__).resolve().parents[2] / "evaluation" / "references"
LIBRARIES = ("numpy", "torch")
TOLERANCE = 1e-9


def recompute(params: dict[str, Any], folder: Path) -> dict[str, dict[str, float]]:
    """``variant/seed`` -> final metrics, by the way that every training goes."""
    experiment = find(params["experiment"])
    asked = experiment.Comparison.model_validate(params)
    stages.prepare(experiment, asked, folder / "data")
    finals: dict[str, dict[str, float]] = {}
    for number, stack in enumerate(experiment.stacks(asked.expand())):
        learner = experiment.build(stack, folder / "data")
        trainer = trainer_of(experiment, stack, learner, folder / f"stack-{number}")
        rows = per_run(trainer.run(), learner.runs)
        finals |= {f"{r.variant}/{r.seed}": m for r, m in zip(learner.runs, rows, strict=True)}
    return {run: {k: v for k, v in m.items() if math.isfinite(v)} for run, m in finals.items()}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_the_reference_is_reproduced(path: Path, tmp_path: Path) -> None:
    reference = json.loads(path.read_text(encoding="utf-8"))
    computed = recompute(reference["params"], tmp_path)
    assert computed.keys() == reference["final_metrics"].keys()
    for run, metrics in reference["final_metrics"].items():
        tolerance = reference.get("tolerance", TOLERANCE)  # single precision needs its own
        assert computed[run] == pytest.approx(metrics, rel=tolerance, abs=0), run


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
    before = json.loads(path.read_text(encoding="utf-8"))
    params = before["params"]
    with tempfile.TemporaryDirectory() as folder:
        finals = recompute(params, Path(folder))
    made_with = {library: importlib.metadata.version(library) for library in LIBRARIES}
    reference = {
        "about": "changes only with a reason in the commit; see tests/unit/test_references.py",
        **{key: before[key] for key in ("tolerance",) if key in before},
        "made_with": {"python": platform.python_version(), **made_with},
        "params": params,
        "final_metrics": finals,
    }
    path.write_text(json.dumps(reference, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
