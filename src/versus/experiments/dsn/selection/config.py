"""How key frames follow from scores."""

import math
from typing import Literal

from pydantic import Field, model_validator

from versus.core.config import Section


class SelectionConfig(Section):
    """From scores to key frames."""

    method: Literal["top_k", "knapsack", "threshold"] = "top_k"
    """top_k: the best frames, as many as the budget says, ``gap`` apart; threshold: those that
    score ``threshold`` or more, ``gap`` apart; knapsack: every frame of the segments that are worth
    most together, in ``share`` of the video."""
    gap: float = Field(6.0, ge=0)
    """Least distance of two key frames of a scene, in ``gap_unit``; 0 = neighbours may both be
    chosen. Where a scene is too short for the budget, it is halved until the budget fits."""
    gap_unit: Literal["frames", "seconds"] = "frames"
    """Unit of ``gap``: frames of the original file, or seconds."""
    ratio: float = Field(0.06, ge=0, le=1)
    """Budget: share of the frames of a scene."""
    least: int = Field(3, ge=1)
    """Budget: key frames of a scene at least, where it has as many frames."""
    most: int = Field(15, ge=1)
    """Budget: key frames of a scene at most."""
    threshold: float = 0.5
    """Method threshold: least score; at least one frame and at most ``most`` are taken."""
    share: float = Field(0.15, gt=0, le=1)
    """Method knapsack: share of the video that the segments may fill."""
    segment: float = Field(2.0, gt=0)
    """Method knapsack: scenes are cut into equal segments of at most this many seconds."""

    @model_validator(mode="after")
    def _bounds(self) -> "SelectionConfig":
        if self.least > self.most:
            raise ValueError(
                f"least must not exceed most; received least {self.least} and most {self.most}"
            )
        return self

    def budget(self, rows: int) -> int:
        """Key frames of a scene of ``rows`` frames: ``clip(ceil(ratio rows), least, most)``.

        Never more than there are frames.
        """
        wanted = math.ceil(self.ratio * rows)
        return min(rows, max(self.least, min(self.most, wanted)))

    def frames_apart(self, fps: float) -> float:
        """The gap in frames of a file with ``fps`` frames per second."""
        return self.gap * fps if self.gap_unit == "seconds" else self.gap
