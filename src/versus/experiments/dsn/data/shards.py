"""Sequences on disk: for each split a safetensors file of all rows, and an index.

What is read is a view of the file, mapped into memory: the system loads what is looked at, and may
forget it again, so that a split can be larger than memory.
"""

import itertools
from collections.abc import Mapping
from collections.abc import Sequence as Several
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from versus.core.errors import DataError
from versus.core.paths import read_json, replacing, shown, write_json
from versus.experiments.dsn.data.config import SPLITS
from versus.experiments.dsn.data.features import colours
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence

FOLDER = "sequences"
ARRAYS = ("picks", "times", "features", "motion", "colours")
ROWS = 4096
"""Rows whose numbers are looked at together."""


def write(folder: Path, split: str, sequences: Several[Sequence], about: Mapping[str, Any]) -> None:
    """Write the sequences of a split.

    Args:
        folder: of the data.
        split: its name.
        sequences: what to write, with features of one width.
        about: told in the index, such as ``extractor``.

    Raises:
        DataError: if the folder cannot be written.
    """
    arrays = {name: np.ascontiguousarray(_rows(sequences, name)) for name in ARRAYS}
    with replacing(_file(folder, split, ".safetensors")) as temporary:
        temporary.write_bytes(save(arrays))
    lengths = [len(sequence.picks) for sequence in sequences]
    starts = [0, *itertools.accumulate(lengths)][:-1]
    listed = [
        {**_facts(one), "start": start, "rows": rows}
        for one, start, rows in zip(sequences, starts, lengths, strict=True)
    ]
    index = {**about, "motion": list(COLUMNS), "sequences": listed}
    write_json(_file(folder, split, ".json"), index)


def read(folder: Path, split: str) -> list[Sequence]:
    """The sequences of a split; none where the data have no such split.

    Args:
        folder: of the data.
        split: ``train``, ``validation``, ``test`` or ``test_style``.

    Raises:
        DataError: if there are no such data, or they are torn or not finite.
    """
    if split not in SPLITS:
        raise DataError(f"split: there is no {split!r}; choose one of {', '.join(SPLITS)}")
    index, path = about(folder, split), _file(folder, split, ".safetensors")
    try:
        with safe_open(path, "pt") as file:
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{shown(path)}: not readable ({error}); remove {shown(folder)} and prepare the data "
            "again"
        ) from error
    for name in ("features", "motion"):
        if not all(bool(part.isfinite().all()) for part in arrays[name].split(ROWS)):
            raise DataError(f"{shown(path)}: {name} hold NaN or infinity; extract them again")
    return [_sequence(one, arrays) for one in index["sequences"]]


def about(folder: Path, split: str) -> dict[str, Any]:
    """The index of a split: ``extractor``, names of the columns of motion, and the sequences.

    Raises:
        DataError: if there are no such data.
    """
    found: dict[str, Any] = read_json(_file(folder, split, ".json"))
    return found


def _file(folder: Path, split: str, ending: str) -> Path:
    return folder / FOLDER / f"{split}{ending}"


def _rows(sequences: Several[Sequence], name: str) -> npt.NDArray[Any]:
    parts = [np.asarray(getattr(one, name)) for one in sequences]
    if name == "colours":
        parts = [_whole(part) for part in parts]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _whole(part: npt.NDArray[Any]) -> colours.Fractions:
    whole = part if part.dtype == np.uint16 else (part * colours.WHOLE).round()
    return whole.astype(np.uint16, copy=False)


def _facts(one: Sequence) -> dict[str, Any]:
    keys = None if one.keys is None else [int(key) for key in one.keys]
    own = {"video": one.video, "scene": one.scene, "fps": one.fps, "span": list(one.span)}
    return {**own, "keys": keys, "holds": [list(hold) for hold in one.holds]}


def _sequence(facts: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Sequence:
    rows = slice(facts["start"], facts["start"] + facts["rows"])
    keys = facts["keys"]
    return Sequence(
        video=facts["video"],
        scene=facts["scene"],
        fps=facts["fps"],
        span=(facts["span"][0], facts["span"][1]),
        picks=arrays["picks"][rows].numpy(),
        times=arrays["times"][rows].numpy(),
        features=arrays["features"][rows],
        motion=arrays["motion"][rows],
        colours=arrays["colours"][rows],
        keys=None if keys is None else np.array(keys, np.int64),
        holds=tuple((first, last) for first, last in facts["holds"]),
    )
