"""Video files: numbers and times of frames at every rate, odd files, and every mistake."""

import resource
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from versus.core.errors import DataError
from versus.experiments.dsn.data.video import chosen, decode, fitted, look, write

Image = npt.NDArray[np.uint8]


def numbered(count: int, height: int = 36, width: int = 64) -> Image:
    """Frames whose number can be read off their picture, through any encoder: eight bright bits."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        for bit in range(8):
            if number >> bit & 1:
                left = bit * width // 8
                frames[number, :, left : left + width // 8] = 230
    return frames


def number_in(image: Image) -> int:
    """The number that a picture shows."""
    columns = np.array_split(image[..., 1].mean(0), 8)
    return sum(1 << bit for bit, part in enumerate(columns) if np.median(part) > 115)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize(
    ("fps", "wanted", "step"),
    [(30, 20, 2), (24, 6, 4), (24000 / 1001, 10, 2), (24, 0, 1), (24, 60, 1), (25, 25, 1)],
)
def test_rows_know_their_frame_at_an_even_rate(
    path: Path, fps: float, wanted: float, step: int
) -> None:
    """The numbers that the pictures show are the numbers that are told."""
    write(path, numbered(100), fps)
    film = look(path)
    picks = chosen(film, wanted)
    assert picks.tolist() == list(range(0, 100, step))
    found = list(decode(film, picks))
    assert [number for number, _ in found] == picks.tolist()
    assert [number_in(image) for _, image in found] == picks.tolist()
    np.testing.assert_allclose(film.times, np.arange(100) / fps, atol=1e-4)
    assert film.fps == pytest.approx(fps, rel=1e-4)
    assert not film.varies


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_at_a_varying_rate_frames_are_chosen_by_time(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"clip.{ending}"
    gaps = np.random.default_rng(0).choice([1 / 24, 1 / 8, 1 / 48], 59)
    times = np.concatenate([[0.0], gaps.cumsum()])
    write(path, numbered(60), 24, times=times.tolist())
    film = look(path)
    assert film.varies
    np.testing.assert_allclose(film.times, times, atol=2e-3)
    picks = chosen(film, 10)
    for moment in np.arange(0, times[-1], 0.1):
        on_screen = np.flatnonzero(film.times <= moment + 1e-6)[-1]
        assert on_screen in picks
    assert len(picks) <= times[-1] * 10 + 2
    assert [number_in(image) for _, image in decode(film, picks)] == picks.tolist()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 160, 3)).astype(np.uint8)
    frames = np.concatenate([noise[:40] // 4, numbered(60, 90, 160)])
    for name in ("one.mp4", "two.mp4"):
        write(tmp_path / name, frames, 24)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize(
    ("codec", "ending", "pixels"),
    [("libx264", "mkv", "yuv420p10le"), ("libvpx-vp9", "webm", ""), ("mpeg4", "avi", "")],
)
def test_other_encoders_containers_and_ten_bits(
    tmp_path: Path, codec: str, ending: str, pixels: str
) -> None:
    path = tmp_path / f"clip.{ending}"
    write(path, numbered(30), 24, codec=codec, pixels=pixels)
    film = look(path)
    assert film.fps == pytest.approx(24, rel=0.01)
    shown = [number_in(image) for _, image in decode(film, chosen(film, 12))]
    assert shown == list(range(0, 30, 2))


def test_frames_are_turned_as_a_player_shows_them(path: Path) -> None:
    frames = np.zeros((3, 36, 64, 3), np.uint8)
    frames[:, :18, :32, 0] = 240
    write(path, frames, 24, rotation=90)
    film = look(path)
    assert (film.width, film.height) == (36, 64)
    ((_, image),) = decode(film, np.array([1]))
    corners = image[::63, ::35, 0] > 100
    assert image.shape == (64, 36, 3)
    assert corners.tolist() == [[False, False], [True, False]]  # top left went to bottom left


def test_odd_sizes_are_kept(path: Path) -> None:
    write(path, numbered(3, 35, 61), 24)
    film = look(path)
    assert [image.shape for _, image in decode(film, np.arange(3))] == [(35, 61, 3)] * 3


def test_pictures_fit_the_longest_side_and_are_never_enlarged(path: Path) -> None:
    write(path, numbered(2), 24)
    film = look(path)
    assert fitted(film, 32) == (32, 18)
    assert fitted(film, 640) == (64, 36)
    ((_, image),) = decode(film, np.array([1]), (32, 18))
    assert image.shape == (18, 32, 3)


def test_a_file_of_one_frame_is_a_video(path: Path) -> None:
    write(path, numbered(1), 24)
    film = look(path)
    assert film.times.tolist() == [0.0]
    assert chosen(film, 6).tolist() == [0]


def test_of_a_torn_file_what_is_there_is_read(path: Path) -> None:
    """Its index is in front, so the beginning can be played."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        noise = np.random.default_rng(0).integers(0, 255, (60, 36, 64, 3)).astype(np.uint8)
        for image in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    film = look(path)
    assert film.missing > 5
    assert len(film.times) + film.missing == 60
    numbers = [number for number, _ in decode(film, chosen(film, 0))]
    assert len(numbers) >= len(film.times) - 2


def unusable(folder: Path, kind: str) -> Path:
    """A file that is no video."""
    path = folder / f"{kind}.mp4"
    if kind == "torn":
        write(path, numbered(30), 24)
        path.write_bytes(path.read_bytes()[:-400])
    elif kind == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=44100)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
            sound.sample_rate = 44100
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
    elif kind == "without frames":
        write(path, numbered(0), 24)
    else:
        path.write_bytes(b"" if kind == "empty" else b"not a video" * 100)
    return path


@pytest.mark.parametrize("kind", ["torn", "sound", "without frames", "empty", "text"])
def test_what_is_no_video_is_refused_by_name_with_a_remedy(tmp_path: Path, kind: str) -> None:
    path = unusable(tmp_path, kind)
    with pytest.raises(DataError, match=rf"{kind}\.mp4: .*(replace it|take it out)"):
        look(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.mp4: cannot be read"):
        look(tmp_path / "gone.mp4")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files cannot grow beyond a few bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_no_file(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 36, 64, 3)).astype(np.uint8)
    with pytest.raises(DataError, match="free disk space"):
        write(path, noise, 24)
    assert list(path.parent.iterdir()) == []
