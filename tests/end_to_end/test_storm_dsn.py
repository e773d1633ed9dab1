"""The experiment dsn in the fault storm: clips, own videos, scenes, features, training, verdict."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.contract import faults
from tests.contract.storm import FaultStorm, Verb, outcome
from versus.experiments.dsn.data.extraction import Extraction
from versus.experiments.dsn.data.video import write

OVERLAY = """
experiment: dsn
seeds: 2
tuning_seeds: 2
device: cpu
data:
  generated: {train: 3, validation: 1, test: 1, test_style: 1, width: 48, height: 32}
  features: {colours: {levels: 1, directions: 2, bins: 8}}
model: {kind: advanced, hidden: 8, lstm_hidden: 4, heads: 2, layers: 1, scales: 2, dropout: 0.1}
train: {epochs: 2, videos: 2, cache_size: 2, advantage: critic, policy: {episodes: 3}}
variants:
  holds: {model: {rule: holds}}
  default: {}
compare: {baseline: holds}
checkpoint: {every: 1}
"""
SUITE = """
experiment: dsn
models: [models:/dsn-scorer@candidate]
metrics: [F1, RecErr]
promotion: {metric: score, direction: maximize}
"""
SMOKE = ("--profile", "smoke", "--quiet")
OWN = ("--data.source", "videos", "--data.videos.folder", "mine")
DATA = ("generate", "scenes", "features", "split")
LATER = ("data", "train", "compare", "evaluate")


class TestDsnStorm(FaultStorm):
    """A rule and a scorer with its critic, two seeds, two epochs; dropout and a small cache."""

    experiment: ClassVar = "dsn"
    overlay: ClassVar = OVERLAY
    suite: ClassVar = SUITE
    kills: ClassVar = 3
    real_kills: ClassVar = 1
    stormed: ClassVar = (
        "stage ingest",
        *(f"stage {name}" for name in (*DATA, *LATER)),
    )

    @pytest.fixture(autouse=True)
    def _warm(self) -> None:
        """Own videos, and what takes seconds in every process, before forking."""
        from scenedetect import FrameTimecode
        from scipy import stats

        assert all((FrameTimecode, stats))
        rng = np.random.default_rng(0)
        for number in range(4):
            halves = rng.integers(0, 255, (2, 32, 48, 3)).astype(np.uint8).repeat(20, 0)
            write(self.root / "mine" / f"{number}.mp4", halves, 24)

    @property
    def verbs(self) -> dict[str, Verb]:
        """The stages, of which each needs those before it."""
        ingest = {"stage ingest": Verb(("stage", "dsn", "ingest", *SMOKE, *OWN))}
        return {**ingest, **self.in_order(*DATA), **self.in_order(*LATER)}

    @pytest.fixture
    def extracted(self, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A file with a line for every piece of a video that is extracted."""
        log, piece = self.root.parent / "extracted", Extraction._piece

        def noted(self: Extraction, lead: int, frames: list[Any]) -> Any:
            with log.open("a") as file:
                file.write(f"{len(frames)} {float(frames[-1][1].mean())}\n")
            return piece(self, lead, frames)

        monkeypatch.setattr(Extraction, "_piece", noted)
        return log

    @pytest.mark.slow
    @pytest.mark.parametrize("own", [False, True])
    def test_a_full_disk_while_extracting(self, own: bool, extracted: Path) -> None:
        """One message; the same command goes on, and extracts no finished video again."""
        more = OWN if own else ()
        first = ("stage", "dsn", "ingest" if own else "generate", *SMOKE, *more)
        verb = Verb(("stage", "dsn", "features", *SMOKE, *more), (first,))
        self.prepare(verb)
        moments = self.must(verb.words, lambda _: None, databases=False)
        expected, videos = outcome(self.root), Counter(extracted.read_text().splitlines())
        assert len(videos) >= 4
        stopped = set()
        for part in (2, 4, 6):
            self.restore()
            extracted.write_text("")
            moment = part * moments // 8
            assert self.run(verb.words, faults.disk_full_from(moment), databases=False) == 2
            text = self.log.read_text()
            assert "No space left" in text, text
            assert "free disk space" in text, text
            assert "Traceback" not in text, text
            kept = len(list((self.root / "runs/dsn/cache").glob("*/[!.]*.safetensors")))
            before = extracted.read_text().splitlines()
            self.completes(verb, expected, f"disk full from moment {moment} of {moments}")
            after = extracted.read_text().splitlines()[len(before) :]
            assert Counter(before[:kept]) + Counter(after) == videos
            stopped.add(kept)
        assert len(stopped) > 1
        assert max(stopped) > 0
