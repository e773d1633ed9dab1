"""``docs/operations.md`` and ``docs/security.md``: their commands, and what they point to."""

import ast
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end import pages
from tests.end_to_end.conftest import REPOSITORY, Run, environment

PAGES = ("operations.md", "security.md")
SMALL = ["--updaters", "Delta", "--seeds", "2", "--steps", "60", "--quiet"]
CHAMPION = ["evaluate", "memory", "--model", "models:/memory-delta@champion", "--quiet"]


def functions() -> dict[str, set[Path]]:
    """Every test function -> the files that define one of that name."""
    found: dict[str, set[Path]] = {}
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.setdefault(node.name, set()).add(path)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_or_says_why_not(page: str) -> None:
    known, own = functions(), Path(__file__).read_text(encoding="utf-8")
    own += Path(__file__).with_name("test_team_server.py").read_text(encoding="utf-8")
    for block in pages.blocks(page):
        if block.language == "console":
            continue
        assert block.kind, block.text
        assert block.kind != "by" or block.name in known, block.name
        assert block.kind != "run" or f'"{block.name}"' in own, block.name


def test_everything_that_the_page_about_security_points_to_is_there() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    known = functions()
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 20
    assert named <= known.keys(), named - known.keys()
    files = set(re.findall(r"`((?:core|experiments|grading)/[\w/]+\.py)`", text))
    assert len(files) > 8
    assert not [name for name in files if not (REPOSITORY / "src" / "versus" / name).is_file()]


def test_the_contents_of_the_page_are_its_headings() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.M)
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", text, re.M)
    assert [(h, re.sub(r"[^\w ]", "", h).lower().replace(" ", "-")) for h in headings] == listed


def versions(project: Path) -> int:
    with closing(sqlite3.connect(project / "mlflow.db")) as database:
        query = "select count(*) from model_versions where name = 'memory-delta'"
        return int(database.execute(query).fetchone()[0])


def delete_runs(project: Path) -> int:
    """Mark all runs as deleted, as the UI does; how many there are."""
    with closing(sqlite3.connect(project / "mlflow.db")) as database, database:
        change = "update runs set lifecycle_stage = 'deleted', deleted_time = ?"
        return database.execute(change, (time.time_ns() // 1_000_000,)).rowcount


@pytest.mark.slow
def test_a_local_store_is_backed_up_lost_and_restored(project: Path, versus: Run) -> None:
    """Then all runs are deleted and collected, and the champion still answers."""
    later = ["train", "memory", "--lr", "0.02", *SMALL]
    assert versus("train", "memory", *SMALL).returncode == 0
    assert versus("promote", "memory", "--model", "memory-delta", "--quiet").returncode == 0
    pages.run("operations.md", "local backup", project)
    assert versus(*later).returncode == 0
    assert versions(project) == 2
    for place in ("mlruns", ".cache/models"):
        shutil.rmtree(project / place)
    (project / "mlflow.db").unlink()
    assert "no model is registered" in versus(*CHAMPION).stderr
    pages.run("operations.md", "local restore", project)
    assert versions(project) == 1
    assert versus(*later).returncode == 0
    assert versions(project) == 2

    count = delete_runs(project)
    assert "deleted" not in pages.run("operations.md", "collect", project)
    script = next(b.text for b in pages.blocks("operations.md") if b.name == "collect")
    now = ["sh", "-ec", script.replace("--older-than 30d ", "")]
    done = subprocess.run(now, cwd=project, env=environment(), capture_output=True, text=True)
    assert done.stdout.count("has been permanently deleted") == count > 2, done.stderr
    again = versus(*CHAMPION)
    assert "metrics reproduced exactly" in again.stdout, again.stderr
    assert "nothing to send" in pages.run("operations.md", "sync", project)


@pytest.mark.slow
def test_unused_data_are_found(tmp_path: Path) -> None:
    for command in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
    ):
        subprocess.run(command, cwd=tmp_path, env=environment(), check=True)
    (tmp_path / "data.txt").write_text("some")
    add = [sys.executable, "-m", "dvc", "add", "-q", "data.txt"]
    subprocess.run(add, cwd=tmp_path, env=environment(), check=True)
    (tmp_path / "data.txt.dvc").unlink()
    pages.run("operations.md", "unused", tmp_path)
    assert list((tmp_path / ".dvc" / "cache").rglob("*"))
