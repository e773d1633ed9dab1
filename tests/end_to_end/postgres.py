"""A PostgreSQL server of Debian's packages in a folder of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Composed, Identifier

OWNER = "postgres"
"""The server refuses to run as root; this user comes with the package."""


def installed() -> Path | None:
    """Folder of the server's programs, if there is one."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server that can be stopped and started.

    Args:
        programs: folder of initdb and pg_ctl.
        folder: for its data.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port = free_port()
        self.programs, self._folder = programs, folder
        if os.getuid() == 0:
            shutil.chown(folder, OWNER, OWNER)
        self._run("initdb", "-D", str(folder / "data"), "-U", "versus", "-A", "trust", "-N")

    def url(self, database: str) -> str:
        """Address for SQLAlchemy."""
        return f"postgresql+psycopg://versus@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -F"
        self._control("start", "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """Cut all connections."""
        self._control("stop", "-m", "immediate")

    def create(self, database: str) -> None:
        """Make an empty database."""
        self._execute(SQL("create database {}").format(Identifier(database)))

    def drop(self, database: str) -> None:
        """Remove a database with all that is in it."""
        self._execute(SQL("drop database {} with (force)").format(Identifier(database)))

    def _execute(self, statement: Composed) -> None:
        address = f"host=127.0.0.1 port={self.port} user=versus dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def _control(self, verb: str, *words: str) -> None:
        self._run("pg_ctl", verb, "-w", "-D", str(self._folder / "data"), *words)

    def _run(self, program: str, *words: str) -> None:
        as_owner = ["runuser", "-u", OWNER, "--"] if os.getuid() == 0 else []
        command = [*as_owner, str(self.programs / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder)


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """A server that is stopped afterwards."""
    # Not among pytest's folders, which nobody but their owner may enter.
    with tempfile.TemporaryDirectory(prefix="versus-postgres-") as folder:
        server = Server(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
