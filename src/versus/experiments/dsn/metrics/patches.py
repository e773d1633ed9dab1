"""MS-SWD of He et al., a distance of two pictures that looks at patches and not at pixels alone.

He, Wang, Wang, Liu, Fang, Sun, Ma: Multiscale Sliced Wasserstein Distances as Perceptual Color
Difference Measures (ECCV 2024). At each level of a Gaussian pyramid, patches of CIELAB values are
projected on random directions; the mean difference of the sorted projections is their Wasserstein
distance; levels are averaged. Their code draws other directions in every call, so that one pair of
pictures has many distances. Here directions are fixed.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Several

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as f

from versus.core import seeding
from versus.core.errors import DataError

Picture = npt.NDArray[np.uint8]
"""RGB, ``[H, W, 3]``."""
LEVELS, DIRECTIONS, SIDE = 5, 128, 11
_BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
# IEC 61966-2-1: linear RGB to XYZ, each row divided by the white point D65.
_XYZ = torch.tensor(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_RELATIVE_XYZ = _XYZ / _XYZ.sum(1, keepdim=True)


def directions(count: int = DIRECTIONS) -> Tensor:
    """Unit vectors of patches, ``[count, 3, 11, 11]``: the same in every call."""
    shape = (count, 3 * SIDE * SIDE)
    drawn = torch.randn(shape, generator=seeding.generator("ms_swd_patch", count))
    return f.normalize(drawn, dim=1).view(count, 3, SIDE, SIDE)


def lab(rgb: Tensor) -> Tensor:
    """CIELAB (D65) of sRGB values in [0, 1]; channels are the second dimension of ``[N, 3, ...]``.

    Source: CIE 15:2004 with the transfer function of IEC 61966-2-1.
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("ij,nj...->ni...", _RELATIVE_XYZ.to(rgb), linear)
    edge = 6 / 29
    roots = xyz.clamp_min(edge**3) ** (1 / 3)
    x, y, z = torch.where(xyz > edge**3, roots, xyz / (3 * edge**2) + 4 / 29).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def pyramid(rgb: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """Halved again and again, each time smoothed by the binomial filter of five taps.

    Args:
        rgb: ``[N, 3, H, W]``.
        levels: with ``rgb`` itself.
    """
    kernel = (_BINOMIAL[:, None] * _BINOMIAL).expand(3, 1, 5, 5).to(rgb)
    found = [rgb]
    for _ in range(levels - 1):
        padded = f.pad(found[-1], (2, 2, 2, 2), mode="reflect")
        found.append(f.conv2d(padded, kernel, stride=2, groups=3))
    return found


def described(picture: Picture) -> list[Tensor]:
    """Sorted projections of the patches of a picture, per level ``[128, pixels]`` float32.

    Raises:
        DataError: if the picture is too small for patches on the coarsest level.
    """
    height, width = picture.shape[:2]
    least = (SIDE // 2) * 2 ** (LEVELS - 1) + 1
    if min(height, width) < least:
        raise DataError(
            f"MS_SWD_patch: a picture of {width}x{height}; it needs {least} pixels on both sides"
        )
    rgb = torch.tensor(picture).permute(2, 0, 1)[None].float() / 255
    return [_projected(lab(level)) for level in pyramid(rgb)]


def _projected(level: Tensor) -> Tensor:
    padded = f.pad(level, (SIDE // 2,) * 4, mode="reflect")
    return f.conv2d(padded, directions())[0].flatten(1).sort(1).values


def distance(one: Several[Tensor], other: Several[Tensor]) -> float:
    """MS-SWD of two pictures of the same size, from :func:`described`.

    Raises:
        DataError: if the sizes differ.
    """
    if [level.shape for level in one] != [level.shape for level in other]:
        raise DataError("MS_SWD_patch: two pictures of different sizes; resize them to one size")
    levels = [(a - b).abs().mean() for a, b in zip(one, other, strict=True)]
    return float(torch.stack(levels).mean())


def ms_swd_patch(pictures: Iterable[Picture], chosen: Several[Picture]) -> float:
    """Mean distance of pictures to the nearest chosen one.

    Pictures are described one at a time; chosen ones are kept, 128 x 4/3 float32 per pixel each
    (10 MB at 160x90). A picture of that size takes about 0.2 s.

    Args:
        pictures: frames of a video, all of one size.
        chosen: key frames, at least one.

    Raises:
        DataError: if sizes differ or are too small.
    """
    keys = [described(key) for key in chosen]
    far = [min(distance(own, key) for key in keys) for own in map(described, pictures)]
    return float(np.mean(far))
