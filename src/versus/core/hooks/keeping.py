"""What hooks keep from one call to the next, and across a resume."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from versus.core.hooks.base import Hook, HookSettings
from versus.core.hooks.measures import dot


class KeepingHook(Hook):
    """A hook whose state is some of its attributes; it draws no random numbers.

    Attributes:
        kept: names of the attributes that are saved: tensors, JSON values, lists of
            them, or a :class:`Window`. A tensor is replaced, never changed in place.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    draws = False

    def state_dict(self) -> dict[str, Any]:
        """The kept attributes by name."""
        return {name: _state(getattr(self, name)) for name in self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for name in self.kept:
            present = getattr(self, name)
            if isinstance(present, Window):
                present.load_state_dict(state[name])
            else:
                setattr(self, name, _copied(state[name]))


def _state(value: Any) -> Any:
    return value.state_dict() if isinstance(value, Window) else _copied(value)


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


class Window:
    """The last ``size`` vectors of each run and their inner products.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: list[Tensor] = []
        self.gram: Tensor | None = None

    def push(self, row: Tensor) -> Tensor:
        """Add one vector per run, (S, P); return all inner products, (S, n, n), oldest first."""
        self.rows = [*self.rows, row.clone()][-self.size :]
        products = torch.stack([dot(row, other) for other in self.rows], dim=-1)
        n = len(self.rows)
        gram = products.new_empty(*products.shape, n)
        if self.gram is not None and n > 1:
            gram[:, :-1, :-1] = self.gram[:, 1 - n :, 1 - n :]
        gram[:, -1, :] = gram[:, :, -1] = products
        self.gram = gram
        return gram

    def state_dict(self) -> dict[str, Any]:
        """Vectors and products."""
        return {"rows": list(self.rows), "gram": self.gram}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.rows, self.gram = list(state["rows"]), state["gram"]


class WindowHook(KeepingHook):
    """A hook that keeps vectors of the last times it looked.

    Attributes:
        window: as many of them as ``settings.window`` says.
    """

    kept = ("window",)

    def __init__(self, settings: HookSettings | None = None) -> None:
        super().__init__(settings)
        self.window = Window(self.settings.window)
