"""What a selection is rewarded for."""

from pydantic import Field, model_validator

from versus.core.config import Section


class Weights(Section):
    """What each term counts; a term of weight 0 is not computed. The defaults are the seed's."""

    div: float = 1.0
    """Diversity: mean distance between selected frames."""
    div_local: float = 0.0
    """The same, where frames that are further apart than ``rewards.near`` count as different."""
    rep: float = 1.0
    """Representativeness: minus the mean distance of frames to the nearest selected one."""
    rep_exp: float = 0.0
    """The same as Zhou et al. have it: exp of minus the mean squared Euclidean distance."""
    rec: float = 0.5
    """Reconstruction: the seed's second name of ``rep``, the same number."""
    frechet: float = 0.2
    """Minus the Frechet distance between all frames and the selected ones."""
    color_swd: float = 0.2
    """Minus the distance between their colours; the seed's MS-SWD."""
    still: float = 0.0
    """How little moves in selected frames, by rank within the video."""
    steady: float = 0.0
    """How little moves in selected frames beyond the camera's shift and changes of the light."""
    turn: float = 0.0
    """How far what follows selected frames goes back on what came before them."""
    motion: float = 0.2
    """How much moves in selected frames, in units of the video's mean."""
    coverage: float = 0.0
    """Share of frames within ``rewards.within`` of a selected one."""
    budget: float = 0.05
    """Minus the frames beyond the budget, and half of those short of it. Never normalised."""


class RewardTerms(Section):
    """What a selection is rewarded for, but for the budget."""

    weights: Weights = Weights()
    """What each term counts."""
    normalise: bool = True
    """Terms are measured against random selections of the same video and the size of its budget,
    in their standard deviations above their mean."""
    random_selections: int = Field(32, ge=2)
    """How many of these."""
    seed: int = 0
    """Which."""
    near: int = Field(20, ge=0)
    """Term div_local: rows further apart count as different."""
    within: float = Field(0.3, ge=0)
    """Term coverage: largest distance at which a frame is covered."""


class RewardsConfig(RewardTerms):
    """What a selection is rewarded for, and its budget."""

    ratio: float = Field(0.06, gt=0, le=1)
    """Share of frames that the budget allows."""
    least: int = Field(3, ge=1)
    """Frames that the budget allows in any case, if there are as many."""
    most: int = Field(15, ge=1)
    """Frames that the budget never exceeds."""

    @model_validator(mode="after")
    def _least_first(self) -> "RewardsConfig":
        if self.least > self.most:
            raise ValueError(
                f"least must not exceed most; received least {self.least} and most {self.most}"
            )
        return self
