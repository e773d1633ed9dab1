"""A key frame."""

from typing import NamedTuple


class Keyframe(NamedTuple):
    """One key frame.

    Attributes:
        frame: of the file.
        time: when it is shown, in seconds.
        score: of the scorer.
    """

    frame: int
    time: float
    score: float
