"""What every tool is asked: options of all tools, and how a tool answers."""

import argparse
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from versus.core.analysis import looks, names, shaping
from versus.core.analysis.looks import Look
from versus.core.analysis.sources import Source
from versus.core.arguments import Option, positive
from versus.core.display import Display
from versus.core.errors import ConfigError
from versus.core.paths import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_SLUG = 80
MOST_PANELS = 36


def one_of(*choices: str, **also: str) -> Callable[[str], str]:
    """A type of options that takes one of some words; ``also`` maps further words to them."""

    def check(text: str) -> str:
        word = also.get(text, text)
        if word not in choices:
            near = names.nearest(word, choices, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise argparse.ArgumentTypeError(
                f"expected {', '.join(choices[:-1])} or {choices[-1]}, received {text!r}{hint}"
            )
        return word

    return check


def weight(text: str) -> float:
    """A number in [0, 1)."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number in [0, 1), received {text!r}")
    return value


COMMON = (
    Option("run", "a work folder, or the first digits of its name (default: the newest)"),
    Option("mlflow", "read MLflow instead: the id of a parent run, or nothing for the newest"),
    Option("variants", "only these, in this order (also --strategies)", many=True),
    Option(
        "seeds", "mean (with a band), all (a line each), or some seeds (a line each)", many=True
    ),
    Option("range", "two numbers: the part of the axis to look at", float, many=True),
    Option(
        "over", "epoch or step (default: epoch, where there are several)", one_of("epoch", "step")
    ),
    Option("smooth", "weight on the past of a moving average, in [0, 1)", weight, default=0.0),
    Option("style", "dark (default) or paper", one_of(*looks.LOOKS), default="dark"),
    Option("format", "png (default) or svg", one_of("png", "svg"), default="png"),
    Option("dpi", "dots per inch (default: 300)", positive, default=300),
    Option("title", "title of the picture (default: name of the comparison)"),
    Option(
        "experiment-title", "whether there is a title (default: true)", switch=True, default=True
    ),
    Option(
        "out", "folder of the pictures (default: RESULTS/analysis/TOOL; also --output-dir)", Path
    ),
    Option("skip-corrupt", "leave damaged lines of a series out, with a warning", switch=True),
)
SYNONYMS = {
    "--strategies": "--variants",
    "--output-dir": "--out",
    "--log-y": "--log-scale",
}
METRICS = Option("metrics", "names, other names (val_acc) or patterns (norms/*)", many=True)
ONE_METRIC = Option("metric", "a metric with parts, such as norms/norm or fourier/freq_power")
STATS = ("final", "min", "max", "mean")
STAT = Option("stat", "final (default), min, max or mean", one_of(*STATS), default="final")


@dataclass(frozen=True)
class Request:
    """One call of a tool.

    Attributes:
        tool: its name.
        experiment: name of the experiment.
        source: the comparison.
        options: :data:`COMMON` and the tool's own, as attributes.
        display: where the summary goes.
    """

    tool: str
    experiment: str
    source: Source
    options: argparse.Namespace
    display: Display

    @property
    def look(self) -> Look:
        """Colours and settings."""
        return looks.LOOKS[self.options.style]

    @property
    def each_seed(self) -> bool:
        """Whether every seed is shown on its own."""
        return bool(self.options.seeds) and self.options.seeds != ["mean"]

    def metrics(self, *, finals: bool = False) -> list[str]:
        """The metrics that ``--metrics`` names; without it the quantities that every training has.

        Args:
            finals: whether metrics that are measured once, at the end, are of use.

        Raises:
            ConfigError: naming the nearest, if one is not there.
        """
        known = self._known(finals)
        if self.options.metrics:
            self._refuse_finals(known)
            return names.resolve(self.options.metrics, known, self.display.note)
        known.sort(key=lambda name: not name.startswith(("train/", "val/", "test/")))
        shown_ones = [n for n in known if re.search(r"(loss|accuracy)$", n)][:6] or known[:6]
        left = len(known) - len(shown_ones)
        if left:
            self.display.note(f"no --metrics: showing {', '.join(shown_ones)}; {left} more exist")
        return shown_ones

    def _refuse_finals(self, known: Sequence[str]) -> None:
        once = set(self.options.metrics) & set(self.source.finals["metric"]) - set(known)
        if once:
            raise ConfigError(
                f"--metrics: {', '.join(sorted(once))} is measured once, at the end of training; "
                "compare and export_table show it"
            )

    def _known(self, finals: bool) -> list[str]:
        known = self.source.names
        if finals:
            known = list(dict.fromkeys([*known, *self.source.finals["metric"]]))
        if not known:
            raise ConfigError(
                f"versus analyze: {self.source.title} holds no metric series (it has not begun, or "
                "DVC has restored its results); train it here, or read MLflow with --mlflow"
            )
        return known

    def parts(self) -> dict[str, str]:
        """Part -> metric, of the metric with parts that ``--metric`` names.

        Raises:
            ConfigError: if none is named or there is none, naming those that are there.
        """
        known = self._known(False)
        return names.family(self.options.metric or "", known)

    def table(self, metrics: Sequence[str], *, smooth: bool = True) -> pd.DataFrame:
        """Series of the chosen variants and seeds over the chosen axis, smoothed where asked.

        Metrics without a series come from the final ones, with one point and no ``x``.

        Raises:
            ConfigError: if a variant or seed is not there, or the range is empty.
        """
        table = self._selected(self.source.table(metrics))
        if not table.empty:
            table = shaping.over(table, self.options.over, self._range())
            table = shaping.smoothed(table, self.options.smooth) if smooth else table
        missing = [name for name in metrics if name not in set(table["metric"])]
        finals = self.source.finals
        finals = self._selected(finals[finals["metric"].isin(missing)])
        both = [part for part in (table, finals.assign(x=float("nan"))) if not part.empty]
        joined = pd.concat(both, ignore_index=True) if both else table
        rank = {name: place for place, name in enumerate(metrics)}
        return joined.sort_values("metric", key=lambda n: n.map(rank), kind="stable")

    def axis(self, table: pd.DataFrame) -> str:
        """What ``x`` of a table is: ``epoch`` or ``step``."""
        return str(self.options.over or shaping.axis_of(table))

    def variants(self, table: pd.DataFrame) -> list[str]:
        """Variants of a table in the order of the request."""
        there = dict.fromkeys(table["variant"])
        order = self.options.variants or dict.fromkeys((*self.source.variants, *there))
        return [name for name in order if name in there]

    def colours(self, variants: Sequence[str]) -> dict[str, str]:
        """A colour per variant, the same whichever of them are shown."""
        return self.look.colours([*self.source.variants, *variants])

    def _range(self) -> Sequence[float] | None:
        limits: Sequence[float] | None = self.options.range
        if limits is not None and (len(limits) != 2 or limits[0] > limits[1]):
            raise ConfigError(f"--range: expected two numbers, low and high; received {limits}")
        return limits

    def _selected(self, table: pd.DataFrame) -> pd.DataFrame:
        if table.empty:
            return table
        variants = list(dict.fromkeys(table["variant"]))
        kept = names.chosen("--variants", self.options.variants, variants, "variant")
        table = table[table["variant"].isin(kept)]
        if not self.each_seed or self.options.seeds == ["all"]:
            return table
        there = [str(seed) for seed in sorted(set(table["seed"]))]
        seeds = names.chosen("--seeds", self.options.seeds, there, "seed")
        return table[table["seed"].isin([int(seed) for seed in seeds])]

    # --- answers

    def heading(self, *notes: str) -> str:
        """Title of a picture and, below it, what a reader must know; empty parts are left out."""
        title = self.options.title or f"{self.source.title}: {self.tool.replace('_', ' ')}"
        lines = [title if self.options.experiment_title else "", ", ".join(n for n in notes if n)]
        return "\n".join(line for line in lines if line)

    def path(self, view: str, metrics: Sequence[str], ending: str = "") -> Path:
        """Where a picture goes: ``<folder>/<view>_<metric slugs>.<ending>``."""
        folder = self.options.out or self.source.results / "analysis" / self.tool
        stem = "_".join(part for part in (slug(view), _slugs(metrics)) if part)
        return Path(folder) / f"{stem}.{ending or self.options.format}"

    def save(self, figure: "Figure", view: str, metrics: Sequence[str] = ()) -> Path:
        """Write a picture and print its path."""
        path = looks.save(figure, self.path(view, metrics), self.look, self.options.dpi)
        self.display.line(f"picture: {shown(path)}")
        return path

    def print_table(self, table: pd.DataFrame, **formats: Any) -> None:
        """Print a table with four significant digits; nan is a dash."""
        text = table.copy()
        for column in text.columns:
            if column in formats:
                text[column] = text[column].map(formats[column])
            elif text[column].dtype.kind == "f":
                text[column] = text[column].map(number)
        self.display.line(text.to_string(index=False))


def number(value: float) -> str:
    """Four significant digits; a dash for what is not there."""
    return "-" if pd.isna(value) else f"{value:.4g}"


def slug(text: str) -> str:
    """``text`` as part of a file name."""
    return re.sub(r"[^\w.=+-]+", "-", text).strip("-")


def _slugs(metrics: Sequence[str]) -> str:
    joined = "_".join(slug(name.replace("/", "-")) for name in metrics)
    if len(joined) <= LONGEST_SLUG:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:8]
    return f"{slug(metrics[0])[:50]}_and-{len(metrics) - 1}-more-{digest}"


def limited(count: int, what: str, remedy: str) -> None:
    """Refuse a picture that nobody could read.

    Raises:
        ConfigError: if there are too many panels.
    """
    if count > MOST_PANELS:
        raise ConfigError(f"{count} {what} make more than {MOST_PANELS} panels; {remedy}")
