"""What the arms of a comparison are called where a person reads of them."""

from dataclasses import dataclass

from versus.core.runs import RunConfig
from versus.experiments.ebt.config import Comparison

SHORT = {"energy": "EBT", "ffn": "FFN"}
"""The seed document's names of its two kinds."""


@dataclass(frozen=True)
class Arm:
    """A variant of a comparison.

    Attributes:
        variant: its name in tables.
        task: what it learns.
        label: its name among the variants of its task.
        settings: the comparison with the variant's values.
    """

    variant: str
    task: str
    label: str
    settings: Comparison


def arm_of(run: RunConfig) -> Arm:
    """The arm that a run belongs to."""
    task, kind = run.config.task, run.config.model.kind
    own = ",".join(part for part in run.key.variant.split(",") if part != task)
    label = SHORT.get(kind, kind) if own in ("", kind) else own
    return Arm(run.key.variant, task, label, run.config)


def arms_of(comparison: Comparison) -> list[Arm]:
    """All arms, in the order of the comparison."""
    return [arm_of(run) for run in comparison.expand(comparison.seed_list[:1])]
