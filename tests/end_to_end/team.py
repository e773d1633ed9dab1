"""The team's server of ``deploy/``: PostgreSQL, an S3 store that moto plays, MLflow with users."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.conftest import REPOSITORY, environment
from tests.end_to_end.postgres import Server, free_port

DEPLOY = REPOSITORY / "deploy"
ADMIN, PASSWORD = "admin", "administrator-of-tests"
DATABASES = ("mlflow", "auth", "optuna")


@dataclass
class Team:
    """Where the parts are, and the environment of the scripts of ``deploy/``."""

    database: Server
    folder: Path
    s3: str

    def __post_init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """What ``.env.example`` names."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.database.programs}{os.pathsep}"
        return environment(
            PATH=path + os.environ["PATH"],
            PYTHON=sys.executable,
            PGHOST="127.0.0.1",
            PGPORT=str(self.database.port),
            PGUSER="versus",
            PGPASSWORD="not asked for here",
            MLFLOW_ARTIFACTS="s3://versus/mlflow",
            MLFLOW_S3_ENDPOINT_URL=self.s3,
            AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_DEFAULT_REGION="us-east-1",
            MLFLOW_AUTH_ADMIN_USERNAME=ADMIN,
            MLFLOW_AUTH_ADMIN_PASSWORD=PASSWORD,
            MLFLOW_FLASK_SERVER_SECRET_KEY="a long random text",
            MLFLOW_PORT=str(self.port),
            MLFLOW_ALLOWED_HOSTS="localhost:*,127.0.0.1:*",
        )

    def script(self, *words: str, said: str = "", **changes: str) -> str:
        """Run a script of ``deploy/`` to its end."""
        first = DEPLOY / words[0]
        command = [sys.executable, str(first)] if first.suffix == ".py" else [str(first)]
        done = subprocess.run(
            [*command, *words[1:]],
            env={**self.settings(), **changes},
            input=said,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def users(self, verb: str, name: str, password: str = "") -> str:
        """Run ``deploy/users.py`` as the administrator."""
        administrator = {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": ADMIN,
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        }
        return self.script("users.py", verb, name, said=f"{password}\n", **administrator)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """``deploy/serve`` runs."""
        command = [str(DEPLOY / "serve")]
        with process(command, self.folder / "mlflow.log", self.settings()):
            wait(f"{self.address}/health", self.folder / "mlflow.log")
            yield


@contextmanager
def process(command: list[str], log: Path, settings: dict[str, str]) -> Iterator[None]:
    """A process that is killed with all of its own at the end."""
    with log.open("a") as told:
        started = subprocess.Popen(
            command, env=settings, stdout=told, stderr=told, start_new_session=True, cwd=log.parent
        )
        try:
            yield
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """An S3 store in memory; its address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with process(command, folder / "s3.log", environment()):
        address = f"http://127.0.0.1:{port}"
        wait(f"{address}/moto-api/", folder / "s3.log")
        yield address


def wait(address: str, log: Path) -> None:
    """Until somebody answers."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def lose(team: Team) -> None:
    """All databases and artifacts are gone; empty databases are there again."""
    for name in DATABASES:
        team.database.drop(name)
        team.database.create(name)
    request = urllib.request.Request(f"{team.s3}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=5):
        pass


def forget_downloads(project: Path) -> None:
    """Models that were fetched before are fetched again."""
    shutil.rmtree(project / ".cache" / "models", ignore_errors=True)
