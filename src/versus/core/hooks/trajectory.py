"""The weights after every epoch, appended to one file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from versus.core.hooks.base import Context, Hook


class Trajectory(Hook):
    """Keeps the weights of all runs before training and after every epoch, as float32 rows.

    Args:
        path: file that grows by (S, P) numbers per epoch; cut back to the checkpoint on resume.
    """

    draws = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []

    def on_train_start(self, context: Context) -> None:
        """The initial weights, unless the training is resumed."""
        if not self.epochs:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"")
            self._append(0, context.values)

    def on_epoch_end(self, context: Context) -> None:
        """The weights after the epoch."""
        self._append(context.epoch + 1, context.values)

    def _append(self, epoch: int, values: Tensor) -> None:
        with self.path.open("ab") as file:
            file.write(values.float().cpu().numpy().tobytes())
        self.epochs.append(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The epochs kept so far, which are now forced to disk."""
        if not self.epochs:
            return {"epochs": [], "bytes": 0}
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        return {"epochs": list(self.epochs), "bytes": self.path.stat().st_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Cut the file back to what the checkpoint covers."""
        self.epochs = list(state["epochs"])
        if self.epochs:
            os.truncate(self.path, state["bytes"])

    def read(self, runs: int) -> Tensor:
        """What was kept of a stack of S runs, (epochs, S, P)."""
        rows = torch.frombuffer(bytearray(self.path.read_bytes()), dtype=torch.float32)
        return rows.view(len(self.epochs), runs, -1)
