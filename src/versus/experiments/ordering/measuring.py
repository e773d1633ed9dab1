"""Loss and accuracy on many pairs, without gradients and without work done twice.

The first block's norm, queries, keys and values depend on token and position alone, so they are
computed for 2 p rows and looked up. Pairs are taken in chunks of fixed size: a run's numbers do
not depend on how many others are measured beside it.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from versus.core.weights import split
from versus.experiments.ordering.config import TrainConfig
from versus.experiments.ordering.examples import Examples
from versus.experiments.ordering.model import Parameters, Transformer, token_rows

CHUNK = {"cpu": 128, "cuda": 16384}
NEAR = 0.05
"""From so far below the target on, a run is measured on all test pairs."""


@torch.no_grad()
def logits_in_chunks(model: Transformer, parameters: Parameters, pairs: Tensor) -> Iterator[Tensor]:
    """Logits (S, n, p) of pairs (S, N, 2), chunk after chunk.

    Args:
        model: sizes.
        parameters: name -> (S, *shape).
        pairs: (S, N, 2).
    """
    tokens = torch.arange(model.p, device=pairs.device)
    table = model.embed(parameters, tokens[None, :, None].expand(len(pairs), -1, 2))
    norm, qkv = model.project(parameters, 0, table)
    for some in torch.split(pairs, CHUNK[pairs.device.type], 1):
        rows = token_rows(some + tokens.new_tensor([0, model.p]), 2 * model.p)
        inputs, projected = (
            part.view(-1, part.shape[-1]).index_select(0, rows).view(len(some), -1, part.shape[-1])
            for part in (table, qkv)
        )
        yield model.trace_from(parameters, inputs, norm, projected).logits


def measure(
    model: Transformer, parameters: Parameters, pairs: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and accuracy on pairs (S, N, 2), (S,) each, float64 on the CPU."""
    loss = torch.zeros(len(pairs), dtype=torch.float64, device=pairs.device)
    correct = torch.zeros_like(loss)
    start = 0
    for logits in logits_in_chunks(model, parameters, pairs):
        targets = labels[:, start : start + logits.shape[1]]
        start += logits.shape[1]
        scores = torch.log_softmax(logits, dim=-1).gather(2, targets[:, :, None])
        loss -= scores.double().sum(dim=(1, 2))
        correct += (logits.argmax(dim=-1) == targets).sum(dim=1)
    count = labels.shape[1]
    return (loss / count).cpu(), (correct / count).cpu()


class Evaluation:
    """Loss and accuracy of the runs of a stack on their own pairs.

    Args:
        model: sizes.
        examples: of the stack.
        settings: ``eval_subset`` and ``target_accuracy``.
    """

    def __init__(self, model: Transformer, examples: Examples, settings: TrainConfig) -> None:
        self._model, self._examples, self._settings = model, examples, settings

    def of(self, values: Tensor, rows: Sequence[int], *, whole: bool) -> dict[str, Tensor]:
        """Metrics of the runs ``rows``, (n,) each.

        Args:
            values: weights of all runs, (S, P).
            rows: n runs.
            whole: on all test pairs, whatever the settings say.
        """
        parameters = self._parameters(values, rows)
        loss, accuracy = measure(self._model, parameters, *self._examples.part("train", rows))
        found = _named("train", loss, accuracy)
        first = None if whole else self._settings.eval_subset
        part = self._examples.part("test", rows, first)
        loss, accuracy = measure(self._model, parameters, *part)
        found |= _named("test", loss, accuracy)
        if self._settings.eval_subset is not None:
            found["test/subset"] = torch.full_like(loss, first is not None)
        if first is not None:
            self._look_closer(values, rows, found)
        return found

    def _look_closer(self, values: Tensor, rows: Sequence[int], found: dict[str, Tensor]) -> None:
        """Measure the runs near the target again, on all their test pairs."""
        near = found["test/accuracy"] >= self._settings.target_accuracy - NEAR
        chosen = [row for row, is_near in zip(rows, near.tolist(), strict=True) if is_near]
        if chosen:
            again = self.of(values, chosen, whole=True)
            for name, measured in again.items():
                found[name][near] = measured
            found["test/subset"][near] = 0.0

    def _parameters(self, values: Tensor, rows: Sequence[int]) -> Parameters:
        chosen = values if len(rows) == len(values) else values[list(rows)]
        return split(chosen, self._model.shapes)


def _named(part: str, loss: Tensor, accuracy: Tensor) -> dict[str, Tensor]:
    return {f"{part}/loss": loss, f"{part}/accuracy": accuracy, f"{part}/error": 1 - accuracy}
