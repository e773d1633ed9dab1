"""Hooks that show a training while it goes: a bar, or a screen with the variants side by side."""

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from versus.core.hooks.base import Context, Hook
from versus.core.learner import Learner, Metrics
from versus.core.runs import RunKey
from versus.core.sinks import per_run

BLOCKS = "▁▂▃▄▅▆▇█"
REFRESH = 0.25  # seconds between two pictures
LABEL, VALUE, NARROWEST = 20, 8, 5  # columns of a metric's name, a value, the shortest curve


class ProgressBar(Hook):
    """Moves a bar with the training's steps."""

    draws = False

    def __init__(self, bar: "tqdm[None]") -> None:
        self.bar = bar

    @classmethod
    @contextmanager
    def shown(cls, label: str, total: int | None, hidden: bool) -> Iterator["ProgressBar"]:
        """A bar on standard error, if that is a terminal."""
        disable = True if hidden else None
        with tqdm(total=total, desc=label, disable=disable, leave=False, delay=0.5) as bar:
            yield cls(bar)

    def clear(self) -> None:
        """Leave the line to others until the next step."""
        self.bar.clear()

    def on_train_start(self, context: Context) -> None:
        """A resumed training starts where it stopped."""
        self.bar.update(context.step)

    def on_step_end(self, context: Context) -> None:
        """One step further."""
        self.bar.update()


class LiveView(Hook):
    """Fills the terminal: progress, and per metric the course of every variant.

    A variant's value is the mean over its seeds in the stack. All curves of a metric have one
    scale, so that variants can be compared by eye.

    Args:
        live: what draws on the terminal.
        label: what is being trained.
        learner: the stack.
        metrics: those that come first; the others follow as far as the screen reaches.
    """

    draws = False

    def __init__(self, live: Live, label: str, learner: Learner, metrics: Sequence[str]) -> None:
        self.live, self.label, self.learner = live, label, learner
        self.first = list(metrics)
        self.variants = list(dict.fromkeys(run.variant for run in learner.runs))
        self.courses: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._started = self._drawn = time.monotonic()

    @classmethod
    @contextmanager
    def shown(cls, label: str, learner: Learner, metrics: Sequence[str]) -> Iterator["LiveView"]:
        """A view on the terminal's second screen; the first one comes back unharmed."""
        with Live(console=Console(), screen=True, auto_refresh=False) as live:
            yield cls(live, label, learner, metrics)

    def on_train_start(self, context: Context) -> None:
        """Show where it starts."""
        self._draw(context)

    def on_step_end(self, context: Context) -> None:
        """Now and then, the step's own metrics."""
        if time.monotonic() - self._drawn >= REFRESH:
            self._note(context.metrics)
            self._draw(context)

    def on_evaluate_end(self, context: Context) -> None:
        """Evaluations that do not end an epoch."""
        if context.step == 0:
            self._note(context.metrics)

    def on_epoch_end(self, context: Context) -> None:
        """The evaluation's metrics, and what the hooks have measured."""
        self._note({**context.metrics, **context.recorded})
        if time.monotonic() - self._drawn >= REFRESH:
            self._draw(context)

    def _note(self, metrics: Metrics) -> None:
        for name, means in mean_by_variant(metrics, self.learner.runs).items():
            for variant, mean in means.items():
                self.courses[name][variant].append(mean)

    def _draw(self, context: Context) -> None:
        self._drawn = time.monotonic()
        width, height = self.live.console.size
        head: list[RenderableType] = [self._heading(context, width), Text("")]
        tables = self._tables(width, height - len(head) - 2)
        self.live.update(Group(*head, *tables), refresh=True)

    def _heading(self, context: Context, width: int) -> Table:
        learner = self.learner
        seconds = int(time.monotonic() - self._started)
        live = int(learner.active.sum())
        parts = [
            self.label,
            f"epoch {context.epoch + 1}/{learner.total_epochs}",
            f"step {context.step}",
            f"{live}/{len(learner.runs)} runs",
            f"{seconds // 60}:{seconds % 60:02}",
        ]
        grid = Table.grid(expand=True)
        grid.add_row(Text("  ".join(parts), style="bold", no_wrap=True, overflow="ellipsis"))
        if learner.total_steps:
            grid.add_row(Bar(total=learner.total_steps, completed=context.step, width=width))
        return grid

    def _tables(self, width: int, height: int) -> list[Table]:
        """As many variants side by side as fit, the others below."""
        beside = max(1, (width - LABEL) // (VALUE + NARROWEST + 2))
        groups = [self.variants[i : i + beside] for i in range(0, len(self.variants), beside)]
        first = [name for name in self.first if name in self.courses]
        names = [*first, *(n for n in self.courses if n not in self.first)]
        rows = max(1, height // len(groups) - 3)
        return [self._table(group, names[:rows], width) for group in groups]

    def _table(self, variants: Sequence[str], names: Sequence[str], width: int) -> Table:
        curve = (width - LABEL) // len(variants) - VALUE - 3
        table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("", width=LABEL - 1, no_wrap=True, overflow="ellipsis")
        for variant in variants:
            table.add_column(
                variant, width=VALUE + curve + 1, no_wrap=True, overflow="ellipsis", style="cyan"
            )
        for name in names:
            courses = self.courses[name]
            scale = _range(courses.values())
            cells = [_cell(courses[v], scale, curve) for v in variants]
            table.add_row(name, *cells)
        return table


def mean_by_variant(metrics: Metrics, runs: Sequence[RunKey]) -> dict[str, dict[str, float]]:
    """Metric -> variant -> mean over the seeds that have a finite value."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run, row in zip(runs, per_run(metrics, runs), strict=True):
        for name, value in row.items():
            if math.isfinite(value):
                values[name][run.variant].append(value)
    return {
        name: {variant: sum(own) / len(own) for variant, own in by_variant.items()}
        for name, by_variant in values.items()
    }


def _range(courses: Iterable[Sequence[float]]) -> tuple[float, float]:
    values = [value for course in courses for value in course]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _cell(course: Sequence[float], scale: tuple[float, float], width: int) -> str:
    if not course:
        return ""
    return f"{course[-1]:<{VALUE}.3g} {sparkline(course, scale, width)}"


def sparkline(course: Sequence[float], scale: tuple[float, float], width: int) -> str:
    """The course in ``width`` characters at most, each the mean of its part.

    Args:
        course: values in order.
        scale: values of the lowest and the highest block.
        width: characters.
    """
    low, high = scale
    parts = min(width, len(course))
    edges = [round(i * len(course) / parts) for i in range(parts + 1)]
    means = [sum(course[start:stop]) / (stop - start) for start, stop in itertools.pairwise(edges)]
    span = (high - low) or 1.0
    return "".join(BLOCKS[round((mean - low) / span * (len(BLOCKS) - 1))] for mean in means)
