"""A versus command in a process of its own, with the environment of whoever launched it.

Only the standard library is imported: this runs in the worker processes of a cluster.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from versus.core.launching import lifeline

POLL = 0.1  # seconds between looks at the process; also how soon a cancelled one is told
GRACE = 30.0  # seconds to save and end
TAIL = 2000  # characters of a log that an error shows
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Killed(Exception):
    """The process was killed by a signal: out of memory, or by hand. It is worth another try."""


class Piece(NamedTuple):
    """A command to be run somewhere.

    Attributes:
        name: what messages call it.
        words: of the command line, without ``versus``.
        folder: where it runs.
        log: file that takes what it says.
        environment: variables that it shares with whoever launched it.
    """

    name: str
    words: tuple[str, ...]
    folder: str
    log: str
    environment: Mapping[str, str]


def run(piece: Piece) -> tuple[int, str]:
    """Run the command to its end; return exit code and the end of what it said.

    Raises:
        Killed: if a signal ended it.
    """
    before = Path(piece.log).stat().st_size if Path(piece.log).is_file() else 0
    with (
        open(piece.log, "ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "versus", *piece.words],
            env=_environment(piece.environment),
            cwd=piece.folder,
            stdin=subprocess.PIPE,  # its lifeline
            stdout=log,
            stderr=log,
        ) as process,
    ):
        code = _ended(process)
    told = Path(piece.log).read_bytes()[before:].decode(errors="replace")[-TAIL:].strip()
    if code < 0:
        raise Killed(f"{piece.name}: killed by {signal.Signals(-code).name}; {piece.log}")
    return code, told


def _environment(shared: Mapping[str, str]) -> dict[str, str]:
    """Ours, which says what GPUs there are, with the shared variables.

    A cluster sets numbers of threads for its workers; where the launching process has none, a
    local run would have had none either.
    """
    own = {k: v for k, v in os.environ.items() if k not in THREADS}
    return {**own, **shared, lifeline.NAME: "1"}


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Its exit code; if this process is interrupted, it is asked to save and end."""
    try:
        while process.poll() is None:
            time.sleep(POLL)  # in turns: an interruption does not end a wait
        return process.returncode
    finally:
        if process.poll() is None:
            process.terminate()
            _wait(process)


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
