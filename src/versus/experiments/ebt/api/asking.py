"""Arguments of the Python interface: what they become as settings, and what is refused."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import Dataset, TensorDataset

from versus.core import config as configs
from versus.core.errors import ConfigError
from versus.core.examples import Examples
from versus.experiments.ebt.config import ALIASES, Comparison

EBT: Mapping[str, Any] = {
    "n_optimization_steps": 10,
    "step_size": 1,
    "latent_dim": 128,
    "batch_size": 64,
    "num_epochs": 10_000,
    "lr": 1e-3,
}
FFN: Mapping[str, Any] = {"latent_dim": 128, "batch_size": 128, "num_epochs": 50_000, "lr": 1e-4}
"""The seed document's settings."""
KINDS = {"ebt": "energy", "ffn": "ffn"}
NAMES = {key: name for name, key in reversed(list(ALIASES.items()))}
"""Key of the settings -> the argument that it comes from."""
BLOCK = 250
"""Most steps between two lines of a training."""


class ArgumentError(ConfigError, ValueError):
    """An argument of the Python interface is wrong."""


@contextlib.contextmanager
def named() -> Iterator[None]:
    """What is wrong with the settings, told by the names of the arguments.

    Raises:
        ArgumentError: instead of a ConfigError.
    """
    try:
        yield
    except ConfigError as error:
        raise ArgumentError(by_argument(str(error))) from error


def by_argument(message: str) -> str:
    """The message with arguments' names instead of keys."""
    for key, name in NAMES.items():
        pattern = rf"{re.escape(key)}\b" if "." in key else rf"^{key}(?=:)"
        message = re.sub(pattern, name, message, flags=re.MULTILINE)
    return re.sub(r"^Comparison: ", "", message, flags=re.MULTILINE)


def merged(argument: str, known: Mapping[str, Any], given: Mapping[str, Any] | None) -> Any:
    """The known settings with those given instead.

    Raises:
        ArgumentError: for a setting that there is not.
    """
    for key in given or {}:
        if key not in known:
            raise ArgumentError(
                f"{argument}: there is no {key!r}; known are {', '.join(known)}; "
                f"received {(given or {})[key]!r}"
            )
    return {**known, **(given or {})}


def section(
    task: str, vec_size: int, size_train: int, size_val: int, size_test: int, **more: Any
) -> dict[str, Any]:
    """The settings' section ``data``."""
    sizes = {"size_train": size_train, "size_val": size_val, "size_test": size_test}
    return {"tasks": (task,), "vec_size": vec_size, **sizes, **more}


def comparison_of(
    data: Mapping[str, Any],
    configs_of: Mapping[str, Mapping[str, Any]],
    seed: int = 0,
    device: torch.device | str = "auto",
) -> Comparison:
    """The comparison of the models asked for, checked.

    Args:
        data: the section ``data``.
        configs_of: ``ebt`` and ``ffn``, as many as wanted -> their settings, by argument.
        seed: the only one.
        device: where to train.

    Raises:
        ArgumentError: naming what is wrong.
    """
    tree = {
        "experiment": "ebt",
        "seeds": [seed],
        "device": str(device),
        "data": data,
        "variants": {KINDS[name]: _arm(name, given) for name, given in configs_of.items()},
        "train": {"preset": "seed"},
        "checkpoint": {"every": 0, "epochs": 1},
        "log": {"every": 0},
    }
    with named():
        comparison = configs.validate(Comparison, tree)
        comparison.expand()
        with threads_kept():
            comparison.use_torch()
    return comparison


def _arm(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    steps = given["num_epochs"]
    block = min(BLOCK, max(1, steps // 2)) if isinstance(steps, int) else BLOCK
    tree = {"model": {"kind": KINDS[name]}, "train": {"block": block}}
    for key, value in given.items():
        tree = configs.merge(tree, configs.nested(ALIASES[key], value))
    return tree


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Leave torch's number of threads as the caller has it."""
    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)


def examples_of(name: str, dataset: Dataset[Any], input_dim: int, output_dim: int) -> Examples:
    """Inputs (n, input_dim) and answers (n, output_dim) of a dataset, float32.

    Raises:
        ArgumentError: if they are not numbers of that shape, or there are none.
    """
    if not isinstance(dataset, TensorDataset) or len(dataset.tensors) != 2:
        raise ArgumentError(
            f"{name}: expected a TensorDataset of inputs and answers, as create_synthetic_data "
            f"makes them, received {type(dataset).__name__}"
        )
    sizes = {"inputs": input_dim, "answers": output_dim}
    for (what, size), tensor in zip(sizes.items(), dataset.tensors, strict=True):
        _check(f"{name}: {what}", tensor, size)
    return Examples(*(tensor.float() for tensor in dataset.tensors))


def _check(what: str, tensor: torch.Tensor, size: int) -> None:
    if not tensor.is_floating_point():
        raise ArgumentError(
            f"{what} must be vectors of float32, received {tensor.dtype}; convert them with "
            ".float(), or train on ListOps with run_main(task='listops')"
        )
    if tensor.ndim != 2 or tensor.shape[1] != size or not len(tensor):
        raise ArgumentError(
            f"{what} must have shape (n, {size}) with n > 0, received {tuple(tensor.shape)}; "
            "input_dim and output_dim are what create_synthetic_data returns"
        )
    if not bool(tensor.isfinite().all()):
        rows = (~tensor.isfinite()).any(1).nonzero()[:, 0].tolist()
        raise ArgumentError(
            f"{what} must be finite, received {tensor[rows[0]].tolist()!r:.60} in row {rows[0]}; "
            "leave such rows out"
        )
