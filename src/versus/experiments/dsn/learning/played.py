"""Selections drawn of a minibatch, and what is told of them."""

from typing import NamedTuple

from torch import Tensor

from versus.experiments.dsn.policies import Draw
from versus.experiments.dsn.rewards import Reward


class Played(NamedTuple):
    """Selections drawn of a minibatch.

    Attributes:
        logits: of all frames, ``[N]``.
        budgets: frames that may be selected, ``[B]``.
        draw: the selections.
        reward: what they are worth.
        foretold: the critic's value, ``[B]``; None without one.
    """

    logits: Tensor
    budgets: Tensor
    draw: Draw
    reward: Reward
    foretold: Tensor | None


def about(played: Played) -> dict[str, Tensor]:
    """What a step tells: rewards by the seed document's names, and by term."""
    draw, total = played.draw, played.reward.total
    chosen, chances = draw.selection.sum(2).double(), played.logits.detach().sigmoid()
    frames = len(played.logits)
    spread = {"reward_std": total.std(correction=0), "prob_std": chances.std(correction=0)}
    found = {
        "mean_reward": total.mean(),
        "reward_min": total.min(),
        "reward_max": total.max(),
        "sel_ratio": chosen.sum() / chosen.shape[1] / frames,
        "selection_count": chosen.mean(),
        "budget_gap": (chosen - played.budgets[:, None]).mean(),
        "entropy": draw.entropy.detach().mean(),
        "mean_prob": chances.mean(),
        **spread,
    }
    if played.foretold is not None:
        gap = played.foretold.detach() - total.mean(1)
        found["critic_loss"] = gap.square().mean()
    step = {
        "reward": found["mean_reward"],
        "selection_count": found["selection_count"],
        "mean_prob": found["mean_prob"],
        "entropy": found["entropy"],
    }
    terms = {f"reward/{name}": value.mean() for name, value in played.reward.terms.items()}
    named = {f"train/{name}": value for name, value in found.items()}
    return {**named, **{f"step/{name}": value for name, value in step.items()}, **terms}
