"""How frames move: what changes from row to row, and what a model is told of it.

:func:`changes` looks at pixels, once for every file. :func:`motion` makes the columns of a scene of
them; nothing of another scene enters but the mean by which all scenes of the video are scaled.
"""

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.sequences import FloatArray

VERSION = 2
Floats = npt.NDArray[np.float32]
PLAIN, STEADY, SHIFT, LIGHT = range(4)
CHANGES = 4
"""Columns of :func:`changes`."""
COLUMNS = (
    "change",  # smoothed change of the pixels, in units of the video's mean
    "change_rank",  # its rank within the scene: 0 stillest, 1 liveliest
    "steady",  # the same as change where the camera's shift and the light are taken out
    "steady_rank",
    "look",  # smoothed change of the features, in units of the video's mean
    "look_rank",
    "turn_near",  # whether what comes after goes back on what came before: 0 goes on, 1 returns
    "turn_far",  # the same over a longer time
    "plateau",  # rows to the nearest livelier row, on both sides, log scale
    "shift",  # how fast the camera moves, in shares of the picture's width per row, times 10
    "light",  # change of the mean brightness
)
"""Columns of :func:`motion`."""
SIDE = 64
"""Longest side of what changes are measured on, in pixels."""
SMOOTH = 1.0
"""Standard deviation of the smoothing, in rows."""
GAINS = (0.5, 2.0)
"""Smallest and largest change of the light from one row to the next that is taken out."""
NEAR, FAR = 4, 9
"""Rows before and after that a turn looks at."""
LIVELY = 0.5
"""Change, in units of the video's mean, below which a row is part of a plateau."""


def small_grey(frames: Image) -> Floats:
    """Brightness of small pictures, ``[N, h, w]``, from 0 to 1."""
    scale = min(1.0, SIDE / max(frames.shape[1:3]))
    size = max(2, round(frames.shape[2] * scale)), max(2, round(frames.shape[1] * scale))
    shrunk = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in shrunk]
    return np.asarray(np.stack(grey) / 255, np.float32)


def changes(grey: Floats, before: Floats | None) -> Floats:
    """What changes from each row's predecessor to it.

    Args:
        grey: small pictures, ``[N, h, w]``.
        before: the picture before the first one, if any.

    Returns:
        ``[N, 4]``: mean change of the pixels; the same with shift and light taken out; shift in
        shares of the width; change of the mean. The first row is zero if nothing is before it.
    """
    rows = np.zeros((len(grey), CHANGES), np.float32)
    window = np.asarray(cv2.createHanningWindow(grey.shape[:0:-1], cv2.CV_32F), np.float32)
    for number, now in enumerate(grey):
        if before is not None:
            rows[number] = _change(before, now, window)
        before = now
    return rows


def _change(before: Floats, now: Floats, window: Floats) -> tuple[float, float, float, float]:
    plain = float(np.abs(now - before).mean())
    if plain == 0:
        return 0.0, 0.0, 0.0, 0.0
    height, width = now.shape
    (x, y), _ = cv2.phaseCorrelate(before * window, now * window)  # with a window it writes to both
    x, y = (float(np.clip(v, -side / 4, side / 4)) for v, side in ((x, width), (y, height)))
    steady = min(_residual(before, now, x, y), _residual(before, now, 0.0, 0.0))
    return plain, steady, float(np.hypot(x, y)) / width, float(abs(now.mean() - before.mean()))


def _residual(before: Floats, now: Floats, x: float, y: float) -> float:
    """Mean change where both pictures show the scene, after the shift and a change of the light.

    Light is a gain and an offset, by least squares; a gain above 1 is not taken for more movement.
    """
    height, width = now.shape
    if x or y:
        moved = np.array([[1, 0, x], [0, 1, y]])
        shifted = cv2.warpAffine(before, moved, (width, height), flags=cv2.INTER_LINEAR)
        before = np.asarray(shifted, np.float32)
    # Of a picture that is two pixels high, half a pixel of shift would leave nothing.
    left = min(int(np.ceil(abs(x))), (width - 1) // 2)
    top = min(int(np.ceil(abs(y))), (height - 1) // 2)
    seen = slice(top, height - top), slice(left, width - left)
    first, second = (picture[seen] - picture[seen].mean() for picture in (before, now))
    power = float((first * first).sum())
    gain = float(np.clip((first * second).sum() / power, *GAINS)) if power > 0 else 1.0
    return float(np.abs(second - gain * first).mean()) / max(1.0, gain)


def motion(rows: Floats, features: Floats, mean: FloatArray) -> Floats:
    """What a model is told of how a scene moves.

    Args:
        rows: changes, ``[T, 4]``; what the first row has changed since another scene is ignored.
        features: of the frames, ``[T, D]``.
        mean: means of plain change, steady change and change of the features over the video,
            ``[3]``: see :func:`scale`.

    Returns:
        ``[T, len(COLUMNS)]``: see :data:`COLUMNS`.
    """
    look = _steps(features)
    three = (rows[1:, PLAIN], rows[1:, STEADY], look)
    levels = [_smoothed(steps) / unit for steps, unit in zip(three, mean.tolist(), strict=True)]
    pairs = [column for level in levels for column in (level, _rank(level))]
    turns = [_turn(features, reach) for reach in (NEAR, FAR)]
    shift = np.tanh(10 * _smoothed(rows[1:, SHIFT]))
    light = np.tanh(10 * _smoothed(rows[1:, LIGHT]))
    return np.stack([*pairs, *turns, _plateau(levels[1]), shift, light], 1).astype(np.float32)


def scale(rows: Floats, features: Floats, starts: list[int]) -> FloatArray:
    """Means over the video of what :func:`motion` divides by; steps into a new scene do not count.

    Args:
        rows: changes of the whole video, ``[N, 4]``.
        features: ``[N, D]``.
        starts: first row of every scene.
    """
    inside = np.setdiff1d(np.arange(1, len(rows)), starts) - 1
    steps = np.stack([rows[1:, PLAIN], rows[1:, STEADY], _steps(features)], 1)[inside]
    means = steps.mean(0, dtype=np.float64) if len(steps) else np.ones(3)
    return np.where(means > 0, means, 1.0)


def _steps(features: Floats) -> Floats:
    return np.asarray(np.linalg.norm(np.diff(features, axis=0), axis=1))


def _smoothed(steps: Floats) -> FloatArray:
    """Mean of the steps to both neighbours, smoothed over the rows, ``[T]``."""
    if not len(steps):
        return np.zeros(1)
    both = (np.append(steps, steps[-1]) + np.append(steps[:1], steps)) / 2
    return np.asarray(gaussian_filter1d(both.astype(np.float64), SMOOTH, mode="nearest"))


def _rank(level: FloatArray) -> FloatArray:
    order = np.argsort(np.argsort(level, kind="stable"), kind="stable")
    return order / max(1, len(level) - 1)


def _turn(features: Floats, reach: int) -> FloatArray:
    """Half of one minus the cosine of the way to a row and the way on; 0.5 where neither is."""
    rows = np.arange(len(features))
    came = features - features[np.maximum(rows - reach, 0)]
    goes = features[np.minimum(rows + reach, len(rows) - 1)] - features
    size = np.linalg.norm(came, axis=1) * np.linalg.norm(goes, axis=1)
    cosine = (came * goes).sum(1) / np.where(size > 1e-6, size, 1)
    return np.asarray(0.5 - 0.5 * cosine)


def _plateau(level: FloatArray) -> FloatArray:
    """Logarithm of the distance to the next lively row, 0 where the row is lively itself."""
    rows, lively = np.arange(len(level)), level >= LIVELY
    last = np.maximum.accumulate(np.where(lively, rows, -1))
    following = np.minimum.accumulate(np.where(lively, rows, len(rows))[::-1])[::-1]
    return np.asarray(np.log1p(np.minimum(rows - last, following - rows)) / 3)
