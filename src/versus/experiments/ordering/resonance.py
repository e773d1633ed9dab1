"""The order ``resonant``: residue classes of a, walked along lines that beat with the stride.

The examples of class j (a = j modulo s) are dealt to C cycles; an epoch visits class 0 .. s - 1 in
cycle 0, then again in cycle 1, and so on. With F = round(p / s), harmonic h = j mod H belongs to
the frequency F 2^h, folded into 1 .. p / 2, and has the period d_h = round(p / frequency). A line
of class j with intercept t holds the pairs

    a = j + s k,    b = t + k (d_h - s)  modulo p,    k = 0, 1, ...

so that from one pair to the next a + b grows by d_h. In cycle c the class's part begins with pairs
whose b lies in the pool of that cycle (the residues are dealt to C pools by the seed), at most
``overlap_frac`` of the part, in the pool's order, which is the same for all classes. Then come
whole lines, by intercept from an offset that the seed draws for (class, cycle), and along a line
by k.

The original of this order (J. LeDoux, "The Order Is The Message", arXiv 2603.25047) makes a
training set of its own: s C batches, each one a single line of all ceil(p / s) values of a, with
pool values put in. Here the examples are those of every other order, each shown once per epoch:
lines have gaps where a pair is not trained on, and pools lead only as far as pairs with such a b
are there.
"""

import torch
from torch import Tensor

from versus.core import seeding


def periods(p: int, stride: int, n_harmonics: int) -> list[int]:
    """Growth d_h of a + b along a line, per harmonic."""
    frequency = max(1, round(p / stride))
    found = []
    for _ in range(n_harmonics):
        folded = min(frequency % p, -frequency % p)
        found.append(round(p / max(1, folded)))
        frequency *= 2
    return found


def resonant(
    pairs: Tensor,
    p: int,
    stride: int,
    seed: int,
    *,
    n_harmonics: int,
    n_cycles: int,
    overlap_frac: float,
) -> Tensor:
    """Indices (n,) of the pairs (n, 2) in resonant order.

    Args:
        pairs: training pairs, distinct.
        p: modulus.
        stride: s.
        seed: draws pools and offsets.
        n_harmonics: H.
        n_cycles: C.
        overlap_frac: largest share of a class's part that comes from the shared pool.
    """
    source = seeding.generator(seed, "order", "resonant")
    rank = torch.empty(p, dtype=torch.int64)  # place of b in a seeded sequence of all residues
    rank[torch.randperm(p, generator=source)] = torch.arange(p)
    offsets = torch.randint(p, (stride, n_cycles), generator=source)
    steps = [period - stride for period in periods(p, stride, n_harmonics)]
    parts: list[list[Tensor]] = [[] for _ in range(n_cycles)]
    for residue in range(stride):
        members = (pairs[:, 0] % stride == residue).nonzero()[:, 0]
        a, b = pairs[members].unbind(1)
        along = (a - residue) // stride
        intercept = (b - along * steps[residue % n_harmonics]) % p
        dealt = _deal(members, rank[b], intercept, along, offsets[residue], p, overlap_frac)
        for cycle, part in enumerate(dealt):
            parts[cycle].append(part)
    return torch.cat([part for cycle in parts for part in cycle])


def _deal(
    members: Tensor,
    rank: Tensor,
    intercept: Tensor,
    along: Tensor,
    offsets: Tensor,
    p: int,
    overlap_frac: float,
) -> list[Tensor]:
    """The class's part of every cycle, in order."""
    count, cycles = len(members), len(offsets)
    sizes = [count * (c + 1) // cycles - count * c // cycles for c in range(cycles)]
    by_rank = (rank * p + along).argsort()
    pool = rank[by_rank] * cycles // p
    leading = [by_rank[pool == c][: round(overlap_frac * size)] for c, size in enumerate(sizes)]
    rest = torch.ones(count, dtype=torch.bool)
    rest[torch.cat(leading)] = False
    remaining = _along_lines(rest.nonzero()[:, 0], intercept, along, int(offsets[0]), p)
    blocks = torch.split(remaining, [n - len(x) for n, x in zip(sizes, leading, strict=True)])
    return [
        members[torch.cat([lead, _along_lines(block, intercept, along, int(offset), p)])]
        for lead, block, offset in zip(leading, blocks, offsets, strict=True)
    ]


def _along_lines(chosen: Tensor, intercept: Tensor, along: Tensor, offset: int, p: int) -> Tensor:
    """``chosen`` sorted by the intercept counted from ``offset``, and along each line."""
    key = (intercept[chosen] - offset) % p * p + along[chosen]
    return chosen[key.argsort()]
