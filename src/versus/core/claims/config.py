"""What a claim is: ``evaluation/claims.yaml``."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from versus.core import config as configs
from versus.core.config import Section
from versus.core.paths import project_root, shown

COST = "cost/"
"""What the name of a metric begins with that is a column of ``cost.csv``."""


class Measure(Section):
    """A quantity of a finished comparison, with one value per seed."""

    metric: str = Field(min_length=1)
    """Column of ``metrics.csv``; with ``cost/`` before it, column of ``cost.csv``."""
    variant: str = Field(min_length=1)
    """Name of the variant."""
    baseline: str = ""
    """Name of the variant that it is compared with, paired by seed; with ``baseline_metric`` it may
    be the same."""
    baseline_metric: str = ""
    """Column of the baseline where it is another one."""
    by: Literal["value", "difference", "ratio", "share"] = "value"
    """difference: variant less baseline; ratio: variant divided by baseline; share: of seeds for
    which the metric is finite, where it is a time until an event."""

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if (self.by in ("difference", "ratio")) != bool(self.baseline):
            raise ValueError(
                f"baseline: by {self.by} received {self.baseline!r}; difference and ratio need a "
                "baseline, the others have none"
            )
        return self


class Claim(Section):
    """A quantitative statement, and where its quantity should lie if it holds."""

    states: str = Field(min_length=1)
    """What the source says."""
    source: str = Field(min_length=1)
    """Document and section, or paper."""
    reading: str = ""
    """How its words became this quantity and these bounds, where that is not plain."""
    experiment: str = Field(min_length=1)
    """Whose runs test it."""
    profile: str = "default"
    """The comparison that tests it: the params of the experiment with this overlay."""
    measure: Measure
    """What is measured."""
    least: float | None = None
    """Lower bound; empty = none."""
    most: float | None = None
    """Upper bound; empty = none."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("least, most: received neither; give one at least")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least: {self.least:g} is above most, {self.most:g}; exchange them")
        return self


class Claims(Section):
    """All claims, by name."""

    claims: dict[str, Claim] = Field(min_length=1)
    """Name -> claim."""


def read(path: Path | None = None) -> dict[str, Claim]:
    """The claims of a file, by default ``evaluation/claims.yaml``.

    Raises:
        ConfigError: naming every mistake.
    """
    path = path or project_root() / "evaluation" / "claims.yaml"
    return configs.load(Claims, [(shown(path), configs.read_yaml(path))]).claims
