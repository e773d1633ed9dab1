"""Speed of decoding and of everything that is known of a frame, at 320x180 on one core.

Clips are drawn, encoded by libx264 and read back: decoded at 160x90, with the 611 weight-free
features and motion; colour distributions (3 levels, 16 directions, 32 bins) are told apart. Beside
it the time of drawing and of writing. Medians of process CPU time; the cache is not used.

    python benchmarks/dsn_features.py [--out benchmarks/results.json]
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import torch
from common import RESULTS, merge, row, say, side_by_side

from versus.experiments.dsn.data.animation.clips import Clip, clip
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.extraction import Extraction
from versus.experiments.dsn.data.video import chosen, decode, fitted, look, write

COMMAND = "python benchmarks/dsn_features.py"
SIZE = (320, 180)
CLIPS, TURNS = 3, 5
TARGETS = {"decode + features": 200.0, "drawing": 900.0}


def main() -> None:
    """Measure, print and merge the rates into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rates = _rates(Path(folder))
    for name, rate in rates.items():
        say(f"{name}: {rate:.0f} frames a second")
    rows = []
    for name, target in TARGETS.items():
        title = f"{name}, {SIZE[0]}x{SIZE[1]}, against {target:.0f} frames a second"
        rows.append(row("dsn", title, rates[name] / target, 1.0, COMMAND))
        say(f"{title}: {rows[-1]['ratio']}")
    merge(arguments.out, rows)


def _rates(folder: Path) -> dict[str, float]:
    """Frames a second of each part."""
    clips = _drawn()
    paths = [folder / f"{one.name}.mp4" for one in clips]
    frames = sum(len(one.frames) for one in clips)

    def written() -> None:
        for one, path in zip(clips, paths, strict=True):
            write(path, one.frames, 24)

    def extracted(colours: bool) -> None:
        config = Features.model_validate({"colours": {"enabled": colours}})
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            for path in paths:
                Extraction(config, DiskCache(Path(cache))).extract(look(path), path.name)

    written()
    say(f"on disk: {sum(path.stat().st_size for path in paths) / frames:.0f} bytes a frame")
    sides = {
        "drawing": _drawn,
        "encoding": written,
        "decode": lambda: [_decoded(path) for path in paths],
        "decode + features": lambda: extracted(False),
        "decode + features + colours": lambda: extracted(True),
    }
    return {name: frames / taken for name, taken in side_by_side(sides, TURNS, 1).items()}


def _drawn() -> list[Clip]:
    return [clip(0, "train", number, size=SIZE, difficulty=0.4) for number in range(CLIPS)]


def _decoded(path: Path) -> int:
    film = look(path)
    return sum(1 for _ in decode(film, chosen(film, 0), fitted(film, 160)))


if __name__ == "__main__":
    main()
