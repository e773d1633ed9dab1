"""Hooks with passes of their own: Hessian, Adam's moments, shuffled epochs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.core.hook_samples import (
    BATCHES,
    RATE,
    RUNS,
    Tape,
    TinyLearner,
    always,
    check,
    reference,
    taped,
)
from versus.core import seeding
from versus.core.hooks.base import Context
from versus.core.hooks.library.adam import AdamDynamics
from versus.core.hooks.library.counterfactual import Counterfactual, CounterfactualValidator
from versus.core.hooks.library.curvature import Hessian, gradient_and_product


def cos(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a * a).sum().sqrt() / (b * b).sum().sqrt())


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    hooks = [always(hook) for hook in (Hessian, AdamDynamics, Counterfactual)]
    return taped(tmp_path_factory.mktemp("tape"), *hooks, always(CounterfactualValidator))


def loss_of(learner: TinyLearner, run: int, batch: Tensor) -> Any:
    """The loss of one run as a function of its weights alone, in double precision."""
    rows = learner.model.values().double()

    def loss(weights: Tensor) -> Tensor:
        every = torch.cat([rows[:run], weights[None], rows[run + 1 :]])
        return learner.loss(every, batch)[run]

    return loss


def test_hessian_against_the_full_matrix(tape: Tape) -> None:
    learner, steps = TinyLearner(), (1, 2, 9, 19)
    for run in range(len(RUNS)):
        before = None
        for step in range(1, 20):
            weights = tape.before[step - 1][run].double()
            loss = loss_of(learner, run, tape.batches[step])
            if step not in steps and step + 1 not in steps:
                continue
            matrix = torch.autograd.functional.hessian(loss, weights)  # type: ignore[no-untyped-call]
            content = torch.autograd.functional.jacobian(loss, weights)  # type: ignore[no-untyped-call]
            earlier = tape.gradients[step - 1][run].double()
            ahead = reference()[run] - weights
            product = matrix @ earlier
            entanglement = RATE * product
            rayleigh = float(earlier @ product / (earlier @ earlier))
            energy = float((entanglement**2).sum())
            expected = {
                "entanglement_norm": np.sqrt(energy),
                "content_norm": content.norm(),
                "observed_grad_norm": tape.gradients[step][run].norm(),
                "entanglement_energy_ratio": energy / (energy + float((content**2).sum())),
                "entanglement_content_cossim": cos(entanglement, content),
                "rayleigh_quotient": rayleigh,
                "amplification_ratio": product.norm() / earlier.norm(),
                "edge_of_stability": RATE * rayleigh,
                "entanglement_cossim_to_solution": cos(entanglement, ahead),
                "content_cossim_to_solution": cos(-content, ahead),
            }
            if before is not None and before[0] == step - 1:
                expected["entanglement_coherence"] = cos(entanglement, before[1])
            before = (step, entanglement)
            for metric, number in expected.items():
                check(tape.steps[step][f"hessian/{metric}"][run], number, 2e-3)


def test_hessian_vector_product_against_finite_differences() -> None:
    learner = TinyLearner()
    batch = next(learner.batches(0))
    weights = learner.model.values().double()
    vectors = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)).double()

    def gradient(at: Tensor) -> Tensor:
        at = at.clone().requires_grad_()
        return torch.autograd.grad(learner.loss(at, batch).sum(), at)[0]

    found = gradient_and_product(Context(learner, batch=batch), weights, vectors)
    check(found[0], gradient(weights), 1e-9)
    step = 1e-5
    differences = (gradient(weights + step * vectors) - gradient(weights - step * vectors)) / 2
    check(found[1], differences / step, 1e-5)


def test_plain_descent_observes_content_minus_entanglement() -> None:
    """To first order: halving the rate quarters what is left."""
    errors = []
    for rate in (0.02, 0.01):
        learner = TinyLearner(plain=True)
        learner.optimizer.param_groups[0]["lr"] = rate
        first, second = list(learner.batches(0))[:2]
        weights = learner.model.values().clone()
        learner.train_step(first)
        earlier = learner.model.gradients().clone()
        learner.train_step(second)
        context = Context(learner, batch=second)
        content, product = gradient_and_product(context, weights, earlier)
        errors.append((learner.model.gradients() - (content - rate * product)).norm())
        assert errors[-1] < 0.1 * (rate * product).norm()
    assert errors[1] / errors[0] == pytest.approx(0.25, rel=0.2)


def test_hessian_burst_measures_all_but_its_first_step(tmp_path: Path) -> None:
    tape = taped(tmp_path, always(Hessian, every=8, burst=4), solution=False)
    measured = [i for i, step in enumerate(tape.steps) if "hessian/content_norm" in step]
    assert measured == [1, 2, 3, 9, 10, 11, 17, 18, 19]
    coherent = [i for i, step in enumerate(tape.steps) if "hessian/entanglement_coherence" in step]
    assert coherent == [2, 3, 10, 11, 18, 19]
    assert "hessian/content_cossim_to_solution" not in tape.steps[1]


def test_adam_dynamics(tape: Tape) -> None:
    probe = torch.randn(reference().shape[1], generator=seeding.generator("adam_dynamics", "probe"))
    for run in range(len(RUNS)):
        first, second = torch.zeros(2, *probe.shape)
        for step in range(20):
            gradient = tape.gradients[step][run]
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            count = step + 1
            momentum, variance = first / (1 - 0.9**count), second / (1 - 0.999**count)
            update = tape.after[step][run] - tape.before[step][run]
            rates = (1 / (variance.sqrt() + 1e-8)).double().numpy()
            expected = {
                "momentum_grad_cossim": cos(momentum, gradient),
                "amplification_ratio": update.norm() / gradient.norm(),
                "update_deflection": 1 - cos(update, -gradient),
                "effective_lr_cv": rates.std() / rates.mean(),
            }
            solution = reference()[run] - tape.before[step][run]
            for target, direction in {"probe": probe, "solution": solution}.items():
                parts = {"momentum": -momentum, "update": update, "grad": -gradient}
                cosines = {name: cos(part, direction) for name, part in parts.items()}
                expected |= {f"{n}_{target}_cossim": number for n, number in cosines.items()}
                gained = cosines["update"] - cosines["grad"]
                expected[f"optimizer_{target}_amplification"] = gained
            for metric, number in expected.items():
                found = tape.steps[step][f"adam_dynamics/{metric}"][run]
                np.testing.assert_allclose(found, number, rtol=2e-3, atol=1e-5)


def shuffled_epoch(tape: Tape, run: int, epoch: int, number: int) -> Tensor:
    """Mean gradient of a shuffled epoch of one run alone, trained step by step."""
    learner = TinyLearner([RUNS[run]])
    state = tape.states[epoch]
    learner.model.rows.data.copy_(state["rows"][run : run + 1])
    optimizer = learner.optimizer
    moments = state["adam"]["state"].get(0)
    if moments:
        optimizer.state[learner.model.rows] = {
            key: value.clone() if value.dim() == 0 else value[run : run + 1].clone()
            for key, value in moments.items()
        }
    order = torch.randperm(
        40, generator=seeding.generator(RUNS[run].seed, "shuffle", number, epoch)
    )
    total = torch.zeros_like(learner.model.values()[0])
    for batch in order.split(8):  # type: ignore[no-untyped-call]
        learner.train_step(batch[None])
        total += learner.model.gradients()[0]
    return total / BATCHES


def test_counterfactual_against_single_runs_trained_again(tape: Tape) -> None:
    for run in range(len(RUNS)):
        fractions = []
        for epoch in range(4):
            steps = slice(epoch * BATCHES, (epoch + 1) * BATCHES)
            gradient = torch.stack(tape.gradients[steps])[:, run].mean(0)
            shuffled = [shuffled_epoch(tape, run, epoch, number) for number in range(3)]
            centre = torch.stack(shuffled).mean(0)
            content = (gradient @ centre) / (centre @ centre) * centre
            ordering = gradient - content
            fractions.append(float((ordering.norm() / gradient.norm()) ** 2))
            ahead = reference()[run] - tape.after[(epoch + 1) * BATCHES - 1][run]
            expected = {
                "counterfactual_mean_norm": centre.norm(),
                "content_component_norm": content.norm(),
                "ordering_component_norm": ordering.norm(),
                "ordering_fraction": fractions[-1],
                "ordering_fraction_mean": np.mean(fractions),
                "ordering_alignment": cos(gradient, centre),
            }
            for name, part in {"content": content, "ordering": ordering, "cf": centre}.items():
                towards = cos(-part, ahead)
                expected[f"{name}_grad_cossim_to_solution"] = towards
                expected[f"{name}_energy_fraction_toward_solution"] = towards**2
            for metric, number in expected.items():
                check(tape.epochs[epoch][f"counterfactual/{metric}"][run], number, 2e-3)


def test_counterfactual_validator(tape: Tape) -> None:
    for run in range(len(RUNS)):
        for epoch in (0, 3):
            shuffled = [shuffled_epoch(tape, run, epoch, number) for number in range(4)]
            whole = torch.stack(shuffled).mean(0)
            subsets = [
                torch.stack([g for i, g in enumerate(shuffled) if i != left]).mean(0)
                for left in range(4)
            ]
            norms = [float(subset.norm()) for subset in subsets]
            ahead = reference()[run] - tape.after[(epoch + 1) * BATCHES - 1][run]
            similar = [cos(subset, whole) for subset in subsets]
            towards = [cos(-subset, ahead) for subset in subsets]
            expected = {
                "kp1_content_norm": whole.norm(),
                "k_content_norm_max": max(norms),
                "k_content_norm_min": min(norms),
                "k_content_norm_mean": np.mean(norms),
                "kp1_norm_strictly_lower": float(whole.norm() < min(norms)),
                "k_to_kp1_cossim_mean": np.mean(similar),
                "k_to_kp1_cossim_min": min(similar),
                "kp1_cossim_to_solution": cos(-whole, ahead),
                "k_cossim_to_solution_mean": np.mean(towards),
            }
            found = {k: v[run] for k, v in tape.epochs[epoch].items()}
            for metric, number in expected.items():
                check(found[f"counterfactual_validator/{metric}"], number)
            close: dict[str, float] = {
                "norm_convergence_gap": float(np.mean(norms)) / float(whole.norm()) - 1,
                "k_cossim_to_solution_std": float(np.std(towards)),
                "k_cossim_to_solution_spread": max(towards) - min(towards),
            }
            for metric, number in close.items():
                np.testing.assert_allclose(
                    found[f"counterfactual_validator/{metric}"], number, atol=1e-6
                )


def test_early_epochs_are_all_replayed_and_then_those_of_snapshots() -> None:
    settings = Counterfactual.Settings()
    due = [epoch for epoch in range(90) if settings.due(epoch)]
    assert due == [*range(50), 59, 69, 79, 89]
    narrow = Counterfactual.Settings(early=5, windows=((3, 12),))
    assert [epoch for epoch in range(90) if narrow.due(epoch)] == [3, 4, 9]
