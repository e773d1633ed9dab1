"""What updates learn from: the decisions and writings of roll-outs, as rows of tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.reoac.learning import advantages
from versus.experiments.reoac.learning.config import TrainConfig
from versus.experiments.reoac.rollouts.player import RollOut
from versus.experiments.reoac.rollouts.returns import Returns


class Decisions(NamedTuple):
    """N choices of operators.

    Attributes:
        inputs: what actor and critic saw, ``[N, D]``.
        chosen: the actor's choice, ``[N]``; a fallback that stood in is part of the world.
        log_prob: of the choice when it was made, ``[N]``.
        to_go: return from the step on, ``[N]``.
        advantage: over the other roll-outs of the problem, ``[N]``.
    """

    inputs: Tensor
    chosen: Tensor
    log_prob: Tensor
    to_go: Tensor
    advantage: Tensor


class Alternatives(NamedTuple):
    """M states that were finished after each of k operators.

    Attributes:
        inputs: ``[M, D]``.
        operators: ``[M, k]``.
        values: returns from the state on, ``[M, k]``.
    """

    inputs: Tensor
    operators: Tensor
    values: Tensor


class Writings(NamedTuple):
    """W steps that wrote tokens.

    Attributes:
        problem: whose, ``[W]``.
        tokens: generated region before the step, ``[W, G]``.
        final: how it ended, ``[W, G]``.
        written: positions that the step wrote, ``[W, G]``.
        weight: advantage, or the return, at least 0, where references are learnt, within the
            bounds of ``losses``, ``[W]``.
    """

    problem: Tensor
    tokens: Tensor
    final: Tensor
    written: Tensor
    weight: Tensor


class Experience(NamedTuple):
    """Of one or several iterations; alternatives and writings may be empty."""

    episodes: int
    decisions: Decisions
    alternatives: Alternatives
    writings: Writings


def experience(
    played: RollOut, worth: Returns, problems: Tensor, settings: TrainConfig
) -> Experience:
    """What one roll-out teaches.

    Args:
        played: ``samples`` of every problem in a row.
        worth: its returns.
        problems: numbers of the problems, ``[B]``.
        settings: of the training.
    """
    steps = played.trajectory
    weight, samples = settings.rollout.cost_lambda, settings.samples
    to_go = advantages.to_go(worth.reward, steps.cost, steps.alive, weight)
    alone = samples < 2
    over = worth.value if alone else advantages.within_problems(worth.value, samples)
    learnt = worth.value.clamp_min(0) if settings.learns_references else over
    decided = steps.alive & (steps.chosen >= 0)
    inputs = steps.inputs
    each = over.expand_as(to_go)
    decisions = Decisions(
        inputs[decided],
        steps.chosen[decided].long(),
        steps.log_prob[decided],
        to_go[decided],
        each[decided],
    )
    return Experience(
        len(worth.value),
        decisions,
        _alternatives(played, worth, inputs),
        _writings(played, problems, _bounded(learnt, settings).expand_as(to_go)),
    )


def _bounded(weights: Tensor, settings: TrainConfig) -> Tensor:
    asked = settings.losses
    return advantages.bounded(weights, asked.advantage_positive, asked.advantage_clip)


def _alternatives(played: RollOut, worth: Returns, inputs: Tensor) -> Alternatives:
    found = played.branches
    if found is None:
        none = worth.value.new_empty(0, 0)
        return Alternatives(inputs.new_empty(0, inputs.shape[-1]), none.long(), none)
    return Alternatives(inputs[found.step, found.row], found.operator, worth.branch_value)


def _writings(played: RollOut, problems: Tensor, weight: Tensor) -> Writings:
    steps = played.trajectory
    wrote = steps.alive & steps.written.any(-1)
    rows = wrote.nonzero()[:, 1]
    return Writings(
        problems.to(rows.device)[rows],
        steps.tokens[wrote],
        played.tokens[rows].to(steps.tokens.dtype),
        steps.written[wrote],
        weight[wrote],
    )


def joined(parts: Sequence[Experience]) -> Experience:
    """Several iterations as one."""
    alternatives = [p.alternatives for p in parts if len(p.alternatives.inputs)]
    return Experience(
        sum(part.episodes for part in parts),
        Decisions(*_together([part.decisions for part in parts])),
        Alternatives(*_together(alternatives)) if alternatives else parts[-1].alternatives,
        Writings(*_together([part.writings for part in parts])),
    )


def _together(parts: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
    return [torch.cat(columns) for columns in zip(*parts, strict=True)]


def kept(parts: Sequence[Experience], most: int) -> list[Experience]:
    """The newest iterations with at most ``most`` episodes, and the newest in any case."""
    chosen, count = [parts[-1]], parts[-1].episodes
    for part in reversed(parts[:-1]):
        count += part.episodes
        if count > most:
            break
        chosen.insert(0, part)
    return chosen
