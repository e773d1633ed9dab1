"""Faulty videos, features and settings of dsn by the command line: one message, or they work."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.unit.dsn.staged import scene, unit_rows
from tests.unit.dsn.test_data_video import numbered, unusable
from versus import cli
from versus.core.paths import PARTIAL, read_json
from versus.experiments.dsn.data import extraction, shards
from versus.experiments.dsn.data.video import write

Image = npt.NDArray[np.uint8]
Settings = Callable[[Path], list[str]]
TRAIN = ["train", "dsn", "--profile", "smoke", "--no-tracking", "--quiet"]
OVERLAY = """
experiment: dsn
model: {hidden: 8, lstm_hidden: 4, heads: 2}
train: {epochs: 1, videos: 2, policy: {episodes: 3}}
seeds: 1
tuning_seeds: 1
data: {features: {colours: {levels: 1, directions: 2, bins: 8}}}
"""


@pytest.fixture(autouse=True)
def small(project: Path) -> Path:
    (project / "params" / "smoke" / "dsn.yaml").write_text(OVERLAY)
    return project


def shots(count: int, each: int = 20, height: int = 36, width: int = 64) -> Image:
    """Pictures that stand still between hard cuts."""
    rng = np.random.default_rng(count * each + width)
    coarse = rng.integers(0, 255, (count, -(-height // 4), -(-width // 4), 3))
    pictures = coarse.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    return pictures.repeat(each, 0).astype(np.uint8)


def three(folder: Path, frames: Image, ending: str = "mp4", **how: Any) -> list[str]:
    for name in "abc":
        write(folder / f"{name}.{ending}", frames, 24, **how)
    return ["--video_dir", str(folder)]


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a mistake."""
    assert cli.main([*TRAIN, *words]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = said.splitlines()
    return line


# --- what works -----------------------------------------------------------------------------------

WORKS: dict[str, Settings] = {
    "one scene each": lambda folder: three(folder, shots(1, 40)),
    "one frame each": lambda folder: three(folder, shots(1, 1)),
    "three frames each": lambda folder: [*three(folder, shots(3, 1)), "--min_scene_len", "1"],
    "ten bits": lambda folder: three(folder, shots(2), "mkv", pixels="yuv420p10le"),
    "odd sizes": lambda folder: three(folder, shots(2, height=35, width=61)),
    "turned": lambda folder: three(folder, shots(2), rotation=90),
    "two pixels": lambda folder: three(folder, shots(2, height=2, width=2), "mkv"),
    "all black": lambda folder: three(folder, shots(2) * 0),
    "scenes shorter than every window": lambda folder: [
        *three(folder, shots(8, 3)),
        *("--model_type", "advanced", "--num_scales", "4", "--min_scene_len", "3"),
        *("--data.scenes.threshold", "0.001", "--model.selection.gap", "10"),
    ],
    "budget larger than the scene": lambda folder: [
        *three(folder, shots(2)),
        *("--Bmin", "100", "--Bmax", "500"),
    ],
}


SHORT = ("one frame each", "budget larger than the scene", "scenes shorter than every window")
DRAWN = [(case, policy) for case in SHORT for policy in ("bernoulli", "spaced")]


@pytest.mark.parametrize(("case", "policy"), [*((case, "gumbel_topk") for case in WORKS), *DRAWN])
def test_unusual_videos_are_trained_on(
    project: Path, case: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = WORKS[case](project / "mine")
    assert cli.main([*TRAIN, *words, "--train.policy.kind", policy]) == 0, capsys.readouterr().err
    (data,) = (project / "runs" / "dsn" / "data").glob("*/")
    scenes = [one for split in ("train", "validation", "test") for one in shards.read(data, split)]
    assert {one.video for one in scenes} == {"a", "b", "c"}
    if case == "turned":
        assert read_json(data / "videos.json")["videos"][0]["height"] == 64
    if case == "scenes shorter than every window":
        assert min(len(one.picks) for one in scenes) < 2**3
    metrics = next((project / "runs" / "dsn").glob("*/results/metrics.csv")).read_text()
    assert "test/composite" in metrics
    assert "inf" not in metrics


def test_a_torn_video_is_used_as_far_as_it_goes_and_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 36, 64, 3)).astype(np.uint8)
    words = three(project / "mine", noise)
    torn = project / "mine" / "b.mp4"
    front = torn.with_name("b.avi")  # whose index is at the end, and is done without
    write(front, noise, 24, codec="mpeg4")
    torn.unlink()
    front.write_bytes(front.read_bytes()[: front.stat().st_size // 2])
    (project / "mine" / "d.mp4").write_bytes(b"")
    assert cli.main([w for w in [*TRAIN, *words] if w != "--quiet"]) == 0
    said = capsys.readouterr()
    assert "1 videos could not be used: d.mp4" in said.out + said.err
    (index,) = (project / "runs" / "dsn" / "data").glob("*/videos.json")
    frames = {one["name"]: one["frames"] for one in read_json(index)["videos"]}
    assert frames["a"] == 60
    assert 20 < frames["b"] < 40


def test_a_file_without_permission_is_left_out_and_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a user other than root, who may read everything."""
    words = three(project / "mine", shots(1))
    write(project / "mine" / "locked.mp4", shots(1), 24)

    def refusing(opened: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any, *rest: Any, **more: Any) -> Any:
            if str(path).endswith("locked.mp4"):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return opened(path, *rest, **more)

        return refuse

    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(av, "open", refusing(av.open))
    assert cli.main([w for w in [*TRAIN, *words] if w != "--quiet"]) == 0
    said = capsys.readouterr()
    assert "1 videos could not be used: locked.mp4" in said.out + said.err
    (index,) = (project / "runs" / "dsn" / "data").glob("*/videos.json")
    (skipped,) = read_json(index)["skipped"]
    assert "Permission denied" in skipped["reason"]


# --- what is refused ------------------------------------------------------------------------------


def layout(folder: Path, features: np.ndarray, facts: str = "") -> list[str]:
    """Scenes in the seed's layout, of which the second one is not like the others."""
    for name in "ac":
        scene(folder / name / "scene_0000", unit_rows(20), pictures=False)
    odd = scene(folder / "b" / "scene_0000", features, pictures=False)
    if facts:
        (odd / "meta.json").write_text(facts)
    return ["--dataset_root", str(folder), "--w_ms", "0"]


def bad(kind: str) -> Settings:
    def words(folder: Path) -> list[str]:
        folder.mkdir()
        unusable(folder, kind)
        return ["--video_dir", str(folder)]

    return words


def empty(folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "notes.txt").write_text("no video")
    return ["--video_dir", str(folder)]


def two(folder: Path) -> list[str]:
    words = three(folder, shots(1))
    (folder / "c.mp4").unlink()
    return words


NOT_FINITE = np.where(np.arange(20)[:, None] == 3, np.nan, unit_rows(20)).astype(np.float32)
REFUSED: dict[str, tuple[Settings, tuple[str, ...]]] = {
    "no videos": (empty, ("data.videos.folder: mine holds no video", "put some there")),
    "no folder": (lambda folder: ["--video_dir", "gone"], ("received 'gone'", "name one that")),
    "cut short": (bad("torn"), ("mine/torn.mp4: cannot be read", "replace it or take it out")),
    "no bytes": (bad("empty"), ("mine/empty.mp4: cannot be read", "replace it")),
    "no video": (bad("text"), ("mine/text.mp4: cannot be read", "replace it")),
    "sound": (bad("sound"), ("mine/sound.mp4: holds sound and no pictures", "take it out")),
    "no frames": (bad("without frames"), ("without frames.mp4: cannot be read", "replace it")),
    "too few": (two, ("has 2 video(s)", "none for validation; put at least 3", "(0.15)")),
    "extractor": (
        lambda folder: ["--data.features.extractor", "vgg"],
        ("data.features.extractor", "'classic', 'clip' or 'dinov2'", "received 'vgg'"),
    ),
    "seed's extractor": (lambda folder: ["--extractor", "vgg"], ("legacy.extractor", "'vgg'")),
    "no commit": (
        lambda folder: [*three(folder, shots(1)), "--extractor", "clip"],
        ("data.features.revision", "40 hexadecimal digits, received ''"),
    ),
    "NaN": (
        lambda folder: layout(folder, NOT_FINITE),
        ("mine/b/scene_0000/feats.npy: features hold NaN", "make it again"),
    ),
    "width": (
        lambda folder: layout(folder, unit_rows(20, 8)),
        ("different widths: ", "8 (b, scene 0)", "extract all with one extractor"),
    ),
    "facts": (
        lambda folder: layout(folder, unit_rows(20), '{"sampled_start": -5}'),
        ("mine/b/scene_0000/meta.json: sampled_start", "received -5; mend it"),
    ),
    "no facts": (
        lambda folder: layout(folder, unit_rows(20), "[1]"),
        ("meta.json: the file", "received [1]; mend it"),
    ),
    "colours": (
        lambda folder: [*layout(folder, unit_rows(20))[:2]],
        ("train.rewards.weights.color_swd", "set it to 0"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    project: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, wanted = REFUSED[case]
    line = told(make(project / "mine"), capsys)
    assert line.startswith("error: ")
    assert [part for part in wanted if part not in line] == [], line
    assert list(project.rglob(f"*{PARTIAL}*")) == []
    data = project / "runs" / "dsn" / "data"
    assert case == "colours" or [p for p in data.rglob("*") if p.is_file()] == list(
        data.glob(".*.lock")
    )


def test_features_that_are_not_finite_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither are they kept: a mended extractor makes them anew."""
    words = three(project / "mine", numbered(20))
    with monkeypatch.context() as patch:
        nan = lambda images: np.full((len(images), 4), np.nan, np.float32)  # noqa: E731
        patch.setattr(extraction, "extractor", lambda config: nan)
        assert "a.mp4: its features hold NaN" in told(
            [*words, "--data.scenes.detector", "none"], capsys
        )
    assert cli.main([*TRAIN, *words, "--data.scenes.detector", "none"]) == 0


def test_a_model_refuses_features_of_another_width(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = project / "out"
    assert cli.main([*TRAIN, *layout(project / "mine", unit_rows(20)), "--out", str(out)]) == 0
    for name in "abc":
        np.save(project / "mine" / name / "scene_0000" / "feats.npy", unit_rows(20, 8))
    capsys.readouterr()
    model = str(out / "models" / "default")
    fresh = ["--data.videos.fingerprint", ""]
    assert cli.main(["evaluate", "dsn", "--path", model, *fresh]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "16" in said, said
    assert "8" in said, said
