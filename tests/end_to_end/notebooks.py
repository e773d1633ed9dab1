"""Notebooks executed in a project of their own.

``python -m tests.end_to_end.notebooks NOTEBOOK PROJECT`` executes one and writes it back.
"""

import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat

from tests.end_to_end.conftest import environment


def execute(path: Path, root: Path) -> Any:
    """The notebook with new outputs; nothing of this machine is kept in it."""
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(root)}}
    )
    client.execute(env=environment(VERSUS_ROOT=str(root), IPYTHONDIR=str(root / ".ipython")))
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


if __name__ == "__main__":
    given, project = Path(sys.argv[1]), Path(sys.argv[2])
    nbformat.write(execute(given, project), given)
