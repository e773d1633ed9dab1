"""The cache: made once, by content, whole or not at all, under threads and processes."""

import errno
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from versus.core.errors import DataError
from versus.experiments.dsn.data import extraction
from versus.experiments.dsn.data.cache import Arrays, Counts, DiskCache, Recent
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.extraction import Extraction
from versus.experiments.dsn.data.features import classic, motion
from versus.experiments.dsn.data.video import look, write

KEY = {"content": "abc", "version": 1}


def five() -> Arrays:
    return {"values": np.full(3, 5.0)}


def never() -> Arrays:
    raise AssertionError("made although it was there")


def test_an_entry_is_made_once_and_found_by_others(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    assert cache.get(KEY, five)["values"].tolist() == [5, 5, 5]
    assert cache.get(KEY, never)["values"].tolist() == [5, 5, 5]
    assert cache.counts() == Counts(hits=1, misses=1, size=1)
    assert cache.counts().hit_rate == 0.5
    other = DiskCache(tmp_path)
    other.get(KEY, never)
    assert other.counts() == Counts(hits=1, misses=0, size=1)


@pytest.mark.parametrize("change", [{"content": "abd"}, {"version": 2}, {"more": None}])
def test_other_content_code_or_settings_are_another_entry(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    cache = DiskCache(tmp_path)
    cache.get(KEY, lambda: {"values": np.zeros(1)})
    assert cache.get({**KEY, **change}, five)["values"][0] == 5
    assert cache.counts().misses == 2


@pytest.mark.parametrize("keep", [0, 5, -1])
def test_a_torn_entry_is_made_again(tmp_path: Path, keep: int) -> None:
    cache = DiskCache(tmp_path)
    cache.get(KEY, lambda: {"values": np.zeros(100)})
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:keep])
    half = path.with_name(f".{path.name}.partial-of-a-killed-process")
    half.touch()
    assert cache.get(KEY, five)["values"][0] == 5
    assert not half.exists()
    assert cache.get(KEY, never)["values"][0] == 5


def test_threads_that_want_the_same_wait_for_one(tmp_path: Path) -> None:
    cache, made = DiskCache(tmp_path), []

    def slow() -> Arrays:
        made.append(threading.get_ident())
        time.sleep(0.05)
        return five()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(KEY, slow)["values"][0], range(8)))
    assert found == [5] * 8
    assert len(made) == 1
    assert cache.counts() == Counts(hits=7, misses=1, size=1)


def _ask(folder: Path, log: Path) -> None:
    def noted() -> Arrays:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return five()

    for number in range(5):
        assert DiskCache(folder).get({"number": number}, noted)["values"][0] == 5


def test_processes_that_want_the_same_wait_for_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    workers = [context.Process(target=_ask, args=(tmp_path / "cache", log)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(log.read_text().splitlines()) == 5


def test_the_most_recent_values_are_kept_in_memory() -> None:
    recent: Recent[int] = Recent(2)
    made: list[str] = []

    def make(name: str) -> int:
        made.append(name)
        return len(name)

    for name in ("a", "bb", "a", "ccc", "a", "bb"):
        assert recent.get(name, lambda name=name: make(name)) == len(name)  # type: ignore[misc]
    assert made == ["a", "bb", "ccc", "bb"]
    assert recent.counts() == Counts(hits=2, misses=4, size=2)


def test_nothing_is_kept_where_the_limit_is_zero() -> None:
    recent: Recent[int] = Recent(0)
    assert [recent.get("a", lambda: 1) for _ in range(2)] == [1, 1]
    assert recent.counts() == Counts(hits=0, misses=2, size=0)


def test_values_in_memory_are_made_once_by_many_threads() -> None:
    """Of as many as are kept; counts add up, and nobody gets another one's value."""
    recent: Recent[int] = Recent(4)
    made: list[int] = []
    asked = [number % 4 for number in range(400)]

    def slow(number: int) -> int:
        made.append(number)
        time.sleep(0.002)
        return number * number

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: recent.get(n, lambda: slow(n)), asked))
    assert found == [number * number for number in asked]
    assert sorted(made) == [0, 1, 2, 3]
    assert recent.counts() == Counts(hits=396, misses=4, size=4)


# --- extraction -----------------------------------------------------------------------------------


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (50, 36, 64, 3)).astype(np.uint8)
    write(path, frames, 24)
    return path


def test_pieces_join_to_what_one_piece_gives(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, found = look(video), []
    for piece in (256, 7):
        monkeypatch.setattr(extraction, "PIECE", piece)
        cache = DiskCache(tmp_path / str(piece))
        found.append(Extraction(Features(fps=12), cache).extract(film, "x"))
    whole, pieces = found
    assert whole.picks.tolist() == list(range(0, 50, 2))
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-6)
    assert (whole.changes[1:, motion.PLAIN] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(whole.features, axis=1), 1, atol=1e-5)


def test_an_interrupted_extraction_continues_where_it_stopped(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after three pieces; the next extraction computes the other five."""
    monkeypatch.setattr(extraction, "PIECE", 7)
    film, folder = look(video), tmp_path / "cache"
    written: list[Path] = []
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return write_bytes(path, content)

    stopped = Extraction(Features(), DiskCache(folder))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="free disk space"):
        stopped.extract(film, "x")
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    seen: list[int] = []

    def counted(images: Any) -> Any:
        seen.append(len(images))
        return classic.classic(images)

    monkeypatch.setattr(extraction, "extractor", lambda config: counted)
    cache = DiskCache(folder)
    resumed = Extraction(Features(), cache).extract(film, "x")
    assert seen == [7, 7, 7, 7, 1]
    assert cache.counts() == Counts(hits=3, misses=5, size=8)
    whole = Extraction(Features(), DiskCache(tmp_path / "other")).extract(film, "x")
    for one, other in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_killed_extraction_continues_where_it_stopped(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "PIECE", 7)
    film, folder = look(video), tmp_path / "cache"

    def stuck(images: Any) -> Any:
        time.sleep(60 if DiskCache(folder).counts().size == 3 else 0)
        return classic.classic(images)

    monkeypatch.setattr(extraction, "extractor", lambda config: stuck)
    child = os.fork()
    if not child:
        Extraction(Features(), DiskCache(folder)).extract(film, "x")
        os._exit(0)
    until = time.monotonic() + 60
    while DiskCache(folder).counts().size < 3 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    monkeypatch.setattr(extraction, "extractor", lambda config: classic.classic)
    cache = DiskCache(folder)
    resumed = Extraction(Features(), cache).extract(film, "x")
    assert cache.counts() == Counts(hits=3, misses=5, size=8)
    assert len(resumed.picks) == 50


def test_other_settings_are_extracted_again(video: Path, tmp_path: Path) -> None:
    cache, film = DiskCache(tmp_path / "cache"), look(video)
    for settings in ({}, {"longest_side": 32}, {"fps": 6}, {"colours": {"bins": 8}}):
        Extraction(Features.model_validate(settings), cache).extract(film, "x")
    assert cache.counts() == Counts(hits=0, misses=4, size=4)
    Extraction(Features(batch=7), cache).extract(film, "x")
    Extraction(Features(), cache).extract(film, "y")
    assert cache.counts() == Counts(hits=1, misses=5, size=5)


def test_features_that_are_not_finite_are_refused(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = lambda images: np.full((len(images), 4), np.nan, np.float32)  # noqa: E731
    monkeypatch.setattr(extraction, "extractor", lambda config: nan)
    cache = DiskCache(tmp_path / "cache")
    with pytest.raises(DataError, match=r"clip\.mp4: its features hold NaN"):
        Extraction(Features(), cache).extract(look(video), "x")
    assert cache.counts().size == 0


def test_threads_may_extract_the_same_video(video: Path, tmp_path: Path) -> None:
    """Each has an extraction of its own, and all share the cache."""
    film, cache = look(video), DiskCache(tmp_path / "shared")
    alone = Extraction(Features(), DiskCache(tmp_path / "alone")).extract(film, "x")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: Extraction(Features(), cache).extract(film, "x"), range(8)))
    for one in found:
        for values, expected in zip(one, alone, strict=True):
            np.testing.assert_array_equal(values, expected)
    assert cache.counts().size == 1
