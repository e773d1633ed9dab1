"""Verdicts that may be unknown, and pairs of what is equal."""

from collections.abc import Iterable, Sequence


def any_true(verdicts: Iterable[bool | None]) -> bool | None:
    """Whether any verdict is yes; None if one is unknown and none is yes."""
    known = list(verdicts)
    if any(known):
        return True
    return None if None in known else False


def pairing(fits: Sequence[Sequence[bool]]) -> bool:
    """Whether every row can have a column of its own that fits (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in tried:
                tried.add(column)
                if column not in owner or place(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(fits)))
