"""The CSV of runs: what is read is what was written, and every fault is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from versus.core.errors import DataError
from versus.experiments.memory.results import COLUMNS, read_csv, write_csv

HEADER = ",".join(COLUMNS)
ROW = "20,10,5,200,0.01,0.0,0,Omega,4.69,0.5,0.12,3.25"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def table() -> pd.DataFrame:
    row = dict(
        zip(COLUMNS, [20, 10, 5, 200, 0.01, 0.0, 0, "Omega", 4.69, 0.5, 0.12, 3.25], strict=True)
    )
    return pd.DataFrame([row, {**row, "seed": 1, "updater": "Delta", "mse_mean": 0.1 + 0.2}])


def test_round_trip_keeps_every_bit_and_orders_columns(tmp_path: Path) -> None:
    runs = table().assign(zebra=[1, 2], nmse=[0.1, np.nan], stream="ar", diverged=[False, True])
    shuffled = runs[sorted(runs.columns)]
    write_csv(shuffled, tmp_path / "r.csv")
    back = read_csv(tmp_path / "r.csv")
    assert list(back.columns) == [*COLUMNS, "stream", "nmse", "diverged", "zebra"]
    pd.testing.assert_frame_equal(back, runs[back.columns], check_dtype=False, check_exact=True)
    assert back["diverged"].dtype == bool
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_reads_the_original_projects_form(tmp_path: Path) -> None:
    text = (
        HEADER.replace("update_time_s", "update_time") + "\n" + ROW.replace("Omega", "delta") + "\n"
    )
    back = read_csv(written(tmp_path / "r.csv", text))
    assert list(back.columns) == list(COLUMNS)
    assert back.loc[0, "updater"] == "Delta"
    assert back.loc[0, "update_time_s"] == 0.12


def test_diverged_measurements_are_accepted(tmp_path: Path) -> None:
    rows = [ROW.replace("4.69", value) for value in ("nan", "inf", "", "1e300")]
    back = read_csv(written(tmp_path / "r.csv", "\n".join([HEADER, *rows]) + "\n"))
    assert np.isfinite(back["mse_mean"]).tolist() == [False, False, False, True]


def test_byte_order_mark_blank_lines_and_spaces(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER.replace(",", ", ") + "\r\n\r\n" + ROW.replace(",", ", ") + "\r\n"
    path = tmp_path / "r.csv"
    path.write_bytes(text.encode())
    assert read_csv(path).loc[0, "updater"] == "Omega"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (HEADER + "\n", "a header without rows"),
        (HEADER.replace(",reg,", ",") + "\n" + ROW.replace("0.0,", "", 1) + "\n", "no column reg"),
        (f"{HEADER}\n{ROW}\n{ROW[:-20]}\n", r"line 3: \d+ fields where the header has 12"),
        (f"{HEADER}\n{ROW}\n{ROW[:-1]}", r"line 3: the last line has no end, received '20,10"),
        (f"{HEADER}\n{ROW},9\n", "line 2: 13 fields"),
        (
            f"{HEADER}\n{ROW}\n\n{ROW.replace('4.69', 'bad')}\n",
            "line 4, column mse_mean.*received 'bad'",
        ),
        (f"{HEADER}\n{ROW.replace('0.01', 'nan')}\n", "column lr: must be a finite number"),
        (f"{HEADER}\n{ROW.replace('200', '20.5')}\n", "column steps: must be a whole number"),
        (
            f"{HEADER}\n{ROW.replace('Omega', 'Omegaa')}\n",
            "column updater.*'Omegaa'; use one of Delta",
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_csv(written(tmp_path / "bad.csv", text))
    assert "bad.csv" in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not readable as text"):
        read_csv(tmp_path / "b.csv")


def test_incomplete_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column lr"):
        write_csv(table().drop(columns="lr"), tmp_path / "r.csv")
    assert not list(tmp_path.iterdir())
