"""What counts as found and as covered."""

from pydantic import Field

from versus.core.config import Section


class MetricsConfig(Section):
    """How selections are measured."""

    tolerance: int = Field(2, ge=0)
    """Frames of the original file by which a key frame may miss a true key pose."""
    tau: float = Field(0.5, ge=0)
    """TemporalCoverage: largest distance (1 - cosine) at which a frame is covered."""
