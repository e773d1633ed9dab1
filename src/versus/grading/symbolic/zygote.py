"""The parent's handle of the process that forks workers (``__main__``)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from versus.grading.symbolic import parsers

_END_SECONDS = 5.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class Zygote:
    """A process that has imported sympy; it ends when this process ends, however that happens."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "versus.grading.symbolic", *parsers.tried("auto")],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )

    def fork(self) -> socket.socket:
        """Kill the worker that there is; the channel of the next one.

        Raises:
            OSError: if the process is gone.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"w"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        return ours

    def end(self) -> None:
        """End the process and its worker, and wait for it."""
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # it was still importing
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """In a fork: leave the process to the one that started it."""
        self._control.close()
        self._process.returncode = 0


def _environment() -> dict[str, str]:
    """Few variables: none of the user's secrets, one order of hashes, one kind of integers."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SYMPY_GROUND_TYPES": "python",
        "MPMATH_NOGMPY": "1",
    }
