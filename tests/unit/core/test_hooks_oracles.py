"""Every generic observer against plain loops over runs, steps and parameters."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.unit.core.hook_samples import (
    BATCHES,
    RATE,
    RUNS,
    SHAPES,
    Tape,
    always,
    check,
    generic_hooks,
    reference,
    taped,
)

EPOCHS = range(4)
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    hooks = [always(hook) for hook in generic_hooks()]
    return taped(tmp_path_factory.mktemp("tape"), *hooks)


def runs_of(tape: Tape) -> Iterator[tuple[int, "Run"]]:
    for index in range(len(RUNS)):
        yield index, Run(tape, index)


class Run:
    """What one run did, as lists of plain vectors."""

    def __init__(self, tape: Tape, run: int) -> None:
        def vectors(tensors: list[torch.Tensor]) -> list[Array]:
            return [tensor[run].double().numpy() for tensor in tensors]

        self.before, self.after = vectors(tape.before), vectors(tape.after)
        self.gradients, self.losses = vectors(tape.gradients), vectors(tape.losses)
        self.reference = reference()[run].double().numpy()

    def steps(self, epoch: int) -> range:
        return range(epoch * BATCHES, (epoch + 1) * BATCHES)

    def epoch_gradient(self, epoch: int) -> Array:
        return np.asarray(sum(self.gradients[step] for step in self.steps(epoch))) / BATCHES


def value(tape: Tape, metric: str, run: int, epoch: int) -> float:
    return float(tape.epochs[epoch][metric][run])


def cos(a: Array, b: Array) -> float:
    return float(sum(a * b) / np.sqrt(sum(a * a)) / np.sqrt(sum(b * b)))


def pieces(vector: Array) -> dict[str, Array]:
    found, start = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        found[name], start = vector[start : start + size].reshape(shape), start + size
    return found


def test_training_metrics(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        loss = np.mean([plain.losses[step] for step in plain.steps(epoch)])
        check(value(tape, "training_metrics/loss", run, epoch), loss)
        check(value(tape, "training_metrics/perplexity", run, epoch), np.exp(loss))
        check(value(tape, "training_metrics/learning_rate", run, epoch), RATE)
        found = tape.evaluations[epoch]
        for ours, theirs in {"training": "train", "validation": "test"}.items():
            accuracy = value(tape, f"training_metrics/{ours}_accuracy", run, epoch)
            check(accuracy, 100 * found[f"{theirs}/accuracy"][run])


def test_training_diagnostics(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        steps = plain.steps(epoch)
        losses = np.array([plain.losses[step] for step in steps])
        norms = np.array([np.sqrt(sum(plain.gradients[step] ** 2)) for step in steps])
        centred = losses - losses.mean()
        after = plain.after[steps[-1]]
        expected = {
            "loss_mean": losses.mean(),
            "loss_std": losses.std(),
            "loss_volatility": losses.std() / losses.mean(),
            "loss_autocorrelation": sum(centred[1:] * centred[:-1]) / sum(centred**2),
            "grad_norm_mean": norms.mean(),
            "grad_norm_std": norms.std(),
            "grad_norm_cv": norms.std() / norms.mean(),
            "grad_norm_max": max(norms),
            "weight_norm": np.sqrt(sum(after**2)),
        }
        measured = [step for step in steps if step % 10 == 0]
        ratios = [
            np.linalg.norm(plain.after[s] - plain.before[s]) / np.linalg.norm(plain.before[s])
            for s in measured
        ]
        if ratios:
            expected["update_ratio_mean"] = np.mean(ratios)
        for metric, number in expected.items():
            check(value(tape, f"training_diagnostics/{metric}", run, epoch), number, 1e-3)


def test_spread_of_updates_needs_two_measurements(tape: Tape, tmp_path: Path) -> None:
    assert not any("training_diagnostics/update_ratio_std" in epoch for epoch in tape.epochs)
    hook = next(hook for hook in generic_hooks() if hook.name == "training_diagnostics")
    often = taped(tmp_path, always(hook, update_every=2))
    for run, plain in runs_of(often):
        ratios = [
            np.linalg.norm(plain.after[s] - plain.before[s]) / np.linalg.norm(plain.before[s])
            for s in (0, 2, 4)
        ]
        check(value(often, "training_diagnostics/update_ratio_std", run, 0), np.std(ratios), 1e-2)


def test_parameter_delta_and_path_length(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        steps = plain.steps(epoch)
        start, end = plain.before[steps[0]], plain.after[steps[-1]]
        change = np.linalg.norm(end - start)
        check(value(tape, "parameter_delta/absolute_delta", run, epoch), change)
        relative = change / np.linalg.norm(start)
        check(value(tape, "parameter_delta/relative_delta", run, epoch), relative)
        check(value(tape, "parameter_delta/param_norm", run, epoch), np.linalg.norm(end))
        path = sum(np.linalg.norm(plain.after[s] - plain.before[s]) for s in range(steps[-1] + 1))
        way = np.linalg.norm(end - plain.before[0])
        check(value(tape, "path_length/path_length", run, epoch), path)
        check(value(tape, "path_length/net_displacement", run, epoch), way)
        check(value(tape, "path_length/path_efficiency", run, epoch), way / path)


def test_norms_and_consecutive(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        gradient = plain.epoch_gradient(epoch)
        check(value(tape, "norms/total_norm", run, epoch), np.sqrt(sum(gradient**2)))
        check(value(tape, "norms/max_component", run, epoch), max(abs(gradient)))
        check(value(tape, "norms/mean_component", run, epoch), np.mean(abs(gradient)))
        for name, part in pieces(gradient).items():
            check(value(tape, f"norms/norm_{name}", run, epoch), np.sqrt((part**2).sum()))
        if epoch:
            cosine = cos(gradient, plain.epoch_gradient(epoch - 1))
            check(value(tape, "consecutive/cos_sim", run, epoch), cosine)
            degrees = np.degrees(np.arccos(cosine))
            check(value(tape, "consecutive/angle_degrees", run, epoch), degrees, 1e-3)
        else:
            assert "consecutive/cos_sim" not in tape.epochs[0]


def test_variance_over_a_window_of_three(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS[1:]):
        window = np.array([plain.epoch_gradient(e) for e in range(max(epoch - 2, 0), epoch + 1)])
        variance = window.var(axis=0, ddof=1).sum()
        mean = np.linalg.norm(window.mean(axis=0))
        pairs = [cos(a, b) for a, b in itertools.combinations(window, 2)]
        expected = {
            "gradient_variance": variance,
            "mean_pairwise_cos": np.mean(pairs),
            "signal_to_noise": mean / np.sqrt(variance),
            "window_mean_norm": mean,
        }
        for metric, number in expected.items():
            check(value(tape, f"variance/{metric}", run, epoch), number, 1e-3)


def test_batch_dynamics_of_the_last_six_steps(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS[1:]):
        end = (epoch + 1) * BATCHES
        kept = plain.gradients[end - 6 : end]
        lags = {k: np.mean([cos(kept[t], kept[t - k]) for t in range(k, 6)]) for k in (1, 2, 5)}
        for lag, number in lags.items():
            check(value(tape, f"batch_dynamics/lag_{lag}", run, epoch), number)
        mean = np.mean(list(lags.values()))
        check(value(tape, "batch_dynamics/autocorrelation_mean", run, epoch), mean)
        for n in (2, 5):
            last = kept[-n:]
            gain = np.linalg.norm(sum(last)) / sum(np.linalg.norm(g) for g in last)
            check(value(tape, f"batch_dynamics/efficiency_{n}", run, epoch), gain)
        singular = np.linalg.svd(np.array(kept), compute_uv=False)
        rank = singular.sum() ** 2 / (singular**2).sum()
        check(value(tape, "batch_dynamics/effective_rank", run, epoch), rank, 1e-3)
        top = singular[0] ** 2 / (singular**2).sum()
        check(value(tape, "batch_dynamics/top1_variance", run, epoch), top)
    assert "batch_dynamics/lag_1" not in tape.epochs[0]  # five steps do not fill the window


def test_batch_dynamics_reports_a_burst_once_it_is_over(tmp_path: Path) -> None:
    hook = next(hook for hook in generic_hooks() if hook.name == "batch_dynamics")
    tape = taped(tmp_path, always(hook, every=10, burst=7))  # steps 0-6 and 10-16 of 20
    there = ["batch_dynamics/lag_1" in epoch for epoch in tape.epochs]
    assert there == [False, True, False, True]
    plain = Run(tape, 1)
    kept = plain.gradients[11:17]
    expected = np.mean([cos(kept[t], kept[t - 1]) for t in range(1, 6)])
    check(value(tape, "batch_dynamics/lag_1", 1, 3), expected)


def test_weight_tracking(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        weights = pieces(plain.after[plain.steps(epoch)[-1]])
        gradients = pieces(plain.epoch_gradient(epoch))
        norms, tops, ranks, aligned = [], [], [], []
        for name, weight in weights.items():
            norms.append(np.linalg.norm(weight))
            aligned.append(cos(gradients[name].ravel(), weight.ravel()))
            check(value(tape, f"weight_tracking/weight_norm/{name}", run, epoch), norms[-1])
            key = f"weight_tracking/grad_weight_align/{name}"
            check(value(tape, key, run, epoch), aligned[-1], 1e-3)
            if weight.ndim == 2:
                singular = np.linalg.svd(weight, compute_uv=False)
                tops.append(singular[0])
                ranks.append(singular.sum() ** 2 / (singular**2).sum())
                check(value(tape, f"weight_tracking/top_sv/{name}", run, epoch), tops[-1])
                check(value(tape, f"weight_tracking/effective_rank/{name}", run, epoch), ranks[-1])
        expected = {
            "total_weight_norm": sum(norms),
            "mean_weight_norm": np.mean(norms),
            "mean_top_sv": np.mean(tops),
            "max_top_sv": max(tops),
            "mean_effective_rank": np.mean(ranks),
            "mean_grad_weight_align": np.mean(aligned),
        }
        for metric, number in expected.items():
            check(value(tape, f"weight_tracking/{metric}", run, epoch), number, 1e-3)


def test_gradient_projection(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS):
        first, now = plain.before[0], plain.after[plain.steps(epoch)[-1]]
        gradient = plain.epoch_gradient(epoch)
        ahead = plain.reference - now
        whole = {
            "grad": (-gradient, ahead),
            "disp": (now - first, plain.reference - first),
        }
        for kind, (vector, direction) in whole.items():
            wanted = pieces(direction)
            each = {n: cos(v.ravel(), wanted[n].ravel()) for n, v in pieces(vector).items()}
            prefix = "gradient_projection"
            for name, number in each.items():
                key = f"{prefix}/{kind}_cossim_to_solution/{name}"
                check(value(tape, key, run, epoch), number, 1e-3)
            overall = value(tape, f"{prefix}/overall_{kind}_cossim_to_solution", run, epoch)
            check(overall, cos(vector, direction), 1e-3)
            mean = value(tape, f"{prefix}/mean_layer_{kind}_cossim_to_solution", run, epoch)
            check(mean, np.mean(list(each.values())), 1e-3)
        way, left = np.linalg.norm(now - first), np.linalg.norm(ahead)
        check(value(tape, "gradient_projection/displacement_norm", run, epoch), way)
        check(value(tape, "gradient_projection/distance_to_reference", run, epoch), left)


def test_subspace_gradient_info(tape: Tape) -> None:
    for (run, plain), epoch in itertools.product(runs_of(tape), EPOCHS[1:]):
        window = np.array([plain.epoch_gradient(e) for e in range(epoch + 1)])
        _, singular, directions = np.linalg.svd(window, full_matrices=False)
        variance = singular**2
        ahead = plain.reference - plain.after[plain.steps(epoch)[-1]]
        ahead = ahead / np.linalg.norm(ahead)
        energy = variance * (directions @ ahead) ** 2
        shares = np.cumsum(variance) / sum(variance)
        expected = {
            "dims_for_90pct": 1 + int((shares < 0.9).sum()),
            "participation_ratio": sum(variance) ** 2 / sum(variance**2),
            "effective_rank": sum(singular) ** 2 / sum(variance),
            "top_sv_ratio": singular[0] / sum(singular),
            "svd_total_variance": sum(variance),
            "top1_explained": shares[0],
            "grad_energy_fraction_toward_solution": sum((window @ ahead) ** 2) / sum(variance),
            "top1_energy_fraction_toward_solution": energy[0] / variance[0],
        }
        for metric, number in expected.items():
            check(value(tape, f"subspace_gradient_info/{metric}", run, epoch), number, 2e-3)


def test_subspace_gradient_info_cuts_its_spectrum(tmp_path: Path) -> None:
    hook = next(hook for hook in generic_hooks() if hook.name == "subspace_gradient_info")
    tape = taped(tmp_path, always(hook, window=3, components=2))
    plain = Run(tape, 0)
    window = np.array([plain.epoch_gradient(e) for e in (1, 2, 3)])
    leading = np.linalg.svd(window, compute_uv=False)[:2] ** 2
    check(value(tape, "subspace_gradient_info/svd_total_variance", 0, 3), sum(leading))
    share = leading[0] / sum(leading)
    check(value(tape, "subspace_gradient_info/top1_explained", 0, 3), share)


def test_phases(tape: Tape) -> None:
    for run, plain in runs_of(tape):
        sizes = [np.linalg.norm(plain.epoch_gradient(epoch)) for epoch in EPOCHS]
        embeddings = [
            pieces(plain.after[plain.steps(epoch)[-1]])["embedding.weight"] for epoch in EPOCHS
        ]
        for epoch in EPOCHS[1:]:
            found = {k: float(v[run]) for k, v in tape.snapshots[epoch].items()}
            change = np.linalg.norm(embeddings[epoch] - embeddings[epoch - 1])
            check(found["phases/embedding_change"], change)
            relative = change / np.linalg.norm(embeddings[epoch])
            check(found["phases/embedding_change_normalized"], relative)
            check(found["phases/grad_velocity"], sizes[epoch] - sizes[epoch - 1], 1e-3)
            if epoch > 1:
                bend = sizes[epoch] - 2 * sizes[epoch - 1] + sizes[epoch - 2]
                check(found["phases/grad_acceleration"], bend, 1e-2)


@pytest.mark.parametrize(
    ("accuracy", "code"),
    [(0, 0), (4.99, 0), (5, 1), (19.9, 1), (20, 2), (79, 2), (80, 3), (98.9, 3), (99, 4), (100, 4)],
)
def test_phase_code(accuracy: float, code: int) -> None:
    from versus.core.hooks.base import Context
    from versus.core.hooks.library.phases import _phase

    context: Any = Context(None, metrics={"test/accuracy": torch.tensor([accuracy / 100])})  # type: ignore[arg-type]
    assert _phase(context)["phase_code"].tolist() == [code]  # type: ignore[union-attr]
