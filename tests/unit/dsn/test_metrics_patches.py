"""MS-SWD of He et al. against a slow computation of the same from SciPy's parts."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import ndimage, stats

from versus.core.errors import DataError
from versus.experiments.dsn.metrics import patches
from versus.experiments.dsn.metrics.patches import Picture, described, distance, lab, ms_swd_patch

Array = npt.NDArray[np.float64]


def picture(seed: int, height: int = 84, width: int = 90) -> Picture:
    """Smooth blobs of colour."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (6, 6, 0))
    return np.asarray(255 * (0.5 + 0.4 * smooth / np.abs(smooth).max()), dtype=np.uint8)


def slow_lab(rgb: Array) -> Array:
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / [0.9505, 1.0, 1.089]
    cubic = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(cubic, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def slow_distance(one: Picture, other: Picture, count: int) -> float:
    """The first ``count`` directions, patch by patch."""
    weights = patches.directions()[:count].double().numpy()
    levels, found = [one / 255.0, other / 255.0], []
    for _ in range(patches.LEVELS):
        projected = []
        for level in levels:
            padded = np.pad(slow_lab(level), ((5, 5), (5, 5), (0, 0)), mode="reflect")
            windows = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(0, 1))
            projected.append(np.einsum("hwcij,kcij->khw", windows, weights).reshape(count, -1))
        pairs = zip(*projected, strict=True)
        found.append(np.mean([stats.wasserstein_distance(a, b) for a, b in pairs]))
        taps = np.array([1, 4, 6, 4, 1]) / 16
        for axis in (0, 1):
            levels = [ndimage.correlate1d(x, taps, axis=axis, mode="mirror") for x in levels]
        levels = [level[::2, ::2] for level in levels]
    return float(np.mean(found))


def test_the_distance_is_that_of_the_paper() -> None:
    one, other = picture(1), picture(2)
    few = [[level[:4] for level in described(p)] for p in (one, other)]
    assert distance(*few) == pytest.approx(slow_distance(one, other, 4), rel=2e-3)
    assert distance(*few) > 0.5


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1.0, 1.0, 1.0), (100, 0, 0)),
        ((0.0, 0.0, 0.0), (0, 0, 0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_lab_of_known_colours(
    rgb: tuple[float, float, float], expected: tuple[float, float, float]
) -> None:
    found = lab(torch.tensor(rgb)[None, :, None, None])[0, :, 0, 0]
    assert found.tolist() == pytest.approx(expected, abs=0.05)


def test_a_pair_has_one_distance_and_a_picture_none_to_itself() -> None:
    one, other = picture(1), picture(2)
    assert distance(described(one), described(one)) == 0
    assert distance(described(one), described(other)) == distance(described(one), described(other))
    assert distance(described(one), described(other)) == distance(described(other), described(one))


def test_frames_count_to_the_nearest_key() -> None:
    one, two, three = (picture(n) for n in (1, 2, 3))
    a, b = described(one), described(two)
    third = described(three)
    expected = (0 + 0 + min(distance(a, third), distance(b, third))) / 3
    assert ms_swd_patch([one, two, three], [two, one]) == pytest.approx(expected)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="90x80; it needs 81"):
        described(picture(1, height=80))
    with pytest.raises(DataError, match="different sizes"):
        distance(described(picture(1)), described(picture(1, height=85)))
