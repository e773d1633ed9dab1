"""Where chosen frames lie: at key poses, elsewhere in holds, between holds."""

from typing import TYPE_CHECKING

import pandas as pd

from versus.core import drawing
from versus.experiments.dsn.metrics.phases import HOLD, KEY, TWEEN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVERY = "all frames"
COLOURS = {KEY: "#0072B2", HOLD: "#56B4E9", TWEEN: "#E69F00"}
LABELS = {KEY: "at a key pose", HOLD: "elsewhere in a hold", TWEEN: "between holds"}


@drawing.style()
def draw(table: pd.DataFrame) -> "Figure":
    """A bar per variant, divided by phase.

    Args:
        table: share of chosen frames by phase (:func:`.metrics.phases.shares`), indexed by
            variant; a row :data:`EVERY` says what choosing at random would give.
    """
    named = table[[KEY, HOLD, TWEEN]].rename(columns=LABELS)
    palette = {LABELS[phase]: colour for phase, colour in COLOURS.items()}
    return drawing.shares(named, "Phases of the animation that chosen frames are from", palette)
