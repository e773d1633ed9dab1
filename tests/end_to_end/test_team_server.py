"""The scripts of ``deploy/``: users with passwords, artifacts in S3, backup and restore."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import pages
from tests.end_to_end.conftest import Run
from tests.end_to_end.postgres import installed, running
from tests.end_to_end.team import DATABASES, Team, forget_downloads, lose, s3

PROGRAMS = installed()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PROGRAMS is None, reason="no PostgreSQL: install it (Debian: apt-get install postgresql)"
    ),
]
SECRET = "ann's long password"
TRAIN = ["train", "memory", "--profile", "smoke", "--quiet"]
CHAMPION = ["evaluate", "memory", "--model", "models:/memory-omega@champion"]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    assert PROGRAMS is not None
    with running(PROGRAMS) as database, s3(tmp_path) as store:
        for name in DATABASES:
            database.create(name)
        yield Team(database, tmp_path, store)


def asked(team: Team, host: str) -> int:
    """Status of a request without a password that claims to be for a host."""
    page = f"{team.address}/api/2.0/mlflow/experiments/get?experiment_id=0"
    request = urllib.request.Request(page, headers={"Host": host})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as refusal:
        return refusal.code


def test_a_user_trains_promotes_and_loses_nothing(
    project: Path, versus: Run, team: Team, tmp_path: Path
) -> None:
    """A wrong password, the right one, a backup, the loss of everything, and its return."""
    ann = {"MLFLOW_TRACKING_URI": team.address, "MLFLOW_TRACKING_USERNAME": "ann"}
    right = {**ann, "MLFLOW_TRACKING_PASSWORD": SECRET}
    with team.serving():
        assert [asked(team, host) for host in ("localhost:5000", "evil.example")] == [401, 403]
        assert team.users("add", "ann", SECRET) == "add ann: done\n"
        wrong = versus(*TRAIN, **ann, MLFLOW_TRACKING_PASSWORD="another long one")
        assert wrong.returncode == 0, wrong.stderr
        assert wrong.stderr.count("correct MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASS") == 1
        assert "`versus sync` sends them later" in wrong.stderr
        assert list(project.glob("runs/memory/*/results/verdict.json"))

        sent = versus("sync", **right)
        assert "sent runs/memory/" in sent.stdout, sent.stderr
        assert "nothing to send" in versus("sync", **right).stdout
        promoted = versus("promote", "memory", "--model", "memory-omega", **right)
        assert promoted.returncode == 0, promoted.stderr
        assert versus(*CHAMPION, **right).returncode == 0

        team.script("backup", str(tmp_path / "backup"))
    lose(team)
    team.script("restore", str(tmp_path / "backup"))
    with pytest.raises(AssertionError, match="already exists"):
        team.script("restore", str(tmp_path / "backup"))
    forget_downloads(project)
    pages.run("operations.md", "migrate", tmp_path, team.settings())
    with team.serving():
        again = versus(*CHAMPION, **right)
        assert again.returncode == 0, again.stderr
        assert "metrics reproduced exactly" in again.stdout
        assert "nothing to send" in versus("sync", **right).stdout
        assert team.users("password", "ann", SECRET + "!") == "password ann: done\n"
        assert "error code 401" in versus(*CHAMPION, **right).stderr
        assert team.users("remove", "ann") == "remove ann: done\n"
