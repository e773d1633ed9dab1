"""An MLflow server on the loopback, which can be killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.contract.faults import Fault
from tests.end_to_end.conftest import environment


class Server:
    """An MLflow server of its own, which can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = folder / "mlflow.db"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve; killed with all its processes at the end."""
        self.folder.mkdir(exist_ok=True)
        store = ("--backend-store-uri", f"sqlite:///{self.database}")
        files = ("--artifacts-destination", str(self.folder / "artifacts"))
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        command = [sys.executable, "-m", "mlflow", "server", *store, *files, *where]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment(), start_new_session=True
            )
        self.group = process.pid
        try:
            deadline = time.monotonic() + 120
            while not self._answers():
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.2)
            yield
        finally:
            self.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)

    def dies_at(self, moment: int) -> Fault:
        """A fault: the server is gone from this moment on."""

        def fault(now: int) -> None:
            if now == moment:
                self.kill()

        return fault

    def forget(self) -> None:
        shutil.rmtree(self.folder)
