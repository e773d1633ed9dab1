"""What a training tells: its premises, and how rewards and key frames develop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.paths import read_json
from versus.core.runs import RunConfig
from versus.core.sinks import Record, told
from versus.core.stages import MANIFEST
from versus.experiments.dsn.legacy import ALIASES

if TYPE_CHECKING:
    from versus.experiments.dsn.config import Comparison

TOLD: Mapping[str, str] = {
    "train/mean_reward": "reward",
    "train/sel_ratio": "selected",
    "train/entropy": "entropy",
    "val/reward_mean": "validation: reward",
    "val/F1_mean": "F1",
    "val/RecErr_mean": "RecErr",
    "val/Diversity_mean": "diversity",
    "test/F1": "test: F1",
    "test_style/F1": "F1 in another style",
}
LIVE_METRICS = tuple(TOLD)


def notes(comparison: "Comparison", data: Path) -> list[str]:
    """How much there is to learn from, and arguments without effect."""
    facts = read_json(data / MANIFEST).get("facts", {})
    counts = facts.get("split", {}).get("sequences", {})
    scenes = ", ".join(f"{count} {split}" for split, count in counts.items())
    wanting = _wanting(facts.get("ingest", {}))
    return [f"scenes: {scenes}", *wanting, *comparison.legacy.notes(ALIASES)]


def _wanting(found: Mapping[str, Any]) -> list[str]:
    """Videos that are used in part or not at all."""
    skipped, torn = found.get("skipped", {}), found.get("missing", {})
    left_out = [f"{len(skipped)} videos could not be used: {', '.join(skipped)}"] if skipped else []
    return left_out + [f"{name}: torn, {count} frames are missing" for name, count in torn.items()]


def progress_line(stack: Sequence[RunConfig], variant: str, records: Sequence[Record]) -> str:
    """Means over the newest records of a variant's runs.

    Args:
        stack: the runs that train together.
        variant: the one that is told of.
        records: one per run; a value of None is infinite.
    """
    last = max(records, key=lambda record: int(record["step"]))
    total = stack[0].config.train.epochs
    return f"  {variant}: epoch {last['epoch']} of {total}, {told(records, TOLD)}"
