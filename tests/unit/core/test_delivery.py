"""Which of several models under one name is registered last, and so becomes the candidate."""

from typing import Any

from versus.core.delivery import _merit
from versus.core.experiment import ModelPart


def order(described: dict[str, Any], **metrics: dict[str, str]) -> list[str]:
    parts = [
        ModelPart(name, {}, {"final_metrics": {"0": values}}) for name, values in metrics.items()
    ]
    return [part.name for part in sorted(parts, key=lambda part: _merit(part, described))]


def test_the_best_by_what_selects_comes_last() -> None:
    metrics = {
        "a": {"test/mse": "0.1", "best/val_mse": "0.3"},
        "b": {"test/mse": "0.2", "best/val_mse": "0.1"},
        "lost": {"test/mse": "inf", "best/val_mse": "nan"},
    }
    primary = {"primary": ["test/mse"]}
    assert order(primary, **metrics) == ["lost", "b", "a"]
    assert order({**primary, "selection": ["best/val_mse"]}, **metrics) == ["lost", "a", "b"]
    largest = {"primary": ["best/val_mse"], "direction": "maximize"}
    assert order(largest, **metrics) == ["lost", "b", "a"]
