"""What clips look like and how they are timed: one style to learn from, one that is foreign."""

from typing import NamedTuple


class Style(NamedTuple):
    """How a studio draws.

    Attributes:
        corners: fewest and most corners of a body; many are round, few are angular.
        roughness: how far corners leave the ellipse, as a share of its radius.
        hues: range of the colours' hue, in turns.
        saturation: range, 0 to 1.
        value: range of brightness, 0 to 1.
        exposures: frames for which a drawing stays -> share of the shots.
        eases: names of the eases between key poses.
        tween: fewest and most frames from one key pose to the next.
        hold: fewest and most frames of an ordinary hold.
        grain: standard deviation of the film grain, of 255.
        outline: whether parts are drawn with a dark line.
    """

    corners: tuple[int, int]
    roughness: float
    hues: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    exposures: tuple[tuple[int, float], ...]
    eases: tuple[str, ...]
    tween: tuple[int, int]
    hold: tuple[int, int]
    grain: float
    outline: bool


HOME = Style(
    corners=(10, 14),
    roughness=0.12,
    hues=(0.0, 1.0),
    saturation=(0.35, 0.9),
    value=(0.45, 1.0),
    exposures=((1, 0.15), (2, 0.55), (3, 0.3)),
    eases=("smooth", "slow_in", "slow_out"),
    tween=(6, 13),
    hold=(4, 8),
    grain=2.0,
    outline=False,
)
FOREIGN = Style(
    corners=(4, 6),
    roughness=0.45,
    hues=(0.5, 0.85),
    saturation=(0.1, 0.4),
    value=(0.1, 0.7),
    exposures=((1, 0.3), (2, 0.2), (4, 0.5)),
    eases=("overshoot", "anticipate", "smooth"),
    tween=(9, 18),
    hold=(4, 10),
    grain=5.0,
    outline=True,
)
