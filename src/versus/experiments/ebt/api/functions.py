"""The seed document's functions, with its arguments and defaults.

What they call epochs are gradient steps (``num_epochs``). Training data alone train, validation
data choose the weights, test data are measured once at the end. Nothing is tracked or kept on disk
unless asked for.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch.utils.data import Dataset, TensorDataset

from versus.core.display import Display
from versus.core.errors import TrainingError
from versus.experiments.ebt.api.asking import (
    EBT,
    FFN,
    KINDS,
    ArgumentError,
    by_argument,
    comparison_of,
    examples_of,
    merged,
    named,
    section,
    threads_kept,
)
from versus.experiments.ebt.api.running import run, train_on
from versus.experiments.ebt.api.trained import EnergyFunction, Feedforward
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.console import sizes_of
from versus.experiments.ebt.data import listops
from versus.experiments.ebt.data.stages import draw_task
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.vectors.measuring import seen_name

Datasets = tuple[TensorDataset, TensorDataset, TensorDataset, int, int]


def create_synthetic_data(
    task: str = "add",
    size_train: int = 10_000,
    size_val: int = 256,
    size_test: int = 256,
    vec_size: int = 10,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Datasets:
    """Training, validation and test examples of a task.

    Vectors: inputs (n, 2 vec_size), training and validation in [-1, 1], test in [-2, 2]; answers
    (n, vec_size). ListOps: tokens (n, 50 vec_size) and values (n,) from 0 to 9, int64, the test
    from the range of the training.

    Args:
        task: add, multiply, subtract, listops, or one of your own (see :mod:`.ebt.data.tasks`).
        size_train: training examples.
        size_val: validation examples.
        size_test: test examples.
        vec_size: length of either vector.
        device: where the tensors lie.
        seed: equal seeds give equal examples.

    Returns:
        The three datasets, and how many numbers a model takes and gives.

    Raises:
        ArgumentError: a ConfigError and a ValueError, if an argument is wrong.
    """
    data = section(task, vec_size, size_train, size_val, size_test, shifts=(2,))
    comparison = comparison_of(data, {}, seed, device)
    with named(), threads_kept():
        place = comparison.use_torch()
        parts = _parts(comparison, task, seed)
    train, val, test = (TensorDataset(*(t.to(place) for t in part)) for part in parts)
    return train, val, test, *sizes_of(comparison.data, task)


def _parts(comparison: Comparison, task: str, seed: int) -> list[tuple[torch.Tensor, ...]]:
    if task == LISTOPS:
        return list(listops.tensors(comparison.data, seed).values())
    drawn = draw_task(comparison.data, task, seed)
    return [tuple(drawn[part]) for part in ("train", "val", seen_name(comparison))]


def train_energy_model(
    train_dataset: Dataset[Any],
    val_dataset: Dataset[Any],
    test_dataset: Dataset[Any],
    input_dim: int,
    output_dim: int,
    n_optimization_steps: int = 10,
    step_size: float = 1,
    latent_dim: int = 128,
    batch_size: int = 64,
    num_epochs: int = 10_000,
    lr: float = 1e-3,
) -> EnergyFunction:
    """Train an energy whose descent answers; ``num_epochs`` are gradient steps.

    Args:
        train_dataset: inputs (n, input_dim) and answers (n, output_dim).
        val_dataset: likewise; its error chooses the weights.
        test_dataset: likewise; measured once, at the end.
        input_dim: numbers of an input, 2 output_dim.
        output_dim: numbers of an answer.
        n_optimization_steps: steps of the descent.
        step_size: of a step of the descent.
        latent_dim: width of the hidden layers.
        batch_size: examples per gradient step.
        num_epochs: gradient steps.
        lr: step size of Adam.

    Raises:
        ArgumentError: if an argument is wrong.
        TrainingError: if the training diverges, with the inner step and the step size.
    """
    values = (n_optimization_steps, step_size, latent_dim, batch_size, num_epochs, lr)
    settings = dict(zip(EBT, values, strict=True))
    sets = (train_dataset, val_dataset, test_dataset)
    return cast(EnergyFunction, train_on("ebt", settings, sets, input_dim, output_dim))


def train_feedforward(
    train_dataset: Dataset[Any],
    val_dataset: Dataset[Any],
    test_dataset: Dataset[Any],
    input_dim: int,
    output_dim: int,
    latent_dim: int = 128,
    batch_size: int = 128,
    num_epochs: int = 50_000,
    lr: float = 1e-4,
) -> Feedforward:
    """Train a network that answers in one pass; see :func:`train_energy_model`."""
    settings = dict(zip(FFN, (latent_dim, batch_size, num_epochs, lr), strict=True))
    sets = (train_dataset, val_dataset, test_dataset)
    return cast(Feedforward, train_on("ffn", settings, sets, input_dim, output_dim))


def test_energy_model(
    energy_fn: EnergyFunction,
    n_optimization_steps: int,
    step_size: float,
    test_dataset: Dataset[Any] | None = None,  # noqa: PT028 (it is no test of pytest's)
) -> float:
    """Mean squared error after a descent.

    Args:
        energy_fn: a trained energy.
        n_optimization_steps: steps of the descent.
        step_size: of a step.
        test_dataset: inputs and answers; None = those that the energy was trained with.

    Raises:
        ArgumentError: if an argument is wrong.
        TrainingError: if the descent diverges, with the inner step and the step size.
    """
    data = energy_fn.test_data
    if test_dataset is not None:
        d = energy_fn.settings.data.vec_size
        data = examples_of("test_dataset", test_dataset, 2 * d, d)
    if data is None:
        raise ArgumentError("test_dataset: the energy comes without test data; received None")
    x, y = data
    with named():
        try:
            found = energy_fn.predict(x, n_optimization_steps, step_size)
        except TrainingError as diverged:
            raise TrainingError(by_argument(str(diverged))) from diverged
    return float((found - y).square().mean())


def run_main(
    task: str = "add",
    vec_size: int = 10,
    size_train: int = 10_000,
    size_val: int = 256,
    size_test: int = 256,
    model_type: Literal["ebt", "ffn", "both"] = "both",
    ebt_config: Mapping[str, Any] | None = None,
    ffn_config: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    device: torch.device | str = "auto",
    track: bool = False,
    verbose: bool = True,
) -> dict[str, dict[str, Any]]:
    """Make data, train one or both models, and compare them out of distribution.

    Args:
        task: add, multiply, subtract, listops, or one of your own (see :mod:`.ebt.data.tasks`).
        vec_size: length of either vector; ListOps expressions have at most 50 times as many tokens.
        size_train: training examples.
        size_val: validation examples.
        size_test: examples of every test set.
        model_type: what is trained.
        ebt_config: settings of the energy model that differ from the seed document's: arguments of
            :func:`train_energy_model` from ``n_optimization_steps`` on.
        ffn_config: likewise, of :func:`train_feedforward` from ``latent_dim`` on.
        seed: of data and weights.
        device: where to train; auto = CUDA if present.
        track: keep the results in the project's ``runs`` and send them to MLflow, like
            ``versus train``; otherwise nothing remains.
        verbose: print what the seed document prints.

    Returns:
        ``ebt`` and ``ffn``, as many as were trained, each with ``model`` (a torch module),
        ``test_mse`` and ``val_mse`` (``test_error`` and ``val_error`` of ListOps; infinite if the
        model has diverged), ``config``, ``history`` (an entry per evaluation), ``shift_curve``
        (range -> error), ``step_curve`` (in and out of range: steps of the descent -> error),
        ``seconds``, ``mlflow_run_id`` (None without ``track``) and ``data_hash``.

    Raises:
        ArgumentError: a ConfigError and a ValueError, if an argument is wrong.
        TrainingError: if all models diverge, with the inner step and the step size.
    """
    wanted = [*KINDS] if model_type == "both" else [model_type]
    if not set(wanted) <= set(KINDS):
        raise ArgumentError(
            f"model_type: choose of {', '.join(KINDS)} and both; received {model_type!r}"
        )
    settled = {
        "ebt": merged("ebt_config", EBT, ebt_config),
        "ffn": merged("ffn_config", FFN, ffn_config),
    }
    data = section(task, vec_size, size_train, size_val, size_test)
    asked = {name: settled[name] for name in wanted}
    comparison = comparison_of(data, asked, seed, device)
    with named():
        found = run(comparison, track, Display(mode="normal" if verbose else "none"))
    return {name: {**found[KINDS[name]], "config": asked[name]} for name in wanted}
