"""Policies that choose operators of a masked-diffusion language model on GSM8K and MATH.

So far its data stages: ``versus stage reoac data-gsm8k`` and ``versus stage reoac data-math``.
"""

from typing import Any

from versus.core.errors import ConfigError
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.data.stages import stages

__all__ = ["Comparison", "primary_metrics", "stages"]


def primary_metrics(comparison: Any) -> tuple[str, ...]:
    """None yet.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(
        "reoac: prepares data only so far; run versus stage reoac data-gsm8k or data-math"
    )
