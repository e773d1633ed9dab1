"""Scores along a video, with what was chosen and, where it is known, what should have been."""

from collections.abc import Sequence as Several
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from versus.core import drawing
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence, Span
from versus.experiments.dsn.metrics import matching

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 90
"""Characters of a title."""
HIT, MISSED, CHOSEN = "chosen, a key pose", "chosen, no key pose", "chosen"
KEY, HOLD, CUT, SCORE = "key pose", "held", "cut", "score"
COLOURS = {HIT: "#0072B2", MISSED: "#D55E00", CHOSEN: "#0072B2", HOLD: "#009E73", SCORE: "#7F7F7F"}


class Course(NamedTuple):
    """One video, its scenes one after the other. Frames are those of the file.

    Attributes:
        video: its name.
        fps: frames per second.
        picks: frame of each row, ``[T]``.
        scores: of each row, ``[T]``.
        chosen: rows of the key frames, increasing.
        cuts: first frames of all scenes but the first.
        keys: frames of the true key poses; None = unknown.
        holds: spans during which they are held.
        hits: whether a chosen row is a key pose, one each; empty without key poses.
    """

    video: str
    fps: float
    picks: IntArray
    scores: FloatArray
    chosen: IntArray
    cuts: tuple[int, ...] = ()
    keys: IntArray | None = None
    holds: tuple[Span, ...] = ()
    hits: tuple[bool, ...] = ()


def course(
    scenes: Several[Sequence],
    scores: Several[FloatArray],
    chosen: Several[IntArray],
    tolerance: int = 2,
) -> Course:
    """The course of one video.

    Args:
        scenes: of the video, in their order.
        scores: of the rows of each, ``[T]``.
        chosen: rows of each, increasing.
        tolerance: frames by which a hit may miss a key pose.
    """
    starts = np.cumsum([0, *(len(scene.picks) for scene in scenes[:-1])])
    known = [scene.keys for scene in scenes if scene.keys is not None]
    told = len(known) == len(scenes)
    pairs = list(zip(scenes, chosen, strict=True))
    return Course(
        video=scenes[0].video,
        fps=scenes[0].fps,
        picks=np.concatenate([scene.picks for scene in scenes]),
        scores=np.concatenate(list(scores)),
        chosen=np.concatenate([start + rows for start, rows in zip(starts, chosen, strict=True)]),
        cuts=tuple(scene.span[0] for scene in scenes[1:]),
        keys=np.concatenate(known) if told else None,
        holds=tuple(span for scene in scenes for span in scene.holds),
        hits=tuple(hit for one, rows in pairs for hit in _hits(one, rows, tolerance) if told),
    )


def _hits(scene: Sequence, rows: IntArray, tolerance: int) -> list[bool]:
    if scene.keys is None:
        return []
    windows = matching.around_keys(scene.keys, tolerance)
    return [partner >= 0 for partner in matching.matched(scene.picks[rows], windows).tolist()]


@drawing.style()
def draw(courses: Several[Course], title: str) -> "Figure":
    """A panel per video, one below the other.

    Args:
        courses: one at least.
        title: of the figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 0.9 + 1.9 * len(courses)), layout="constrained")
    figure.suptitle(title, wrap=True)
    for ax, one in zip(figure.subplots(len(courses), 1, squeeze=False).flat, courses, strict=True):
        _panel(ax, one)
    drawing.legend_below(figure)
    return figure


def _panel(ax: "Axes", one: Course) -> None:
    ax.set_title(_printable(one.video))
    ax.set_xlabel(f"frame ({one.fps:.4g} per second)")
    ax.set_ylabel(SCORE)
    for start, end in one.holds:
        ax.axvspan(start - 0.5, end - 0.5, color=COLOURS[HOLD], alpha=0.18, linewidth=0, label=HOLD)
    for cut in one.cuts:
        ax.axvline(cut - 0.5, color="black", linewidth=1.0, linestyle=(0, (1, 1)), label=CUT)
    _curve(ax, one)
    if one.keys is not None:
        bottom = ax.get_xaxis_transform()
        ax.plot(one.keys, [0.03] * len(one.keys), "k^", transform=bottom, clip_on=False, label=KEY)
    _dots(ax, one)
    ax.set_xlim(one.picks[0] - 0.5, one.picks[-1] + 0.5)
    ax.grid(visible=False, axis="x")


def _printable(name: str) -> str:
    """A name that fits above a panel: no formula, no line break, not half a character."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in name)
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    return shown.replace("$", r"\$")


def _curve(ax: "Axes", one: Course) -> None:
    """A line that breaks at cuts, with room below for the marks of key poses."""
    places = np.searchsorted(one.picks, one.cuts)
    x = np.insert(one.picks.astype(float), places, np.nan)
    y = np.insert(one.scores, places, np.nan)
    ax.plot(x, y, color=COLOURS[SCORE], linewidth=1.2, label=SCORE)
    low, high = float(one.scores.min()), float(one.scores.max())
    room = (high - low) or 1.0
    ax.set_ylim(low - 0.15 * room, high + 0.1 * room)


def _dots(ax: "Axes", one: Course) -> None:
    names = [HIT if hit else MISSED for hit in one.hits] or [CHOSEN] * len(one.chosen)
    for name in dict.fromkeys(names):
        rows = one.chosen[[own == name for own in names]]
        face = "white" if name == MISSED else COLOURS[name]
        ax.plot(
            one.picks[rows],
            one.scores[rows],
            "o",
            color=COLOURS[name],
            markerfacecolor=face,
            markersize=6,
            label=name,
        )
