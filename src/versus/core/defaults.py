"""What an experiment does where its module says nothing: see :class:`.experiment.Experiment`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.errors import ConfigError, DataError
from versus.core.hooks.library.groups import GENERIC_GROUPS
from versus.core.runs import RunConfig, RunKey

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from versus.core.arguments import Option
    from versus.core.display import Display
    from versus.core.distributed import Team
    from versus.core.exhibits import Exhibits
    from versus.core.experiment import ModelPart, Predictor
    from versus.core.sinks import Record
    from versus.core.stages import Places

ALIASES: Mapping[str, str] = {}
HOOKS: Sequence[type[Any]] = ()
HOOK_GROUPS: Mapping[str, Sequence[str]] = GENERIC_GROUPS
LIVE_METRICS: Sequence[str] = ()
CONSOLE_SECONDS = 5.0
PLOT_OPTIONS: "Sequence[Option]" = ()
REQUIREMENTS: Sequence[str] = ()


def censored_at(comparison: Any) -> Mapping[str, float]:
    """No metric is a time until an event."""
    return {}


def tune(comparison: Any, data: Path, work: Path, display: "Display") -> Any:
    """Settle nothing."""
    return comparison


def stacks(runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Every run trains alone."""
    return [[run] for run in runs]


def follow(comparison: Any, data: Path, team: "Team") -> None:
    """Nothing: such an experiment trains in one process (:func:`.processes.count_of`)."""


def notes(comparison: Any, data: Path) -> list[str]:
    """Nothing to know."""
    return []


def tags(comparison: Any) -> Mapping[str, str]:
    """None."""
    return {}


def report(part: "ModelPart", items: "pd.DataFrame") -> Mapping[str, Any]:
    """No files."""
    return {}


def heading(stack: Sequence[RunConfig], number: int, count: int) -> str:
    """Nothing."""
    return ""


def progress_line(stack: Sequence[RunConfig], variant: str, records: "Sequence[Record]") -> str:
    """Where the runs stand, and the mean of each metric over those that have it."""
    names = dict.fromkeys(name for record in records for name in record["metrics"])
    values = {name: [r["metrics"].get(name) for r in records] for name in names}
    known = {name: [v for v in row if v is not None] for name, row in values.items()}
    means = [f"{name} {sum(row) / len(row):.4g}" for name, row in known.items() if row]
    last = max(records, key=lambda record: record["step"])
    told = ", ".join(means) or "diverged"
    return f"  {variant}: epoch {last['epoch']} step {last['step']}, {told}"


def ending(stack: Sequence[RunConfig], metrics: "pd.DataFrame") -> str:
    """Nothing."""
    return ""


def epilogue(comparison: Any, results: Path) -> list[str]:
    """Nothing."""
    return []


def items(learner: Any) -> "pd.DataFrame":
    """None are told."""
    import pandas as pd

    return pd.DataFrame()


def findings(comparison: Any, metrics: "pd.DataFrame", items: "pd.DataFrame") -> list[str]:
    """Nothing beyond the pairs."""
    return []


def primary_metrics(comparison: Any) -> tuple[str, ...]:
    """None: the params file names them.

    Raises:
        ConfigError: always, since it is asked only where ``compare.metrics`` is empty.
    """
    raise ConfigError("compare.metrics: name at least one metric that the verdict is about")


def selection_metrics(comparison: Any) -> tuple[str, ...]:
    """None of its own: the primary metrics select."""
    return ()


def outputs(
    comparison: Any, metrics: "pd.DataFrame", cost: "pd.DataFrame", places: "Places"
) -> None:
    """Write ``runs.csv``: every evaluation of every run."""
    from versus.core import curves

    curves.write(places.work, places.results, set(metrics.columns).__contains__)


def plots(comparison: Any, results: Path) -> list[Path]:
    """Learning curves."""
    from versus.core import curves

    return plots_of_csv(results / curves.FILE, results / "plots")


def closeups(comparison: Any, places: "Places", asked: Mapping[str, Any]) -> list[Path]:
    """Nothing of single runs."""
    return []


def plots_of_csv(path: Path, out: Path) -> list[Path]:
    """Learning curves of a table with the columns of ``runs.csv``."""
    from versus.core import curves
    from versus.core.tables import read_table

    return curves.draw(read_table(path), out)


def example(part: "ModelPart") -> "dict[str, np.ndarray[Any, Any]]":
    """No example: the model is registered without a signature."""
    return {}


def predictor(part: "ModelPart") -> "Predictor":
    """No predictions.

    Raises:
        DataError: always.
    """
    experiment = part.config["experiment"]
    raise DataError(f"{part.name}: answers nothing; experiment {experiment} defines no predictor()")


def predict_files(part: "ModelPart", inputs: Sequence[Path], out: Path, display: "Display") -> None:
    """Nothing.

    Raises:
        ConfigError: always.
    """
    experiment = part.config["experiment"]
    raise ConfigError(
        f"versus predict: experiment {experiment} has nothing to predict from files; its models "
        "answer arrays, where they answer: load them with mlflow.pyfunc.load_model"
    )


def import_model(file: Path, settings: Mapping[str, Any]) -> "ModelPart":
    """Nothing.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(f"versus import: this experiment takes no checkpoints, received {file}")


def exhibits(learner: Any) -> "Mapping[RunKey, Exhibits]":
    """Nothing."""
    return {}


def describe_run(results: Path) -> str:
    """The metrics of the one run."""
    from versus.core.tables import read_table

    row = read_table(results / "metrics.csv").iloc[0]
    return "\n".join(f"{name} {value}" for name, value in row.items())
