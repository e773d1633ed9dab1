"""Problems without end, each a function of seed, data set, split and number."""

from collections.abc import Iterator
from typing import Any

from versus.core.errors import ConfigError
from versus.experiments.reoac.data.config import SPLITS, Generated
from versus.experiments.reoac.data.generated import more_algebra, more_stories
from versus.experiments.reoac.data.generated.draws import Draw, Problem

__all__ = ["TEMPLATES", "draw", "draw_splits"]

TEMPLATES = {"gsm8k": more_stories.TEMPLATES, "math": more_algebra.TEMPLATES}
PATIENCE = 2000
"""After so many repetitions in a row there is taken to be no other problem."""


def draw_splits(settings: Generated, task: str) -> dict[str, list[dict[str, Any]]]:
    """Split -> its rows, in the form of the data set; no question occurs twice.

    The test split is drawn first, so that it does not depend on the size of the training split.

    Raises:
        ConfigError: if there are not so many problems.
    """
    seen: set[str] = set()
    sizes = {"train": settings.train, "test": settings.test}
    drawn = {split: _distinct(settings, task, split, sizes[split], seen) for split in SPLITS[::-1]}
    return {split: drawn[split] for split in SPLITS}


def _distinct(
    settings: Generated, task: str, split: str, count: int, seen: set[str]
) -> list[dict[str, Any]]:
    """``count`` rows whose questions are not among those ``seen``, which they join."""
    rows: list[dict[str, Any]] = []
    repeated = 0
    for question, row in _rows(settings, task, split):
        if len(rows) == count:
            break
        repeated = repeated + 1 if question in seen else 0
        if repeated > PATIENCE:
            raise ConfigError(
                f"data.generated.{split}: found only {len(rows)} different problems, received "
                f"{count}; take fewer, or more data.generated.levels"
            )
        if not repeated:
            seen.add(question)
            rows.append(row)
    return rows


def _rows(settings: Generated, task: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    while True:
        template, level, problem = draw(settings, task, split, number)
        yield problem.question, _as_row(task, template, level, problem)
        number += 1


def draw(settings: Generated, task: str, split: str, number: int) -> tuple[str, int, Problem]:
    """Template, level and problem of one number."""
    source = Draw(settings.seed, "reoac", task, split, number)
    template = source.one_of(tuple(TEMPLATES[task]))
    level = source.one_of(settings.levels)
    return template, level, TEMPLATES[task][template](source, level)


def _as_row(task: str, template: str, level: int, problem: Problem) -> dict[str, Any]:
    about = {"template": template, "values": problem.values}
    if task == "gsm8k":
        return {"question": problem.question, "answer": problem.solution, "level": level, **about}
    return {
        "problem": problem.question,
        "level": f"Level {level}",
        "type": problem.subject,
        "solution": problem.solution,
        **about,
    }
