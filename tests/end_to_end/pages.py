"""The commands of a page of ``docs/``: each block of a shell says who runs it, or why nobody does.

A comment before the block: ``run: NAME`` (a test runs the block as it stands), ``by: test_...`` (a
test runs the same commands), ``not run: REASON``.
"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.conftest import REPOSITORY, environment

BLOCK = re.compile(r"(?:<!-- (run|by|not run): (.+?) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A fenced block."""

    kind: str
    name: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of ``docs/PAGE``."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    return [Block(*found) for found in BLOCK.findall(text)]


def run(page: str, name: str, folder: Path, settings: dict[str, str] | None = None) -> str:
    """Run the block ``run: NAME`` in a folder; what it prints."""
    (block,) = [b for b in blocks(page) if (b.kind, b.name) == ("run", name)]
    done = subprocess.run(
        ["sh", "-ec", block.text],
        cwd=folder,
        env=settings or environment(),
        capture_output=True,
        text=True,
        check=False,
        input="",
    )
    assert done.returncode == 0, f"{block.text}{done.stderr}"
    return done.stdout
