"""Rules whose memory is the ridge optimum of the window: OmegaRidge at once, RLS by recursion.

M_t = V_w^T (K_w K_w^T + reg I)^-1 K_w = V_w^T K_w (K_w^T K_w + reg I)^-1 for the window w that ends
at t. A read M_t k is V_w^T alpha, alpha the *pair weights* of the window, so that no M_t is needed
but the last of a block. All inside in float64.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import Group, WindowRule
from versus.experiments.memory.naive_optimum import RANK_TOLERANCE

BLOCK_BYTES = 4 * 2**20
"""Size of a block's systems that still fits the cache; short blocks of many runs may exceed it."""

MAX_BLOCK_BYTES = 64 * 2**20
"""Bound of the systems of one block; about three arrays of that size live at once."""

PIVOT_TOLERANCE = 1e-10
"""Smallest ratio of squared Cholesky pivots that is trusted: it bounds 1 / condition number."""


class Windows(NamedTuple):
    """All windows that end in a block, float64.

    The front is padded with zero pairs (or cropped) so that the window which ends at the block's
    token t is the slice [t, t + width) and the token after it has index t + width.

    Attributes:
        keys: (S, width - 1 + C, dim).
        values: (S, width - 1 + C, rows).
        width: Pairs of a window, empty slots included.
        buffered: Pairs from before the block.
    """

    keys: Tensor
    values: Tensor
    width: int
    buffered: int

    @property
    def tokens(self) -> int:
        """Length C of the block."""
        return self.keys.shape[1] - self.width + 1

    @property
    def newest(self) -> Tensor:
        """Keys of the last window, (S, 1, width, dim)."""
        return self.keys[:, None, -self.width :]


class Optimum(WindowRule):
    """What both rules share: ridges per run and reads from pair weights."""

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        settings = group.settings
        self.reg = torch.tensor([s.reg for s in settings], dtype=torch.float64, device=self.device)
        identity = torch.eye(self.dim, dtype=torch.float64, device=self.device)
        self.ridge = self.reg[:, None, None] * identity

    def block_size(self, buffered: int, tokens: int) -> int:
        """As many tokens as fit the cache, but not so few that the last solution dominates."""
        width = min(self.window, buffered + 256)
        size = 8 * self.streams * self.runs * (min(width, self.dim) ** 2 + 2 * (width + 256))
        return min(tokens, max(1, BLOCK_BYTES // size, min(16, MAX_BLOCK_BYTES // size)))

    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Read the first token from the memory, the others from the pairs before them."""
        first = keys[:, None, buffered, None] @ self.state["memory"].mT
        width = min(self.window, keys.shape[1])
        front = (0, 0, width - 1 - buffered, 0)
        windows = Windows(
            torch.nn.functional.pad(keys.double(), front),
            torch.nn.functional.pad(values.double(), front),
            width,
            buffered,
        )
        weights, last = self.pair_weights(windows)
        reads = weights @ windows.values[:, None]
        self.state["memory"] = (windows.values[:, None, -width:].mT @ last).to(self.dtype)
        return torch.cat((first, reads.to(self.dtype)), 2)

    @abstractmethod
    def pair_weights(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Solve for all windows that end in the block.

        Returns:
            alpha of the tokens after each window but the last, (S, R, C - 1, width - 1 + C), zero
            outside of the window, and of the unit vectors for the last window, (S, R, width, dim).
        """


class OmegaRidge(Optimum):
    """All windows of a block at once, by Cholesky factors of the smaller of the two systems.

    Windows of at most ``dim`` pairs take the c x c system, longer ones the dim x dim system. Where
    a system is close to singular, the singular values of the window's keys take over.
    """

    def block_size(self, buffered: int, tokens: int) -> int:
        """End a block where the windows outgrow ``dim`` pairs."""
        size = super().block_size(buffered, tokens)
        return min(size, self.dim - buffered) if self.window > self.dim > buffered else size

    def pair_weights(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Solve for all windows that end in the block."""
        by_pairs = windows.width <= self.dim
        weights, last, sound = self._by_pairs(windows) if by_pairs else self._by_moments(windows)
        for stream, run, token in (~sound).nonzero().tolist():
            window = slice(token, token + windows.width)
            pseudo = _ridge_inverse(windows.keys[stream, window], self.reg[run])
            if token + 1 < windows.tokens:
                query = windows.keys[stream, token + windows.width]
                weights[stream, run, token, window] = pseudo @ query
            else:
                last[stream, run] = pseudo
        return weights, last

    def _by_pairs(self, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """(K_w K_w^T + reg I) alpha = K_w k; an empty slot has 1 on the diagonal."""
        keys, width, tokens = windows.keys, windows.width, windows.tokens
        gram = keys @ keys.mT
        # Entry (t, i, j) of the view is the product of the keys t + i and t + j.
        far, down, right = gram.stride()
        strides = (far, down + right, down, right)
        systems = gram.as_strided((len(gram), tokens, width, width), strides)
        queries = gram.as_strided((len(gram), tokens - 1, width, 1), strides, width * right)
        slot = torch.arange(width, device=self.device)
        token = torch.arange(tokens, device=self.device)[:, None]
        empty = (slot + token < width - 1 - windows.buffered).double()
        diagonal = torch.diag_embed(self.reg[:, None, None] + empty)
        factors, sound = cholesky(systems[:, None] + diagonal)
        alpha = solve(factors[:, :, :-1], queries[:, None])
        last = solve(factors[:, :, -1], windows.newest)
        weights = alpha.new_zeros(*alpha.shape[:3], keys.shape[1])
        band = (*weights.stride()[:2], keys.shape[1] + 1, 1)
        weights.as_strided(alpha.shape[:4], band).copy_(alpha.squeeze(4))
        return weights, last, sound

    def _by_moments(self, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """Pair weights K_w (K_w^T K_w + reg I)^-1 k, moments by running sums."""
        keys, width = windows.keys, windows.width
        past, entering = keys[:, : width - 1], keys[:, width - 1 :]
        changes = entering[..., None] * entering[:, :, None]
        leaving = keys[:, : windows.tokens - 1]
        changes[:, 1:] -= leaving[..., None] * leaving[:, :, None]
        changes[:, 0] += past.mT @ past
        factors, sound = cholesky(changes.cumsum(1)[:, None] + self.ridge[:, None])
        directions = solve(factors[:, :, :-1], entering[:, None, 1:, :, None]).squeeze(4)
        last = solve(factors[:, :, -1], windows.newest.mT).mT
        return _in_window(directions, windows), last, sound


class RLS(Optimum):
    """Recursive least squares over a sliding window.

    State: ``inverse`` (S, R, dim, dim) float64, (G + reg I)^-1 of the buffered pairs, and ``age``,
    the pairs removed since its last Cholesky factorisation. Rounding errors of the removals grow
    (8e-9 after 10 000 of them at dim 64, window 50, reg 1e-3), those of additions do not.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.max_age = max(self.window, 64)

    def initial_state(self) -> dict[str, Tensor]:
        """The inverse of the ridge alone."""
        inverse = self._invert(torch.zeros_like(self.ridge[:1]).repeat(self.streams, 1, 1, 1))
        age = torch.zeros((), dtype=torch.int64)
        return {**super().initial_state(), "inverse": inverse, "age": age}

    def block_size(self, buffered: int, tokens: int) -> int:
        """No longer than the time between two factorisations."""
        return min(super().block_size(buffered, tokens), self.max_age)

    def pair_weights(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Follow the inverse through the block."""
        inverse = self._fresh_inverse(windows)
        directions = inverse.new_empty(*inverse.shape[:2], windows.tokens - 1, self.dim)
        for token in range(windows.tokens):
            end = token + windows.width
            inverse = _sherman_morrison(inverse, windows.keys[:, end - 1], 1)
            if token + 1 < windows.tokens:
                directions[:, :, token] = _apply(inverse, windows.keys[:, end])
            else:
                last = windows.newest @ inverse
            if windows.buffered + token + 1 >= self.window:
                inverse = _sherman_morrison(inverse, windows.keys[:, token], -1)
        removed = windows.buffered + windows.tokens + 1 - self.window
        self.state["age"] = self.state["age"] + min(windows.tokens, max(0, removed))
        self.state["inverse"] = inverse
        return _in_window(directions, windows), last

    def _fresh_inverse(self, windows: Windows) -> Tensor:
        """The inverse, factorised anew when it is old."""
        if self.state["age"] < self.max_age:
            return self.state["inverse"]
        self.state["age"] = torch.zeros_like(self.state["age"])
        past = windows.keys[:, : windows.width - 1]
        return self._invert((past.mT @ past)[:, None])

    def _invert(self, moments: Tensor) -> Tensor:
        return torch.cholesky_inverse(cholesky(moments + self.ridge)[0])


def cholesky(systems: Tensor) -> tuple[Tensor, Tensor]:
    """Factors, and which of them are trustworthy; a matrix that has none is no error."""
    factors, info = torch.linalg.cholesky_ex(systems)
    pivots = factors.diagonal(dim1=-2, dim2=-1).square()
    sound = (info == 0) & (pivots.amin(-1) > PIVOT_TOLERANCE * pivots.amax(-1))
    return factors, sound


def solve(factors: Tensor, right: Tensor) -> Tensor:
    """Solutions for the same right sides, shared by all runs, of systems of every run."""
    return torch.cholesky_solve(right.expand(*factors.shape[:-1], -1), factors)


def _ridge_inverse(keys: Tensor, reg: Tensor) -> Tensor:
    """Pair weights (c, dim) of the unit vectors from the singular values of the keys (c, dim)."""
    if not keys.isfinite().all():
        return torch.full_like(keys, torch.nan)
    left, scale, right = torch.linalg.svd(keys, full_matrices=False)
    kept = scale > RANK_TOLERANCE * scale[0]
    weights: Tensor = left * torch.where(kept, scale / (scale.square() + reg), 0) @ right
    return weights


def _in_window(directions: Tensor, windows: Windows) -> Tensor:
    """Pair weights K_w beta of the window of each direction beta."""
    products = directions @ windows.keys[:, None].mT
    return products.triu().tril(windows.width - 1)


def _apply(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Products (S, R, dim) of matrices (S, R, dim, dim) with one vector (S, dim) per stream."""
    return (matrices.flatten(1, 2) @ vectors[..., None]).view(matrices.shape[:3])


def _sherman_morrison(inverse: Tensor, key: Tensor, sign: int) -> Tensor:
    """Add (sign 1) or remove (sign -1) the pair of a key (S, dim)."""
    direction = _apply(inverse, key)
    scale = sign / (1 + sign * _dot(direction, key))
    gain = (scale * direction)[..., None]
    return torch.addcmul(inverse, gain, direction[:, :, None], value=-1)


def _dot(directions: Tensor, key: Tensor) -> Tensor:
    return (directions * key[:, None]).sum(-1, keepdim=True)
