"""What a terminal shows of a verdict, and where findings stand."""

import numpy as np
import pandas as pd
import pytest

from versus.core import comparison
from versus.core.verdict import MANY, glance, overview, to_markdown


def verdict(metrics: int) -> dict[str, object]:
    """Omega beats Delta on the first metric, loses on the second and ties on the others."""
    sign = [-1.0, 1.0] + [0.0] * (metrics - 2)
    rows = [
        {"variant": variant, "seed": seed}
        | {f"m{i}": 5 + (s if variant == "Omega" else 0.0) + 0.1 * seed for i, s in enumerate(sign)}
        for variant in ("Delta", "Omega")
        for seed in range(16)
    ]
    settings = comparison.CompareSettings(
        tuple(f"m{i}" for i in range(metrics)), "minimize", {"Delta": "Delta", "Omega": "Delta"}
    )
    return comparison.compare(
        pd.DataFrame(rows),
        None,
        settings,
        experiment="memory",
        profile="smoke",
        data_digest="x",
        findings=["Omega wins somewhere."],
    )


def test_few_metrics_are_shown_in_full() -> None:
    few = verdict(MANY)
    assert overview(few) == glance(few)


def test_of_many_metrics_the_outcomes_are_counted() -> None:
    many = verdict(MANY + 1)
    lines = overview(many).splitlines()
    assert len(lines) == 4
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == ["Omega", "Delta", "1", "1", str(MANY - 1)]
    assert lines[-1] == f"the table of all {MANY + 1} metrics is in verdict.md"
    assert glance(many) in to_markdown(many)


@pytest.mark.parametrize("metrics", [2, MANY + 1])
def test_findings_stand_before_the_tables(metrics: int) -> None:
    page = to_markdown(verdict(metrics))
    places = [page.index(part) for part in ("## Findings", "- Omega wins somewhere.", "## m0")]
    assert np.all(np.diff(places) > 0)
