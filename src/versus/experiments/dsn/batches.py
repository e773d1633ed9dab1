"""Sequences of unequal length side by side."""

from collections.abc import Sequence as Several
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from versus.experiments.dsn.data.features import colours
from versus.experiments.dsn.data.sequences import Sequence


class Batch(NamedTuple):
    """Padded sequences.

    Attributes:
        features: ``[B, T, D]``, zero at padding.
        motion: ``[B, T, M]``, zero at padding.
        mask: ``[B, T]``, True where there is a frame.
        gram: cosine of the features, ``[B, T, T]``, zero at padding.
        colours: ``[B, T, levels, directions, bins]``, zero at padding; maybe without elements.
        times: seconds, ``[B, T]``, zero at padding.
    """

    features: Tensor
    motion: Tensor
    mask: Tensor
    gram: Tensor
    colours: Tensor
    times: Tensor


def colours_of(one: Sequence) -> Tensor:
    """Distribution functions of its colours as numbers from 0 to 1, float32."""
    if one.colours.dtype != torch.uint16:
        return one.colours
    return torch.from_numpy(colours.shares(one.colours.numpy()))


def batch_of(sequences: Several[Sequence]) -> Batch:
    """Pad sequences to the longest of them."""
    lengths = torch.tensor([len(one.picks) for one in sequences])
    features = pad_sequence([one.features for one in sequences], batch_first=True)
    return Batch(
        features=features,
        motion=pad_sequence([one.motion for one in sequences], batch_first=True),
        mask=torch.arange(int(lengths.max())) < lengths[:, None],
        gram=features @ features.transpose(1, 2),
        colours=pad_sequence([colours_of(one) for one in sequences], batch_first=True),
        times=pad_sequence([torch.from_numpy(one.times).float() for one in sequences], True),
    )
