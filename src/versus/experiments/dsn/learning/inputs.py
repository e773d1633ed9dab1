"""Training sequences as minibatches, and the cache of what their rewards are measured by."""

from collections.abc import Mapping
from collections.abc import Sequence as Several
from typing import Any, NamedTuple

import torch
from torch import Tensor

from versus.experiments.dsn.batches import Batch, batch_of
from versus.experiments.dsn.data.cache import Recent
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.rewards import Prepared, Rewards


class Ready(NamedTuple):
    """A minibatch.

    Attributes:
        batch: padded sequences.
        rewards: of their selections.
    """

    batch: Batch
    rewards: Prepared


def on_device(sequences: Several[Sequence], device: torch.device) -> Batch:
    """Padded sequences on a device."""
    return Batch(*(tensor.to(device) for tensor in batch_of(sequences)))


class Inputs:
    """Minibatches of sequences.

    Random selections, against which a sequence's rewards are measured, cost most. They are measured
    for one sequence at a time, so that nothing depends on what else is in a minibatch or cached.

    Args:
        sequences: to learn from.
        rewards: what selections are rewarded for.
        device: where minibatches lie.
        limit: sequences that the cache holds.
    """

    def __init__(
        self, sequences: Several[Sequence], rewards: Rewards, device: torch.device, limit: int
    ) -> None:
        self._sequences, self._rewards, self._device = sequences, rewards, device
        self._cache = _Scales(limit)

    def ready(self, places: Several[int], *, counted: bool = False) -> Ready:
        """A minibatch.

        Args:
            places: numbers of its sequences.
            counted: whether the cache is used; observers leave it as it is.
        """
        batch = on_device([self._sequences[place] for place in places], self._device)
        scales = [self._scales(place, counted=counted) for place in places]
        return Ready(batch, self._rewards.prepare(batch, torch.cat(scales)))

    def _scales(self, place: int, *, counted: bool) -> Tensor:
        if counted:
            return self._cache.get(place, lambda: self._measured(place))
        return self._measured(place)

    def _measured(self, place: int) -> Tensor:
        return self._rewards.scales(on_device([self._sequences[place]], self._device))

    def use(self) -> dict[str, float]:
        """Use of the cache so far, by the seed document's names."""
        counts = self._cache.counts()
        told = {**counts._asdict(), "hit_rate": counts.hit_rate}
        return {f"cache/{name}": float(value) for name, value in told.items()}

    def state_dict(self) -> dict[str, Any]:
        """What was used and what is kept, without its values."""
        return self._cache.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned; the values are measured again."""
        self._cache.load(state, {place: self._measured(place) for place in state["kept"]})


class _Scales(Recent[Tensor]):
    """The scales of sequences, with a state that can be saved."""

    def state_dict(self) -> dict[str, Any]:
        return {"hits": self.hits, "misses": self.misses, "kept": list(self._values)}

    def load(self, state: Mapping[str, Any], values: Mapping[int, Tensor]) -> None:
        self.hits, self.misses = state["hits"], state["misses"]
        self._values.clear()
        self._values.update(values.items())
