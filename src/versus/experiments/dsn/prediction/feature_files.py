"""Feature files: what is known of a video's frames, as ``.npz``, with who made it.

::

    features   [T, D] float    what each kept frame looks like, rows of norm 1
    picks      [T] int         its number in the video, increasing
    times      [T] float       when it is shown, in seconds
    scenes     [S, 2] int      spans of frames, end exclusive; without them the video is one scene
    fps        number          frame rate of the video
    motion     [T, M] float    how it moves; only for models that read motion
    extractor  text            JSON: name, version, model and longest_side of the extractor
"""

import json
import zipfile
from collections.abc import Mapping
from collections.abc import Sequence as Several
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from versus.core.errors import DataError
from versus.core.paths import replacing, shown
from versus.experiments.dsn.data.sequences import Sequence

ENDING = ".npz"
NEEDED = ("features", "picks", "times", "fps", "extractor")
Arrays = Mapping[str, npt.NDArray[Any]]


class FeatureFile(NamedTuple):
    """What a file holds.

    Attributes:
        scenes: of the video, in their order.
        extractor: who made the features.
    """

    scenes: list[Sequence]
    extractor: dict[str, Any]


def write(path: Path, scenes: Several[Sequence], extractor: Mapping[str, Any]) -> None:
    """Write the scenes of one video.

    Raises:
        DataError: if the file cannot be written.
    """
    arrays = {
        "features": np.concatenate([one.features.numpy() for one in scenes]),
        "motion": np.concatenate([one.motion.numpy() for one in scenes]),
        "picks": np.concatenate([one.picks for one in scenes]),
        "times": np.concatenate([one.times for one in scenes]),
        "scenes": np.array([one.span for one in scenes]),
        "fps": np.array(scenes[0].fps),
        "extractor": np.array(json.dumps(dict(extractor), sort_keys=True)),
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(path: Path, *, motion: bool) -> FeatureFile:
    """Read a feature file; nothing in it is run.

    Args:
        path: the file.
        motion: whether motion is needed.

    Raises:
        DataError: if it is missing, torn, or not such a file.
    """
    arrays = _arrays(path)
    needed = (*NEEDED, "motion") if motion else NEEDED
    if missing := [name for name in needed if name not in arrays]:
        raise _unfit(path, f"holds no {', '.join(missing)}; it holds {', '.join(sorted(arrays))}")
    try:
        return FeatureFile(_scenes(path, arrays, motion=motion), _extractor(arrays["extractor"]))
    except (ValueError, TypeError, KeyError) as error:
        raise _unfit(path, str(error)) from error


def _arrays(path: Path) -> Arrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            if not isinstance(held, np.lib.npyio.NpzFile):
                raise _unfit(path, "is a single array")
            return dict(held)
    except FileNotFoundError as error:
        raise DataError(f"{shown(path)}: no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise _unfit(path, str(error)) from error


def _unfit(path: Path, reason: str) -> DataError:
    return DataError(
        f"{shown(path)}: is no feature file ({reason}); write it with "
        "versus.experiments.dsn.prediction.feature_files.write"
    )


def _extractor(given: npt.NDArray[Any]) -> dict[str, Any]:
    found = json.loads(str(given))
    if not isinstance(found, dict) or not {"name", "version"} <= found.keys():
        raise ValueError(f"extractor: expected name and version, received {str(given)[:80]!r}")
    return found


def _scenes(path: Path, arrays: Arrays, *, motion: bool) -> list[Sequence]:
    features = np.asarray(arrays["features"], np.float32)
    picks, times = np.asarray(arrays["picks"], np.int64), np.asarray(arrays["times"], np.float64)
    moved = np.asarray(arrays["motion"], np.float32) if motion else np.zeros((len(picks), 0), "f4")
    _check(features, picks, times, moved)
    spans = arrays.get("scenes", np.array([[picks[0], picks[-1] + 1]]))
    found = []
    for number, (start, end) in enumerate(np.asarray(spans, np.int64).reshape(-1, 2).tolist()):
        rows = slice(*np.searchsorted(picks, [start, end]).tolist())
        if not len(picks[rows]):
            continue
        found.append(
            Sequence(
                video=path.name,
                scene=number,
                fps=float(arrays["fps"]),
                span=(start, end),
                picks=picks[rows],
                times=times[rows],
                features=torch.from_numpy(features[rows]),
                motion=torch.from_numpy(moved[rows]),
                colours=torch.zeros(len(picks[rows]), 0, 0, 0),
                keys=None,
                holds=(),
            )
        )
    if not found:
        raise ValueError(f"scenes: no frame lies in one of {np.asarray(spans).tolist()!s:.80}")
    return found


def _check(
    features: npt.NDArray[np.float32],
    picks: npt.NDArray[np.int64],
    times: npt.NDArray[np.float64],
    motion: npt.NDArray[np.float32],
) -> None:
    rows: Arrays = {"features": features, "times": times, "motion": motion}
    if picks.ndim != 1 or not len(picks) or (np.diff(picks) <= 0).any():
        raise ValueError(f"picks: expected increasing numbers of frames, received {picks.shape}")
    if features.ndim != 2 or motion.ndim != 2 or times.ndim != 1:
        raise ValueError(f"features {features.shape}, times {times.shape}, motion {motion.shape}")
    for name, own in rows.items():
        if len(own) != len(picks):
            raise ValueError(f"{name}: {len(own)} rows for {len(picks)} picks")
        if not np.isfinite(own).all():
            raise ValueError(f"{name}: NaN or infinity")
