"""Math-Verify 0.9.0 as a peer, in an environment of its own.

It cannot be installed beside this project: its LaTeX grammar needs another antlr runtime.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

REQUIREMENT = "math-verify[antlr4_13_2]==0.9.0"
_FOLDER = Path(__file__).with_name("math_verify")
_WORKER = Path(__file__).with_name("math_verify_worker.py")


def verdicts(pairs: Iterable[tuple[str, str]]) -> list[tuple[bool, float]]:
    """Whether Math-Verify takes each pair of gold and answer as equal, and its CPU seconds."""
    lines = "\n".join(json.dumps({"gold": gold, "answer": answer}) for gold, answer in pairs)
    command = [str(_interpreter()), "-P", str(_WORKER)]  # not to import this file there
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def formula(text: str) -> str:
    """A bare answer as Math-Verify expects it."""
    return f"${text}$"


def _interpreter() -> Path:
    """The environment's interpreter; it is made on first use (about a minute, 90 MB)."""
    python = _FOLDER / "bin" / "python"
    stamp = _FOLDER / REQUIREMENT
    if not stamp.exists():
        venv.create(_FOLDER, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-qq", REQUIREMENT]
        subprocess.run(install, check=True, stdout=sys.stderr)
        stamp.touch()
    return python
