"""Files from a hub: pinned, resumed, checked, and every failure with its remedy."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.unit.reoac.hub_server import REVISION, Hub
from versus.core.errors import ConfigError, DataError
from versus.core.experiment import find
from versus.core.paths import read_json
from versus.core.stages import prepare
from versus.experiments.reoac.config import Comparison

ROWS = [{"question": f"What is {n} + 1?", "answer": f"It is\n#### {n + 1}"} for n in range(400)]
REPO = "some/problems"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with 300 problems to train on and 100 to test on."""
    files = {}
    for name, rows in {"main/train.parquet": ROWS[:300], "main/test.parquet": ROWS[300:]}.items():
        path = tmp_path / Path(name).name
        pd.DataFrame(rows).to_parquet(path)
        files[name] = path.read_bytes()
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("versus.experiments.reoac.data.hub.PAUSE", 0)
    monkeypatch.setattr("versus.experiments.reoac.data.hub.CHUNK", 100)
    hub = Hub(REPO, files)
    with hub.serving():
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def asked(**changes: Any) -> Comparison:
    settings = {
        "repo": REPO,
        "revision": REVISION,
        "train": ["main/train.parquet"],
        "test": ["main/test.parquet"],
        **changes,
    }
    data = {"source": "huggingface", "gsm8k": {"hub": settings}}
    return Comparison.model_validate({"experiment": "reoac", "data": data})


def fetch(folder: Path, **changes: Any) -> str:
    return prepare(find("reoac"), asked(**changes), folder, "data-gsm8k")


def gets(hub: Hub) -> list[str | None]:
    """The ranges of the GET requests for the training file."""
    return [r.range for r in hub.requests if r.method == "GET" and "train" in r.path]


def left(tmp_path: Path) -> list[Path]:
    """What lies in the cache of the training file, locks aside."""
    cache = tmp_path / "project" / ".cache"
    return [p for p in cache.rglob("train*") if p.is_file() and p.suffix != ".lock"]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_the_bytes_of_the_hub_are_kept_and_read(
    hub: Hub, tmp_path: Path, small: bool, apart: bool
) -> None:
    hub.small, hub.apart = small, apart
    folder = tmp_path / "data"
    digest = fetch(folder)
    for name, content in hub.files.items():
        assert (folder / "raw" / "gsm8k" / name).read_bytes() == content
    manifest = read_json(folder / "data-gsm8k.manifest.json")
    content = hub.files["main/train.parquet"]
    assert manifest["files"]["raw/gsm8k/main/train.parquet"] == hashlib.sha256(content).hexdigest()
    assert manifest["facts"]["data-gsm8k"]["rows"] == {"train": 300, "test": 100}
    assert not any(request.authorized for request in hub.requests)
    # Once here, nothing is asked again.
    hub.requests.clear()
    assert fetch(tmp_path / "again") == digest
    assert hub.requests == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.cut = 2
    fetch(tmp_path / "data")
    assert gets(hub) == [None, "bytes=1000-", "bytes=2000-"]
    name = "main/train.parquet"
    assert (tmp_path / "data" / "raw" / "gsm8k" / name).read_bytes() == hub.files[name]


def test_a_download_that_failed_is_continued_by_the_next_command(hub: Hub, tmp_path: Path) -> None:
    hub.cut, hub.dead = 1, True
    with pytest.raises(DataError, match=r"cannot be fetched .*what has arrived is kept in .cache"):
        fetch(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    (partial,) = left(tmp_path)
    assert partial.stat().st_size == 1000
    hub.dead = False
    hub.requests.clear()
    fetch(tmp_path / "data")
    assert gets(hub) == ["bytes=1000-"]


def test_damaged_bytes_are_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.spoil = True
    with pytest.raises(DataError, match=r"some/problems main/train\.parquet: damaged on the way"):
        fetch(tmp_path / "data")
    assert left(tmp_path) == []
    hub.spoil = False
    fetch(tmp_path / "data")


def test_a_file_that_decayed_here_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "data")
    kept = next(p for p in left(tmp_path) if p.suffix == ".parquet")
    kept.write_bytes(b"decayed")
    fetch(tmp_path / "again")
    assert kept.read_bytes() == hub.files["main/train.parquet"]


def test_a_pinned_checksum_is_held_against_the_file(hub: Hub, tmp_path: Path) -> None:
    right = hashlib.sha256(hub.files["main/train.parquet"]).hexdigest()
    fetch(tmp_path / "data", sha256={"main/train.parquet": right})
    with pytest.raises(DataError, match=r"has not the SHA-256 0+ of data\.gsm8k\.hub\.sha256"):
        fetch(tmp_path / "other", sha256={"main/train.parquet": "0" * 64})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"revision": "f" * 40}, r"no commit f+; set data\.gsm8k\.hub\.revision"),
        ({"repo": "some/other"}, r"no such public data set; correct data\.gsm8k\.hub\.repo"),
        ({"train": ["main/no.parquet"]}, r"holds no such file; correct data\.gsm8k\.hub\.train"),
    ],
)
def test_what_the_hub_has_not_is_named(
    hub: Hub, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        fetch(tmp_path / "data", **changes)
    assert not (tmp_path / "data").exists()


def test_another_commit_than_asked_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.commit = "f" * 40
    with pytest.raises(DataError, match=r"names commit f+ .* where 0123456789abcdef"):
        fetch(tmp_path / "data")


def test_without_a_network_the_error_names_the_ways_out(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"check network.* or use --data.source files or generated"):
        fetch(tmp_path / "data")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"HF_HUB_OFFLINE forbids to fetch it; unset that, or use"):
        fetch(tmp_path / "data")


@pytest.mark.parametrize("key", ["repo", "revision", "train", "test"])
def test_an_unnamed_part_is_asked_for(hub: Hub, tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.gsm8k\.hub\.{key}: needed by source hugging"):
        fetch(tmp_path / "data", **{key: () if key in ("train", "test") else ""})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("revision", "main"),
        ("revision", "0123abc"),
        ("repo", "../.."),
        ("repo", "one"),
        ("train", ["../secret"]),
        ("train", ["/etc/passwd"]),
    ],
)
def test_names_that_lead_elsewhere_are_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        asked(**{key: value})
