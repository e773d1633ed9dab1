"""Which runs train as one program."""

from collections.abc import Sequence

from versus.core.runs import RunConfig
from versus.core.stacking import chunks
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.model import Transformer

SMALL_STEP = 0.3e9
"""Floating-point operations below which a step is mostly overhead, which a stack shares."""
PER_RUN = frozenset(
    {
        "order",
        "stride",
        "n_harmonics",
        "overlap_frac",
        "n_cycles",
        "indices",
        "indices_sha256",
        "lr",
        "min_lr",
        "schedule",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "grokfast_alpha",
        "grokfast_lambda",
    }
)
"""Keys of ``train`` in which runs of one stack may differ."""


def stacks(runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Runs that may share a program, at most ``train.stack``; those with large steps train alone.

    The variants of a seed lie side by side, and a stack holds whole seeds where they fit.
    """
    return chunks(runs, _shared, _most)


def step_flops(settings: Comparison) -> int:
    """Floating-point operations of one run's step, forward and backward."""
    model = Transformer.of(settings.model, settings.data.p)
    return 3 * model.flops * settings.train.batch_size


def _shared(settings: Comparison) -> object:
    tree = settings.model_dump(mode="json")
    tree["train"] = {key: value for key, value in tree["train"].items() if key not in PER_RUN}
    return tree


def _most(settings: Comparison) -> int:
    return settings.train.stack if step_flops(settings) < SMALL_STEP else 1
