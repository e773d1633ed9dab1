"""Where things lie, and how a file is written whole or not at all."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from versus.core.errors import DataError

PARTIAL = ".partial-"
"""In the name of every file that is being written."""


def project_root() -> Path:
    """Where ``params/``, ``runs/``, ``results/`` and ``mlflow.db`` lie.

    ``VERSUS_ROOT`` where set; else the checkout that this package was installed from: an editable
    install (what ``make setup`` does) lies in ``<root>/src/versus``, and the mark of a root is its
    ``MLproject``. Only a package without a checkout falls back to the working folder.
    """
    if named := os.environ.get("VERSUS_ROOT"):
        return Path(named).resolve()
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "MLproject").is_file() else Path.cwd()


def shown(path: Path) -> str:
    """``path`` relative to the project where it lies inside, as messages print it."""
    try:
        return str(path.resolve().relative_to(project_root()))
    except ValueError:
        return str(path)


def staying(name: str) -> str:
    """``name`` as it stands: a path of the params, which lies in the project unless absolute.

    Raises:
        ValueError: if it climbs out of the project.
    """
    if ".." in Path(name).parts:
        raise ValueError(f"leaves the project; give an absolute path, received {name!r}")
    return name


def is_file_name(name: object) -> bool:
    """Whether a text that somebody else wrote names a file or folder where it is put, no other."""
    return (
        isinstance(name, str)
        and bool(name)
        and not name.startswith(".")
        and not set(name) & set("/\\\0")
    )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that takes its place when the block succeeds.

    Raises:
        DataError: if the folder or the disk refuses; nothing is left behind and an existing
            ``path`` is untouched.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}{PARTIAL}", suffix=path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        flush_to_disk(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        flush_to_disk(path.parent)
    except OSError as error:
        raise DataError(
            f"{shown(path)}: cannot be written: {error.strerror or error}; "
            "free disk space or choose a writable folder, then run the same command again"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove a folder; a kill in the middle leaves none of it under its name."""
    doomed = folder.with_name(f".{folder.name}{PARTIAL}{os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def sweep(folder: Path) -> None:
    """Remove what killed processes were writing or removing; call it where nobody else works."""
    for path in list(folder.rglob(f".*{PARTIAL}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def sweep_beside(path: Path) -> None:
    """Remove what killed processes were writing to take the place of ``path``."""
    for abandoned in path.parent.glob(f".{path.name}{PARTIAL}*"):
        abandoned.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Force a file or folder entry onto the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as sorted, indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: if it is missing or torn.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{shown(path)}: no such file; run the stage that writes it") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown(path)}: not readable as JSON ({error}); remove it and run again"
        ) from error
