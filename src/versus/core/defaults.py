"""What an experiment does where its module says nothing: see :class:`.experiment.Experiment`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.runs import RunConfig

if TYPE_CHECKING:
    import pandas as pd

    from versus.core.display import Display
    from versus.core.stages import Places

ALIASES: Mapping[str, str] = {}
HOOKS: Sequence[type[Any]] = ()
HOOK_GROUPS: Mapping[str, Sequence[str]] = {"none": ()}
LIVE_METRICS: Sequence[str] = ()


def censored_at(comparison: Any) -> Mapping[str, float]:
    """No metric is a time until an event."""
    return {}


def tune(comparison: Any, data: Path, work: Path, display: "Display") -> Any:
    """Settle nothing."""
    return comparison


def stacks(runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Every run trains alone."""
    return [[run] for run in runs]


def notes(comparison: Any) -> list[str]:
    """Nothing to know."""
    return []


def findings(comparison: Any, metrics: "pd.DataFrame") -> list[str]:
    """Nothing beyond the pairs."""
    return []


def outputs(
    comparison: Any, metrics: "pd.DataFrame", cost: "pd.DataFrame", places: "Places"
) -> None:
    """No files of its own."""


def describe_run(results: Path) -> str:
    """The metrics of the one run."""
    from versus.core.tables import read_table

    row = read_table(results / "metrics.csv").iloc[0]
    return "\n".join(f"{name} {value}" for name, value in row.items())
