"""JSON Lines that users give: plain or gzip, every mistake named by its line."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from versus.core.errors import DataError
from versus.core.paths import shown

GZIP = b"\x1f\x8b"


def read_lines(path: Path, name: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and object of every line that is not empty.

    Args:
        path: of the file.
        name: how messages call it; empty = its path.

    Raises:
        DataError: if the file cannot be read, or a line is no JSON object.
    """
    name = name or shown(path)
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _object(line, number, name)
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file; check the path") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: not readable: {error}; check the file") from error


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def _object(line: bytes, number: int, name: str) -> dict[str, Any]:
    remedy = "write one JSON object a line, as UTF-8"
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}:{number}: not readable as JSON ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise DataError(f"{name}:{number}: not a JSON object, received {value!r:.80}; {remedy}")
    return value
