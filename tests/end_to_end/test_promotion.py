"""Promotion as a user meets it: trained memories, the real command line, real kills."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import environment
from versus import cli

SMALL = ["--updaters", "Delta", "--seeds", "12", "--steps", "60", "--quiet"]
PROMOTE = ["promote", "memory", "--model", "memory-delta"]


def train(lr: float) -> None:
    assert cli.main(["train", "memory", "--lr", str(lr), *SMALL]) == 0


def champion(root: Path) -> int | None:
    query = "select version from registered_model_aliases where alias = 'champion'"
    with sqlite3.connect(root / "mlflow.db") as database:
        versions = [row[0] for row in database.execute(query)]
    assert len(versions) <= 1
    return versions[0] if versions else None


def history(root: Path) -> list[dict[str, Any]]:
    query = "select value from registered_model_tags where key like 'versus.history.%' order by key"
    with sqlite3.connect(root / "mlflow.db") as database:
        return [json.loads(row[0]) for row in database.execute(query)]


def decisions(root: Path) -> list[tuple[str, str]]:
    return [(event["decision"], event["version"]) for event in history(root)]


def test_the_title_goes_to_the_better_memory(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(0.02)
    assert cli.main(PROMOTE) == 0
    assert champion(project) == 1
    train(0.005)
    capsys.readouterr()
    assert cli.main(PROMOTE) == 1
    captured = capsys.readouterr()
    assert "memory-delta: refused: the champion is better" in captured.out
    assert "12 items in 12 clusters" in captured.out
    assert "recipes over 12 seeds" in captured.out
    assert "not promoted: memory-delta" in captured.err
    train(0.04)
    assert cli.main(PROMOTE) == 0
    assert champion(project) == 3
    assert cli.main([*PROMOTE, "--rollback", "--reason", "too bold"]) == 0
    assert champion(project) == 1
    slow = ["promote", "memory", "--model", "models:/memory-delta/2"]
    assert cli.main([*slow, "--force"]) == 2
    assert cli.main([*slow, "--force", "--reason", "a test"]) == 0
    assert champion(project) == 2
    capsys.readouterr()
    assert cli.main([*PROMOTE, "--history"]) == 0
    rows = capsys.readouterr().out.splitlines()[3:]
    told = ["first champion", "refused", "promoted", "rollback", "forced"]
    assert [row.split("|")[4].strip() for row in rows] == told
    assert "too bold" in rows[3]
    assert "a test; the champion is better" in rows[4]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--model", "memory-nothing"], "no model is registered as 'memory-nothing'"),
        (["--model", "models:/memory-delta"], "write models:/NAME@ALIAS or models:/NAME/VERSION"),
        (["--model", "memory-delta", "--rollback"], "no model is registered"),
        (["--frce"], "unknown option '--frce'"),
        (["--reason", "why"], "goes with --force or --rollback"),
    ],
)
def test_wrong_input_is_named(
    project: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["promote", "memory", *words]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_at_once_leave_one_champion(project: Path) -> None:
    for lr in (0.01, 0.02, 0.04):
        train(lr)
    assert cli.main(["promote", "memory", "--model", "models:/memory-delta/1"]) == 0
    command = [sys.executable, "-m", "versus", "promote", "memory", "--model"]
    names = ["models:/memory-delta/2", "models:/memory-delta/3", "memory-delta"]
    processes = [subprocess.Popen([*command, name], env=environment()) for name in names]
    codes = [process.wait() for process in processes]
    assert champion(project) == 3
    assert set(codes) <= {0, 1}  # the second version loses where the third was faster
    line = [event for event in history(project) if event["decision"] != "refused"]
    assert [event["opponent"] for event in line[1:]] == [event["version"] for event in line[:-1]]


@pytest.mark.slow
def test_killed_promotions_are_completed_by_the_same_command(project: Path) -> None:
    train(0.01)
    assert cli.main(PROMOTE) == 0
    train(0.02)
    command = [sys.executable, "-m", "versus", *PROMOTE]
    start = time.monotonic()
    assert subprocess.run(command, env=environment(), check=False).returncode == 0
    duration = time.monotonic() - start
    expected = [("first champion", "1"), ("promoted", "2")]
    for number in range(8):
        train(0.021 + number / 1000)
        # Imports take most of the time; what matters happens at the end.
        process = subprocess.Popen(command, env=environment())
        time.sleep(duration * (0.7 + 0.04 * number))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert cli.main(PROMOTE) == 0
        expected.append(("promoted", str(number + 3)))
        assert champion(project) == number + 3
        assert decisions(project) == expected
        assert not any("open" in event for event in history(project))
    assert os.listdir(project / "runs")
