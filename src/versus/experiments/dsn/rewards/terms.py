"""Terms of the reward by name: each maps selections of all videos at once to ``[B, E]``.

They are 0 where nothing is selected. Distances are ``d = 1 - cosine``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from versus.experiments.dsn.rewards.videos import Episodes

Term = Callable[[Episodes], Tensor]
TERMS: dict[str, Term] = {}
"""Name -> term."""


def term(*names: str) -> Callable[[Term], Term]:
    """Enter a term into :data:`TERMS` under its names."""

    def entered(function: Term) -> Term:
        TERMS.update(dict.fromkeys(names, function))
        return function

    return entered


@term("div")
def diversity(episodes: Episodes) -> Tensor:
    """Mean distance over pairs of selected frames (Zhou et al. 2018, eq. 3); 0 for one frame."""
    same = episodes.products - episodes.mean(episodes.videos.own) * episodes.size
    return _mean_over_pairs(episodes, same)


@term("div_local")
def local_diversity(episodes: Episodes) -> Tensor:
    """The same with d = 1 between frames that are far apart (Zhou et al. 2018, eq. 4)."""
    every = ((episodes.weights @ episodes.videos.local) * episodes.weights).sum(2)
    same = every - episodes.mean(episodes.videos.own) * episodes.size
    return _mean_over_pairs(episodes, same)


def _mean_over_pairs(episodes: Episodes, cosines: Tensor) -> Tensor:
    """1 - mean cosine, from the sum of cosines over ordered pairs of different frames."""
    pairs = episodes.counts * (episodes.counts - 1)
    return torch.where(pairs > 0, 1 - cosines / pairs.clamp_min(1), 0.0)


@term("rep", "rec")
def representativeness(episodes: Episodes) -> Tensor:
    """Minus the mean distance to the nearest selected frame; the seed counts it twice, as rec."""
    return -episodes.distance


@term("rep_exp")
def exponential_representativeness(episodes: Episodes) -> Tensor:
    """``exp(-mean min |x - s|^2)`` (Zhou et al. 2018, eq. 5); of unit rows, ``|x - s|^2 = 2 d``."""
    return (-2 * episodes.distance).exp()


@term("frechet")
def frechet(episodes: Episodes) -> Tensor:
    """Minus the Frechet distance of Gaussians with the moments of all and of selected frames.

    ``|m - n|^2 + tr(S) + tr(R) - 2 tr((S R)^(1/2))`` (Dowson and Landau 1982, eq. 4). With centred
    rows A of all frames and B of the selected ones, the last trace is the nuclear norm of ``A B^T``
    up to a factor; its squared singular values are the eigenvalues of ``B A^T A B^T``, all of it
    products of features. 0 where either has less than two frames.
    """
    videos, counts = episodes.videos, episodes.counts.double()
    within = episodes.products.double() / episodes.size.square()
    spread = (episodes.mean(videos.own) * counts - within * counts) / (counts - 1).clamp_min(1)
    between = episodes.mean(videos.mean_row).double()
    gap = videos.gram.double().sum((1, 2))[:, None] / videos.counts[:, None].square()
    frames = (videos.counts[:, None] - 1).double()
    shared = _nuclear(episodes) / (frames * (counts - 1)).clamp_min(1).sqrt()
    distance = gap - 2 * between + within + videos.spread[:, None] + spread - 2 * shared
    enough = (counts > 1) & (frames > 0)
    return torch.where(enough, -distance, 0.0).to(videos.gram.dtype)


def _nuclear(episodes: Episodes) -> Tensor:
    """Sum of singular values of ``A B^T``, ``[B, E]`` float64."""
    picked, real = episodes.picked, episodes.real.double()
    rows = torch.arange(len(picked), device=picked.device)[:, None, None, None]
    products = episodes.videos.squared[rows, picked[..., :, None], picked[..., None, :]]
    share = real / episodes.size[..., None]
    left = products - (share[..., None, :] @ products)
    centred = left - left @ share[..., None]
    kept = centred * real[..., None, :] * real[..., None]
    values: Tensor = torch.linalg.eigvalsh(kept)
    return values.clamp_min(0).sqrt().sum(-1)


@term("color_swd")
def color_swd(episodes: Episodes) -> Tensor:
    """Minus the mean Wasserstein distance between projected colours of all and selected frames."""
    videos = episodes.videos
    selected = (episodes.weights @ videos.colours) / episodes.size[..., None]
    distance: Tensor = (selected - videos.all_colours).abs() @ videos.colour_widths
    return -distance


@term("still")
def stillness(episodes: Episodes) -> Tensor:
    """Mean over selected frames of 1 - rank of their change within the video."""
    return episodes.mean(episodes.videos.stillness)


@term("steady")
def steadiness(episodes: Episodes) -> Tensor:
    """The same, of what changes beyond the camera's shift and the light."""
    return episodes.mean(episodes.videos.steadiness)


@term("turn")
def turn(episodes: Episodes) -> Tensor:
    """Mean over selected frames of how far the way on goes back on the way there, near and far.

    Animators key a movement where it changes direction, its extremes (Williams 2001: The
    animator's survival kit); a camera's move and a breakdown go on.
    """
    return episodes.mean(episodes.videos.turns)


@term("motion")
def motion(episodes: Episodes) -> Tensor:
    """Mean over selected frames of how much they differ from their neighbours."""
    return episodes.mean(episodes.videos.change)


@term("coverage")
def coverage(episodes: Episodes) -> Tensor:
    """Share of frames within reach of a selected one (the seed's TemporalCoverage)."""
    videos = episodes.videos
    near = (episodes.nearest <= videos.config.within) & videos.mask[:, None]
    return near.sum(2) / videos.counts[:, None]


def budget(episodes: Episodes) -> Tensor:
    """Minus the frames beyond the budget, and half of those short of it; for no frame too."""
    over = (episodes.counts - episodes.videos.budgets[:, None]).to(episodes.weights.dtype)
    return -(over.clamp_min(0) + 0.5 * (-over).clamp_min(0))
