"""The seed document's Python interface."""

from versus.experiments.ebt.api.functions import (
    create_synthetic_data,
    run_main,
    test_energy_model,
    train_energy_model,
    train_feedforward,
)

__all__ = [
    "create_synthetic_data",
    "run_main",
    "test_energy_model",
    "train_energy_model",
    "train_feedforward",
]
