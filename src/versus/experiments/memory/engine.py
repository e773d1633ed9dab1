"""Groups of runs on one stream, and the sums from which their metrics are made.

Shapes: S seeds, R distinct settings of a group, T tokens, C classes of tokens, rows the value
dimension.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from versus.experiments.memory import fast, reads
from versus.experiments.memory.config import Task
from versus.experiments.memory.data.stages import Pairs
from versus.experiments.memory.rules import RULES, RuleSettings

# A run whose squared error in a chunk exceeds this many times the signal has diverged.
DIVERGED_NMSE = 1e6
_SUMS = ("squared_error", "signal", "cosine", "diverged", "class_error", "class_signal")


class Group:
    """Runs that one fast rule carries: same rule and window, different step sizes and ``reg``.

    Sums over tokens: ``squared_error`` (S, R, rows), ``signal`` (S, rows) of the squared values,
    ``cosine`` (S, R, number of memory sizes); ``class_error`` (S, R, rows, C) and ``class_signal``
    (S, rows, C) tell classes of tokens apart where there are any. ``halves`` keeps, for a task of n
    tokens, the first two as they stood after n/2. ``diverged`` is (S, R).

    Args:
        settings: distinct settings, R of them.
        mem_sizes: row counts to report; each is a prefix of the rows that are computed.
        like: values (S, T, rows) of the stream, for shapes, precision and device.
        dim: key dimension.
    """

    def __init__(
        self, settings: Sequence[RuleSettings], mem_sizes: Sequence[int], like: Tensor, dim: int
    ) -> None:
        self.settings = list(settings)
        self.mem_sizes = list(mem_sizes)
        self.rows = max(mem_sizes)
        streams, device = like.shape[0], like.device
        self.rule = fast.make(settings, streams, self.rows, dim, like.dtype, device=device)
        shape = (streams, len(settings))
        self.squared_error = torch.zeros(*shape, self.rows, dtype=torch.float64, device=device)
        self.signal = torch.zeros(streams, self.rows, dtype=torch.float64, device=device)
        self.cosine = torch.zeros(*shape, len(mem_sizes), dtype=torch.float64, device=device)
        self.diverged = torch.zeros(shape, dtype=torch.bool, device=device)
        self.class_error = torch.zeros((), dtype=torch.float64, device=device)
        self.class_signal = torch.zeros((), dtype=torch.float64, device=device)
        self.halves: dict[int, tuple[Tensor, Tensor]] = {}

    def write(
        self, keys: Tensor, values: Tensor, classes: Tensor | None = None
    ) -> tuple[Tensor, float]:
        """Run one chunk; return its NMSE (S, R) and the seconds the rule took.

        ``classes`` (S, T, C) is 1 where a token belongs to a class and 0 elsewhere, float64.
        """
        values = values[..., : self.rows]
        started = time.perf_counter()
        predictions = self.rule.write(keys, values)
        seconds = time.perf_counter() - started
        squares, powers = (predictions - values[:, None]) ** 2, values**2
        error = squares.sum(2, dtype=torch.float64)
        signal = powers.sum(1, dtype=torch.float64)
        if classes is not None:
            self.class_error = self.class_error + squares.double().mT @ classes[:, None]
            self.class_signal = self.class_signal + powers.double().mT @ classes
        self.squared_error = self.squared_error + error
        self.signal = self.signal + signal
        self.cosine = self.cosine + self._cosines(predictions, values)
        nmse = error.sum(-1) / signal.sum(-1)[:, None]
        self.diverged = self.diverged | ~(nmse < DIVERGED_NMSE)
        return nmse, seconds

    def _cosines(self, predictions: Tensor, values: Tensor) -> Tensor:
        """Sum over tokens of cos(prediction, value), for each memory size; 0 while M is 0."""
        columns = [
            torch.cosine_similarity(predictions[..., :m], values[:, None, :, :m], dim=-1)
            for m in self.mem_sizes
        ]
        return torch.stack([c.sum(-1, dtype=torch.float64) for c in columns], -1)

    def mark_half(self, steps: int) -> None:
        """Half of a task of ``steps`` tokens is done: its steady half begins."""
        self.halves[steps] = (self.squared_error, self.signal)

    def memory(self, rows: int) -> Tensor:
        """The memories' first rows, (S, R, rows, features of the keys)."""
        return self.rule.state["memory"][:, :, :rows]

    def nmse(self, task: Task) -> Tensor:
        """Squared error over squared values on the second half of a task that ends now, (S, R)."""
        early_error, early_signal = self.halves[task.steps]
        rows = slice(task.mem_size)
        late_error = (self.squared_error - early_error)[..., rows].sum(-1)
        return late_error / (self.signal - early_signal)[:, None, rows].sum(-1)

    def measure(self, task: Task, pairs: Pairs, by_age: bool) -> dict[str, Tensor]:
        """Metrics of a task that ends now, each (S, R); infinite where the run diverged.

        ``mse_mean`` and ``cos_mean`` are over the whole stream; for others see :meth:`nmse`,
        :meth:`_by_visit` and :func:`.reads.measure`.
        """
        rows, steps = task.mem_size, task.steps
        known = pairs.first(steps, rows)
        metrics = {
            "mse_mean": self.squared_error[..., :rows].sum(-1) / (steps * rows),
            "cos_mean": self.cosine[..., self.mem_sizes.index(rows)] / steps,
            "mem_norm_change": self.memory(rows).double().flatten(2).norm(dim=2),
            "nmse": self.nmse(task),
            **self._by_visit(rows),
            **reads.measure(self.rule.read(known.keys)[..., :rows], known, by_age),
        }
        if self.settings[0].clip:
            metrics["clipped"] = self.rule.state["clipped"].double()
        return {
            name: value.masked_fill(self.diverged, torch.inf) for name, value in metrics.items()
        }

    def _by_visit(self, rows: int) -> dict[str, Tensor]:
        """NMSE at the r-th visit of keys whose value changed with the epoch, and of the others.

        ``nmse_known`` is over all of them but the first visits after a change, at which the value
        cannot be known. Classes are ``-passes`` .. ``passes``, see :class:`.stored.Overwrite`.
        """
        if not self.class_error.ndim:
            return {}
        error = self.class_error[:, :, :rows].sum(2)
        signal = self.class_signal[:, None, :rows].sum(2)
        passes = error.shape[2] // 2
        known = [c for c in range(2 * passes + 1) if c not in (passes, passes + 1)]
        metrics = {"nmse_known": error[..., known].sum(2) / signal[..., known].sum(2)}
        for visit in range(1, passes + 1):
            for name, place in (("new", passes + visit), ("kept", passes - visit)):
                metrics[f"{name}{visit}"] = error[..., place] / signal[..., place]
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """The rule's state and the sums."""
        sums = {name: getattr(self, name) for name in _SUMS}
        return {"rule": dict(self.rule.state), "sums": sums, "halves": dict(self.halves)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        device = self.signal.device
        self.rule.state = {name: tensor.to(device) for name, tensor in state["rule"].items()}
        for name in _SUMS:
            setattr(self, name, state["sums"][name].to(device))
        self.halves = {n: (e.to(device), s.to(device)) for n, (e, s) in state["halves"].items()}


def groups_of(
    settings: Sequence[RuleSettings], mem_sizes: Sequence[int], like: Tensor, dim: int
) -> list[Group]:
    """Distribute settings over groups; equal settings are computed once.

    Clipping by the norm ties the rows of a run together, and so do some rules: a smaller memory is
    then no prefix of a larger one, and the runs get a group per memory size.
    """
    together: dict[Any, list[RuleSettings]] = {}
    for one in dict.fromkeys(settings):
        together.setdefault(fast.group_key(one), []).append(one)
    return [
        Group(members, sizes, like, dim)
        for members in together.values()
        for sizes in ([[m] for m in mem_sizes] if _tied(members[0]) else [list(mem_sizes)])
    ]


def _tied(rule: RuleSettings) -> bool:
    return rule.clip > 0 or RULES[rule.updater].rows_interact
