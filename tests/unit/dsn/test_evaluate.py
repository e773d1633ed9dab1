"""Trained scorers measured again, and what the verdict says in words."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.contract.single import smoke
from tests.unit.dsn.learners import comparison
from versus.core import paths, stages
from versus.core.errors import DataError
from versus.core.evaluation import evaluate as evaluated
from versus.core.evaluation import read_suite
from versus.core.experiment import find
from versus.core.models import read_model
from versus.experiments.dsn.evaluate import evaluate, refuse_strangers
from versus.experiments.dsn.findings import findings

RECORDED = 90
"""15 metrics of 3 seeds in 2 groups."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the smoke profile, which has been evaluated."""
    patch = pytest.MonkeyPatch()
    found = smoke("dsn", tmp_path_factory.mktemp("dsn"), patch)
    patch.undo()
    return found


def test_smoke_writes_everything(results: Path) -> None:
    assert {p.name for p in (results / "models").iterdir()} == {"baseline", "advanced"}
    pictures = {path.stem for path in (results / "plots").glob("*.png")}
    assert {"level_F1", "precision_recall", "rewards", "train-mean_reward"} <= pictures
    verdict = paths.read_json(results / "verdict.json")
    assert verdict["metric"] == "test/F1"
    assert {entry["items"] for entry in verdict["comparisons"]} == {3}
    assert [told.partition(":")[0] for told in verdict["findings"]] == ["baseline", "advanced"]


def test_a_model_is_measured_again_to_the_bit(results: Path) -> None:
    (data,) = [p for p in (results.parents[1] / "data").iterdir() if p.is_dir()]
    part = read_model(results / "models" / "advanced")
    suite = read_suite("dsn", Path(__file__).parents[3] / "evaluation" / "dsn.yaml")
    items, summary = evaluated(find("dsn"), part, data, suite)
    assert summary["reproduced"] == RECORDED
    assert set(items["group"]) == {"test", "test_style"}
    assert items["item_id"].is_unique
    assert items.groupby("cluster_id").size().eq(3).all()  # a video: once for every seed
    assert items["score"].equals(items["F1"])


def test_features_of_another_extractor_are_refused(results: Path) -> None:
    (data,) = [p for p in (results.parents[1] / "data").iterdir() if p.is_dir()]
    part = read_model(results / "models" / "advanced")
    known: dict[str, Any] = {**part.config["extractor"]}
    refuse_strangers(part, {**known, "width": 0})
    with pytest.raises(DataError, match=r"another extractor \(version 1, here 2\); extract"):
        refuse_strangers(part, {**known, "version": 2})
    index = data / "sequences" / "test.json"
    kept = index.read_text()
    try:
        index.write_text(kept.replace('"classic"', '"clip"'))
        with pytest.raises(DataError, match=r"name 'classic', here 'clip'"):
            evaluate(part, data)
    finally:
        index.write_text(kept)


VARIANTS = {
    "holds": {"model": {"rule": "holds"}},
    "uniform": {"model": {"rule": "uniform"}},
    "learnt": {},
}


def items_of(**levels: float) -> pd.DataFrame:
    """F1 per seed and video: a level, and the same small deviations for all."""
    rows = [
        {"variant": name, "seed": seed, "item_id": f"v{video}", "F1": level + (video % 3) / 50}
        for name, level in levels.items()
        for seed in range(3)
        for video in range(6)
    ]
    noise = [0.001 * (i * 7 % 5) for i in range(len(rows))]
    return pd.DataFrame(rows).assign(F1=lambda t: t["F1"] + noise)


def test_findings_name_the_best_rule_and_judge_by_intervals() -> None:
    asked = comparison(variants=VARIANTS, seeds=3)
    items = items_of(holds=0.6, uniform=0.2, learnt=0.4)
    (told,) = findings(asked, pd.DataFrame(), items)
    assert told.startswith("learnt: F1 0.4")
    assert "over the hold detector, the best rule, -0.2" in told
    assert told.count("worse") == 1
    assert "uniform frames +0.2" in told
    assert "3 seeds and 6 videos" in told


def test_findings_leave_out_what_diverged() -> None:
    asked = comparison(variants=VARIANTS, seeds=3)
    items = items_of(holds=0.6, uniform=0.2, learnt=0.4)
    lost = items[(items["variant"] != "learnt") | (items["seed"] > 0)]
    (told,) = findings(asked, pd.DataFrame(), lost)
    assert told == "learnt diverged, or too little was measured; it is compared with no rule."
    assert findings(asked, pd.DataFrame(), pd.DataFrame()) == []


def test_stages_are_those_of_the_data() -> None:
    assert list(find("dsn").stages()) == ["generate", "ingest", "scenes", "features", "split"]
    assert stages.DATA not in find("dsn").stages()
