"""Random numbers as functions of names, and the global random state as a value."""

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

# Third-party code draws from NumPy's legacy generator, so its state is kept and seeded as well.
# ruff: noqa: NPY002


def derive(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and on their order.

    Draws keyed by ``(seed, sample, step)`` do not depend on how many others were drawn before.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: int | str, device: str = "cpu") -> torch.Generator:
    """A torch generator seeded by :func:`derive`."""
    return torch.Generator(device=device).manual_seed(derive(*parts))


def global_state() -> dict[str, Any]:
    """State of Python's, NumPy's and torch's global generators: tensors and JSON values."""
    numpy: dict[str, Any] = dict(np.random.get_state(legacy=False))
    keys = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": {**numpy, "state": {"key": keys, "pos": numpy["state"]["pos"]}},
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_global_state(state: dict[str, Any]) -> None:
    """Put back what :func:`global_state` returned."""
    random.setstate(state["python"])
    numpy = state["numpy"]
    keys = numpy["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**numpy, "state": {"key": keys, "pos": numpy["state"]["pos"]}})
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def seed_global(*parts: int | str) -> None:
    """Seed Python's, NumPy's and torch's global generators by :func:`derive`."""
    seed = derive(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def preserved() -> Iterator[None]:
    """Leave the global random state as it was, whatever the block draws."""
    state = global_state()
    try:
        yield
    finally:
        restore_global_state(state)
