"""What a training tells: its premises, and how rewards, costs and losses develop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from versus.core.paths import read_json
from versus.core.runs import RunConfig
from versus.core.sinks import Record, told
from versus.core.stages import MANIFEST, apart
from versus.experiments.reoac.backbones.config import UNUSED, BackboneConfig
from versus.experiments.reoac.legacy import ALIASES
from versus.experiments.reoac.rollouts.returns import RECOMMENDED, check_cost, largest_cost

if TYPE_CHECKING:
    from versus.experiments.reoac.config import Comparison

TOLD: Mapping[str, str] = {
    "train/reward": "reward",
    "train/cost": "cost",
    "train/critic_loss": "critic loss",
    "train/actor_loss": "actor loss",
    "train/backbone_loss": "backbone loss",
    "val/return": "validation: return",
    "val/accuracy": "accuracy",
    "val/passes": "passes",
    "test/return": "test: return",
    "test/accuracy": "accuracy",
    "test/passes": "passes",
}
LIVE_METRICS = tuple(TOLD)


def notes(comparison: "Comparison", data: Path) -> list[str]:
    """Who writes and how well, whether costs leave something to learn, and keys without effect."""
    settings = [run.config for run in comparison.expand(comparison.seed_list[:1])]
    costs = dict.fromkeys(filter(None, (_dear(each) for each in settings if each.learns)))
    few = dict.fromkeys(filter(None, (_few(each, data) for each in settings if each.learns)))
    return [
        _backbone(comparison, data),
        *few,
        *costs,
        *_unused(comparison),
        *comparison.legacy.notes(ALIASES),
    ]


def _backbone(comparison: "Comparison", data: Path) -> str:
    settings = comparison.backbone
    if settings.source != "embedded":
        named = f"{settings.model_name_or_path} {settings.revision}".strip()
        return f"backbone: {named} ({settings.source})"
    told = read_json(apart(data, "pretrain") / MANIFEST).get("facts", {}).get("pretrain", {})
    return (
        f"backbone: embedded, {told['parameters']:,} weights; writing the likeliest tokens first "
        f"it solves {told['solved']:.1%} of {told['problems']['test']} problems that it has not "
        f"seen, in {told['passes']:.2f} passes each; a policy can hardly be better than that"
    )


def _dear(settings: "Comparison") -> str:
    rollout = settings.train.rollout
    share = check_cost(rollout, settings.model.operators)
    if share <= RECOMMENDED:
        return ""
    cost, arithmetic = largest_cost(rollout, settings.model.operators)
    return (
        f"train.rollout.cost_lambda {rollout.cost_lambda:g}: costs can take {share:.0%} of the "
        f"reward ({arithmetic}), which leaves little to learn from; at most "
        f"{RECOMMENDED / cost:.3g} keeps it at {RECOMMENDED:.0%}"
    )


def _few(settings: "Comparison", data: Path) -> str:
    manifest, train = data / MANIFEST, settings.train
    if not manifest.is_file():
        return ""
    rows = read_json(manifest).get("facts", {}).get(f"data-{train.task}", {}).get("rows", {})
    left = rows.get("train", 0) - train.skip - train.validation
    if not 0 < left < train.problems:
        return ""
    return (
        f"train.problems {train.problems}: the training split has {rows['train']} problems, of "
        f"which train.skip leaves out {train.skip} and train.validation takes {train.validation}, "
        f"so that an iteration rolls out the {left} that are left"
    )


def _unused(comparison: "Comparison") -> list[str]:
    """Keys of the backbone that were given but do nothing."""
    ours, usual = comparison.backbone.model_dump(), BackboneConfig().model_dump()
    given = [f"--backbone.{name}" for name in UNUSED if ours[name] != usual[name]]
    told = "No effect: models that read the time are given the share of masked tokens."
    return [f"{', '.join(given)}: {told}"] if given else []


def progress_line(stack: Sequence[RunConfig], variant: str, records: Sequence[Record]) -> str:
    """Means over the newest records of a variant's runs.

    Args:
        stack: the runs that train together.
        variant: the one that is told of.
        records: one per run; a value of None is infinite.
    """
    last = max(records, key=lambda record: int(record["step"]))
    total = stack[0].config.train.num_iterations
    return f"  {variant}: iteration {last['step']} of {total}, {told(records, TOLD)}"
