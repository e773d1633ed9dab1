"""Which runs train as one program."""

from collections.abc import Iterator, Sequence

from versus.core.config import digest
from versus.core.runs import RunConfig
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
    """Runs that may share a program, in chunks of at most ``train.stack``.

    The variants of a seed lie side by side, and a chunk holds whole seeds where they fit. Runs with
    large steps train alone.
    """
    groups: dict[str, list[RunConfig]] = {}
    for run in runs:
        groups.setdefault(_shared(run.config), []).append(run)
    return [stack for group in groups.values() for stack in _chunks(group)]


def step_flops(settings: Comparison) -> int:
    """Floating-point operations of one run's step, forward and backward."""
    model = Transformer.of(settings.model, settings.data.p)
    return 3 * model.flops * settings.train.batch_size


def _shared(settings: Comparison) -> str:
    tree = settings.model_dump(mode="json")
    tree["train"] = {key: value for key, value in tree["train"].items() if key not in PER_RUN}
    return digest(tree)


def _chunks(group: Sequence[RunConfig]) -> Iterator[list[RunConfig]]:
    seeds = list(dict.fromkeys(run.key.seed for run in group))
    ordered = sorted(group, key=lambda run: seeds.index(run.key.seed))
    settings: Comparison = group[0].config
    size = settings.train.stack if step_flops(settings) < SMALL_STEP else 1
    variants = len(group) // len(seeds)
    size -= size % variants if variants <= size else 0
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
