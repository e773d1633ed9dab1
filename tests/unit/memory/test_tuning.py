"""Hyperparameters are chosen where theory puts them, on the tuning seeds alone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from versus.core import stages
from versus.core.display import Display
from versus.core.experiment import find
from versus.core.runs import TUNING_OFFSET
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.oracles import delta_error, normalised
from versus.experiments.memory.tuning import _edges, tune

DIM, STEPS = 8, 120
NOISE = {"quiet": 0.1, "noisy": 1.5}
RATES = [0.02, 0.1, 0.3, 0.9, 1.8, 5.0]
"""The last one diverges."""


def comparison(**changes: Any) -> Comparison:
    return Comparison.model_validate(
        {
            "experiment": "memory",
            "seeds": 3,
            "tuning_seeds": 8,
            "device": "cpu",
            "data": {
                "streams": {k: {"kind": "linear", "noise": v} for k, v in NOISE.items()},
                "dim": DIM,
                "mem_size": 16,
                "steps": STEPS,
            },
            "model": {"lr": 0.05, "reg": 0.0},
            "variants": {
                "delta": {"model": {"updater": "Delta"}},
                "ridge": {"model": {"updater": "OmegaRidge", "window": 40}},
                "untuned": {"model": {"updater": "Delta"}},
            },
            "tune": {
                "grids": {
                    "delta": [{"lr": RATES}],
                    "ridge": [{"window": [2, 40, 120], "reg": [0.1, 1.0]}],
                }
            },
            **changes,
        }
    )


def settle(asked: Comparison, folder: Path) -> tuple[Comparison, pd.DataFrame]:
    stages.prepare(find("memory"), asked, folder / "data")
    settled = tune(asked, folder / "data", folder / "tune", Display(quiet=True))
    return settled, pd.read_csv(folder / "tune" / "tuning.csv")


def expected_nmse(rate: float, noise: float) -> float:
    """Mean over the second half of the exact error of Delta on white unit keys."""
    if not 0 < rate < 2:
        return float("inf")
    errors = [delta_error(rate, noise, DIM, written) for written in range(STEPS // 2, STEPS)]
    return normalised(sum(errors) / len(errors), noise)


def test_the_step_size_that_theory_says_is_chosen_on_every_stream(tmp_path: Path) -> None:
    settled, table = settle(comparison(), tmp_path)
    rows = table[table["variant"] == "delta"].set_index("stream")
    for stream, noise in NOISE.items():
        best = min(RATES, key=lambda rate: expected_nmse(rate, noise))
        assert settled.tuned["delta"][stream] == {"lr": best}
        assert settled.rule_on("delta", stream).lr == best
        assert rows.loc[stream, "score"] == pytest.approx(expected_nmse(best, noise), rel=0.1)
    assert settled.tuned["delta"]["quiet"] != settled.tuned["delta"]["noisy"]
    # A fixed map is best estimated from all pairs, by a ridge near the noise variance.
    assert settled.tuned["ridge"]["noisy"] == {"window": 120, "reg": 1.0}
    assert settled.tuned["ridge"]["quiet"] == {"window": 120, "reg": 0.1}
    assert "untuned" not in settled.tuned


def test_only_the_tuning_seeds_are_read(tmp_path: Path) -> None:
    asked = comparison()
    assert min(asked.tuning_seed_list) == TUNING_OFFSET > max(asked.seed_list)
    expected, table = settle(asked, tmp_path)
    for seed in asked.seed_list:
        (tmp_path / "data" / f"seed-{seed:07d}.safetensors").unlink()
    again = tune(asked, tmp_path / "data", tmp_path / "again", Display(quiet=True))
    assert again == expected
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "again" / "tuning.csv"), table)


def test_values_set_by_hand_are_kept_and_change_no_other_choice(tmp_path: Path) -> None:
    free, _ = settle(comparison(), tmp_path)
    by_hand = {"delta": {"quiet": {"lr": 0.123}}, "untuned": {"noisy": {"lr": 0.4}}}
    settled, _ = settle(comparison(tuned=by_hand), tmp_path)
    assert settled.tuned == {
        **free.tuned,
        **by_hand,
        "delta": {**free.tuned["delta"], **by_hand["delta"]},
    }
    assert settled.rule_on("delta", "quiet").lr == 0.123


def test_a_diverging_candidate_is_never_chosen(tmp_path: Path) -> None:
    grids = {"delta": [{"lr": [5.0, 3.0, 1.9]}]}  # the first ones diverge, the last barely learns
    settled, table = settle(comparison(tune={"grids": grids}), tmp_path)
    assert settled.tuned["delta"] == {stream: {"lr": 1.9} for stream in NOISE}
    assert table["score"].max() < 100


def test_nothing_to_tune_changes_nothing(tmp_path: Path) -> None:
    asked = comparison(tune={}, tuning_seeds=None)
    assert tune(asked, tmp_path, tmp_path / "tune", Display(quiet=True)) is asked
    assert not (tmp_path / "tune").exists()


def _grid(**axes: list[float]) -> list[dict[str, Any]]:
    asked = comparison(tune={"grids": {"delta": [axes]}})
    return asked.tune.candidates("delta")


@pytest.mark.parametrize(
    ("axes", "best", "edges"),
    [
        ({"lr": [0.1, 0.2, 0.3]}, {"lr": 0.2}, []),
        ({"lr": [0.1, 0.2, 0.3]}, {"lr": 0.3}, ["lr"]),
        ({"lr": [0.1, 0.2, 0.3]}, {"lr": 0.1}, ["lr"]),
        ({"lr": [0.1, 0.2]}, {"lr": 0.1}, []),  # two values are no range
        ({"lr": [0.3, 0.1, 0.2], "reg": [0.0, 0.5, 1.0]}, {"lr": 0.3, "reg": 0.0}, ["lr"]),
        ({"lr": [0.3, 0.1, 0.2], "reg": [0.0, 0.5, 1.0]}, {"lr": 0.1, "reg": 1.0}, ["lr", "reg"]),
    ],
)
def test_a_best_value_at_the_edge_of_its_range_is_named(
    axes: dict[str, list[float]], best: dict[str, float], edges: list[str]
) -> None:
    choices = _grid(**axes)
    assert _edges(choices, choices.index(best)) == edges
