"""Files are written whole or not at all, and the project is found."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from versus.core import paths
from versus.core.errors import DataError


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("old")
    return path


def test_a_file_is_replaced_as_a_whole(existing: Path) -> None:
    with paths.replacing(existing) as temporary:
        assert temporary.parent == existing.parent  # a rename works within one disk only
        assert temporary.suffix == ".csv"
        temporary.write_text("new")
        assert existing.read_text() == "old"
    assert existing.read_text() == "new"
    assert list(existing.parent.iterdir()) == [existing]
    assert existing.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [KeyError("ours"), KeyboardInterrupt(), DataError("ours")])
def test_an_error_inside_passes_and_leaves_the_old_file(
    existing: Path, error: BaseException
) -> None:
    def fail() -> None:
        with paths.replacing(existing) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert existing.read_text() == "old"
    assert list(existing.parent.iterdir()) == [existing]


def test_a_full_disk_is_a_data_error_with_a_remedy(existing: Path) -> None:
    with pytest.raises(DataError) as caught, paths.replacing(existing):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(existing) in str(caught.value)
    assert "No space left on device; free disk space or choose a writable" in str(caught.value)
    assert existing.read_text() == "old"
    assert list(existing.parent.iterdir()) == [existing]


def test_a_file_in_place_of_a_folder_is_a_data_error(existing: Path) -> None:
    with pytest.raises(DataError, match=r"table.csv/below.json: cannot be written"):
        paths.write_json(existing / "below.json", {})


def test_a_read_only_folder_is_a_data_error(
    existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root, so the refusal is simulated."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(DataError, match="Permission denied; free disk space or choose a writable"):
        paths.write_text(existing, "new")
    assert existing.read_text() == "old"


def test_json_is_sorted_and_what_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    paths.write_json(path, {"b": 1, "a": ["ä"]})
    assert path.read_bytes().endswith(b"}\n")
    assert list(paths.read_json(path)) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON"):
        paths.write_json(path, {"a": float("nan")})
    assert paths.read_json(path) == {"a": ["ä"], "b": 1}


@pytest.mark.parametrize("content", [b'{"a": 1', b"\xff\xfe", b""])
def test_torn_json_is_named_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"state.json: not readable as JSON .*; remove it"):
        paths.read_json(path)


def test_missing_json_names_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"verdict.json: no such file; run the stage"):
        paths.read_json(tmp_path / "verdict.json")


def test_the_root_is_where_it_is_said_to_be_or_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERSUS_ROOT", "below")
    assert paths.project_root() == (tmp_path / "below").resolve()
    monkeypatch.delenv("VERSUS_ROOT")
    assert (paths.project_root() / "src" / "versus" / "core" / "paths.py").samefile(paths.__file__)


def test_a_package_without_a_checkout_works_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERSUS_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "lib" / "site-packages" / "versus" / "core" / "paths.py"
    monkeypatch.setattr(paths, "__file__", str(module))
    assert paths.project_root() == tmp_path


def test_paths_are_shown_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path / "project"))
    assert paths.shown(tmp_path / "project" / "runs" / "a") == os.path.join("runs", "a")
    assert paths.shown(tmp_path / "elsewhere") == str(tmp_path / "elsewhere")
