"""What a memory answers when it is asked for the pairs that it was given.

Shapes: S seeds, R runs, n pairs, rows the value dimension. Results are (S, R), float64.
"""

import itertools

import torch
from torch import Tensor

from versus.experiments.memory.data.stages import Pairs

AGES = 8


def measure(read: Tensor, pairs: Pairs, by_age: bool) -> dict[str, Tensor]:
    """Errors of reading the newest value of every key.

    ``recall`` is the NMSE over all of them and ``recall_old`` over the oldest quarter of the
    stream. ``top1_error`` is the share of keys to whose answer another value of the codebook is
    nearer, by direction, than the right one, and ``stale`` the share of overwritten keys to whose
    answer the old one is nearest.

    Args:
        read: (S, R, n, rows), what the memory answers to the n keys.
        pairs: the stream.
        by_age: also tell the eighths of the stream apart: ``age1`` (newest) to ``age8`` and
            ``top1_age1`` to ``top1_age8``.
    """
    n = read.shape[2]
    newest, first = _occurrences(pairs)
    error = _squares(read - pairs.values[:, None]) * newest[:, None]
    signal = _squares(pairs.values) * newest
    metrics = {"recall": _ratio(error, signal), "recall_old": _ratio(error, signal, 0, -(-n // 4))}
    aged = {"age": (error, signal)}
    if "codebook" in pairs.marks:
        answers = _nearest(read, pairs.marks["codebook"])
        value_ids = pairs.marks["value_ids"]
        old = value_ids.gather(1, first)
        overwritten = newest * (old != value_ids)
        wrong = (answers != value_ids[:, None]) * newest[:, None]
        metrics["top1_error"] = _ratio(wrong, newest)
        if bool(overwritten.any()):
            metrics["stale"] = _ratio((answers == old[:, None]) * overwritten[:, None], overwritten)
        aged["top1_age"] = (wrong, newest)
    if by_age and n >= AGES:
        for name, sums in aged.items():
            cuts = itertools.pairwise(n * i // AGES for i in range(AGES + 1))
            metrics |= {f"{name}{AGES - i}": _ratio(*sums, *cut) for i, cut in enumerate(cuts)}
    return metrics


def _squares(vectors: Tensor) -> Tensor:
    return (vectors**2).sum(-1, dtype=torch.float64)


def _ratio(part: Tensor, whole: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """Sum of (S, R, n) over that of (S, n), on some of the tokens."""
    tokens = slice(start, stop)
    total = whole[:, tokens].sum(1, dtype=torch.float64)[:, None]
    return part[..., tokens].sum(2, dtype=torch.float64) / total


def _occurrences(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Per token: whether it is the last one with its key (0 or 1), and the first; (S, n)."""
    streams, n, _ = pairs.keys.shape
    tokens = torch.arange(n, device=pairs.keys.device).expand(streams, n)
    if "key_ids" not in pairs.marks:
        return torch.ones_like(tokens), tokens
    ids = pairs.marks["key_ids"]
    first, last = (
        tokens.new_zeros(streams, n).scatter_reduce(1, ids, tokens, how, include_self=False)
        for how in ("amin", "amax")
    )
    return (last.gather(1, ids) == tokens).long(), first.gather(1, ids)


def _nearest(read: Tensor, codebook: Tensor) -> Tensor:
    """Which value of the codebook (S, vocabulary, rows) is nearest to each answer, (S, R, n).

    By direction, since the first rows of values of length 1 have different lengths.
    """
    return (read @ torch.nn.functional.normalize(codebook, dim=2)[:, None].mT).argmax(3)
