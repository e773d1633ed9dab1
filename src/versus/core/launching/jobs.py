"""A comparison as other machines find it: a folder that says what is trained, and where.

``runs/<experiment>/jobs/<digest>/`` lies beside the work folder, because the latter is emptied
when code or data have changed. Machines share the project's folder under one path. ::

    job.json       the comparison as it was when launched; later edits of params change nothing
    settled.json   the same once its hyperparameters are tuned; stacks are made of this
    logs/          what the processes said
    *.sh           SLURM's scripts
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from versus.core import config as configs
from versus.core.experiment import Experiment, find
from versus.core.launching.config import Launcher
from versus.core.paths import read_json, shown, write_json
from versus.core.runs import BaseComparison
from versus.core.stages import Places

SETTLED = "settled.json"


@dataclass(frozen=True)
class Job:
    """What ``job.json`` says.

    Attributes:
        folder: where it lies.
        experiment: what is compared.
        comparison: as launched, to be trained by whoever reads it.
        places: absolute paths.
        tracked: whether MLflow is told.
        tags: for the runs in MLflow.
    """

    folder: Path
    experiment: Experiment
    comparison: BaseComparison
    places: Places
    tracked: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> BaseComparison:
        """The comparison with what was tuned.

        Raises:
            DataError: if it has not been prepared.
        """
        return _comparison(self.experiment, self.folder / SETTLED)

    def settle(self, comparison: BaseComparison) -> None:
        """Write what was tuned."""
        write_json(self.folder / SETTLED, _tree(comparison))


def folder_of(places: Places) -> Path:
    """The job's folder of a comparison."""
    return (places.work.parent / "jobs" / places.work.name).absolute()


def write(
    comparison: BaseComparison, places: Places, *, tracked: bool, tags: Mapping[str, str]
) -> Path:
    """Write ``job.json``; return the job's folder."""
    folder = folder_of(places)
    paths = {name: str(Path(path).absolute()) for name, path in vars(places).items()}
    described = {
        "experiment": comparison.experiment,
        "comparison": _tree(comparison),
        "places": {**paths, "profile": places.profile},
        "tracked": tracked,
        "tags": dict(tags),
    }
    write_json(folder / "job.json", described)
    return folder


def read(folder: Path) -> Job:
    """The job of a folder.

    Raises:
        DataError: if there is none.
        ConfigError: if it is of another version, whose keys are not ours.
    """
    described = read_json(folder / "job.json")
    experiment = find(described["experiment"])
    given = described["places"]
    paths = {name: Path(given[name]) for name in ("data", "work", "results", "runs")}
    places = Places(**paths, profile=given["profile"])
    comparison = _comparison(experiment, folder / "job.json", "comparison")
    tracked, tags = described["tracked"], described["tags"]
    return Job(folder, experiment, comparison, places, tracked, tags)


def _tree(comparison: BaseComparison) -> dict[str, Any]:
    """Whoever reads it trains by itself."""
    return comparison.model_dump(mode="json", exclude={"launcher"})


def _comparison(experiment: Experiment, path: Path, *keys: str) -> BaseComparison:
    tree = read_json(path)
    for key in keys:
        tree = tree[key]
    found: BaseComparison = configs.load(experiment.Comparison, [(shown(path), tree)])
    return found


def local(comparison: BaseComparison) -> BaseComparison:
    """The comparison as one that trains in this process."""
    return comparison.model_copy(update={"launcher": Launcher()})
