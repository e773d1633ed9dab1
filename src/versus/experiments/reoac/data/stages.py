"""The data stages: source files in ``raw/``, rows in ``processed/``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.experiment import Stage
from versus.experiments.reoac.data import rows
from versus.experiments.reoac.data.config import SPLITS, TASKS
from versus.experiments.reoac.data.sources import acquire

if TYPE_CHECKING:
    from versus.experiments.reoac.config import Comparison


def stages() -> Mapping[str, Stage]:
    """One stage for each data set; neither needs the other."""
    shared = ("data.source", "data.generated")
    return {f"data-{t}": Stage((*shared, f"data.{t}"), partial(prepare, t)) for t in TASKS}


def prepare(task: str, comparison: "Comparison", folder: Path) -> Mapping[str, Any]:
    """Write ``raw/<task>/`` and ``processed/<task>_<split>.jsonl``.

    Returns:
        Number of rows of each split, the ids of those that are in both, and the ids of those whose
        answer is known better than their solution tells.
    """
    raw = acquire(comparison.data, task, folder / "raw" / task)
    splits = {split: rows.convert(task, split, raw[split]) for split in SPLITS}
    for split, content in splits.items():
        rows.write(content, folder / "processed" / f"{task}_{split}.jsonl")
    shared = rows.overlap(*(splits[split] for split in SPLITS))
    counts = {split: len(content) for split, content in splits.items()}
    corrected = [r["id"] for c in splits.values() for r in c if r["metadata"].get("corrected")]
    both = {"rows": len(shared), "ids": shared}
    return {"rows": counts, "in_both": both, "corrected": corrected}
