"""Phase diagrams: the winner of a cell, regions in words, the picture."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from versus.core import drawing
from versus.experiments.memory import phase, phase_pictures
from versus.experiments.memory.config import Comparison, DataConfig

NOISES, DRIFTS = (0.1, 0.3, 1.0), (0.0, 0.01, 0.1)
SURFACE = {"noise": NOISES, "drift": DRIFTS, "power": (0.0, 2.0)}
DATA = DataConfig(surface=SURFACE, dim=8, mem_size=2, steps=40)
WINNERS = {
    0.0: ["OOD", "OOD", "---"],  # rows are noises, columns drifts
    2.0: ["OOO", "O-O", "OOO"],
}


def table(winners: dict[float, list[str]] = WINNERS, seeds: int = 20) -> pd.DataFrame:
    """Errors by which O(mega) or D(elta) wins on every seed, or the two on every other one."""
    assert DATA.surface
    columns: dict[str, list[float]] = {"Delta": [], "Omega": []}
    rows = []
    for variant, seed in itertools.product(columns, range(seeds)):
        row: dict[str, Any] = {"variant": variant, "seed": seed}
        for (noise, drift, power), stream in DATA.surface.cells().items():
            winner = winners[power][NOISES.index(noise)][DRIFTS.index(drift)]
            wins = variant[0] == (winner if winner != "-" else "OD"[seed % 2])
            row[f"{stream}/nmse"] = (0.5 if wins else 1.0) * (1 + 0.01 * seed)
        rows.append(row)
    return pd.DataFrame(rows)


def test_a_cell_is_a_drifting_stream_with_its_numbers() -> None:
    assert len(DATA.all_streams) == len(DATA.tasks()) == 18
    cell = DATA.all_streams["noise0.3-drift0.01-power2"]
    assert (cell.kind, cell.noise, cell.drift, cell.power) == ("drift", 0.3, 0.01, 2.0)
    assert DataConfig.model_validate(DATA.model_dump(mode="json")) == DATA
    with pytest.raises(ValueError, match="cells of the surface have these names"):
        DataConfig(streams={"noise0.3-drift0.01-power2": cell}, surface=DATA.surface)
    with pytest.raises(ValueError, match="needs at least one stream or a surface"):
        DataConfig()


def test_a_cell_without_a_significant_difference_has_no_winner() -> None:
    cells = phase.winners(DATA, table())
    names = {"O": "Omega", "D": "Delta", "-": phase.UNDECIDED}
    for cell in cells.to_dict("records"):
        row = WINNERS[cell["power"]][NOISES.index(cell["noise"])]
        assert cell["winner"] == names[row[DRIFTS.index(cell["drift"])]]
        if cell["winner"] != phase.UNDECIDED:
            assert cell["margin"] == pytest.approx(0.5)


def test_five_seeds_decide_nothing() -> None:
    assert set(phase.winners(DATA, table(seeds=5))["winner"]) == {phase.UNDECIDED}


def test_a_variant_that_diverged_on_a_seed_does_not_win() -> None:
    metrics = table()
    name = "noise0.1-drift0-power0/nmse"
    metrics.loc[(metrics["variant"] == "Omega") & (metrics["seed"] == 3), name] = np.inf
    first = phase.winners(DATA, metrics).iloc[0]
    assert first["best"] == "Delta"


def test_regions_are_put_into_words() -> None:
    assert phase.findings(DATA, table()) == [
        "power 0: Delta wins in 2 of 9 cells: noise up to 0.3 with drift 0.1.",
        "power 0: Omega wins in 4 of 9 cells: noise up to 0.3 with drift up to 0.01.",
        "power 0: no significant winner in 3 of 9 cells: noise 1.",
        "power 2: Delta wins in no cell.",
        "power 2: Omega wins in 8 of 9 cells: everywhere, except noise 0.3 with drift 0.01.",
        "power 2: no significant winner in 1 of 9 cells: noise 0.3 with drift 0.01.",
    ]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (slice(0, 4), ""),
        (slice(0, 2), "noise up to 0.2"),
        (slice(2, 4), "noise from 0.5"),
        (slice(1, 3), "noise 0.2 to 0.5"),
        (slice(3, 4), "noise 2"),
    ],
)
def test_spans(part: slice, words: str) -> None:
    assert phase.Axis("noise", [0.1, 0.2, 0.5, 2.0]).span(part) == words


@given(arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 5))))
def test_a_cover_leaves_nothing_out(won: Any) -> None:
    regions = phase.cover(won)
    inside = np.zeros_like(won)
    for region in regions:
        inside[region] = True
        # An exception is told only where it saves more than it costs.
        assert (~won[region]).sum() * phase.EXCEPTION_COST < max(won[region].sum(), 1)
    assert not (won & ~inside).any()


def test_nothing_is_found_without_a_surface_or_a_rival() -> None:
    plain = DataConfig(streams={"a": {"kind": "linear"}})
    metrics = table()
    assert phase.findings(plain, metrics) == []
    assert phase.findings(DATA, metrics[metrics["variant"] == "Delta"]) == []


def test_the_picture_hatches_what_is_undecided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures = {}
    save = drawing.save
    monkeypatch.setattr(drawing, "save", lambda f, p: (figures.update({p.stem: f}), save(f, p))[1])
    (path,) = phase_pictures.plot(phase.winners(DATA, table()), ["Delta", "Omega"], tmp_path)
    assert path.name == "phase.png"
    assert path.stat().st_size > 10_000
    axes = figures["phase"].axes
    hatched = [sum(patch.get_hatch() is not None for patch in ax.patches) for ax in axes]
    assert hatched == [3, 1]
    assert axes[1].texts[0].get_text() == "50"
    assert phase_pictures.plot(pd.DataFrame(), [], tmp_path) == []


def test_a_comparison_takes_a_surface_from_its_params() -> None:
    asked = Comparison.model_validate({"experiment": "memory", "data": {"surface": SURFACE}})
    assert asked.rule_on("default", "noise1-drift0.1-power2").updater == "Delta"
