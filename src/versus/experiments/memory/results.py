"""The table of runs as CSV: the seed document's columns first, in its order, then ours."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from versus.core import paths
from versus.core.errors import ConfigError, DataError
from versus.experiments.memory.rules import HYPERPARAMETERS, RULES, find_rule

COLUMNS = (
    "mem_size",
    "dim",
    "window",
    "steps",
    "lr",
    "reg",
    "seed",
    "updater",
    "mse_mean",
    "cos_mean",
    "update_time_s",
    "mem_norm_change",
)
"""What the seed document lists; present in every file."""
EXTRA_COLUMNS = (
    "variant",
    "stream",
    *(name for name in HYPERPARAMETERS if name not in COLUMNS),
    "nmse",
    "recall",
    "recall_old",
    "regret_rls",
    "regret_window",
    "diverged",
    "clipped",
    "distinct",
)
"""Our columns in their order, each where it is present; unknown ones follow."""
COUNTS = ("mem_size", "dim", "window", "steps", "seed")
SETTINGS = (*COUNTS, "lr", "reg")
MEASURED = ("mse_mean", "cos_mean", "update_time_s", "mem_norm_change")


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of runs, ours or the original project's (``update_time``, lower-case rules).

    Returns:
        One row per run: :data:`COLUMNS` first, then what else the file has. Rules have their
        canonical names; a measurement of a diverged run may be nan or infinite.

    Raises:
        DataError: the file is missing, empty, cut off, or a column or value is not as it must be.
    """
    text = _text(path)
    lines = _checked_lines(path, text)
    table = _frame(text)
    _require_columns(path, table)
    raw = _frame(text, dtype=str, keep_default_na=False)
    for name in (*SETTINGS, *MEASURED):
        table[name] = _numbers(path, name, raw[name], lines)
    table["updater"] = [
        _rule(path, value, line) for value, line in zip(raw["updater"], lines, strict=True)
    ]
    return _ordered(table)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{paths.shown(path)}: no such file; run the comparison first") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{paths.shown(path)}: not readable as text ({error}); give a CSV in UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{paths.shown(path)}: the file is empty; write it again")
    return text


def _checked_lines(path: Path, text: str) -> list[int]:
    """Line numbers of the data rows, each of which has as many fields as the header."""
    reader = csv.reader(io.StringIO(text))
    header, *rows = [(reader.line_num, fields) for fields in reader if fields]
    for line, fields in rows:
        if len(fields) != len(header[1]):
            raise DataError(
                f"{paths.shown(path)}, line {line}: {len(fields)} fields where the header has "
                f"{len(header[1])}, received {','.join(fields)!r}; complete or remove the line"
            )
    if not rows:
        raise DataError(f"{paths.shown(path)}: a header without rows; run the comparison first")
    if not text.endswith("\n"):
        raise DataError(
            f"{paths.shown(path)}, line {rows[-1][0]}: the last line has no end, received "
            f"{','.join(rows[-1][1])!r}; write the file again, or end the line if it is complete"
        )
    return [line for line, _ in rows]


def _frame(text: str, **options: Any) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_csv(io.StringIO(text), skipinitialspace=True, **options)
    if "update_time_s" in table.columns:
        return table
    return table.rename(columns={"update_time": "update_time_s"})


def _require_columns(path: Path | None, table: pd.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        where = paths.shown(path) if path else "table of runs"
        raise DataError(
            f"{where}: no column {', '.join(missing)}; received "
            f"{', '.join(map(str, table.columns))}; add what is missing"
        )


def _numbers(
    path: Path, name: str, raw: "pd.Series[str]", lines: Sequence[int]
) -> "pd.Series[Any]":
    """One column as numbers; only measurements may be nan (or empty) or infinite."""
    values = pd.to_numeric(raw, errors="coerce").astype(float)
    if name in MEASURED:
        bad = values.isna() & ~raw.str.strip().str.lower().isin(["nan", ""])
        expected = "a number"
    else:
        bad = values.isna() | np.isinf(values)
        expected = "a finite number"
    if name in COUNTS:
        bad = bad | (values % 1 != 0)
        expected = "a whole number"
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{paths.shown(path)}, line {lines[row]}, column {name}: must be {expected}, "
            f"received {raw.iloc[row]!r}; correct the value"
        )
    return values.astype(int) if name in COUNTS else values


def _rule(path: Path, value: str, line: int) -> str:
    try:
        return find_rule(value).name
    except ConfigError as error:
        raise DataError(
            f"{paths.shown(path)}, line {line}, column updater: unknown rule, received {value!r}; "
            f"use one of {', '.join(RULES)}"
        ) from error


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    known: Iterable[str] = (*COLUMNS, *EXTRA_COLUMNS)
    first = [name for name in known if name in table.columns]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table of runs, whole or not at all: :data:`COLUMNS`, :data:`EXTRA_COLUMNS`, others.

    Raises:
        DataError: a column of the seed document is missing, or the file cannot be written.
    """
    _require_columns(None, table)
    text = _ordered(table).to_csv(index=False, na_rep="nan", lineterminator="\n")
    paths.write_text(path, text)


def describe_run(folder: Path) -> str:
    """The seed document's four metrics and ours, of a comparison that is one single run."""
    table = read_csv(folder / "runs.csv")
    several = len(table) > 1
    lines = []
    for row in table.to_dict("records"):
        if several:
            shape = f"dim {row['dim']}, mem_size {row['mem_size']}, steps {row['steps']}"
            lines.append(f"{row['stream']} ({shape})")
        lines += [f"{name} {row[name]:.6g}" for name in (*MEASURED, "nmse", "recall")]
    return "\n".join(lines)
