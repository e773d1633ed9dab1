"""Tables on disk: CSV with every bit of its numbers, whole or not at all."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from versus.core.errors import DataError
from versus.core.paths import replacing, shown


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV with every bit of its numbers."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV that :func:`write_table` wrote.

    Raises:
        DataError: if it is missing, torn or lacks ``variant``.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise DataError(f"{shown(path)}: no such file; train the comparison first") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(path)}: not readable as a table ({error}); train again") from error
    if "variant" not in table.columns:
        raise DataError(f"{shown(path)}: lacks the column variant; received {list(table)[:8]}")
    return table


def mean(values: ArrayLike) -> float:
    """Mean of the values that are numbers, rounded once, so that no order or grouping changes it.

    NaN if none is; infinite if one is.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    return math.fsum(known) / len(known) if len(known) else math.nan
