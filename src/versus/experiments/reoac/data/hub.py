"""Files of a pinned commit of a data set on the Hugging Face hub, each fetched once.

The files are kept under ``.cache/hub`` of the project. What an interrupted download has brought is
kept as well, and the next one continues there. A file takes its name only when its checksum is what
the hub says it must be.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from versus.core.errors import DataError
from versus.core.paths import project_root, replacing, shown
from versus.experiments.reoac.data.config import Hub, sha256

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

CACHE = Path(".cache") / "hub"
CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ATTEMPTS, PAUSE, TIMEOUT = 4, 1.0, 30.0
CHUNK = 1 << 16
INSTEAD = "or use --data.source files or generated"


def fetch(settings: Hub, name: str, key: str) -> Path:
    """One file of the pinned commit, on this machine.

    Args:
        settings: which repository and commit.
        name: of the file in the repository.
        key: where the settings stand in the params.

    Raises:
        DataError: if there is no such file or commit, the hub cannot be reached, or a checksum is
            not what it must be.
    """
    path = project_root() / CACHE / settings.repo / settings.revision / name
    path.parent.mkdir(parents=True, exist_ok=True)
    told = path.with_name(f"{path.name}.sha256")
    with FileLock(path.with_name(f"{path.name}.lock")):
        if not path.is_file() or not told.is_file() or told.read_text() != sha256([path]):
            with _explained(settings, name, key):
                _download(settings, name, path, told)
    wanted = settings.sha256.get(name)
    if wanted not in (None, sha256([path])):
        raise DataError(
            f"{settings.repo} {name}: has not the SHA-256 {wanted} of {key}.sha256, received "
            f"{sha256([path])}; correct that entry, or the revision"
        )
    return path


def _download(settings: Hub, name: str, path: Path, told: Path) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(
        settings.repo, name, repo_type="dataset", revision=settings.revision, endpoint=endpoint
    )
    # The data sets are public; whoever serves them need not know who asks.
    about = get_hf_file_metadata(url, token=False, endpoint=endpoint)
    checksum = _checksum(about, settings, name)
    partial = path.with_name(f"{path.name}.{checksum}.partial")
    _complete(partial, about)
    if checksum != _measured(partial, checksum):
        partial.unlink()
        raise DataError(
            f"{settings.repo} {name}: damaged on the way (its checksum is not {checksum}); nothing "
            "was kept, run the same command again"
        )
    with replacing(told) as temporary:
        temporary.write_text(sha256([partial]))
    partial.replace(path)


def _complete(partial: Path, about: "HfFileMetadata") -> None:
    """Bring what is missing of a file; a connection that breaks is taken up again."""
    import httpx2

    for attempt in range(ATTEMPTS):
        try:
            if about.size is None or _size(partial) < about.size:
                _stream(about.location, partial)
            return
        except httpx2.TransportError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _stream(url: str, partial: Path) -> None:
    """Append the rest of the file.

    The library's own download hands over pieces of 10 MB, so that of a smaller file nothing would
    be left to continue from.
    """
    from huggingface_hub import get_session

    headers = {"Accept-Encoding": "identity"}
    if start := _size(partial):
        headers["Range"] = f"bytes={start}-"
    with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
        response.raise_for_status()
        with partial.open("ab" if response.status_code == 206 else "wb") as file:
            for piece in response.iter_bytes(CHUNK):
                file.write(piece)


def _checksum(about: "HfFileMetadata", settings: Hub, name: str) -> str:
    """What the hub says of the file: SHA-256 of a large one, git's SHA-1 of a small one."""
    if about.commit_hash != settings.revision or not CHECKSUM.fullmatch(about.etag or ""):
        raise DataError(
            f"{settings.repo} {name}: the server names commit {about.commit_hash} and checksum "
            f"{about.etag} where {settings.revision} was asked; set HF_ENDPOINT to a hub"
        )
    return str(about.etag)


def _measured(path: Path, checksum: str) -> str:
    """The file's checksum, of the kind of ``checksum``."""
    if len(checksum) == 64:
        return sha256([path])
    content = path.read_bytes()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


@contextmanager
def _explained(settings: Hub, name: str, key: str) -> Iterator[None]:
    """The library's errors as ours, each with its remedy."""
    import httpx2
    from huggingface_hub import errors

    of = f"{settings.repo} {name}"
    try:
        yield
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"{of}: the repository has no commit {settings.revision}; set {key}.revision to one "
            "of its history"
        ) from error
    except errors.EntryNotFoundError as error:
        raise DataError(
            f"{of}: commit {settings.revision} holds no such file; correct {key}.train and .test"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(f"{of}: no such public data set; correct {key}.repo, {INSTEAD}") from error
    except errors.OfflineModeIsEnabled as error:
        raise DataError(
            f"{of}: not here yet, and HF_HUB_OFFLINE forbids to fetch it; unset that, {INSTEAD}"
        ) from error
    except (OSError, httpx2.HTTPError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{of}: cannot be fetched ({reason}); check network, proxy and HF_ENDPOINT and run the "
            f"same command again (what has arrived is kept in {shown(project_root() / CACHE)}), "
            f"{INSTEAD}"
        ) from error
