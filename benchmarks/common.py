"""What the benchmark scripts share: one results file, merged row by row."""

import json
from pathlib import Path

Row = dict[str, object]
"""experiment, name, ratio, target, holds, command."""

RESULTS = Path(__file__).with_name("results.json")


def row(experiment: str, name: str, ratio: float, target: float, command: str) -> Row:
    """One measured ratio; it holds when it is at least its target."""
    return {
        "experiment": experiment,
        "name": name,
        "ratio": round(ratio, 1 if ratio >= 2 else 2),
        "target": target,
        "holds": ratio >= target,
        "command": command,
    }


def merge(path: Path, rows: list[Row]) -> None:
    """Replace the rows of the same experiment and name, keep all others."""
    old = json.loads(path.read_text()) if path.exists() else []
    new = {(row["experiment"], row["name"]) for row in rows}
    kept = [row for row in old if (row["experiment"], row["name"]) not in new]
    path.write_text(json.dumps(kept + rows, indent=2) + "\n")
