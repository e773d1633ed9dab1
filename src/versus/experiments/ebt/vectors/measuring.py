"""Errors of one trained model on its test data, row by row.

Always one model at a time, so that a later evaluation finds the same numbers to the bit.

Shapes: N rows, d coordinates of the answer, K steps of a descent.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from versus.core.examples import Examples
from versus.core.seed_models import mean_of_items
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.draws import shift_name
from versus.experiments.ebt.vectors import descent
from versus.experiments.ebt.vectors.methods import START, EnergyMethod, Method
from versus.experiments.ebt.vectors.mlp import Parameters

INSIDE = {"uniform": (-1.0, 1.0), "gaussian_legacy": (-5.0, 3.0)}
"""Where training inputs lie; of the normal distribution 95 %."""
STEPS = (1, 2, 3, 5, 8, 10, 12, 20, 40, 80, 160)
"""Steps of the descent after which the error is measured, besides the number trained with."""
ROWS = 512
"""Rows that descents are watched on."""
SCORE = "mse"


class Trace(NamedTuple):
    """A descent, its start included.

    Attributes:
        answers: (K + 1, N, d).
        energies: (K + 1, N).
    """

    answers: Tensor
    energies: Tensor


def test_names(settings: Comparison) -> list[str]:
    """The test sets, each a group of metrics."""
    return [shift_name(shift) for shift in settings.data.shifts]


def seen_name(settings: Comparison) -> str:
    """The seed document's test set, or the nearest to it."""
    return shift_name(min(settings.data.shifts, key=lambda shift: abs(shift - 2)))


def errors(method: Method, p: Parameters, part: Examples, dist: str) -> dict[str, Tensor]:
    """Mean squared error of every row over its coordinates, (N,) each.

    ``mse_inside`` is over the coordinates whose two inputs lie where training inputs do,
    ``mse_outside`` over the others; NaN in rows without any.

    Args:
        method: the kind of model.
        p: one model, name -> (1, *shape).
        part: the test set.
        dist: distribution of the training inputs.
    """
    p, x = _apart(p), part.inputs.clone()
    squares = _squares(method.predict(p, x[None])[0], part.labels)
    low, high = INSIDE[dist]
    within = (part.inputs >= low) & (part.inputs <= high)
    inside = torch.stack(within.chunk(2, dim=-1)).all(0)
    return {
        SCORE: squares.mean(-1),
        "mse_inside": _mean_where(squares, inside),
        "mse_outside": _mean_where(squares, ~inside),
    }


def _apart(p: Parameters) -> dict[str, Tensor]:
    """Copies: how a matrix lies in memory decides how its products are rounded."""
    return {name: tensor.clone() for name, tensor in p.items()}


def _squares(answers: Tensor, labels: Tensor) -> Tensor:
    """Squared errors; infinite where there is no number."""
    return (answers - labels).square().double().nan_to_num(nan=torch.inf, posinf=torch.inf)


def _mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    return values.where(chosen, torch.nan).nanmean(-1)


def final(
    method: Method, p: Parameters, data: Mapping[str, Examples], settings: Comparison
) -> dict[str, float]:
    """All metrics of the test data, which nothing has seen before.

    Args:
        method: the kind of model.
        p: one model, name -> (1, *shape).
        data: its task's examples.
        settings: of the run.
    """
    found: dict[str, float] = {"model/parameters": float(_size(method, p))}
    for name in test_names(settings):
        found |= mean_of_items(name, errors(method, p, data[name], settings.data.dist))
    if isinstance(method, EnergyMethod):
        for shift in sorted({1.0, 2.0} & set(settings.data.shifts)):
            part = data[shift_name(shift)]
            found |= {f"inner_{shift:g}/{k}": v for k, v in by_steps(method, p, part).items()}
    return found


def _size(method: Method, p: Parameters) -> int:
    return sum(p[name].numel() for name in method.shapes)


def by_steps(method: EnergyMethod, p: Parameters, part: Examples) -> dict[str, float]:
    """Error after so many steps, and of each row's answer with the lowest energy on the way."""
    x, target = part.inputs[:ROWS], part.labels[:ROWS]
    trace = follow(method, p, x, max(STEPS))
    squares = _squares(trace.answers, target).mean(-1)
    means = squares.mean(1).tolist()
    found = {f"mse_at_{k}": means[k] for k in sorted({*STEPS, method.how.steps})}
    lowest = trace.energies.nan_to_num(torch.inf).argmin(0)
    found["mse_lowest_energy"] = float(squares.gather(0, lowest[None]).mean())
    return found


@torch.no_grad()
def follow(method: EnergyMethod, p: Parameters, x: Tensor, steps: int) -> Trace:
    """The descent of one model on x (N, 2d) from its first start."""
    p = _apart(p)
    context = method.energy.context(p, x[None].clone())
    start = p[START][:, :1].expand(-1, len(x), -1)
    taken = descent.path(
        method.energy,
        p,
        context,
        start,
        method.sizes(p),
        steps,
        accept_lower=method.how.accept_lower,
    )
    answers = [start, *taken]
    energies = [method.energy.value(p, context, y)[0] for y in answers]
    return Trace(torch.stack(answers)[:, 0], torch.stack(energies))
