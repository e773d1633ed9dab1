"""The verb that cluster jobs use: their share of a comparison."""

from pathlib import Path
from typing import TYPE_CHECKING

from versus.core.arguments import no_more, parse
from versus.core.display import Display
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    from versus.core.experiment import Experiment
    from versus.core.launching.jobs import Job
    from versus.core.runs import BaseComparison
    from versus.core.stages import Places


def job(words: list[str]) -> None:
    """One part of a launched comparison."""
    about = (
        "versus job FOLDER PART: what machines of a cluster are told to do. PART is prepare, the "
        "number of a stack from 0, or collect; FOLDER is one of runs/X/jobs. Given by hand it does "
        "the same here."
    )
    given = [word for word in words if not word.startswith("-")][:2]
    options, rest = parse("job", about, [word for word in words if word not in given])
    no_more("job", rest)
    if len(given) != 2:
        raise ConfigError(f"versus job: expected FOLDER PART, received {given}")

    from versus.core.launching import jobs, parts

    folder, part = Path(given[0]), given[1]
    display, found = Display(options.quiet), jobs.read(folder)
    if part == "prepare":
        parts.prepare(found, display)
    elif part == "collect":
        _collect(found, display)
    elif part.isdecimal():
        parts.train_stack(found, int(part), display)
    else:
        raise ConfigError(
            f"versus job: PART is prepare, collect or the number of a stack, received {part!r}"
        )


def _collect(found: "Job", display: Display) -> None:
    """Train what is left, and write tables and verdict."""
    from versus.verbs.comparisons import run_comparison

    run_comparison(
        found.experiment,
        found.comparison,
        found.places,
        display,
        tracked=found.tracked,
        tags=found.tags,
    )


def submit(
    experiment: "Experiment",
    comparison: "BaseComparison",
    places: "Places",
    display: Display,
    tracked: bool,
    tags: dict[str, str],
) -> None:
    """Hand a comparison to SLURM; tables and verdict come from its last job."""
    from versus.core.launching import jobs, slurm
    from versus.core.paths import shown

    folder = jobs.write(comparison, places, tracked=tracked, tags=tags)
    count = len(experiment.stacks(comparison.expand()))
    display.line(slurm.submit_comparison(comparison, folder, count))
    display.note(f"scripts and logs: {shown(folder)}; results come to {shown(places.results)}")
