"""One pass over one stream: all variants of a stack, all seeds, chunk by chunk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from versus.experiments.memory import steps
from versus.experiments.memory.config import Comparison, Task
from versus.experiments.memory.data.stages import Pairs, read_stream
from versus.experiments.memory.engine import Group, groups_of
from versus.experiments.memory.rules import RULES, RuleSettings


class StreamPass:
    """The groups that learn one stream in one key dimension.

    Run vectors have one entry per (variant, seed), variants first.

    Args:
        configs: every variant of the stack; groups are formed from all of them.
        variants: those to compute; their numbers do not depend on which others are.
        seeds: S seeds, learnt at once.
        data: folder of the data stage.
        stream: name of the stream.
        dim: key dimension.
        device: where to compute.
        watch: also look how near the step sizes come to instability.
    """

    def __init__(
        self,
        configs: Mapping[str, Comparison],
        variants: Sequence[str],
        seeds: Sequence[int],
        data: Path,
        stream: str,
        dim: int,
        device: torch.device,
        watch: bool = True,
    ) -> None:
        settings = next(iter(configs.values()))
        self.stream, self.dim, self.seeds = stream, dim, seeds
        self.rules = {variant: configs[variant].rule_on(variant, stream) for variant in variants}
        dtype = getattr(torch, settings.train.dtype)
        self.pairs = read_stream(data, stream, dim, seeds, dtype, device)
        self.by_age = settings.data.all_streams[stream].is_stored_once
        self.classes = _classes(self.pairs)
        self.sizes = settings.data.mem_size
        everyone = [config.rule_on(variant, stream) for variant, config in configs.items()]
        wanted = set(self.rules.values())
        groups = groups_of(everyone, self.sizes, self.pairs.values, dim)
        self.groups = [group for group in groups if wanted & set(group.settings)]
        self.watched = wanted if watch else set()
        self.steps: steps.Steps = {}
        self.optima = self._optima(settings) if settings.train.regret else {}
        self._columns = {
            (rule, rows): (group, column)
            for group in self.groups
            for column, rule in enumerate(group.settings)
            for rows in group.mem_sizes
        }

    def _optima(self, settings: Comparison) -> dict[int, Group]:
        """Window -> the best linear estimator on that window; 0 = on all pairs seen.

        Maps have standard normal entries, so the posterior mean is the ridge solution with the
        noise variance as ridge. A stream that has no map has no such optimum.
        """
        stream = settings.data.all_streams[self.stream]
        if not stream.has_map:
            return {}
        ridge = max(stream.noise**2, 1e-6)
        windows = sorted({_window(rule) for rule in self.rules.values()} - {0})
        rules = {w: RuleSettings("OmegaRidge", window=w, reg=ridge) for w in windows}
        rules[0] = RuleSettings("RLS", window=self.pairs.keys.shape[1], reg=ridge)
        return {
            window: groups_of([rule], self.sizes, self.pairs.values, self.dim)[0]
            for window, rule in rules.items()
        }

    def write(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Write tokens ``start`` to ``stop``; return NMSE and seconds as run vectors.

        Runs that share a slice are each charged what the slice took.
        """
        keys, values = self.pairs.keys[:, start:stop], self.pairs.values[:, start:stop]
        classes = None if self.classes is None else self.classes[:, start:stop]
        nmse: dict[Group, Tensor] = {}
        seconds: dict[Group, Tensor] = {}
        for group in (*self.groups, *self.optima.values()):
            nmse[group], elapsed = group.write(keys, values, classes)
            each = elapsed / (len(self.seeds) * len(group.settings))
            seconds[group] = torch.full_like(nmse[group], each)
        largest = max(self.sizes)
        return self.gather(nmse.__getitem__, largest), self.gather(seconds.__getitem__, largest)

    def mark_half(self, steps: int) -> None:
        """Half of a task of ``steps`` tokens is done."""
        for group in (*self.groups, *self.optima.values()):
            group.mark_half(steps)

    def measure(self, task: Task) -> dict[str, Tensor]:
        """Metrics of a task that ends now, as run vectors."""
        measured = {
            group: group.measure(task, self.pairs, self.by_age)
            for group in self.groups
            if task.mem_size in group.mem_sizes
        }
        names = dict.fromkeys(name for metrics in measured.values() for name in metrics)
        nothing = torch.full((len(self.seeds), 1), torch.nan, dtype=torch.float64)

        def metric(name: str) -> Tensor:
            return self.gather(
                lambda group: measured[group].get(name, nothing.expand(-1, len(group.settings))),
                task.mem_size,
            )

        metrics = {name: metric(name) for name in names}
        self.steps = steps.largest_steps(self.watched, self.pairs.keys[:, : task.steps])
        metrics |= steps.as_metric(self.steps, list(self.rules.values()))
        return {**metrics, **self._regrets(task, metrics["nmse"])}

    def _regrets(self, task: Task, nmse: Tensor) -> dict[str, Tensor]:
        """Excess NMSE over the optimum on all pairs, and on the rule's own window (else NaN)."""
        if not self.optima:
            return {}
        best = {window: group.nmse(task)[:, 0].cpu() for window, group in self.optima.items()}
        nothing = torch.full_like(best[0], torch.nan)
        windows = [_window(rule) for rule in self.rules.values()]
        return {
            "regret_rls": nmse - best[0].repeat(len(windows)),
            "regret_window": nmse - torch.cat([best[w] if w else nothing for w in windows]),
        }

    def diverged(self) -> Tensor:
        """Which runs have diverged on this stream."""
        return self.gather(lambda group: group.diverged, max(self.sizes)).bool()

    def memories(self) -> dict[str, Tensor]:
        """Variant -> present memories, (S, rows, features of the keys)."""
        rows = max(self.sizes)
        found = {variant: self._columns[rule, rows] for variant, rule in self.rules.items()}
        return {v: group.memory(rows)[:, column].cpu() for v, (group, column) in found.items()}

    def gather(self, value: Callable[[Group], Tensor], rows: int) -> Tensor:
        """One entry per run from ``value(group)`` (S, R)."""
        found = [self._columns[rule, rows] for rule in self.rules.values()]
        return torch.cat([value(group)[:, column].double().cpu() for group, column in found])

    def state_dict(self) -> dict[str, Any]:
        """State of every group."""
        groups = (*self.groups, *self.optima.values())
        return {"stream": self.stream, "dim": self.dim, "groups": [g.state_dict() for g in groups]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        groups = (*self.groups, *self.optima.values())
        for group, saved in zip(groups, state["groups"], strict=True):
            group.load_state_dict(saved)


def _classes(pairs: Pairs) -> Tensor | None:
    """Which visit each token is, (S, T, 2 passes + 1) of 0 and 1 (:class:`.stored.Overwrite`)."""
    if "visits" not in pairs.marks:
        return None
    visits = pairs.marks["visits"]
    passes = int(visits.max())
    return torch.nn.functional.one_hot(visits + passes, 2 * passes + 1).double()


def _window(rule: RuleSettings) -> int:
    """The rule's window, 0 where it has none."""
    return 0 if "window" in RULES[rule.updater].ignores else rule.window
